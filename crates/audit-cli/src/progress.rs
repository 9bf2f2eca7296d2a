//! How far a long command has come: on a terminal's standard error, and nowhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of so many bytes; without a number, what was read so far.
pub(crate) fn bytes(what: String, bytes: Option<u64>) -> ProgressBar {
    match bytes {
        Some(bytes) => {
            let bar = ProgressBar::new(bytes);
            styled(bar, what, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        }
        None => styled(ProgressBar::no_length(), what, "{msg} {bytes} {elapsed}"),
    }
}

/// A bar of events, whose number is yet to be told.
pub(crate) fn events(what: String) -> ProgressBar {
    styled(ProgressBar::new(0), what, "{msg} {wide_bar} {human_pos}/{human_len} events {eta}")
}

/// What is under way, without a measure.
pub(crate) fn waiting(what: String) -> ProgressBar {
    let bar = styled(ProgressBar::no_length(), what, "{spinner} {msg} {elapsed}");
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn styled(bar: ProgressBar, what: String, template: &str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_message(what)
}
