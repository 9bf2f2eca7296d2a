//! A PostgreSQL server for tests.
//!
//! [`Server::shared`] starts a server when a test process first asks for it, in a temporary directory
//! and on a unix socket. The server is stopped and its directory is removed when the process ends,
//! however it ends: a guard process waits for that. [`Server::database`] creates a fresh database.
//!
//! ```no_run
//! use audit_postgres_server::Server;
//!
//! # fn main() -> Result<(), audit_postgres_server::ServerError> {
//! let database = Server::shared()?.database()?;
//! assert_eq!(database.sql("SELECT 1 + 1")?, "2");
//! // Any client can use it: tokio_postgres::connect(database.url(), …), PgPool::connect(database.url()) …
//! # Ok(())
//! # }
//! ```
//!
//! If the environment variable `AUDIT_POSTGRES_URL` is set, `shared` uses the server that it names
//! and starts none. Its user must be allowed to create databases.
//!
//! Servers are as durable as in operation (`fsync=on`), unless [`ServerOptions::fast`] is set. A test
//! of failures starts a server of its own with [`Server::start`], and can [`kill`](Server::kill) it,
//! start a [`standby`](Server::standby) and [`promote`](Server::promote) that, or take a
//! [`backup`](Server::backup) and [`restore`](Backup::restore) it at a point in time.
//!
//! The programs of the server (`initdb`, `postgres`, `psql` and others) are looked for in the
//! directory of [`ServerOptions::binaries`], in `PATH`, in that of `pg_config --bindir`, and where
//! distributions install them. PostgreSQL refuses to run as root, so that a test that runs as root runs
//! them as the user `postgres`, or else `nobody`.
//!
//! | file | noun |
//! |---|---|
//! | `server.rs` | a server |
//! | `database.rs` | a database of a server |
//! | `backup.rs` | a backup of a server |
//! | `options.rs` | the options of a server |
//! | `guard.rs`, `guard.sh` | the process that runs a server and outlives the test |
//! | `binaries.rs` | the programs of PostgreSQL |
//! | `account.rs` | the user who runs them |
//! | `url.rs` | URLs of databases |
//! | `error.rs` | the error |

mod account;
mod backup;
mod binaries;
mod database;
mod error;
mod guard;
mod options;
mod server;
mod url;

pub use crate::backup::Backup;
pub use crate::database::Database;
pub use crate::error::ServerError;
pub use crate::options::ServerOptions;
pub use crate::server::Server;
