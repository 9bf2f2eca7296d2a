//! The result of `audit verify`, in words and as JSON.

use audit_core::tree::NodeId;
use audit_core::{Error, Log, Sequence};
use audit_merkle::{Reference, Report, Verdict};
use audit_sqlite::DerivedFinding;
use serde::Serialize;

use crate::error::{Result, chain};
use crate::output::Output;

/// The result for one log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogResult {
    log: Log,
    /// `true` if something was verified and there are no findings.
    intact: bool,
    /// The verdict: intact, notIntact or nothingVerified.
    pub(crate) verdict: Verdict,
    /// The number of events before the first one that was read.
    from: u64,
    /// The last event that was read.
    to: u64,
    /// The last event that a kept checkpoint proves.
    proved: u64,
    /// The last event that was pruned.
    pruned: u64,
    /// The number of events whose personal data is missing.
    erased: u64,
    /// The number of events that the log records as erased.
    declared_erased: u64,
    /// The number of events that were recorded with a wrong clock.
    clock_faults: u64,
    /// The sizes of the kept checkpoints that are too old to be compared.
    outdated: Vec<u64>,
    /// The findings, in words.
    findings: Vec<String>,
    #[serde(skip)]
    reference: Reference,
    #[serde(skip)]
    is_whole: bool,
}

/// The number of events or nodes that are printed, of those with the same finding.
const MAX_SHOWN: usize = 5;

/// Printed if no checkpoint was given.
const NOTHING_KEPT: &str = "  proved:  nothing; without a kept checkpoint, anyone who can write to \
                            the store can have rewritten the log";

impl LogResult {
    /// Creates the result. `reference` is what the log was to be compared with.
    pub(crate) fn new(log: Log, pruned: u64, reference: Reference, report: &Report) -> Self {
        let mut findings: Vec<String> = report.finding.iter().map(ToString::to_string).collect();
        findings.extend(some(&report.personal, |event| {
            format!("the personal data of event {event} was changed")
        }));
        // If records are missing, their nodes are missing too.
        if report.finding.is_none() {
            findings.extend(some(&report.nodes, |NodeId { level, index }| {
                format!(
                    "node {index} of level {level} of the tree does not match the records, which \
                     are intact; proofs with it fail"
                )
            }));
        }
        findings.extend(some(&report.state, ToString::to_string));
        let verdict = match (report.verdict(), reference) {
            (Verdict::Intact, Reference::Checkpoint) if report.proved == Sequence::ZERO => {
                Verdict::NothingVerified
            }
            (verdict, _) => verdict,
        };
        Self {
            log,
            intact: verdict == Verdict::Intact,
            verdict,
            from: report.from.get(),
            to: report.head.size.get(),
            proved: report.proved.get(),
            pruned,
            erased: report.erased,
            declared_erased: report.declared_erased,
            clock_faults: report.clock_faults,
            outdated: report.skipped.iter().map(|head| head.size.get()).collect(),
            findings,
            reference,
            is_whole: report.finding.is_none(),
        }
    }

    /// Adds what of the derived data does not match the records.
    pub(crate) fn add_derived(&mut self, found: &[DerivedFinding]) {
        if !found.is_empty() {
            (self.intact, self.verdict) = (false, Verdict::NotIntact);
        }
        self.findings.extend(some(found, |finding| format!("{finding}; run `audit reindex`")));
    }

    /// Creates the result for a log that cannot be read.
    pub(crate) fn unreadable(log: Log, reference: Reference, error: &Error) -> Self {
        let (findings, verdict) = (vec![chain(error)], Verdict::NotIntact);
        Self { verdict, findings, ..Self::new(log, 0, reference, &Report::default()) }
    }

    /// Prints the result in words.
    pub(crate) fn print(&self, output: &mut Output<'_>) -> Result<()> {
        let Self { log, from, to, proved, pruned, erased, declared_erased, .. } = self;
        let verdict = match self.verdict {
            Verdict::Intact => "intact",
            Verdict::NotIntact => "NOT INTACT",
            Verdict::NothingVerified => "NOTHING VERIFIED",
        };
        output.line(format_args!("{log}: {verdict}"))?;
        for finding in &self.findings {
            output.line(format_args!("  wrong:   {finding}"))?;
        }
        output.line(format_args!("  read:    {}", events(*from, *to)))?;
        match proved {
            _ if self.reference == Reference::StoreHead => output.line(NOTHING_KEPT)?,
            0 => output
                .line("  proved:  no events: no given checkpoint of this log can be compared")?,
            _ => output
                .line(format_args!("  proved:  up to event {proved}, by a kept checkpoint"))?,
        }
        if self.intact && self.reference == Reference::Checkpoint && to > proved {
            let what = events(*proved.max(from), *to);
            output.line(format_args!("           {what} only by the store's own head"))?;
        }
        for size in &self.outdated {
            output.line(format_args!(
                "           the checkpoint of {size} events is too old to be compared"
            ))?;
        }
        if *pruned > 0 {
            output.line(format_args!("  pruned:  {}", events(0, *pruned)))?;
        }
        if self.clock_faults > 0 {
            output.line(format_args!(
                "  clock:   {} events were recorded with a wrong clock; they have its reading",
                self.clock_faults
            ))?;
        }
        // After a finding, only a part was read, and the numbers do not compare.
        if *erased > 0 && self.is_whole {
            output.line(format_args!(
                "  erased:  {erased} events; the log records {declared_erased}"
            ))?;
        }
        Ok(())
    }
}

/// Formats the numbers of the events after `from` up to `to`.
fn events(from: u64, to: u64) -> String {
    match to.saturating_sub(from) {
        0 => "no events".to_owned(),
        1 => format!("event {to}"),
        _ => format!("events {} to {to}", from + 1),
    }
}

/// Formats the first items of `all`, and the number of the others.
fn some<T>(all: &[T], in_words: impl Fn(&T) -> String) -> Vec<String> {
    let mut shown: Vec<_> = all.iter().take(MAX_SHOWN).map(in_words).collect();
    if all.len() > MAX_SHOWN {
        shown.push(format!("and {} more of these", all.len() - MAX_SHOWN));
    }
    shown
}
