//! Measures the stores beside hand-written SQL that does the same durable work, in one run, the
//! two taking turns so that the disk's drift hits both.
//!
//! `cargo run --release -p audit-benches -- [sqlite|memory|all] [--events N] [--json]`
//! `cargo run --release -p audit-benches -- growth [--events N] [--json] [--plot FILE.svg]`
//!
//! | file | noun |
//! |---|---|
//! | `rows.rs` | a row of the answer: a figure, its limit, its bar |
//! | `events.rs` | the events, the same in every run |
//! | `conditions.rs` | what is asked of events, in both languages |
//! | `sql.rs` | the limit: hand-written SQL |
//! | `stores.rs` | our stores, and the sides of a comparison |
//! | `writes.rs` | what is measured of appending |
//! | `reads.rs` | what is measured of reading |
//! | `growth.rs` | how our figures change with the size of a log |
//! | `plot.rs` | a chart of them |
//!
//! # What is timed
//! Appends: from the events as the service has them to the commit, so that both sides check and
//! encode; a row that charges the limit for the commit alone says so. Reads: from the question to
//! decoded events, on both sides. Both sides store the same bytes, with `journal_mode=WAL`,
//! `synchronous=FULL` and otherwise SQLite's own defaults. Where the hand-written side may do less
//! than a service would have to, it does: it keeps the ends of its logs in memory, knows that an
//! event has one target at most, asks no thread, and makes no token.

// Figures are for people: three digits of them count.
#![allow(clippy::cast_precision_loss)]

mod conditions;
mod events;
mod growth;
mod plot;
mod reads;
mod rows;
mod sql;
mod stores;
mod writes;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::rows::Row;
use crate::stores::{Backend, Sides};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Measures the stores beside hand-written SQL that does the same durable work.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which store.
    #[arg(value_enum, default_value_t = Which::All)]
    which: Which,
    /// How many events each side is loaded with.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    events: u64,
    /// One JSON object a line rather than a table.
    #[arg(long)]
    json: bool,
    /// Where the files go; beside this program unless given.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Where the chart of a growth goes.
    #[arg(long)]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    Sqlite,
    Memory,
    All,
    /// How the SQLite store's figures change with its size.
    Growth,
}

impl Which {
    fn backends(self) -> &'static [Backend] {
        match self {
            // SQLite first: what the process holds is measured before memory fills it.
            Self::All => &[Backend::Sqlite, Backend::Memory],
            Self::Sqlite => &[Backend::Sqlite],
            Self::Memory => &[Backend::Memory],
            Self::Growth => &[],
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let directory = match arguments.directory {
        Some(directory) => directory,
        None => std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default(),
    };
    if let Which::Growth = arguments.which {
        return growth::run(
            &directory,
            arguments.events,
            arguments.json,
            arguments.plot.as_deref(),
        );
    }
    let mut rows = Vec::new();
    for backend in arguments.which.backends() {
        let of_backend = measure(*backend, arguments.events, &directory)?;
        if arguments.json {
            for row in &of_backend {
                println!("{}", row.to_json());
            }
        }
        rows.extend(of_backend);
    }
    if !arguments.json {
        let (count, bytes) = (arguments.events, events::stored_bytes()?);
        println!("{count} events of {bytes:.0} stored bytes, in {}", directory.display());
        print!("{}", rows::table(&rows));
    }
    Ok(())
}

/// Every row of one store.
fn measure(backend: Backend, events: u64, directory: &Path) -> Result<Vec<Row>> {
    let directory = tempfile::tempdir_in(directory)?;
    let mut rows = Vec::new();

    let mut many = Sides::create(backend, directory.path(), 100)?;
    rows.extend(writes::append(&mut many, events)?);
    rows.extend(writes::disk(&many)?);
    rows.extend(writes::callers(&mut many, 64, 64)?);
    rows.extend(writes::callers(&mut many, 64, 1)?);
    rows.extend(writes::callers(&mut many, 1, 1)?);
    rows.extend(writes::spread(&mut many, (events / 10).next_multiple_of(1_000))?);
    drop(many);

    let mut one = Sides::create(backend, directory.path(), 1)?;
    rows.extend(writes::append(&mut one, events)?);
    rows.extend(writes::disk(&one)?);
    rows.extend(writes::memory(&one));
    rows.extend(reads::all(&one, events)?);
    Ok(rows)
}
