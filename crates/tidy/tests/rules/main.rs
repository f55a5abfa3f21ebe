//! Rules for the whole tree: each is a test whose failure says what to do.

mod dependencies;
mod file_cycles;
mod images;
mod manifests;
mod migrations;
mod sources;
mod stores;
mod third_party;
mod translations;

/// Fails with the advice and the list of violations, if there are any.
fn assert_no_violations(violations: &[String], advice: &str) {
    assert!(
        violations.is_empty(),
        "{advice}\n\n  {}\n",
        violations.join("\n  ")
    );
}
