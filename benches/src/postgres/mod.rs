//! The PostgreSQL store beside hand-written SQL on the same server, which is started here and is as
//! durable as the store requires.
//!
//! | file | noun |
//! |---|---|
//! | `sides.rs` | our store and the limits |
//! | `sql.rs` | the limit: hand-written SQL |
//! | `loads.rs` | appends of many events at once, and what they write |
//! | `callers.rs` | callers that append one event at a time, in several processes too |
//! | `staged.rs` | events that callers stage in their transactions |
//! | `triggers.rs` | triggers that capture the changes of tables |
//! | `reads.rs` | pages and totals |
//! | `trips.rs` | round trips, counted by a proxy |
//!
//! Both sides store the same bytes and check and encode; SQL uses prepared statements, one a batch with
//! `unnest`, and counts its sequences in memory. It builds no tree and seals nothing. The time of our
//! appends includes what the store does in the background afterwards. The clients use the same cores as
//! the server.

mod callers;
mod loads;
mod reads;
mod sides;
mod sql;
mod staged;
mod triggers;
mod trips;

use clap::ValueEnum;

use crate::Result;
use crate::postgres::sides::{PgSides, start};
use crate::rows::Row;

pub(crate) use crate::postgres::callers::serve;

/// A group of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Batches to 100 logs.
    Many,
    /// Batches to one log, and reads after them.
    One,
    /// Callers that append one event at a time, in one process and in several.
    Callers,
    /// Callers that stage an event in their transactions.
    Staged,
    /// Tables whose changes are captured.
    Triggers,
}

/// Measures all rows, or those of one group.
pub(crate) fn measure(events: u64, only: Option<Group>) -> Result<Vec<Row>> {
    let is_wanted = |group| only.is_none_or(|only| only == group);
    let server = start()?;
    let mut rows = Vec::new();
    if is_wanted(Group::Many) {
        let mut many = PgSides::create(&server, 100)?;
        rows.extend(loads::append(&mut many, events, 1_000)?);
        drop(many);
        let mut few = PgSides::create(&server, 100)?;
        rows.extend(loads::append(&mut few, events / 2, 100)?);
    }
    if is_wanted(Group::One) {
        let mut one = PgSides::create(&server, 1)?;
        rows.extend(loads::append(&mut one, events, 1_000)?);
        one.analyze()?;
        rows.extend(reads::all(&one, events)?);
        drop(one);
        let mut few = PgSides::create(&server, 1)?;
        rows.extend(loads::append(&mut few, events / 2, 100)?);
    }
    if is_wanted(Group::Callers) {
        // A caller of 64 appends as many events as are a twentieth of the load in all rounds.
        let each = (events / 20 / 64 / 6).clamp(16, 1_000);
        let mut sides = PgSides::create(&server, 100)?;
        for (count, logs, each) in [(64, 1, each), (64, 100, each), (1, 1, 16 * each)] {
            rows.extend(callers::measure(&mut sides, count, logs, each)?);
        }
        rows.push(callers::processes(&mut sides, 100, each, 0.8)?);
        rows.push(callers::processes(&mut sides, 1, each, 0.33)?);
    }
    if is_wanted(Group::Staged) {
        rows.extend(staged::callers(&server, (events / 20 / 64 / 4).clamp(16, 200))?);
        rows.push(staged::step(&server)?);
    }
    if is_wanted(Group::Triggers) {
        rows.extend(triggers::bulk(&server)?);
    }
    Ok(rows)
}
