//! The event of one record: what is moved, what is copied, and what stays.

use std::borrow::Cow;

use audit_core::json::Object;
use audit_core::limits::{
    MAX_FIELD_CHANGES, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TARGETS, MAX_TEXT_BYTES,
};
use audit_core::{
    Actor, ChangeSetId, Error, FieldChange, NewEvent, OrganizationRef, Outcome, OutcomeResult,
    Result, Target, Timestamp, Trace, Violation, json,
};
use serde_json::Value;

use crate::expr::{Expr, Found, text_at};
use crate::layout::{ActorField, Diff, IdRow, Layout, Party, Slot, Targets};
use crate::place::{Keys, Place, Spelling, View};

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

/// The text of a field, before anything is moved.
enum Pick<'m> {
    Move(Cow<'m, Place>),
    Text(String),
}

struct TargetPick<'m> {
    kind: Option<Pick<'m>>,
    id: Option<Pick<'m>>,
    name: Option<Pick<'m>>,
}

impl<'m> Record<'m> {
    pub(crate) fn view(&self) -> View<'_> {
        View {
            inside: &self.fields,
            outside: self.delivery.as_ref(),
            part: self.part,
            spelling: self.spelling,
            keys: self.keys,
        }
    }

    /// Returns the event, without its id, time, source and metadata, and leaves in the record what
    /// these are made of.
    ///
    /// Everything is read before anything is moved, so that the order of a mapping's lines plays no part.
    /// A value that is too large for its field stays, and the field is added to `too_large`.
    pub(crate) fn assemble(
        &mut self,
        layout: &'m Layout,
        too_large: &mut Vec<String>,
    ) -> Result<NewEvent> {
        let texts = self.pick_texts(layout, too_large)?;
        let mut targets = Vec::new();
        for (block, layout) in layout.targets.iter().enumerate() {
            self.pick_targets(layout, too_large, &mut |pick| targets.push((block, pick)));
        }
        let mut targets = targets.into_iter().peekable();
        let old = first_present(&layout.old, self.view());
        let new = first_present(&layout.new, self.view());
        let attributes: Vec<_> = layout
            .attributes
            .iter()
            .filter_map(|(key, expr)| {
                let field = || format!("attributes.{key}");
                let pick = pick(expr, MAX_ID_BYTES, self.view(), &field, too_large)?;
                Some((key, pick))
            })
            .collect();

        let mut event = NewEvent::new("", Actor::unknown());
        event.change.diff = self.diff(&layout.diff, too_large);
        for (block, layout) in layout.targets.iter().enumerate() {
            self.take_items(layout, &mut event.targets, too_large);
            while let Some((_, pick)) = targets.next_if(|(of, _)| *of == block) {
                if event.targets.len() < MAX_TARGETS {
                    event.targets.extend(pick.take(|pick| self.text(pick)));
                } else {
                    too_large.push("targets".to_owned());
                }
            }
        }
        event.change.old = old.and_then(|place| self.take(&place));
        event.change.new = new.and_then(|place| self.take(&place));
        let mut parts = Parts::default();
        for (slot, pick) in texts {
            if let Some(text) = self.text(pick) {
                parts.set(&mut event, slot, text);
            }
        }
        for (key, pick) in attributes {
            if let Some(text) = self.text(pick) {
                event.attributes.insert(key, text);
            }
        }
        parts.finish(&mut event);
        Ok(event)
    }

    fn pick_texts(
        &self,
        layout: &'m Layout,
        too_large: &mut Vec<String>,
    ) -> Result<Vec<(Slot, Pick<'m>)>> {
        let mut picks = Vec::with_capacity(layout.texts.len());
        for (slot, expr) in &layout.texts {
            let view = self.view();
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
                Slot::ChangeSet => exact::<ChangeSetId>(found),
                Slot::TraceId => exact::<audit_core::TraceId>(found),
                Slot::SpanId => exact::<audit_core::SpanId>(found),
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

    fn pick_targets(
        &self,
        targets: &'m Targets,
        too_large: &mut Vec<String>,
        picked: &mut dyn FnMut(TargetPick<'m>),
    ) {
        let view = self.view();
        if let Some(ids) = &targets.ids {
            let Some(Value::Object(fields)) = ids.parent.find(view) else { return };
            if !targets.when.as_ref().is_none_or(|when| when.holds(view)) {
                return;
            }
            // The keys that are there are fewer than those that can be.
            let ignore_case = self.spelling.ignore_case;
            let is_key = |row: &IdRow, key: &str| {
                row.key == key || ignore_case && row.key.eq_ignore_ascii_case(key)
            };
            let mut found: Vec<_> = fields
                .keys()
                .filter_map(|key| ids.rows.iter().position(|row| is_key(row, key)))
                .collect();
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
        } else if targets.each.is_none()
            && let Some(pick) = target(targets, view, too_large)
        {
            picked(pick);
        }
    }

    /// Takes a target of each item of the list of `targets`, if they have one.
    fn take_items(
        &mut self,
        targets: &'m Targets,
        taken: &mut Vec<Target>,
        too_large: &mut Vec<String>,
    ) {
        let Some(each) = &targets.each else { return };
        let part = self.part;
        self.items(each, |item, record, spelling| {
            if taken.len() >= MAX_TARGETS {
                too_large.push("targets".to_owned());
                return;
            }
            let view = View { inside: item, outside: Some(record), part, spelling, keys: None };
            if let Some(pick) = target(targets, view, too_large) {
                taken.extend(pick.take(|pick| resolve(pick, item, spelling)));
            }
        });
    }

    fn diff(&mut self, blocks: &'m [Diff], too_large: &mut Vec<String>) -> Vec<FieldChange> {
        let mut diff = Vec::new();
        for block in blocks {
            match block {
                Diff::One { when, field, old, new } => {
                    if !when.as_ref().is_none_or(|when| when.holds(self.view())) {
                        continue;
                    }
                    let (old, new) =
                        (first_present(old, self.view()), first_present(new, self.view()));
                    let Some(found) = field.find(self.view()) else { continue };
                    if old.is_none() && new.is_none() {
                        continue;
                    }
                    let pick = Pick::from(found);
                    let Some(field) = self.text(pick) else { continue };
                    let old = old.and_then(|place| self.take(&place));
                    diff.push(FieldChange::new(
                        field,
                        old,
                        new.and_then(|place| self.take(&place)),
                    ));
                }
                Diff::Each { each, when, field, old, new } => {
                    let part = self.part;
                    self.items(each, |item, record, spelling| {
                        let view = View {
                            inside: item,
                            outside: Some(record),
                            part,
                            spelling,
                            keys: None,
                        };
                        if !when.as_ref().is_none_or(|when| when.holds(view)) {
                            return;
                        }
                        if diff.len() >= MAX_FIELD_CHANGES {
                            too_large.push("change.diff".to_owned());
                            return;
                        }
                        let (old, new) = (first_present(old, view), first_present(new, view));
                        let name = || "change.diff.field".to_owned();
                        let Some(pick) = pick(field, MAX_TEXT_BYTES, view, &name, too_large) else {
                            return;
                        };
                        let Some(field) = resolve(pick, item, spelling) else { return };
                        let mut take = |place: Cow<'_, Place>| {
                            let taken = place.take(item, spelling);
                            taken.or_else(|| {
                                let outside = Some(record);
                                let view =
                                    View { inside: item, outside, part, spelling, keys: None };
                                place.find(view).cloned()
                            })
                        };
                        let old = old.and_then(&mut take);
                        diff.push(FieldChange::new(field, old, new.and_then(&mut take)));
                    });
                }
                Diff::Keys(forms) => self.diff_of_keys(forms, &mut diff),
            }
        }
        diff
    }

    fn diff_of_keys(&mut self, forms: &[(crate::glob::Glob, String)], diff: &mut Vec<FieldChange>) {
        let Value::Object(fields) = &mut self.fields else { return };
        let field_of = |key: &str| {
            forms.iter().find_map(|(glob, output)| {
                Some(crate::glob::expand(output, key, &glob.captures(key)?))
            })
        };
        let keys: Vec<_> =
            fields.keys().filter_map(|key| Some((field_of(key)?, key.clone()))).collect();
        for (field, key) in keys {
            let new = fields.get(&field).cloned();
            diff.push(FieldChange::new(field, fields.remove(&key), new));
        }
    }

    /// Visits each item of the list at `each`. Objects can be changed; they keep their places, and
    /// only when all are used up does the list go. Of a list that is JSON in a text, visits copies.
    fn items(&mut self, each: &Place, mut visit: impl FnMut(&mut Value, &Value, &Spelling)) {
        let spelling = self.spelling;
        let mut items = match each.find_mut(&mut self.fields, spelling) {
            Some(Value::Array(items)) => std::mem::take(items),
            Some(Value::String(text)) if text.trim_start().starts_with('[') => {
                // The text cannot be rebuilt from its items, so it stays.
                let Ok(Value::Array(copies)) = json::parse(text.as_bytes()) else { return };
                for mut item in copies {
                    visit(&mut item, &self.fields, spelling);
                }
                return;
            }
            _ => return,
        };
        let mut is_used_up = !items.is_empty();
        for item in &mut items {
            let was_empty = is_empty(item);
            visit(item, &self.fields, spelling);
            is_used_up &= is_empty(item) && !was_empty;
        }
        if is_used_up {
            each.take(&mut self.fields, spelling);
        } else if let Some(place) = each.find_mut(&mut self.fields, spelling) {
            *place = Value::Array(items);
        }
    }

    /// Moves the value out, or copies one that keeps its place.
    fn take(&mut self, place: &Place) -> Option<Value> {
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

    pub(crate) fn take_text(&mut self, found: Cow<'_, Place>) -> Option<String> {
        self.text(Pick::Move(found))
    }

    fn text(&mut self, pick: Pick<'_>) -> Option<String> {
        resolve(pick, &mut self.fields, self.spelling)
    }
}

fn resolve(pick: Pick<'_>, record: &mut Value, spelling: &Spelling) -> Option<String> {
    match pick {
        Pick::Text(text) => Some(text),
        Pick::Move(place) => match place.take(record, spelling)? {
            Value::String(text) => Some(text),
            _ => None,
        },
    }
}

impl<'m> From<Found<'m, '_>> for Pick<'m> {
    fn from(found: Found<'m, '_>) -> Self {
        match found {
            Found::Move(place, _) => Self::Move(place),
            Found::Text(text) => Self::Text(text.into_owned()),
        }
    }
}

impl TargetPick<'_> {
    fn take(self, mut text: impl FnMut(Pick<'_>) -> Option<String>) -> Option<Target> {
        let Self { kind, id, name } = self;
        Target::from_parts(
            kind.and_then(&mut text),
            id.and_then(&mut text),
            name.and_then(&mut text),
        )
    }
}

/// Picks the parts of a target; `None` if the record has none of them.
fn target<'m>(
    targets: &'m Targets,
    view: View<'_>,
    too_large: &mut Vec<String>,
) -> Option<TargetPick<'m>> {
    if !targets.when.as_ref().is_none_or(|when| when.holds(view)) {
        return None;
    }
    let mut has_value = false;
    let mut part = |expr: &'m Option<Expr>, limit, field: &str| {
        let expr = expr.as_ref()?;
        let pick = pick(expr, limit, view, &|| format!("targets.{field}"), too_large)?;
        has_value |= !expr.is_constant();
        Some(pick)
    };
    let kind = part(&targets.kind, MAX_NAME_BYTES, "type");
    let id = part(&targets.id, MAX_ID_BYTES, "id");
    let name = part(&targets.name, MAX_TEXT_BYTES, "name");
    has_value.then_some(TargetPick { kind, id, name })
}

/// Picks a text of at most `limit` bytes. A larger one stays, and its field is noted.
fn pick<'m>(
    expr: &'m Expr,
    limit: usize,
    view: View<'_>,
    field: &dyn Fn() -> String,
    too_large: &mut Vec<String>,
) -> Option<Pick<'m>> {
    let found = expr.find(view).filter(|found| !found.as_str().is_empty())?;
    if found.as_str().len() > limit {
        too_large.push(field());
        return None;
    }
    Some(found.into())
}

/// Picks the text of an id; `None` if it has another form. Moves it only if the model prints it the same.
fn exact<'m, T: std::str::FromStr + ToString>(found: Found<'m, '_>) -> Option<Pick<'m>> {
    let id = found.as_str().parse::<T>().ok()?.to_string();
    Some(if id == found.as_str() { Pick::from(found) } else { Pick::Text(id) })
}

fn first_present<'m>(places: &'m [Place], view: View<'_>) -> Option<Cow<'m, Place>> {
    let place = places.iter().find(|place| place.find(view).is_some())?;
    Some(place.resolved(view))
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Object::is_empty)
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

/// Returns the name of a place as errors give it: `a.b` for `/a/b`.
pub(crate) fn field(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

/// The parts of an event that are put together of several texts.
#[derive(Default)]
struct Parts {
    principal: Option<Actor>,
    organizations: [Option<OrganizationRef>; 3],
    code: Option<String>,
    trace: Option<audit_core::TraceId>,
    span: Option<audit_core::SpanId>,
}

impl Parts {
    fn set(&mut self, event: &mut NewEvent, slot: Slot, text: String) {
        match slot {
            Slot::Action => event.action = text.into(),
            Slot::Category => event.category = Some(text),
            Slot::Severity => event.severity = Some(text.into()),
            Slot::Location => event.location = Some(text),
            Slot::Reason => event.reason = Some(text),
            Slot::ChangeSet => event.change_set_id = text.parse().ok(),
            Slot::Actor(Party::Actor, field) => {
                actor(&mut event.actor, &mut self.organizations[1], field, text);
            }
            Slot::Actor(Party::Principal, field) => {
                let principal = self.principal.get_or_insert_with(Actor::unknown);
                actor(principal, &mut self.organizations[2], field, text);
            }
            Slot::OrganizationId => organization(&mut self.organizations[0]).id = text,
            Slot::OrganizationName => organization(&mut self.organizations[0]).name = Some(text),
            Slot::Service => event.scope.service = Some(text),
            Slot::Product => event.scope.product = Some(text),
            Slot::Config => event.scope.config = Some(text),
            Slot::Environment => event.scope.environment = Some(text),
            Slot::Surface => event.scope.surface = Some(text.into()),
            Slot::OutcomeResult => event.outcome = Some(Outcome::new(text)),
            Slot::OutcomeCode => self.code = Some(text),
            Slot::MessageTitle => event.message.title = Some(text),
            Slot::MessageText => event.message.text = Some(text),
            Slot::MessageKey => event.message.key = Some(text),
            Slot::MessageParams => event.message.params = Some(text),
            Slot::RequestMethod => event.request.method = Some(text),
            Slot::RequestPath => event.request.path = Some(text),
            Slot::RequestId => event.request.id = Some(text),
            Slot::TraceId => self.trace = text.parse().ok(),
            Slot::SpanId => self.span = text.parse().ok(),
        }
    }

    fn finish(self, event: &mut NewEvent) {
        let [whole, actor, principal] = self.organizations;
        event.organization = whole;
        event.actor.organization = actor;
        event.actor.on_behalf_of = self.principal.map(|mut actor| {
            actor.organization = principal;
            Box::new(actor)
        });
        if let Some(code) = self.code {
            let outcome = event.outcome.take();
            event.outcome =
                Some(outcome.unwrap_or_else(|| OutcomeResult::UNKNOWN.into()).code(code));
        }
        event.trace = self.trace.map(|trace| {
            let trace = Trace::new(trace);
            self.span.map_or(trace, |span| trace.span_id(span))
        });
    }
}

fn organization(organization: &mut Option<OrganizationRef>) -> &mut OrganizationRef {
    organization.get_or_insert_with(|| OrganizationRef::new(""))
}

fn actor(
    actor: &mut Actor,
    organization: &mut Option<OrganizationRef>,
    field: ActorField,
    text: String,
) {
    match field {
        ActorField::Kind => actor.kind = text.into(),
        ActorField::Id => actor.id = Some(text),
        ActorField::Name => actor.name = Some(text),
        ActorField::Email => actor.email = Some(text),
        ActorField::Ip => actor.ip = Some(text),
        ActorField::UserAgent => actor.user_agent = Some(text),
        ActorField::Details => actor.details = Some(text),
        ActorField::SessionId => actor.session_id = Some(text),
        ActorField::EntityClass => actor.entity_class = Some(text.into()),
        ActorField::OrganizationId => self::organization(organization).id = text,
        ActorField::OrganizationName => self::organization(organization).name = Some(text),
    }
}
