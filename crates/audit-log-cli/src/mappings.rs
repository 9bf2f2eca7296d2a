//! `audit mappings`: how the records of other systems become events.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;

use audit_core::NewEvent;
use audit_import::limits::MAX_PREPARE_STEPS;
use audit_import::{Builtin, FORMAT, Mapping, Texts};
use clap::Subcommand;
use serde_json::Value;

use crate::error::{CliError, Outcome, Result};
use crate::import::importer::TEXT_BYTES;
use crate::import::input::{self, Input, unreadable};
use crate::import::source::Source;
use crate::import::tally::Tally;
use crate::output::{note, report};
use crate::text::line;

/// Lists, shows and tests mappings: how the records of other systems become events.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Lists the mappings that come with the program.
    #[command(after_help = "Examples:\n  audit mappings list")]
    List,
    /// Prints the text of a mapping, as a start for your own.
    #[command(after_help = "Examples:\n  audit mappings show okta > our-okta.toml")]
    Show {
        /// The name of the mapping.
        name: String,
    },
    /// Prints the keys and expressions that a mapping can have.
    #[command(after_help = "Examples:\n  audit mappings format")]
    Format,
    #[command(after_help = "\
Examples:
  audit mappings test okta system-log.json
  audit mappings test ./our-product.toml events.json.gz more/

Exit codes: 0 all records become events; 1 a record was refused; 2 failure.")]
    Test(Test),
}

const EXAMPLES: &str = "\
Examples:
  audit mappings list
  audit mappings show cloudtrail > our-own.toml
  audit mappings format
  audit mappings test ./our-own.toml events.json";

/// Reads files by a mapping and records nothing: prints how many records have each field, which values
/// stay in the metadata, and why records are refused.
///
/// A value that a field only copies, such as a number or a time in another form, stays as well. The first
/// record of each cause of a refusal is named on the standard error.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// The mapping: its name, or its file.
    #[arg(value_parser = Source::find)]
    mapping: Source,
    /// The files and directories; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Command {
    pub(crate) fn run(&self) -> Result<Outcome> {
        match self {
            Self::List => list().map(|()| Outcome::Done),
            Self::Show { name } => show(name).map(|()| Outcome::Done),
            Self::Format => print(FORMAT).map(|()| Outcome::Done),
            Self::Test(test) => test.run(),
        }
    }
}

fn list() -> Result<()> {
    report(|output| {
        Builtin::all().iter().try_for_each(|builtin| {
            let title = Mapping::builtin(builtin.name()).map_or("", Mapping::title);
            output.line(format_args!("{:<18} {title}", builtin.name()))
        })
    })
}

fn show(name: &str) -> Result<()> {
    let builtin = Builtin::all().iter().find(|builtin| builtin.name() == name);
    let missing = || {
        CliError::new(format!("there is no mapping {}", line(name)))
            .hint("list them with: audit mappings list")
    };
    print(builtin.ok_or_else(missing)?.text())
}

fn print(text: &str) -> Result<()> {
    report(|output| text.lines().try_for_each(|line| output.line(format_args!("{line}"))))
}

/// The use of the values of records.
#[derive(Debug, Default)]
struct Uses {
    /// The records that have each field of an event.
    fields: BTreeMap<String, u64>,
    /// The records that have each key which stays in the metadata.
    unmapped: BTreeMap<String, u64>,
}

impl Test {
    fn run(&self) -> Result<Outcome> {
        let (mut tally, mut uses) = (Tally::default(), Uses::default());
        let mut steps = 0;
        for path in input::find(&self.files)? {
            let input = Input::open(&path)?;
            let name = input.name;
            let mut texts = Texts::new(BufReader::new(input.reader), TEXT_BYTES);
            while let Some(text) = texts.next_text().map_err(|error| unreadable(&name, error))? {
                let records = self.mapping.read(text.bytes.as_deref().unwrap_or_default(), None);
                for record in records {
                    tally.read += 1;
                    match record {
                        Ok(record) => {
                            tally.note(&record);
                            steps = record.steps.max(steps);
                            uses.count(record.event);
                        }
                        Err(error) => {
                            if tally.refuse(&error) {
                                note(format_args!("{}:{}: {error}", line(&name), text.line));
                            }
                        }
                    }
                }
            }
        }
        report(|output| {
            let events = tally.read - tally.refused;
            output.line(format_args!(
                "{} read, {events} become events, {} refused",
                tally.read, tally.refused
            ))?;
            for detail in tally.details() {
                output.line(format_args!("  {}", line(&detail)))?;
            }
            if steps > 0 {
                output.line(format_args!(
                    "  the program takes at most {steps} of {MAX_PREPARE_STEPS} steps on a record"
                ))?;
            }
            for (title, counts) in
                [("fields:", &uses.fields), ("left in the metadata:", &uses.unmapped)]
            {
                output.line(format_args!("{title}"))?;
                for (path, count) in counts {
                    output.line(format_args!("{count:>8} {}", line(path)))?;
                }
            }
            Ok(())
        })?;
        Ok(if tally.refused == 0 { Outcome::Done } else { Outcome::Refused })
    }
}

impl Uses {
    fn count(&mut self, mut event: NewEvent) {
        let metadata = Value::Object(std::mem::take(&mut event.metadata));
        event.submitted_by = None;
        let Ok(mut fields) = serde_json::to_value(&event) else { return };
        if let Value::Object(fields) = &mut fields {
            fields.remove("id");
        }
        for (counts, value) in [(&mut self.fields, &fields), (&mut self.unmapped, &metadata)] {
            let mut paths = Vec::new();
            leaves(value, &mut String::new(), &mut paths);
            paths.sort_unstable();
            paths.dedup();
            for path in paths {
                *counts.entry(path).or_default() += 1;
            }
        }
    }
}

/// Adds the path of each value that holds no other. The items of a list have one path.
fn leaves(value: &Value, path: &mut String, paths: &mut Vec<String>) {
    let length = path.len();
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key);
                leaves(value, path, paths);
                path.truncate(length);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            path.push_str("[]");
            for item in items {
                leaves(item, path, paths);
            }
            path.truncate(length);
        }
        _ if length > 0 => paths.push(path.clone()),
        _ => {}
    }
}
