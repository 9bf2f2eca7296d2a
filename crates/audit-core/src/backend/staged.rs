//! Rows that callers have staged, checked when they are taken in.

use serde_json::json;
use uuid::Uuid;

use super::captured;
use super::staged_body::{BODY_VERSION, StagedBody};
use crate::limits::{MAX_STAGED_BYTES, MAX_TARGETS};
use crate::{
    Action, Actor, AuditContext, Error, EventId, Message, NewEvent, Outcome, Result, Target,
    Timestamp, Violation, json,
};

/// The most staged rows that a store takes in by one transaction.
pub const STAGED_STEP_ROWS: usize = 1_000;
/// A transaction takes in no more staged rows when their bodies have this many bytes: 8 MiB.
pub const STAGED_STEP_BYTES: usize = 8 << 20;
/// The most such steps before an append. If more is staged, it waits for the background.
pub const STAGED_STEPS_BEFORE_APPEND: usize = 10;

/// A staged row as a store holds it. Any client can have written it.
#[derive(Clone, Debug)]
pub struct StagedRow {
    id: Vec<u8>,
    body: Vec<u8>,
    size: usize,
}

impl StagedRow {
    /// Returns the row with these bytes.
    pub fn new(id: impl Into<Vec<u8>>, body: impl Into<Vec<u8>>) -> Self {
        let (id, body) = (id.into(), body.into());
        Self { id, size: body.len(), body }
    }

    /// Returns a row whose body of `size` bytes was not read, because it has more than
    /// [`MAX_STAGED_BYTES`].
    pub fn too_long(id: impl Into<Vec<u8>>, size: usize) -> Self {
        Self { id: id.into(), body: Vec::new(), size: size.max(MAX_STAGED_BYTES + 1) }
    }

    /// Returns the id of the event, if it is one.
    pub fn id(&self) -> Option<EventId> {
        Uuid::from_slice(&self.id).ok().map(EventId::from_uuid)
    }

    /// Returns the bytes of the body.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns the event, and when it occurred if it does not say.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with a field below `body` or `id`.
    pub(super) fn decode(&self) -> Result<(NewEvent, Option<Timestamp>)> {
        let id = self.id().ok_or_else(|| Error::malformed("id", "16 bytes"))?;
        if self.size > MAX_STAGED_BYTES {
            let violation = Violation::TooLong { limit: MAX_STAGED_BYTES, actual: self.size };
            return Err(Error::invalid("body", violation));
        }
        let below = |error: Error| error.below("body");
        if let Some(event) = captured::event(id, &self.body) {
            return event.map(|event| (event, None)).map_err(below);
        }
        let body: StagedBody = json::from_slice(&self.body).map_err(below)?;
        let StagedBody { v, staged_at, submitted_by, mut event } = body;
        if v != BODY_VERSION {
            return Err(Error::malformed("body.v", "1"));
        }
        if event.id != id {
            // Without an id, the event has that of its row. Only few rows are read a second time.
            if json::parse(&self.body).map_err(below)?["event"].get("id").is_some() {
                return Err(Error::malformed("body.event.id", "the id of the row"));
            }
            event.id = id;
        }
        if event.action.is_reserved() {
            let expected = "an action that is not reserved for the store";
            return Err(Error::malformed("body.event.action", expected));
        }
        event.submitted_by = submitted_by;
        Ok((event, staged_at))
    }
}

/// A staged row that was refused, for the event that records it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The id of the event, if it is one.
    pub id: Option<EventId>,
    /// Why it was refused.
    pub reason: String,
}

impl Refusal {
    /// Returns the refusal of a row with this error. The reason names the field and the fault, and
    /// repeats nothing of the row.
    pub fn new(id: Option<EventId>, error: Error) -> Self {
        Self { id, reason: error.without_source().to_string() }
    }

    /// Returns the event that records refusals in their log. Their number is part of the record, and so
    /// are the first ids. The reasons are metadata.
    pub fn event(refusals: &[Self]) -> Result<NewEvent> {
        let text = format!("{} staged events were refused and set aside", refusals.len());
        let by = AuditContext::new(Actor::system());
        let event = NewEvent {
            outcome: Some(Outcome::failure()),
            message: Message {
                title: Some("Staged events refused".to_owned()),
                text: Some(text),
                key: Some("LogStagedRefused".to_owned()),
                params: None,
            },
            targets: targets(refusals.iter().filter_map(|refusal| refusal.id)),
            ..by.event(Action::LOG_STAGED_REFUSED)
        };
        let reasons = refusals
            .iter()
            .take(REASONS)
            .map(|Self { id, reason }| json!({ "id": id, "reason": reason }));
        let event = event
            .attribute(COUNT, refusals.len().to_string())
            .metadata("refused", reasons.collect::<Vec<_>>());
        event.validate()?;
        Ok(event)
    }

    /// Returns the event that records that somebody dropped a refused event.
    pub fn dropped(id: Option<EventId>, by: AuditContext) -> Result<NewEvent> {
        let event = NewEvent {
            message: Message {
                title: Some("Refused event dropped".to_owned()),
                text: None,
                key: Some("LogRefusedDropped".to_owned()),
                params: None,
            },
            targets: targets(id.into_iter()),
            ..by.event(Action::LOG_REFUSED_DROPPED)
        };
        let event = event.attribute(COUNT, "1");
        event.validate()?;
        Ok(event)
    }
}

/// The attribute with the number of refused or dropped events.
const COUNT: &str = "count";

/// The most reasons in one event.
const REASONS: usize = 100;

fn targets(ids: impl Iterator<Item = EventId>) -> Vec<Target> {
    ids.take(MAX_TARGETS).map(|id| Target::new("event", id.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Log, Staged};

    fn row(body: &str) -> StagedRow {
        StagedRow::new(EventId::from_uuid(Uuid::from_u128(7)).as_bytes(), body)
    }

    #[test]
    fn what_is_staged_comes_back() {
        let event = NewEvent::new("a", Actor::user("u"))
            .occurred_at(Timestamp::from_nanos(1_700_000_000_123_456_789))
            .metadata("n", json!({"x": [1, null, "\u{0}é"]}));
        let mut sent = event.clone();
        sent.submitted_by = Some("key_1".to_owned());
        let untimed = NewEvent::new("b", Actor::user("u"));
        let before = Timestamp::now();
        let given = vec![sent.clone(), untimed.clone(), sent.clone()];
        let staged = Staged::new(Log::Platform, given).unwrap();
        let rows: Vec<_> = staged.rows().collect();
        let decoded: Vec<_> = rows
            .iter()
            .map(|(id, body)| StagedRow::new(id.as_bytes(), *body).decode().unwrap())
            .collect();
        assert_eq!(decoded[0], (sent, None));
        assert_eq!((decoded.len(), &decoded[1].0), (2, &untimed));
        assert!(decoded[1].1.is_some_and(|time| time >= before));
    }

    #[test]
    fn the_limits_of_an_append_hold_before_anything_is_staged() {
        let bad = NewEvent::new("log.erased", Actor::user("u"));
        let error = Staged::new(Log::Platform, vec![bad]).unwrap_err();
        assert_eq!(error.field(), Some("events[0].action"));
        let bad = NewEvent::new("", Actor::user("u"));
        let error = Staged::new(Log::Platform, vec![bad]).unwrap_err();
        assert_eq!(error.field(), Some("events[0].action"));
    }

    #[test]
    fn a_row_that_is_no_event_is_refused_by_field() {
        let actor = r#""actor":{"kind":"user"}"#;
        let good = format!(r#"{{"v":1,"event":{{"action":"a",{actor}}}}}"#);
        let (event, staged_at) = row(&good).decode().unwrap();
        assert_eq!((event.id.as_uuid().as_u128(), staged_at), (7, None));
        for (body, field) in [
            (String::new(), "body"),
            ("[]".to_owned(), "body"),
            ("{".to_owned(), "body"),
            (good.replace(":1,", ":2,"), "body.v"),
            (good.replace(r#""v":1,"#, ""), "body"),
            (good.replace(r#""a","#, r#""a","x":1,"#), "body.event.x"),
            (good.replace(r#""a""#, r#""log.pruned""#), "body.event.action"),
            (good.replace(r#""user""#, "7"), "body.event.actor.kind"),
            (good.replace(r#""action":"a","#, r#""action":"a","action":"a","#), "body.event"),
            (
                good.replace(r#""a""#, &format!(r#""a","id":"{}""#, Uuid::from_u128(8))),
                "body.event.id",
            ),
        ] {
            let error = row(&body).decode().unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some(field)), "{body}");
        }
        let error = StagedRow::new(*b"short", good.as_str()).decode().unwrap_err();
        assert_eq!(error.field(), Some("id"));
        let long = StagedRow::too_long([0; 16], MAX_STAGED_BYTES + 9).decode().unwrap_err();
        assert_eq!(
            (long.field(), long.violation()),
            (
                Some("body"),
                Some(&Violation::TooLong { limit: MAX_STAGED_BYTES, actual: MAX_STAGED_BYTES + 9 })
            )
        );
    }

    #[test]
    fn a_reason_repeats_nothing_of_the_row() {
        let error = row(r#"{"v":1,"event":{"action":"a","actor":"ana@example.org"}}"#).decode();
        let refusal = Refusal::new(None, error.unwrap_err());
        assert!(refusal.reason.contains("body.event.actor"), "{}", refusal.reason);
        assert!(!refusal.reason.contains("example.org"), "{}", refusal.reason);
    }

    #[test]
    fn the_event_of_many_refusals_is_bounded() {
        let refusal = |_| Refusal { id: Some(EventId::new()), reason: "r".repeat(300) };
        let refusals: Vec<_> = (0..10_000).map(refusal).collect();
        let event = Refusal::event(&refusals).unwrap();
        assert_eq!(event.attributes.get(COUNT), Some("10000"));
        assert!(crate::backend::PreparedEvent::new(&event).is_ok());
    }
}
