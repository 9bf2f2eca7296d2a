//! The integration tests, in one binary: it links once.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

mod changing;
mod checkpoint_directory;
mod checkpoints;
mod common;
mod evidence;
mod golden;
mod liar;
mod log_verifier;
mod notary;
mod proofs;
mod properties;
mod verifications;
mod verify_ext;
