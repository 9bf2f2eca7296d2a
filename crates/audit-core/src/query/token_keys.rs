//! The keys that sign and verify tokens, and the bytes of a token.
//!
//! A token is 57 bytes, in base64url without padding:
//!
//! | bytes | meaning |
//! |---|---|
//! | 1 | version and kind: 1 the next page of a walk, 2 of a feed, 3 the previous page of a walk |
//! | 4 | id of the key |
//! | 8 | `occurred_at` of the last event, nanoseconds |
//! | 8 | `sequence` of the last event |
//! | 8 | the size of the log when the walk began; in a feed, the sequence again |
//! | 12 | the history of the log up to that size: the first bytes of its last leaf or node |
//! | 16 | HMAC-SHA-256 over all of the above and over what is not in the token: log, audience, order and filter; the first 128 bits |
//!
//! The values to which a token is bound are not in it, so nothing is compared by hand: a token for
//! another log or filter fails at the same place, and in the same way, as one with an altered byte.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::cursor::{Cursor, HistoryMark};
use crate::random::fill_random;
use crate::{Error, ErrorKind, EventQuery, Order, Position, Result, Sequence, Timestamp, Token};

/// The keys of tokens: one that signs, and older ones whose tokens are still valid.
///
/// ```
/// use audit_core::TokenKeys;
///
/// let old = TokenKeys::from_secret([1; 32]);
/// let keys = TokenKeys::from_secret([2; 32]).accepting([1; 32]);
/// # let _ = (old, keys);
/// ```
#[derive(Clone)]
pub struct TokenKeys {
    signing: Key,
    accepted: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: [u8; 4],
    /// The secret, padded with zeros to the block size of the hash (RFC 2104).
    block: [u8; 64],
}

impl Key {
    fn new(secret: [u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(b"audit token key id").chain_update(secret);
        let mut id = [0; 4];
        id.copy_from_slice(&digest.finalize()[..4]);
        let mut block = [0; 64];
        block[..32].copy_from_slice(&secret);
        Self { id, block }
    }
}

impl TokenKeys {
    /// Creates keys that sign with `secret`.
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self { signing: Key::new(secret), accepted: Vec::new() }
    }

    /// Returns a new secret of random bytes of the operating system.
    pub fn generate_secret() -> Result<[u8; 32]> {
        let mut secret = [0; 32];
        fill_random(&mut secret)?;
        Ok(secret)
    }

    /// Accepts tokens that `secret` signed, so that a key can be replaced without breaking walks in
    /// progress.
    #[must_use]
    pub fn accepting(mut self, secret: [u8; 32]) -> Self {
        self.accepted.push(Key::new(secret));
        self
    }
}

impl fmt::Debug for TokenKeys {
    /// Prints the ids of the keys, never the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |key: &Key| u32::from_be_bytes(key.id);
        f.debug_struct("TokenKeys")
            .field("signing", &id(&self.signing))
            .field("accepted", &self.accepted.iter().map(id).collect::<Vec<_>>())
            .finish()
    }
}

/// The position that a token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// The next page of a walk.
    Next = 1,
    /// The next page of a feed.
    Feed = 2,
    /// The previous page of a walk.
    Previous = 3,
}

impl TokenKind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Next, Self::Feed, Self::Previous].into_iter().find(|kind| *kind as u8 == byte)
    }
}

const TAG: usize = 16;
const BODY: usize = 1 + 4 + 8 + 8 + 8 + HistoryMark::BYTES;

impl TokenKeys {
    pub(crate) fn sign(&self, kind: TokenKind, cursor: &Cursor, query: &EventQuery) -> Token {
        let mut bytes = Vec::with_capacity(BODY + TAG);
        bytes.push(kind as u8);
        bytes.extend(self.signing.id);
        bytes.extend(cursor.last.occurred_at.as_nanos().to_be_bytes());
        bytes.extend(cursor.last.sequence.get().to_be_bytes());
        bytes.extend(cursor.bound.get().to_be_bytes());
        bytes.extend(cursor.history.as_bytes());
        let tag = mac(&self.signing, &bytes, query).finalize().into_bytes();
        bytes.extend(&tag[..TAG]);
        Token::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Returns what the token leads to, and its position.
    pub(crate) fn verify(&self, token: &Token, query: &EventQuery) -> Result<(TokenKind, Cursor)> {
        self.open(token, query).ok_or_else(|| Error::new(ErrorKind::InvalidToken))
    }

    fn open(&self, token: &Token, query: &EventQuery) -> Option<(TokenKind, Cursor)> {
        // A longer text is no token; it is not worth decoding.
        let bytes = (token.as_str().len() <= 2 * (BODY + TAG))
            .then(|| URL_SAFE_NO_PAD.decode(token.as_str()).ok())
            .flatten()?;
        let (body, tag) = bytes.split_at_checked(BODY)?;
        let (kind, key_id, rest) = (body[0], &body[1..5], &body[5..]);
        let key = std::iter::once(&self.signing)
            .chain(&self.accepted)
            .find(|key| key.id.as_slice() == key_id)?;
        // Compares in constant time, and refuses a tag of another length.
        if tag.len() != TAG {
            return None;
        }
        mac(key, body, query).verify_truncated_left(tag).ok()?;
        let number = |at: usize| rest[at..at + 8].try_into().map(u64::from_be_bytes).ok();
        let cursor = Cursor {
            last: Position {
                occurred_at: Timestamp::from_nanos(number(0)?.cast_signed()),
                sequence: Sequence::new(number(8)?).ok()?,
            },
            bound: Sequence::new(number(16)?).ok()?,
            history: HistoryMark::from_bytes(rest[24..].try_into().ok()?),
        };
        Some((TokenKind::of(kind)?, cursor))
    }
}

/// Returns the authentication code over the token's body and over everything to which it is bound. Each
/// text is prefixed by its length, so that no two bindings give the same input.
fn mac(key: &Key, body: &[u8], query: &EventQuery) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new(&key.block.into());
    let mut put = |bytes: &[u8]| {
        mac.update(&(bytes.len() as u64).to_be_bytes());
        mac.update(bytes);
    };
    put(body);
    put(query.log.as_bytes());
    put(query.audience.as_bytes());
    put(&[match query.order {
        Order::NewestFirst => 1,
        Order::OldestFirst => 2,
        Order::Sequence => 3,
        Order::SequenceReversed => 4,
    }]);
    let filter = &query.filter;
    put(&filter.first_instant().as_nanos().to_be_bytes());
    put(&filter.end_instant().map(|time| time.as_nanos().to_be_bytes()).unwrap_or_default());
    put(&filter.end_instant().map_or([0], |_| [1]));
    for facet in filter.facets() {
        put(facet.name().as_bytes());
        put(&(filter.values(facet).count() as u64).to_be_bytes());
        filter.values(facet).for_each(|value| put(value.as_bytes()));
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, Log, OrganizationId};
    use proptest::prelude::*;

    fn cursor() -> Cursor {
        let sequence = Sequence::new(7).unwrap();
        let last = Position { occurred_at: Timestamp::now(), sequence };
        Cursor { last, bound: sequence, history: HistoryMark::from_bytes([9; 12]) }
    }

    #[test]
    fn a_token_is_good_for_its_own_query_alone() {
        let keys = TokenKeys::from_secret([7; 32]);
        let query = EventQuery::new(Log::Platform).filter(Filter::new().actor_id("ab"));
        let token = keys.sign(TokenKind::Next, &cursor(), &query);
        assert_eq!(token.as_str().len(), 76);
        assert!(keys.verify(&token, &query.clone().limit(7)).is_ok());
        let foreign = [
            EventQuery { log: OrganizationId::new().into(), ..query.clone() },
            query.clone().audience("other"),
            query.clone().order(Order::OldestFirst),
            query.clone().filter(Filter::new().actor_id("a").actor_id("b")),
            query.clone().filter(Filter::new().target_id("ab")),
            query.clone().filter(Filter::new().actor_id("ab").until(Timestamp::MAX)),
            query.clone().filter(Filter::new()),
        ];
        let answer = Error::new(ErrorKind::InvalidToken).to_string();
        for query in foreign {
            let error = keys.verify(&token, &query).unwrap_err();
            assert_eq!(error.to_string(), answer);
        }
        assert!(TokenKeys::from_secret([8; 32]).verify(&token, &query).is_err());
        for kind in [TokenKind::Next, TokenKind::Feed, TokenKind::Previous] {
            let cursor = cursor();
            let token = keys.sign(kind, &cursor, &query);
            assert_eq!(keys.verify(&token, &query).unwrap(), (kind, cursor));
        }
    }

    #[test]
    fn a_token_has_the_bytes_of_the_vector() {
        let vector = include_str!("../../tests/vectors/token.json");
        let vector: serde_json::Value = serde_json::from_str(vector).unwrap();
        let number = |name: &str| Sequence::new(vector[name].as_u64().unwrap()).unwrap();
        let occurred_at = vector["occurredAt"].as_str().unwrap().parse().unwrap();
        let last = Position { occurred_at, sequence: number("sequence") };
        let node: crate::tree::NodeHash = vector["node"].as_str().unwrap().parse().unwrap();
        let cursor = Cursor { last, bound: number("bound"), history: HistoryMark::of(node) };
        let keys = TokenKeys::from_secret([7; 32]);
        let token = keys.sign(TokenKind::Next, &cursor, &EventQuery::new(Log::Platform));
        assert_eq!(token.as_str(), vector["token"]);
    }

    #[test]
    fn a_replaced_key_is_accepted_while_it_is_named() {
        let (old, query) = (TokenKeys::from_secret([1; 32]), EventQuery::new(Log::Platform));
        let token = old.sign(TokenKind::Feed, &cursor(), &query);
        let keys = TokenKeys::from_secret([2; 32]);
        assert!(keys.verify(&token, &query).is_err());
        assert!(keys.accepting([1; 32]).verify(&token, &query).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_altered_character_passes(at in 0_usize..76, with in "[ -~]") {
            let (keys, query) = (TokenKeys::from_secret([7; 32]), EventQuery::new(Log::Platform));
            let token = keys.sign(TokenKind::Next, &cursor(), &query);
            let mut text = token.as_str().to_owned();
            text.replace_range(at..=at, &with);
            let verdict = keys.verify(&Token::new(text.clone()), &query);
            prop_assert_eq!(verdict.is_ok(), text == token.as_str());
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let (keys, query) = (TokenKeys::from_secret([7; 32]), EventQuery::new(Log::Platform));
            prop_assert!(keys.verify(&Token::new(text), &query).is_err());
        }
    }
}
