//! Derived data, such as an index, that was damaged while the store was closed.

use audit_core::{AuditEvent, EventQuery, Filter, Log, NewEvent};

use crate::harness::NewDamageHarness;
use crate::samples::{event, events, mixed, new_log};
use crate::subject::{Subject, refused};

/// A store one of whose two logs was damaged.
struct Damaged {
    subject: Subject<dyn crate::DamageHarness>,
    log: Log,
    other: Log,
    /// The events of both logs.
    placed: [Vec<AuditEvent>; 2],
    /// The first event of `log`, as it was given.
    known: NewEvent,
    damage: &'static str,
}

/// Runs `check` on a store for each kind of damage that the harness can do.
fn for_each_damage(new: NewDamageHarness<'_>, check: impl Fn(Damaged)) {
    let damages = new().damages();
    assert!(!damages.is_empty(), "a harness can do some damage");
    for damage in damages {
        let subject = Subject::new(new);
        let (log, other, known) = (new_log(), new_log(), event(0));
        let mut of_log = subject.put(log, std::slice::from_ref(&known));
        // Enough for all parts of an index: many at once, then few at a time.
        of_log.extend(subject.put(log, &mixed(600)));
        for _ in 0..20 {
            of_log.extend(subject.put(log, &mixed(5)));
        }
        let of_other = subject.put(other, &mixed(20));
        let closed = subject.close();
        closed.damage(log, damage);
        let placed = [of_log, of_other];
        check(Damaged { subject: closed.open(), log, other, placed, known, damage });
    }
}

pub(crate) fn indexes_fail_no_append(new: NewDamageHarness<'_>) {
    for_each_damage(new, |damaged| {
        let Damaged { subject, log, known, damage, .. } = damaged;
        let more = subject.append(log, events(40));
        let more = more.unwrap_or_else(|error| panic!("{damage}: an append fails: {error}"));
        assert_eq!(more[39].sequence.get(), 741, "{damage}: events are numbered as ever");
        let again = subject.append(log, vec![known]).expect("a known event is accepted again");
        assert!(again[0].redelivered, "{damage}: the same event is recorded once");
        assert_eq!(again[0].sequence.get(), 1, "{damage}: its receipt is the first one");
    });
}

pub(crate) fn indexes_harm_no_other_log(new: NewDamageHarness<'_>) {
    for_each_damage(new, |damaged| {
        let Damaged { subject, log, other, placed: [_, mut placed], damage, .. } = damaged;
        // Whatever becomes of these, the store has met the damage.
        let _ = subject.append(log, events(600));
        let _ = subject.try_page(&EventQuery::new(log).filter(Filter::new().actor_id("u_1")));
        placed.extend(subject.put(other, &events(3)));
        assert!(subject.events(other) == placed, "{damage}: another log is whole");
        let expected = placed.iter().filter(|event| event.actor.id.as_deref() == Some("u_1"));
        let query = EventQuery::new(other).filter(Filter::new().actor_id("u_1"));
        let found = subject.walk(&query, 7).len();
        assert_eq!(found, expected.count(), "{damage}: another log is searched as ever");
    });
}

pub(crate) fn indexes_hide_no_event(new: NewDamageHarness<'_>) {
    for_each_damage(new, |damaged| {
        let Damaged { subject, log, placed: [placed, _], damage, .. } = damaged;
        for id in ["u_1", "u_2"] {
            let query = EventQuery::new(log).filter(Filter::new().actor_id(id)).limit(1_000);
            // The first read may meet the damage and say so. From then on it is mended.
            let first = subject.try_page(&query);
            let page = first.or_else(|error| {
                refused::<()>(Err(error), audit_core::ErrorKind::Corrupt, "damage is named");
                subject.try_page(&query)
            });
            let page = page.unwrap_or_else(|error| panic!("{damage}: not mended: {error}"));
            let mut found: Vec<_> = page.events;
            found.sort_unstable_by_key(|event| event.sequence);
            let expected = placed.iter().filter(|event| event.actor.id.as_deref() == Some(id));
            assert!(found.iter().eq(expected), "{damage}: a read finds every event of {id}");
        }
        for event in placed.iter().step_by(97) {
            let found = subject.get(log, event.id);
            let found = found.unwrap_or_else(|error| panic!("{damage}: not found by id: {error}"));
            assert_eq!(found, *event, "{damage}: an id finds its event");
        }
    });
}
