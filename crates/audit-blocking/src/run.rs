//! The thread that waits.

use std::future::Future;

use audit_core::{Error, Result};

/// Waits on this thread until `call` returns: any call of a store.
///
/// ```
/// use audit_blocking::run;
/// use audit_core::{Log, RetentionStore};
/// use audit_memory::MemoryStore;
///
/// let store = MemoryStore::new()?;
/// let retention = run(store.retention(Log::Platform))?;
/// # Ok::<(), audit_core::Error>(())
/// ```
///
/// # Errors
/// [`Invalid`](audit_core::ErrorKind::Invalid) with the field `thread`, before anything is done, if the thread
/// runs async code. Else those of the call.
pub fn run<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    if is_async() {
        let error = Error::malformed("thread", "one that runs no async code; use `await` there");
        return Err(error.with_context("a blocking call"));
    }
    futures_executor::block_on(call)
}

/// Returns `true` if an executor drives this thread.
fn is_async() -> bool {
    #[cfg(feature = "tokio")]
    if tokio_rt::runtime::Handle::try_current().is_ok() {
        return true;
    }
    // It panics within itself.
    futures_executor::enter().is_err()
}
