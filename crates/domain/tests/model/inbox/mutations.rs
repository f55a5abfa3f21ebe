//! Mutations of the inbox; each must be detected.

use super::{CONSISTENCY, FENCING, InboxModel, LOST, ONCE, TOGETHER, TWICE};
use crate::check::assert_found;

/// A defect of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    /// Applying a notification and marking it as handled are two commits.
    HandledLater,
    /// Reversed order: it is marked as handled before it is applied.
    HandledFirst,
    /// A notification before the operation's own commit is dropped.
    DropsUncommitted,
    /// A duplicate event key is stored. The state machine ignores results that it already has, so
    /// this alone does not affect the payment.
    KeepsDuplicates,
    /// The same, and the decision is written over a session that has changed since.
    KeepsDuplicatesNoVersions,
    /// A lost lease may commit.
    NoFencing,
    /// The same, and neither the notification's status nor the session's version is checked.
    NoFencingNoVersions,
    /// A decision without effect counts although the session was changed between the two reads.
    TrustsOvertakenReads,
    /// Leases never expire.
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
