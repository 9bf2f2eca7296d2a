//! A file of records, or the standard input.

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

/// The number of texts that are read ahead.
const AHEAD: usize = 8;

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
    pub(crate) fn texts(self, limit: usize) -> mpsc::Receiver<io::Result<Text>> {
        let (sender, texts) = mpsc::channel(AHEAD);
        thread::spawn(move || {
            let mut texts = Texts::new(BufReader::with_capacity(1 << 16, self.reader), limit);
            while let Some(text) = texts.next_text().transpose() {
                let is_last = text.is_err();
                if sender.blocking_send(text).is_err() || is_last {
                    break;
                }
            }
        });
        texts
    }
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
