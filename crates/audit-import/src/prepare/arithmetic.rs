//! The operators of values. Each takes its steps before it computes.

use std::collections::BTreeSet;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

use bstr::ByteSlice;
use jaq_core::{Error, ValR, ops::Math};

use super::budget::{self, Stop};
use super::number::Num;
use super::value::{Fields, List, Val, take};
use super::{MAX_PREPARE_DEPTH, MAX_PREPARE_VALUE_BYTES};

/// Returns the error for a result that JSON cannot say, or that has too many digits.
fn numbers(one: Num, op: Math, other: Num, result: Option<Num>) -> ValR<Val> {
    result.map(Val::Num).ok_or_else(|| Error::math(Val::Num(one), op, Val::Num(other)))
}

/// Returns the value for change, and takes the steps of a copy if it is held elsewhere.
pub(super) fn owned<T: Clone>(shared: &mut Rc<T>, bytes: usize) -> ValR<&mut T, Val> {
    take(if Rc::get_mut(shared).is_some() { 0 } else { bytes })?;
    Ok(Rc::make_mut(shared))
}

/// Returns the value, or the error that it is too large.
pub(super) fn bounded(value: Val) -> ValR<Val> {
    let value = value.bounded();
    take(0).map(|()| value)
}

impl Add for Val {
    type Output = ValR<Self>;

    fn add(self, other: Self) -> ValR<Self> {
        take(0)?;
        match (self, other) {
            (Self::Null, value) | (value, Self::Null) => Ok(value),
            (Self::Num(one), Self::Num(other)) => numbers(one, Math::Add, other, one.plus(other)),
            (Self::Text(mut one), Self::Text(other)) => {
                let length = one.len();
                if length + other.len() > MAX_PREPARE_VALUE_BYTES {
                    budget::stop(Stop::Bytes);
                }
                take(other.len())?;
                owned(&mut one, length)?.extend_from_slice(&other);
                bounded(Self::Text(one))
            }
            (Self::List(mut one), Self::List(other)) => {
                take(other.items.len() * size_of::<Self>())?;
                let bytes = one.items.len() * size_of::<Self>();
                let list = owned(&mut one, bytes)?;
                for item in &other.items {
                    list.push(item.clone());
                }
                bounded(Self::List(one))
            }
            (Self::Object(one), Self::Object(other)) => merged(one, &other, |_, new| Ok(new)),
            (one, other) => Err(Error::math(one, Math::Add, other)),
        }
    }
}

/// Returns the fields of both objects; `both` gives the value of a key that both have.
fn merged(mut one: Rc<Fields>, other: &Fields, both: impl Fn(Val, Val) -> ValR<Val>) -> ValR<Val> {
    let bytes = one.entries.len() * size_of::<(Val, Val)>();
    let fields = owned(&mut one, bytes)?;
    for (key, value) in &other.entries {
        take(key.len())?;
        let value = match fields.remove(key) {
            Some(old) => both(old, value.clone())?,
            None => value.clone(),
        };
        fields.insert(Rc::clone(key), value);
    }
    bounded(Val::Object(one))
}

/// Merges objects within objects, too.
fn merged_deeply(one: Val, other: Val) -> ValR<Val> {
    match (one, other) {
        (Val::Object(one), Val::Object(other)) => merged(one, &other, merged_deeply),
        (_, other) => Ok(other),
    }
}

impl Sub for Val {
    type Output = ValR<Self>;

    fn sub(self, other: Self) -> ValR<Self> {
        take(0)?;
        match (self, other) {
            (Self::Num(one), Self::Num(other)) => numbers(one, Math::Sub, other, one.minus(other)),
            (Self::List(one), Self::List(other)) => {
                let removed: BTreeSet<_> = other.items.iter().collect();
                let left = one.items.iter().filter(|item| !removed.contains(item)).cloned();
                bounded(Self::list(left))
            }
            (one, other) => Err(Error::math(one, Math::Sub, other)),
        }
    }
}

impl Mul for Val {
    type Output = ValR<Self>;

    fn mul(self, other: Self) -> ValR<Self> {
        take(0)?;
        match (self, other) {
            (Self::Num(one), Self::Num(other)) => numbers(one, Math::Mul, other, one.times(other)),
            (Self::Text(text), Self::Num(times)) | (Self::Num(times), Self::Text(text)) => {
                let Some(times) = times.as_int() else {
                    return Err(Error::typ(Self::Num(times), "integer"));
                };
                if times <= 0 {
                    return Ok(Self::Null);
                }
                let times = usize::try_from(times).unwrap_or(usize::MAX);
                let length = text.len().saturating_mul(times);
                if length > MAX_PREPARE_VALUE_BYTES {
                    budget::stop(Stop::Bytes);
                }
                take(length)?;
                // An empty text, too, is repeated in time.
                bounded(Self::Text(Rc::new(if length == 0 {
                    Vec::new()
                } else {
                    text.repeat(times)
                })))
            }
            (Self::Object(one), Self::Object(other)) => {
                merged_deeply(Self::Object(one), Self::Object(other))
            }
            (one, other) => Err(Error::math(one, Math::Mul, other)),
        }
    }
}

impl Div for Val {
    type Output = ValR<Self>;

    fn div(self, other: Self) -> ValR<Self> {
        take(0)?;
        match (self, other) {
            (Self::Num(one), Self::Num(other)) => numbers(one, Math::Div, other, one.over(other)),
            (Self::Text(text), Self::Text(separator)) => {
                take(text.len())?;
                bounded(split(&text, &separator))
            }
            (one, other) => Err(Error::math(one, Math::Div, other)),
        }
    }
}

fn split(text: &[u8], separator: &[u8]) -> Val {
    if text.is_empty() {
        return Val::List(Rc::new(List::default()));
    }
    if separator.is_empty() {
        let characters = text.utf8_chunks().flat_map(|chunk| {
            let invalid = (!chunk.invalid().is_empty()).then(|| Val::text(chunk.invalid()));
            chunk.valid().split_inclusive(|_| true).map(Val::text).chain(invalid)
        });
        return Val::list(characters);
    }
    let mut rest = Some(text);
    Val::list(std::iter::from_fn(|| {
        let left = rest?;
        let at = left.find(separator);
        rest = at.map(|at| &left[at + separator.len()..]);
        Some(Val::text(&left[..at.unwrap_or(left.len())]))
    }))
}

impl Rem for Val {
    type Output = ValR<Self>;

    fn rem(self, other: Self) -> ValR<Self> {
        take(0)?;
        match (self, other) {
            (Self::Num(one), Self::Num(other)) => numbers(one, Math::Rem, other, one.modulo(other)),
            (one, other) => Err(Error::math(one, Math::Rem, other)),
        }
    }
}

impl Neg for Val {
    type Output = ValR<Self>;

    fn neg(self) -> ValR<Self> {
        take(0)?;
        match self {
            Self::Num(number) => {
                number.negated().map(Self::Num).ok_or_else(|| Error::typ(self, "smaller number"))
            }
            other => Err(Error::typ(other, "number")),
        }
    }
}

const _: () = assert!(MAX_PREPARE_DEPTH <= 128, "a merge goes through all levels on the stack");
