//! The two stores have the same files, so that each can be read beside the other.

use crate::assert_no_violations;
use oncharge_tidy::{File, Tree};
use std::collections::BTreeSet;

const POSTGRES: &str = "crates/adapter-postgres/";
const SQLITE: &str = "crates/adapter-sqlite/";

/// A file, or a folder with `/` at its end, that one store alone has, and why.
struct OnlyInOne {
    store: &'static str,
    path: &'static str,
    why: &'static str,
}

const fn postgres(path: &'static str, why: &'static str) -> OnlyInOne {
    OnlyInOne {
        store: POSTGRES,
        path,
        why,
    }
}

const fn sqlite(path: &'static str, why: &'static str) -> OnlyInOne {
    OnlyInOne {
        store: SQLITE,
        path,
        why,
    }
}

const ONLY_IN_ONE: &[OnlyInOne] = &[
    postgres("src/address.rs", "a server is found by a URL"),
    postgres("src/address/", "hosts, TLS and the driver of a connection"),
    postgres(
        "src/batch.rs",
        "statements are sent together, which saves round trips",
    ),
    postgres("src/migrations/tests.rs", "needs a server"),
    postgres(
        "src/precondition.rs",
        "a batch is checked after it was sent",
    ),
    postgres("src/statistics.rs", "round trips are counted"),
    postgres("tests/store/connection_failures.rs", "connections break"),
    postgres("tests/store/fill.rs", "the script for measurements"),
    postgres(
        "tests/store/filtered_lists.rs",
        "the plan depends on statistics",
    ),
    postgres("tests/store/operator_queries.rs", "for the test of plans"),
    postgres("tests/store/proxy.rs", "a proxy between store and server"),
    postgres("tests/store/races.rs", "writes are concurrent"),
    postgres("tests/store/replication.rs", "a standby"),
    postgres("tests/store/statistics.rs", "round trips are counted"),
    postgres("tests/store/tls.rs", "a network"),
    sqlite("tests/store/file.rs", "there is one file"),
    sqlite(
        "src/returning.rs",
        "Diesel prepares each UPDATE anew, and parsing costs more than running",
    ),
    sqlite(
        "src/store/tests.rs",
        "the disk is full, by a limit on the writer's connection",
    ),
    sqlite("src/writer.rs", "there is one writer, a thread"),
];

#[test]
fn both_stores_have_the_same_files() {
    let tree = Tree::load().unwrap();
    let (postgres, sqlite) = (sources(&tree, POSTGRES), sources(&tree, SQLITE));
    let alone = [
        (POSTGRES, postgres.difference(&sqlite)),
        (SQLITE, sqlite.difference(&postgres)),
    ];
    let mut violations = Vec::new();
    let mut used = BTreeSet::new();
    for (store, paths) in alone {
        for path in paths {
            let listed = ONLY_IN_ONE.iter().position(|it| it.covers(store, path));
            match listed {
                Some(at) => {
                    used.insert(at);
                }
                None => violations.push(format!("{store}{path}: the other store has no such file")),
            }
        }
    }
    for (at, it) in ONLY_IN_ONE.iter().enumerate() {
        if !used.contains(&at) {
            let (store, path, why) = (it.store, it.path, it.why);
            violations.push(format!("{store}{path} ({why}): is in neither or in both"));
        }
    }
    assert_no_violations(
        &violations,
        "name files of both stores alike; list with a reason what one database alone needs",
    );
}

impl OnlyInOne {
    fn covers(&self, store: &str, path: &str) -> bool {
        let is_folder = self.path.ends_with('/');
        self.store == store && (path == self.path || is_folder && path.starts_with(self.path))
    }
}

/// The paths of a store's files, from its folder.
fn sources<'a>(tree: &'a Tree, store: &str) -> BTreeSet<&'a str> {
    let own = |file: &'a File| file.path.strip_prefix(store);
    let files = tree.with_extension(&["rs"]).filter_map(own);
    let compared = ["src/", "tests/store/"];
    files
        .filter(|path| compared.iter().any(|folder| path.starts_with(folder)))
        .collect()
}
