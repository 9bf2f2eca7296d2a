//! The key of a group: what can be derived after punctures, its stored form, and its golden vectors.
#![allow(clippy::unwrap_used)]

use audit_core::backend::PersonalData;
use audit_core::{ErrorKind, LeafHash, Sequence};
use audit_sealing::{EventKey, Group, GroupKey};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::Deserialize;

fn at(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

/// Returns bytes that only this key makes.
fn mark(key: &EventKey) -> Vec<u8> {
    key.seal(LeafHash::of(b""), &PersonalData::new([0; 16], vec![0; 16]))
}

/// Returns the marks of the keys of the group of `first`.
fn marks(key: &GroupKey, first: u64) -> Vec<Option<Vec<u8>>> {
    (first..first + Group::EVENTS).map(|n| key.event_key(at(n)).as_ref().map(mark)).collect()
}

/// Returns the nodes of a stored key.
fn nodes(stored: &[u8]) -> Vec<[u8; 32]> {
    stored[5..].as_chunks().0.to_vec()
}

fn key_of(root: [u8; 32]) -> GroupKey {
    GroupKey::from_bytes(&[&[1, 0, 0, 0, 0][..], &root].concat()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn punctures_in_any_order_remove_these_keys_and_no_other(
        root: [u8; 32],
        group in 0_u64..1 << 40,
        punctures in vec(0_u64..32, 0..40),
    ) {
        let first = group * Group::EVENTS + 1;
        let mut key = key_of(root);
        let whole = marks(&key, first);
        prop_assert!(whole.iter().all(Option::is_some));
        for (number, leaf) in punctures.iter().enumerate() {
            let is_new = !punctures[..number].contains(leaf);
            prop_assert_eq!(key.puncture(at(first + leaf)), is_new);
            // As a process that has only the stored key sees it.
            key = GroupKey::from_bytes(&key.to_bytes()).unwrap();
        }
        for (leaf, (before, now)) in (0..).zip(whole.iter().zip(marks(&key, first))) {
            let expected = (!punctures.contains(&leaf)).then_some(before.as_ref().unwrap());
            prop_assert_eq!(now.as_ref(), expected);
        }
        let mut sorted = punctures.clone();
        sorted.sort_unstable();
        let mut in_order = key_of(root);
        for leaf in sorted {
            in_order.puncture(at(first + leaf));
        }
        prop_assert_eq!(in_order.to_bytes(), key.to_bytes());
        prop_assert!(nodes(&key.to_bytes()).len() <= 16);
    }

    #[test]
    fn a_range_has_the_keys_of_its_events(
        root: [u8; 32],
        punctures in vec(0_u64..32, 0..8),
        (from, to) in (0_u64..32, 0_u64..40),
    ) {
        let mut key = key_of(root);
        for leaf in punctures {
            key.puncture(at(65 + leaf));
        }
        let found = key.event_keys(at(65 + from)..=at(65 + to));
        let found: Vec<_> = found.iter().map(|key| key.as_ref().map(mark)).collect();
        let single = |n: u64| key.event_key(at(65 + n)).as_ref().map(mark);
        let expected: Vec<_> = (from..=to).map(|n| if n < 32 { single(n) } else { None }).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_bytes_are_a_key_or_an_error(bytes in vec(any::<u8>(), 0..600)) {
        if let Ok(key) = GroupKey::from_bytes(&bytes) {
            prop_assert_eq!(key.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_stored_key_has_one_length(punctured: u32, nodes in 0_usize..20, more in 0_usize..3) {
        let mut bytes = [&[1][..], &punctured.to_be_bytes()].concat();
        bytes.resize(5 + 32 * nodes + more, 7);
        match GroupKey::from_bytes(&bytes) {
            Ok(key) => {
                prop_assert_eq!(more, 0);
                let is_left = |n: u32| key.event_key(at(u64::from(n) + 1)).is_some();
                prop_assert!((0..32).all(|n| is_left(n) == (punctured >> n & 1 == 0)));
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
        }
    }
}

#[test]
fn no_node_above_a_removed_key_is_left() {
    let whole = key_of([3; 32]);
    // Removing all keys but those below one node leaves this node.
    let mut above = nodes(&whole.to_bytes());
    for below in [16, 8, 4, 2, 1] {
        let mut key = key_of([3; 32]);
        for leaf in below..32 {
            key.puncture(at(leaf + 1));
        }
        let kept = nodes(&key.to_bytes());
        assert_eq!(kept.len(), 1);
        above.extend(kept);
    }
    let mut key = key_of([3; 32]);
    key.puncture(at(1));
    let stored = key.to_bytes();
    assert_eq!(nodes(&stored).len(), 5);
    assert!(above.iter().all(|node| !stored.windows(32).any(|bytes| bytes == node)));
}

#[test]
fn no_key_is_left_of_a_group_that_is_erased() {
    let mut key = GroupKey::generate().unwrap();
    (1..=32).for_each(|n| assert!(key.puncture(at(n))));
    assert_eq!(key.to_bytes(), [1, 255, 255, 255, 255]);
    assert!(key.event_keys(at(1)..=at(32)).iter().all(Option::is_none));
}

#[test]
fn new_keys_differ_and_are_not_shown() {
    let (one, other) = (GroupKey::generate().unwrap(), GroupKey::generate().unwrap());
    assert_ne!(one.to_bytes(), other.to_bytes());
    assert_eq!(format!("{:?}", key_of([9; 32])), "GroupKey { punctured: 0, .. }");
    assert_eq!(format!("{:?}", one.event_key(at(1))), "Some(EventKey)");
}

#[test]
fn a_later_version_is_not_read() {
    let mut bytes = key_of([1; 32]).to_bytes();
    bytes[0] = 2;
    assert_eq!(GroupKey::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::Incompatible);
    bytes[0] = 0;
    assert_eq!(GroupKey::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[derive(Deserialize)]
struct Vectors {
    whole: String,
    punctures: Vec<Puncture>,
    sealed: Vec<Sealed>,
}

#[derive(Deserialize)]
struct Puncture {
    sequence: u64,
    stored: String,
}

#[derive(Deserialize)]
struct Sealed {
    sequence: u64,
    record: String,
    salt: String,
    personal: String,
    bytes: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The vectors were computed by another program, from `docs/format.md` alone.
#[test]
fn keys_and_sealed_data_have_the_bytes_of_the_vectors() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/group_key.json")).unwrap();
    let mut key = GroupKey::from_bytes(&bytes(&vectors.whole)).unwrap();
    let check = |key: &GroupKey| {
        for vector in &vectors.sealed {
            let leaf = LeafHash::of(vector.record.as_bytes());
            let salt = bytes(&vector.salt).try_into().unwrap();
            let data = PersonalData::new(salt, vector.personal.clone().into_bytes());
            let of_event = key.event_key(at(vector.sequence)).unwrap();
            assert_eq!(of_event.seal(leaf, &data), bytes(&vector.bytes));
            assert_eq!(of_event.unseal(leaf, bytes(&vector.bytes)), Some(data));
        }
    };
    check(&key);
    for puncture in &vectors.punctures {
        assert!(key.puncture(at(puncture.sequence)));
        assert_eq!(key.to_bytes(), bytes(&puncture.stored), "{}", puncture.sequence);
        check(&key);
    }
}
