//! Which file of a crate may mention which other.

use std::collections::BTreeMap;

use crate::assert_no_violations;
use oncharge_tidy::{Tree, Workspace, file_cycles};

#[test]
fn no_files_depend_on_each_other_in_a_cycle() {
    let (workspace, tree) = (Workspace::load().unwrap(), Tree::load().unwrap());
    let mut violations = Vec::new();
    for member in &workspace.crates {
        let folder = format!("crates/{}/src/", member.short_name());
        let sources: BTreeMap<String, String> = tree
            .with_extension(&["rs"])
            .filter_map(|file| {
                let path = file.path.strip_prefix(&folder)?;
                Some((path.to_owned(), file.text.clone()))
            })
            .collect();
        for cycle in file_cycles(&sources).unwrap() {
            let steps = cycle.example.iter();
            let steps: Vec<_> = steps
                .map(|(file, path)| format!("{file} mentions {path}"))
                .collect();
            violations.push(format!(
                "{folder}: {}; in a cycle: {}",
                steps.join(", "),
                cycle.files.join(", ")
            ));
        }
    }
    assert_no_violations(
        &violations,
        "files of one crate build on each other in one direction, parent and child module excepted: move \
         what both need into a file of its own, or let the upper file pass what the lower one needs",
    );
}
