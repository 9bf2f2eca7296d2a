//! How scans become the pages of a walk, forwards and backwards.

use std::mem;

use super::history::{self, of_token};
use super::scan::{bytes_of, scan_of};
use crate::query::{Cursor, HistoryMark, TokenKind};
use crate::{
    Anchor, AuditEvent, AuditStore, Error, ErrorKind, EventQuery, Filter, Order, Page, Position,
    Result, Scan, ScanResult, Sequence, Token, TokenKeys, Total,
};

/// Signs the tokens of one page.
struct Tokens<'a> {
    keys: &'a TokenKeys,
    query: &'a EventQuery,
    bound: Sequence,
    history: HistoryMark,
}

impl<'a> Tokens<'a> {
    /// Returns the tokens of the walk that begins with `result`.
    fn of<S: AuditStore + ?Sized>(
        store: &'a S,
        query: &'a EventQuery,
        result: &ScanResult,
    ) -> Result<Self> {
        let history = history::mark_of(result)?;
        Ok(Self { keys: store.token_keys(), query, bound: result.bound, history })
    }

    /// Returns the tokens of the walk to which the token of `cursor` belongs, and that `result`
    /// continues.
    ///
    /// # Errors
    /// [`ErrorKind::HistoryChanged`] if the log no longer has its history.
    fn after<S: AuditStore + ?Sized>(
        store: &'a S,
        query: &'a EventQuery,
        cursor: &Cursor,
        result: &ScanResult,
    ) -> Result<Self> {
        let tokens = Self::of(store, query, result)?;
        history::require_mark(cursor, tokens.history)?;
        Ok(tokens)
    }

    fn sign(&self, kind: TokenKind, last: Position) -> Token {
        let cursor = Cursor { last, bound: self.bound, history: self.history };
        self.keys.sign(kind, &cursor, self.query)
    }

    fn next(&self, last: Position) -> Token {
        self.sign(TokenKind::Next, last)
    }

    fn previous(&self, first: Position) -> Token {
        self.sign(TokenKind::Previous, first)
    }
}

/// Returns the first page of a walk.
pub(super) async fn first<S: AuditStore + ?Sized>(store: &S, query: &EventQuery) -> Result<Page> {
    let result = store.scan(scan_of(query, None, query.offset)).await?;
    // The offset left out events before the first, if there is one.
    let first = result.events.first().filter(|_| query.offset > 0).map(Position::of);
    let last = result.events.last().filter(|_| result.more).map(Position::of);
    let (next, previous) = ends(store, query, &result, first, last)?;
    let ScanResult { events, total, bound, .. } = result;
    Ok(Page { events, next, previous, total, bound })
}

/// Returns the tokens of a first page: of the page after `last`, and of that before `first`.
fn ends<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    result: &ScanResult,
    first: Option<Position>,
    last: Option<Position>,
) -> Result<(Option<Token>, Option<Token>)> {
    if first.or(last).is_none() {
        return Ok((None, None));
    }
    let tokens = Tokens::of(store, query, result)?;
    Ok((last.map(|last| tokens.next(last)), first.map(|first| tokens.previous(first))))
}

/// Returns the page after `cursor`.
pub(super) async fn after<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    cursor: Cursor,
) -> Result<Page> {
    let result = store.scan(scan_of(query, Some(cursor), 0)).await.map_err(of_token)?;
    let tokens = Tokens::after(store, query, &cursor, &result)?;
    let last = result.events.last().filter(|_| result.more).map(Position::of);
    // The event at the cursor is before this page, which can be empty after an erasure.
    let first = result.events.first().map(Position::of);
    let first = first.unwrap_or_else(|| neighbour(query.order, cursor.last));
    Ok(Page {
        next: last.map(|last| tokens.next(last)),
        previous: Some(tokens.previous(first)),
        events: result.events,
        total: result.total,
        bound: result.bound,
    })
}

/// Returns the page before `cursor`.
pub(super) async fn before<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    cursor: Cursor,
) -> Result<Page> {
    let scan = backwards(scan_of(query, Some(cursor), 0));
    let mut result = store.scan(scan).await.map_err(of_token)?;
    result.events.reverse();
    let tokens = Tokens::after(store, query, &cursor, &result)?;
    let first = result.events.first().filter(|_| result.more).map(Position::of);
    let last = result.events.last().map(Position::of);
    let last = last.unwrap_or_else(|| neighbour(query.order.reversed(), cursor.last));
    Ok(Page {
        next: Some(tokens.next(last)),
        previous: first.map(|first| tokens.previous(first)),
        events: result.events,
        total: result.total,
        bound: result.bound,
    })
}

/// Returns the page around an event: as many events before it as after it, as far as there are.
pub(super) async fn around<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    anchor: Anchor,
) -> Result<Page> {
    let anchor = position_of(store, query, anchor).await?;
    // What comes before the anchor is read from it backwards, and the rest from its neighbour on.
    let from = neighbour(query.order.reversed(), anchor);
    let mut ahead = store.scan(Scan { after: Some(from), ..scan_of(query, None, 0) }).await?;
    let back = Scan {
        after: Some(anchor),
        bound: Some(ahead.bound),
        total: Total::Skip,
        ..scan_of(query, None, 0)
    };
    let back = store.scan(backwards(back)).await?;

    let (mut after, mut before) =
        (mem::take(&mut ahead.events).into_iter(), back.events.into_iter());
    let (mut late, mut early): (Vec<AuditEvent>, Vec<AuditEvent>) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    // In turn from both sides; from one of them when the other has no more.
    while late.len() + early.len() < query.limit && (bytes == 0 || bytes < query.bytes) {
        let takes_after = late.len() <= early.len();
        let next = if takes_after { after.next() } else { before.next() };
        let (event, is_after) = match next {
            Some(event) => (event, takes_after),
            None => match if takes_after { before.next() } else { after.next() } {
                Some(event) => (event, !takes_after),
                None => break,
            },
        };
        bytes += bytes_of(&event);
        if is_after { late.push(event) } else { early.push(event) }
    }
    let has_next = ahead.more || after.next().is_some();
    let has_previous = back.more || before.next().is_some();
    early.reverse();
    let events = [early, late].concat();
    let first = events.first().filter(|_| has_previous).map(Position::of);
    let last = events.last().filter(|_| has_next).map(Position::of);
    let (next, previous) = ends(store, query, &ahead, first, last)?;
    Ok(Page { events, next, previous, total: ahead.total, bound: ahead.bound })
}

async fn position_of<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    anchor: Anchor,
) -> Result<Position> {
    let sequence = match anchor {
        Anchor::Id(id) => return store.get(query.log, id).await.map(|event| Position::of(&event)),
        Anchor::Sequence(sequence) => sequence,
    };
    let not_found = || Error::not_found("event");
    if sequence == Sequence::ZERO {
        return Err(not_found());
    }
    let previous = Position { occurred_at: crate::Timestamp::MIN, sequence: sequence.previous() };
    let scan = Scan {
        filter: Filter::new(),
        order: Order::Sequence,
        after: Some(previous),
        limit: 1,
        total: Total::Skip,
        ..scan_of(query, None, 0)
    };
    let found = store.scan(scan).await.map_err(|error| match error.kind() {
        ErrorKind::Gone => not_found(),
        _ => error,
    })?;
    let found = found.events.first().filter(|event| event.sequence == sequence);
    found.map(Position::of).ok_or_else(not_found)
}

fn backwards(scan: Scan) -> Scan {
    Scan { order: scan.order.reversed(), ..scan }
}

/// Returns the position after `position` in `order`: with it excluded, a walk backwards begins with
/// `position`.
fn neighbour(order: Order, position: Position) -> Position {
    crate::backend::index::successor(order, position)
}
