//! Cycles between the files of one crate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::modules::ModuleTree;

/// Which file mentions which other file, with a path by which it does. References between a module
/// and the modules inside it are left out: parent and child belong together.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

/// Files that depend on each other in a cycle.
#[derive(Debug, PartialEq, Eq)]
pub struct Cycle {
    /// All files of the strongly connected component, by path.
    pub files: Vec<String>,
    /// A shortest cycle among them: each file, and the path by which it mentions the next.
    pub example: Vec<(String, String)>,
}

/// The cycles between the files of a crate; `sources` are their texts by path, relative to `src/`.
///
/// Errors if a file cannot be parsed, or if the file of a module is missing.
pub fn file_cycles(sources: &BTreeMap<String, String>) -> anyhow::Result<Vec<Cycle>> {
    let mut graph = Graph::new();
    for root in ["lib.rs", "main.rs"] {
        if sources.contains_key(root) {
            add_references(&mut graph, &ModuleTree::read(sources, root)?);
        }
    }
    let mut seen = BTreeSet::new();
    let mut cycles = Vec::new();
    for file in graph.keys() {
        if seen.contains(file) {
            continue;
        }
        let files: Vec<String> = reachable(&graph, file)
            .into_iter()
            .filter(|other| reachable(&graph, other).contains(file))
            .collect();
        seen.extend(files.iter().cloned());
        let examples = files.iter().filter_map(|file| shortest_cycle(&graph, file));
        if let Some(example) = examples.min_by_key(Vec::len) {
            cycles.push(Cycle { files, example });
        }
    }
    Ok(cycles)
}

fn add_references(graph: &mut Graph, tree: &ModuleTree) {
    for (number, module) in tree.modules() {
        for path in &module.references {
            let Some(file) = tree.defining_file(number, path) else {
                continue;
            };
            if !is_same_branch(&module.file, file) {
                let references = graph.entry(module.file.clone()).or_default();
                let reference = references.entry(file.to_owned()).or_default();
                let path = path.join("::");
                // The longest path is the most specific.
                if path.len() > reference.len() {
                    *reference = path;
                }
            }
        }
    }
}

/// Whether one file contains the module of the other, or they are the same.
fn is_same_branch(one: &str, other: &str) -> bool {
    let is_root = |file: &str| matches!(file, "lib.rs" | "main.rs");
    let contains = |outer: &str, inner: &str| {
        let inside = inner.strip_prefix(outer.trim_end_matches(".rs"));
        inside.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    };
    is_root(one) || is_root(other) || contains(one, other) || contains(other, one)
}

/// The files that can be reached by at least one reference.
fn reachable(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(file) = open.pop() {
        for next in graph.get(&file).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

fn shortest_cycle(graph: &Graph, start: &str) -> Option<Vec<(String, String)>> {
    let mut open = VecDeque::from([(start, Vec::new())]);
    let mut seen = BTreeSet::new();
    while let Some((file, steps)) = open.pop_front() {
        for (next, path) in graph.get(file).into_iter().flatten() {
            let mut steps: Vec<(String, String)> = steps.clone();
            steps.push((file.to_owned(), path.clone()));
            if next == start {
                return Some(steps);
            }
            if seen.insert(next) {
                open.push_back((next, steps));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(files: &[(&str, &str)]) -> Vec<Cycle> {
        let files = files.iter();
        let sources = files.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        file_cycles(&sources.collect()).unwrap()
    }

    fn step(file: &str, path: &str) -> (String, String) {
        (file.to_owned(), path.to_owned())
    }

    #[test]
    fn a_cycle_is_found_with_its_references() {
        let found = cycles(&[
            ("lib.rs", "mod a; mod b; mod c; mod leaf;"),
            ("a.rs", "use crate::{b::B, leaf::{self, Leaf}};"),
            ("b.rs", "pub struct B; fn f() -> super::c::C { todo() }"),
            (
                "c.rs",
                "pub struct C; #[attribute(of = crate::a::A)] struct D;",
            ),
            ("leaf.rs", "pub struct Leaf;"),
        ]);
        let cycle = Cycle {
            files: ["a.rs", "b.rs", "c.rs"].map(str::to_owned).to_vec(),
            example: vec![
                step("a.rs", "crate::b::B"),
                step("b.rs", "super::c::C"),
                step("c.rs", "crate::a::A"),
            ],
        };
        assert_eq!(found, [cycle]);
    }

    #[test]
    fn parent_and_child_may_mention_each_other() {
        let found = cycles(&[
            ("main.rs", "mod a; mod b; use a::A; fn main() { b::run() }"),
            ("a.rs", "mod child; pub struct A(child::Child);"),
            (
                "a/child.rs",
                "mod grandchild; use super::A; use crate::main;",
            ),
            ("a/child/grandchild.rs", "use super::super::A;"),
            (
                "b.rs",
                "use crate::a::A; mod tests { use super::*; use crate::b::run; }",
            ),
        ]);
        assert_eq!(found, []);
    }

    #[test]
    fn siblings_are_a_cycle_even_through_the_re_exports_of_their_parent() {
        let found = cycles(&[
            ("lib.rs", "mod a;"),
            (
                "a.rs",
                "mod one; mod two; pub use one::One; pub use self::two::*;",
            ),
            ("a/one.rs", "use super::Two; pub struct One;"),
            ("a/two.rs", "use crate::a::One; pub struct Two;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].example,
            [
                step("a/one.rs", "super::Two"),
                step("a/two.rs", "crate::a::One")
            ]
        );
    }

    #[test]
    fn paths_in_macros_and_through_imported_modules_count() {
        let found = cycles(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b; fn f() { b::f(); }"),
            ("b.rs", "pub fn f() { print!(\"{}\", [crate::a::f()]); }"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn names_of_other_crates_are_no_references() {
        let found = cycles(&[
            ("lib.rs", "mod a; mod metrics;"),
            ("a.rs", "use crate::metrics::count; use ::metrics::Key;"),
            (
                "metrics.rs",
                "use metrics::counter; use a::b; pub fn count() {}",
            ),
        ]);
        assert_eq!(found, []);
    }

    #[test]
    fn a_missing_module_is_an_error() {
        let sources = BTreeMap::from([("lib.rs".to_owned(), "mod a;".to_owned())]);
        assert!(file_cycles(&sources).is_err());
    }
}
