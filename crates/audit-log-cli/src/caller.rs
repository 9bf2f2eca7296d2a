//! The actor of the events that the program causes.

use audit_core::{Actor, AuditContext, limits};

/// Returns the context of a change: the program, with the name of the operating system's user.
pub(crate) fn context() -> AuditContext {
    let actor = Actor::system().id("audit-cli");
    let user = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let user =
        user.into_iter().find(|user| !user.is_empty() && user.len() <= limits::MAX_TEXT_BYTES);
    AuditContext::new(match user {
        Some(user) => actor.name(user),
        None => actor,
    })
}
