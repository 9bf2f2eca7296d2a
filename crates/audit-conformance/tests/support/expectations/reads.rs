//! Mutations of reads, and the cases that must notice them.

use audit_core::{Change, EventId};

use super::STATE_MACHINE;
use crate::support::mutations::Mutation;

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
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
];
