//! The task that builds the indexes of logs, several at once. A failure is left to the next build: it
//! makes reads slower, and never wrong.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use audit_core::{Log, Result};
use audit_index::is_damage;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::build::{Wait, build};
use crate::builds::Build;
use crate::core::Core;
use crate::reindex::Heal;

/// Builds what is asked for, until the store is closed.
pub(crate) async fn run(core: Arc<Core>, mut builds: UnboundedReceiver<Build>) {
    let building = Arc::<Mutex<BTreeSet<Log>>>::default();
    while let Some(Build { log, waiting }) = builds.recv().await {
        let core = Arc::clone(&core);
        if let Some(waiting) = waiting {
            tokio::spawn(async move {
                let _ = build_or_heal(&core, log, Wait::Yes).await;
                let _ = waiting.send(());
            });
        } else if lock(&building).insert(log) {
            let building = Arc::clone(&building);
            tokio::spawn(async move {
                let _ = build_or_heal(&core, log, Wait::No).await;
                lock(&building).remove(&log);
            });
        }
    }
}

fn lock(building: &Mutex<BTreeSet<Log>>) -> std::sync::MutexGuard<'_, BTreeSet<Log>> {
    building.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Builds the index of a log. If it is damaged, rebuilds it first.
async fn build_or_heal(core: &Arc<Core>, log: Log, wait: Wait) -> Result<()> {
    match build(core, log, wait).await {
        Err(error) if is_damage(&error) => {
            Arc::clone(core).change(Heal(log)).await?;
            build(core, log, wait).await
        }
        result => result,
    }
}
