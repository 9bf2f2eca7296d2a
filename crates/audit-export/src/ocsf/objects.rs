//! The objects of OCSF that the parts of an event become.

use std::net::{IpAddr, SocketAddr};

use audit_core::{Actor, ActorKind, AuditEvent, OutcomeResult, Severity, Target};
use serde_json::{Map, Value, json};

use super::rest::Rest;

/// An object under construction. An absent value is not set.
#[derive(Default)]
pub(super) struct Object(pub(super) Map<String, Value>);

impl Object {
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    pub(super) fn add(&mut self, key: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.set(key, value);
        }
        self
    }

    /// Adds an object that is not empty.
    pub(super) fn part(&mut self, key: &str, part: Self) -> &mut Self {
        if !part.0.is_empty() {
            self.set(key, part.0);
        }
        self
    }
}

/// A text that is not empty.
pub(super) fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Returns the actor as a user. A user has a name or an id: an actor with neither has its e-mail address
/// or its kind as the name.
pub(super) fn user(actor: &Actor, rest: &mut Rest) -> Object {
    let mut user = Object::default();
    user.add("uid", rest.text(&["actor", "id"])).add("name", rest.text(&["actor", "name"]));
    if user.0.is_empty() {
        user.set("name", filled(actor.email.as_ref()).unwrap_or(actor.kind.as_str()));
    }
    if actor.email.as_deref().is_some_and(is_email) {
        user.add("email_addr", rest.take(&["actor", "email"]));
    }
    let mut organization = Object::default();
    organization
        .add("uid", rest.text(&["actor", "organization", "id"]))
        .add("name", rest.text(&["actor", "organization", "name"]));
    user.part("org", organization);
    let (id, caption) = match &actor.kind {
        kind if *kind == ActorKind::USER => (1, "User"),
        kind if *kind == ActorKind::SYSTEM => (3, "System"),
        kind if *kind == ActorKind::SERVICE => (4, "Service"),
        kind if *kind == ActorKind::UNKNOWN => (0, "Unknown"),
        kind => (99, kind.as_str()),
    };
    user.set("type_id", id).set("type", caption);
    rest.take(&["actor", "kind"]);
    user
}

/// Returns whether OCSF accepts the text as an e-mail address.
fn is_email(text: &str) -> bool {
    let is_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+,-./=?^_`{|}~".contains(c);
    let is_domain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.chars().all(is_local)
            && domain.chars().all(is_domain)
            && domain
                .split_once('.')
                .is_some_and(|(name, rest)| !name.is_empty() && !rest.is_empty())
    })
}

/// Returns the address as an endpoint, with a name if it is no address.
pub(super) fn endpoint(rest: &mut Rest) -> Option<Object> {
    let address = rest.text(&["actor", "ip"])?;
    let text = address.as_str().unwrap_or_default();
    let mut endpoint = Object::default();
    match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
        (Ok(_), _) => endpoint.set("ip", address),
        (_, Ok(socket)) if socket.to_string() == text => {
            endpoint.set("ip", socket.ip().to_string()).set("port", socket.port())
        }
        _ => endpoint.set("name", address),
    };
    Some(endpoint)
}

pub(super) fn severity(event: &AuditEvent) -> (u8, &str) {
    match event.severity.as_ref().map_or("unknown", Severity::as_str) {
        "unknown" => (0, "Unknown"),
        "informational" => (1, "Informational"),
        "low" => (2, "Low"),
        "medium" => (3, "Medium"),
        "high" => (4, "High"),
        "critical" => (5, "Critical"),
        "fatal" => (6, "Fatal"),
        other => (99, other),
    }
}

/// Returns the status, and whether it says all of the result.
pub(super) fn status(event: &AuditEvent) -> (u8, &str, bool) {
    let result = event.outcome.as_ref().map(|outcome| &outcome.result);
    match result {
        Some(result) if *result == OutcomeResult::SUCCESS => (1, "Success", true),
        Some(result) if *result == OutcomeResult::FAILURE => (2, "Failure", true),
        Some(result) if *result == OutcomeResult::DENIED => (2, "Failure", false),
        Some(result) if *result != OutcomeResult::UNKNOWN => (99, result.as_str(), true),
        _ => (0, "Unknown", true),
    }
}

/// Returns whether a target has what identifies it in OCSF: an id or a name.
pub(super) fn is_named(target: &Target) -> bool {
    filled(target.id.as_ref()).is_some() || filled(target.name.as_ref()).is_some()
}

/// Returns whether the JSON of a target that [`is_named`] has nothing that OCSF has no place for.
pub(super) fn is_carried(target: &Value) -> bool {
    let Some(fields) = target.as_object() else { return false };
    let is_known = |(key, value): (&String, &Value)| {
        matches!(key.as_str(), "id" | "name" | "type")
            && value.as_str().is_some_and(|text| !text.is_empty())
    };
    (fields.contains_key("id") || fields.contains_key("name")) && fields.iter().all(is_known)
}

/// Returns the id and the name of a target.
pub(super) fn named(target: &Target) -> Object {
    let mut named = Object::default();
    named.add("uid", filled(target.id.as_ref())).add("name", filled(target.name.as_ref()));
    named
}

/// Returns a target as a user.
pub(super) fn target_user(target: &Target) -> Object {
    let mut user = named(target);
    match target.kind.as_deref() {
        Some("user") => user.set("type_id", 1).set("type", "User"),
        Some(kind) if !kind.is_empty() => user.set("type_id", 99).set("type", kind),
        _ => user.set("type_id", 0).set("type", "Unknown"),
    };
    user
}

/// Returns a target as a resource.
pub(super) fn resource(target: &Target) -> Object {
    let mut resource = named(target);
    resource.add("type", filled(target.kind.as_ref()));
    resource
}

/// Returns a target as a managed entity.
pub(super) fn entity(target: &Target) -> Object {
    let mut entity = named(target);
    let kind = target.kind.as_deref().unwrap_or_default();
    let known = match kind {
        "user" => Some((2, "User", "user")),
        "group" => Some((3, "Group", "group")),
        "organization" => Some((4, "Organization", "org")),
        "policy" => Some((5, "Policy", "policy")),
        _ => None,
    };
    match known {
        Some((id, caption, key)) => {
            entity.set("type_id", id).set("type", caption).part(key, named(target))
        }
        None if kind.is_empty() => entity.set("type_id", 0).set("type", "Unknown"),
        None => entity.set("type_id", 99).set("type", kind),
    };
    entity
}

/// Returns a time as milliseconds since 1970.
pub(super) fn millis(time: audit_core::Timestamp) -> Value {
    json!(time.as_micros().div_euclid(1_000))
}
