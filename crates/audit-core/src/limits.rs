//! The limits of every input, and the checks that name the field which exceeds one.
//!
//! Sizes are in bytes of UTF-8. A value that exceeds its limit is an error; nothing is truncated.

use std::fmt::Arguments;

use serde_json::Value;

use crate::{Error, Result, Violation};

/// Maximum bytes of a term of a vocabulary (action, category, actor kind, entity class, outcome,
/// severity, surface, target type, request method, source system) and of the key of an attribute.
pub const MAX_NAME_BYTES: usize = 256;
/// Maximum bytes of an identifier, an outcome's code, an e-mail or IP address, or the value of an
/// attribute.
pub const MAX_ID_BYTES: usize = 1_024;
/// Maximum bytes of any other text: names, details, user agent, path, location, reason, messages.
pub const MAX_TEXT_BYTES: usize = 65_536;
/// Maximum segments between the dots of an action.
pub const MAX_ACTION_SEGMENTS: usize = 16;
/// Maximum targets of one event.
pub const MAX_TARGETS: usize = 256;
/// Maximum attributes of one event.
pub const MAX_ATTRIBUTES: usize = 32;
/// Maximum levels of [`Actor::on_behalf_of`](crate::Actor::on_behalf_of).
pub const MAX_ON_BEHALF_OF: usize = 4;
/// Maximum fields in the diff of one event.
pub const MAX_FIELD_CHANGES: usize = 4_096;
/// Maximum levels of nesting of a JSON value.
pub const MAX_JSON_DEPTH: usize = 64;
/// Maximum bytes of one event as stored, record and personal data together: 1 MiB.
pub const MAX_EVENT_BYTES: usize = 1 << 20;
/// Maximum bytes of the body of one staged event, white space included: 2 MiB. The event in it has the
/// limits of any other.
pub const MAX_STAGED_BYTES: usize = 2 << 20;
/// Maximum events of one batch.
pub const MAX_BATCH_EVENTS: usize = 10_000;
/// Maximum bytes of one batch as stored: 64 MiB.
pub const MAX_BATCH_BYTES: usize = 64 << 20;
/// Maximum bytes of the state that a follower keeps for a log: 1 MiB.
pub const MAX_FOLLOWER_STATE_BYTES: usize = 1 << 20;
/// Maximum events of one page.
pub const MAX_PAGE_EVENTS: usize = 1_000;
/// Maximum logs of one listing.
pub const MAX_LOGS_PAGE: usize = 1_000;
/// Maximum refused events of one listing.
pub const MAX_REFUSED_PAGE: usize = 1_000;
/// Maximum values of one condition of a filter.
pub const MAX_FILTER_VALUES: usize = 100;
/// Maximum bytes of one organization as JSON: 256 KiB, so that the event of any change to it fits
/// in [`MAX_EVENT_BYTES`].
pub const MAX_ORGANIZATION_BYTES: usize = 256 << 10;
/// Maximum private endpoints of one organization.
pub const MAX_PRIVATE_ENDPOINTS: usize = 1_000;
/// Maximum organizations of one listing.
pub const MAX_ORGANIZATIONS_PAGE: usize = 1_000;
/// Maximum API keys of one listing.
pub const MAX_API_KEYS_PAGE: usize = 1_000;

/// Checks that `text` has at most `limit` bytes.
pub(crate) fn text(field: Arguments<'_>, text: &str, limit: usize) -> Result<()> {
    if text.len() <= limit {
        return Ok(());
    }
    Err(Error::invalid(field.to_string(), Violation::TooLong { limit, actual: text.len() }))
}

/// Checks an optional text as [`text`] does.
pub(crate) fn optional(field: Arguments<'_>, value: Option<&str>, limit: usize) -> Result<()> {
    value.map_or(Ok(()), |value| text(field, value, limit))
}

/// Checks that `text` has 1 to `limit` bytes.
pub(crate) fn required(field: Arguments<'_>, value: &str, limit: usize) -> Result<()> {
    if value.is_empty() {
        return Err(Error::invalid(field.to_string(), Violation::Empty));
    }
    text(field, value, limit)
}

/// Checks that `value` is an e-mail address by which events can be searched: at most
/// [`MAX_ID_BYTES`] bytes, with text on both sides of its last `@`, and without white space and
/// control characters.
pub(crate) fn address(field: Arguments<'_>, value: &str) -> Result<()> {
    required(field, value, MAX_ID_BYTES)?;
    let has_form = value.rsplit_once('@').is_some_and(|(l, d)| !l.is_empty() && !d.is_empty());
    if has_form && !value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    Err(Error::malformed(field.to_string(), "an e-mail address, without spaces"))
}

/// Checks that there are at most `limit` items.
pub(crate) fn count(field: &'static str, actual: usize, limit: usize) -> Result<()> {
    if actual <= limit {
        return Ok(());
    }
    Err(Error::invalid(field, Violation::TooMany { limit, actual }))
}

/// Checks the limit of a listing of organizations: 1 to [`MAX_ORGANIZATIONS_PAGE`]. Used by stores.
pub fn organizations_page(limit: usize) -> Result<()> {
    listing(limit, MAX_ORGANIZATIONS_PAGE)
}

/// Checks the number of events to erase in one call: at most [`MAX_BATCH_EVENTS`]. Used by stores.
pub fn erased_events(count: usize) -> Result<()> {
    self::count("sequences", count, MAX_BATCH_EVENTS)
}

/// Checks the limit of a listing of logs: 1 to [`MAX_LOGS_PAGE`]. Used by stores.
pub fn logs_page(limit: usize) -> Result<()> {
    listing(limit, MAX_LOGS_PAGE)
}

/// Checks the limit of a listing of refused events: 1 to [`MAX_REFUSED_PAGE`]. Used by stores.
pub fn refused_page(limit: usize) -> Result<()> {
    listing(limit, MAX_REFUSED_PAGE)
}

/// Checks the name of a follower, and states that it is given. Used by stores.
pub fn follower<'a>(
    follower: &str,
    states: impl IntoIterator<Item = Option<&'a str>>,
) -> Result<()> {
    required(format_args!("follower"), follower, MAX_NAME_BYTES)?;
    uncontrolled("follower", follower)?;
    for state in states.into_iter().flatten() {
        text(format_args!("state"), state, MAX_FOLLOWER_STATE_BYTES)?;
        uncontrolled("state", state)?;
    }
    Ok(())
}

/// Checks that a text has no control characters: not every database keeps each of them.
fn uncontrolled(field: &'static str, text: &str) -> Result<()> {
    if text.contains(char::is_control) {
        return Err(Error::malformed(field, "a text without control characters"));
    }
    Ok(())
}

/// Checks the limit of a listing of API keys: 1 to [`MAX_API_KEYS_PAGE`]. Used by stores.
pub fn api_keys_page(limit: usize) -> Result<()> {
    listing(limit, MAX_API_KEYS_PAGE)
}

/// Checks the limit of a listing: 1 to `max`.
fn listing(limit: usize, max: usize) -> Result<()> {
    if (1..=max).contains(&limit) {
        return Ok(());
    }
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    Err(Error::invalid("limit", Violation::OutOfRange { min: 1, max }))
}

/// Checks the depth of values that are stored `above` levels deep: at most [`MAX_JSON_DEPTH`] in all.
pub(crate) fn depth<'a>(
    field: Arguments<'_>,
    above: usize,
    values: impl IntoIterator<Item = &'a Value>,
) -> Result<()> {
    if values.into_iter().any(|value| deeper_than(value, MAX_JSON_DEPTH - above)) {
        return Err(Error::invalid(
            field.to_string(),
            Violation::TooDeep { limit: MAX_JSON_DEPTH },
        ));
    }
    Ok(())
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|item| deeper_than(item, below)),
        Value::Object(map) => map.values().any(|item| deeper_than(item, below)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_levels() {
        let nest = |levels: usize| (1..levels).fold(Value::Null, |v, _| Value::Array(vec![v]));
        assert!(depth(format_args!("x"), 0, [&nest(MAX_JSON_DEPTH)]).is_ok());
        assert!(depth(format_args!("x"), 0, [&nest(MAX_JSON_DEPTH + 1)]).is_err());
        assert!(depth(format_args!("x"), 1, [&nest(MAX_JSON_DEPTH)]).is_err());
    }
}
