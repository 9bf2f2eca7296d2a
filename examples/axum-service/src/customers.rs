//! The handlers. Each change is audited in the line that describes it.

use audit_core::{
    AuditStoreExt as _, Audited as _, Change, Diff, EventQuery, Log, NewEvent, Outcome,
};
use audit_derive::Audited;
use audit_sqlite::rusqlite::Connection;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

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
    fn find(connection: &Connection, log: Log, id: i64) -> Result<Self, Failed> {
        let sql = "SELECT name, iban FROM customer WHERE id = ? AND log = ?";
        let (name, iban) = connection
            .query_row(sql, (id, log.to_string()), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { id, name, iban })
    }
}

pub(crate) async fn create(
    State(database): State<Database>,
    Json(new): Json<NewCustomer>,
) -> Result<(StatusCode, Json<Customer>), Failed> {
    let created = database.change(move |connection, log| {
        let sql = "INSERT INTO customer (log, name, iban) VALUES (?, ?, ?)";
        connection.execute(sql, (log.to_string(), &new.name, &new.iban))?;
        let id = connection.last_insert_rowid();
        let customer = Customer { id, name: new.name, iban: new.iban };
        let change = Diff::new().audited(None, Some(&customer))?;
        let event = NewEvent::here("customer.created")?.add_target(customer.target());
        Ok((customer, event.change(change).outcome(Outcome::success())))
    });
    Ok((StatusCode::CREATED, Json(created.await?)))
}

pub(crate) async fn update(
    State(database): State<Database>,
    Path(id): Path<i64>,
    Json(new): Json<NewCustomer>,
) -> Result<Json<Customer>, Failed> {
    let updated = database.change(move |connection, log| {
        let before = Customer::find(connection, log, id)?;
        let after = Customer { id, name: new.name, iban: new.iban };
        let sql = "UPDATE customer SET name = ?, iban = ? WHERE id = ?";
        connection.execute(sql, (&after.name, &after.iban, id))?;
        let change = Change::audited(&before, &after)?;
        let event = NewEvent::here("customer.updated")?.add_target(after.target());
        Ok((after, event.change(change).outcome(Outcome::success())))
    });
    Ok(Json(updated.await?))
}

pub(crate) async fn delete(
    State(database): State<Database>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Failed> {
    let deleted = database.change(move |connection, log| {
        let before = Customer::find(connection, log, id)?;
        connection.execute("DELETE FROM customer WHERE id = ?", [id])?;
        let change = Diff::new().audited(Some(&before), None)?;
        let event = NewEvent::here("customer.deleted")?.add_target(before.target());
        Ok(((), event.change(change).outcome(Outcome::success())))
    });
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends an e-mail, which no transaction covers: the route's policy is an attempt.
pub(crate) async fn remind(
    State(database): State<Database>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Failed> {
    let log = tenant()?;
    let customer = database.read(move |connection| Customer::find(connection, log, id)).await?;
    println!("Dear {}, …", customer.name);
    Ok(StatusCode::ACCEPTED)
}

pub(crate) async fn list(State(database): State<Database>) -> Result<Json<Vec<Customer>>, Failed> {
    let log = tenant()?;
    let customers = database.read(move |connection| {
        let sql = "SELECT id, name, iban FROM customer WHERE log = ? ORDER BY id";
        let mut statement = connection.prepare(sql)?;
        let customer = |row: &audit_sqlite::rusqlite::Row<'_>| {
            Ok(Customer { id: row.get(0)?, name: row.get(1)?, iban: row.get(2)? })
        };
        let customers = statement.query_map([log.to_string()], customer)?;
        Ok(customers.collect::<Result<Vec<_>, _>>()?)
    });
    Ok(Json(customers.await?))
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
