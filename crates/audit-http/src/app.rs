//! The state that the handlers share.

use std::ops::Deref;
use std::sync::Arc;

use audit_core::{AuditStore, TenantStore};

use crate::answer::Answers;
use crate::authenticate::Authenticator;
use crate::budget::Budget;
use crate::options::HttpOptions;
use crate::places::Places;
use crate::rate::Rates;
use crate::rejection::Rejection;

/// A handle of the state that the handlers share. Each layer of a route clones it at each request.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

/// The state that the handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn AuditStore>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) options: HttpOptions,
    pub(crate) rates: Rates,
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
        Self(Arc::new(Shared {
            store,
            authenticator,
            rates: Rates::new(&options),
            places: Places::new(&options),
            bodies: Budget::new(&options),
            answers: Answers::new(&options),
            options,
        }))
    }

    /// Returns the store of the organizations. Fails, as for an organization that does not exist,
    /// if the service has none; then no route that needs it is mounted.
    pub(crate) fn tenants(&self) -> Result<&dyn TenantStore, Rejection> {
        self.options.tenants.as_deref().ok_or_else(Rejection::no_organization)
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
