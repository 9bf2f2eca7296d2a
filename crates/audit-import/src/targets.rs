//! The targets of an event.

use audit_core::Target;
use audit_core::limits::{MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TARGETS, MAX_TEXT_BYTES};
use serde_json::Value;

use crate::expr::{Expr, text_at};
use crate::layout::{IdRow, Ids, Targets};
use crate::pick::Pick;
use crate::place::View;
use crate::record::Record;

/// The parts of a target, before anything is moved.
pub(crate) struct TargetPick<'m> {
    kind: Option<Pick<'m>>,
    id: Option<Pick<'m>>,
    name: Option<Pick<'m>>,
}

impl<'m> TargetPick<'m> {
    /// Picks the parts of a target; `None` if the record has none of them.
    fn of(targets: &'m Targets, view: View<'_>, too_large: &mut Vec<String>) -> Option<Self> {
        if !targets.when.as_ref().is_none_or(|when| when.holds(view)) {
            return None;
        }
        let mut part = |expr: &'m Option<Expr>, limit, field: &str| {
            let name = || format!("targets.{field}");
            Pick::of(expr.as_ref()?, limit, view, &name, too_large)
        };
        let varies = |expr: &Option<Expr>| expr.as_ref().is_some_and(|expr| !expr.is_constant());
        let id = part(&targets.id, MAX_ID_BYTES, "id");
        let name = part(&targets.name, MAX_TEXT_BYTES, "name");
        let mut has_value =
            id.is_some() && varies(&targets.id) || name.is_some() && varies(&targets.name);
        // Most targets of a mapping are absent in most records, and their types are constants.
        if !has_value && !varies(&targets.kind) {
            return None;
        }
        let kind = part(&targets.kind, MAX_NAME_BYTES, "type");
        has_value |= kind.is_some() && varies(&targets.kind);
        has_value.then_some(Self { kind, id, name })
    }

    pub(crate) fn take(self, mut text: impl FnMut(Pick<'_>) -> Option<String>) -> Option<Target> {
        let Self { kind, id, name } = self;
        Target::from_parts(
            kind.and_then(&mut text),
            id.and_then(&mut text),
            name.and_then(&mut text),
        )
    }
}

/// Picks the targets that the record itself has, not those in a list.
pub(crate) fn pick<'m>(
    targets: &'m Targets,
    record: &Record<'_>,
    too_large: &mut Vec<String>,
    picked: &mut dyn FnMut(TargetPick<'m>),
) {
    let view = record.view();
    if let Some(ids) = &targets.ids {
        if targets.when.as_ref().is_none_or(|when| when.holds(view)) {
            pick_ids(ids, view, too_large, picked);
        }
    } else if targets.each.is_empty()
        && let Some(pick) = TargetPick::of(targets, view, too_large)
    {
        picked(pick);
    }
}

/// Picks a target for each key that holds an id.
fn pick_ids<'m>(
    ids: &'m Ids,
    view: View<'_>,
    too_large: &mut Vec<String>,
    picked: &mut dyn FnMut(TargetPick<'m>),
) {
    let Some(Value::Object(fields)) = ids.parent.find(view) else { return };
    // The keys that are there are fewer than those that can be.
    let ignore_case = view.spelling.ignore_case;
    let is_key =
        |row: &IdRow, key: &str| row.key == key || ignore_case && row.key.eq_ignore_ascii_case(key);
    let mut found: Vec<_> =
        fields.keys().filter_map(|key| ids.rows.iter().position(|row| is_key(row, key))).collect();
    found.sort_unstable();
    found.dedup();
    for IdRow { place, kind, .. } in found.into_iter().map(|row| &ids.rows[row]) {
        let Some(found) = text_at(place, view) else { continue };
        if found.as_str().len() > MAX_ID_BYTES {
            too_large.push("targets.id".to_owned());
            continue;
        }
        let kind = Some(Pick::Text(kind.clone()));
        picked(TargetPick { kind, id: Some(found.into()), name: None });
    }
}

/// Takes a target of each item of the list of `targets`, if they have one.
pub(crate) fn take_items(
    targets: &Targets,
    record: &mut Record<'_>,
    taken: &mut Vec<Target>,
    too_large: &mut Vec<String>,
) {
    let (part, spelling) = (record.part, record.spelling);
    record.items(&targets.each, |item, around| {
        if taken.len() >= MAX_TARGETS {
            too_large.push("targets".to_owned());
            return;
        }
        let view = View::of_item(item, around, part, spelling);
        if let Some(pick) = TargetPick::of(targets, view, too_large) {
            taken.extend(pick.take(|pick| pick.take(item, spelling)));
        }
    });
}
