//! A log of ten thousand events, read in every way.

use audit_core::Log;

use crate::NewHarness;
use crate::large::LargeLog;
use crate::samples::mixed;
use crate::subject::Subject;

pub(crate) fn are_read_exactly(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let mut large = LargeLog::append(&subject, Log::Platform);
    let mut tree = subject.tree(large.log);
    large.check(&subject, &tree);
    let subject = subject.reopen();
    subject.put(large.log, &mixed(9));
    large.take_new(&subject, &mut tree);
    large.check_briefly(&subject, &tree);
}
