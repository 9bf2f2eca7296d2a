//! The event of a request whose handler records nothing.

use audit_core::{Action, Outcome};

/// Returns `true` for a method that can change something: every one that HTTP does not call safe.
pub fn is_change(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// Returns the action of a request: `http.post` and so on.
pub fn action_of(method: &str) -> Action {
    Action::from_static(match method {
        "GET" => "http.get",
        "HEAD" => "http.head",
        "OPTIONS" => "http.options",
        "POST" => "http.post",
        "PUT" => "http.put",
        "PATCH" => "http.patch",
        "DELETE" => "http.delete",
        // Clients can invent methods; the event has the method itself in its request.
        _ => "http.other",
    })
}

/// Returns the outcome of a response: 2xx and 3xx are a success, 401 and 403 are denied, all others are a
/// failure. The status is the code of an outcome that is no success.
pub fn outcome_of(status: u16) -> Outcome {
    let outcome = match status {
        100..=399 => return Outcome::success(),
        401 | 403 => Outcome::denied(),
        _ => Outcome::failure(),
    };
    outcome.code(status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_follows_the_status() {
        for (status, result) in [
            (101, "success"),
            (204, "success"),
            (303, "success"),
            (400, "failure"),
            (401, "denied"),
            (403, "denied"),
            (404, "failure"),
            (500, "failure"),
            (999, "failure"),
        ] {
            let outcome = outcome_of(status);
            assert_eq!(outcome.result.as_str(), result);
            let code = (result != "success").then(|| status.to_string());
            assert_eq!(outcome.code, code);
        }
    }

    #[test]
    fn a_method_that_is_not_known_can_change_something() {
        let changes = ["POST", "PUT", "PATCH", "DELETE", "PURGE", "get"];
        assert!(changes.into_iter().all(is_change));
        assert!(!["GET", "HEAD", "OPTIONS", "TRACE"].into_iter().any(is_change));
        assert_eq!(action_of("PURGE").as_str(), "http.other");
    }
}
