//! The audit log of a GitHub organization or enterprise.
//!
//! | record | event |
//! |---|---|
//! | `_document_id` | source id; a record without one has the digest of its content |
//! | `@timestamp`, else `at_sign_timestamp`, `created_at`, `p_event_time` | time |
//! | `action` | action |
//! | `operation_type` | category |
//! | `actor` | actor name |
//! | `actor_id`, else `actor` | actor id |
//! | `external_identity_nameid` | actor e-mail, if it is one |
//! | `actor_ip`, `user_agent` | actor IP, user agent |
//! | `actor_location.country_code` | location |
//! | `org_id`, `org`; without them `business_id`, `business` | organization |
//! | `repo_id` and `repo` or `repository`; `user_id`, `user`; `team_id` and `team` or `data.team`; `hook_id` or `data.hook_id`; `ruleset_id`, `ruleset_name`; `integration`; `workflow_id`; `workflow_run_id`; `branch`; `ghsa_id` | targets; without an id, the name is the id |
//! | `previous_x`, `old_x`, `x_old_y` | change: the value of `x`, `x_y` before; that after is copied |
//! | `request_method`, `url_path` | request |
//! | `message`, `explanation` or `reason` | message text, reason |
//!
//! `@timestamp` is when it happened; `created_at` is in some records when the thing acted upon
//! was made. `at_sign_timestamp` and `p_event_time` are what Panther makes of it.
//!
//! The actor's kind is `service` for a bot or an agent, `user` for anyone else who is named, `api`
//! for nobody with a credential (`programmatic_access_type`), else `unknown`.

use audit_core::{Actor, ActorKind, Change, NewEvent, OrganizationRef, Result, Target};

use crate::github_events;
use crate::layout::Layout;
use crate::record::{NO_VALUE, Path, Record};

pub(crate) const LAYOUT: Layout = Layout {
    ids: &[&["_document_id"]],
    times: &[&["@timestamp"], &["at_sign_timestamp"], &["created_at"], &["p_event_time"]],
    placeholders: NO_VALUE,
    restate: |_| None,
    read,
};

/// The things that a record can name: type, id, name. An empty path holds nothing.
const MAX_TARGETS: &[(&str, Path<'_>, Path<'_>)] = &[
    ("repository", &["repo_id"], &["repo"]),
    ("repository", &["repository_id"], &["repository"]),
    ("user", &["user_id"], &["user"]),
    ("team", &["team_id"], &["team"]),
    ("team", &[], &["data", "team"]),
    ("hook", &["hook_id"], &[]),
    ("hook", &["data", "hook_id"], &[]),
    ("ruleset", &["ruleset_id"], &["ruleset_name"]),
    ("integration", &["integration_id"], &["integration"]),
    ("workflow", &["workflow_id"], &[]),
    ("workflow_run", &["workflow_run_id"], &[]),
    ("branch", &[], &["branch"]),
    ("advisory", &["ghsa_id"], &[]),
];

fn read(record: &mut Record) -> Result<NewEvent> {
    let action = record.take_required(&["action"])?;
    let mut event = NewEvent::new(action, actor(record));
    event.category = record.take_text(&["operation_type"]);
    // Before the targets, which move the values that the change only copies.
    event.change = change(record);
    event.targets = targets(record);
    event.organization = organization(record);
    event.message.text = record.take_text(&["message"]);
    event.location = record.take_text(&["actor_location", "country_code"]);
    event.reason = record.take_text(&["explanation"]).or_else(|| record.take_text(&["reason"]));
    event.request.method = record.take_text(&["request_method"]);
    event.request.path = record.take_text(&["url_path"]);
    Ok(event)
}

fn actor(record: &mut Record) -> Actor {
    let named = record.take_named(&["actor_id"], &["actor"]);
    let is_set = |key| record.value(&[key]).is_some_and(|value| *value == true);
    let kind = match &named {
        Some(_) if is_set("actor_is_bot") || is_set("actor_is_agent") => ActorKind::SERVICE,
        Some(named) => github_events::kind(named.name.as_deref()),
        None if record.value(&["programmatic_access_type"]).is_some() => ActorKind::API,
        None => ActorKind::UNKNOWN,
    };
    let mut actor = Actor::new(kind);
    if let Some(named) = named {
        (actor.id, actor.name) = (Some(named.id), named.name);
    }
    actor.email = record.take_text_if(&["external_identity_nameid"], |text| text.contains('@'));
    actor.ip = record.take_text(&["actor_ip"]);
    actor.user_agent = record.take_text(&["user_agent"]);
    actor
}

fn organization(record: &mut Record) -> Option<OrganizationRef> {
    let named = record
        .take_named(&["org_id"], &["org"])
        .or_else(|| record.take_named(&["business_id"], &["business"]));
    named.map(OrganizationRef::from)
}

fn targets(record: &mut Record) -> Vec<Target> {
    let mut targets = Vec::new();
    for (kind, id, name) in MAX_TARGETS {
        targets.extend(record.take_named(id, name).map(|named| named.target(*kind)));
    }
    targets
}

fn change(record: &mut Record) -> Change {
    let keys: Vec<_> = record.fields().keys().cloned().collect();
    let olds = keys.into_iter().filter_map(|key| Some((changed_field(&key)?, key)));
    olds.fold(Change::default(), |change, (field, key)| {
        let new = record.fields().get(&field).cloned();
        change.field(field, record.take(&[&key]), new)
    })
}

/// Returns the field whose previous value `key` holds.
fn changed_field(key: &str) -> Option<String> {
    if let Some(field) = key.strip_prefix("previous_").or_else(|| key.strip_prefix("old_")) {
        return Some(field.to_owned());
    }
    key.split_once("_old_").map(|(thing, field)| format!("{thing}_{field}"))
}
