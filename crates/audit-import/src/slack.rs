//! The audit logs of Slack.
//!
//! | record | event |
//! |---|---|
//! | `id` | source id |
//! | `date_create` | time |
//! | `action` | action |
//! | `action_description` | message title |
//! | `actor.type` | actor kind: `user`, else `service` for an app or bot; it stays |
//! | `actor.*.id`, `name`, `email`, `team`, below the key that is the type | actor id, name, e-mail, organization |
//! | `entity.type`, and below the key that is the type `id`, `name` | target |
//! | `context.ip_address`, `context.ua` | actor IP, user agent |
//! | `context.location.id`, `name` | organization |
//! | `details.previous_value`, `details.new_value` | change: the value before, after |
//! | `details.reason` | reason |

use audit_core::{Actor, ActorKind, NewEvent, OrganizationRef, Result, Target};

use crate::layout::Layout;
use crate::record::{NO_VALUE, Record};

pub(crate) const LAYOUT: Layout = Layout {
    ids: &[&["id"]],
    times: &[&["date_create"]],
    placeholders: NO_VALUE,
    restate: |_| None,
    read,
};

fn read(record: &mut Record) -> Result<NewEvent> {
    let action = record.take_required(&["action"])?;
    let mut event = NewEvent::new(action, actor(record));
    event.targets.extend(target(record));
    event.organization = record
        .take_named(&["context", "location", "id"], &["context", "location", "name"])
        .map(OrganizationRef::from);
    event.change.old = record.take(&["details", "previous_value"]);
    event.change.new = record.take(&["details", "new_value"]);
    event.message.title = record.take_text(&["action_description"]);
    event.reason = record.take_text(&["details", "reason"]);
    Ok(event)
}

fn actor(record: &mut Record) -> Actor {
    let kind = record.text(&["actor", "type"]).unwrap_or_default();
    let mut take = |key| record.take_text(&["actor", &kind, key]);
    let (id, name, email, team) = (take("id"), take("name"), take("email"), take("team"));
    let kind = match kind.as_str() {
        "user" => ActorKind::USER,
        "app" | "bot" | "workflow" => ActorKind::SERVICE,
        _ => ActorKind::UNKNOWN,
    };
    let mut actor = Actor::new(kind);
    (actor.id, actor.name, actor.email) = (id, name, email);
    actor.ip = record.take_text(&["context", "ip_address"]);
    actor.user_agent = record.take_text(&["context", "ua"]);
    actor.organization = team.map(OrganizationRef::new);
    actor
}

fn target(record: &mut Record) -> Option<Target> {
    let kind = record.take_text(&["entity", "type"])?;
    let mut target = Target::of_kind(&kind);
    target.id = record.take_text(&["entity", &kind, "id"]);
    target.name = record.take_text(&["entity", &kind, "name"]);
    Some(target)
}
