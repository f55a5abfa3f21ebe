//! Mutation tests of the laws: a store with one defect violates the law that covers it. Here are only
//! the defects that `just mutants` does not generate.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod checkout;
mod inbox;
mod merchants;
mod operator_queries;
mod queue;
mod webhook_laws;
mod webhooks;

use std::sync::{Arc, Mutex};

use oncharge_conformance::{TestedStore, laws, set_fake_clock};
use oncharge_ports::{Store, unit_of_work::Lease};
use oncharge_testkit::{FakeClock, MemoryStore};

/// The defect of a store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutation {
    /// The other parts of a failed unit are written.
    WritesPartially,
    IgnoresLeases,
    /// A released key stays reserved.
    KeepsKeys,
    TruncatesTimes,
    DropsContact,
    DropsReference,
    KeepsRequests,
    OldestFirst,
    RepeatsAccounts,
    IgnoresSince,
    ClaimsTwice,
    ClaimsEarly,
    /// Commits a unit whatever the state of the notification that it handles.
    IgnoresHandled,
    DeliversToDisabled,
    IgnoresBusy,
    /// A failed delivery blocks the next one of its session.
    WaitsForSuccess,
    LeaksQuery,
    /// Setting an endpoint again creates a new one.
    ReplacesEndpoints,
    RemovesOtherMerchants,
    /// Changes the key of the current version instead of the version that was read.
    ChangesAnyVersion,
    /// Overwrites the current version with the one that was read.
    WritesBackStaleRead,
    WritesStaleEndpoints,
    /// Deliveries of a disabled endpoint continue.
    KeepsOpenDeliveries,
    /// Disabling an endpoint ends deliveries to other URLs as well.
    EndsOtherUrls,
    ChangesCurrentEndpoint,
    SignsWithEndedKeys,
    KeepsLastAttempt,
    RedeliversForeignEvents,
    RedeliversNothing,
    /// A redelivery ends the attempt in progress.
    EndsRunningAttempt,
    /// The result of an attempt overwrites a redelivery.
    IgnoresRounds,
    /// Ending deliveries with their endpoint also ends their leases.
    EndsLeases,
    /// Orphaned deliveries are sent to the next endpoint.
    RevivesOrphans,
    EndsAllAtOnce,
    /// Ends orphaned deliveries of all merchants instead of one.
    EndsOtherMerchants,
    /// Recording a failure makes a dead delivery pending again.
    RevivesDeadDeliveries,
    KeepsDuplicates,
    IgnoresAccounts,
    KeepsOneUnverified,
    TruncatesBodies,
    DismissesAnything,
    RotatesPartially,
    /// Concurrent callers check first and then all write.
    ChecksThenWrites,
    /// Ends only the keys that were read, not those created since.
    EndsOnlyKeysRead,
    IgnoresBatchLimit,
    DeletesTooEarly,
    /// Removed parts of the branding stay.
    KeepsRemovedBranding,
    /// A merchant found by its key has no logo.
    DropsLogos,
}

/// The in-memory store with one mutation.
struct MutantStore {
    store: Arc<MemoryStore>,
    clock: Arc<FakeClock>,
    mutation: Mutation,
    /// All leases on deliveries that the store has issued.
    leases: Mutex<Vec<Lease>>,
}

impl MutantStore {
    fn has(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }
}

async fn run_law(mutation: Mutation, name: &str) -> anyhow::Result<()> {
    let clock = Arc::new(FakeClock::new());
    let memory = Arc::new(MemoryStore::new(clock.clone()));
    let mutant = Arc::new(MutantStore {
        store: memory.clone(),
        clock: clock.clone(),
        mutation,
        leases: Mutex::default(),
    });
    let ports = Store {
        checkout: mutant.clone(),
        merchants: mutant.clone(),
        inbox: mutant.clone(),
        webhooks: mutant.clone(),
        work: mutant.clone(),
        maintenance: mutant,
        ..Store::new(memory)
    };
    let store = TestedStore::new(ports, set_fake_clock(clock));
    let (_, law) = laws().into_iter().find(|(law, _)| *law == name).unwrap();
    law(store).await
}

async fn assert_caught(cases: &[(Mutation, &str)]) {
    for (mutation, law) in cases {
        let kept = run_law(*mutation, law).await;
        assert!(kept.is_err(), "{law} passes with the mutation {mutation:?}");
    }
}

#[tokio::test]
async fn each_checkout_mutant_breaks_its_law() {
    assert_caught(&[
        (Mutation::WritesPartially, "a_unit_is_all_or_nothing"),
        (Mutation::WritesPartially, "event_numbers_are_unique"),
        (Mutation::IgnoresLeases, "a_lost_lease_cannot_commit"),
        (
            Mutation::IgnoresLeases,
            "a_lost_session_lease_cannot_commit",
        ),
        (Mutation::KeepsKeys, "a_released_key_can_be_reserved_again"),
        (Mutation::TruncatesTimes, "timestamps_keep_microseconds"),
        (Mutation::DropsContact, "sessions_load_equal"),
        (Mutation::DropsReference, "operations_load_equal"),
        (Mutation::KeepsRequests, "requests_are_deleted_once_final"),
        (Mutation::OldestFirst, "pages_are_stable"),
        (
            Mutation::RepeatsAccounts,
            "accounts_of_merchants_are_listed_once",
        ),
        (Mutation::ClaimsTwice, "no_item_is_leased_twice"),
        (Mutation::ClaimsEarly, "only_what_is_due_is_claimed"),
    ])
    .await;
}

#[tokio::test]
async fn each_inbox_mutant_breaks_its_law() {
    assert_caught(&[
        (Mutation::KeepsDuplicates, "a_notification_is_stored_once"),
        (
            Mutation::KeepsDuplicates,
            "a_notification_is_stored_once_concurrently",
        ),
        (Mutation::KeepsDuplicates, "a_duplicate_makes_nothing_due"),
        (Mutation::IgnoresAccounts, "a_notification_is_stored_once"),
        (
            Mutation::KeepsOneUnverified,
            "a_notification_is_stored_once",
        ),
        (Mutation::TruncatesBodies, "notifications_load_equal"),
        (Mutation::ClaimsTwice, "no_notification_is_leased_twice"),
        (Mutation::ClaimsEarly, "only_due_notifications_are_claimed"),
        (
            Mutation::IgnoresLeases,
            "a_lost_lease_cannot_close_a_notification",
        ),
        (Mutation::IgnoresLeases, "handling_is_part_of_the_unit"),
        (Mutation::IgnoresHandled, "a_notification_is_handled_once"),
        (
            Mutation::IgnoresHandled,
            "a_notification_is_handled_once_concurrently",
        ),
        (Mutation::IgnoresHandled, "handling_is_part_of_the_unit"),
        (
            Mutation::DismissesAnything,
            "only_stuck_notifications_are_dismissed",
        ),
    ])
    .await;
}

#[tokio::test]
async fn each_query_mutant_breaks_its_law() {
    assert_caught(&[
        (Mutation::LeaksQuery, "failing_endpoints_are_stuck"),
        (Mutation::OldestFirst, "stuck_items_are_listed_oldest_first"),
        (Mutation::LeaksQuery, "late_deliveries_are_stuck"),
        (
            Mutation::DismissesAnything,
            "only_a_contradiction_is_dismissed",
        ),
        (Mutation::IgnoresSince, "operations_are_listed_since_a_time"),
        (
            Mutation::IgnoresBatchLimit,
            "expired_rows_are_deleted_in_batches",
        ),
        (Mutation::DeletesTooEarly, "ended_keys_are_deleted"),
        (Mutation::DeletesTooEarly, "old_responses_are_deleted"),
        (Mutation::DeletesTooEarly, "old_notifications_are_deleted"),
        (
            Mutation::RotatesPartially,
            "a_failed_rotation_writes_nothing",
        ),
        (Mutation::ChecksThenWrites, "a_key_is_rotated_once"),
        (Mutation::ChecksThenWrites, "keys_in_grace_are_limited"),
        (Mutation::ChecksThenWrites, "active_keys_are_limited"),
        (Mutation::ChecksThenWrites, "the_last_active_key_is_kept"),
        (
            Mutation::EndsOnlyKeysRead,
            "no_rotation_survives_ending_all_keys",
        ),
        (Mutation::OldestFirst, "a_merchants_keys_are_listed"),
        (Mutation::KeepsRemovedBranding, "branding_can_be_removed"),
        (Mutation::DropsLogos, "branding_loads_equal"),
    ])
    .await;
}

/// The wrapper itself violates nothing: where its mutation has no effect, every law holds.
#[tokio::test]
async fn a_mutant_breaks_only_its_law() {
    for (name, _) in laws() {
        if name != "branding_loads_equal" {
            run_law(Mutation::DropsLogos, name).await.unwrap();
        }
    }
    for (mutation, law) in [
        (Mutation::OldestFirst, "no_item_is_leased_twice"),
        (Mutation::KeepsRequests, "a_key_is_reserved_once"),
        (
            Mutation::DeliversToDisabled,
            "first_attempts_go_out_in_order",
        ),
        (
            Mutation::EndsOtherUrls,
            "removing_an_endpoint_ends_its_deliveries",
        ),
    ] {
        run_law(mutation, law).await.unwrap();
    }
}
