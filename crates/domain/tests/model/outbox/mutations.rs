//! Mutations of the outbox; each must be detected.

use super::{AT_LEAST_ONCE, DEATH, FENCING, GIVEN_UP, NUMBERS, ORDER, OutboxModel, QUIESCENCE};
use crate::check::assert_found;

/// A defect of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    /// The event and its delivery are written by separate commits.
    TwoCommits,
    /// A delivery is recorded as delivered before it is sent.
    AtMostOnce,
    /// First attempts do not wait for earlier ones.
    IgnoresOrder,
    /// First attempts wait until earlier events are delivered.
    WaitsForSuccess,
    /// A lost lease may write.
    NoFencing,
    /// Recording an attempt does not end the lease.
    KeepsLease,
    /// Leases never expire.
    NeverExpiresLeases,
    /// Failures are counted when a delivery is claimed, not when its attempt has failed.
    ClaimCounts,
    /// An outdated read overwrites a redelivery.
    StaleCounts,
    /// An outdated read overwrites a dead delivery.
    RevivesDeadDeliveries,
    /// An endpoint is disabled by failures that were read before it recovered.
    StaleFailingSince,
    /// The end of a delivery with its endpoint also ends the lease of an attempt in progress.
    EndsLeases,
}

fn assert_caught(mutation: Mutation, property: &'static str) {
    assert_found(OutboxModel::small(Some(mutation)), property);
}

#[test]
fn a_missing_delivery_is_caught() {
    assert_caught(Mutation::TwoCommits, AT_LEAST_ONCE);
}

#[test]
fn delivering_at_most_once_is_caught() {
    assert_caught(Mutation::AtMostOnce, AT_LEAST_ONCE);
}

#[test]
fn unordered_first_attempts_are_caught() {
    assert_caught(Mutation::IgnoresOrder, ORDER);
}

#[test]
fn a_blocking_dead_delivery_is_caught() {
    assert_caught(Mutation::WaitsForSuccess, QUIESCENCE);
}

#[test]
fn missing_fencing_is_caught() {
    assert_caught(Mutation::NoFencing, FENCING);
    assert_caught(Mutation::NoFencing, NUMBERS);
}

#[test]
fn an_attempt_recorded_twice_is_caught() {
    assert_caught(Mutation::KeepsLease, NUMBERS);
}

#[test]
fn leases_without_expiry_are_caught() {
    assert_caught(Mutation::NeverExpiresLeases, QUIESCENCE);
}

#[test]
fn early_deaths_are_caught() {
    assert_caught(Mutation::ClaimCounts, DEATH);
    assert_caught(Mutation::StaleCounts, DEATH);
}

#[test]
fn an_overwritten_redelivery_is_caught() {
    assert_caught(Mutation::StaleCounts, AT_LEAST_ONCE);
}

#[test]
fn a_revived_dead_delivery_is_caught() {
    assert_caught(Mutation::RevivesDeadDeliveries, DEATH);
}

#[test]
fn disabling_a_recovered_endpoint_is_caught() {
    assert_caught(Mutation::StaleFailingSince, GIVEN_UP);
}

#[test]
fn an_attempt_lost_with_its_endpoint_is_caught() {
    assert_caught(Mutation::EndsLeases, NUMBERS);
}
