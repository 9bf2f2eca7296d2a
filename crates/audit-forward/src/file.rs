//! Files of JSON Lines, which are rotated by size, and the standard output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use audit_core::{Error, ErrorKind, Result};
use audit_export::json_line;

use crate::sink::{Batch, DeliveryError, Sink};

/// A file to which each event is appended as a line of JSON. A batch is acknowledged when it is on the
/// disk.
///
/// When the file would become longer than allowed, it is renamed: `events.jsonl` to `events.jsonl.1`, that
/// to `events.jsonl.2`, and so on; the oldest is deleted. Other programs may read the file, and none may
/// write it. A line that an interruption has cut is removed when the file is opened, and its event is
/// delivered again.
#[derive(Clone, Debug)]
pub struct FileSink {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    longest: u64,
    kept: usize,
}

impl FileSink {
    /// Opens the file at `path`, and creates it if it does not exist. It is rotated at 100 MiB, and 10
    /// older ones are kept.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if the file cannot be opened, or its last line cannot be
    /// repaired.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = std::path::absolute(path).map_err(failed)?;
        let mut state = State { path, file: None, length: 0, longest: 100 << 20, kept: 10 };
        state.open().map_err(failed)?;
        Ok(Self { state: Arc::new(Mutex::new(state)) })
    }

    /// Sets the length in bytes that the file may have; one batch may be longer. And how many older files
    /// are kept.
    #[must_use]
    pub fn with_rotation(self, longest: u64, kept: usize) -> Self {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.longest, state.kept) = (longest, kept);
        drop(state);
        self
    }
}

impl State {
    /// Opens the file, and cuts an unfinished last line.
    fn open(&mut self) -> io::Result<&mut File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        // Events hold personal data.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        let length = file.metadata()?.len();
        let whole = whole_lines(&mut file, length)?;
        if whole < length {
            file.set_len(whole)?;
        }
        file.sync_all()?;
        sync_directory(&self.path)?;
        self.length = whole;
        Ok(self.file.insert(file))
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let is_long = self.length.saturating_add(lines.len() as u64) > self.longest;
        if is_long && self.length > 0 {
            self.rotate()?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.open()?,
        };
        let written = file.write_all(lines).and_then(|()| file.sync_data());
        match written {
            Ok(()) => self.length += lines.len() as u64,
            // A part may be in the file: it is opened again, and cut.
            Err(_) => self.file = None,
        }
        written
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        let numbered = |number: usize| {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        for number in (1..self.kept).rev() {
            ignore_missing(fs::rename(numbered(number), numbered(number + 1)))?;
        }
        match self.kept {
            0 => fs::remove_file(&self.path)?,
            _ => fs::rename(&self.path, numbered(1))?,
        }
        self.open().map(drop)
    }
}

/// Returns the length of the file up to the end of its last whole line.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    const BLOCK: u64 = 64 << 10;
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        file.take(end - begin).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// Makes the name of a file durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if cfg!(unix) => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn deliver(&self, batch: &Batch) -> Result<(), DeliveryError> {
        let (state, lines) = (Arc::clone(&self.state), lines(batch)?);
        let append = move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.append(&lines)
        };
        write(append).await
    }
}

/// The standard output, to which each event is written as a line of JSON. A batch is acknowledged when the
/// reader has taken it, or the system has.
#[derive(Clone, Debug, Default)]
pub struct StdoutSink(());

impl StdoutSink {
    /// Returns the standard output of the process. Nothing else may write to it.
    pub fn new() -> Self {
        Self(())
    }
}

#[async_trait]
impl Sink for StdoutSink {
    async fn deliver(&self, batch: &Batch) -> Result<(), DeliveryError> {
        let lines = lines(batch)?;
        let append = move || {
            let mut output = io::stdout().lock();
            output.write_all(&lines).and_then(|()| output.flush())
        };
        write(append).await
    }
}

fn lines(batch: &Batch) -> Result<Vec<u8>, DeliveryError> {
    let mut lines = Vec::new();
    for event in batch.events() {
        lines.extend_from_slice(json_line(event).map_err(DeliveryError::refused)?.as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Runs a write, which can block.
async fn write(
    write: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), DeliveryError> {
    let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other);
    written.flatten().map_err(|error| DeliveryError::unavailable(failed(error)))
}

fn failed(error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind).with_context("writing events").with_source(error)
}
