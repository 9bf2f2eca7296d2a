//! Filters as query parameters.

use std::borrow::Cow;

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
    /// | `since` | the first instant of the time range, RFC 3339 |
    /// | `until` | the end of the time range, which is not part of it, RFC 3339 |
    ///
    /// A parameter that is repeated adds a value to its condition; `since` and `until` may be given
    /// once. A bound outside the times that events can have is an open end. A range that ends before
    /// it begins matches nothing.
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
    /// unknown, empty, malformed or exceeds a limit.
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
                SINCE => Some((SINCE, &mut since)),
                UNTIL => Some((UNTIL, &mut until)),
                _ => None,
            };
            if let Some((name, bound)) = bound {
                if bound.is_some() {
                    return Err(Error::invalid(name, Violation::DuplicateKey));
                }
                *bound = Some(Bound::parse(name, value)?);
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
        filter = match since {
            None | Some(Bound::Before) => filter,
            Some(Bound::At(time)) => filter.since(time),
            Some(Bound::Beyond) => filter.since(Timestamp::MAX).until(Timestamp::MAX),
        };
        let first = filter.first_instant();
        filter = match until {
            None | Some(Bound::Beyond) => filter,
            Some(Bound::At(time)) => filter.until(time.max(first)),
            Some(Bound::Before) => filter.until(first),
        };
        filter.validate()?;
        Ok(filter)
    }

    /// Returns whether [`from_query`](Self::from_query) accepts a parameter of this name.
    pub fn is_parameter(name: &str) -> bool {
        [SINCE, UNTIL].contains(&name) || Facet::ALL.iter().any(|facet| facet.name() == name)
    }
}

/// A bound of a time range, which can lie outside the times that events can have.
#[derive(Clone, Copy)]
enum Bound {
    Before,
    At(Timestamp),
    Beyond,
}

impl Bound {
    fn parse(name: &'static str, text: &str) -> Result<Self> {
        // An unescaped `+` has become a space. At the start of an offset it was a `+`.
        let text = match text.len().checked_sub("+00:00".len()) {
            Some(sign) if text.as_bytes()[sign] == b' ' => Cow::Owned(text.replace(' ', "+")),
            _ => Cow::Borrowed(text),
        };
        match Timestamp::parse_saturating(&text) {
            Ok(Timestamp::MIN) => Ok(Self::Before),
            Ok(Timestamp::MAX) => Ok(Self::Beyond),
            Ok(time) => Ok(Self::At(time)),
            Err(error) => Err(error.with_field(name)),
        }
    }
}

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
        let query = "since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z";
        assert_eq!(Filter::from_query(query).unwrap(), Filter::new());
        for query in ["since=9999-12-31T23:59:59Z", "until=0001-01-01T00:00:00Z"] {
            let filter = Filter::from_query(query).unwrap();
            assert!([Timestamp::MIN, Timestamp::MAX].iter().all(|end| !filter.covers(*end)));
        }
    }

    #[test]
    fn a_range_that_ends_first_is_empty() {
        let query = "since=2024-01-02T00:00:00Z&until=2024-01-01T00:00:00Z";
        let filter = Filter::from_query(query).unwrap();
        assert!(!filter.covers("2024-01-02T00:00:00Z".parse().unwrap()));
    }
}
