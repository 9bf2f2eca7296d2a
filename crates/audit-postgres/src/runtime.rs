//! The runtime of a store.
//!
//! A store drives its connections on threads of its own. So its futures need no particular runtime,
//! and a transaction that holds the lock of a log ends however busy the caller's threads are: other
//! processes wait for it.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use audit_core::Result;
use tokio::runtime::{Builder, Handle};

use crate::error::{closed, task, thread as thread_error};

/// The threads that drive connections. Most work is in the server, and in threads that read the index.
const THREADS: usize = 2;

/// How long the runtime waits, when it ends, for reads that nobody waits for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The runtime, which ends with the work that it was started for.
#[derive(Debug)]
pub(crate) struct Runtime {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// Starts a runtime, which ends when the future that `work` returns does. Up to `blocking` threads
    /// more are started for blocking work.
    pub(crate) fn start<W>(
        blocking: usize,
        work: impl FnOnce() -> W + Send + 'static,
    ) -> Result<Self>
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (send, receive) = mpsc::sync_channel(1);
        let run = move || {
            let built = Builder::new_multi_thread()
                .worker_threads(THREADS)
                .max_blocking_threads(blocking)
                .thread_name("audit-postgres")
                .enable_all()
                .build();
            match built {
                Ok(runtime) => {
                    let _ = send.send(Ok(runtime.handle().clone()));
                    // On a thread that drives connections: to wake another costs more than most of
                    // what is sent.
                    let _ = runtime.block_on(async { tokio::spawn(work()).await });
                    runtime.shutdown_timeout(PATIENCE);
                }
                Err(error) => drop(send.send(Err(error))),
            }
        };
        let thread = thread::Builder::new().name("audit-postgres".into()).spawn(run);
        let thread = thread.map_err(thread_error)?;
        let handle = receive.recv().map_err(|_| closed())?.map_err(thread_error)?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// Runs `work` to its end on the runtime, whether or not the caller waits.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.handle.spawn(work).await.map_err(task)?
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // A thread of the runtime cannot wait for its end.
        let is_own = Handle::try_current().is_ok_and(|current| current.id() == self.handle.id());
        if let Some(thread) = self.thread.take().filter(|_| !is_own) {
            let _ = thread.join();
        }
    }
}
