//! The values of an event's JSON that have no attribute yet.

use audit_core::{AuditEvent, Result};
use serde_json::{Map, Value};

/// The fields of an event's JSON that are not in the form yet.
pub(super) struct Rest(pub(super) Map<String, Value>);

impl Rest {
    pub(super) fn of(event: &AuditEvent) -> Result<Self> {
        Ok(Self(match crate::json(event)? {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }))
    }

    /// Takes the value at a path of keys, and the objects around it that are empty then.
    pub(super) fn take(&mut self, path: &[&str]) -> Option<Value> {
        take(&mut self.0, path)
    }

    /// Takes a text that is not empty, because OCSF does not distinguish an empty text from an absent one.
    pub(super) fn text(&mut self, path: &[&str]) -> Option<Value> {
        let mut fields = &self.0;
        let (last, objects) = path.split_last()?;
        for key in objects {
            fields = fields.get(*key)?.as_object()?;
        }
        let is_filled = fields.get(*last)?.as_str().is_some_and(|text| !text.is_empty());
        if is_filled { self.take(path) } else { None }
    }

    /// Keeps the targets that `is_kept`, and removes the list if it is empty then.
    pub(super) fn retain_targets(&mut self, is_kept: impl FnMut(&Value) -> bool) {
        if let Some(Value::Array(targets)) = self.0.get_mut("targets") {
            targets.retain(is_kept);
            if targets.is_empty() {
                self.0.remove("targets");
            }
        }
    }
}

fn take(fields: &mut Map<String, Value>, path: &[&str]) -> Option<Value> {
    match path {
        [] => None,
        [key] => fields.remove(*key),
        [key, path @ ..] => {
            let inner = fields.get_mut(*key)?.as_object_mut()?;
            let taken = take(inner, path);
            if inner.is_empty() {
                fields.remove(*key);
            }
            taken
        }
    }
}
