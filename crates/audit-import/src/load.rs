//! Reads the text of a mapping, and checks it.

use audit_core::Result;
use toml::de::DeTable;

use crate::glob::Glob;
use crate::layout::{
    ActorField, Diff, IdRow, Ids, Layout, Mark, Party, Sides, Slot, Targets, TimePlace,
};
use crate::place::{Place, Spelling};
use crate::prepare::Program;
use expression::{Entries, Scope};
use moves::Moves;
use node::{Fields, Node};

mod expression;
mod moves;
mod node;

/// A mapping that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) system: String,
    pub(crate) title: String,
    pub(crate) layout: Layout,
}

/// The places in which deliveries of many systems hold their records: pages of APIs, files in buckets,
/// `EventBridge`, `CloudWatch` Logs, Azure Event Hubs, Logstash, Splunk, Elasticsearch.
const DELIVERIES: &[&str] = &[
    "/Records",
    "/records",
    "/entries",
    "/items",
    "/value",
    "/events",
    "/Events",
    "/logEvents",
    "/logs",
    "/detail",
    "/data/events",
    "/data/items",
    "/data",
    "/event/original",
    "/event",
    "/message",
    "/result/_raw",
    "/result",
    "/_raw",
    "/_source",
    "/hits/hits",
];

/// The fields in which systems that pass records on write the time of the event.
const CARRIERS: &[&str] = &[
    "/@timestamp",
    "/p_event_time",
    "/TimeGenerated",
    "^/@timestamp",
    "^/p_event_time",
    "^/TimeGenerated",
];

/// Reads a mapping.
pub(crate) fn mapping(text: &str) -> Result<Loaded> {
    let table = DeTable::parse(text).map_err(|error| node::no_toml(text, &error))?;
    let mut fields = Node::top(text, table.get_ref());
    let system = fields.required("system")?;
    let title = fields.take("title");
    let mut loader = Loader::default();
    loader.read(&mut fields)?;
    fields.finish()?;
    loader.moves.check()?;
    let system = system.text()?.to_owned();
    let title = title.map_or(Ok(&*system), |title| title.text())?.to_owned();
    Ok(Loaded { system, title, layout: loader.layout })
}

#[derive(Debug, Default)]
struct Loader<'a> {
    layout: Layout,
    scope: Scope,
    moves: Moves<'a>,
}

impl<'a> Loader<'a> {
    fn read(&mut self, fields: &mut Fields<'a>) -> Result<()> {
        self.records(fields)?;
        self.identity(fields)?;
        // The action comes first: without it there is no event.
        let action = fields.required("action")?;
        self.slot(Slot::Action, &action)?;
        for (table, slots) in Slot::FIELDS {
            if table.is_empty() {
                self.slots(fields, slots)?;
            } else if let Some(node) = fields.take(table) {
                let mut fields = node.as_table().ok_or_else(|| {
                    let keys = node::names(slots.iter().map(|(key, _)| key));
                    node.fault(format!("is not a table; its keys are {keys}"))
                })?;
                self.slots(&mut fields, slots)?;
                fields.finish()?;
            }
        }
        if let Some(node) = fields.take("actor") {
            self.actor(&node, Party::Actor)?;
        }
        self.change(fields)?;
        for node in fields.take("targets").iter().flat_map(Node::one_or_more) {
            self.target(&node)?;
        }
        if let Some(node) = fields.take("attributes") {
            for (key, node) in node.table()?.drain() {
                let expr = self.scope.expr(&node)?;
                self.moves.expr(&node, &self.scope, &expr);
                self.layout.attributes.push((key.to_owned(), expr));
            }
        }
        Ok(())
    }

    /// Reads what the records of the system look like.
    fn records(&mut self, fields: &mut Fields<'a>) -> Result<()> {
        let ignore_case = fields.take("ignoreCase").map_or(Ok(false), |node| node.truth())?;
        let mut none = vec![String::new()];
        match fields.take("none") {
            Some(node) => {
                for item in node.one_or_more() {
                    none.push(item.text()?.to_owned());
                }
            }
            None => none.push("-".to_owned()),
        }
        self.layout.spelling = Spelling { ignore_case, none };
        for node in fields.take("entries").iter().flat_map(Node::one_or_more) {
            let mut fields = node.table()?;
            let value = fields.required("value")?.one_or_more();
            let entries = Entries {
                at: fields.required("at")?.text()?.to_owned(),
                key: fields.required("key")?.text()?.to_owned(),
                values: value
                    .iter()
                    .map(|node| node.text().map(str::to_owned))
                    .collect::<Result<_>>()?,
            };
            fields.finish()?;
            self.scope.entries.push(entries);
        }
        let marks = fields.required("marks")?;
        for node in marks.one_or_more() {
            let condition = self.scope.condition(&node)?;
            let mut places = Vec::new();
            condition.places(&mut |place| places.push(place.clone()));
            self.layout.marks.push(Mark { condition, places });
        }
        if self.layout.marks.is_empty() {
            return Err(marks.fault("is empty: name what every record of the system has"));
        }
        if let Some(node) = fields.take("unwrap") {
            self.layout.unwrap = self.scope.places(&node)?;
        }
        self.layout.own_unwrap = self.layout.unwrap.len();
        self.layout.unwrap.extend(self.known(DELIVERIES)?);
        if let Some(node) = fields.take("prepare") {
            let program = Program::parse(node.text()?);
            self.layout.prepare = Some(program.map_err(|message| node.fault(message))?);
        }
        if let Some(node) = fields.take("split") {
            self.layout.split = Some(self.scope.place(&node, node.text()?)?);
        }
        Ok(())
    }

    fn known(&self, places: &[&str]) -> Result<Vec<Place>> {
        let node = Node::nowhere();
        places.iter().map(|place| self.scope.place(&node, place)).collect()
    }

    /// Reads which records are one, and when it happened.
    fn identity(&mut self, fields: &mut Fields<'a>) -> Result<()> {
        for node in fields.take("envelope").iter().flat_map(Node::one_or_more) {
            self.layout.envelope.push(Glob::new(node.text()?));
        }
        self.layout.json_texts = fields.take("jsonTexts").map_or(Ok(false), |node| node.truth())?;
        if let Some(node) = fields.take("values") {
            for (name, node) in node.table()?.drain() {
                let expr = expression::copied(self.scope.expr(&node)?);
                self.scope.values.push((name.to_owned(), expr));
            }
        }
        let times = fields.required("time")?.one_or_more();
        self.layout.times = times.iter().map(|node| self.time(node)).collect::<Result<_>>()?;
        self.layout.carriers = self.layout.times.len();
        let carriers = self.known(CARRIERS)?.into_iter();
        self.layout.times.extend(carriers.map(|place| TimePlace { place, when: None }));
        if let Some(node) = fields.take("id") {
            let expr = self.scope.expr(&node)?;
            self.moves.expr(&node, &self.scope, &expr);
            self.layout.id = Some(expr);
        }
        Ok(())
    }

    /// Reads a place of the time, which can have a condition.
    fn time(&self, node: &Node<'a>) -> Result<TimePlace> {
        let Some(mut fields) = node.as_table() else {
            return Ok(TimePlace { place: self.scope.place(node, node.text()?)?, when: None });
        };
        let from = fields.required("from")?;
        let place = self.scope.place(&from, from.text()?)?;
        let when = fields.take("if").map(|node| self.scope.condition(&node)).transpose()?;
        fields.finish()?;
        Ok(TimePlace { place, when })
    }

    fn slots(&mut self, fields: &mut Fields<'a>, slots: &[(&str, Slot)]) -> Result<()> {
        for (key, slot) in slots {
            if let Some(node) = fields.take(key) {
                self.slot(*slot, &node)?;
            }
        }
        Ok(())
    }

    fn slot(&mut self, slot: Slot, node: &Node<'a>) -> Result<()> {
        let expr = self.scope.expr(node)?;
        self.moves.expr(node, &self.scope, &expr);
        self.layout.texts.push((slot, expr));
        Ok(())
    }

    fn actor(&mut self, node: &Node<'a>, party: Party) -> Result<()> {
        let mut fields = node.table()?;
        let mut organization = fields.take("organization").map(|node| node.table()).transpose()?;
        for (key, field) in ActorField::FIELDS {
            let node = match (key.strip_prefix("organization."), &mut organization) {
                (Some(key), Some(organization)) => organization.take(key),
                (Some(_), None) => None,
                (None, _) => fields.take(key),
            };
            if let Some(node) = node {
                self.slot(Slot::Actor(party, *field), &node)?;
            }
        }
        organization.map_or(Ok(()), Fields::finish)?;
        if let Some(node) = fields.take("onBehalfOf").filter(|_| party == Party::Actor) {
            self.actor(&node, Party::Principal)?;
        }
        fields.finish()
    }

    fn change(&mut self, fields: &mut Fields<'a>) -> Result<()> {
        if let Some(node) = fields.take("change") {
            let mut fields = node.table()?;
            if let Some(node) = fields.take("old") {
                self.layout.old = self.values(&node)?;
            }
            if let Some(node) = fields.take("new") {
                self.layout.new = self.values(&node)?;
            }
            self.layout.changed =
                fields.take("if").map(|node| self.scope.condition(&node)).transpose()?;
            fields.finish()?;
        }
        for node in fields.take("diff").iter().flat_map(Node::one_or_more) {
            let diff = self.diff(&node)?;
            self.layout.diff.push(diff);
        }
        Ok(())
    }

    /// Reads the places of a value of any type, which is moved, or copied.
    fn values(&mut self, node: &Node<'a>) -> Result<Vec<Place>> {
        let place = |node: &Node<'a>| -> Result<Place> {
            let Some(mut fields) = node.as_table() else {
                return self.scope.place(node, node.text()?);
            };
            let copy = fields.required("copy")?;
            fields.finish()?;
            Ok(self.scope.place(&copy, copy.text()?)?.copied())
        };
        let places: Vec<_> = node.one_or_more().iter().map(place).collect::<Result<_>>()?;
        self.moves.values(node, &self.scope, &places);
        Ok(places)
    }

    fn diff(&mut self, node: &Node<'a>) -> Result<Diff> {
        let mut fields = node.table()?;
        if let Some(keys) = fields.take("keys") {
            let forms = keys.table()?.drain().into_iter();
            let forms = forms.map(|(form, field)| Ok((Glob::new(form), field.text()?.to_owned())));
            let forms = forms.collect::<Result<_>>()?;
            fields.finish()?;
            return Ok(Diff::Keys(forms));
        }
        let each = self.enter(&mut fields)?;
        let when = fields.take("if").map(|node| self.scope.condition(&node)).transpose()?;
        let node = fields.required("field")?;
        let field = self.scope.expr(&node)?;
        self.moves.expr(&node, &self.scope, &field);
        let mut side = |key| fields.take(key).map_or(Ok(Vec::new()), |node| self.values(&node));
        let (old, new) = (side("old")?, side("new")?);
        fields.finish()?;
        self.scope.each.clear();
        let sides = Sides { when, field, old, new };
        Ok(if each.is_empty() { Diff::One(sides) } else { Diff::Each(each, sides) })
    }

    fn target(&mut self, node: &Node<'a>) -> Result<()> {
        let mut fields = node.table()?;
        if let Some(ids) = fields.take("ids") {
            let when = fields.take("if").map(|node| self.scope.condition(&node)).transpose()?;
            let mut is_first = true;
            for (pointer, kind) in ids.table()?.drain() {
                let place = self.scope.place(&kind, pointer)?;
                self.moves.values(&kind, &self.scope, std::slice::from_ref(&place));
                let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
                let row = IdRow { key: key.to_owned(), place, kind: kind.text()?.to_owned() };
                match self.layout.targets.last_mut().and_then(|last| last.ids.as_mut()) {
                    Some(ids) if !is_first && ids.parent.pointer == parent => ids.rows.push(row),
                    _ => {
                        let parent = self.scope.place(&kind, parent)?;
                        let ids = Some(Ids { parent, rows: vec![row] });
                        let when = when.clone();
                        self.layout.targets.push(Targets { when, ids, ..Targets::default() });
                    }
                }
                is_first = false;
            }
            return fields.finish();
        }
        let each = self.enter(&mut fields)?;
        let when = fields.take("if").map(|node| self.scope.condition(&node)).transpose()?;
        let mut part = |key| {
            let Some(node) = fields.take(key) else { return Ok(None) };
            let expr = self.scope.expr(&node)?;
            self.moves.expr(&node, &self.scope, &expr);
            Ok(Some(expr))
        };
        let (kind, id, name) = (part("type")?, part("id")?, part("name")?);
        fields.finish()?;
        self.scope.each.clear();
        self.layout.targets.push(Targets { each, when, kind, id, name, ids: None });
        Ok(())
    }

    /// Reads the list of a block, and the lists in whose items it is. The other lines of the block are about
    /// its items.
    fn enter(&mut self, fields: &mut Fields<'a>) -> Result<Vec<Place>> {
        let Some(node) = fields.take("each") else { return Ok(Vec::new()) };
        let text = node.text()?;
        let mut lists = Vec::new();
        for (index, list) in text.split("/*/").enumerate() {
            let list = if index == 0 { list.to_owned() } else { format!("/{list}") };
            lists.push(self.scope.place(&node, &list)?);
        }
        if lists[0].is_outside {
            return Err(node.fault("is outside the record"));
        }
        self.moves.list(&node, &lists[0]);
        text.clone_into(&mut self.scope.each);
        Ok(lists)
    }
}
