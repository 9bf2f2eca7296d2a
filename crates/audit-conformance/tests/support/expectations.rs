//! Mutations, and the cases that must notice them.

mod api_keys;
mod fields;
mod removals;
mod trees;

use audit_core::{Change, EventId, Facet, Timestamp};

use super::mutations::Mutation;

/// Every mutation with the cases that must notice it.
pub(crate) fn expectations() -> Vec<(Mutation, &'static [&'static str])> {
    let each_facet = Facet::ALL.map(|facet| (Mutation::IgnoresFacet(facet), OF_FACETS));
    let each_field = fields::OF_EVENTS.iter().map(|alter| (Mutation::Alters(*alter), OF_FIELDS));
    let each_erased_field =
        fields::OF_RECORDS.iter().map(|alter| (Mutation::AltersErased(*alter), OF_RECORDS));
    let each_key_field = fields::OF_KEYS
        .iter()
        .map(|alter| (Mutation::AltersKeys(*alter), &["api_keys::come_back_as_created"][..]));
    let lists = [MUTATIONS, api_keys::MUTATIONS, trees::MUTATIONS, removals::MUTATIONS];
    let mutations = lists.into_iter().flatten().copied();
    mutations
        .chain(each_facet)
        .chain(each_field)
        .chain(each_erased_field)
        .chain(each_key_field)
        .collect()
}

const OF_FACETS: &[&str] = &["filters::by_each_facet", "any_event::comes_back_and_is_found"];
const OF_FIELDS: &[&str] =
    &["contents::come_back_equal_in_every_field", "any_event::comes_back_and_is_found"];
const OF_RECORDS: &[&str] =
    &["any_erasure::removes_personal_data_only", "erasures::remove_personal_data_from_every_read"];
const STATE_MACHINE: &str = "state_machine::agrees_with_the_model";

const MUTATIONS: &[(Mutation, &[&str])] = &[
    // Reads.
    (Mutation::AddressesByLetter, &["filters::by_addresses_in_any_case"]),
    (
        Mutation::AlwaysCounts,
        &["totals::are_absent_unless_asked_for", "scans::obey_every_argument"],
    ),
    (
        Mutation::AlwaysMore,
        &["walks::end_without_a_token", "feeds::report_when_they_are_caught_up", STATE_MACHINE],
    ),
    (
        Mutation::AltersPlatformEvents(|e| e.id = EventId::new()),
        &[
            "organizations::are_recorded_in_the_platform_log",
            "api_keys::record_their_creation",
            "api_keys::record_their_revocation",
        ],
    ),
    (
        Mutation::AltersPlatformEvents(|e| e.change = Change::default()),
        &[
            "organizations::are_recorded_in_the_platform_log",
            "api_keys::record_their_creation",
            "api_keys::record_their_revocation",
        ],
    ),
    (Mutation::BoundOffByOne, &["walks::are_snapshots", STATE_MACHINE]),
    (Mutation::CachesLogs, &["logs::are_listed_by_every_handle", "logs::are_listed_once_in_order"]),
    (Mutation::ClampsTheBound, &["scans::beyond_the_end_fail"]),
    (Mutation::DeletionClearsTheLog, &["organizations::keep_their_log_when_deleted"]),
    (
        Mutation::DropsFirst,
        &["walks::return_every_event_once_in_order", "feeds::deliver_every_event_once_in_order"],
    ),
    (
        Mutation::DropsLast,
        &[
            "walks::return_every_event_once_in_order",
            "walks::may_change_their_page_size",
            "walks::stream_the_same_events",
            "walks::hold_while_others_append",
            "feeds::deliver_every_event_once_in_order",
            "feeds::have_a_token_when_empty",
            "feeds::select_by_filter",
            "feeds::follow_several_writers",
            "totals::agree_between_offsets_and_tokens",
            "concurrency::writers_to_several_logs_lose_nothing",
            "concurrency::readers_always_see_a_dense_prefix",
            "orders::follow_the_sequence",
            STATE_MACHINE,
        ],
    ),
    (Mutation::FirstValuesOnly, &["filters::by_the_most_values"]),
    (Mutation::FoldsCase, &["filters::by_values_that_are_hard_to_index"]),
    (Mutation::GetsAcrossLogs, &["isolation::cannot_look_up_each_others_ids", STATE_MACHINE]),
    (Mutation::GetsTheFirst, &["lookups::find_every_event", STATE_MACHINE]),
    (
        Mutation::HeadOffByOne,
        &[
            "lookups::of_an_empty_log_give_the_default_head",
            "lookups::of_the_head_follow_each_append",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::HidesKeyEvents,
        &[
            "api_keys::record_their_creation",
            "api_keys::record_their_revocation",
            "api_keys::outlive_their_organization",
        ],
    ),
    (
        Mutation::HidesPlatformEvents,
        &[
            "organizations::are_recorded_in_the_platform_log",
            "api_keys::record_their_creation",
            "api_keys::record_their_revocation",
            "api_keys::outlive_their_organization",
        ],
    ),
    (
        Mutation::HidesOrganizationEvents,
        &[
            "organizations::record_their_creation",
            "organizations::record_each_update",
            "organizations::record_their_deletion",
        ],
    ),
    (
        Mutation::IgnoresAfter,
        &[
            "walks::begin_around_an_event",
            "logs::are_listed_by_pages",
            "feeds::start_where_asked",
            "scans::obey_every_argument",
            "api_keys::are_listed_by_ascending_id",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::IgnoresBound,
        &[
            "walks::go_back_within_their_snapshot",
            "walks::are_snapshots",
            "walks::hold_while_others_append",
            "scans::with_a_bound_never_change",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::IgnoresOffset,
        &[
            "totals::leave_out_exactly_the_offset",
            "totals::agree_between_offsets_and_tokens",
            "scans::obey_every_argument",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::IgnoresOrder,
        &[
            "walks::go_back_as_they_came",
            "walks::begin_around_an_event",
            "orders::place_late_events_by_their_time",
            "orders::follow_the_sequence",
            "walks::return_every_event_once_in_order",
            STATE_MACHINE,
        ],
    ),
    (Mutation::HidesLogsOfDeletedOrganizations, &["organizations::keep_their_log_when_deleted"]),
    (
        Mutation::HidesThePlatformLog,
        &["logs::are_listed_once_in_order", "logs::are_listed_by_pages"],
    ),
    (Mutation::ReadsMakeLogs, &["logs::without_events_are_not_listed"]),
    (Mutation::IgnoresTimeRange, &["filters::by_a_half_open_time_range", STATE_MACHINE]),
    (
        Mutation::InvolvesActorsOnly,
        &["filters::by_ids_involved", "filters::by_each_facet", STATE_MACHINE],
    ),
    (Mutation::LeaksAnotherLog, &["isolation::never_see_each_others_events", STATE_MACHINE]),
    (
        Mutation::NeverMore,
        &[
            "scans::stop_at_the_byte_limit",
            "walks::return_every_event_once_in_order",
            "walks::end_without_a_token",
        ],
    ),
    (
        Mutation::NotFoundIsUnavailable,
        &[
            "lookups::of_an_unknown_id_are_not_found",
            "isolation::cannot_look_up_each_others_ids",
            "api_keys::unknown_are_not_found",
            "api_keys::need_an_organization",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::RepeatsLast,
        &[
            "walks::return_every_event_once_in_order",
            "feeds::deliver_every_event_once_in_order",
            "feeds::follow_several_writers",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::TurnsBackToTheFirst,
        &["walks::go_back_as_they_came", "walks::begin_around_an_event", STATE_MACHINE],
    ),
    (Mutation::SplitsPairs, &["filters::by_pairs_of_type_and_id", STATE_MACHINE]),
    (Mutation::TakesPrefixesLiterally, &["filters::by_action_prefix", STATE_MACHINE]),
    (
        Mutation::TiesInReverse,
        &["orders::break_ties_by_sequence", "scans::obey_every_argument", STATE_MACHINE],
    ),
    (Mutation::TotalIgnoresBound, &["totals::are_the_same_on_every_page", STATE_MACHINE]),
    (Mutation::TotalOfTheRest, &["totals::are_the_same_on_every_page", STATE_MACHINE]),
    (Mutation::TotalOffByOne, &["totals::count_what_matches", STATE_MACHINE]),
    (Mutation::TypeAndIdApart, &["filters::by_type_and_id_of_one_target"]),
    (Mutation::UntilIsInclusive, &["filters::by_a_half_open_time_range", STATE_MACHINE]),
    // Waits.
    (
        Mutation::NeverWakes,
        &[
            "waits::return_at_once_for_what_is_there",
            "waits::wake_for_an_append",
            "waits::wake_for_an_append_by_another_handle",
            "waits::return_what_came_to_a_feed",
        ],
    ),
    (
        Mutation::WakesAtOnce,
        &["waits::sleep_while_other_logs_grow", "waits::return_what_came_to_a_feed"],
    ),
    // Appends.
    (Mutation::DropsReceipt, &["appends::return_one_receipt_for_each_event", STATE_MACHINE]),
    (Mutation::FillsTimesBeforeComparing, &["appends::without_a_time_are_recorded_once"]),
    (
        Mutation::ErrorsForgetTheField,
        &[
            "logs::check_the_limit_of_a_listing",
            "appends::beyond_a_limit_are_refused_by_field",
            "appends::of_other_content_conflict",
            "appends::with_two_contents_for_one_id_conflict",
            "organizations::beyond_a_limit_are_refused_by_field",
            "organizations::do_not_change_when_the_event_is_refused",
            "organizations::never_reuse_an_id",
            "api_keys::beyond_a_limit_are_refused_by_field",
            "api_keys::check_the_limit_of_a_listing",
            "api_keys::do_not_change_when_the_event_is_refused",
        ],
    ),
    (Mutation::FirstReceiptOnly, &["appends::return_one_receipt_for_each_event"]),
    (Mutation::AcceptsReservedActions, &["appends::refuse_reserved_actions"]),
    (
        Mutation::GapInSequence,
        &[
            "appends::are_numbered_densely_in_the_order_given",
            "concurrency::writers_to_several_logs_lose_nothing",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::IdsAreUniqueAcrossLogs,
        &[
            "appends::keep_the_same_id_in_two_logs_apart",
            "isolation::are_not_touched_by_each_others_conflicts",
        ],
    ),
    (
        Mutation::NotMarkedAsRedelivered,
        &[
            "appends::are_recorded_once",
            "appends::return_one_receipt_for_each_event",
            "concurrency::one_event_from_all_sides_is_recorded_once",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::ForgetsTheSubmitter,
        &["appends::record_who_submitted_them", "contents::come_back_equal_in_every_field"],
    ),
    (
        Mutation::RecordsRedeliveriesAgain,
        &[
            "appends::are_recorded_once",
            "concurrency::one_event_from_all_sides_is_recorded_once",
            STATE_MACHINE,
        ],
    ),
    (Mutation::RefusesEmptyBatches, &["appends::of_nothing_do_nothing", STATE_MACHINE]),
    (Mutation::RefusesLargeBatches, &["appends::of_the_most_events_are_kept"]),
    (Mutation::RequiresAnOrganization, &["appends::need_no_organization"]),
    (
        Mutation::ReversesBatches,
        &["appends::are_numbered_densely_in_the_order_given", STATE_MACHINE],
    ),
    (
        // Readers at once see this too, but only when they look at the right moment.
        Mutation::SplitsBatches,
        &[
            "appends::are_all_or_nothing",
            "appends::are_seen_whole_or_not_at_all",
            "concurrency::dropped_appends_are_carried_through",
            STATE_MACHINE,
        ],
    ),
    (Mutation::DropsWithItsCaller, &["concurrency::dropped_appends_are_carried_through"]),
    (Mutation::AppendsUnasked, &["concurrency::dropped_appends_are_carried_through"]),
    (
        Mutation::SwallowsConflicts,
        &[
            "appends::of_other_content_conflict",
            "appends::with_two_contents_for_one_id_conflict",
            "appends::are_all_or_nothing",
            "concurrency::conflicts_at_once_have_one_winner",
            "tenant_concurrency::creations_of_one_organization_have_one_winner",
            "organizations::never_reuse_an_id",
            "isolation::are_not_touched_by_each_others_conflicts",
            STATE_MACHINE,
        ],
    ),
    // Organizations.
    (Mutation::AddsBeforeRemoving, &["organizations::remove_endpoints_before_they_add"]),
    (
        Mutation::AltersOrganizations,
        &["organizations::come_back_as_created", "organizations::change_only_as_asked"],
    ),
    (
        Mutation::ChangesBeforeChecking,
        &[
            "organizations::do_not_change_when_the_event_is_refused",
            "organizations::beyond_a_limit_are_refused_by_field",
            "api_keys::do_not_change_when_the_event_is_refused",
            "api_keys::beyond_a_limit_are_refused_by_field",
        ],
    ),
    (
        Mutation::IgnoresDeletion,
        &[
            "organizations::unknown_or_deleted_are_not_found",
            "organizations::are_listed_by_ascending_id",
            "organizations::never_reuse_an_id",
        ],
    ),
    (
        Mutation::IgnoresTheListLimit,
        &[
            "logs::are_listed_by_pages",
            "logs::check_the_limit_of_a_listing",
            "organizations::check_the_limit_of_a_listing",
            "organizations::are_listed_by_ascending_id",
            "api_keys::check_the_limit_of_a_listing",
            "api_keys::are_listed_by_ascending_id",
        ],
    ),
    (
        Mutation::ListsInReverse,
        &[
            "logs::are_listed_once_in_order",
            "organizations::are_listed_by_ascending_id",
            "api_keys::are_listed_by_ascending_id",
        ],
    ),
    (
        Mutation::LosesUpdates,
        &[
            "tenant_concurrency::updates_of_an_organization_lose_nothing",
            "organizations::change_only_as_asked",
        ],
    ),
    (
        Mutation::RecordsFailuresInThePlatformLog,
        &[
            "organizations::never_reuse_an_id",
            "organizations::unknown_or_deleted_are_not_found",
            "organizations::that_do_not_change_append_no_event",
            "organizations::beyond_a_limit_are_refused_by_field",
            "organizations::do_not_change_when_the_event_is_refused",
            "api_keys::revoked_twice_append_one_event",
            "api_keys::need_an_organization",
            "api_keys::unknown_are_not_found",
            "api_keys::beyond_a_limit_are_refused_by_field",
            "api_keys::do_not_change_when_the_event_is_refused",
            "tenant_concurrency::revocations_of_one_key_append_one_event",
        ],
    ),
    (Mutation::TouchesWithoutChange, &["organizations::that_do_not_change_append_no_event"]),
    // Handles and tokens.
    (
        Mutation::AcceptsAnyToken,
        &[
            "walks::go_back_by_tokens_of_their_own",
            "tokens::altered_are_refused",
            "tokens::that_are_no_tokens_are_refused",
            "tokens::of_another_log_are_refused",
            "tokens::of_another_filter_are_refused",
            "tokens::of_another_order_are_refused",
            "tokens::of_another_endpoint_are_refused",
            "tokens::of_another_kind_are_refused",
            "tokens::of_another_store_are_refused",
            STATE_MACHINE,
        ],
    ),
    (Mutation::CallsOldTokensBehind, &["histories::that_are_lost_end_their_tokens"]),
    (
        Mutation::ForgetsOnReopen,
        &[
            "logs::are_listed_once_in_order",
            "appends::survive_a_reopen",
            "appends::are_recorded_once",
            "appends::are_seen_by_every_handle",
            "walks::go_on_after_a_reopen",
            "feeds::go_on_after_a_reopen",
            "organizations::survive_a_reopen",
            STATE_MACHINE,
        ],
    ),
    (Mutation::IgnoresTheNewPageSize, &["walks::may_change_their_page_size", STATE_MACHINE]),
    (
        Mutation::KeysChangeOnReopen,
        &[
            "tokens::are_good_with_every_handle",
            "walks::go_on_after_a_reopen",
            "feeds::go_on_after_a_reopen",
            "histories::in_common_keep_their_tokens",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::ExplainsTokenErrors,
        &["tokens::altered_are_refused", "tokens::of_another_log_are_refused"],
    ),
    (
        Mutation::Alters(|e| e.recorded_at = e.occurred_at),
        &["appends::never_record_a_time_that_goes_back"],
    ),
    (Mutation::Alters(|e| e.metadata.clear()), &["appends::at_the_limits_are_kept"]),
    (
        Mutation::Alters(|e| {
            e.message.text = e.message.text.take().map(|text| text.replace('\0', ""));
        }),
        &["contents::keep_unicode_nul_and_extreme_numbers"],
    ),
    (
        Mutation::Alters(|e| e.reason = e.reason.take().filter(|reason| !reason.is_empty())),
        &["contents::keep_empty_and_absent_apart"],
    ),
    (
        Mutation::Alters(|e| {
            let nanos = e.occurred_at.as_nanos();
            e.occurred_at = Timestamp::from_nanos(nanos - nanos % 1_000);
        }),
        &["contents::keep_times_to_the_nanosecond"],
    ),
    (Mutation::Alters(|e| drop(e.targets.pop())), &["walks::stream_the_same_events"]),
    (
        Mutation::Alters(|e| e.scope.surface = None),
        &[
            "organizations::record_their_creation",
            "organizations::record_each_update",
            "organizations::record_their_deletion",
            "api_keys::record_their_creation",
            "api_keys::record_their_revocation",
            "api_keys::outlive_their_organization",
        ],
    ),
    (Mutation::IgnoresFacet(Facet::ActorId), &["filters::by_several_conditions"]),
];
