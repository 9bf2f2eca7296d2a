//! Pointers to stores are stores.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt as _, EventQuery, Filter, FollowerStore, Log,
    NewApiKey, NewEvent, NewOrganization, Recorder, Retention, RetentionStore, Role, StagingStore,
    TenantStore,
};
use audit_memory::MemoryStore;
use futures_executor::block_on;

const LOG: Log = Log::Platform;

fn by() -> AuditContext {
    AuditContext::new(Actor::system())
}

/// Uses each trait, as a function does that takes any store.
async fn use_by_value(store: impl RetentionStore + TenantStore + FollowerStore) {
    let receipt = store.record(LOG, NewEvent::new("a.b", Actor::system())).await.unwrap();
    let page = store.page(&EventQuery::new(LOG).filter(Filter::new().action("a.*"))).await.unwrap();
    assert_eq!(page.events[0].id, receipt.id);

    let acme = store.create_organization(NewOrganization::new("Acme"), by()).await.unwrap();
    let new = NewApiKey::new(acme.id, Role::Member, "ana@acme.example");
    let (key, _) = store.create_api_key(new, by()).await.unwrap();
    assert_eq!(store.api_keys(acme.id, None, 9).await.unwrap(), [key]);

    let keeps = Retention::default().max_events(30);
    store.set_retention(LOG, keeps, by()).await.unwrap();
    assert_eq!(store.retention(LOG).await.unwrap(), keeps);

    let state = Some("7".to_owned());
    store.replace_follower_state("siem", LOG, None, state.clone()).await.unwrap();
    assert_eq!(store.follower_state("siem", LOG).await.unwrap(), state);
}

#[test]
fn a_pointer_has_the_calls_of_its_store() {
    let store = MemoryStore::new().unwrap();
    block_on(use_by_value(Arc::new(store.clone())));
    // Three changes of an organization and a key, and one of retention, are events as well.
    assert_eq!(block_on(store.head(LOG)).unwrap().size.get(), 4);
    block_on(use_by_value(Box::new(Arc::new(MemoryStore::new().unwrap()))));
}

#[test]
fn a_pointer_to_any_store_is_one() {
    fn is_store<S: AuditStore + Recorder>() {}
    fn is_staging_store<S: StagingStore>() {}
    is_store::<Arc<dyn AuditStore>>();
    is_store::<Box<dyn RetentionStore>>();
    is_store::<Arc<dyn TenantStore>>();
    is_store::<Arc<dyn FollowerStore>>();
    is_store::<Arc<Box<dyn StagingStore>>>();
    is_staging_store::<Arc<dyn StagingStore>>();
}
