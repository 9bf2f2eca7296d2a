//! Events of the Open Cybersecurity Schema Framework.

mod action;
mod class;
mod objects;
mod rest;

use audit_core::{AuditEvent, Log, Result, Target};
use serde_json::{Value, json};

use action::ActionWords;
use class::{OTHER, Verb};
use objects::{
    Object, endpoint, entity, filled, is_carried, is_named, millis, resource, severity, status,
    target_user, user,
};
use rest::Rest;

pub use class::OcsfClass;

/// The version of the schema, the `metadata.version` of every event. It is the first in which User
/// Management (3007) replaces Account Change (3001).
pub const OCSF_VERSION: &str = "1.9.0-dev";

/// The types of targets whose changes are Entity Management, beside `user`.
const ENTITIES: [&str; 27] = [
    "access_key",
    "api_key",
    "app",
    "application",
    "certificate",
    "client",
    "credential",
    "device",
    "group",
    "invitation",
    "key",
    "member",
    "membership",
    "organisation",
    "organization",
    "permission",
    "policy",
    "project",
    "role",
    "secret",
    "security_group",
    "service_account",
    "team",
    "tenant",
    "token",
    "webhook",
    "workspace",
];

/// The methods of HTTP that OCSF knows.
const METHODS: [&str; 9] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// Writes events in the form of [OCSF](https://schema.ocsf.io).
///
/// # Class
/// | events | class |
/// |---|---|
/// | those of a [rule](Self::classify) | that of the rule |
/// | whose action says that somebody signed in or out: `user.login`, `session.end`, `ConsoleLogin` | Authentication |
/// | whose first target is a `user`, and whose action names a user and a change: `user.created`, `iam.CreateUser` | User Management |
/// | whose first target is of access management (`group`, `team`, `role`, `policy`, `permission`, `organization`, `tenant`, `project`, `api_key`, `token`, `device`, `application` …), and whose action names a change | Entity Management |
/// | all others | API Activity |
///
/// The activity is that of the verb in the action, which is its first or its last word: `create`, `deleted`,
/// `CreateUser`. Words for the outcome do not count: `user.login.failed` is a sign-in. A verb for which the
/// class has no activity is `Other` (99), with the action as its name.
///
/// # Attributes
/// | attribute | value |
/// |---|---|
/// | `time`, `metadata.logged_time` | when it happened, and when it was recorded, in milliseconds; in `time_dt` and `metadata.logged_time_dt` to the nanosecond (profile `datetime`) |
/// | `metadata.uid`, `.sequence`, `.log_name`, `.tenant_uid` | id, sequence, log, and the organization whose log it is |
/// | `metadata.event_code`, `api.operation` | the action |
/// | `metadata.correlation_uid`, `.source`, `.original_event_uid`, `.tags` | change set, source, attributes |
/// | `actor.user`, `actor.session` | the actor; without id and name, `name` is its e-mail address or its kind |
/// | `src_endpoint` | its address; in API Activity, which requires one, `unknown` if the event has no address |
/// | `severity_id` | the severity; 0 without one |
/// | `status_id`, `status_code` | the outcome; denied is a failure, and absent 0 |
/// | `message` | the message, or its title |
/// | `http_request`, `api.request.uid`, `trace` | the request; the trace, in API Activity (profile `trace`) |
/// | `user`, `entity`, `resources` | the targets |
/// | `entity.data`, `updated_entity.data`, `comment` | of Entity Management, the old and the new value, and the reason |
/// | `unmapped` | what has no place above, as in the JSON of the event |
///
/// ```
/// use audit_core::{Actor, AuditEvent, Log, NewEvent, Sequence, Timestamp};
/// use audit_export::{Ocsf, OcsfClass};
///
/// let event = NewEvent::new("invoice.approved", Actor::user("u_7")).target("invoice", "inv_9");
/// let event = AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::MIN, event);
/// let ocsf = Ocsf::new("shop", "Example Ltd").classify("invoice.*", OcsfClass::EntityManagement);
/// let form = ocsf.event(&event)?;
/// assert_eq!((&form["class_uid"], &form["type_uid"]), (&3004.into(), &300499.into()));
/// assert_eq!(form["entity"]["uid"], "inv_9");
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ocsf {
    product: String,
    vendor: String,
    version: Option<String>,
    rules: Vec<(String, OcsfClass)>,
}

impl Default for Ocsf {
    /// The product is `audit` with this crate's version.
    fn default() -> Self {
        Self::new("audit", "audit").product_version(env!("CARGO_PKG_VERSION"))
    }
}

impl Ocsf {
    /// Creates a writer of the events of a product.
    pub fn new(product: impl Into<String>, vendor: impl Into<String>) -> Self {
        let (product, vendor) = (product.into(), vendor.into());
        Self { product, vendor, version: None, rules: Vec::new() }
    }

    /// Sets the version of the product.
    #[must_use]
    pub fn product_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets the class of events with this action, or with `prefix.*`, of every action below a prefix. Of
    /// several rules the first that matches decides.
    #[must_use]
    pub fn classify(mut self, action: impl Into<String>, class: OcsfClass) -> Self {
        self.rules.push((action.into(), class));
        self
    }

    /// Returns the class of an event.
    pub fn class(&self, event: &AuditEvent) -> OcsfClass {
        self.class_and_verb(event).0
    }

    /// Returns the event in the form of OCSF.
    ///
    /// # Errors
    /// Fails as [`json_line`](crate::json_line) does.
    pub fn event(&self, event: &AuditEvent) -> Result<Value> {
        let (class, verb) = self.class_and_verb(event);
        let mut rest = Rest::of(event)?;
        let mut form = Object::default();
        let is_traced = class == OcsfClass::ApiActivity && event.trace.is_some();
        let metadata = self.metadata(event, is_traced, &mut rest);
        classification(&mut form, class, verb, event);
        form.set("metadata", metadata.0);
        form.set("time", millis(event.occurred_at)).add("time_dt", rest.take(&["occurredAt"]));
        outcome(&mut form, event, &mut rest);
        // The title stays, so that a message is not taken for it.
        let title = filled(event.message.title.as_ref());
        let text = rest.text(&["message", "text"]);
        form.add("message", text.or_else(|| title.map(Value::from)));
        let user = user(&event.actor, &mut rest);
        let session = rest.text(&["actor", "sessionId"]);
        let source = endpoint(&mut rest);
        request(&mut form, class, event, &mut rest);
        if is_traced {
            form.set("trace", json!({"uid": rest.take(&["trace", "traceId"])}));
        }
        match class {
            OcsfClass::Authentication => {
                self.authentication(&mut form, event, &user, session.as_ref(), &mut rest);
            }
            OcsfClass::UserManagement => user_management(&mut form, event, &user, &mut rest),
            OcsfClass::EntityManagement => entity_management(&mut form, event, &mut rest),
            OcsfClass::ApiActivity => {
                resources(&mut form, event, None, &mut rest);
                if source.is_none() {
                    form.set("src_endpoint", json!({"name": "unknown"}));
                }
            }
        }
        if let Some(source) = source {
            form.part("src_endpoint", source);
        }
        let mut actor = Object::default();
        actor.part("user", user);
        actor.add("session", session.map(|id| json!({"uid": id})));
        form.part("actor", actor);
        if !rest.0.is_empty() {
            form.set("unmapped", rest.0);
        }
        Ok(form.0.into())
    }

    fn class_and_verb(&self, event: &AuditEvent) -> (OcsfClass, Option<Verb>) {
        let action = event.action.as_str();
        let ActionWords { verb, is_of_user } = ActionWords::of(action);
        let rule = self.rules.iter().find(|(pattern, _)| match pattern.strip_suffix('*') {
            Some(prefix) => action.starts_with(prefix),
            None => action == pattern,
        });
        if let Some((_, class)) = rule {
            return (*class, verb);
        }
        let first = event.targets.first().filter(|target| is_named(target));
        let kind = first.and_then(|target| target.kind.as_deref()).unwrap_or_default();
        let is_change = |class: OcsfClass| verb.is_some_and(|verb| class.activity(verb).is_some());
        let class = match verb {
            Some(Verb::LogOn | Verb::LogOff) => OcsfClass::Authentication,
            _ if kind == "user" && is_of_user && is_change(OcsfClass::UserManagement) => {
                OcsfClass::UserManagement
            }
            _ if ENTITIES.contains(&kind) && is_change(OcsfClass::EntityManagement) => {
                OcsfClass::EntityManagement
            }
            _ => OcsfClass::ApiActivity,
        };
        (class, verb)
    }

    fn metadata(&self, event: &AuditEvent, is_traced: bool, rest: &mut Rest) -> Object {
        let mut product = Object::default();
        product.set("name", &*self.product).set("vendor_name", &*self.vendor);
        product.add("version", self.version.as_deref());
        let mut metadata = Object::default();
        metadata.set("version", OCSF_VERSION).part("product", product);
        let profiles = if is_traced { json!(["datetime", "trace"]) } else { json!(["datetime"]) };
        metadata.set("profiles", profiles);
        metadata.add("uid", rest.take(&["id"])).add("sequence", rest.take(&["sequence"]));
        metadata.add("log_name", rest.take(&["log"]));
        if let Log::Organization(id) = event.log {
            metadata.set("tenant_uid", id.to_string());
        }
        metadata.set("logged_time", millis(event.recorded_at));
        metadata.add("logged_time_dt", rest.take(&["recordedAt"]));
        metadata.add("event_code", rest.take(&["action"]));
        metadata.add("correlation_uid", rest.take(&["changeSetId"]));
        metadata.add("source", rest.text(&["source", "system"]));
        metadata.add("original_event_uid", rest.text(&["source", "id"]));
        if let Some(Value::Object(attributes)) = rest.take(&["attributes"]) {
            let tags =
                attributes.into_iter().map(|(name, value)| json!({"name": name, "value": value}));
            metadata.set("tags", tags.collect::<Vec<_>>());
        }
        metadata
    }

    fn authentication(
        &self,
        form: &mut Object,
        event: &AuditEvent,
        actor: &Object,
        session: Option<&Value>,
        rest: &mut Rest,
    ) {
        let is_user = |target: &Target| target.kind.as_deref() == Some("user") && is_named(target);
        match take_target(event, is_user, rest) {
            Some(target) => form.part("user", target_user(target)),
            None => form.set("user", actor.0.clone()),
        };
        let service = rest.text(&["scope", "service"]);
        let service = service.unwrap_or_else(|| Value::from(&*self.product));
        form.set("service", json!({"name": service}));
        form.add("session", session.map(|id| json!({"uid": id})));
    }
}

fn classification(form: &mut Object, class: OcsfClass, verb: Option<Verb>, event: &AuditEvent) {
    let activity = verb.and_then(|verb| class.activity(verb));
    let (id, name) = activity.unwrap_or((OTHER, event.action.as_str()));
    let (category, category_name) = class.category();
    let caption = activity.map_or("Other", |(_, caption)| caption);
    form.set("activity_id", id).set("activity_name", name);
    form.set("category_uid", category).set("category_name", category_name);
    form.set("class_uid", class.uid()).set("class_name", class.caption());
    form.set("type_uid", class.uid() * 100 + u32::from(id));
    form.set("type_name", format!("{}: {caption}", class.caption()));
}

fn outcome(form: &mut Object, event: &AuditEvent, rest: &mut Rest) {
    let (id, caption) = severity(event);
    form.set("severity_id", id).set("severity", caption);
    rest.take(&["severity"]);
    let (id, caption, is_all) = status(event);
    form.set("status_id", id).set("status", caption);
    if is_all {
        rest.take(&["outcome", "result"]);
    }
    form.add("status_code", rest.text(&["outcome", "code"]));
}

/// Adds the request: the call of an API, and that of HTTP.
fn request(form: &mut Object, class: OcsfClass, event: &AuditEvent, rest: &mut Rest) {
    let id = rest.text(&["request", "id"]);
    if class == OcsfClass::ApiActivity {
        let mut api = Object::default();
        api.set("operation", event.action.as_str());
        api.add("request", id.as_ref().map(|id| json!({"uid": id})));
        api.add("service", rest.text(&["scope", "service"]).map(|name| json!({"name": name})));
        form.part("api", api);
    }
    let mut http = Object::default();
    http.add("uid", id);
    if event.request.method.as_deref().is_some_and(|method| METHODS.contains(&method)) {
        http.add("http_method", rest.take(&["request", "method"]));
    }
    http.add("url", rest.text(&["request", "path"]).map(|path| json!({"path": path})));
    http.add("user_agent", rest.text(&["actor", "userAgent"]));
    form.part("http_request", http);
}

/// Adds the user that was changed: the first target.
fn user_management(form: &mut Object, event: &AuditEvent, actor: &Object, rest: &mut Rest) {
    let changed = take_target(event, is_named, rest);
    match changed {
        Some(target) => form.part("user", target_user(target)),
        None => form.set("user", actor.0.clone()),
    };
    resources(form, event, changed, rest);
}

/// Adds the entity that was changed: the first target; without one, it has the name of the action.
fn entity_management(form: &mut Object, event: &AuditEvent, rest: &mut Rest) {
    let target = take_target(event, is_named, rest);
    let mut entity = target.map_or_else(|| unknown_entity(event), entity);
    if let Some(new) = rest.take(&["change", "new"]) {
        let mut updated = Object(entity.0.clone());
        updated.set("data", new);
        form.part("updated_entity", updated);
    }
    entity.add("data", rest.take(&["change", "old"]));
    form.part("entity", entity);
    form.add("comment", rest.text(&["reason"]));
}

fn unknown_entity(event: &AuditEvent) -> Object {
    let mut entity = Object::default();
    entity.set("name", event.action.as_str()).set("type_id", 0).set("type", "Unknown");
    entity
}

/// Adds the targets but `except`.
fn resources(form: &mut Object, event: &AuditEvent, except: Option<&Target>, rest: &mut Rest) {
    let others = event.targets.iter().filter(|target| {
        is_named(target) && !except.is_some_and(|except| std::ptr::eq(*target, except))
    });
    let resources: Vec<_> = others.map(|target| Value::from(resource(target).0)).collect();
    if !resources.is_empty() {
        form.set("resources", resources);
        rest.retain_targets(|fields| !is_carried(fields));
    }
}

/// Returns the first target that `is_wanted`, and takes it out of the rest.
fn take_target<'e>(
    event: &'e AuditEvent,
    is_wanted: impl Fn(&Target) -> bool,
    rest: &mut Rest,
) -> Option<&'e Target> {
    let index = event.targets.iter().position(is_wanted)?;
    let mut number = 0;
    rest.retain_targets(|fields| {
        number += 1;
        number - 1 != index || !is_carried(fields)
    });
    event.targets.get(index)
}
