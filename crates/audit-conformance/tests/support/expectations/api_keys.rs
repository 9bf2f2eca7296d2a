//! Faults of what is done to API keys, and the cases that must notice them.

use crate::support::faulty::Fault;

pub(super) const FAULTS: &[(Fault, &[&str])] = &[
    (Fault::CachesKeys, &["api_keys::are_good_until_revoked"]),
    (
        Fault::CreatesKeysByAnOldLook,
        &["concurrency::deletions_of_an_organization_end_the_creation_of_keys"],
    ),
    (Fault::ForgetsKeys, &["api_keys::survive_a_reopen", "api_keys::are_listed_by_ascending_id"]),
    (
        Fault::HidesRevokedKeys,
        &["api_keys::are_listed_by_ascending_id", "api_keys::are_good_until_revoked"],
    ),
    (Fault::KeysEndWithTheirOrganization, &["api_keys::outlive_their_organization"]),
    (Fault::KeysOfAllOrganizations, &["api_keys::are_listed_by_ascending_id"]),
    (
        Fault::KeysStayGood,
        &[
            "api_keys::are_good_until_revoked",
            "api_keys::revoked_twice_leave_one_event",
            "api_keys::survive_a_reopen",
        ],
    ),
    (Fault::KeyWithoutOrganization, &["api_keys::need_an_organization"]),
    (Fault::MovesRevocations, &["api_keys::revoked_twice_leave_one_event"]),
    (
        Fault::RecordsEachRevocation,
        &[
            "api_keys::revoked_twice_leave_one_event",
            "concurrency::revocations_of_one_key_leave_one_event",
        ],
    ),
    (Fault::RevocationNeedsAnOrganization, &["api_keys::outlive_their_organization"]),
    (Fault::RevokesAllKeys, &["api_keys::are_good_until_revoked", "api_keys::survive_a_reopen"]),
    (Fault::RevokesByAnOldLook, &["concurrency::revocations_of_one_key_leave_one_event"]),
    (
        Fault::RevokesNothing,
        &[
            "api_keys::record_their_revocation",
            "api_keys::are_good_until_revoked",
            "concurrency::revocations_of_one_key_leave_one_event",
        ],
    ),
    (
        Fault::TellsTheDigest,
        &["api_keys::record_their_creation", "api_keys::record_their_revocation"],
    ),
    (
        Fault::TellsTheSecret,
        &["api_keys::record_their_creation", "api_keys::record_their_revocation"],
    ),
];
