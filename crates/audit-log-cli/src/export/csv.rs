//! Events as rows of CSV.

use std::io;

use audit_core::AuditEvent;
use csv::{ErrorKind, Terminator, Writer, WriterBuilder};
use serde_json::Value;

use crate::error::{CliError, Result};
use crate::output::{Output, json, unwritable};
use crate::text::is_hidden;

/// The columns: the path of each value in an event's JSON. Objects and arrays are written as JSON.
const COLUMNS: [&str; 48] = [
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
];

/// The rows of one file.
pub(super) struct Rows<'a, 'b>(Writer<&'a mut Output<'b>>);

impl<'a, 'b> Rows<'a, 'b> {
    /// Writes the header.
    pub(super) fn begin(output: &'a mut Output<'b>) -> Result<Self> {
        let mut rows = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(output);
        rows.write_record(COLUMNS).map_err(csv_error)?;
        Ok(Self(rows))
    }

    pub(super) fn write(&mut self, event: &AuditEvent) -> Result<()> {
        self.0.write_record(cells(event)?).map_err(csv_error)
    }

    pub(super) fn end(mut self) -> Result<()> {
        self.0.flush().map_err(unwritable)
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
    COLUMNS.iter().map(|column| text(value(&fields, column)).map(guarded)).collect()
}

fn value<'a>(event: &'a Value, column: &str) -> Option<&'a Value> {
    column.split('.').try_fold(event, |value, key| value.get(key))
}

fn text(value: Option<&Value>) -> Result<String> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value) => Ok(String::from_utf8_lossy(&json(value)?).into_owned()),
    }
}

/// Prefixes `text` with an apostrophe if a spreadsheet could interpret it as a formula, as OWASP
/// advises (CSV injection). Some spreadsheets skip white space and invisible characters first, and
/// some accept the full-width forms of the signs.
fn guarded(text: String) -> String {
    let begins_with_break = text.starts_with(['\t', '\r', '\n']);
    let shown = text.trim_start_matches(|c: char| c.is_whitespace() || is_hidden(c));
    if begins_with_break || shown.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        return format!("'{text}");
    }
    text
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
            assert_eq!(guarded(text.to_owned()), format!("'{text}"));
        }
        for text in ["", "a=1", "1-2", "'=1", " x", "{\"a\":1}", "ana@acme.example", "2024-01-01"] {
            assert_eq!(guarded(text.to_owned()), text);
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
            .metadata("k", 1);
        event.change.diff.push(FieldChange::new("f", None, Some(Value::Null)));
        let mut event =
            AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::now(), event);
        event.erased = true;

        let full = cells(&event).unwrap();
        let empty: Vec<_> = COLUMNS.iter().zip(&full).filter(|(_, cell)| cell.is_empty()).collect();
        assert!(empty.is_empty(), "{empty:?}");
        let mut json = serde_json::to_value(&event).unwrap();
        assert!(!remains(&mut json, ""), "{json}");
        assert_eq!(full[23], r#"[{"id":"1","type":"t"}]"#);
    }
}
