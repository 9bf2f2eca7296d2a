//! Syslog messages of RFC 5424.

use audit_core::{AuditEvent, Error, Result, Severity, Violation};

use crate::json_line;

/// The facility of audit logs.
const LOG_AUDIT: u8 = 13;
const MAX_HOSTNAME_BYTES: usize = 255;
const MAX_APP_NAME_BYTES: usize = 48;
const MAX_MSGID_BYTES: usize = 32;

/// The sender of syslog messages.
///
/// ```
/// use audit_core::{Actor, AuditEvent, Log, NewEvent, Sequence, Timestamp};
/// use audit_export::Syslog;
///
/// let event = NewEvent::new("user.login", Actor::user("u_7"));
/// let event = AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::MIN, event);
/// let message = Syslog::new("web-1", "shop")?.message(&event)?;
/// assert!(message.starts_with("<110>1 "));
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    hostname: String,
    app_name: String,
}

impl Default for Syslog {
    /// A sender that names no host, and the program `audit`.
    fn default() -> Self {
        Self { hostname: "-".to_owned(), app_name: "audit".to_owned() }
    }
}

impl Syslog {
    /// Creates a sender with the name of its host and of its program.
    ///
    /// # Errors
    /// Fails if a name is empty, has a character that is not visible ASCII, or is longer than 255 bytes
    /// (`hostname`) or 48 bytes (`app_name`).
    pub fn new(hostname: impl Into<String>, app_name: impl Into<String>) -> Result<Self> {
        let (hostname, app_name) = (hostname.into(), app_name.into());
        name("hostname", &hostname, MAX_HOSTNAME_BYTES)?;
        name("appName", &app_name, MAX_APP_NAME_BYTES)?;
        Ok(Self { hostname, app_name })
    }

    /// Returns the message of an event, without a line feed and without a frame.
    ///
    /// The facility is 13 (audit), the severity that of the event, or 6 (informational). The time is cut to
    /// microseconds, which RFC 5424 allows at most; the event in the message has all of it. The message id is
    /// the action, if it fits; the message is the event as JSON in UTF-8, after a byte order mark. Of the
    /// structured data, `meta` has the sequence, as long as it is below 2^31.
    ///
    /// # Errors
    /// Fails as [`json_line`] does.
    pub fn message(&self, event: &AuditEvent) -> Result<String> {
        let Self { hostname, app_name } = self;
        let priority = LOG_AUDIT * 8 + severity(event.severity.as_ref());
        let time = micros(&event.occurred_at.to_string());
        let action = event.action.as_str();
        let id = if name("", action, MAX_MSGID_BYTES).is_ok() { action } else { "-" };
        let data = match event.sequence.get() {
            sequence @ 1..=0x7fff_ffff => format!("[meta sequenceId=\"{sequence}\"]"),
            _ => "-".to_owned(),
        };
        let json = json_line(event)?;
        Ok(format!("<{priority}>1 {time} {hostname} {app_name} - {id} {data} \u{feff}{json}"))
    }
}

/// Checks a name of the header: visible ASCII without spaces.
fn name(field: &'static str, text: &str, limit: usize) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(field, Violation::Empty));
    }
    if text.len() > limit {
        return Err(Error::invalid(field, Violation::TooLong { limit, actual: text.len() }));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::malformed(field, "visible ASCII without spaces"));
    }
    Ok(())
}

/// Cuts the digits after the sixth of the seconds of a time in UTC.
fn micros(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, rest)) => {
            let digits = rest.trim_end_matches('Z');
            format!("{seconds}.{}Z", &digits[..digits.len().min(6)])
        }
        None => time.to_owned(),
    }
}

fn severity(severity: Option<&Severity>) -> u8 {
    match severity.map(Severity::as_str) {
        Some("fatal") => 1,
        Some("critical") => 2,
        Some("high") => 3,
        Some("medium") => 4,
        Some("low") => 5,
        _ => 6,
    }
}
