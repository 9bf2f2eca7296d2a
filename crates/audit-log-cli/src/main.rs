//! The `audit` program: serves, imports, lists, exports, proves, erases and prunes audit logs.
//!
//! | file | content |
//! |---|---|
//! | `arguments.rs` | the command line |
//! | `serve.rs` (its limits and its log in `serve/`), `organizations.rs`, `keys.rs`, `import.rs`, `mappings.rs`, `list.rs`, `tail.rs`, `export.rs`, `completions.rs` | the commands |
//! | `checkpoint_key.rs`, `checkpoint.rs`, `verify.rs`, `prove.rs`, `check.rs` | the commands for proofs |
//! | `erase.rs`, `retention.rs`, `prune.rs`, `compact.rs` | the commands that remove data |
//! | `forward.rs` | the commands for sinks |
//! | `staged.rs` | the commands for staged events |
//! | `backup.rs`, `restore.rs`, `reindex.rs` | the commands for the store's file |
//! | `address.rs`, `postgres.rs` | the address of the store |
//! | `store.rs` | the stores that it opens |
//! | `selection.rs` | the options that select events |
//! | `logs.rs` | the options that select logs |
//! | `signing.rs` | the key that signs checkpoints, and their directory |
//! | `verifier.rs`, `kept.rs` | the public key, and kept checkpoints |
//! | `tenant.rs` | the organization that a command names |
//! | `caller.rs` | the actor of the events that the program causes |
//! | `output.rs` | the standard output and error |
//! | `new_file.rs` | files that the program creates |
//! | `progress.rs` | progress bars |
//! | `period.rs` | lengths of time |
//! | `view.rs` | events as tables and lines |
//! | `text.rs` | texts with escaped control characters |
//! | `error.rs` | the error that ends a command |
//! | `signals.rs` | signals that end the program |

mod address;
mod arguments;
mod backup;
mod caller;
mod check;
mod checkpoint;
mod checkpoint_key;
mod compact;
mod completions;
mod erase;
mod error;
mod export;
mod forward;
mod holders;
mod import;
mod kept;
mod keys;
mod list;
mod logs;
mod mappings;
mod new_file;
mod organizations;
mod output;
mod period;
#[cfg(feature = "postgres")]
mod postgres;
mod progress;
mod prove;
mod prune;
mod reindex;
mod restore;
mod retention;
mod selection;
mod serve;
mod signals;
mod signing;
mod staged;
mod store;
mod tail;
mod tenant;
mod text;
mod verifier;
mod verify;
mod view;

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::error::{CliError, Outcome};
use crate::output::note;

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::read().run().await {
        // A reader such as `head` closes the output early.
        Ok(Outcome::Done) | Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Ok(Outcome::Interrupted(signal)) => ExitCode::from(signal.exit_code()),
        Ok(Outcome::NothingVerified) => ExitCode::from(3),
        Err(error) => {
            note(format_args!("{error}"));
            ExitCode::from(2)
        }
    }
}
