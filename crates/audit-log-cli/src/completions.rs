//! `audit completions`: completion scripts for shells.

use clap_complete::Shell;

use crate::error::Result;
use crate::output::Output;

/// Prints a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  audit completions bash > ~/.local/share/bash-completion/completions/audit
  audit completions zsh > ~/.zfunc/_audit";

impl Arguments {
    /// Prints the completion script of `command`, the whole program.
    pub(crate) fn run(&self, mut command: clap::Command) -> Result<()> {
        // In memory first, because the generator panics if the output is closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "audit", &mut script);
        let mut output = Output::stdout();
        output.line(String::from_utf8_lossy(&script).trim_end())?;
        output.flush()
    }
}
