//! The laws bite: a store with one flaw breaks the law that is about it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod care;
mod checkout;
mod inbox;
mod oversight;
mod queue;
mod webhooks;

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use oncharge_conformance::{Store, TimedQueue, laws, set_fake};
use oncharge_ports::unit_of_work::Lease;
use oncharge_testkit::{FakeClock, MemoryStore};

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    /// A stale unit is written over the newest version.
    LastWriterWins,
    /// What a failed unit brought along is written all the same.
    WritesHalf,
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
    ForgetsSince,
    ClaimsTwice,
    ClaimsEarly,
    WakesNothing,
    /// Commits a unit whatever has become of the notification that it handles.
    ForgetsHandled,
    DeliversNothing,
    DeliversToDisabled,
    LetsOneTakeAll,
    IgnoresBusy,
    IgnoresBusyAccounts,
    SendsOutOfOrder,
    /// A failed delivery holds up the session's next.
    WaitsForSuccess,
    CountsNothing,
    /// Counts as stuck what is within its budget.
    CriesEarly,
    CriesLate,
    TellsTheQuery,
    OverlooksCompensations,
    OverlooksRefunds,
    OverlooksContradictions,
    /// An endpoint that is set anew is a new one.
    ReplacesEndpoints,
    RemovesEverybodys,
    /// Changes the key of whatever is there now.
    ChangesAnyKey,
    /// Writes what was read over what is there now.
    SetsWhatWasRead,
    WritesStaleEndpoints,
    /// A disabled endpoint's deliveries go on.
    SparesDeliveries,
    /// A disabled endpoint takes what goes to another URL.
    KillsTooMuch,
    BlamesPresentEndpoint,
    SignsWithEndedKeys,
    KeepsLastAttempt,
    RedeliversAnybodys,
    RedeliversNothing,
    /// A redelivery ends the attempt that is under way.
    BreaksOff,
    /// An attempt's end is written over a redelivery.
    ForgetsRounds,
    /// What dies with its endpoint ends the attempt that is under way.
    EndsLeases,
    /// What an endpoint has left over is its successor's.
    RevivesLeftOvers,
    /// What an endpoint has left over is never ended.
    LeavesOver,
    EndsAllAtOnce,
    /// Ends what is left over of anybody where one merchant's was meant.
    EndsAnybodys,
    /// A failure puts off what has died meanwhile, as if it were open.
    WakesTheDead,
    /// Gives an endpoint up for what was read before it recovered.
    BearsGrudges,
    KeepsDuplicates,
    MixesAccounts,
    KeepsOneUnverified,
    CutsBodies,
    DismissesAnything,
    RotatesHalf,
    /// What concurrent callers have found in order, all of them write.
    ChecksThenWrites,
    /// Ends the keys that it has read, and not those that were made meanwhile.
    EndsWhatItRead,
    ForgetsTheAnswer,
    /// After a clean-up no idempotency key is found.
    ForgetsKeys,
    CleansNothing,
    CleansAllAtOnce,
    CleansTheYoung,
    /// What is taken away of a look stays.
    KeepsLooks,
    /// A merchant that is found by its key has no logo.
    SparesLogos,
}

/// The store in memory behind one flaw.
struct Flawed {
    store: Arc<MemoryStore>,
    clock: Arc<FakeClock>,
    flaw: Flaw,
    /// Whether it was cleaned up.
    cleaned: AtomicBool,
    /// Every lease on a delivery that it gave.
    leases: Mutex<Vec<Lease>>,
}

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }
}

async fn keeps(flaw: Flaw, name: &str) -> anyhow::Result<()> {
    let clock = Arc::new(FakeClock::new());
    let memory = Arc::new(MemoryStore::new(clock.clone()));
    let flawed = Arc::new(Flawed {
        store: memory.clone(),
        clock: clock.clone(),
        flaw,
        cleaned: AtomicBool::new(false),
        leases: Mutex::default(),
    });
    let store = Store {
        checkout: flawed.clone(),
        merchants: flawed.clone(),
        inbox: flawed.clone(),
        webhooks: flawed.clone(),
        queue: TimedQueue::new(flawed.clone(), set_fake(clock.clone())),
        maintenance: flawed,
        ..Store::of(memory, set_fake(clock))
    };
    let (_, law) = laws().into_iter().find(|(law, _)| *law == name).unwrap();
    law(store).await
}

async fn bites(cases: &[(Flaw, &str)]) {
    for (flaw, law) in cases {
        let kept = keeps(*flaw, law).await;
        assert!(kept.is_err(), "{law} does not notice that a store {flaw:?}");
    }
}

#[tokio::test]
async fn each_flaw_breaks_its_law() {
    bites(&[
        (Flaw::LastWriterWins, "a_stale_unit_leaves_nothing"),
        (Flaw::LastWriterWins, "one_of_two_racing_commits_wins"),
        (Flaw::WritesHalf, "all_or_nothing"),
        (Flaw::WritesHalf, "event_numbers_are_unique"),
        (Flaw::IgnoresLeases, "a_lost_lease_cannot_commit"),
        (
            Flaw::IgnoresLeases,
            "a_session_lease_guards_like_an_operations",
        ),
        (Flaw::IgnoresKeys, "a_key_is_reserved_once"),
        (Flaw::IgnoresKeys, "a_key_is_reserved_once_by_racers"),
        (Flaw::IgnoresKeys, "a_remembered_answer_stays"),
        (Flaw::KeepsKeys, "a_freed_key_can_be_taken_again"),
        (Flaw::AlwaysCommitted, "committed_tells_the_truth"),
        (Flaw::NeverCommitted, "committed_tells_the_truth"),
        (
            Flaw::NeverCommitted,
            "a_dropped_commit_leaves_all_or_nothing",
        ),
        (Flaw::CutsTimes, "times_survive"),
        (Flaw::DropsContact, "what_is_saved_loads_equal"),
        (Flaw::DropsReference, "operations_load_equal"),
        (Flaw::KeepsRequests, "requests_are_deleted_once_final"),
        (Flaw::OldestFirst, "pages_are_stable"),
        (Flaw::RepeatsPages, "pages_are_stable"),
        (Flaw::RepeatsPages, "merchants_are_listed_by_id"),
        (Flaw::RepeatsPages, "accounts_of_merchants_are_listed_once"),
        (Flaw::ClaimsTwice, "no_item_is_leased_twice"),
        (Flaw::ClaimsEarly, "only_what_is_due_is_claimed"),
        (Flaw::WakesNothing, "wake_all_spares_what_is_held"),
    ])
    .await;
}

#[tokio::test]
async fn each_flaw_of_webhooks_breaks_its_law() {
    bites(&[
        (
            Flaw::DeliversNothing,
            "an_event_has_a_delivery_where_there_is_an_endpoint",
        ),
        (
            Flaw::DeliversNothing,
            "racing_units_deliver_what_they_commit",
        ),
        (
            Flaw::DeliversToDisabled,
            "an_event_has_a_delivery_where_there_is_an_endpoint",
        ),
        (Flaw::LetsOneTakeAll, "deliveries_are_shared_out"),
        (Flaw::LetsOneTakeAll, "a_backlog_stands_before_nobody"),
        (Flaw::IgnoresBusy, "deliveries_are_shared_out"),
        (Flaw::IgnoresBusy, "a_backlog_stands_before_nobody"),
        (Flaw::SendsOutOfOrder, "first_attempts_go_out_in_order"),
        (Flaw::SendsOutOfOrder, "retries_wait_for_nothing"),
        (Flaw::WaitsForSuccess, "first_attempts_go_out_in_order"),
        (Flaw::WaitsForSuccess, "retries_wait_for_nothing"),
        (Flaw::ClaimsTwice, "no_delivery_is_leased_twice"),
        (Flaw::ClaimsTwice, "a_lapsed_delivery_is_claimed_again"),
        (Flaw::ClaimsEarly, "only_due_deliveries_are_claimed"),
        (Flaw::IgnoresLeases, "a_lost_lease_cannot_record"),
        (Flaw::KeepsLastAttempt, "attempts_load_equal"),
        (Flaw::ReplacesEndpoints, "endpoints_load_equal"),
        (Flaw::ReplacesEndpoints, "open_deliveries_keep_their_url"),
        (
            Flaw::RemovesEverybodys,
            "a_removed_endpoint_takes_its_deliveries",
        ),
        (
            Flaw::SparesDeliveries,
            "a_disabled_endpoint_takes_its_deliveries",
        ),
        (
            Flaw::KillsTooMuch,
            "a_disabled_endpoint_takes_its_deliveries",
        ),
        (
            Flaw::BlamesPresentEndpoint,
            "an_endpoints_troubles_are_its_urls",
        ),
        (
            Flaw::SignsWithEndedKeys,
            "signing_keys_are_those_that_can_sign",
        ),
        (
            Flaw::RedeliversAnybodys,
            "a_redelivery_needs_its_event_and_an_endpoint",
        ),
        (
            Flaw::RedeliversNothing,
            "a_redelivery_needs_its_event_and_an_endpoint",
        ),
        (
            Flaw::RedeliversNothing,
            "a_redelivered_event_goes_out_again",
        ),
        (Flaw::BreaksOff, "a_redelivery_leaves_the_attempt_under_way"),
    ])
    .await;
}

#[tokio::test]
async fn each_flaw_of_busy_accounts_and_changed_keys_breaks_its_law() {
    let (read, set) = (
        "a_key_is_changed_only_of_what_was_read",
        "what_was_set_outlives_a_change_of_key",
    );
    bites(&[
        (Flaw::IgnoresBusyAccounts, "busy_accounts_are_left_out"),
        (Flaw::ChangesAnyKey, read),
        (Flaw::ChangesAnyKey, set),
        (Flaw::SetsWhatWasRead, read),
        (Flaw::SetsWhatWasRead, set),
        (
            Flaw::WritesStaleEndpoints,
            "a_stale_endpoint_is_not_written",
        ),
        (Flaw::WritesStaleEndpoints, "a_secret_is_rotated_once"),
        (Flaw::IgnoresKeys, "a_failed_rotation_keeps_the_secret"),
    ])
    .await;
}

#[tokio::test]
async fn each_flaw_of_what_is_left_over_breaks_its_law() {
    let (ended, not_revived) = (
        "what_is_left_over_is_ended_in_portions",
        "what_is_left_over_is_not_revived",
    );
    bites(&[
        (Flaw::RevivesLeftOvers, not_revived),
        (Flaw::LeavesOver, ended),
        (Flaw::LeavesOver, not_revived),
        (Flaw::EndsAllAtOnce, ended),
        (Flaw::EndsAnybodys, ended),
    ])
    .await;
}

#[tokio::test]
async fn each_flaw_of_rounds_breaks_its_law() {
    bites(&[
        (
            Flaw::BreaksOff,
            "a_redelivery_outlives_the_attempt_under_way",
        ),
        (
            Flaw::ForgetsRounds,
            "a_redelivery_outlives_the_attempt_under_way",
        ),
        (Flaw::ForgetsRounds, "a_redelivery_outlives_its_old_url"),
        (Flaw::ForgetsRounds, "a_redelivery_outlives_a_racing_record"),
        (Flaw::EndsLeases, "an_attempt_outlives_its_delivery"),
        (Flaw::WakesTheDead, "an_attempt_outlives_its_delivery"),
        (
            Flaw::BearsGrudges,
            "an_endpoint_that_recovered_is_not_given_up",
        ),
        (
            Flaw::SparesDeliveries,
            "an_endpoint_that_recovered_is_not_given_up",
        ),
    ])
    .await;
}

#[tokio::test]
async fn each_flaw_of_the_inbox_breaks_its_law() {
    bites(&[
        (Flaw::KeepsDuplicates, "a_notification_is_kept_once"),
        (
            Flaw::KeepsDuplicates,
            "a_notification_is_kept_once_by_racers",
        ),
        (Flaw::KeepsDuplicates, "a_duplicate_wakes_nothing"),
        (Flaw::MixesAccounts, "a_notification_is_kept_once"),
        (Flaw::KeepsOneUnverified, "a_notification_is_kept_once"),
        (Flaw::CutsBodies, "notifications_load_equal"),
        (Flaw::ClaimsTwice, "no_notification_is_leased_twice"),
        (Flaw::ClaimsEarly, "only_due_notifications_are_claimed"),
        (Flaw::IgnoresLeases, "a_lost_lease_cannot_settle"),
        (Flaw::IgnoresLeases, "handling_is_part_of_the_unit"),
        (Flaw::ForgetsHandled, "a_notification_is_handled_once"),
        (
            Flaw::ForgetsHandled,
            "a_notification_is_handled_once_by_racers",
        ),
        (Flaw::ForgetsHandled, "handling_is_part_of_the_unit"),
        (Flaw::DismissesAnything, "only_what_is_stuck_is_dismissed"),
    ])
    .await;
}

#[tokio::test]
async fn each_flaw_of_the_lists_breaks_its_law() {
    bites(&[
        (Flaw::CountsNothing, "depths_count_what_waits"),
        (Flaw::CountsNothing, "depth_counts_open_operations"),
        (
            Flaw::CriesEarly,
            "open_operations_are_stuck_past_their_budget",
        ),
        (Flaw::CriesEarly, "late_deadlines_are_stuck"),
        (Flaw::CriesEarly, "notifications_are_stuck"),
        (Flaw::CriesEarly, "late_deliveries_are_stuck"),
        (
            Flaw::CriesLate,
            "open_operations_are_stuck_past_their_budget",
        ),
        (Flaw::CriesLate, "late_deadlines_are_stuck"),
        (Flaw::CriesLate, "notifications_are_stuck"),
        (Flaw::CriesLate, "late_deliveries_are_stuck"),
        (Flaw::CriesEarly, "failing_endpoints_are_stuck"),
        (Flaw::CriesLate, "failing_endpoints_are_stuck"),
        (Flaw::TellsTheQuery, "failing_endpoints_are_stuck"),
        (Flaw::OldestFirst, "the_stuck_are_listed_oldest_first"),
        (Flaw::TellsTheQuery, "late_deliveries_are_stuck"),
        (
            Flaw::OverlooksCompensations,
            "open_compensations_are_stuck_at_once",
        ),
        (
            Flaw::OverlooksRefunds,
            "refunds_of_failed_captures_are_stuck",
        ),
        (
            Flaw::OverlooksContradictions,
            "contradictions_are_stuck_until_they_are_dismissed",
        ),
        (Flaw::DismissesAnything, "only_a_contradiction_is_dismissed"),
        (Flaw::RepeatsPages, "operations_are_listed_from_a_time_on"),
        (Flaw::ForgetsSince, "operations_are_listed_from_a_time_on"),
        (Flaw::ForgetsKeys, "an_open_operations_key_is_kept"),
        (Flaw::CleansNothing, "an_open_operations_key_is_kept"),
        (Flaw::CleansNothing, "old_notifications_are_deleted"),
        (Flaw::CleansAllAtOnce, "expired_rows_are_deleted_in_parts"),
        (Flaw::CleansTheYoung, "ended_keys_are_deleted"),
        (Flaw::CleansTheYoung, "old_answers_are_forgotten"),
        (Flaw::CleansTheYoung, "old_notifications_are_deleted"),
        (Flaw::IgnoresKeys, "a_key_is_written_by_itself"),
        (
            Flaw::ForgetsTheAnswer,
            "a_rotation_is_remembered_with_its_answer",
        ),
        (Flaw::RotatesHalf, "a_failed_rotation_leaves_nothing"),
        (Flaw::ChecksThenWrites, "a_key_is_rotated_once"),
        (Flaw::ChecksThenWrites, "keys_in_grace_are_limited"),
        (Flaw::ChecksThenWrites, "active_keys_are_limited"),
        (Flaw::ChecksThenWrites, "the_last_active_key_is_kept"),
        (
            Flaw::EndsWhatItRead,
            "no_rotation_survives_the_end_of_all_keys",
        ),
        (Flaw::OldestFirst, "a_merchants_keys_are_listed"),
        (Flaw::KeepsLooks, "a_look_can_be_taken_away"),
        (Flaw::SparesLogos, "looks_load_equal"),
    ])
    .await;
}

/// The wrapper itself breaks nothing: without its flaw in play every law holds.
#[tokio::test]
async fn a_flaw_breaks_nothing_else() {
    for (name, _) in laws() {
        if name != "wake_all_spares_what_is_held" {
            keeps(Flaw::WakesNothing, name).await.unwrap();
        }
    }
    for (flaw, law) in [
        (Flaw::OldestFirst, "no_item_is_leased_twice"),
        (Flaw::KeepsRequests, "a_key_is_reserved_once"),
        (Flaw::DeliversToDisabled, "first_attempts_go_out_in_order"),
        (
            Flaw::KillsTooMuch,
            "a_removed_endpoint_takes_its_deliveries",
        ),
    ] {
        keeps(flaw, law).await.unwrap();
    }
}
