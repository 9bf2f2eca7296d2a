//! Events as rows of CSV.

use std::io::{self, Write};

use audit_core::AuditEvent;
use csv::{ErrorKind, Terminator, Writer, WriterBuilder};
use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::Formatter;

use crate::error::{CliError, Result};
use crate::output::{Output, unwritable, write_escape};
use crate::text::{hidden, is_hidden, line};

/// The columns: the path of each value in an event's JSON. Objects and arrays are written as JSON.
const COLUMNS: [&str; 51] = [
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

/// The rows of one file.
pub(super) struct Rows<'a, 'b> {
    writer: Writer<&'a mut Output<'b>>,
    /// Whether the hidden characters of texts are escaped.
    shown: bool,
}

impl<'a, 'b> Rows<'a, 'b> {
    /// Writes the header, after a byte order mark with `bom`. Escapes hidden characters if the rows are
    /// `shown` on a terminal.
    pub(super) fn begin(output: &'a mut Output<'b>, bom: bool, shown: bool) -> Result<Self> {
        if bom {
            output.write_all("\u{feff}".as_bytes()).map_err(unwritable)?;
        }
        let end = if shown { Terminator::Any(b'\n') } else { Terminator::CRLF };
        let mut writer = WriterBuilder::new().terminator(end).from_writer(output);
        writer.write_record(COLUMNS).map_err(csv_error)?;
        Ok(Self { writer, shown })
    }

    pub(super) fn write(&mut self, event: &AuditEvent) -> Result<()> {
        let mut cells = cells(event)?;
        if self.shown {
            for cell in &mut cells {
                *cell = line(cell).into_owned();
            }
        }
        self.writer.write_record(cells).map_err(csv_error)
    }

    pub(super) fn end(mut self) -> Result<()> {
        self.writer.flush().map_err(unwritable)
    }
}

fn csv_error(error: csv::Error) -> CliError {
    match error.kind() {
        ErrorKind::Io(source) if source.kind() == io::ErrorKind::BrokenPipe => {
            CliError::OutputClosed
        }
        _ => CliError::from_source("cannot write the output", error),
    }
}

fn cells(event: &AuditEvent) -> Result<Vec<String>> {
    let fields = serde_json::to_value(event);
    let mut fields = fields.map_err(|error| CliError::from_source("cannot write CSV", error))?;
    // JSON omits `false`.
    fields["erased"] = event.erased.into();
    fields["byStore"] = event.by_store.into();
    COLUMNS.iter().map(|column| text(value(&fields, column))).collect()
}

fn value<'a>(event: &'a Value, column: &str) -> Option<&'a Value> {
    column.split('.').try_fold(event, |value, key| value.get(key))
}

fn text(value: Option<&Value>) -> Result<String> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(guarded(text)),
        Some(value) => {
            let mut json = Vec::new();
            let mut serializer = serde_json::Serializer::with_formatter(&mut json, Inert);
            let written = value.serialize(&mut serializer);
            written.map_err(|error| CliError::from_source("cannot write CSV", error))?;
            Ok(String::from_utf8_lossy(&json).into_owned())
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

/// Returns `true` for a character that spreadsheets skip at the beginning of a cell.
fn is_skipped(c: char) -> bool {
    c.is_whitespace() || is_hidden(c)
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
fn guarded(text: &str) -> String {
    let mut guarded = String::with_capacity(text.len());
    if text.starts_with(['\t', '\r', '\n']) {
        guarded.push('\'');
    }
    let mut done = 0;
    for (at, _) in signs(text) {
        let before = &text[..at];
        let is_first = before.chars().all(|c| is_skipped(c) && !separates(c));
        let end = if is_first { 0 } else { at };
        guarded.push_str(&text[done..end]);
        guarded.push('\'');
        done = end;
    }
    guarded.push_str(&text[done..]);
    guarded
}

/// JSON in a cell. Signs that could begin a formula, and hidden characters, are escaped as `\u…`; the
/// value stays the same.
struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut escapes: Vec<_> = signs(fragment).chain(hidden(fragment)).collect();
        escapes.sort_unstable();
        let mut done = 0;
        for (at, c) in escapes {
            writer.write_all(&fragment.as_bytes()[done..at])?;
            write_escape(writer, c)?;
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
        let value =
            serde_json::json!({"=a": ["x;=1", "+1", "a=b", -1], "b": "\u{1b}\u{3164}＠\n-"});
        let json = text(Some(&value)).unwrap();
        assert_eq!(
            json,
            r#"{"\u003da":["x;\u003d1","\u002b1","a=b",-1],"b":"\u001b\u3164\uff20\n\u002d"}"#
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
                let shown = cell.trim_start_matches(|c: char| c.is_whitespace() || is_hidden(c));
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
        let mut event =
            AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::now(), event);
        (event.erased, event.by_store) = (true, true);
        event.clock_reading = Some(Timestamp::now());

        let full = cells(&event).unwrap();
        let empty: Vec<_> = COLUMNS.iter().zip(&full).filter(|(_, cell)| cell.is_empty()).collect();
        assert!(empty.is_empty(), "{empty:?}");
        let mut json = serde_json::to_value(&event).unwrap();
        assert!(!remains(&mut json, ""), "{json}");
        assert_eq!(full[23], r#"[{"id":"1","type":"t"}]"#);
    }
}
