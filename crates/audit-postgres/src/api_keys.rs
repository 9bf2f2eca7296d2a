//! The API keys. [`ApiKey`] decides each change; this file writes it, in one transaction with its
//! event.

use std::sync::Arc;

use audit_core::backend::{Batch, Owner};
use audit_core::{
    ApiKey, ApiKeyId, AuditContext, Error, ErrorKind, Log, OrganizationId, Result, limits,
};

use crate::append::WriteTransaction;
use crate::change::Change;
use crate::connection::{Session, Statement, column, types};
use crate::core::Core;
use crate::lock::Wanted;
use crate::organizations::{logs_of, present};
use crate::readers::Readers;
use crate::scrub::scrub;

/// Reads an API key.
pub(crate) const READ: Statement = Statement {
    sql: "SELECT body FROM audit.api_key WHERE id = $1",
    types: types![UUID],
    context: "reading an API key",
};
/// Lists the first API keys of an organization.
pub(crate) const LIST_FIRST: Statement = Statement {
    sql: "SELECT body FROM audit.api_key WHERE organization = $1 ORDER BY id LIMIT $2",
    types: types![UUID, INT8],
    context: "listing API keys",
};
/// Lists the API keys of an organization after an id.
pub(crate) const LIST: Statement = Statement {
    sql: "SELECT body FROM audit.api_key WHERE organization = $1 AND id > $3 ORDER BY id LIMIT $2",
    types: types![UUID, INT8, UUID],
    context: "listing API keys",
};
/// Writes an API key.
pub(crate) const PUT: Statement = Statement {
    sql: "INSERT INTO audit.api_key (id, organization, body) VALUES ($1, $2, $3)
          ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    types: types![UUID, UUID, TEXT],
    context: "writing an API key",
};

pub(crate) struct Create {
    pub(crate) key: ApiKey,
    pub(crate) batches: [Batch; 2],
}

impl Change for Create {
    type Output = ApiKey;

    fn wanted(&self) -> Wanted {
        logs_of(self.key.organization_id)
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<ApiKey> {
        present(&transaction.session, self.key.organization_id).await?;
        transaction.append_all(core, &self.batches)?;
        put(&transaction.session, &self.key).await?;
        Ok(self.key.clone())
    }
}

/// What is done to a key.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    Revoke,
    ForgetHolder,
}

pub(crate) struct Update {
    /// The key as it was before the transaction. Its organization does not change.
    pub(crate) key: ApiKey,
    pub(crate) action: Action,
    pub(crate) by: AuditContext,
}

impl Change for Update {
    type Output = ApiKey;

    fn wanted(&self) -> Wanted {
        logs_of(self.key.organization_id)
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<ApiKey> {
        let key = read(&transaction.session, self.key.id).await?;
        let by = self.by.clone();
        let update = match self.action {
            Action::Revoke => key.revoke(by)?,
            Action::ForgetHolder => key.forget_holder(by)?,
        };
        let Some((updated, event)) = update else { return Ok(key) };
        transaction.append_all(core, &updated.batches(event)?)?;
        put(&transaction.session, &updated).await?;
        Ok(updated)
    }
}

/// Removes the address of the holder from a revoked key.
pub(crate) async fn forget_holder(
    core: Arc<Core>,
    key: ApiKey,
    by: AuditContext,
) -> Result<ApiKey> {
    let action = Action::ForgetHolder;
    let key = Arc::clone(&core).change(Update { key, action, by }).await?;
    // Also if nothing is left to remove: old rows may still hold what an earlier call removed.
    scrub(&core).await?;
    Ok(key)
}

async fn put(session: &Session, key: &ApiKey) -> Result<()> {
    let body = serde_json::to_string(key)
        .map_err(|source| Error::new(ErrorKind::Invalid).with_source(source))?;
    let organization = key.organization_id.as_uuid();
    session.execute(&PUT, &[key.id.as_uuid(), organization, &body]).await.map(drop)
}

async fn read(session: &Session, id: ApiKeyId) -> Result<ApiKey> {
    let row = session.query_opt(&READ, &[id.as_uuid()]).await?;
    row.map_or_else(|| Err(Error::not_found("apiKey")), |row| decode(column(&row, 0)?))
}

/// Returns an API key.
pub(crate) async fn find(readers: Readers, id: ApiKeyId) -> Result<ApiKey> {
    read(&readers.take(Owner::ApiKey(id)).await?, id).await
}

/// Returns the API keys of an organization after an id, at most `limit`.
pub(crate) async fn list(
    readers: Readers,
    organization: OrganizationId,
    after: Option<ApiKeyId>,
    limit: usize,
) -> Result<Vec<ApiKey>> {
    limits::api_keys_page(limit)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let session = readers.take(Log::Organization(organization)).await?;
    let of = organization.as_uuid();
    let rows = match after {
        Some(after) => session.query(&LIST, &[of, &limit, after.as_uuid()]).await?,
        None => session.query(&LIST_FIRST, &[of, &limit]).await?,
    };
    rows.iter().map(|row| decode(column(row, 0)?)).collect()
}

fn decode(body: &str) -> Result<ApiKey> {
    serde_json::from_str(body).map_err(|source| {
        Error::new(ErrorKind::Corrupt).with_context(READ.context).with_source(source)
    })
}
