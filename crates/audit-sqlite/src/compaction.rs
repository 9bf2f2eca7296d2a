//! Compaction: rewrites the file without its unused space.

use audit_core::Result;
use rusqlite::Connection;

use crate::error::sqlite;

/// Rewrites the file without its unused space. SQLite writes all of it to the WAL.
///
/// # Errors
/// [`StorageFull`](audit_core::ErrorKind::StorageFull) if there is not enough room, and
/// [`Busy`](audit_core::ErrorKind::Busy) if another connection writes for too long. The file is
/// unchanged after an error.
pub(crate) fn compact(connection: &Connection) -> Result<()> {
    connection.execute_batch("VACUUM").map_err(sqlite("compacting the file"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    use audit_core::{
        Actor, AuditContext, AuditStore as _, AuditStoreExt as _, EntriesRequest, Erasure,
        EventQuery, Filter, Log, NewEvent, OrganizationId, RetentionStoreExt as _, Sequence,
    };
    use audit_index::TermKey;
    use futures_executor::block_on;

    use crate::SqliteStore;
    use crate::index::Indexing;

    const SUBJECTS: u64 = 50;

    fn event(number: u64) -> NewEvent {
        let subject = number % SUBJECTS;
        let actor = Actor::user(format!("u_{subject}")).email(format!("{subject}@acme.example"));
        NewEvent::new("invoice.paid", actor).target("invoice", format!("inv_{number}"))
    }

    /// Returns those of `keys` that are found anywhere in a file of the directory.
    fn found(keys: &HashSet<TermKey>, directory: &Path) -> HashSet<TermKey> {
        // Few runs of bytes begin like a key, so that most need no look into the set.
        let mut begins = vec![false; 1 << 16];
        let begin = |key: &[u8]| usize::from(key[0]) << 8 | usize::from(key[1]);
        for key in keys {
            begins[begin(key)] = true;
        }
        let files = fs::read_dir(directory).unwrap();
        let bytes = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        let found = bytes.flat_map(|bytes| {
            let runs = bytes.windows(size_of::<TermKey>()).filter(|run| begins[begin(run)]);
            runs.filter_map(|run| keys.get(run).copied()).collect::<Vec<_>>()
        });
        found.collect()
    }

    #[test]
    fn compaction_removes_erased_keys_from_unused_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let store = SqliteStore::open(&path).unwrap();
        let logs: [Log; 5] = std::array::from_fn(|_| OrganizationId::new().into());
        // In turns, so that the rows of the indexes alternate in the file.
        for number in (0..3_000).step_by(20) {
            for log in logs {
                block_on(store.append(log, (number..number + 20).map(event).collect())).unwrap();
            }
        }
        let hasher = Indexing::read(&rusqlite::Connection::open(&path).unwrap()).unwrap().hasher;
        let entries =
            block_on(store.entries(logs[0], EntriesRequest::default().limit(50))).unwrap();
        let terms = entries.into_iter().flat_map(|mut entry| entry.event.erase().unwrap());
        let keys: HashSet<_> = hasher.keys(&terms.collect::<Vec<_>>()).into_iter().collect();
        assert_eq!(keys.len() as u64, SUBJECTS);
        assert_eq!(found(&keys, directory.path()), keys);

        let emails = (0..SUBJECTS).map(|subject| format!("{subject}@acme.example"));
        let of_all = emails.fold(Filter::new(), Filter::actor_email);
        for log in logs {
            let by = AuditContext::new(Actor::system());
            block_on(store.erase(log, Erasure::matching(of_all.clone()), by)).unwrap();
        }
        // Also data that a connection deleted without overwriting it.
        let deleted = HashSet::from([*b"deleted in plain"]);
        let other = rusqlite::Connection::open(&path).unwrap();
        other.pragma_update(None, "secure_delete", "off").unwrap();
        let batch = "CREATE TABLE other (text BLOB);
             INSERT INTO other VALUES (CAST('deleted in plain' AS BLOB)), (zeroblob(1000000));
             DELETE FROM other";
        other.execute_batch(batch).unwrap();
        drop(other);
        assert_eq!(found(&deleted, directory.path()), deleted);
        let size = || fs::metadata(&path).unwrap().len();

        let before = block_on(
            store.entries(logs[0], EntriesRequest::default().after(Sequence::ZERO).limit(9_999)),
        )
        .unwrap();
        block_on(store.compact()).unwrap();
        let compact = size();
        assert_eq!(found(&keys, directory.path()), HashSet::new());
        assert_eq!(found(&deleted, directory.path()), HashSet::new());
        block_on(store.compact()).unwrap();
        assert_eq!(size(), compact);
        // Everything else is unchanged, and appends still work.
        let after = block_on(
            store.entries(logs[0], EntriesRequest::default().after(Sequence::ZERO).limit(9_999)),
        )
        .unwrap();
        assert!(before == after);
        block_on(store.record(logs[0], event(7))).unwrap();
        let of_one =
            |filter| block_on(store.count(&EventQuery::new(logs[0]).filter(filter))).unwrap();
        assert_eq!(of_one(Filter::new().actor_id("u_7")), 61);
        assert_eq!(of_one(Filter::new().actor_email("7@acme.example")), 1);
    }
}
