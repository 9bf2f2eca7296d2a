//! Mutations of the tree, and the cases that must notice them.

use super::STATE_MACHINE;
use crate::support::mutations::Mutation;

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
    (
        Mutation::AltersRecords,
        &[
            "records::are_the_bytes_that_are_proved",
            "trees::give_each_record_its_leaf",
            "trees::grow_with_each_append",
            "trees::prove_every_event_and_every_growth",
            STATE_MACHINE,
        ],
    ),
    (Mutation::RemembersNodes, &["histories::that_are_lost_end_their_tokens"]),
    (Mutation::FrontierIsOld, &["trees::grow_with_each_append"]),
    (
        Mutation::FrontierInReverse,
        &[
            "trees::grow_with_each_append",
            "trees::are_the_same_whatever_the_batches",
            "trees::of_two_logs_are_apart",
            "trees::survive_a_reopen",
            "erasures::keep_the_records_and_their_proofs",
            "prunings::keep_proofs_valid",
            STATE_MACHINE,
        ],
    ),
    (Mutation::FrontierOfAnotherLog, &["trees::of_two_logs_are_apart", STATE_MACHINE]),
    (Mutation::EntriesIgnoreAfter, &["records::obey_every_argument", STATE_MACHINE]),
    (Mutation::EntriesIgnoreBytes, &["records::obey_every_argument"]),
    (Mutation::EntriesIgnoreLimit, &["records::obey_every_argument"]),
    (
        Mutation::HashesNothing,
        &[
            "trees::give_each_record_its_leaf",
            "records::are_the_bytes_that_are_proved",
            "erased_redeliveries::return_the_first_receipts",
            STATE_MACHINE,
        ],
    ),
    (
        Mutation::HidesHighNodes,
        &[
            "trees::have_the_nodes_that_are_complete",
            "trees::prove_every_event_and_every_growth",
            "trees::survive_a_reopen",
            "prunings::keep_proofs_valid",
        ],
    ),
    (Mutation::HidesNodesBelowTheFloor, &["prunings::keep_proofs_valid"]),
    (Mutation::LeavesOfOthers, &["records::are_the_bytes_that_are_proved", STATE_MACHINE]),
    (Mutation::NodesOfAnotherLog, &["trees::of_two_logs_are_apart"]),
    (
        Mutation::NodesOffByOne,
        &[
            "trees::have_the_nodes_that_are_complete",
            "trees::are_the_same_whatever_the_batches",
            "trees::prove_every_event_and_every_growth",
            "erasures::keep_the_records_and_their_proofs",
        ],
    ),
    (
        Mutation::NodesThatAreIncomplete,
        &["trees::have_the_nodes_that_are_complete", "trees::of_two_logs_are_apart"],
    ),
];
