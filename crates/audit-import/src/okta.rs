//! The Okta system log, nested as Okta's API gives it, or flattened by Log Analytics, which joins
//! the names on the way with `_` and adds the type: `actor.alternateId` is `actor_alternateId_s`.
//!
//! | record | event |
//! |---|---|
//! | `uuid` | source id |
//! | `published` | time |
//! | `eventType` | action |
//! | `actor.type` | actor kind: `User` is `user`, `SystemPrincipal` `system`, a client or app `service`; it stays |
//! | `actor.id`, `actor.displayName` | actor id, name |
//! | `actor.alternateId` | actor e-mail, if it is one |
//! | `client.ipAddress`, `client.userAgent.rawUserAgent` | actor IP, user agent |
//! | `target[]`: `type`, `id`, `displayName` | targets; of a list that is JSON in a text, copies |
//! | `displayMessage` | message title |
//! | `outcome.reason` | message text |
//! | `outcome.result` | outcome: `SUCCESS` and `ALLOW` are `success`, `FAILURE` is `failure`, `DENY` `denied`; it stays |
//! | `debugContext.debugData.requestUri` | request path |
//! | `client.geographicalContext.city` | location |
//! | `transaction.id` | change set, if it is a UUID |
//!
//! `unknown` and `null` are Okta's and the SIEM's words for no value, and stay.
//!
//! The scripts that fill Log Analytics write a list as JSON in a text, and an object deep within it
//! once as JSON, once in the way of PowerShell: `@{lat=34.047; lon=-118.275}`. Of such a text, the
//! id of the event takes in what it says, not how.

use audit_core::{Actor, ActorKind, NewEvent, Outcome, Result, Target, json};
use serde_json::Value;

use crate::layout::Layout;
use crate::record::Record;

pub(crate) const LAYOUT: Layout = Layout {
    ids: &[&["uuid"], &["uuid_g"], &["uuid_s"]],
    times: &[&["published"], &["published_t"], &["published_s"]],
    placeholders: &["", "-", "null", "unknown"],
    restate,
    read,
};

/// What Log Analytics adds to a key: the type that it sees in the value.
const TYPES: &[&str] = &["s", "g", "d", "t", "b"];

fn read(record: &mut Record) -> Result<NewEvent> {
    let action = match place(record, &["eventType"]) {
        Some(place) => record.take_required(&place.path())?,
        None => record.take_required(&["eventType"])?,
    };
    let mut event = NewEvent::new(action, actor(record));
    let change_set = place(record, &["transaction", "id"]);
    event.targets = targets(record);
    event.change_set_id = change_set.and_then(|place| record.take_change_set(&place.path()));
    event.message.title = take(record, &["displayMessage"]);
    event.message.text = take(record, &["outcome", "reason"]);
    event.outcome = outcome(record);
    event.location = take(record, &["client", "geographicalContext", "city"]);
    event.request.path = take(record, &["debugContext", "debugData", "requestUri"]);
    Ok(event)
}

fn outcome(record: &Record) -> Option<Outcome> {
    let result = record.text(&place(record, &["outcome", "result"])?.path())?;
    match &*result {
        "SUCCESS" | "ALLOW" => Some(Outcome::success()),
        "FAILURE" => Some(Outcome::failure()),
        "DENY" => Some(Outcome::denied()),
        _ => None,
    }
}

fn actor(record: &mut Record) -> Actor {
    let kind = place(record, &["actor", "type"]).and_then(|place| record.text(&place.path()));
    let kind = match kind.as_deref() {
        Some("User") => ActorKind::USER,
        Some("SystemPrincipal") => ActorKind::SYSTEM,
        Some(kind) if kind.contains("App") || kind.contains("Client") => ActorKind::SERVICE,
        _ => ActorKind::UNKNOWN,
    };
    let email = place(record, &["actor", "alternateId"])
        .and_then(|place| record.take_text_if(&place.path(), |text| text.contains('@')));
    let mut actor = Actor::new(kind);
    actor.id = take(record, &["actor", "id"]);
    actor.name = take(record, &["actor", "displayName"]);
    actor.email = email;
    actor.ip = take(record, &["client", "ipAddress"]);
    actor.user_agent = take(record, &["client", "userAgent", "rawUserAgent"]);
    actor
}

fn targets(record: &mut Record) -> Vec<Target> {
    let Some(place) = place(record, &["target"]) else { return Vec::new() };
    if !matches!(record.value(&place.path()), Some(Value::String(_))) {
        return record.take_items(&place.path(), target);
    }
    // The text cannot be rebuilt from its items, so it stays; if it is no list, it is only kept.
    let text = record.text(&place.path()).unwrap_or_default();
    let Ok(list) = json::parse(text.as_bytes()) else { return Vec::new() };
    let mut copy = Record::new([("target".to_owned(), list)], LAYOUT.placeholders);
    copy.take_items(&["target"], target)
}

fn target(item: &mut Record) -> Option<Target> {
    let (kind, id) = (item.take_text(&["type"]), item.take_text(&["id"]));
    Target::from_parts(kind, id, item.take_text(&["displayName"]))
}

/// Reads a JSON text. Its scalar values become texts, as in PowerShell.
fn restate(text: &str) -> Option<Value> {
    if !text.starts_with(['[', '{']) {
        return None;
    }
    json::parse(text.as_bytes()).ok().map(plain)
}

fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(key, field)| (key, plain(field))).collect()
        }
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::String(text) => powershell(&text).unwrap_or(Value::String(text)),
        Value::Null => "".into(),
        Value::Bool(value) => if value { "True" } else { "False" }.into(),
        Value::Number(number) => number.to_string().into(),
    }
}

/// Reads the object that PowerShell writes as `text`.
fn powershell(text: &str) -> Option<Value> {
    let fields = text.strip_prefix("@{")?.strip_suffix('}')?;
    fields.split("; ").map(|field| field.split_once('=')).collect()
}

/// Where a value stands in one record.
enum Place<'a> {
    Nested(&'a [&'a str]),
    Flat(String),
}

impl Place<'_> {
    fn path(&self) -> Vec<&str> {
        match self {
            Self::Nested(names) => names.to_vec(),
            Self::Flat(key) => vec![key],
        }
    }
}

fn place<'a>(record: &Record, names: &'a [&'a str]) -> Option<Place<'a>> {
    if record.value(names).is_some() {
        return Some(Place::Nested(names));
    }
    let stem = names.join("_");
    let keys = TYPES.iter().map(|kind| format!("{stem}_{kind}"));
    keys.into_iter().find(|key| record.value(&[key]).is_some()).map(Place::Flat)
}

fn take(record: &mut Record, names: &[&str]) -> Option<String> {
    let place = place(record, names)?;
    record.take_text(&place.path())
}
