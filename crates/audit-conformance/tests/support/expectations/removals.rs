//! Faults of what is erased, kept and pruned, and the cases that must notice them.

use super::STATE_MACHINE;
use crate::support::faulty::Fault;

pub(super) const FAULTS: &[(Fault, &[&str])] = &[
    // What is erased.
    (
        Fault::Alters(|e| e.erased = false),
        &["erasures::take_what_is_personal_from_every_reading", STATE_MACHINE],
    ),
    (Fault::BringsBackWhatIsErased, &["erasures::leave_redeliveries_recognised"]),
    (Fault::ErasesACopy, &["erasures::miss_nothing_while_others_append"]),
    (Fault::ErasesInAllLogs, &["erasures::leave_other_logs_alone", STATE_MACHINE]),
    (
        Fault::ErasesNeighbours,
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
        Fault::ErasesNothing,
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
        Fault::ErasesOnePage,
        &["erasures::of_many_events_reach_all", "erasures::miss_nothing_while_others_append"],
    ),
    (
        Fault::FindsWhatIsErased,
        &[
            "erasures::leave_nothing_to_be_found_by",
            "erasures::leave_every_total_exact",
            "erasures::leave_redeliveries_recognised",
            "erasures::survive_a_reopen",
            STATE_MACHINE,
        ],
    ),
    (
        Fault::IgnoresTheHold,
        &[
            "erasures::are_forbidden_under_a_legal_hold",
            "prunings::are_forbidden_under_a_legal_hold",
        ],
    ),
    (
        Fault::MiscountsWhatIsErased,
        &[
            "erasures::of_nothing_leave_no_event",
            "erasures::of_many_events_reach_all",
            "erasures::pass_over_unknown_numbers",
            "erasures::miss_nothing_while_others_append",
            STATE_MACHINE,
        ],
    ),
    (Fault::NotFoundIsUnavailable, &["erasures::of_unknown_ids_are_not_found"]),
    (Fault::ErrorsForgetTheField, &["erasures::beyond_a_limit_are_refused_by_field"]),
    (Fault::RefusesUnknownNumbers, &["erasures::pass_over_unknown_numbers"]),
    (
        Fault::RewritesRecords,
        &[
            "erasures::leave_the_records_and_what_proves_them",
            "erasures::leave_redeliveries_recognised",
            STATE_MACHINE,
        ],
    ),
    (Fault::TellsOfEachErasure, &["erasures::of_nothing_leave_no_event", STATE_MACHINE]),
    (
        Fault::TellsOfNoErasure,
        &[
            "erasures::tell_how_many_and_not_whose",
            "erasures::leave_the_records_and_what_proves_them",
            STATE_MACHINE,
        ],
    ),
    (Fault::TellsWhose, &["erasures::tell_how_many_and_not_whose"]),
    // What is kept, and for how long.
    (Fault::AcceptsAnyRetention, &["retentions::beyond_a_bound_are_refused_by_field"]),
    (
        Fault::ForgetsTheHold,
        &[
            "retentions::come_back_as_set",
            "retentions::record_each_change",
            "erasures::are_forbidden_under_a_legal_hold",
            "prunings::are_forbidden_under_a_legal_hold",
        ],
    ),
    (Fault::KeepsLessByDefault, &["retentions::keep_everything_until_told"]),
    (Fault::OneRetentionForAll, &["retentions::of_two_logs_are_apart"]),
    (
        Fault::TellsOfEachRetention,
        &["retentions::that_do_not_change_leave_no_event", STATE_MACHINE],
    ),
    (Fault::TellsOfNoRetention, &["retentions::record_each_change", STATE_MACHINE]),
    (Fault::ErrorsForgetTheField, &["retentions::beyond_a_bound_are_refused_by_field"]),
    // What is pruned.
    (
        Fault::CountsWhatIsGone,
        &[
            "prunings::leave_every_total_exact",
            "prunings::leave_nothing_of_what_is_gone",
            "prunings::leave_the_walks_above_the_floor",
            "prunings::survive_a_reopen",
            STATE_MACHINE,
        ],
    ),
    (
        Fault::EndsEveryToken,
        &[
            "prunings::leave_the_walks_above_the_floor",
            "prunings::leave_the_feeds_above_the_floor",
            STATE_MACHINE,
        ],
    ),
    (Fault::FindsWhatIsGone, &["prunings::leave_nothing_of_what_is_gone"]),
    (Fault::GapInSequence, &["prunings::leave_the_numbers_going_on"]),
    (Fault::RecordsRedeliveriesAgain, &["prunings::leave_the_numbers_going_on"]),
    (Fault::IgnoresTheAge, &["prunings::remove_what_is_too_old"]),
    (Fault::PrunesACopy, &["prunings::lose_nothing_beside_writers_and_followers"]),
    (Fault::PrunesAllLogs, &["prunings::leave_other_logs_alone", STATE_MACHINE]),
    (
        Fault::PrunesNothing,
        &[
            "prunings::remove_what_is_too_many",
            "prunings::remove_what_is_too_old",
            "prunings::of_nothing_leave_no_event",
            "prunings::end_the_tokens_below_the_floor",
            STATE_MACHINE,
        ],
    ),
    (Fault::PrunesOnce, &["prunings::go_further_each_time", "prunings::record_what_they_removed"]),
    (
        Fault::PrunesPartOfATile,
        &[
            "prunings::remove_what_is_too_many",
            "prunings::of_nothing_leave_no_event",
            "prunings::go_further_each_time",
            STATE_MACHINE,
        ],
    ),
    (Fault::SkipsWhatIsGone, &["prunings::end_the_tokens_below_the_floor", STATE_MACHINE]),
    (Fault::TellsOfEachPruning, &["prunings::of_nothing_leave_no_event", STATE_MACHINE]),
    (Fault::TellsOfNoPruning, &["prunings::record_what_they_removed", STATE_MACHINE]),
    // What becomes of handles.
    (
        Fault::ForgetsOnReopen,
        &[
            "trees::survive_a_reopen",
            "erasures::survive_a_reopen",
            "retentions::survive_a_reopen",
            "prunings::survive_a_reopen",
        ],
    ),
];
