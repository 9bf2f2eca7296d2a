//! The formats of texts: `@base64`, `@csv` and others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Error, ValR, ValT as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use super::budget;
use super::value::{Data, Val, take};

/// What `@uri` escapes: all but the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn all() -> Vec<Fun<Data>> {
    vec![
        run(("@text", v(0), |cv| bome(Ok(cv.1.into_string())))),
        run(("@json", v(0), |cv| bome(Ok(cv.1.to_text())))),
        run(("@base64", v(0), |cv| bome(Ok(on_text(cv.1, |text| STANDARD.encode(text)))))),
        run(("@base64d", v(0), |cv| bome(decoded(cv.1)))),
        run(("@uri", v(0), |cv| {
            let escape = |text: &[u8]| percent_encoding::percent_encode(text, RESERVED).to_string();
            bome(Ok(on_text(cv.1, escape)))
        })),
        run(("@urid", v(0), |cv| {
            let decode = |text: &[u8]| percent_encoding::percent_decode(text).collect::<Vec<_>>();
            bome(Ok(on_text(cv.1, decode)))
        })),
        run(("@html", v(0), |cv| bome(Ok(on_text(cv.1, |text| escaped(text, HTML)))))),
        run(("@csv", v(0), |cv| {
            bome(row(&cv.1, b",", &|text| [b"\"", &*escaped(text, QUOTES), b"\""].concat()))
        })),
        run(("@tsv", v(0), |cv| bome(row(&cv.1, b"\t", &|text| escaped(text, TABS))))),
    ]
}

const HTML: &[(u8, &str)] =
    &[(b'<', "&lt;"), (b'>', "&gt;"), (b'&', "&amp;"), (b'\'', "&#39;"), (b'"', "&quot;")];
const QUOTES: &[(u8, &str)] = &[(b'"', "\"\"")];
const TABS: &[(u8, &str)] = &[(b'\t', "\\t"), (b'\n', "\\n"), (b'\r', "\\r"), (b'\\', "\\\\")];

fn escaped(text: &[u8], escapes: &[(u8, &str)]) -> Vec<u8> {
    let mut all = Vec::with_capacity(text.len());
    for byte in text {
        match escapes.iter().find(|(of, _)| of == byte) {
            Some((_, escape)) => all.extend_from_slice(escape.as_bytes()),
            None => all.push(*byte),
        }
    }
    all
}

/// Applies a format, whose result is a few times as large at most.
fn on_text<T: Into<Vec<u8>>>(value: Val, format: impl Fn(&[u8]) -> T) -> Val {
    match value.into_string() {
        Val::Text(text) => {
            budget::charge_bytes(text.len());
            Val::text(format(&text))
        }
        // The text was too large.
        other => other,
    }
}

fn decoded(value: Val) -> ValR<Val> {
    let Val::Text(text) = value.into_string() else { return Ok(Val::Null) };
    take(text.len())?;
    // As in jq, the padding can be absent.
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    engine.decode(&text[..end]).map(Val::text).map_err(Error::str)
}

/// Joins the scalar values of a list.
fn row(value: &Val, separator: &[u8], quoted: &dyn Fn(&[u8]) -> Vec<u8>) -> ValR<Val> {
    let Val::List(list) = value else { return Err(Error::typ(value.clone(), "array")) };
    take(list.size)?;
    let cells = list.items.iter().map(|item| match item {
        Val::Null => Ok(Vec::new()),
        Val::Bool(_) | Val::Num(_) => Ok(item.to_string().into_bytes()),
        Val::Text(text) => Ok(quoted(text)),
        Val::List(_) | Val::Object(_) => Err(Error::typ(item.clone(), "cell of a row")),
    });
    Ok(Val::text(cells.collect::<Result<Vec<_>, _>>()?.join(separator)))
}
