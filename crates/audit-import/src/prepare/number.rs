//! The numbers of a program: exact integers, and finite floats.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Mul, Sub};

use serde_json::Number;

/// A number. No arithmetic gives one that JSON cannot say, or an integer with fewer digits than it has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Num {
    Int(i128),
    /// A finite float.
    Float(f64),
}

/// From this size on, every float is outside the integers of 128 bits.
const INT_END: f64 = 1.7e38;

impl Num {
    /// Returns the float, unless it is infinite or no number.
    pub(super) fn finite(float: f64) -> Option<Self> {
        float.is_finite().then_some(Self::Float(float))
    }

    /// Reads a literal of a program, or a text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(int) => Some(Self::Int(int)),
            Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) => None,
            Err(_) => text.parse().ok().and_then(Self::finite),
        }
    }

    /// Returns a number of a record.
    pub(super) fn of(number: &Number) -> Option<Self> {
        number.as_i128().map(Self::Int).or_else(|| number.as_f64().and_then(Self::finite))
    }

    /// Returns the number as it is in a record; `None` for an integer of more than 64 bits.
    pub(super) fn to_json(self) -> Option<Number> {
        match self {
            Self::Int(int) => Number::from_i128(int),
            Self::Float(float) => Number::from_f64(float),
        }
    }

    pub(super) fn as_f64(self) -> f64 {
        match self {
            // An operation with a float is one of floats.
            #[expect(clippy::cast_precision_loss)]
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    /// Returns the integer that the number is, whatever its spelling.
    pub(super) fn as_int(self) -> Option<i128> {
        match self {
            Self::Int(int) => Some(int),
            #[expect(clippy::cast_possible_truncation)]
            Self::Float(float) => {
                (float.fract() == 0.0 && float.abs() < INT_END).then_some(float as i128)
            }
        }
    }

    pub(super) fn negated(self) -> Option<Self> {
        match self {
            Self::Int(int) => int.checked_neg().map(Self::Int),
            Self::Float(float) => Some(Self::Float(-float)),
        }
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_add, f64::add)
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_sub, f64::sub)
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_mul, f64::mul)
    }

    /// Divides; `None` by zero. The quotient of two integers is one, if there is no remainder.
    pub(super) fn over(self, other: Self) -> Option<Self> {
        if let (Self::Int(one), Self::Int(other)) = (self, other)
            && one.checked_rem(other)? == 0
        {
            return one.checked_div(other).map(Self::Int);
        }
        Self::finite(self.as_f64() / other.as_f64())
    }

    /// Returns the remainder; `None` by zero.
    pub(super) fn modulo(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_rem, |one, other| one % other)
    }

    fn with(
        self,
        other: Self,
        ints: fn(i128, i128) -> Option<i128>,
        floats: fn(f64, f64) -> f64,
    ) -> Option<Self> {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => ints(one, other).map(Self::Int),
            (one, other) => Self::finite(floats(one.as_f64(), other.as_f64())),
        }
    }
}

impl Ord for Num {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Int(one), Self::Int(other)) => one.cmp(&other),
            (Self::Float(one), Self::Float(other)) => {
                // Both are finite.
                one.partial_cmp(&other).unwrap_or(Ordering::Equal)
            }
            (Self::Int(int), Self::Float(float)) => compare(int, float),
            (Self::Float(float), Self::Int(int)) => compare(int, float).reverse(),
        }
    }
}

/// Compares without rounding the integer.
fn compare(int: i128, float: f64) -> Ordering {
    if float.abs() >= INT_END {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    #[expect(clippy::cast_possible_truncation)]
    let whole = float.trunc() as i128;
    int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}

impl PartialOrd for Num {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Num {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Num {}

impl fmt::Display for Num {
    /// Writes the number by its value, so that 500.0, 5e2 and 500 are one text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.as_int()) {
            (Self::Int(int), _) => write!(f, "{int}"),
            // JSON has no other integers.
            (Self::Float(_), Some(int)) if Number::from_i128(int).is_some() => write!(f, "{int}"),
            (Self::Float(float), _) => match Number::from_f64(*float) {
                Some(number) => write!(f, "{number}"),
                None => Err(fmt::Error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_and_written_by_value() {
        let number = |text| Num::parse(text).unwrap();
        let big = number("9007199254740993");
        assert!(big > number("9007199254740992.0"));
        assert!(number("18446744073709551615") < number("1e20"));
        assert!(number("-1e300") < number("0") && number("0") < number("1e300"));
        assert!(number("-1.5") < number("-1") && number("-1") < number("-0.5"));
        for text in ["500", "500.0", "5e2"] {
            assert_eq!((number(text), number(text).to_string()), (Num::Int(500), "500".to_owned()));
        }
        assert_eq!(number("1.10").to_string(), "1.1");
        assert_eq!(number("-1e19").to_string(), "-1e+19", "no integer of 64 bits");
        assert_eq!(number("-0.0").to_string(), "0");
        assert!(Num::parse("1e400").is_none() && Num::parse(&"9".repeat(40)).is_none());
        assert_eq!(number("1").over(number("0")), None);
        assert_eq!(number("6").over(number("3")), Some(Num::Int(2)));
        assert_eq!(number("1").over(number("4")), Num::finite(0.25));
        assert_eq!(number("-170141183460469231731687303715884105728").negated(), None);
        assert_eq!(number("1e308").times(number("1e308")), None);
    }
}
