//! Texts that cannot control a terminal, nor hide anything on it.
//!
//! The texts in a log were written by others. An escape sequence in one could clear the screen,
//! alter earlier output or type commands; a bidirectional control could reorder the text; characters
//! that nobody sees could make two names look the same, or carry a message.

use std::borrow::Cow;
use std::fmt::Write as _;

use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, Emoji, EmojiModifier, ExtendedPictographic,
    GeneralCategory, JoiningType,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// The highest number of characters that are shown of one text.
const SHOWN: usize = 120;

/// Characters that are blank, although their properties are those of letters and symbols: the Braille
/// pattern without dots, the null notehead, fillers and blanks of historic scripts.
const BLANK: [char; 6] =
    ['\u{2800}', '\u{1107f}', '\u{13441}', '\u{13442}', '\u{16fe4}', '\u{1d159}'];

/// Returns `true` for a character that controls a terminal or is invisible: controls, format
/// characters (bidirectional controls and tags among them), line and paragraph separators, characters
/// that are ignored by default (selectors and fillers among them), and those that Unicode has not
/// assigned. Spaces are visible.
fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::Unassigned
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || BLANK.contains(&c)
}

/// Returns the hidden characters of `text` and their places, without the joiners and selectors that
/// change how their neighbours look: scripts and emoji need them.
pub(crate) fn hidden(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut before = None;
    text.char_indices().filter(move |(at, c)| {
        if !is_hidden(*c) {
            before = Some(*c);
            return false;
        }
        let after = text[at + c.len_utf8()..].chars().next();
        let is_needed = before.is_some_and(|before| shapes(before, *c, after));
        // A selector belongs to the character before it, which a second one must not follow.
        if !(is_needed && *c == EMOJI_SELECTOR && after == Some(JOINER)) {
            before = None;
        }
        !is_needed
    })
}

const EMOJI_SELECTOR: char = '\u{fe0f}';
const TEXT_SELECTOR: char = '\u{fe0e}';
const JOINER: char = '\u{200d}';
const NON_JOINER: char = '\u{200c}';

/// Returns `true` if `c`, a joiner or a selector, changes how `before` or `after` look. The rule for
/// joiners in words is that of domain names (RFC 5892, appendix A).
fn shapes(before: char, c: char, after: Option<char>) -> bool {
    let is_pictograph = |c| CodePointSetData::new::<ExtendedPictographic>().contains(c);
    let joins =
        |c, types: [JoiningType; 2]| types.contains(&CodePointMapData::<JoiningType>::new().get(c));
    let follows_virama = || {
        let class = CodePointMapData::<CanonicalCombiningClass>::new().get(before);
        class == CanonicalCombiningClass::Virama
    };
    match (c, after) {
        (EMOJI_SELECTOR | TEXT_SELECTOR, _) => {
            !before.is_ascii() && CodePointSetData::new::<Emoji>().contains(before)
        }
        (JOINER, Some(after)) if is_pictograph(after) => {
            is_pictograph(before) || CodePointSetData::new::<EmojiModifier>().contains(before)
        }
        (NON_JOINER, Some(after))
            if joins(before, [JoiningType::LeftJoining, JoiningType::DualJoining]) =>
        {
            joins(after, [JoiningType::RightJoining, JoiningType::DualJoining])
        }
        (JOINER | NON_JOINER, _) => follows_virama(),
        _ => false,
    }
}

/// Escapes the hidden characters of `text` as Rust does, for example `\u{1b}`. Keeps line feeds.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n')
}

/// Escapes the hidden characters of `text`, including line feeds.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| true)
}

/// Escapes the hidden characters of `text`, including line feeds, and cuts a long text.
pub(crate) fn cell(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    line(&shown).into_owned()
}

/// Cuts `line`, which has no hidden characters, to `columns` of a terminal.
pub(crate) fn fit(line: &str, columns: usize) -> Cow<'_, str> {
    // A line with no more bytes than columns is not wider: the usual case.
    if line.len() <= columns || line.width() <= columns {
        return Cow::Borrowed(line);
    }
    let mut cut = String::new();
    let mut left = columns.saturating_sub(1);
    for grapheme in line.graphemes(true) {
        match left.checked_sub(grapheme.width()) {
            Some(rest) => left = rest,
            None => break,
        }
        cut.push_str(grapheme);
    }
    cut.push('…');
    Cow::Owned(cut)
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    let mut all = String::new();
    let mut done = 0;
    for (at, c) in hidden(text).filter(|(_, c)| is_escaped(*c)) {
        all.push_str(&text[done..at]);
        done = at + c.len_utf8();
        match c {
            '\n' => all.push_str("\\n"),
            '\r' => all.push_str("\\r"),
            '\t' => all.push_str("\\t"),
            c => {
                // Writing to a `String` does not fail.
                let _ = write!(all, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    all.push_str(&text[done..]);
    Cow::Owned(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_are_escaped() {
        let text = "a\u{1b}[2J\u{9b}1m\r\n\u{202e}b\u{2066}\u{7f}\u{e0041}";
        let shown = r"a\u{1b}[2J\u{9b}1m\r\n\u{202e}b\u{2066}\u{7f}\u{e0041}";
        assert_eq!(cell(text), shown);
        assert_eq!(visible("a\n\t"), "a\n\\t");
    }

    #[test]
    fn invisible_characters_are_escaped() {
        for c in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{2028}',
            '\u{2060}',
            '\u{2065}',
            '\u{206f}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0e}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{ffff}',
            '\u{fdd0}',
            '\u{13430}',
            '\u{13441}',
            '\u{1bca0}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{e0fff}',
            '\u{10ffff}',
        ] {
            let shown = format!("a\\u{{{:x}}}b", u32::from(c));
            assert_eq!(line(&format!("a{c}b")), shown);
        }
    }

    #[test]
    fn visible_text_is_unchanged() {
        for text in [
            "Ünïcode 한국어 Русский עברית C:\\new «a\u{a0}b» e\u{301} \u{3000}",
            "👩\u{200d}👩\u{200d}👧 👩🏽\u{200d}🚀 🏳\u{fe0f}\u{200d}🌈 ❤\u{fe0f} ❤\u{fe0f}\u{200d}🔥 ☎\u{fe0e}",
            // Joiners that words of Persian, Hindi and Malayalam need.
            "می\u{200c}خواهم क्\u{200d}ष ന്\u{200c}റ",
        ] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn joiners_and_selectors_that_change_nothing_are_escaped() {
        for (text, shown) in [
            ("ad\u{200d}min", "ad\\u{200d}min"),
            ("ad\u{200c}min", "ad\\u{200c}min"),
            ("é\u{200d}é", "é\\u{200d}é"),
            ("👩\u{200d}x", "👩\\u{200d}x"),
            ("👩\u{200d}\u{200d}👧", "👩\\u{200d}\\u{200d}👧"),
            ("👩\u{200d}", "👩\\u{200d}"),
            ("1\u{fe0f}", "1\\u{fe0f}"),
            ("❤\u{fe0f}\u{fe0f}", "❤\u{fe0f}\\u{fe0f}"),
            ("❤\u{fe00}", "❤\\u{fe00}"),
            ("a\u{fe0f}\u{200d}🔥", "a\\u{fe0f}\\u{200d}🔥"),
        ] {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let shown = cell(&"é".repeat(SHOWN + 1));
        assert_eq!(shown.chars().count(), SHOWN + 1);
        assert!(shown.ends_with('…'));
        assert_eq!(cell(&"é".repeat(SHOWN)).chars().count(), SHOWN);
    }

    #[test]
    fn a_line_is_cut_to_the_columns_between_characters_as_people_see_them() {
        for (text, columns, shown) in [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 5, "abcd…"),
            ("東京都", 6, "東京都"),
            ("東京都", 5, "東京…"),
            ("東京都", 4, "東…"),
            ("ae\u{301}bc", 3, "ae\u{301}…"),
            ("👩\u{200d}👩\u{200d}👧👧", 3, "👩\u{200d}👩\u{200d}👧…"),
            ("abc", 0, "…"),
        ] {
            assert_eq!(fit(text, columns), shown);
        }
    }

    proptest! {
        #[test]
        fn no_text_hides_a_character(text in "(\\PC|\\p{C}|[\u{200b}-\u{200f}\u{fe0f}a❤👩])*") {
            let shown = line(&text);
            prop_assert!(hidden(&shown).next().is_none(), "{shown:?}");
            // What stays is needed by a neighbour, and stays alone.
            for (at, c) in shown.char_indices().filter(|(_, c)| is_hidden(*c)) {
                prop_assert!([JOINER, NON_JOINER, EMOJI_SELECTOR, TEXT_SELECTOR].contains(&c));
                prop_assert!(at > 0);
            }
            prop_assert!(!shown.chars().any(char::is_control));
        }

        #[test]
        fn a_cut_line_is_a_beginning_that_fits(text in "\\PC*", columns in 1_usize..40) {
            let shown = line(&text);
            let cut = fit(&shown, columns);
            prop_assert!(cut.width() <= columns);
            prop_assert!(*cut == *shown || shown.starts_with(cut.trim_end_matches('…')));
        }
    }
}
