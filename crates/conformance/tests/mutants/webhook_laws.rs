//! Mutants of webhook deliveries and endpoints, each caught by its law.

use crate::{Mutation, assert_caught};

#[tokio::test]
async fn each_delivery_mutant_breaks_its_law() {
    assert_caught(&[
        (
            Mutation::DeliversToDisabled,
            "an_event_has_a_delivery_where_there_is_an_endpoint",
        ),
        (Mutation::IgnoresBusy, "deliveries_are_limited_per_merchant"),
        (
            Mutation::IgnoresBusy,
            "a_backlog_does_not_block_other_merchants",
        ),
        (Mutation::WaitsForSuccess, "first_attempts_go_out_in_order"),
        (Mutation::WaitsForSuccess, "retries_are_not_ordered"),
        (Mutation::ClaimsTwice, "no_delivery_is_leased_twice"),
        (
            Mutation::ClaimsTwice,
            "a_delivery_with_an_expired_lease_can_be_claimed",
        ),
        (Mutation::ClaimsEarly, "only_due_deliveries_are_claimed"),
        (Mutation::IgnoresLeases, "a_lost_lease_cannot_record"),
        (Mutation::KeepsLastAttempt, "attempts_load_equal"),
    ])
    .await;
}

#[tokio::test]
async fn each_endpoint_mutant_breaks_its_law() {
    assert_caught(&[
        (Mutation::ReplacesEndpoints, "endpoints_load_equal"),
        (
            Mutation::ReplacesEndpoints,
            "open_deliveries_keep_their_url",
        ),
        (
            Mutation::RemovesOtherMerchants,
            "removing_an_endpoint_ends_its_deliveries",
        ),
        (
            Mutation::KeepsOpenDeliveries,
            "disabling_an_endpoint_ends_its_deliveries",
        ),
        (
            Mutation::EndsOtherUrls,
            "disabling_an_endpoint_ends_its_deliveries",
        ),
        (
            Mutation::ChangesCurrentEndpoint,
            "endpoint_failures_are_tracked_per_url",
        ),
        (
            Mutation::SignsWithEndedKeys,
            "signing_keys_are_active_or_in_grace",
        ),
        (
            Mutation::RedeliversForeignEvents,
            "a_redelivery_needs_its_event_and_an_endpoint",
        ),
        (
            Mutation::RedeliversNothing,
            "a_redelivery_needs_its_event_and_an_endpoint",
        ),
        (
            Mutation::RedeliversNothing,
            "a_redelivered_event_is_sent_again",
        ),
        (
            Mutation::EndsRunningAttempt,
            "a_redelivery_keeps_the_running_attempt",
        ),
    ])
    .await;
}

#[tokio::test]
async fn each_endpoint_key_mutant_breaks_its_law() {
    let (read, set) = (
        "a_key_change_needs_the_version_read",
        "an_endpoint_update_survives_a_key_change",
    );
    assert_caught(&[
        (Mutation::ChangesAnyVersion, read),
        (Mutation::ChangesAnyVersion, set),
        (Mutation::WritesBackStaleRead, read),
        (Mutation::WritesBackStaleRead, set),
        (
            Mutation::WritesStaleEndpoints,
            "a_stale_endpoint_is_not_written",
        ),
        (Mutation::WritesStaleEndpoints, "a_secret_is_rotated_once"),
    ])
    .await;
}

#[tokio::test]
async fn each_orphan_mutant_breaks_its_law() {
    let (ended, not_revived) = (
        "orphaned_deliveries_are_ended_in_batches",
        "orphaned_deliveries_are_not_revived",
    );
    assert_caught(&[
        (Mutation::RevivesOrphans, not_revived),
        (Mutation::EndsAllAtOnce, ended),
        (Mutation::EndsOtherMerchants, ended),
    ])
    .await;
}

#[tokio::test]
async fn each_redelivery_mutant_breaks_its_law() {
    assert_caught(&[
        (
            Mutation::EndsRunningAttempt,
            "a_redelivery_survives_the_running_attempt",
        ),
        (
            Mutation::IgnoresRounds,
            "a_redelivery_survives_the_running_attempt",
        ),
        (
            Mutation::IgnoresRounds,
            "a_redelivery_survives_a_url_change",
        ),
        (
            Mutation::IgnoresRounds,
            "a_redelivery_survives_a_concurrent_record",
        ),
        (
            Mutation::EndsLeases,
            "an_attempt_is_recorded_after_its_delivery_ends",
        ),
        (
            Mutation::RevivesDeadDeliveries,
            "an_attempt_is_recorded_after_its_delivery_ends",
        ),
        (
            Mutation::KeepsOpenDeliveries,
            "a_recovered_endpoint_is_not_disabled",
        ),
    ])
    .await;
}
