//! Mutations of appends and waits, and the cases that must notice them.

use super::STATE_MACHINE;
use crate::support::mutations::Mutation;

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
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
    (Mutation::DropsReceipt, &["appends::return_one_receipt_for_each_event", STATE_MACHINE]),
    (Mutation::FillsTimesBeforeComparing, &["redeliveries::without_a_time_are_recorded_once"]),
    (
        Mutation::ErrorsForgetTheField,
        &[
            "logs::check_the_limit_of_a_listing",
            "limits::refuse_one_more_by_field",
            "redeliveries::of_other_content_conflict",
            "redeliveries::of_two_contents_in_a_batch_conflict",
            "organizations::beyond_a_limit_are_refused_by_field",
            "organizations::do_not_change_when_the_event_is_refused",
            "organizations::never_reuse_an_id",
            "api_keys::beyond_a_limit_are_refused_by_field",
            "api_keys::check_the_limit_of_a_listing",
            "api_keys::do_not_change_when_the_event_is_refused",
        ],
    ),
    (
        Mutation::ForgetsTheSubmitter,
        &["appends::record_who_submitted_them", "contents::come_back_equal_in_every_field"],
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
            "redeliveries::are_recorded_once",
            "appends::return_one_receipt_for_each_event",
            "concurrency::one_event_from_all_sides_is_recorded_once",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::RecordsRedeliveriesAgain,
        &[
            "redeliveries::are_recorded_once",
            "concurrency::one_event_from_all_sides_is_recorded_once",
            STATE_MACHINE,
        ],
    ),
    (Mutation::RefusesEmptyBatches, &["appends::of_nothing_do_nothing", STATE_MACHINE]),
    (Mutation::RefusesLargeBatches, &["limits::keep_the_most_events_of_a_batch"]),
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
            "redeliveries::of_other_content_conflict",
            "redeliveries::of_two_contents_in_a_batch_conflict",
            "appends::are_all_or_nothing",
            "concurrency::conflicts_at_once_have_one_winner",
            "tenant_concurrency::creations_of_one_organization_have_one_winner",
            "organizations::never_reuse_an_id",
            "isolation::are_not_touched_by_each_others_conflicts",
            STATE_MACHINE,
        ],
    ),
];
