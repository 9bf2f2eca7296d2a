//! A file of records, or the standard input.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread;

use audit_core::Timestamp;
use audit_import::{Text, Texts};
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use tokio::sync::mpsc;

use crate::error::{CliError, Result};

/// A file of records, or the standard input.
pub(crate) struct Input {
    /// The name to print.
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Read + Send>,
    /// The size in bytes, if it is known and not that of a compressed file.
    pub(crate) bytes: Option<u64>,
    /// The time of the last change, if it is known. The events in the file occurred before it.
    pub(crate) written_at: Option<Timestamp>,
}

/// The number of chunks of texts that are read ahead.
const AHEAD: usize = 4;
/// The highest number of texts in a chunk: the threads wake each other once for each.
const CHUNK: usize = 64;
/// The size in bytes at which a chunk ends.
const CHUNK_BYTES: usize = 256 << 10;

/// Returns the files of `paths`: of a directory, those in it and below it whose names do not begin with a
/// dot, in the order of their names. Fails if one is missing. Reads none.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if is_stdin(path) {
            files.push(path.clone());
            continue;
        }
        add(path, &mut files).map_err(|error| unreadable(&path.display().to_string(), error))?;
    }
    Ok(files)
}

fn add(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.metadata()?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = path.read_dir()?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            add(&entry.path(), files)?;
        }
    }
    Ok(())
}

impl Input {
    /// Opens the file at `path`; `-` is the standard input. Decompresses gzip and Zstandard.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if is_stdin(path) {
            let name = "-".to_owned();
            let (reader, _) =
                decompressed(io::stdin()).map_err(|error| unreadable(&name, error))?;
            return Ok(Self { name, reader, bytes: None, written_at: None });
        }
        let name = path.display().to_string();
        let opened = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            let (reader, is_compressed) = decompressed(file)?;
            Ok((metadata, reader, is_compressed))
        };
        let (metadata, reader, is_compressed) =
            opened().map_err(|error| unreadable(&name, error))?;
        let (mut bytes, mut written_at) = (None, None);
        if metadata.is_file() {
            bytes = Some(metadata.len()).filter(|_| !is_compressed);
            let modified = metadata.modified().ok();
            written_at = modified.and_then(|time| Timestamp::try_from(time).ok());
        }
        Ok(Self { name, reader, bytes, written_at })
    }

    /// Reads the texts, each of at most `limit` bytes, in a thread of its own, so that a read of a pipe
    /// that has no data does not keep the program from ending.
    pub(crate) fn texts(self, limit: usize) -> ReadTexts {
        let (sender, chunks) = mpsc::channel(AHEAD);
        thread::spawn(move || {
            let mut texts = Texts::new(BufReader::with_capacity(1 << 16, self.reader), limit);
            loop {
                let (chunk, end) = next_chunk(&mut texts);
                if !chunk.is_empty() && sender.blocking_send(Ok(chunk)).is_err() {
                    break;
                }
                match end {
                    None => {}
                    Some(Ok(())) => break,
                    Some(Err(error)) => {
                        let _ = sender.blocking_send(Err(error));
                        break;
                    }
                }
            }
        });
        ReadTexts { chunks, next: VecDeque::new() }
    }
}

/// The texts of a file, which another thread reads.
pub(crate) struct ReadTexts {
    chunks: mpsc::Receiver<io::Result<Vec<Text>>>,
    next: VecDeque<Text>,
}

impl ReadTexts {
    /// Returns the next text; `None` at the end of the file. Loses none if it is dropped before it is ready.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Text>> {
        if self.next.is_empty() {
            match self.chunks.recv().await? {
                Ok(chunk) => self.next = chunk.into(),
                Err(error) => return Some(Err(error)),
            }
        }
        self.next.pop_front().map(Ok)
    }
}

/// Reads some texts, and with the last of the file its end or the error.
fn next_chunk(texts: &mut Texts<impl BufRead>) -> (Vec<Text>, Option<io::Result<()>>) {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    while chunk.len() < CHUNK && bytes < CHUNK_BYTES {
        match texts.next_text() {
            Ok(Some(text)) => {
                bytes += text.bytes.as_ref().map_or(0, Vec::len);
                chunk.push(text);
            }
            Ok(None) => return (chunk, Some(Ok(()))),
            Err(error) => return (chunk, Some(Err(error))),
        }
    }
    (chunk, None)
}

/// Returns a reader of what `reader` gives, decompressed, and whether it was compressed.
fn decompressed(reader: impl Read + Send + 'static) -> io::Result<(Box<dyn Read + Send>, bool)> {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    let start = reader.fill_buf()?;
    Ok(if start.starts_with(GZIP) {
        (Box::new(MultiGzDecoder::new(reader)), true)
    } else if start.starts_with(ZSTANDARD) {
        (Box::new(Zstandard { reader: Some(Frame::Next(reader)) }), true)
    } else {
        (Box::new(reader), false)
    })
}

/// The frames of a Zstandard file, one after another.
struct Zstandard<R: BufRead> {
    reader: Option<Frame<R>>,
}

enum Frame<R: BufRead> {
    Next(R),
    Open(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
}

impl<R: BufRead> Read for Zstandard<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.take() {
                None => return Ok(0),
                Some(Frame::Next(mut reader)) => {
                    if reader.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let frame = StreamingDecoder::new(reader).map_err(io::Error::other)?;
                    self.reader = Some(Frame::Open(Box::new(frame)));
                }
                Some(Frame::Open(mut frame)) => {
                    let read = frame.read(bytes)?;
                    if read > 0 || bytes.is_empty() {
                        self.reader = Some(Frame::Open(frame));
                        return Ok(read);
                    }
                    self.reader = Some(Frame::Next(frame.into_inner()));
                }
            }
        }
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Returns the error for an input that cannot be read.
pub(crate) fn unreadable(name: &str, error: io::Error) -> CliError {
    CliError::from_source(format!("cannot read {name}"), error)
}
