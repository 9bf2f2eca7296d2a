//! `audit restore`: puts a backup at the path of the store.

use std::path::PathBuf;

use audit_core::{AuditStoreExt as _, ErrorKind};
use audit_merkle::{Reference, Verdict};
use audit_sqlite::SqliteOptions;

use crate::address::StoreAddress;
use crate::error::{CliError, Outcome, Result};
use crate::output::report;
use crate::progress;
use crate::verify;

/// Puts a backup at the path of the store.
///
/// Verifies each log of the backup first, and changes nothing if one is not intact. Replaces a store
/// that exists only with --replace, never one that a service has open, and removes the files that
/// the old one left beside it (-wal, -shm). Data that was erased after the backup is in the
/// restored store again: repeat the erasures. Tokens of what came after the backup are refused.
///
/// A database is restored with the programs of PostgreSQL: see docs/postgres.md.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The backup, written by `audit backup`. It is not changed.
    backup: PathBuf,
    /// Replaces the store if it exists.
    #[arg(long)]
    replace: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit restore monday.db
  audit --store sqlite:/srv/audit.db restore /mnt/backups/monday.db --replace

Exit codes: 0 restored; 1 the backup is not intact; 2 failure.";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<Outcome> {
        let StoreAddress::Sqlite(path) = address else {
            return Err(address.has_no_file());
        };
        if path.symlink_metadata().is_ok() && !self.replace {
            return Err(CliError::new(format!(
                "there is a store at {address}: nothing was changed"
            ))
            .hint("replace it with --replace"));
        }
        let from = StoreAddress::Sqlite(self.backup.clone());
        from.must_exist()?;
        let backup = from.open_file(SqliteOptions::default().read_only())?;
        for log in backup.all_logs().await? {
            let result = verify::log(&backup, log, &[], None, Reference::StoreHead).await?;
            if result.verdict == Verdict::NotIntact {
                report(|output| result.print(output))?;
                return Ok(Outcome::Refused);
            }
        }
        let bar = progress::waiting(format!("copying {from}"));
        let replaced =
            if self.replace { backup.replace(path).await } else { backup.backup(path).await };
        bar.finish_and_clear();
        replaced.map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::Busy => Some("stop the service that has the store open"),
                ErrorKind::Conflict if !self.replace => {
                    Some("a file that ends in -wal is left of an old store: --replace removes it")
                }
                _ => None,
            };
            let error = CliError::from_source(format!("cannot restore {address}"), error);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?;
        report(|output| output.line(format_args!("restored {address} from {from}")))?;
        Ok(Outcome::Done)
    }
}
