//! Lengths of time as options: `60s`, `12h`, `365d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time, in whole seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period(u64);

/// The units, longest first, in seconds. There is no year, because its length varies.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// The error for a text that is not a length of time.
#[derive(Debug)]
pub(crate) struct InvalidPeriod;

impl std::error::Error for InvalidPeriod {}

impl fmt::Display for InvalidPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write a number and its unit: 90s, 30m, 12h or 365d")
    }
}

impl Period {
    pub(crate) fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let units =
            UNITS.iter().filter_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
        let (number, seconds) = units.into_iter().next().ok_or(InvalidPeriod)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidPeriod); // the parser accepts a sign
        }
        let number: u64 = number.parse().map_err(|_| InvalidPeriod)?;
        number.checked_mul(*seconds).filter(|seconds| *seconds > 0).map(Self).ok_or(InvalidPeriod)
    }
}

impl fmt::Display for Period {
    /// Writes it in the longest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = UNITS.into_iter().filter(|(_, seconds)| self.0.is_multiple_of(*seconds));
        let (unit, seconds) = units.into_iter().next().unwrap_or(("s", 1));
        write!(f, "{}{unit}", self.0 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_and_a_unit() {
        for (text, seconds) in [("1s", 1), ("90s", 90), ("30m", 1_800), ("365d", 31_536_000)] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.duration().as_secs(), seconds);
            assert_eq!(period.to_string(), text);
        }
        assert_eq!("24h".parse::<Period>().unwrap().to_string(), "1d");
        for text in ["", "s", "5", "0d", "-1s", "+1s", "1.5h", "1y", "1 d", "99999999999999999d"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
