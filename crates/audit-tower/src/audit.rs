//! The handle with which a handler records.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit_core::{
    Attempt, AuditContext, ContextScope, Log, NewEvent, Outcome, OutcomeResult, Result, Target,
};
use http::Method;

use crate::config::Config;
use crate::policy::{self, Policy};

/// Records what a handler does, in the context of its request. With axum it is an extractor; in any
/// service below the [`AuditLayer`](crate::AuditLayer) it is in the extensions of the request.
///
/// ```
/// use audit_tower::{Audit, NotRecorded};
/// use axum::extract::Path;
///
/// async fn pay(audit: Audit, Path(id): Path<String>) -> Result<(), NotRecorded> {
///     // The invoice is paid here.
///     audit.record("invoice.paid").target("invoice", id).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    scope: ContextScope,
    method: Method,
    state: Mutex<State>,
}

/// The values that the handler has set so far.
#[derive(Debug)]
struct State {
    policy: Policy,
    /// The number of events that the handler recorded, or is recording.
    recorded: usize,
    /// The events that wait for the response.
    waiting: Vec<(Log, NewEvent)>,
    attempt: Option<Attempt>,
    is_closed: bool,
}

/// The events of a request, at its end.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) events: Vec<(Log, NewEvent)>,
    pub(crate) attempt: Option<Attempt>,
    /// Whether the handler described what it did.
    pub(crate) by_handler: bool,
}

impl Audit {
    pub(crate) fn new(config: Arc<Config>, context: AuditContext, method: Method) -> Self {
        let state = State {
            policy: config.policy.clone(),
            recorded: 0,
            waiting: Vec::new(),
            attempt: None,
            is_closed: false,
        };
        let scope = ContextScope::new(context);
        Self(Arc::new(Inner { config, scope, method, state: Mutex::new(state) }))
    }

    /// Returns the context as it is now.
    pub fn context(&self) -> AuditContext {
        AuditContext::current().unwrap_or_else(|| self.0.scope.context())
    }

    /// Returns the log in which the events of the request belong.
    pub fn log(&self) -> Log {
        self.log_of(&self.context())
    }

    /// Changes the context for the rest of the request: after a login, the actor and the log.
    ///
    /// ```
    /// # use audit_core::Actor;
    /// # use audit_tower::{Audit, NotRecorded};
    /// async fn login(audit: Audit) -> Result<(), NotRecorded> {
    ///     // The password is right.
    ///     audit.amend(|context| context.actor.id = Some("u_7".to_owned()));
    ///     audit.record("user.login").await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn amend(&self, change: impl Fn(&mut AuditContext)) {
        self.0.scope.amend(&change);
        // A scope within that of the request has its own.
        let current = AuditContext::current();
        if current.is_some_and(|current| current != self.0.scope.context()) {
            AuditContext::amend(change);
        }
    }

    /// Sets what the layer records of this request by itself, as a [`Policy`] of the route does.
    pub fn set_policy(&self, policy: Policy) {
        self.state().policy = policy;
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.0.config
    }

    pub(crate) fn scope(&self) -> &ContextScope {
        &self.0.scope
    }

    /// Notes that the handler records an event.
    pub(crate) fn recording(&self) {
        self.state().recorded += 1;
    }

    /// Notes that an event could not be recorded.
    pub(crate) fn not_recorded(&self) {
        self.state().recorded -= 1;
    }

    /// Keeps an event until the response. After it, the event is recorded at once.
    pub(crate) fn wait(&self, log: Log, event: NewEvent) {
        let mut state = self.state();
        if state.is_closed {
            drop(state);
            let config = &self.0.config;
            config.leave(config.record(log, vec![event]));
        } else {
            state.waiting.push((log, event));
        }
    }

    /// Records that the request begins.
    pub(crate) async fn begin_attempt(&self) -> Result<()> {
        let config = &self.0.config;
        let (log, event) = self.own_event(&self.state().policy.clone());
        let begun = Attempt::begin(config.recorder(), log, event).await;
        if let Err(error) = &begun {
            config.report(log, 1, error);
        }
        self.state().attempt = Some(begun?);
        Ok(())
    }

    /// Ends the request: returns the events that have waited for its outcome, and the layer's own;
    /// `None` if it has ended before.
    pub(crate) fn close(&self, outcome: &Outcome) -> Option<Closing> {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_closed, true) {
            return None;
        }
        let mut events = std::mem::take(&mut state.waiting);
        for (_, event) in &mut events {
            event.outcome.get_or_insert_with(|| outcome.clone());
        }
        // An event that was made for the handler's own transaction is not in the log if the request
        // failed and its transaction was rolled back.
        let is_success = outcome.result == OutcomeResult::SUCCESS;
        let has_made = is_success && !self.0.scope.events().is_empty();
        let by_handler = state.recorded > 0 || !events.is_empty() || has_made;
        let attempt = state.attempt.take();
        if attempt.is_none() && !by_handler && state.policy.covers(&self.0.method) {
            let (log, event) = self.own_event(&state.policy);
            events.push((log, event.outcome(outcome.clone())));
        }
        Some(Closing { events, attempt, by_handler })
    }

    /// Returns `true` if the request changes nothing.
    pub(crate) fn is_read(&self) -> bool {
        !policy::is_change(&self.0.method)
    }

    /// Returns the layer's own event of the request.
    fn own_event(&self, policy: &Policy) -> (Log, NewEvent) {
        let context = self.0.scope.context();
        let log = self.log_of(&context);
        let mut event = context.new_event(policy.action_of(&self.0.method));
        if let Some(route) = event.request.route.as_deref().or(event.request.path.as_deref()) {
            let limit = audit_core::limits::MAX_ID_BYTES;
            if route.len() <= limit {
                event.targets.push(Target::new("route", route));
            }
        }
        (log, event)
    }

    pub(crate) fn log_of(&self, context: &AuditContext) -> Log {
        context.log.unwrap_or(self.0.config.log)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "axum")]
impl<S: Sync> axum::extract::FromRequestParts<S> for Audit {
    type Rejection = MissingLayer;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        _: &S,
    ) -> Result<Self, MissingLayer> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingLayer(()))
    }
}

/// The rejection of a handler that takes an [`Audit`] in a router without an
/// [`AuditLayer`](crate::AuditLayer): 500.
#[cfg(feature = "axum")]
#[derive(Debug)]
pub struct MissingLayer(());

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for MissingLayer {
    fn into_response(self) -> axum::response::Response {
        tracing::error!("a handler takes an `Audit`, and no `AuditLayer` is above its route");
        http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
