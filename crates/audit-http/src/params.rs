//! The parameters of a request, read strictly. A parameter that is malformed, repeated or, on the
//! native API, unknown is rejected by name.

use audit_core::{Error, EventId, OrganizationId, Timestamp};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::rejection::Rejection;

/// The query of a request. Reading a parameter removes it.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    fn parse(query: &str) -> Result<Self, Rejection> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(|| not_utf8("query"))?;
            let value = decode(value).ok_or_else(|| not_utf8(&name))?;
            Ok((name, value))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// Takes the parameters whose name `wanted` accepts.
    pub(crate) fn take(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        self.0.extract_if(.., |(name, _)| wanted(name)).collect()
    }

    /// Takes all values of `name`.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        self.0.retain_mut(|(found, value)| {
            let is_other = found != name;
            if !is_other {
                values.push(std::mem::take(value));
            }
            is_other
        });
        values
    }

    /// Takes the value of `name`. Fails if there are several.
    pub(crate) fn one(&mut self, name: &str) -> Result<Option<String>, Rejection> {
        let mut values = self.all(name);
        if values.len() > 1 {
            let detail = format!("`{name}` is given {} times, and may be given once", values.len());
            return Err(Rejection::bad_request(name, detail));
        }
        Ok(values.pop())
    }

    /// Takes `name`, a whole number from `min` to `max`; `default` if absent.
    pub(crate) fn number(
        &mut self,
        name: &str,
        min: u64,
        max: u64,
        default: u64,
    ) -> Result<u64, Rejection> {
        Ok(self.given_number(name, min, max)?.unwrap_or(default))
    }

    /// Takes `name`, a whole number from `min` to `max`, if present.
    pub(crate) fn given_number(
        &mut self,
        name: &str,
        min: u64,
        max: u64,
    ) -> Result<Option<u64>, Rejection> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        // Digits alone: the parser would also take a sign.
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok());
        match number.flatten() {
            Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => {
                let detail = format!("`{name}` must be a whole number from {min} to {max}");
                Err(Rejection::bad_request(name, detail))
            }
        }
    }

    /// Takes `limit`, the highest number of items in a response, from 1 to `max`.
    pub(crate) fn limit(&mut self, max: u64, default: u64) -> Result<usize, Rejection> {
        let limit = self.number("limit", 1, max, default)?;
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// Takes `name`, `true` or `false`; `false` if absent.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Rejection> {
        match self.one(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(malformed(name, "true or false")),
        }
    }

    /// Takes `name`, a text of 1 to `max` bytes.
    pub(crate) fn filled(&mut self, name: &str, max: usize) -> Result<Option<String>, Rejection> {
        match self.one(name)? {
            Some(text) if text.is_empty() || text.len() > max => {
                Err(malformed(name, &format!("a text of 1 to {max} bytes")))
            }
            other => Ok(other),
        }
    }

    /// Takes the begin and the end of a time range, as [`Timestamp::parse_since`] and
    /// [`Timestamp::parse_until`] read them. Fails if the range is empty.
    pub(crate) fn range(
        &mut self,
        from: &str,
        to: &str,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), Rejection> {
        let begin = self.bound(from, Timestamp::parse_since)?;
        let end = self.bound(to, Timestamp::parse_until)?;
        match (begin, end) {
            (Some(begin), Some(end)) if end <= begin => {
                Err(malformed(to, &format!("after `{from}`")))
            }
            range => Ok(range),
        }
    }

    fn bound(
        &mut self,
        name: &str,
        parse: fn(&str) -> audit_core::Result<Timestamp>,
    ) -> Result<Option<Timestamp>, Rejection> {
        let time = self.one(name)?.map(|text| parse(&text)).transpose();
        time.map_err(|error| Rejection::bad_request(name, renamed(&error, name)))
    }

    /// Takes `name`, a UUID.
    pub(crate) fn uuid(&mut self, name: &str) -> Result<Option<uuid::Uuid>, Rejection> {
        self.one(name)?.map(|text| parse_uuid(name, &text)).transpose()
    }

    /// Takes `name`, an organization's id, also in the form of contract D.
    pub(crate) fn organization(&mut self, name: &str) -> Result<Option<OrganizationId>, Rejection> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let plain = text.strip_prefix("org_").filter(|digits| digits.len() == 32);
        let id = match plain.and_then(|digits| uuid::Uuid::try_parse(digits).ok()) {
            Some(id) => id,
            None => parse_uuid(name, &text)?,
        };
        Ok(Some(id.into()))
    }

    /// Fails if a parameter was not taken.
    pub(crate) fn finish(self) -> Result<(), Rejection> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(64).collect();
                let detail = format!("`{shown}` is not a parameter of this path");
                Err(Rejection::bad_request(&shown, detail))
            }
        }
    }
}

fn renamed(error: &Error, name: &str) -> String {
    match error.violation() {
        Some(violation) => format!("`{name}` {violation}"),
        None => format!("`{name}`: {error}"),
    }
}

/// Parses a UUID in its hyphenated form.
fn parse_uuid(name: &str, text: &str) -> Result<uuid::Uuid, Rejection> {
    (text.len() == 36)
        .then(|| uuid::Uuid::try_parse(text).ok())
        .flatten()
        .ok_or_else(|| malformed(name, "a UUID"))
}

/// Rejects the parameter `name`, which must be `expected`.
pub(crate) fn malformed(name: &str, expected: &str) -> Rejection {
    Rejection::bad_request(name, format!("`{name}` must be {expected}"))
}

fn not_utf8(name: &str) -> Rejection {
    malformed(name, "UTF-8")
}

fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(Into::into)
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

/// The parameters in the path of a request.
#[derive(Debug)]
pub(crate) struct PathParams(RawPathParams);

impl PathParams {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }

    /// Returns `true` if the path has the parameter `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// Returns an organization's id. A malformed id is that of an organization that does not exist.
    pub(crate) fn organization(&self, name: &str) -> Result<OrganizationId, Rejection> {
        let id = parse_uuid(name, self.text(name)).map_err(|_| Rejection::no_organization())?;
        Ok(id.into())
    }

    /// Returns the event's id. A malformed id is that of an event that does not exist.
    pub(crate) fn event(&self) -> Result<EventId, Rejection> {
        let id = parse_uuid("eventId", self.text("eventId"));
        Ok(id.map_err(|_| Error::not_found("event"))?.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathParams {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        params.map(Self).map_err(|_| not_utf8("path"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_utf8_is_rejected_by_name() {
        for query in ["a=%ff", "%ff=a", "a=%C3%28"] {
            assert!(Params::parse(query).is_err(), "{query}");
        }
        let mut params = Params::parse("a=%C3%A4+b&&c").unwrap();
        assert_eq!(params.one("a").unwrap().as_deref(), Some("ä b"));
        assert_eq!(params.one("c").unwrap().as_deref(), Some(""));
        params.finish().unwrap();
    }

    #[test]
    fn numbers_are_digits_within_bounds() {
        for text in ["0", "201", "-1", "+1", "1.0", "1e1", "", "9223372036854775808", "١"] {
            let mut params = Params::parse(&format!("limit={text}")).unwrap();
            assert!(params.number("limit", 1, 200, 50).is_err(), "{text}");
        }
        let mut params = Params::parse("limit=200").unwrap();
        assert_eq!(params.number("limit", 1, 200, 50).unwrap(), 200);
        assert_eq!(params.number("limit", 1, 200, 50).unwrap(), 50);
    }

    #[test]
    fn an_unescaped_offset_is_accepted() {
        let mut params = Params::parse("t=2024-03-15T14:48:51+02:00").unwrap();
        let (begin, end) = params.range("t", "u").unwrap();
        assert_eq!(begin.unwrap().to_string(), "2024-03-15T12:48:51.000000Z");
        assert!(end.is_none());
        for text in ["", "a", "é:00:00", "2024-03-1"] {
            let mut params = Params::parse(&format!("u={text}")).unwrap();
            assert!(params.range("t", "u").is_err(), "{text}");
        }
    }
}
