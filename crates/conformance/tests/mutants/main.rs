//! The laws bite: a store with one flaw breaks the law that is about it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod checkout;
mod inbox;
mod merchants;
mod operator_queries;
mod queue;
mod webhook_laws;
mod webhooks;

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use oncharge_conformance::{Store, TimedQueue, laws, set_fake_clock};
use oncharge_ports::unit_of_work::Lease;
use oncharge_testkit::{FakeClock, MemoryStore};

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutation {
    /// A stale unit is written over the newest version.
    LastWriterWins,
    /// What a failed unit brought along is written all the same.
    WritesPartially,
    IgnoresLeases,
    IgnoresKeys,
    /// Forgets to free.
    KeepsKeys,
    AlwaysCommitted,
    NeverCommitted,
    CutsTimes,
    DropsContact,
    DropsReference,
    KeepsRequests,
    OldestFirst,
    RepeatsPages,
    IgnoresSince,
    ClaimsTwice,
    ClaimsEarly,
    MakesNothingDue,
    /// Commits a unit whatever has become of the notification that it handles.
    ForgetsHandled,
    DeliversNothing,
    DeliversToDisabled,
    IgnoresMerchantLimit,
    IgnoresBusy,
    IgnoresBusyAccounts,
    SendsOutOfOrder,
    /// A failed delivery holds up the session's next.
    WaitsForSuccess,
    CountsNothing,
    /// Counts as stuck what is within its budget.
    ReportsStuckEarly,
    ReportsStuckLate,
    LeaksQuery,
    OverlooksCompensations,
    OverlooksRefunds,
    OverlooksContradictions,
    /// An endpoint that is set anew is a new one.
    ReplacesEndpoints,
    RemovesOtherMerchants,
    /// Changes the key of whatever is there now.
    ChangesAnyVersion,
    /// Writes what was read over what is there now.
    WritesBackStaleRead,
    WritesStaleEndpoints,
    /// A disabled endpoint's deliveries go on.
    KeepsOpenDeliveries,
    /// A disabled endpoint takes what goes to another URL.
    EndsOtherUrls,
    BlamesCurrentEndpoint,
    SignsWithEndedKeys,
    KeepsLastAttempt,
    RedeliversForeignEvents,
    RedeliversNothing,
    /// A redelivery ends the attempt that is under way.
    EndsRunningAttempt,
    /// An attempt's end is written over a redelivery.
    ForgetsRounds,
    /// What dies with its endpoint ends the attempt that is under way.
    EndsLeases,
    /// What an endpoint has left over is its successor's.
    RevivesOrphans,
    /// What an endpoint has left over is never ended.
    EndsNoOrphans,
    EndsAllAtOnce,
    /// Ends what is left over of anybody where one merchant's was meant.
    EndsOtherMerchants,
    /// A failure puts off what has died meanwhile, as if it were open.
    RevivesDeadDeliveries,
    /// Gives an endpoint up for what was read before it recovered.
    DisablesRecovered,
    KeepsDuplicates,
    IgnoresAccounts,
    KeepsOneUnverified,
    CutsBodies,
    DismissesAnything,
    RotatesPartially,
    /// What concurrent callers have found in order, all of them write.
    ChecksThenWrites,
    /// Ends the keys that it has read, and not those that were made meanwhile.
    EndsOnlyKeysRead,
    DropsResponse,
    /// After a clean-up no idempotency key is found.
    ForgetsKeys,
    DeletesNothing,
    IgnoresBatchLimit,
    DeletesTooEarly,
    /// What is taken away of a look stays.
    KeepsRemovedBranding,
    /// A merchant that is found by its key has no logo.
    DropsLogos,
}

/// The store in memory behind one flaw.
struct MutantStore {
    store: Arc<MemoryStore>,
    clock: Arc<FakeClock>,
    mutation: Mutation,
    /// Whether it was cleaned up.
    cleaned_up: AtomicBool,
    /// Every lease on a delivery that it gave.
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
        cleaned_up: AtomicBool::new(false),
        leases: Mutex::default(),
    });
    let store = Store {
        checkout: mutant.clone(),
        merchants: mutant.clone(),
        inbox: mutant.clone(),
        webhooks: mutant.clone(),
        queue: TimedQueue::new(mutant.clone(), set_fake_clock(clock.clone())),
        maintenance: mutant,
        ..Store::of(memory, set_fake_clock(clock))
    };
    let (_, law) = laws().into_iter().find(|(law, _)| *law == name).unwrap();
    law(store).await
}

async fn assert_caught(cases: &[(Mutation, &str)]) {
    for (mutation, law) in cases {
        let kept = run_law(*mutation, law).await;
        assert!(
            kept.is_err(),
            "{law} does not notice that a store {mutation:?}"
        );
    }
}

#[tokio::test]
async fn each_checkout_mutant_breaks_its_law() {
    assert_caught(&[
        (Mutation::LastWriterWins, "a_stale_unit_writes_nothing"),
        (Mutation::LastWriterWins, "one_of_two_racing_commits_wins"),
        (Mutation::WritesPartially, "a_unit_is_all_or_nothing"),
        (Mutation::WritesPartially, "event_numbers_are_unique"),
        (Mutation::IgnoresLeases, "a_lost_lease_cannot_commit"),
        (
            Mutation::IgnoresLeases,
            "a_lost_session_lease_cannot_commit",
        ),
        (Mutation::IgnoresKeys, "a_key_is_reserved_once"),
        (Mutation::IgnoresKeys, "a_key_is_reserved_once_concurrently"),
        (
            Mutation::IgnoresKeys,
            "a_stored_response_is_not_overwritten",
        ),
        (Mutation::KeepsKeys, "a_released_key_can_be_reserved_again"),
        (
            Mutation::AlwaysCommitted,
            "is_committed_reports_the_outcome",
        ),
        (Mutation::NeverCommitted, "is_committed_reports_the_outcome"),
        (
            Mutation::NeverCommitted,
            "a_dropped_commit_leaves_all_or_nothing",
        ),
        (Mutation::CutsTimes, "timestamps_keep_microseconds"),
        (Mutation::DropsContact, "sessions_load_equal"),
        (Mutation::DropsReference, "operations_load_equal"),
        (Mutation::KeepsRequests, "requests_are_deleted_once_final"),
        (Mutation::OldestFirst, "pages_are_stable"),
        (Mutation::RepeatsPages, "pages_are_stable"),
        (Mutation::RepeatsPages, "merchants_are_listed_by_id"),
        (
            Mutation::RepeatsPages,
            "accounts_of_merchants_are_listed_once",
        ),
        (Mutation::ClaimsTwice, "no_item_is_leased_twice"),
        (Mutation::ClaimsEarly, "only_what_is_due_is_claimed"),
        (
            Mutation::MakesNothingDue,
            "leased_operations_are_not_made_due",
        ),
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
        (Mutation::CutsBodies, "notifications_load_equal"),
        (Mutation::ClaimsTwice, "no_notification_is_leased_twice"),
        (Mutation::ClaimsEarly, "only_due_notifications_are_claimed"),
        (
            Mutation::IgnoresLeases,
            "a_lost_lease_cannot_close_a_notification",
        ),
        (Mutation::IgnoresLeases, "handling_is_part_of_the_unit"),
        (Mutation::ForgetsHandled, "a_notification_is_handled_once"),
        (
            Mutation::ForgetsHandled,
            "a_notification_is_handled_once_concurrently",
        ),
        (Mutation::ForgetsHandled, "handling_is_part_of_the_unit"),
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
        (Mutation::CountsNothing, "depths_count_waiting_items"),
        (Mutation::CountsNothing, "depth_counts_open_operations"),
        (
            Mutation::ReportsStuckEarly,
            "open_operations_are_stuck_past_their_budget",
        ),
        (Mutation::ReportsStuckEarly, "late_deadlines_are_stuck"),
        (Mutation::ReportsStuckEarly, "notifications_are_stuck"),
        (Mutation::ReportsStuckEarly, "late_deliveries_are_stuck"),
        (
            Mutation::ReportsStuckLate,
            "open_operations_are_stuck_past_their_budget",
        ),
        (Mutation::ReportsStuckLate, "late_deadlines_are_stuck"),
        (Mutation::ReportsStuckLate, "notifications_are_stuck"),
        (Mutation::ReportsStuckLate, "late_deliveries_are_stuck"),
        (Mutation::ReportsStuckEarly, "failing_endpoints_are_stuck"),
        (Mutation::ReportsStuckLate, "failing_endpoints_are_stuck"),
        (Mutation::LeaksQuery, "failing_endpoints_are_stuck"),
        (Mutation::OldestFirst, "stuck_items_are_listed_oldest_first"),
        (Mutation::LeaksQuery, "late_deliveries_are_stuck"),
        (
            Mutation::OverlooksCompensations,
            "open_compensations_are_stuck_at_once",
        ),
        (
            Mutation::OverlooksRefunds,
            "refunds_of_failed_captures_are_stuck",
        ),
        (
            Mutation::OverlooksContradictions,
            "contradictions_are_stuck_until_they_are_dismissed",
        ),
        (
            Mutation::DismissesAnything,
            "only_a_contradiction_is_dismissed",
        ),
        (Mutation::RepeatsPages, "operations_are_listed_since_a_time"),
        (Mutation::IgnoresSince, "operations_are_listed_since_a_time"),
        (Mutation::ForgetsKeys, "an_open_operations_key_is_kept"),
        (Mutation::DeletesNothing, "an_open_operations_key_is_kept"),
        (Mutation::DeletesNothing, "old_notifications_are_deleted"),
        (
            Mutation::IgnoresBatchLimit,
            "expired_rows_are_deleted_in_parts",
        ),
        (Mutation::DeletesTooEarly, "ended_keys_are_deleted"),
        (Mutation::DeletesTooEarly, "old_responses_are_deleted"),
        (Mutation::DeletesTooEarly, "old_notifications_are_deleted"),
        (Mutation::IgnoresKeys, "a_key_is_written_without_a_unit"),
        (Mutation::DropsResponse, "a_rotation_stores_its_response"),
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

/// The wrapper itself breaks nothing: without its flaw in play every law holds.
#[tokio::test]
async fn a_mutant_breaks_only_its_law() {
    for (name, _) in laws() {
        if name != "leased_operations_are_not_made_due" {
            run_law(Mutation::MakesNothingDue, name).await.unwrap();
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
