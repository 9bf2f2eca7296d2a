//! Connections, and the statements that are run on them.
//!
//! Each statement is sent with its parameters and their types in one message, and the server keeps no
//! name of it, unless an option asks for [prepared] ones: a pooler may give each transaction another connection of the server, as `PgBouncer` does
//! in transaction mode. For the same reason nothing is set for a session, and no lock is taken for one.
//!
//! Statements whose futures are polled together are sent without waiting for each other's results. Each
//! waits for a time-out at most: a server can be frozen, or a network swallow what is sent.
//!
//! [prepared]: crate::PostgresOptions::with_prepared_statements

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use audit_core::{Error, ErrorKind, Result, Sequence};
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, QueueMode, RecyclingMethod, Runtime,
};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join, try_join_all};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::error::{closed, corrupt, damaged, pool, postgres, silent};
use crate::turns::Turn;
use crate::url::Address;

/// A statement: its text, the types of its parameters, and a few words for errors.
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) types: &'static [Type],
    pub(crate) context: &'static str,
}

/// The types of the parameters of a statement, by their names in the driver.
macro_rules! types {
    ($($name:ident),*) => {
        &[$(::tokio_postgres::types::Type::$name),*]
    };
}

pub(crate) use types;

/// A parameter of a statement.
pub(crate) type Parameter<'p> = &'p (dyn ToSql + Sync);

/// Connections to one server, of which at most a number are in use at once.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    /// The statements that each connection prepares.
    prepared: Prepared,
    timeout: Duration,
}

/// Statements that a connection prepares before its first use, so that the server plans them once. Those
/// that are sent together stay in order only if none of them is still to be prepared.
pub(crate) type Prepared = &'static [&'static Statement];

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connections").field(&self.pool.status()).finish()
    }
}

impl Connections {
    /// Prepares up to `size` connections. Opens none.
    pub(crate) fn new(
        address: &Address,
        size: usize,
        timeout: Duration,
        prepared: Prepared,
    ) -> Result<Self> {
        // A connection that is closed is noticed, and one that fails is not used again.
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager =
            Manager::from_config(address.config.clone(), address.tls.connector()?, manager);
        let built = Pool::builder(manager)
            .max_size(size)
            // The last used has the most in its caches.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(timeout))
            .create_timeout(Some(timeout))
            .build();
        let unavailable = |source| {
            Error::new(ErrorKind::Unavailable).with_context("connecting").with_source(source)
        };
        Ok(Self { pool: built.map_err(unavailable)?, prepared, timeout })
    }

    /// Takes a connection, waiting until one is free.
    pub(crate) async fn take(&self) -> Result<Session> {
        let client = self.pool.get().await.map_err(pool)?;
        if client.statement_cache.size() < self.prepared.len() {
            let prepare = self.prepared.iter().map(|statement| {
                let prepared = client.prepare_typed_cached(statement.sql, statement.types);
                async { prepared.await.map_err(postgres("preparing the statements")) }
            });
            let prepared = tokio::time::timeout(self.timeout, try_join_all(prepare)).await;
            if prepared.map_err(|_| silent()).flatten().is_err() {
                drop(Object::take(client));
                return Err(silent());
            }
        }
        let (prepared, state) = (self.prepared, State::default());
        let timeout = self.timeout;
        Ok(Session { client: Some(client), state, timeout, prepared, turn: None })
    }
}

/// What a connection is in.
#[derive(Debug, Default)]
struct State(AtomicU8);

impl State {
    const IDLE: u8 = 0;
    /// In a transaction that only reads.
    const READING: u8 = 1;
    /// In a transaction that writes, and waits for locks.
    const WRITING: u8 = 2;
    /// In the wait for an answer that nobody waits for any more.
    const SILENT: u8 = 3;

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }
}

/// Gives each statement of a transaction one plan, for any parameters and statistics: searches of indexes,
/// one after the other. By default the server plans most statements at each use, which takes longer than to
/// run them, and can scan a table that was small at its last look.
macro_rules! one_plan {
    () => {
        "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; \
         SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off"
    };
}

/// Begins a transaction of an isolation level.
macro_rules! begin {
    ($level:literal) => {
        concat!("BEGIN ISOLATION LEVEL ", $level, "; ", one_plan!())
    };
}

#[cfg(test)]
pub(crate) use one_plan;

/// A connection in use. If it is not idle when it is dropped, it is closed, by which the server undoes the
/// transaction.
pub(crate) struct Session {
    client: Option<Object>,
    state: State,
    /// How long each statement waits for its result, beside the time for which it waits for locks.
    timeout: Duration,
    prepared: Prepared,
    /// Is given back after the connection.
    turn: Option<Turn>,
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.state.get() != State::IDLE {
            self.client.take().map(Object::take);
        }
    }
}

impl Session {
    /// Takes the connection, with the transaction that is open, and leaves none.
    pub(crate) fn take(&mut self) -> Self {
        let (client, turn) = (self.client.take(), self.turn.take());
        let (timeout, prepared) = (self.timeout, self.prepared);
        Self { client, state: std::mem::take(&mut self.state), timeout, prepared, turn }
    }

    /// Holds `turn` as long as the connection.
    pub(crate) fn with_turn(mut self, turn: Turn) -> Self {
        self.turn = Some(turn);
        self
    }

    /// Waits for an answer of the server.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if it does not come in time. The connection is closed then.
    async fn answer<T>(
        &self,
        answer: BoxFuture<'_, std::result::Result<T, tokio_postgres::Error>>,
        context: &'static str,
    ) -> Result<T> {
        // Those who write wait for locks for a time-out at most.
        let times = if self.state.get() == State::WRITING { 2 } else { 1 };
        let answer = tokio::time::timeout(self.timeout * times, answer).await;
        let answer = answer.inspect_err(|_| self.state.set(State::SILENT));
        answer.map_err(|_| silent())?.map_err(postgres(context))
    }

    fn client(&self) -> Result<&Object> {
        self.client.as_ref().ok_or_else(closed)
    }

    /// Runs a statement and returns its rows.
    pub(crate) async fn query(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>> {
        let Statement { sql, types, context } = statement;
        let client = self.client()?;
        if self.prepares(statement) {
            let query = async {
                let prepared = client.prepare_typed_cached(sql, types).await?;
                client.query(&prepared, parameters).await
            };
            return self.answer(query.boxed(), context).await;
        }
        let typed: Vec<_> = parameters.iter().copied().zip(types.iter().cloned()).collect();
        self.answer(client.query_typed(sql, &typed).boxed(), context).await
    }

    fn prepares(&self, statement: &Statement) -> bool {
        self.prepared.iter().any(|prepared| prepared.sql == statement.sql)
    }

    /// Runs a statement and returns its row, if it has one.
    pub(crate) async fn query_opt(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>> {
        Ok(self.query(statement, parameters).await?.pop())
    }

    /// Runs a statement and returns how many rows it wrote.
    pub(crate) async fn execute(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<u64> {
        let Statement { sql, types, context } = statement;
        let client = self.client()?;
        if self.prepares(statement) {
            let execute = async {
                let prepared = client.prepare_typed_cached(sql, types).await?;
                client.execute(&prepared, parameters).await
            };
            return self.answer(execute.boxed(), context).await;
        }
        let typed: Vec<_> = parameters.iter().copied().zip(types.iter().cloned()).collect();
        self.answer(client.execute_typed(sql, &typed).boxed(), context).await
    }

    /// Runs statements without parameters, which can take as long as tables are large. Each time that they
    /// have taken another time-out, `check` says whether the server still answers.
    ///
    /// # Errors
    /// That of `check`. The connection is closed then.
    pub(crate) async fn run<F>(
        &self,
        sql: &str,
        context: &'static str,
        check: impl Fn() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let run = self.client()?.batch_execute(sql);
        tokio::pin!(run);
        loop {
            match tokio::time::timeout(self.timeout, &mut run).await {
                Ok(done) => return done.map_err(postgres(context)),
                Err(_) => check().await.inspect_err(|_| self.state.set(State::SILENT))?,
            }
        }
    }

    /// Begins a transaction that reads one snapshot.
    pub(crate) async fn begin_reading(&self) -> Result<()> {
        const BEGIN: &str = begin!("REPEATABLE READ READ ONLY");
        self.begin(BEGIN, State::READING).await
    }

    /// Begins a transaction that writes. Each of its statements sees what others have committed before
    /// the statement began.
    pub(crate) async fn begin_writing(&self) -> Result<()> {
        const BEGIN: &str = begin!("READ COMMITTED");
        self.begin(BEGIN, State::WRITING).await
    }

    async fn begin(&self, sql: &str, state: u8) -> Result<()> {
        self.state.set(state);
        let begun = self.client()?.batch_execute(sql);
        self.answer(begun.boxed(), "beginning a transaction").await
    }

    /// Commits the transaction. A server that has undone it says so to the statement that failed.
    pub(crate) async fn commit(&self) -> Result<()> {
        self.end_of("COMMIT", "committing").await?;
        self.state.set(State::IDLE);
        Ok(())
    }

    /// Undoes the transaction.
    pub(crate) async fn rollback(&self) -> Result<()> {
        self.end_of("ROLLBACK", "ending a transaction").await?;
        self.state.set(State::IDLE);
        Ok(())
    }

    async fn end_of(&self, sql: &str, context: &'static str) -> Result<()> {
        self.answer(self.client()?.execute_typed(sql, &[]).boxed(), context).await.map(drop)
    }

    /// Ends a transaction that has written nothing, without waiting for it, and gives the connection
    /// back.
    pub(crate) fn release(self) {
        if self.state.get() != State::SILENT {
            tokio::spawn(async move { self.rollback().await });
        }
    }
}

/// Returns a column of a row.
///
/// # Errors
/// [`Corrupt`](audit_core::ErrorKind::Corrupt) if it does not have the type of the schema.
pub(crate) fn column<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T> {
    row.try_get(at).map_err(|source| corrupt("reading a row").with_source(source))
}

/// Returns a column with the number of an event.
pub(crate) fn sequence(row: &Row, at: usize) -> Result<Sequence> {
    Sequence::try_from(column::<i64>(row, at)?).map_err(damaged)
}

/// Waits for two statements that are sent together. Returns the first error.
pub(crate) async fn both<A, B>(
    first: impl Future<Output = Result<A>>,
    second: impl Future<Output = Result<B>>,
) -> Result<(A, B)> {
    let (first, second) = join(first, second).await;
    Ok((first?, second?))
}
