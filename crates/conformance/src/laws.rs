//! The list of all laws.

pub mod attempts;
pub mod bans;
pub mod branding;
pub mod changes;
pub mod clean_up;
pub mod contradictions;
pub mod deliveries;
pub mod endpoints;
pub mod handling;
pub mod inbox;
pub mod key_registry;
pub mod keys;
pub mod leases;
pub mod listing;
pub mod merchants;
pub mod operator_queries;
pub mod orphaned_deliveries;
pub mod outbox;
pub mod queue;
pub mod races;
pub mod reading;
pub mod redelivery_races;
pub mod retention;
pub mod rotation;
pub mod saving;
pub mod sealing;
pub mod secrets;
pub mod session_history;
pub mod stuck;
pub mod units;

use crate::Law;

macro_rules! list {
    ($($module:ident: $($law:ident)+;)+) => {
        /// All laws with their names, in the order of the modules.
        pub fn all() -> Vec<(&'static str, Law)> {
            vec![$($(
                (stringify!($law), |store| Box::pin(async move { $module::$law(&store).await })),
            )+)+]
        }
    };
}

list! {
    saving: sessions_load_equal timestamps_keep_microseconds operations_load_equal refunds_load_equal
        events_load_equal missing_rows_load_as_none;
    units: a_unit_is_all_or_nothing a_stale_unit_writes_nothing event_numbers_are_unique
        is_committed_reports_the_outcome a_failing_unit_affects_no_other
        a_failed_operation_is_replaced_in_one_unit;
    races: one_of_many_concurrent_commits_succeeds concurrent_units_commit
        a_dropped_commit_leaves_all_or_nothing;
    keys: a_key_is_reserved_once a_key_is_reserved_once_concurrently a_released_key_can_be_reserved_again
        a_stored_response_is_not_overwritten a_key_expires_after_72_hours
        a_key_of_an_open_operation_is_never_free keys_belong_to_their_merchant
        the_reserved_key_has_no_response a_key_is_written_without_a_unit;
    leases: a_lost_lease_cannot_commit a_lost_session_lease_cannot_commit
        no_item_is_leased_twice no_session_is_leased_twice a_renewed_lease_holds
        an_expired_lease_can_be_claimed;
    queue: only_what_is_due_is_claimed claims_use_the_store_clock claims_are_counted_and_limited
        final_operations_are_never_claimed sessions_are_claimed_at_their_deadline
        busy_accounts_are_excluded leased_operations_are_not_made_due depth_counts_open_operations depths_count_waiting_items;
    reading: requests_are_deleted_once_final unsent_refunds_are_those_never_sent
        has_attempt_finds_tokens operations_are_listed_since_a_time;
    listing: pages_are_stable pages_of_refunds_and_events_are_stable
        another_merchants_rows_are_not_listed session_filters_apply
        sessions_are_found_by_order_and_psp_reference
        created_and_expired_depend_on_now event_and_refund_filters_apply;
    merchants: merchants_load_equal settings_are_not_written_over_a_newer_version
        merchants_are_listed_by_id accounts_of_merchants_are_listed_once a_key_is_found_by_its_hash
        a_key_ends_once active_keys_are_limited a_merchants_keys_are_listed
        the_last_active_key_is_kept the_last_use_is_recorded_once_an_hour;
    branding: branding_loads_equal branding_can_be_removed;
    rotation: a_rotation_stores_its_response a_failed_rotation_writes_nothing
        a_rotation_replaces_a_key_of_its_own_merchant a_key_is_rotated_once
        keys_in_grace_are_limited
        no_rotation_survives_ending_all_keys;
    bans: bans_apply_until_they_expire a_ban_is_revoked_once a_rehashed_ban_is_found_by_its_new_hash
        bans_are_listed_newest_first;
    sealing: ping_succeeds resealed_values_open_under_the_new_key
        a_missing_key_is_named resealing_restarts_after_an_interruption;
    key_registry: a_node_is_live_while_it_publishes a_key_is_registered_once
        a_key_that_is_used_again_is_not_retired a_pepper_is_registered_with_its_ban
        a_ban_needs_a_pepper_that_every_node_has;
    deliveries: an_event_has_a_delivery_where_there_is_an_endpoint a_failed_unit_creates_no_delivery
        open_deliveries_keep_their_url events_belong_to_their_merchant
        concurrent_units_create_their_deliveries;
    endpoints: endpoints_load_equal removing_an_endpoint_ends_its_deliveries
        disabling_an_endpoint_ends_its_deliveries endpoint_failures_are_tracked_per_url
        a_new_endpoint_revives_no_dead_delivery;
    changes: a_key_change_needs_the_version_read an_endpoint_update_survives_a_key_change
        a_stale_endpoint_is_not_written signing_keys_are_active_or_in_grace;
    secrets: a_secret_is_rotated_once a_failed_rotation_keeps_the_secret;
    orphaned_deliveries: orphaned_deliveries_are_ended_in_batches orphaned_deliveries_are_not_revived;
    outbox: first_attempts_go_out_in_order retries_are_not_ordered
        only_due_deliveries_are_claimed deliveries_are_limited_per_merchant a_backlog_does_not_block_other_merchants
        no_delivery_is_leased_twice a_delivery_with_an_expired_lease_can_be_claimed;
    attempts: attempts_load_equal a_lost_lease_cannot_record a_redelivered_event_is_sent_again
        a_redelivery_needs_its_event_and_an_endpoint a_redelivery_keeps_the_running_attempt;
    redelivery_races: a_redelivery_survives_the_running_attempt a_redelivery_survives_a_url_change
        a_redelivery_survives_a_concurrent_record an_attempt_is_recorded_after_its_delivery_ends
        a_recovered_endpoint_is_not_disabled;
    inbox: a_notification_is_stored_once a_duplicate_makes_nothing_due
        a_notification_is_stored_once_concurrently notifications_load_equal
        only_due_notifications_are_claimed no_notification_is_leased_twice;
    handling: a_lost_lease_cannot_close_a_notification a_notification_is_handled_once
        handling_is_part_of_the_unit a_notification_is_handled_once_concurrently only_stuck_notifications_are_dismissed
        many_notifications_are_dismissed_at_once;
    stuck: open_operations_are_stuck_past_their_budget open_compensations_are_stuck_at_once
        refunds_of_failed_captures_are_stuck late_deadlines_are_stuck notifications_are_stuck
        late_deliveries_are_stuck failing_endpoints_are_stuck
        postponed_deliveries_are_stuck stuck_items_are_listed_oldest_first;
    contradictions: contradictions_are_stuck_until_they_are_dismissed
        only_a_contradiction_is_dismissed;
    clean_up: an_open_operations_key_is_kept old_responses_are_deleted
        old_notifications_are_deleted expired_rows_are_deleted_in_batches;
    retention: old_session_changes_are_deleted ended_deliveries_are_deleted_with_their_attempts
        an_event_is_kept_after_its_delivery operations_that_were_never_sent_are_deleted ended_keys_are_deleted;
    operator_queries: a_session_is_found_by_each_identifier search_filters_apply
        pages_of_all_merchants_are_stable sessions_are_counted_by_status;
    session_history: operator_queries_open_no_sealed_values a_session_history_is_complete a_long_session_history_is_truncated;
}
