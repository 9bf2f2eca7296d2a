//! A log in a store whose rows were edited without the library: each edit is a finding with its
//! place.

use std::time::Duration;

use crate::liar::{LOG, Liar, Rows, append, by, paid, store};
use audit_core::tree::NodeId;
use audit_core::{
    AuditStore, EntriesRequest, Erasure, ErrorKind, Filter, Head, LeafHash, Retention,
    RetentionStore as _, RetentionStoreExt as _, Sequence, TreeHead,
    backend::StoredEvent,
    tree::{Frontier, LogEntry, Node, NodeHash},
};
use audit_memory::MemoryStore;
use audit_merkle::{Finding, Reference, Report, Verdict, VerifyExt as _};
use futures_executor::block_on;

const SIZE: u64 = 53;

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

fn size(size: u64) -> Sequence {
    Sequence::new(size).unwrap()
}

fn head(store: &dyn AuditStore) -> TreeHead {
    block_on(store.tree_head(LOG)).unwrap()
}

fn verify(store: &dyn AuditStore, heads: &[TreeHead]) -> Report {
    block_on(store.verify(LOG).against(heads).into_future()).unwrap()
}

/// The findings with the checkpoints `kept`, and without any.
fn findings(store: &dyn AuditStore, kept: TreeHead) -> (Finding, Option<Finding>) {
    let report = verify(store, &[kept]);
    assert!(report.to_string().contains("WRONG"), "{report}");
    (report.finding.unwrap(), verify(store, &[]).finding)
}

fn changed(number: u64) -> Finding {
    Finding::Changed { first: sequence(number), last: sequence(number) }
}

fn set_retention(store: &MemoryStore, retention: Retention) {
    block_on(store.set_retention(LOG, retention, by())).unwrap();
}

/// Gives all rows new numbers, from 1 on.
fn renumber(rows: &mut Rows) {
    rows.iter_mut().zip(1..).for_each(|(row, n)| row.sequence = sequence(n));
}

#[test]
fn a_log_that_is_right_is_proved() {
    let store = store(2_500);
    let first = head(&store);
    append(&store, 100);
    let mut reported = Vec::new();
    let mut on_progress = |progress: audit_merkle::Progress| reported.push(progress.read.get());
    let report =
        block_on(store.verify(LOG).against([first]).on_progress(&mut on_progress).into_future())
            .unwrap();
    assert_eq!(reported, [1_000, 2_000, 2_600]);
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.proved, report.head), (size(2_500), head(&store)));
    // From a kept head on.
    let report = block_on(store.verify(LOG).since(first).into_future()).unwrap();
    assert!(report.is_intact(), "{report}");
    assert_eq!(
        (report.from, report.proved, report.head.size),
        (first.size, first.size, size(2_600))
    );
    // Nothing is kept, and nothing is there.
    assert_eq!(verify(&store, &[]).proved, size(0));
    let empty = MemoryStore::new().unwrap();
    let report = verify(&empty, &[TreeHead::EMPTY]);
    assert_eq!((report.verdict(), report.head), (Verdict::NothingVerified, TreeHead::EMPTY));
    let report = verify(&empty, &[first]);
    let reference = Reference::Checkpoint;
    assert_eq!(
        report.finding,
        Some(Finding::Shorter { found: size(0), expected: first.size, reference })
    );
}

#[test]
fn each_edit_of_the_rows_is_a_finding_at_its_place() {
    let store = store(SIZE);
    let kept = head(&store);
    for n in 1..=SIZE {
        let at = usize::try_from(n - 1).unwrap();
        // Changed, and of the same form.
        let liar = Liar::edited(&store, |rows| {
            let record = &mut rows[at].event.record;
            let text = String::from_utf8(record.clone()).unwrap().replace("inv_", "inv-");
            *record = text.into_bytes();
        });
        assert_eq!(findings(&liar, kept), (changed(n), Some(changed(n))));
        // Damaged.
        let liar = Liar::edited(&store, |rows| rows[at].event.record.truncate(9));
        assert_eq!(findings(&liar, kept), (changed(n), Some(changed(n))));
        // Deleted: a hole.
        let liar = Liar::edited(&store, |rows| drop(rows.remove(at)));
        let (found, expected) = (size(SIZE - 1), kept.size);
        let hole = |reference| match n {
            SIZE => Finding::Shorter { found, expected, reference },
            _ => Finding::OutOfOrder { expected: sequence(n), found: sequence(n + 1) },
        };
        assert_eq!(
            findings(&liar, kept),
            (hole(Reference::Checkpoint), Some(hole(Reference::StoreHead)))
        );
        // Deleted, and the rest moved up.
        let liar = Liar::edited(&store, |rows| {
            rows.remove(at);
            renumber(rows);
        });
        let (finding, by_itself) = findings(&liar, kept);
        assert_eq!(
            by_itself,
            Some(if n < SIZE { finding.clone() } else { hole(Reference::StoreHead) })
        );
        let moved =
            |at, from| Finding::Misplaced { at: sequence(at), log: LOG, sequence: sequence(from) };
        assert_eq!(finding, if n < SIZE { moved(n, n + 1) } else { hole(Reference::Checkpoint) });
        // Cut.
        let liar = Liar::edited(&store, |rows| rows.truncate(at));
        let cut = |reference| Finding::Shorter { found: size(n - 1), expected, reference };
        assert_eq!(
            findings(&liar, kept),
            (cut(Reference::Checkpoint), Some(cut(Reference::StoreHead)))
        );
        // The same number twice; inserted, and the rest moved down.
        let liar = Liar::edited(&store, |rows| rows.insert(at, rows[at].clone()));
        let (finding, by_itself) = findings(&liar, kept);
        assert_eq!(by_itself.as_ref(), Some(&finding));
        assert_eq!(finding, Finding::OutOfOrder { expected: sequence(n + 1), found: sequence(n) });
        let liar = Liar::edited(&store, |rows| {
            let leaf = rows[at].leaf; // the leaf that was there
            rows.insert(at, LogEntry::new(rows[at].sequence, leaf, forged(n)));
            renumber(rows);
        });
        assert_eq!(findings(&liar, kept), (changed(n), Some(changed(n))));
        // Swapped with another, and the leaves left.
        let other = usize::try_from((n + 16) % SIZE).unwrap();
        let first = at.min(other);
        let liar = Liar::edited(&store, |rows| {
            let event = rows[at].event.clone();
            rows[at].event = std::mem::replace(&mut rows[other].event, event);
        });
        let swapped = moved(first as u64 + 1, at.max(other) as u64 + 1);
        assert_eq!(findings(&liar, kept).0, swapped);
    }
}

#[test]
fn no_later_record_is_suspected_than_one_that_is_misplaced() {
    let store = store(100);
    let kept = head(&store);
    // With their leaves: only a tile shows it, which is of 32 records.
    let liar = Liar::edited(&store, |rows| {
        rows.swap(41, 76);
        renumber(rows);
    });
    let changed = Finding::Changed { first: sequence(33), last: sequence(42) };
    assert_eq!(findings(&liar, kept).0, changed);
}

#[test]
fn nodes_that_went_with_an_event_are_no_finding_of_their_own() {
    let store = store(100);
    let kept = head(&store);
    let mut liar = Liar::edited(&store, |rows| drop(rows.remove(41)));
    liar.nodes.insert(NodeId::new(5, 1), None);
    let report = verify(&liar, &[kept]);
    assert!(matches!(report.finding, Some(Finding::OutOfOrder { .. })), "{report}");
    assert_eq!(report.nodes, []);
}

/// An event that the log does not hold, as it would be at `number`.
fn forged(number: u64) -> StoredEvent {
    audit_core::backend::PreparedEvent::new(&paid(number)).unwrap().into_stored(
        LOG,
        sequence(number),
        audit_core::Timestamp::now(),
    )
}

/// A store in which nodes, frontier and head were computed again from the rows.
fn rebuilt(store: &MemoryStore, edit: impl FnOnce(&mut Rows)) -> Liar {
    let mut liar = Liar::edited(store, edit);
    let mut frontier = Frontier::new();
    for row in liar.rows.iter_mut().flatten() {
        row.leaf = LeafHash::of(&row.event.record);
        for Node { id, hash } in frontier.append(row.leaf).unwrap() {
            liar.nodes.insert(id, Some(hash));
        }
    }
    let size = sequence(frontier.size().get());
    let mut head = block_on(store.head(LOG)).unwrap();
    head.size = size;
    liar.head = Some(head);
    liar.frontier = Some(frontier);
    liar
}

#[test]
fn only_kept_heads_show_what_was_computed_again() {
    let store = store(20);
    let mut kept = vec![head(&store)];
    append(&store, SIZE - 20);
    kept.push(head(&store));
    let forgery = rebuilt(&store, |rows| rows[29].event = forged(30));
    assert!(verify(&forgery, &[]).is_intact());
    let report = verify(&forgery, &kept);
    assert_eq!(report.proved, size(20));
    let reference = Reference::Checkpoint;
    assert_eq!(
        report.finding,
        Some(Finding::RootMismatch { from: size(0), after: size(20), size: size(SIZE), reference })
    );
    // Cut, and the frontier with it.
    let cut = rebuilt(&store, |rows| rows.truncate(40));
    assert!(verify(&cut, &[]).is_intact());
    let finding = Finding::Shorter { found: size(40), expected: size(SIZE), reference };
    assert_eq!(verify(&cut, &kept).finding, Some(finding.clone()));
    let since = |head| block_on(cut.verify(LOG).since(head).into_future()).unwrap();
    assert_eq!(since(kept[1]).finding, Some(finding));
    assert!(since(kept[0]).is_intact());
    // From a head on that is not the log's.
    let other = TreeHead { size: size(30), ..kept[0] };
    let report = block_on(store.verify(LOG).since(other).into_future()).unwrap();
    assert_eq!(
        report.finding,
        Some(Finding::RootMismatch { from: size(30), after: size(0), size: size(30), reference })
    );
}

#[test]
fn an_edited_head_frontier_or_node_is_a_finding() {
    let store = store(SIZE);
    let kept = head(&store);
    let truth = block_on(store.head(LOG)).unwrap();
    // The head alone, either way.
    for other in [SIZE - 7, SIZE + 7] {
        let other = sequence(other);
        let head = Head::new(other, truth.recorded_at).pruned(truth.pruned);
        let liar = Liar { head: Some(head), ..Liar::new(&store) };
        let finding = Finding::HeadMismatch { head: other, frontier: size(SIZE) };
        assert_eq!(findings(&liar, kept), (finding.clone(), Some(finding)));
    }
    // The frontier alone: of another size, with another hash.
    let shorter = block_on(self::store(SIZE - 1).frontier(LOG)).unwrap();
    let liar = Liar { frontier: Some(shorter), ..Liar::new(&store) };
    let finding = Finding::HeadMismatch { head: size(SIZE), frontier: size(SIZE - 1) };
    assert_eq!(findings(&liar, kept), (finding.clone(), Some(finding)));
    let other = block_on(self::store(SIZE).frontier(LOG)).unwrap();
    let liar = Liar { frontier: Some(other), ..Liar::new(&store) };
    let report = verify(&liar, &[kept]);
    let reference = Reference::StoreHead;
    assert_eq!(
        report.finding,
        Some(Finding::RootMismatch {
            from: size(0),
            after: size(SIZE),
            size: size(SIZE),
            reference
        })
    );
    // Head and frontier were set back, and the rows were left.
    let mut liar = rebuilt(&store, |rows| rows.truncate(40));
    liar.rows = None;
    let finding = Finding::Longer { size: size(40), found: sequence(41) };
    assert_eq!(verify(&liar, &[]).finding, Some(finding));
    // A row far after the end.
    let far = sequence(1 << 40);
    let liar = Liar::edited(&store, |rows| {
        let first = rows[0].clone();
        rows.push(LogEntry::new(far, first.leaf, first.event));
    });
    let finding = Finding::Longer { size: size(SIZE), found: far };
    assert_eq!(findings(&liar, kept), (finding.clone(), Some(finding)));
    // A leaf; a node, changed or gone. The records are right.
    let leaf = Liar::edited(&store, |rows| rows[9].leaf = LeafHash::from_bytes([7; 32]));
    let node = |lie| Liar { nodes: [(NodeId::new(5, 0), lie)].into(), ..Liar::new(&store) };
    let (other, gone) = (node(Some(NodeHash::from_bytes([7; 32]))), node(None));
    for (liar, name) in [(leaf, (0, 9)), (other, (5, 0)), (gone, (5, 0))] {
        let report = verify(&liar, &[kept]);
        assert_eq!((report.finding.as_ref(), report.proved), (None, size(SIZE)));
        assert_eq!(report.nodes, [NodeId::new(name.0, name.1)]);
        assert!(report.to_string().contains("WRONG"));
    }
}

#[test]
fn edited_personal_data_is_a_finding() {
    let store = store(SIZE);
    let kept = head(&store);
    // Swapped: the records are right, the parts are not theirs.
    let liar = Liar::edited(&store, |rows| {
        let other = rows[8].event.personal.take();
        rows[8].event.personal = rows[30].event.personal.take();
        rows[30].event.personal = other;
    });
    let report = verify(&liar, &[kept]);
    assert_eq!((report.finding.as_ref(), report.proved), (None, size(SIZE)));
    assert_eq!(report.personal, [sequence(9), sequence(31)]);
    assert!(!report.is_intact() && report.to_string().contains("of 2 events was changed, first 9"));

    // Erased as it should be.
    let erase = |number: u64| {
        let target = Filter::new().target("invoice", format!("inv_{number}"));
        block_on(store.erase(LOG, Erasure::matching(target), by())).unwrap()
    };
    let part = block_on(
        store.entries(LOG, EntriesRequest::default().after(sequence(3)).limit(1).bytes(1)),
    )
    .unwrap()
    .remove(0)
    .event
    .personal;
    assert_eq!(erase(4).events, 1);
    append(&store, 10); // one more of each number
    let kept = head(&store);
    let report = verify(&store, &[kept]);
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.erased, report.declared_erased), (1, 1));

    // Deleted without an event; put back; one for the other.
    let missing = |from, missing, declared| Finding::UndeclaredErasure {
        from: sequence(from),
        missing,
        declared,
    };
    let liar = Liar::edited(&store, |rows| rows[59].event.personal = None);
    assert_eq!(findings(&liar, kept).0, missing(60, 1, 0));
    let liar = Liar::edited(&store, |rows| rows[19].event.personal = None);
    assert_eq!(findings(&liar, kept).0, missing(4, 2, 1));
    let liar = Liar::edited(&store, |rows| rows[3].event.personal.clone_from(&part));
    let restored = Finding::Restored { at: sequence(54), missing: 0, declared: 1 };
    assert_eq!(findings(&liar, kept).0, restored);
    let liar = Liar::edited(&store, |rows| {
        rows[3].event.personal.clone_from(&part);
        rows[59].event.personal = None;
    });
    assert_eq!(findings(&liar, kept).0, restored);
    // A misplaced record declares nothing.
    let liar = Liar::edited(&store, |rows| {
        rows[59].event.personal = None;
        rows[63].event = rows[53].event.clone();
    });
    let moved = Finding::Misplaced { at: sequence(64), log: LOG, sequence: sequence(54) };
    assert_eq!(findings(&liar, kept).0, moved);
}

#[test]
fn what_retention_has_left_is_verified_and_removal_has_to_be_declared() {
    let store = store(100);
    let first = head(&store);
    set_retention(&store, Retention::default().max_events(40));
    assert_eq!(block_on(store.prune(LOG, by().into())).unwrap().floor, sequence(32));
    let later = head(&store);
    append(&store, 60);
    let kept = [TreeHead { size: size(5), ..first }, first, later, head(&store)];
    let report = verify(&store, &kept);
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.from, report.proved), (size(32), kept[3].size));
    assert_eq!(report.skipped, kept[..1]);
    // Pruned again, and the event of it is found; from a head on, too.
    set_retention(&store, Retention::default().max_age(Duration::from_secs(1)).max_events(1));
    block_on(store.prune(LOG, by().into())).unwrap();
    let report = verify(&store, &kept);
    assert_eq!((report.is_intact(), report.from, report.proved), (true, size(160), kept[3].size));
    let since = |head| block_on(store.verify(LOG).since(head).into_future());
    assert_eq!(since(first).unwrap_err().kind(), ErrorKind::Gone);
    assert!(since(kept[3]).unwrap().is_intact());

    // A node that is kept for the events that are gone is no record that was changed.
    append(&store, 40);
    for (level, index) in [(5, 4), (7, 0)] {
        let mut liar = Liar::new(&store);
        liar.nodes.insert(NodeId::new(level, index), Some(NodeHash::from_bytes([7; 32])));
        let report = verify(&liar, &[head(&store)]);
        let Some(Finding::RootMismatch { from, .. }) = report.finding else {
            unreachable!("{report}")
        };
        assert_eq!(from, size(160));
        assert!(report.to_string().contains("with the stored nodes of the first 160"));
    }

    // The first events were taken away, and the head says that they were pruned.
    let store = self::store(100);
    let truth = block_on(store.head(LOG)).unwrap();
    let mut liar = Liar::edited(&store, |rows| drop(rows.drain(..64)));
    liar.head = Some(truth.pruned(sequence(64)));
    let finding = Finding::UndeclaredPruning { floor: sequence(64) };
    assert_eq!(findings(&liar, head(&store)), (finding.clone(), Some(finding)));
}

/// An action during a verification.
fn erase_one(store: &MemoryStore) {
    let filter = Filter::new().target("invoice", "inv_2000");
    assert_eq!(block_on(store.erase(LOG, Erasure::matching(filter), by())).unwrap().events, 1);
}

fn prune(store: &MemoryStore) {
    set_retention(store, Retention::default().max_events(500));
    assert!(block_on(store.prune(LOG, by().into())).unwrap().events > 1_000);
}

#[test]
fn appends_erasures_and_pruning_may_go_on() {
    let appends = |store: &MemoryStore| append(store, 10);
    let acts: [&(dyn Fn(&MemoryStore) + Sync); 3] = [&appends, &erase_one, &prune];
    for act in acts {
        let store = store(2_500);
        let kept = head(&store);
        let mut acted = false;
        let mut on_progress = |_| {
            if !std::mem::replace(&mut acted, true) {
                std::thread::scope(|scope| scope.spawn(|| act(&store)).join().unwrap());
            }
        };
        let report =
            block_on(store.verify(LOG).against([kept]).on_progress(&mut on_progress).into_future())
                .unwrap();
        assert!(report.is_intact(), "{report}");
        assert_eq!(report.proved, kept.size);
    }
}
