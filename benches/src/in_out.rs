//! Measures the way in and out: records of another system that are mapped and appended, and events that are
//! written in the formats of others, beside reading the same events.

use std::path::Path;
use std::time::{Duration, Instant};

use audit_core::backend::{PersonalData, PreparedEvent, StoredEvent};
use audit_core::{
    AuditStore as _, AuditStoreExt as _, EventQuery, FeedStart, Log, NewEvent, Order,
};
use audit_export::{Encoder, Format};
use audit_import::Mapping;
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::Result;
use crate::rows::{Bar, Row, median, rate};

/// The events of an append, as the program imports them.
const BATCH: usize = 1_000;
/// The events of a page, as the program exports them.
const PAGE: usize = 100;
/// How often each rate is measured.
const ROUNDS: usize = 3;

/// Returns a record of CloudTrail of about 1.25 KB.
fn record(number: u64) -> String {
    let (user, instance) = (number % 500, number % 5_000);
    let verb = ["DescribeInstances", "StartInstances", "StopInstances", "GetConsoleOutput"];
    let name = verb[usize::try_from(number % 4).unwrap_or_default()];
    let record = json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "AssumedRole", "principalId": format!("AROAEXAMPLE{user:08}:session-{user}"),
            "arn": format!("arn:aws:sts::111122223333:assumed-role/deploy/session-{user}"),
            "accountId": "111122223333", "accessKeyId": format!("ASIAEXAMPLE{user:09}"),
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": format!("AROAEXAMPLE{user:08}"),
                    "arn": "arn:aws:iam::111122223333:role/deploy",
                    "accountId": "111122223333", "userName": "deploy",
                },
                "attributes": {"creationDate": "2026-03-01T08:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": format!("2026-03-{:02}T{:02}:{:02}:{:02}Z", 1 + number / 86_400 % 28,
            number / 3_600 % 24, number / 60 % 60, number % 60),
        "eventSource": "ec2.amazonaws.com", "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": format!("203.0.113.{}", number % 250),
        "userAgent": "aws-cli/2.15.0 Python/3.11.6 Linux/6.1.0 exe/x86_64.debian.12",
        "requestParameters": {
            "instancesSet": {"items": [{"instanceId": format!("i-{instance:017x}")}]},
            "filterSet": {},
        },
        "responseElements": null, "requestID": format!("{number:08x}-0000-4000-8000-000000000001"),
        "eventID": format!("{number:08x}-0000-4000-8000-000000000002"), "readOnly": true,
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "111122223333",
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": "ec2.eu-central-1.amazonaws.com",
        },
    });
    record.to_string()
}

fn mapped(mapping: &Mapping, lines: &[String]) -> Result<Vec<NewEvent>> {
    Ok(lines
        .iter()
        .map(|line| mapping.read_one(line.as_bytes(), None))
        .collect::<audit_core::Result<_>>()?)
}

fn mapping() -> Result<&'static Mapping> {
    Mapping::builtin("cloudtrail").ok_or_else(|| "no mapping".into())
}

/// Measures the mapping of records, and their import into a file.
pub(crate) fn import(directory: &Path, count: u64) -> Result<Vec<Row>> {
    let mapping = mapping()?;
    let lines: Vec<_> = (0..count).map(record).collect();
    let bytes = lines.iter().map(String::len).sum::<usize>() as f64 / count as f64;
    let (mut maps, mut parses, mut imports, mut appends) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for line in &lines {
            std::hint::black_box(audit_core::json::parse(line.as_bytes())?);
        }
        parses.push(rate(count, start.elapsed()));
        let start = Instant::now();
        for batch in lines.chunks(BATCH) {
            std::hint::black_box(mapped(mapping, batch)?);
        }
        maps.push(rate(count, start.elapsed()));
        let file = tempfile::Builder::new().prefix("audit-import").tempdir_in(directory)?;
        let store = SqliteStore::open(file.path().join("audit.db"))?;
        let (mut append_time, start) = (Duration::ZERO, Instant::now());
        for batch in lines.chunks(BATCH) {
            let events = mapped(mapping, batch)?;
            let begun = Instant::now();
            block_on(store.append(Log::Platform, events))?;
            append_time += begun.elapsed();
        }
        imports.push(rate(count, start.elapsed()));
        appends.push(rate(count, append_time));
    }
    let work = format!("map CloudTrail records of {bytes:.0} bytes, beside parsing them");
    Ok(vec![
        Row::new(work, "records/s", median(maps)).limit(median(parses)),
        Row::new(
            "map and append, one after the other, beside the append",
            "records/s",
            median(imports),
        )
        .limit(median(appends)),
    ])
}

/// Measures the export of a log in formats, beside three ways to read the same events: from the store, by
/// SQL from a table of their stored bytes, which are then decoded but were not sealed, and by SQL from a table
/// of the lines that the export writes.
pub(crate) fn export(directory: &Path, count: u64) -> Result<Vec<Row>> {
    let file = tempfile::Builder::new().prefix("audit-export").tempdir_in(directory)?;
    let store = SqliteStore::open(file.path().join("audit.db"))?;
    let mapping = mapping()?;
    for first in (0..count).step_by(BATCH) {
        let lines: Vec<_> = (first..count.min(first + BATCH as u64)).map(record).collect();
        block_on(store.append(Log::Platform, mapped(mapping, &lines)?))?;
    }
    let mut rows = Vec::new();
    for (format, bar) in [(Format::JsonLines, 0.6), (Format::Csv, 0.3), (Format::Ocsf, 0.3)] {
        let table = Connection::open(file.path().join(format!("{format}.db")))?;
        table.execute_batch(
            "CREATE TABLE line (number INTEGER PRIMARY KEY, text TEXT NOT NULL);
             CREATE TABLE event (number INTEGER PRIMARY KEY, record BLOB, salt BLOB, personal BLOB);",
        )?;
        let mut written = 0;
        let encoder = Encoder::new(format);
        let transaction = table.unchecked_transaction()?;
        each_page(&store, |event| {
            let mut text = Vec::new();
            encoder.write(event, &mut text)?;
            written += text.len();
            let text = std::str::from_utf8(&text)?;
            transaction.execute(
                "INSERT INTO line VALUES (?1, ?2)",
                params![event.sequence.as_i64(), text],
            )?;
            let prepared = PreparedEvent::new(&event.clone().into_content())?;
            let stored = prepared.into_stored(event.log, event.sequence, event.recorded_at);
            let personal = stored.personal.ok_or("an event without personal data")?;
            transaction.execute(
                "INSERT INTO event VALUES (?1, ?2, ?3, ?4)",
                params![event.sequence.as_i64(), stored.record, personal.salt, personal.bytes],
            )?;
            Ok(())
        })?;
        transaction.commit()?;
        let (mut ours, mut reads, mut decoded, mut sql) = (vec![], vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            each_page(&store, |event| {
                std::hint::black_box(event);
                Ok(())
            })?;
            reads.push(rate(count, start.elapsed()));
            let start = Instant::now();
            let (mut text, mut size) = (Vec::new(), 0);
            each_page(&store, |event| {
                text.clear();
                encoder.write(event, &mut text)?;
                size += text.len();
                Ok(())
            })?;
            ours.push(rate(count, start.elapsed()));
            decoded.push(rate(count, decoding(&table)?));
            let start = Instant::now();
            let mut read = 0;
            let mut statement = table.prepare("SELECT text FROM line ORDER BY number")?;
            let mut lines = statement.query([])?;
            while let Some(line) = lines.next()? {
                text.clear();
                text.extend_from_slice(line.get_ref(0)?.as_str()?.as_bytes());
                read += text.len();
            }
            sql.push(rate(count, start.elapsed()));
            if size != read || size != written {
                return Err("the sides differ".into());
            }
        }
        let (bytes, ours) = (written as f64 / count as f64, median(ours));
        let work = format!("export {format}, {bytes:.0} bytes an event, beside reading the events");
        let row = Row::new(work, "events/s", ours).limit(median(reads));
        rows.push(row.bar(Some(Bar::AtLeast(bar))));
        let work = "the same, beside SQL that reads and decodes what is not sealed";
        rows.push(Row::new(work, "events/s", ours).limit(median(decoded)));
        let work = "the same, beside SQL that reads the written lines";
        rows.push(Row::new(work, "events/s", ours).limit(median(sql)));
    }
    Ok(rows)
}

/// Returns how long SQL takes to read and decode all events.
fn decoding(table: &Connection) -> Result<Duration> {
    let start = Instant::now();
    let mut statement =
        table.prepare("SELECT record, salt, personal FROM event ORDER BY number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let personal = PersonalData::new(row.get(1)?, row.get(2)?);
        std::hint::black_box(StoredEvent::new(row.get(0)?, Some(personal)).decode()?);
    }
    Ok(start.elapsed())
}

/// Visits the events of the platform's log in their order.
fn each_page(
    store: &SqliteStore,
    mut visit: impl FnMut(&audit_core::AuditEvent) -> Result<()>,
) -> Result<()> {
    let query = EventQuery::new(Log::Platform).order(Order::Sequence).limit(PAGE);
    let mut page = block_on(store.feed(&query, FeedStart::Beginning))?;
    loop {
        page.events.iter().try_for_each(&mut visit)?;
        if page.caught_up {
            return Ok(());
        }
        page = block_on(store.next_feed(&query, &page.token))?;
    }
}
