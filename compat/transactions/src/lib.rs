//! The change and its event, both or neither: each client of a database pays an invoice and stages the event
//! of it in one transaction. The transaction is committed, rolled back, or cut off because the process dies.
//!
//! Each program here runs itself once for each client and each of these ends, and then fails unless the
//! database has each invoice with its event, or neither.

use std::error::Error;
use std::process::{Command, abort};

use audit_core::{
    Actor, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent, Staged, StagingStore,
};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    RollBack,
    DieBeforeCommit,
    DieAfterCommit,
    Commit,
}

impl End {
    const ALL: [Self; 4] =
        [Self::RollBack, Self::DieBeforeCommit, Self::DieAfterCommit, Self::Commit];

    /// Called when everything is written. Returns whether to commit.
    pub fn commits(self) -> bool {
        if self == Self::DieBeforeCommit {
            abort();
        }
        self != Self::RollBack
    }

    /// Called when everything is committed or rolled back.
    pub fn is_over(self) {
        if self == Self::DieAfterCommit {
            abort();
        }
    }

    fn dies(self) -> bool {
        matches!(self, Self::DieBeforeCommit | Self::DieAfterCommit)
    }

    fn is_kept(self) -> bool {
        matches!(self, Self::Commit | Self::DieAfterCommit)
    }
}

/// An invoice that a client pays.
#[derive(Clone, Debug)]
pub struct Payment {
    pub client: String,
    pub end: End,
    /// The id of the invoice.
    pub invoice: String,
    /// The path or the URL of the database.
    pub database: String,
}

impl Payment {
    fn new(client: &str, end: End, database: &str) -> Self {
        let (client, database) = (client.to_owned(), database.to_owned());
        Self { invoice: format!("{client}: {end:?}"), client, end, database }
    }

    /// Returns the payment that this process was started for, if it was.
    pub fn of_arguments() -> Result<Option<Self>> {
        let arguments: Vec<_> = std::env::args().collect();
        let [_, client, end, database] = &arguments[..] else { return Ok(None) };
        let end = End::ALL.into_iter().find(|known| format!("{known:?}") == *end);
        Ok(Some(Self::new(client, end.ok_or("the end is not known")?, database)))
    }

    pub fn event(&self) -> NewEvent {
        NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", &*self.invoice)
    }

    /// Returns the event, to be staged.
    pub fn staged(&self) -> Result<Staged> {
        Ok(Staged::new(Log::Platform, vec![self.event()])?)
    }
}

/// Runs this program for each client and each end.
pub fn pay_with(clients: &[&str], database: &str) -> Result<()> {
    for client in clients {
        for end in End::ALL {
            let mut command = Command::new(std::env::current_exe()?);
            let status = command.args([client, &*format!("{end:?}"), database]).status()?;
            assert_eq!(status.success(), !end.dies(), "{client}, {end:?}: {status}");
        }
    }
    Ok(())
}

/// Fails unless each invoice that was kept, and no other, is in the database and its event in the store.
/// `count` counts the invoices with an id.
pub async fn check(
    clients: &[&str],
    store: &dyn StagingStore,
    mut count: impl AsyncFnMut(&str) -> Result<i64>,
) -> Result<()> {
    for client in clients {
        for end in End::ALL {
            let Payment { invoice, .. } = Payment::new(client, end, "");
            let paid = count(&invoice).await?;
            let filter = Filter::new().target_type("invoice").target_id(&*invoice);
            let recorded = store.count(&EventQuery::new(Log::Platform).filter(filter)).await?;
            let expected = u64::from(end.is_kept());
            assert_eq!((paid.unsigned_abs(), recorded), (expected, expected), "{invoice}");
        }
    }
    let counts = store.staged_counts().await?;
    assert_eq!((counts.waiting, counts.refused), (0, 0));
    Ok(())
}
