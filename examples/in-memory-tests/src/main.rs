//! How a service tests its auditing: against the in-memory store, which keeps every promise of the
//! durable ones.
//!
//! `cargo run -p example-in-memory-tests` shows the trail;
//! `cargo test -p example-in-memory-tests` runs the tests.

use std::sync::Arc;

use audit_core::{
    Actor, AuditStore, AuditStoreExt, Change, EventQuery, NewEvent, OrganizationId, Result,
};
use audit_memory::MemoryStore;
use futures_executor::block_on;
use serde_json::json;

/// The service under test: it knows the trait, not the store.
struct Billing {
    audit: Arc<dyn AuditStore>,
}

impl Billing {
    async fn set_plan(
        &self,
        organization: OrganizationId,
        by: Actor,
        old: &str,
        new: &str,
    ) -> Result<()> {
        let event = NewEvent::new("plan.changed", by)
            .target("organization", organization.to_string())
            .change(Change::of(&json!({"plan": old}), &json!({"plan": new}))?);
        self.audit.record(organization, event).await?;
        Ok(())
    }
}

fn main() -> Result<()> {
    block_on(async {
        let billing = Billing { audit: Arc::new(MemoryStore::new()?) };
        let acme = OrganizationId::new();
        billing.set_plan(acme, Actor::user("u_ana"), "free", "team").await?;
        for event in billing.audit.page(&EventQuery::new(acme)).await?.events {
            println!("{}", serde_json::to_string_pretty(&event).unwrap_or_default());
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use audit_core::Filter;

    use super::*;

    #[test]
    fn a_changed_plan_is_on_record_for_its_own_organization_alone() {
        block_on(async {
            let billing = Billing { audit: Arc::new(MemoryStore::new().unwrap()) };
            let (acme, other) = (OrganizationId::new(), OrganizationId::new());

            billing.set_plan(acme, Actor::user("u_ana"), "free", "team").await.unwrap();

            let by_ana = Filter::new().action("plan.*").actor_id("u_ana");
            let page = billing.audit.page(&EventQuery::new(acme).filter(by_ana)).await.unwrap();
            assert_eq!(page.events.len(), 1);
            assert_eq!(page.events[0].change.diff[0].new, Some(json!("team")));
            assert!(billing.audit.page(&EventQuery::new(other)).await.unwrap().events.is_empty());
        });
    }
}
