//! What may be wrong with an outbox; each flaw must be found out.

use super::{AT_LEAST_ONCE, DEATH, FENCING, GIVEN_UP, NUMBERS, ORDER, Outbox, REST};
use crate::check::finds;

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The event and its delivery are written one after the other.
    TwoCommits,
    /// A delivery is written down as delivered before it is sent.
    AtMostOnce,
    /// First attempts do not wait for the ones before.
    NobodyWaits,
    /// First attempts wait until the ones before are delivered.
    WaitsForSuccess,
    /// A lost lease may write.
    NoFencing,
    /// Writing down an attempt does not end the lease.
    KeepsLease,
    /// Leases never run out.
    NeverLapses,
    /// Tries are counted when they are claimed, not when they have failed.
    ClaimCounts,
    /// What was read before a redelivery is written over it.
    StaleCounts,
    /// What was read before its death is written over it.
    WakesTheDead,
    /// An endpoint is given up for what was read before it recovered.
    StaleTroubles,
    /// Whoever is at work on a delivery loses it when that dies with its endpoint.
    EndsLeases,
}

fn finds_out(flaw: Flaw, property: &'static str) {
    finds(Outbox::small(Some(flaw)), property);
}

#[test]
fn an_event_without_its_delivery_is_found_out() {
    finds_out(Flaw::TwoCommits, AT_LEAST_ONCE);
}

#[test]
fn delivering_at_most_once_is_found_out() {
    finds_out(Flaw::AtMostOnce, AT_LEAST_ONCE);
}

#[test]
fn first_attempts_that_do_not_wait_are_found_out() {
    finds_out(Flaw::NobodyWaits, ORDER);
}

#[test]
fn a_dead_delivery_that_blocks_the_next_is_found_out() {
    finds_out(Flaw::WaitsForSuccess, REST);
}

#[test]
fn missing_fencing_is_found_out_by_itself_and_by_what_it_does() {
    finds_out(Flaw::NoFencing, FENCING);
    finds_out(Flaw::NoFencing, NUMBERS);
}

#[test]
fn an_attempt_that_is_written_down_twice_is_found_out() {
    finds_out(Flaw::KeepsLease, NUMBERS);
}

#[test]
fn a_lease_that_never_runs_out_is_found_out() {
    finds_out(Flaw::NeverLapses, REST);
}

#[test]
fn deaths_before_the_tenth_failure_are_found_out() {
    finds_out(Flaw::ClaimCounts, DEATH);
    finds_out(Flaw::StaleCounts, DEATH);
}

#[test]
fn a_redelivery_that_is_written_over_is_found_out() {
    finds_out(Flaw::StaleCounts, AT_LEAST_ONCE);
}

#[test]
fn a_dead_delivery_that_an_attempt_wakes_is_found_out() {
    finds_out(Flaw::WakesTheDead, DEATH);
}

#[test]
fn an_endpoint_that_is_given_up_after_it_recovered_is_found_out() {
    finds_out(Flaw::StaleTroubles, GIVEN_UP);
}

#[test]
fn an_attempt_that_is_lost_with_its_endpoint_is_found_out() {
    finds_out(Flaw::EndsLeases, NUMBERS);
}
