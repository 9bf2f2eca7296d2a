//! Measures the stores beside hand-written SQL that does the same durable work. Both take turns in
//! one run, so that drift of the disk affects both.
//!
//! `cargo run --release -p audit-benches -- [sqlite|memory|all] [--only GROUP] [--events N] [--json]`
//! `cargo run --release -p audit-benches -- postgres [--only-postgres GROUP] [--events N] [--json]`
//! `cargo run --release -p audit-benches -- http [--events N]`
//! `cargo run --release -p audit-benches -- capture [--events N]`
//! `cargo run --release -p audit-benches -- proofs [--events N] [--json]`
//! `cargo run --release -p audit-benches -- import [--events N] [--json]`
//! `cargo run --release -p audit-benches -- export [--events N] [--json]`
//! `cargo run --release -p audit-benches -- growth [--events N] [--json] [--plot FILE.svg]`
//!
//! | file | noun |
//! |---|---|
//! | `rows.rs` | a row of the result: a figure, its limit, its bar |
//! | `events.rs` | the events, the same in every run |
//! | `conditions.rs` | the conditions of queries, in both languages |
//! | `sql.rs` | the limit: hand-written SQL |
//! | `stores.rs` | our stores, and the sides of a comparison |
//! | `loads.rs` | appends of many events at once |
//! | `callers.rs` | callers that append one event at a time |
//! | `slowest.rs` | the slowest append of one event |
//! | `space.rs` | space on disk and in memory |
//! | `reads.rs` | pages, totals, export |
//! | `neighbours.rs` | one log beside costly reads of another |
//! | `growth.rs` | the figures by size |
//! | `grower.rs` | one growing side, in its own process |
//! | `plot.rs` | charts of the growth |
//! | `http.rs` | the cost of the HTTP layer |
//! | `capture.rs` | the cost of the audit layer |
//! | `postgres/` | the PostgreSQL store beside SQL on the same server |
//! | `in_out.rs` | the import of records, and the export in formats |
//! | `proofs.rs` | the cost of proofs, verification and erasure |
//!
//! # Timing
//! Appends are timed from the events as the service has them to the commit, so that both sides
//! check and encode; a row whose limit includes only the commit says so. Reads are timed from the
//! query to decoded events, on both sides. Both sides store the same bytes, with
//! `journal_mode=WAL`, `synchronous=FULL`, and caches and WALs of the same size; everything else is
//! SQLite's default. The hand-written side does less than a service would have to: it keeps the
//! heads of its logs in memory, relies on at most one target for each event, uses no other thread,
//! and makes no tokens.

// Figures are for people, who read about three digits.
#![allow(clippy::cast_precision_loss)]

mod callers;
mod capture;
mod conditions;
mod events;
mod grower;
mod growth;
mod http;
mod in_out;
mod loads;
mod neighbours;
mod plot;
mod postgres;
mod proofs;
mod reads;
mod rows;
mod slowest;
mod space;
mod sql;
mod stores;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::callers::Callers;
use crate::events::Arrival;
use crate::grower::Side;
use crate::rows::Row;
use crate::stores::{Backend, Sides};

type BoxError = Box<dyn Error + Send + Sync>;
type Result<T, E = BoxError> = std::result::Result<T, E>;

/// Measures the stores beside hand-written SQL that does the same durable work.
#[derive(Debug, Parser)]
struct Arguments {
    /// The measurements to make.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Number of events to load into each side [default: 1000000, for `growth` 10000000, for `postgres`
    /// and `http` 100000, for `import` and `export` 200000].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..))]
    events: Option<u64>,
    /// The rows to measure of `sqlite`, `memory` and `all` [default: all of them].
    #[arg(long, value_enum)]
    only: Option<Group>,
    /// The rows to measure of `postgres` [default: all of them].
    #[arg(long, value_enum)]
    only_postgres: Option<postgres::Group>,
    /// Print one JSON object on each line instead of a table.
    #[arg(long)]
    json: bool,
    /// Directory for the files, which are deleted at the end [default: that of this program].
    #[arg(long)]
    directory: Option<PathBuf>,
    /// File for the charts of `growth`, as SVG.
    #[arg(long)]
    plot: Option<PathBuf>,
    #[arg(long, hide = true, value_enum, default_value_t = Side::Ours)]
    side: Side,
    #[arg(long, hide = true, default_value_t = 1)]
    logs: u64,
    #[arg(long, hide = true, default_value_t = 1)]
    callers: u64,
    #[arg(long, hide = true)]
    url: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Sqlite,
    Memory,
    All,
    /// The figures of the SQLite store by size.
    Growth,
    /// The PostgreSQL store, on a server that is started for it.
    Postgres,
    /// The cost of the HTTP layer.
    Http,
    /// The cost of the audit layer in front of a service.
    Capture,
    /// The cost of proofs, verification and erasure.
    Proofs,
    /// Records of another system, mapped and appended.
    Import,
    /// Events in the formats of other systems.
    Export,
    /// One side of `growth`, with sizes from the standard input.
    #[value(hide = true)]
    Grow,
    /// Callers of `postgres` in a process of their own.
    #[value(hide = true)]
    AppendTo,
}

/// A group of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Callers that append one event at a time to a small store.
    Callers,
    /// Many logs: batches, and callers after them.
    Many,
    /// One log: batches, and reads after them.
    One,
    /// One log beside costly reads of another.
    Neighbours,
    /// The slowest append of one event.
    Slowest,
    /// Events that arrive late.
    Late,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let directory = match &arguments.directory {
        Some(directory) => directory.clone(),
        None => std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let events = |usual| arguments.events.unwrap_or(usual);
    let rows = match arguments.what {
        What::Grow => return grower::serve(arguments.side, arguments.logs, &directory),
        What::AppendTo => {
            let url = arguments.url.as_deref().unwrap_or_default();
            return postgres::serve(url, arguments.callers, arguments.logs);
        }
        What::Growth => {
            let plot = arguments.plot.as_deref();
            return growth::run(&directory, events(10_000_000), arguments.json, plot);
        }
        What::Capture => return capture::run(events(50_000)),
        What::Http => return http::run(&directory, events(100_000)),
        What::Import => in_out::import(&directory, events(200_000))?,
        What::Export => in_out::export(&directory, events(200_000))?,
        What::Proofs => proofs::measure(&directory, events(1_000_000))?,
        What::Postgres => postgres::measure(events(100_000), arguments.only_postgres)?,
        What::Sqlite => measure(Backend::Sqlite, events(1_000_000), &directory, arguments.only)?,
        What::Memory => measure(Backend::Memory, events(1_000_000), &directory, arguments.only)?,
        What::All => {
            let of = |backend| measure(backend, events(1_000_000), &directory, arguments.only);
            let mut rows = of(Backend::Sqlite)?;
            rows.extend(of(Backend::Memory)?);
            rows
        }
    };
    if arguments.json {
        for row in &rows {
            println!("{}", row.to_json());
        }
        return Ok(());
    }
    println!("events of {:.0} stored bytes, in {}", events::stored_bytes()?, directory.display());
    print!("{}", rows::table(&rows));
    Ok(())
}

/// Measures the rows of one store, or only those of one group.
fn measure(
    backend: Backend,
    events: u64,
    directory: &Path,
    only: Option<Group>,
) -> Result<Vec<Row>> {
    let is_wanted = |group| only.is_none_or(|only| only == group);
    let mut rows = Vec::new();
    if is_wanted(Group::Callers) {
        let mut many = Sides::create(backend, directory, 100)?;
        rows.extend(call(&mut many, events, "small store")?);
    }
    if is_wanted(Group::Many) {
        let mut many = Sides::create(backend, directory, 100)?;
        rows.extend(loads::append(&mut many, events, Arrival::InTime)?);
        rows.extend(space::disk(&many)?);
        rows.extend(call(&mut many, events, "after the load")?);
        rows.extend(loads::spread(&mut many, (events / 10).next_multiple_of(loads::BATCH))?);
    }
    if is_wanted(Group::One) {
        let mut one = Sides::create(backend, directory, 1)?;
        rows.extend(loads::append(&mut one, events, Arrival::InTime)?);
        rows.extend(space::disk(&one)?);
        rows.extend(reads::all(&one, events)?);
        drop(one);
        if backend == Backend::Sqlite {
            rows.extend(space::memory(directory, events)?);
        }
    }
    if is_wanted(Group::Neighbours) && backend == Backend::Sqlite {
        let mut one = Sides::create(backend, directory, 1)?;
        loads::append(&mut one, events, Arrival::InTime)?;
        rows.extend(neighbours::measure(&one, events)?);
    }
    if is_wanted(Group::Slowest) {
        let mut one = Sides::create(backend, directory, 1)?;
        rows.extend(slowest::measure(&mut one, events)?);
    }
    if is_wanted(Group::Late) {
        for arrival in [Arrival::Backwards, Arrival::Shuffled] {
            let mut late = Sides::create(backend, directory, 1)?;
            rows.extend(loads::append(&mut late, events / 10, arrival)?);
            rows.extend(reads::newest(&late, events / 10, arrival)?);
        }
    }
    Ok(rows)
}

/// Measures many callers with a log each, many callers of one log, and one caller.
fn call(sides: &mut Sides, events: u64, store: &str) -> Result<Vec<Row>> {
    // In a long run, enough for each log to get segments.
    let each = (events / 1_000).clamp(32, 128);
    let mut rows = Vec::new();
    for (count, logs) in [(64, 64), (64, 1), (1, 1)] {
        rows.extend(callers::measure(sides, Callers { count, logs, each }, store)?);
    }
    Ok(rows)
}
