//! The organizations. [`Organization`] decides each change; this file writes it, in one transaction
//! with its event.

use audit_core::{
    AuditContext, Error, ErrorKind, Organization, OrganizationId, OrganizationUpdate, Result,
    backend::Batch, limits,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::WriteTransaction;
use crate::error::sqlite;
use crate::read::Snapshot;

// Each change writes its event first: if the event is refused, nothing has been written.
impl WriteTransaction<'_> {
    pub(crate) fn create_organization(
        &mut self,
        organization: Organization,
        batches: [Batch; 2],
    ) -> Result<Organization> {
        if row(self.connection, organization.id)?.is_some() {
            return Err(Error::new(ErrorKind::Conflict).with_field("id"));
        }
        self.append_all(batches)?;
        self.put_organization(organization.id, Some(&organization))?;
        Ok(organization)
    }

    pub(crate) fn update_organization(
        &mut self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        let organization = present(self.connection, id)?;
        let Some((updated, event)) = organization.update(update, by)? else {
            return Ok(organization);
        };
        self.append_all(Organization::batches(id, event)?)?;
        self.put_organization(id, Some(&updated))?;
        Ok(updated)
    }

    pub(crate) fn delete_organization(
        &mut self,
        id: OrganizationId,
        by: AuditContext,
    ) -> Result<()> {
        let event = present(self.connection, id)?.delete(by)?;
        self.append_all(Organization::batches(id, event)?)?;
        self.put_organization(id, None)
    }

    fn put_organization(&self, id: OrganizationId, body: Option<&Organization>) -> Result<()> {
        let body = body.map(encode).transpose()?;
        let put = || {
            self.connection
                .prepare_cached(
                    "INSERT INTO audit_organization (id, body) VALUES (?1, ?2)
                     ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                )?
                .execute(params![id.as_bytes(), body])
        };
        put().map_err(sqlite("writing an organization"))?;
        Ok(())
    }
}

impl Snapshot<'_> {
    pub(crate) fn organization(&self, id: OrganizationId) -> Result<Organization> {
        present(self.connection, id)
    }

    pub(crate) fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        limits::organizations_page(limit)?;
        let query = || {
            let mut statement = self.connection.prepare_cached(LIST)?;
            // An empty key comes before every id.
            let after = after.as_ref().map_or(&[][..], |after| after.as_bytes());
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![after, limit], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<Vec<u8>>>>()
        };
        let bodies = query().map_err(sqlite("listing organizations"))?;
        bodies.iter().map(|body| decode(body)).collect()
    }
}

/// Lists organizations after an id.
pub(crate) const LIST: &str = "SELECT body FROM audit_organization
     WHERE id > ?1 AND body IS NOT NULL ORDER BY id LIMIT ?2";

/// Returns an organization that is not deleted.
pub(crate) fn present(connection: &Connection, id: OrganizationId) -> Result<Organization> {
    match row(connection, id)? {
        Some(Row { body: Some(body) }) => decode(&body),
        _ => Err(Error::not_found("organization")),
    }
}

/// Reads an organization.
pub(crate) const READ: &str = "SELECT body FROM audit_organization WHERE id = ?1";

/// A row of `audit_organization`; a deleted organization has no body.
struct Row {
    body: Option<Vec<u8>>,
}

fn row(connection: &Connection, id: OrganizationId) -> Result<Option<Row>> {
    let query = || {
        connection
            .prepare_cached(READ)?
            .query_row([id.as_bytes()], |row| Ok(Row { body: row.get(0)? }))
            .optional()
    };
    query().map_err(sqlite("reading an organization"))
}

fn encode(organization: &Organization) -> Result<Vec<u8>> {
    serde_json::to_vec(organization)
        .map_err(|source| Error::new(ErrorKind::Invalid).with_source(source))
}

fn decode(body: &[u8]) -> Result<Organization> {
    serde_json::from_slice(body).map_err(|source| {
        Error::new(ErrorKind::Corrupt).with_context("reading an organization").with_source(source)
    })
}
