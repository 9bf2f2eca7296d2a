//! Texts that cannot control a terminal.
//!
//! The texts in a log were written by others. An escape sequence in one could clear the screen,
//! alter earlier output or type commands; a bidirectional control could reorder the text.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The highest number of characters that are shown of one text.
const SHOWN: usize = 120;

/// Returns `true` for a character that controls a terminal or is invisible: controls (C0, DEL, C1),
/// line and paragraph separators, bidirectional controls and invisible format characters. Returns
/// `false` for joiners, which scripts and emoji need.
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

/// Escapes the hidden characters of `text` as Rust does, for example `\u{1b}`. Keeps line feeds.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_hidden(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(text, |c| is_hidden(c) && c != '\n'))
}

/// Escapes the hidden characters of `text`, including line feeds.
pub(crate) fn line(text: &str) -> String {
    escaped(text, is_hidden)
}

/// Escapes the hidden characters of `text`, including line feeds, and cuts a long text.
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
                // Writing to a `String` does not fail.
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
    fn control_characters_are_escaped() {
        let text = "a\u{1b}[2J\u{9b}1m\r\n\u{202e}b\u{2066}\u{7f}\u{e0041}";
        let shown = r"a\u{1b}[2J\u{9b}1m\r\n\u{202e}b\u{2066}\u{7f}\u{e0041}";
        assert_eq!(cell(text), shown);
        assert_eq!(visible("a\n\t"), "a\n\\t");
    }

    #[test]
    fn visible_text_is_unchanged() {
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
