//! Derived implementations, and what the compiler says to those who get it wrong.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

mod actions;

use audit_core::{Audited as _, Change, Diff, FieldKey, Target};
use audit_derive::Audited;
use serde::Serialize;
use serde_json::json;

#[derive(Clone, Serialize)]
struct Line {
    sku: &'static str,
    count: u32,
    api_key: &'static str,
}

#[derive(Audited, Clone)]
#[audit(target = "order")]
struct Order<T> {
    #[audit(id)]
    number: u64,
    #[audit(rename = "amount")]
    cents: i64,
    #[audit(key = "sku")]
    lines: Vec<Line>,
    #[audit(redact)]
    iban: String,
    #[audit(hash, personal)]
    email: Option<String>,
    #[audit(personal)]
    r#type: T,
    #[audit(skip)]
    #[allow(dead_code)]
    cache: std::cell::Cell<u8>,
}

fn order(cents: i64) -> Order<&'static str> {
    let line = |sku, count| Line { sku, count, api_key: "hunter2" };
    Order {
        number: 7,
        cents,
        lines: vec![line("a", 1), line("b", 2)],
        iban: format!("DE{cents}"),
        email: Some("ana@example.org".to_owned()),
        r#type: "gift",
        cache: 0.into(),
    }
}

#[test]
fn the_target_and_the_personal_fields_are_known() {
    assert_eq!(order(1).target(), Target::new("order", "7"));
    assert_eq!(Order::<u8>::PERSONAL, ["email", "type"]);
}

#[test]
fn each_field_is_compared_as_its_attributes_say() {
    let before = order(1);
    let mut after = order(2);
    after.lines.remove(0);
    after.lines[0].count = 3;
    after.lines[0].api_key = "hunter3";
    after.email = None;
    after.cache.set(9);
    let masked = || Some(json!("[redacted]"));
    let line = json!({"sku": "a", "count": 1, "api_key": "[redacted]"});
    let expected = Change::default()
        .field("amount", Some(json!(1)), Some(json!(2)))
        .field("email", masked(), Some(json!(null)))
        .field("iban", masked(), masked())
        .field("lines/a", Some(line), None)
        .field("lines/b/api_key", masked(), masked())
        .field("lines/b/count", Some(json!(2)), Some(json!(3)));
    assert_eq!(Change::audited(&before, &after).unwrap(), expected);
    after.clone_from(&before);
    after.cache.set(9);
    assert!(Change::audited(&before, &after).unwrap().is_empty());
}

#[test]
fn a_value_that_is_created_has_hashes_if_there_is_a_key() {
    let diff = Diff::new().hashing(FieldKey::from_secret([7; 32]));
    let change = diff.audited(None, Some(&order(1))).unwrap();
    let names: Vec<_> = change.diff.iter().map(|change| &*change.field).collect();
    assert_eq!(names, ["amount", "email", "iban", "lines", "type"]);
    assert!(change.diff[1].new.as_ref().unwrap().as_str().unwrap().starts_with("hmac:"));
}

#[test]
fn mistakes_are_errors_that_say_what_to_do() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
