//! An actix-web service of which every change is audited, with the context that axum services have.
//!
//! ```sh
//! cargo run --manifest-path examples/actix/Cargo.toml
//! curl -H 'Authorization: Bearer ana' -X POST http://127.0.0.1:8080/invoices/9/pay
//! curl -H 'Authorization: Bearer ana' http://127.0.0.1:8080/history
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `main.rs` | the service: its actions, its users, its handlers |
//! | `audit.rs` | the middleware, on `audit-request` |

mod audit;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, Responder, web};
use audit_core::{Actor, AuditContext, AuditStoreExt as _, EventQuery, Log};
use audit_derive::AuditAction;
use audit_memory::MemoryStore;

use crate::audit::{Audit, NotRecorded, audited};

#[derive(AuditAction)]
enum Billing {
    /// A customer paid an invoice.
    #[audit(action = "invoice.paid", severity = "informational")]
    InvoicePaid {
        #[audit(target = "invoice")]
        invoice: u64,
    },
}

/// Returns who sends the request. A real service would look at a session or a signed token.
fn who(request: &ServiceRequest) -> Option<AuditContext> {
    let token = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let user = token.strip_prefix("Bearer ")?;
    Some(AuditContext::new(Actor::user(user)))
}

async fn pay(
    audit: web::Data<Audit>,
    invoice: web::Path<u64>,
) -> Result<impl Responder, NotRecorded> {
    // The invoice is paid here.
    audit.record(Billing::InvoicePaid { invoice: *invoice }).await?;
    Ok("paid")
}

/// Records nothing, so that the middleware does.
async fn cancel() -> impl Responder {
    HttpResponse::NoContent()
}

async fn history(store: web::Data<MemoryStore>) -> Result<String, NotRecorded> {
    let page = store.page(&EventQuery::new(Log::Platform).limit(20)).await?;
    let lines = page.events.iter().map(|event| {
        let who = event.actor.id.as_deref().unwrap_or("nobody");
        format!("{} {who} {}\n", event.occurred_at, event.action)
    });
    Ok(lines.collect())
}

fn routes(service: &mut web::ServiceConfig) {
    service
        .route("/invoices/{id}/pay", web::post().to(pay))
        .route("/invoices/{id}", web::delete().to(cancel))
        .route("/history", web::get().to(history));
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A service would open `SqliteStore` or `PostgresStore`.
    let store = MemoryStore::new()?;
    let audit = web::Data::new(Audit::new(Arc::new(store.clone()), who));
    let app = move || {
        let app = App::new().app_data(audit.clone()).app_data(web::Data::new(store.clone()));
        app.wrap(from_fn(audited)).configure(routes)
    };
    println!("listening on http://127.0.0.1:8080");
    HttpServer::new(app).bind(("127.0.0.1", 8080))?.run().await?;
    Ok(())
}
