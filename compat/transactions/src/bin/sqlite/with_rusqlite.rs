//! rusqlite.

use audit_core::Log;
use audit_sqlite::rusqlite::{Connection, TransactionBehavior};
use audit_sqlite::{STAGE, SqliteStore};

use compat_transactions::{Payment, Result};

pub(crate) fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let mut connection = Connection::open(&payment.database)?;
    let transaction = connection.transaction()?;
    transaction.execute("INSERT INTO invoice VALUES (?1)", [&payment.invoice])?;
    for (id, body) in staged.rows() {
        transaction.execute(STAGE, (staged.log().as_bytes(), id.as_bytes(), body))?;
    }
    if payment.end.commits() {
        transaction.commit()?;
    }
    payment.end.is_over();
    Ok(())
}

/// Does the same without staging: the event is numbered in the transaction.
pub(crate) fn pay_at_once(payment: &Payment) -> Result<()> {
    let store = SqliteStore::open(&payment.database)?;
    let mut connection = Connection::open(&payment.database)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("INSERT INTO invoice VALUES (?1)", [&payment.invoice])?;
    store.append_in(&transaction, Log::Platform, vec![payment.event()])?;
    if payment.end.commits() {
        transaction.commit()?;
    }
    payment.end.is_over();
    Ok(())
}
