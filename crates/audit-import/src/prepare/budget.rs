//! What a program may use: steps, and bytes and levels of one value.
//!
//! The engine gives the operators of its values no context, so the budget of the run is kept by thread. A
//! run is on one thread from its start to its end.

use std::cell::Cell;
use std::fmt;

use super::{MAX_PREPARE_DEPTH, MAX_PREPARE_STEPS, MAX_PREPARE_VALUE_BYTES};

/// The bytes that are copied or compared in one step.
const STEP_BYTES: usize = 16;

/// The limit that a run has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Steps,
    Bytes,
    Depth,
}

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
    static LEFT: Cell<u64> = const { Cell::new(0) };
    static STOP: Cell<Option<Stop>> = const { Cell::new(None) };
}

impl Stop {
    /// Returns the form of a program that stays below the limit.
    pub(super) fn bound(self) -> &'static str {
        match self {
            Self::Steps => "a program that ends within 1000000 steps",
            Self::Bytes => "a program whose values have at most 8 MiB",
            Self::Depth => "a program whose values have at most 128 levels",
        }
    }
}

const _: () = assert!(
    MAX_PREPARE_STEPS == 1_000_000
        && MAX_PREPARE_VALUE_BYTES == 8 << 20
        && MAX_PREPARE_DEPTH == 128
);

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps => write!(f, "the program takes more than {MAX_PREPARE_STEPS} steps"),
            Self::Bytes => {
                write!(f, "a value of the program has more than {MAX_PREPARE_VALUE_BYTES} bytes")
            }
            Self::Depth => {
                write!(f, "a value of the program has more than {MAX_PREPARE_DEPTH} levels")
            }
        }
    }
}

/// Begins a run on this thread.
pub(super) fn begin(steps: u64) {
    STEPS.set(steps);
    LEFT.set(steps);
    STOP.set(None);
}

/// Returns the steps that the run has taken.
pub(super) fn used() -> u64 {
    STEPS.get() - LEFT.get()
}

/// Returns the limit that the run has reached. From then on, each operation that can fail does.
pub(super) fn stopped() -> Option<Stop> {
    STOP.get()
}

/// Stops the run. The first limit is the one that is reported.
pub(super) fn stop(stop: Stop) {
    if STOP.get().is_none() {
        STOP.set(Some(stop));
    }
}

/// Takes steps, if only the last ones, where the engine knows no failure.
pub(super) fn charge(steps: usize) {
    if let Some(left) = LEFT.get().checked_sub(steps as u64) {
        LEFT.set(left);
    } else {
        LEFT.set(0);
        stop(Stop::Steps);
    }
}

/// Takes the steps of copying or comparing `bytes`.
pub(super) fn charge_bytes(bytes: usize) {
    charge(1 + bytes / STEP_BYTES);
}
