//! The formats, and the steps of reading that they share.

use std::fmt;
use std::str::FromStr;

use audit_core::{Error, EventId, NewEvent, Result, Source, Timestamp, Violation};
use uuid::Uuid;

use crate::identity::Digest;
use crate::layout::Layout;
use crate::record::Record;
use crate::{cloudtrail, github_audit, github_events, jira, okta, slack};

/// A system whose audit records can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// AWS CloudTrail, one record of a log file's `Records`. See [`cloudtrail`].
    CloudTrail,
    /// The public events of GitHub, as the events API and GH Archive give them. See
    /// [`github_events`].
    GithubEvents,
    /// The Okta system log, as its API gives it or flattened by Log Analytics. See [`okta`].
    Okta,
    /// The audit records of Jira. See [`jira`].
    Jira,
    /// The audit logs of Slack. See [`slack`].
    Slack,
    /// The audit log of a GitHub organization or enterprise. See [`github_audit`].
    GithubAudit,
}

/// The metadata key that names the source of an event's time if the record has none.
pub const TIME_SOURCE: &str = "occurredAtSource";

impl Format {
    /// Every format.
    pub const ALL: &'static [Self] = &[
        Self::CloudTrail,
        Self::GithubEvents,
        Self::Okta,
        Self::Jira,
        Self::Slack,
        Self::GithubAudit,
    ];

    /// Returns the name: `cloudtrail`, `github-events`, `okta`, `jira`, `slack` or `github-audit`.
    /// It becomes the [system](Source::system) of the events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::GithubEvents => "github-events",
            Self::Okta => "okta",
            Self::Jira => "jira",
            Self::Slack => "slack",
            Self::GithubAudit => "github-audit",
        }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) and the field at fault:
    /// - named as in the record: if [`audit_core::json::parse`] rejects the text, if the record is
    ///   not an object, if it has no action or no time, or if the time has none of the
    ///   [known forms](crate::time);
    /// - named as in the model: if a value breaks one of the [limits](audit_core::limits).
    pub fn read(&self, line: &[u8]) -> Result<NewEvent> {
        self.read_with(line, None)
    }

    /// Reads one record as [`read`](Self::read) does, but uses `received`, the time of receipt, if
    /// the record has no time. The event's metadata then has [`TIME_SOURCE`] set to `received`.
    /// Fails if the record has a time that cannot be read.
    pub fn read_received(&self, line: &[u8], received: Timestamp) -> Result<NewEvent> {
        self.read_with(line, Some(received))
    }

    fn read_with(self, line: &[u8], received: Option<Timestamp>) -> Result<NewEvent> {
        let layout = self.layout();
        let mut record = Record::parse(line, layout.placeholders)?;
        let content = Digest::of(&record, layout.restate);
        let stated = record.take_time(layout.times)?;
        let occurred_at = stated.or(received).ok_or_else(|| {
            let field = layout.times.first().map_or_else(String::new, |path| path.join("."));
            Error::invalid(field, Violation::Missing)
        })?;
        let source_id = layout.ids.iter().find_map(|path| record.take_text(path));
        let digest = content.of_event(source_id.as_deref(), stated);

        let mut event = (layout.read)(&mut record)?;
        event.id = EventId::derived(self.namespace(), digest.as_bytes());
        event.occurred_at = Some(occurred_at);
        event.source =
            Some(Source::new(self.name(), source_id.unwrap_or_else(|| digest.to_string())));
        event.metadata = record.into_fields();
        if stated.is_none() {
            event.metadata.entry(TIME_SOURCE).or_insert_with(|| "received".into());
        }
        event.validate()?;
        Ok(event)
    }

    fn layout(self) -> &'static Layout {
        match self {
            Self::CloudTrail => &cloudtrail::LAYOUT,
            Self::GithubEvents => &github_events::LAYOUT,
            Self::Okta => &okta::LAYOUT,
            Self::Jira => &jira::LAYOUT,
            Self::Slack => &slack::LAYOUT,
            Self::GithubAudit => &github_audit::LAYOUT,
        }
    }

    /// Returns the UUID namespace of the format's event ids.
    fn namespace(self) -> Uuid {
        const NAMESPACE: Uuid = Uuid::from_u128(0x5d1c_7d4e_1f0b_4b7a_9c55_0e6a_3c8e_7f21);
        Uuid::new_v5(&NAMESPACE, self.name().as_bytes())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name).ok_or_else(|| {
            Error::malformed(
                "format",
                "cloudtrail, github-events, okta, jira, slack or github-audit",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), *format);
        }
        assert_eq!("Okta".parse::<Format>().unwrap_err().field(), Some("format"));
    }

    #[test]
    fn namespaces_are_apart() {
        let mut all: Vec<_> = Format::ALL.iter().map(|format| format.namespace()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), Format::ALL.len());
    }

    #[test]
    fn a_record_without_a_time_needs_one_from_outside() {
        let line = br#"{"action":"repo.create","actor":"ana"}"#;
        let error = Format::GithubAudit.read(line).unwrap_err();
        assert_eq!(
            (error.field(), error.violation()),
            (Some("@timestamp"), Some(&Violation::Missing))
        );
        let at = |text: &str| {
            let received = text.parse().unwrap();
            (Format::GithubAudit.read_received(line, received).unwrap(), received)
        };
        let ((first, received), (second, _)) =
            (at("2024-01-01T00:00:00Z"), at("2025-01-01T00:00:00Z"));
        assert_eq!(
            (first.occurred_at, &first.metadata[TIME_SOURCE]),
            (Some(received), &"received".into())
        );
        // The time of receipt is no part of the record, so both are deliveries of one.
        assert_eq!(first.id, second.id);
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_field() {
        for (line, field, violation) in [
            (&br#"{"action":"a","x":{"k":1,"k":2}}"#[..], "x", Violation::DuplicateKey),
            (br#"{"action":"a","n":123456789012345678901}"#, "", Violation::Inexact),
            (br"[1]", "", Violation::Malformed { expected: "a JSON object" }),
            (br#"{"created_at":1}"#, "action", Violation::Missing),
            (br#"{"created_at":1,"action":""}"#, "action", Violation::Empty),
            (
                br#"{"created_at":1,"action":["a"]}"#,
                "action",
                Violation::Malformed { expected: "a text" },
            ),
        ] {
            let error = Format::GithubAudit.read(line).unwrap_err();
            assert_eq!((error.field(), error.violation()), (Some(field), Some(&violation)));
        }
        for line in [&b"{\"action\":\"\xff\"}"[..], br#"{"action":"\ud800"}"#] {
            let error = Format::GithubAudit.read(line).unwrap_err();
            assert!(matches!(error.violation(), Some(Violation::Malformed { .. })));
        }
    }

    #[test]
    fn a_value_over_a_limit_names_the_limit() {
        let line = format!(r#"{{"created_at":1,"action":"a","actor_ip":"{}"}}"#, "1".repeat(2_000));
        let error = Format::GithubAudit.read(line.as_bytes()).unwrap_err();
        assert_eq!(error.field(), Some("actor.ip"));
        let limit = audit_core::limits::MAX_ID_BYTES;
        assert_eq!(error.violation(), Some(&Violation::TooLong { limit, actual: 2_000 }));
    }
}
