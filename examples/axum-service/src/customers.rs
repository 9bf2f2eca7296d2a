//! The handlers. Each change is audited in the line that commits it.

use audit_core::{AuditStoreExt as _, Change, Diff, EventQuery, Log};
use audit_derive::Audited;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::actions::Sales;
use crate::database::{Database, Failed, tenant};

/// A customer of a tenant.
#[derive(Audited, Clone, Debug, Serialize)]
#[audit(target = "customer")]
pub(crate) struct Customer {
    #[audit(id)]
    id: i64,
    #[audit(personal)]
    name: String,
    #[audit(redact)]
    iban: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NewCustomer {
    name: String,
    iban: String,
}

impl Customer {
    async fn find(connection: &mut SqliteConnection, log: Log, id: i64) -> Result<Self, Failed> {
        let query = sqlx::query_as("SELECT name, iban FROM customer WHERE id = ? AND log = ?");
        let (name, iban) = query.bind(id).bind(log.to_string()).fetch_one(connection).await?;
        Ok(Self { id, name, iban })
    }
}

pub(crate) async fn create(
    State(database): State<Database>,
    Json(NewCustomer { name, iban }): Json<NewCustomer>,
) -> Result<(StatusCode, Json<Customer>), Failed> {
    let mut change = database.begin().await?;
    let sql = "INSERT INTO customer (log, name, iban) VALUES (?, ?, ?) RETURNING id";
    let insert = sqlx::query_scalar(sql).bind(change.log().to_string()).bind(&name).bind(&iban);
    let id = insert.fetch_one(change.connection()).await?;
    let customer = Customer { id, name, iban };
    let diff = Diff::new().audited(None, Some(&customer))?;
    change.commit(Sales::CustomerCreated { customer: id }, diff).await?;
    Ok((StatusCode::CREATED, Json(customer)))
}

pub(crate) async fn update(
    State(database): State<Database>,
    Path(id): Path<i64>,
    Json(NewCustomer { name, iban }): Json<NewCustomer>,
) -> Result<Json<Customer>, Failed> {
    let mut change = database.begin().await?;
    let log = change.log();
    let before = Customer::find(change.connection(), log, id).await?;
    let after = Customer { id, name, iban };
    let update = sqlx::query("UPDATE customer SET name = ?, iban = ? WHERE id = ?");
    let update = update.bind(&after.name).bind(&after.iban).bind(id);
    update.execute(change.connection()).await?;
    let diff = Change::audited(&before, &after)?;
    change.commit(Sales::CustomerUpdated { customer: id }, diff).await?;
    Ok(Json(after))
}

pub(crate) async fn delete(
    State(database): State<Database>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Failed> {
    let mut change = database.begin().await?;
    let log = change.log();
    let before = Customer::find(change.connection(), log, id).await?;
    let delete = sqlx::query("DELETE FROM customer WHERE id = ?").bind(id);
    delete.execute(change.connection()).await?;
    let diff = Diff::new().audited(Some(&before), None)?;
    change.commit(Sales::CustomerDeleted { customer: id }, diff).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends an e-mail, which no transaction covers: the route's policy is an attempt.
pub(crate) async fn remind(
    State(database): State<Database>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Failed> {
    let mut connection = database.acquire().await?;
    let customer = Customer::find(&mut connection, tenant()?, id).await?;
    println!("Dear {}, …", customer.name);
    Ok(StatusCode::ACCEPTED)
}

pub(crate) async fn list(State(database): State<Database>) -> Result<Json<Vec<Customer>>, Failed> {
    let mut connection = database.acquire().await?;
    let sql = "SELECT id, name, iban FROM customer WHERE log = ? ORDER BY id";
    let rows = sqlx::query_as(sql).bind(tenant()?.to_string()).fetch_all(&mut *connection).await?;
    let customers = rows.into_iter().map(|(id, name, iban)| Customer { id, name, iban });
    Ok(Json(customers.collect()))
}

/// Returns the latest events of the tenant.
pub(crate) async fn history(State(database): State<Database>) -> Result<String, Failed> {
    let page = database.audit().page(&EventQuery::new(tenant()?).limit(20)).await?;
    let lines = page.events.iter().map(|event| {
        let who = event.actor.id.as_deref().unwrap_or("nobody");
        let outcome = event.outcome.as_ref().map_or("", |outcome| outcome.result.as_str());
        format!("{} {who} {} {outcome}\n", event.occurred_at, event.action)
    });
    Ok(lines.collect())
}
