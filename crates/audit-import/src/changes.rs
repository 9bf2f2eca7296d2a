//! The changed fields of an event.

use audit_core::FieldChange;
use audit_core::limits::{MAX_FIELD_CHANGES, MAX_TEXT_BYTES};
use serde_json::Value;

use crate::glob::{Glob, expand};
use crate::layout::{Diff, Sides};
use crate::pick::{Pick, first_present};
use crate::place::{Place, Resolved, View};
use crate::record::Record;

/// Takes the changed fields out of a record.
pub(crate) fn take(
    blocks: &[Diff],
    record: &mut Record<'_>,
    too_large: &mut Vec<String>,
) -> Vec<FieldChange> {
    let mut diff = Vec::new();
    for block in blocks {
        match block {
            Diff::One(sides) => diff.extend(take_one(sides, record)),
            Diff::Each(lists, sides) => take_items(lists, sides, record, &mut diff, too_large),
            Diff::Keys(forms) => take_keys(forms, record, &mut diff),
        }
    }
    diff
}

fn take_one(sides: &Sides, record: &mut Record<'_>) -> Option<FieldChange> {
    let view = record.view();
    if !sides.holds(view) {
        return None;
    }
    let (old, new) = (first_present(&sides.old, view), first_present(&sides.new, view));
    let pick = Pick::from(sides.field.find(view)?);
    if old.is_none() && new.is_none() {
        return None;
    }
    let field = pick.take_from(record)?;
    let old = old.and_then(|place| record.take(&place));
    Some(FieldChange::new(field, old, new.and_then(|place| record.take(&place))))
}

fn take_items(
    lists: &[Place],
    sides: &Sides,
    record: &mut Record<'_>,
    diff: &mut Vec<FieldChange>,
    too_large: &mut Vec<String>,
) {
    let (part, spelling) = (record.part, record.spelling);
    record.items(lists, |item, around| {
        let view = View::of_item(item, around, part, spelling);
        if !sides.holds(view) {
            return;
        }
        if diff.len() >= MAX_FIELD_CHANGES {
            too_large.push("change.diff".to_owned());
            return;
        }
        let (old, new) = (first_present(&sides.old, view), first_present(&sides.new, view));
        let name = || "change.diff.field".to_owned();
        let pick = Pick::of(&sides.field, MAX_TEXT_BYTES, view, &name, too_large);
        let Some(field) = pick.and_then(|pick| pick.take(item, spelling)) else { return };
        let mut take = |place: Resolved<'_>| {
            let taken = place.take(item, spelling);
            taken.or_else(|| place.find(View::of_item(item, around, part, spelling)).cloned())
        };
        let old = old.and_then(&mut take);
        diff.push(FieldChange::new(field, old, new.and_then(&mut take)));
    });
}

/// Takes the fields whose old value is under a key of another form.
fn take_keys(forms: &[(Glob, String)], record: &mut Record<'_>, diff: &mut Vec<FieldChange>) {
    let Value::Object(fields) = &mut record.fields else { return };
    let field_of = |key: &str| {
        forms.iter().find_map(|(glob, output)| Some(expand(output, key, &glob.captures(key)?)))
    };
    let keys: Vec<_> =
        fields.keys().filter_map(|key| Some((field_of(key)?, key.clone()))).collect();
    for (field, key) in keys {
        let new = fields.get(&field).cloned();
        diff.push(FieldChange::new(field, fields.remove(&key), new));
    }
}
