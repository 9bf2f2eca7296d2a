//! Values as text.

use std::fmt::{self, Write as _};

use super::MAX_PREPARE_VALUE_BYTES;
use super::budget::{self, Stop};
use super::value::Val;

/// The bytes of a value that an error shows.
const SHOWN_BYTES: usize = 200;

/// A JSON text of bounded size.
struct Writer {
    text: String,
    limit: usize,
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > self.limit {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

impl Val {
    /// Returns the value as JSON. Bytes that are not UTF-8 become replacement characters.
    pub(super) fn to_text(&self) -> Val {
        let mut writer = Writer { text: String::new(), limit: MAX_PREPARE_VALUE_BYTES };
        budget::charge_bytes(self.size());
        if write(&mut writer, self).is_err() {
            budget::stop(Stop::Bytes);
            return Self::Null;
        }
        Self::text(writer.text)
    }
}

/// Writes a value in an error, as JSON, and no more of it than a person reads.
impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Text(text) = self {
            let start = text.get(..SHOWN_BYTES).unwrap_or(text);
            f.write_str(&String::from_utf8_lossy(start))?;
            return f.write_str(if start.len() < text.len() { "…" } else { "" });
        }
        let mut writer = Writer { text: String::new(), limit: SHOWN_BYTES };
        let is_cut = write(&mut writer, self).is_err();
        f.write_str(&writer.text)?;
        f.write_str(if is_cut { "…" } else { "" })
    }
}

fn write(to: &mut Writer, value: &Val) -> fmt::Result {
    match value {
        Val::Null => to.write_str("null"),
        Val::Bool(truth) => write!(to, "{truth}"),
        Val::Num(number) => write!(to, "{number}"),
        Val::Text(text) => quote(to, text),
        Val::List(list) => {
            to.write_char('[')?;
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    to.write_char(',')?;
                }
                write(to, item)?;
            }
            to.write_char(']')
        }
        Val::Object(fields) => {
            to.write_char('{')?;
            for (index, (key, field)) in fields.entries.iter().enumerate() {
                if index > 0 {
                    to.write_char(',')?;
                }
                quote(to, key)?;
                to.write_char(':')?;
                write(to, field)?;
            }
            to.write_char('}')
        }
    }
}

fn quote(to: &mut Writer, text: &[u8]) -> fmt::Result {
    to.write_char('"')?;
    for chunk in text.utf8_chunks() {
        for part in chunk.valid().split_inclusive(|c: char| c < ' ' || matches!(c, '"' | '\\')) {
            let end = part.char_indices().next_back().map_or(0, |(at, _)| at);
            match part[end..].chars().next() {
                Some(c @ ('"' | '\\')) => write!(to, "{}\\{c}", &part[..end])?,
                Some('\n') => write!(to, "{}\\n", &part[..end])?,
                Some('\r') => write!(to, "{}\\r", &part[..end])?,
                Some('\t') => write!(to, "{}\\t", &part[..end])?,
                Some(c) if c < ' ' => write!(to, "{}\\u{:04x}", &part[..end], u32::from(c))?,
                _ => to.write_str(part)?,
            }
        }
        if !chunk.invalid().is_empty() {
            to.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    to.write_char('"')
}
