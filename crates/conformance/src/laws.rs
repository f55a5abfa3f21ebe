//! Every law, by name.

pub mod bans;
pub mod keys;
pub mod leases;
pub mod listing;
pub mod merchants;
pub mod queue;
pub mod races;
pub mod reading;
pub mod saving;
pub mod sealing;
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
        committed_tells_the_truth a_bad_unit_fails_alone;
    races: one_of_two_racing_commits_wins many_units_at_once
        a_dropped_commit_leaves_all_or_nothing;
    keys: a_key_is_reserved_once a_key_is_reserved_once_by_racers a_freed_key_can_be_taken_again
        a_remembered_answer_stays a_key_is_free_after_72_hours keys_belong_to_their_merchant
        the_waiting_key_is_the_unanswered_one;
    leases: a_lost_lease_cannot_commit a_session_lease_guards_like_an_operations
        no_item_is_leased_twice no_session_is_leased_twice a_renewed_lease_holds
        a_lapsed_lease_is_claimed_again;
    queue: only_what_is_due_is_claimed claims_are_counted_and_limited
        final_operations_are_never_claimed sessions_are_due_when_they_say
        wake_all_spares_what_is_held depth_counts_open_operations;
    reading: requests_are_deleted_once_final unsent_refunds_are_those_never_sent
        has_attempt_knows_tokens;
    listing: pages_are_stable pages_of_refunds_and_events_are_stable
        another_merchants_rows_are_not_listed session_filters_hold
        created_and_expired_are_told_apart_by_now event_and_refund_filters_hold;
    merchants: merchants_load_equal a_key_is_found_by_its_hash a_key_ends_once;
    bans: bans_count_while_they_live a_ban_is_revoked_once a_rehashed_ban_is_found_by_its_new_hash
        bans_are_listed_newest_first;
    sealing: the_store_answers other_keys_do_not_fit resealed_values_open_under_the_new_key;
}
