//! Events are read as they were written.

use audit_core::{
    Actor, Change, EventQuery, FeedStart, Log, Message, NewEvent, OrganizationRef, Outcome, Scope,
    Target, Timestamp,
};
use serde_json::{Value, json};

use crate::NewHarness;
use crate::samples::{At as _, event, full, new_log};
use crate::subject::Subject;

pub(crate) fn come_back_equal_in_every_field(new: NewHarness<'_>) {
    let least = NewEvent::new("a", Actor::unknown()).at(1);
    let unknown_words = NewEvent::new("x", Actor::new("robot").entity_class("machine"))
        .outcome(Outcome::new("partial"))
        .severity("dire")
        .at(2)
        .scope(Scope::default().surface("moon"));
    check(new, &[full(), least, unknown_words]);
}

pub(crate) fn keep_unicode_nul_and_extreme_numbers(new: NewHarness<'_>) {
    let texts = [
        "Ἀθηνᾶ 東京 🦀🏳️‍🌈 \u{202e}rtl",
        "\0a\0b\0",
        "\u{1}\u{7f}\u{80}\u{9f}\u{2028}\u{feff}\u{fffd}\u{10ffff}",
        "e\u{301} is not \u{e9}",
        "quotes ' \" ` \\ / % _ * ? -- ;\r\n\t",
        " spaces at both ends ",
    ];
    let mut events: Vec<_> = texts
        .iter()
        .map(|&text| {
            let actor = Actor::user(text)
                .name(text)
                .email(text)
                .ip(text)
                .session_id(text)
                .on_behalf_of(Actor::user(text).name(text));
            NewEvent::new(text.replace('*', ""), actor)
                .category(text)
                .organization(OrganizationRef::new(text).name(text))
                .add_target(Target::new(text, text).name(text))
                .at(1)
                .scope(Scope::default().service(text).surface(text.to_owned()))
                .change(Change::default().field(text, Some(json!(text)), Some(json!({text: text}))))
                .message(text)
                .outcome(Outcome::new(text.to_owned()).code(text))
                .severity(text.to_owned())
                .request_id(text)
                .attribute(text, text)
                .source(text, text)
                .metadata(text, text)
        })
        .collect();
    events.push(event(1).metadata(
        "numbers",
        json!([
            1_u64 << 63,
            u64::MAX,
            i64::MIN,
            i64::MAX,
            (1_u64 << 53) + 1,
            0,
            0.1,
            1.0,
            1e300,
            5e-324,
            -2.5e-7,
            f64::MAX,
            f64::MIN_POSITIVE,
            9_007_199_254_740_993_u64,
            100.0
        ]),
    ));
    check(new, &events);
}

pub(crate) fn keep_empty_and_absent_apart(new: NewHarness<'_>) {
    let nothing = || NewEvent::new("a", Actor::unknown()).at(0);
    let mut no_method = nothing();
    no_method.request.method = Some(String::new());
    let events = vec![
        nothing(),
        nothing().actor(Actor::user("").name("").email("").ip("").details("")),
        nothing().category("").location("").reason(""),
        nothing().message(Message::default().title("")),
        no_method,
        nothing().request_id(""),
        nothing().outcome(Outcome::success().code("")),
        nothing().attribute("k", ""),
        nothing().actor(Actor::user("u").session_id("")),
        nothing().actor(Actor::user("u").on_behalf_of(Actor::user("").name(""))),
        nothing().add_target(Target::with_id("")).add_target(Target::named("")),
        nothing().scope(Scope::default().product("").surface("")),
        nothing().organization(OrganizationRef::new("")),
        nothing().organization(OrganizationRef::new("").name("")),
        nothing().change(Change::default().with_old(Value::Null)),
        nothing().change(Change::default().with_new(json!({}))),
        nothing().change(Change::default().field("", None, Some(Value::Null))),
        nothing().metadata("", Value::Null).metadata("object", json!({})),
    ];
    check(new, &events);
}

pub(crate) fn keep_times_to_the_nanosecond(new: NewHarness<'_>) {
    let nanos = Timestamp::from_nanos;
    let times = [
        Timestamp::MIN,
        Timestamp::MAX,
        nanos(i64::MIN + 1),
        nanos(i64::MAX - 1),
        nanos(0),
        nanos(-1),
        nanos(1),
        nanos(999_999_999),
        nanos(-1_000_000_001),
        nanos(1_710_514_131_123_456_000),
        nanos(1_710_514_131_123_456_789),
    ];
    check(new, &times.map(|time| event(0).occurred_at(time)));
}

/// Reads the events back in every way, before and after a reopen.
fn check(new: NewHarness<'_>, events: &[NewEvent]) {
    let mut subject = Subject::new(new);
    let logs = [new_log(), Log::Platform];
    let placed = logs.map(|log| subject.put(log, events));
    for _ in 0..2 {
        for (&log, placed) in logs.iter().zip(&placed) {
            let query = EventQuery::new(log);
            let fed = subject.feed(&query, FeedStart::Beginning).expect("a feed is readable");
            assert_eq!(fed.events, *placed, "a feed returns what was appended");
            for event in placed {
                let found = subject.get(log, event.id).expect("an event is found by its id");
                assert_eq!(found, *event, "a look-up returns what was appended");
                let page = subject.page(&query);
                let found = page.events.iter().find(|found| found.id == event.id);
                assert_eq!(found, Some(event), "a page returns what was appended");
            }
        }
        subject = subject.reopen();
    }
}
