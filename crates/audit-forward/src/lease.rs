//! The lease of a sink: of several processes, one serves it. The others wait until it shows no sign of life.
//!
//! No clocks are compared: a waiting process measures by its own how long the lease has not changed.

use std::fs;
use std::path::Path;
use std::process;
use std::time::Duration;

use audit_core::{ErrorKind, EventId, FollowerStore, Log, Result, Timestamp};
use tokio::time::{Instant, sleep};

use crate::gate::Outage;
use crate::state::{Kept, Lease};

/// The lease that this process holds.
#[derive(Debug)]
pub(crate) struct Held {
    kept: Kept<Lease>,
}

/// How often a holder may miss to show a sign of life.
const MISSED: u32 = 3;

impl Held {
    /// Waits until this process can serve the sink.
    pub(crate) async fn acquire(
        store: &dyn FollowerStore,
        sink: &str,
        beat: Duration,
    ) -> Result<Self> {
        let holder = holder();
        let mut seen: Option<(Lease, Instant)> = None;
        loop {
            let mut kept = Kept::<Lease>::read(store, sink, Log::Platform).await?;
            let found = kept.value.clone();
            let is_free = kept.is_new() || is_gone(&found.holder);
            let unchanged = match &seen {
                Some((lease, since)) if *lease == found => since.elapsed(),
                _ => {
                    if !is_free {
                        tracing::info!(
                            sink,
                            holder = found.holder,
                            "another process serves the sink"
                        );
                    }
                    seen = Some((found.clone(), Instant::now()));
                    Duration::ZERO
                }
            };
            if is_free || unchanged > beat * MISSED {
                let (beat, at) = (found.beat.wrapping_add(1), Some(Timestamp::now()));
                let lease = Lease { holder: holder.clone(), beat, at, outage: None };
                match kept.write(store, sink, Log::Platform, lease).await {
                    Ok(()) => return Ok(Self { kept }),
                    Err(error) if error.kind() == ErrorKind::Conflict => continue,
                    Err(error) => return Err(error),
                }
            }
            sleep(beat / 4).await;
        }
    }

    /// Shows that the process lives.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if another process serves the sink by now. Those of the store.
    pub(crate) async fn beat(
        &mut self,
        store: &dyn FollowerStore,
        sink: &str,
        outage: Option<Outage>,
    ) -> Result<()> {
        let lease = Lease {
            beat: self.kept.value.beat.wrapping_add(1),
            at: Some(Timestamp::now()),
            outage: outage.map(|outage| (outage.since, outage.error)),
            ..self.kept.value.clone()
        };
        self.kept.write(store, sink, Log::Platform, lease).await
    }

    /// Lets another process serve the sink at once.
    pub(crate) async fn release(mut self, store: &dyn FollowerStore, sink: &str) -> Result<()> {
        self.kept.write(store, sink, Log::Platform, Lease::default()).await
    }
}

/// Returns a name of this process, which no other one has.
fn holder() -> String {
    format!("{} {} {}", machine(), process::id(), EventId::new())
}

/// Returns a name of the running system and of the space in which its processes have their numbers; empty
/// if it is not known.
fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let space = space.to_string_lossy();
    if boot.is_empty() || space.is_empty() {
        return "-".to_owned();
    }
    format!("{}/{space}", boot.trim())
}

/// Returns `true` if the process of this name was one of this system, and has ended.
fn is_gone(holder: &str) -> bool {
    let mut parts = holder.split(' ');
    let (machine, pid) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    machine != "-"
        && machine == self::machine()
        && pid.parse::<u32>().is_ok()
        // Where processes of others are hidden, nothing is known of them.
        && Path::new("/proc/1").exists()
        && !Path::new("/proc").join(pid).exists()
}
