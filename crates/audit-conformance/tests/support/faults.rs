//! Runs the cases of a group on stores of which one thing is wrong.

use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use audit_conformance::{Case, Cases};

/// The faults, each with the cases that notice it.
pub(crate) type Expected<'a, F> = &'a [(F, &'a [&'a str])];

/// Asserts that each case of `H` passes on a sound store, notices a fault at all, and notices each fault that
/// it is expected to notice.
pub(crate) fn check<H: Cases + ?Sized, F: Copy + Debug + Sync>(
    expected: Expected<'_, F>,
    sound: F,
    new: impl Fn(F) -> Box<H> + Sync,
) {
    let name = |case: &Case<H>| format!("{}::{}", case.group, case.name);
    let is_expected = |name: &str| expected.iter().any(|(_, names)| names.contains(&name));
    for case in H::CASES {
        case.run(&|| new(sound));
        assert!(is_expected(&name(case)), "{}: no known fault", name(case));
    }
    let passes = |fault: F, wanted: &str| {
        let case = H::CASES.iter().find(|case| name(case) == wanted).expect(wanted);
        panic::catch_unwind(AssertUnwindSafe(|| case.run(&|| new(fault)))).is_ok()
    };
    let passed = |(fault, names): &(F, &[&str])| -> Vec<String> {
        let passed = names.iter().filter(|name| passes(*fault, name));
        passed.map(|name| format!("{fault:?}: {name}")).collect()
    };
    // The panics are expected; their messages would hide the one that is not.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = expected.iter().map(|row| scope.spawn(|| passed(row))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    panic::set_hook(hook);
    let unnoticed: Vec<_> =
        results.into_iter().flat_map(|passed| passed.expect("a known case")).collect();
    assert!(unnoticed.is_empty(), "faults that were not noticed: {unnoticed:#?}");
}
