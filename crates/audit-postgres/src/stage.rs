//! The statement by which callers stage events.

/// Stages events of one log: `$1` is the [name of the log](audit_core::Log), a text, `$2` their ids, an array of
/// UUIDs, and `$3` their bodies, an array of texts. [`Staged`](audit_core::Staged) makes the values, and
/// any client of PostgreSQL binds them, in a transaction of its own in the store's database:
///
/// ```no_run
/// use audit_core::{Actor, AuditStoreExt, Log, NewEvent, Staged};
/// use audit_postgres::{PostgresStore, STAGE};
///
/// # async fn pay(
/// #     client: &mut tokio_postgres::Client,
/// #     store: &PostgresStore,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let event = NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9");
/// let staged = Staged::new(Log::Platform, vec![event])?;
/// let transaction = client.transaction().await?;
/// transaction.execute("UPDATE invoice SET paid = true WHERE id = 'inv_9'", &[]).await?;
/// let log = staged.log().to_string();
/// transaction.execute(STAGE, &[&log, &staged.ids(), &staged.bodies()]).await?;
/// transaction.commit().await?; // both, or neither
///
/// let receipt = store.receipt_of(Log::Platform, staged.ids()[0].into()).await?;
/// assert_eq!(receipt.sequence.get(), 1);
/// # Ok(())
/// # }
/// ```
///
/// The statement inserts into a table, and waits for nobody. It fails if the log is neither `platform`
/// nor a UUID, or if there are not as many ids as bodies. The role of the client needs `USAGE` of the
/// schema `audit`, and `EXECUTE` on the function `audit.stage`, and no right to a table.
pub const STAGE: &str = "SELECT audit.stage($1, $2, $3)";
