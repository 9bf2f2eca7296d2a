//! An axum service with a login, tenants and tables of its own, of which every change is audited in
//! its own transaction.
//!
//! ```sh
//! cargo run --manifest-path examples/axum-service/Cargo.toml
//! TOKEN=$(curl --json '{"name": "ana", "password": "correct horse"}' http://127.0.0.1:8080/login)
//! curl -H "Authorization: Bearer $TOKEN" --json '{"name": "Acme", "iban": "DE1"}' http://127.0.0.1:8080/customers
//! curl -H "Authorization: Bearer $TOKEN" -X PUT --json '{"name": "Acme Ltd", "iban": "DE2"}' http://127.0.0.1:8080/customers/1
//! curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/history
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `main.rs` | the service: its layer and its routes |
//! | `actions.rs` | the catalogue of what it records |
//! | `sessions.rs` | its login |
//! | `customers.rs` | the handlers |
//! | `database.rs` | its tables, by sqlx, and the transaction of a change and its event |
//! | `tests.rs` | its tests, with coverage and drift |

mod actions;
mod customers;
mod database;
mod sessions;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::SocketAddr;

use audit_core::{Actor, AuditContext};
use audit_tower::{AuditLayer, Policy};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};

use crate::actions::Sales;
use crate::database::Database;
use crate::sessions::{Sessions, User, log_of};

fn audit(database: &Database) -> AuditLayer {
    AuditLayer::new(database.audit().clone(), |parts| {
        let User { name, tenant } = parts.extensions.get::<User>()?;
        Some(AuditContext::new(Actor::user(name)).log(log_of(*tenant)))
    })
}

fn router(database: Database, audit: AuditLayer) -> Router {
    let sessions = Sessions::default();
    let login = post(sessions::login).with_state(sessions.clone());
    let remind = post(customers::remind);
    Router::new()
        .route("/customers", get(customers::list).post(customers::create))
        .route("/customers/{id}", put(customers::update).delete(customers::delete))
        .route(
            "/customers/{id}/remind",
            remind.layer(Policy::attempt().action(Sales::CUSTOMER_REMINDED)),
        )
        .route(
            "/export",
            get(customers::list).layer(Policy::always().action(Sales::CUSTOMERS_EXPORTED)),
        )
        .route("/history", get(customers::history))
        .route_layer(from_fn(sessions::require_user))
        .route("/login", login.layer(Policy::changes().action(Sales::USER_LOGIN)))
        .layer(audit)
        .layer(from_fn_with_state(sessions, sessions::identify))
        .with_state(database)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = Database::open("axum-service.db").await?;
    let router = router(database.clone(), audit(&database));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // With the address of the client.
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
