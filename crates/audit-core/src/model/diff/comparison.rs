//! The comparison of two values, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::list_match::{Step, steps};
use super::rules::{Rules, is_value, mask};
use crate::FieldChange;

/// The comparison at one path.
pub(super) struct Comparison<'a> {
    rules: &'a Rules,
    path: String,
    /// The number of names in `path`: a name can be empty.
    depth: usize,
    diff: Vec<FieldChange>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(rules: &'a Rules) -> Self {
        Self { rules, path: String::new(), depth: 0, diff: Vec::new() }
    }

    /// Returns the fields in which `after` differs from `before`.
    pub(super) fn finish(mut self, before: &Value, after: &Value) -> Vec<FieldChange> {
        self.compare("", Some(before), Some(after), false);
        self.diff
    }

    /// Compares the two sides of the field `name`.
    fn compare(&mut self, name: &str, old: Option<&Value>, new: Option<&Value>, is_masked: bool) {
        if old == new {
            return;
        }
        if is_masked {
            return self.push(old.map(mask), new.map(mask));
        }
        match (old, new) {
            (Some(before @ Value::Object(_)), Some(after @ Value::Object(_))) => {
                self.objects(before, after);
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => {
                let member = self.rules.member_of(name);
                let items =
                    member.and_then(|member| Some((keyed(before, member)?, keyed(after, member)?)));
                match items {
                    Some((before, after)) => self.keyed_lists(&before, &after),
                    None => self.lists(before, after),
                }
            }
            _ => {
                let masked = |side: Option<&Value>| side.map(|value| self.rules.mask_within(value));
                let (old, new) = (masked(old), masked(new));
                // Without the members that are left out, the two may be equal.
                if old != new || !self.rules.skips() {
                    self.push(old, new);
                }
            }
        }
    }

    fn objects(&mut self, before: &Value, after: &Value) {
        let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else { return };
        let masks_value = self.rules.is_named_secret(before) || self.rules.is_named_secret(after);
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| !self.rules.is_skipped(name)) {
            let is_masked = self.rules.is_masked(name) || masks_value && is_value(name);
            self.below(name, |walk| walk.compare(name, old.get(name), new.get(name), is_masked));
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value]) {
        for step in steps(before, after) {
            let (index, old, new) = match step {
                Step::Removed(index) => (index, before.get(index), None),
                Step::Added(index) => (index, None, after.get(index)),
                Step::Changed(old, new) => (new, before.get(old), after.get(new)),
            };
            self.below(&index.to_string(), |walk| walk.compare("", old, new, false));
        }
    }

    fn keyed_lists(&mut self, before: &Keyed<'_>, after: &Keyed<'_>) {
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let (old, new) = (before.get(key).copied(), after.get(key).copied());
            self.below(key, |walk| walk.compare("", old, new, false));
        }
    }

    fn push(&mut self, old: Option<Value>, new: Option<Value>) {
        self.diff.push(FieldChange { field: self.path.clone(), old, new });
    }

    /// Visits the member or the item `name` of the value at the path.
    fn below(&mut self, name: &str, visit: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if self.depth > 0 {
            self.path.push('/');
        }
        self.path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        self.depth += 1;
        visit(self);
        self.depth -= 1;
        self.path.truncate(length);
    }
}

/// The items of a list by the value of a member, as text.
type Keyed<'a> = BTreeMap<String, &'a Value>;

/// Returns the items of a list by the value of their `member`; `None` if one has none, or two have the
/// same.
fn keyed<'a>(items: &'a [Value], member: &str) -> Option<Keyed<'a>> {
    let mut keyed = Keyed::new();
    for item in items {
        let key = match item.get(member)? {
            Value::String(key) => key.clone(),
            Value::Number(key) => key.to_string(),
            _ => return None,
        };
        if keyed.insert(key, item).is_some() {
            return None;
        }
    }
    Some(keyed)
}
