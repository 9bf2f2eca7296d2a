//! A service that has a login of its own, and mounts the audit routes beside its own.
//!
//! ```sh
//! cargo run -p example-service
//! curl -H 'X-User: ana' http://127.0.0.1:8080/invoices/9/pay
//! curl -H 'X-User: ana' http://127.0.0.1:8080/audit/api/audit-logs
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use audit_core::{
    Actor, AuditStoreExt as _, NewEvent, NewOrganization, OrganizationId, Role, TenantStore,
};
use audit_http::{Authenticator, HttpOptions, Principal};
use audit_memory::MemoryStore;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;

/// Who may use the service. A real one would look at a session or a signed token.
#[derive(Debug)]
struct Users(HashMap<&'static str, (OrganizationId, Role)>);

#[async_trait]
impl Authenticator for Users {
    async fn authenticate(&self, headers: &HeaderMap) -> audit_core::Result<Option<Principal>> {
        let user = headers.get("x-user").and_then(|user| user.to_str().ok());
        Ok(user.and_then(|user| self.principal(user)))
    }
}

impl Users {
    fn principal(&self, user: &str) -> Option<Principal> {
        let (organization_id, role) = *self.0.get(user)?;
        let actor = Actor::user(user).email(format!("{user}@acme.example"));
        Some(Principal { id: user.to_owned(), organization_id, role, actor })
    }
}

#[derive(Clone)]
struct Service {
    audit: Arc<dyn TenantStore>,
    users: Arc<Users>,
}

/// What the service is for. It records what was done, and by whom.
async fn pay(
    State(service): State<Service>,
    Path(invoice): Path<String>,
    headers: HeaderMap,
) -> Result<&'static str, StatusCode> {
    let caller = service.users.authenticate(&headers).await;
    let caller = caller.ok().flatten().ok_or(StatusCode::UNAUTHORIZED)?;
    let event = NewEvent::new("invoice.paid", caller.actor)
        .target("invoice", &invoice)
        .message(format!("Paid invoice {invoice}"));
    // Recorded from here on, whether or not the client waits for the response.
    let recorded = service.audit.submit(caller.organization_id, vec![event]).await;
    recorded.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok("paid\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let audit: Arc<dyn TenantStore> = Arc::new(MemoryStore::new()?);
    let acme = NewOrganization::new("Acme").created_by("founder@acme.example");
    let acme = audit.create_organization(acme, Actor::system().into()).await?;
    let users = HashMap::from([("ana", (acme.id, Role::Admin)), ("ben", (acme.id, Role::Member))]);
    let users = Arc::new(Users(users));

    let audit_routes = audit_http::router(audit.clone(), users.clone(), HttpOptions::default());
    let router = Router::new()
        .route("/invoices/{invoice}/pay", get(pay))
        .with_state(Service { audit, users })
        .nest("/audit", audit_routes);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    audit_http::serve(listener, router, async { tokio::signal::ctrl_c().await.unwrap_or(()) })
        .await?;
    Ok(())
}
