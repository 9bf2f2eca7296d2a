//! Diesel.

use audit_postgres::STAGE;
use compat_transactions::{Payment, Result};
use diesel::result::Error as DieselError;
use diesel::sql_types::{Array, Text, Uuid};
use diesel::{Connection as _, PgConnection, RunQueryDsl as _, sql_query};

pub(crate) fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let mut connection = PgConnection::establish(&payment.database)?;
    let paid = connection.transaction(|connection| {
        let insert = sql_query("INSERT INTO invoice VALUES ($1)");
        insert.bind::<Text, _>(&payment.invoice).execute(connection)?;
        sql_query(STAGE)
            .bind::<Text, _>(staged.log().to_string())
            .bind::<Array<Uuid>, _>(staged.ids())
            .bind::<Array<Text>, _>(staged.bodies())
            .execute(connection)?;
        if payment.end.commits() { Ok(()) } else { Err(DieselError::RollbackTransaction) }
    });
    match paid {
        Err(DieselError::RollbackTransaction) => {}
        paid => paid?,
    }
    payment.end.is_over();
    Ok(())
}
