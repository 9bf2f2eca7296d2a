//! The terms of events, as keys of a fixed length.

use std::fmt;

use audit_core::backend::Term;
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use std::hash::Hasher as _;

/// Stands for a term: 128 bits of a keyed hash, so that no two terms that anybody can think of
/// share one.
pub(crate) type TermKey = [u8; 16];

/// Makes keys of terms, with a secret that the file holds.
#[derive(Clone)]
pub(crate) struct TermHasher(SipHasher24);

impl fmt::Debug for TermHasher {
    /// Does not show the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TermHasher").finish_non_exhaustive()
    }
}

impl TermHasher {
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(secret))
    }

    /// The key of a term.
    pub(crate) fn key(&self, term: &Term) -> TermKey {
        let mut hasher = self.0;
        hasher.write_u8(term.tag());
        hasher.write(term.value());
        hasher.finish128().as_bytes()
    }

    /// The keys under which an event is found. Every event is found without one.
    pub(crate) fn keys(&self, terms: &[Term]) -> Vec<TermKey> {
        terms.iter().filter(|term| !term.is_every()).map(|term| self.key(term)).collect()
    }

    /// The keys of groups of terms, but for groups that every event meets.
    pub(crate) fn groups(&self, groups: &[Vec<Term>]) -> Vec<Vec<TermKey>> {
        groups
            .iter()
            .filter(|group| !group.iter().any(Term::is_every))
            .map(|group| self.keys(group))
            .collect()
    }
}

/// Whether an event with these keys has one of each group.
pub(crate) fn meets(groups: &[Vec<TermKey>], keys: &[TermKey]) -> bool {
    groups.iter().all(|group| group.iter().any(|wanted| keys.contains(wanted)))
}
