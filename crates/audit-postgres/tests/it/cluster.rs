//! A primary, with a standby that confirms each commit.

use std::thread;
use std::time::{Duration, Instant};

use audit_postgres_server::{Database, Server};

pub(crate) struct Cluster {
    primary: Server,
    standby: Server,
}

/// A standby that was promoted.
pub(crate) struct Promoted {
    /// A primary without a standby.
    pub(crate) primary: Server,
    /// When the old primary was killed.
    pub(crate) killed_at: Instant,
    /// When the promotion began.
    pub(crate) promotion_at: Instant,
}

impl Cluster {
    /// Starts a standby of a primary, and waits until it confirms commits.
    pub(crate) fn of(primary: Server) -> Self {
        let standby = primary.standby().expect("a standby");
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'").expect("it is set");
        primary.reload().expect("it is read");
        let confirming = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
        while primary.sql(confirming).expect("it is read") != "1" {
            thread::sleep(Duration::from_millis(20));
        }
        Self { primary, standby }
    }

    /// Returns a URL with both servers.
    pub(crate) fn url(&self, database: &Database) -> String {
        let [primary, standby] = [&self.primary, &self.standby].map(|server| {
            let url = server.url_of(database);
            let (_, host) = url.split_once('@').expect("it has a user");
            host.split_once('/').expect("it names a database").0.to_owned()
        });
        let name = database.name();
        format!("postgres://postgres@{primary},{standby}/{name}?target_session_attrs=read-write")
    }

    /// Kills the primary, and promotes the standby.
    pub(crate) fn fail_over(self) -> Promoted {
        let Self { primary, standby } = self;
        let killed_at = Instant::now();
        primary.kill().expect("it is killed");
        // Commits would wait for a standby that does not exist.
        standby.sql("ALTER SYSTEM SET synchronous_standby_names = ''").expect("it is set");
        standby.reload().expect("it is read");
        let promotion_at = Instant::now();
        standby.promote().expect("it is promoted");
        Promoted { primary: standby, killed_at, promotion_at }
    }
}
