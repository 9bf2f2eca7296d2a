//! The audit records of Jira.
//!
//! | record | event |
//! |---|---|
//! | `id` | source id |
//! | `created` | time |
//! | `category` | category |
//! | `summary` | message title |
//! | `category` and `summary`, in lower case, with `_` for what is no letter or digit | action: `user_management.user_created` |
//! | `description` | message text |
//! | `authorAccountId`, else `authorKey` | actor id; without both the actor is unknown |
//! | `authorKey` | actor name |
//! | `remoteAddress` | actor IP |
//! | `eventSource` | scope: service |
//! | `objectItem`, then `associatedItems[]`: `typeName`, `id`, `name` | targets; without an id, the name is the id |
//! | `changedValues[]`: `fieldName`, `changedFrom`, `changedTo` | change, one side absent where it is |
//!
//! Jira has no name for an action but the summary, which is in the language of the site. The
//! action made of it is cut, at a whole letter, where it would be over the limit of an action.

use audit_core::{Action, Actor, ActorKind, FieldChange, NewEvent, Result, Target, limits};

use crate::layout::Layout;
use crate::record::{NO_VALUE, Record};

pub(crate) const LAYOUT: Layout = Layout {
    ids: &[&["id"]],
    times: &[&["created"]],
    placeholders: NO_VALUE,
    restate: |_| None,
    read,
};

fn read(record: &mut Record) -> Result<NewEvent> {
    let summary = record.take_required(&["summary"])?;
    let category = record.take_text(&["category"]);
    let object = record.take_object(&["objectItem"], target);
    let mut targets: Vec<_> = object.into_iter().collect();
    targets.extend(record.take_items(&["associatedItems"], target));
    let diff = record.take_items(&["changedValues"], field_change);
    let mut event = NewEvent::new(action(category.as_deref(), &summary), actor(record));
    event.category = category;
    event.targets = targets;
    event.scope.service = record.take_text(&["eventSource"]);
    event.change.diff = diff;
    event.message.title = Some(summary);
    event.message.text = record.take_text(&["description"]);
    Ok(event)
}

fn actor(record: &mut Record) -> Actor {
    let mut actor = Actor::unknown();
    actor.ip = record.take_text(&["remoteAddress"]);
    if let Some(author) = record.take_named(&["authorAccountId"], &["authorKey"]) {
        actor.kind = ActorKind::USER;
        (actor.id, actor.name) = (Some(author.id), author.name);
    }
    actor
}

fn target(item: &mut Record) -> Option<Target> {
    let kind = item.take_text(&["typeName"]);
    let named = item.take_named(&["id"], &["name"]);
    let (id, name) = named.map_or((None, None), |named| (Some(named.id), named.name));
    Target::from_parts(kind, id, name)
}

fn field_change(item: &mut Record) -> Option<FieldChange> {
    let field = item.take_text(&["fieldName"])?;
    Some(FieldChange::new(field, item.take(&["changedFrom"]), item.take(&["changedTo"])))
}

fn action(category: Option<&str>, summary: &str) -> Action {
    let mut text = category.map(|category| term(category) + ".").unwrap_or_default();
    text += &term(summary);
    while text.len() > limits::MAX_NAME_BYTES {
        text.pop();
    }
    text.into()
}

/// Returns a text as a term of a vocabulary.
fn term(text: &str) -> String {
    let mut term = String::new();
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            term.extend(letter.to_lowercase());
        } else if !term.ends_with('_') {
            term.push('_');
        }
    }
    term
}
