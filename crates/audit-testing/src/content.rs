//! Events without what differs from run to run.

use audit_core::{AuditEvent, NewEvent};
use serde_json::{Value, json};

/// An event whose content can be compared: one that was recorded, or one to record.
pub trait Content {
    /// Returns the content as JSON without the id, the time, the ids of the request, the trace and the change
    /// set, and the sender.
    fn content(&self) -> Value;
}

impl Content for NewEvent {
    fn content(&self) -> Value {
        let mut event = self.clone();
        event.occurred_at = None;
        event.change_set_id = None;
        event.trace = None;
        event.request.id = None;
        let mut content = json!(event);
        if let Some(members) = content.as_object_mut() {
            members.remove("id");
        }
        content
    }
}

impl Content for AuditEvent {
    fn content(&self) -> Value {
        self.clone().into_content().content()
    }
}

/// Returns `true` if both events have the same content but for ids and times: see [`Content`].
///
/// `assert_eq!(a.content(), b.content())` shows where they differ.
pub fn content_eq(a: &impl Content, b: &impl Content) -> bool {
    a.content() == b.content()
}
