//! A place in a record: a JSON pointer (RFC 6901), split once, when its mapping is loaded.

use audit_core::json::Object;
use serde_json::Value;

/// A place in a record.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The place as it was written, without `^`.
    pub(crate) pointer: String,
    /// Whether the place is outside what is read: in the delivery around a record, or in the record
    /// around an item.
    pub(crate) is_outside: bool,
    /// Whether the value stays, because another line moves it.
    stays: bool,
    steps: Vec<Step>,
    /// The sign of the first key, if the first step is one.
    first: Option<u8>,
}

/// The signs of the keys of an object, in any case. A key whose sign is not among them is absent, and need
/// not be looked for: most places of a mapping are absent in most records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys([u64; 4]);

/// One step on the way to a value.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A key of an object, or an index of an array.
    Key { key: String, index: Option<usize> },
    /// The key that another value names.
    Named(Box<Place>),
    /// The item of a list of names and values that has this name, and the keys that can hold its value.
    Entry { name: String, key: String, values: Vec<String> },
}

/// How the keys of records are compared, and what says that there is no value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelling {
    /// Whether a key that is absent is looked for without regard to ASCII case.
    pub(crate) ignore_case: bool,
    /// The texts that mark a missing value.
    pub(crate) none: Vec<String>,
}

/// A place in one record: the keys that other values name are known.
#[derive(Clone, Debug)]
pub(crate) struct Resolved<'m> {
    place: &'m Place,
    /// The named keys, in their order.
    names: Vec<String>,
}

/// What places refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'r> {
    /// The record, or an item of one of its lists.
    pub(crate) inside: &'r Value,
    /// The delivery around the record, or the record around the item.
    pub(crate) outside: Option<&'r Value>,
    /// The number of this part of a record that was split, from 0.
    pub(crate) part: usize,
    pub(crate) spelling: &'r Spelling,
    /// The keys of what is inside, if they are known.
    pub(crate) keys: Option<Keys>,
}

impl Place {
    pub(crate) fn new(pointer: &str, is_outside: bool, steps: Vec<Step>) -> Self {
        let first = match steps.first() {
            Some(Step::Key { key, .. }) if !is_outside => Some(Keys::sign(key)),
            _ => None,
        };
        Self { pointer: pointer.to_owned(), is_outside, stays: false, steps, first }
    }

    /// Returns the same place, of which nothing is moved.
    pub(crate) fn copied(self) -> Self {
        Self { stays: true, ..self }
    }

    /// Returns the value here as it is, a null too.
    pub(crate) fn find<'r>(&self, view: View<'r>) -> Option<&'r Value> {
        if let (Some(keys), Some(first)) = (view.keys, self.first)
            && !keys.may_have(first)
        {
            return None;
        }
        let top = if self.is_outside { view.outside? } else { view.inside };
        self.steps.iter().try_fold(top, |value, step| step.find(value, view))
    }

    /// Returns the value here, unless it marks a missing one.
    pub(crate) fn value<'r>(&self, view: View<'r>) -> Option<&'r Value> {
        self.find(view).filter(|value| !view.spelling.is_none(value))
    }

    /// Moves the value here out of `record`, and each object that this leaves empty. Moves nothing out
    /// of a list, whose items keep their places, nor out of what is outside, nor what stays.
    pub(crate) fn take(&self, record: &mut Value, spelling: &Spelling) -> Option<Value> {
        if self.is_outside || self.stays {
            return None;
        }
        remove(record, &self.steps, &[], spelling)
    }

    /// Returns the place with each key that another value names, so that it is the same when that value
    /// has been moved.
    pub(crate) fn resolved(&self, view: View<'_>) -> Resolved<'_> {
        let name = |step: &Step| match step {
            Step::Named(place) => {
                Some(place.value(view).and_then(Value::as_str).unwrap_or_default().to_owned())
            }
            _ => None,
        };
        Resolved { place: self, names: self.steps.iter().filter_map(name).collect() }
    }

    /// Returns whether a value here can be moved. An item of a list keeps its place.
    pub(crate) fn is_movable(&self) -> bool {
        !self.is_outside
            && !self.stays
            && !self.steps.iter().any(|step| matches!(step, Step::Entry { .. }))
            && match self.steps.last() {
                Some(Step::Key { index, .. }) => index.is_none(),
                last => last.is_some(),
            }
    }

    /// Returns the value here in order to change it.
    pub(crate) fn find_mut<'r>(
        &self,
        record: &'r mut Value,
        spelling: &Spelling,
    ) -> Option<&'r mut Value> {
        self.steps.iter().try_fold(record, |value, step| match (step, value) {
            (Step::Key { key, .. }, Value::Object(fields)) => {
                let key = spelling.key(fields, key)?.to_owned();
                fields.get_mut(&key)
            }
            (Step::Key { index, .. }, Value::Array(items)) => items.get_mut((*index)?),
            _ => None,
        })
    }
}

impl Resolved<'_> {
    /// Returns the value here as it is, a null too.
    pub(crate) fn find<'r>(&self, view: View<'r>) -> Option<&'r Value> {
        if self.names.is_empty() {
            return self.place.find(view);
        }
        let mut names = self.names.iter();
        let top = if self.place.is_outside { view.outside? } else { view.inside };
        self.place.steps.iter().try_fold(top, |value, step| match step {
            Step::Named(_) => view.spelling.get(value.as_object()?, names.next()?),
            step => step.find(value, view),
        })
    }

    /// Moves the value here out of `record`, as [`Place::take`] does.
    pub(crate) fn take(&self, record: &mut Value, spelling: &Spelling) -> Option<Value> {
        if self.place.is_outside || self.place.stays {
            return None;
        }
        remove(record, &self.place.steps, &self.names, spelling)
    }
}

impl<'r> View<'r> {
    /// Returns the view of an item of one of a record's lists. `around` is the record without them.
    pub(crate) fn of_item(
        item: &'r Value,
        around: &'r Value,
        part: usize,
        spelling: &'r Spelling,
    ) -> Self {
        Self { inside: item, outside: Some(around), part, spelling, keys: None }
    }
}

impl Keys {
    pub(crate) fn of(record: &Value) -> Option<Self> {
        let mut signs = [0; 4];
        for key in record.as_object()?.keys() {
            let sign = Self::sign(key);
            signs[usize::from(sign >> 6)] |= 1_u64 << (sign & 63);
        }
        Some(Self(signs))
    }

    fn may_have(self, sign: u8) -> bool {
        self.0[usize::from(sign >> 6)] >> (sign & 63) & 1 == 1
    }

    /// Returns the sign of a key: FNV-1a over its lower case, folded.
    fn sign(key: &str) -> u8 {
        let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
        });
        (hash ^ hash >> 8 ^ hash >> 16 ^ hash >> 24).to_le_bytes()[0]
    }
}

impl Step {
    pub(crate) fn key(key: &str) -> Self {
        // An index as JSON pointers write it: digits without leading zeros.
        let is_index =
            key.bytes().all(|byte| byte.is_ascii_digit()) && (key == "0" || !key.starts_with('0'));
        let index = if is_index { key.parse().ok() } else { None };
        Self::Key { key: key.to_owned(), index }
    }

    fn find<'r>(&self, value: &'r Value, view: View<'r>) -> Option<&'r Value> {
        match (self, value) {
            (Self::Key { key, .. }, Value::Object(fields)) => view.spelling.get(fields, key),
            (Self::Key { index, .. }, Value::Array(items)) => items.get((*index)?),
            (Self::Named(place), Value::Object(fields)) => {
                view.spelling.get(fields, place.value(view)?.as_str()?)
            }
            (Self::Entry { name, key, values }, Value::Array(items)) => {
                let item = items.iter().find_map(|item| {
                    let item = item.as_object()?;
                    (view.spelling.get(item, key)?.as_str()? == name).then_some(item)
                })?;
                values.iter().find_map(|value| view.spelling.get(item, value))
            }
            _ => None,
        }
    }
}

impl Spelling {
    pub(crate) fn is_none(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::String(text) => self.none.iter().any(|none| none == text),
            _ => false,
        }
    }

    fn get<'r>(&self, fields: &'r Object, key: &str) -> Option<&'r Value> {
        fields.get(key).or_else(|| {
            let mut others = self.other_spellings(fields, key);
            others.next().map(|(_, value)| value)
        })
    }

    /// Returns the key in its own spelling.
    fn key<'r>(&self, fields: &'r Object, key: &'r str) -> Option<&'r str> {
        if fields.contains_key(key) {
            return Some(key);
        }
        self.other_spellings(fields, key).next().map(|(key, _)| key.as_str())
    }

    fn other_spellings<'r>(
        &self,
        fields: &'r Object,
        key: &str,
    ) -> impl Iterator<Item = (&'r String, &'r Value)> {
        let fields = self.ignore_case.then_some(fields).into_iter().flatten();
        fields.filter(move |(other, _)| other.eq_ignore_ascii_case(key))
    }
}

/// Removes the value at `steps`, of which `names` are the keys that other values name.
fn remove(
    value: &mut Value,
    steps: &[Step],
    names: &[String],
    spelling: &Spelling,
) -> Option<Value> {
    let (step, rest) = steps.split_first()?;
    let (key, index, names) = match step {
        Step::Key { key, index } => (key, *index, names),
        Step::Named(_) => {
            let (name, names) = names.split_first()?;
            (name, None, names)
        }
        Step::Entry { .. } => return None,
    };
    match value {
        Value::Object(fields) => {
            let other;
            let key = if spelling.ignore_case && !fields.contains_key(key) {
                other = spelling.key(fields, key)?.to_owned();
                &other
            } else {
                key
            };
            if rest.is_empty() {
                return fields.remove(key);
            }
            let child = fields.get_mut(key)?;
            let taken = remove(child, rest, names, spelling)?;
            if child.as_object().is_some_and(Object::is_empty) {
                fields.remove(key);
            }
            Some(taken)
        }
        // An item of a list keeps its place: only what is within it can go.
        Value::Array(items) if !rest.is_empty() => {
            remove(items.get_mut(index?)?, rest, names, spelling)
        }
        _ => None,
    }
}

/// Returns the name of a place as errors give it: `a.b` for `/a/b`.
pub(crate) fn field(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}
