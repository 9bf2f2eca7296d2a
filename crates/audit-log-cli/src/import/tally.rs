//! Counts the records of a file by outcome.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use audit_core::{Error, Violation};
use audit_import::{Mapped, TimeOrigin};
use serde::Serialize;

/// The most causes that are counted apart: a field that is named after a value can give many.
const MAX_CAUSES: usize = 100;

/// The numbers of records, by result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) recorded: u64,
    pub(crate) redelivered: u64,
    pub(crate) refused: u64,
    /// Of the records whose time is not their own: where it comes from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) times: BTreeMap<String, u64>,
    /// Of the values that are too large for their fields, and in the metadata: the field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) too_large: BTreeMap<String, u64>,
    /// Of the refused records: the cause.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) refusals: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts what is noteworthy about a record, whatever its result.
    pub(crate) fn note(&mut self, record: &Mapped) {
        let origin = match &record.time {
            TimeOrigin::Carrier(field) => Some(field.clone()),
            TimeOrigin::Received => Some("received".to_owned()),
            _ => None,
        };
        if let Some(origin) = origin {
            *self.times.entry(origin).or_default() += 1;
        }
        for field in &record.too_large {
            *self.too_large.entry(field.clone()).or_default() += 1;
        }
    }

    /// Counts a refused record. Returns whether it is the first of its cause.
    pub(crate) fn refuse(&mut self, error: &Error) -> bool {
        self.refused += 1;
        let mut cause = cause(error);
        if self.refusals.len() >= MAX_CAUSES && !self.refusals.contains_key(&cause) {
            "others".clone_into(&mut cause);
        }
        let count = self.refusals.entry(cause).or_default();
        *count += 1;
        *count == 1
    }

    /// Returns the lines that say more than the numbers.
    pub(crate) fn details(&self) -> Vec<String> {
        [
            ("time from", &self.times),
            ("too large, kept in the metadata:", &self.too_large),
            ("refused:", &self.refusals),
        ]
        .into_iter()
        .flat_map(|(words, counts)| {
            counts.iter().map(move |(what, count)| format!("{count} {words} {what}"))
        })
        .collect()
    }
}

/// Returns the cause of a refusal without the value and without numbers, so that like ones are counted
/// together.
fn cause(error: &Error) -> String {
    let violation = match error.violation() {
        Some(Violation::TooLong { limit, .. }) => format!("has more bytes than {limit}"),
        Some(Violation::TooMany { limit, .. }) => format!("has more items than {limit}"),
        Some(violation) => violation.to_string(),
        None => error.kind().to_string(),
    };
    match error.field() {
        Some("") | None => violation,
        Some(field) => format!("`{field}` {violation}"),
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.recorded += other.recorded;
        self.redelivered += other.redelivered;
        self.refused += other.refused;
        for (counts, others) in [
            (&mut self.times, other.times),
            (&mut self.too_large, other.too_large),
            (&mut self.refusals, other.refusals),
        ] {
            for (what, count) in others {
                *counts.entry(what).or_default() += count;
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, recorded, redelivered, refused, .. } = self;
        write!(f, "{read} read, {recorded} recorded, {redelivered} redelivered, {refused} refused")
    }
}
