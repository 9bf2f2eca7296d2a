//! Mutations of handles and tokens, and the cases that must notice them.

use audit_core::{Facet, Timestamp};

use super::STATE_MACHINE;
use crate::support::mutations::Mutation;

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
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
            "redeliveries::are_recorded_once",
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
    (Mutation::Alters(|e| e.metadata.clear()), &["limits::keep_the_last_value"]),
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
