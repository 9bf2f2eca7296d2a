//! Progress bars, shown on the standard error if it is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Creates a bar of `bytes` bytes, or a counter of bytes if the number is unknown.
pub(crate) fn bytes(what: String, bytes: Option<u64>) -> ProgressBar {
    match bytes {
        Some(bytes) => {
            let bar = ProgressBar::new(bytes);
            styled(bar, what, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        }
        None => styled(ProgressBar::no_length(), what, "{msg} {bytes} {elapsed}"),
    }
}

/// Creates a bar of events. The caller sets their number.
pub(crate) fn events(what: String) -> ProgressBar {
    styled(ProgressBar::new(0), what, "{msg} {wide_bar} {human_pos}/{human_len} events {eta}")
}

/// Creates a spinner, for work of unknown length.
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
