//! Keys of terms: terms hashed to a fixed length.

use std::fmt;
use std::hash::Hasher as _;

use audit_core::backend::{Batch, StagedRow, Term};
use audit_core::{Log, NewEvent, Result};
use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// The key of a term: 128 bits of a keyed hash (SipHash-2-4). Without the secret, nobody can choose
/// two terms that share a key.
pub type TermKey = [u8; 16];

/// Makes the keys of terms, with a secret that the store keeps.
#[derive(Clone)]
pub struct TermHasher(SipHasher24);

impl fmt::Debug for TermHasher {
    /// Does not show the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TermHasher").finish_non_exhaustive()
    }
}

impl TermHasher {
    /// Returns the hasher of a secret. A store MUST use the same secret as long as the index exists.
    #[must_use]
    pub fn new(secret: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(secret))
    }

    /// Returns the key of a term.
    pub fn key(&self, term: &Term) -> TermKey {
        self.hash(term.tag(), term.value())
    }

    fn hash(&self, tag: u8, value: &[u8]) -> TermKey {
        let mut hasher = self.0;
        hasher.write_u8(tag);
        hasher.write(value);
        hasher.finish128().as_bytes()
    }

    /// Returns the keys of these terms, each once, sorted, without [`Term::every`], which has no
    /// postings.
    pub fn keys(&self, terms: &[Term]) -> Vec<TermKey> {
        let keys = terms.iter().filter(|term| !term.is_every()).map(|term| self.key(term));
        sorted(keys.collect())
    }

    /// Returns the keys of the terms of an event with this content, as [`TermHasher::keys`] does.
    fn keys_of(&self, content: &NewEvent) -> Vec<TermKey> {
        let mut keys = Vec::with_capacity(TERMS);
        Term::visit(content, |tag, value| keys.push(self.hash(tag, value)));
        sorted(keys)
    }

    /// Checks and encodes the events of one append, with the keys of their terms. Callers do it, before
    /// their batch waits for the log.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub fn batch(&self, log: Log, events: Vec<NewEvent>) -> Result<Batch<TermKey>> {
        Batch::indexed(log, events, |content| self.keys_of(content))
    }

    /// Does the same for rows that callers have staged; see [`Batch::staged`].
    pub fn staged(&self, log: Log, rows: &[StagedRow]) -> Result<Batch<TermKey>> {
        Batch::staged(log, rows, |content| self.keys_of(content))
    }

    /// Replaces the terms of a batch by their keys.
    pub fn keyed(&self, batch: Batch) -> Batch<TermKey> {
        batch.map_terms(|terms| self.keys(terms))
    }

    /// Returns the keys of each clause, sorted, without the clauses that every event meets.
    pub(crate) fn clauses(&self, clauses: &[Vec<Term>]) -> Vec<Vec<TermKey>> {
        let clauses = clauses.iter().filter(|clause| !clause.iter().any(Term::is_every));
        clauses.map(|clause| self.keys(clause)).collect()
    }
}

/// More terms than most events have.
const TERMS: usize = 24;

fn sorted(mut keys: Vec<TermKey>) -> Vec<TermKey> {
    keys.sort_unstable();
    keys.dedup();
    keys
}
