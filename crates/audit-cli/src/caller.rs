//! Who runs the program, as the events of its changes name it.

use audit_core::{Actor, AuditContext, limits};

/// The program, on behalf of the operating system's user.
pub(crate) fn attribution() -> AuditContext {
    let actor = Actor::system().id("audit-cli");
    let user = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let user =
        user.into_iter().find(|user| !user.is_empty() && user.len() <= limits::MAX_TEXT_BYTES);
    AuditContext::new(match user {
        Some(user) => actor.name(user),
        None => actor,
    })
}
