//! The operation that the name of an action denotes, and whether its object is a user.

use super::class::Verb;

/// An action, taken apart: `user.role.assigned`, `iam.CreateUser`, `Add member to role`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ActionWords {
    pub(super) verb: Option<Verb>,
    /// Whether what is named is a user, or something that a user has.
    pub(super) is_of_user: bool,
}

/// The words that say how it went. The outcome of an event says that.
const OUTCOMES: [&str; 9] = [
    "attempt",
    "attempted",
    "completed",
    "denied",
    "failed",
    "failure",
    "rejected",
    "succeeded",
    "success",
];

const USERS: [&str; 4] = ["user", "users", "account", "accounts"];

impl ActionWords {
    pub(super) fn of(action: &str) -> Self {
        let segments: Vec<Vec<String>> = action
            .split(['.', ':', '/'])
            .map(words)
            .filter(|segment| !segment.is_empty())
            .collect();
        let Some((last, before)) = segments.split_last() else { return Self::default() };
        let all: Vec<&str> = segments.iter().flatten().map(String::as_str).collect();
        if verb(&last[0]).is_none()
            && let Some(verb) = sign_in_or_out(&all)
        {
            return Self { verb: Some(verb), is_of_user: false };
        }
        // First in `CreateUser`, last in `user.created`, and before in `user.invite.accepted`.
        let found = verb(&last[0])
            .or_else(|| verb(&last[last.len() - 1]))
            .or_else(|| all.iter().rev().find_map(|word| verb(word)));
        let named: Vec<&str> =
            last.iter().map(String::as_str).filter(|word| verb(word).is_none()).collect();
        let is_of_user = is_user(all[0]) || named.first().is_some_and(|word| is_user(word));
        let has = |wanted: &[&str]| all.iter().any(|word| wanted.contains(word));
        // Of `user.api_key.created`, the user is no new one.
        let is_part = match (named.as_slice(), before.last()) {
            ([], Some(before)) => !before.iter().all(|word| is_user(word)),
            (named, _) => !named.iter().all(|word| is_user(word)),
        };
        let verb = found.map(|verb| match verb {
            Verb::Update | Verb::Add if has(&["password"]) => Verb::ChangePassword,
            Verb::Reset if has(&["password"]) => Verb::ResetPassword,
            Verb::Reset => Verb::Update,
            Verb::Enable | Verb::Activate | Verb::Add if has(&["mfa", "2fa"]) => Verb::EnableMfa,
            Verb::Disable | Verb::Remove if has(&["mfa", "2fa"]) => Verb::DisableMfa,
            Verb::Add if has(&["role", "roles"]) => Verb::AssignRoles,
            Verb::Remove if has(&["role", "roles"]) => Verb::RemoveRoles,
            Verb::Create | Verb::Delete | Verb::Add | Verb::Remove if is_of_user && is_part => {
                Verb::Update
            }
            verb => verb,
        });
        Self { verb, is_of_user }
    }
}

fn is_user(word: &str) -> bool {
    USERS.contains(&word)
}

/// Splits at spaces, `_`, `-` and before capitals, and leaves out what says how it went.
fn words(segment: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut was_lower = false;
    for c in segment.chars().chain([' ']) {
        if !c.is_alphanumeric() || c.is_uppercase() && was_lower {
            if !word.is_empty() && !OUTCOMES.contains(&word.as_str()) && word != "lifecycle" {
                words.push(std::mem::take(&mut word));
            }
            word.clear();
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words
}

fn sign_in_or_out(all: &[&str]) -> Option<Verb> {
    if let Some(verb) = all.last().and_then(|word| sign(word)) {
        return Some(verb);
    }
    all.windows(2).last().and_then(|pair| match (pair[0], pair[1]) {
        ("log" | "sign" | "logged" | "signed", "in" | "on") | ("session", "start" | "started") => {
            Some(Verb::LogOn)
        }
        ("log" | "sign" | "logged" | "signed", "out" | "off")
        | ("session", "end" | "ended" | "expired") => Some(Verb::LogOff),
        (first, _) => sign(first),
    })
}

fn sign(word: &str) -> Option<Verb> {
    Some(match word {
        "login" | "logon" | "signin" | "authenticate" | "authenticated" | "authentication" => {
            Verb::LogOn
        }
        "logout" | "logoff" | "signout" | "signoff" => Verb::LogOff,
        _ => return None,
    })
}

fn verb(word: &str) -> Option<Verb> {
    Some(match word {
        "create" | "created" | "insert" | "inserted" | "register" | "registered" | "upload"
        | "uploaded" | "provision" | "provisioned" | "generate" | "generated" | "issue"
        | "issued" => Verb::Create,
        "read" | "get" | "list" | "listed" | "view" | "viewed" | "describe" | "search"
        | "searched" | "query" | "queried" | "download" | "downloaded" | "export" | "exported"
        | "access" | "accessed" | "lookup" | "fetch" | "fetched" => Verb::Read,
        "update" | "updated" | "change" | "changed" | "modify" | "modified" | "edit" | "edited"
        | "set" | "put" | "patch" | "patched" => Verb::Update,
        "delete" | "deleted" | "destroy" | "destroyed" | "erase" | "erased" | "purge"
        | "purged" | "revoke" | "revoked" => Verb::Delete,
        "add" | "added" | "assign" | "assigned" | "attach" | "attached" | "grant" | "granted" => {
            Verb::Add
        }
        "remove" | "removed" | "unassign" | "unassigned" | "detach" | "detached" => Verb::Remove,
        "move" | "moved" | "rename" | "renamed" | "transfer" | "transferred" => Verb::Move,
        "enroll" | "enrolled" => Verb::Enroll,
        "unenroll" | "unenrolled" => Verb::Unenroll,
        "enable" | "enabled" => Verb::Enable,
        "disable" | "disabled" => Verb::Disable,
        "activate" | "activated" => Verb::Activate,
        "deactivate" | "deactivated" => Verb::Deactivate,
        "suspend" | "suspended" => Verb::Suspend,
        "resume" | "resumed" | "unsuspend" | "unsuspended" => Verb::Resume,
        "lock" | "locked" => Verb::Lock,
        "unlock" | "unlocked" => Verb::Unlock,
        "reset" => Verb::Reset,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_says_what_it_does() {
        for (action, verb, is_of_user) in [
            ("invoice.created", Some(Verb::Create), false),
            ("invoice.paid", None, false),
            ("user.created", Some(Verb::Create), true),
            ("user.lifecycle.create", Some(Verb::Create), true),
            ("iam.CreateUser", Some(Verb::Create), true),
            ("iam.CreateLoginProfile", Some(Verb::Create), false),
            ("Add user", Some(Verb::Add), true),
            ("Add member to role.", Some(Verb::AssignRoles), false),
            ("user.api_key.created", Some(Verb::Update), true),
            ("user.password.changed", Some(Verb::ChangePassword), true),
            ("user.account.reset_password", Some(Verb::ResetPassword), true),
            ("user.mfa.enabled", Some(Verb::EnableMfa), true),
            ("user.role.assigned", Some(Verb::AssignRoles), true),
            ("team.member_added", Some(Verb::Add), false),
            ("user.login.failed", Some(Verb::LogOn), false),
            ("signin.ConsoleLogin", Some(Verb::LogOn), false),
            ("user.login.sso", Some(Verb::LogOn), false),
            ("user_logged_out", Some(Verb::LogOff), false),
            ("user.session.start", Some(Verb::LogOn), false),
            ("login_page.created", Some(Verb::Create), false),
            ("s3.GetObject", Some(Verb::Read), false),
            ("", None, false),
            ("..__", None, false),
            ("failed", None, false),
        ] {
            assert_eq!(ActionWords::of(action), ActionWords { verb, is_of_user }, "{action}");
        }
    }
}
