//! The description of the routes is complete, and served.

use crate::common::{Service, description, request, resolve};
use std::collections::BTreeSet;

use audit_http::{Contract, HttpOptions};
use axum::http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn the_description_is_served_and_every_reference_in_it_resolves() {
    let service = Service::new();
    let answer = service.send(request(Method::GET, "/openapi.json", None, None)).await;
    let api = answer.expect(200);
    assert_eq!(api["openapi"], "3.1.0");
    assert_eq!(api, description());
    let mut references = Vec::new();
    collect(&api, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(api.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

/// Rules of linters and needs of generators, of which `compat/clients/check` runs real ones.
#[test]
fn linters_and_generators_accept_the_description() {
    let every = description();
    let native = serde_json::to_value(audit_http::openapi(&HttpOptions::default())).unwrap();
    for api in [&every, &native] {
        assert_eq!(api["servers"][0]["url"], "/");
        assert!(api["info"]["contact"]["url"].is_string());
        let tags = api["tags"].as_array().unwrap();
        assert!(tags.iter().all(|tag| !tag["description"].as_str().unwrap().is_empty()));
        let tags: BTreeSet<_> = tags.iter().map(|tag| tag["name"].as_str().unwrap()).collect();
        let mut used_tags = BTreeSet::new();
        for operation in operations(api) {
            let id = &operation["operationId"];
            assert!(!operation["description"].as_str().unwrap_or_default().is_empty(), "{id}");
            let summary = operation["summary"].as_str().unwrap();
            assert!(!summary.contains('\n') && summary.ends_with('.'), "{id}: {summary}");
            used_tags
                .extend(operation["tags"].as_array().unwrap().iter().filter_map(Value::as_str));
        }
        assert_eq!(used_tags, tags);
        for (name, schema) in api["components"]["schemas"].as_object().unwrap() {
            // The class and the variable of a property would have one name.
            let own = |property: &str| property.eq_ignore_ascii_case(name);
            let properties = schema["properties"].as_object();
            assert!(!properties.is_some_and(|all| all.keys().any(|key| own(key))), "{name}");
        }
        // Generators drop every operation that uses a value which refers to itself.
        let mut references = Vec::new();
        collect(&api["components"]["schemas"]["JsonValue"], &mut references);
        assert_eq!(references, [""; 0]);
        assert!(references_of(api, "EventPage").contains("JsonValue"));
    }
}

/// Returns the names of the schemas that a schema uses, directly or in turn.
fn references_of(api: &Value, name: &str) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(name) = open.pop() {
        let mut references = Vec::new();
        collect(&api["components"]["schemas"][&name], &mut references);
        let names = references.iter().filter_map(|path| path.rsplit('/').next());
        open.extend(names.filter(|name| found.insert((*name).to_owned())).map(str::to_owned));
    }
    found
}

#[test]
fn an_event_in_a_log_has_an_id_and_one_to_append_may() {
    let schemas = &description()["components"]["schemas"];
    let required = |name: &str| {
        let required = schemas[name]["required"].as_array().unwrap();
        required.iter().any(|field| field == "id")
    };
    assert!(required("AuditEvent"));
    assert!(!required("NewEvent"));
}

#[test]
fn descriptions_can_be_read_without_rust() {
    fn check(value: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(text)) = object.get("description") {
                    for rust in ["](", "[`", "```", "MAX_", "::"] {
                        assert!(!text.contains(rust), "{text}");
                    }
                }
                object.values().for_each(check);
            }
            Value::Array(values) => values.iter().for_each(check),
            _ => {}
        }
    }
    check(&description());
    let name = &description()["components"]["schemas"]["Actor"]["properties"]["name"];
    assert!(name["description"].as_str().unwrap().contains("65,536 bytes"), "{name}");
}

#[tokio::test]
async fn a_nested_router_has_correct_paths_and_links() {
    let mut service = Service::new();
    let (acme, [_, admin, _]) = service.tenant("Acme").await;
    service.router = axum::Router::new().nest("/audit", service.router);
    let answer = service.send(request(Method::GET, "/audit/openapi.json", None, None)).await;
    assert_eq!(answer.expect(200)["servers"][0]["url"], "/audit");
    let path = format!("/audit/v1/organizations/{}/events", acme.id);
    let event = serde_json::json!({"action": "a", "actor": {"kind": "user"}});
    let location = service.post(&admin, &path, &event).await.header("location").to_owned();
    service.get(&admin, &resolve(&path, &location)).await.expect(200);
    service.get(&admin, "/audit/none").await.expect(404);
}

/// Returns every operation of a description.
fn operations(api: &Value) -> impl Iterator<Item = &Value> {
    let items = api["paths"].as_object().unwrap().values();
    items.flat_map(|item| item.as_object().unwrap().values())
}

#[test]
fn no_parameter_is_null() {
    let api = description();
    let parameters = operations(&api).filter_map(|operation| operation["parameters"].as_array());
    let mut count = 0;
    for parameter in parameters.flatten() {
        assert!(!parameter["schema"].to_string().contains("null"), "{parameter}");
        count += 1;
    }
    assert!(count > 100);
}

#[test]
fn operation_ids_are_unique_and_log_routes_are_described_for_both_logs() {
    let api = description();
    let mut ids = BTreeSet::new();
    let mut native = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            let Some(rest) = path.strip_prefix("/v1/platform/") else { continue };
            assert_eq!(operation["tags"], json!(["platform"]), "{path}");
            let text = operation["description"].to_string() + &operation["summary"].to_string();
            assert!(text.contains("Requires the role `super-admin`."), "{path}: {text}");
            if rest.starts_with("organizations") {
                continue;
            }
            let other =
                &api["paths"][format!("/v1/organizations/{{organizationId}}/{rest}")][method];
            assert_eq!(operation["responses"], other["responses"], "{path}");
            assert_eq!(operation["requestBody"], other["requestBody"], "{path}");
            assert_eq!(other["operationId"], id.replacen("_platform", "", 1));
            let parameters = other["parameters"].as_array().unwrap();
            assert_eq!(parameters[0]["name"], "organizationId");
            let own = operation["parameters"].as_array().cloned().unwrap_or_default();
            assert_eq!(parameters[1..], own, "{path}");
            native += 1;
        }
    }
    assert_eq!(native, 11);
}

#[test]
fn only_mounted_routes_are_described() {
    let all = description();
    let native = serde_json::to_value(audit_http::openapi(&HttpOptions::default())).unwrap();
    let paths = |api: &Value| -> Vec<String> {
        api["paths"].as_object().unwrap().keys().cloned().collect()
    };
    for path in paths(&native) {
        let is_log = path.starts_with("/v1/organizations/{organizationId}/")
            || path.starts_with("/v1/platform/");
        assert!(is_log || ["/healthz", "/readyz", "/metrics"].contains(&&*path), "{path}");
    }
    let mut references = Vec::new();
    collect(&native, &mut references);
    let used: BTreeSet<_> = references.into_iter().collect();
    for schema in native["components"]["schemas"].as_object().unwrap().keys() {
        assert!(!schema.contains('.'), "{schema} is of a contract");
        assert!(used.contains(&format!("#/components/schemas/{schema}")), "{schema} is not used");
    }
    let mut count = paths(&native).len();
    for contract in Contract::ALL {
        let options = HttpOptions::default().with_contracts([contract]);
        let api = serde_json::to_value(audit_http::openapi(&options)).unwrap();
        assert!(paths(&api).iter().all(|path| paths(&all).contains(path)));
        assert!(paths(&api).len() > paths(&native).len(), "{contract}");
        count += paths(&api).len() - paths(&native).len();
    }
    // The rest is for organizations in a store: `/v1/organizations` and one of them, D's list and
    // the current one, the platform's list and one of them.
    assert_eq!(paths(&all).len(), count + 6);
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                references.push(reference.clone());
            }
            object.values().for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_documentation_page_is_self_contained() {
    let service = Service::new();
    let page = service.send(request(Method::GET, "/docs/", None, None)).await;
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("swagger-ui"));
    assert!(!text.contains("https://"), "the page loads something from elsewhere");
}
