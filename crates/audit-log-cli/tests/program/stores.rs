//! Every command on a file and on a database: the same output, the same errors, the same exit codes.

use std::fmt::Write as _;

use serde_json::json as value;

use crate::sandbox::{Ran, SIGNING, Sandbox, json, payments};

const ACME: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
const NOBODY: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";

/// Runs commands on one store, and notes what each prints.
struct Player {
    sandbox: Sandbox,
    /// The store, as the program shows it.
    address: String,
    commands: Vec<String>,
    transcript: String,
}

impl Player {
    fn of_file() -> Self {
        Self::new(Sandbox::new(), "sqlite:audit.db".to_owned())
    }

    fn of_database() -> Self {
        let sandbox = Sandbox::of_postgres();
        // The port is the usual one.
        let address = sandbox.database().url().replace(":5432/", "/");
        Self::new(sandbox, address)
    }

    fn new(sandbox: Sandbox, address: String) -> Self {
        Self { sandbox, address, commands: Vec::new(), transcript: String::new() }
    }

    /// Runs a command, given as words, which must end with `code`. Returns its output.
    fn run(&mut self, code: i32, command: &str) -> Ran {
        let words: Vec<_> = command.split(' ').collect();
        let ran = self.sandbox.run(&words);
        assert_eq!(ran.code, Some(code), "{command} on {}: {ran:?}", self.address);
        self.commands.push(words[0].to_owned());
        let (out, err) = (self.same(&ran.out), self.same(&ran.err));
        let _ = write!(self.transcript, "$ {}\n{out}{err}", self.same(command));
        ran
    }

    /// Returns a text without what differs from run to run: times, random ids, hashes and secrets.
    fn same(&self, text: &str) -> String {
        let text = text.replace(&self.address, "STORE");
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-_:.+/=".contains(c);
        let mut same = String::new();
        for piece in text.split_inclusive(|c| !is_of_word(c)) {
            let word = piece.trim_end_matches(|c| !is_of_word(c));
            same.push_str(match word {
                _ if [ACME, NOBODY].contains(&word) => word,
                _ if uuid::Uuid::try_parse(word).is_ok() => "ID",
                _ if word.len() > 40 && !word.trim_end_matches('.').contains('.') => "HASH",
                _ if word.starts_with("audit.example.com+") => "KEY",
                _ if is_time(word) => "TIME",
                _ => word,
            });
            // A column is as wide as its longest value, and the zeros at the end of a time are not printed.
            let end = &piece[word.len()..];
            same.push_str(if end == " " && same.ends_with(' ') { "" } else { end });
        }
        same
    }
}

/// Returns `true` for a date, a time of the day, or both.
fn is_time(word: &str) -> bool {
    let is_digit = |at: usize| word.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let has = |at: usize, c: u8| word.as_bytes().get(at) == Some(&c);
    (is_digit(0) && is_digit(3) && has(4, b'-') && has(7, b'-')) || (is_digit(0) && has(2, b':'))
}

/// Runs every command that does the same on every store.
fn play(player: &mut Player) {
    let sandbox = &player.sandbox;
    let mut events = payments(0..40);
    for (number, event) in (1_u32..).zip(&mut events) {
        event["id"] = value!(format!("{number:08x}-5717-7562-b3fc-2c963f66afa6"));
        event["occurredAt"] = value!(format!("2026-11-{:02}T10:00:00Z", number % 28 + 1));
    }
    sandbox.file("events.jsonl", &events);
    let bad = [value!({"action": "", "actor": {"kind": "user"}}), value!({"action": "a.b"})];
    sandbox.file("bad.jsonl", &bad);
    sandbox.file("junk.checkpoint", &["junk"]);

    // Before there is a store.
    player.run(2, "organizations list");
    player.run(2, "verify --all");
    player.run(2, &format!("import --organization {ACME} --from native events.jsonl"));
    player.run(2, "reindex --all");
    player.run(2, "compact");

    player
        .run(0, &format!("organizations create --name Acme --id {ACME} --created-by a@b.example"));
    player.run(2, &format!("organizations create --name Acme --id {ACME}"));
    player.run(0, "organizations list");
    player.run(0, &format!("organizations show {ACME} --json"));
    player.run(2, &format!("organizations show {NOBODY}"));

    let create = format!("keys create --organization {ACME} --role admin --email gone@b.example");
    let key = json(&player.run(0, &format!("{create} --json")).out)["keyId"].clone();
    let key = key.as_str().unwrap();
    player.run(2, &create.replace(ACME, NOBODY));
    player.run(0, &format!("keys list --organization {ACME}"));
    player.run(2, &format!("keys forget {key}"));
    player.run(0, &format!("keys revoke {key}"));
    player.run(0, &format!("keys forget {key} --reason request-4711 --json"));
    player.run(2, &format!("keys revoke {NOBODY}"));

    player.run(0, &format!("import --organization {ACME} --from native --verify events.jsonl"));
    player.run(0, &format!("import --organization {ACME} --from native --json events.jsonl"));
    player.run(1, &format!("import --organization {ACME} --from native bad.jsonl"));
    player.run(2, &format!("import --organization {NOBODY} --from native events.jsonl"));

    let list = format!("list --organization {ACME}");
    player.run(0, &format!("{list} --total"));
    player.run(0, &format!("{list} --all --json --order sequence"));
    player.run(0, &format!("{list} --actor-id u_1 --since 2026-11-05 --until 2026-11-20 --wide"));
    let page = player.run(0, &format!("{list} --action invoice.* --limit 7 --json"));
    let token = page.err.trim_end().strip_prefix("next: ").unwrap();
    player.run(0, &format!("{list} --action invoice.* --limit 9 --token {token}"));
    player.run(2, &format!("{list} --action user.* --token {token}"));
    player.run(2, &format!("{list} --limit 0"));
    player.run(2, &format!("list --organization {NOBODY}"));
    player.run(0, &format!("{list} --around 5 --limit 4"));
    player.run(0, &format!("tail --organization {ACME} -n 3"));
    player.run(0, &format!("export --organization {ACME} --format jsonl"));
    player.run(0, &format!("export --organization {ACME} --format csv --actor-id u_2"));

    let verifier = player.sandbox.checkpoint_key();
    player.run(0, "checkpoint-key show audit.key");
    let signing = SIGNING.join(" ");
    player.run(0, &format!("checkpoint --all {signing}"));
    player.run(0, "verify --all");
    player.run(0, &format!("verify --all --checkpoints checkpoints --key {verifier} --json"));
    player.run(2, &format!("verify --all --checkpoint junk.checkpoint --key {verifier}"));
    let event = "00000007-5717-7562-b3fc-2c963f66afa6";
    player.run(0, &format!("prove --organization {ACME} {event} --output proof {signing}"));
    player.run(0, &format!("check proof --key {verifier}"));

    let erase = format!("erase --organization {ACME} --reason request-4711");
    player.run(0, &format!("{erase} --actor-id u_1 --dry-run"));
    player.run(2, &format!("{erase} --actor-id u_1"));
    player.run(0, &format!("{erase} --actor-id u_1 --yes --json"));
    player.run(2, &format!("{erase} --yes"));
    player.run(2, &format!("{erase} --yes --id {NOBODY}"));

    player.run(0, &format!("retention set --organization {ACME} --max-events 5 --legal-hold on"));
    player.run(2, &format!("prune --organization {ACME}"));
    player.run(0, "prune --all");
    player.run(2, &format!("{erase} --actor-id u_2 --yes"));
    player.run(0, &format!("retention set --organization {ACME} --legal-hold off --json"));
    player.run(0, &format!("prune --organization {ACME} --json"));
    player.run(0, &format!("retention show --organization {ACME}"));
    player.run(2, &format!("{list} --action invoice.* --token {token}"));

    player.run(0, &format!("checkpoint --organization {ACME} {signing}"));
    player.run(
        0,
        &format!("verify --organization {ACME} --checkpoints checkpoints --key {verifier}"),
    );
    player.run(0, "reindex --all");
    player.run(0, "completions fish");
}

#[test]
fn every_command_does_the_same_on_every_store() {
    let mut players = [Player::of_file(), Player::of_database()];
    players.iter_mut().for_each(play);
    let [file, database] = &players;
    for (of_file, of_database) in file.transcript.lines().zip(database.transcript.lines()) {
        assert_eq!(of_file, of_database);
    }
    assert_eq!(file.transcript.lines().count(), database.transcript.lines().count());
    // Compaction differs in its sizes, a copy of a database is made by other programs, mappings are of no
    // store, and a follower runs until it is ended.
    let elsewhere =
        ["backup", "compact", "forward", "help", "mappings", "restore", "serve", "staged"];
    let help = file.sandbox.ok(&["--help"]);
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().map_while(|line| line.strip_prefix("  "));
    let mut names =
        commands.filter(|line| !line.starts_with(' ')).map(|line| line.split(' ').next());
    assert!(names.clone().count() > 20);
    let is_played = |name: &str| file.commands.iter().any(|played| played == name);
    let missing =
        names.find(|name| name.is_none_or(|name| !is_played(name) && !elsewhere.contains(&name)));
    assert_eq!(missing, None, "it is run on both stores");
}

#[test]
fn a_database_is_compacted_and_not_copied() {
    let sandbox = Sandbox::of_postgres();
    sandbox.record("platform", &payments(0..3));
    let sizes = json(&sandbox.ok(&["compact", "--json"]));
    assert!(sizes["before"].as_u64() > Some(0) && sizes["after"].as_u64() > Some(0), "{sizes}");
    for command in [["backup", "copy.db"], ["restore", "copy.db"]] {
        let error = sandbox.fails(2, &command);
        assert!(
            error.contains("is not a file\nhint: ") && error.contains("pg_basebackup"),
            "{error}"
        );
    }
}
