//! A spool in front of a store that goes away and comes back.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

mod away;
mod kills;
