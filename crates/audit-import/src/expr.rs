//! The expressions of a mapping: how the text of a field is made of a record.

use std::borrow::Cow;

use serde_json::Value;

use crate::glob::{Glob, expand};
use crate::place::{Place, Resolved, View};

/// An expression whose value is a text.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    /// The text at a place, which is moved. A number is copied, so that its type is not lost.
    Move(Place),
    /// A copy of the text or number at a place.
    Copy(Place),
    /// Texts and values, joined.
    Template(Vec<Part>),
    /// The value of the first expression that has one.
    First(Vec<Expr>),
    /// A text of the mapping.
    Constant(String),
    /// What a table has for a value.
    Lookup {
        from: Box<Expr>,
        rows: Vec<(Glob, String)>,
        otherwise: Option<String>,
        absent: Option<String>,
    },
    /// A value as a term of a vocabulary.
    Term(Box<Expr>),
    /// A value under a condition.
    If(Box<Condition>, Box<Expr>),
}

/// A part of a template.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    /// A value. The template has none if it is required and absent.
    Value {
        expr: Expr,
        is_required: bool,
    },
    /// The number of this part of a record that was split.
    Number,
}

/// What must hold of a record.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// The expression has a value.
    Present(Expr),
    /// A value matches one of the patterns.
    Is(Expr, Vec<Glob>),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

/// The value of an expression.
#[derive(Debug)]
pub(crate) enum Found<'m, 'r> {
    /// The text at a place, to be moved.
    Move(Resolved<'m>, &'r str),
    Text(Cow<'r, str>),
}

impl<'r> Found<'_, 'r> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Move(_, text) => text,
            Self::Text(text) => text,
        }
    }

    fn into_text(self) -> Cow<'r, str> {
        match self {
            Self::Move(_, text) => text.into(),
            Self::Text(text) => text,
        }
    }
}

impl Expr {
    /// Returns the value of the expression.
    pub(crate) fn find<'m, 'r>(&'m self, view: View<'r>) -> Option<Found<'m, 'r>>
    where
        'm: 'r,
    {
        match self {
            Self::Move(place) => text_at(place, view),
            Self::Copy(place) => text(place.value(view)?).map(Found::Text),
            Self::Template(parts) => template(parts, view).map(|text| Found::Text(text.into())),
            Self::First(alternatives) => alternatives.iter().find_map(|expr| expr.find(view)),
            Self::Constant(text) => Some(Found::Text(text.into())),
            Self::Lookup { from, rows, otherwise, absent } => {
                let Some(found) = from.find_any(view) else {
                    return absent.as_deref().map(|text| Found::Text(text.into()));
                };
                let row = rows
                    .iter()
                    .find_map(|(glob, output)| Some((output, glob.captures(found.as_str())?)));
                let (output, captures) = match &row {
                    Some((output, captures)) => (output.as_str(), captures.as_slice()),
                    None => (otherwise.as_deref()?, &[][..]),
                };
                match output {
                    "$0" => Some(found),
                    _ if !output.contains('$') => Some(Found::Text(output.into())),
                    _ => Some(Found::Text(expand(output, found.as_str(), captures).into())),
                }
            }
            Self::Term(expr) => Some(Found::Text(term(expr.find(view)?.as_str()).into())),
            Self::If(condition, expr) => {
                if condition.holds(view) {
                    expr.find(view)
                } else {
                    None
                }
            }
        }
    }

    /// Returns the value of the expression; a truth value is a text here.
    fn find_any<'m, 'r>(&'m self, view: View<'r>) -> Option<Found<'m, 'r>>
    where
        'm: 'r,
    {
        match self {
            Self::Move(place) | Self::Copy(place) => match place.value(view)? {
                Value::Bool(value) => {
                    Some(Found::Text(if *value { "true" } else { "false" }.into()))
                }
                _ => self.find(view),
            },
            Self::First(alternatives) => alternatives.iter().find_map(|expr| expr.find_any(view)),
            _ => self.find(view),
        }
    }

    /// Returns whether the expression has a value: of a place, one of any type.
    fn is_present(&self, view: View<'_>) -> bool {
        match self {
            Self::Move(place) | Self::Copy(place) => place.value(view).is_some(),
            Self::First(alternatives) => alternatives.iter().any(|expr| expr.is_present(view)),
            _ => self.find(view).is_some(),
        }
    }

    /// Returns whether every value of the expression is in the mapping itself.
    pub(crate) fn is_constant(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Lookup { .. } => true,
            Self::If(_, expr) | Self::Term(expr) => expr.is_constant(),
            Self::First(alternatives) => alternatives.iter().all(Self::is_constant),
            Self::Move(_) | Self::Copy(_) | Self::Template(_) => false,
        }
    }

    /// Visits the places of which the expression is made, but not those of its conditions.
    pub(crate) fn places<'m>(&'m self, visit: &mut dyn FnMut(&'m Place)) {
        match self {
            Self::Move(place) | Self::Copy(place) => visit(place),
            Self::First(alternatives) => {
                for expr in alternatives {
                    expr.places(visit);
                }
            }
            Self::Template(parts) => {
                for part in parts {
                    if let Part::Value { expr, .. } = part {
                        expr.places(visit);
                    }
                }
            }
            Self::Lookup { from: expr, .. } | Self::Term(expr) | Self::If(_, expr) => {
                expr.places(visit);
            }
            Self::Constant(_) => {}
        }
    }

    /// Visits the places that the expression can move.
    pub(crate) fn moved<'m>(&'m self, visit: &mut dyn FnMut(&'m Place)) {
        match self {
            Self::Move(place) => visit(place),
            Self::First(alternatives) => {
                for expr in alternatives {
                    expr.moved(visit);
                }
            }
            Self::Lookup { from, rows, otherwise, .. } => {
                let mut outputs = rows.iter().map(|(_, output)| output).chain(otherwise);
                if outputs.any(|output| output == "$0") {
                    from.moved(visit);
                }
            }
            Self::If(_, expr) => expr.moved(visit),
            Self::Copy(_) | Self::Template(_) | Self::Constant(_) | Self::Term(_) => {}
        }
    }
}

impl Condition {
    pub(crate) fn holds(&self, view: View<'_>) -> bool {
        match self {
            Self::Present(expr) => expr.is_present(view),
            Self::Is(expr, globs) => expr
                .find_any(view)
                .is_some_and(|found| globs.iter().any(|glob| glob.matches(found.as_str()))),
            Self::Not(condition) => !condition.holds(view),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(view)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(view)),
        }
    }

    /// Visits the places of which the condition is made.
    pub(crate) fn places<'m>(&'m self, visit: &mut dyn FnMut(&'m Place)) {
        match self {
            Self::Present(expr) | Self::Is(expr, _) => expr.places(visit),
            Self::Not(condition) => condition.places(visit),
            Self::All(conditions) | Self::Any(conditions) => {
                for condition in conditions {
                    condition.places(visit);
                }
            }
        }
    }
}

/// Returns the text at a place, to be moved, or a copy of the number.
pub(crate) fn text_at<'m, 'r>(place: &'m Place, view: View<'r>) -> Option<Found<'m, 'r>> {
    match place.value(view)? {
        Value::String(text) => Some(Found::Move(place.resolved(view), text)),
        value => text(value).map(Found::Text),
    }
}

/// Returns a text or number as a text.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// Joins the parts. One without a value goes with the text before it; the first, with the text after it.
fn template(parts: &[Part], view: View<'_>) -> Option<String> {
    let mut joined = String::new();
    let (mut separator, mut has_value) = ("", false);
    for part in parts {
        let value = match part {
            Part::Text(text) => {
                separator = text;
                continue;
            }
            Part::Number => Some(Cow::Owned(view.part.to_string())),
            Part::Value { expr, is_required } => match expr.find_any(view) {
                None if *is_required => return None,
                value => value.map(Found::into_text),
            },
        };
        if let Some(value) = value {
            let is_first = joined.is_empty() && !has_value;
            if !is_first || matches!(parts.first(), Some(Part::Text(_))) {
                joined.push_str(separator);
            }
            joined.push_str(&value);
            has_value |= !matches!(part, Part::Number);
        }
        separator = "";
    }
    joined.push_str(separator);
    has_value.then_some(joined)
}

/// Returns a text as a term of a vocabulary: in lower case, with `_` for what is no letter or digit.
fn term(text: &str) -> String {
    let mut term = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            term.extend(letter.to_lowercase());
        } else if !term.ends_with('_') {
            term.push('_');
        }
    }
    term
}
