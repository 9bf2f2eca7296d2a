//! What an operator signs, an auditor verifies, and a person asks to be forgotten.

use std::fs;
use std::process::Command;

use serde_json::{Value, json as object};

use crate::place::{Place, json, lines};

const FILE: &str = "kept.checkpoint";
const ALTER: &str = "UPDATE audit_event SET record = CAST(replace(record, 'invoice.paid',
     'invoice.void') AS BLOB) WHERE place % 1099511627776 = 7";

/// A place with a log of some events, and its key.
struct Story {
    place: Place,
    log: String,
    key: String,
}

fn event(number: usize) -> Value {
    object!({
        "action": "invoice.paid",
        "actor": {"kind": "user", "id": format!("u_{}", number % 5), "name": format!("Ana {number}")},
        "message": {"text": format!("invoice {number} was paid")},
        "targets": [{"type": "invoice", "id": format!("inv_{number}")}],
    })
}

impl Story {
    fn new(events: usize) -> Self {
        let place = Place::new();
        let log = place.organization();
        place.record(&log, &(0..events).map(event).collect::<Vec<_>>());
        let key = place.ok(&["signing-key", "create", "audit.acme.example"]).trim().to_owned();
        Self { place, log, key }
    }

    fn sign(&self) -> String {
        self.place.ok(&[
            "checkpoint",
            "--organization",
            &self.log,
            "--signing-key",
            "signing.key",
            "--checkpoints",
            "published",
        ])
    }

    /// Signs, and keeps a copy of the checkpoint elsewhere.
    fn keep(&self) {
        self.sign();
        let published = self.place.path(&format!("published/{}.checkpoint", self.log));
        fs::copy(published, self.place.path(FILE)).unwrap();
    }

    fn verify(&self) -> (Option<i32>, String) {
        let verify =
            ["verify", "--organization", &self.log, "--checkpoint", FILE, "--key", &self.key];
        let ran = self.place.run(&verify);
        (ran.code, ran.out + &ran.err)
    }

    fn newest(&self) -> Value {
        let listed =
            self.place.ok(&["list", "--organization", &self.log, "--limit", "1", "--json"]);
        lines(&listed).remove(0)
    }

    /// Changes the file behind the library's back.
    fn alter(&self, sql: &str) {
        let file = rusqlite::Connection::open(self.place.path("audit.db")).unwrap();
        assert_eq!(file.execute(sql, []).unwrap(), 1);
    }
}

#[test]
fn an_event_is_proved_and_checked_where_there_is_nothing_else() {
    let story = Story::new(40);
    let signed = story.sign();
    assert!(signed.starts_with(&format!("audit.acme.example/{}\n41\n", story.log)), "{signed}");
    let newest = story.newest();
    let id = newest["id"].as_str().unwrap();
    let prove = ["prove", id, "--organization", &story.log, "--signing-key", "signing.key"];
    let place = [&prove[..], &["--checkpoints", "published", "--output", "event.proof"]].concat();
    story.place.ok(&place);
    let error = story.place.fails(2, &place);
    assert!(error.contains("cannot write event.proof"), "a file is never replaced: {error}");

    let other = Place::new();
    fs::copy(story.place.path("event.proof"), other.path("event.proof")).unwrap();
    let checked = other.ok(&["check", "event.proof", "--key", &story.key]);
    assert!(checked.contains("Its personal part is as it was recorded."), "{checked}");
    let shown = json(&other.ok(&["check", "event.proof", "--key", &story.key, "--json"]));
    assert_eq!(shown, newest);
    assert!(!other.path("audit.db").exists(), "it needs no store, and makes none");

    // Without the personal part, and altered, and under another key.
    let lean = [&prove[..], &["--checkpoints", "published", "--without-personal"]].concat();
    fs::write(other.path("lean.proof"), story.place.ok(&lean)).unwrap();
    let lean = json(&other.ok(&["check", "lean.proof", "--key", &story.key, "--json"]));
    assert_eq!((lean["erased"].as_bool(), lean["actor"]["name"].as_str()), (Some(true), None));
    let text = fs::read_to_string(other.path("event.proof")).unwrap();
    let at = text.find("extra ").unwrap() + 200;
    let mut altered = text.clone();
    altered.replace_range(at..=at, if &text[at..=at] == "A" { "B" } else { "A" });
    fs::write(other.path("altered.proof"), altered).unwrap();
    other.fails(2, &["check", "altered.proof", "--key", &story.key]);
    let foreign = other.ok(&["signing-key", "create", "audit.acme.example"]);
    other.fails(2, &["check", "event.proof", "--key", foreign.trim()]);
}

#[test]
fn erasing_is_no_tampering_and_tampering_is_found_where_it_is() {
    let story = Story::new(40);
    story.keep();
    let (code, text) = story.verify();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("A checkpoint states the first 41.\nNothing is wrong."), "{text}");

    let erase = ["erase", "--organization", &story.log, "--reason", "request 4711"];
    let of_one = [&erase[..], &["--actor-id", "u_3"]].concat();
    let dry = story.place.ok(&[&of_one[..], &["--dry-run"]].concat());
    assert_eq!(dry, "8 events would be erased\n");
    let error = story.place.fails(2, &of_one);
    assert!(error.contains("nobody to ask"), "{error}");
    assert_eq!(
        story.place.ok(&[&of_one[..], &["--yes"]].concat()),
        "erased: 8, erased before: 0\n"
    );
    assert_eq!(
        story.place.ok(&[&of_one[..], &["--yes"]].concat()),
        "erased: 0, erased before: 8\n"
    );
    let error = story.place.fails(2, &[&erase[..], &["--yes"]].concat());
    assert!(error.contains("name an event, or at least one filter"), "{error}");
    let told = story.newest();
    assert_eq!(told["action"], "log.erased");
    assert_eq!(told["targets"][0]["id"], "8");
    assert!(!told.to_string().contains("u_3"), "{told}");
    let (code, text) = story.verify();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("8 have no personal part; the log tells of 8."), "{text}");

    story.alter(ALTER);
    let (code, text) = story.verify();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("WRONG: the record of event 7 was changed."), "{text}");
    // What goes into a proof is looked at as well.
    let event = lines(&story.place.ok(&["list", "--organization", &story.log, "--all", "--json"]));
    let seventh = event.iter().find(|event| event["sequence"] == 7).unwrap();
    let id = seventh["id"].as_str().unwrap();
    let prove = ["prove", id, "--organization", &story.log, "--checkpoint", FILE];
    story.place.fails(2, &prove);
}

#[test]
fn a_restored_backup_is_not_signed() {
    let story = Story::new(10);
    story.sign();
    fs::copy(story.place.path("audit.db"), story.place.path("monday.db")).unwrap();
    story.place.record(&story.log, &(10..20).map(event).collect::<Vec<_>>());
    story.sign();
    fs::copy(story.place.path("monday.db"), story.place.path("audit.db")).unwrap();
    let sign = ["checkpoint", "--organization", &story.log, "--signing-key", "signing.key"];
    let sign = [&sign[..], &["--checkpoints", "published"]].concat();
    let error = story.place.fails(2, &sign);
    assert!(error.contains("was a backup restored, or the log changed?"), "{error}");
    // Nor when it has grown again, to another log.
    story.place.record(&story.log, &(30..60).map(event).collect::<Vec<_>>());
    let error = story.place.fails(2, &sign);
    assert!(error.contains("is not a continuation"), "{error}");
}

#[test]
fn what_is_pruned_is_gone_and_the_rest_is_proved() {
    let story = Story::new(100);
    story.keep();
    let retention = ["retention", "set", "--organization", &story.log, "--max-events", "20"];
    let hold = [&retention[..], &["--legal-hold", "on"]].concat();
    let set = story.place.ok(&hold);
    assert_eq!(set, "max age:    no bound\nmax events: 20\nlegal hold: on\n");
    let prune = ["prune", "--organization", &story.log];
    let error = story.place.fails(2, &prune);
    assert!(
        error.contains("a legal hold forbids it") && error.contains("hint: lift it"),
        "{error}"
    );
    let lift = ["retention", "set", "--organization", &story.log, "--legal-hold", "off"];
    story.place.ok(&lift);
    assert_eq!(story.place.ok(&prune), "removed: 64, up to event 64\n");
    assert_eq!(story.place.ok(&prune), "removed: 0, up to event 64\n");
    let (code, text) = story.verify();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("The events behind 64 were read"), "{text}");
    story.sign();
    let listed = lines(&story.place.ok(&["list", "--organization", &story.log, "--all", "--json"]));
    assert_eq!(listed.len(), 101 + 3 - 64);
    let id = listed.last().unwrap()["id"].as_str().unwrap();
    let prove = ["prove", id, "--organization", &story.log, "--checkpoint", FILE];
    story.place.ok(&prove);
}

#[test]
fn a_signing_key_is_private_and_never_replaced() {
    let place = Place::new();
    let made = place.ok(&["signing-key", "create", "audit.acme.example"]);
    assert_eq!(place.ok(&["signing-key", "show", "signing.key"]), made);
    assert!(place.fails(2, &["signing-key", "create", "another.example"]).contains("signing.key"));
    assert_eq!(place.ok(&["signing-key", "show", "signing.key"]), made);
    #[cfg(unix)]
    {
        let mode = Command::new("stat").args(["-c", "%a"]).arg(place.path("signing.key")).output();
        assert_eq!(String::from_utf8(mode.unwrap().stdout).unwrap(), "600\n");
    }
    fs::write(place.path("none.key"), "nothing").unwrap();
    assert!(place.fails(2, &["signing-key", "show", "none.key"]).contains("no signing key"));
}
