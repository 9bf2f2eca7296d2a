//! Every valid record of every contract goes to the model and comes back equal.

use crate::common::{
    action, id_text, nullable, object, place, term, text, through_the_model, time, uuid, value,
};
use audit_contracts::{
    audit_log_items, audit_trails, organisation_audit_logs, organizations_and_activities,
    super_admin_audit_logs,
};
use audit_core::Log;
use proptest::prelude::*;

fn activity() -> impl Strategy<Value = organizations_and_activities::Activity> {
    let actor_type = prop_oneof![
        prop::sample::select(vec!["user", "support", "system", "api"]).prop_map(str::to_owned),
        term().prop_filter("a kind", |kind| !kind.is_empty()),
    ];
    (
        (id_text(), time(1), action(), actor_type),
        (nullable(text()), nullable(text()), nullable(text())),
        (nullable(id_text()), nullable(text())),
    )
        .prop_map(
            |((id, created_at, r#type, actor_type), actor, (organization_id, service_id))| {
                let (actor_id, actor_details, actor_ip_address) = actor;
                let has_address = ["user", "api"].contains(&actor_type.as_str());
                organizations_and_activities::Activity {
                    id,
                    created_at,
                    r#type,
                    actor_type,
                    actor_id,
                    actor_details,
                    actor_ip_address: actor_ip_address.filter(|_| has_address),
                    organization_id,
                    service_id,
                }
            },
        )
}

fn item() -> impl Strategy<Value = audit_log_items::AuditLogItem> {
    let kind = prop_oneof![
        prop::sample::select(audit_log_items::AuditLogType::KNOWN),
        action().prop_map(audit_log_items::AuditLogType::from),
    ];
    let nullable = || nullable(text());
    (
        (any::<i64>(), time(1_000), kind, crate::common::nullable(uuid()), any::<bool>()),
        (nullable(), nullable(), nullable(), nullable(), nullable(), nullable(), nullable()),
    )
        .prop_map(
            |((audit_log_id, audit_log_date_time, kind, change_set, truncated), texts)| {
                let (audit_log_type, user_email, user_name, r#where, why, action_target, details) =
                    texts;
                audit_log_items::AuditLogItem {
                    audit_log_id,
                    audit_log_date_time,
                    audit_log_type_enum: kind,
                    change_set_id: change_set.map(Into::into),
                    truncated,
                    audit_log_type,
                    user_email,
                    user_name,
                    r#where,
                    why,
                    action_target,
                    details,
                }
            },
        )
}

fn trail() -> impl Strategy<Value = audit_trails::AuditTrail> {
    let difference = (text(), value(), value()).prop_map(|(prop, old, new)| {
        audit_trails::Difference { prop, old_val: Some(old), new_val: Some(new) }
    });
    let author =
        (uuid(), text(), uuid(), text(), text()).prop_map(|(id, name, org, org_name, ip)| {
            audit_trails::Author {
                author_id: id,
                author_name: name,
                author_org_id: org,
                author_org_name: org_name,
                ip_address: ip,
            }
        });
    let message = (text(), nullable(text()), nullable(text())).prop_map(|(text, key, params)| {
        audit_trails::LogMessage {
            log_message: text,
            log_message_key: key,
            log_message_params: params,
        }
    });
    // The model's bound holds for both together, and escaping lengthens the second.
    let verb = (term(), term()).prop_filter("an action", |(entity, action)| {
        entity.len() + 3 * action.len() < 256 && entity.split('.').count() < 16
    });
    (
        (id_text(), id_text(), term(), verb, time(1)),
        (term(), uuid(), nullable(term()), nullable(uuid())),
        (nullable(object()), nullable(object()), prop::collection::vec(difference, 0..4)),
        (author, message),
    )
        .prop_map(|(head, entities, (old_value, new_value, diff), (author, message))| {
            let (id, organization_id, audit_event, (audit_entity, audit_action), timestamp) = head;
            let (core_entity, core_entity_id, contracted_entity, contracted_entity_id) = entities;
            audit_trails::AuditTrail {
                id,
                organization_id,
                audit_event,
                audit_entity,
                audit_action,
                core_entity,
                core_entity_id,
                contracted_entity,
                contracted_entity_id,
                timestamp,
                old_value,
                new_value,
                diff,
                author,
                message,
            }
        })
}

fn log_entry() -> impl Strategy<Value = organisation_audit_logs::AuditLog> {
    (id_text(), action(), text(), nullable(id_text()), text(), time(1_000_000)).prop_map(
        |(id, action, email, resource_uid, details, created_at)| {
            organisation_audit_logs::AuditLog {
                id,
                action,
                email,
                resource_uid,
                details,
                created_at,
            }
        },
    )
}

fn super_admin_entry() -> impl Strategy<Value = super_admin_audit_logs::AuditLog> {
    let super_admin = (term(), text(), text()).prop_map(|(class, entity_id, identifier)| {
        super_admin_audit_logs::SuperAdmin { entity_class: class.into(), entity_id, identifier }
    });
    ((uuid(), nullable(super_admin), term(), text()), (id_text(), text(), object(), time(1)))
        .prop_map(|((audit_id, super_admin, request_method, request_path), rest)| {
            let (organization_id, organization_name, metadata, created_at) = rest;
            super_admin_audit_logs::AuditLog {
                audit_id: audit_id.into(),
                super_admin,
                request_method,
                request_path,
                organization_id,
                organization_name,
                metadata,
                created_at,
            }
        })
}

/// Both the records and their JSON are compared: a record might print less than it holds.
macro_rules! comes_back {
    ($record:expr, $back:expr) => {{
        let (record, back) = (&$record, &$back);
        let json = |record| serde_json::to_value(record).unwrap();
        prop_assert_eq!(json(back), json(record));
        prop_assert_eq!(back, record);
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_activities(record in activity(), place in place()) {
        let back = through_the_model(&record, place);
        let named = match (&record.organization_id, place.0) {
            (None, Log::Organization(own)) => Some(own.to_string()),
            (id, _) => id.clone(),
        };
        let expected = organizations_and_activities::Activity { organization_id: named, ..record };
        comes_back!(expected, back);
    }

    #[test]
    fn b_audit_log_items(record in item(), place in place()) {
        comes_back!(record, through_the_model(&record, place));
    }

    #[test]
    fn c_audit_trails(record in trail(), place in place()) {
        comes_back!(record, through_the_model(&record, place));
    }

    #[test]
    fn d_organisation_audit_logs(record in log_entry(), place in place()) {
        comes_back!(record, through_the_model(&record, place));
    }

    #[test]
    fn e_super_admin_audit_logs(record in super_admin_entry(), place in place()) {
        comes_back!(record, through_the_model(&record, place));
    }

    #[test]
    fn a_organizations(
        id in uuid(), created_at in time(1), name in text(),
        endpoints in prop::collection::vec(
            (text(), nullable(text()), nullable(text()), nullable(text())), 0..3),
    ) {
        let private_endpoints = endpoints.into_iter().map(|(id, description, cloud, region)| {
            organizations_and_activities::PrivateEndpoint {
                id, description, cloud_provider: cloud, region,
            }
        });
        let record = organizations_and_activities::Organization {
            id: id.into(), created_at, name, private_endpoints: private_endpoints.collect(),
        };
        let model = audit_core::Organization::from(record.clone());
        comes_back!(record, organizations_and_activities::Organization::from(model));
    }

    #[test]
    fn d_organizations(
        id in id_text(), name in text(), created_by in text(),
        created_at in time(1_000_000), updated_at in time(1_000_000),
    ) {
        let record = organisation_audit_logs::Organization {
            id, name, created_by, created_at, updated_at,
        };
        let model = audit_core::Organization::from(record.clone());
        prop_assert_eq!(
            organisation_audit_logs::Organization::organization_id(&record.id), model.id
        );
        comes_back!(record, organisation_audit_logs::Organization::from(model));
    }

    #[test]
    fn d_ids_of_ours_name_the_same_uuid(id in uuid()) {
        let (log, organization) = (format!("log_{}", id.simple()), format!("org_{}", id.simple()));
        prop_assert_eq!(organisation_audit_logs::AuditLog::event_id(&log), id.into());
        prop_assert_eq!(
            organisation_audit_logs::Organization::organization_id(&organization), id.into()
        );
    }
}
