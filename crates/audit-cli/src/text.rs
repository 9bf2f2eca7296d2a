//! Texts that cannot drive a terminal.
//!
//! What a log holds was written by others. An escape sequence in it could clear the screen, alter
//! what was shown, or type commands; a bidirectional control could show a text in another order.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The most characters that are shown of one text.
const SHOWN: usize = 120;

/// Whether `c` acts on a terminal, or shows nothing of itself: controls (C0, DEL, C1), line and
/// paragraph separators, bidirectional controls, and invisible format characters. Joiners, which
/// scripts and emoji need, are none.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// `text` with hidden characters escaped as Rust does: `\n`, `\u{1b}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_hidden(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(text, |c| is_hidden(c) && c != '\n'))
}

/// `text` on one line.
pub(crate) fn line(text: &str) -> String {
    escaped(text, is_hidden)
}

/// `text` on one line, cut where it is long.
pub(crate) fn cell(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    line(&shown)
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut all = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if !is_escaped(c) => all.push(c),
            '\n' => all.push_str("\\n"),
            '\r' => all.push_str("\\r"),
            '\t' => all.push_str("\\t"),
            c => {
                // Writing to a text does not fail.
                let _ = write!(all, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped() {
        let text = "a\u{1b}[2J\u{9b}1m\r\n\u{202e}b\u{2066}\u{7f}\u{e0041}";
        let shown = r"a\u{1b}[2J\u{9b}1m\r\n\u{202e}b\u{2066}\u{7f}\u{e0041}";
        assert_eq!(cell(text), shown);
        assert_eq!(visible("a\n\t"), "a\n\\t");
    }

    #[test]
    fn what_people_write_is_left_alone() {
        let text = "Ünïcode 한국어 Русский עברית 👩\u{200d}👩\u{200d}👧 C:\\new";
        assert_eq!(cell(text), text);
    }

    #[test]
    fn a_long_text_is_cut() {
        let shown = cell(&"é".repeat(SHOWN + 1));
        assert_eq!(shown.chars().count(), SHOWN + 1);
        assert!(shown.ends_with('…'));
        assert_eq!(cell(&"é".repeat(SHOWN)).chars().count(), SHOWN);
    }
}
