//! Filters as query parameters.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::{Facet, Filter};
use crate::{Error, Result, Timestamp, Violation};

const SINCE: &str = "since";
const UNTIL: &str = "until";

impl Filter {
    /// Reads a filter from the query string of a URL.
    ///
    /// | parameter | value |
    /// |---|---|
    /// | `action` | an action, or `prefix.*` for every action that starts with `prefix.` |
    /// | `actorId`, `actorEmail`, and the [name](Facet::name) of every other facet | a value of the facet |
    /// | `target`, `source`, `attribute` | a pair: `type=id`, `system=id`, `key=value` |
    /// | `since` | the begin of the time range, as [`Timestamp::parse_since`] reads it |
    /// | `until` | the end of the time range, as [`Timestamp::parse_until`] reads it |
    ///
    /// A parameter that is repeated adds a value to its condition; `since` and `until` may be given
    /// once. An instant in the range is at or after `since`, and before `until`. A date means its
    /// whole day in UTC, so that `since=2026-11-01` and `until=2026-11-30` are all of November. A range
    /// may begin before all times that events can have, and end after them.
    ///
    /// ```
    /// use audit_core::Filter;
    ///
    /// let filter = Filter::from_query("action=user.*&actorId=u_7&target=team%3D4")?;
    /// assert_eq!(filter, Filter::new().action("user.*").actor_id("u_7").target("team", "4"));
    ///
    /// let error = Filter::from_query("actor=u_7").unwrap_err();
    /// assert_eq!(error.field(), Some("actor"));
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), with the parameter as the field, if a parameter is
    /// unknown, empty, malformed or exceeds a limit, or no event can meet its condition, because no
    /// event has such a value or the time range is empty.
    pub fn from_query(query: &str) -> Result<Self> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(|| Error::malformed("query", "UTF-8"))?;
            let value = decode(value).ok_or_else(|| Error::malformed(shown(&name), "UTF-8"))?;
            Ok((name, value))
        });
        Self::from_parameters(pairs.collect::<Result<Vec<_>>>()?)
    }

    /// Reads a filter from the names and values of parameters, as [`from_query`](Self::from_query)
    /// does.
    ///
    /// # Errors
    /// As [`from_query`](Self::from_query).
    pub fn from_parameters<N, V>(parameters: impl IntoIterator<Item = (N, V)>) -> Result<Self>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut filter = Self::new();
        let (mut since, mut until) = (None, None);
        for (name, value) in parameters {
            let (name, value) = (name.as_ref(), value.as_ref());
            let bound = match name {
                SINCE => Some((SINCE, &mut since, Timestamp::parse_since(value))),
                UNTIL => Some((UNTIL, &mut until, Timestamp::parse_until(value))),
                _ => None,
            };
            if let Some((name, bound, time)) = bound {
                if bound.is_some() {
                    return Err(Error::invalid(name, Violation::DuplicateKey));
                }
                *bound = Some(time.map_err(|error| error.with_field(name))?);
                continue;
            }
            let Some(facet) = Facet::ALL.into_iter().find(|facet| facet.name() == name) else {
                return Err(Error::invalid(shown(name), Violation::UnknownField));
            };
            if value.is_empty() {
                return Err(Error::invalid(facet.name(), Violation::Empty));
            }
            filter = filter.with(facet, value);
        }
        let (begin, end) = (since.unwrap_or(Timestamp::MIN), until.unwrap_or(Timestamp::MAX));
        if begin == Timestamp::MAX {
            return Err(Error::malformed(SINCE, "before 2262-04-11T23:47:16.854775807Z"));
        }
        if end <= begin {
            return Err(Error::malformed(
                UNTIL,
                match since {
                    Some(Timestamp::MIN) | None => "after 1677-09-21T00:12:43.145224192Z",
                    Some(_) => "after `since`",
                },
            ));
        }
        if begin > Timestamp::MIN {
            filter = filter.since(begin);
        }
        if end < Timestamp::MAX {
            filter = filter.until(end);
        }
        filter.validate()?;
        Ok(filter)
    }

    /// Returns whether [`from_query`](Self::from_query) accepts a parameter of this name.
    pub fn is_parameter(name: &str) -> bool {
        [SINCE, UNTIL].contains(&name) || Facet::ALL.iter().any(|facet| facet.name() == name)
    }
}

impl Timestamp {
    /// Reads the begin of a time range: an RFC 3339 time, or a date, which begins at midnight in UTC.
    ///
    /// A time outside the range of a `Timestamp` is [`Timestamp::MIN`] or [`Timestamp::MAX`]. A space
    /// before an offset is read as `+`, which it was in a URL.
    ///
    /// ```
    /// use audit_core::Timestamp;
    ///
    /// assert_eq!(Timestamp::parse_since("2026-11-01")?, "2026-11-01T00:00:00Z".parse()?);
    /// assert_eq!(Timestamp::parse_until("2026-11-30")?, "2026-12-01T00:00:00Z".parse()?);
    /// assert_eq!(Timestamp::parse_until("9999-12-31T23:59:59Z")?, Timestamp::MAX);
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As those of [`str::parse`], except for the range.
    pub fn parse_since(text: &str) -> Result<Self> {
        parse_bound(text, "T00:00:00Z").map(|(time, _)| time)
    }

    /// Reads the end of a time range, which is not part of it: an RFC 3339 time, or a date, whose whole
    /// day in UTC is part of the range. Otherwise as [`parse_since`](Self::parse_since).
    ///
    /// # Errors
    /// As [`parse_since`](Self::parse_since).
    pub fn parse_until(text: &str) -> Result<Self> {
        match parse_bound(text, "T23:59:59.999999999Z")? {
            (last, true) if last > Self::MIN => Ok(last.saturating_add(Duration::from_nanos(1))),
            (time, _) => Ok(time),
        }
    }
}

/// Reads a time, or a date with the time of day `of_date`. Returns `true` with a date.
fn parse_bound(text: &str, of_date: &str) -> Result<(Timestamp, bool)> {
    let is_date = text.len() == "2026-11-01".len();
    let text = if is_date {
        Cow::Owned(format!("{text}{of_date}"))
    } else {
        match text.len().checked_sub("+00:00".len()) {
            Some(sign) if text.as_bytes()[sign] == b' ' => {
                Cow::Owned(format!("{}+{}", &text[..sign], &text[sign + 1..]))
            }
            _ => Cow::Borrowed(text),
        }
    };
    match Timestamp::parse_saturating(&text) {
        Ok(time) => Ok((time, is_date)),
        Err(error) => Err(match error.violation() {
            Some(Violation::Malformed { .. }) => Error::malformed("time", BOUND),
            _ => error,
        }),
    }
}

/// The form of a bound.
const BOUND: &str =
    "a date, or an RFC 3339 time with at most nine decimals that is not in a leap second";

/// Returns the beginning of a name, for an error.
fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_FILTER_VALUES;

    #[test]
    fn every_facet_and_both_bounds_are_parameters() {
        for facet in Facet::ALL {
            let value = match facet {
                Facet::ChangeSet => "3fa85f64-5717-4562-b3fc-2c963f66afa6",
                Facet::Trace => "4bf92f3577b34da6a3ce929d0e0e4736",
                Facet::Target | Facet::Source | Facet::Attribute => "a=b",
                _ => "a",
            };
            assert!(Filter::is_parameter(facet.name()));
            let query = format!("{}={}", facet.name(), value.replace('=', "%3D"));
            assert_eq!(Filter::from_query(&query).unwrap(), Filter::new().with(facet, value));
        }
        let range = "since=2024-03-15T14:48:51+02:00&until=2024-03-15T14:48:51Z";
        let range = Filter::from_query(range).unwrap();
        assert_eq!(range.first_instant(), "2024-03-15T12:48:51Z".parse().unwrap());
        assert_eq!(range.end_instant(), Some("2024-03-15T14:48:51Z".parse().unwrap()));
        assert_eq!(Filter::from_query("").unwrap(), Filter::new());
        assert_eq!(
            Filter::from_query("&actorId=a+%C3%A4&").unwrap(),
            Filter::new().actor_id("a ä")
        );
    }

    #[test]
    fn a_fault_names_its_parameter() {
        let many = format!("{}&category=", "&actorId=x".repeat(2));
        let most =
            (0..=MAX_FILTER_VALUES).fold(String::new(), |all, n| all + &format!("&actorId={n}"));
        for (query, field) in [
            ("actor=u", "actor"),
            ("limit=1", "limit"),
            ("action=", "action"),
            ("action", "action"),
            ("action=*.paid", "action"),
            ("target=user", "target"),
            ("changeSetId=x", "changeSetId"),
            ("traceId=x", "traceId"),
            ("since=yesterday", "since"),
            ("until=", "until"),
            ("since=2024-01-01T00:00:00Z&since=2024-01-01T00:00:00Z", "since"),
            ("actorId=%ff", "actorId"),
            ("%ff=a", "query"),
            (&many, "category"),
            (&most, "actorId"),
        ] {
            let error = Filter::from_query(query).unwrap_err();
            assert_eq!(error.field(), Some(field), "{query}");
        }
    }

    #[test]
    fn a_bound_beyond_the_times_of_events_is_an_open_end() {
        for query in [
            "since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z",
            "since=0001-01-01&until=9999-12-31",
        ] {
            assert_eq!(Filter::from_query(query).unwrap(), Filter::new());
        }
    }

    #[test]
    fn a_date_is_a_whole_day() {
        let november = Filter::from_query("since=2026-11-01&until=2026-11-30").unwrap();
        for (time, is_in) in [
            ("2026-10-31T23:59:59.999999999Z", false),
            ("2026-11-01T00:00:00Z", true),
            ("2026-11-30T23:59:59.999999999Z", true),
            ("2026-12-01T00:00:00Z", false),
        ] {
            assert_eq!(november.covers(time.parse().unwrap()), is_in, "{time}");
        }
        let mixed = Filter::from_query("since=2024-02-29&until=2024-02-29T12:00:00Z").unwrap();
        assert_eq!(mixed.first_instant(), "2024-02-29T00:00:00Z".parse().unwrap());
        assert_eq!(mixed.end_instant(), Some("2024-02-29T12:00:00Z".parse().unwrap()));
        let day = Filter::from_query("since=2024-12-31&until=2024-12-31").unwrap();
        assert_eq!(day.end_instant(), Some("2025-01-01T00:00:00Z".parse().unwrap()));
        for text in
            ["2023-02-29", "2024-13-01", "2024-1-1", "20240101", "2024-01-01Z", "2024/01/01"]
        {
            let error = Filter::from_query(&format!("until={text}")).unwrap_err();
            assert_eq!(error.field(), Some("until"), "{text}");
            assert!(error.to_string().contains("a date, or an RFC 3339 time"), "{error}");
        }
    }

    #[test]
    fn a_range_in_which_no_event_can_lie_is_an_error() {
        for (query, field) in [
            ("since=2024-01-02T00:00:00Z&until=2024-01-01T00:00:00Z", "until"),
            ("since=2024-01-01T00:00:00Z&until=2024-01-01T00:00:00Z", "until"),
            ("since=2024-01-02&until=2024-01-01", "until"),
            ("until=0001-01-01T00:00:00Z", "until"),
            ("until=0001-01-01", "until"),
            ("since=0001-01-01&until=0001-01-02", "until"),
            ("since=9999-12-31T23:59:59Z", "since"),
            ("since=9999-12-30&until=9999-12-31", "since"),
        ] {
            let error = Filter::from_query(query).unwrap_err();
            assert_eq!(error.field(), Some(field), "{query}");
        }
    }
}
