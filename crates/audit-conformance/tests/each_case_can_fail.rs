//! Each case of the suite can fail: it notices at least one mutation of a good store, and passes without.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::{HashMap, HashSet};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::thread;

use audit_conformance::{Case, Cases, Harness, RetentionHarness, TenantHarness};
use support::expectations::expectations;
use support::mutations::{MutatedHarness, Mutation};

/// A case of any of the three traits.
#[derive(Clone, Copy)]
enum AnyCase {
    Store(&'static Case),
    Retention(&'static Case<dyn RetentionHarness>),
    Tenants(&'static Case<dyn TenantHarness>),
}

impl AnyCase {
    fn all() -> Vec<Self> {
        let store = <dyn Harness>::CASES.iter().map(Self::Store);
        let retention = <dyn RetentionHarness>::CASES.iter().map(Self::Retention);
        let tenants = <dyn TenantHarness>::CASES.iter().map(Self::Tenants);
        store.chain(retention).chain(tenants).collect()
    }

    fn name(self) -> String {
        let (group, name) = match self {
            Self::Store(case) => (case.group, case.name),
            Self::Retention(case) => (case.group, case.name),
            Self::Tenants(case) => (case.group, case.name),
        };
        format!("{group}::{name}")
    }

    /// Runs the case on a store with this mutation.
    fn run(self, mutation: Mutation) {
        let new = || Box::new(MutatedHarness::new(mutation));
        match self {
            Self::Store(case) => case.run(&|| new()),
            Self::Retention(case) => case.run(&|| new()),
            Self::Tenants(case) => case.run(&|| new()),
        }
    }
}

#[test]
fn the_list_names_each_case_once() {
    let cases = AnyCase::all();
    let names: HashSet<_> = cases.iter().map(|case| case.name()).collect();
    assert_eq!(names.len(), cases.len());
}

#[test]
fn each_case_has_a_mutation() {
    let covered: HashSet<_> =
        expectations().into_iter().flat_map(|(_, cases)| cases).copied().collect();
    let mut uncovered: Vec<_> = AnyCase::all().into_iter().map(AnyCase::name).collect();
    uncovered.retain(|name| !covered.contains(&**name));
    assert!(uncovered.is_empty(), "these cases notice no known mutation: {uncovered:#?}");
}

#[test]
fn each_case_notices_its_mutations_and_passes_without() {
    let cases: HashMap<_, _> = AnyCase::all().into_iter().map(|case| (case.name(), case)).collect();
    for case in cases.values() {
        case.run(Mutation::Nothing);
    }
    let case_named = |name: &str| match cases.get(name) {
        Some(case) => *case,
        None => panic!("no case is named {name}"),
    };
    let pairs: Vec<_> = expectations()
        .into_iter()
        .enumerate()
        .flat_map(|(row, (mutation, cases))| cases.iter().map(move |case| (row, mutation, *case)))
        .map(|(row, mutation, name)| (row, mutation, case_named(name)))
        .collect();
    let (queue, unnoticed) = (Mutex::new(pairs.iter()), Mutex::new(Vec::new()));
    // The panics are expected; their messages would hide the one that is not.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some((row, mutation, case)) = queue.lock().unwrap().next() else { break };
                    if panic::catch_unwind(AssertUnwindSafe(|| case.run(*mutation))).is_ok() {
                        let line = format!("row {row} {mutation:?}: {}", case.name());
                        unnoticed.lock().unwrap().push(line);
                    }
                }
            });
        }
    });
    panic::set_hook(hook);
    let unnoticed = unnoticed.into_inner().unwrap();
    assert!(unnoticed.is_empty(), "mutations that were not noticed: {unnoticed:#?}");
    println!("{} cases noticed {} mutations", cases.len(), pairs.len());
}
