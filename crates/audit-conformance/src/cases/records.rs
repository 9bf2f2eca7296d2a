//! Events as they are kept.

use audit_core::{LeafHash, Log, Sequence};

use crate::NewHarness;
use crate::samples::{event, full, mixed, new_log, sequence};
use crate::subject::Subject;

pub(crate) fn are_the_bytes_that_are_proved(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for log in [new_log(), Log::Platform] {
        let batch = [vec![full(), event(1).message("\0 \u{feff} 지불")], mixed(40)].concat();
        let receipts = subject.append(log, batch).expect("an append must succeed");
        let (entries, events) = (subject.entries(log), subject.events(log));
        assert_eq!(entries.len(), receipts.len(), "each event is kept once");
        for ((entry, event), receipt) in entries.iter().zip(&events).zip(&receipts) {
            let stored = &entry.event;
            assert_eq!(entry.sequence, receipt.sequence, "events are kept under their numbers");
            assert_eq!(entry.leaf, receipt.leaf, "an event is kept beside its own leaf");
            let leaf = LeafHash::of(&stored.record);
            assert_eq!(leaf, receipt.leaf, "a record is kept to the byte as it was hashed");
            let intact = stored.personal_is_intact().expect("a record is readable");
            assert_eq!(intact, Some(true), "the personal part is kept as it was hashed");
            let opened = stored.decode().expect("a stored event decodes");
            assert_eq!(opened, *event, "the stored event is the event read");
        }
    }
}

pub(crate) fn obey_every_argument(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for batch in mixed(40).chunks(7) {
        subject.put(log, batch);
    }
    let all = subject.entries(log);
    let numbers = all.iter().map(|entry| entry.sequence.get());
    assert!(numbers.eq(1..=40), "events are read by sequence, each once");
    let sizes: Vec<_> = all.iter().map(|entry| entry.event.size()).collect();
    for after in [0, 1, 20, 31, 32, 39, 40, 41, Sequence::MAX.get()] {
        let rest = all.iter().filter(|entry| entry.sequence.get() > after);
        let rest: Vec<_> = rest.cloned().collect();
        for limit in [1, 2, 33, 39, 40, 1_000] {
            for bytes in [0, 1, sizes[0], sizes[0] + 1, sizes.iter().sum(), usize::MAX] {
                let found = subject.try_entries(log, sequence(after), limit, bytes);
                let found = found.expect("stored events must be readable");
                // The first always; each further one while those before have fewer bytes.
                let mut size = 0;
                let fitting = rest.iter().take(limit).take_while(|entry| {
                    let fits = size == 0 || size < bytes;
                    size += entry.event.size();
                    fits
                });
                let fitting = fitting.count();
                let same = found == rest[..fitting];
                assert!(same, "after {after}, at most {limit}, {bytes} bytes: {}", found.len());
            }
        }
    }
}
