//! The error that ends a command.

use std::error::Error as StdError;
use std::{fmt, io};

use audit_core::{Error, ErrorKind};

use crate::signals::Signal;
use crate::text::visible;

/// A [`std::result::Result`] with [`CliError`].
pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

/// The result of a command that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The command did all of its work.
    Done,
    /// The command finished, but refused a record or found a difference.
    Refused,
    /// A signal ended the command before it had done its work.
    Interrupted(Signal),
    /// The command finished and found nothing wrong, but had nothing to verify.
    NothingVerified,
}

impl Outcome {
    /// Returns the outcome of both: a difference outweighs nothing verified.
    pub(crate) fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Interrupted(signal), _) | (_, Self::Interrupted(signal)) => {
                Self::Interrupted(signal)
            }
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (Self::NothingVerified, _) | (_, Self::NothingVerified) => Self::NothingVerified,
            (Self::Done, Self::Done) => Self::Done,
        }
    }
}

/// The reason why a command failed.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The reader of the standard output closed it.
    OutputClosed,
    /// Any other error, with a hint for the user if there is one.
    Failed { error: Box<dyn StdError + Send + Sync>, hint: Option<String> },
}

/// A message of the program itself, with its cause if there is one.
#[derive(Debug)]
struct Message {
    text: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Message {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl CliError {
    /// Returns an error with a message and no cause.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        let message = Message { text: message.into(), source: None };
        Self::Failed { error: Box::new(message), hint: None }
    }

    /// Returns an error with a message and the cause `source`. Adds a hint if `source` is an error
    /// of the library that the user can act on.
    pub(crate) fn from_source(
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        let hint = source.downcast_ref().and_then(advice).map(str::to_owned);
        let message = Message { text: message.into(), source: Some(source) };
        Self::Failed { error: Box::new(message), hint }
    }

    /// Sets the hint for the user.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Failed { error, .. } => Self::Failed { error, hint: Some(hint.into()) },
            Self::OutputClosed => self,
        }
    }

    /// Returns the error of signals that cannot be listened for.
    pub(crate) fn listening(source: io::Error) -> Self {
        Self::from_source("cannot listen for signals", source)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let hint = advice(&error).map(str::to_owned);
        Self::Failed { error: Box::new(error), hint }
    }
}

/// Returns what a user can do about an error of the library.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::InvalidToken => {
            "a token is valid only with the --store, --organization, filters and --order that it was issued \
             for"
        }
        ErrorKind::HistoryChanged => {
            "the store was restored from a copy that lacks events after which the token was issued; \
             start without it"
        }
        ErrorKind::Gone => {
            "the events were pruned; see `audit retention show`, and start without the token"
        }
        ErrorKind::LegalHold => {
            "`audit retention show` prints the hold; `audit retention set --legal-hold off` lifts it"
        }
        ErrorKind::ClockAhead => {
            "check the clock; if it is right and the log was silent for years, give --trust-clock"
        }
        ErrorKind::Busy => "another process is writing to the store; try again",
        ErrorKind::Pending => "end what reads the store for long, and run the command again",
        ErrorKind::Overloaded => "the disk cannot keep up with the appends; try again",
        ErrorKind::StorageFull => {
            "the last write is undone as a whole; free some space and try again"
        }
        ErrorKind::ReadOnly => "give the program write access to the store",
        ErrorKind::Corrupt => "check that this is a store; if it is one, restore a backup",
        ErrorKind::Incompatible => {
            "use a version of the program that is at least as new as the store"
        }
        _ => return None,
    })
}

impl fmt::Display for CliError {
    /// Writes the message, its causes and the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (error, hint) = match self {
            Self::Failed { error, hint } => (error, hint),
            Self::OutputClosed => return f.write_str("error: the output is closed"),
        };
        write!(f, "error: {}", visible(&chain(&**error)))?;
        match hint {
            Some(hint) => write!(f, "\nhint: {}", visible(hint)),
            None => Ok(()),
        }
    }
}

/// Returns an error's message and those of its causes, without a cause that the message repeats.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_not_repeated_and_a_hint_follows() {
        let error = Error::new(ErrorKind::StorageFull).with_source(std::io::Error::other("\u{1b}"));
        assert_eq!(
            CliError::from_source("cannot write", error).to_string(),
            "error: cannot write: the storage is full: \\u{1b}\n\
             hint: the last write is undone as a whole; free some space and try again"
        );
        let error = Error::malformed("id", "a UUID").with_source(std::io::Error::other("cause"));
        assert_eq!(chain(&error), "invalid input: `id` must be a UUID (cause)");
    }
}
