//! The event of one record: what is moved, what is copied, and what stays.

use audit_core::limits::{MAX_ID_BYTES, MAX_TARGETS};
use audit_core::{Actor, ChangeSetId, Error, NewEvent, Result, Violation};
use serde_json::Value;

use crate::expr::Expr;
use crate::layout::{ActorField, Layout, Party, Slot};
use crate::parts::Parts;
use crate::pick::{Pick, first_present};
use crate::place::{View, field};
use crate::record::Record;
use crate::{changes, targets};

/// Returns the event of a record, without its id, time, source and metadata, and leaves in the record what
/// these are made of.
///
/// Everything is read before anything is moved, so that the order of a mapping's lines plays no part.
/// A value that is too large for its field stays, and the field is added to `too_large`.
pub(crate) fn assemble<'m>(
    record: &mut Record<'m>,
    layout: &'m Layout,
    too_large: &mut Vec<String>,
) -> Result<NewEvent> {
    let texts = pick_texts(layout, record.view(), too_large)?;
    let mut picked = Vec::new();
    for (block, layout) in layout.targets.iter().enumerate() {
        targets::pick(layout, record, too_large, &mut |pick| picked.push((block, pick)));
    }
    let mut picked = picked.into_iter().peekable();
    let is_changed = layout.changed.as_ref().is_none_or(|when| when.holds(record.view()));
    let side = |places| if is_changed { first_present(places, record.view()) } else { None };
    let (old, new) = (side(&layout.old), side(&layout.new));
    let attributes: Vec<_> = layout
        .attributes
        .iter()
        .filter_map(|(key, expr)| {
            let field = || format!("attributes.{key}");
            let pick = Pick::of(expr, MAX_ID_BYTES, record.view(), &field, too_large)?;
            Some((key, pick))
        })
        .collect();

    let mut event = NewEvent::new("", Actor::unknown());
    event.change.diff = changes::take(&layout.diff, record, too_large);
    for (block, layout) in layout.targets.iter().enumerate() {
        targets::take_items(layout, record, &mut event.targets, too_large);
        while let Some((_, pick)) = picked.next_if(|(of, _)| *of == block) {
            if event.targets.len() < MAX_TARGETS {
                event.targets.extend(pick.take(|pick| pick.take_from(record)));
            } else {
                too_large.push("targets".to_owned());
            }
        }
    }
    event.change.old = old.and_then(|place| record.take(&place));
    event.change.new = new.and_then(|place| record.take(&place));
    let mut parts = Parts::default();
    for (slot, pick) in texts {
        if let Some(text) = pick.take_from(record) {
            parts.set(&mut event, slot, text);
        }
    }
    for (key, pick) in attributes {
        if let Some(text) = pick.take_from(record) {
            event.attributes.insert(key, text);
        }
    }
    parts.finish(&mut event);
    Ok(event)
}

/// Picks the texts of the fields. The action is required.
fn pick_texts<'m>(
    layout: &'m Layout,
    view: View<'_>,
    too_large: &mut Vec<String>,
) -> Result<Vec<(Slot, Pick<'m>)>> {
    let mut picks = Vec::with_capacity(layout.texts.len());
    for (slot, expr) in &layout.texts {
        let found = expr.find(view).filter(|found| !found.as_str().is_empty());
        let Some(found) = found else {
            if *slot == Slot::Action {
                return Err(missing(expr, view));
            }
            continue;
        };
        if found.as_str().len() > slot.limit() {
            too_large.push(slot.name());
            // An event cannot be without an action, so a long one is cut; all of it stays.
            if *slot == Slot::Action {
                picks.push((*slot, Pick::Text(cut(found.as_str(), slot.limit()).to_owned())));
            }
            continue;
        }
        let pick = match slot {
            Slot::ChangeSet => Pick::exact::<ChangeSetId>(found),
            Slot::TraceId => Pick::exact::<audit_core::TraceId>(found),
            Slot::SpanId => Pick::exact::<audit_core::SpanId>(found),
            _ => Some(Pick::from(found)),
        };
        picks.extend(pick.map(|pick| (*slot, pick)));
    }
    // These are parts of a whole that must be there.
    for (part, whole) in [
        (Slot::OrganizationName, Slot::OrganizationId),
        (Slot::SpanId, Slot::TraceId),
        (
            Slot::Actor(Party::Actor, ActorField::OrganizationName),
            Slot::Actor(Party::Actor, ActorField::OrganizationId),
        ),
        (
            Slot::Actor(Party::Principal, ActorField::OrganizationName),
            Slot::Actor(Party::Principal, ActorField::OrganizationId),
        ),
    ] {
        if !picks.iter().any(|(slot, _)| *slot == whole) {
            picks.retain(|(slot, _)| *slot != part);
        }
    }
    // A kind alone names nobody.
    let kind = Slot::Actor(Party::Principal, ActorField::Kind);
    let is_principal = |slot: &Slot| matches!(slot, Slot::Actor(Party::Principal, _));
    if !picks.iter().any(|(slot, _)| is_principal(slot) && *slot != kind) {
        picks.retain(|(slot, _)| *slot != kind);
    }
    Ok(picks)
}

fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Returns the error for an action that a record does not have.
fn missing(expr: &Expr, view: View<'_>) -> Error {
    let mut places = Vec::new();
    expr.places(&mut |place| places.push(place));
    let Some(place) = places.last() else { return Error::invalid("action", Violation::Missing) };
    let field = field(&place.pointer);
    match place.find(view) {
        None | Some(Value::Null) => Error::invalid(field, Violation::Missing),
        Some(Value::String(_)) => Error::invalid(field, Violation::Empty),
        Some(_) => Error::malformed(field, "a text"),
    }
}
