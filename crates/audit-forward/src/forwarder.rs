//! The forwarder: serves sinks with the logs of a store.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use audit_core::{AuditStoreExt as _, Error, ErrorKind, FollowerStore, Log, Result};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::backoff::Backoff;
use crate::follower::{Follower, Task};
use crate::gate::Gate;
use crate::lease::Held;
use crate::options::{SinkOptions, Start};
use crate::progress::Progress;
use crate::route::Route;
use crate::sink::Sink;
use crate::sinks;
use crate::state::{Control, Kept, Position};

/// How often the requests of operators and new logs are looked for.
const ROUND: Duration = Duration::from_secs(1);
/// Logs are listed again after this many times as long as the last listing took.
const LISTING_SHARE: u32 = 400;
/// How long deliveries in progress may take when the forwarder ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pauses after a round has failed.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

/// Serves sinks with the events of a store's logs: at least once, and in order within each log.
///
/// ```no_run
/// use audit_core::{FollowerStore, Result};
/// use audit_forward::{FileSink, Forwarder, SinkOptions};
///
/// async fn forward(store: impl FollowerStore) -> Result<()> {
///     let archive = FileSink::open("/var/log/audit/events.jsonl")?;
///     let forwarder = Forwarder::new(store).sink(SinkOptions::new("archive")?, archive)?;
///     forwarder.run(std::future::pending()).await
/// }
/// ```
pub struct Forwarder {
    store: Arc<dyn FollowerStore>,
    sinks: Vec<(SinkOptions, Arc<dyn Sink>)>,
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.sinks.iter().map(|(options, _)| options.name()).collect();
        f.debug_struct("Forwarder").field("sinks", &names).finish_non_exhaustive()
    }
}

impl Forwarder {
    /// Creates a forwarder without sinks.
    pub fn new(store: impl FollowerStore) -> Self {
        Self { store: Arc::new(store), sinks: Vec::new() }
    }

    /// Adds a sink.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict), field `name`, if another sink has its name.
    pub fn sink(mut self, options: SinkOptions, sink: impl Sink) -> Result<Self> {
        if self.sinks.iter().any(|(other, _)| other.name == options.name) {
            return Err(Error::new(ErrorKind::Conflict).with_field("name"));
        }
        self.sinks.push((options, Arc::new(sink)));
        Ok(self)
    }

    /// Serves the sinks until `shutdown` is ready: then ends the deliveries in progress, for up to 10
    /// seconds.
    ///
    /// If the store or a sink is unavailable, tries again until it is back. Of several processes with the same
    /// store, one serves a sink.
    ///
    /// # Errors
    /// [`ReadOnly`](ErrorKind::ReadOnly), [`Closed`](ErrorKind::Closed) and other errors of the store with
    /// which a retry cannot help.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let (end, ending) = watch::channel(false);
        let mut served = JoinSet::new();
        for (options, sink) in self.sinks {
            let turns = Semaphore::new(options.parallel);
            let (store, gate) = (Arc::clone(&self.store), Gate::default());
            let progress = Progress::new(&options.name);
            let route = Arc::new(Route { store, sink, options, gate, turns, progress });
            served.spawn(serve(route, ending.clone()));
        }
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown, if !*end.borrow() => drop(end.send_replace(true)),
                ended = served.join_next() => match ended {
                    None if *end.borrow() => return Ok(()),
                    None => {
                        shutdown.await;
                        return Ok(());
                    }
                    Some(Ok(ended)) => ended?,
                    Some(Err(error)) => {
                        return Err(Error::new(ErrorKind::Closed).with_source(error));
                    }
                },
            }
        }
    }
}

/// Serves one sink, as often as this process gets its lease.
async fn serve(route: Arc<Route>, mut ending: watch::Receiver<bool>) -> Result<()> {
    let mut failures = 0;
    while !*ending.borrow() {
        match serve_once(&route, &mut ending).await {
            Ok(()) => failures = 0,
            Err(error) if error.is_retryable() || error.kind() == ErrorKind::Conflict => {
                failures += 1;
                tracing::warn!(sink = route.options.name, %error, "cannot serve a sink");
                tokio::select! {
                    () = sleep(BACKOFF.pause(failures)) => {}
                    _ = ending.changed() => {}
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn serve_once(route: &Arc<Route>, ending: &mut watch::Receiver<bool>) -> Result<()> {
    let Route { store, options, .. } = &**route;
    let mut lease = tokio::select! {
        lease = Held::acquire(&**store, &options.name, options.beat) => lease?,
        _ = ending.changed() => return Ok(()),
    };
    tracing::info!(sink = options.name, "serving a sink");
    let mut service = Service::begin(route).await?;
    let ended = service.run(&mut lease, ending).await;
    service.end().await;
    if *ending.borrow() {
        // Otherwise another process waits longer.
        let _ = lease.release(&**store, &options.name).await;
    }
    ended
}

/// The followers of a sink.
struct Service<'a> {
    route: &'a Arc<Route>,
    control: Control,
    tasks: watch::Sender<Task>,
    followers: JoinSet<Log>,
    followed: HashMap<Log, tokio::task::Id>,
}

impl<'a> Service<'a> {
    async fn begin(route: &'a Arc<Route>) -> Result<Self> {
        let Route { store, options, progress, .. } = &**route;
        progress.clear();
        if !sinks::is_known(&**store, &options.name).await? {
            if options.start == Start::Now {
                skip_what_is_there(route).await?;
            }
            sinks::add(&**store, &options.name).await?;
        }
        let control = Kept::<Control>::read(&**store, &options.name, Log::Platform).await?.value;
        Ok(Self {
            route,
            control,
            tasks: watch::channel(Task::Serve(control)).0,
            followers: JoinSet::new(),
            followed: HashMap::new(),
        })
    }

    /// Follows until the forwarder ends, or another process has the lease.
    async fn run(&mut self, lease: &mut Held, ending: &mut watch::Receiver<bool>) -> Result<()> {
        let Route { store, options, gate, progress, .. } = &**self.route;
        let mut rounds = interval(ROUND.min(options.beat));
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut beaten, mut list_at) = (Instant::now(), Instant::now());
        loop {
            tokio::select! {
                _ = rounds.tick() => {}
                _ = ending.changed() => return Ok(()),
                Some(ended) = self.followers.join_next_with_id() => {
                    // It ends by itself only if it has panicked: it begins again.
                    let id = ended.map_or_else(|error| error.id(), |(id, _)| id);
                    self.followed.retain(|_, follower| *follower != id);
                    list_at = Instant::now();
                    continue;
                }
            }
            if beaten.elapsed() >= options.beat {
                match lease.beat(&**store, &options.name, gate.outage()).await {
                    Ok(()) => beaten = Instant::now(),
                    Err(error) if error.is_retryable() => {}
                    Err(error) => return Err(error),
                }
            }
            let begun = Instant::now();
            let round = async {
                self.obey().await?;
                if begun >= list_at {
                    self.follow_new().await?;
                    list_at = begun + ROUND.max(begun.elapsed() * LISTING_SHARE);
                }
                self.measure().await
            };
            match round.await {
                Err(error) if error.is_retryable() => {
                    tracing::warn!(sink = options.name, %error, "the store is unavailable");
                }
                round => round?,
            }
            progress.report(self.control.paused);
        }
    }

    /// Passes on what operators have asked for.
    async fn obey(&mut self) -> Result<()> {
        let Route { store, options, .. } = &**self.route;
        let control = Kept::<Control>::read(&**store, &options.name, Log::Platform).await?.value;
        if control != self.control {
            self.control = control;
            self.tasks.send_replace(Task::Serve(control));
        }
        Ok(())
    }

    /// Follows the logs that are not followed yet.
    async fn follow_new(&mut self) -> Result<()> {
        let Route { store, options, .. } = &**self.route;
        let logs = match &options.logs {
            Some(logs) => logs.clone(),
            None => store.all_logs().await?,
        };
        for log in
            logs.into_iter().filter(|log| !self.followed.contains_key(log)).collect::<Vec<_>>()
        {
            let follower = Follower::new(Arc::clone(self.route), log);
            let tasks = self.tasks.subscribe();
            let spawned = self.followers.spawn(async move {
                follower.run(tasks).await;
                log
            });
            self.followed.insert(log, spawned.id());
        }
        Ok(())
    }

    /// Reads the sizes of the logs that cannot be delivered at present, for the metrics.
    async fn measure(&self) -> Result<()> {
        /// The most sizes of one round.
        const LOGS: usize = 100;
        let Route { store, progress, .. } = &**self.route;
        for log in progress.behind().into_iter().take(LOGS) {
            progress.size(log, store.head(log).await?.size);
        }
        Ok(())
    }

    /// Ends the followers, after the deliveries in progress.
    async fn end(mut self) {
        self.tasks.send_replace(Task::End);
        let all = async { while self.followers.join_next().await.is_some() {} };
        if timeout(PATIENCE, all).await.is_err() {
            self.followers.shutdown().await;
        }
    }
}

/// Makes a sink begin after the events that are there.
async fn skip_what_is_there(route: &Route) -> Result<()> {
    let Route { store, options, .. } = route;
    let logs = match &options.logs {
        Some(logs) => logs.clone(),
        None => store.all_logs().await?,
    };
    for log in logs {
        let mut kept = Kept::<Position>::read(&**store, &options.name, log).await?;
        if kept.is_new() {
            let position =
                Position { delivered: store.head(log).await?.size, ..Position::default() };
            kept.write(&**store, &options.name, log, position).await?;
        }
    }
    Ok(())
}
