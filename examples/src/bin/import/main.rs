//! Imports the audit records of other systems into a store.
//!
//! ```sh
//! cargo run --release -p audit-examples --bin import -- \
//!     --from okta --store audit.db --verify okta.jsonl
//! ```
//!
//! Each file is JSON Lines: one record a line; blank lines are no records. A record that the log
//! holds already, whatever envelope it now comes in, is counted as redelivered, so a run can be
//! repeated. A record that cannot be kept exactly is refused and reported; the others are recorded.
//!
//! Exit codes: 0 when every record was read, recorded or refused, whichever; 1 when `--verify`
//! found a difference; 2 when a file or the store failed, or the arguments are wrong.

mod importer;
mod lines;
mod verify;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use audit_core::{AuditStore, Log, OrganizationId, Result, Timestamp};
use audit_import::Format;
use audit_memory::MemoryStore;
use audit_sqlite::SqliteStore;
use clap::Parser;
use futures_executor::block_on;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::importer::{Importer, Tally};
use crate::verify::Walk;

/// Imports audit records of other systems, a JSON object a line.
#[derive(Debug, Parser)]
struct Arguments {
    /// The system: cloudtrail, github-events, okta, jira, slack or github-audit.
    #[arg(long)]
    from: Format,
    /// The SQLite file to record into, made if there is none; without it, memory, to try a file.
    #[arg(long)]
    store: Option<PathBuf>,
    /// The organization whose log to record into; by default one that depends on the system alone.
    #[arg(long)]
    organization: Option<OrganizationId>,
    /// The time, in RFC 3339, of the records that state none; by default when their file was last
    /// written. Their metadata says so.
    #[arg(long)]
    received: Option<Timestamp>,
    /// Reads every event of the files back, page by page, and compares it with its record.
    #[arg(long)]
    verify: bool,
    /// Prints JSON, a line for each file and each walk.
    #[arg(long)]
    json: bool,
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match block_on(run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprint!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            ExitCode::from(2)
        }
    }
}

/// Whether what was verified, if anything, holds.
async fn run(arguments: &Arguments) -> Result<bool> {
    let store: Box<dyn AuditStore> = match &arguments.store {
        Some(path) => Box::new(SqliteStore::open(path)?),
        None => Box::new(MemoryStore::new()?),
    };
    let log = Log::Organization(arguments.organization.unwrap_or_else(|| {
        OrganizationId::derived(uuid::Uuid::NAMESPACE_OID, arguments.from.name().as_bytes())
    }));
    let mut importer = Importer::new(&*store, log, arguments.from);
    importer.received = arguments.received;
    if arguments.verify {
        importer.expected = Some(verify::Expected::default());
    }
    for path in &arguments.files {
        let bar = progress(path);
        let tally = importer.file(path, &bar).await?;
        bar.finish_and_clear();
        print_tally(arguments, path, &tally);
    }
    let mut holds = true;
    for walk in verify::walks() {
        let Some(expected) = &importer.expected else { break };
        let walk = walk.run(&*store, log, expected).await?;
        print_walk(arguments, &walk);
        holds &= walk.holds();
    }
    Ok(holds)
}

/// A bar on the terminal's standard error, and none elsewhere.
fn progress(path: &std::path::Path) -> ProgressBar {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let bar = ProgressBar::new(bytes);
    let style = "{msg} {wide_bar} {bytes}/{total_bytes} {eta}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.with_message(path.display().to_string())
}

fn print_tally(arguments: &Arguments, path: &std::path::Path, tally: &Tally) {
    let Tally { read, recorded, redelivered, refused, refusals } = tally;
    let file = path.display();
    if arguments.json {
        let line = json!({
            "file": file.to_string(), "read": read, "recorded": recorded,
            "redelivered": redelivered, "refused": refused,
        });
        print_line(&line);
    } else {
        print_line(&format_args!(
            "{file}: {read} read, {recorded} recorded, {redelivered} redelivered, {refused} refused"
        ));
    }
    for refusal in refusals {
        eprintln!("{file}:{}: {}", refusal.line, refusal.error);
    }
    let more = refused.saturating_sub(refusals.len() as u64);
    if more > 0 {
        eprintln!("{file}: and {more} more");
    }
}

fn print_walk(arguments: &Arguments, walk: &Walk) {
    let Walk { order, limit, events, of_files, missing, differing, repeated, misplaced } = walk;
    if arguments.json {
        let line = json!({
            "walk": format!("{order:?}"), "limit": limit, "events": events, "ofFiles": of_files,
            "missing": missing, "differing": differing, "repeated": repeated,
            "misplaced": misplaced,
        });
        print_line(&line);
    } else {
        print_line(&format_args!(
            "{order:?} by {limit}: {events} events, {of_files} of the files, {missing} missing, \
             {differing} differing, {repeated} repeated, {misplaced} misplaced"
        ));
    }
}

/// Prints a line. Where the reader has gone away, as `head` does, the import goes on.
fn print_line(line: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
