//! The text of a program: reads it, within bounds.

use jaq_core::load::lex::{Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::{self, Parser};

use super::left_out::left_out;
use super::{MAX_PREPARE_BYTES, MAX_PREPARE_NESTING};

pub(super) type Term<'s> = parse::Term<&'s str>;
pub(super) type Def<'s> = parse::Def<&'s str>;

/// The levels of brackets in a text.
const MAX_BRACKETS: usize = 64;

/// The operators, keywords and brackets of a text within one another, at least. A parser calls itself at each,
/// on the stack of [`with_stack`].
const MAX_TEXT_NESTING: usize = 1_000;

/// The stack that reading and compiling a program can need, in a build without optimization.
const STACK_BYTES: usize = 32 << 20;

/// What is wrong with a program, and where.
#[derive(Debug)]
pub(super) struct Fault<'s> {
    pub(super) message: String,
    /// The part of the text.
    pub(super) at: Option<&'s str>,
}

impl<'s> Fault<'s> {
    pub(super) fn new(message: impl Into<String>, at: impl Into<Option<&'s str>>) -> Self {
        Self { message: message.into(), at: at.into() }
    }

    /// Returns the message with the line and the column in the program.
    pub(super) fn describe(&self, program: &str) -> String {
        let start = program.as_ptr().addr();
        let offset = self.at.and_then(|part| part.as_ptr().addr().checked_sub(start));
        let before = offset.and_then(|offset| program.get(..offset));
        let Some(before) = before else { return self.message.clone() };
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().map_or(0, |last| last.chars().count());
        format!("line {line}, column {column} of the program: {}", self.message)
    }
}

/// Runs a function with a stack that is large enough for a text of [`MAX_TEXT_NESTING`]. Fails if the system
/// has no thread for it.
pub(super) fn with_stack<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, f);
        let thread = thread.map_err(|error| format!("needs a thread to be read in: {error}"))?;
        thread.join().map_err(|_| "cannot be read".to_owned())
    })
}

/// Reads a program.
pub(super) fn read(text: &str) -> Result<Term<'_>, Fault<'_>> {
    if text.len() > MAX_PREPARE_BYTES {
        return Err(Fault::new(format!("has more than {MAX_PREPARE_BYTES} bytes"), None));
    }
    check_brackets(text)?;
    let tokens = Lexer::new(text).lex().map_err(|errors| match errors.first() {
        Some((expected, at)) => Fault::new(format!("expected {}", expected.as_str()), *at),
        None => Fault::new("is not a program", None),
    })?;
    if nesting(&tokens) > MAX_TEXT_NESTING {
        return Err(too_deep(tokens.first().map(Token::as_str)));
    }
    if let Some(Token(word @ ("import" | "include" | "module"), _)) = tokens.first() {
        let reason = left_out(word).unwrap_or_default();
        return Err(Fault::new(format!("`{word}` is left out: it {reason}"), *word));
    }
    let end = &text[text.len()..];
    Parser::new(&tokens).parse(Parser::term).map_err(|errors| match errors.first() {
        Some((expected, found)) => {
            let words = match expected.as_str() {
                "" | "nothing" => "the end",
                words => words,
            };
            let found = found.map_or(end, |token| token.as_str());
            Fault::new(format!("expected {words}"), found)
        }
        None => Fault::new("is not a program", None),
    })
}

pub(super) fn too_deep(at: Option<&str>) -> Fault<'_> {
    let message = format!(
        "is nested too deeply: more than {MAX_PREPARE_NESTING} operators, branches and calls within one \
         another"
    );
    Fault::new(message, at)
}

/// Fails if the brackets are nested too deeply for a parser that calls itself at each.
fn check_brackets(text: &str) -> Result<(), Fault<'_>> {
    #[derive(PartialEq)]
    enum Within {
        Brackets,
        Text,
    }
    let mut open = Vec::new();
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        let is_text = open.last() == Some(&Within::Text);
        match byte {
            b'\\' if is_text => {
                at += 1;
                if bytes.get(at) == Some(&b'(') {
                    open.push(Within::Brackets);
                }
            }
            b'"' if is_text => drop(open.pop()),
            b'"' => open.push(Within::Text),
            _ if is_text => {}
            b'(' | b'[' | b'{' => open.push(Within::Brackets),
            b')' | b']' | b'}' => drop(open.pop()),
            b'#' => at = comment_end(bytes, at),
            _ => {}
        }
        at += 1;
        if open.len() > MAX_BRACKETS {
            let message = format!("has more than {MAX_BRACKETS} brackets within one another");
            return Err(Fault::new(message, text.get(at - 1..)));
        }
    }
    Ok(())
}

/// Returns where a comment ends. It goes on in the next line behind an odd number of backslashes.
fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let end = bytes[at..].iter().position(|byte| *byte == b'\n').map(|end| at + end);
        let Some(end) = end else { return bytes.len() };
        let line = bytes[at..end].strip_suffix(b"\r").unwrap_or(&bytes[at..end]);
        if line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0 {
            return end;
        }
        at = end + 1;
    }
}

/// Returns at least the levels of terms that the tokens can give.
fn nesting(tokens: &[Token<&str>]) -> usize {
    let mut definitions = 0;
    let (mut most, mut own, mut within) = (0, 0, 0);
    for Token(word, token) in tokens {
        match token {
            Tok::Block(tokens) => within = within.max(1 + nesting(tokens)),
            Tok::Str(parts) => {
                let terms = parts.iter().filter_map(|part| match part {
                    StrPart::Term(token) => Some(1 + nesting(std::slice::from_ref(token))),
                    _ => None,
                });
                within = within.max(parts.len() + terms.max().unwrap_or(0));
            }
            _ => match *word {
                ";" => {
                    most = most.max(own + within);
                    (own, within) = (0, 0);
                }
                "def" => definitions += 1,
                ":" | ")" | "]" | "}" | "then" | "end" | "else" | "catch" | "." => {}
                _ => own += usize::from(nests(word)),
            },
        }
    }
    definitions + most.max(own + within)
}

/// Returns whether a token can have another term within it.
fn nests(word: &str) -> bool {
    matches!(
        word,
        "if" | "elif" | "try" | "reduce" | "foreach" | "label" | "as" | "and" | "or" | "?"
    ) || !word
        .starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '@' | '.'))
}
