//! Whether an event holds every value of the record that it was read from.

use std::collections::HashMap;

use audit_core::NewEvent;
use serde_json::Value;

/// The leaves of `record` that `event` does not hold: those that are neither in its metadata, at
/// their own path, nor among the values of the model's fields. A value of the model stands for one
/// leaf only, so a text that the record has twice must be there twice.
pub(crate) fn missing(record: &Value, event: &NewEvent) -> Vec<String> {
    let mut model = serde_json::to_value(event).unwrap();
    let fields = model.as_object_mut().unwrap();
    fields.remove("id"); // derived, so it holds nothing of the record
    let metadata = fields.remove("metadata").unwrap_or_default();

    let mut held: HashMap<String, usize> = HashMap::new();
    leaves(&model, "", &mut |_, value| *held.entry(value.to_string()).or_default() += 1);
    let mut missing = Vec::new();
    leaves(record, "", &mut |path, value| {
        if metadata.pointer(path) == Some(value) {
            return;
        }
        match held.get_mut(&value.to_string()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing.push(format!("{path}: {value}")),
        }
    });
    missing
}

/// Visits every value that holds no other, with its JSON pointer.
pub(crate) fn leaves<'a>(value: &'a Value, path: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    let key = |key: &str| format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                leaves(field, &key(name), visit);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &key(&index.to_string()), visit);
            }
        }
        leaf => visit(path, leaf),
    }
}
