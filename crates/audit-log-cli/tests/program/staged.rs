//! Staged events that were refused.

use serde_json::{Value, json as value};

use crate::sandbox::{Sandbox, json, keys, lines, payments};

const IDS: [&str; 3] = [
    "01890a5d-ac96-774b-bcce-b302099a8057",
    "01890a5d-ac96-774b-bcce-b302099a8058",
    "01890a5d-ac96-774b-bcce-b302099a8059",
];

fn body(id: &str, action: &str) -> String {
    let event = value!({"id": id, "action": action, "actor": {"kind": "user", "id": "u_1"}});
    value!({"v": 1, "stagedAt": "2026-11-26T20:00:00Z", "event": event}).to_string()
}

/// A kind of store, whose tables are changed without the program.
#[derive(Clone, Copy, Debug)]
enum Kind {
    File,
    #[cfg(feature = "postgres")]
    Database,
}

impl Kind {
    const ALL: &[Self] = &[
        Self::File,
        #[cfg(feature = "postgres")]
        Self::Database,
    ];

    fn sandbox(self) -> Sandbox {
        match self {
            Self::File => Sandbox::new(),
            #[cfg(feature = "postgres")]
            Self::Database => Sandbox::of_postgres(),
        }
    }

    /// Stages an event as a client of the database does.
    fn stage(self, sandbox: &Sandbox, id: &str, body: &str) {
        match self {
            Self::File => {
                let id = id.replace('-', "");
                let values = format!("(x'', x'{id}', '{body}')");
                sandbox.sql(&format!("INSERT INTO audit_staged (log, id, body) VALUES {values}"));
            }
            #[cfg(feature = "postgres")]
            Self::Database => {
                let values = format!("'platform', ARRAY['{id}']::uuid[], ARRAY['{body}']");
                sandbox.database().sql(&format!("SELECT audit.stage({values})")).unwrap();
            }
        }
    }

    /// Changes the body of a refused event.
    fn mend(self, sandbox: &Sandbox, number: u32, body: &str) {
        let set = format!("SET body = '{body}' WHERE n = {number}");
        match self {
            Self::File => {
                sandbox.sql(&format!("UPDATE audit_refused {set}"));
            }
            #[cfg(feature = "postgres")]
            Self::Database => {
                sandbox.database().sql(&format!("UPDATE audit.refused {set}")).unwrap();
            }
        }
    }
}

/// Returns a sandbox whose store has taken in one staged event, and refused two: one whose id another has,
/// and one that is no event.
fn refused(kind: Kind) -> Sandbox {
    let sandbox = kind.sandbox();
    let mut events = payments(0..2);
    events[0]["id"] = value!(IDS[0]);
    sandbox.record("platform", &events[..1]);
    kind.stage(&sandbox, IDS[0], &body(IDS[0], "user.other"));
    kind.stage(&sandbox, IDS[1], &body(IDS[1], "user.login"));
    kind.stage(&sandbox, IDS[2], r#"{"v": 1, "colour": "red"}"#);
    let ran = sandbox.run(&["staged", "list"]);
    assert_eq!((&*ran.out, &*ran.err), ("", "waiting: 3, refused: 0\n"), "it only reads");
    sandbox.record("platform", &events[1..]);
    sandbox
}

/// Returns such a sandbox with a file.
pub(crate) fn refused_in_a_file() -> Sandbox {
    refused(Kind::File)
}

fn actions(sandbox: &Sandbox) -> Vec<Value> {
    let list = ["list", "--organization", "platform", "--order", "sequence", "--all", "--json"];
    let events = lines(&sandbox.ok(&list));
    events.into_iter().map(|event| event["action"].clone()).collect()
}

#[test]
fn refused_events_are_listed_with_their_cause() {
    for kind in Kind::ALL {
        let sandbox = refused(*kind);
        let ran = sandbox.run(&["staged", "list"]);
        assert_eq!((ran.code, &*ran.err), (Some(0), "waiting: 0, refused: 2\n"));
        let rows: Vec<_> = ran.out.lines().collect();
        assert!(rows.len() == 3 && rows[0].starts_with("NUMBER"), "{}", ran.out);
        assert!(rows[1].starts_with("1 ") && rows[1].contains(IDS[0]), "{}", rows[1]);
        assert!(rows[1].contains("belongs to different content"), "{}", rows[1]);
        assert!(rows[2].starts_with("2 ") && rows[2].contains("`body.colour`"), "{}", rows[2]);
        let listed = lines(&sandbox.ok(&["staged", "list", "--json"]));
        assert_eq!(keys(&listed[0]), ["body", "id", "log", "number", "reason", "refusedAt"]);
        assert_eq!((&listed[0]["log"], &listed[0]["id"]), (&value!("platform"), &value!(IDS[0])));
        assert_eq!(listed[1]["body"], r#"{"v": 1, "colour": "red"}"#);
        let recorded = ["invoice.paid", "user.login", "log.staged_refused", "invoice.paid"];
        assert_eq!(actions(&sandbox), recorded);
    }
}

#[test]
fn a_refused_event_is_staged_again_and_taken_in_once_its_cause_is_gone() {
    for kind in Kind::ALL {
        let sandbox = refused(*kind);
        let ran = sandbox.run(&["staged", "retry", "2"]);
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.out.starts_with("2: refused again, as 3: ") && ran.out.contains("colour"),
            "{ran:?}"
        );
        let mended = body(IDS[2], "user.logout");
        kind.mend(&sandbox, 3, &mended);
        let ran = sandbox.run(&["staged", "retry", "--all"]);
        assert_eq!(ran.code, Some(1));
        let answers: Vec<_> = ran.out.lines().collect();
        assert!(answers[0].starts_with("1: refused again, as 4: "), "{ran:?}");
        assert_eq!(answers[1], "3: taken in");
        assert!(actions(&sandbox).contains(&value!("user.logout")));
        assert_eq!(json(&sandbox.ok(&["staged", "list", "--json"]))["number"], 4);
        let error = sandbox.fails(2, &["staged", "retry", "4", "1"]);
        assert!(error.contains("there is no refused event 1\nhint: "), "{error}");
        assert_eq!(
            json(&sandbox.ok(&["staged", "list", "--json"]))["number"],
            4,
            "nothing was done"
        );
        sandbox.fails(2, &["staged", "retry"]);
    }
}

#[test]
fn a_refused_event_is_dropped_and_the_log_says_so() {
    for kind in Kind::ALL {
        let sandbox = refused(*kind);
        let drop = ["staged", "drop", "1", "2", "--reason", "request 4711"];
        assert_eq!(sandbox.ok(&drop), "1: dropped\n2: dropped\n");
        assert_eq!(sandbox.ok(&["staged", "list", "--json"]), "");
        let list =
            ["list", "--organization", "platform", "--action", "log.refused_dropped", "--json"];
        let events = lines(&sandbox.ok(&list));
        assert_eq!(events.len(), 2);
        assert_eq!(events[0]["targets"], value!([{"type": "event", "id": IDS[2]}]));
        assert_eq!(events[0]["actor"]["name"], "ana");
        assert!(events[0].to_string().contains("request 4711"), "{}", events[0]);
        assert!(sandbox.fails(2, &drop).contains("there is no refused event 1"));
        sandbox.ok(&["verify", "--all"]);
    }
}

#[test]
fn nothing_is_staged_in_memory() {
    let error = Sandbox::new().fails(2, &["--store", "memory:", "staged", "list"]);
    assert_eq!(error, "error: nothing can be staged in memory:\n");
}
