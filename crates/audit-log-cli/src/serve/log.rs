//! The diagnostics of the service, written by a thread of their own so that no request waits for
//! them.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::error::{CliError, Result};

/// The lines that wait to be written. Further ones are dropped and counted.
const WAITING: usize = 4_096;

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines of text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The diagnostics of the process.
#[derive(Debug)]
pub(crate) struct Log(Lines);

/// Lines on their way to the thread that writes them.
#[derive(Clone, Debug)]
struct Lines(SyncSender<Message>);

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// Asks for a reply when all lines before it are written.
    Reply(Sender<()>),
}

impl LogFormat {
    /// Sends the diagnostics of the process to the standard error, also those of panics.
    pub(crate) fn install(self) -> Result<Log> {
        let filter = EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .from_env()
            .map_err(|error| CliError::from_source("RUST_LOG is not a valid filter", error))?;
        let lines = Lines::to(io::stderr())
            .map_err(|error| CliError::from_source("cannot start the thread of the log", error))?;
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(lines.clone())
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal());
        match self {
            Self::Text => log.init(),
            Self::Json => log.json().init(),
        }
        // The hook of the standard library would wait for the standard error.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
        Ok(Log(lines))
    }
}

impl Log {
    /// Waits until the lines are written, but not for ever.
    pub(crate) fn finish(self) {
        self.0.finish(Duration::from_secs(1));
    }
}

impl Lines {
    /// Starts the thread that writes lines to `output`.
    fn to(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::Builder::new().name("log".into()).spawn(move || write(&receiver, output))?;
        Ok(Self(sender))
    }

    fn finish(self, patience: Duration) {
        let until = Instant::now() + patience;
        let (reply, written) = channel();
        let mut message = Message::Reply(reply);
        while let Err(TrySendError::Full(returned)) = self.0.try_send(message) {
            if Instant::now() >= until {
                return;
            }
            message = returned;
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

impl Write for &Lines {
    /// Takes the whole line. One for which there is no room is dropped.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_vec())).is_err() {
            dropped();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

fn write(messages: &Receiver<Message>, mut output: impl Write) {
    for message in messages {
        match message {
            Message::Line(line) => {
                if output.write_all(&line).is_err() {
                    dropped();
                }
            }
            Message::Reply(reply) => {
                let _ = output.flush();
                let _ = reply.send(());
            }
        }
    }
}

fn dropped() {
    metrics::counter!("audit_log_lines_dropped_total").increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Barrier, Mutex};

    /// An output that waits at its first line until it may go on, and fails at each `bad` line.
    #[derive(Clone)]
    struct Output {
        barrier: Arc<Barrier>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Output {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            match line {
                b"bad" => return Err(io::ErrorKind::StorageFull.into()),
                b"first" => {
                    self.barrier.wait();
                    self.barrier.wait();
                }
                _ => {}
            }
            self.written.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_line_waits_and_a_failure_ends_nothing() {
        let output = Output { barrier: Arc::new(Barrier::new(2)), written: Arc::default() };
        let lines = Lines::to(output.clone()).unwrap();
        let mut writer = &lines;
        writer.write_all(b"first").unwrap();
        output.barrier.wait(); // the thread waits with the first line
        writer.write_all(b"bad").unwrap();
        for _ in 0..2 * WAITING {
            writer.write_all(b".").unwrap();
        }
        lines.clone().finish(Duration::ZERO); // does not wait, because the queue is full
        output.barrier.wait();
        lines.finish(Duration::from_secs(60));
        let written = output.written.lock().unwrap();
        assert_eq!(written.len(), b"first".len() + WAITING - 1, "what fits beside the bad one");
    }
}
