//! Which crate of ours may know which: `domain ← ports ← application ← adapter-http ← server`,
//! `ports ← every other adapter ← server`, `testkit → ports`, `conformance → testkit`.

use crate::none_may_offend;
use oncharge_tidy::{Crate, Workspace};
use std::collections::BTreeSet;

/// What one crate may name: in its product build, and beyond that in its tests.
struct Arrows {
    name: &'static str,
    knows: &'static [&'static str],
    tests_know: &'static [&'static str],
}

const ADAPTER: &[&str] = &["domain", "ports"];
const STORE_TESTS: &[&str] = &["testkit", "conformance"];

/// The whole picture, from the inside out.
const PICTURE: &[Arrows] = &[
    Arrows {
        name: "domain",
        knows: &[],
        tests_know: &[],
    },
    Arrows {
        name: "ports",
        knows: &["domain"],
        tests_know: &[],
    },
    Arrows {
        name: "application",
        knows: &["domain", "ports"],
        tests_know: &["testkit"],
    },
    Arrows {
        name: "adapter-http",
        knows: &["domain", "ports", "application", "host-guard"],
        tests_know: &["testkit"],
    },
    Arrows {
        name: "adapter-postgres",
        knows: ADAPTER,
        tests_know: STORE_TESTS,
    },
    Arrows {
        name: "adapter-sqlite",
        knows: ADAPTER,
        tests_know: STORE_TESTS,
    },
    // Its tests speak to a real simulator, over HTTP as always.
    Arrows {
        name: "adapter-psp",
        knows: ADAPTER,
        tests_know: &["testkit", "conformance", "psp-simulator"],
    },
    Arrows {
        name: "adapter-webhook",
        knows: ADAPTER,
        tests_know: STORE_TESTS,
    },
    Arrows {
        name: "adapter-risk",
        knows: ADAPTER,
        tests_know: STORE_TESTS,
    },
    // A merchant's program links it: it carries nothing of the service but the domain's values.
    Arrows {
        name: "client",
        knows: &["domain"],
        tests_know: &[],
    },
    // Knows HTTP alone, nothing of payments.
    Arrows {
        name: "host-guard",
        knows: &[],
        tests_know: &[],
    },
    // A PSP in its own right, which could be anybody's.
    Arrows {
        name: "psp-simulator",
        knows: &["host-guard"],
        tests_know: &[],
    },
    Arrows {
        name: "testkit",
        knows: &["domain", "ports"],
        tests_know: &["conformance"],
    },
    Arrows {
        name: "conformance",
        knows: &["domain", "ports", "testkit"],
        tests_know: &[],
    },
    // The only place where adapters meet.
    Arrows {
        name: "server",
        knows: &[
            "domain",
            "ports",
            "application",
            "adapter-http",
            "adapter-postgres",
            "adapter-sqlite",
            "adapter-psp",
            "adapter-webhook",
            "adapter-risk",
            "client",
            "psp-simulator",
        ],
        tests_know: &["testkit"],
    },
    // A development tool: it loads the running binary over HTTP, and signs as the domain says. What
    // needs a thousand merchants, or a part of the service alone, it wires as the server does.
    Arrows {
        name: "bench",
        knows: &[
            "domain",
            "ports",
            "application",
            "adapter-http",
            "adapter-postgres",
            "adapter-psp",
            "adapter-sqlite",
            "adapter-webhook",
        ],
        tests_know: &[],
    },
    Arrows {
        name: "tidy",
        knows: &[],
        tests_know: &[],
    },
];

fn placed(workspace: &Workspace) -> impl Iterator<Item = (&Crate, Option<&'static Arrows>)> {
    workspace.crates.iter().map(|member| {
        let arrows = PICTURE
            .iter()
            .find(|arrows| arrows.name == member.short_name());
        (member, arrows)
    })
}

fn beyond<'a>(found: &BTreeSet<&'a str>, allowed: &[&[&str]]) -> Vec<&'a str> {
    found
        .iter()
        .copied()
        .filter(|name| !allowed.iter().any(|list| list.contains(name)))
        .collect()
}

#[test]
fn every_crate_has_its_place_in_the_picture() {
    let workspace = Workspace::load().unwrap();
    let strangers: Vec<String> = placed(&workspace)
        .filter(|(_, arrows)| arrows.is_none())
        .map(|(member, _)| member.name.clone())
        .collect();
    none_may_offend(
        &strangers,
        "a new crate needs a place in the picture: add it to PICTURE in crates/tidy/tests/house/arrows.rs \
         and to the code map in ARCHITECTURE.md",
    );
}

#[test]
fn a_crate_knows_only_those_further_in() {
    let workspace = Workspace::load().unwrap();
    let mut offences = Vec::new();
    for (member, arrows) in placed(&workspace) {
        let Some(arrows) = arrows else { continue };
        for name in beyond(&member.our_dependencies(), &[arrows.knows]) {
            offences.push(format!("{} depends on oncharge-{name}", member.name));
        }
    }
    none_may_offend(
        &offences,
        "this dependency points the wrong way. Let the inner crate state what it needs as a trait in \
         oncharge-ports, and let server bring the two together",
    );
}

#[test]
fn tests_too_know_only_what_they_may() {
    let workspace = Workspace::load().unwrap();
    let mut offences = Vec::new();
    for (member, arrows) in placed(&workspace) {
        let Some(arrows) = arrows else { continue };
        for name in beyond(
            &member.our_dev_dependencies(),
            &[arrows.knows, arrows.tests_know],
        ) {
            offences.push(format!(
                "{} has the dev-dependency oncharge-{name}",
                member.name
            ));
        }
    }
    none_may_offend(
        &offences,
        "test a crate with oncharge-testkit and the laws of oncharge-conformance; what needs several \
         adapters at once is a test of oncharge-server",
    );
}

#[test]
fn test_helpers_never_reach_the_product() {
    let helpers = ["testkit", "conformance", "tidy"];
    let workspace = Workspace::load().unwrap();
    let mut offences = Vec::new();
    for (member, _) in placed(&workspace) {
        if helpers.contains(&member.short_name()) {
            continue;
        }
        for name in member.our_dependencies() {
            if helpers.contains(&name) {
                offences.push(format!("{} depends on oncharge-{name}", member.name));
            }
        }
    }
    none_may_offend(
        &offences,
        "name it under [dev-dependencies]: it is for tests only",
    );
}

#[test]
fn the_domain_has_no_features() {
    let workspace = Workspace::load().unwrap();
    let mut offences = Vec::new();
    for (member, _) in placed(&workspace) {
        if member.short_name() == "domain" {
            offences.extend(member.features.keys().cloned());
        }
    }
    none_may_offend(
        &offences,
        "what a payment is does not depend on how it was built: take these features out of oncharge-domain",
    );
}
