//! The rules of the names of actions, attributes and targets, which are those of the model.

/// The bytes of a name, at most: `limits::MAX_NAME_BYTES`.
pub(crate) const MAX_BYTES: usize = 256;

/// The segments of an action, at most: `limits::MAX_ACTION_SEGMENTS`.
pub(crate) const MAX_SEGMENTS: usize = 16;

/// The attributes of an event, at most: `limits::MAX_ATTRIBUTES`.
pub(crate) const MAX_ATTRIBUTES: usize = 32;

/// The actions that only a store records: `Action::is_reserved`.
pub(crate) const RESERVED: [&str; 5] = [
    "log.erased",
    "log.pruned",
    "log.retention_changed",
    "log.staged_refused",
    "log.refused_dropped",
];

/// The terms of `Severity`.
pub(crate) const SEVERITIES: [&str; 8] =
    ["unknown", "informational", "low", "medium", "high", "critical", "fatal", "other"];

/// Returns what is wrong with the name of an action.
pub(crate) fn action_fault(name: &str) -> Option<String> {
    if name.contains('*') {
        return Some("an action has no `*`, which selects several in a filter".to_owned());
    }
    if name.split('.').any(str::is_empty) {
        return Some("each segment of an action has a name: `invoice.paid`".to_owned());
    }
    if name.split('.').count() > MAX_SEGMENTS {
        return Some(format!("an action has at most {MAX_SEGMENTS} segments"));
    }
    if RESERVED.contains(&name) {
        return Some("only a store records this action: choose another name".to_owned());
    }
    text_fault(name)
}

/// Returns what is wrong with the name of a target or an attribute.
pub(crate) fn text_fault(name: &str) -> Option<String> {
    match name.len() {
        0 => Some("the name must not be empty".to_owned()),
        1..=MAX_BYTES => None,
        _ => Some(format!("the name has more than {MAX_BYTES} bytes")),
    }
}
