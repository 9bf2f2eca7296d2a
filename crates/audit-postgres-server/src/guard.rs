//! The process that runs a server and outlives the test.
//!
//! A test can be killed, and then runs no code that would stop its server. So a shell runs the server.
//! It reads commands from a pipe, whose other end only the test process has: when that ends, however it
//! does, the shell stops the server and removes its directory.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{fs, io};

use crate::ServerError;
use crate::account::Account;

const SCRIPT: &str = include_str!("guard.sh");

#[derive(Debug)]
pub(crate) struct Guard {
    directory: PathBuf,
    shell: Child,
    /// `None` once the guard has been asked to end.
    commands: Option<ChildStdin>,
    results: BufReader<ChildStdout>,
}

impl Guard {
    /// Starts the guard of a server in `directory`, which it removes in the end.
    pub(crate) fn start(
        directory: &Path,
        programs: &Path,
        account: Option<Account>,
    ) -> Result<Self, ServerError> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "postgres-guard"]).args([directory, programs]);
        without_settings(&mut command);
        // An interrupt from the terminal is for the test. The guard sees that the test ends.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(account) = account {
            account.run(&mut command);
        }
        let mut shell = command.spawn().map_err(ServerError::io("starting a shell"))?;
        let (Some(commands), Some(results)) = (shell.stdin.take(), shell.stdout.take()) else {
            let source = io::Error::from(io::ErrorKind::BrokenPipe);
            return Err(ServerError::Io { action: "starting a shell", source });
        };
        let results = BufReader::new(results);
        Ok(Self { directory: directory.to_owned(), shell, commands: Some(commands), results })
    }

    /// Runs a command of the script and waits for its end.
    pub(crate) fn run(&mut self, action: &'static str, command: &str) -> Result<(), ServerError> {
        let mut code = String::new();
        let mut exchange = || {
            let pipe = self.commands.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
            writeln!(pipe, "{command}")?;
            self.results.read_line(&mut code)
        };
        exchange().map_err(ServerError::io(action))?;
        if code.trim() == "0" {
            return Ok(());
        }
        Err(ServerError::Failed { action, output: self.output() })
    }

    /// Returns the end of what the programs and the server have printed.
    fn output(&self) -> String {
        const END: usize = 4_000;
        let read = |name| fs::read(self.directory.join(name)).unwrap_or_default();
        let output = [read("output"), read("log")].concat();
        String::from_utf8_lossy(&output[output.len().saturating_sub(END)..]).into_owned()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.shell.wait();
        // The guard may not have been allowed to remove the directory itself, which it had emptied.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Keeps settings of the user away from the programs of PostgreSQL.
pub(crate) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C");
}
