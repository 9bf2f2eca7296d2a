//! A pooler in transaction mode between the store and the server: each transaction can have another
//! connection of the server.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent,
    OrganizationId, RetentionStore as _, Sequence,
};
use audit_postgres::PostgresStore;
use audit_postgres_server::{Database, Server};
use futures_executor::block_on;
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::common::database;
use crate::docs::blocks;

/// With this variable the test fails where there is no `pgbouncer`; otherwise it checks nothing there.
const REQUIRED: &str = "AUDIT_POSTGRES_POOLER";
const PROGRAM: &str = "pgbouncer";
const DIRECTORIES: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];

/// A running pooler. It ends when it is dropped.
struct Pooler {
    child: Child,
    directory: TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pooler {
    /// Starts a pooler with two connections to each database of the server; `None` if it is not
    /// installed.
    fn start(server: &Server) -> Option<Self> {
        let paths = DIRECTORIES.iter().map(|directory| Path::new(directory).join(PROGRAM));
        let Some(program) = paths.into_iter().find(|path| path.is_file()) else {
            assert!(std::env::var_os(REQUIRED).is_none(), "pgbouncer is not installed");
            println!("pgbouncer is not installed: NOT checked");
            return None;
        };
        let setting = |name: &str| server.sql(&format!("SHOW {name}")).expect("it is read");
        // The server lets only its own user reach its socket.
        let owner = fs::metadata(setting("data_directory")).expect("it is there");
        let directory = tempfile::tempdir().expect("a directory");
        chown(directory.path(), Some(owner.uid()), Some(owner.gid()))
            .expect("its owner can be changed");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))
            .expect("it is open");
        let path = directory.path().join("pooler.ini");
        let [settings] = blocks("Poolers", "ini").try_into().expect("the page has settings");
        let options = format!(
            "[databases]\n* = host={} port={} user=postgres\n[pgbouncer]\n{settings}\n\
             unix_socket_dir = {}\nlisten_port = 6432\nauth_type = any\n",
            setting("unix_socket_directories"),
            setting("port"),
            directory.path().display(),
        );
        fs::write(&path, options).expect("it is written");
        let mut command = Command::new(program);
        command.arg("-q").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        command.uid(owner.uid()).gid(owner.gid());
        let child = command.spawn().expect("it starts");
        let pooler = Self { child, directory };
        while !pooler.directory.path().join(".s.PGSQL.6432").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(pooler)
    }

    fn url(&self, database: &Database) -> String {
        let socket = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}:6432/{}", database.name())
    }
}

#[test]
fn a_pooler_may_give_each_transaction_another_connection() {
    let server = Server::shared().expect("a server");
    let Some(pooler) = Pooler::start(server) else { return };
    let database = database();
    let open = || {
        let store = block_on(PostgresStore::open(&pooler.url(&database)));
        Arc::new(store.expect("the store opens"))
    };
    let stores = [open(), open()];
    let logs = [Log::Platform, Log::organization(OrganizationId::new())];
    let first = Sequence::new(1).expect("a number");
    let work = stores.iter().flat_map(|store| (0..20_u32).map(move |n| (store, n)));
    block_on(join_all(work.map(async |(store, n)| {
        for log in logs {
            let event = NewEvent::new("task.step", Actor::user(format!("u_{}", n % 4)).name("Ana"));
            store.record(log, event).await.expect("it is recorded");
            store.wait_for_append(log, first).await.expect("it is seen");
            let filter = Filter::new().actor_id(format!("u_{}", n % 4));
            let query = EventQuery::new(log).filter(filter).with_total();
            let page = store.page(&query).await.expect("it is read");
            assert!(page.total >= Some(1) && !page.events.is_empty());
        }
    })));
    let by = AuditContext::new(Actor::user("dpo"));
    for log in logs {
        let erase = stores[0].erase_events(log, vec![first], by.clone());
        assert_eq!(block_on(erase).expect("it is erased"), 1);
        let head = block_on(stores[1].head(log)).expect("it is read");
        assert_eq!(head.size.get(), 41, "each event, and that of the erasure");
    }
}
