//! The cases that every [`CheckpointStore`] must pass, in their own list.

mod cases;

use std::sync::Arc;

use audit_merkle::CheckpointStore;
use futures_executor::block_on;
use futures_util::future::BoxFuture;

/// Opens the checkpoint store under test. A harness is of one store, lives for one test, and removes
/// what the store left when it is dropped.
pub trait CheckpointHarness: Send + Sync {
    /// Opens the store: empty the first time, afterwards with every checkpoint that was published.
    ///
    /// Is also called while other handles are open. Once all have been dropped, the next call reads
    /// what the medium holds. A store in memory, which has nothing else, returns another handle.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn open(&self) -> Arc<dyn CheckpointStore>;

    /// Runs a future to its end, as [`Harness::block_on`](crate::Harness::block_on) does.
    fn block_on(&self, future: BoxFuture<'_, ()>) {
        block_on(future);
    }
}

/// Makes one test for each promise of [`CheckpointStore`], against the stores that the harness
/// `$new()` opens.
///
/// `$new` is a function without arguments that returns a
/// [`CheckpointHarness`](crate::checkpoints::CheckpointHarness). Call the macro at the top of a
/// module.
///
/// ```
/// use std::sync::Arc;
///
/// use audit_conformance::checkpoints::CheckpointHarness;
/// use audit_merkle::{CheckpointStore, MemoryCheckpointStore};
///
/// #[derive(Default)]
/// struct InMemory(MemoryCheckpointStore);
///
/// impl CheckpointHarness for InMemory {
///     fn open(&self) -> Arc<dyn CheckpointStore> {
///         Arc::new(self.0.clone())
///     }
/// }
///
/// audit_conformance::checkpoint_suite!(InMemory::default);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! checkpoint_suite {
    ($new:expr) => {
        fn new_checkpoint_harness() -> impl $crate::checkpoints::CheckpointHarness {
            $new()
        }

        $crate::for_each_checkpoint_case!(checkpoint_tests);
    };
}

/// Calls the macro `$then` of this crate with every case. This is the list.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_checkpoint_case {
    ($then:ident) => {
        $crate::$then! {
            a_log_without_a_checkpoint_has_none,
            checkpoints_come_back_with_every_signature,
            the_expected_checkpoint_is_replaced,
            another_than_the_expected_is_a_conflict,
            signatures_are_compared_too,
            logs_are_apart,
            logs_are_listed_once_in_order,
            checkpoints_survive_a_reopen,
            every_handle_sees_the_latest,
            of_two_at_once_one_publishes,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! checkpoint_tests {
    ($($case:ident,)*) => {
        $(#[test]
        fn $case() {
            $crate::checkpoints::run(stringify!($case), &new_checkpoint_harness());
        })*
    };
}

macro_rules! checkpoint_list {
    ($($case:ident,)*) => {
        &[$((stringify!($case), |harness| harness.block_on(Box::pin(cases::$case(harness)))),)*]
    };
}
pub(crate) use checkpoint_list;

type Play = fn(&dyn CheckpointHarness);

const CASES: &[(&str, Play)] = crate::for_each_checkpoint_case!(checkpoint_list);

/// Returns the name of each case.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(name, _)| *name)
}

/// Runs the case `name`.
///
/// # Panics
/// If the store breaks the promise; the message says how. If there is no such case.
pub fn run(name: &str, harness: &dyn CheckpointHarness) {
    let case = CASES.iter().find(|(case, _)| *case == name);
    let (_, play) = case.unwrap_or_else(|| panic!("no case is named {name}"));
    play(harness);
}
