//! Faults of the disk: full, limited, read-only, damaged. Each is a typed error, every acknowledged
//! append is there, and the store works again after the fault.

use std::path::Path;
use std::process::Command;

use crate::common::{assert_dense, begin, path, recorded, report, reported, this_program_under};
use audit_core::{
    Actor, AuditStore, AuditStoreExt, ErrorKind, EventQuery, Filter, Log, NewEvent, Order,
};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;

fn login(number: u64) -> NewEvent {
    NewEvent::new("user.login", Actor::user(format!("u_{}", number % 9))).message("x".repeat(500))
}

fn batch() -> Vec<NewEvent> {
    (0..100).map(login).collect()
}

/// Appends until an append fails. Returns the number of acknowledged events, and the error.
fn fill(store: &SqliteStore) -> (usize, audit_core::Error) {
    let mut acknowledged = 0;
    loop {
        match block_on(store.append(Log::Platform, batch())) {
            Ok(receipts) => acknowledged += receipts.len(),
            Err(error) => return (acknowledged, error),
        }
        assert!(acknowledged < 1_000_000, "it never filled");
    }
}

#[cfg(target_os = "linux")]
mod tmpfs {
    use super::*;
    use crate::common::unchecked;

    /// A file system in memory, unmounted on drop.
    pub(super) struct Tmpfs(tempfile::TempDir);

    impl Tmpfs {
        /// Mounts it. Returns `None`, and reports the check that is left out, if this process may not
        /// mount.
        pub(super) fn mount(options: &str, for_what: &str) -> Option<Self> {
            let directory = tempfile::tempdir().unwrap();
            if mount(&["-t", "tmpfs", "-o", options, "tmpfs"], directory.path()) {
                return Some(Self(directory));
            }
            unchecked(for_what, "a tmpfs cannot be mounted here");
            None
        }

        pub(super) fn remount(&self, options: &str) {
            assert!(mount(&["-o", &format!("remount,{options}")], self.path()));
        }

        pub(super) fn path(&self) -> &Path {
            self.0.path()
        }
    }

    impl Drop for Tmpfs {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(self.path()).status();
        }
    }

    fn mount(arguments: &[&str], at: &Path) -> bool {
        let command = Command::new("mount").args(arguments).arg(at).output();
        command.is_ok_and(|output| output.status.success())
    }

    #[test]
    fn a_full_disk_is_an_error_and_can_be_enlarged() {
        let Some(disk) = Tmpfs::mount("size=3m", "a full disk") else { return };
        let store = SqliteStore::open(disk.path().join("audit.db")).unwrap();
        let (acknowledged, error) = fill(&store);
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::StorageFull, true));
        assert!(acknowledged > 0);
        assert_eq!(recorded(&store, Log::Platform).len(), acknowledged, "on the full disk");
        disk.remount("size=60m");
        block_on(store.append(Log::Platform, batch())).unwrap();
        drop(store);
        let store = SqliteStore::open(disk.path().join("audit.db")).unwrap();
        let recorded = recorded(&store, Log::Platform);
        assert_dense(&recorded);
        assert_eq!(recorded.len(), acknowledged + 100);
    }

    #[test]
    fn a_compaction_that_does_not_fit_leaves_the_file_as_it_was() {
        let Some(disk) = Tmpfs::mount("size=5m", "a compaction on a full disk") else { return };
        let store = SqliteStore::open(disk.path().join("audit.db")).unwrap();
        for _ in 0..30 {
            block_on(store.append(Log::Platform, batch())).unwrap();
        }
        let error = block_on(store.compact()).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::StorageFull, true));
        assert_eq!(recorded(&store, Log::Platform).len(), 3_000);
        disk.remount("size=60m");
        block_on(store.compact()).unwrap();
        block_on(store.append(Log::Platform, batch())).unwrap();
        let recorded = recorded(&store, Log::Platform);
        assert_dense(&recorded);
        assert_eq!(recorded.len(), 3_100);
    }

    #[test]
    fn a_read_only_disk_is_an_error() {
        let Some(disk) = Tmpfs::mount("size=30m", "a read-only disk") else { return };
        let path = disk.path().join("audit.db");
        let store = SqliteStore::open(&path).unwrap();
        block_on(store.append(Log::Platform, batch())).unwrap();
        drop(store);
        disk.remount("ro");
        assert_eq!(SqliteStore::open(&path).unwrap_err().kind(), ErrorKind::ReadOnly);
        disk.remount("rw");
        let store = SqliteStore::open(&path).unwrap();
        block_on(store.append(Log::Platform, batch())).unwrap();
        assert_eq!(recorded(&store, Log::Platform).len(), 200);
    }

    #[test]
    fn a_backup_that_does_not_fit_leaves_no_file() {
        let Some(disk) = Tmpfs::mount("size=1m", "a backup to a full disk") else { return };
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("audit.db")).unwrap();
        for _ in 0..20 {
            block_on(store.append(Log::Platform, batch())).unwrap();
        }
        let error = block_on(store.backup(disk.path().join("copy.db"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    }
}

/// Runs a process that may write no file longer than a megabyte.
#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let mut shell = Command::new("sh");
    // The limit also sends a signal, which would end the process.
    shell.args(["-c", r#"trap "" XFSZ; ulimit -f 2000; exec "$0" "$@""#]);
    let mut child = this_program_under(shell, "faults::limited", &path).spawn().unwrap();
    let reported = reported(child.stdout.take().unwrap());
    assert!(child.wait().unwrap().success());
    let [acknowledged, while_full, kind]: [String; 3] = reported.try_into().unwrap();
    assert!(["StorageFull", "Unavailable"].contains(&&*kind), "{kind}");
    assert_eq!(acknowledged, while_full);
    let acknowledged: usize = acknowledged.parse().unwrap();
    assert!(acknowledged > 0);
    // Without the limit the store works again.
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, batch())).unwrap();
    let recorded = recorded(&store, Log::Platform);
    assert_dense(&recorded);
    assert_eq!(recorded.len(), acknowledged + 100);
}

#[test]
#[ignore = "run by another test, in its own process"]
fn limited() {
    let store = SqliteStore::open(path()).unwrap();
    let (acknowledged, error) = fill(&store);
    begin();
    report(acknowledged);
    report(recorded(&store, Log::Platform).len());
    report(format!("{:?}", error.kind()));
}

/// Changes bytes anywhere in the file: no panic, no hang, no error of a kind that blames the caller.
#[test]
fn damage_anywhere_is_an_error_or_goes_unnoticed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let store = SqliteStore::open(at("whole.db")).unwrap();
    for first in (0..2_400_u64).step_by(600) {
        let event = |n| NewEvent::new("user.login", Actor::user(format!("u_{}", n % 9)));
        block_on(store.append(Log::Platform, (first..first + 600).map(event).collect())).unwrap();
    }
    block_on(store.append(Log::Platform, batch())).unwrap();
    drop(store);
    let whole = std::fs::read(at("whole.db")).unwrap();
    let mut random = 7_u64;
    let mut noticed = 0;
    let rounds = crate::common::times("AUDIT_SQLITE_DAMAGES", 150);
    for round in 0..rounds {
        let mut bytes = whole.clone();
        for _ in 0..=round % 40 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (random >> 16) as usize % bytes.len();
            bytes[at] ^= random.to_le_bytes()[1] | 1;
        }
        let path = at("damaged.db");
        std::fs::write(&path, bytes).unwrap();
        let mut errors = Vec::new();
        match SqliteStore::open(&path) {
            Err(error) => errors.push(error),
            Ok(store) => {
                let query = EventQuery::new(Log::Platform).limit(1_000);
                for order in Order::ALL {
                    let query = query.clone().order(order);
                    let few = query.clone().filter(Filter::new().actor_id("u_3")).with_total();
                    errors.extend(block_on(store.page(&query)).err());
                    errors.extend(block_on(store.page(&few)).err());
                }
                errors.extend(block_on(store.count(&query)).err());
                for _ in 0..10 {
                    errors.extend(block_on(store.append(Log::Platform, batch())).err());
                }
            }
        }
        noticed += usize::from(!errors.is_empty());
        for error in errors {
            let kind = error.kind();
            assert!(
                !matches!(kind, ErrorKind::Invalid | ErrorKind::Closed | ErrorKind::InvalidToken),
                "round {round}: {error:?}"
            );
        }
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(at(&format!("damaged.db{end}")));
        }
    }
    assert!(noticed > 0);
    println!("{rounds} damaged files, of which {noticed} were noticed");
}
