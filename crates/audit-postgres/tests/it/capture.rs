//! Changes of tables, captured by triggers: whoever makes them, in whatever SQL.

use audit_core::limits::MAX_PAGE_EVENTS;
use audit_core::{
    Actor, AuditContext, AuditEvent, AuditStoreExt as _, EventQuery, Log, Order, OrganizationId,
    StagingStore as _,
};
use audit_postgres::PostgresStore;
use audit_postgres_server::Database;
use futures_executor::block_on;
use serde_json::json;

use crate::client::StagingClient;
use crate::common::{database, open};
use crate::roles::url_of;

const TABLE: &str = "CREATE TABLE invoice (
    id bigint PRIMARY KEY, amount numeric(12, 2), note text, iban text, updated_at timestamptz)";

/// A database with a table, whose changes are captured with these options.
fn captured(options: &str) -> (Database, std::sync::Arc<PostgresStore>) {
    let database = database();
    let store = open(&database);
    database.sql(TABLE).unwrap();
    database.sql(&format!("SELECT audit.capture('invoice', '{options}')")).unwrap();
    (database, store)
}

/// Returns the events of a log, in their order.
fn events(store: &PostgresStore, log: Log) -> Vec<AuditEvent> {
    let query = EventQuery::new(log).order(Order::Sequence).limit(MAX_PAGE_EVENTS);
    let events = block_on(store.page(&query)).unwrap().events;
    assert_eq!(block_on(store.staged_counts()).unwrap().refused, 0, "each is an event");
    events
}

fn actions(events: &[AuditEvent]) -> Vec<&str> {
    events.iter().map(|event| event.action.as_str()).collect()
}

fn fields(event: &AuditEvent) -> Vec<&str> {
    event.change.diff.iter().map(|field| &field.field[..]).collect()
}

/// The JSON form of a context, as a service gives it.
fn context(actor: &str) -> String {
    let context = AuditContext::new(Actor::user(actor)).reason("asked").request_id("r_1");
    serde_json::to_string(&context).unwrap()
}

#[test]
fn each_changed_row_is_an_event_in_its_transaction() {
    let (database, store) = captured("{}");
    database.sql("INSERT INTO invoice VALUES (1, 1.10, 'a'), (2, 2, 'b'), (3, 3, 'c')").unwrap();
    database.sql("UPDATE invoice SET amount = amount + 1, note = 'x' WHERE id > 1").unwrap();
    database.sql("UPDATE invoice SET note = note").unwrap();
    database.sql("DELETE FROM invoice WHERE id = 2; TRUNCATE invoice").unwrap();
    database.sql("BEGIN; INSERT INTO invoice VALUES (9); ROLLBACK").unwrap();
    let events = events(&store, Log::Platform);
    let expected = [
        "invoice.created",
        "invoice.created",
        "invoice.created",
        "invoice.updated",
        "invoice.updated",
        "invoice.deleted",
        "invoice.truncated",
    ];
    assert_eq!(actions(&events), expected);
    let ids = events.iter().map(|event| event.targets[0].id.as_deref());
    let rows = [Some("1"), Some("2"), Some("3"), Some("2"), Some("3"), Some("2"), None];
    assert_eq!(ids.collect::<Vec<_>>(), rows);
    assert!(events.iter().all(|event| event.targets[0].kind.as_deref() == Some("invoice")));
    let updated = &events[3].change;
    assert_eq!(fields(&events[3]), ["amount", "note"]);
    assert_eq!(updated.diff[0].old, Some(json!("2.00")));
    assert_eq!(updated.diff[0].new, Some(json!("3.00")));
    assert_eq!(updated.old.as_ref().unwrap()["note"], "b");
    assert_eq!(updated.new.as_ref().unwrap()["note"], "x");
    assert_eq!((&events[0].change.old, &events[5].change.new), (&None, &None));
    assert_eq!(events[5].change.old.as_ref().unwrap()["id"], 2);
    // Ids rise with the time and within a statement.
    let ids: Vec<_> = events.iter().map(|event| *event.id.as_uuid()).collect();
    assert!(ids.is_sorted() && ids.iter().all(|id| id.get_version_num() == 7), "{ids:?}");
}

#[test]
fn the_context_of_the_transaction_is_recorded_or_the_user_of_the_database() {
    let (database, store) = captured(r#"{"type": "bill"}"#);
    let client = StagingClient::connect(database.url());
    let other = Log::organization(OrganizationId::new());
    client.run(&format!(
        "BEGIN; SELECT audit.set_context('{}'); INSERT INTO invoice VALUES (1); COMMIT;
         INSERT INTO invoice VALUES (2);
         BEGIN; SELECT audit.set_context('{}', '{other}'); INSERT INTO invoice VALUES (3);
         SAVEPOINT s; SELECT audit.set_context('{}', '{other}'); ROLLBACK TO s;
         INSERT INTO invoice VALUES (4); COMMIT",
        context("ana"),
        context("bea"),
        context("eve"),
    ));
    let of_platform = events(&store, Log::Platform);
    assert_eq!(actions(&of_platform), ["bill.created", "bill.created"]);
    let [with, without] = &of_platform[..] else { panic!("two events") };
    assert_eq!((with.actor.kind.as_str(), with.actor.id.as_deref()), ("user", Some("ana")));
    assert_eq!((with.reason.as_deref(), with.request.id.as_deref()), (Some("asked"), Some("r_1")));
    let actor = (without.actor.kind.as_str(), without.actor.id.as_deref());
    assert_eq!(actor, ("database_user", Some("postgres")), "a context ends with its transaction");
    let metadata = &without.metadata["database"];
    assert_eq!(
        (&metadata["table"], &metadata["user"]),
        (&json!("public.invoice"), &json!("postgres"))
    );
    let actors: Vec<_> =
        events(&store, other).into_iter().filter_map(|event| event.actor.id).collect();
    assert_eq!(actors, ["bea", "bea"]);
    for (wrong, code) in [
        ("NULL", "22023"),
        ("'{}'", "22023"),
        (r#"'{"v":2,"actor":{"kind":"user"}}'"#, "22023"),
        (r#"'{"v":1,"actor":{"kind":"user"}}', 'acme'"#, "22P02"),
    ] {
        assert_eq!(client.fails(&format!("SELECT audit.set_context({wrong})")).1, code, "{wrong}");
    }
}

#[test]
fn columns_are_masked_or_left_out_before_they_are_staged() {
    let (database, store) = captured(r#"{"mask": ["iban"], "skip": ["updated_at"]}"#);
    let client = StagingClient::connect(database.url());
    // In one transaction, so that nothing is taken in before it is looked at.
    client.run(
        "BEGIN; INSERT INTO invoice VALUES (1, 1, 'a', 'DE1', now()), (2, 1, 'b', NULL, now());
         UPDATE invoice SET iban = 'DE2'; UPDATE invoice SET updated_at = now() + '1 day';
         UPDATE invoice SET note = 'c' WHERE id = 1",
    );
    let seen = "SELECT count(*) FROM audit.staged WHERE body ~ 'DE[12]|updated_at'";
    assert_eq!(client.number("SELECT count(*) FROM audit.staged"), 5);
    assert_eq!(client.number(seen), 0, "the queue has neither");
    client.run("COMMIT");
    let events = events(&store, Log::Platform);
    let masked = || Some(json!("[redacted]"));
    assert_eq!(events[0].change.new.as_ref().unwrap()["iban"], "[redacted]");
    assert_eq!(events[1].change.new.as_ref().unwrap()["iban"], json!(null));
    let sides =
        |event: &AuditEvent| (event.change.diff[0].old.clone(), event.change.diff[0].new.clone());
    assert_eq!((fields(&events[2]), sides(&events[2])), (vec!["iban"], (masked(), masked())));
    assert_eq!(sides(&events[3]), (Some(json!(null)), masked()), "it was not set before");
    assert_eq!(fields(&events[4]), ["note"], "what did not change is no field");
}

#[test]
fn masks_hold_for_columns_of_any_name_and_type_and_for_rows_cut_short() {
    let database = database();
    let store = open(&database);
    let client = StagingClient::connect(database.url());
    client.run(
        r#"CREATE TABLE "it's" ("a""b'" text PRIMARY KEY, "%s $1" json, gone int, plain text);
        SELECT audit.capture('"it''s"', '{"mask": ["a\"b''", "%s $1"], "skip": ["gone"]}');
        ALTER TABLE "it's" DROP COLUMN gone; ALTER TABLE "it's" ADD COLUMN later text;
        BEGIN; INSERT INTO "it's" VALUES ('secret', '{"secret": 1}', 'p', 'l');
        UPDATE "it's" SET "%s $1" = '{"secret": 2}'; UPDATE "it's" SET "%s $1" = '{"secret": 2}';
        UPDATE "it's" SET plain = repeat('x', 2000000)"#,
    );
    assert_eq!(client.number("SELECT count(*) FROM audit.staged"), 3);
    assert_eq!(client.number("SELECT count(*) FROM audit.staged WHERE body ~ 'secret'"), 0);
    client.run(
        r#"COMMIT; SELECT audit.uncapture('"it''s"'); UPDATE "it's" SET plain = 's';
        SELECT audit.capture('"it''s"', '{"mask": ["%s $1"], "each": "statement"}');
        BEGIN; UPDATE "it's" SET plain = 'q', "%s $1" = '{"secret": 3}'; COMMIT"#,
    );
    let events = events(&store, Log::Platform);
    let new = json!({"a\"b'": "[redacted]", "%s $1": "[redacted]", "plain": "p", "later": "l"});
    assert_eq!(events[0].change.new, Some(new));
    assert_eq!(fields(&events[1]), ["%s $1"]);
    assert!(events[2].change.truncated);
    assert_eq!(events[2].targets[0].id.as_deref(), Some("[redacted]"));
    let change = &events[3].metadata["changes"][0]["diff"];
    assert!(change.to_string().contains("[redacted]") && !change.to_string().contains("secret"));
}

#[test]
fn many_rows_at_once_are_captured_as_one_by_one() {
    let database = database();
    let store = open(&database);
    let log = |n: u128| Log::organization(OrganizationId::from_uuid(uuid::Uuid::from_u128(n)));
    let create = |table: &str, organization: u8| {
        let sql = format!(
            r#"CREATE TABLE {table} (id int PRIMARY KEY, "o's" uuid, "a b" text, n numeric, j json);
            SELECT audit.capture('{table}', '{{"type": "t", "mask": ["a b", "j"], "skip": ["n"],
                "logColumn": "o''s"}}');
            CREATE FUNCTION change_{table}(first int, last int) RETURNS void LANGUAGE sql AS $$
                INSERT INTO {table} SELECT i, lpad('{organization}', 32, '0')::uuid,
                    nullif('secret ' || i % 5, 'secret 0'), i, '{{"s": 1}}'
                    FROM generate_series(first, last) i;
                UPDATE {table} SET "a b" = 'secret 1', n = n + 1 WHERE id BETWEEN first AND last;
                DELETE FROM {table} WHERE id BETWEEN first AND last;
            $$"#
        );
        database.sql(&sql).unwrap();
    };
    create("few", 1);
    create("many", 2);
    database.sql("SELECT change_few(i, i) FROM generate_series(1, 40) i").unwrap();
    database.sql("SELECT change_many(1, 40)").unwrap();
    let changes = |log| {
        let of_event = |event: AuditEvent| {
            (event.targets[0].id.clone(), event.action.to_string(), event.change)
        };
        let mut changes: Vec<_> = events(&store, log).into_iter().map(of_event).collect();
        changes.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        changes
    };
    let few = changes(log(1));
    assert_eq!(few.len(), 40 + 32 + 40, "eight of the rows were not changed");
    assert!(few.iter().all(|(_, _, change)| !format!("{change:?}").contains("secret")));
    let without_organization = |mut changes: Vec<(_, _, audit_core::Change)>| {
        for (_, _, change) in &mut changes {
            for side in [&mut change.old, &mut change.new] {
                side.as_mut().and_then(|row| row.as_object_mut()).map(|row| row.remove("o's"));
            }
            change.diff.retain(|field| field.field != "o's");
        }
        changes
    };
    assert_eq!(without_organization(changes(log(2))), without_organization(few));
}

#[test]
fn a_statement_is_one_event_with_a_bound_and_a_count() {
    let (database, store) = captured(r#"{"each": "statement", "rows": 2, "skip": ["note"]}"#);
    database.sql("INSERT INTO invoice SELECT n, n FROM generate_series(1, 50) n").unwrap();
    database.sql("UPDATE invoice SET amount = amount + 1 WHERE id > 10").unwrap();
    database.sql("UPDATE invoice SET note = 'only this'").unwrap();
    database.sql("UPDATE invoice SET amount = 0 WHERE false").unwrap();
    database.sql("DELETE FROM invoice WHERE id <= 2; TRUNCATE invoice").unwrap();
    let events = events(&store, Log::Platform);
    let expected = ["invoice.created", "invoice.updated", "invoice.deleted", "invoice.truncated"];
    assert_eq!(actions(&events), expected);
    let counts: Vec<_> = events.iter().map(|event| event.attributes.get("count")).collect();
    assert_eq!(counts, [Some("50"), Some("40"), Some("2"), None]);
    let truncated: Vec<_> = events.iter().map(|event| event.change.truncated).collect();
    assert_eq!(truncated, [true, true, false, false]);
    let changes = &events[1].metadata["changes"];
    assert_eq!(changes.as_array().unwrap().len(), 2);
    assert_eq!(changes[0]["diff"][0], json!({"field": "amount", "old": "11.00", "new": "12.00"}));
    assert_eq!(events[1].targets[1].id, Some(changes[1]["id"].as_str().unwrap().to_owned()));
}

#[test]
fn values_of_every_type_are_recorded_exactly() {
    let database = database();
    let store = open(&database);
    database
        .sql(
            r#"CREATE DOMAIN price AS numeric;
            CREATE TABLE "Odd Name" (
                "Id" uuid PRIMARY KEY, n numeric, p price, f float8, b bytea, t timestamptz, d date,
                i interval, a int[], j json, jb jsonb, e text, big bigint);
            SELECT audit.capture('"Odd Name"');
            SET timezone = 'Asia/Tokyo'; SET bytea_output = 'escape'; SET extra_float_digits = 0;
            SET datestyle = 'German';
            INSERT INTO "Odd Name" VALUES ('00000000-0000-0000-0000-000000000007',
                1234567890123456789012.10, 0.10, 0.1::float8 + 0.2::float8, '\x00ff',
                '2026-01-01 00:00+00', '2026-02-01', '1 day', '{1,NULL}', '{"x": 1, "x": "\u0000"}',
                '{"x": 1.50}', NULL, 9223372036854775807);
            UPDATE "Odd Name" SET n = 'NaN'"#,
        )
        .unwrap();
    let events = events(&store, Log::Platform);
    let new = events[0].change.new.as_ref().unwrap();
    let expected = json!({
        "Id": "00000000-0000-0000-0000-000000000007",
        "n": "1234567890123456789012.10", "p": "0.10", "f": 0.300_000_000_000_000_04,
        "b": "\\x00ff", "t": "2026-01-01T00:00:00+00:00", "d": "2026-02-01", "i": "1 day",
        "a": [1, null], "j": r#"{"x": 1, "x": "\u0000"}"#, "jb": {"x": 1.5}, "e": null,
        "big": 9_223_372_036_854_775_807_i64,
    });
    assert_eq!(*new, expected);
    assert_eq!(events[0].action.as_str(), "Odd Name.created");
    assert_eq!(events[1].change.diff[0].new, Some(json!("NaN")));
}

#[test]
fn rows_go_to_the_log_of_their_organization() {
    let database = database();
    let store = open(&database);
    database
        .sql(
            r#"CREATE TABLE member (id int PRIMARY KEY, organization uuid, name text);
            SELECT audit.capture('member', '{"logColumn": "organization"}');
            INSERT INTO member VALUES (1, '00000000-0000-0000-0000-000000000001'), (2, NULL),
                (3, '00000000-0000-0000-0000-000000000002');
            UPDATE member SET name = 'x' WHERE id = 1; DELETE FROM member WHERE id = 1"#,
        )
        .unwrap();
    let log = |n: u128| Log::organization(OrganizationId::from_uuid(uuid::Uuid::from_u128(n)));
    let expected = ["member.created", "member.updated", "member.deleted"];
    assert_eq!(actions(&events(&store, log(1))), expected);
    for log in [log(2), Log::Platform] {
        assert_eq!(actions(&events(&store, log)), ["member.created"]);
    }
}

#[test]
fn a_row_that_is_very_long_is_recorded_without_its_values() {
    let (database, store) = captured("{}");
    database.sql("INSERT INTO invoice (id, note) VALUES (1, repeat('x', 5000000))").unwrap();
    database.sql("UPDATE invoice SET note = repeat('y', 5000000)").unwrap();
    for event in events(&store, Log::Platform) {
        assert!(event.change.truncated && event.change.new.is_none());
        assert_eq!(event.targets[0].id.as_deref(), Some("1"));
    }
}

#[test]
fn capture_ends_and_refuses_what_it_does_not_know() {
    let (database, store) = captured("{}");
    let client = StagingClient::connect(database.url());
    for (arguments, code) in [
        (r#"'invoice', '{"masks": []}'"#, "22023"),
        (r#"'invoice', '{"mask": ["ibann"]}'"#, "42703"),
        (r#"'invoice', '{"logColumn": "note"}'"#, "42804"),
        (r#"'invoice', '{"each": "day"}'"#, "22023"),
        (r#"'invoice', '{"rows": 1001}'"#, "22023"),
        (r#"'invoice', '{"log": "acme"}'"#, "22P02"),
        ("'audit.staged'", "22023"),
        ("'nothing'", "42P01"),
    ] {
        let error = client.fails(&format!("SELECT audit.capture({arguments})"));
        assert_eq!(error.1, code, "{arguments}: {error:?}");
    }
    // A role without any right to the schema changes a captured table.
    let role = format!("writer_{}", database.name());
    client.run(&format!("CREATE ROLE {role} LOGIN; GRANT INSERT ON invoice TO {role}"));
    let writer = StagingClient::connect(&url_of(&database, &role));
    writer.run("INSERT INTO invoice VALUES (1)");
    assert_eq!(writer.fails("SELECT audit.capture('invoice')").1, "42501");
    drop(writer);
    client.run("SELECT audit.uncapture('invoice'); SELECT audit.uncapture('invoice')");
    client.run(&format!("UPDATE invoice SET id = 2; DROP OWNED BY {role}; DROP ROLE {role}"));
    let events = events(&store, Log::Platform);
    assert_eq!(actions(&events), ["invoice.created"]);
    assert_eq!(events[0].actor.id.as_deref(), Some(&role[..]));
}
