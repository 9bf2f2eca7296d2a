//! An axum service with a login, tenants and tables of its own, of which every change is audited in
//! its own transaction.
//!
//! ```sh
//! cargo run -p example-axum-service
//! curl -H 'Authorization: Bearer ana' --json '{"name": "Acme", "iban": "DE1"}' http://127.0.0.1:8080/customers
//! curl -H 'Authorization: Bearer ana' -X PUT --json '{"name": "Acme Ltd", "iban": "DE2"}' http://127.0.0.1:8080/customers/1
//! curl -H 'Authorization: Bearer ana' http://127.0.0.1:8080/history
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `main.rs` | the service: its users, its layer, its routes |
//! | `customers.rs` | the handlers |
//! | `database.rs` | its tables, and the transaction of a change and its event |
//! | `tests.rs` | its tests, with coverage |

mod customers;
mod database;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::SocketAddr;

use audit_core::{Actor, AuditContext, OrganizationId};
use audit_tower::{AuditLayer, Policy};
use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header, request::Parts};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use uuid::Uuid;

use crate::database::Database;

/// The namespace of the tenants' logs: generated once for this service, and never changed.
const TENANTS: Uuid = Uuid::from_u128(0x6a4f_7c1e_2b7d_4f0a_9c35_d1b8_0e64_a2f7);

/// A user, and the number of its tenant.
#[derive(Clone, Debug)]
struct User {
    name: String,
    tenant: i64,
}

/// Returns the user who sends the request. A real service would look at a session or a signed token.
fn login(parts: &Parts) -> Option<User> {
    let token = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let tenant = [("ana", 1), ("ben", 2)].into_iter().find(|(name, _)| *name == token)?.1;
    Some(User { name: token.to_owned(), tenant })
}

/// Puts the user into the extensions of the request.
async fn identify(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(user) = login(&parts) {
        parts.extensions.insert(user);
    }
    next.run(Request::from_parts(parts, body)).await
}

/// Rejects requests of nobody.
async fn require_user(request: Request, next: Next) -> Result<Response, StatusCode> {
    let is_known = request.extensions().get::<User>().is_some();
    if is_known { Ok(next.run(request).await) } else { Err(StatusCode::UNAUTHORIZED) }
}

fn audit(database: &Database) -> AuditLayer {
    AuditLayer::new(database.audit().clone(), |parts| {
        let User { name, tenant } = parts.extensions.get::<User>()?;
        let log = OrganizationId::derived(TENANTS, &tenant.to_be_bytes());
        Some(AuditContext::new(Actor::user(name)).log(log))
    })
}

fn router(database: Database, audit: AuditLayer) -> Router {
    Router::new()
        .route("/customers", get(customers::list).post(customers::create))
        .route("/customers/{id}", put(customers::update).delete(customers::delete))
        .route(
            "/customers/{id}/remind",
            post(customers::remind).layer(Policy::attempt().action("customer.reminded")),
        )
        .route("/export", get(customers::list).layer(Policy::always().action("customers.exported")))
        .route("/history", get(customers::history))
        .route_layer(middleware::from_fn(require_user))
        .layer(audit)
        .layer(middleware::from_fn(identify))
        .with_state(database)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = Database::open("axum-service.db")?;
    let router = router(database.clone(), audit(&database));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // With the address of the client.
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
