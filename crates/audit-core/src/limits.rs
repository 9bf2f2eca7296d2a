//! The bounds of every input, and the checks that name the field which breaks one.
//!
//! Sizes are in bytes of UTF-8. A value that does not fit is an error; nothing is cut.

use std::fmt::Arguments;

use serde_json::Value;

use crate::{Error, Result, Violation};

/// Bytes of a term of a vocabulary: action, category, actor kind, entity class, surface, target
/// type, request method, source system.
pub const MAX_NAME_BYTES: usize = 256;
/// Bytes of an identifier, an e-mail or an IP address.
pub const MAX_ID_BYTES: usize = 1_024;
/// Bytes of any other text: names, details, user agent, path, place, reason, messages.
pub const MAX_TEXT_BYTES: usize = 65_536;
/// Segments between the dots of an action.
pub const MAX_ACTION_SEGMENTS: usize = 16;
/// Targets of one event.
pub const MAX_TARGETS: usize = 256;
/// Fields in the diff of one event.
pub const MAX_FIELD_CHANGES: usize = 4_096;
/// Levels of nesting of a JSON value.
pub const MAX_JSON_DEPTH: usize = 64;
/// Bytes of one event as stored, both parts together: 1 MiB.
pub const MAX_EVENT_BYTES: usize = 1 << 20;
/// Events of one batch.
pub const MAX_BATCH_EVENTS: usize = 10_000;
/// Bytes of one batch as stored: 64 MiB.
pub const MAX_BATCH_BYTES: usize = 64 << 20;
/// Events of one page.
pub const MAX_PAGE_EVENTS: usize = 1_000;
/// Logs of one listing.
pub const MAX_LOGS_PAGE: usize = 1_000;
/// Values of one condition of a filter.
pub const MAX_FILTER_VALUES: usize = 100;
/// Bytes of one organization as JSON: 256 KiB, so that the event of any change to it fits.
pub const MAX_ORGANIZATION_BYTES: usize = 256 << 10;
/// Private endpoints of one organization.
pub const MAX_PRIVATE_ENDPOINTS: usize = 1_000;
/// Organizations of one listing.
pub const MAX_ORGANIZATIONS_PAGE: usize = 1_000;
/// API keys of one listing.
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

/// Checks that there are at most `limit` items.
pub(crate) fn count(field: &'static str, actual: usize, limit: usize) -> Result<()> {
    if actual <= limit {
        return Ok(());
    }
    Err(Error::invalid(field, Violation::TooMany { limit, actual }))
}

/// Checks the size of a page of organizations: 1 to [`MAX_ORGANIZATIONS_PAGE`]. For those who write a
/// store.
pub fn organizations_page(limit: usize) -> Result<()> {
    if (1..=MAX_ORGANIZATIONS_PAGE).contains(&limit) {
        return Ok(());
    }
    let violation =
        Violation::OutOfRange { min: 1, max: MAX_ORGANIZATIONS_PAGE.cast_signed() as i64 };
    Err(Error::invalid("limit", violation))
}

/// Checks how many events are erased in one call: at most [`MAX_BATCH_EVENTS`]. For those who write a
/// store.
pub fn erased_events(count: usize) -> Result<()> {
    self::count("sequences", count, MAX_BATCH_EVENTS)
}

/// Checks the limit of a listing of logs: 1 to [`MAX_LOGS_PAGE`].
pub fn logs_page(limit: usize) -> Result<()> {
    if (1..=MAX_LOGS_PAGE).contains(&limit) {
        return Ok(());
    }
    let violation = Violation::OutOfRange { min: 1, max: MAX_LOGS_PAGE.cast_signed() as i64 };
    Err(Error::invalid("limit", violation))
}

/// Checks the limit of a listing of API keys: 1 to [`MAX_API_KEYS_PAGE`].
pub fn api_keys_page(limit: usize) -> Result<()> {
    if (1..=MAX_API_KEYS_PAGE).contains(&limit) {
        return Ok(());
    }
    let violation = Violation::OutOfRange { min: 1, max: MAX_API_KEYS_PAGE.cast_signed() as i64 };
    Err(Error::invalid("limit", violation))
}

/// Checks that values which stand `above` levels deep in what is kept reach at most [`MAX_JSON_DEPTH`].
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
