//! Mutations of API keys, and the cases that must notice them.

use crate::support::mutations::Mutation;

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
    (Mutation::ForgetsHoldersForNow, &["api_keys::forget_their_holder_once_revoked"]),
    (Mutation::ForgetsHoldersOfValidKeys, &["api_keys::forget_their_holder_once_revoked"]),
    (Mutation::CachesKeys, &["api_keys::are_good_until_revoked"]),
    (
        Mutation::CreatesKeysByAnOldRead,
        &["tenant_concurrency::deletions_of_an_organization_end_the_creation_of_keys"],
    ),
    (
        Mutation::ForgetsKeys,
        &["api_keys::survive_a_reopen", "api_keys::are_listed_by_ascending_id"],
    ),
    (
        Mutation::HidesRevokedKeys,
        &["api_keys::are_listed_by_ascending_id", "api_keys::are_good_until_revoked"],
    ),
    (Mutation::KeysEndWithTheirOrganization, &["api_keys::outlive_their_organization"]),
    (Mutation::KeysOfAllOrganizations, &["api_keys::are_listed_by_ascending_id"]),
    (
        Mutation::KeysStayGood,
        &[
            "api_keys::are_good_until_revoked",
            "api_keys::revoked_twice_append_one_event",
            "api_keys::survive_a_reopen",
        ],
    ),
    (Mutation::KeyWithoutOrganization, &["api_keys::need_an_organization"]),
    (Mutation::MovesRevocations, &["api_keys::revoked_twice_append_one_event"]),
    (
        Mutation::RecordsEachRevocation,
        &[
            "api_keys::revoked_twice_append_one_event",
            "tenant_concurrency::revocations_of_one_key_append_one_event",
        ],
    ),
    (Mutation::RevocationNeedsAnOrganization, &["api_keys::outlive_their_organization"]),
    (Mutation::RevokesAllKeys, &["api_keys::are_good_until_revoked", "api_keys::survive_a_reopen"]),
    (
        Mutation::RevokesByAnOldRead,
        &["tenant_concurrency::revocations_of_one_key_append_one_event"],
    ),
    (
        Mutation::RevokesNothing,
        &[
            "api_keys::record_their_revocation",
            "api_keys::are_good_until_revoked",
            "tenant_concurrency::revocations_of_one_key_append_one_event",
        ],
    ),
    (
        Mutation::RevealsTheDigest,
        &["api_keys::record_their_creation", "api_keys::record_their_revocation"],
    ),
    (
        Mutation::RevealsTheSecret,
        &["api_keys::record_their_creation", "api_keys::record_their_revocation"],
    ),
];
