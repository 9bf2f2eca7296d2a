//! The command line.

use std::ffi::{OsStr, OsString};
use std::iter;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, CommandFactory as _, Parser, Subcommand};

use crate::address::{InvalidAddress, StoreAddress};
use crate::error::{CliError, Outcome, Result};
use crate::{
    backup, check, checkpoint, checkpoint_key, compact, completions, erase, export, forward,
    import, keys, list, mappings, organizations, prove, prune, reindex, restore, retention, serve,
    staged, tail, verify,
};

/// Serves, imports, lists, exports, proves, erases and prunes audit logs.
///
/// Without a command, it runs `serve`.
#[derive(Debug, Parser)]
#[command(name = "audit", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The store: `sqlite:PATH`, one file; `postgres://USER@HOST/DATABASE`; or `memory:`, which is lost
    /// when the program ends.
    ///
    /// Other users of the machine can see a password that is given here. It can be in the environment
    /// variable `AUDIT_STORE`, in `PGPASSWORD`, or in a password file of PostgreSQL.
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        env = "AUDIT_STORE",
        value_name = "STORE",
        default_value = "sqlite:audit.db",
        value_parser = AddressParser,
        hide_env_values = true
    )]
    store: StoreAddress,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Parses the address of the store. Its error does not repeat the text, which may have a password.
#[derive(Clone)]
struct AddressParser;

impl TypedValueParser for AddressParser {
    type Value = StoreAddress;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<StoreAddress, clap::Error> {
        let invalid = |why: String| {
            let message = format!("invalid value for '--store <STORE>': {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        };
        let text = value.to_str().ok_or_else(|| invalid("it is not UTF-8".to_owned()))?;
        text.parse().map_err(|error: InvalidAddress| invalid(error.to_string()))
    }
}

const EXAMPLES: &str = "\
Examples:
  audit organizations create --name \"Acme Corp\"
  audit keys create --organization ID --role admin --email ana@acme.example
  audit serve --listen 127.0.0.1:8080
  audit import --organization ID --from okta okta.jsonl
  audit --store postgres://app@db.example/app list --organization ID --action 'user.*'
  audit verify --all

Exit codes: 0 success; 1 a record was refused, a difference was found, or a log or evidence failed
verification; 2 failure; 3 nothing was verified; 129, 130 or 143 if SIGHUP, SIGINT (Ctrl-C) or
SIGTERM ended it.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    #[command(subcommand)]
    Organizations(organizations::Command),
    #[command(subcommand)]
    Keys(keys::Command),
    Import(import::Arguments),
    #[command(subcommand)]
    Mappings(mappings::Command),
    List(list::Arguments),
    Tail(tail::Arguments),
    Export(export::Arguments),
    #[command(subcommand)]
    Forward(forward::Command),
    #[command(subcommand)]
    CheckpointKey(checkpoint_key::Command),
    Checkpoint(checkpoint::Arguments),
    Verify(verify::Arguments),
    Prove(prove::Arguments),
    Check(check::Arguments),
    Erase(erase::Arguments),
    #[command(subcommand)]
    Retention(retention::Command),
    Prune(prune::Arguments),
    #[command(subcommand)]
    Staged(staged::Command),
    Compact(compact::Arguments),
    Backup(backup::Arguments),
    Restore(restore::Arguments),
    Reindex(reindex::Arguments),
    Completions(completions::Arguments),
}

impl Arguments {
    /// Parses the arguments of this process. Ends the process if they are wrong or request help.
    pub(crate) fn read() -> Self {
        let arguments = Self::parse();
        if arguments.command.is_some() {
            return arguments;
        }
        // Parsed again as `serve`, so that its environment variables apply.
        Self::parse_from(std::env::args_os().chain(iter::once(OsString::from("serve"))))
    }

    pub(crate) async fn run(self) -> Result<Outcome> {
        let store = &self.store;
        // `read` adds a missing command.
        let Some(command) = self.command else { return Err(CliError::new("no command is given")) };
        let done = match command {
            Command::Import(arguments) => return arguments.run(store).await,
            Command::Mappings(command) => return command.run(),
            Command::Export(arguments) => return arguments.run(store).await,
            Command::Checkpoint(arguments) => return arguments.run(store).await,
            Command::Verify(arguments) => return arguments.run(store).await,
            Command::Erase(arguments) => return arguments.run(store).await,
            Command::Staged(command) => return command.run(store).await,
            Command::Restore(arguments) => return arguments.run(store).await,
            Command::Check(arguments) => return arguments.run(),
            Command::Serve(arguments) => arguments.run(store).await,
            Command::Forward(command) => command.run(store).await,
            Command::Organizations(command) => command.run(store).await,
            Command::Keys(command) => command.run(store).await,
            Command::List(arguments) => arguments.run(store).await,
            Command::Tail(arguments) => arguments.run(store).await,
            Command::CheckpointKey(command) => command.run(),
            Command::Prove(arguments) => arguments.run(store).await,
            Command::Retention(command) => command.run(store).await,
            Command::Prune(arguments) => return arguments.run(store).await,
            Command::Compact(arguments) => arguments.run(store).await,
            Command::Backup(arguments) => arguments.run(store).await,
            Command::Reindex(arguments) => arguments.run(store).await,
            Command::Completions(arguments) => arguments.run(Self::command()),
        };
        done.map(|()| Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_examples() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  audit "), "{}", command.get_name());
            // Help has at most this width, and an example that is broken cannot be pasted.
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
            command.get_subcommands().filter(|c| c.get_name() != "help").for_each(check);
        }
        Arguments::command().debug_assert();
        check(&Arguments::command());
    }
}
