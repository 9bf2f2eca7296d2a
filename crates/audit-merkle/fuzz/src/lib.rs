//! Shared by the fuzz targets: a small log whose every byte is the same in each run, so that an
//! input means the same for ever, and edits of what the log has issued.
//!
//! A fuzzer finds no hash and no signature by chance. So beside reading any text each target takes
//! genuine ones and changes them as the input says: what is refused then was read to its end.

use std::collections::HashMap;

use audit_core::tree::NodeId;
use audit_core::{
    Sequence,
    backend::{PersonalData, StoredEvent},
};
use audit_merkle::{
    Checkpoint, CheckpointSigner, Evidence, Frontier, LeafHash, NodeHash, SignedCheckpoint,
    TreeHead, inclusion_proof,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The origin of the log, and the name of its key.
pub const ORIGIN: &str = "PeterNeumann";
/// The key of the log: one that the tests of Go's `sumdb/note` publish.
pub const KEY: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

/// A log of seven events.
pub struct Genuine {
    pub signer: CheckpointSigner,
    pub events: Vec<StoredEvent>,
    pub leaves: Vec<LeafHash>,
    pub nodes: HashMap<NodeId, NodeHash>,
    /// The head at each size, from none.
    pub heads: Vec<TreeHead>,
}

impl Genuine {
    /// The log.
    pub fn new() -> Self {
        let events: Vec<_> = (1..=7).map(event).collect();
        let leaves: Vec<_> = events.iter().map(|event| LeafHash::of(&event.record)).collect();
        let mut log = Self {
            signer: KEY.parse().unwrap(),
            events,
            leaves,
            nodes: HashMap::new(),
            heads: vec![TreeHead::EMPTY],
        };
        let mut frontier = Frontier::new();
        for (index, leaf) in (0..).zip(&log.leaves) {
            log.nodes.insert(NodeId::new(0, index), (*leaf).into());
            let completed = frontier.append(*leaf).unwrap();
            log.nodes.extend(completed.iter().map(|node| (node.id, node.hash)));
            log.heads.push(frontier.head());
        }
        log
    }

    /// The statement of the first `size` events.
    pub fn checkpoint(&self, size: usize) -> Checkpoint {
        Checkpoint::new(ORIGIN, self.heads[size]).unwrap()
    }

    /// The same with the signature of the log.
    pub fn signed(&self, size: usize) -> SignedCheckpoint {
        self.signer.sign_first(&self.checkpoint(size)).unwrap()
    }

    /// The evidence that event `number` is among the first `size`.
    pub fn evidence(&self, number: usize, size: usize) -> Evidence {
        let sequence = Sequence::new(number as u64).unwrap();
        let proof = inclusion_proof(&self.nodes, sequence, self.heads[size].size).unwrap();
        Evidence::new(self.events[number - 1].clone(), &proof, self.signed(size)).unwrap()
    }
}

impl Default for Genuine {
    fn default() -> Self {
        Self::new()
    }
}

/// An event as a store keeps it. One made by the library would have an id and a salt of its own.
fn event(number: u8) -> StoredEvent {
    let bytes = format!(r#"{{"email":"ana@acme.example","reason":"{number}"}}"#).into_bytes();
    let personal = PersonalData::new([number; 16], bytes);
    let digest = URL_SAFE_NO_PAD.encode(personal.digest());
    let time = "2024-03-15T12:48:51.000000Z";
    let record = format!(
        r#"{{"v":1,"log":"platform","sequence":{number},"recordedAt":"{time}","id":"018e4229-{number:04}-7000-8000-000000000000","occurredAt":"{time}","action":"invoice.paid","actor":{{"kind":"user","id":"u_7"}},"personal":"{digest}"}}"#
    );
    StoredEvent::new(record.into_bytes(), Some(personal))
}

/// A size that no log exceeds.
pub fn size(number: u64) -> Sequence {
    Sequence::new(number & Sequence::MAX.get()).unwrap()
}

/// One of `genuine`, by the first byte of `input`, changed with the help of another, by the second,
/// as the rest says.
pub fn changed(genuine: &[impl AsRef<[u8]>], input: &[u8]) -> Vec<u8> {
    let (choice, edits) = input.split_first_chunk().unwrap_or((&[0; 2], &[]));
    let [one, other] = choice.map(|number| genuine[usize::from(number) % genuine.len()].as_ref());
    edited(one, other, edits)
}

/// As [`changed`], of texts. What is no longer one is made one.
pub fn changed_text(genuine: &[String], input: &[u8]) -> String {
    String::from_utf8_lossy(&changed(genuine, input)).into_owned()
}

/// Each edit is four bytes: what is done, where (two), and with which byte.
fn edited(genuine: &[u8], other: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = genuine.to_vec();
    for &[what, high, low, byte] in edits.as_chunks().0 {
        let at = usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
        let end = (at + usize::from(byte)).min(bytes.len());
        match what % 9 {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << (byte % 8)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|b| *b = byte),
            2 => bytes.insert(at, byte),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            5 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            6 => bytes[at..end].rotate_left(usize::from(at < end)),
            7 => drop(bytes.splice(at.., other.iter().copied().skip(at))),
            _ => put_line(&mut bytes, at, other, byte.into()),
        }
    }
    bytes
}

/// Replaces line `to` by line `from` of `other`.
fn put_line(bytes: &mut Vec<u8>, to: usize, other: &[u8], from: usize) {
    let other: Vec<_> = other.split(|byte| *byte == b'\n').collect();
    let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    let to = to % lines.len();
    lines[to] = other[from % other.len()];
    *bytes = lines.join(&b'\n');
}

/// Reads `text`; what is read must print as it was, and print what is read the same again.
pub fn same<T>(text: &str) -> Option<T>
where
    T: std::str::FromStr + ToString,
{
    let read: T = text.parse().ok()?;
    assert_eq!(read.to_string(), text);
    Some(read)
}

/// As [`same`], of a type whose values can be compared.
pub fn equal<T>(text: &str) -> Option<T>
where
    T: std::str::FromStr + ToString + PartialEq,
{
    let read: T = same(text)?;
    assert!(text.parse().is_ok_and(|again: T| again == read));
    Some(read)
}

/// Reads JSON; what is read must print to a text that is read the same.
pub fn json<T>(text: &str) -> Option<T>
where
    T: serde::de::DeserializeOwned + serde::Serialize + PartialEq,
{
    let read: T = serde_json::from_str(text).ok()?;
    let printed = serde_json::to_string(&read).unwrap();
    assert!(serde_json::from_str(&printed).is_ok_and(|again: T| again == read));
    Some(read)
}
