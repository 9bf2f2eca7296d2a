//! The organizations. [`Organization`] decides each change; this file writes it, in one transaction
//! with its event.

use audit_core::backend::Batch;
use audit_core::{
    AuditContext, Error, ErrorKind, Log, Organization, OrganizationId, OrganizationUpdate, Result,
    limits,
};

use crate::append::WriteTransaction;
use crate::change::Change;
use crate::connection::{Session, Statement, column, types};
use crate::core::Core;
use crate::lock::Wanted;
use crate::readers::Readers;

/// Reads an organization. A deleted one has no body.
pub(crate) const READ: Statement = Statement {
    sql: "SELECT body FROM audit.organization WHERE id = $1",
    types: types![UUID],
    context: "reading an organization",
};
/// Lists the first organizations.
pub(crate) const LIST_FIRST: Statement = Statement {
    sql: "SELECT body FROM audit.organization WHERE body IS NOT NULL ORDER BY id LIMIT $1",
    types: types![INT8],
    context: "listing organizations",
};
/// Lists organizations after an id.
pub(crate) const LIST: Statement = Statement {
    sql: "SELECT body FROM audit.organization
          WHERE id > $2 AND body IS NOT NULL ORDER BY id LIMIT $1",
    types: types![INT8, UUID],
    context: "listing organizations",
};
/// Writes an organization.
pub(crate) const PUT: Statement = Statement {
    sql: "INSERT INTO audit.organization (id, body) VALUES ($1, $2)
          ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    types: types![UUID, TEXT],
    context: "writing an organization",
};

/// Returns the logs in which the changes of an organization are recorded.
pub(crate) fn logs_of(id: OrganizationId) -> Wanted {
    Wanted::default().log(Log::Platform).log(Log::organization(id))
}

pub(crate) struct Create {
    pub(crate) organization: Organization,
    pub(crate) batches: [Batch; 2],
}

impl Change for Create {
    type Output = Organization;

    fn wanted(&self) -> Wanted {
        logs_of(self.organization.id)
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<Organization> {
        let id = self.organization.id;
        if transaction.session.query_opt(&READ, &[id.as_uuid()]).await?.is_some() {
            return Err(Error::new(ErrorKind::Conflict).with_field("id"));
        }
        transaction.append_all(core, &self.batches)?;
        put(&transaction.session, id, Some(&self.organization)).await?;
        Ok(self.organization.clone())
    }
}

pub(crate) struct Update {
    pub(crate) id: OrganizationId,
    pub(crate) change: OrganizationUpdate,
    pub(crate) by: AuditContext,
}

impl Change for Update {
    type Output = Organization;

    fn wanted(&self) -> Wanted {
        logs_of(self.id)
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<Organization> {
        let organization = present(&transaction.session, self.id).await?;
        let update = organization.update(self.change.clone(), self.by.clone())?;
        let Some((updated, event)) = update else { return Ok(organization) };
        transaction.append_all(core, &Organization::batches(self.id, event)?)?;
        put(&transaction.session, self.id, Some(&updated)).await?;
        Ok(updated)
    }
}

pub(crate) struct Delete {
    pub(crate) id: OrganizationId,
    pub(crate) by: AuditContext,
}

impl Change for Delete {
    type Output = ();

    fn wanted(&self) -> Wanted {
        logs_of(self.id)
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<()> {
        let event = present(&transaction.session, self.id).await?.delete(self.by.clone())?;
        transaction.append_all(core, &Organization::batches(self.id, event)?)?;
        put(&transaction.session, self.id, None).await
    }
}

async fn put(session: &Session, id: OrganizationId, body: Option<&Organization>) -> Result<()> {
    let body = body.map(serde_json::to_string).transpose();
    let body = body.map_err(|source| Error::new(ErrorKind::Invalid).with_source(source))?;
    session.execute(&PUT, &[id.as_uuid(), &body]).await.map(drop)
}

/// Returns an organization that is not deleted.
pub(crate) async fn present(session: &Session, id: OrganizationId) -> Result<Organization> {
    let row = session.query_opt(&READ, &[id.as_uuid()]).await?;
    let body = row.as_ref().map(|row| column::<Option<&str>>(row, 0)).transpose()?.flatten();
    body.map_or_else(|| Err(Error::not_found("organization")), decode)
}

/// Returns an organization that is not deleted.
pub(crate) async fn find(readers: Readers, id: OrganizationId) -> Result<Organization> {
    present(&readers.take(Log::Organization(id)).await?, id).await
}

/// Returns organizations after an id, at most `limit`.
pub(crate) async fn list(
    readers: Readers,
    after: Option<OrganizationId>,
    limit: usize,
) -> Result<Vec<Organization>> {
    limits::organizations_page(limit)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let session = readers.take(Log::Platform).await?;
    let rows = match after {
        Some(after) => session.query(&LIST, &[&limit, after.as_uuid()]).await?,
        None => session.query(&LIST_FIRST, &[&limit]).await?,
    };
    rows.iter().map(|row| decode(column(row, 0)?)).collect()
}

fn decode(body: &str) -> Result<Organization> {
    serde_json::from_str(body).map_err(|source| {
        Error::new(ErrorKind::Corrupt).with_context(READ.context).with_source(source)
    })
}
