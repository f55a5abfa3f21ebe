//! Every law, by name.

pub mod attempts;
pub mod bans;
pub mod changes;
pub mod cleaning;
pub mod contradictions;
pub mod deliveries;
pub mod endpoints;
pub mod handling;
pub mod inbox;
pub mod key_registry;
pub mod keys;
pub mod leases;
pub mod left_over;
pub mod listing;
pub mod looks;
pub mod merchants;
pub mod outbox;
pub mod oversight;
pub mod queue;
pub mod races;
pub mod reading;
pub mod retention;
pub mod rotation;
pub mod rounds;
pub mod saving;
pub mod sealing;
pub mod secrets;
pub mod stories;
pub mod stuck;
pub mod units;

use crate::Law;

macro_rules! list {
    ($($module:ident: $($law:ident)+;)+) => {
        /// Every law with its name, in the order of the modules.
        pub fn all() -> Vec<(&'static str, Law)> {
            vec![$($(
                (stringify!($law), |store| Box::pin(async move { $module::$law(&store).await })),
            )+)+]
        }
    };
}

list! {
    saving: what_is_saved_loads_equal times_survive operations_load_equal refunds_load_equal
        events_load_equal what_is_not_there_is_none;
    units: all_or_nothing a_stale_unit_leaves_nothing event_numbers_are_unique
        committed_tells_the_truth a_bad_unit_fails_alone
        an_operation_that_fails_makes_room_in_its_unit;
    races: one_of_two_racing_commits_wins many_units_at_once
        a_dropped_commit_leaves_all_or_nothing;
    keys: a_key_is_reserved_once a_key_is_reserved_once_by_racers a_freed_key_can_be_taken_again
        a_remembered_answer_stays a_key_is_free_after_72_hours
        a_key_of_an_open_operation_is_never_free keys_belong_to_their_merchant
        the_waiting_key_is_the_unanswered_one a_key_is_written_by_itself;
    leases: a_lost_lease_cannot_commit a_session_lease_guards_like_an_operations
        no_item_is_leased_twice no_session_is_leased_twice a_renewed_lease_holds
        a_lapsed_lease_is_claimed_again;
    queue: only_what_is_due_is_claimed a_claim_goes_by_the_stores_clock claims_are_counted_and_limited
        final_operations_are_never_claimed sessions_are_due_when_they_say
        busy_accounts_are_left_out wake_all_spares_what_is_held depth_counts_open_operations depths_count_what_waits;
    reading: requests_are_deleted_once_final unsent_refunds_are_those_never_sent
        has_attempt_knows_tokens operations_are_listed_from_a_time_on;
    listing: pages_are_stable pages_of_refunds_and_events_are_stable
        another_merchants_rows_are_not_listed session_filters_hold
        sessions_are_found_by_order_and_psp_reference
        created_and_expired_are_told_apart_by_now event_and_refund_filters_hold;
    merchants: merchants_load_equal settings_are_written_over_the_version_that_was_read
        merchants_are_listed_by_id accounts_of_merchants_are_listed_once a_key_is_found_by_its_hash
        a_key_ends_once active_keys_are_limited a_merchants_keys_are_listed
        the_last_active_key_is_kept the_last_use_is_recorded_once_an_hour;
    looks: looks_load_equal a_look_can_be_taken_away;
    rotation: a_rotation_is_remembered_with_its_answer a_failed_rotation_leaves_nothing
        a_rotation_replaces_a_key_of_its_own_merchant a_key_is_rotated_once
        keys_in_grace_are_limited
        no_rotation_survives_the_end_of_all_keys;
    bans: bans_count_while_they_live a_ban_is_revoked_once a_rehashed_ban_is_found_by_its_new_hash
        bans_are_listed_newest_first;
    sealing: the_store_answers resealed_values_open_under_the_new_key
        a_missing_key_is_named resealing_begins_anew_after_an_interruption;
    key_registry: a_node_is_live_while_it_publishes a_key_is_registered_once
        a_key_that_is_used_again_is_not_retired a_pepper_is_registered_with_its_ban
        a_ban_needs_a_pepper_that_every_node_has;
    deliveries: an_event_has_a_delivery_where_there_is_an_endpoint a_failed_unit_delivers_nothing
        open_deliveries_keep_their_url events_belong_to_their_merchant
        racing_units_deliver_what_they_commit;
    endpoints: endpoints_load_equal a_removed_endpoint_takes_its_deliveries
        a_disabled_endpoint_takes_its_deliveries an_endpoints_troubles_are_its_urls
        a_new_endpoint_wakes_no_dead;
    changes: a_key_is_changed_only_of_what_was_read what_was_set_outlives_a_change_of_key
        a_stale_endpoint_is_not_written signing_keys_are_those_that_can_sign;
    secrets: a_secret_is_rotated_once a_failed_rotation_keeps_the_secret;
    left_over: what_is_left_over_is_ended_in_portions what_is_left_over_is_not_revived;
    outbox: first_attempts_go_out_in_order retries_wait_for_nothing
        only_due_deliveries_are_claimed deliveries_are_shared_out a_backlog_stands_before_nobody
        no_delivery_is_leased_twice a_lapsed_delivery_is_claimed_again;
    attempts: attempts_load_equal a_lost_lease_cannot_record a_redelivered_event_goes_out_again
        a_redelivery_needs_its_event_and_an_endpoint a_redelivery_leaves_the_attempt_under_way;
    rounds: a_redelivery_outlives_the_attempt_under_way a_redelivery_outlives_its_old_url
        a_redelivery_outlives_a_racing_record an_attempt_outlives_its_delivery
        an_endpoint_that_recovered_is_not_given_up;
    inbox: a_notification_is_kept_once a_duplicate_wakes_nothing
        a_notification_is_kept_once_by_racers notifications_load_equal
        only_due_notifications_are_claimed no_notification_is_leased_twice;
    handling: a_lost_lease_cannot_settle a_notification_is_handled_once
        handling_is_part_of_the_unit a_notification_is_handled_once_by_racers only_what_is_stuck_is_dismissed
        many_notifications_are_dismissed_at_once;
    stuck: open_operations_are_stuck_past_their_budget open_compensations_are_stuck_at_once
        refunds_of_failed_captures_are_stuck late_deadlines_are_stuck notifications_are_stuck
        late_deliveries_are_stuck failing_endpoints_are_stuck
        deliveries_that_are_put_off_are_stuck the_stuck_are_listed_oldest_first;
    contradictions: contradictions_are_stuck_until_they_are_dismissed
        only_a_contradiction_is_dismissed;
    cleaning: an_open_operations_key_is_kept old_answers_are_forgotten
        old_notifications_are_deleted expired_rows_are_deleted_in_parts;
    retention: old_session_changes_are_deleted ended_deliveries_are_deleted_with_their_attempts
        an_event_outlives_its_delivery operations_that_were_never_sent_are_deleted ended_keys_are_deleted;
    oversight: a_session_is_found_by_each_of_its_names searches_keep_to_their_filters
        pages_of_all_merchants_are_stable sessions_are_counted_by_status;
    stories: oversight_opens_nothing_sealed a_story_is_whole a_long_story_is_cut;
}
