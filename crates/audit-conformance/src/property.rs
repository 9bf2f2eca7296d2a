//! Properties: promises that are checked with random values.

use std::env;
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// The environment variable that sets the number of cases of every property.
const CASES_VARIABLE: &str = "AUDIT_CONFORMANCE_CASES";

/// Checks `holds` with random values: as many as [`CASES_VARIABLE`] says, else `cases`. Panics with
/// `promise` and the smallest value found for which it does not hold.
pub(crate) fn check<S: Strategy<Value: Debug>>(
    promise: &str,
    cases: u32,
    values: &S,
    holds: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let cases = match env::var(CASES_VARIABLE) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{CASES_VARIABLE} must be a number")),
        Err(_) => cases,
    };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    match TestRunner::new(config).run(values, holds) {
        Ok(()) => {}
        Err(TestError::Fail(reason, value)) => panic!("{promise}: {reason}\nwith {value:#?}"),
        Err(TestError::Abort(reason)) => panic!("{promise}: stopped: {reason}"),
    }
}
