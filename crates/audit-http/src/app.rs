//! The state that the handlers share.

use std::sync::Arc;

use audit_core::{AuditStore, TenantStore};

use crate::answer::Answers;
use crate::authenticate::Authenticator;
use crate::budget::Budget;
use crate::options::HttpOptions;
use crate::places::Places;
use crate::rate::Rates;
use crate::rejection::Rejection;

/// The state that the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) store: Arc<dyn AuditStore>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) options: Arc<HttpOptions>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) places: Places,
    pub(crate) bodies: Budget,
    pub(crate) answers: Answers,
}

impl App {
    pub(crate) fn new(
        store: Arc<dyn AuditStore>,
        authenticator: Arc<dyn Authenticator>,
        options: HttpOptions,
    ) -> Self {
        Self {
            store,
            authenticator,
            rates: Arc::new(Rates::new(&options)),
            places: Places::new(&options),
            bodies: Budget::new(&options),
            answers: Answers::new(&options),
            options: Arc::new(options),
        }
    }

    /// Returns the store of the organizations. Fails, as for an organization that does not exist,
    /// if the service has none; then no route that needs it is mounted.
    pub(crate) fn tenants(&self) -> Result<&dyn TenantStore, Rejection> {
        self.options.tenants.as_deref().ok_or_else(Rejection::no_organization)
    }
}
