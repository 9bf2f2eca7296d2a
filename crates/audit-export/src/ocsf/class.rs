//! The event classes of OCSF that audit events belong to, and their activities.

/// An event class of OCSF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OcsfClass {
    /// Authentication (3002): a sign-in or a sign-out.
    Authentication,
    /// Entity Management (3004): a change of a group, a role, a policy, a key, an organization.
    EntityManagement,
    /// User Management (3007): a change of a user.
    UserManagement,
    /// API Activity (6003): anything else.
    ApiActivity,
}

/// The operation, in the vocabulary of all classes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Read,
    Update,
    Delete,
    /// Added to something, which changes that.
    Add,
    /// Removed from something.
    Remove,
    Move,
    Enroll,
    Unenroll,
    Enable,
    Disable,
    Activate,
    Deactivate,
    Suspend,
    Resume,
    Lock,
    Unlock,
    ChangePassword,
    ResetPassword,
    /// Set again, of a password or anything else.
    Reset,
    EnableMfa,
    DisableMfa,
    AssignRoles,
    RemoveRoles,
    LogOn,
    LogOff,
}

/// The number of an activity that has none: its name is the action.
pub(super) const OTHER: u8 = 99;

impl OcsfClass {
    /// Returns the number of the class, its `class_uid`.
    pub const fn uid(self) -> u32 {
        match self {
            Self::Authentication => 3002,
            Self::EntityManagement => 3004,
            Self::UserManagement => 3007,
            Self::ApiActivity => 6003,
        }
    }

    /// Returns the caption of the class, its `class_name`.
    pub const fn caption(self) -> &'static str {
        match self {
            Self::Authentication => "Authentication",
            Self::EntityManagement => "Entity Management",
            Self::UserManagement => "User Management",
            Self::ApiActivity => "API Activity",
        }
    }

    pub(super) const fn category(self) -> (u32, &'static str) {
        match self {
            Self::ApiActivity => (6, "Application Activity"),
            _ => (3, "Identity & Access Management"),
        }
    }

    /// Returns the number and the caption of an activity; `None` if the class has none for `verb`.
    pub(super) const fn activity(self, verb: Verb) -> Option<(u8, &'static str)> {
        Some(match (self, verb) {
            (Self::Authentication, Verb::LogOn) => (1, "Logon"),
            (Self::Authentication, Verb::LogOff) => (2, "Logoff"),
            (Self::ApiActivity, Verb::Create | Verb::Add) => (1, "Create"),
            (Self::ApiActivity, Verb::Read) => (2, "Read"),
            (
                Self::ApiActivity,
                Verb::Update | Verb::Reset | Verb::ChangePassword | Verb::ResetPassword,
            ) => (3, "Update"),
            (Self::ApiActivity, Verb::Delete | Verb::Remove) => (4, "Delete"),
            (Self::EntityManagement, verb) => return entity_activity(verb),
            (Self::UserManagement, verb) => return user_activity(verb),
            _ => return None,
        })
    }
}

const fn entity_activity(verb: Verb) -> Option<(u8, &'static str)> {
    Some(match verb {
        Verb::Create => (1, "Create"),
        Verb::Read => (2, "Read"),
        Verb::Update
        | Verb::Reset
        | Verb::Add
        | Verb::Remove
        | Verb::ChangePassword
        | Verb::ResetPassword
        | Verb::EnableMfa
        | Verb::DisableMfa
        | Verb::AssignRoles
        | Verb::RemoveRoles => (3, "Update"),
        Verb::Delete => (4, "Delete"),
        Verb::Move => (5, "Move"),
        Verb::Enroll => (6, "Enroll"),
        Verb::Unenroll => (7, "Unenroll"),
        Verb::Enable => (8, "Enable"),
        Verb::Disable => (9, "Disable"),
        Verb::Activate => (10, "Activate"),
        Verb::Deactivate => (11, "Deactivate"),
        Verb::Suspend => (12, "Suspend"),
        Verb::Resume => (13, "Resume"),
        Verb::Lock | Verb::Unlock | Verb::LogOn | Verb::LogOff => return None,
    })
}

const fn user_activity(verb: Verb) -> Option<(u8, &'static str)> {
    Some(match verb {
        Verb::Create | Verb::Add => (1, "Create"),
        Verb::Update | Verb::Reset => (2, "Update"),
        Verb::Delete | Verb::Remove => (3, "Delete"),
        Verb::Enable | Verb::Activate | Verb::Resume => (4, "Enable"),
        Verb::Disable | Verb::Deactivate | Verb::Suspend => (5, "Disable"),
        Verb::Lock => (6, "Lock"),
        Verb::Unlock => (7, "Unlock"),
        Verb::ChangePassword => (8, "Password Change"),
        Verb::ResetPassword => (9, "Password Reset"),
        Verb::EnableMfa => (12, "Enable MFA Factors"),
        Verb::DisableMfa => (13, "Disable MFA Factors"),
        Verb::AssignRoles => (16, "Assign Roles"),
        Verb::RemoveRoles => (17, "Remove Roles"),
        Verb::Read | Verb::Move | Verb::Enroll | Verb::Unenroll | Verb::LogOn | Verb::LogOff => {
            return None;
        }
    })
}
