//! Mutations of erasures, retention and prunings, and the cases that must notice them.

use super::STATE_MACHINE;
use crate::support::mutations::Mutation;

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
    // Erasures.
    (
        Mutation::Alters(|e| e.erased = false),
        &["erasures::remove_personal_data_from_every_read", STATE_MACHINE],
    ),
    (Mutation::RestoresErasedData, &["erased_redeliveries::return_the_first_receipts"]),
    (Mutation::ErasesACopy, &["retention_concurrency::erasures_miss_nothing_beside_writers"]),
    (Mutation::ErasesInAllLogs, &["erasures::do_not_change_other_logs", STATE_MACHINE]),
    (
        Mutation::ErasesNeighbours,
        &[
            "erasures::remove_personal_data_from_every_read",
            "erasures::select_by_each_condition",
            "erasures::clear_the_index",
            "erasure_limits::reach_many_events",
            "erasures::ignore_unknown_numbers",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::ErasesNothing,
        &[
            "any_erasure::removes_personal_data_only",
            "erasures::remove_personal_data_from_every_read",
            "erasures::keep_totals_exact",
            "erasures::of_nothing_append_no_event",
            "erasures::survive_a_reopen",
            "retention_concurrency::erasures_miss_nothing_beside_writers",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::ErasesOnePage,
        &[
            "erasure_limits::reach_many_events",
            "retention_concurrency::erasures_miss_nothing_beside_writers",
        ],
    ),
    (
        Mutation::FindsErasedEvents,
        &[
            "any_erasure::removes_personal_data_only",
            "erasures::clear_the_index",
            "erasures::keep_totals_exact",
            "erased_redeliveries::return_the_first_receipts",
            "erasures::survive_a_reopen",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::IgnoresTheHold,
        &[
            "erasures::are_forbidden_under_a_legal_hold",
            "prunings::are_forbidden_under_a_legal_hold",
        ],
    ),
    (
        Mutation::MiscountsErasures,
        &[
            "erasures::of_nothing_append_no_event",
            "erasure_limits::reach_many_events",
            "erasures::ignore_unknown_numbers",
            "retention_concurrency::erasures_miss_nothing_beside_writers",
            STATE_MACHINE,
        ],
    ),
    (Mutation::NotFoundIsUnavailable, &["erasures::of_unknown_ids_are_not_found"]),
    (Mutation::ErrorsForgetTheField, &["erasure_limits::refuse_one_more_by_field"]),
    (Mutation::RefusesUnknownNumbers, &["erasures::ignore_unknown_numbers"]),
    (
        Mutation::RewritesRecords,
        &[
            "erasures::keep_the_records_and_their_proofs",
            "erased_redeliveries::return_the_first_receipts",
            STATE_MACHINE,
        ],
    ),
    (Mutation::RecordsEmptyErasures, &["erasures::of_nothing_append_no_event", STATE_MACHINE]),
    (
        Mutation::RecordsNoErasure,
        &[
            "erasures::record_how_many_and_not_whose",
            "erasures::keep_the_records_and_their_proofs",
            STATE_MACHINE,
        ],
    ),
    (Mutation::RecordsWhose, &["erasures::record_how_many_and_not_whose"]),
    // Retention.
    (Mutation::AcceptsAnyRetention, &["retentions::beyond_a_bound_are_refused_by_field"]),
    (
        Mutation::ForgetsTheHold,
        &[
            "retentions::come_back_as_set",
            "retentions::record_each_change",
            "erasures::are_forbidden_under_a_legal_hold",
            "prunings::are_forbidden_under_a_legal_hold",
        ],
    ),
    (Mutation::KeepsLessByDefault, &["retentions::keep_everything_by_default"]),
    (Mutation::OneRetentionForAll, &["retentions::of_two_logs_are_apart"]),
    (
        Mutation::RecordsUnchangedRetention,
        &["retentions::that_do_not_change_append_no_event", STATE_MACHINE],
    ),
    (Mutation::RecordsNoRetention, &["retentions::record_each_change", STATE_MACHINE]),
    (Mutation::ErrorsForgetTheField, &["retentions::beyond_a_bound_are_refused_by_field"]),
    // Prunings.
    (
        Mutation::CountsPrunedEvents,
        &[
            "prunings::keep_totals_exact",
            "prunings::leave_nothing_of_removed_events",
            "floors::keep_the_walks_above_them",
            "prunings::survive_a_reopen",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::EndsEveryToken,
        &["floors::keep_the_walks_above_them", "floors::keep_the_feeds_above_them", STATE_MACHINE],
    ),
    (Mutation::FindsPrunedEvents, &["prunings::leave_nothing_of_removed_events"]),
    (Mutation::GapInSequence, &["prunings::continue_the_numbers"]),
    (Mutation::RecordsRedeliveriesAgain, &["prunings::continue_the_numbers"]),
    (Mutation::HidesPrunedLogs, &["prunings::keep_the_log_listed"]),
    (Mutation::IgnoresTheAge, &["prunings::remove_events_over_the_age"]),
    (
        Mutation::PrunesACopy,
        &["retention_concurrency::prunings_lose_nothing_beside_writers_and_followers"],
    ),
    (Mutation::PrunesAllLogs, &["prunings::do_not_change_other_logs", STATE_MACHINE]),
    (
        Mutation::PrunesNothing,
        &[
            "prunings::remove_events_over_the_count",
            "prunings::remove_events_over_the_age",
            "prunings::of_nothing_append_no_event",
            "floors::end_the_tokens_below_them",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::PrunesOnce,
        &["prunings::continue_where_they_ended", "prunings::record_the_removed_range"],
    ),
    (
        Mutation::PrunesPartOfATile,
        &[
            "prunings::remove_events_over_the_count",
            "prunings::of_nothing_append_no_event",
            "prunings::continue_where_they_ended",
            STATE_MACHINE,
        ],
    ),
    (Mutation::SkipsPrunedEvents, &["floors::end_the_tokens_below_them", STATE_MACHINE]),
    (Mutation::RecordsEmptyPrunings, &["prunings::of_nothing_append_no_event", STATE_MACHINE]),
    (Mutation::RecordsNoPruning, &["prunings::record_the_removed_range", STATE_MACHINE]),
    // Handles.
    (
        Mutation::ForgetsOnReopen,
        &[
            "trees::survive_a_reopen",
            "erasures::survive_a_reopen",
            "retentions::survive_a_reopen",
            "prunings::survive_a_reopen",
        ],
    ),
];
