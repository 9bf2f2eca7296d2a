//! A record of which the parts of an event are taken.

use audit_core::Timestamp;
use audit_core::json::{self, Object};
use serde_json::Value;

use crate::place::{Keys, Place, Resolved, Spelling, View};

/// A record of which the parts of an event are taken.
#[derive(Debug)]
pub(crate) struct Record<'m> {
    pub(crate) fields: Value,
    /// What was around the record in its delivery.
    pub(crate) delivery: Option<Value>,
    /// The number of this part of a record that was split, from 0.
    pub(crate) part: usize,
    pub(crate) spelling: &'m Spelling,
    /// The keys at the top, before any was moved.
    pub(crate) keys: Option<Keys>,
}

impl Record<'_> {
    pub(crate) fn view(&self) -> View<'_> {
        View {
            inside: &self.fields,
            outside: self.delivery.as_ref(),
            part: self.part,
            spelling: self.spelling,
            keys: self.keys,
        }
    }

    /// Visits each item of the last of `lists`, of which each is in the items of the one before, and what is
    /// around it: the record without these lists. Objects can be changed; they keep their places, and only when
    /// all are used up does a list go. Of a list that is JSON in a text, visits copies.
    pub(crate) fn items(&mut self, lists: &[Place], mut visit: impl FnMut(&mut Value, &Value)) {
        visit_items(&mut self.fields, lists, self.spelling, &mut visit);
    }

    /// Moves the value out, or copies one that keeps its place.
    pub(crate) fn take(&mut self, place: &Resolved<'_>) -> Option<Value> {
        let taken = place.take(&mut self.fields, self.spelling);
        taken.or_else(|| place.find(self.view()).cloned())
    }

    /// Moves the time at `place` out if the model prints it in the same form.
    pub(crate) fn take_time(&mut self, place: &Place, time: Timestamp) {
        let text = place.find(self.view()).and_then(Value::as_str);
        if text.is_some_and(|text| text == time.to_string()) {
            place.take(&mut self.fields, self.spelling);
        }
    }
}

fn visit_items(
    record: &mut Value,
    lists: &[Place],
    spelling: &Spelling,
    visit: &mut dyn FnMut(&mut Value, &Value),
) {
    let Some((list, inner)) = lists.split_first() else { return };
    let mut visit = |item: &mut Value, record: &Value| match inner {
        [] => visit(item, record),
        inner => visit_items(item, inner, spelling, &mut |item, _| visit(item, record)),
    };
    let mut items = match list.find_mut(record, spelling) {
        Some(Value::Array(items)) => std::mem::take(items),
        Some(Value::String(text)) if text.trim_start().starts_with('[') => {
            // The text cannot be rebuilt from its items, so it stays.
            let Ok(Value::Array(copies)) = json::parse(text.as_bytes()) else { return };
            for mut item in copies {
                visit(&mut item, record);
            }
            return;
        }
        _ => return,
    };
    let mut is_used_up = !items.is_empty();
    for item in &mut items {
        let was_empty = is_empty(item);
        visit(item, record);
        is_used_up &= is_empty(item) && !was_empty;
    }
    if is_used_up {
        list.take(record, spelling);
    } else if let Some(place) = list.find_mut(record, spelling) {
        *place = Value::Array(items);
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Object::is_empty)
}
