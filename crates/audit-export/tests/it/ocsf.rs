//! OCSF: the attributes that its schema requires, and a golden event of each class.

use audit_core::{
    Actor, ActorKind, AuditEvent, Log, Message, NewEvent, OrganizationId, OrganizationRef, Outcome,
    Sequence, Severity, Timestamp,
};
use audit_export::{OCSF_VERSION, Ocsf, OcsfClass};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::lossless::{event, is_carried};

/// The attributes of the objects that are written, with `!` those that are required. Of the last list, an
/// object has one at least.
const OBJECTS: [(&str, &str, &str); 20] = [
    (
        "base",
        "activity_id!:int activity_name:string category_uid!:int category_name:string class_uid!:int \
         class_name:string type_uid!:int type_name:string metadata!:metadata time!:int time_dt:string \
         severity_id!:int severity:string status_id:int status:string status_code:string \
         message:string unmapped:json http_request:http_request actor:actor \
         src_endpoint:network_endpoint",
        "",
    ),
    (
        "6003",
        "actor!:actor src_endpoint!:network_endpoint api!:api resources:[resource_details trace:trace",
        "",
    ),
    ("3007", "user!:user resources:[resource_details", ""),
    ("3004", "entity!:managed_entity updated_entity:managed_entity comment:string", ""),
    ("3002", "user!:user service:service session:session", "service dst_endpoint"),
    (
        "metadata",
        "version!:string product!:product profiles:[string uid:string sequence:int log_name:string \
         tenant_uid:string logged_time:int logged_time_dt:string event_code:string \
         correlation_uid:string source:string original_event_uid:string tags:[key_value_object",
        "",
    ),
    ("product", "name:string vendor_name:string version:string", "name uid"),
    ("key_value_object", "name!:string value:string", ""),
    ("actor", "user:user session:session", "process user invoked_by session app_name app_uid"),
    (
        "user",
        "uid:string name:string type_id:int type:string email_addr:email org:organization",
        "account name uid",
    ),
    ("organization", "uid:string name:string", "name uid"),
    ("session", "uid:string", ""),
    (
        "network_endpoint",
        "ip:ip port:int name:string",
        "ip uid name hostname svc_name instance_uid interface_uid interface_name domain",
    ),
    ("api", "operation!:string request:request service:service", ""),
    ("request", "uid!:string", ""),
    ("service", "name:string", "name uid"),
    ("http_request", "uid:string http_method:string url:url user_agent:string", ""),
    ("url", "path:string", "url_string path"),
    ("resource_details", "uid:string name:string type:string", "name uid"),
    (
        "managed_entity",
        "uid:string name:string type_id:int type:string data:json user:user group:named org:named \
         policy:named",
        "name uid device group org policy user",
    ),
];

/// The objects of which only the id and the name are written, and the trace.
const NAMED: [(&str, &str, &str); 2] =
    [("named", "uid:string name:string", "name uid"), ("trace", "uid!:string", "")];

/// The activities of each class; of all of them, 99 is another one.
const ACTIVITIES: [(u64, &str, &[&str]); 4] = [
    (6003, "API Activity", &["Create", "Read", "Update", "Delete"]),
    (
        3004,
        "Entity Management",
        &[
            "Create",
            "Read",
            "Update",
            "Delete",
            "Move",
            "Enroll",
            "Unenroll",
            "Enable",
            "Disable",
            "Activate",
            "Deactivate",
            "Suspend",
            "Resume",
        ],
    ),
    (
        3007,
        "User Management",
        &[
            "Create",
            "Update",
            "Delete",
            "Enable",
            "Disable",
            "Lock",
            "Unlock",
            "Password Change",
            "Password Reset",
            "Attach Policies",
            "Detach Policies",
            "Enable MFA Factors",
            "Disable MFA Factors",
            "Assign Privileges",
            "Remove Privileges",
            "Assign Roles",
            "Remove Roles",
            "Add Programmatic Credentials",
            "Remove Programmatic Credentials",
        ],
    ),
    (
        3002,
        "Authentication",
        &[
            "Logon",
            "Logoff",
            "Authentication Ticket",
            "Service Ticket Request",
            "Service Ticket Renew",
            "Preauth",
            "Account Switch",
        ],
    ),
];

const SEVERITIES: [&str; 7] =
    ["Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal"];
const STATUSES: [&str; 3] = ["Unknown", "Success", "Failure"];

fn schema(name: &str) -> (&'static str, &'static str) {
    let all = OBJECTS.iter().chain(&NAMED);
    let found = all.into_iter().find(|(of, ..)| *of == name);
    let (_, attributes, one) = found.unwrap();
    (attributes, one)
}

/// Checks an object against the attributes of `names` together.
fn check_object(names: &[&str], value: &Value) {
    let fields = value.as_object().unwrap();
    let attributes: Vec<(&str, &str, bool)> = names
        .iter()
        .rev()
        .flat_map(|name| schema(name).0.split_whitespace())
        .map(|attribute| {
            let (name, kind) = attribute.split_once(':').unwrap();
            (name.trim_end_matches('!'), kind, name.ends_with('!'))
        })
        .collect();
    for (name, _, is_required) in &attributes {
        assert!(!is_required || fields.contains_key(*name), "{names:?} has no {name}: {value}");
    }
    for name in names {
        let one = schema(name).1;
        let has_one = one.split_whitespace().any(|name| fields.contains_key(name));
        assert!(one.is_empty() || has_one, "{name} has none of {one}: {value}");
    }
    for (key, value) in fields {
        let found = attributes.iter().find(|(name, ..)| name == key);
        assert!(found.is_some(), "{names:?} has no attribute {key}");
        check_value(found.unwrap().1, value, key);
    }
}

fn check_value(kind: &str, value: &Value, key: &str) {
    match kind {
        "json" => {}
        "int" => assert!(value.is_i64() || value.is_u64(), "{key}: {value}"),
        "string" => assert!(value.is_string(), "{key}: {value}"),
        "ip" => assert!(value.as_str().unwrap().parse::<std::net::IpAddr>().is_ok(), "{value}"),
        "email" => {
            let (local, domain) = value.as_str().unwrap().rsplit_once('@').unwrap();
            assert!(!local.is_empty() && domain.contains('.'), "{value}");
        }
        kind => match kind.strip_prefix('[') {
            Some("string") => value.as_array().unwrap().iter().for_each(|v| assert!(v.is_string())),
            Some(kind) => value.as_array().unwrap().iter().for_each(|v| check_object(&[kind], v)),
            None => check_object(&[kind], value),
        },
    }
}

/// Checks a number of an enumeration and the caption beside it.
fn check_enumeration(number: &Value, caption: &Value, captions: &[&str], first: usize) {
    let number = usize::try_from(number.as_u64().unwrap()).unwrap();
    let caption = caption.as_str().unwrap();
    match number {
        99 => assert!(!caption.is_empty()),
        number => assert_eq!(captions[number - first], caption),
    }
}

/// Checks an event against the table.
fn check(form: &Value) {
    let class = form["class_uid"].as_u64().unwrap();
    check_object(&[&class.to_string(), "base"], form);
    let (_, caption, activities) = ACTIVITIES.iter().find(|(uid, ..)| *uid == class).unwrap();
    assert_eq!(form["class_name"], *caption);
    assert_eq!(form["category_uid"], class / 1_000);
    let activity = form["activity_id"].as_u64().unwrap();
    assert_eq!(form["type_uid"], class * 100 + activity);
    check_enumeration(&form["activity_id"], &form["activity_name"], activities, 1);
    let name = if activity == 99 { "Other" } else { form["activity_name"].as_str().unwrap() };
    assert_eq!(form["type_name"], format!("{caption}: {name}"));
    check_enumeration(&form["severity_id"], &form["severity"], &SEVERITIES, 0);
    check_enumeration(&form["status_id"], &form["status"], &STATUSES, 0);
    assert_eq!(form["metadata"]["version"], OCSF_VERSION);
}

fn recorded(event: NewEvent) -> AuditEvent {
    let recorded: Timestamp = "2024-03-15T14:48:52Z".parse().unwrap();
    let event = event
        .id("3fa85f64-5717-4562-b3fc-2c963f66afa6".parse::<audit_core::EventId>().unwrap())
        .occurred_at("2024-03-15T14:48:51.123456789Z".parse().unwrap());
    AuditEvent::new(Log::Platform, Sequence::new(42).unwrap(), recorded, event)
}

#[test]
fn a_golden_event_of_api_activity() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let actor = Actor::new(ActorKind::API).id("key_1").ip("192.0.2.7:443").session_id("s1");
    let event = NewEvent::new("invoice.created", actor)
        .target("invoice", "inv_9")
        .outcome(Outcome::denied().code("no_role"))
        .severity(Severity::HIGH)
        .attribute("plan", "pro")
        .request("POST", "/invoices")
        .request_id("r1")
        .trace(audit_core::Trace::from_traceparent(trace).unwrap())
        .message(Message::text("No.").title("Invoice"));
    let form = Ocsf::new("shop", "Example").event(&recorded(event)).unwrap();
    check(&form);
    assert_eq!(
        form,
        json!({
            "activity_id": 1, "activity_name": "Create",
            "category_uid": 6, "category_name": "Application Activity",
            "class_uid": 6003, "class_name": "API Activity",
            "type_uid": 600_301, "type_name": "API Activity: Create",
            "time": 1_710_514_131_123_i64, "time_dt": "2024-03-15T14:48:51.123456789Z",
            "severity_id": 4, "severity": "High",
            "status_id": 2, "status": "Failure", "status_code": "no_role",
            "message": "No.",
            "metadata": {
                "version": "1.9.0-dev", "profiles": ["datetime", "trace"],
                "product": {"name": "shop", "vendor_name": "Example"},
                "uid": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "sequence": 42,
                "log_name": "platform", "event_code": "invoice.created",
                "logged_time": 1_710_514_132_000_i64, "logged_time_dt": "2024-03-15T14:48:52.000000Z",
                "tags": [{"name": "plan", "value": "pro"}],
            },
            "actor": {
                "user": {"uid": "key_1", "type_id": 99, "type": "api"}, "session": {"uid": "s1"},
            },
            "src_endpoint": {"ip": "192.0.2.7", "port": 443},
            "api": {"operation": "invoice.created", "request": {"uid": "r1"}},
            "http_request": {"uid": "r1", "http_method": "POST", "url": {"path": "/invoices"}},
            "resources": [{"type": "invoice", "uid": "inv_9"}],
            "trace": {"uid": "4bf92f3577b34da6a3ce929d0e0e4736"},
            "unmapped": {
                "outcome": {"result": "denied"}, "message": {"title": "Invoice"},
                "trace": {"spanId": "00f067aa0ba902b7"},
            },
        })
    );
}

#[test]
fn a_golden_event_of_each_class_of_access_management() {
    let ocsf = Ocsf::default();
    let actor = Actor::user("u_1").email("ana@example.org");
    let form = |event| {
        let form = ocsf.event(&recorded(event)).unwrap();
        check(&form);
        form
    };

    let form_of_user = form(
        NewEvent::new("user.role.assigned", actor.clone())
            .target("user", "u_2")
            .target("role", "admin"),
    );
    assert_eq!(form_of_user["type_uid"], 300_716);
    assert_eq!(form_of_user["user"], json!({"uid": "u_2", "type_id": 1, "type": "User"}));
    assert_eq!(form_of_user["resources"], json!([{"uid": "admin", "type": "role"}]));

    let mut event =
        NewEvent::new("group.updated", actor.clone()).target("group", "g_1").reason("asked");
    event.change.old = Some(json!({"name": "a"}));
    event.change.new = Some(json!({"name": "b"}));
    let form_of_entity = form(event);
    assert_eq!(form_of_entity["type_uid"], 300_403);
    assert_eq!(
        form_of_entity["entity"],
        json!({
            "uid": "g_1", "type_id": 3, "type": "Group", "group": {"uid": "g_1"},
            "data": {"name": "a"},
        })
    );
    assert_eq!(form_of_entity["updated_entity"]["data"], json!({"name": "b"}));
    assert_eq!(form_of_entity["comment"], "asked");

    let form_of_login =
        form(NewEvent::new("user.login.failed", actor.session_id("s")).outcome(Outcome::failure()));
    assert_eq!(form_of_login["type_uid"], 300_201);
    assert_eq!(form_of_login["user"]["uid"], "u_1");
    assert_eq!(form_of_login["service"], json!({"name": "audit"}));
    assert_eq!(form_of_login["session"], json!({"uid": "s"}));
    assert_eq!(form_of_login.get("unmapped"), None);
}

#[test]
fn the_class_follows_the_action_the_target_and_the_rules() {
    let ocsf = Ocsf::default()
        .classify("invoice.*", OcsfClass::EntityManagement)
        .classify("door.opened", OcsfClass::Authentication);
    let class = |action: &str, kind: &str| {
        let event = NewEvent::new(action, Actor::system()).target(kind, "1");
        let form = ocsf.event(&recorded(event)).unwrap();
        check(&form);
        form["type_uid"].as_u64().unwrap()
    };
    for (action, kind, expected) in [
        ("invoice.paid", "invoice", 300_499),
        ("invoices.created", "invoice", 600_301),
        ("door.opened", "door", 300_299),
        ("user.login", "user", 300_201),
        ("session.end", "session", 300_202),
        ("user.created", "user", 300_701),
        ("user.viewed", "user", 600_302),
        ("api_key.revoked", "api_key", 300_404),
        ("team.member_added", "team", 300_403),
        ("api_key.used", "api_key", 600_399),
        ("document.deleted", "document", 600_304),
        ("document.shared", "document", 600_399),
    ] {
        assert_eq!(class(action, kind), expected, "{action}");
    }
    // An event that is of a class by a rule has what that requires, whatever it lacks.
    let event = recorded(NewEvent::new("invoice.sent", Actor::system()));
    check(&ocsf.event(&event).unwrap());
}

#[test]
fn an_event_of_an_organization_names_its_tenant() {
    let id = OrganizationId::new();
    let event = NewEvent::new("a", Actor::system());
    let event = AuditEvent::new(id.into(), Sequence::new(1).unwrap(), Timestamp::MAX, event);
    let form = Ocsf::default().event(&event).unwrap();
    check(&form);
    assert_eq!(form["metadata"]["tenant_uid"], id.to_string());
}

/// Returns the event's JSON as far as it can be read back, and what was made up.
fn read_back(form: &Value) -> Value {
    let mut event = form.get("unmapped").cloned().unwrap_or_else(|| json!({}));
    let mut set = |path: &[&str], value: Option<&Value>| {
        let Some(value) = value else { return };
        let mut place = &mut event;
        for key in path {
            let fields = place.as_object_mut().unwrap();
            place = fields.entry(*key).or_insert_with(|| Value::Object(Map::new()));
        }
        if place.as_object().is_some_and(Map::is_empty) {
            *place = value.clone();
        }
    };
    let at = |pointer: &str| form.pointer(pointer);
    let caption = |id: &str, caption: &str| {
        let number = form.pointer(id)?.as_u64()?;
        let caption = form.pointer(caption)?.as_str()?;
        Some(Value::from(if number == 99 { caption.to_owned() } else { caption.to_lowercase() }))
    };
    set(&["log"], at("/metadata/log_name"));
    set(&["id"], at("/metadata/uid"));
    set(&["sequence"], at("/metadata/sequence"));
    set(&["occurredAt"], at("/time_dt"));
    set(&["recordedAt"], at("/metadata/logged_time_dt"));
    set(&["action"], at("/metadata/event_code"));
    set(&["changeSetId"], at("/metadata/correlation_uid"));
    set(&["source", "system"], at("/metadata/source"));
    set(&["source", "id"], at("/metadata/original_event_uid"));
    for tag in at("/metadata/tags").into_iter().flat_map(|tags| tags.as_array().unwrap()) {
        set(&["attributes", tag["name"].as_str().unwrap()], tag.get("value"));
    }
    set(&["severity"], caption("/severity_id", "/severity").as_ref());
    set(&["outcome", "result"], caption("/status_id", "/status").as_ref());
    set(&["outcome", "code"], at("/status_code"));
    set(&["message", "text"], at("/message"));
    set(&["actor", "kind"], caption("/actor/user/type_id", "/actor/user/type").as_ref());
    set(&["actor", "id"], at("/actor/user/uid"));
    set(&["actor", "name"], at("/actor/user/name"));
    set(&["actor", "email"], at("/actor/user/email_addr"));
    set(&["actor", "organization", "id"], at("/actor/user/org/uid"));
    set(&["actor", "organization", "name"], at("/actor/user/org/name"));
    set(&["actor", "sessionId"], at("/actor/session/uid"));
    let address = match (at("/src_endpoint/ip"), at("/src_endpoint/port")) {
        (Some(ip), Some(port)) => {
            let ip: std::net::IpAddr = ip.as_str().unwrap().parse().unwrap();
            let port = u16::try_from(port.as_u64().unwrap()).unwrap();
            Some(Value::from(std::net::SocketAddr::from((ip, port)).to_string()))
        }
        (Some(ip), None) => Some(ip.clone()),
        _ => at("/src_endpoint/name").cloned(),
    };
    set(&["actor", "ip"], address.as_ref());
    set(&["actor", "userAgent"], at("/http_request/user_agent"));
    set(&["request", "id"], at("/http_request/uid"));
    set(&["request", "method"], at("/http_request/http_method"));
    set(&["request", "path"], at("/http_request/url/path"));
    set(&["trace", "traceId"], at("/trace/uid"));
    set(&["change", "old"], at("/entity/data"));
    set(&["change", "new"], at("/updated_entity/data"));
    set(&["reason"], at("/comment"));
    set(&["scope", "service"], at("/api/service/name").or_else(|| at("/service/name")));
    event
}

/// Returns the texts of the targets in a form, those of the actor aside.
fn target_texts(form: &Value) -> String {
    let parts = ["/user", "/entity", "/resources", "/unmapped/targets"];
    parts.iter().filter_map(|part| form.pointer(part)).map(Value::to_string).collect()
}

proptest! {
    #[test]
    fn every_event_is_as_the_schema_says_and_nothing_is_lost(event in event()) {
        let form = Ocsf::default().event(&event).unwrap();
        check(&form);
        let mut json = serde_json::to_value(&event).unwrap();
        let targets = json.as_object_mut().unwrap().remove("targets");
        prop_assert_eq!(is_carried(&json, &read_back(&form)), Ok(()));
        let texts = target_texts(&form);
        for target in targets.iter().flat_map(|targets| targets.as_array().unwrap()) {
            for (key, text) in target.as_object().unwrap() {
                // The types of users and groups are captions.
                let found = texts.to_lowercase().contains(&text.to_string().to_lowercase());
                prop_assert!(found, "{key} {text} of {form}");
            }
        }
    }
}

#[test]
fn what_ocsf_does_not_accept_stays_in_unmapped() {
    let actor =
        Actor::user("").name("").email("ana at home").organization(OrganizationRef::new("o"));
    let mut event = NewEvent::new("a", actor).request("BREW", "");
    event.severity = Some("loud".into());
    let form = Ocsf::default().event(&recorded(event)).unwrap();
    check(&form);
    let user = &form["actor"]["user"];
    assert_eq!(user["name"], "ana at home");
    assert_eq!((&form["severity_id"], &form["severity"]), (&json!(99), &json!("loud")));
    assert_eq!(
        form["unmapped"],
        json!({
            "actor": {"id": "", "name": "", "email": "ana at home"},
            "request": {"method": "BREW", "path": ""},
        })
    );
}
