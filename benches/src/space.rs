//! Measures space on disk and in memory.

use std::path::Path;

use crate::Result;
use crate::grower::{MEMORY, Side};
use crate::growth::Growing;
use crate::loads::BATCH;
use crate::rows::{Bar, Row};
use crate::sql::bytes_on_disk;
use crate::stores::Sides;

/// Measures the size of the same events on disk.
pub(crate) fn disk(sides: &Sides) -> Result<Vec<Row>> {
    let Some(file) = &sides.ours.file else { return Ok(Vec::new()) };
    let [count, ..] = sides.lens()?;
    let each = |path| -> Result<f64> { Ok(bytes_on_disk(path)? as f64 / count as f64) };
    let ours = each(file)?;
    let logs = count.div_ceil(BATCH).min(sides.logs.len() as u64);
    let row = |beside: &str, limit| {
        let work = format!("on disk, logs: {logs}, beside {beside}");
        sides.row(&work, "bytes/event", ours).limit(limit)
    };
    let plain = row("SQL, no filter indexed", each(sides.plain.path())?);
    let indexed = row("SQL, each filter indexed", each(sides.indexed.path())?);
    Ok(vec![plain.bar(sides.bar(Bar::AtMost(1.3))), indexed])
}

/// Measures the memory of a process that has only our store open, with half of the events appended
/// and queried, and with all.
pub(crate) fn memory(directory: &Path, events: u64) -> Result<Vec<Row>> {
    let directory = tempfile::tempdir_in(directory)?;
    let mut growing = Growing::start(Side::Ours, 1, directory.path())?;
    let mut held = |events| -> Result<Option<f64>> { Ok(growing.to(events)?.figure(MEMORY)) };
    let (Some(half), Some(whole)) = (held(events / 2)?, held(events)?) else {
        return Ok(Vec::new()); // the system does not report it
    };
    let row = |work: &str| Row::new(format!("sqlite: {work}"), "MB", whole);
    Ok(vec![
        row("memory of the store's process").bar(Some(Bar::AtMost(200.0))),
        row("memory of the same, beside itself with half the events")
            .limit(half)
            .bar(Some(Bar::AtMost(1.2))),
    ])
}
