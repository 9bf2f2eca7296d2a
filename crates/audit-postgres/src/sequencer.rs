//! The task that takes in staged events while nobody reads or appends.

use std::sync::Arc;
use std::time::Duration;

use crate::core::Core;
use crate::intake::take_in;
use crate::lock::Lock;

/// The longest pause after a failure, for example while there is no primary.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Looks for staged events once in `interval`, until the runtime ends. The logs that somebody else has
/// locked are left: who appends takes in what is staged, and the next look finds the rest.
pub(crate) async fn run(core: Arc<Core>, interval: Duration) {
    let mut pause = interval;
    loop {
        // A failure is no reason to end: whoever reads or appends meets it, too.
        pause = match take_in(&core, Lock::SkipLocked).await {
            Ok(()) => interval,
            Err(_) => (pause * 2).min(LONGEST_PAUSE.max(interval)),
        };
        tokio::time::sleep(pause).await;
    }
}
