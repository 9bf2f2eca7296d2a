//! Which fields a comparison masks and leaves out, and by which member it matches the items of lists.

use std::collections::BTreeSet;

use serde_json::Value;

use super::secret_names::{is_secret, normalized};

/// The value that is recorded for a masked one.
pub(crate) const MASK: &str = "[redacted]";

/// Rules by the names of fields. A name is that of every spelling of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Whether the names of secrets are not masked.
    is_open: bool,
    masked: BTreeSet<String>,
    shown: BTreeSet<String>,
    skipped: BTreeSet<String>,
    /// For lists of a name, the member by which their items are matched.
    keys: Vec<(String, String)>,
}

impl Rules {
    /// Returns rules that do not mask the names of secrets.
    pub(super) fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    pub(super) fn mask(&mut self, name: &str) {
        self.masked.insert(normalized(name));
    }

    pub(super) fn show(&mut self, name: &str) {
        self.shown.insert(normalized(name));
    }

    pub(super) fn skip(&mut self, name: &str) {
        self.skipped.insert(normalized(name));
    }

    pub(super) fn key(&mut self, list: &str, member: &str) {
        self.keys.push((normalized(list), member.to_owned()));
    }

    /// Returns `true` if a field of this name is masked.
    pub(super) fn is_masked(&self, name: &str) -> bool {
        let spelled = normalized(name);
        self.masked.contains(&spelled)
            || !self.is_open && !self.shown.contains(&spelled) && is_secret(name)
    }

    /// Returns `true` if a field of this name is left out.
    pub(super) fn is_skipped(&self, name: &str) -> bool {
        self.skips() && self.skipped.contains(&normalized(name))
    }

    /// Returns `value` with the masks, and without what is left out.
    pub(super) fn mask_within(&self, value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let masks_value = self.is_named_secret(value);
                let members = members.iter().filter(|(name, _)| !self.is_skipped(name));
                let members = members.map(|(name, member)| {
                    let is_masked = self.is_masked(name) || masks_value && is_value(name);
                    (name.clone(), if is_masked { mask(member) } else { self.mask_within(member) })
                });
                Value::Object(members.collect())
            }
            Value::Array(items) => items.iter().map(|item| self.mask_within(item)).collect(),
            _ => value.clone(),
        }
    }

    /// Returns `true` for an object that names a secret by a text: a header, a variable of an
    /// environment: `{"name": "Authorization", "value": "…"}`.
    pub(super) fn is_named_secret(&self, value: &Value) -> bool {
        ["name", "key", "header", "field"].iter().any(|name| {
            value.get(name).and_then(Value::as_str).is_some_and(|name| self.is_masked(name))
        })
    }

    /// Returns the member by which the items of lists of this name are matched.
    pub(super) fn member_of(&self, list: &str) -> Option<&str> {
        let spelled = normalized(list);
        self.keys.iter().find(|(name, _)| *name == spelled).map(|(_, member)| member.as_str())
    }

    /// Returns `true` if any field is left out.
    pub(super) fn skips(&self) -> bool {
        !self.skipped.is_empty()
    }
}
/// Returns what is recorded for a masked value. That it is null hides nothing, and shows whether a
/// secret is set.
pub(super) fn mask(value: &Value) -> Value {
    if value.is_null() { Value::Null } else { Value::from(MASK) }
}

/// Returns `true` for the member that holds the value of an object that names something by a text.
pub(super) fn is_value(name: &str) -> bool {
    ["value", "values"].contains(&normalized(name).as_str())
}
