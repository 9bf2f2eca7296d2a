//! What the verification of a log has found, in words and as JSON.

use audit_core::tree::NodeId;
use audit_core::{Error, Log};
use audit_merkle::{Report, TreeHead};
use serde::Serialize;

use crate::error::{Result, chain};
use crate::output::Output;

/// What is told of the verification of a log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    log: Log,
    /// Whether nothing is wrong.
    pub(crate) intact: bool,
    /// The events before those that were read.
    from: u64,
    /// The last event that was read.
    to: u64,
    /// The last event that a kept checkpoint proves.
    proved: u64,
    /// The last event that was pruned.
    pruned: u64,
    /// The events without a personal part.
    erased: u64,
    /// The events that the log says were erased.
    told_erased: u64,
    /// The kept checkpoints, by their sizes, of which all events are gone.
    outdated: Vec<u64>,
    /// What is wrong.
    faults: Vec<String>,
    #[serde(skip)]
    is_kept: bool,
    #[serde(skip)]
    is_whole: bool,
}

/// Of so many personal parts or nodes each is told.
const TOLD: usize = 5;

/// What is told where nothing was kept.
const NOTHING_KEPT: &str = "  proved:  nothing; without a kept checkpoint, whoever can write to \
                            the store can have rewritten it";

impl Verdict {
    pub(crate) fn new(log: Log, pruned: u64, heads: &[TreeHead], report: &Report) -> Self {
        let mut faults: Vec<String> = report.fault.iter().map(ToString::to_string).collect();
        faults.extend(some(&report.personal, |event| {
            format!("the personal part of event {event} is not the one that was recorded")
        }));
        // Where records are wrong, nodes are missing that nobody took away.
        if report.fault.is_none() {
            faults.extend(some(&report.nodes, |NodeId { level, index }| {
                format!(
                    "node {index} of level {level} of the tree is not that of the records, which \
                     are right; proofs with it will fail"
                )
            }));
        }
        Self {
            log,
            intact: report.is_intact(),
            from: report.from.get(),
            to: report.head.size.get(),
            proved: report.proved.get(),
            pruned,
            erased: report.erased,
            told_erased: report.stated,
            outdated: report.skipped.iter().map(|head| head.size.get()).collect(),
            faults,
            is_kept: !heads.is_empty(),
            is_whole: report.fault.is_none(),
        }
    }

    /// Of a log that cannot be read.
    pub(crate) fn unreadable(log: Log, heads: &[TreeHead], error: &Error) -> Self {
        let report = Report::default();
        Self { intact: false, faults: vec![chain(error)], ..Self::new(log, 0, heads, &report) }
    }

    /// Says so in words.
    pub(crate) fn print(&self, output: &mut Output<'_>) -> Result<()> {
        let Self { log, from, to, proved, pruned, erased, told_erased, .. } = self;
        output
            .line(format_args!("{log}: {}", if self.intact { "intact" } else { "NOT INTACT" }))?;
        for fault in &self.faults {
            output.line(format_args!("  wrong:   {fault}"))?;
        }
        output.line(format_args!("  read:    {}", events(*from, *to)))?;
        match proved {
            _ if !self.is_kept => output.line(NOTHING_KEPT)?,
            0 => output.line("  proved:  no events")?,
            _ => output
                .line(format_args!("  proved:  up to event {proved}, by a kept checkpoint"))?,
        }
        if self.intact && self.is_kept && to > proved {
            let what = events(*proved.max(from), *to);
            output.line(format_args!("           {what} only as the store itself states"))?;
        }
        for size in &self.outdated {
            output.line(format_args!(
                "           the checkpoint of {size} events is older than what is left"
            ))?;
        }
        if *pruned > 0 {
            output.line(format_args!("  pruned:  {}", events(0, *pruned)))?;
        }
        // Of a part that was read, the two numbers would say nothing.
        if *erased > 0 && self.is_whole {
            output
                .line(format_args!("  erased:  {erased} events; the log tells of {told_erased}"))?;
        }
        Ok(())
    }
}

/// The events behind `from` up to `to`.
fn events(from: u64, to: u64) -> String {
    match to.saturating_sub(from) {
        0 => "no events".to_owned(),
        1 => format!("event {to}"),
        _ => format!("events {} to {to}", from + 1),
    }
}

/// The first of these in words, and how many more there are.
fn some<T>(all: &[T], in_words: impl Fn(&T) -> String) -> Vec<String> {
    let mut told: Vec<_> = all.iter().take(TOLD).map(in_words).collect();
    if all.len() > TOLD {
        told.push(format!("and {} more of these", all.len() - TOLD));
    }
    told
}
