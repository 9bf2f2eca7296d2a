//! The policy: which requests the layer records by itself.

use audit_core::Action;
use http::Method;

/// Which requests the layer records by itself, because their handler recorded nothing.
///
/// The default is [`changes`](Self::changes). A policy is a layer: a route has its own by
/// `post(pay).layer(Policy::attempt())`, below the [`AuditLayer`](crate::AuditLayer).
///
/// The event has the outcome of the response, the actor, the request, and the route as its target. Its
/// action is `http.post`, `http.delete` and so on unless [`action`](Self::action) names another: a
/// route with the name of its action needs no code in its handler.
///
/// ```
/// use audit_tower::Policy;
///
/// let read = Policy::always().action("report.exported");
/// let pay = Policy::attempt().action("invoice.paid");
/// let health = Policy::never();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy {
    when: When,
    action: Option<Action>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum When {
    Never,
    #[default]
    Changes,
    Always,
    Attempt,
}

impl Policy {
    /// Records nothing that the handler does not record.
    pub fn never() -> Self {
        Self { when: When::Never, action: None }
    }

    /// Records each request that can change something (POST, PUT, PATCH, DELETE, and methods that HTTP
    /// does not define) and whose handler recorded nothing. Leaves out requests of nobody that match
    /// no route, with which strangers could fill the log.
    pub fn changes() -> Self {
        Self { when: When::Changes, action: None }
    }

    /// Records each request whose handler recorded nothing, reads as well.
    pub fn always() -> Self {
        Self { when: When::Always, action: None }
    }

    /// Records an event before the handler runs, and the outcome after it, whatever the handler
    /// records: an [`Attempt`](audit_core::Attempt). If the first cannot be recorded, the request is
    /// refused and the handler does not run. For effects that no transaction of the service covers.
    pub fn attempt() -> Self {
        Self { when: When::Attempt, action: None }
    }

    /// Sets the action of the layer's own events.
    #[must_use]
    pub fn action(mut self, action: impl Into<Action>) -> Self {
        self.action = Some(action.into());
        self
    }

    pub(crate) fn is_attempt(&self) -> bool {
        self.when == When::Attempt
    }

    /// Returns `true` if the layer records a request of `method` whose handler recorded nothing.
    pub(crate) fn covers(&self, method: &Method) -> bool {
        match self.when {
            When::Never | When::Attempt => false,
            When::Changes => is_change(method),
            When::Always => true,
        }
    }

    pub(crate) fn action_of(&self, method: &Method) -> Action {
        self.action.clone().unwrap_or_else(|| audit_request::action_of(method.as_str()))
    }
}

/// Returns `true` for a method that can change something.
pub(crate) fn is_change(method: &Method) -> bool {
    audit_request::is_change(method.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_covered_and_reads_only_on_request() {
        let invented = Method::from_bytes(b"PURGE").unwrap();
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, invented] {
            assert!(Policy::default().covers(&method), "{method}");
            assert!(!Policy::never().covers(&method), "{method}");
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
            assert!(!Policy::default().covers(&method), "{method}");
            assert!(Policy::always().covers(&method), "{method}");
        }
    }
}
