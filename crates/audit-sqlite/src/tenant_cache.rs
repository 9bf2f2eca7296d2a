//! Remembers organizations and API keys, which a service asks for at every request.
//!
//! The cache holds one *generation* of their tables: random bytes that triggers replace at
//! every change, whichever process or program makes it. Each use compares the generation with that
//! in the file, so a key that was revoked anywhere is found revoked by the next call. This reads one
//! row, on the caller's thread: a thread of the store would take several times as long to wake.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use audit_core::{ApiKey, ApiKeyId, Organization, OrganizationId};
use rusqlite::Connection;

use crate::file::OpenFiles;
use crate::open::{Access, open_reader};
use crate::schema;

/// The most entries of each kind. When there are more, all of the kind are forgotten.
const MOST: usize = 1_024;
/// Organizations with more private endpoints are not remembered, so that the memory is bounded.
const MOST_ENDPOINTS: usize = 8;

/// The page cache of the connection: it reads one row.
const CACHE_KIB: i64 = 64;

/// The state of the tables of organizations and API keys. Equal bytes mean equal tables.
pub(crate) type Generation = Vec<u8>;

pub(crate) struct TenantCache {
    path: PathBuf,
    access: Access,
    files: Arc<OpenFiles>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Reads the generation. Opened at the first use.
    connection: Option<Connection>,
    /// The generation of the entries.
    generation: Option<Generation>,
    organizations: HashMap<OrganizationId, Organization>,
    api_keys: HashMap<ApiKeyId, ApiKey>,
}

impl fmt::Debug for TenantCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantCache").field("path", &self.path).finish_non_exhaustive()
    }
}

impl TenantCache {
    pub(crate) fn new(path: PathBuf, access: Access, files: Arc<OpenFiles>) -> Self {
        Self { path, access, files, state: Mutex::default() }
    }

    /// Returns an organization if it is remembered and is so in the file.
    pub(crate) fn organization(&self, id: OrganizationId) -> Option<Organization> {
        let state = self.lock();
        let known = state.organizations.contains_key(&id);
        self.up_to_date(state, known)?.organizations.get(&id).cloned()
    }

    /// Returns an API key if it is remembered and is so in the file.
    pub(crate) fn api_key(&self, id: ApiKeyId) -> Option<ApiKey> {
        let state = self.lock();
        let known = state.api_keys.contains_key(&id);
        self.up_to_date(state, known)?.api_keys.get(&id).cloned()
    }

    /// Remembers an organization, read from the file at a generation.
    pub(crate) fn keep_organization(
        &self,
        generation: Option<Generation>,
        organization: &Organization,
    ) {
        if organization.private_endpoints.len() <= MOST_ENDPOINTS {
            let mut state = self.lock();
            if state.is_of(generation) {
                keep(&mut state.organizations, organization.id, organization.clone());
            }
        }
    }

    /// Remembers an API key, read from the file at a generation.
    pub(crate) fn keep_api_key(&self, generation: Option<Generation>, key: &ApiKey) {
        let mut state = self.lock();
        if state.is_of(generation) {
            keep(&mut state.api_keys, key.id, key.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state if its entries are those of the file. Otherwise, and if that cannot be
    /// said, forgets them. Reads the file only if an entry that is asked for is `known`.
    fn up_to_date<'s>(
        &self,
        mut state: MutexGuard<'s, State>,
        known: bool,
    ) -> Option<MutexGuard<'s, State>> {
        if !known {
            return None;
        }
        if self.files.check().is_err() {
            state.forget();
            return None;
        }
        if state.connection.is_none() {
            // Without a time-out: a caller's thread does not wait for the file.
            state.connection = open_reader(&self.path, self.access, Duration::ZERO, CACHE_KIB).ok();
        }
        let read = |connection| schema::tenant_generation(connection).ok().flatten();
        let now = state.connection.as_ref().and_then(read);
        if now.is_some() && now == state.generation {
            return Some(state);
        }
        state.forget();
        None
    }
}

impl State {
    fn forget(&mut self) {
        self.generation = None;
        self.organizations.clear();
        self.api_keys.clear();
    }

    /// Returns `true` if an entry of this generation can be added. Forgets those of another, of
    /// which one may be newer: then the next call finds out.
    fn is_of(&mut self, generation: Option<Generation>) -> bool {
        if self.generation != generation {
            self.forget();
            self.generation = generation;
        }
        self.generation.is_some()
    }
}

fn keep<K: Eq + Hash, V>(entries: &mut HashMap<K, V>, id: K, value: V) {
    if entries.len() >= MOST {
        entries.clear();
    }
    entries.insert(id, value);
}

#[cfg(test)]
mod tests {
    use audit_core::{Actor, AuditContext, NewApiKey, NewOrganization, Role, TenantStore};
    use futures_executor::block_on;

    use super::*;
    use crate::SqliteStore;

    fn by() -> AuditContext {
        Actor::system().into()
    }

    /// A change by the same store, by another one, and by SQL is seen by the next call.
    #[test]
    fn what_is_remembered_is_what_the_file_has() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let [store, other] = [(); 2].map(|()| SqliteStore::open(&path).unwrap());
        let organization = NewOrganization::new("Acme");
        let organization = block_on(store.create_organization(organization, by())).unwrap().id;
        let create = || {
            let new = NewApiKey::new(organization, Role::Admin, "ana@acme.example");
            block_on(store.create_api_key(new, by())).unwrap().0.id
        };
        let keys: [ApiKeyId; 3] = std::array::from_fn(|_| create());
        let is_valid = |id| block_on(store.api_key(id)).is_ok_and(|key| key.revoked_at.is_none());
        let is_remembered = |id| store.shared.tenants.api_key(id).is_some();
        let connection = Connection::open(&path).unwrap();
        let delete = "DELETE FROM audit_api_key WHERE id = ?1";
        let revocations: [&dyn Fn(ApiKeyId); 3] = [
            &|id| drop(block_on(store.revoke_api_key(id, by())).unwrap()),
            &|id| drop(block_on(other.revoke_api_key(id, by())).unwrap()),
            &|id| assert_eq!(connection.execute(delete, [id.as_bytes()]).unwrap(), 1),
        ];
        for (id, revoke) in keys.into_iter().zip(revocations) {
            assert!(is_valid(id));
            assert!(is_remembered(id));
            revoke(id);
            assert!(!is_remembered(id) && !is_valid(id));
        }
        assert_eq!(block_on(store.organization(organization)).unwrap().name, "Acme");
        assert!(store.shared.tenants.organization(organization).is_some());
        block_on(other.delete_organization(organization, by())).unwrap();
        assert!(block_on(store.organization(organization)).is_err());
    }

    #[test]
    fn an_entry_of_an_unknown_generation_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let store = SqliteStore::open(&path).unwrap();
        let organization =
            block_on(store.create_organization(NewOrganization::new("Acme"), by())).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.execute("DELETE FROM audit_store WHERE name = 'tenants'", []).unwrap();
        block_on(store.organization(organization.id)).unwrap();
        assert!(store.shared.tenants.organization(organization.id).is_none());
    }
}
