//! Where external crates may be used, and which must not be used.

use crate::assert_no_violations;
use oncharge_tidy::{Workspace, locked_packages};

/// A package, and the only crates that may depend on it in their product build.
struct ConfinedPackage {
    package: &'static str,
    allowed_in: &'static [&'static str],
    why: &'static str,
}

const DATABASES: &[&str] = &["adapter-postgres", "adapter-sqlite", "psp-simulator"];
const SQLITE: &[&str] = &["adapter-sqlite", "psp-simulator"];
// bench: inserts a row, as the reference for acknowledging a notification.
const SQL_CLIENTS: &[&str] = &[
    "store-rows",
    "adapter-postgres",
    "adapter-sqlite",
    "psp-simulator",
    "bench",
];
// bench: serves a constant response, as the limit that the service is compared with.
const HTTP_SERVERS: &[&str] = &[
    "adapter-http",
    "adapter-ops",
    "demo-shop",
    "http-server",
    "psp-simulator",
    "server",
    "bench",
];

const CONFINED_PACKAGES: &[ConfinedPackage] = &[
    ConfinedPackage {
        package: "diesel",
        allowed_in: SQL_CLIENTS,
        why: "SQL belongs in a store",
    },
    ConfinedPackage {
        package: "diesel_migrations",
        allowed_in: DATABASES,
        why: "SQL belongs in a store",
    },
    ConfinedPackage {
        package: "diesel-async",
        allowed_in: &["adapter-postgres"],
        why: "SQL belongs in a store",
    },
    ConfinedPackage {
        package: "tokio-postgres",
        allowed_in: &["adapter-postgres", "bench"],
        why: "SQL belongs in a store",
    },
    ConfinedPackage {
        package: "libsqlite3-sys",
        allowed_in: SQLITE,
        why: "SQL belongs in a store",
    },
    ConfinedPackage {
        package: "actix-web",
        allowed_in: HTTP_SERVERS,
        why: "requests are handled by the HTTP adapters",
    },
    ConfinedPackage {
        package: "reqwest",
        // server: its `demo` command acts as the shopper's browser against the running service.
        allowed_in: &[
            "client",
            "adapter-psp",
            "adapter-webhook",
            "adapter-risk",
            "psp-simulator",
            "server",
        ],
        why: "outgoing calls use a port",
    },
    ConfinedPackage {
        package: "anyhow",
        allowed_in: &[
            "server",
            "demo-shop",
            "psp-simulator",
            "conformance",
            "tidy",
            "bench",
        ],
        why: "a library defines its own error types, which callers can match",
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

/// Packages that the two innermost crates must not use, so that they contain only values and
/// decisions.
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

/// Not allowed in any build: second TLS and crypto stacks, C libraries that the system would have
/// to provide.
const BANNED: &[(&str, &str)] = &[
    (
        "aws-lc-rs",
        "the crypto provider is ring; disable the default features",
    ),
    (
        "aws-lc-sys",
        "the crypto provider is ring; disable the default features",
    ),
    (
        "aws-lc-fips-sys",
        "the crypto provider is ring; disable the default features",
    ),
    ("native-tls", "TLS is rustls"),
    ("openssl", "TLS is rustls"),
    ("openssl-sys", "TLS is rustls"),
    (
        "pq-src",
        "PostgreSQL is accessed with tokio-postgres, without libpq",
    ),
    (
        "pq-sys",
        "PostgreSQL is accessed with tokio-postgres, without libpq",
    ),
    (
        "rusqlite",
        "SQLite is accessed with diesel; two bindings cannot share one library",
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
        "move the code to an allowed crate, behind a port",
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
        "`cargo tree --invert PACKAGE` shows which crate depends on it",
    );
}
