//! The standard output and error.

use std::fmt::{Arguments, Display};
use std::io::{self, BufWriter, IsTerminal as _, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::error::{CliError, Result};
use crate::text::hidden;

/// Writes a line to the standard error. Ignores a closed standard error.
pub(crate) fn note(line: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes the result of a command that has done its work. Ignores a closed standard output.
pub(crate) fn report(write: impl FnOnce(&mut Output<'_>) -> Result<()>) -> Result<()> {
    let mut output = Output::stdout();
    match write(&mut output).and_then(|()| output.flush()) {
        Err(CliError::OutputClosed) => Ok(()),
        result => result,
    }
}

/// The columns of a terminal that does not state its size.
const COLUMNS: usize = 80;

/// Returns the number of columns of the standard output; `None` if it is not a terminal.
pub(crate) fn columns() -> Option<usize> {
    let size = console::Term::stdout().size_checked();
    let stated = size.map(|(_, columns)| usize::from(columns));
    stated.or_else(|| io::stdout().is_terminal().then_some(COLUMNS))
}

/// The output of a command, buffered.
pub(crate) struct Output<'a>(BufWriter<Box<dyn Write + 'a>>);

impl Output<'static> {
    /// Locks the standard output.
    pub(crate) fn stdout() -> Self {
        Self::to(io::stdout().lock())
    }
}

impl<'a> Output<'a> {
    pub(crate) fn to(writer: impl Write + 'a) -> Self {
        Self(BufWriter::new(Box::new(writer)))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<()> {
        writeln!(self.0, "{line}").map_err(unwritable)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).map_err(unwritable)
    }

    /// Writes a value as JSON on one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let json = json(value)?;
        self.0.write_all(&json).and_then(|()| self.0.write_all(b"\n")).map_err(unwritable)
    }

    /// Writes the buffered bytes.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(unwritable)
    }
}

/// Returns the error for an output that cannot be written.
fn unwritable(error: io::Error) -> CliError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::from_source("cannot write the output", error),
    }
}

/// Serializes a value as JSON on one line. Hidden characters are escaped as `\u…`, so that they
/// cannot control a terminal; the value stays the same.
pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, Visible);
    match value.serialize(&mut serializer) {
        Ok(()) => Ok(json),
        Err(error) => Err(CliError::from_source("cannot write JSON", error)),
    }
}

struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut done = 0;
        for (at, c) in hidden(fragment) {
            writer.write_all(&fragment.as_bytes()[done..at])?;
            write_escape(writer, c)?;
            done = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[done..])
    }
}

/// Escapes the hidden characters of a JSON text as [`json`] does: they are in its texts alone.
pub(crate) fn visible_json(text: &str) -> String {
    let mut visible = Vec::with_capacity(text.len());
    // Writing to memory does not fail.
    let _ = Visible.write_string_fragment(&mut visible, text);
    String::from_utf8_lossy(&visible).into_owned()
}

/// Writes a character as `\u…`, in JSON.
fn write_escape<W: Write + ?Sized>(writer: &mut W, c: char) -> io::Result<()> {
    for unit in c.encode_utf16(&mut [0; 2]) {
        write!(writer, "\\u{unit:04x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_in_json_without_changing_the_value() {
        let text = "é\u{1b}[0m\u{9b}\u{202e}\u{e0041}\u{7f}\"\\\n한\u{3164}👩\u{200d}👧\u{200d}";
        let json = String::from_utf8(json(&text).unwrap()).unwrap();
        assert_eq!(
            json,
            "\"é\\u001b[0m\\u009b\\u202e\\udb40\\udc41\\u007f\\\"\\\\\\n한\\u3164👩\u{200d}👧\\u200d\""
        );
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
