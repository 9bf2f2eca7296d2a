//! Lists and tails: pages, filters, and escaped control characters.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use crate::sandbox::{Sandbox, json, lines};
use serde_json::{Value, json as value};

const PLATFORM: [&str; 3] = ["list", "--organization", "platform"];

/// Returns an event with a value of every facet, which contains `n`.
fn event(n: u32) -> Value {
    value!({
        "action": format!("kind{n}.made"),
        "occurredAt": format!("2024-01-01T00:00:{n:02}Z"),
        "category": format!("c{n}"),
        "actor": {
            "kind": format!("k{n}"), "id": format!("a{n}"), "email": format!("e{n}"),
            "ip": format!("192.0.2.{n}"), "sessionId": format!("z{n}"),
            "onBehalfOf": {"kind": "user", "id": format!("b{n}")},
        },
        "outcome": {"result": format!("r{n}")},
        "severity": format!("y{n}"),
        "request": {"id": format!("q{n}")},
        "trace": {"traceId": format!("{n:032x}")},
        "source": {"system": format!("x{n}"), "id": "1"},
        "attributes": {"plan": format!("l{n}")},
        "targets": [{"type": format!("t{n}"), "id": format!("i{n}")}],
        "organization": {"id": format!("o{n}")},
        "scope": {
            "service": format!("s{n}"), "product": format!("p{n}"), "config": format!("f{n}"),
            "environment": format!("v{n}"), "surface": format!("u{n}"),
        },
        "changeSetId": format!("3fa85f64-5717-4562-b3fc-2c963f66af{n:02}"),
    })
}

fn actors(text: &str) -> Vec<String> {
    lines(text).iter().map(|event| event["actor"]["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_filter_selects() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[event(1), event(2), event(3)]);
    for (option, value) in [
        ("--action", "kind2.made"),
        ("--action", "kind2.*"),
        ("--category", "c2"),
        ("--actor-kind", "k2"),
        ("--actor-id", "a2"),
        ("--actor-email", "E2"),
        ("--actor-ip", "192.0.2.2"),
        ("--on-behalf-of-id", "b2"),
        ("--session-id", "z2"),
        ("--involving", "a2"),
        ("--involving", "b2"),
        ("--involving", "i2"),
        ("--outcome", "r2"),
        ("--severity", "y2"),
        ("--target", "t2=i2"),
        ("--target-type", "t2"),
        ("--target-id", "i2"),
        ("--named-organization-id", "o2"),
        ("--service", "s2"),
        ("--product", "p2"),
        ("--config", "f2"),
        ("--environment", "v2"),
        ("--surface", "u2"),
        ("--change-set-id", "3FA85F64-5717-4562-B3FC-2C963F66AF02"),
        ("--request-id", "q2"),
        ("--trace-id", "00000000000000000000000000000002"),
        ("--source-system", "x2"),
        ("--source", "x2=1"),
        ("--attribute", "plan=l2"),
    ] {
        for command in ["list", "tail"] {
            let select = [command, "--organization", "platform", "--json", option, value];
            assert_eq!(actors(&sandbox.ok(&select)), ["a2"], "{option}");
        }
    }
    let list = |more: &[&str]| actors(&sandbox.ok(&[&PLATFORM[..], &["--json"], more].concat()));
    assert_eq!(list(&["--since", "2024-01-01T00:00:02Z"]), ["a3", "a2"]);
    assert_eq!(list(&["--until", "2024-01-01T00:00:02Z"]), ["a1"]);
    assert_eq!(list(&["--actor-id", "a1", "--actor-id", "a3"]), ["a3", "a1"]);
    assert_eq!(list(&["--actor-id", "a1", "--category", "c2"]), [""; 0]);
}

#[test]
fn pages_continue_by_token() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[event(3), event(1), event(2)]);
    for (order, sorted) in [
        (&[][..], ["a3", "a2", "a1"]),
        (&["--order", "newest"], ["a3", "a2", "a1"]),
        (&["--order", "oldest"], ["a1", "a2", "a3"]),
        (&["--order", "sequence"], ["a3", "a1", "a2"]),
    ] {
        let list = [&PLATFORM[..], order, &["--json"]].concat();
        assert_eq!(actors(&sandbox.ok(&[&list[..], &["--all"]].concat())), sorted);
        let first = sandbox.run(&[&list[..], &["--limit", "2", "--total"]].concat());
        assert_eq!(actors(&first.out), sorted[..2]);
        let (total, next) = first.err.trim_end().split_once('\n').unwrap();
        assert_eq!(total, "total: 3");
        let token = next.strip_prefix("next: ").unwrap();
        let rest = sandbox.run(&[&list[..], &["--token", token]].concat());
        assert_eq!(actors(&rest.out), sorted[2..]);
        let previous = rest.err.trim_end().strip_prefix("previous: ").unwrap();
        let back = sandbox.run(&[&list[..], &["--limit", "2", "--token", previous]].concat());
        assert_eq!(actors(&back.out), sorted[..2]);
        let error =
            sandbox.fails(2, &[&list[..], &["--token", token, "--actor-id", "a1"]].concat());
        assert!(error.starts_with("error: the token is not valid here\nhint: "), "{error}");
    }
    for arguments in [&["--limit", "0"][..], &["--limit", "1001"], &["--all", "--limit", "5"]] {
        sandbox.fails(2, &[&PLATFORM[..], arguments].concat());
    }
}

#[test]
fn an_empty_page_and_a_missing_log_differ() {
    let sandbox = Sandbox::new();
    sandbox.organization();
    let ran = sandbox.run(&[&PLATFORM[..], &["--action", "none"]].concat());
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", "no events match\n"));
    for command in ["list", "tail"] {
        let nobody = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
        let error = sandbox.fails(2, &[command, "--organization", nobody]);
        assert!(error.contains("there is no organization"), "{error}");
    }
}

#[test]
fn control_characters_are_escaped_on_the_terminal() {
    let sandbox = Sandbox::new();
    let evil = "a\u{1b}[2Jb\u{9b}31m\r\nc\u{202e}d\u{2066}\u{7f}\u{7}é";
    let mut hostile = event(1);
    for path in ["/action", "/actor/email", "/targets/0/id"] {
        *hostile.pointer_mut(path).unwrap() = evil.into();
    }
    hostile["message"] = value!({"text": evil});
    sandbox.record("platform", &[hostile]);
    let organization = json(&sandbox.ok(&["organizations", "create", "--name", evil, "--json"]));
    let id = organization["id"].as_str().unwrap();
    assert_eq!(organization["name"], evil);

    let shown = r"a\u{1b}[2Jb\u{9b}31m\r\nc\u{202e}d\u{2066}\u{7f}\u{7}é";
    for (command, times) in [
        (&PLATFORM[..], 4),
        (&["tail", "--organization", "platform"], 4),
        (&["organizations", "list"], 1),
        (&["organizations", "show", id], 1),
    ] {
        let text = sandbox.ok(command);
        assert!(text.matches(shown).count() >= times, "{text}");
    }
    for command in [
        &PLATFORM[..],
        &["list", "--organization", "platform", "--json"],
        &["tail", "--organization", "platform", "--json"],
        &["export", "--organization", "platform", "--format", "jsonl"],
        &["organizations", "list"],
        &["organizations", "show", id, "--json"],
    ] {
        let text = sandbox.ok(command);
        let acts = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2066}".contains(c);
        assert!(!text.contains(acts), "{text:?}");
        assert!(text.contains('é'), "{text:?}");
    }
    let event = json(&sandbox.ok(&[&PLATFORM[..], &["--actor-email", evil, "--json"]].concat()));
    assert_eq!(event["message"]["text"], evil, "the value is the same");
}

#[test]
fn tail_shows_the_last_events_oldest_first() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[event(3), event(1), event(2)]);
    let tail = ["tail", "--organization", "platform", "--json", "-n"];
    for (count, last) in
        [("0", &[][..]), ("1", &["a3"]), ("2", &["a2", "a3"]), ("9", &["a1", "a2", "a3"])]
    {
        assert_eq!(actors(&sandbox.ok(&[&tail[..], &[count]].concat())), last);
    }
    assert_eq!(sandbox.ok(&["tail", "--organization", "platform"]).lines().count(), 3);
}

/// Starts a tail that follows. Returns the process and its output.
fn follow(sandbox: &Sandbox, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let tail = ["tail", "-f", "--organization", "platform"];
    let mut command = sandbox.command(&[&tail[..], arguments].concat());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

#[cfg(unix)]
#[test]
fn a_tail_follows_until_it_is_interrupted() {
    for name in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        sandbox.record("platform", &[event(1), event(2)]);
        let (mut child, mut output) = follow(&sandbox, &["-n", "1", "--json", "--category", "c2"]);
        let mut next = || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            json(&line)
        };
        assert_eq!(next()["sequence"], 2);
        // Another process records an older event, one that does not match, and a newer one.
        let mut late = event(2);
        late["occurredAt"] = "2000-01-01T00:00:00Z".into();
        let mut new = event(3);
        new["category"] = "c2".into();
        sandbox.record("platform", &[late, event(3), new]);
        assert_eq!((next()["sequence"].as_u64(), next()["sequence"].as_u64()), (Some(3), Some(5)));
        crate::sandbox::signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_tail_misses_nothing_of_a_log_that_grows() {
    const EVENTS: u64 = 3_000;
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[event(1)]);
    let new = |n| {
        let time = "2024-03-15T14:48:51Z";
        let actor = value!({"kind": "user"});
        value!({"action": "a", "actor": actor, "occurredAt": time, "reason": format!("{n}")})
    };
    let file = sandbox.file("many.jsonl", &(0..EVENTS).map(new).collect::<Vec<_>>());
    let mut command =
        sandbox.command(&["import", "--organization", "platform", "--from", "native", &file]);
    let mut import = command.stdout(Stdio::null()).spawn().unwrap();
    let (mut child, output) = follow(&sandbox, &["-n", "10000", "--json"]);
    let mut numbers = Vec::new();
    for line in output.lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        numbers.push(event["sequence"].as_u64().unwrap());
        if numbers.last() == Some(&(EVENTS + 1)) {
            break;
        }
    }
    assert!(numbers.into_iter().eq(1..=EVENTS + 1));
    assert!(import.wait().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_tail_ends_when_its_output_is_closed() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[event(1)]);
    let (mut child, mut output) = follow(&sandbox, &[]);
    output.read_line(&mut String::new()).unwrap();
    drop(output);
    // Even though no event is recorded.
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let sandbox = Sandbox::new();
    // More than a pipe holds.
    let event = |n| value!({"action": "a", "actor": {"kind": "user", "name": "x".repeat(500)}, "reason": format!("{n}")});
    sandbox.record("platform", &(0..1_000).map(event).collect::<Vec<_>>());
    for arguments in [
        &["list", "--organization", "platform", "--all", "--json"][..],
        &["list", "--organization", "platform", "--all"],
        &["tail", "--organization", "platform", "-n", "1000", "--json"],
        &["export", "--organization", "platform", "--format", "jsonl"],
        &["export", "--organization", "platform", "--format", "csv"],
    ] {
        let mut command = sandbox.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::with_capacity(16, child.stdout.take().unwrap());
        output.read_until(b'\n', &mut Vec::new()).unwrap();
        drop(output);
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()), "{arguments:?}");
    }
}
