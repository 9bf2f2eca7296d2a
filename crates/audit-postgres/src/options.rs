//! The options of a store.

use std::time::Duration;

use audit_core::TokenKeys;
use audit_index::SEGMENT_EVENTS;

use crate::password::PasswordSource;

/// Options for [`PostgresStore::open_with`](crate::PostgresStore::open_with).
///
/// ```
/// use std::time::Duration;
/// use audit_postgres::PostgresOptions;
///
/// let options = PostgresOptions::default().with_timeout(Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresOptions {
    pub(crate) timeout: Duration,
    pub(crate) queue_bytes: usize,
    pub(crate) readers: usize,
    pub(crate) replica: Option<String>,
    pub(crate) password: PasswordSource,
    pub(crate) token_keys: Option<TokenKeys>,
    pub(crate) creates_tables: bool,
    pub(crate) is_read_only: bool,
    pub(crate) locks_each_log: bool,
    pub(crate) statements: Statements,
    /// How often staged events are looked for; `None` for never.
    pub(crate) staging_interval: Option<Duration>,
    /// See [`IndexWriter::segment_events`](audit_index::IndexWriter).
    pub(crate) segment_events: u64,
    /// The events in a tail from which on appends wait for the index.
    pub(crate) longest_tail: u64,
}

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statements {
    /// With each use.
    Unnamed,
    /// Once for each connection, if they are of appends or of reads.
    Prepared,
}

/// The default of [`PostgresOptions::longest_tail`].
const LONGEST_TAIL: u64 = 8_192;

/// The default of [`PostgresOptions::with_staging_interval`].
const STAGING_INTERVAL: Duration = Duration::from_millis(20);

impl Default for PostgresOptions {
    /// Returns a time-out of 5 seconds, a queue of 128 MiB, eight readers, the token key of the
    /// database, and a look for staged events every 20 milliseconds.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            queue_bytes: 128 << 20,
            readers: 8,
            replica: None,
            password: PasswordSource::Url,
            token_keys: None,
            creates_tables: true,
            is_read_only: false,
            locks_each_log: false,
            statements: Statements::Unnamed,
            staging_interval: Some(STAGING_INTERVAL),
            segment_events: SEGMENT_EVENTS,
            longest_tail: LONGEST_TAIL,
        }
    }
}

impl PostgresOptions {
    /// Sets how long a call waits for a connection, for the locks of others, and for a lost server to
    /// answer again. Then it fails with [`Busy`](audit_core::ErrorKind::Busy) or
    /// [`Unavailable`](audit_core::ErrorKind::Unavailable). At least a millisecond, at most a day; a
    /// time-out outside is set to the nearest. With automatic failover it should be longer than that
    /// takes.
    ///
    /// A call to a server that is connected and does not answer fails with `Unavailable` after this
    /// time-out, or after two if it writes: a statement may have waited for locks for the first. What it
    /// writes may have been written; the same events can be sent again. Connections by TCP have
    /// this time-out for what was sent and is not confirmed, and ask as often for a sign of life, unless
    /// the URL sets `tcp_user_timeout` and `keepalives`.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(Duration::from_millis(1), Duration::from_secs(86_400));
        self
    }

    /// Sets how many bytes of memory the appends may take that wait to be written, by a rough
    /// estimate. A further append fails at once with
    /// [`Overloaded`](audit_core::ErrorKind::Overloaded), unless no other waits. The appends to one log
    /// take at most as much as they leave free: half of it, if no other log is appended to.
    pub fn with_queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Reads from the replica at this URL what it can answer: pages after the first, and other scans with a
    /// bound. The primary answers if the replica cannot be reached, lacks some of the events, or has not
    /// heard of an erasure or a pruning. No other call reads from it. It may have as many connections as
    /// there are [readers](Self::with_readers).
    pub fn with_replica(mut self, url: impl Into<String>) -> Self {
        self.replica = Some(url.into());
        self
    }

    /// Sets how many reads run at once, each on a connection of its own: 1 to 256. A number outside is
    /// set to the nearest. The store opens up to six connections more, for writing, for waiting feeds and
    /// for staged events.
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers.clamp(1, 256);
        self
    }

    /// Opens only a database that has the tables of a store already. Another one is not changed and
    /// fails with [`NotFound`](audit_core::ErrorKind::NotFound), field `audit.store`. By default a
    /// database without them gets them.
    pub fn existing(mut self) -> Self {
        self.creates_tables = false;
        self
    }

    /// Opens the store for reading, for example on a standby: every call that writes fails with
    /// [`ReadOnly`](audit_core::ErrorKind::ReadOnly). The database must have the tables already, as
    /// for [`existing`](Self::existing).
    pub fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self.creates_tables = false;
        self
    }

    /// Locks the heads of several logs by one statement each, which distributed engines such as Citus
    /// ask for. By default one statement locks all of them.
    pub fn locking_each_log(mut self) -> Self {
        self.locks_each_log = true;
        self
    }

    /// Sets how often a task of the store looks for events that callers have [staged](crate::STAGE): the
    /// longest time until one is taken into its log, unless a read or an append takes it in before. A look
    /// is one statement that reads a page of an index, in each process. `None`, for services that stage
    /// nothing, starts no task. A store that is opened for [reading](Self::read_only) takes in nothing.
    pub fn with_staging_interval(mut self, interval: Option<Duration>) -> Self {
        self.staging_interval = interval;
        self
    }

    /// Takes the password of a URL without one from where the programs of PostgreSQL do: the environment
    /// variable `PGPASSWORD`, or else the file that `PGPASSFILE` names, by default `~/.pgpass`. Without it a
    /// URL has to have the password, if the server asks for one.
    pub fn with_password_of_environment(mut self) -> Self {
        self.password = PasswordSource::Environment;
        self
    }

    /// Prepares the statements of appends and of reads on each connection, so that the server plans them
    /// once and not each time.
    ///
    /// A pooler that gives each transaction another connection of the server must then keep account of
    /// prepared statements, as `PgBouncer` does from version 1.21 with `max_prepared_statements`. By default
    /// none is prepared, and any pooler will do.
    pub fn with_prepared_statements(mut self) -> Self {
        self.statements = Statements::Prepared;
        self
    }

    /// Signs tokens with these keys instead of the key of the database.
    pub fn with_token_keys(mut self, keys: TokenKeys) -> Self {
        self.token_keys = Some(keys);
        self
    }
}
