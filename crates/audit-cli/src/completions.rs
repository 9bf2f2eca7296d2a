//! `audit completions`: for shells.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::failure::Result;
use crate::output::Output;

/// Prints what a shell needs to complete this program's arguments.
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
    pub(crate) fn run(&self) -> Result<()> {
        // Into memory first: the generator does not bear an output that closes.
        let mut script = Vec::new();
        let mut command = crate::arguments::Arguments::command();
        clap_complete::generate(self.shell, &mut command, "audit", &mut script);
        let mut output = Output::stdout();
        output.line(String::from_utf8_lossy(&script).trim_end())?;
        output.hand_on()
    }
}
