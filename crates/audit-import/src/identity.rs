//! The identity of a record: the digest of its content without the envelope of a delivery.

use std::fmt;

use audit_core::Timestamp;
use audit_core::json::Object;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::record::Record;

/// The columns that Log Analytics adds to every record.
const LOG_ANALYTICS: &[&str] = &[
    "TenantId",
    "SourceSystem",
    "MG",
    "ManagementGroupName",
    "TimeGenerated",
    "Computer",
    "RawData",
    "Type",
    "_ResourceId",
    "_SubscriptionId",
    "_ItemId",
    "_TimeReceived",
    "_BilledSize",
    "_IsBillable",
];

/// The prefix of the fields that Panther adds to every record.
const PANTHER: &str = "p_";

fn is_envelope(key: &str) -> bool {
    key.starts_with(PANTHER) || LOG_ANALYTICS.contains(&key)
}

/// Normalizes a text that deliveries of one record write in several ways; `None` for any other text.
pub(crate) type Restate = fn(&str) -> Option<Value>;

/// A SHA-256 over values, each tagged with its type and length, objects by sorted keys: two values
/// that differ never give the same bytes, and the order of keys plays no part.
#[derive(Debug)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of a record's content. Call it before anything is taken from the record.
    pub(crate) fn of(record: &Record, restate: Restate) -> Self {
        let mut hasher = Hasher { sha: Sha256::new(), restate };
        hasher.object(record.fields(), |key| !is_envelope(key));
        hasher.finish()
    }

    /// Returns the digest of the event with this content, the source's own id, and the stated time,
    /// which may be in the envelope only.
    pub(crate) fn of_event(&self, source_id: Option<&str>, time: Option<Timestamp>) -> Self {
        let mut hasher = Hasher { sha: Sha256::new(), restate: |_| None };
        hasher.sha.update(self.0);
        hasher.value(&time.map(Timestamp::as_micros).into());
        hasher.value(&source_id.into());
        hasher.finish()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

struct Hasher {
    sha: Sha256,
    restate: Restate,
}

impl Hasher {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.sha.update(b"n"),
            Value::Bool(false) => self.sha.update(b"0"),
            Value::Bool(true) => self.sha.update(b"1"),
            Value::Number(number) => self.tagged(b'd', number.to_string().as_bytes()),
            Value::String(text) => match (self.restate)(text) {
                Some(value) => {
                    self.sha.update(b"j");
                    self.value(&value);
                }
                None => self.tagged(b's', text.as_bytes()),
            },
            Value::Array(items) => {
                self.count(b'a', items.len());
                for item in items {
                    self.value(item);
                }
            }
            Value::Object(fields) => self.object(fields, |_| true),
        }
    }

    fn object(&mut self, fields: &Object, counts: impl Fn(&str) -> bool) {
        let mut entries: Vec<_> = fields.iter().filter(|(key, _)| counts(key)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        self.count(b'o', entries.len());
        for (key, field) in entries {
            self.tagged(b'k', key.as_bytes());
            self.value(field);
        }
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.count(tag, bytes.len());
        self.sha.update(bytes);
    }

    fn count(&mut self, tag: u8, count: usize) {
        self.sha.update([tag]);
        self.sha.update((count as u64).to_be_bytes());
    }

    fn finish(self) -> Digest {
        Digest(self.sha.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::NO_VALUE;

    fn digest(line: &str) -> String {
        Digest::of(&Record::parse(line.as_bytes(), NO_VALUE).unwrap(), |_| None).to_string()
    }

    #[test]
    fn the_order_of_keys_and_the_envelope_play_no_part() {
        let first = digest(r#"{"a":1,"b":{"c":2,"d":3},"TimeGenerated":"x","p_row_id":1}"#);
        assert_eq!(first, digest(r#"{"TimeGenerated":"y","b":{"d":3,"c":2},"a":1}"#));
        assert_ne!(first, digest(r#"{"a":1,"b":{"c":2,"d":3,"p_row_id":1}}"#), "below the top");
    }

    #[test]
    fn what_differs_has_another_digest() {
        let lines = [
            r"{}",
            r#"{"a":null}"#,
            r#"{"a":""}"#,
            r#"{"a":"1"}"#,
            r#"{"a":1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":true}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":["b","c"]}"#,
            r#"{"a":["bc"]}"#,
            r#"{"a":["b"],"c":[]}"#,
            r#"{"a":{"b":"c"}}"#,
            r#"{"ab":"c"}"#,
            r#"{"a":"bc"}"#,
            r#"{"a":9007199254740993}"#,
            r#"{"a":9007199254740992}"#,
        ];
        let mut digests: Vec<_> = lines.into_iter().map(digest).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), lines.len());
    }

    #[test]
    fn the_id_and_the_time_are_part_of_an_event() {
        let content = Digest::of(&Record::parse(b"{}", NO_VALUE).unwrap(), |_| None);
        let time = Some(Timestamp::MIN);
        let mut all: Vec<_> = [(None, None), (Some(""), None), (None, time), (Some(""), time)]
            .map(|(id, time)| content.of_event(id, time).to_string())
            .to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
    }
}
