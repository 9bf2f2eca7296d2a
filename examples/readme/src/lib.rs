//! The examples are the programs in `src/bin`; this library holds the README to its word.

/// The README's snippets, compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
