//! Measures the stores beside hand-written SQL that does the same durable work, in one run, the
//! two taking turns so that the disk's drift hits both.
//!
//! `cargo run --release -p audit-benches -- [sqlite|memory|all] [--events N] [--json]`
//! `cargo run --release -p audit-benches -- http [--events N]`
//! `cargo run --release -p audit-benches -- proofs [--events N] [--json]`
//! `cargo run --release -p audit-benches -- growth [--events N] [--json] [--plot FILE.svg]`
//!
//! | file | noun |
//! |---|---|
//! | `rows.rs` | a row of the answer: a figure, its limit, its bar |
//! | `events.rs` | the events, the same in every run |
//! | `conditions.rs` | what is asked of events, in both languages |
//! | `sql.rs` | the limit: hand-written SQL |
//! | `stores.rs` | our stores, and the sides of a comparison |
//! | `loads.rs` | what is measured of appending many events at once |
//! | `callers.rs` | what is measured of callers that append one event at a time |
//! | `space.rs` | what is measured of space: on disk, in memory |
//! | `reads.rs` | what is measured of reading |
//! | `growth.rs` | how the figures change with size |
//! | `grower.rs` | one side that grows, in a process of its own |
//! | `plot.rs` | a picture of that |
//! | `http.rs` | what the HTTP layer costs |
//! | `proofs.rs` | what proofs cost, and erasure |
//!
//! # What is timed
//! Appends: from the events as the service has them to the commit, so that both sides check and
//! encode; a row that charges the limit for the commit alone says so. Reads: from the question to
//! decoded events, on both sides. Both sides store the same bytes, with `journal_mode=WAL` and
//! `synchronous=FULL`, and with as large caches and WALs; all else is SQLite's own default. Where
//! the hand-written side may do less than a service would have to, it does: it keeps the ends of
//! its logs in memory, knows that an event has one target at most, asks no thread, and makes no
//! token.

// Figures are for people: three digits of them count.
#![allow(clippy::cast_precision_loss)]

mod callers;
mod conditions;
mod events;
mod grower;
mod growth;
mod http;
mod loads;
mod plot;
mod proofs;
mod reads;
mod rows;
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

type Failure = Box<dyn Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// Measures the stores beside hand-written SQL that does the same durable work.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// How many events each side is loaded with: a million, or ten for the growth, unless given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..))]
    events: Option<u64>,
    /// One JSON object a line rather than a table.
    #[arg(long)]
    json: bool,
    /// Where the files go, which are removed at the end; beside this program unless given.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Where the picture of a growth goes.
    #[arg(long)]
    plot: Option<PathBuf>,
    #[arg(long, hide = true, value_enum, default_value_t = Side::Ours)]
    side: Side,
    #[arg(long, hide = true, default_value_t = 1)]
    logs: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Sqlite,
    Memory,
    All,
    /// How the SQLite store's figures change with its size.
    Growth,
    /// What the HTTP layer costs.
    Http,
    /// What proofs cost, and erasure.
    Proofs,
    /// One side of a growth, by sizes from the standard input.
    #[value(hide = true)]
    Grow,
}

fn main() -> Result<()> {
    let Arguments { what, events, json, directory, plot, side, logs } = Arguments::parse();
    let directory = match directory {
        Some(directory) => directory,
        None => std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let backends: &[Backend] = match what {
        What::Grow => return grower::serve(side, logs, &directory),
        What::Growth => {
            let most = events.unwrap_or(10_000_000);
            return growth::run(&directory, most, json, plot.as_deref());
        }
        What::Proofs => {
            let rows = proofs::measure(&directory, events.unwrap_or(1_000_000))?;
            if json {
                for row in &rows {
                    println!("{}", row.to_json());
                }
            } else {
                print!("{}", rows::table(&rows));
            }
            return Ok(());
        }
        What::Http => return http::run(&directory, events.unwrap_or(100_000)),
        What::All => &[Backend::Sqlite, Backend::Memory],
        What::Sqlite => &[Backend::Sqlite],
        What::Memory => &[Backend::Memory],
    };
    let events = events.unwrap_or(1_000_000);
    let mut rows = Vec::new();
    for backend in backends {
        let of_backend = measure(*backend, events, &directory)?;
        if json {
            for row in &of_backend {
                println!("{}", row.to_json());
            }
        }
        rows.extend(of_backend);
    }
    if !json {
        let bytes = events::stored_bytes()?;
        println!("{events} events of {bytes:.0} stored bytes, in {}", directory.display());
        print!("{}", rows::table(&rows));
    }
    Ok(())
}

/// Every row of one store.
fn measure(backend: Backend, events: u64, directory: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    // In many logs, first a few events and then all.
    let mut many = Sides::create(backend, directory, 100)?;
    rows.extend(call(&mut many, events, "small store")?);
    drop(many);
    let mut many = Sides::create(backend, directory, 100)?;
    rows.extend(loads::append(&mut many, events, Arrival::InTime)?);
    rows.extend(space::disk(&many)?);
    rows.extend(call(&mut many, events, "after the load")?);
    rows.extend(loads::spread(&mut many, (events / 10).next_multiple_of(loads::BATCH))?);
    drop(many);

    let mut one = Sides::create(backend, directory, 1)?;
    rows.extend(loads::append(&mut one, events, Arrival::InTime)?);
    rows.extend(space::disk(&one)?);
    rows.extend(reads::all(&one, events)?);
    drop(one);
    if backend == Backend::Sqlite {
        rows.extend(space::memory(directory, events)?);
    }

    for arrival in [Arrival::Backwards, Arrival::Shuffled] {
        let mut late = Sides::create(backend, directory, 1)?;
        rows.extend(loads::append(&mut late, events / 10, arrival)?);
        rows.extend(reads::newest(&late, events / 10, arrival)?);
    }
    Ok(rows)
}

/// Many callers with a log each, many with one log, and one.
fn call(sides: &mut Sides, events: u64, store: &str) -> Result<Vec<Row>> {
    // Enough for each log to get segments, in a run that is not to be short.
    let each = (events / 1_000).clamp(32, 128);
    let mut rows = Vec::new();
    for (count, logs) in [(64, 64), (64, 1), (1, 1)] {
        rows.extend(callers::measure(sides, Callers { count, logs, each }, store)?);
    }
    Ok(rows)
}
