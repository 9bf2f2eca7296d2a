//! Events in the forms that other systems read.
//!
//! | function | form | has all of the event |
//! |---|---|---|
//! | [`json_line`] | JSON Lines, exact | as it is |
//! | [`csv_row`] | CSV, without formulas | but that an empty text is an absent one |
//! | [`cloud_event`] | [CloudEvents 1.0](https://github.com/cloudevents/spec), JSON | in `data` |
//! | [`Ocsf::event`] | [OCSF](https://schema.ocsf.io), JSON | in attributes, and the rest in `unmapped` |
//! | [`cef`] | the Common Event Format | as JSON in `cs6` |
//! | [`Syslog::message`] | syslog, [RFC 5424](https://www.rfc-editor.org/rfc/rfc5424) | as JSON in the message |
//! | [`otlp`] | logs of the OpenTelemetry protocol, JSON | in the body of the log record |
//!
//! Each is a pure function of an event: no clock, no network, no file. The parts of an event for which a form
//! has a field are in that field, too, so that a receiver can filter by them. [`Encoder`] writes many events
//! in the form that a [`Format`] names.
//!
//! An erasure in the log does not reach exported events.

mod cef;
mod cloud_event;
mod csv;
mod format;
mod ocsf;
mod otlp;
mod syslog;

use audit_core::{AuditEvent, Error, Result};
use serde_json::Value;

pub use cef::cef;
pub use cloud_event::cloud_event;
pub use csv::{csv_header, csv_row};
pub use format::{Encoder, Format};
pub use ocsf::{OCSF_VERSION, Ocsf, OcsfClass};
pub use otlp::otlp;
pub use syslog::Syslog;

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Returns the event as JSON in one line, without a line feed.
///
/// # Errors
/// Fails if the event cannot be written as JSON, which no event that a store returned does.
pub fn json_line(event: &AuditEvent) -> Result<String> {
    serde_json::to_string(event).map_err(|error| Error::malformed("", "JSON").with_source(error))
}

fn json(event: &AuditEvent) -> Result<Value> {
    serde_json::to_value(event).map_err(|error| Error::malformed("", "JSON").with_source(error))
}
