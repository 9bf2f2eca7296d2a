//! The description of the routes is whole, and served.

use crate::common::{Service, request};
use axum::http::Method;
use serde_json::Value;

#[tokio::test]
async fn the_description_is_served_and_every_reference_in_it_resolves() {
    let service = Service::new();
    let answer = service.send(request(Method::GET, "/openapi.json", None, None)).await;
    let api = answer.expect(200);
    assert_eq!(api["openapi"], "3.1.0");
    assert_eq!(api, serde_json::to_value(audit_http::openapi()).unwrap());
    let mut references = Vec::new();
    collect(&api, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(api.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn below_another_path_everything_knows_where_it_is() {
    let mut service = Service::new();
    let (acme, [_, admin, _]) = service.tenant("Acme").await;
    service.router = axum::Router::new().nest("/audit", service.router);
    let answer = service.send(request(Method::GET, "/audit/openapi.json", None, None)).await;
    assert_eq!(answer.expect(200)["servers"][0]["url"], "/audit");
    let path = format!("/audit/v1/organizations/{}/events", acme.id);
    let event = serde_json::json!({"action": "a", "actor": {"kind": "user"}});
    let location = service.post(&admin, &path, &event).await.header("location").to_owned();
    assert!(location.starts_with(&path), "{location}");
    service.get(&admin, &location).await.expect(200);
    service.get(&admin, "/audit/none").await.expect(404);
}

#[test]
fn no_parameter_is_null() {
    let api = serde_json::to_value(audit_http::openapi()).unwrap();
    let operations = api["paths"].as_object().unwrap().values().flat_map(|item| {
        item.as_object()
            .unwrap()
            .values()
            .filter_map(|operation| operation["parameters"].as_array())
    });
    let mut count = 0;
    for parameter in operations.flatten() {
        assert!(!parameter["schema"].to_string().contains("null"), "{parameter}");
        count += 1;
    }
    assert!(count > 100);
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
async fn the_page_for_people_is_served_whole() {
    let service = Service::new();
    let page = service.send(request(Method::GET, "/docs/", None, None)).await;
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("swagger-ui"));
    assert!(!text.contains("https://"), "the page needs nothing from elsewhere");
}
