//! A service with its own login and its own organizations, which mounts the audit routes beside its
//! own.
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
use audit_core::{Actor, AuditStore, AuditStoreExt as _, NewEvent, OrganizationId, Role};
use audit_http::{Authenticator, Contract, HttpOptions, Principal, ServeOptions};
use audit_memory::MemoryStore;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;

/// The users of the service. A real one would look at a session or a signed token.
#[derive(Debug)]
struct Users(HashMap<&'static str, (OrganizationId, Role)>);

#[async_trait]
impl Authenticator for Users {
    async fn authenticate(&self, parts: &Parts) -> audit_core::Result<Option<Principal>> {
        let user = parts.headers.get("x-user").and_then(|user| user.to_str().ok());
        Ok(user.and_then(|user| self.principal(user)))
    }
}

impl Users {
    fn principal(&self, user: &str) -> Option<Principal> {
        let (organization_id, role) = *self.0.get(user)?;
        let actor = Actor::user(user).email(format!("{user}@acme.example"));
        Some(Principal::new(user, role, actor).organization(organization_id))
    }
}

#[derive(Clone)]
struct Service {
    audit: Arc<dyn AuditStore>,
    users: Arc<Users>,
}

/// The business of the service. Records each payment and its actor.
async fn pay(
    State(service): State<Service>,
    Path(invoice): Path<String>,
    parts: Parts,
) -> Result<&'static str, StatusCode> {
    let caller = service.users.authenticate(&parts).await;
    let caller = caller.ok().flatten().ok_or(StatusCode::UNAUTHORIZED)?;
    let organization = caller.organization_id.ok_or(StatusCode::FORBIDDEN)?;
    let event = NewEvent::new("invoice.paid", caller.actor)
        .target("invoice", &invoice)
        .message(format!("Paid invoice {invoice}"));
    // Recorded from here on, whether or not the client waits for the response.
    let recorded = service.audit.submit(organization, vec![event]).await;
    recorded.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok("paid\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let audit: Arc<dyn AuditStore> = Arc::new(MemoryStore::new()?);
    // The service keeps its organizations itself; the audit store has only their logs.
    let acme = OrganizationId::new();
    let users = HashMap::from([("ana", (acme, Role::Admin)), ("ben", (acme, Role::Member))]);
    let users = Arc::new(Users(users));

    let options = HttpOptions::default().with_contracts([Contract::OrganisationAuditLogs]);
    let audit_routes = audit_http::router(audit.clone(), users.clone(), options);
    let router = Router::new()
        .route("/invoices/{invoice}/pay", get(pay))
        .with_state(Service { audit, users })
        .nest("/audit", audit_routes);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let shutdown = async { tokio::signal::ctrl_c().await.unwrap_or(()) };
    audit_http::serve(listener, router, ServeOptions::default(), shutdown).await?;
    Ok(())
}
