//! The pages of a walk and of a feed.

use crate::{AuditEvent, Sequence, Token};

/// One page of a walk.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The events, in the order of the query.
    pub events: Vec<AuditEvent>,
    /// The token of the next page; `None` on the last.
    pub next: Option<Token>,
    /// The token of the previous page; `None` on the first. Like [`next`](Self::next), it leads to
    /// the events that the log held when the walk began.
    ///
    /// A page whose events no longer match after an erasure is empty, and still has tokens.
    pub previous: Option<Token>,
    /// The number of events that match in all, on every page, if the query asked for it.
    pub total: Option<u64>,
    /// The size of the log when the walk began. Every page reads these first events only.
    pub bound: Sequence,
}

/// One page of a feed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FeedPage {
    /// The events, by sequence; empty if none was appended.
    pub events: Vec<AuditEvent>,
    /// The token of the next page. A feed has no end.
    pub token: Token,
    /// Whether the log held no further events when the page was read.
    pub caught_up: bool,
}

/// The start of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedStart {
    /// Starts with the first event of the log.
    Beginning,
    /// Starts with the first event appended after the call.
    Now,
    /// Starts with the event after this one, for example a page's [`bound`](Page::bound).
    After(Sequence),
}
