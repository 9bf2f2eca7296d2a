//! The JSON texts of a file, as systems deliver them: one a line, over several lines, one right after
//! another, in a list, or in a list within an object, such as a page of an API.

use std::io::{self, BufRead};

/// The size from which an object with an open list in it is no record but a delivery, so that its items
/// are read one by one. In bytes; that of the largest event.
const DELIVERY_BYTES: usize = audit_core::limits::MAX_EVENT_BYTES;

/// The most bytes that are looked at before the size of an object is.
const CHUNK_BYTES: usize = 1 << 16;

/// The JSON texts of a reader, each in memory on its own.
///
/// A text can be a record or a delivery with records in it, which [`Mapping::read`](crate::Mapping::read)
/// takes apart. A list is taken apart here, and so is one within an object of more than a mebibyte: a file
/// of any size is read in bounded memory.
///
/// ```
/// use audit_import::Texts;
///
/// let file = b"[{\"a\": 1},\n {\"a\": 2}]";
/// let mut texts = Texts::new(&file[..], 1 << 20);
/// let second = (texts.next_text()?, texts.next_text()?).1.unwrap();
/// assert_eq!((second.line, second.bytes.as_deref()), (2, Some(&b"{\"a\": 2}"[..])));
/// assert_eq!(texts.next_text()?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Texts<R> {
    reader: R,
    limit: usize,
    /// The number of the current line, from 1.
    line: u64,
    is_start: bool,
    /// Bytes that are read again before the reader's, and how many of them were.
    again: Vec<u8>,
    again_read: usize,
    /// What is open around the next text.
    within: Vec<Within>,
    /// Whether there was an object on a line of its own: then one that goes on after its line is broken.
    has_lines: bool,
    buffer: Vec<u8>,
}

/// One text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The number of the line on which it begins, from 1.
    pub line: u64,
    /// The bytes; `None` if there are more than the limit.
    pub bytes: Option<Vec<u8>>,
    /// The length in bytes.
    pub length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    List,
    /// An object of which only the lists count, with the depth of what is open in it.
    Delivery(usize),
}

/// How the scan of an object ended.
enum End {
    Complete,
    /// The object is no JSON: the next text begins here.
    Broken,
    /// The object is a delivery. Its list begins at this place of the buffer, within this number of objects
    /// below the outermost.
    List(usize, usize),
}

impl<R: BufRead> Texts<R> {
    /// Creates the texts of `reader`, each of at most `limit` bytes in memory.
    pub fn new(reader: R, limit: usize) -> Self {
        Self {
            reader,
            limit,
            line: 1,
            is_start: true,
            again: Vec::new(),
            again_read: 0,
            within: Vec::new(),
            has_lines: false,
            buffer: Vec::new(),
        }
    }

    /// Returns the next text; `None` at the end. What is no JSON is a text, too, so that it is refused:
    /// up to the end of its line, or where the next object begins.
    ///
    /// # Errors
    /// Fails if the reader does.
    pub fn next_text(&mut self) -> io::Result<Option<Text>> {
        loop {
            let Some(byte) = self.peek()? else {
                // The end of a list is missing: not all of the file was delivered.
                if self.within.is_empty() {
                    return Ok(None);
                }
                self.within.clear();
                return Ok(Some(Text { line: self.line, bytes: Some(b"[".to_vec()), length: 1 }));
            };
            match (self.within.last().copied(), byte) {
                (_, b' ' | b'\t' | b'\r') | (Some(Within::List), b',') => self.consume(1),
                (_, b'\n') => {
                    self.consume(1);
                    self.line += 1;
                }
                (Some(Within::Delivery(depth)), byte) => self.skip(depth, byte)?,
                (_, b'[') => {
                    self.consume(1);
                    self.within.push(Within::List);
                }
                (Some(Within::List), b']') => {
                    self.consume(1);
                    self.within.pop();
                }
                (_, b'{') => {
                    if let Some(text) = self.object()? {
                        return Ok(Some(text));
                    }
                }
                _ => return self.rest_of_line().map(Some),
            }
        }
    }

    /// Reads the object that begins here; `None` if it is a delivery, whose items follow.
    fn object(&mut self) -> io::Result<Option<Text>> {
        let first_line = self.line;
        self.buffer.clear();
        let (end, length) = self.scan()?;
        if let End::List(start, depth) = end {
            let again = self.buffer[start..].split(|byte| *byte == b'\n').count() - 1;
            self.line -= again as u64;
            let mut again = self.buffer.split_off(start);
            again.extend_from_slice(&self.again[self.again_read..]);
            (self.again, self.again_read) = (again, 0);
            self.within.extend([Within::Delivery(depth), Within::List]);
            return Ok(None);
        }
        if self.within.is_empty() && matches!(end, End::Complete) && self.line == first_line {
            self.has_lines = true;
        }
        if matches!(end, End::Broken) {
            self.within.clear();
        }
        let bytes = (length <= self.limit).then(|| self.buffer.clone());
        Ok(Some(Text { line: first_line, bytes, length }))
    }

    /// Reads to the end of the object, into the buffer. Returns how it ended, and its length.
    fn scan(&mut self) -> io::Result<(End, usize)> {
        // Whether each of what is open is a list.
        let mut open: Vec<bool> = Vec::new();
        let (mut in_string, mut is_escaped, mut last) = (false, false, b' ');
        let mut list = None::<(usize, usize)>;
        let (mut length, mut line) = (0, self.line);
        let one_line = self.has_lines && self.within.is_empty();
        loop {
            let chunk = chunk(&self.again[self.again_read..], &mut self.reader)?;
            if chunk.is_empty() {
                self.line = line;
                return Ok((End::Broken, length));
            }
            let (mut used, mut end) = (0, None);
            for byte in chunk {
                if in_string {
                    match byte {
                        _ if is_escaped => is_escaped = false,
                        b'\\' => is_escaped = true,
                        b'"' => in_string = false,
                        b'\n' => end = Some(End::Broken),
                        _ => {}
                    }
                } else {
                    match byte {
                        b'\n' if one_line => end = Some(End::Broken),
                        b'\n' => line += 1,
                        // In an object, one can only be a value.
                        b'{' if open.last() == Some(&false) && last != b':' => {
                            end = Some(End::Broken);
                        }
                        b'{' => open.push(false),
                        b'[' => {
                            open.push(true);
                            list = list.or(Some((open.len(), length + used + 1)));
                        }
                        b'}' | b']' => {
                            if list.is_some_and(|(depth, _)| depth == open.len()) {
                                list = None;
                            }
                            open.pop();
                            if open.is_empty() {
                                end = Some(End::Complete);
                            }
                        }
                        b'"' => in_string = true,
                        _ => {}
                    }
                    if !byte.is_ascii_whitespace() {
                        last = *byte;
                    }
                }
                if matches!(end, Some(End::Broken)) {
                    break;
                }
                used += 1;
                if end.is_some() {
                    break;
                }
            }
            if length + used <= self.limit {
                self.buffer.extend_from_slice(&chunk[..used]);
            }
            length += used;
            self.consume(used);
            if end.is_none()
                && let Some((depth, start)) = list
                && length > DELIVERY_BYTES
                && length <= self.limit
            {
                end = Some(End::List(start, depth.saturating_sub(2)));
            }
            if let Some(end) = end {
                self.line = line;
                return Ok((end, length));
            }
        }
    }

    /// Goes on in a delivery, after a list in it, to the next list or the end.
    fn skip(&mut self, depth: usize, byte: u8) -> io::Result<()> {
        let depth = match byte {
            b'[' => {
                self.consume(1);
                self.within.push(Within::List);
                return Ok(());
            }
            b'{' => depth + 1,
            b'}' if depth == 0 => {
                self.consume(1);
                self.within.pop();
                return Ok(());
            }
            b'}' => depth - 1,
            b'"' => {
                self.consume(1);
                let mut is_escaped = false;
                while let Some(byte) = self.peek()? {
                    match byte {
                        _ if is_escaped => is_escaped = false,
                        b'\\' => is_escaped = true,
                        b'"' => break,
                        _ => {}
                    }
                    self.consume(1);
                }
                depth
            }
            _ => depth,
        };
        self.consume(1);
        if let Some(within) = self.within.last_mut() {
            *within = Within::Delivery(depth);
        }
        Ok(())
    }

    /// Reads what is no object to the end of its line; in a list, to the end of the item.
    fn rest_of_line(&mut self) -> io::Result<Text> {
        let (line, in_list) = (self.line, !self.within.is_empty());
        self.buffer.clear();
        let mut length = 0;
        loop {
            let chunk = chunk(&self.again[self.again_read..], &mut self.reader)?;
            let ends = |byte: &u8| *byte == b'\n' || in_list && matches!(*byte, b',' | b']' | b'{');
            let end = chunk.iter().position(ends);
            let used = end.unwrap_or(chunk.len());
            if length + used <= self.limit {
                self.buffer.extend_from_slice(&chunk[..used]);
            }
            length += used;
            self.consume(used);
            if end.is_some() || used == 0 {
                break;
            }
        }
        let bytes = (length <= self.limit).then(|| self.buffer.clone());
        Ok(Text { line, bytes, length })
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        let chunk = chunk(&self.again[self.again_read..], &mut self.reader)?;
        // A byte order mark. A reader that gives less than three bytes at first is not one of a file.
        if std::mem::take(&mut self.is_start) && chunk.starts_with(MARK) {
            self.consume(MARK.len());
            return self.peek();
        }
        Ok(chunk.first().copied())
    }

    fn consume(&mut self, count: usize) {
        if self.again_read < self.again.len() {
            self.again_read += count;
        } else {
            self.reader.consume(count);
        }
    }
}

/// Returns the next bytes; none at the end.
fn chunk<'a>(again: &'a [u8], reader: &'a mut impl BufRead) -> io::Result<&'a [u8]> {
    if !again.is_empty() {
        return Ok(&again[..again.len().min(CHUNK_BYTES)]);
    }
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let bytes = reader.fill_buf()?;
    Ok(&bytes[..bytes.len().min(CHUNK_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts_of(file: &[u8], limit: usize) -> Vec<(u64, Option<String>)> {
        // A buffer of three bytes, so that texts cross its ends.
        let mut texts = Texts::new(io::BufReader::with_capacity(3, file), limit);
        let mut all = Vec::new();
        while let Some(text) = texts.next_text().unwrap() {
            let bytes = text.bytes.map(|bytes| String::from_utf8(bytes).unwrap());
            all.push((text.line, bytes));
        }
        assert!(texts.buffer.capacity() <= 2 * limit.max(8));
        all
    }

    fn texts(file: &str) -> Vec<(u64, String)> {
        let all = texts_of(file.as_bytes(), 1 << 16);
        all.into_iter().map(|(line, text)| (line, text.unwrap())).collect()
    }

    fn list(items: &[(u64, &str)]) -> Vec<(u64, String)> {
        items.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn every_way_to_put_objects_into_a_file() {
        for (file, expected) in [
            ("", &[][..]),
            ("\n \r\n", &[]),
            ("{\"a\":1}\r\n\n{\"b\":\"}\\\"{\"}", &[(1, r#"{"a":1}"#), (3, r#"{"b":"}\"{"}"#)]),
            ("\u{feff}{}\n{}", &[(1, "{}"), (2, "{}")]),
            ("{}{\"a\":[]} {}", &[(1, "{}"), (1, r#"{"a":[]}"#), (1, "{}")]),
            ("{\n \"a\": [\n1]}\n{\n}", &[(1, "{\n \"a\": [\n1]}"), (4, "{\n}")]),
            ("[\n{},\n{\"a\":{}}]\n{}", &[(2, "{}"), (3, r#"{"a":{}}"#), (4, "{}")]),
            ("[[{}],[]]", &[(1, "{}")]),
            ("[]", &[]),
        ] {
            assert_eq!(texts(file), list(expected), "{file}");
        }
    }

    #[test]
    fn what_is_broken_is_a_text_and_what_follows_is_read() {
        for (file, expected) in [
            ("{}\n{\"a\":\n{}", &[(1, "{}"), (2, r#"{"a":"#), (3, "{}")][..]),
            ("{\"a\":\"x\n{}", &[(1, r#"{"a":"x"#), (2, "{}")]),
            ("{\"a\":1,\n{}\n{}", &[(1, "{\"a\":1,\n"), (2, "{}"), (3, "{}")]),
            ("nonsense {\n{}", &[(1, "nonsense {"), (2, "{}")]),
            ("{\"a\":1", &[(1, r#"{"a":1"#)]),
            ("[{},\n1,{}", &[(1, "{}"), (2, "1"), (2, "{}"), (2, "[")]),
            ("}{\n]\n{}", &[(1, "}{"), (2, "]"), (3, "{}")]),
        ] {
            assert_eq!(texts(file), list(expected), "{file}");
        }
    }

    #[test]
    fn a_text_over_the_limit_has_no_bytes() {
        let found = texts_of(b"{\"a\":12}\n{\"a\":1}\nabcdefgh\n{}", 7);
        let expected = [(1, None), (2, Some(r#"{"a":1}"#)), (3, None), (4, Some("{}"))];
        assert_eq!(found, expected.map(|(line, text)| (line, text.map(str::to_owned))));
    }

    #[test]
    fn a_large_delivery_is_taken_apart() {
        let item = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000));
        let page = |count| {
            format!(
                "{{\n\"b\":\"[\",\"c\":{{\"d\":[\n{}]}},\"e\":\"]}}\"}}{{}}",
                vec![&*item; count].join(",\n")
            )
        };
        let mut texts = Texts::new(io::Cursor::new(page(3_000)), 8 << 20);
        let mut count = 0;
        while let Some(text) = texts.next_text().unwrap() {
            count += 1;
            let expected = if count > 3_000 { "{}" } else { &item };
            assert!(text.bytes.unwrap() == expected.as_bytes(), "{count}");
            assert_eq!(text.line, 2 + count.min(3_000));
        }
        assert_eq!(count, 3_001);
        assert_eq!(self::texts(&page(3)).len(), 2, "a small one is one text");
    }

    proptest::proptest! {
        #[test]
        fn no_byte_is_lost(file in "[\\[\\]{}\",:a\\\\\n ]{0,64}") {
            // Every sign that is not between texts is in one.
            let texts = texts(&file);
            let held: usize = texts.iter().map(|(_, text)| text.matches('a').count()).sum();
            proptest::prop_assert_eq!(held, file.matches('a').count());
        }
    }
}
