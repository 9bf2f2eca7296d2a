//! What is picked of a record for a field, before anything is moved.

use std::str::FromStr;

use serde_json::Value;

use crate::expr::{Expr, Found};
use crate::place::{Place, Resolved, Spelling, View};
use crate::record::Record;

/// The text of a field.
pub(crate) enum Pick<'m> {
    /// The text at a place, to be moved.
    Move(Resolved<'m>),
    Text(String),
}

impl<'m> Pick<'m> {
    /// Picks a text of at most `limit` bytes. A larger one stays, and its field is noted.
    pub(crate) fn of(
        expr: &'m Expr,
        limit: usize,
        view: View<'_>,
        field: &dyn Fn() -> String,
        too_large: &mut Vec<String>,
    ) -> Option<Self> {
        let found = expr.find(view).filter(|found| !found.as_str().is_empty())?;
        if found.as_str().len() > limit {
            too_large.push(field());
            return None;
        }
        Some(found.into())
    }

    /// Picks the text of an id; `None` if it has another form. Moves it only if the model prints it the same.
    pub(crate) fn exact<T: FromStr + ToString>(found: Found<'m, '_>) -> Option<Self> {
        let id = found.as_str().parse::<T>().ok()?.to_string();
        Some(if id == found.as_str() { Self::from(found) } else { Self::Text(id) })
    }

    /// Takes the text out of a record, or an item of one of its lists.
    pub(crate) fn take(self, record: &mut Value, spelling: &Spelling) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Move(place) => match place.take(record, spelling)? {
                Value::String(text) => Some(text),
                _ => None,
            },
        }
    }

    /// Takes the text out of a record.
    pub(crate) fn take_from(self, record: &mut Record<'_>) -> Option<String> {
        self.take(&mut record.fields, record.spelling)
    }
}

impl<'m> From<Found<'m, '_>> for Pick<'m> {
    fn from(found: Found<'m, '_>) -> Self {
        match found {
            Found::Move(place, _) => Self::Move(place),
            Found::Text(text) => Self::Text(text.into_owned()),
        }
    }
}

/// Returns the first of these places that has a value, whatever it is.
pub(crate) fn first_present<'m>(places: &'m [Place], view: View<'_>) -> Option<Resolved<'m>> {
    let place = places.iter().find(|place| place.find(view).is_some())?;
    Some(place.resolved(view))
}
