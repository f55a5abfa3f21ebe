//! The rules of the house, held over the tree: each rule is a test that says what to do.

mod arrows;
mod manifests;
mod migrations;
mod pictures;
mod sources;
mod third_party;

/// Fails with the advice and the list of what offends, unless nothing does.
fn none_may_offend(offences: &[String], advice: &str) {
    assert!(
        offences.is_empty(),
        "{advice}\n\n  {}\n",
        offences.join("\n  ")
    );
}
