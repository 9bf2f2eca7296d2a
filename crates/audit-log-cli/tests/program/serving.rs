//! The service as a process.

use std::process::Command;
use std::time::Duration;

use crate::sandbox::{SIGNING, Sandbox, json};
use crate::service::{LISTEN, Service};
use serde_json::Value;

/// Creates an organization with a member's key. Returns the organization's id and the secret.
fn member(sandbox: &Sandbox) -> (String, String) {
    let id = sandbox.organization();
    let key = ["keys", "create", "--organization", &id, "--role", "member", "--email", "a@b.c"];
    let secret = sandbox.ok(&[&key[..], &["--secret-only"]].concat());
    (id, secret.trim_end().to_owned())
}

#[test]
fn the_advice_can_be_pasted() {
    let service = Service::start(Sandbox::new(), &LISTEN, &[]);
    let log = service.log();
    let commands: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(commands.len(), 2, "{log}");
    let paste = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(service.sandbox.path(""));
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    paste(commands[0]);
    let key = json(&paste(&format!("{} --json", commands[1])));
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    // Without a restart.
    let path = format!("/v1/organizations/{}/events", text("organizationId"));
    assert_eq!(service.get(&path, &text("secret")), 200);
    assert_eq!(service.get(&path, "audit_wrong"), 401);
    assert_eq!(service.get("/metrics", ""), 401);
    assert_ne!(service.get("/metrics", &text("secret")), 200, "metrics are for super-admins");
    service.sandbox.ok(&["keys", "revoke", &text("keyId")]);
    assert_eq!(service.get(&path, &text("secret")), 401);
    assert_eq!(service.end("TERM"), Some(0));
}

#[test]
fn without_a_command_it_serves_and_a_store_in_memory_can_be_used() {
    let variables = [("AUDIT_LISTEN", "127.0.0.1:0"), ("AUDIT_STORE", "memory:")];
    let service = Service::start(Sandbox::new(), &[], &variables);
    let log = service.log();
    let value = |label: &str| {
        log.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap().trim().to_owned()
    };
    let path = format!("/v1/organizations/{}/events", value("organization:"));
    let event = r#"{"action":"user.login","actor":{"kind":"user"}}"#;
    let secret = value("secret:");
    assert_eq!(service.request(&format!("POST {path}"), &secret, event).0, 201);
    let (status, body) = service.request(&format!("GET {path}?action=user.login"), &secret, "");
    assert_eq!(status, 200);
    let page: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
    assert_eq!(service.get("/v1/platform/events", &secret), 200, "a super-admin's key");
    assert_eq!(service.get("/metrics", &secret), 200);
    assert_eq!(service.end("INT"), Some(0));
}

#[test]
fn metrics_can_have_an_address_of_their_own() {
    let options = [&LISTEN[..], &["--metrics-listen", "127.0.0.1:0"]].concat();
    let mut service = Service::start(Sandbox::new(), &options, &[]);
    let address = loop {
        // Another thread writes the log.
        let log = service.log();
        let line = log.lines().find(|line| line.contains("metrics are served"));
        match line.and_then(|line| line.split("127.0.0.1:").nth(1)) {
            Some(port) => break format!("127.0.0.1:{}", port.trim_end()),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    assert_eq!(service.get("/metrics", ""), 401);
    service.address = address;
    assert_eq!(service.get("/metrics", ""), 200);
    assert_eq!(service.get("/healthz", ""), 404);
}

#[test]
fn metrics_count_staged_and_refused_events() {
    let sandbox = crate::staged::refused_in_a_file();
    let id = sandbox.organization();
    let role = ["--role", "super-admin", "--email", "a@b.c", "--secret-only"];
    let secret = sandbox.ok(&[&["keys", "create", "--organization", &id], &role[..]].concat());
    let service = Service::start(sandbox, &LISTEN, &[]);
    let metrics = loop {
        let (status, metrics) = service.request("GET /metrics", secret.trim_end(), "");
        assert_eq!(status, 200);
        if metrics.contains("audit_staged_events") {
            break metrics;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    for line in
        ["# TYPE audit_staged_events gauge", "{state=\"waiting\"} 0", "{state=\"refused\"} 2"]
    {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[test]
fn limits_and_the_log_format_are_options() {
    let sandbox = Sandbox::new();
    let id = sandbox.organization();
    let role = ["--role", "super-admin", "--email", "a@b.c", "--json"];
    let key = json(&sandbox.ok(&[&["keys", "create", "--organization", &id], &role[..]].concat()));
    let secret = key["secret"].as_str().unwrap();
    let options =
        ["--max-body", "10", "--rate-limit", "3", "--request-timeout", "5", "--no-metrics"];
    let service =
        Service::start(sandbox, &[&LISTEN[..], &options, &["--log-format", "json"]].concat(), &[]);
    let path = format!("/v1/organizations/{id}/events");
    assert_eq!(service.request(&format!("POST {path}"), secret, &" ".repeat(11)).0, 413);
    assert_eq!(service.get("/metrics", secret), 404);
    // Far more than the limit allows in a second.
    assert!((0..100).any(|_| service.get(&path, secret) == 429));
    let log = service.log();
    assert!(log.lines().count() > 1, "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string(), "{line}");
    }
    assert_eq!(service.end("TERM"), Some(0));
}

#[test]
fn with_a_checkpoint_key_checkpoints_are_served_and_signed_at_intervals() {
    let sandbox = Sandbox::new();
    let (id, secret) = member(&sandbox);
    sandbox.checkpoint_key();
    let every = ["--checkpoint-every", "1s"];
    let service = Service::start(sandbox, &[&LISTEN[..], &SIGNING, &every].concat(), &[]);
    let published = service.sandbox.path("checkpoints/platform.checkpoint");
    while !published.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let path = format!("GET /v1/organizations/{id}/checkpoint");
    let (status, body) = service.request(&path, &secret, "");
    assert_eq!(status, 200);
    assert!(body.contains(&format!("audit.example.com/{id}")), "{body}");
    for half in [&SIGNING[..2], &SIGNING[2..], &every] {
        service.sandbox.fails(2, &[&LISTEN[..], half].concat());
    }
    assert_eq!(service.end("TERM"), Some(0));
}

#[test]
fn the_contracts_are_an_option() {
    for (options, mounted) in [
        (&[][..], [true; 5]),
        (&["--contracts", "audit-log-items,audit-trails"], [false, true, true, false, false]),
        (&["--no-contracts"], [false; 5]),
    ] {
        let sandbox = Sandbox::new();
        let (id, secret) = member(&sandbox);
        let service = Service::start(sandbox, &[&LISTEN[..], options].concat(), &[]);
        let organization = format!("/v1/organizations/{id}");
        assert_eq!(service.get(&format!("{organization}/events"), &secret), 200);
        let contracts = [
            (format!("{organization}/activities"), 200),
            (format!("{organization}/auditlogs"), 200),
            (format!("/api{}/audit-trails", organization.replace("v1", "v1.0")), 200),
            ("/api/audit-logs".to_owned(), 200),
            ("/super-admins/audit-logs".to_owned(), 403),
        ];
        for ((path, status), is_mounted) in contracts.into_iter().zip(mounted) {
            let expected = if is_mounted { status } else { 404 };
            assert_eq!(service.get(&path, &secret), expected, "{options:?}: {path}");
        }
    }
    let sandbox = Sandbox::new();
    let error = sandbox.fails(2, &["serve", "--contracts", "audit-trail"]);
    assert!(error.contains("organizations-and-activities, audit-log-items"), "{error}");
    sandbox.fails(2, &["serve", "--no-contracts", "--contracts", "audit-trails"]);
}

#[test]
fn listening_on_a_network_without_tls_is_warned_about() {
    let service = Service::start(
        Sandbox::new(),
        &["serve", "--listen", "0.0.0.0:0"],
        &[("RUST_LOG", "warn")],
    );
    assert!(service.log().contains("without TLS"), "{}", service.log());
    let service = Service::start(Sandbox::new(), &LISTEN, &[]);
    assert!(!service.log().contains("without TLS"), "{}", service.log());
}

#[test]
fn a_taken_or_invalid_address_is_an_error() {
    let service = Service::start(Sandbox::new(), &LISTEN, &[]);
    let error = service.sandbox.fails(2, &["serve", "--listen", &service.address]);
    assert!(error.contains(&format!("error: cannot listen on {}", service.address)), "{error}");
    for arguments in [&["--listen", "nowhere"][..], &["--rate-limit", "0"], &["--max-body", "x"]] {
        service.sandbox.fails(2, &[&["serve"], arguments].concat());
    }
}
