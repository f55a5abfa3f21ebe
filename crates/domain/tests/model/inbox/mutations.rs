//! What may be wrong with an inbox; each flaw must be found out.

use super::{CONSISTENCY, FENCING, InboxModel, LOST, ONCE, TOGETHER, TWICE};
use crate::check::assert_found;

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    /// What follows from a fact and that it is handled are two commits.
    HandledLater,
    /// The other way round: it is handled before anything follows from it.
    HandledFirst,
    /// What is ahead of our own commit is put aside.
    DropsUncommitted,
    /// The same event key is kept again. The state machine knows old news, so that this alone has
    /// no effect on the payment.
    KeepsDuplicates,
    /// The same, and what was decided is written over a session that has changed since.
    KeepsDuplicatesNoVersions,
    /// A lost lease may commit.
    NoFencing,
    /// The same, and neither that the fact is handled already nor the session's version is looked at.
    NoFencingNoVersions,
    /// A decision without effect counts although the session was changed between the two reads.
    TrustsOvertakenReads,
    /// Leases never run out.
    NeverExpiresLeases,
}

fn assert_caught(mutation: Mutation, property: &'static str) {
    assert_found(InboxModel::small(Some(mutation)), property);
}

fn assert_caught_in_reversal(mutation: Mutation, property: &'static str) {
    assert_found(InboxModel::reversed_refund(1, Some(mutation)), property);
}

#[test]
fn handling_in_another_commit_is_caught() {
    assert_caught(Mutation::HandledLater, TOGETHER);
}

#[test]
fn handling_too_early_is_caught() {
    assert_caught(Mutation::HandledFirst, LOST);
    assert_caught(Mutation::HandledFirst, CONSISTENCY);
}

#[test]
fn dropping_an_uncommitted_operation_is_caught() {
    assert_caught(Mutation::DropsUncommitted, LOST);
}

#[test]
fn stored_duplicates_are_caught() {
    assert_caught(Mutation::KeepsDuplicates, ONCE);
    assert_caught_in_reversal(Mutation::KeepsDuplicatesNoVersions, TWICE);
}

#[test]
fn missing_fencing_is_caught() {
    assert_caught(Mutation::NoFencing, FENCING);
    assert_caught_in_reversal(Mutation::NoFencingNoVersions, TWICE);
}

#[test]
fn trusting_a_stale_read_is_caught() {
    assert_caught(Mutation::TrustsOvertakenReads, CONSISTENCY);
}

#[test]
fn leases_without_expiry_are_caught() {
    assert_caught(Mutation::NeverExpiresLeases, LOST);
}
