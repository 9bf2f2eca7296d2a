//! What ends the program.

use std::error::Error as StdError;
use std::fmt;

use audit_core::{Error, ErrorKind};

use crate::output::note;
use crate::text::visible;

/// A [`std::result::Result`] with [`Failure`].
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it was done.
    Done,
    /// Some records were refused, or not found as they should be.
    Refused,
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads the standard output any more.
    OutputClosed,
    /// Anything else.
    Fault(Fault),
}

/// An error, and what the user can do about it.
#[derive(Debug)]
pub(crate) struct Fault {
    error: Box<dyn StdError + Send + Sync>,
    hint: Option<String>,
}

/// An error of the program itself, with its cause if there is one.
#[derive(Debug)]
struct Told {
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Told {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl Failure {
    /// The failure that `what` says.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        let told = Told { what: what.into(), source: None };
        Self::Fault(Fault { error: Box::new(told), hint: None })
    }

    /// The failure that `what` says, because of `source`.
    pub(crate) fn about(
        what: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        let hint = source.downcast_ref().and_then(advice).map(str::to_owned);
        let told = Told { what: what.into(), source: Some(source) };
        Self::Fault(Fault { error: Box::new(told), hint })
    }

    /// Says what the user can do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Fault(fault) => Self::Fault(Fault { hint: Some(hint.into()), ..fault }),
            Self::OutputClosed => self,
        }
    }

    /// Tells it on the standard error.
    pub(crate) fn tell(&self) {
        if let Self::Fault(fault) = self {
            note(format_args!("{fault}"));
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = advice(&error).map(str::to_owned);
        Self::Fault(Fault { error: Box::new(error), hint })
    }
}

/// What a user can do about an error of the library.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::InvalidToken => {
            "a token is good with the --store, --organization, filters and --order it came with"
        }
        ErrorKind::Behind => "the token is of a later state of the store; begin without it",
        ErrorKind::Gone => {
            "it was pruned: `audit retention show` tells what is kept. Begin without the token"
        }
        ErrorKind::LegalHold => {
            "`audit retention show` tells of it; `audit retention set --legal-hold off` lifts it"
        }
        ErrorKind::Busy => "another process is writing to the store; try again",
        ErrorKind::StorageFull => "nothing was written; free some space and try again",
        ErrorKind::ReadOnly => "the program must be able to write the file and its directory",
        ErrorKind::Corrupt => "is it a store? If it is, restore a backup",
        ErrorKind::Incompatible => "use a version of the program at least as new as the store's",
        _ => return None,
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", visible(&chain(&*self.error)))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {}", visible(hint)),
            None => Ok(()),
        }
    }
}

/// An error and its causes, without those that it tells of itself.
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
    fn the_chain_is_told_once_and_with_a_hint() {
        let error = Error::new(ErrorKind::StorageFull).with_source(std::io::Error::other("\u{1b}"));
        let Failure::Fault(fault) = Failure::about("cannot write", error) else { panic!() };
        assert_eq!(
            fault.to_string(),
            "error: cannot write: the storage is full: \\u{1b}\n\
             hint: nothing was written; free some space and try again"
        );
        let error = Error::malformed("id", "a UUID").with_source(std::io::Error::other("cause"));
        assert_eq!(chain(&error), "invalid input: `id` must be a UUID (cause)");
    }
}
