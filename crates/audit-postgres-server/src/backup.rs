//! A backup of a server, from which other servers are restored.

use std::thread;
use std::time::Duration;

use crate::{Server, ServerError};

/// How long a server waits for what another process does.
const PAUSE: Duration = Duration::from_millis(20);

/// A copy of the files of a server that [archives](crate::ServerOptions::archive) its WAL. It is removed
/// with its server.
#[derive(Debug)]
pub struct Backup<'s> {
    pub(crate) server: &'s Server,
    /// The name of its directory in that of its server.
    pub(crate) name: String,
}

impl Backup<'_> {
    /// Starts a server on the files of the backup that has replayed the archive up to a point: the value
    /// of a `recovery_target` setting, such as `recovery_target_name` or `recovery_target_time`. It can be
    /// written, and has the databases of the other server, with the same names.
    ///
    /// ```no_run
    /// use audit_postgres_server::ServerOptions;
    ///
    /// # fn main() -> Result<(), audit_postgres_server::ServerError> {
    /// let server = ServerOptions::new().archive().start()?;
    /// let backup = server.backup()?;
    /// server.sql("SELECT pg_create_restore_point('before')")?;
    /// let restored = backup.restore("recovery_target_name", "before")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ServerOptions::start`](crate::ServerOptions::start).
    /// [`Failed`](ServerError::Failed) if the point is not in the archive.
    pub fn restore(&self, setting: &str, target: &str) -> Result<Server, ServerError> {
        // A file to which nothing was written is not ended.
        self.server.sql("SELECT pg_create_restore_point('audit-postgres-server')")?;
        let last = self.server.sql("SELECT pg_walfile_name(pg_switch_wal())")?;
        let archived =
            format!("SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= '{last}'");
        while self.server.sql(&archived)? != "1" {
            thread::sleep(PAUSE);
        }
        let restored = self.server.recover(&self.name, setting, target)?;
        while restored.sql("SELECT pg_is_in_recovery()")? != "f" {
            thread::sleep(PAUSE);
        }
        Ok(restored)
    }
}
