//! Assertions that hold, and what the others say.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use audit_catalogue::Catalogue;
use audit_core::{
    Action, Actor, Attempt, AuditStore, AuditStoreExt as _, Log, NewEvent, OrganizationId, Outcome,
    Timestamp,
};
use audit_derive::AuditAction;
use audit_memory::MemoryStore;
use audit_sqlite::SqliteStore;
use audit_testing::{
    Content as _, Drift, assert_audited, assert_no_drift, assert_not_audited, content_eq,
};
use futures_executor::block_on;

const LOG: Log = Log::Platform;

fn paid(invoice: &str) -> NewEvent {
    let event = NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", invoice);
    event.outcome(Outcome::success()).attribute("plan", "pro")
}

/// Calls `test` with each store, in which two invoices are paid.
fn with_each_store(test: impl Fn(&dyn AuditStore)) {
    let directory = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn AuditStore>; 2] = [
        Arc::new(MemoryStore::new().unwrap()),
        Arc::new(SqliteStore::open(directory.path().join("audit.db")).unwrap()),
    ];
    for store in stores {
        block_on(store.append(LOG, vec![paid("inv_8"), paid("inv_9")])).unwrap();
        test(&*store);
    }
}

/// Returns the message with which `test` fails.
fn message(test: impl FnOnce()) -> String {
    *catch_unwind(AssertUnwindSafe(test)).unwrap_err().downcast().unwrap()
}

#[test]
fn an_event_that_meets_all_conditions_is_returned() {
    with_each_store(|store| {
        let event = assert_audited!(
            store,
            LOG,
            action = "invoice.*",
            actor = "u_7",
            target = ("invoice", "inv_8"),
            outcome = "success",
            attribute = ("plan", "pro"),
            count = 1,
        );
        assert_eq!(event.sequence.get(), 1);
        assert_eq!(assert_audited!(store, LOG, count = 2).sequence.get(), 2);
        assert_not_audited!(store, LOG, action = "invoice.paid", actor = "u_8");
        assert_not_audited!(store, OrganizationId::new(), action = "invoice.paid");
    });
}

#[test]
fn a_failure_shows_what_the_log_has() {
    with_each_store(|store| {
        let failed = message(|| drop(assert_audited!(store, LOG, actor = "u_8", action = "a.b")));
        let expected = "expected an event, found 0 in the log platform with actor = \"u_8\", action = \"a.b\"\n\
            the log has 2 events, the latest first:\n  \
            #2 invoice.paid by user \"u_7\" on (\"invoice\", \"inv_9\"), success, plan=\"pro\"\n  \
            #1 invoice.paid by user \"u_7\" on (\"invoice\", \"inv_8\"), success, plan=\"pro\"\n";
        assert_eq!(failed, expected);
        let failed = message(|| drop(assert_audited!(store, LOG, actor = "u_7", count = 1)));
        assert!(failed.starts_with("expected 1 events, found 2 in the log"), "{failed}");
        let failed = message(|| assert_not_audited!(store, LOG, actor = "u_7"));
        assert!(failed.starts_with("expected no event, found 2 in the log"), "{failed}");
        let other = OrganizationId::new();
        let failed = message(|| drop(assert_audited!(store, other, actor = "u_7")));
        assert!(failed.ends_with("the log is empty"), "{failed}");
    });
}

#[test]
fn content_is_compared_without_ids_and_times() {
    let event = || paid("inv_9").request("POST", "/pay").request_id(Timestamp::now().to_string());
    with_each_store(|store| {
        let id = event().id;
        block_on(store.record(LOG, event().id(id))).unwrap();
        let recorded = block_on(store.get(LOG, id)).unwrap();
        assert_eq!(recorded.content(), event().content());
        assert!(!content_eq(&recorded, &event().attribute("plan", "basic")));
        assert!(!content_eq(&recorded, &event().request("POST", "/refund")));
    });
}

#[derive(AuditAction)]
#[allow(dead_code)] // the tests record them by name
enum Billing {
    /// An invoice was paid.
    #[audit(action = "invoice.paid")]
    Paid {
        #[audit(target = "invoice")]
        invoice: u64,
        #[audit(attribute)]
        plan: &'static str,
    },
    /// An invoice was refunded.
    #[audit(action = "invoice.refunded")]
    Refunded,
}

#[test]
fn events_and_a_catalogue_that_agree_have_no_drift() {
    with_each_store(|store| {
        let refunded = NewEvent::new(Billing::Refunded, Actor::system());
        let other = OrganizationId::new();
        // An attempt that was begun is one of its action.
        let begun = refunded.attribute(Attempt::ACTION_ATTRIBUTE, "invoice.refunded");
        let begun = begun.action(Action::ATTEMPT_BEGUN);
        block_on(store.record(Log::organization(other), begun)).unwrap();
        assert_no_drift(store, &Catalogue::of::<Billing>());
    });
}

#[test]
fn drift_is_shown_in_both_directions() {
    with_each_store(|store| {
        let strange = NewEvent::new("invoice.payed", Actor::system());
        let incomplete = NewEvent::new(Billing::PAID, Actor::system()).attribute("plan", "pro");
        let events = vec![strange.clone(), incomplete, strange.id(audit_core::EventId::new())];
        block_on(store.append(LOG, events)).unwrap();
        let drift = Drift::from(&Catalogue::of::<Billing>().and::<Billing>()).with(store);
        let expected = "  \
            invoice.paid: invalid input: `targets[invoice]` is missing (1 events, the first is #4 in the log platform)\n  \
            invoice.payed: invalid input: `action` must be an action of the catalogue (2 events, the first is #3 in the log platform)\n  \
            invoice.refunded: is in the catalogue, and no test records it\n  \
            invoice.paid: is in the catalogue twice\n  \
            invoice.refunded: is in the catalogue twice\n";
        assert_eq!(drift.to_string(), expected);
        let failed = message(|| drift.assert_none());
        assert!(failed.ends_with(expected), "{failed}");
    });
}
