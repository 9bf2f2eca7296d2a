//! The identity of a record: the digest of its content without the envelope of a delivery.

use std::fmt;

use audit_core::Timestamp;
use audit_core::json::{self, Object};
use serde_json::{Number, Value};
use sha2::{Digest as _, Sha256};

use crate::glob::Glob;

/// The keys that systems add at the top of every record that they pass on.
const ENVELOPE: &[&str] = &[
    // Log Analytics.
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
    // Logstash.
    "@timestamp",
    "@version",
];

/// The prefix of the fields that Panther adds to every record.
const PANTHER: &str = "p_";

/// Which spellings of a record are one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sameness<'a> {
    /// The further keys at the top that are part of a delivery.
    pub(crate) envelope: &'a [Glob],
    /// Whether a text that is JSON counts as what it says.
    pub(crate) json_texts: bool,
}

/// A SHA-256 over values, each tagged with its type and length, objects by sorted keys: two values
/// that differ never give the same bytes. The order of keys and the spelling of a number play no part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of a record's content. Call it before anything is taken from the record.
    pub(crate) fn of(record: &Value, sameness: Sameness<'_>) -> Self {
        let mut writer = Writer::new(sameness);
        match record {
            Value::Object(fields) => writer.object(fields, |key| {
                !key.starts_with(PANTHER)
                    && !ENVELOPE.contains(&key)
                    && !sameness.envelope.iter().any(|glob| glob.matches(key))
            }),
            other => writer.value(other),
        }
        writer.finish()
    }

    /// Returns the digest of an item of the record that a program made, where this is of the record as it was
    /// delivered.
    pub(crate) fn of_item(&self, item: &Value) -> Self {
        let sameness = Sameness { envelope: &[], json_texts: false };
        let mut writer = Writer::new(sameness);
        writer.write(&self.0);
        writer.value(item);
        writer.finish()
    }

    /// Returns the digest of the event with this content, the source's own id, and the stated time,
    /// which may be in the envelope only.
    pub(crate) fn of_event(&self, source_id: Option<&str>, time: Option<Timestamp>) -> Self {
        let sameness = Sameness { envelope: &[], json_texts: false };
        let mut writer = Writer::new(sameness);
        writer.write(&self.0);
        writer.value(&time.map(Timestamp::as_nanos).into());
        match source_id {
            Some(id) => writer.tagged(b's', id.as_bytes()),
            None => writer.value(&Value::Null),
        }
        writer.finish()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not byte by byte through the formatter: each event has one.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        let digits = self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        f.write_str(&"sha256:".chars().chain(digits).collect::<String>())
    }
}

/// A hash of the bytes that are written. It takes them in pieces, because many small steps are slow.
struct Writer<'a> {
    hash: Sha256,
    piece: [u8; PIECE_BYTES],
    filled: usize,
    sameness: Sameness<'a>,
}

/// Eight blocks of the hash.
const PIECE_BYTES: usize = 512;

impl<'a> Writer<'a> {
    fn new(sameness: Sameness<'a>) -> Self {
        Self { hash: Sha256::new(), piece: [0; PIECE_BYTES], filled: 0, sameness }
    }

    fn write(&mut self, bytes: &[u8]) {
        if bytes.len() > PIECE_BYTES - self.filled {
            self.hash.update(&self.piece[..self.filled]);
            self.filled = 0;
        }
        match self.piece.get_mut(self.filled..self.filled + bytes.len()) {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => self.hash.update(bytes),
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.write(b"n"),
            Value::Bool(value) => self.write(if *value { b"1" } else { b"0" }),
            Value::Number(number) => self.number(number),
            Value::String(text) => match self.sameness.json_texts.then(|| restate(text)) {
                Some(Some(value)) => {
                    self.write(b"j");
                    self.value(&value);
                }
                _ => self.tagged(b's', text.as_bytes()),
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
        let entries = fields.iter().filter(|(key, _)| counts(key));
        self.count(b'o', entries.clone().count());
        // They usually are, unless a feature of serde_json keeps the order of a text.
        if fields.keys().is_sorted() {
            for entry in entries {
                self.entry(entry);
            }
        } else {
            let mut entries: Vec<_> = entries.collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            for entry in entries {
                self.entry(entry);
            }
        }
    }

    fn entry(&mut self, (key, field): (&String, &Value)) {
        self.tagged(b'k', key.as_bytes());
        self.value(field);
    }

    /// Writes a number by its value: 500.0, 5e2 and 500 are one.
    fn number(&mut self, number: &Number) {
        let text = match number.as_f64().filter(|_| number.is_f64()) {
            Some(0.0) => "0".to_owned(),
            // A whole float of this size has the digits of an integer of 64 bits.
            Some(float) if float.fract() == 0.0 && float.abs() < 1.8e19 => format!("{float:.0}"),
            _ => number.to_string(),
        };
        self.tagged(b'd', text.as_bytes());
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.count(tag, bytes.len());
        self.write(bytes);
    }

    fn count(&mut self, tag: u8, count: usize) {
        let mut bytes = [tag; 9];
        bytes[1..].copy_from_slice(&(count as u64).to_be_bytes());
        self.write(&bytes);
    }

    fn finish(mut self) -> Digest {
        self.hash.update(&self.piece[..self.filled]);
        Digest(self.hash.finalize().into())
    }
}

/// Reads a JSON text. Its scalar values become texts, as in PowerShell.
fn restate(text: &str) -> Option<Value> {
    if !text.starts_with(['[', '{']) {
        return None;
    }
    json::parse(text.as_bytes()).ok().map(plain)
}

fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(key, field)| (key, plain(field))).collect()
        }
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::String(text) => powershell(&text).unwrap_or(Value::String(text)),
        Value::Null => "".into(),
        Value::Bool(value) => if value { "True" } else { "False" }.into(),
        Value::Number(number) => number.to_string().into(),
    }
}

/// Reads the object that PowerShell writes as `text`.
fn powershell(text: &str) -> Option<Value> {
    let fields = text.strip_prefix("@{")?.strip_suffix('}')?;
    fields.split("; ").map(|field| field.split_once('=')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Sameness<'_> = Sameness { envelope: &[], json_texts: false };

    fn digest(line: &str) -> String {
        Digest::of(&json::parse(line.as_bytes()).unwrap(), EXACT).to_string()
    }

    #[test]
    fn the_order_of_keys_and_the_envelope_play_no_part() {
        let first = digest(r#"{"a":1,"b":{"c":2,"d":3},"TimeGenerated":"x","p_row_id":1}"#);
        assert_eq!(first, digest(r#"{"@version":"1","b":{"d":3,"c":2},"a":1}"#));
        assert_ne!(first, digest(r#"{"a":1,"b":{"c":2,"d":3,"p_row_id":1}}"#), "below the top");
        let record = json::parse(br#"{"a":1,"b":{"c":2,"d":3},"x_1":0}"#).unwrap();
        let envelope = [Glob::new("x_*")];
        let own = Digest::of(&record, Sameness { envelope: &envelope, ..EXACT });
        assert_eq!(first, own.to_string());
    }

    #[test]
    fn a_number_is_its_value() {
        for (one, other) in [
            ("500.0", "500"),
            ("5e2", "500"),
            ("-0.0", "0"),
            ("1e19", "10000000000000000000"),
            ("1E-1", "0.1"),
            ("1e300", "1E+300"),
        ] {
            assert_eq!(digest(&format!("[{one}]")), digest(&format!("[{other}]")), "{one}");
        }
    }

    #[test]
    fn a_digest_is_of_all_bytes_in_their_order() {
        for length in [0, 1, 493, 494, 495, 502, 503, 504, 512, 513, 1_500] {
            let text = "x".repeat(length);
            let mut bytes = vec![b'a', 0, 0, 0, 0, 0, 0, 0, 2];
            for text in [&*text, "y"] {
                bytes.push(b's');
                bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            let expected = Digest(Sha256::digest(&bytes).into()).to_string();
            assert_eq!(digest(&format!("[\"{text}\",\"y\"]")), expected, "{length}");
        }
    }

    #[test]
    fn what_differs_has_another_digest() {
        let lines = [
            r"{}",
            r#"{"a":null}"#,
            r#"{"a":""}"#,
            r#"{"a":"1"}"#,
            r#"{"a":1}"#,
            r#"{"a":-1}"#,
            r#"{"a":1.5}"#,
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
            r#"{"a":-10.0}"#,
            r#"{"a":10.0}"#,
            r#"{"a":100.0}"#,
        ];
        let mut digests: Vec<_> = lines.into_iter().map(digest).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), lines.len());
    }

    #[test]
    fn the_id_and_the_time_are_part_of_an_event() {
        let content = Digest::of(&Value::Null, EXACT);
        let time = Some(Timestamp::MIN);
        let mut all: Vec<_> = [(None, None), (Some(""), None), (None, time), (Some(""), time)]
            .map(|(id, time)| content.of_event(id, time).to_string())
            .to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
    }
}
