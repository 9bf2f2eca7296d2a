//! The one list of cases, by the trait that they test.

use crate::{
    DamageHarness, FollowerHarness, Harness, NewHarness, RetentionHarness, StagingHarness,
    TenantHarness, cases, state_machine,
};

/// Calls the macro `$then` of this crate with every case of one trait, by group. This is the list.
/// The names of the groups are distinct.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    (store, $then:ident $($arguments:tt)*) => {
        $crate::$then! {
            ($($arguments)*)
            appends {
                survive_a_reopen,
                are_numbered_densely_in_the_order_given,
                return_one_receipt_for_each_event,
                refuse_reserved_actions,
                of_nothing_do_nothing,
                record_who_submitted_them,
                are_all_or_nothing,
                are_seen_whole_or_not_at_all,
                never_record_a_time_that_goes_back,
                keep_the_same_id_in_two_logs_apart,
                need_no_organization,
                are_seen_by_every_handle,
            }
            redeliveries {
                are_recorded_once,
                without_a_time_are_recorded_once,
                of_other_content_conflict,
                of_two_contents_in_a_batch_conflict,
                compare_every_field,
                compare_the_last_value,
            }
            large_logs {
                are_read_exactly,
            }
            limits {
                keep_the_last_value,
                find_the_last_value,
                find_the_last_of_the_most_values,
                refuse_one_more_by_field,
                keep_the_most_events_of_a_batch,
                keep_the_most_bytes_of_a_batch,
                list_the_most_logs,
            }
            contents {
                come_back_equal_in_every_field,
                keep_unicode_nul_and_extreme_numbers,
                keep_empty_and_absent_apart,
                keep_times_to_the_nanosecond,
            }
            any_event {
                comes_back_and_is_found,
            }
            lookups {
                find_every_event,
                of_an_unknown_id_are_not_found,
                of_an_empty_log_give_the_default_head,
                of_the_head_follow_each_append,
            }
            logs {
                are_listed_once_in_order,
                are_listed_by_pages,
                without_events_are_not_listed,
                are_listed_by_every_handle,
                check_the_limit_of_a_listing,
            }
            scans {
                obey_every_argument,
                return_the_node_of_their_end,
                stop_at_the_byte_limit,
                beyond_the_end_fail,
                with_a_bound_never_change,
            }
            filters {
                by_each_facet,
                by_action_prefix,
                by_several_conditions,
                by_type_and_id_of_one_target,
                by_pairs_of_type_and_id,
                by_addresses_in_any_case,
                by_ids_involved,
                by_a_half_open_time_range,
                by_values_that_are_hard_to_index,
                by_the_most_values,
            }
            orders {
                break_ties_by_sequence,
                place_late_events_by_their_time,
                follow_the_sequence,
            }
            walks {
                return_every_event_once_in_order,
                are_snapshots,
                may_change_their_page_size,
                go_on_after_a_reopen,
                end_without_a_token,
                hold_while_others_append,
                stream_the_same_events,
                go_back_as_they_came,
                go_back_within_their_snapshot,
                begin_around_an_event,
                go_back_by_tokens_of_their_own,
            }
            totals {
                count_what_matches,
                are_the_same_on_every_page,
                are_absent_unless_asked_for,
                leave_out_exactly_the_offset,
                agree_between_offsets_and_tokens,
            }
            feeds {
                deliver_every_event_once_in_order,
                have_a_token_when_empty,
                select_by_filter,
                go_on_after_a_reopen,
                start_where_asked,
                report_when_they_are_caught_up,
                follow_several_writers,
            }
            waits {
                return_at_once_for_what_is_there,
                wake_for_an_append,
                wake_for_an_append_by_another_handle,
                sleep_while_other_logs_grow,
                return_what_came_to_a_feed,
                miss_no_append,
            }
            trees {
                give_each_record_its_leaf,
                grow_with_each_append,
                are_the_same_whatever_the_batches,
                have_the_nodes_that_are_complete,
                prove_every_event_and_every_growth,
                of_two_logs_are_apart,
                survive_a_reopen,
            }
            records {
                are_the_bytes_that_are_proved,
                obey_every_argument,
            }
            tokens {
                altered_are_refused,
                that_are_no_tokens_are_refused,
                of_another_log_are_refused,
                of_another_filter_are_refused,
                of_a_filter_that_reads_alike_are_refused,
                of_any_other_query_are_refused,
                of_another_order_are_refused,
                of_another_endpoint_are_refused,
                of_another_kind_are_refused,
                of_another_store_are_refused,
                are_good_with_every_handle,
            }
            histories {
                that_are_lost_end_their_tokens,
                in_common_keep_their_tokens,
            }
            isolation {
                never_see_each_others_events,
                cannot_look_up_each_others_ids,
                are_not_touched_by_each_others_conflicts,
            }
            concurrency {
                writers_to_several_logs_lose_nothing,
                readers_always_see_a_dense_prefix,
                one_event_from_all_sides_is_recorded_once,
                conflicts_at_once_have_one_winner,
                dropped_appends_are_carried_through,
            }
            neighbours {
                read_while_one_log_is_read,
                append_while_one_log_grows,
            }
        }
    };
    (retention, $then:ident $($arguments:tt)*) => {
        $crate::$then! {
            ($($arguments)*)
            erasures {
                remove_personal_data_from_every_read,
                keep_the_records_and_their_proofs,
                select_by_each_condition,
                clear_the_index,
                keep_totals_exact,
                record_how_many_and_not_whose,
                of_nothing_append_no_event,
                ignore_unknown_numbers,
                of_unknown_ids_are_not_found,
                are_forbidden_under_a_legal_hold,
                do_not_change_other_logs,
                survive_a_reopen,
            }
            erasure_limits {
                reach_many_events,
                reach_the_last_value,
                refuse_one_more_by_field,
            }
            erased_redeliveries {
                return_the_first_receipts,
                compare_what_they_kept,
            }
            any_erasure {
                removes_personal_data_only,
            }
            large_removals {
                are_exact,
            }
            retentions {
                keep_everything_by_default,
                come_back_as_set,
                record_each_change,
                that_do_not_change_append_no_event,
                beyond_a_bound_are_refused_by_field,
                of_two_logs_are_apart,
                survive_a_reopen,
            }
            prunings {
                remove_events_over_the_count,
                remove_events_over_the_age,
                leave_nothing_of_removed_events,
                record_the_removed_range,
                of_nothing_append_no_event,
                keep_totals_exact,
                keep_proofs_valid,
                continue_the_numbers,
                keep_the_log_listed,
                continue_where_they_ended,
                are_forbidden_under_a_legal_hold,
                do_not_change_other_logs,
                survive_a_reopen,
            }
            floors {
                end_the_tokens_below_them,
                keep_the_walks_above_them,
                keep_the_feeds_above_them,
            }
            retention_concurrency {
                erasures_miss_nothing_beside_writers,
                prunings_lose_nothing_beside_writers_and_followers,
            }
            state_machine {
                agrees_with_the_model,
            }
        }
    };
    (staged, $then:ident $($arguments:tt)*) => {
        $crate::$then! {
            ($($arguments)*)
            staged {
                are_recorded_when_their_transaction_commits,
                are_never_recorded_when_it_rolls_back,
                are_in_every_read_of_their_log,
                keep_the_order_of_their_transaction,
                come_before_a_later_append,
                are_recorded_once,
                occur_when_they_were_staged,
                have_receipts,
                are_taken_in_though_nobody_reads,
                are_taken_in_after_a_reopen,
                wake_a_feed,
                of_several_clients_lose_nothing,
            }
            refused {
                of_other_content_are_set_aside,
                that_are_no_events_are_set_aside,
                do_not_stop_other_logs,
                are_listed_by_pages,
                can_be_staged_again,
                can_be_dropped,
                are_kept_over_a_reopen,
            }
        }
    };
    (followers, $then:ident $($arguments:tt)*) => {
        $crate::$then! {
            ($($arguments)*)
            followers {
                keep_their_states,
                replace_only_what_they_expect,
                of_other_names_and_logs_are_apart,
                change_no_log,
                are_listed_by_pages,
                beyond_a_limit_are_refused_by_field,
                at_once_have_one_winner,
                survive_a_reopen,
            }
        }
    };
    (damaged, $then:ident $($arguments:tt)*) => {
        $crate::$then! {
            ($($arguments)*)
            damaged {
                indexes_fail_no_append,
                indexes_harm_no_other_log,
                indexes_hide_no_event,
            }
        }
    };
    (tenants, $then:ident $($arguments:tt)*) => {
        $crate::$then! {
            ($($arguments)*)
            organizations {
                come_back_as_created,
                record_their_creation,
                record_each_update,
                record_their_deletion,
                are_recorded_in_the_platform_log,
                never_reuse_an_id,
                unknown_or_deleted_are_not_found,
                change_only_as_asked,
                remove_endpoints_before_they_add,
                that_do_not_change_append_no_event,
                beyond_a_limit_are_refused_by_field,
                do_not_change_when_the_event_is_refused,
                are_listed_by_ascending_id,
                check_the_limit_of_a_listing,
                keep_their_log_when_deleted,
                survive_a_reopen,
            }
            api_keys {
                come_back_as_created,
                record_their_creation,
                record_their_revocation,
                revoked_twice_append_one_event,
                are_good_until_revoked,
                need_an_organization,
                unknown_are_not_found,
                outlive_their_organization,
                forget_their_holder_once_revoked,
                beyond_a_limit_are_refused_by_field,
                do_not_change_when_the_event_is_refused,
                are_listed_by_ascending_id,
                check_the_limit_of_a_listing,
                survive_a_reopen,
            }
            tenant_concurrency {
                updates_of_an_organization_lose_nothing,
                creations_of_one_organization_have_one_winner,
                revocations_of_one_key_append_one_event,
                deletions_of_an_organization_end_the_creation_of_keys,
            }
        }
    };
}

/// One promise, tested on the stores that an `H` opens.
#[derive(Debug)]
pub struct Case<H: ?Sized + 'static = dyn Harness> {
    /// The noun that it is about.
    pub group: &'static str,
    /// The promise, to be read after the group.
    pub name: &'static str,
    play: fn(NewHarness<'_, H>),
}

impl<H: ?Sized> Case<H> {
    /// Runs the case.
    ///
    /// # Panics
    /// If the store breaks the promise; the message says how.
    pub fn run(&self, new: NewHarness<'_, H>) {
        (self.play)(new);
    }
}

macro_rules! case_list {
    (() $($group:ident { $($case:ident,)* })*) => {
        &[$($(Case {
            group: stringify!($group),
            name: stringify!($case),
            play: groups::$group::$case,
        },)*)*]
    };
}
pub(crate) use case_list;

mod groups {
    pub(super) use super::cases::*;
    pub(super) use super::state_machine;
}

/// The cases that a harness can run: those of the trait that it opens.
pub trait Cases: Harness + 'static {
    /// The cases, by group.
    const CASES: &'static [Case<Self>];
}

impl Cases for dyn Harness {
    const CASES: &'static [Case<Self>] = crate::for_each_case!(store, case_list);
}

impl Cases for dyn RetentionHarness {
    const CASES: &'static [Case<Self>] = crate::for_each_case!(retention, case_list);
}

impl Cases for dyn StagingHarness {
    const CASES: &'static [Case<Self>] = crate::for_each_case!(staged, case_list);
}

impl Cases for dyn FollowerHarness {
    const CASES: &'static [Case<Self>] = crate::for_each_case!(followers, case_list);
}

impl Cases for dyn DamageHarness {
    const CASES: &'static [Case<Self>] = crate::for_each_case!(damaged, case_list);
}

impl Cases for dyn TenantHarness {
    const CASES: &'static [Case<Self>] = crate::for_each_case!(tenants, case_list);
}

/// Runs the case `name` of `group`.
///
/// # Panics
/// If the store breaks the promise; the message says how. If there is no such case.
pub fn run<H: Cases + ?Sized>(group: &str, name: &str, new: NewHarness<'_, H>) {
    let case = H::CASES.iter().find(|case| case.group == group && case.name == name);
    case.unwrap_or_else(|| panic!("no case is named {group}::{name}")).run(new);
}
