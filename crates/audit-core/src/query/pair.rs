//! Two texts in one, as facets of pairs compare them: `type=id`.
//!
//! The first `=` separates the two. To its left, `\=` encodes `=` and `\\` encodes `\`, so that pairs and
//! forms correspond one to one.

use std::borrow::Cow;

/// Returns the form of a pair.
pub(crate) fn join(left: &str, right: &str) -> String {
    let mut text = String::with_capacity(left.len() + 1 + right.len());
    for character in left.chars() {
        if matches!(character, '=' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('=');
    text.push_str(right);
    text
}

/// Returns the pair of a form; `None` if `text` is not one.
pub(crate) fn split(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut left = Cow::Borrowed("");
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '=' => return Some((left, &text[at + 1..])),
            '\\' => match characters.next()? {
                (_, escaped @ ('=' | '\\')) => left.to_mut().push(escaped),
                _ => return None,
            },
            other => match &mut left {
                Cow::Borrowed(left) => *left = &text[..at + other.len_utf8()],
                Cow::Owned(left) => left.push(other),
            },
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_separator_that_is_not_escaped_counts() {
        assert_eq!(split("a=b=c"), Some(("a".into(), "b=c")));
        assert_eq!(split(r"AWS::S3=x\"), Some(("AWS::S3".into(), r"x\")));
        assert_eq!(split(r"é\=\\b=c"), Some((r"é=\b".into(), "c")));
        assert_eq!(split("="), Some(("".into(), "")));
        for text in ["", "a", r"a\b=c", r"a\=b", r"a\"] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_pair_comes_back(left in r"[a=\\é]{0,6}", right in r"[a=\\é]{0,6}") {
            let text = join(&left, &right);
            prop_assert_eq!(split(&text), Some((left.into(), &*right)));
        }

        #[test]
        fn a_form_comes_back(text in r"[a=\\é]{0,8}") {
            if let Some((left, right)) = split(&text) {
                prop_assert_eq!(join(&left, right), text);
            }
        }
    }
}
