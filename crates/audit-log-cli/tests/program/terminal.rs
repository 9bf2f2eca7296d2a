//! Output on a terminal: escaped characters, and lines of its width.

use std::fs::File;
use std::io::Read as _;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json as value;

use crate::sandbox::{Sandbox, lines};

const COLUMNS: u16 = 80;

/// Runs the program on a terminal of [`COLUMNS`]. Returns what the terminal gets.
fn on_terminal(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let size = Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&side, size).unwrap();
    let mut command = sandbox.command(arguments);
    let mut child = command.stdout(side).spawn().unwrap();
    drop(command); // its copy of the terminal
    let mut shown = Vec::new();
    // Reading fails when the program has closed the terminal.
    let _ = File::from(terminal).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success(), "{arguments:?}");
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

fn events() -> Vec<serde_json::Value> {
    let hidden = "a\u{1b}[2J\u{9b}1m\u{8}\n\u{202e}\u{3164}\u{2800}\u{34f}\u{180b}\u{e0100}\u{1d173}\u{ffff}\u{200d}b";
    let actor = value!({"kind": "user", "id": "u_7", "name": hidden, "email": "ana@acme.example"});
    let long = "東京 and a text that is longer than a line ".repeat(10);
    let event = |text: &str| {
        value!({
            "action": "document.shared.with.everyone", "actor": actor, "message": {"text": text},
            "targets": [{"type": "document", "id": "doc_1", "name": long}],
        })
    };
    vec![event("short"), event(hidden), event(&long)]
}

#[test]
fn no_command_prints_a_hidden_character_on_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &events());
    for arguments in [
        &["list"][..],
        &["list", "--wide"],
        &["list", "--json"],
        &["tail"],
        &["tail", "--wide"],
        &["tail", "--json"],
        &["export", "--format", "csv"],
        &["export", "--format", "jsonl"],
    ] {
        let arguments = [arguments, &["--organization", "platform"]].concat();
        let shown = on_terminal(&sandbox, &arguments);
        assert!(shown.lines().count() >= 3, "{shown}");
        let hidden =
            ['\u{3164}', '\u{2800}', '\u{34f}', '\u{180b}', '\u{e0100}', '\u{1d173}', '\u{ffff}'];
        let hides = |c: &char| {
            c.is_control() && *c != '\n'
                || hidden.contains(c)
                || ['\u{202e}', '\u{200d}'].contains(c)
        };
        assert_eq!(shown.chars().find(hides), None, "{arguments:?}");
        // The others cut the text before it.
        let is_whole = ["--wide", "--json", "--format"].iter().any(|o| arguments.contains(o));
        assert!(!is_whole || shown.contains("3164"), "{arguments:?}: {shown}");
    }
}

#[test]
fn a_terminal_gets_one_line_an_event_and_a_file_gets_everything() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &events());
    let list = ["list", "--organization", "platform"];
    let tail = ["tail", "--organization", "platform"];
    for (arguments, count) in [(&list, 4), (&tail, 3)] {
        let shown = on_terminal(&sandbox, arguments);
        assert_eq!(shown.lines().count(), count, "{shown}");
        for line in shown.lines() {
            // A character of this text takes a column or, if it is Chinese, two.
            let width =
                line.chars().map(|c| if ('\u{4e00}'..'\u{a000}').contains(&c) { 2 } else { 1 });
            assert!(width.sum::<u16>() <= COLUMNS, "{line}");
        }
        assert!(shown.lines().last().unwrap().contains("…"), "{shown}");
        let in_file = sandbox.ok(arguments);
        assert_eq!(in_file.lines().count(), count, "{in_file}");
        assert!(!in_file.contains('…'), "{in_file}");
        let wide = sandbox.ok(&[&arguments[..], &["--wide"]].concat());
        assert_eq!(wide.lines().count(), count);
        assert!(wide.contains("ana@acme.example u_7"), "{wide}");
        let wide_shown = on_terminal(&sandbox, &[&arguments[..], &["--wide"]].concat());
        assert_eq!(wide_shown, wide);
    }
    let json = on_terminal(&sandbox, &[&list[..], &["--json"]].concat());
    assert_eq!(lines(&json), lines(&sandbox.ok(&[&list[..], &["--json"]].concat())));
}
