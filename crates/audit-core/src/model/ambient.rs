//! The ambient context: the [`AuditContext`] of the running task or thread.
//!
//! A context is in scope while a future is polled, or while a closure runs. It follows a task from
//! thread to thread, and needs no runtime. A task that is spawned does not inherit it: carry it over
//! with [`AuditContext::carry`].

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::context_scope::ContextScope;
use crate::{AuditContext, Error, IntoEvent, NewEvent, Result, Violation};

thread_local! {
    /// The innermost scope.
    static CURRENT: RefCell<Option<ContextScope>> = const { RefCell::new(None) };
}

/// Replaces the current scope, and returns the previous one. Does nothing while the thread ends,
/// when thread-local values are gone.
fn replace(scope: Option<ContextScope>) -> Option<ContextScope> {
    CURRENT.try_with(|current| current.replace(scope)).unwrap_or_default()
}

fn current() -> Option<ContextScope> {
    CURRENT.try_with(|current| current.borrow().clone()).unwrap_or_default()
}

/// Returns a scope of `context` within the current one.
fn within(context: AuditContext) -> ContextScope {
    match current() {
        Some(outer) => outer.inner(context),
        None => ContextScope::new(context),
    }
}

/// Returns a copy of the current scope, which later changes of the original do not reach.
fn copied() -> Option<ContextScope> {
    current().map(|scope| scope.inner(scope.context()))
}

/// Restores the previous scope when it is dropped, also by a panic.
struct Entered {
    previous: Option<ContextScope>,
}

impl Entered {
    fn new(scope: Option<ContextScope>) -> Self {
        Self { previous: replace(scope) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        replace(self.previous.take());
    }
}

pin_project! {
    /// A future in the scope of a context, see [`AuditContext::scope`] and [`AuditContext::carry`].
    ///
    /// The context is current while the future is polled, and while it is dropped.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct InContext<F> {
        // `None` once it is dropped.
        #[pin]
        future: Option<F>,
        scope: Option<ContextScope>,
    }

    impl<F> PinnedDrop for InContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = Entered::new(this.scope.take());
            this.future.set(None);
        }
    }
}

impl<F> InContext<F> {
    fn new(scope: Option<ContextScope>, future: F) -> Self {
        Self { future: Some(future), scope }
    }
}

impl ContextScope {
    /// Returns `future` in this scope, on whichever thread it is polled.
    pub fn enter<F: Future>(&self, future: F) -> InContext<F> {
        InContext::new(Some(self.clone()), future)
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.scope.clone());
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending, // only `drop` takes the future away
        }
    }
}

impl<F> fmt::Debug for InContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InContext").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl AuditContext {
    /// Returns the context of the running task or thread; `None` outside every scope.
    pub fn current() -> Option<Self> {
        current().map(|scope| scope.context())
    }

    /// Changes the current context for the rest of its scope, and returns `true`; `false` outside
    /// every scope. A scope within another changes only its own.
    ///
    /// ```
    /// use audit_core::{Actor, AuditContext, NewEvent};
    ///
    /// let event = AuditContext::new(Actor::unknown()).sync_scope(|| {
    ///     // After the password was checked.
    ///     AuditContext::amend(|context| context.actor = Actor::user("u_7"));
    ///     NewEvent::here("user.login")
    /// })?;
    /// assert_eq!(event.actor.id.as_deref(), Some("u_7"));
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub fn amend(change: impl FnOnce(&mut Self)) -> bool {
        current().map(|scope| scope.amend(change)).is_some()
    }

    /// Returns `future` in the scope of this context, on whichever thread it is polled.
    ///
    /// A scope within a scope hides the outer one until it ends.
    ///
    /// ```
    /// use audit_core::{Actor, AuditContext, NewEvent};
    ///
    /// let context = AuditContext::new(Actor::user("u_7")).request_id("req_1");
    /// let event = futures_executor::block_on(context.scope(async {
    ///     // Any function that is called here needs no argument for it.
    ///     NewEvent::here("invoice.paid")
    /// }))?;
    /// assert_eq!(event.actor.id.as_deref(), Some("u_7"));
    /// assert_eq!(event.request.id.as_deref(), Some("req_1"));
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub fn scope<F: Future>(self, future: F) -> InContext<F> {
        InContext::new(Some(within(self)), future)
    }

    /// Runs `work` in the scope of this context, on this thread.
    ///
    /// ```
    /// use audit_core::{Actor, AuditContext};
    ///
    /// let actor = AuditContext::new(Actor::system())
    ///     .sync_scope(|| AuditContext::current().map(|context| context.actor));
    /// assert_eq!(actor, Some(Actor::system()));
    /// assert_eq!(AuditContext::current(), None);
    /// ```
    pub fn sync_scope<T>(self, work: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(Some(within(self)));
        work()
    }

    /// Returns `future` in the scope of the context that is current now, to be spawned: a new task
    /// does not inherit the context of the task that spawns it.
    ///
    /// If no context is current, none is in the future either.
    ///
    /// ```no_run
    /// # fn spawn(_: impl Future) {}
    /// # async fn send_receipt() {}
    /// use audit_core::AuditContext;
    ///
    /// spawn(AuditContext::carry(async { send_receipt().await }));
    /// ```
    pub fn carry<F: Future>(future: F) -> InContext<F> {
        InContext::new(copied(), future)
    }

    /// Returns `work` in the scope of the context that is current now, to be run on another thread.
    ///
    /// ```
    /// use audit_core::{Actor, AuditContext};
    ///
    /// let context = AuditContext::new(Actor::user("u_7"));
    /// let there = context.clone().sync_scope(|| {
    ///     std::thread::spawn(AuditContext::carry_sync(AuditContext::current))
    /// });
    /// assert_eq!(there.join().unwrap(), Some(context));
    /// ```
    pub fn carry_sync<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let scope = copied();
        move || {
            let _entered = Entered::new(scope);
            work()
        }
    }
}

impl NewEvent {
    /// Returns the event of `action` in the current [`AuditContext`]: its actor, organization, reason,
    /// request, trace and change set. Each can be set to another value afterwards.
    ///
    /// ```
    /// use audit_core::{Actor, AuditContext, NewEvent, Violation};
    ///
    /// let error = NewEvent::here("invoice.paid").unwrap_err();
    /// assert_eq!(error.violation(), Some(&Violation::Missing));
    ///
    /// let context = AuditContext::new(Actor::user("u_7")).reason("due");
    /// let event = context.sync_scope(|| NewEvent::here("invoice.paid"))?.reason("overdue");
    /// assert_eq!(event.reason.as_deref(), Some("overdue"));
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the field `actor` if no context is
    /// current. An actor is never invented.
    pub fn here(action: impl IntoEvent) -> Result<Self> {
        let scope = current().ok_or_else(|| {
            Error::invalid("actor", Violation::Missing)
                .with_context("no audit context is in scope (see `AuditContext::scope`)")
        })?;
        let event = scope.context().new_event(action);
        scope.add(event.id);
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, ChangeSetId, OrganizationRef, Trace};
    use futures_executor::block_on;
    use futures_util::future::{join, poll_fn};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;

    const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn context(user: &str) -> AuditContext {
        AuditContext::new(Actor::user(user))
    }

    fn user() -> Option<String> {
        AuditContext::current().and_then(|context| context.actor.id)
    }

    /// Lets other futures run once.
    async fn yield_now() {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn tasks_that_take_turns_on_one_thread_keep_their_contexts() {
        async fn seen() -> [Option<String>; 2] {
            let before = user();
            yield_now().await;
            [before, user()]
        }
        let both = join(context("a").scope(seen()), context("b").scope(seen()));
        let (a, b) = block_on(async { join(both, seen()).await.0 });
        assert_eq!(a, [Some("a".into()), Some("a".into())]);
        assert_eq!(b, [Some("b".into()), Some("b".into())]);
        assert_eq!(user(), None);
    }

    #[test]
    fn an_inner_scope_hides_the_outer_one_until_it_ends_or_panics() {
        context("outer").sync_scope(|| {
            context("inner").sync_scope(|| assert_eq!(user().as_deref(), Some("inner")));
            assert_eq!(user().as_deref(), Some("outer"));
            let fails = || context("inner").sync_scope(|| std::panic::resume_unwind(Box::new(())));
            assert!(catch_unwind(AssertUnwindSafe(fails)).is_err());
            assert_eq!(user().as_deref(), Some("outer"));
        });
        assert_eq!(user(), None);
    }

    #[test]
    fn a_future_moves_between_threads_with_its_context() {
        let mut future = Box::pin(context("a").scope(async {
            yield_now().await;
            user()
        }));
        let polled = future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(polled.is_pending());
        let there = std::thread::spawn(move || block_on(future)).join().unwrap();
        assert_eq!(there.as_deref(), Some("a"));
    }

    #[test]
    fn a_task_that_is_spawned_has_the_context_only_if_it_is_carried() {
        let here = context("a").scope(async {
            let carried = AuditContext::carry(async { user() });
            let not_carried = async { user() };
            let thread = std::thread::spawn(move || (block_on(carried), block_on(not_carried)));
            thread.join().unwrap()
        });
        assert_eq!(block_on(here), (Some("a".into()), None));
        assert_eq!(block_on(AuditContext::carry(async { user() })), None);
    }

    #[test]
    fn what_is_dropped_with_a_future_is_dropped_in_its_context() {
        struct OnDrop<'a>(&'a Mutex<Vec<Option<String>>>);
        impl Drop for OnDrop<'_> {
            fn drop(&mut self) {
                self.0.lock().unwrap().push(user());
            }
        }
        let seen = Mutex::new(Vec::new());
        let polled = async |guard: OnDrop<'_>| {
            std::future::pending::<()>().await;
            drop(guard);
        };
        let mut future = Box::pin(context("a").scope(polled(OnDrop(&seen))));
        let waker = std::task::Waker::noop();
        assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        drop(future);
        drop(context("b").scope(polled(OnDrop(&seen))));
        assert_eq!(*seen.lock().unwrap(), [Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!(user(), None);
    }

    #[test]
    fn an_event_takes_the_whole_context() {
        let context = context("u")
            .reason("due")
            .organization(OrganizationRef::new("acme"))
            .request("POST", "/pay")
            .route("/{verb}")
            .request_id("req_1")
            .trace(Trace::from_traceparent(TRACEPARENT).unwrap())
            .change_set_id(ChangeSetId::new());
        let event = context.clone().sync_scope(|| NewEvent::here("invoice.paid")).unwrap();
        assert_eq!(event.actor, context.actor);
        assert_eq!((event.reason, event.request), (context.reason, context.request));
        assert_eq!((event.trace, event.change_set_id), (context.trace, context.change_set_id));
        assert_eq!(event.organization, context.organization);
        assert_eq!(NewEvent::here("a").unwrap_err().field(), Some("actor"));
    }

    #[test]
    fn a_change_of_the_context_stays_in_its_scope() {
        context("outer").sync_scope(|| {
            let carried = AuditContext::carry_sync(user);
            context("inner").sync_scope(|| {
                assert!(AuditContext::amend(|context| {
                    assert_eq!(user().as_deref(), Some("inner"));
                    context.actor = Actor::user("changed");
                }));
                assert_eq!(user().as_deref(), Some("changed"));
            });
            assert_eq!(user().as_deref(), Some("outer"));
            AuditContext::amend(|context| context.actor = Actor::user("later"));
            assert_eq!(carried().as_deref(), Some("outer"));
        });
        assert!(!AuditContext::amend(|_| unreachable!()));
    }

    #[test]
    fn a_scope_knows_the_events_made_in_it_also_within_others_and_in_what_is_carried() {
        let make = || NewEvent::here("a").unwrap().id;
        let scope = ContextScope::new(context("a"));
        let ids = block_on(scope.enter(async {
            let first = make();
            let inner = context("b").sync_scope(make);
            let carried = std::thread::spawn(AuditContext::carry_sync(make)).join().unwrap();
            AuditContext::amend(|context| context.actor = Actor::user("c"));
            [first, inner, carried]
        }));
        context("a").sync_scope(make);
        assert_eq!(scope.events(), ids);
        assert_eq!(scope.context().actor, Actor::user("c"));
    }
}
