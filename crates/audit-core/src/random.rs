//! Random bytes of the operating system.

use crate::{Error, ErrorKind, Result};

pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|source| {
        Error::new(ErrorKind::Unavailable).with_context("reading random bytes").with_source(source)
    })
}
