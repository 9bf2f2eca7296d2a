//! The threads that read, and the turns in which they do it.
//!
//! A *look-up* reads a few rows: a key, an organization, a head, an event. Look-ups have a thread of
//! their own and use idle ones. Any other read can be long and needs a *turn*; there are as many
//! turns as the store has readers. At each row or part the read asks whether its turn is over. If so,
//! and if another owner waits, the read waits for its next turn, on its thread and with its snapshot.
//! Owners get turns one after the other, however many reads each has. The reads of one owner are
//! served in order. An owner has at most as many turns as it leaves to others, so that the read of
//! one that has none mostly begins at once: until a long read asks whether its turn is over, its
//! thread can wait for a processor a hundred times as long as a short read takes. A read whose caller
//! has left ends with its turn.
//!
//! So there are more threads than turns. Those beyond the number of turns are started when needed and
//! end when idle.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use audit_core::Result;
use audit_core::backend::{Owner, Rotation};
use crossbeam_channel::{Receiver, Sender, bounded};
use futures_channel::oneshot;
use rusqlite::Connection;

use crate::error::{closed, thread as thread_error};
use crate::file::OpenFiles;
use crate::open::{Access, open_reader};
use crate::pace::{Pace, Turn};
use crate::read::Snapshot;

/// How the threads read.
#[derive(Clone, Debug)]
pub(crate) struct ReaderOptions {
    /// How many reads run at once, without look-ups.
    pub(crate) turns: usize,
    /// How long a turn is while others wait.
    pub(crate) turn: Duration,
    pub(crate) busy_timeout: Duration,
}

/// How much a read reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// A few rows. It has a thread of its own, and waits for no turn.
    Rows,
    /// Any number. It is read in turn with others.
    Any,
}

/// The usual length of a turn: much longer than a switch of threads takes.
pub(crate) const TURN: Duration = Duration::from_millis(1);

/// The most threads for each turn.
const THREADS_PER_TURN: usize = 4;

/// The page cache of each of the first threads. A query by three filters reads some hundred pages
/// scattered over the file.
const CACHE_KIB: i64 = 16 << 10;
/// The page cache of the thread of look-ups, and of those that are started when needed.
const SMALL_CACHE_KIB: i64 = 2 << 10;

/// The threads that read, each on its own connection. They end when this is dropped.
pub(crate) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    access: Access,
    files: Arc<OpenFiles>,
    options: ReaderOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    look_ups: Rotation<Job>,
    reads: Rotation<Read>,
    /// The thread of look-ups, if it is idle.
    idle_of_look_ups: Option<Sender<Task>>,
    /// The other idle threads; the last was busy last.
    idle: Vec<Sender<Task>>,
    /// The number of threads, without that of look-ups.
    threads: usize,
    /// The number of turns that are taken.
    taken: usize,
    /// The reads that have begun, by owner.
    begun: HashMap<Owner, Begun>,
    handles: Vec<JoinHandle<()>>,
    is_closed: bool,
}

/// The reads of an owner that have begun.
#[derive(Default)]
struct Begun {
    /// How many have a turn.
    in_turn: usize,
    /// How many wait for their next turn.
    waiting: usize,
}

/// A read. Returns how to answer its caller.
type Job = Box<dyn FnOnce(Result<&Connection>, Option<&dyn Turn>) -> Answer + Send>;
type Answer = Box<dyn FnOnce()>;

/// A read that waits for a turn.
enum Read {
    New(Job),
    /// A read that has begun. Its thread continues when it gets the message.
    Begun(Sender<()>),
}

/// The kind of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    LookUps,
    /// Reads with a turn, and look-ups when it is idle.
    Reads,
}

/// The work of a thread.
enum Task {
    LookUp(Job),
    /// A read that has a turn.
    Read(Owner, Job),
    End,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Readers {
    pub(crate) fn start(
        path: &Path,
        access: Access,
        files: &Arc<OpenFiles>,
        options: ReaderOptions,
    ) -> Result<Self> {
        let (path, files) = (path.to_owned(), Arc::clone(files));
        let shared = Shared { path, access, files, options, state: Mutex::default() };
        let readers = Self { shared: Arc::new(shared) };
        let shared = &readers.shared;
        let mut state = shared.state();
        state.idle_of_look_ups =
            Some(shared.start_thread(&mut state, Use::LookUps, SMALL_CACHE_KIB)?);
        for _ in 0..shared.options.turns {
            let thread = shared.start_thread(&mut state, Use::Reads, CACHE_KIB)?;
            state.idle.push(thread);
        }
        drop(state);
        Ok(readers)
    }

    /// Runs a read of a few rows on one snapshot of the file.
    pub(crate) async fn look_up<T: Send + 'static>(
        &self,
        owner: impl Into<Owner>,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(Length::Rows, owner, read).await
    }

    /// Runs a read of any length on one snapshot of the file, in turn with others. It calls
    /// [`Snapshot::pause`] at each row.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        owner: impl Into<Owner>,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(Length::Any, owner, read).await
    }

    /// Runs a read of this length, as [`look_up`](Self::look_up) and [`read`](Self::read) do.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        length: Length,
        owner: impl Into<Owner>,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (owner, (job, answer)) = (owner.into(), job(read));
        self.shared.add(|state| match length {
            Length::Rows => state.look_ups.push(owner, job),
            Length::Any => state.reads.push(owner, Read::New(job)),
        });
        answer.await.map_err(|_| closed())?
    }

    /// Runs a read that cannot pause, on a thread of its own.
    pub(crate) async fn read_apart<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (job, answer) = job(read);
        let shared = Arc::clone(&self.shared);
        let run = move || match shared.open(SMALL_CACHE_KIB) {
            Ok(connection) => job(Ok(&connection), None)(),
            Err(error) => job(Err(error), None)(),
        };
        let thread = thread::Builder::new().name("audit-read-apart".into()).spawn(run);
        self.shared.state().keep(thread.map_err(thread_error)?);
        answer.await.map_err(|_| closed())?
    }
}

fn job<T: Send + 'static>(
    read: impl FnOnce(&Snapshot<'_>) -> Result<T> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T>>) {
    let (reply, answer) = oneshot::channel();
    let job = move |connection: Result<&Connection>, turn: Option<&dyn Turn>| {
        if reply.is_canceled() {
            return Box::new(|| ()) as Answer; // the caller has dropped the future
        }
        let pace = Pace { turn, has_left: &|| reply.is_canceled() };
        // The snapshot ends before the result is sent.
        let result = connection
            .and_then(|connection| Snapshot::take(connection, &pace))
            .and_then(|snapshot| read(&snapshot));
        Box::new(move || {
            // The caller may have dropped the future meanwhile.
            let _ = reply.send(result);
        })
    };
    (Box::new(job), answer)
}

impl Drop for Readers {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_closed = true;
        let of_look_ups = state.idle_of_look_ups.take();
        for thread in state.idle.drain(..).chain(of_look_ups) {
            let _ = thread.send(Task::End);
        }
        // A caller that waits for a turn gets an error, because its sender is dropped.
        let waiting = (std::mem::take(&mut state.look_ups), std::mem::take(&mut state.reads));
        let handles = std::mem::take(&mut state.handles);
        drop(state);
        drop(waiting);
        for handle in handles {
            if handle.thread().id() != thread::current().id() {
                let _ = handle.join();
            }
        }
    }
}

impl State {
    fn keep(&mut self, handle: JoinHandle<()>) {
        self.handles.retain(|handle| !handle.is_finished());
        self.handles.push(handle);
    }

    /// Takes the next read that can have a turn, and gives it one. A read that has not begun needs a
    /// thread. One owner cannot have more than half of them, so that others find one.
    fn next_read(&mut self, turns: usize) -> Option<(Owner, Read)> {
        let left = turns.checked_sub(self.taken + 1)?;
        let most_threads = turns * THREADS_PER_TURN;
        let free = most_threads.saturating_sub(self.threads) + self.idle.len();
        let begun = &self.begun;
        let (owner, read) = self.reads.take(|owner, read| {
            let of_owner = begun.get(&owner);
            let in_turn = of_owner.map_or(0, |begun| begun.in_turn);
            let has_thread = match (read, of_owner) {
                (Read::Begun(_), _) => true,
                (Read::New(_), Some(_)) => free > most_threads / 2,
                (Read::New(_), None) => free > 0,
            };
            has_thread && (in_turn == 0 || in_turn < left)
        })?;
        let of_owner = self.begun.entry(owner).or_default();
        of_owner.in_turn += 1;
        of_owner.waiting -= usize::from(matches!(read, Read::Begun(_)));
        self.taken += 1;
        Some((owner, read))
    }

    /// Takes back the turn of a read, which waits for the next one or has ended.
    fn end_turn(&mut self, owner: Owner, waits: bool) {
        self.taken -= 1;
        if let Some(of_owner) = self.begun.get_mut(&owner) {
            of_owner.in_turn -= 1;
            of_owner.waiting += usize::from(waits);
            if of_owner.in_turn + of_owner.waiting == 0 {
                self.begun.remove(&owner);
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, cache_kib: i64) -> Result<Connection> {
        self.files.check()?;
        open_reader(&self.path, self.access, self.options.busy_timeout, cache_kib)
    }

    fn add(self: &Arc<Self>, add: impl FnOnce(&mut State)) {
        let mut state = self.state();
        add(&mut state);
        self.deal(&mut state);
    }

    /// Gives waiting look-ups to idle threads, and the free turns to waiting reads.
    fn deal(self: &Arc<Self>, state: &mut State) {
        while !state.look_ups.is_empty()
            && let Some(thread) = state.idle_of_look_ups.take().or_else(|| state.idle.pop())
        {
            if let Some((_, job)) = state.look_ups.take(|_, _| true) {
                let _ = thread.send(Task::LookUp(job));
            }
        }
        while let Some((owner, read)) = state.next_read(self.options.turns) {
            match read {
                Read::Begun(thread) => {
                    let _ = thread.send(());
                }
                Read::New(job) => {
                    let Some(thread) = self.idle_or_new(state) else {
                        // The next thread that is free takes it.
                        state.end_turn(owner, false);
                        return state.reads.push_first(owner, Read::New(job));
                    };
                    let _ = thread.send(Task::Read(owner, job));
                }
            }
        }
    }

    /// Takes an idle thread, or starts one; `None` if the system has none.
    fn idle_or_new(self: &Arc<Self>, state: &mut State) -> Option<Sender<Task>> {
        state.idle.pop().or_else(|| self.start_thread(state, Use::Reads, SMALL_CACHE_KIB).ok())
    }

    fn start_thread(
        self: &Arc<Self>,
        state: &mut State,
        of: Use,
        cache_kib: i64,
    ) -> Result<Sender<Task>> {
        let (sender, tasks) = bounded(1);
        let (shared, this) = (Arc::clone(self), sender.clone());
        let run = move || shared.run(&this, &tasks, of, cache_kib);
        let handle = thread::Builder::new().name("audit-read".into()).spawn(run);
        state.keep(handle.map_err(thread_error)?);
        state.threads += usize::from(of == Use::Reads);
        Ok(sender)
    }

    /// Does the tasks of the thread `this`.
    fn run(self: Arc<Self>, this: &Sender<Task>, tasks: &Receiver<Task>, of: Use, cache_kib: i64) {
        let mut opened = None;
        while let Ok(task) = tasks.recv() {
            // Opened at the first task, and again after a failure.
            let connection = match opened.take() {
                Some(connection) => Ok(connection),
                None => self.open(cache_kib),
            };
            let connection = connection.map(|connection| &*opened.insert(connection));
            let connection = self.files.check().and(connection);
            let (answer, ended) = match task {
                Task::LookUp(job) => (job(connection, None), None),
                Task::Read(owner, job) => {
                    let since = Cell::new(Instant::now());
                    let turn = ThreadTurn { shared: &self, owner, since };
                    (job(connection, Some(&turn)), Some(owner))
                }
                Task::End => return,
            };
            // First, so that the caller's next read finds this thread idle and not asleep.
            let goes_on = self.end_task(ended, of, this);
            answer();
            if !goes_on {
                return;
            }
        }
    }

    /// Makes the thread `this` idle. Returns `false` if the thread ends.
    fn end_task(self: &Arc<Self>, ended: Option<Owner>, of: Use, this: &Sender<Task>) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        if let Some(owner) = ended {
            state.end_turn(owner, false);
        }
        match of {
            Use::LookUps => state.idle_of_look_ups = Some(this.clone()),
            Use::Reads => state.idle.push(this.clone()),
        }
        self.deal(&mut state);
        // Those beyond the number of turns end.
        let surplus = state.idle.len() > self.options.turns;
        let at = state.idle.iter().position(|idle| surplus && idle.same_channel(this));
        if let Some(at) = at {
            state.idle.remove(at);
            state.threads -= 1;
        }
        at.is_none()
    }
}

/// The turn of a read on one of the threads.
struct ThreadTurn<'s> {
    shared: &'s Arc<Shared>,
    owner: Owner,
    since: Cell<Instant>,
}

impl Turn for ThreadTurn<'_> {
    fn is_over(&self) -> bool {
        self.since.get().elapsed() >= self.shared.options.turn
    }

    fn pass_on(&self) -> Result<()> {
        let mut state = self.shared.state();
        if state.reads.has_other(self.owner) {
            let (sender, next) = bounded(1);
            state.reads.push_first(self.owner, Read::Begun(sender));
            state.end_turn(self.owner, true);
            self.shared.deal(&mut state);
            drop(state);
            next.recv().map_err(|_| closed())?;
        }
        self.since.set(Instant::now());
        Ok(())
    }
}
