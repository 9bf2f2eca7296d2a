//! Tokens: only one that a store has issued is taken, only for the question that it was issued for,
//! and every other text is refused in one and the same way.

#![no_main]

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, ErrorKind, EventId, EventQuery, Facet, FeedStart,
    Filter, Log, NewEvent, Order, OrganizationId, Result, Sequence, Timestamp, Token, TokenKeys,
};
use audit_memory::{MemoryOptions, MemoryStore};
use audit_merkle_fuzz::{changed, changed_text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_executor::block_on;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((what, input)) = input.split_first() else { return };
    match what % 4 {
        0 => ISSUED.check(&String::from_utf8_lossy(input)),
        1 => ISSUED.check(&changed_text(&ISSUED.texts, input)),
        2 => ISSUED.check(&URL_SAFE_NO_PAD.encode(changed(&ISSUED.bytes, input))),
        _ => check_binding(input),
    }
});

/// A question of a walk or of a feed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Walk,
    Feed,
}

/// Stores of the same events, and all that they can issue for some questions.
struct Issued {
    store: MemoryStore,
    questions: Vec<EventQuery>,
    /// Each with its question, by number.
    tokens: HashSet<(Kind, usize, String)>,
    /// All texts, each once, those of a store with a foreign key, too.
    texts: Vec<String>,
    /// The same decoded.
    bytes: Vec<Vec<u8>>,
}

static ISSUED: LazyLock<Issued> = LazyLock::new(Issued::new);

fn organization() -> Log {
    Log::Organization(OrganizationId::derived(Default::default(), b"organization"))
}

/// A store whose tokens are the same in every run.
fn store(keys: TokenKeys) -> MemoryStore {
    MemoryStore::with_options(MemoryOptions::default().with_token_keys(keys)).unwrap()
}

/// Questions of which any two differ in one or two things that a token is bound to.
fn questions() -> Vec<EventQuery> {
    let all = EventQuery::new(Log::Platform).limit(1);
    let by = |filter: Filter| all.clone().filter(filter);
    vec![
        all.clone(),
        EventQuery::new(organization()).limit(1),
        all.clone().audience("other"),
        all.clone().order(Order::OldestFirst),
        all.clone().order(Order::Sequence),
        by(Filter::new().actor_id("u_1")),
        by(Filter::new().target_id("u_1")),
        by(Filter::new().until(Timestamp::MAX)),
    ]
}

impl Issued {
    fn new() -> Self {
        let [old, new, foreign] = [[1; 32], [2; 32], [3; 32]];
        let mut issued = Self {
            store: store(TokenKeys::from_secret(new).accepting(old)),
            questions: questions(),
            tokens: HashSet::new(),
            texts: Vec::new(),
            bytes: Vec::new(),
        };
        let accepted = [TokenKeys::from_secret(old), TokenKeys::from_secret(new)];
        let stores = accepted.map(store);
        let foreign = store(TokenKeys::from_secret(foreign));
        for number in 1..=4 {
            for store in stores.iter().chain([&issued.store, &foreign]) {
                append(store, number);
            }
            for store in &stores {
                for (question, query) in issued.questions.iter().enumerate() {
                    let tokens = issue(store, query, number).into_iter();
                    issued.tokens.extend(tokens.map(|(kind, text)| (kind, question, text)));
                }
            }
        }
        let not_issued = issue(&foreign, &issued.questions[0], 4).into_iter();
        let texts = issued.tokens.iter().map(|(_, _, text)| text.clone());
        let texts: BTreeSet<_> = texts.chain(not_issued.map(|(_, text)| text)).collect();
        assert!(texts.len() <= 256, "a byte chooses one");
        let decoded = texts.iter().map(|text| URL_SAFE_NO_PAD.decode(text).unwrap());
        issued.bytes = decoded.collect();
        issued.texts = texts.into_iter().collect();
        issued
    }

    /// Asks each question with a token of this text.
    fn check(&self, text: &str) {
        let token = Token::new(text);
        assert_eq!(token.as_str(), text);
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        let json = serde_json::to_string(&token).unwrap();
        assert_eq!(serde_json::from_str::<Token>(&json).unwrap(), token);
        for (number, query) in self.questions.iter().enumerate() {
            for kind in [Kind::Walk, Kind::Feed] {
                let is_issued = self.tokens.contains(&(kind, number, text.to_owned()));
                match ask(&self.store, kind, query, &token) {
                    Ok(()) => assert!(is_issued, "question {number} took {text}"),
                    Err(kind) => {
                        assert!(!is_issued, "question {number} refused {text}");
                        assert_eq!(kind, ErrorKind::InvalidToken);
                    }
                }
            }
        }
    }
}

/// Appends event `number` to both logs.
fn append(store: &MemoryStore, number: u8) {
    for log in [Log::Platform, organization()] {
        let time = Timestamp::from_micros(i64::from(number / 2)).unwrap();
        let event = NewEvent::new("invoice.paid", Actor::user("u_1"))
            .id(EventId::derived(Default::default(), &[number]))
            .occurred_at(time)
            .target("user", "u_1");
        block_on(store.append(log, vec![event])).unwrap();
    }
}

/// Every token for `query` of a log of that size.
fn issue(store: &MemoryStore, query: &EventQuery, events: u8) -> Vec<(Kind, String)> {
    let mut tokens = Vec::new();
    let mut page = block_on(store.page(query)).unwrap();
    while let Some(token) = page.next {
        tokens.push((Kind::Walk, token.to_string()));
        page = block_on(store.next_page(query, &token)).unwrap();
    }
    for after in 0..=events {
        let start = FeedStart::After(Sequence::new(after.into()).unwrap());
        let page = block_on(store.feed(query, start)).unwrap();
        tokens.push((Kind::Feed, page.token.to_string()));
    }
    tokens
}

fn ask(
    store: &MemoryStore,
    kind: Kind,
    query: &EventQuery,
    token: &Token,
) -> Result<(), ErrorKind> {
    let answer = match kind {
        Kind::Walk => block_on(store.next_page(query, token)).map(drop),
        Kind::Feed => block_on(store.next_feed(query, token)).map(drop),
    };
    answer.map_err(|error| error.kind())
}

/// A question, as a text says it: a line for each condition, which begins with its kind.
#[derive(Default, PartialEq)]
struct Question {
    of_organization: bool,
    audience: String,
    filter: Filter,
}

impl Question {
    fn new(text: &str) -> Self {
        let mut question = Self::default();
        for line in text.lines() {
            let mut rest = line.chars();
            let Some(kind) = rest.next() else { continue };
            let (value, filter) = (rest.as_str(), std::mem::take(&mut question.filter));
            let time = || Timestamp::from_micros(value.parse().unwrap_or_default());
            question.filter = match (kind, time()) {
                ('>', Ok(time)) => filter.since(time),
                ('<', Ok(time)) => filter.until(time),
                ('/', _) => {
                    value.clone_into(&mut question.audience);
                    filter
                }
                ('@', _) => {
                    question.of_organization ^= true;
                    filter
                }
                (letter, _) => filter.with(Facet::ALL[letter as usize % Facet::ALL.len()], value),
            };
        }
        // From the first instant on is from the beginning.
        let first = question.filter.first_instant();
        question.filter = question.filter.since(first);
        question
    }

    fn query(&self) -> EventQuery {
        let log = if self.of_organization { organization() } else { Log::Platform };
        EventQuery::new(log).audience(self.audience.clone()).filter(self.filter.clone())
    }
}

/// A token of one question is taken for another if they are the same, and not otherwise. The other
/// is made of the one, as the bytes after its end say.
fn check_binding(input: &[u8]) {
    let end = input.windows(2).position(|two| two == b"\n\n").unwrap_or(input.len());
    let (text, edits) = input.split_at(end);
    let other = changed(&[text], edits.get(2..).unwrap_or_default());
    let [one, two] = [text, &other].map(|text| Question::new(&String::from_utf8_lossy(text)));
    let [asked, other] = [&one, &two].map(Question::query);
    if asked.validate().and(other.validate()).is_err() {
        return;
    }
    let store = &ISSUED.store;
    let page = block_on(store.feed(&asked, FeedStart::Beginning)).unwrap();
    let expected = if one == two { Ok(()) } else { Err(ErrorKind::InvalidToken) };
    assert_eq!(ask(store, Kind::Feed, &other, &page.token), expected);
    assert_eq!(ask(store, Kind::Walk, &asked, &page.token), Err(ErrorKind::InvalidToken));
}
