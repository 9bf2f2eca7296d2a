//! The `audit` program: serves, imports, lists, follows, exports, proves and prunes audit logs.
//!
//! | file | noun |
//! |---|---|
//! | `arguments.rs` | the command line |
//! | `serve.rs`, `organizations.rs`, `keys.rs`, `import.rs`, `list.rs`, `tail.rs`, `export.rs`, `completions.rs` | the commands |
//! | `signing_key.rs`, `checkpoint.rs`, `verify.rs`, `prove.rs`, `check.rs` | those that prove |
//! | `erase.rs`, `retention.rs` | those that forget |
//! | `address.rs` | where the store is |
//! | `selection.rs` | which events of which log |
//! | `tenant.rs` | the organization that a command names |
//! | `caller.rs` | who runs the program, as events name it |
//! | `output.rs` | the standard output and error |
//! | `view.rs` | events for people |
//! | `text.rs` | texts that cannot drive a terminal |
//! | `failure.rs` | what ends the program |
//! | `signals.rs` | what interrupts it |

mod address;
mod arguments;
mod caller;
mod check;
mod checkpoint;
mod completions;
mod erase;
mod export;
mod failure;
mod import;
mod keys;
mod list;
mod organizations;
mod output;
mod prove;
mod retention;
mod selection;
mod serve;
mod signals;
mod signing_key;
mod tail;
mod tenant;
mod text;
mod verify;
mod view;

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::failure::{Failure, Outcome};

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::read().run().await {
        // Whoever read the output, such as `head`, had enough.
        Ok(Outcome::Done) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Err(Failure::Fault(fault)) => {
            output::note(format_args!("{fault}"));
            ExitCode::from(2)
        }
    }
}
