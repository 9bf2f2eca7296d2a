//! The first texts of a file, which show whether it is of the named format.

use std::collections::VecDeque;
use std::io;

use audit_core::{Error, Timestamp, Violation};
use audit_import::{Mapping, Text};

use super::input::ReadTexts;
use super::pending::{Refusal, Refuse};
use super::source::Source;
use super::tally::Tally;

/// The texts that are searched for a mark of the format, before anything is recorded.
const PROBED_TEXTS: usize = 100;
/// The most bytes of these.
const PROBED_BYTES: usize = 4 << 20;

/// The first texts of a file.
#[derive(Default)]
pub(crate) struct Probed {
    pub(crate) texts: VecDeque<Text>,
    /// The mapping, if the texts are of another system.
    pub(crate) foreign: Option<&'static Mapping>,
}

impl Probed {
    /// Reads the first texts, up to one of the format.
    pub(crate) async fn read(source: Source, texts: &mut ReadTexts) -> io::Result<Self> {
        let mut probed = Probed::default();
        let Source::Foreign(mapping) = source else { return Ok(probed) };
        let (mut bytes, mut is_foreign) = (0, false);
        while probed.texts.len() < PROBED_TEXTS && bytes < PROBED_BYTES {
            let Some(text) = texts.next().await.transpose()? else { break };
            // What is no JSON shows nothing.
            let recognized = text.bytes.as_deref().map(|bytes| mapping.recognizes(bytes));
            bytes += text.bytes.as_ref().map_or(0, Vec::len);
            probed.texts.push_back(text);
            match recognized {
                Some(Ok(true)) => return Ok(probed),
                Some(Ok(false)) => is_foreign = true,
                _ => {}
            }
        }
        probed.foreign = is_foreign.then_some(mapping);
        Ok(probed)
    }
}

/// Refuses all of a file, of which these are the first texts, because they are of another system.
pub(crate) fn refuse_all(
    mapping: &Mapping,
    texts: &VecDeque<Text>,
    tally: &mut Tally,
    refuse: Refuse<'_>,
) {
    let mut guess = None;
    for text in texts {
        let bytes = text.bytes.as_deref().unwrap_or_default();
        guess = guess.or_else(|| Mapping::guess(bytes));
        for record in mapping.read(bytes, Some(Timestamp::MIN)) {
            tally.read += 1;
            if let Err(error) = record {
                tally.refuse(&error);
            }
        }
    }
    let Some(first) = texts.front() else { return };
    let reading = mapping.read(first.bytes.as_deref().unwrap_or_default(), Some(Timestamp::MIN));
    let error = reading
        .into_iter()
        .find_map(Result::err)
        .unwrap_or_else(|| Error::invalid("record", Violation::Missing));
    let hint = match guess {
        Some(guess) => format!(
            "no record at the beginning is of `{mapping}`, so none of the file was imported; they look \
             like those of `{guess}`"
        ),
        None => format!(
            "no record at the beginning is of `{mapping}`, so none of the file was imported"
        ),
    };
    refuse(Refusal { line: first.line, part: None, text: None, error: error.with_source(hint) });
}
