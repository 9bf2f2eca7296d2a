//! The page and the schemas.

use audit_catalogue::Catalogue;
use audit_core::{Actor, AuditEvent, Log, NewEvent, Sequence, Target, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Billing, paid};

#[test]
fn the_page_has_every_action_with_what_its_events_state() {
    let expected = "\
# Actions

| action | meaning | severity | since | OCSF class |
|---|---|---|---|---|
| `books.closed` | The books of a year were closed |  |  |  |
| `invoice.paid` | A customer paid an invoice | low | 1.2 | 6003 |

## `books.closed`

The books of a year were closed. Version 1 of its definition.

## `invoice.paid`

A customer paid an invoice. Version 2 of its definition.

| | name | how often | meaning |
|---|---|---|---|
| target | `invoice` | once | The invoice |
| target | `customer` | at most once |  |
| target | `coupon` | any number |  |
| attribute | `method` | once | How \\| by what |
| attribute | `plan` | at most once |  |
";
    // An action of two enums is there once.
    assert_eq!(Catalogue::of::<Billing>().and::<Billing>().to_markdown(), expected);
}

#[test]
fn a_schema_has_what_the_definition_has() {
    let schemas = Catalogue::of::<Billing>().json_schemas();
    assert_eq!(schemas.keys().copied().collect::<Vec<_>>(), ["books.closed", "invoice.paid"]);
    let text = json!({"type": "string"});
    let expected = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:audit:action:books.closed:1",
        "title": "books.closed",
        "description": "The books of a year were closed",
        "type": "object",
        "required": ["action"],
        "properties": {
            "action": {"const": "books.closed"},
            "targets": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"enum": ["route"]}},
                },
            },
            "attributes": {
                "type": "object",
                "required": [],
                "properties": {"attempt.action": text, "attempt.begun": text, "spool.conflict": text},
                "additionalProperties": false,
            },
        },
    });
    assert_eq!(schemas["books.closed"], expected);
    let paid = &schemas["invoice.paid"];
    assert_eq!(paid["$id"], "urn:audit:action:invoice.paid:2");
    assert_eq!(paid["x-since"], "1.2");
    assert_eq!(paid["x-ocsf-class"], 6003);
    assert_eq!(paid["properties"]["severity"], json!({"type": "string", "default": "low"}));
    assert_eq!(paid["properties"]["targets"]["allOf"][0]["contains"]["description"], "The invoice");
}

/// Returns `true` if `value` is valid by `schema`: the keywords that the schemas use, and no others.
fn is_valid(schema: &Value, value: &Value) -> bool {
    let contained =
        || value.as_array().unwrap().iter().filter(|item| is_valid(&schema["contains"], item));
    schema.as_object().unwrap().iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "$id" | "title" | "description" | "default" | "x-since" | "x-ocsf-class" => {
            true
        }
        "type" => match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            other => panic!("the type {other}"),
        },
        "const" => value == rule,
        "enum" => rule.as_array().unwrap().contains(value),
        "required" => {
            let names = rule.as_array().unwrap();
            names.iter().all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "properties" => {
            let rules = rule.as_object().unwrap();
            rules.iter().all(|(name, rule)| value.get(name).is_none_or(|own| is_valid(rule, own)))
        }
        "additionalProperties" => {
            assert_eq!(*rule, false);
            value.as_object().unwrap().keys().all(|name| schema["properties"].get(name).is_some())
        }
        "items" => value.as_array().unwrap().iter().all(|item| is_valid(rule, item)),
        "allOf" => rule.as_array().unwrap().iter().all(|rule| is_valid(rule, value)),
        "contains" => schema.get("minContains").is_some(),
        "minContains" => contained().count() >= usize::try_from(rule.as_u64().unwrap()).unwrap(),
        "maxContains" => contained().count() <= usize::try_from(rule.as_u64().unwrap()).unwrap(),
        other => panic!("the keyword {other}"),
    })
}

fn event() -> impl Strategy<Value = NewEvent> {
    let action = prop::sample::select(vec!["invoice.paid", "books.closed"]);
    let kind = prop::sample::select(vec!["invoice", "customer", "coupon", "route", "refund"]);
    let target = prop_oneof![
        9 => kind.prop_map(|kind| Target::new(kind, "1")),
        1 => Just(Target::named("x")),
    ];
    let key = prop::sample::select(vec!["method", "plan", "attempt.begun", "colour"]);
    let targets = prop::collection::vec(target, 0..4);
    let keys = prop::collection::vec(key, 0..3);
    (action, targets, keys).prop_map(|(action, targets, keys)| {
        let mut event = NewEvent::new(action, Actor::system());
        event.targets = targets;
        event.attributes.extend(keys.into_iter().map(|key| (key, "x")));
        event
    })
}

proptest! {
    #[test]
    fn a_schema_accepts_what_the_catalogue_accepts(event in prop_oneof![1 => Just(paid()), 9 => event()]) {
        let catalogue = Catalogue::of::<Billing>();
        let schema = &catalogue.json_schemas()[event.action.as_str()];
        let is_accepted = catalogue.check(&event).is_ok();
        prop_assert_eq!(is_valid(schema, &json!(event)), is_accepted);
        let recorded = AuditEvent::new(Log::Platform, Sequence::new(1).unwrap(), Timestamp::now(), event);
        prop_assert_eq!(is_valid(schema, &json!(recorded)), is_accepted);
    }
}
