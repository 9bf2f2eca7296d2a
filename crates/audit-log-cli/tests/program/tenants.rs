//! Organizations, keys, hints, help and completions.

use crate::sandbox::{Sandbox, json, keys, lines};

const NOBODY: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

#[test]
fn organizations_are_created_listed_and_shown() {
    let sandbox = Sandbox::new();
    let all = ["create", "--name", "Acme", "--id", NOBODY, "--created-by", "ana@acme.example"];
    let made = sandbox.ok(&[&["organizations"], &all[..], &["--json"]].concat());
    let organization = json(&made);
    assert_eq!(
        keys(&organization),
        ["createdAt", "createdBy", "id", "name", "privateEndpoints", "settings", "updatedAt"]
    );
    assert_eq!(organization["id"], NOBODY);
    assert_eq!(sandbox.ok(&["organizations", "show", NOBODY, "--json"]), made);
    assert_eq!(sandbox.ok(&["organizations", "list", "--json"]), made);

    let shown = sandbox.ok(&["organizations", "show", NOBODY]);
    assert!(shown.contains(&format!("id:           {NOBODY}\nname:         Acme\n")), "{shown}");
    let listed = sandbox.ok(&["organizations", "list"]);
    assert!(listed.starts_with("ID ") && listed.contains(NOBODY) && listed.contains("Acme"));
    let error = sandbox.fails(2, &[&["organizations"], &all[..]].concat());
    assert!(error.starts_with("error: the id belongs to different content"), "{error}");

    // Both logs record who created it.
    for log in ["platform", NOBODY] {
        let events = lines(&sandbox.ok(&["list", "--organization", log, "--json"]));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["action"], "organization.created");
        let actor = serde_json::json!({"kind": "system", "id": "audit-cli", "name": "ana"});
        assert_eq!(events[0]["actor"], actor);
    }
}

#[test]
fn keys_are_created_listed_and_revoked() {
    let sandbox = Sandbox::new();
    let id = sandbox.organization();
    let create = ["keys", "create", "--organization", &id, "--email", "ana@acme.example", "--role"];
    let mut made = Vec::new();
    for role in ["member", "admin", "super-admin"] {
        let key = json(&sandbox.ok(&[&create[..], &[role, "--json"]].concat()));
        assert_eq!(keys(&key), ["keyId", "organizationId", "role", "secret"]);
        assert_eq!(
            (key["role"].as_str(), key["organizationId"].as_str()),
            (Some(role), Some(&*id))
        );
        made.push(key);
    }
    let shown = sandbox.ok(&[&create[..], &["member"]].concat());
    assert!(shown.contains("key id: ") && shown.contains("secret:       audit_"), "{shown}");
    assert!(shown.contains("cannot be shown again"), "{shown}");

    let secret = sandbox.ok(&[&create[..], &["member", "--secret-only"]].concat());
    assert!(secret.starts_with("audit_") && secret.trim_end().len() == 70, "{secret}");

    let list = ["keys", "list", "--organization", &id];
    let text = sandbox.ok(&[&list[..], &["--json"]].concat());
    assert!(!text.contains(made[0]["secret"].as_str().unwrap()));
    let listed = lines(&text);
    assert_eq!(listed.len(), 5);
    for (key, made) in listed.iter().zip(&made) {
        assert_eq!(
            keys(key),
            ["createdAt", "email", "keyId", "organizationId", "revokedAt", "role"]
        );
        assert_eq!((&key["keyId"], &key["role"]), (&made["keyId"], &made["role"]));
        assert!(key["revokedAt"].is_null());
    }

    let key_id = made[0]["keyId"].as_str().unwrap();
    let revoked = sandbox.ok(&["keys", "revoke", key_id, "--json"]);
    assert!(json(&revoked)["revokedAt"].is_string());
    assert_eq!(sandbox.ok(&["keys", "revoke", key_id, "--json"]), revoked, "again");
    assert!(sandbox.ok(&["keys", "revoke", key_id]).contains(key_id));
    assert_eq!(lines(&sandbox.ok(&[&list[..], &["--json"]].concat()))[0], json(&revoked));
    assert!(sandbox.ok(&list).starts_with("KEY ID"));
    let recorded = sandbox.ok(&["list", "--organization", &id, "--action", "api_key.*", "--json"]);
    assert_eq!(lines(&recorded).len(), 6);
}

#[test]
fn an_error_has_a_hint() {
    let sandbox = Sandbox::new();
    let list = ["organizations", "list"];
    let error = sandbox.fails(2, &list);
    assert!(error.contains("there is no store at sqlite:audit.db\nhint: "), "{error}");
    assert!(!sandbox.path("audit.db").exists());

    let id = sandbox.organization();
    for (arguments, message) in [
        (&["--store", "audit.db", "organizations", "list"][..], "write sqlite:audit.db"),
        (&["organizations", "show", NOBODY], "organizations create --name NAME --id 3fa85f64"),
        (&["keys", "list", "--organization", NOBODY], "organizations create --name NAME"),
        (
            &["keys", "create", "--organization", NOBODY, "--role", "admin", "--email", "a@b.c"],
            "organizations create --name NAME",
        ),
        (&["keys", "create", "--organization", &id, "--role", "root", "--email", "a"], "[possible"),
        (&["keys", "create", "--organization", &id, "--role", "admin", "--email", ""], "`email`"),
        (&["keys", "revoke", NOBODY], "not found"),
        (&["organizations", "create", "--name", ""], "`name` must not be empty"),
        (&["no-such-command"], "unrecognized subcommand"),
    ] {
        let error = sandbox.fails(2, arguments);
        assert!(error.starts_with("error: ") && error.contains(message), "{arguments:?}: {error}");
    }

    sandbox.file("junk.db", &["this is not a store"]);
    let error = sandbox.fails(2, &["--store", "sqlite:junk.db", "organizations", "list"]);
    assert!(error.contains("file is not a database"), "the cause is missing: {error}");
}

#[test]
fn the_store_can_be_set_in_the_environment() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["organizations", "create", "--name", "Acme"]);
    assert!(command.env("AUDIT_STORE", "sqlite:other.db").output().unwrap().status.success());
    assert!(sandbox.path("other.db").exists());
    assert_eq!(
        sandbox
            .ok(&["--store", "sqlite:other.db", "organizations", "list", "--json"])
            .lines()
            .count(),
        1
    );
}

#[test]
fn help_has_examples_and_completions_have_options() {
    let sandbox = Sandbox::new();
    for command in
        [&[][..], &["serve"], &["organizations", "create"], &["keys", "create"], &["import"]]
    {
        let help = sandbox.ok(&[command, &["--help"]].concat());
        assert!(help.contains("Examples:\n  audit "), "{help}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.ok(&["completions", shell]);
        assert!(script.contains("named-organization-id"), "{shell}");
    }
}

#[test]
fn the_holder_of_a_revoked_key_is_forgotten_in_every_byte() {
    let sandbox = Sandbox::new();
    let id = sandbox.organization();
    let mail = "carla.gone@victim.example";
    let create = ["keys", "create", "--organization", &id, "--role", "admin", "--email", mail];
    let key = json(&sandbox.ok(&[&create[..], &["--json"]].concat()))["keyId"].clone();
    let key = key.as_str().unwrap();
    let created = ["organizations", "create", "--name", "Hers", "--created-by", mail, "--json"];
    let hers = json(&sandbox.ok(&created))["id"].clone();
    let forget = ["keys", "forget", key, "--reason", "request 4711", "--json"];
    let error = sandbox.fails(2, &forget);
    assert!(error.contains("not revoked") && error.contains("keys revoke"), "{error}");
    sandbox.ok(&["keys", "revoke", key]);
    assert_eq!(json(&sandbox.ok(&forget))["erased"], 4, "two events in each of two logs");
    sandbox.ok(&["compact"]);
    let file = std::fs::read(sandbox.path("audit.db")).unwrap();
    let found = file.windows(mail.len()).filter(|bytes| *bytes == mail.as_bytes()).count();
    assert_eq!(found, 0, "no byte of the address is left");
    let list = sandbox.ok(&["keys", "list", "--organization", &id, "--json"]);
    assert!(lines(&list)[0]["email"].is_null(), "{list}");
    let hers = json(&sandbox.ok(&["organizations", "show", hers.as_str().unwrap(), "--json"]));
    assert!(hers.get("createdBy").is_none(), "{hers}");
    assert_eq!(json(&sandbox.ok(&forget))["erased"], 0, "again");
    sandbox.ok(&["verify", "--all"]);
}

#[test]
fn an_erasure_by_address_reaches_the_revoked_keys_of_its_holder() {
    let sandbox = Sandbox::new();
    let id = sandbox.organization();
    let mail = "carla.gone@victim.example";
    let create = |email| {
        let create = ["keys", "create", "--organization", &id, "--role", "admin", "--email", email];
        json(&sandbox.ok(&[&create[..], &["--json"]].concat()))["keyId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // In whatever case the address is spelled.
    let (gone, other) = (create("Carla.Gone@victim.example"), create("ana@acme.example"));
    let in_use = create(mail);
    sandbox.ok(&["keys", "revoke", &gone]);
    sandbox.ok(&["keys", "revoke", &other]);
    let emails = || {
        let list = sandbox.ok(&["keys", "list", "--organization", &id, "--json"]);
        lines(&list).iter().map(|key| key["email"].clone()).collect::<Vec<_>>()
    };
    let erase = ["erase", "--organization", &id, "--reason", "request 4711", "--yes"];
    let by_address = [&erase[..], &["--actor-email", mail]].concat();
    // Another condition selects events, not a person.
    sandbox.ok(&[&by_address[..], &["--action", "a.*"]].concat());
    sandbox.ok(&[&by_address[..], &["--dry-run"]].concat());
    assert!(emails().iter().all(serde_json::Value::is_string));

    let ran = sandbox.run(&by_address);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("keys whose holder was forgotten: 1\n"), "{ran:?}");
    assert!(ran.err.contains(&format!("key {in_use} keeps the address")), "{ran:?}");
    assert_eq!(serde_json::json!(emails()), serde_json::json!([null, "ana@acme.example", mail]));
    sandbox.ok(&["keys", "revoke", &in_use]);
    let again = json(&sandbox.ok(&[&by_address[..], &["--json"]].concat()));
    assert_eq!(again["keys"], 1);
    for log in [&*id, "platform"] {
        for key in [&gone, &in_use] {
            let of_key = ["--organization", log, "--target-id", key, "--reason", "x", "--yes"];
            sandbox.ok(&[&["erase"], &of_key[..]].concat());
        }
    }
    sandbox.ok(&["compact"]);
    let file = std::fs::read(sandbox.path("audit.db")).unwrap().to_ascii_lowercase();
    assert!(!file.windows(mail.len()).any(|bytes| bytes == mail.as_bytes()));
    sandbox.ok(&["verify", "--all"]);
}

#[test]
fn the_address_of_a_key_can_be_searched() {
    let sandbox = Sandbox::new();
    let id = sandbox.organization();
    let create = ["keys", "create", "--organization", &id, "--role", "member", "--email"];
    for email in ["ops", " ", "a b", "a b@c", "@acme.example"] {
        let error = sandbox.fails(2, &[&create[..], &[email]].concat());
        assert!(error.contains("`email` must be an e-mail address"), "{error}");
    }
    sandbox.ok(&[&create[..], &["trial@localhost"]].concat());
}
