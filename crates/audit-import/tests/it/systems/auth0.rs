//! Auth0.

use serde_json::json;

use super::{check, events, parts};

#[test]
fn auth0() {
    let record = json!({
        "date": "2024-03-15T14:48:51.123Z", "type": "fp", "description": "Wrong password.",
        "connection": "db", "client_id": "c1", "client_name": "Shop", "ip": "192.0.2.7",
        "user_agent": "Chrome", "user_id": "auth0|1", "user_name": "ana@example.org", "log_id": "l1",
        "details": {"session_id": "s1", "error": {"message": "Wrong password.", "type": "invalid"}},
        "tenant_name": "acme", "isMobile": false,
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.123000Z",
        "action": "auth0.fp",
        "actor": {
            "kind": "user", "id": "auth0|1", "name": "ana@example.org", "email": "ana@example.org",
            "ip": "192.0.2.7", "userAgent": "Chrome", "sessionId": "s1",
        },
        "outcome": {"result": "failure", "code": "invalid"},
        "targets": [{"type": "client", "id": "c1", "name": "Shop"}],
        "attributes": {"connection": "db"},
        "organization": {"id": "acme"},
        "message": {"text": "Wrong password."},
        "source": {"system": "auth0", "id": "l1"},
    });
    check("auth0", &record, &expected);
    assert_eq!(events("auth0", &json!({"log_id": "l1", "data": record})), [expected]);
}

#[test]
fn auth0_management_api() {
    let record = json!({
        "date": "2024-03-15T14:48:51.123Z", "type": "sapi", "description": "Create a client",
        "client_id": "c1", "client_name": "", "user_id": "auth0|1", "log_id": "l2", "ip": "192.0.2.7",
        "details": {
            "request": {
                "method": "post", "path": "/api/v2/clients", "body": {"name": "Till"}, "ip": "192.0.2.7",
                "auth": {"user": {"user_id": "auth0|1", "name": "Ana", "email": "ana@example.org"}},
            },
            "response": {"statusCode": 201, "body": {"client_id": "c9", "name": "Till"}},
        },
    });
    let places = ["/actor", "/targets", "/change", "/outcome", "/request"];
    assert_eq!(
        parts("auth0", &record, places),
        [
            json!({
                "kind": "user", "id": "auth0|1", "name": "Ana", "email": "ana@example.org",
                "ip": "192.0.2.7",
            }),
            json!([{"type": "client", "id": "c1"}, {"type": "clients", "id": "c9", "name": "Till"}]),
            json!({"new": {"name": "Till"}}),
            json!({"result": "success", "code": "201"}),
            json!({"method": "post", "path": "/api/v2/clients"}),
        ]
    );
    let mut refused = record.clone();
    refused["type"] = json!("fapi");
    refused["details"]["request"]["method"] = json!("delete");
    refused["details"]["request"]["path"] = json!("/api/v2/users/auth0|2/roles");
    refused["details"]["response"] = json!({"statusCode": 403, "body": {}});
    assert_eq!(
        parts("auth0", &refused, ["/outcome/result", "/targets/1", "/change"]),
        [json!("denied"), json!({"type": "users", "id": "auth0|2"}), json!(null)]
    );
    refused["details"]["request"]["path"] = json!("/v2/guardian/policies");
    assert_eq!(
        parts("auth0", &refused, ["/targets/1"]),
        [json!({"type": "guardian", "id": "policies"})]
    );
    for (kind, result) in [
        ("slo", json!("success")),
        ("limit_wc", json!("denied")),
        ("signup_pwd_leak", json!("denied")),
        ("gd_auth_failed", json!("failure")),
        ("flows_execution_completed", json!("success")),
        ("sys_os_update_start", json!("unknown")),
        ("ss_sso_failure", json!("failure")),
        ("ss_sso_success", json!("success")),
        ("ss_sso_info", json!("unknown")),
        ("gd_send_sms", json!("success")),
        ("gd_send_sms_failure", json!("failure")),
        ("gd_otp_rate_limit_exceed", json!("denied")),
        ("gd_unenroll", json!("success")),
        ("kms_key_management_failure", json!("failure")),
        ("kms_key_management_success", json!("success")),
        ("rich_consents_access_error", json!("failure")),
        ("success_on_behalf_of_token_exchange", json!("success")),
        ("failed_on_behalf_of_token_exchange", json!("failure")),
        ("organization_member_added", json!("success")),
        ("api_limit_warning", json!(null)),
        ("w", json!(null)),
    ] {
        let record = json!({"type": kind, "date": "2024-03-15T14:48:51Z", "log_id": "l3"});
        assert_eq!(parts("auth0", &record, ["/outcome/result"]), [result], "{kind}");
    }
    // As Log Analytics has it, with joined names.
    let flat = json!({
        "date": "2024-03-15T14:48:51Z", "type": "sapi", "log_id": "l5", "user_id": "auth0|1",
        "details_request_method": "post", "details_request_path": "/api/v2/clients",
        "details_request_auth_user_name": "Ana", "details_request_auth_user_email": "ana@example.org",
        "details_response_statusCode": "201",
    });
    assert_eq!(
        parts("auth0", &flat, ["/actor/email", "/actor/name", "/outcome/code", "/request/method"]),
        ["ana@example.org", "Ana", "201", "post"]
    );
    // A name that nobody has signed in with it: no application is the actor.
    let unknown = json!({
        "type": "fu", "date": "2024-03-15T14:48:51Z", "log_id": "l4", "user_id": "",
        "user_name": "eve", "client_id": "c1",
    });
    assert_eq!(parts("auth0", &unknown, ["/actor"]), [json!({"kind": "user", "name": "eve"})]);
}

#[test]
fn auth0_of_whoever_acts_for_a_user() {
    // A token that is exchanged: the last in the chain acts for the user.
    let record = json!({
        "date": "2026-03-15T14:48:51.123Z", "type": "success_on_behalf_of_token_exchange",
        "description": "Successful Exchange via On-Behalf-Of Token Exchange", "connection_id": "",
        "client_id": "c1", "client_name": "Planner", "ip": "192.0.2.7", "client_ip": "10.0.0.7",
        "user_agent": "Chrome 120.0.0 / Mac OS X 10.15.7", "hostname": "acme.eu.auth0.com",
        "user_id": "auth0|1", "user_name": "ana@example.org", "audience": "https://api.example.org",
        "scope": ["read:plans"], "auth0_client": {"name": "auth0.js", "version": "9.14.0"},
        "$event_schema": {"version": "1.0.0"}, "is_mobile": false, "log_id": "l6",
        "references": {
            "correlation_id": "8f2d-17", "trace_id": "0af7651916cd43dd8448eb211c80319c",
        },
        "details": {
            "actor": {"sub": "c9@clients", "act": {"sub": "c8@clients"}},
            "access_token_jti": "j1", "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        },
        "tenant_name": "acme", "environment_name": "prod-eu-1",
    });
    let expected = json!({
        "occurredAt": "2026-03-15T14:48:51.123000Z",
        "action": "auth0.success_on_behalf_of_token_exchange",
        "actor": {
            "kind": "api", "id": "c9@clients", "ip": "192.0.2.7",
            "userAgent": "Chrome 120.0.0 / Mac OS X 10.15.7",
            "onBehalfOf": {
                "kind": "user", "id": "auth0|1", "name": "ana@example.org", "email": "ana@example.org",
            },
        },
        "outcome": {"result": "success"},
        "targets": [
            {"type": "client", "id": "c1", "name": "Planner"},
            {"type": "resource_server", "id": "https://api.example.org"},
        ],
        "organization": {"id": "acme"},
        "scope": {"environment": "prod-eu-1"},
        "message": {"text": "Successful Exchange via On-Behalf-Of Token Exchange"},
        "request": {"id": "8f2d-17"},
        "trace": {"traceId": "0af7651916cd43dd8448eb211c80319c"},
        "source": {"system": "auth0", "id": "l6"},
    });
    check("auth0", &record, &expected);
    // Amazon EventBridge and Azure Event Grid deliver it in two envelopes.
    let bridged = json!({
        "version": "0", "id": "e1", "detail-type": "Auth0 log", "source": "aws.partner/auth0.com/acme",
        "account": "111", "time": "2026-03-15T14:48:52Z", "region": "eu-west-1", "resources": [],
        "detail": {"log_id": "l6", "data": record},
    });
    assert_eq!(events("auth0", &bridged), std::slice::from_ref(&expected));
    let posted = json!([{
        "id": "e2", "topic": "/subscriptions/s", "subject": "acme", "eventType": "Auth0.Log",
        "eventTime": "2026-03-15T14:48:52Z", "data": {"log_id": "l6", "data": record},
    }]);
    assert_eq!(events("auth0", &posted), [expected]);
    // An agent acts for a user, or for itself.
    let mut agent = record;
    agent["agent_id"] = json!("agt_1");
    agent["details"].as_object_mut().unwrap().remove("actor");
    let actor = json!({
        "kind": "service", "id": "agt_1", "ip": "192.0.2.7", "userAgent": "Chrome 120.0.0 / Mac OS X 10.15.7",
    });
    let mut acting = actor.clone();
    acting["onBehalfOf"] = json!({
        "kind": "user", "id": "auth0|1", "name": "ana@example.org", "email": "ana@example.org",
    });
    assert_eq!(parts("auth0", &agent, ["/actor"]), [acting]);
    agent["user_id"] = json!("");
    agent["user_name"] = json!("");
    assert_eq!(parts("auth0", &agent, ["/actor"]), [actor]);
}
