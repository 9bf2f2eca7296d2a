//! Each case of the suite can fail: it notices at least one fault of a store, and passes without.

// What a test cannot set up, it fails for.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::thread;

use audit_conformance::{CASES, Case, Harness};
use support::expectations::expectations;
use support::faulty::{Fault, FaultyHarness};

fn case_named(name: &str) -> &'static Case {
    let mut cases = CASES.iter();
    let case = cases.find(|case| format!("{}::{}", case.group, case.name) == name);
    case.unwrap_or_else(|| panic!("no case is named {name}"))
}

#[test]
fn the_list_names_each_case_once() {
    let names: HashSet<_> = CASES.iter().map(|case| (case.group, case.name)).collect();
    assert_eq!(names.len(), CASES.len());
}

#[test]
fn for_each_case_there_is_a_fault() {
    let covered: HashSet<_> =
        expectations().into_iter().flat_map(|(_, cases)| cases).copied().collect();
    let uncovered: Vec<_> = CASES
        .iter()
        .map(|case| format!("{}::{}", case.group, case.name))
        .filter(|name| !covered.contains(&**name))
        .collect();
    assert!(uncovered.is_empty(), "no fault is known that these cases notice: {uncovered:#?}");
}

#[test]
fn each_case_notices_its_faults_and_passes_without() {
    for case in CASES {
        case.run(&|| harness(Fault::Nothing));
    }
    let pairs: Vec<_> = expectations()
        .into_iter()
        .enumerate()
        .flat_map(|(row, (fault, cases))| {
            cases.iter().map(move |case| (row, fault, case_named(case)))
        })
        .collect();
    let (queue, unnoticed) = (Mutex::new(pairs.iter()), Mutex::new(Vec::new()));
    // The panics are expected; their messages would hide the one that is not.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some((row, fault, case)) = queue.lock().unwrap().next() else { break };
                    let run = AssertUnwindSafe(|| case.run(&|| harness(*fault)));
                    if panic::catch_unwind(run).is_ok() {
                        let line = format!("row {row} {fault:?}: {}::{}", case.group, case.name);
                        unnoticed.lock().unwrap().push(line);
                    }
                }
            });
        }
    });
    panic::set_hook(hook);
    let unnoticed = unnoticed.into_inner().unwrap();
    assert!(unnoticed.is_empty(), "faults that were not noticed: {unnoticed:#?}");
    println!("{} cases noticed {} faults", CASES.len(), pairs.len());
}

fn harness(fault: Fault) -> Box<dyn Harness> {
    Box::new(FaultyHarness::new(fault))
}
