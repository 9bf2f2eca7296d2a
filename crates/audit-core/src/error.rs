//! The one error type of every store and every parser.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// The reason that a call failed: its [kind](Self::kind), whether [a retry can help](Self::is_retryable), the
/// [field](Self::field) at fault and the [source](StdError::source).
///
/// ```
/// use audit_core::{Actor, ErrorKind, NewEvent, Violation};
///
/// let error = NewEvent::new("", Actor::user("u_7")).validate().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert_eq!(error.field(), Some("action"));
/// assert_eq!(error.violation(), Some(&Violation::Empty));
/// assert!(!error.is_retryable());
/// assert_eq!(error.to_string(), "invalid input: `action` must not be empty");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    field: Option<Cow<'static, str>>,
    violation: Option<Violation>,
    context: Option<&'static str>,
    source: Option<Source>,
}

/// The kind of an error, on which a caller can act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input violates a rule of the model. [`Error::field`] names the field,
    /// [`Error::violation`] the rule.
    Invalid,
    /// The id belongs to different content. Nothing was changed.
    Conflict,
    /// The object does not exist or was deleted.
    NotFound,
    /// The token is malformed, altered, or was issued for another log, filter, order or audience.
    /// All of these give the same error, so that an attacker learns nothing.
    InvalidToken,
    /// This copy of the log is shorter than the size or the sequence asked for.
    Behind,
    /// The log does not have the history to which the token belongs: an older copy of the store was
    /// restored, whether or not it has grown since. Continuing would skip or mix events.
    HistoryChanged,
    /// Retention removed the events at the position of the token or number. Continuing would skip
    /// events silently.
    Gone,
    /// A legal hold forbids removing data from the log.
    LegalHold,
    /// The store's clock is far ahead of the log's last event, so that it may be wrong. Nothing was
    /// removed by age.
    ClockAhead,
    /// Another writer held the store for longer than the configured time-out.
    Busy,
    /// The data is erased and no call returns it, but somebody who reads an older state still holds its
    /// bytes in the storage. Call again until they are gone.
    Pending,
    /// More waits to be written than the store's options allow; [`Error::violation`] names the
    /// limit. Nothing was queued.
    Overloaded,
    /// The storage is full. Nothing was written; the store works again when space is freed.
    StorageFull,
    /// The store can be read but not written.
    ReadOnly,
    /// The stored bytes are damaged.
    Corrupt,
    /// The store was written by another version, or the engine's version is not safe to use.
    Incompatible,
    /// The store is closed.
    Closed,
    /// The storage engine failed; see the source.
    Unavailable,
}

/// The rule that an input violates, with its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Has no characters or items, but must have at least one.
    Empty,
    /// Is required but absent.
    Missing,
    /// Has more bytes than allowed.
    TooLong {
        /// The most bytes allowed.
        limit: usize,
        /// The bytes found.
        actual: usize,
    },
    /// Has more items than allowed.
    TooMany {
        /// The most items allowed.
        limit: usize,
        /// The items found.
        actual: usize,
    },
    /// Is JSON nested deeper than allowed.
    TooDeep {
        /// The most levels allowed.
        limit: usize,
    },
    /// Is a number or time outside its range, which includes both ends.
    OutOfRange {
        /// The least value allowed.
        min: i64,
        /// The greatest value allowed.
        max: i64,
    },
    /// Does not have the required form.
    Malformed {
        /// The required form.
        expected: &'static str,
    },
    /// Is not a known field.
    UnknownField,
    /// Occurs twice as a key.
    DuplicateKey,
    /// Is a number or time with more digits than can be stored exactly.
    Inexact,
}

impl Error {
    /// Creates an error of `kind`.
    pub fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner { kind, field: None, violation: None, context: None, source: None }))
    }

    /// Creates an [`Invalid`](ErrorKind::Invalid) error for a rule that `field` violates.
    pub fn invalid(field: impl Into<Cow<'static, str>>, violation: Violation) -> Self {
        let mut error = Self::new(ErrorKind::Invalid).with_field(field);
        error.0.violation = Some(violation);
        error
    }

    /// Creates an [`Invalid`](ErrorKind::Invalid) error for a `field` that does not have the form
    /// `expected`.
    pub fn malformed(field: impl Into<Cow<'static, str>>, expected: &'static str) -> Self {
        Self::invalid(field, Violation::Malformed { expected })
    }

    /// Creates an [`Overloaded`](ErrorKind::Overloaded) error: with this append the queue would
    /// hold `actual` bytes, and it may hold `limit`.
    pub fn overloaded(limit: usize, actual: usize) -> Self {
        let mut error = Self::new(ErrorKind::Overloaded).with_field("queue");
        error.0.violation = Some(Violation::TooLong { limit, actual });
        error
    }

    /// Creates a [`NotFound`](ErrorKind::NotFound) error for an object, for example
    /// `"organization"`.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(ErrorKind::NotFound).with_field(what)
    }

    /// Sets the field at fault, as a path: `targets[2].id`.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Prefixes the field at fault with `parent`: `id` below `events[4]` becomes `events[4].id`.
    #[must_use]
    pub fn below(mut self, parent: &str) -> Self {
        self.0.field = Some(match self.0.field.take() {
            Some(field) if !field.is_empty() => Cow::Owned(format!("{parent}.{field}")),
            _ => Cow::Owned(parent.to_owned()),
        });
        self
    }

    /// Sets a few fixed words for the operation that failed.
    #[must_use]
    pub fn with_context(mut self, context: &'static str) -> Self {
        self.0.context = Some(context);
        self
    }

    /// Sets the source.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Removes the source, whose words can repeat the input.
    pub(crate) fn without_source(mut self) -> Self {
        self.0.source = None;
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the path of the field at fault, if any; empty for the input as a whole.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// Returns the rule that the input violates, if any.
    pub fn violation(&self) -> Option<&Violation> {
        self.0.violation.as_ref()
    }

    /// Returns `true` if the same call can succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }
}

impl ErrorKind {
    /// Returns `true` if the same call can succeed later.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Behind
                | Self::Busy
                | Self::Pending
                | Self::Overloaded
                | Self::StorageFull
                | Self::Unavailable
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid input",
            Self::Conflict => "the id belongs to different content",
            Self::NotFound => "not found",
            Self::InvalidToken => "the token is not valid here",
            Self::Behind => "the log is shorter than that",
            Self::HistoryChanged => "the history of the log has changed since the token was issued",
            Self::Gone => "retention removed the events at this position",
            Self::LegalHold => "a legal hold forbids removing data",
            Self::ClockAhead => "the clock is years ahead of the last event of the log",
            Self::Busy => "another writer held the store for too long",
            Self::Pending => "the data is erased, but its bytes are still held in the storage",
            Self::Overloaded => "too much waits to be written",
            Self::StorageFull => "the storage is full",
            Self::ReadOnly => "the store is read-only",
            Self::Corrupt => "the stored bytes are damaged",
            Self::Incompatible => "the store is of an incompatible version",
            Self::Closed => "the store is closed",
            Self::Unavailable => "the storage engine failed",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("must not be empty"),
            Self::Missing => f.write_str("is missing"),
            Self::TooLong { limit, actual } => {
                write!(f, "has {actual} bytes, more than the limit of {limit}")
            }
            Self::TooMany { limit, actual } => {
                write!(f, "has {actual} items, more than the limit of {limit}")
            }
            Self::TooDeep { limit } => write!(f, "is nested deeper than {limit} levels"),
            Self::OutOfRange { min, max } => write!(f, "must be from {min} to {max}"),
            Self::Malformed { expected } => write!(f, "must be {expected}"),
            Self::UnknownField => f.write_str("is not a known field"),
            Self::DuplicateKey => f.write_str("occurs twice"),
            Self::Inexact => f.write_str("has more digits than can be stored exactly"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, field, violation, context, source } = &*self.0;
        if let Some(context) = context {
            write!(f, "{context}: ")?;
        }
        write!(f, "{kind}")?;
        match (field, violation) {
            // The input as a whole.
            (Some(field), Some(violation)) if field.is_empty() => write!(f, ": it {violation}")?,
            (Some(field), Some(violation)) => write!(f, ": `{field}` {violation}")?,
            (Some(field), None) => write!(f, ": `{field}`")?,
            (None, Some(violation)) => write!(f, ": {violation}")?,
            (None, None) => {}
        }
        // A parser's message names the place.
        match (kind, source) {
            (ErrorKind::Invalid, Some(source)) => write!(f, " ({source})"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("field", &self.0.field)
            .field("violation", &self.0.violation)
            .field("context", &self.0.context)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_kept_and_the_path_grows_outwards() {
        let error = Error::malformed("id", "a UUID")
            .with_source(std::io::Error::other("cause"))
            .below("events[4]");
        assert_eq!(error.field(), Some("events[4].id"));
        assert!(error.source().is_some_and(<dyn StdError>::is::<std::io::Error>));
        assert_eq!(error.to_string(), "invalid input: `events[4].id` must be a UUID (cause)");
    }

    #[test]
    fn only_passing_faults_are_worth_a_retry() {
        for kind in [ErrorKind::Busy, ErrorKind::Pending, ErrorKind::StorageFull, ErrorKind::Behind]
        {
            assert!(Error::new(kind).is_retryable());
        }
        for kind in [
            ErrorKind::Conflict,
            ErrorKind::InvalidToken,
            ErrorKind::HistoryChanged,
            ErrorKind::Corrupt,
        ] {
            assert!(!Error::new(kind).is_retryable());
        }
    }
}
