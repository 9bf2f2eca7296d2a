//! The organization: a tenant, and the changes made to it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::changes::{FINGERPRINT, change_batches};
use super::organization_requests::{NewOrganization, OrganizationUpdate};
use super::private_endpoint::PrivateEndpoint;
use crate::backend::Batch;
use crate::json::{self, Object};
use crate::limits::{
    self, MAX_ID_BYTES, MAX_ORGANIZATION_BYTES, MAX_PRIVATE_ENDPOINTS, MAX_TEXT_BYTES,
};
use crate::{
    Action, AuditContext, Change, Diff, Error, Message, NewEvent, OrganizationId, OrganizationRef,
    Result, Scope, Surface, Timestamp, Violation,
};

/// A tenant: it owns one log, and its own changes are events of that log. At most
/// [`MAX_ORGANIZATION_BYTES`] as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Organization {
    /// The organization's id.
    pub id: OrganizationId,
    /// The id by which another system knows the organization. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The name for people. 1 to [`MAX_ID_BYTES`] bytes.
    pub name: String,
    /// The private endpoints, in the order in which they were added. At most
    /// [`MAX_PRIVATE_ENDPOINTS`].
    #[serde(default)]
    pub private_endpoints: Vec<PrivateEndpoint>,
    /// Settings that the service keeps with the organization. At most
    /// [`MAX_JSON_DEPTH`](limits::MAX_JSON_DEPTH) − 1 levels and [`MAX_TEXT_BYTES`] bytes as JSON.
    #[serde(default, deserialize_with = "json::object")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::JsonObject))]
    pub settings: Object,
    /// The e-mail address of the creator. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The time at which it was created.
    pub created_at: Timestamp,
    /// The time at which it was last changed.
    pub updated_at: Timestamp,
}

/// The action of a change, its title for people, and its key in a catalogue of messages.
type ChangeKind = (Action, &'static str, &'static str);
const CREATED: ChangeKind =
    (Action::ORGANIZATION_CREATED, "Organization created", "OrganizationCreated");
const UPDATED: ChangeKind =
    (Action::ORGANIZATION_UPDATED, "Organization updated", "OrganizationUpdated");
const DELETED: ChangeKind =
    (Action::ORGANIZATION_DELETED, "Organization deleted", "OrganizationDeleted");

impl Organization {
    /// The type of the target of an organization's events.
    pub(super) const TARGET: &str = "organization";

    /// Creates the record of the organization `id`, created at `created_at` and not changed since.
    /// A store gets it from [`create`](Self::create).
    pub fn new(id: OrganizationId, name: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            id,
            external_id: None,
            name: name.into(),
            private_endpoints: Vec::new(),
            settings: Object::new(),
            created_by: None,
            created_at,
            updated_at: created_at,
        }
    }
}

// The changes that a store makes to an organization. Computed here, so that every store does the
// same.
impl Organization {
    /// Returns a new organization and the event of its creation.
    pub fn create(new: NewOrganization, by: AuditContext) -> Result<(Self, NewEvent)> {
        let now = Timestamp::now();
        let mut organization = Self {
            external_id: new.external_id,
            settings: new.settings,
            created_by: new.created_by,
            ..Self::new(new.id, new.name, now)
        };
        organization.add_endpoints(new.private_endpoints);
        organization.validate()?;
        let change = Change::default().with_new(organization.facts());
        let event = organization.event(CREATED, change, by)?;
        Ok((organization, event))
    }

    /// Returns the organization after `update` and the event of the update; `None` if nothing
    /// changes.
    pub fn update(
        &self,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Option<(Self, NewEvent)>> {
        let mut organization = self.clone();
        organization.name = update.name.unwrap_or(organization.name);
        organization.settings = update.settings.unwrap_or(organization.settings);
        organization.private_endpoints.retain(|e| !update.remove_endpoints.contains(&e.id));
        organization.add_endpoints(update.add_endpoints);
        organization.created_by = organization.created_by.filter(|_| !update.forget_creator);
        organization.validate()?;
        if organization == *self {
            return Ok(None);
        }
        organization.updated_at = Timestamp::now().max(self.updated_at);
        let change = Diff::without_default_masks().compare(&self.facts(), &organization.facts())?;
        let event = organization.event(UPDATED, change, by)?;
        Ok(Some((organization, event)))
    }

    /// Returns the event of the organization's deletion.
    pub fn delete(&self, by: AuditContext) -> Result<NewEvent> {
        let change = Change::default().with_old(self.facts());
        self.event(DELETED, change, by)
    }

    /// Returns the batches in which a store appends the event of a change: to the organization's own
    /// log and to the platform's, so that operators see every change of a tenant.
    pub fn batches(id: OrganizationId, event: NewEvent) -> Result<[Batch; 2]> {
        change_batches(id, event)
    }

    fn add_endpoints(&mut self, endpoints: Vec<PrivateEndpoint>) {
        for endpoint in endpoints {
            match self.private_endpoints.iter_mut().find(|e| e.id == endpoint.id) {
                Some(place) => *place = endpoint,
                None => self.private_endpoints.push(endpoint),
            }
        }
    }

    /// Returns the fields that a change compares: endpoints by id, so that a removed one is one line
    /// of the diff.
    fn facts(&self) -> Value {
        let endpoints: Object =
            self.private_endpoints.iter().map(|e| (e.id.clone(), json!(e))).collect();
        json!({
            "name": self.name,
            "externalId": self.external_id,
            "privateEndpoints": endpoints,
            "settings": self.settings,
        })
    }

    /// Returns a digest of what a change compares, which the organization's events declare.
    pub(super) fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.facts().to_string()))
    }

    fn event(&self, kind: ChangeKind, change: Change, by: AuditContext) -> Result<NewEvent> {
        let (action, title, key) = kind;
        let event = NewEvent {
            organization: Some(OrganizationRef::from(self.id).name(&self.name)),
            scope: Scope::default().surface(Surface::PLATFORM),
            change,
            message: Message::text(format!("{title}: {}", self.name)).title(title).key(key),
            ..by.event(action)
        }
        .add_target(crate::Target::new(Self::TARGET, self.id.to_string()).name(&self.name))
        .attribute(FINGERPRINT, self.fingerprint());
        event.validate()?;
        Ok(event)
    }

    fn validate(&self) -> Result<()> {
        limits::required(format_args!("name"), &self.name, MAX_ID_BYTES)?;
        limits::optional(format_args!("externalId"), self.external_id.as_deref(), MAX_ID_BYTES)?;
        limits::optional(format_args!("createdBy"), self.created_by.as_deref(), MAX_ID_BYTES)?;
        limits::count("privateEndpoints", self.private_endpoints.len(), MAX_PRIVATE_ENDPOINTS)?;
        for (index, endpoint) in self.private_endpoints.iter().enumerate() {
            limits::required(
                format_args!("privateEndpoints[{index}].id"),
                &endpoint.id,
                MAX_ID_BYTES,
            )?;
            for (field, value, limit) in [
                ("description", &endpoint.description, MAX_TEXT_BYTES),
                ("cloudProvider", &endpoint.cloud_provider, MAX_ID_BYTES),
                ("region", &endpoint.region, MAX_ID_BYTES),
            ] {
                let path = format_args!("privateEndpoints[{index}].{field}");
                limits::optional(path, value.as_deref(), limit)?;
            }
        }
        // In an event the settings stand within the facts.
        limits::depth(format_args!("settings"), 2, self.settings.values())?;
        let settings = Value::Object(self.settings.clone()).to_string().len();
        if settings > MAX_TEXT_BYTES {
            let violation = Violation::TooLong { limit: MAX_TEXT_BYTES, actual: settings };
            return Err(Error::invalid("settings", violation));
        }
        // Each field is within its own bound; only many endpoints together can be too large.
        let facts = self.facts().to_string().len();
        if facts > MAX_ORGANIZATION_BYTES {
            let violation = Violation::TooLong { limit: MAX_ORGANIZATION_BYTES, actual: facts };
            return Err(Error::invalid("privateEndpoints", violation));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;

    fn endpoint(number: usize, description: usize) -> PrivateEndpoint {
        PrivateEndpoint::new(format!("vpce-{number}")).description("x".repeat(description))
    }

    fn by() -> AuditContext {
        AuditContext::new(Actor::user("u"))
    }

    #[test]
    fn what_can_be_made_can_be_changed_and_deleted() {
        let nested = (3..limits::MAX_JSON_DEPTH).fold(Value::Null, |v, _| json!([v]));
        let mut new = NewOrganization::new("n".repeat(MAX_ID_BYTES));
        new.settings.insert("deep".into(), nested.clone());
        new.settings.insert("long".into(), "s".repeat(MAX_TEXT_BYTES - 1_000).into());
        let mut organization = Organization::create(new, by()).unwrap().0;
        // As many endpoints as fit, then all of them replaced.
        let mut number = 0;
        while let Ok(Some((next, _))) = organization
            .update(OrganizationUpdate::default().add_endpoint(endpoint(number, 2_000)), by())
        {
            (organization, number) = (next, number + 1);
        }
        let replace = (0..number).map(|number| endpoint(number, 1_999)).collect();
        let update = OrganizationUpdate { add_endpoints: replace, ..Default::default() };
        let (organization, event) = organization.update(update, by()).unwrap().unwrap();
        assert!(crate::backend::PreparedEvent::new(&event).is_ok());
        assert!(crate::backend::PreparedEvent::new(&organization.delete(by()).unwrap()).is_ok());

        let settings = Object::from_iter([("x".to_owned(), json!([nested]))]);
        let deeper = OrganizationUpdate::default().settings(settings);
        let error = organization.update(deeper, by()).unwrap_err();
        assert_eq!(error.field(), Some("settings"));
    }

    #[test]
    fn one_endpoint_removed_is_one_line_of_the_diff() {
        let new = NewOrganization::new("Acme")
            .private_endpoint(endpoint(1, 3))
            .private_endpoint(endpoint(2, 3));
        let organization = Organization::create(new, by()).unwrap().0;
        let update = OrganizationUpdate::default().remove_endpoint("vpce-1");
        let (organization, event) = organization.update(update, by()).unwrap().unwrap();
        let fields: Vec<_> = event.change.diff.iter().map(|change| &*change.field).collect();
        assert_eq!(fields, ["privateEndpoints/vpce-1"]);
        assert_eq!(organization.private_endpoints.len(), 1);
    }
}
