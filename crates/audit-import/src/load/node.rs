//! The values of a mapping's text, each with its key and its line, which its errors name.

use audit_core::{Error, Result};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const NO_VALUE: &DeValue<'_> = &DeValue::Boolean(false);

/// A value, and where it is in the text.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    text: &'a str,
    /// The keys on the way to the value, with dots.
    pub(super) key: String,
    value: &'a DeValue<'a>,
    at: usize,
}

/// The values of a table that were not taken.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    table: Node<'a>,
    /// The keys that were asked for.
    known: Vec<String>,
    left: Vec<(&'a str, Node<'a>)>,
}

/// Returns the error for a text that is no TOML.
pub(super) fn no_toml(text: &str, error: &toml::de::Error) -> Error {
    let at = error.span().map_or(0, |span| span.start);
    fault(text, at, "", error.message().to_owned())
}

fn fault(text: &str, at: usize, key: &str, message: String) -> Error {
    let line = 1 + text.get(..at).map_or(0, |before| before.matches('\n').count());
    let field = if key.is_empty() { format!("line {line}") } else { format!("line {line}: {key}") };
    Error::malformed(field, "valid in a mapping").with_source(message)
}

impl<'a> Node<'a> {
    /// Creates the node of the whole text.
    pub(super) fn top(text: &'a str, table: &'a DeTable<'a>) -> Fields<'a> {
        Self { text, ..Node::nowhere() }.fields(table)
    }

    /// Creates a node for what is not in the text.
    pub(super) fn nowhere() -> Node<'static> {
        Node { text: "", key: String::new(), value: NO_VALUE, at: 0 }
    }

    fn child(&self, key: String, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { text: self.text, key, value: value.get_ref(), at: value.span().start }
    }

    /// Returns the error for this value.
    pub(super) fn fault(&self, message: impl Into<String>) -> Error {
        fault(self.text, self.at, &self.key, message.into())
    }

    pub(super) fn text(&self) -> Result<&'a str> {
        self.as_text().ok_or_else(|| self.fault("is not a text"))
    }

    pub(super) fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    pub(super) fn truth(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.fault("is neither true nor false"))
    }

    /// Returns the items of a list; `None` for any other value.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let items = self.value.as_array()?;
        let child = |(index, item)| self.child(format!("{}[{index}]", self.key), item);
        Some(items.iter().enumerate().map(child).collect())
    }

    /// Returns the items of a list, or the value itself.
    pub(super) fn one_or_more(&self) -> Vec<Self> {
        self.items().unwrap_or_else(|| vec![self.clone()])
    }

    /// Returns the fields of a table, in the order of the text.
    pub(super) fn table(&self) -> Result<Fields<'a>> {
        self.as_table().ok_or_else(|| self.fault("is not a table"))
    }

    pub(super) fn as_table(&self) -> Option<Fields<'a>> {
        Some(self.fields(self.value.as_table()?))
    }

    fn fields(&self, table: &'a DeTable<'a>) -> Fields<'a> {
        let name = |key: &str| match &*self.key {
            "" => key.to_owned(),
            above => format!("{above}.{key}"),
        };
        let mut left: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let text: &str = key.get_ref();
                (key.span().start, text, self.child(name(text), value))
            })
            .collect();
        left.sort_by_key(|(at, ..)| *at);
        let left = left.into_iter().map(|(_, key, node)| (key, node)).collect();
        Fields { table: self.clone(), known: Vec::new(), left }
    }
}

impl<'a> Fields<'a> {
    /// Takes the value of this key out.
    pub(super) fn take(&mut self, key: &str) -> Option<Node<'a>> {
        self.known.push(key.to_owned());
        let at = self.left.iter().position(|(other, _)| *other == key)?;
        Some(self.left.remove(at).1)
    }

    /// Takes the value of this key out. Fails if it is absent.
    pub(super) fn required(&mut self, key: &str) -> Result<Node<'a>> {
        self.take(key).ok_or_else(|| self.table.fault(format!("`{key}` is missing")))
    }

    /// Takes all values out.
    pub(super) fn drain(&mut self) -> Vec<(&'a str, Node<'a>)> {
        std::mem::take(&mut self.left)
    }

    /// Fails if a value was not taken: its key is not known.
    pub(super) fn finish(self) -> Result<()> {
        match self.left.first() {
            None => Ok(()),
            Some((_, node)) => {
                Err(node.fault(format!("is not a known key here; known are {}", names(self.known))))
            }
        }
    }
}

/// Joins the names of keys.
pub(super) fn names(keys: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let names: Vec<_> = keys.into_iter().map(|key| format!("`{key}`")).collect();
    names.join(", ")
}
