//! The JSON schemas of the actions of a catalogue.

use std::collections::BTreeMap;

use audit_core::{ActionDefinition, FieldCount, FieldDefinition};
use serde_json::{Map, Value, json};

use crate::Catalogue;
use crate::catalogue::{LIBRARY_ATTRIBUTES, ROUTE};

impl Catalogue {
    /// Returns for each action the JSON schema (draft 2020-12) of its events, by which others can check
    /// what they read: an exported event, a line of a feed.
    ///
    /// An event has the fields of the model beside those that the schema names. Its `$id` has the action and
    /// the version of its definition: `urn:audit:action:invoice.paid:2`.
    pub fn json_schemas(&self) -> BTreeMap<&'static str, Value> {
        let mut schemas = BTreeMap::new();
        for definition in self.definitions() {
            schemas.entry(definition.name()).or_insert_with(|| schema(definition));
        }
        schemas
    }
}

fn schema(definition: &ActionDefinition) -> Value {
    let mut properties = Map::new();
    properties.insert("action".to_owned(), json!({"const": definition.name()}));
    if let Some(severity) = definition.severity() {
        properties.insert("severity".to_owned(), json!({"type": "string", "default": severity}));
    }
    properties.insert("targets".to_owned(), targets(definition.targets()));
    properties.insert("attributes".to_owned(), attributes(definition.attributes()));
    let is_required =
        |fields: &[FieldDefinition]| fields.iter().any(|field| field.count() == FieldCount::One);
    let mut required = vec!["action"];
    required.extend(is_required(definition.targets()).then_some("targets"));
    required.extend(is_required(definition.attributes()).then_some("attributes"));
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:audit:action:{}:{}", definition.name(), definition.version()),
        "title": definition.name(),
        "description": definition.summary(),
        "type": "object",
        "required": required,
        "properties": properties,
    });
    if let Some(since) = definition.since() {
        schema["x-since"] = since.into();
    }
    if let Some(class) = definition.ocsf_class() {
        schema["x-ocsf-class"] = class.into();
    }
    schema
}

fn targets(fields: &[FieldDefinition]) -> Value {
    let kinds: Vec<_> = fields.iter().map(FieldDefinition::name).chain([ROUTE]).collect();
    let mut schema = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"enum": kinds}},
        },
    });
    let counts = fields.iter().filter_map(|field| {
        let least = match field.count() {
            FieldCount::One => 1,
            FieldCount::Optional => 0,
            FieldCount::Many => return None,
        };
        let mut of_kind =
            json!({"required": ["type"], "properties": {"type": {"const": field.name()}}});
        describe(&mut of_kind, field);
        Some(json!({"contains": of_kind, "minContains": least, "maxContains": 1}))
    });
    let counts: Vec<_> = counts.collect();
    if !counts.is_empty() {
        schema["allOf"] = counts.into();
    }
    schema
}

fn attributes(fields: &[FieldDefinition]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut text = json!({"type": "string"});
        describe(&mut text, field);
        properties.insert(field.name().to_owned(), text);
    }
    for name in LIBRARY_ATTRIBUTES {
        properties.entry(name).or_insert_with(|| json!({"type": "string"}));
    }
    let required = fields.iter().filter(|field| field.count() == FieldCount::One);
    let required: Vec<_> = required.map(FieldDefinition::name).collect();
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn describe(schema: &mut Value, field: &FieldDefinition) {
    if let Some(summary) = field.summary() {
        schema["description"] = summary.into();
    }
}
