//! What may be wrong with an inbox; each flaw must be found out.

use super::{FENCING, LOST, Mailroom, ONCE, TOGETHER, TRUTH, TWICE};
use crate::check::finds;

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// What follows from a fact and that it is handled are two commits.
    HandledLater,
    /// The other way round: it is handled before anything follows from it.
    HandledFirst,
    /// What is ahead of our own commit is put aside.
    DropsAhead,
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
    NeverLapses,
}

fn finds_out(flaw: Flaw, property: &'static str) {
    finds(Mailroom::small(Some(flaw)), property);
}

fn finds_taken_back(flaw: Flaw, property: &'static str) {
    finds(Mailroom::taken_back(1, Some(flaw)), property);
}

#[test]
fn a_fact_that_is_handled_in_another_commit_is_found_out() {
    finds_out(Flaw::HandledLater, TOGETHER);
}

#[test]
fn a_fact_that_is_handled_too_soon_is_found_out() {
    finds_out(Flaw::HandledFirst, LOST);
    finds_out(Flaw::HandledFirst, TRUTH);
}

#[test]
fn a_fact_that_is_ahead_and_dropped_is_found_out() {
    finds_out(Flaw::DropsAhead, LOST);
}

#[test]
fn a_duplicate_that_is_kept_is_found_out() {
    finds_out(Flaw::KeepsDuplicates, ONCE);
    finds_taken_back(Flaw::KeepsDuplicatesNoVersions, TWICE);
}

#[test]
fn missing_fencing_is_found_out_even_where_versions_save_the_money() {
    finds_out(Flaw::NoFencing, FENCING);
    finds_taken_back(Flaw::NoFencingNoVersions, TWICE);
}

#[test]
fn an_overtaken_read_that_is_trusted_is_found_out() {
    finds_out(Flaw::TrustsOvertakenReads, TRUTH);
}

#[test]
fn a_lease_that_never_runs_out_is_found_out() {
    finds_out(Flaw::NeverLapses, LOST);
}
