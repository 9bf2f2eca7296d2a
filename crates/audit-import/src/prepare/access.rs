//! What the engine asks of a value: its parts, and their change.

use std::rc::Rc;

use bstr::ByteSlice;
use jaq_core::path::Opt;
use jaq_core::val::{Range, ValT, ValX};
use jaq_core::{Error, Exn, ValR, box_iter::BoxIter};

use super::arithmetic::{bounded, owned};
use super::budget;
use super::number::Num;
use super::value::{Key, List, Val, take};

type Values = Box<dyn Iterator<Item = ValR<Val>>>;

/// Returns the place in a list that an index names, which counts from the end if it is negative.
fn place(index: Num, length: usize) -> Option<usize> {
    let index = index.as_int()?;
    let start = if index < 0 { i128::try_from(length).ok()? } else { 0 };
    usize::try_from(start + index).ok()
}

/// Returns the place of a bound, which is within the list.
fn bound(bound: Option<&Val>, length: usize, absent: usize) -> ValR<usize, Val> {
    match bound {
        None | Some(Val::Null) => Ok(absent),
        Some(Val::Num(index)) if index.as_int().is_some() => {
            let beyond = if *index < Num::Int(0) { 0 } else { length };
            Ok(place(*index, length).map_or(beyond, |at| at.min(length)))
        }
        Some(other) => Err(Error::typ(other.clone(), "integer")),
    }
}

fn bounds(range: &Range<&Val>, length: usize) -> ValR<std::ops::Range<usize>, Val> {
    let start = bound(range.start, length, 0)?;
    Ok(start..bound(range.end, length, length)?.max(start))
}

/// Returns the bytes of the characters with these numbers.
fn characters(text: &[u8], range: &Range<&Val>) -> ValR<std::ops::Range<usize>, Val> {
    take(text.len())?;
    let range = bounds(range, text.chars().count())?;
    let byte = |number| text.char_indices().nth(number).map_or(text.len(), |(at, ..)| at);
    Ok(byte(range.start)..byte(range.end))
}

/// Returns the bounds that `{"start": 1, "end": 2}` says, as in the path of a slice.
fn slice(index: &Val) -> Option<Range<&Val>> {
    let Val::Object(fields) = index else { return None };
    let bound = |name: &str| fields.entries.get(&Key::new(name.as_bytes().to_vec()));
    Some(bound("start")..bound("end"))
}

fn first<'a>(mut outputs: impl Iterator<Item = ValX<'a, Val>>) -> ValX<'a, Option<Val>, Val> {
    outputs.next().transpose()
}

impl Val {
    fn no_parts(self) -> Error<Self> {
        Error::typ(self, "iterable (array or object)")
    }

    /// Returns the part of this index; `None` if it is absent.
    pub(super) fn part(&self, index: &Self) -> ValR<Option<Self>, Self> {
        match (self, index) {
            (Self::Object(fields), Self::Text(key)) => {
                take(key.len())?;
                Ok(fields.entries.get(key).cloned())
            }
            (Self::List(list), Self::Num(index)) => {
                take(0)?;
                let at = place(*index, list.items.len());
                Ok(at.and_then(|at| list.items.get(at)).cloned())
            }
            (Self::Null, Self::Text(_) | Self::Num(_)) => Ok(None),
            _ => match slice(index) {
                Some(range) => self.clone().range(range).map(Some),
                None => Err(Error::index(self.clone(), index.clone())),
            },
        }
    }
}

impl FromIterator<Val> for Val {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::list(items)
    }
}

impl ValT for Val {
    fn from_num(text: &str) -> ValR<Self> {
        take(text.len())?;
        let number = Num::parse(text).map(Self::Num);
        number.ok_or_else(|| Error::str(format_args!("the number {text} is too large")))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(entries: I) -> ValR<Self> {
        take(0)?;
        let entries = entries.into_iter().map(|(key, value)| match key {
            Self::Text(key) => Ok((key, value)),
            other => Err(Error::typ(other, "object key")),
        });
        bounded(Self::object(entries.collect::<Result<Vec<_>, _>>()?))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Self, Self), Self>> {
        if let Err(error) = take(0) {
            return Box::new(std::iter::once(Err(error)));
        }
        match self {
            Self::List(list) => Box::new((0..list.items.len()).map(move |at| {
                take(0)?;
                Ok((Self::from(at), list.items[at].clone()))
            })),
            Self::Object(fields) => {
                let fields = Rc::unwrap_or_clone(fields);
                budget::charge(fields.entries.len());
                Box::new(fields.entries.into_iter().map(|(key, value)| {
                    take(0)?;
                    Ok((Self::Text(key), value))
                }))
            }
            other => Box::new(std::iter::once(Err(other.no_parts()))),
        }
    }

    fn values(self) -> Values {
        if let Err(error) = take(0) {
            return Box::new(std::iter::once(Err(error)));
        }
        match self {
            Self::List(list) => Box::new((0..list.items.len()).map(move |at| {
                take(0)?;
                Ok(list.items[at].clone())
            })),
            Self::Object(_) => {
                Box::new(self.key_values().map(|entry| entry.map(|(_, value)| value)))
            }
            other => Box::new(std::iter::once(Err(other.no_parts()))),
        }
    }

    fn index(self, index: &Self) -> ValR<Self> {
        self.part(index).map(|part| part.unwrap_or(Self::Null))
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        match &self {
            Self::Null => Ok(self),
            Self::Text(text) => Ok(Self::text(&text[characters(text, &range)?])),
            Self::List(list) => {
                let range = bounds(&range, list.items.len())?;
                take(range.len() * size_of::<Self>())?;
                Ok(Self::list(list.items[range].iter().cloned()))
            }
            _ => Err(Error::typ(self, "rangeable (array or string)")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        take(match &self {
            Self::List(list) => list.items.len() * size_of::<Self>(),
            Self::Object(fields) => fields.entries.len() * size_of::<(Self, Self)>(),
            _ => 0,
        })?;
        match self {
            Self::List(list) => {
                let items = Rc::unwrap_or_clone(list).items.into_iter().flat_map(f);
                let items = items.collect::<Result<Self, _>>()?;
                Ok(bounded(items)?)
            }
            Self::Object(fields) => {
                let entries = Rc::unwrap_or_clone(fields).entries.into_iter();
                let entries = entries.filter_map(|(key, value)| match first(f(value)) {
                    Ok(value) => value.map(|value| Ok((key, value))),
                    Err(error) => Some(Err(error)),
                });
                let entries = entries.collect::<Result<Vec<_>, Exn<'a, Self>>>()?;
                Ok(bounded(Self::object(entries))?)
            }
            other => opt.fail(other, |other| Exn::from(other.no_parts())),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        if let (Self::Text(_) | Self::List(_), Some(range)) = (&self, slice(index)) {
            return self.map_range(range, opt, f);
        }
        take(0)?;
        match (self, index) {
            (Self::Object(mut object), Self::Text(key)) => {
                let bytes = key.len() + object.entries.len() * size_of::<(Self, Self)>();
                let fields = owned(&mut object, bytes)?;
                let old = fields.remove(key).unwrap_or(Self::Null);
                if let Some(value) = first(f(old))? {
                    fields.insert(Rc::clone(key), value);
                }
                Ok(bounded(Self::Object(object))?)
            }
            (Self::Null, Self::Text(key)) => match first(f(Self::Null))? {
                Some(value) => Ok(bounded(Self::object([(Rc::clone(key), value)]))?),
                None => Ok(Self::Null),
            },
            (Self::List(mut items), Self::Num(number)) => {
                let bytes = items.items.len() * size_of::<Self>();
                let at = place(*number, items.items.len());
                let list = owned(&mut items, bytes)?;
                let Some((at, old)) = at.and_then(|at| Some((at, list.take(at)?))) else {
                    let error = || Error::str(format_args!("index {number} out of bounds"));
                    return opt.fail(Self::List(items), |_| Exn::from(error()));
                };
                let new = first(f(old))?;
                list.put(at, new);
                Ok(bounded(Self::List(items))?)
            }
            (other, index) => {
                opt.fail(other, |other| Exn::from(Error::index(other, index.clone())))
            }
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        take(0)?;
        match self {
            Self::Text(text) => {
                let part = characters(&text, &range)?;
                let new = match first(f(Self::text(&text[part.clone()])))? {
                    None => Rc::default(),
                    Some(Self::Text(new)) => new,
                    Some(other) => return Err(Error::typ(other, "string").into()),
                };
                take(text.len() + new.len())?;
                let all = [&text[..part.start], &new, &text[part.end..]].concat();
                Ok(bounded(Self::text(all))?)
            }
            Self::List(list) => {
                let part = bounds(&range, list.items.len())?;
                let old = Self::list(list.items[part.clone()].iter().cloned());
                let new = match first(f(old))? {
                    None => Rc::new(List::default()),
                    Some(Self::List(new)) => new,
                    Some(other) => return Err(Error::typ(other, "array").into()),
                };
                take((list.items.len() + new.items.len()) * size_of::<Self>())?;
                let all = [&list.items[..part.start], &new.items, &list.items[part.end..]];
                Ok(bounded(Self::list(all.into_iter().flatten().cloned()))?)
            }
            other => {
                opt.fail(other, |other| Exn::from(Error::typ(other, "rangeable (array or string)")))
            }
        }
    }

    fn as_bool(&self) -> bool {
        budget::charge(1);
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        if matches!(self, Self::Text(_)) { self } else { self.to_text() }
    }
}

impl jaq_std::ValT for Val {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::List(list) => {
                budget::charge(1 + list.items.len());
                Ok(Rc::unwrap_or_clone(list).items.into_iter().collect())
            }
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Num(number) if number.as_int().is_some())
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            // The standard library negates it.
            Self::Num(number) => {
                number.as_int()?.try_into().ok().filter(|int: &isize| *int != isize::MIN)
            }
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Num(number) => Some(number.as_f64()),
            _ => None,
        }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => {
                budget::charge_bytes(text.len());
                Some(text)
            }
            _ => None,
        }
    }

    fn as_sub_str(&self, sub: &[u8]) -> Self {
        Self::text(sub)
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::text(bytes.as_ref())
    }
}

impl From<bool> for Val {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<isize> for Val {
    fn from(number: isize) -> Self {
        budget::charge(1);
        Self::Num(Num::Int(number as i128))
    }
}

impl From<usize> for Val {
    fn from(number: usize) -> Self {
        Self::Num(Num::Int(number as i128))
    }
}

impl From<f64> for Val {
    fn from(number: f64) -> Self {
        // No operation gives another float.
        Num::finite(number).map_or(Self::Null, Self::Num)
    }
}

impl From<String> for Val {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Range<Self>> for Val {
    fn from(range: Range<Self>) -> Self {
        let bounds = [("start", range.start), ("end", range.end)];
        let entry =
            |(name, bound): (&str, Option<Self>)| Some((Rc::new(name.as_bytes().to_vec()), bound?));
        Self::object(bounds.into_iter().filter_map(entry))
    }
}
