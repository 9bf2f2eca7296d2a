//! The values of a program: those of JSON, with their size and depth.

use std::collections::BTreeMap;
use std::rc::Rc;

use jaq_core::Error;
use jaq_core::data::JustLut;
use serde_json::Value;

use super::budget::{self, Stop};
use super::number::Num;
use super::{MAX_PREPARE_DEPTH, MAX_PREPARE_VALUE_BYTES};

/// The data of a run: the program alone.
pub(super) type Data = JustLut<Val>;

/// The bytes that a value counts for beside those of its text.
pub(super) const VALUE_BYTES: usize = 16;

/// A value of a program.
///
/// Each list and object knows its size with all that is in it, however often a part of it is shared. So a
/// list that holds another one twice, and so on, is as large as it would be in JSON, and is refused before
/// anything has to go through it.
#[derive(Debug)]
pub(crate) enum Val {
    Null,
    Bool(bool),
    Num(Num),
    /// UTF-8, unless the program decoded other bytes.
    Text(Rc<Vec<u8>>),
    List(Rc<List>),
    Object(Rc<Fields>),
}

/// The key of an object.
pub(super) type Key = Rc<Vec<u8>>;

#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(super) items: Vec<Val>,
    pub(super) size: usize,
    /// The levels of lists and objects, or more if something was taken out.
    pub(super) depth: usize,
}

/// The fields of an object, in the order of their keys: the same record in another order of keys has to
/// give the same event.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(super) entries: BTreeMap<Key, Val>,
    pub(super) size: usize,
    pub(super) depth: usize,
}

impl Val {
    pub(super) fn text(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        budget::charge_bytes(bytes.len());
        Self::Text(Rc::new(bytes)).bounded()
    }

    /// Creates a list of these items, as far as the budget allows.
    pub(super) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        let mut list = List::default();
        for item in items {
            budget::charge(1);
            list.push(item);
            if list.is_too_large() || budget::stopped().is_some() {
                break;
            }
        }
        Self::List(Rc::new(list)).bounded()
    }

    /// Creates an object of these fields, as far as the budget allows.
    pub(super) fn object(entries: impl IntoIterator<Item = (Key, Self)>) -> Self {
        let mut fields = Fields::default();
        for (key, value) in entries {
            budget::charge(1);
            fields.insert(key, value);
            if fields.size > MAX_PREPARE_VALUE_BYTES || budget::stopped().is_some() {
                break;
            }
        }
        Self::Object(Rc::new(fields)).bounded()
    }

    /// Returns the bytes that the value counts for.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Num(_) => VALUE_BYTES,
            Self::Text(text) => VALUE_BYTES + text.len(),
            Self::List(list) => list.size,
            Self::Object(fields) => fields.size,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Object(fields) => fields.depth,
            _ => 0,
        }
    }

    /// Returns the value; `null` if it is too large, which stops the run.
    pub(super) fn bounded(self) -> Self {
        let stop = if self.depth() > MAX_PREPARE_DEPTH {
            Stop::Depth
        } else if self.size() > MAX_PREPARE_VALUE_BYTES {
            Stop::Bytes
        } else {
            return self;
        };
        budget::stop(stop);
        Self::Null
    }

    /// Reads a value of a record.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            // Every number of a record is finite.
            Value::Number(number) => Num::of(number).map_or(Self::Null, Self::Num),
            Value::String(text) => Self::text(text.as_bytes()),
            Value::Array(items) => Self::list(items.iter().map(Self::of)),
            Value::Object(fields) => {
                let key = |key: &String| Rc::new(key.as_bytes().to_vec());
                Self::object(fields.iter().map(|(name, value)| (key(name), Self::of(value))))
            }
        }
    }

    /// Returns the value as it is in a record. Fails with the reason if JSON cannot say it.
    pub(super) fn to_json(&self) -> Result<Value, &'static str> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => (*truth).into(),
            Self::Num(number) => number
                .to_json()
                .ok_or("a number has more digits than can be stored exactly")?
                .into(),
            Self::Text(text) => utf8(text)?.into(),
            Self::List(list) => list.items.iter().map(Self::to_json).collect::<Result<_, _>>()?,
            Self::Object(fields) => fields
                .entries
                .iter()
                .map(|(key, value)| Ok((utf8(key)?.to_owned(), value.to_json()?)))
                .collect::<Result<Value, &'static str>>()?,
        })
    }

    /// Returns the name of the value's type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Num(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Takes a step, because the engine copies a value wherever a program can go more than one way.
impl Clone for Val {
    fn clone(&self) -> Self {
        budget::charge(1);
        match self {
            Self::Null => Self::Null,
            Self::Bool(truth) => Self::Bool(*truth),
            Self::Num(number) => Self::Num(*number),
            Self::Text(text) => Self::Text(Rc::clone(text)),
            Self::List(list) => Self::List(Rc::clone(list)),
            Self::Object(fields) => Self::Object(Rc::clone(fields)),
        }
    }
}

fn utf8(text: &[u8]) -> Result<&str, &'static str> {
    str::from_utf8(text).map_err(|_| "a text is not UTF-8")
}

impl Default for List {
    fn default() -> Self {
        Self { items: Vec::new(), size: VALUE_BYTES, depth: 1 }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), size: VALUE_BYTES, depth: 1 }
    }
}

impl List {
    pub(super) fn push(&mut self, item: Val) {
        self.size = self.size.saturating_add(item.size());
        self.depth = self.depth.max(1 + item.depth());
        self.items.push(item);
    }

    /// Takes the item at `index` out, and leaves `null`.
    pub(super) fn take(&mut self, index: usize) -> Option<Val> {
        let item = std::mem::replace(self.items.get_mut(index)?, Val::Null);
        self.size = self.size - item.size() + VALUE_BYTES;
        Some(item)
    }

    /// Replaces a `null` by an item, or removes it.
    pub(super) fn put(&mut self, index: usize, item: Option<Val>) {
        if let Some(item) = item {
            self.size = (self.size - VALUE_BYTES).saturating_add(item.size());
            self.depth = self.depth.max(1 + item.depth());
            self.items[index] = item;
        } else {
            budget::charge(self.items.len() - index);
            self.size -= VALUE_BYTES;
            self.items.remove(index);
        }
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.size > MAX_PREPARE_VALUE_BYTES
    }
}

impl Fields {
    pub(super) fn insert(&mut self, key: Key, value: Val) {
        let size = key.len() + value.size();
        self.depth = self.depth.max(1 + value.depth());
        let key_size = key.len();
        let old = self.entries.insert(key, value).map_or(0, |old| key_size + old.size());
        self.size = (self.size - old).saturating_add(size);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Val> {
        let value = self.entries.remove(key)?;
        self.size -= key.len() + value.size();
        Some(value)
    }
}

/// Takes a step, and as many as `bytes` need. Fails if the run has been stopped.
pub(super) fn take(bytes: usize) -> Result<(), Error<Val>> {
    budget::charge_bytes(bytes);
    match budget::stopped() {
        None => Ok(()),
        Some(stop) => Err(Error::str(stop)),
    }
}
