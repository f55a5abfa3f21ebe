//! Allowed dependencies between crates: `domain ← ports ← application ← adapter-http,
//! adapter-ops ← server`, `ports ← store-rows ← adapter-postgres, adapter-sqlite ← server`,
//! `ports ← every other adapter ← server`, `client ← demo-shop ← server`, `testkit → ports`,
//! `conformance → testkit`.

use crate::assert_no_violations;
use oncharge_tidy::{Crate, Workspace};
use std::collections::BTreeSet;

/// The allowed dependencies of a crate: in its product build, and additionally in its tests.
struct CrateRule {
    name: &'static str,
    allowed: &'static [&'static str],
    allowed_in_tests: &'static [&'static str],
}

const ADAPTER: &[&str] = &["domain", "ports"];
const STORE: &[&str] = &["domain", "ports", "store-rows"];
const STORE_TESTS: &[&str] = &["testkit", "conformance"];

/// All crates, from the inside out.
const CRATE_RULES: &[CrateRule] = &[
    CrateRule {
        name: "domain",
        allowed: &[],
        allowed_in_tests: &[],
    },
    CrateRule {
        name: "ports",
        allowed: &["domain"],
        allowed_in_tests: &[],
    },
    CrateRule {
        name: "application",
        allowed: &["domain", "ports"],
        allowed_in_tests: &["testkit"],
    },
    CrateRule {
        name: "adapter-http",
        allowed: &["domain", "ports", "application", "http-server"],
        allowed_in_tests: &["testkit"],
    },
    CrateRule {
        name: "adapter-ops",
        allowed: &["domain", "ports", "application", "http-server"],
        allowed_in_tests: &["testkit"],
    },
    CrateRule {
        name: "store-rows",
        allowed: ADAPTER,
        allowed_in_tests: &[],
    },
    CrateRule {
        name: "adapter-postgres",
        allowed: STORE,
        allowed_in_tests: STORE_TESTS,
    },
    CrateRule {
        name: "adapter-sqlite",
        allowed: STORE,
        allowed_in_tests: STORE_TESTS,
    },
    // Its tests call a real simulator over HTTP.
    CrateRule {
        name: "adapter-psp",
        allowed: ADAPTER,
        allowed_in_tests: &["testkit", "conformance", "psp-simulator"],
    },
    CrateRule {
        name: "adapter-webhook",
        allowed: ADAPTER,
        allowed_in_tests: STORE_TESTS,
    },
    CrateRule {
        name: "adapter-risk",
        allowed: ADAPTER,
        allowed_in_tests: STORE_TESTS,
    },
    // Linked into merchants' programs: of the service it includes only the domain's values.
    CrateRule {
        name: "client",
        allowed: &["domain"],
        allowed_in_tests: &[],
    },
    // An ordinary merchant; its tests sign webhooks with the domain's code.
    CrateRule {
        name: "demo-shop",
        allowed: &["client"],
        allowed_in_tests: &["domain"],
    },
    // Depends on HTTP only, not on payments.
    CrateRule {
        name: "http-server",
        allowed: &[],
        allowed_in_tests: &[],
    },
    // Independent of the service, like a real PSP.
    CrateRule {
        name: "psp-simulator",
        allowed: &["http-server"],
        allowed_in_tests: &[],
    },
    CrateRule {
        name: "testkit",
        allowed: &["domain", "ports"],
        allowed_in_tests: &["conformance"],
    },
    CrateRule {
        name: "conformance",
        allowed: &["domain", "ports", "testkit"],
        allowed_in_tests: &[],
    },
    // The only crate that depends on several adapters.
    CrateRule {
        name: "server",
        allowed: &[
            "domain",
            "ports",
            "application",
            "adapter-http",
            "adapter-ops",
            "adapter-postgres",
            "adapter-sqlite",
            "adapter-psp",
            "adapter-webhook",
            "adapter-risk",
            "client",
            "demo-shop",
            "psp-simulator",
        ],
        allowed_in_tests: &["testkit"],
    },
    // A development tool: it loads the running binary over HTTP, and signs with the domain's code.
    // Measurements that need a thousand merchants, or only a part of the service, run in its own
    // process, wired by the server's library.
    CrateRule {
        name: "bench",
        allowed: &[
            "domain",
            "ports",
            "application",
            "adapter-http",
            "adapter-psp",
            "adapter-webhook",
            "server",
        ],
        allowed_in_tests: &[],
    },
    CrateRule {
        name: "tidy",
        allowed: &[],
        allowed_in_tests: &[],
    },
];

fn crates_with_rules(
    workspace: &Workspace,
) -> impl Iterator<Item = (&Crate, Option<&'static CrateRule>)> {
    workspace.crates.iter().map(|member| {
        let rule = CRATE_RULES
            .iter()
            .find(|rule| rule.name == member.short_name());
        (member, rule)
    })
}

fn not_allowed<'a>(found: &BTreeSet<&'a str>, allowed: &[&[&str]]) -> Vec<&'a str> {
    found
        .iter()
        .copied()
        .filter(|name| !allowed.iter().any(|list| list.contains(name)))
        .collect()
}

#[test]
fn every_crate_has_a_dependency_rule() {
    let workspace = Workspace::load().unwrap();
    let unlisted: Vec<String> = crates_with_rules(&workspace)
        .filter(|(_, rule)| rule.is_none())
        .map(|(member, _)| member.name.clone())
        .collect();
    assert_no_violations(
        &unlisted,
        "a new crate needs a dependency rule: add it to CRATE_RULES in crates/tidy/tests/rules/dependencies.rs \
         and to the code map in ARCHITECTURE.md",
    );
}

#[test]
fn dependencies_point_inwards() {
    let workspace = Workspace::load().unwrap();
    let mut violations = Vec::new();
    for (member, rule) in crates_with_rules(&workspace) {
        let Some(rule) = rule else { continue };
        for name in not_allowed(&member.our_dependencies(), &[rule.allowed]) {
            violations.push(format!("{} depends on oncharge-{name}", member.name));
        }
    }
    assert_no_violations(
        &violations,
        "this dependency points the wrong way. Let the inner crate state what it needs as a trait in \
         oncharge-ports, and let server bring the two together",
    );
}

#[test]
fn dev_dependencies_are_allowed() {
    let workspace = Workspace::load().unwrap();
    let mut violations = Vec::new();
    for (member, rule) in crates_with_rules(&workspace) {
        let Some(rule) = rule else { continue };
        for name in not_allowed(
            &member.our_dev_dependencies(),
            &[rule.allowed, rule.allowed_in_tests],
        ) {
            violations.push(format!(
                "{} has the dev-dependency oncharge-{name}",
                member.name
            ));
        }
    }
    assert_no_violations(
        &violations,
        "test a crate with oncharge-testkit and the laws of oncharge-conformance; what needs several \
         adapters at once is a test of oncharge-server",
    );
}

#[test]
fn test_helpers_never_reach_the_product() {
    let helpers = ["testkit", "conformance", "tidy"];
    let workspace = Workspace::load().unwrap();
    let mut violations = Vec::new();
    for (member, _) in crates_with_rules(&workspace) {
        if helpers.contains(&member.short_name()) {
            continue;
        }
        for name in member.our_dependencies() {
            if helpers.contains(&name) {
                violations.push(format!("{} depends on oncharge-{name}", member.name));
            }
        }
    }
    assert_no_violations(
        &violations,
        "name it under [dev-dependencies]: it is for tests only",
    );
}

#[test]
fn the_domain_has_no_features() {
    let workspace = Workspace::load().unwrap();
    let mut violations = Vec::new();
    for (member, _) in crates_with_rules(&workspace) {
        if member.short_name() == "domain" {
            violations.extend(member.features.keys().cloned());
        }
    }
    assert_no_violations(
        &violations,
        "the rules of a payment must not depend on build options: remove these features from oncharge-domain",
    );
}
