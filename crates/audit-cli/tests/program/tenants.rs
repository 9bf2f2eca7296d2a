//! Organizations, their keys, and what the program says of itself.

use crate::place::{Place, json, keys, lines};

const NOBODY: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

#[test]
fn organizations_are_created_listed_and_shown() {
    let place = Place::new();
    let all = ["create", "--name", "Acme", "--id", NOBODY, "--created-by", "ana@acme.example"];
    let made = place.ok(&[&["organizations"], &all[..], &["--json"]].concat());
    let organization = json(&made);
    assert_eq!(
        keys(&organization),
        ["createdAt", "createdBy", "id", "name", "privateEndpoints", "settings", "updatedAt"]
    );
    assert_eq!(organization["id"], NOBODY);
    assert_eq!(place.ok(&["organizations", "show", NOBODY, "--json"]), made);
    assert_eq!(place.ok(&["organizations", "list", "--json"]), made);

    let shown = place.ok(&["organizations", "show", NOBODY]);
    assert!(shown.contains(&format!("id:           {NOBODY}\nname:         Acme\n")), "{shown}");
    let listed = place.ok(&["organizations", "list"]);
    assert!(listed.starts_with("ID ") && listed.contains(NOBODY) && listed.contains("Acme"));
    let error = place.fails(2, &[&["organizations"], &all[..]].concat());
    assert!(error.starts_with("error: the id belongs to different content"), "{error}");

    // By whom, in both logs.
    for log in ["platform", NOBODY] {
        let events = lines(&place.ok(&["list", "--organization", log, "--json"]));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["action"], "organization.created");
        let actor = serde_json::json!({"kind": "system", "id": "audit-cli", "name": "ana"});
        assert_eq!(events[0]["actor"], actor);
    }
}

#[test]
fn keys_are_created_listed_and_revoked() {
    let place = Place::new();
    let id = place.organization();
    let create = ["keys", "create", "--organization", &id, "--email", "ana@acme.example", "--role"];
    let mut made = Vec::new();
    for role in ["member", "admin", "super-admin"] {
        let key = json(&place.ok(&[&create[..], &[role, "--json"]].concat()));
        assert_eq!(keys(&key), ["keyId", "organizationId", "role", "secret"]);
        assert_eq!(
            (key["role"].as_str(), key["organizationId"].as_str()),
            (Some(role), Some(&*id))
        );
        made.push(key);
    }
    let shown = place.ok(&[&create[..], &["member"]].concat());
    assert!(shown.contains("key id: ") && shown.contains("secret:       audit_"), "{shown}");
    assert!(shown.contains("shown once"), "{shown}");

    let secret = place.ok(&[&create[..], &["member", "--secret-only"]].concat());
    assert!(secret.starts_with("audit_") && secret.trim_end().len() == 70, "{secret}");

    let list = ["keys", "list", "--organization", &id];
    let text = place.ok(&[&list[..], &["--json"]].concat());
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
    let revoked = place.ok(&["keys", "revoke", key_id, "--json"]);
    assert!(json(&revoked)["revokedAt"].is_string());
    assert_eq!(place.ok(&["keys", "revoke", key_id, "--json"]), revoked, "again");
    assert!(place.ok(&["keys", "revoke", key_id]).contains(key_id));
    assert_eq!(lines(&place.ok(&[&list[..], &["--json"]].concat()))[0], json(&revoked));
    assert!(place.ok(&list).starts_with("KEY ID"));
    let told = place.ok(&["list", "--organization", &id, "--action", "api_key.*", "--json"]);
    assert_eq!(lines(&told).len(), 6);
}

#[test]
fn what_cannot_be_is_an_error_that_tells_what_to_do() {
    let place = Place::new();
    let list = ["organizations", "list"];
    let error = place.fails(2, &list);
    assert!(error.contains("there is no store at sqlite:audit.db\nhint: "), "{error}");
    assert!(!place.path("audit.db").exists());

    let id = place.organization();
    for (arguments, told) in [
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
        let error = place.fails(2, arguments);
        assert!(error.starts_with("error: ") && error.contains(told), "{arguments:?}: {error}");
    }

    place.file("junk.db", &["this is no store"]);
    let error = place.fails(2, &["--store", "sqlite:junk.db", "organizations", "list"]);
    assert!(error.contains("file is not a database"), "the cause: {error}");
}

#[test]
fn the_environment_names_the_store() {
    let place = Place::new();
    let mut command = place.command(&["organizations", "create", "--name", "Acme"]);
    assert!(command.env("AUDIT_STORE", "sqlite:other.db").output().unwrap().status.success());
    assert!(place.path("other.db").exists());
    assert_eq!(
        place
            .ok(&["--store", "sqlite:other.db", "organizations", "list", "--json"])
            .lines()
            .count(),
        1
    );
}

#[test]
fn help_and_completions_are_there() {
    let place = Place::new();
    for command in
        [&[][..], &["serve"], &["organizations", "create"], &["keys", "create"], &["import"]]
    {
        let help = place.ok(&[command, &["--help"]].concat());
        assert!(help.contains("Examples:\n  audit "), "{help}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.ok(&["completions", shell]);
        assert!(script.contains("named-organization-id"), "{shell}");
    }
}
