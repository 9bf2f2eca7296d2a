//! Diesel.

use audit_sqlite::STAGE;
use diesel::result::Error as DieselError;
use diesel::sql_types::{Binary, Text};
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection, sql_query};

use compat_transactions::{Payment, Result};

pub(crate) fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let mut connection = SqliteConnection::establish(&payment.database)?;
    let paid = connection.transaction(|connection| {
        sql_query("INSERT INTO invoice VALUES (?1)")
            .bind::<Text, _>(&payment.invoice)
            .execute(connection)?;
        for (id, body) in staged.rows() {
            sql_query(STAGE)
                .bind::<Binary, _>(staged.log().as_bytes())
                .bind::<Binary, _>(id.as_bytes())
                .bind::<Text, _>(body)
                .execute(connection)?;
        }
        if payment.end.commits() { Ok(()) } else { Err(DieselError::RollbackTransaction) }
    });
    match paid {
        Err(DieselError::RollbackTransaction) => {}
        paid => paid?,
    }
    payment.end.is_over();
    Ok(())
}
