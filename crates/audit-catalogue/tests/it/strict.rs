//! The store that refuses or counts what is not in the catalogue.

use std::sync::{Arc, Mutex};

use audit_catalogue::{Catalogue, Strict};
use audit_core::{AuditStore as _, ErrorKind, Log};
use audit_memory::MemoryStore;
use futures_executor::block_on;

use crate::{Billing, named, paid};

const LOG: Log = Log::Platform;

#[test]
fn a_batch_with_an_event_outside_is_refused_whole() {
    let store = MemoryStore::new().unwrap();
    let strict = Strict::refusing(store.clone(), Catalogue::of::<Billing>());
    let error = block_on(strict.append(LOG, vec![paid(), named("a"), named("b")])).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("events[1].action")));
    assert_eq!(block_on(store.head(LOG)).unwrap().size.get(), 0);
    assert_eq!(strict.outside(), 2);
    block_on(strict.append(LOG, vec![paid()])).unwrap();
    assert_eq!(block_on(store.head(LOG)).unwrap().size.get(), 1);
    assert_eq!(strict.clone().outside(), 2);
}

#[test]
fn one_that_counts_records_and_reports() {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let store = MemoryStore::new().unwrap();
    let sink = Arc::clone(&reported);
    let strict = Strict::counting(store.clone(), Catalogue::of::<Billing>()).on_outside(
        move |log, event, error| {
            let field = error.field().map(ToOwned::to_owned);
            sink.lock().unwrap().push((log, event.action.to_string(), field));
        },
    );
    let strange = paid().attribute("colour", "red");
    block_on(strict.append(LOG, vec![named("a"), paid(), strange])).unwrap();
    assert_eq!(block_on(store.head(LOG)).unwrap().size.get(), 3);
    assert_eq!(strict.outside(), 2);
    let field = |text: &str| Some(text.to_owned());
    assert_eq!(
        *reported.lock().unwrap(),
        [
            (LOG, "a".to_owned(), field("action")),
            (LOG, "invoice.paid".to_owned(), field("attributes.colour"))
        ]
    );
}
