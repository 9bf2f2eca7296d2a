//! Mutations of organizations, and the cases that must notice them.

use crate::support::mutations::Mutation;

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
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
];
