//! The `audit` program: serves, imports, lists, exports, proves, erases and prunes audit logs.
//!
//! | file | noun |
//! |---|---|
//! | `arguments.rs` | the command line |
//! | `serve.rs`, `organizations.rs`, `keys.rs`, `import.rs`, `list.rs`, `tail.rs`, `export.rs`, `completions.rs` | the commands |
//! | `checkpoint_key.rs`, `checkpoint.rs`, `verify.rs`, `prove.rs`, `check.rs` | those that prove |
//! | `erase.rs`, `retention.rs`, `prune.rs`, `compact.rs` | those that forget |
//! | `address.rs` | where the store is |
//! | `selection.rs` | which events of which log |
//! | `logs.rs` | one log, or all |
//! | `signing.rs` | the key that signs checkpoints, and where they are kept |
//! | `verifier.rs`, `kept.rs` | the key that others know, and the checkpoints that they kept |
//! | `tenant.rs` | the organization that a command names |
//! | `caller.rs` | who runs the program, as events name it |
//! | `output.rs` | the standard output and error |
//! | `new_file.rs` | files that the program makes |
//! | `progress.rs` | how far a long command has come |
//! | `period.rs` | lengths of time |
//! | `view.rs` | events for people |
//! | `text.rs` | texts that cannot drive a terminal |
//! | `error.rs` | the error that ends a command |
//! | `signals.rs` | what interrupts it |

mod address;
mod arguments;
mod caller;
mod check;
mod checkpoint;
mod checkpoint_key;
mod compact;
mod completions;
mod erase;
mod error;
mod export;
mod import;
mod kept;
mod keys;
mod list;
mod logs;
mod new_file;
mod organizations;
mod output;
mod period;
mod progress;
mod prove;
mod prune;
mod retention;
mod selection;
mod serve;
mod signals;
mod signing;
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
        // A reader such as `head` closes the output when it has enough.
        Ok(Outcome::Done) | Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Err(error) => {
            note(format_args!("{error}"));
            ExitCode::from(2)
        }
    }
}
