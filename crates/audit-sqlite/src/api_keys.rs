//! The API keys. [`ApiKey`] decides each change; this file writes it, in one transaction with its
//! event.

use audit_core::backend::Batch;
use audit_core::{
    ApiKey, ApiKeyId, AuditContext, Error, ErrorKind, OrganizationId, Result, limits,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{After, WriteTransaction};
use crate::error::sqlite;
use crate::organizations::present;
use crate::read::Snapshot;

impl WriteTransaction<'_> {
    pub(crate) fn create_api_key(&mut self, key: ApiKey, batches: [Batch; 2]) -> Result<ApiKey> {
        present(self.connection, key.organization_id)?;
        self.append_all(batches)?;
        self.put_api_key(&key)?;
        Ok(key)
    }

    pub(crate) fn revoke_api_key(&mut self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let key = find(self.connection, id)?;
        let Some((revoked, event)) = key.revoke(by)? else { return Ok(key) };
        self.append_all(revoked.batches(event)?)?;
        self.put_api_key(&revoked)?;
        Ok(revoked)
    }

    pub(crate) fn forget_api_key_holder(
        &mut self,
        id: ApiKeyId,
        by: AuditContext,
    ) -> Result<ApiKey> {
        // Also if nothing is left to remove: the WAL may still hold what an earlier call removed.
        self.after = After::Scrub;
        let key = find(self.connection, id)?;
        let Some((forgotten, event)) = key.forget_holder(by)? else { return Ok(key) };
        self.append_all(forgotten.batches(event)?)?;
        self.put_api_key(&forgotten)?;
        Ok(forgotten)
    }

    fn put_api_key(&self, key: &ApiKey) -> Result<()> {
        let body = serde_json::to_vec(key)
            .map_err(|source| Error::new(ErrorKind::Invalid).with_source(source))?;
        let put = || {
            self.connection
                .prepare_cached(
                    "INSERT INTO audit_api_key (id, organization, body) VALUES (?1, ?2, ?3)
                     ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                )?
                .execute(params![key.id.as_bytes(), key.organization_id.as_bytes(), body])
        };
        put().map_err(sqlite("writing an API key"))?;
        Ok(())
    }
}

impl Snapshot<'_> {
    pub(crate) fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        limits::api_keys_page(limit)?;
        let query = || {
            let mut statement = self.connection.prepare_cached(LIST)?;
            // An empty key comes before every id.
            let after = after.as_ref().map_or(&[][..], |after| after.as_bytes());
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement
                .query_map(params![organization.as_bytes(), after, limit], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<Vec<u8>>>>()
        };
        let bodies = query().map_err(sqlite("listing API keys"))?;
        bodies.iter().map(|body| decode(body)).collect()
    }
}

/// Lists the API keys of an organization after an id.
pub(crate) const LIST: &str = "SELECT body FROM audit_api_key
     WHERE organization = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

/// Reads an API key.
pub(crate) const READ: &str = "SELECT body FROM audit_api_key WHERE id = ?1";

/// Returns an API key.
pub(crate) fn find(connection: &Connection, id: ApiKeyId) -> Result<ApiKey> {
    let query = || {
        connection
            .prepare_cached(READ)?
            .query_row([id.as_bytes()], |row| row.get::<_, Vec<u8>>(0))
            .optional()
    };
    match query().map_err(sqlite("reading an API key"))? {
        Some(body) => decode(&body),
        None => Err(Error::not_found("apiKey")),
    }
}

fn decode(body: &[u8]) -> Result<ApiKey> {
    serde_json::from_slice(body).map_err(|source| {
        Error::new(ErrorKind::Corrupt).with_context("reading an API key").with_source(source)
    })
}
