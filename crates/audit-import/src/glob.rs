//! A pattern in which `*` is any text, and what its stars matched.

/// A pattern in which each `*` matches any text, an empty one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    /// The texts between the stars.
    parts: Vec<String>,
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        Self { parts: pattern.split('*').map(str::to_owned).collect() }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.stars(text, |_| ())
    }

    /// Returns what each star matched, the earliest that it can; `None` if `text` does not match.
    pub(crate) fn captures<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let mut captures = Vec::new();
        self.stars(text, |capture| captures.push(capture)).then_some(captures)
    }

    fn stars<'t>(&self, text: &'t str, mut star: impl FnMut(&'t str)) -> bool {
        let [first, middle @ .., last] = &*self.parts else {
            return self.parts.first().is_none_or(|whole| whole == text);
        };
        if !begins_with(text.as_bytes(), first) {
            return false;
        }
        let Some(mut rest) = text.get(first.len()..) else { return false };
        for part in middle {
            let Some((capture, after)) = split_once(rest, part) else { return false };
            star(capture);
            rest = after;
        }
        rest.strip_suffix(last.as_str()).map(star).is_some()
    }
}

/// Splits `text` at the first `part`, as [`str::split_once`] does. Keys and parts are so short that the
/// preparation of a search in linear time takes longer than the search.
fn split_once<'t>(text: &'t str, part: &str) -> Option<(&'t str, &'t str)> {
    let bytes = text.as_bytes();
    let start = (0..=bytes.len()).find(|start| begins_with(&bytes[*start..], part))?;
    Some((text.get(..start)?, text.get(start + part.len()..)?))
}

/// Returns whether `bytes` begin with `part`. Most differ in the first byte.
fn begins_with(bytes: &[u8], part: &str) -> bool {
    bytes.len() >= part.len() && bytes.iter().zip(part.as_bytes()).all(|(one, other)| one == other)
}

/// Returns `output` with `$0` replaced by `text`, and `$1` to `$9` by what the stars matched.
pub(crate) fn expand(output: &str, text: &str, captures: &[&str]) -> String {
    let mut expanded = String::with_capacity(output.len() + text.len());
    let mut parts = output.split('$');
    expanded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.chars().next().and_then(|digit| digit.to_digit(10)) {
            Some(0) => expanded.push_str(text),
            Some(star) => expanded.push_str(captures.get(star as usize - 1).unwrap_or(&"")),
            None => {
                expanded.push('$');
                expanded.push_str(part);
                continue;
            }
        }
        expanded.push_str(&part[1..]);
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, captures) in [
            ("a", "a", Some(vec![])),
            ("a", "ab", None),
            ("*", "", Some(vec![""])),
            ("*.amazonaws.com", "s3.amazonaws.com", Some(vec!["s3"])),
            ("*.amazonaws.com", "amazonaws.com", None),
            ("system:*", "system:", Some(vec![""])),
            ("*@*", "ana@x@y", Some(vec!["ana", "x@y"])),
            ("a*a", "a", None),
            ("a**b", "axb", Some(vec!["", "x"])),
            ("*é*", "aèé", Some(vec!["aè", ""])),
            ("*é", "aè", None),
            ("*_old_*", "hook_old_name", Some(vec!["hook", "name"])),
        ] {
            assert_eq!(Glob::new(pattern).captures(text), captures, "{pattern} {text}");
            assert_eq!(Glob::new(pattern).matches(text), captures.is_some());
        }
    }

    #[test]
    fn an_output_refers_to_the_stars() {
        assert_eq!(expand("$1.$2", "x", &["a", "b"]), "a.b");
        assert_eq!(expand("<$0> $9 $x $", "é", &[]), "<é>  $x $");
    }
}
