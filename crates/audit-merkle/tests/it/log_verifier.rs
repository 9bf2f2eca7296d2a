//! The verifier of a log: each change is found, and located as far as possible.

use crate::common::{Events, Tree, number, sequence, size};
use audit_core::tree::NodeId;
use audit_core::{ErrorKind, backend::StoredEvent};
use audit_merkle::{
    Finding, LeafHash, LogVerifier, NodeHash, Nodes, Reference, Report, TreeHead, frontier_at,
};

const SIZE: u64 = 53;

/// Records and their numbers.
type Records = Vec<(u64, Vec<u8>)>;

fn head(tree: &Tree, size: usize) -> TreeHead {
    tree.heads[size]
}

/// Reads records from their numbers on.
fn run(mut verifier: LogVerifier<'_>, records: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Report {
    for (number, record) in records {
        verifier.record(sequence(number), &record).unwrap();
    }
    verifier.finish()
}

fn records() -> Records {
    (1..=SIZE).map(|n| (n, number(n - 1))).collect()
}

#[test]
fn a_log_that_is_right_is_proved() {
    let tree = Tree::numbered(SIZE);
    let heads = [head(&tree, 53), head(&tree, 0), head(&tree, 20)];
    let verifier = LogVerifier::new(heads).with_nodes(&tree.nodes);
    let report = run(verifier, records());
    assert!(report.is_intact());
    assert_eq!((report.proved, report.head), (size(SIZE), tree.head()));
    // What came after the checkpoint is read, and not proved.
    let report = run(LogVerifier::new([head(&tree, 20)]), records()).into_result().unwrap();
    assert_eq!((report.proved, report.head.size), (size(20), size(SIZE)));
    // Without a checkpoint nothing is.
    assert_eq!(run(LogVerifier::new([]), records()).proved, size(0));
}

#[test]
fn each_change_of_the_rows_is_noticed() {
    let tree = Tree::numbered(SIZE);
    let verifier = || LogVerifier::new([tree.head()]);
    let noticed = |records: Records| {
        let report = run(verifier(), records);
        let error = report.clone().into_result().unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("records")));
        report.finding.unwrap()
    };
    for at in 0..records().len() {
        let place = at as u64 + 1;
        let edited = |edit: &dyn Fn(&mut Records)| {
            let mut records = records();
            edit(&mut records);
            records
        };
        let renumbered = |edit: &dyn Fn(&mut Records)| {
            let records = edited(edit).into_iter().enumerate();
            noticed(records.map(|(n, (_, record))| (n as u64 + 1, record)).collect())
        };
        // Changed.
        let finding = noticed(edited(&|records| records[at].1[0] ^= 1));
        assert_eq!(
            finding,
            Finding::RootMismatch {
                from: size(0),
                after: size(0),
                size: size(SIZE),
                reference: Reference::Checkpoint
            }
        );
        // Deleted: a hole; with new numbers, a log that is too short.
        let finding = noticed(edited(&|records| drop(records.remove(at))));
        assert_eq!(
            finding,
            if place == SIZE {
                Finding::Shorter {
                    found: size(SIZE - 1),
                    expected: size(SIZE),
                    reference: Reference::Checkpoint,
                }
            } else {
                Finding::OutOfOrder { expected: sequence(place), found: sequence(place + 1) }
            }
        );
        renumbered(&|records| drop(records.remove(at)));
        // Twice.
        if place < SIZE {
            let finding = noticed(edited(&|records| records.insert(at, records[at].clone())));
            let (expected, found) = (sequence(place + 1), sequence(place));
            assert_eq!(finding, Finding::OutOfOrder { expected, found });
            renumbered(&|records| records.insert(at, records[at].clone()));
            // Inserted, and swapped with the next.
            renumbered(&|records| records.insert(at, (0, b"inserted".to_vec())));
            renumbered(&|records| records.swap(at, at + 1));
            noticed(edited(&|records| records.swap(at, at + 1)));
        }
        // Cut.
        let finding = noticed(edited(&|records| records.truncate(at)));
        assert_eq!(
            finding,
            Finding::Shorter {
                found: size(at as u64),
                expected: size(SIZE),
                reference: Reference::Checkpoint
            }
        );
    }
}

#[test]
fn several_checkpoints_narrow_a_change_down() {
    let tree = Tree::numbered(SIZE);
    for at in 0..SIZE {
        let mut records = records();
        records[usize::try_from(at).unwrap()].1.push(0);
        let heads = [10, 20, 30, 53].map(|size| head(&tree, size));
        let report = run(LogVerifier::new(heads), records);
        let Some(Finding::RootMismatch { after, size, .. }) = report.finding else {
            unreachable!()
        };
        assert!((after.get()..size.get()).contains(&at), "{at} {after} {size}");
        assert_eq!(report.proved, after);
    }
}

/// Keeps some levels.
struct Levels<'a>(&'a Tree, std::ops::Range<u8>);

impl Nodes for Levels<'_> {
    fn node(&self, id: NodeId) -> audit_core::Result<Option<NodeHash>> {
        let kept = self.1.contains(&id.level);
        Ok(self.0.nodes.get(&id).copied().filter(|_| kept))
    }
}

#[test]
fn stored_nodes_show_the_place() {
    let tree = Tree::numbered(SIZE);
    let all = Levels(&tree, 0..64);
    let interior = Levels(&tree, 1..64);
    for at in 1..=SIZE {
        let changed = || {
            let mut records = records();
            records[usize::try_from(at - 1).unwrap()].1.push(0);
            records
        };
        let finding = |nodes: &(dyn Nodes + Sync)| {
            run(LogVerifier::new([tree.head()]).with_nodes(nodes), changed()).finding.unwrap()
        };
        // With the leaf hashes, the record itself.
        let exact = Finding::Changed { first: sequence(at), last: sequence(at) };
        assert_eq!(finding(&all), exact);
        // With the nodes above, the pair. The last of an odd log has none of its own.
        let pair = (at - 1) / 2 * 2;
        let (first, last) = (sequence(pair + 1), sequence(pair + 2));
        let expected = match at {
            SIZE => Finding::RootMismatch {
                from: size(0),
                after: size(0),
                size: size(SIZE),
                reference: Reference::Checkpoint,
            },
            _ => Finding::Changed { first, last },
        };
        assert_eq!(finding(&interior), expected);
        // A list of leaf hashes alone makes the nodes above, and so shows that it is the right one.
        assert_eq!(finding(&tree.leaves), exact);
    }
}

#[test]
fn nodes_that_were_changed_with_the_record_show_no_wrong_place() {
    let tree = Tree::numbered(SIZE);
    let mut forged = tree.clone();
    forged.nodes.insert(NodeId::new(0, 9), LeafHash::of(b"forged").into());
    forged.nodes.insert(NodeId::new(0, 3), LeafHash::of(b"damaged").into());
    let mut changed = records();
    changed[9].1 = b"forged".to_vec();
    let verifier = LogVerifier::new([tree.head()]).with_nodes(&forged.nodes);
    // The leaf hash was forged, too; the node above was not. The damaged one misleads nobody.
    let finding = run(verifier, changed.clone()).finding;
    assert_eq!(finding, Some(Finding::Changed { first: sequence(9), last: sequence(10) }));
    // All nodes were computed again: only the checkpoint shows it.
    let rebuilt = Tree::of(changed.iter().map(|(_, record)| record));
    for nodes in
        [&rebuilt.nodes as &(dyn Nodes + Sync), &Levels(&rebuilt, 3..64), &Levels(&rebuilt, 0..3)]
    {
        let verifier = LogVerifier::new([tree.head()]).with_nodes(nodes);
        let finding = run(verifier, changed.clone()).finding;
        assert_eq!(
            finding,
            Some(Finding::RootMismatch {
                from: size(0),
                after: size(0),
                size: size(SIZE),
                reference: Reference::Checkpoint
            })
        );
        // The other way round: the records are right, and the nodes are of other ones.
        let verifier = LogVerifier::new([tree.head()]).with_nodes(nodes);
        let report = run(verifier, records());
        assert_eq!((report.finding.clone(), report.proved), (None, size(SIZE)));
        assert!(!report.nodes.is_empty());
    }

    let mut forged = tree.clone();
    forged.nodes.insert(NodeId::new(0, 30), LeafHash::of(b"damaged").into());
    let verifier = LogVerifier::new([tree.head()]).with_nodes(&forged.nodes);
    let report = run(verifier, records());
    assert_eq!((report.finding.clone(), report.proved), (None, size(SIZE)));
    assert_eq!(report.nodes[0], NodeId::new(0, 30));
    assert_eq!(report.into_result().unwrap_err().field(), Some("nodes[0][30]"));
}

#[test]
fn erased_events_are_counted_and_change_nothing() {
    let mut events = Events::new(30);
    let head = events.tree.head();
    let run = |stored: &[StoredEvent]| {
        let mut verifier = LogVerifier::new([head]);
        for (event, n) in stored.iter().zip(1..) {
            verifier.event(sequence(n), event).unwrap();
        }
        verifier.finish()
    };
    assert_eq!(run(&events.stored).erased, 0);
    for at in [3, 4, 17] {
        events.stored[at].personal = None;
    }
    let report = run(&events.stored);
    assert_eq!((report.erased, report.proved, report.is_intact()), (3, size(30), true));

    let part = events.stored[8].personal.as_mut().unwrap();
    part.bytes[20] ^= 1;
    let report = run(&events.stored);
    assert_eq!((report.proved, &report.personal[..]), (size(30), &[sequence(9)][..]));
    assert_eq!(report.into_result().unwrap_err().field(), Some("personal[9]"));
}

#[test]
fn what_retention_leaves_is_audited() {
    let tree = Tree::numbered(SIZE);
    for pruned in 0..=SIZE {
        let mut left = tree.nodes.clone();
        left.retain(|id, _| id.is_retained(size(pruned)));
        let frontier = frontier_at(&left, size(pruned)).unwrap();
        let rest = || records().split_off(usize::try_from(pruned).unwrap());
        let verifier =
            LogVerifier::resume(frontier.clone(), [tree.head()]).unwrap().with_nodes(&left);
        let report = run(verifier, rest());
        assert!(report.is_intact() && report.proved == size(SIZE), "{pruned} {report:?}");
        if pruned > 0 {
            let other = Tree::of((0..pruned).map(|n| format!("other {n}"))).frontier;
            let report = run(LogVerifier::resume(other, [tree.head()]).unwrap(), rest());
            assert!(matches!(report.finding, Some(Finding::RootMismatch { .. })));
            let earlier = head(&tree, usize::try_from(pruned - 1).unwrap());
            assert_eq!(
                LogVerifier::resume(frontier, [earlier]).unwrap_err().field(),
                Some("heads")
            );
        }
    }
}
