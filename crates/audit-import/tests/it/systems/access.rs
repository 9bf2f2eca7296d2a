//! Kubernetes, and what gives access to hosts and secrets.

use serde_json::{Value, json};

use super::{check, events, parts};

#[test]
fn kubernetes() {
    let record = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": "5f0c", "stage": "ResponseComplete", "verb": "create",
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh",
        "user": {"username": "ana", "uid": "u1", "groups": ["system:authenticated"]},
        "impersonatedUser": {"username": "system:serviceaccount:shop:deployer"},
        "sourceIPs": ["192.0.2.7", "10.0.0.1"], "userAgent": "kubectl/v1.30",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "subresource": "exec", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 403, "reason": "Forbidden", "message": "no"},
        "requestReceivedTimestamp": "2024-03-15T14:48:51.123456Z",
        "stageTimestamp": "2024-03-15T14:48:51.200000Z",
        "annotations": {"authorization.k8s.io/decision": "forbid"},
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.123456Z",
        "action": "pods.exec.create",
        "category": "ResponseComplete",
        "actor": {
            "kind": "user", "id": "u1", "name": "ana", "ip": "192.0.2.7",
            "userAgent": "kubectl/v1.30",
            "onBehalfOf": {
                "kind": "service", "id": "system:serviceaccount:shop:deployer",
                "name": "system:serviceaccount:shop:deployer",
            },
        },
        "outcome": {"result": "denied", "code": "403"},
        "targets": [
            {"type": "pods", "id": "shop/web", "name": "web"}, {"type": "namespace", "id": "shop"},
        ],
        "message": {"text": "no"},
        "reason": "Forbidden",
        "request": {
            "method": "create", "path": "/api/v1/namespaces/shop/pods/web/exec?command=sh",
        },
        "source": {"system": "kubernetes", "id": "5f0c/ResponseComplete"},
    });
    check("kubernetes", &record, &expected);
    let list = json!({"kind": "EventList", "items": [record]});
    assert_eq!(events("kubernetes", &list), [expected]);
}

#[test]
fn kubernetes_by_verb_and_delivery() {
    let record = |verb: &str, code: u16| {
        json!({
            "auditID": "5f0d", "stage": "ResponseComplete", "verb": verb,
            "requestURI": "/api/v1/namespaces/shop/secrets",
            "user": {"username": "system:serviceaccount:shop:web", "extra": {
                "authentication.kubernetes.io/credential-id": ["JTI=9"],
            }},
            "objectRef": {"resource": "secrets", "namespace": "shop", "apiVersion": "v1"},
            "responseStatus": {"code": code},
            "requestObject": {"kind": "Secret", "metadata": {"generateName": "key-"}},
            "responseObject": {"kind": "Secret", "metadata": {"name": "key-x7", "uid": "u9"}},
            "requestReceivedTimestamp": "2024-03-15T14:48:51Z",
        })
    };
    // Only what changes an object has a new value, and the server has named it.
    let created = parts("kubernetes", &record("create", 201), ["/targets/0", "/change/new"]);
    assert_eq!(created[0], json!({"type": "secrets", "id": "shop/key-x7", "name": "key-x7"}));
    assert_eq!(created[1]["metadata"]["generateName"], "key-");
    let places = ["/change", "/actor/kind", "/actor/sessionId"];
    let read = parts("kubernetes", &record("get", 200), places);
    assert_eq!(read, [json!(null), json!("service"), json!("JTI=9")]);
    // A connection that goes on is 101; a stage can end without a status.
    let result = ["/outcome/result"];
    assert_eq!(parts("kubernetes", &record("create", 101), result), ["success"]);
    let mut panicked = record("create", 201);
    panicked["stage"] = json!("Panic");
    panicked.as_object_mut().unwrap().remove("responseStatus");
    assert_eq!(parts("kubernetes", &panicked, result), ["failure"]);
    // Azure Monitor has it as a text, its table with other names of the times.
    let monitored = json!({
        "time": "2024-03-15T14:48:52Z", "category": "kube-audit", "resourceId": "/subscriptions/s",
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "properties": {"log": record("get", 200).to_string(), "pod": "p"},
    });
    assert_eq!(parts("kubernetes", &monitored, ["/action"]), ["secrets.get"]);
    let row = json!({
        "AuditId": "5f0e", "Stage": "ResponseComplete", "Verb": "list", "RequestUri": "/api/v1/pods",
        "ObjectRef": {"resource": "pods"}, "RequestReceivedTime": "2024-03-15T14:48:51Z",
    });
    let expected = ["pods.list", "2024-03-15T14:48:51.000000Z"];
    assert_eq!(parts("kubernetes", &row, ["/action", "/occurredAt"]), expected);
}

#[test]
fn kubernetes_namespaces() {
    // The server gives a namespace as its own namespace, too.
    let record = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "5f0f",
        "stage": "ResponseComplete", "verb": "delete", "requestURI": "/api/v1/namespaces/shop",
        "user": {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]},
        "sourceIPs": ["192.0.2.7"], "userAgent": "kubectl/v1.30",
        "objectRef": {"resource": "namespaces", "namespace": "shop", "name": "shop", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2024-03-15T14:48:51.123456Z", "stageTimestamp": "2024-03-15T14:48:51.2Z",
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    });
    let targets = [json!([{"type": "namespaces", "id": "shop", "name": "shop"}])];
    assert_eq!(parts("kubernetes", &record, ["/targets"]), targets);
    // EKS writes to CloudWatch Logs, which delivers texts.
    let delivered = json!({
        "messageType": "DATA_MESSAGE", "owner": "111", "logGroup": "/aws/eks/shop/cluster",
        "logStream": "kube-apiserver-audit-1", "subscriptionFilters": ["f"],
        "logEvents": [{"id": "1", "timestamp": 1_710_514_131_200_u64, "message": record.to_string()}],
    });
    assert_eq!(parts("kubernetes", &delivered, ["/targets"]), targets);
}

#[test]
fn teleport() {
    let record = json!({
        "addr.remote": "192.0.2.7:4711", "cluster_name": "c", "code": "T2000I", "ei": 0,
        "event": "session.start", "login": "root", "server_id": "s1", "server_hostname": "web",
        "sid": "sid1", "success": true, "time": "2024-03-15T14:48:51.123Z", "uid": "u1",
        "user": "ana", "user_kind": 1,
    });
    check(
        "teleport",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123000Z",
            "action": "session.start",
            "category": "T2000I",
            "severity": "informational",
            "actor": {
                "kind": "user", "id": "ana", "name": "ana", "ip": "192.0.2.7:4711",
                "sessionId": "sid1",
            },
            "outcome": {"result": "success"},
            "targets": [{"type": "node", "id": "s1", "name": "web"}],
            "organization": {"id": "c"},
            "source": {"system": "teleport", "id": "u1"},
        }),
    );
    // An event can say by its code alone that it is of a failure.
    let record = json!({
        "code": "TAL001E", "event": "access_list.create", "time": "2024-03-15T14:48:51Z",
        "uid": "u2", "user": "ana", "error": "no",
    });
    assert_eq!(events("teleport", &record)[0]["outcome"], json!({"result": "failure"}));
}

#[test]
fn teleport_by_event() {
    let record = |event: &str, code: &str, fields: Value| {
        let mut record =
            json!({"event": event, "code": code, "uid": "u3", "time": "2024-03-15T14:48:51Z"});
        for (key, value) in fields.as_object().unwrap() {
            record[key] = value.clone();
        }
        record
    };
    // Who impersonates a user is the actor.
    let issued = record(
        "cert.create",
        "TC000I",
        json!({"identity": {"user": "ana", "impersonator": "bot"}}),
    );
    assert_eq!(
        parts("teleport", &issued, ["/actor"]),
        [json!({
            "kind": "user", "id": "bot", "name": "bot",
            "onBehalfOf": {"kind": "user", "id": "ana"},
        })]
    );
    let approved =
        json!({"id": "q1", "state": "APPROVED", "updated_by": "sam", "reason": "on call"});
    assert_eq!(
        parts(
            "teleport",
            &record("access_request.update", "T5001I", approved),
            ["/actor", "/targets", "/reason"]
        ),
        [
            json!({"kind": "user", "id": "sam", "name": "sam"}),
            json!([{"type": "access_request", "id": "q1"}]),
            json!("on call"),
        ]
    );
    let deleted = record("access_request.delete", "T5003I", json!({"id": "q1"}));
    assert_eq!(parts("teleport", &deleted, ["/actor"]), [json!({"kind": "unknown"})]);
    let role = record("role.created", "T9000I", json!({"name": "ops", "user": "ana"}));
    assert_eq!(
        parts("teleport", &role, ["/targets"]),
        [json!([{"type": "role", "id": "ops", "name": "ops"}])]
    );
    let request = json!({
        "user": "ana", "app_name": "wiki", "method": "GET", "path": "/a", "raw_query": "", "status_code": 404,
    });
    assert_eq!(
        parts(
            "teleport",
            &record("app.session.request", "T2008I", request),
            ["/request", "/outcome/code"]
        ),
        [json!({"method": "GET", "path": "/a"}), json!("404")]
    );
    let copied =
        json!({"user": "ana", "path": "~/a", "exitCode": "1", "exitError": "exit status 1"});
    assert_eq!(
        parts(
            "teleport",
            &record("scp", "T3004E", copied),
            ["/request", "/outcome", "/message/text", "/severity"]
        ),
        [
            json!(null),
            json!({"result": "failure", "code": "1"}),
            json!("exit status 1"),
            json!("high"),
        ]
    );
    // As Panther spells it.
    let login =
        json!({"user": "eve", "success": false, "error": "no", "addr_remote": "192.0.2.7:1"});
    assert_eq!(
        parts(
            "teleport",
            &record("user.login", "T1000W", login),
            ["/actor/ip", "/outcome/result", "/severity"]
        ),
        ["192.0.2.7:1", "failure", "medium"]
    );
}

#[test]
fn tailscale() {
    let record = json!({
        "eventGroupID": "g1", "origin": "ADMIN_CONSOLE", "eventTime": "2024-03-15T14:48:51.5Z",
        "actor": {"id": "u1", "type": "USER", "loginName": "ana@example.org", "displayName": "Ana"},
        "target": {"id": "n1", "name": "web.ts.net", "type": "NODE", "property": "KEY_EXPIRY_TIME"},
        "action": "UPDATE", "old": "a", "new": {"b": 1},
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.500000Z",
        "action": "NODE.KEY_EXPIRY_TIME.UPDATE",
        "category": "ADMIN_CONSOLE",
        "actor": {"kind": "user", "id": "u1", "name": "Ana", "email": "ana@example.org"},
        "targets": [{"type": "NODE", "id": "n1", "name": "web.ts.net"}],
        "change": {"old": "a", "new": {"b": 1}},
        "source": {
            "system": "tailscale", "id": "g1/2024-03-15T14:48:51.5Z/n1/KEY_EXPIRY_TIME",
        },
    });
    check("tailscale", &record, &expected);
    let mut failed = record.clone();
    failed["error"] = json!("no");
    let failed = parts("tailscale", &failed, ["/outcome/result", "/message/text"]);
    assert_eq!(failed, ["failure", "no"]);
    let wrapped = json!({"event": record, "logged": "2024-03-15T14:48:52Z"});
    assert_eq!(events("tailscale", &wrapped), [expected]);
}

#[test]
fn vault() {
    let record = json!({
        "type": "response", "time": "2024-03-15T14:48:51.123456789Z",
        "auth": {"accessor": "hmac-1", "display_name": "userpass-ana", "entity_id": "e1", "policies": ["default"]},
        "request": {
            "id": "r1", "operation": "read", "mount_type": "kv", "mount_point": "secret/",
            "path": "secret/data/app", "remote_address": "192.0.2.7", "namespace": {"id": "root"},
        },
        "error": "1 error occurred: permission denied",
    });
    check(
        "vault",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123456789Z",
            "action": "kv.read",
            "category": "response",
            "actor": {
                "kind": "user", "id": "e1", "name": "userpass-ana", "ip": "192.0.2.7",
                "sessionId": "hmac-1",
            },
            "outcome": {"result": "denied"},
            "targets": [{"type": "secret_path", "id": "secret/data/app"}],
            "organization": {"id": "root"},
            "scope": {"service": "secret/"},
            "message": {"text": "1 error occurred: permission denied"},
            "request": {"method": "read", "path": "secret/data/app", "id": "r1"},
            "source": {"system": "vault", "id": "r1/response"},
        }),
    );
    // A request of KMIP has no id, path and operation.
    let record = json!({
        "type": "kmip-response", "time": "2024-03-15T14:48:51.5Z",
        "request": {
            "client_certificate_serial_number": "7", "namespace": {"id": "root"},
            "remote_address": "192.0.2.7:36776",
        },
        "response": {"data": {"kmip_response": {"tag": "ResponseMessage"}}},
    });
    let event = events("vault", &record).remove(0);
    assert_eq!(event["action"], "kmip-response");
    assert_eq!(event["outcome"], json!({"result": "success"}));
    assert_eq!(event["actor"]["ip"], "192.0.2.7:36776");
}
