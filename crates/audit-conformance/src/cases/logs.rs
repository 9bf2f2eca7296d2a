//! The list of logs: every log that ever held an event.

use audit_core::limits::MAX_LOGS_PAGE;
use audit_core::{AuditStore as _, ErrorKind, Log, Result};

use crate::NewHarness;
use crate::opens::Opens;
use crate::samples::{event, events, mixed, new_log};
use crate::subject::{Subject, everything, refused};

impl<H: Opens + ?Sized> Subject<H> {
    fn list_logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        self.block_on(self.store().logs(after, limit))
    }

    /// Returns all logs, read in pages of `limit`.
    pub(super) fn logs(&self, limit: usize) -> Vec<Log> {
        let mut logs = Vec::new();
        loop {
            let page = self.list_logs(logs.last().copied(), limit).expect("logs are listed");
            assert!(page.len() <= limit, "a page of logs holds at most its limit");
            let is_last = page.len() < limit;
            logs.extend(page);
            if is_last {
                return logs;
            }
            assert!(logs.len() < 1_000, "a listing of logs ends");
        }
    }
}

/// Returns twelve logs, the platform's among them, in an order of their own.
fn logs() -> Vec<Log> {
    let mut logs: Vec<_> = (0..11).map(|_| new_log()).collect();
    logs.sort_unstable();
    logs.rotate_left(5);
    logs.insert(3, Log::Platform);
    logs
}

pub(crate) fn are_listed_once_in_order(new: NewHarness<'_>) {
    let mut subject = Subject::new(new);
    assert_eq!(subject.logs(10), [], "a new store has no logs");
    let mut expected = Vec::new();
    for log in logs() {
        subject.put(log, &mixed(2));
        expected.push(log);
        expected.sort_unstable();
        assert_eq!(subject.logs(MAX_LOGS_PAGE), expected, "logs are listed once, in order");
    }
    for log in [expected[7], expected[0]] {
        subject.put(log, &events(40));
        assert_eq!(subject.logs(MAX_LOGS_PAGE), expected, "a log that grows is listed once");
    }
    subject = subject.reopen();
    assert_eq!(subject.logs(MAX_LOGS_PAGE), expected, "logs are listed after a reopen");
}

pub(crate) fn are_listed_by_pages(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let mut expected = logs();
    for log in &expected {
        subject.put(*log, &events(1));
    }
    expected.sort_unstable();
    let count = expected.len();
    for limit in [1, 2, 5, count - 1, count, count + 1, MAX_LOGS_PAGE] {
        assert_eq!(subject.logs(limit), expected, "pages of {limit} list each log once");
    }
    let unknown = [(); 5].map(|()| new_log());
    for after in expected.iter().chain(&unknown) {
        let page = subject.list_logs(Some(*after), 4).expect("logs are listed");
        let rest = expected.iter().filter(|log| *log > after).take(4).copied();
        assert_eq!(page, rest.collect::<Vec<_>>(), "a page begins after any log, known or not");
    }
}

pub(crate) fn without_events_are_not_listed(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let (log, empty) = (new_log(), new_log());
    subject.put(log, &events(1));
    subject.append(empty, Vec::new()).expect("an empty batch is accepted");
    let reserved = event(0).action("log.erased");
    let result = subject.append(empty, vec![reserved]);
    refused(result, ErrorKind::Invalid, "an event with a reserved action");
    subject.head(empty);
    subject.frontier(empty);
    subject.entries(empty);
    subject.scan(everything(empty).limit(5)).expect("an empty log can be read");
    assert_eq!(subject.logs(10), [log], "neither a read nor a refused append makes a log");
}

pub(crate) fn are_listed_by_every_handle(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    let mut expected = Vec::new();
    for (round, log) in logs().into_iter().enumerate() {
        let writer = if round % 2 == 0 { &subject } else { &other };
        writer.put(log, &events(1));
        expected.push(log);
        expected.sort_unstable();
        for handle in [&subject, &other] {
            assert_eq!(handle.logs(5), expected, "every handle lists a log once it has an event");
        }
    }
}

pub(crate) fn check_the_limit_of_a_listing(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &events(1));
    for limit in [0, MAX_LOGS_PAGE + 1, usize::MAX] {
        let result = subject.list_logs(None, limit);
        let error = refused(result, ErrorKind::Invalid, "a limit out of range");
        assert_eq!(error.field(), Some("limit"), "an error names the field at fault");
    }
    for limit in [1, MAX_LOGS_PAGE] {
        let page = subject.list_logs(None, limit).expect("a limit in range is accepted");
        assert_eq!(page, [log], "a limit in range is accepted");
    }
}
