//! The rules of the house, held over the tree: each rule is a test that says what to do.

mod dependencies;
mod images;
mod manifests;
mod migrations;
mod sources;
mod stores;
mod third_party;

/// Fails with the advice and the list of what offends, unless nothing does.
fn assert_no_violations(violations: &[String], advice: &str) {
    assert!(
        violations.is_empty(),
        "{advice}\n\n  {}\n",
        violations.join("\n  ")
    );
}
