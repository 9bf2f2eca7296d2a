//! Mutations of what is erased, kept and pruned, and the cases that must notice them.

use super::STATE_MACHINE;
use crate::support::mutations::Mutation;

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
    // What is erased.
    (
        Mutation::Alters(|e| e.erased = false),
        &["erasures::take_what_is_personal_from_every_reading", STATE_MACHINE],
    ),
    (Mutation::BringsBackWhatIsErased, &["erasures::leave_redeliveries_recognised"]),
    (Mutation::ErasesACopy, &["erasures::miss_nothing_while_others_append"]),
    (Mutation::ErasesInAllLogs, &["erasures::leave_other_logs_alone", STATE_MACHINE]),
    (
        Mutation::ErasesNeighbours,
        &[
            "erasures::take_what_is_personal_from_every_reading",
            "erasures::select_by_each_condition",
            "erasures::leave_nothing_to_be_found_by",
            "erasures::of_many_events_reach_all",
            "erasures::pass_over_unknown_numbers",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::ErasesNothing,
        &[
            "erasures::take_what_is_personal_from_every_reading",
            "erasures::leave_every_total_exact",
            "erasures::of_nothing_leave_no_event",
            "erasures::survive_a_reopen",
            "erasures::miss_nothing_while_others_append",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::ErasesOnePage,
        &["erasures::of_many_events_reach_all", "erasures::miss_nothing_while_others_append"],
    ),
    (
        Mutation::FindsWhatIsErased,
        &[
            "erasures::leave_nothing_to_be_found_by",
            "erasures::leave_every_total_exact",
            "erasures::leave_redeliveries_recognised",
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
        Mutation::MiscountsWhatIsErased,
        &[
            "erasures::of_nothing_leave_no_event",
            "erasures::of_many_events_reach_all",
            "erasures::pass_over_unknown_numbers",
            "erasures::miss_nothing_while_others_append",
            STATE_MACHINE,
        ],
    ),
    (Mutation::NotFoundIsUnavailable, &["erasures::of_unknown_ids_are_not_found"]),
    (Mutation::ErrorsForgetTheField, &["erasures::beyond_a_limit_are_refused_by_field"]),
    (Mutation::RefusesUnknownNumbers, &["erasures::pass_over_unknown_numbers"]),
    (
        Mutation::RewritesRecords,
        &[
            "erasures::leave_the_records_and_what_proves_them",
            "erasures::leave_redeliveries_recognised",
            STATE_MACHINE,
        ],
    ),
    (Mutation::TellsOfEachErasure, &["erasures::of_nothing_leave_no_event", STATE_MACHINE]),
    (
        Mutation::TellsOfNoErasure,
        &[
            "erasures::tell_how_many_and_not_whose",
            "erasures::leave_the_records_and_what_proves_them",
            STATE_MACHINE,
        ],
    ),
    (Mutation::TellsWhose, &["erasures::tell_how_many_and_not_whose"]),
    // What is kept, and for how long.
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
    (Mutation::KeepsLessByDefault, &["retentions::keep_everything_until_told"]),
    (Mutation::OneRetentionForAll, &["retentions::of_two_logs_are_apart"]),
    (
        Mutation::TellsOfEachRetention,
        &["retentions::that_do_not_change_leave_no_event", STATE_MACHINE],
    ),
    (Mutation::TellsOfNoRetention, &["retentions::record_each_change", STATE_MACHINE]),
    (Mutation::ErrorsForgetTheField, &["retentions::beyond_a_bound_are_refused_by_field"]),
    // What is pruned.
    (
        Mutation::CountsWhatIsGone,
        &[
            "prunings::leave_every_total_exact",
            "prunings::leave_nothing_of_what_is_gone",
            "prunings::leave_the_walks_above_the_floor",
            "prunings::survive_a_reopen",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::EndsEveryToken,
        &[
            "prunings::leave_the_walks_above_the_floor",
            "prunings::leave_the_feeds_above_the_floor",
            STATE_MACHINE,
        ],
    ),
    (Mutation::FindsWhatIsGone, &["prunings::leave_nothing_of_what_is_gone"]),
    (Mutation::GapInSequence, &["prunings::leave_the_numbers_going_on"]),
    (Mutation::RecordsRedeliveriesAgain, &["prunings::leave_the_numbers_going_on"]),
    (Mutation::HidesPrunedLogs, &["prunings::leave_the_log_listed"]),
    (Mutation::IgnoresTheAge, &["prunings::remove_what_is_too_old"]),
    (Mutation::PrunesACopy, &["prunings::lose_nothing_beside_writers_and_followers"]),
    (Mutation::PrunesAllLogs, &["prunings::leave_other_logs_alone", STATE_MACHINE]),
    (
        Mutation::PrunesNothing,
        &[
            "prunings::remove_what_is_too_many",
            "prunings::remove_what_is_too_old",
            "prunings::of_nothing_leave_no_event",
            "prunings::end_the_tokens_below_the_floor",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::PrunesOnce,
        &["prunings::go_further_each_time", "prunings::record_what_they_removed"],
    ),
    (
        Mutation::PrunesPartOfATile,
        &[
            "prunings::remove_what_is_too_many",
            "prunings::of_nothing_leave_no_event",
            "prunings::go_further_each_time",
            STATE_MACHINE,
        ],
    ),
    (Mutation::SkipsWhatIsGone, &["prunings::end_the_tokens_below_the_floor", STATE_MACHINE]),
    (Mutation::TellsOfEachPruning, &["prunings::of_nothing_leave_no_event", STATE_MACHINE]),
    (Mutation::TellsOfNoPruning, &["prunings::record_what_they_removed", STATE_MACHINE]),
    // What becomes of handles.
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
