//! Rows of CSV that no spreadsheet takes for formulas.

use std::borrow::Cow;
use std::io::{self, Write};

use audit_core::{AuditEvent, Error, Result};
use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::Formatter;
use unicode_width::UnicodeWidthChar as _;

/// The columns: the path of each value in an event's JSON. Objects and arrays are written as JSON.
const COLUMNS: [&str; 52] = [
    "log",
    "sequence",
    "recordedAt",
    "erased",
    "id",
    "occurredAt",
    "action",
    "category",
    "actor.kind",
    "actor.id",
    "actor.name",
    "actor.email",
    "actor.ip",
    "actor.userAgent",
    "actor.details",
    "actor.organization.id",
    "actor.organization.name",
    "actor.entityClass",
    "actor.sessionId",
    "actor.onBehalfOf",
    "outcome.result",
    "outcome.code",
    "severity",
    "targets",
    "organization.id",
    "organization.name",
    "scope.service",
    "scope.product",
    "scope.config",
    "scope.environment",
    "scope.surface",
    "change",
    "changeSetId",
    "message.title",
    "message.text",
    "message.key",
    "message.params",
    "location",
    "reason",
    "request.method",
    "request.path",
    "request.route",
    "request.id",
    "trace.traceId",
    "trace.spanId",
    "source.system",
    "source.id",
    "attributes",
    "metadata",
    "submittedBy",
    "byStore",
    "clockReading",
];

/// Returns the header of CSV, without a line break: the path of each column in an event's JSON.
pub fn csv_header() -> String {
    COLUMNS.join(",")
}

/// Returns the event as a row of CSV ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)), without a line
/// break at its end.
///
/// Absent and empty texts are both empty cells; objects and lists are JSON. A text that a spreadsheet could
/// interpret as a formula gets an apostrophe, as OWASP advises: one that begins with `=`, `+`, `-`, `@`, a
/// full-width form of these, a tab or a line break, also after white space; and within a text such a sign
/// after `;` `,` `|`, a tab, a line break or a quotation mark, at which some spreadsheets begin a cell. In
/// JSON the sign is written as its escape.
///
/// # Errors
/// Fails as [`json_line`](crate::json_line) does.
pub fn csv_row(event: &AuditEvent) -> Result<String> {
    let mut fields = crate::json(event)?;
    // JSON omits `false`.
    fields["erased"] = event.erased.into();
    fields["byStore"] = event.by_store.into();
    let mut row = String::new();
    for (index, column) in COLUMNS.iter().enumerate() {
        if index > 0 {
            row.push(',');
        }
        if let Some(value) = value(&fields, column) {
            quote(&mut row, &text(value)?);
        }
    }
    Ok(row)
}

fn value<'a>(event: &'a Value, column: &str) -> Option<&'a Value> {
    column.split('.').try_fold(event, |value, key| value.get(key))
}

/// Writes a cell, in quotation marks if it needs them.
fn quote(row: &mut String, cell: &str) {
    if !cell.contains([',', '"', '\r', '\n']) {
        row.push_str(cell);
        return;
    }
    row.push('"');
    for (index, part) in cell.split('"').enumerate() {
        if index > 0 {
            row.push_str("\"\"");
        }
        row.push_str(part);
    }
    row.push('"');
}

/// Returns the text of a cell.
fn text(value: &Value) -> Result<Cow<'_, str>> {
    match value {
        Value::Null => Ok("".into()),
        Value::String(text) => Ok(guarded(text)),
        value => {
            let mut json = Vec::new();
            let mut serializer = serde_json::Serializer::with_formatter(&mut json, Inert);
            let written = value.serialize(&mut serializer);
            written.map_err(|error| Error::malformed("", "JSON").with_source(error))?;
            Ok(String::from_utf8_lossy(&json).into_owned().into())
        }
    }
}

/// The signs that begin a formula; some spreadsheets accept the full-width forms.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Returns `true` for a character after which a spreadsheet could begin a cell: one that takes another
/// separator than the comma, or does not know quotation marks.
fn separates(c: char) -> bool {
    matches!(
        c,
        ';' | ','
            | '|'
            | '"'
            | '\t'
            | '\n'
            | '\r'
            | '\u{b}'
            | '\u{c}'
            | '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
    )
}

/// Blank characters that have a width.
const BLANK: [char; 4] = ['\u{115f}', '\u{2800}', '\u{3164}', '\u{ffa0}'];

/// Returns `true` for a character that spreadsheets skip at the beginning of a cell: white space, and what
/// cannot be seen.
fn is_skipped(c: char) -> bool {
    c.is_whitespace() || c.width().is_none_or(|width| width == 0) || BLANK.contains(&c)
}

/// Returns the places of the signs that a spreadsheet could interpret as the begin of a formula: the
/// first visible character of a cell.
fn signs(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut is_beginning = true;
    text.char_indices().filter(move |(_, c)| {
        let is_sign = is_beginning && SIGNS.contains(c);
        is_beginning = separates(*c) || is_beginning && is_skipped(*c);
        is_sign
    })
}

/// Makes every possible formula in `text` inert by an apostrophe before it, as OWASP advises (CSV
/// injection): at the beginning if the text begins with a formula, a tab or a line break, else before the
/// sign.
fn guarded(text: &str) -> Cow<'_, str> {
    let mut signs = signs(text).peekable();
    let begins_a_line = text.starts_with(['\t', '\r', '\n']);
    if signs.peek().is_none() && !begins_a_line {
        return text.into();
    }
    let mut guarded = String::with_capacity(text.len() + 2);
    if begins_a_line {
        guarded.push('\'');
    }
    let mut done = 0;
    for (at, _) in signs {
        let before = &text[..at];
        let is_first = before.chars().all(|c| is_skipped(c) && !separates(c));
        let end = if is_first { 0 } else { at };
        guarded.push_str(&text[done..end]);
        guarded.push('\'');
        done = end;
    }
    guarded.push_str(&text[done..]);
    guarded.into()
}

/// JSON in a cell. Signs that could begin a formula are escaped as `\u…`; the value stays the same.
struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut done = 0;
        for (at, c) in signs(fragment) {
            writer.write_all(&fragment.as_bytes()[done..at])?;
            // All of them are in the basic plane.
            write!(writer, "\\u{:04x}", u32::from(c))?;
            done = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[done..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::{
        Actor, ChangeSetId, EntityClass, FieldChange, Log, Message, NewEvent, OrganizationRef,
        Outcome, Scope, Sequence, Severity, Timestamp, Trace,
    };

    #[test]
    fn a_possible_formula_is_prefixed() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            "\rx",
            "\nx",
            " =1",
            "\u{a0}\u{feff}=1",
            "\u{200b}@x",
            "＝1",
            "＋1",
            "－1",
            "\u{3000}＠x",
            "\0=1",
        ] {
            assert_eq!(guarded(text), format!("'{text}"));
        }
        // A mark that is seen is no white space.
        assert_eq!(guarded("🎉=1"), "🎉=1");
        for text in ["", "a=1", "1-2", "'=1", " x", "{\"a\":1}", "ana@acme.example", "2024-01-01"] {
            assert_eq!(guarded(text), text);
        }
    }

    #[test]
    fn a_possible_formula_within_a_text_is_inert() {
        for (text, inert) in [
            ("x;=1+1;y", "x;'=1+1;y"),
            ("x;@SUM(1);y", "x;'@SUM(1);y"),
            ("x;\t=1+1;y", "x;\t'=1+1;y"),
            ("x,-1", "x,'-1"),
            ("x|+1", "x|'+1"),
            ("x\t＝1", "x\t'＝1"),
            ("x\r\n=1\n\u{a0}\u{200b}@y", "x\r\n'=1\n\u{a0}\u{200b}'@y"),
            ("x\u{2028}=1", "x\u{2028}'=1"),
            ("a\"\";=1+1;\"b", "a\"\";'=1+1;\"b"),
            ("x;\"=1\"", "x;\"'=1\""),
            (";=1", ";'=1"),
            ("=1;=2", "'=1;'=2"),
            ("\t=1", "'\t'=1"),
        ] {
            assert_eq!(guarded(text), inert);
        }
        for text in ["a=1; b", "1 - 2, 3", "a;b=c", "2024-01-01; x", "e@x.example, f@x.example"] {
            assert_eq!(guarded(text), text);
        }
    }

    #[test]
    fn a_possible_formula_in_json_is_escaped_without_changing_the_value() {
        let value = serde_json::json!({"=a": ["x;=1", "+1", "a=b", -1], "b": "\u{3164}＠\n-"});
        let json = text(&value).unwrap();
        assert_eq!(
            json,
            "{\"\\u003da\":[\"x;\\u003d1\",\"\\u002b1\",\"a=b\",-1],\"b\":\"\u{3164}\\uff20\\n\\u002d\"}"
        );
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
    }

    proptest::proptest! {
        #[test]
        fn no_cell_is_a_formula_whatever_separates_cells(
            text in "([=+\\-@＝;,|\t\n\r\" ax\u{200b}\u{2028}]|\\PC)*",
        ) {
            let inert = guarded(&text);
            proptest::prop_assert_eq!(signs(&inert).count(), 0);
            let cells = inert.split([';', ',', '|', '\t', '\n', '\r', '"', '\u{2028}']);
            for cell in cells {
                let shown = cell.trim_start_matches(|c: char| c.is_whitespace() || is_skipped(c));
                proptest::prop_assert!(!shown.starts_with(SIGNS), "{:?} of {:?}", cell, inert);
            }
            // Only apostrophes are added.
            let without = |text: &str| text.replace('\'', "");
            proptest::prop_assert_eq!(without(&inert), without(&text));
        }
    }

    /// Removes the fields that have a column. Returns `true` if any field remains.
    fn remains(value: &mut Value, path: &str) -> bool {
        let Value::Object(fields) = value else { return true };
        fields.retain(|key, field| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            !COLUMNS.contains(&path.as_str()) && remains(field, &path)
        });
        !fields.is_empty()
    }

    #[test]
    fn every_field_has_a_column() {
        let named = |id: &str| OrganizationRef::new(id).name("Acme");
        let actor = Actor::user("u")
            .name("n")
            .email("e")
            .ip("i")
            .user_agent("a")
            .details("d")
            .organization(named("o"))
            .entity_class(EntityClass::from_static("identity"))
            .session_id("s")
            .on_behalf_of(Actor::user("b"));
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let scope =
            Scope::default().service("s").product("p").config("c").environment("e").surface("f");
        let mut event = NewEvent::new("a", actor)
            .category("c")
            .target("t", "1")
            .organization(named("p"))
            .scope(scope)
            .change_set_id(ChangeSetId::new())
            .message(Message::text("x").title("t").key("k").params("p"))
            .location("here")
            .reason("why")
            .request("GET", "/")
            .request_id("r")
            .trace(Trace::from_traceparent(traceparent).unwrap())
            .outcome(Outcome::denied().code("c"))
            .severity(Severity::LOW)
            .attribute("plan", "pro")
            .source("s", "1")
            .metadata("k", 1)
            .submitted_by("key_1");
        event.change.diff.push(FieldChange::new("f", None, Some(Value::Null)));
        event.request.route = Some("/{id}".to_owned());
        let mut event =
            AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::now(), event);
        (event.erased, event.by_store) = (true, true);
        event.clock_reading = Some(Timestamp::now());

        let text = format!("{}\r\n{}\r\n", csv_header(), csv_row(&event).unwrap());
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), COLUMNS.as_slice());
        let full = reader.records().next().unwrap().unwrap();
        let empty: Vec<_> = COLUMNS.iter().zip(&full).filter(|(_, cell)| cell.is_empty()).collect();
        assert!(empty.is_empty(), "{empty:?}");
        let mut json = serde_json::to_value(&event).unwrap();
        assert!(!remains(&mut json, ""), "{json}");
        assert_eq!(&full[23], r#"[{"id":"1","type":"t"}]"#);
    }
}
