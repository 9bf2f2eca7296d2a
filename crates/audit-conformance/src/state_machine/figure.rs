//! How much the state machine played.

use std::fmt;
use std::ops::AddAssign;

/// How much was played.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figure {
    pub(super) cases: u64,
    pub(super) operations: u64,
    pub(super) pages: u64,
    /// Events that were erased.
    pub(super) erased: u64,
    /// Events that were pruned.
    pub(super) pruned: u64,
    /// Tokens and positions that failed with `Gone`.
    pub(super) gone: u64,
}

impl AddAssign for Figure {
    fn add_assign(&mut self, other: Self) {
        self.cases += other.cases;
        self.operations += other.operations;
        self.pages += other.pages;
        self.erased += other.erased;
        self.pruned += other.pruned;
        self.gone += other.gone;
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, operations, pages, erased, pruned, gone } = self;
        write!(f, "{cases} cases, {operations} operations, {pages} pages, ")?;
        write!(f, "{erased} events erased, {pruned} pruned, {gone} tokens below the floor")
    }
}
