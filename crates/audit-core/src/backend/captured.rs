//! Changes of rows that triggers of a database have staged, as events.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::json::{self, Object};
use crate::limits::{self, MAX_EVENT_BYTES, MAX_ID_BYTES, MAX_TARGETS};
use crate::model::MASK;
use crate::{
    Action, Actor, AuditContext, Change, Diff, Error, EventId, NewEvent, Result, Target, Timestamp,
};

/// The actor of a change that was made without a context: the user of the database.
const DATABASE_USER: &str = "database_user";

/// How the text of a captured change begins.
const BEGIN: &[u8] = br#"{"v":1,"capture":{"#;

/// The change of some rows by one statement. `docs/capture-sql.md` says what a trigger stages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(rename = "v")]
    _version: u8,
    #[serde(borrow)]
    capture: Capture<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Capture<'a> {
    at: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    op: String,
    /// The columns of the primary key.
    key: Vec<String>,
    /// The columns whose numbers are kept with all their digits.
    numeric: Vec<String>,
    table: String,
    user: String,
    transaction: String,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
    /// How many rows changed, if not each is an event.
    #[serde(default)]
    count: Option<u64>,
    #[serde(borrow)]
    rows: Vec<Row<'a>>,
    /// Whether only the key of the row is here, because the row is too long.
    #[serde(default)]
    truncated: bool,
}

/// A row before and after its change, and the masked columns that differ.
#[derive(Deserialize)]
struct Row<'a>(
    #[serde(borrow)] Option<&'a RawValue>,
    #[serde(borrow)] Option<&'a RawValue>,
    Vec<String>,
);

/// Returns the event of a captured change; `None` if the text is of another form.
pub(super) fn event(id: EventId, text: &[u8]) -> Option<Result<NewEvent>> {
    text.starts_with(BEGIN).then(|| Body::read(text)?.capture.event(id))
}

impl<'a> Body<'a> {
    fn read(text: &'a [u8]) -> Result<Self> {
        serde_json::from_slice(text).map_err(|source| {
            Error::malformed("", "what a trigger of the store stages").with_source(source)
        })
    }
}

impl Capture<'_> {
    fn event(self, id: EventId) -> Result<NewEvent> {
        let context = match self.context {
            Some(context) => json::from_slice(context.get().as_bytes())
                .map_err(|error| error.below("capture.context"))?,
            None => AuditContext::new(Actor::new(DATABASE_USER).id(&self.user)),
        };
        let changes = self.rows.iter().map(|row| self.change(row)).collect::<Result<Vec<_>>>()?;
        let database = json!({
            "table": self.table, "user": self.user, "transaction": self.transaction,
        });
        let action = Action::from(format!("{}.{}", self.kind, self.op));
        // Not only triggers can stage a text like theirs.
        if action.is_reserved() {
            let expected = "an action that is not reserved for the store";
            return Err(Error::malformed("capture.op", expected));
        }
        let mut event = context.event(action);
        event.id = id;
        event.occurred_at = Some(self.at);
        event.metadata.insert("database".to_owned(), database);
        let keys = || changes.iter().map(|(key, _)| key);
        if let Some(count) = self.count {
            event = event.attribute("count", count.to_string());
            event.targets = keys().take(MAX_TARGETS).map(|key| self.target(key.clone())).collect();
            let listed = changes.len() as u64;
            event.change.truncated = listed < count;
            let list = changes.into_iter().map(|(key, change)| {
                let mut change = serde_json::to_value(change).unwrap_or_default();
                if let (Some(key), Value::Object(members)) = (key, &mut change) {
                    members.insert("id".to_owned(), key.into());
                }
                change
            });
            event.metadata.insert("changes".to_owned(), list.collect());
            if !fits(&event) {
                event.metadata.remove("changes");
                event.change.truncated = true;
            }
        } else if let Some((key, change)) = changes.into_iter().next() {
            event.targets.push(self.target(key));
            event.change = change;
            if !fits(&event) {
                (event.change.old, event.change.new) = (None, None);
                event.change.truncated = true;
            }
            if !fits(&event) {
                event.change = without_values();
            }
        }
        if event.targets.is_empty() {
            event.targets.push(self.target(None));
        }
        Ok(event)
    }

    fn target(&self, key: Option<String>) -> Target {
        match key {
            Some(key) => Target::new(&self.kind, key),
            None => Target::of_kind(&self.kind),
        }
    }

    /// Returns the key of a row, and its change.
    fn change(&self, Row(before, after, masked): &Row<'_>) -> Result<(Option<String>, Change)> {
        let before = before.map(|row| self.row(row)).transpose()?;
        let after = after.map(|row| self.row(row)).transpose()?;
        let key = after.as_ref().or(before.as_ref()).and_then(|row| self.key_of(row));
        if self.truncated {
            return Ok((key, without_values()));
        }
        let diff = Diff::new();
        let mut change = match (&before, &after) {
            (Some(before), Some(after)) => diff.compare(before, after)?,
            _ => Change::default(),
        };
        for column in masked {
            if !change.diff.iter().any(|field| field.field == *column) {
                change = change.field(column, Some(MASK.into()), Some(MASK.into()));
            }
        }
        change.diff.sort_by(|a, b| a.field.cmp(&b.field));
        change.old = before.map(|row| diff.masked(&row)).transpose()?;
        change.new = after.map(|row| diff.masked(&row)).transpose()?;
        Ok((key, change))
    }

    /// Returns the values of a row. One that JSON does not hold exactly is the text of it.
    fn row(&self, row: &RawValue) -> Result<Object> {
        let columns: BTreeMap<String, &RawValue> =
            serde_json::from_str(row.get()).map_err(|source| {
                Error::malformed("capture.rows", "an object for each row").with_source(source)
            })?;
        let value = |(name, raw): (String, &RawValue)| {
            let value = value(raw.get(), self.numeric.contains(&name));
            (name, value)
        };
        Ok(columns.into_iter().map(value).collect())
    }

    /// Returns the primary key of a row as one text, if it is not too long for an id.
    fn key_of(&self, row: &Object) -> Option<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let key = match &self.key[..] {
            [] => return None,
            [column] => text(row.get(column)?),
            columns => {
                let values: Option<Vec<_>> = columns.iter().map(|name| row.get(name)).collect();
                serde_json::to_string(&values?).ok()?
            }
        };
        (key.len() <= MAX_ID_BYTES).then_some(key)
    }
}

fn value(raw: &str, is_numeric: bool) -> Value {
    let is_number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if is_numeric && is_number {
        return Value::String(raw.to_owned());
    }
    // Its object is a level, too.
    let is_shallow = |value: &Value| limits::depth(format_args!(""), 1, [value]).is_ok();
    let exact = json::parse(raw.as_bytes()).ok().filter(is_shallow);
    exact.unwrap_or_else(|| Value::String(raw.to_owned()))
}

/// Returns the change of a row of which nothing but its key is known.
fn without_values() -> Change {
    Change { truncated: true, ..Change::default() }
}

/// Returns whether the event is within the limits that depend on the sizes of its values.
fn fits(event: &NewEvent) -> bool {
    // The rest is for what the store adds.
    const MOST: usize = MAX_EVENT_BYTES / 16 * 15;
    let size = serde_json::to_vec(event).map_or(usize::MAX, |text| text.len());
    size <= MOST && event.change.validate().is_ok() && event.validate().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(rows: &str, more: &str) -> String {
        format!(
            r#"{{"v":1,"capture":{{"at":"2026-11-27T00:02:04.722561Z","type":"invoice","op":"updated",
            "key":["id"],"numeric":["amount"],"table":"public.invoice","user":"app",
            "transaction":"7","context":null,"rows":[{rows}]{more}}}}}"#
        )
    }

    fn captured(text: &str) -> NewEvent {
        let event = event(EventId::new(), text.as_bytes()).unwrap().unwrap();
        event.validate().unwrap();
        event
    }

    #[test]
    fn a_changed_row_is_an_event_of_the_user_of_the_database() {
        let rows = r#"[{"id":1,"amount":1.10,"note":"a"},{"id":1,"amount":2.50,"note":"a"},[]]"#;
        let event = captured(&body(rows, ""));
        assert_eq!(event.action.as_str(), "invoice.updated");
        assert_eq!(
            (event.actor.kind.as_str(), event.actor.id.as_deref()),
            ("database_user", Some("app"))
        );
        assert_eq!(event.targets, [Target::new("invoice", "1")]);
        let expected = Change::default()
            .with_old(json!({"id": 1, "amount": "1.10", "note": "a"}))
            .with_new(json!({"id": 1, "amount": "2.50", "note": "a"}))
            .field("amount", Some("1.10".into()), Some("2.50".into()));
        assert_eq!(event.change, expected);
        assert_eq!(event.metadata["database"]["table"], "public.invoice");
    }

    #[test]
    fn a_context_is_read_strictly() {
        let rows = r#"[null,{"id":1},[]]"#;
        let with =
            |context: &str| body(rows, "").replace("null,\"rows\"", &format!("{context},\"rows\""));
        let good = r#"{"v":1,"actor":{"kind":"user","id":"ana"},"reason":"asked"}"#;
        let event = captured(&with(good));
        assert_eq!(
            (event.actor.id.as_deref(), event.reason.as_deref()),
            (Some("ana"), Some("asked"))
        );
        let bad = with(&good.replace("reason", "why"));
        let error = super::event(EventId::new(), bad.as_bytes()).unwrap().unwrap_err();
        assert!(error.field().unwrap().starts_with("capture.context"), "{error:?}");
    }

    #[test]
    fn a_reserved_action_is_refused() {
        let text = body("", "").replace("invoice", "log").replace("updated", "erased");
        let error = event(EventId::new(), text.as_bytes()).unwrap().unwrap_err();
        assert_eq!(error.field(), Some("capture.op"));
    }

    #[test]
    fn masks_hide_values_and_show_that_they_changed() {
        let row = r#"{"id":1,"iban":"[redacted]","password":"PASSWORD"}"#;
        let (old, new) = (row.replace("PASSWORD", "hunter2"), row.replace("PASSWORD", "hunter3"));
        let event = captured(&body(&format!(r#"[{old},{new},["iban"]]"#), ""));
        let masked = || Some(json!(MASK));
        let fields: Vec<_> = event.change.diff.iter().map(|field| &field.field[..]).collect();
        assert_eq!(fields, ["iban", "password"]);
        assert!(event.change.diff.iter().all(|f| (&f.old, &f.new) == (&masked(), &masked())));
        assert!(!serde_json::to_string(&event).unwrap().contains("hunter"));
    }

    #[test]
    fn what_json_does_not_hold_exactly_is_text() {
        let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
        for (raw, expected) in [
            ("12345678901234567890123".to_owned(), json!("12345678901234567890123")),
            (r#"{"x":1,"x":2}"#.to_owned(), json!(r#"{"x":1,"x":2}"#)),
            (r#""\ud800""#.to_owned(), json!(r#""\ud800""#)),
            (deep.clone(), json!(deep)),
            ("[1.5,null]".to_owned(), json!([1.5, null])),
            ("9007199254740993".to_owned(), json!(9_007_199_254_740_993_i64)),
        ] {
            let event = captured(&body(&format!(r#"[null,{{"id":1,"x":{raw}}},[]]"#), ""));
            assert_eq!(event.change.new, Some(json!({"id": 1, "x": expected})));
        }
    }

    #[test]
    fn a_row_that_is_too_long_is_an_event_without_its_values() {
        let long = "x".repeat(600_000);
        let rows = format!(r#"[{{"id":1,"a":"{long}","b":1}},{{"id":1,"a":"{long}","b":2}},[]]"#);
        let change = captured(&body(&rows, "")).change;
        let expected = Change::default().field("b", Some(json!(1)), Some(json!(2)));
        assert!(change.truncated && change.old.is_none() && change.new.is_none());
        assert_eq!(change.diff, expected.diff);
        let rows = format!(r#"[{{"id":1,"a":"{long}"}},{{"id":1,"a":"y{long}"}},[]]"#);
        let change = captured(&body(&rows, "")).change;
        assert!(change.truncated && change.diff.is_empty() && change.old.is_none());
        let event = captured(&body(r#"[{"id":1},{"id":1},[]]"#, r#","truncated":true"#));
        assert!(event.change.truncated && event.change.new.is_none());
        assert_eq!(event.targets, [Target::new("invoice", "1")]);
    }

    #[test]
    fn a_statement_is_one_event_with_its_count() {
        let rows = r#"[{"id":1,"n":1},{"id":1,"n":2},[]],[{"id":2,"n":1},{"id":2,"n":2},[]]"#;
        let event = captured(&body(rows, r#","count":3"#));
        assert_eq!(event.attributes.get("count"), Some("3"));
        assert!(event.change.truncated, "one is not listed");
        assert_eq!(event.targets.len(), 2);
        assert_eq!(event.metadata["changes"][1]["id"], "2");
        assert_eq!(event.metadata["changes"][1]["diff"][0]["field"], "n");
    }

    #[test]
    fn keys_of_several_columns_are_a_list() {
        let text =
            body(r#"[null,{"id":1,"n":"a,b"},[]]"#, "").replace(r#"["id"]"#, r#"["id","n"]"#);
        assert_eq!(captured(&text).targets, [Target::new("invoice", r#"[1,"a,b"]"#)]);
        let text = body(r#"[null,{"id":1},[]]"#, "").replace(r#"["id"]"#, "[]");
        assert_eq!(captured(&text).targets, [Target::of_kind("invoice")]);
    }
}
