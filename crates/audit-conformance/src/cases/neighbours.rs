//! The cost of the callers of one log for those of another. The order in which calls end shows it, whatever
//! time they take.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use audit_core::{AuditStoreExt as _, EventQuery, Filter};
use futures_util::future::join_all;

use crate::NewHarness;
use crate::samples::{event, events, mixed, new_log};
use crate::subject::Subject;

/// How many calls of the busy log are made at once.
const CALLS: usize = 120;
/// How many of them may have ended before a later call of a quiet log.
const MOST: usize = CALLS * 9 / 10;

/// How often a call may be late because the system did not run its thread. One that waits for all others
/// is late each time.
const ATTEMPTS: i64 = 5;

/// Makes [`CALLS`] calls at once and, when the first has ended, `other`. Fails if that ends after most
/// of them, at each attempt.
fn ends_early<F: Future<Output = ()> + Send>(
    subject: &Subject,
    call: impl Fn() -> F + Sync,
    other: impl Fn(i64),
    promise: &str,
) {
    let mut before = Vec::new();
    for attempt in 0..ATTEMPTS {
        let ended = ended_before(subject, &call, || other(attempt));
        if ended <= MOST {
            return;
        }
        before.push(ended);
    }
    panic!("{promise}: {before:?} of {CALLS} ended before it");
}

/// Makes [`CALLS`] calls at once and, when the first has ended, `other`. Returns how many of them ended
/// before that.
fn ended_before<F: Future<Output = ()> + Send>(
    subject: &Subject,
    call: &(impl Fn() -> F + Sync),
    other: impl FnOnce(),
) -> usize {
    let ended = AtomicUsize::new(0);
    let counted = || async {
        call().await;
        ended.fetch_add(1, Ordering::SeqCst);
    };
    thread::scope(|scope| {
        let calls = scope.spawn(|| subject.block_on(join_all((0..CALLS).map(|_| counted()))));
        while ended.load(Ordering::SeqCst) == 0 && !calls.is_finished() {
            thread::sleep(Duration::from_micros(100));
        }
        other();
        let before = ended.load(Ordering::SeqCst);
        calls.join().expect("the calls of the busy log succeed");
        before
    })
}

pub(crate) fn read_while_one_log_is_read(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let [busy, quiet] = [new_log(), new_log()];
    subject.put(busy, &mixed(2_000));
    let placed = subject.put(quiet, &events(2));
    let filter = Filter::new().action("item.updated").actor_id("u_1").target_type("item");
    let query = EventQuery::new(busy).filter(filter).limit(200);
    let read = || async {
        let page = subject.store().page(&query).await.expect("a log can be read by many");
        assert!(!page.events.is_empty());
    };
    let other = |_| assert_eq!(subject.get(quiet, placed[1].id).unwrap(), placed[1]);
    ends_early(&subject, read, other, "a look-up does not wait for all reads of another log");
    let other = |_| assert_eq!(subject.page(&EventQuery::new(quiet)).events.len(), 2);
    ends_early(&subject, read, other, "a page does not wait for all reads of another log");
}

pub(crate) fn append_while_one_log_grows(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let [busy, quiet] = [new_log(), new_log()];
    let append = || async {
        let receipts = subject.store().append(busy, events(250)).await;
        assert_eq!(receipts.expect("many can append to a log").len(), 250);
    };
    let other = |attempt| drop(subject.put(quiet, &[event(attempt)]));
    ends_early(&subject, append, other, "an append does not wait for all of another log");
}
