//! Regular expressions, in time that is bounded by the lengths of text and pattern.

use std::ops::Range;
use std::rc::Rc;

use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Error, ValR};
use regex_lite::{Regex, RegexBuilder};

use super::budget;
use super::value::{Data, Val, take};

/// The bytes of a pattern.
const MAX_PATTERN_BYTES: usize = 1_024;

/// The sizes that a compiled pattern can have, of which the least that is enough says what a byte of text
/// costs.
const PATTERN_SIZES: [usize; 4] = [1 << 10, 1 << 12, 1 << 14, 1 << 16];

/// The bytes of a state of a compiled pattern, roughly.
const STATE_BYTES: usize = 32;

/// The states that a search goes through in one step.
const STEP_STATES: usize = 16;

/// How much cheaper the text behind a match is: a search may look at all of it, and seldom does.
const AHEAD: usize = 8;

/// The levels of groups in a pattern.
const MAX_GROUPS: u32 = 32;

/// What is wanted of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    Matches,
    Between,
    Both,
}

pub(super) fn all() -> Vec<Fun<Data>> {
    vec![
        run(("matches", v(2), |mut cv| {
            let flags = cv.0.pop_var();
            bome(parts(&cv.1, &cv.0.pop_var(), &flags, Parts::Matches))
        })),
        run(("split_matches", v(2), |mut cv| {
            let flags = cv.0.pop_var();
            bome(parts(&cv.1, &cv.0.pop_var(), &flags, Parts::Both))
        })),
        run(("split_", v(2), |mut cv| {
            let flags = cv.0.pop_var();
            bome(parts(&cv.1, &cv.0.pop_var(), &flags, Parts::Between))
        })),
    ]
}

/// A pattern with its flags.
struct Pattern {
    regex: Regex,
    /// The states that each byte of a text can go through, for each group.
    states: usize,
    is_global: bool,
    skips_empty: bool,
}

impl Pattern {
    fn new(pattern: &str, flags: &str) -> ValR<Self, Val> {
        if pattern.len() > MAX_PATTERN_BYTES {
            let message = format_args!("a pattern has more than {MAX_PATTERN_BYTES} bytes");
            return Err(Error::str(message));
        }
        let mut builder = RegexBuilder::new(pattern);
        let (mut is_global, mut skips_empty) = (false, false);
        for flag in flags.chars() {
            match flag {
                'g' => is_global = true,
                'n' => skips_empty = true,
                'i' => drop(builder.case_insensitive(true)),
                'm' => drop(builder.multi_line(true)),
                's' => drop(builder.dot_matches_new_line(true)),
                'p' => drop(builder.multi_line(true).dot_matches_new_line(true)),
                'l' => drop(builder.swap_greed(true)),
                'x' => drop(builder.ignore_whitespace(true)),
                other => {
                    return Err(Error::str(format_args!("invalid regex flag: {other}")));
                }
            }
        }
        builder.nest_limit(MAX_GROUPS);
        let mut failure = None;
        for size in PATTERN_SIZES {
            take(size)?;
            match builder.size_limit(size).build() {
                Ok(regex) => {
                    let states = size / STATE_BYTES * regex.captures_len();
                    return Ok(Self { regex, states, is_global, skips_empty });
                }
                Err(error) => failure = Some(error),
            }
        }
        let failure = failure.map(|error| error.to_string()).unwrap_or_default();
        Err(Error::str(format_args!("invalid regex: {failure}")))
    }

    /// Takes the steps of a search that has come to `end`.
    fn charge(&self, searched: Range<usize>, length: usize) -> ValR<(), Val> {
        let ahead = (length - searched.end) / AHEAD;
        let states = (1 + searched.len() + ahead).saturating_mul(self.states);
        budget::charge(states / STEP_STATES);
        take(0)
    }
}

fn text(value: &Val) -> ValR<&str, Val> {
    match value {
        Val::Text(text) => str::from_utf8(text).map_err(Error::str),
        other => Err(Error::typ(other.clone(), "string")),
    }
}

fn parts(value: &Val, pattern: &Val, flags: &Val, parts: Parts) -> ValR<Val> {
    let pattern = Pattern::new(text(pattern)?, text(flags)?)?;
    let text = text(value)?;
    let mut found = Vec::new();
    let (mut from, mut copied, mut last_end) = (0, 0, None);
    let mut position = Position::default();
    while from <= text.len() && budget::stopped().is_none() {
        pattern.charge(from..from, text.len())?;
        let mut locations = pattern.regex.capture_locations();
        let whole = pattern.regex.captures_read_at(&mut locations, text, from);
        let Some(whole) = whole else {
            pattern.charge(from..text.len(), text.len())?;
            break;
        };
        pattern.charge(from..whole.end(), text.len())?;
        if whole.is_empty() && last_end == Some(whole.end()) {
            // It is the end of the match before.
            from += text[from..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        from = whole.end();
        last_end = Some(from);
        if whole.is_empty() && pattern.skips_empty {
            continue;
        }
        if parts != Parts::Matches {
            found.push(Val::text(&text[copied..whole.start()]));
        }
        copied = whole.end();
        if parts != Parts::Between {
            let names = pattern.regex.capture_names();
            let groups = names.enumerate().filter_map(|(group, name)| {
                let (start, end) = locations.get(group)?;
                Some(group_object(text, start..end, name, &mut position))
            });
            found.push(Val::list(groups));
        }
        if !pattern.is_global {
            break;
        }
    }
    if parts != Parts::Matches {
        found.push(Val::text(&text[copied..]));
    }
    take(0)?;
    Ok(Val::list(found))
}

/// The number of the character at a byte, counted on from the one before.
#[derive(Default)]
struct Position {
    byte: usize,
    character: usize,
}

impl Position {
    fn of(&mut self, text: &str, byte: usize) -> usize {
        if byte < self.byte {
            *self = Self::default();
        }
        budget::charge_bytes(byte - self.byte);
        self.character += text[self.byte..byte].chars().count();
        self.byte = byte;
        self.character
    }
}

fn group_object(
    text: &str,
    range: Range<usize>,
    name: Option<&str>,
    position: &mut Position,
) -> Val {
    let key = |name: &str| Rc::new(name.as_bytes().to_vec());
    let part = &text[range.clone()];
    let name = name.map(|name| (key("name"), Val::text(name)));
    let fields = [
        (key("offset"), position.of(text, range.start).into()),
        (key("length"), part.chars().count().into()),
        (key("string"), Val::text(part)),
    ];
    Val::object(fields.into_iter().chain(name))
}
