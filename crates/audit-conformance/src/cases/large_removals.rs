//! Erasures and prunings in a log of ten thousand events.

use audit_core::Filter;

use crate::harness::NewRetentionHarness;
use crate::large::{LargeLog, common};
use crate::model::Model;
use crate::samples::{mixed, new_log, sequence};
use crate::subject::{Subject, everything};

pub(crate) fn are_exact(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let mut large = LargeLog::append(&subject, new_log());
    let log = large.log;
    let mut tree = subject.tree(log);
    let addresses: Vec<_> = large.events.iter().filter_map(|e| e.actor.email.clone()).collect();

    let mut model = Model::new(large.events);
    let expected = model.erase(|event| common().matches(event));
    let erased = subject.erase(log, common()).expect("events can be erased");
    assert_eq!(erased, expected, "an erasure reaches every page of what matches");
    large.events = model.events;
    large.take_new(&subject, &mut tree);
    // Of every address some events are erased, and some are not.
    for address in addresses.iter().step_by(977) {
        let filter = Filter::new().actor_email(address);
        let expected = large.events.iter().filter(|event| filter.matches(event)).count();
        let found = subject.scan(everything(log).filter(filter)).expect("a scan succeeds");
        assert_eq!(found.events.len(), expected, "an erased address finds nothing: {address}");
    }
    large.check_briefly(&subject, &tree);

    let floor = subject.keep_newest(log, 1_900);
    assert!(floor > sequence(8_000), "this case removes most events");
    large.prune(floor);
    large.take_new(&subject, &mut tree);
    subject.put(log, &mixed(300));
    let subject = subject.reopen();
    large.take_new(&subject, &mut tree);
    large.check(&subject, &tree);
}
