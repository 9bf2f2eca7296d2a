//! The public events of GitHub.
//!
//! | record | event |
//! |---|---|
//! | `id` | source id |
//! | `created_at` | time |
//! | `type` | category |
//! | `type` and `payload.action` | action: `PullRequestEvent.opened`, `PushEvent` |
//! | `actor.login` | actor name; the kind is `service` if it ends in `[bot]`, else `user` |
//! | `actor.id` | actor id |
//! | `org.id`, `org.login` | organization |
//! | `repo.id`, `repo.name` | target `repository` |
//! | `payload.ref`, of the type `payload.ref_type` | target id and type, `ref` without a type |
//! | `payload.pull_request`, `issue`, `release`, `forkee`, `member`, `comment`, `review` | a target of that type: `id`, and `title`, `name`, `full_name` or `login` |
//!
//! The rest of the payload stays.

use audit_core::{Actor, ActorKind, NewEvent, OrganizationRef, Result, Target};

use crate::layout::Layout;
use crate::record::{NO_VALUE, Named, Record};

pub(crate) const LAYOUT: Layout = Layout {
    ids: &[&["id"]],
    times: &[&["created_at"]],
    placeholders: NO_VALUE,
    restate: |_| None,
    read,
};

/// What a payload can be about, and the field that names it.
const SUBJECTS: &[(&str, &str)] = &[
    ("pull_request", "title"),
    ("issue", "title"),
    ("release", "name"),
    ("forkee", "full_name"),
    ("member", "login"),
    ("comment", "name"),
    ("review", "name"),
];

fn read(record: &mut Record) -> Result<NewEvent> {
    let kind = record.take_required(&["type"])?;
    let action = match record.text(&["payload", "action"]) {
        Some(action) => format!("{kind}.{action}"),
        None => kind.clone(),
    };
    let mut event = NewEvent::new(action, actor(record)).category(kind);
    event.organization =
        record.take_named(&["org", "id"], &["org", "login"]).map(OrganizationRef::from);
    event.targets = targets(record);
    Ok(event)
}

fn actor(record: &mut Record) -> Actor {
    let Some(Named { id, name }) = record.take_named(&["actor", "id"], &["actor", "login"]) else {
        return Actor::unknown();
    };
    let kind = kind(name.as_deref());
    let mut actor = Actor::new(kind).id(id);
    actor.name = name;
    actor
}

/// Returns the kind of actor of a login.
pub(crate) fn kind(login: Option<&str>) -> ActorKind {
    match login {
        Some(login) if login.ends_with("[bot]") => ActorKind::SERVICE,
        _ => ActorKind::USER,
    }
}

fn targets(record: &mut Record) -> Vec<Target> {
    let repository = record.take_named(&["repo", "id"], &["repo", "name"]);
    let mut targets: Vec<_> =
        repository.map(|named| named.target("repository")).into_iter().collect();
    if let Some(id) = record.take_text(&["payload", "ref"]) {
        let kind = record.take_text(&["payload", "ref_type"]);
        targets.push(Target::new(kind.unwrap_or_else(|| "ref".to_owned()), id));
    }
    for (kind, name) in SUBJECTS {
        let named = record.take_named(&["payload", kind, "id"], &["payload", kind, name]);
        targets.extend(named.map(|named| named.target(*kind)));
    }
    targets
}
