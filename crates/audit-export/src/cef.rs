//! The Common Event Format, version 0.

use std::fmt::Write as _;
use std::net::IpAddr;

use audit_core::{AuditEvent, Result, Severity};

use crate::json_line;

/// Returns the event as one line of CEF, without a line feed. The device is `audit` with this crate's version.
///
/// | key | value |
/// |---|---|
/// | `rt`, `start` | when it was recorded, and when it happened, in milliseconds since 1970 |
/// | `externalId`, `act`, `cat`, `outcome`, `reason`, `msg` | id, action, category, result, reason, message |
/// | `suid`, `suser` | the actor's id, and e-mail or name |
/// | `src`, `c6a2`, `shost` | the actor's address, by what it is: IPv4, IPv6, anything else |
/// | `requestMethod`, `request`, `requestClientApplication` | method, path, user agent |
/// | `duid`, `duser` | id and name of the first target |
/// | `cn1` | the sequence |
/// | `cs1` … `cs5` | log, session, request, change set, location |
/// | `cs6` | all of the event, as JSON |
///
/// # Errors
/// Fails as [`json_line`] does.
pub fn cef(event: &AuditEvent) -> Result<String> {
    let mut line = String::from("CEF:0|audit|audit|");
    line.push_str(env!("CARGO_PKG_VERSION"));
    let name = event.message.title.as_deref().unwrap_or(event.action.as_str());
    for part in [event.action.as_str(), name, severity(event.severity.as_ref())] {
        line.push('|');
        header(&mut line, part);
    }
    line.push('|');
    let mut fields = Fields { line, is_first: true };
    fields.set("rt", &(event.recorded_at.as_micros().div_euclid(1_000)).to_string());
    fields.set("start", &(event.occurred_at.as_micros().div_euclid(1_000)).to_string());
    fields.set("externalId", &event.id.to_string());
    fields.set("act", event.action.as_str());
    fields.add("cat", event.category.as_deref());
    fields.add("outcome", event.outcome.as_ref().map(|outcome| outcome.result.as_str()));
    fields.add("reason", event.reason.as_deref());
    fields.add("msg", event.message.text.as_deref());
    let actor = &event.actor;
    fields.add("suid", actor.id.as_deref());
    fields.add("suser", actor.email.as_deref().or(actor.name.as_deref()));
    if let Some(address) = &actor.ip {
        match address.parse() {
            Ok(IpAddr::V4(_)) => fields.set("src", address),
            Ok(IpAddr::V6(_)) => fields.labelled("c6a2", "Source IPv6 Address", Some(address)),
            Err(_) => fields.set("shost", address),
        }
    }
    fields.add("requestMethod", event.request.method.as_deref());
    fields.add("request", event.request.path.as_deref());
    fields.add("requestClientApplication", actor.user_agent.as_deref());
    if let Some(target) = event.targets.first() {
        fields.add("duid", target.id.as_deref());
        fields.add("duser", target.name.as_deref());
    }
    fields.labelled("cn1", "sequence", Some(&event.sequence.to_string()));
    fields.labelled("cs1", "log", Some(&event.log.to_string()));
    fields.labelled("cs2", "session", actor.session_id.as_deref());
    fields.labelled("cs3", "request", event.request.id.as_deref());
    fields.labelled("cs4", "changeSet", event.change_set_id.map(|id| id.to_string()).as_deref());
    fields.labelled("cs5", "location", event.location.as_deref());
    fields.labelled("cs6", "event", Some(&json_line(event)?));
    Ok(fields.line)
}

/// Returns the severity in the words or numbers of CEF: 0 to 10, or unknown.
fn severity(severity: Option<&Severity>) -> &'static str {
    match severity.map(Severity::as_str) {
        Some("informational") => "1",
        Some("low") => "3",
        Some("medium") => "5",
        Some("high") => "8",
        Some("critical") => "9",
        Some("fatal") => "10",
        _ => "Unknown",
    }
}

/// The extension: keys and values, separated by spaces.
struct Fields {
    line: String,
    is_first: bool,
}

impl Fields {
    fn add(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    fn labelled(&mut self, key: &str, label: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.set(&format!("{key}Label"), label);
            self.set(key, value);
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(' ');
        }
        let _ = write!(self.line, "{key}=");
        for c in value.chars() {
            match c {
                '\\' => self.line.push_str("\\\\"),
                '=' => self.line.push_str("\\="),
                '\n' => self.line.push_str("\\n"),
                '\r' => self.line.push_str("\\r"),
                c => self.line.push(c),
            }
        }
    }
}

/// Writes a part of the header, in which a line break is a space.
fn header(line: &mut String, part: &str) {
    for c in part.chars() {
        match c {
            '\\' | '|' => line.extend(['\\', c]),
            '\n' | '\r' => line.push(' '),
            c => line.push(c),
        }
    }
}
