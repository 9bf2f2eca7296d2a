//! Filters: each store finds exactly what [`Filter::matches`] says.

use std::time::Duration;

use audit_core::limits::MAX_FILTER_VALUES;
use audit_core::{
    Actor, AuditEvent, ErrorKind, EventQuery, Facet, Filter, Log, NewEvent, Order, Target,
    Timestamp,
};

use crate::NewHarness;
use crate::model::Model;
use crate::samples::{
    At as _, absent_values_of, at, event, event_with, full, mixed, new_log, values_of,
};
use crate::subject::{Subject, refused};

const ORDERS: [Order; 4] = Order::ALL;

pub(crate) fn by_each_facet(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for facet in Facet::ALL {
        let values = values_of(facet);
        subject.put(log, &[&values[0], &values[1], &values[0]].map(|v| event_with(facet, v)));
    }
    let model = Model::new(subject.events(log));
    for facet in Facet::ALL {
        let [a, b] = &values_of(facet);
        let found = check(&subject, &model, log, &Filter::new().with(facet, a));
        assert_eq!(found.len(), 2, "{} finds its events and no others", facet.name());
        let either = Filter::new().with(facet, a).with(facet, b);
        assert_eq!(check(&subject, &model, log, &either).len(), 3, "either value is wanted");
        let absent = absent_values_of(facet);
        assert_eq!(check(&subject, &model, log, &either.with(facet, &absent[0])).len(), 3);
        for absent in absent {
            check(&subject, &model, log, &Filter::new().with(facet, absent));
        }
    }
}

pub(crate) fn by_action_prefix(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let actions = [
        "user",
        "user.login",
        "user.login.failed",
        "users.login",
        "user.",
        "user..x",
        "User.login",
        "usér.login",
        ".user",
    ];
    let events = actions.map(|action| NewEvent::new(action, Actor::system()).at(0));
    let model = Model::new(subject.put(log, &events));
    let patterns = [
        "user.*",
        "user.login.*",
        "user",
        "use.*",
        "user.login",
        ".*",
        "user..*",
        "USER.*",
        "user.%",
        "us_r.*",
        "usér.*",
        "user.login.failed.*",
    ];
    for pattern in patterns {
        check(&subject, &model, log, &Filter::new().action(pattern));
        check(&subject, &model, log, &Filter::new().action(pattern).action("users.login"));
    }
    let below = check(&subject, &model, log, &Filter::new().action("user.*"));
    assert_eq!(below.len(), 4, "`user.*` finds all that is below `user.` and nothing else");
    for pattern in ["*", "*.login", "user/*", "user*", "user.*.failed"] {
        let query = EventQuery::new(log).filter(Filter::new().action(pattern));
        let promise = "a wildcard that matches nothing";
        let error = refused(subject.try_page(&query), ErrorKind::Invalid, promise);
        assert_eq!(error.field(), Some("action"), "an error names the facet at fault");
    }
}

pub(crate) fn by_several_conditions(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let model = Model::new(subject.put(log, &[mixed(40), vec![full()]].concat()));
    let filter = Filter::new().action("user.*").actor_id("u_1");
    assert!(!check(&subject, &model, log, &filter).is_empty());
    let filter = filter.target_type("item").during(at(1)..at(4));
    assert!(!check(&subject, &model, log, &filter).is_empty());
    check(&subject, &model, log, &filter.clone().actor_id("u_2").action("item.updated"));
    check(&subject, &model, log, &filter.category("none"));
    // Each facet at once.
    let all = Filter::new()
        .action("invoice.item.paid")
        .category("billing")
        .actor_kind("user")
        .actor_id("u_7")
        .actor_email("ana@example.org")
        .target("invoice", "inv_9")
        .organization_id("org_7")
        .service("svc_1")
        .product("prd_1")
        .config("cfg_1")
        .environment("env_1")
        .surface("cost");
    assert_eq!(check(&subject, &model, log, &all).len(), 1, "all conditions hold for one event");
    assert_eq!(
        check(&subject, &model, log, &all.change_set_id(audit_core::ChangeSetId::new())),
        []
    );
}

/// Returns an event without a target.
fn untargeted() -> NewEvent {
    let mut event = event(0);
    event.targets.clear();
    event
}

pub(crate) fn by_type_and_id_of_one_target(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let event =
        |targets: &[Target]| targets.iter().cloned().fold(untargeted(), NewEvent::add_target);
    let (user_1, team_2) = (Target::new("user", "1"), Target::new("team", "2"));
    let events = [
        event(&[user_1.clone(), team_2.clone()]),
        event(&[Target::new("user", "2"), Target::new("team", "1")]),
        event(&[Target::of_kind("user"), Target::with_id("1")]),
        event(&[user_1.clone(), user_1.clone()]),
        event(&[team_2, Target::named("1")]),
        // A store that joins the two texts must not take these for one of the above.
        event(&[Target::new("use", "r1")]),
        event(&[Target::new("user1", "")]),
        event(&[]),
    ];
    let model = Model::new(subject.put(log, &events));
    let of_one = |kind: &str, id: &str| Filter::new().target_type(kind).target_id(id);
    let filter = of_one("user", "1");
    assert_eq!(check(&subject, &model, log, &filter).len(), 2, "one target has type and id");
    check(&subject, &model, log, &filter.clone().target_id("2"));
    check(&subject, &model, log, &filter.target_type("team").target_id("2"));
    check(&subject, &model, log, &of_one("user", "3"));
    check(&subject, &model, log, &of_one("user1", ""));
    check(&subject, &model, log, &Filter::new().target_type("user"));
    check(&subject, &model, log, &Filter::new().target_id("1"));
}

pub(crate) fn by_pairs_of_type_and_id(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let targets = [("user", "1"), ("team", "2"), ("team", "1"), ("user", "2"), ("user", "=1")];
    let events = targets.map(|(kind, id)| untargeted().target(kind, id));
    let model = Model::new(subject.put(log, &events));
    let pairs = Filter::new().target("user", "1").target("team", "2");
    let found = check(&subject, &model, log, &pairs);
    assert_eq!(found, model.events[..2], "a pair is not split: its type belongs to its id");
    check(&subject, &model, log, &pairs.clone().target_type("team"));
    check(&subject, &model, log, &pairs.clone().target_type("team").target_id("1"));
    check(&subject, &model, log, &pairs.target("user=", "1"));
    check(&subject, &model, log, &Filter::new().target("user", "=1"));
}

pub(crate) fn by_addresses_in_any_case(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let spellings = ["José@Example.org", "josé@example.org", "JOSÉ@EXAMPLE.ORG"];
    let by = |email: &str| event(0).actor(Actor::user("u").email(email));
    let events = spellings.into_iter().chain(["jose@example.org"]).map(by);
    let model = Model::new(subject.put(log, &events.collect::<Vec<_>>()));
    for email in spellings {
        let found = check(&subject, &model, log, &Filter::new().actor_email(email));
        assert_eq!(found, model.events[..3], "an address is found in any case, as it was given");
    }
    let anyone = Filter::new().actor_email("JOSE@example.org").actor_email(spellings[0]);
    assert_eq!(check(&subject, &model, log, &anyone).len(), 4, "either address is wanted");
}

pub(crate) fn by_ids_involved(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let by = |actor: &str| untargeted().actor(Actor::user(actor));
    let acting_for =
        |principal: Actor| untargeted().actor(Actor::user("u_2").on_behalf_of(principal));
    let events = [
        by("u_1"),
        by("u_2").target("user", "u_1"),
        by("u_2").add_target(Target::with_id("u_1")).target("user", "u_3"),
        by("u_1").target("user", "u_1"),
        acting_for(Actor::user("u_1")),
        acting_for(Actor::api("key").on_behalf_of(Actor::user("u_1"))),
        by("u_2").target("u_1", "u_2").category("u_1"),
    ];
    let model = Model::new(subject.put(log, &events));
    let found = check(&subject, &model, log, &Filter::new().involving("u_1"));
    assert_eq!(found, model.events[..6], "actors, principals and targets are involved, once");
    let found = check(&subject, &model, log, &Filter::new().on_behalf_of("u_1"));
    assert_eq!(found, model.events[4..6], "a principal is found at any depth");
    check(&subject, &model, log, &Filter::new().involving("u_1").actor_id("u_2"));
    check(&subject, &model, log, &Filter::new().involving("u_1").involving("u_3"));
    check(&subject, &model, log, &Filter::new().involving("user"));
}

pub(crate) fn by_a_half_open_time_range(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let ends = [Timestamp::MIN, Timestamp::MAX, at(2).saturating_add(Duration::from_nanos(1))];
    let times = ends.into_iter().chain([3, 0, 2, 1, 2, 4, -1].map(at));
    let events: Vec<_> = times.map(|time| event(0).occurred_at(time)).collect();
    let model = Model::new(subject.put(log, &events));
    let found = check(&subject, &model, log, &Filter::new().during(at(1)..at(3)));
    assert_eq!(found.len(), 4, "a range takes its first instant in and leaves its end out");
    for time in [Timestamp::MIN, at(0), at(2), at(9), Timestamp::MAX] {
        check(&subject, &model, log, &Filter::new().since(time));
        check(&subject, &model, log, &Filter::new().until(time));
        check(&subject, &model, log, &Filter::new().during(time..time));
        check(&subject, &model, log, &Filter::new().during(Timestamp::MIN..time).actor_id("u_1"));
        let to_the_end = Filter::new().during(time..Timestamp::MAX).target_type("item");
        check(&subject, &model, log, &to_the_end);
    }
    let backwards = EventQuery::new(log).filter(Filter::new().during(at(2)..at(1)));
    let error =
        refused(subject.try_page(&backwards), ErrorKind::Invalid, "a range that ends first");
    assert_eq!(error.field(), Some("until"), "an error names the field at fault");
}

pub(crate) fn by_values_that_are_hard_to_index(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let values = [
        "a",
        "A",
        "á",
        "a\u{301}",
        "a ",
        " a",
        "a\0",
        "a\0b",
        "\0",
        "",
        "%",
        "_",
        "a%",
        "*",
        "a*",
        "'",
        "\"",
        "a'; --",
        "\\",
        "\\0",
        "{\"a\":1}",
        "a,b",
        "a:b",
        "ß",
        "SS",
        "ss",
        "İ",
        "ı",
        "1",
        "01",
        "1.0",
        "null",
        "\u{10ffff}",
        "\u{7f}",
        "🦀",
    ];
    let long = ["x".repeat(1_024), "x".repeat(1_023), format!("{}y", "x".repeat(1_023))];
    let values: Vec<_> = values.into_iter().map(str::to_owned).chain(long).collect();
    let facets = [Facet::ActorId, Facet::TargetId, Facet::Service, Facet::ActorEmail];
    let events: Vec<_> = facets
        .iter()
        .flat_map(|facet| values.iter().map(|value| event_with(*facet, value)))
        .collect();
    let model = Model::new(subject.put(log, &events));
    for facet in facets {
        for value in &values {
            let found = check(&subject, &model, log, &Filter::new().with(facet, value));
            // Addresses are found in any case; all else letter by letter.
            let alike = values.iter().filter(|other| other.to_lowercase() == value.to_lowercase());
            let expected = if facet == Facet::ActorEmail { alike.count() } else { 1 };
            assert_eq!(found.len(), expected, "{} finds {value:?} and no other", facet.name());
        }
    }
}

pub(crate) fn by_the_most_values(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let count = i64::try_from(MAX_FILTER_VALUES).unwrap();
    let events: Vec<_> =
        (0..count + 20).map(|n| event(n % 7).actor(Actor::user(format!("u_{n}")))).collect();
    let model = Model::new(subject.put(log, &events));
    let most = (0..count).fold(Filter::new(), |f, n| f.actor_id(format!("u_{n}")));
    let found = check(&subject, &model, log, &most);
    assert_eq!(found.len(), MAX_FILTER_VALUES, "each of the most values is looked for");
    check(&subject, &model, log, &most.clone().target_type("item").action("item.*"));
    let query = EventQuery::new(log).filter(most.actor_id("one more"));
    let error = refused(subject.try_page(&query), ErrorKind::Invalid, "too many values");
    assert_eq!(error.field(), Some("actorId"), "an error names the facet at fault");
}

/// Compares the store with the reference in every order, on one page and on small ones.
fn check(subject: &Subject, model: &Model, log: Log, filter: &Filter) -> Vec<AuditEvent> {
    for order in ORDERS {
        let query = EventQuery::new(log).filter(filter.clone()).order(order);
        for limit in [2, 1_000] {
            let found = subject.walk(&query, limit);
            assert_eq!(found, model.all(filter, order), "{order:?} finds {filter:?}");
        }
    }
    model.all(filter, Order::Sequence)
}
