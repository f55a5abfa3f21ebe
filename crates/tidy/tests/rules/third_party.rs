//! Which of the crates from outside may be named where, and which nowhere.

use crate::assert_no_violations;
use oncharge_tidy::{Workspace, locked_packages};

/// A package from outside, and the only crates of ours that may name it in their product build.
struct ConfinedPackage {
    package: &'static str,
    allowed_in: &'static [&'static str],
    why: &'static str,
}

const DATABASES: &[&str] = &["adapter-postgres", "adapter-sqlite", "psp-simulator"];
const SQLITE: &[&str] = &["adapter-sqlite", "psp-simulator"];
// bench: inserts a row, as the limit that acknowledging a notification is measured against.
const SQL_CLIENTS: &[&str] = &[
    "store-rows",
    "adapter-postgres",
    "adapter-sqlite",
    "psp-simulator",
    "bench",
];
// bench: serves a constant, as the limit that the service is measured against.
const HTTP_SERVERS: &[&str] = &[
    "adapter-http",
    "host-guard",
    "psp-simulator",
    "server",
    "bench",
];

const CONFINED_PACKAGES: &[ConfinedPackage] = &[
    ConfinedPackage {
        package: "diesel",
        allowed_in: SQL_CLIENTS,
        why: "SQL belongs into a store",
    },
    ConfinedPackage {
        package: "diesel_migrations",
        allowed_in: DATABASES,
        why: "SQL belongs into a store",
    },
    ConfinedPackage {
        package: "diesel-async",
        allowed_in: &["adapter-postgres"],
        why: "SQL belongs into a store",
    },
    ConfinedPackage {
        package: "tokio-postgres",
        allowed_in: &["adapter-postgres", "bench"],
        why: "SQL belongs into a store",
    },
    ConfinedPackage {
        package: "libsqlite3-sys",
        allowed_in: SQLITE,
        why: "SQL belongs into a store",
    },
    ConfinedPackage {
        package: "actix-web",
        allowed_in: HTTP_SERVERS,
        why: "requests are adapter-http's affair",
    },
    ConfinedPackage {
        package: "reqwest",
        // server: its `demo` command plays the shopper's browser against the running service.
        allowed_in: &[
            "client",
            "adapter-psp",
            "adapter-webhook",
            "adapter-risk",
            "psp-simulator",
            "server",
        ],
        why: "calls to the outside go through a port",
    },
    ConfinedPackage {
        package: "anyhow",
        allowed_in: &["server", "psp-simulator", "conformance", "tidy", "bench"],
        why: "a library's errors are types of its own, which a caller can match",
    },
    ConfinedPackage {
        package: "config",
        allowed_in: &["server"],
        why: "configuration is read in one place",
    },
    ConfinedPackage {
        package: "clap",
        allowed_in: &["server", "psp-simulator", "bench"],
        why: "arguments are read by binaries",
    },
];

/// What the two innermost crates do without, so that they stay values and decisions.
const FORBIDDEN_IN: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "async-trait",
            "futures-util",
            "rand",
            "serde",
            "serde_json",
            "tokio",
            "tracing",
        ],
    ),
    ("ports", &["futures-util", "rand", "tokio", "tracing"]),
];

/// Never in any build: second TLS and crypto stacks, C libraries that the system would have to bring.
const BANNED: &[(&str, &str)] = &[
    (
        "aws-lc-rs",
        "the crypto provider is ring; turn the default features off",
    ),
    (
        "aws-lc-sys",
        "the crypto provider is ring; turn the default features off",
    ),
    (
        "aws-lc-fips-sys",
        "the crypto provider is ring; turn the default features off",
    ),
    ("native-tls", "TLS is rustls"),
    ("openssl", "TLS is rustls"),
    ("openssl-sys", "TLS is rustls"),
    (
        "pq-src",
        "PostgreSQL is spoken to by tokio-postgres, without libpq",
    ),
    (
        "pq-sys",
        "PostgreSQL is spoken to by tokio-postgres, without libpq",
    ),
    (
        "rusqlite",
        "SQLite is reached through diesel; two bindings cannot share one library",
    ),
];

#[test]
fn confined_packages_stay_in_their_crates() {
    let workspace = Workspace::load().unwrap();
    let mut violations = Vec::new();
    for rule in CONFINED_PACKAGES {
        for member in &workspace.crates {
            if member.depends_on(rule.package) && !rule.allowed_in.contains(&member.short_name()) {
                violations.push(format!(
                    "{} depends on {}: {} (allowed in: {})",
                    member.name,
                    rule.package,
                    rule.why,
                    rule.allowed_in.join(", ")
                ));
            }
        }
    }
    assert_no_violations(
        &violations,
        "move the code that needs it to where it may stand, behind a port",
    );
}

#[test]
fn the_inner_crates_stay_pure() {
    let workspace = Workspace::load().unwrap();
    let mut violations = Vec::new();
    for (name, absent) in FORBIDDEN_IN {
        let member = workspace
            .crates
            .iter()
            .find(|member| member.short_name() == *name);
        let member = member.unwrap_or_else(|| panic!("there is no crate oncharge-{name}"));
        for package in *absent {
            if member.depends_on(package) {
                violations.push(format!("{} depends on {package}", member.name));
            }
        }
    }
    assert_no_violations(
        &violations,
        "domain and ports hold values, decisions and traits: no runtime, no I/O, no logging, and in \
         domain no serialization; do this in application or in an adapter",
    );
}

#[test]
fn no_banned_package_is_in_the_lock_file() {
    let locked = locked_packages().unwrap();
    let violations: Vec<String> = BANNED
        .iter()
        .filter(|(package, _)| locked.contains(*package))
        .map(|(package, why)| format!("{package}: {why}"))
        .collect();
    assert_no_violations(
        &violations,
        "`cargo tree --invert PACKAGE` says who brings it in",
    );
}
