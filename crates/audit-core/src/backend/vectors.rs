//! The golden vectors of the stored form. They were computed by another program, from
//! `docs/format.md` alone, and do not change while the format number is 1.

use serde::Deserialize;
use serde_json::Value;

use super::parts::Writer;
use super::{PreparedEvent, RecordedTime, StoredEvent};
use crate::tree::Frontier;
use crate::{Log, NewEvent, RootHash, Sequence, Timestamp, tree::LeafHash};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    event: Value,
    log: Log,
    sequence: Sequence,
    recorded_at: Timestamp,
    clock_reading: Option<Timestamp>,
    submitted_by: Option<String>,
    #[serde(default)]
    by_store: bool,
    salt: String,
    record: String,
    personal: String,
    digest: String,
    leaf: LeafHash,
}

#[derive(Deserialize)]
struct Tree {
    leaves: Vec<LeafHash>,
    root: RootHash,
    frontier: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn events_have_the_bytes_of_the_vectors() {
    let vectors = include_str!("../../tests/vectors/events.json");
    for vector in serde_json::from_str::<Vec<Vector>>(vectors).unwrap() {
        let mut content = NewEvent::from_json(vector.event.to_string().as_bytes()).unwrap();
        content.submitted_by = vector.submitted_by;
        let writer = if vector.by_store { Writer::Store } else { Writer::Caller };
        let salt = bytes(&vector.salt).try_into().unwrap();
        let prepared = PreparedEvent::with_salt(&content, writer, Timestamp::MIN, salt).unwrap();
        let (log, sequence) = (vector.log, vector.sequence);
        let (recorded_at, clock_reading) = (vector.recorded_at, vector.clock_reading);
        let time = RecordedTime { recorded_at, clock_reading };
        let stored: StoredEvent = prepared.into_stored(log, sequence, time);
        let personal = stored.personal.as_ref().unwrap();
        let name = &vector.name;
        assert_eq!(String::from_utf8_lossy(&personal.bytes), vector.personal, "{name}");
        assert_eq!(String::from_utf8_lossy(&stored.record), vector.record, "{name}");
        assert!(vector.record.ends_with(&format!(r#""personal":"{}"}}"#, vector.digest)), "{name}");
        assert_eq!(LeafHash::of(&stored.record), vector.leaf, "{name}");
        assert_eq!(stored.personal_is_intact().unwrap(), Some(true), "{name}");
        let event = stored.decode().unwrap();
        assert_eq!((event.log, event.sequence), (log, sequence), "{name}");
        assert_eq!((event.recorded_at, event.clock_reading), (recorded_at, clock_reading));
        assert_eq!(event.by_store, vector.by_store, "{name}");
        assert_eq!(event.into_content(), content, "{name}");
    }
}

#[test]
fn a_tree_has_the_bytes_of_the_vectors() {
    let vector = include_str!("../../tests/vectors/tree.json");
    let vector: Tree = serde_json::from_str(vector).unwrap();
    let mut frontier = Frontier::new();
    for (number, leaf) in (0_u64..).zip(vector.leaves) {
        assert_eq!(LeafHash::of(&number.to_be_bytes()), leaf);
        frontier.append(leaf).unwrap();
    }
    assert_eq!(frontier.head().root, vector.root);
    assert_eq!(frontier.to_bytes(), bytes(&vector.frontier));
}
