//! Coverage: which routes were called, and which of them left an event.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use audit_core::RequestInfo;
use http::Method;
use serde_json::Value;

use crate::policy;

/// Counts the calls of each route and the events that they left, over all tests of a service.
///
/// ```
/// use audit_core::Actor;
/// use audit_memory::MemoryStore;
/// use audit_tower::{AuditLayer, Coverage};
///
/// let coverage = Coverage::new();
/// let layer = AuditLayer::new(MemoryStore::new()?, |_| None::<Actor>).with_coverage(&coverage);
/// // The tests call the service here.
/// coverage.assert_complete(&[("GET", "/invoices")]);
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Coverage(Arc<Mutex<BTreeMap<Route, Calls>>>);

/// A method and the pattern of a path.
type Route = (String, String);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Calls {
    all: u64,
    /// Those whose handler recorded what it did.
    by_handler: u64,
    /// Those that left an event, by the handler or by the layer.
    with_event: u64,
}

/// The routes of a service: pairs of a method and a pattern, or an OpenAPI description.
pub trait Routes {
    /// Returns the method and the pattern of each route.
    fn routes(&self) -> Vec<(String, String)>;
}

impl<M: AsRef<str>, P: AsRef<str>> Routes for [(M, P)] {
    fn routes(&self) -> Vec<Route> {
        let route = |(method, path): &(M, P)| {
            (method.as_ref().to_ascii_uppercase(), path.as_ref().to_owned())
        };
        self.iter().map(route).collect()
    }
}

impl<M: AsRef<str>, P: AsRef<str>, const N: usize> Routes for [(M, P); N] {
    fn routes(&self) -> Vec<Route> {
        self.as_slice().routes()
    }
}

impl Routes for Value {
    /// Reads an OpenAPI description.
    fn routes(&self) -> Vec<Route> {
        const METHODS: [&str; 8] =
            ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
        let paths = self.get("paths").and_then(Value::as_object).into_iter().flatten();
        let routes = paths.flat_map(|(path, item)| {
            let methods = METHODS.into_iter().filter(|method| item.get(method).is_some());
            methods.map(|method| (method.to_ascii_uppercase(), path.clone()))
        });
        routes.collect()
    }
}

impl Coverage {
    /// Returns coverage without calls.
    pub fn new() -> Self {
        Self::default()
    }

    /// Panics unless each of `routes` that can change something was called and each of its calls left an
    /// event. The message is a table of the others.
    ///
    /// # Panics
    /// That is how a test fails. Also if `routes` has none.
    #[track_caller]
    pub fn assert_complete(&self, routes: &(impl Routes + ?Sized)) {
        let routes = routes.routes();
        assert!(!routes.is_empty(), "no routes are given, so nothing is covered");
        let silent = self.silent(routes);
        assert!(silent.is_empty(), "routes that leave no trace:\n{}", table(&silent));
    }

    /// Returns the routes that can change something and were not called, or left no event.
    fn silent(&self, routes: Vec<Route>) -> Vec<(Route, Calls)> {
        let called = self.lock().clone();
        let is_change = |method: &str| {
            Method::from_bytes(method.as_bytes()).is_ok_and(|m| policy::is_change(&m))
        };
        let calls = routes.into_iter().filter(|(method, _)| is_change(method)).map(|route| {
            let calls = called.get(&route).copied().unwrap_or_default();
            (route, calls)
        });
        calls.filter(|(_, calls)| calls.all == 0 || calls.with_event < calls.all).collect()
    }

    pub(crate) fn count(&self, request: RequestInfo, by_handler: bool, by_layer: bool) {
        let RequestInfo { method, path, route, .. } = request;
        let route = (method.unwrap_or_default(), route.or(path).unwrap_or_default());
        let mut called = self.lock();
        let calls = called.entry(route).or_default();
        calls.all += 1;
        calls.by_handler += u64::from(by_handler);
        calls.with_event += u64::from(by_handler || by_layer);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Route, Calls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Coverage {
    /// Writes a table of all routes that were called.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let called: Vec<_> =
            self.lock().iter().map(|(route, calls)| (route.clone(), *calls)).collect();
        f.write_str(&table(&called))
    }
}

fn table(routes: &[(Route, Calls)]) -> String {
    let mut table = format!(
        "{:<7} {:<40} {:>6} {:>11} {:>8}\n",
        "method", "route", "calls", "by handler", "by layer"
    );
    for ((method, path), Calls { all, by_handler, with_event }) in routes {
        let by_layer = with_event - by_handler;
        // Writing to a text does not fail.
        let _ = writeln!(table, "{method:<7} {path:<40} {all:>6} {by_handler:>11} {by_layer:>8}");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn called() -> Coverage {
        let coverage = Coverage::new();
        let call = |method: &str, path: &str, by_handler, by_layer| {
            let request = RequestInfo::new(method, path).route(path);
            coverage.count(request, by_handler, by_layer);
        };
        call("POST", "/invoices/{id}/pay", true, false);
        call("PUT", "/invoices/{id}", false, true);
        call("DELETE", "/invoices/{id}", true, false);
        call("DELETE", "/invoices/{id}", false, false);
        call("GET", "/invoices", false, false);
        coverage
    }

    #[test]
    fn routes_that_changed_something_and_left_no_event_are_silent() {
        let covered = [("POST", "/invoices/{id}/pay"), ("put", "/invoices/{id}"), ("GET", "/x")];
        called().assert_complete(&covered);
        let item = json!({"put": {}, "delete": {}, "get": {}, "parameters": []});
        let openapi = json!({"paths": {"/invoices/{id}": item, "/refunds": {"post": {}}}});
        let silent: Vec<_> =
            called().silent(openapi.routes()).into_iter().map(|(route, _)| route).collect();
        let route = |method: &str, path: &str| (method.to_owned(), path.to_owned());
        assert_eq!(silent, [route("DELETE", "/invoices/{id}"), route("POST", "/refunds")]);
    }

    #[test]
    #[should_panic(
        expected = "DELETE  /invoices/{id}                                2           1        0"
    )]
    fn the_table_shows_how_often_it_was_called() {
        called().assert_complete(&[("DELETE", "/invoices/{id}")]);
    }

    #[test]
    #[should_panic(expected = "no routes are given")]
    fn no_routes_are_not_covered() {
        called().assert_complete(&json!({"openapi": "3.1.0"}));
    }
}
