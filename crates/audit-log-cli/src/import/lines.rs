//! The lines of a file, read in bounded memory.

use std::io::{self, BufRead};
use std::thread;

use tokio::sync::mpsc;

/// The lines of a reader, each of at most `limit` bytes in memory.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    limit: usize,
    buffer: Vec<u8>,
    number: u64,
}

/// The number of lines that are read ahead.
const AHEAD: usize = 8;

/// One line, without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The number in the file, from 1.
    pub(crate) number: u64,
    /// The bytes; `None` if the line is longer than the limit.
    pub(crate) text: Option<Vec<u8>>,
    /// The length in bytes.
    pub(crate) length: usize,
}

impl<R: BufRead + Send + 'static> Lines<R> {
    /// Reads the lines in a thread of its own, so that a read of a pipe that has no data does not keep
    /// the program from ending.
    pub(crate) fn spawn(mut self) -> mpsc::Receiver<io::Result<Line>> {
        let (sender, lines) = mpsc::channel(AHEAD);
        thread::spawn(move || {
            while let Some(line) = self.next().transpose() {
                let is_last = line.is_err();
                if sender.blocking_send(line).is_err() || is_last {
                    break;
                }
            }
        });
        lines
    }
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        Self { reader, limit, buffer: Vec::new(), number: 0 }
    }

    /// Returns the next line. Drops a byte order mark before the first line.
    fn next(&mut self) -> io::Result<Option<Line>> {
        self.buffer.clear();
        let mut length = 0;
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() && length == 0 {
                return Ok(None);
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if length + part.len() <= self.limit {
                self.buffer.extend_from_slice(part);
            }
            length += part.len();
            let (used, is_last) = (part.len() + usize::from(end.is_some()), chunk.is_empty());
            self.reader.consume(used);
            if end.is_some() || is_last {
                break;
            }
        }
        self.number += 1;
        let text = self.buffer.as_slice();
        let text = match text.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if self.number == 1 => rest,
            _ => text,
        };
        let text = (length <= self.limit).then(|| text.to_vec());
        Ok(Some(Line { number: self.number, text, length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], limit: usize) -> Vec<(Option<Vec<u8>>, usize)> {
        // A buffer of three bytes, so that lines cross its ends.
        let mut lines = Lines::new(io::BufReader::with_capacity(3, text), limit);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push((line.text, line.length));
            assert_eq!(line.number, all.len() as u64);
        }
        assert!(lines.buffer.capacity() <= 2 * limit.max(8));
        all
    }

    #[test]
    fn a_line_over_the_limit_has_no_text() {
        let found = lines(b"abcd\nabcde\n\nxy", 4);
        let expected = [(Some(&b"abcd"[..]), 4), (None, 5), (Some(b""), 0), (Some(b"xy"), 2)];
        assert_eq!(found, expected.map(|(text, length)| (text.map(<[u8]>::to_vec), length)));
    }

    #[test]
    fn a_byte_order_mark_is_dropped_before_the_first_line_only() {
        let found = lines("\u{feff}a\n\u{feff}b".as_bytes(), 9);
        assert_eq!(found[0].0.as_deref(), Some(&b"a"[..]));
        assert_eq!(found[1].0.as_deref(), Some("\u{feff}b".as_bytes()));
    }

    #[test]
    fn an_empty_file_has_no_lines() {
        assert!(lines(b"", 4).is_empty());
        assert_eq!(lines(b"\n", 4).len(), 1);
    }
}
