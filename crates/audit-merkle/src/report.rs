//! The report of a verification.

use std::fmt;

use audit_core::tree::NodeId;
use audit_core::{Error, ErrorKind, Result, Sequence};
use serde::Serialize;

use crate::{Finding, StateFinding, TreeHead};

/// The result of a [`LogVerifier`](crate::LogVerifier), or of a
/// [verification](crate::VerifyExt::verify) of a store. [`Display`](fmt::Display) prints it in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The number of events before the first one that was read: zero, or what retention has removed,
    /// or what the checkpoint covers from which the verification started.
    pub from: Sequence,
    /// The size and the root of what was read, up to the first finding.
    pub head: TreeHead,
    /// The size of the largest kept head that matches: the records up to it are proved.
    pub proved: Sequence,
    /// The number of kept heads with which the log was to be compared.
    pub kept: usize,
    /// The kept heads that are smaller than [`from`](Self::from), which could not be compared.
    pub skipped: Vec<TreeHead>,
    /// The number of events whose personal data is missing. Erasures are allowed, and the log
    /// records each.
    pub erased: u64,
    /// The number of events that the log records as erased. It exceeds [`erased`](Self::erased)
    /// where retention has removed some of them since.
    pub declared_erased: u64,
    /// The number of events that were recorded while the store's clock was out of the expected range:
    /// those with a [`clock_reading`](audit_core::AuditEvent::clock_reading). No finding.
    pub clock_faults: u64,
    /// The first thing that is wrong with the records, or with what the log declares removed.
    pub finding: Option<Finding>,
    /// The events whose personal data does not match the digest in the record; the first 1,000.
    pub personal: Vec<Sequence>,
    /// The nodes that are missing, or do not match the records; the first 1,000. The records are
    /// right, and proofs made of these nodes fail.
    pub nodes: Vec<NodeId>,
    /// The parts of the store's state, beside the log, that differ from what the log declares; see
    /// [`with_retention`](crate::Verification::with_retention) and
    /// [`with_tenants`](crate::Verification::with_tenants).
    pub state: Vec<StateFinding>,
}

/// The verdict of a [`Report`]. In JSON it is `intact`, `notIntact` or `nothingVerified`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Something was compared, and nothing is wrong.
    Intact,
    /// Something is wrong.
    NotIntact,
    /// Nothing is wrong, because nothing was compared: the log has no events, or none of the kept
    /// heads could be compared.
    NothingVerified,
}

impl Report {
    /// Returns the verdict.
    pub fn verdict(&self) -> Verdict {
        let Self { finding, personal, nodes, state, .. } = self;
        let is_wrong =
            finding.is_some() || !(personal.is_empty() && nodes.is_empty() && state.is_empty());
        let is_compared =
            self.head.size > Sequence::ZERO && (self.kept == 0 || self.proved > Sequence::ZERO);
        match (is_wrong, is_compared) {
            (true, _) => Verdict::NotIntact,
            (false, true) => Verdict::Intact,
            (false, false) => Verdict::NothingVerified,
        }
    }

    /// Returns `true` if something was verified and nothing is wrong: with the records, the personal
    /// data that is present, the stored nodes, and the state that was compared.
    /// [`proved`](Self::proved) says how far a kept head confirms it.
    pub fn is_intact(&self) -> bool {
        self.verdict() == Verdict::Intact
    }

    /// Returns the report if the log [is intact](Self::is_intact).
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if something is wrong: with the field `records` and the [`Finding`] as
    /// its source, with the field `personal[…]` or `nodes[…][…]` of the first of these, or with the
    /// field `state` and the [`StateFinding`]. [`ErrorKind::NotFound`] with the field `records` or
    /// `heads` if nothing was verified.
    pub fn into_result(self) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt).with_context("verifying a log");
        if let Some(finding) = self.finding {
            return Err(corrupt().with_field("records").with_source(finding));
        }
        if let Some(sequence) = self.personal.first() {
            return Err(corrupt().with_field(format!("personal[{sequence}]")));
        }
        if let Some(NodeId { level, index }) = self.nodes.first() {
            return Err(corrupt().with_field(format!("nodes[{level}][{index}]")));
        }
        if let Some(finding) = self.state.first() {
            return Err(corrupt().with_field("state").with_source(*finding));
        }
        if self.verdict() == Verdict::NothingVerified {
            let field = if self.head.size == Sequence::ZERO { "records" } else { "heads" };
            return Err(Error::not_found(field).with_context("verifying a log"));
        }
        Ok(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, head: TreeHead { size, root }, proved, .. } = self;
        if size > from {
            writeln!(f, "Events {} to {size} were read; the root is {root}.", from.next())?;
        } else {
            writeln!(f, "No events were read; the root of the first {size} is {root}.")?;
        }
        if proved.get() == 0 {
            writeln!(f, "No kept checkpoint proves any event.")?;
        } else {
            writeln!(f, "A kept checkpoint proves the first {proved}.")?;
        }
        for head in &self.skipped {
            let size = head.size;
            writeln!(f, "The checkpoint of {size} events is too old to be compared.")?;
        }
        if self.erased > 0 {
            writeln!(
                f,
                "The personal data of {} events is missing; the log records {} erasures.",
                self.erased, self.declared_erased
            )?;
        }
        if self.clock_faults > 0 {
            writeln!(f, "{} events were recorded with a wrong clock.", self.clock_faults)?;
        }
        if let Some(finding) = &self.finding {
            writeln!(f, "WRONG: {finding}.")?;
        }
        if let Some(first) = self.personal.first() {
            let count = self.personal.len();
            writeln!(f, "WRONG: the personal data of {count} events was changed, first {first}.")?;
        }
        if let Some(NodeId { level, index }) = self.nodes.first() {
            let count = self.nodes.len();
            writeln!(f, "WRONG: {count} nodes were changed, first ({level}, {index}).")?;
        }
        for finding in &self.state {
            writeln!(f, "WRONG: {finding}.")?;
        }
        f.write_str(match self.verdict() {
            Verdict::Intact => "Nothing is wrong.",
            Verdict::NotIntact => "The log is not intact.",
            Verdict::NothingVerified => "Nothing was verified.",
        })
    }
}
