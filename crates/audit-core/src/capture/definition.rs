//! The definition of an action: what its events state, as the code that records them says it.

use crate::{Action, NewEvent, Severity};

/// The actions of a service as an enum, each with what its events state. Derived by the crate
/// `audit-derive`.
///
/// A value is an action with its targets and attributes, so that an event that lacks one of them does
/// not compile. It is accepted wherever the name of an action is: see [`IntoEvent`](crate::IntoEvent).
/// The crate `audit-catalogue` makes a page, JSON schemas and checks of the definitions.
///
/// ```
/// use audit_core::{ActionDefinition, Actor, AuditAction, FieldDefinition, NewEvent, Target};
///
/// // `#[derive(AuditAction)]` generates this.
/// enum Billing {
///     Paid { invoice: u64 },
/// }
///
/// impl AuditAction for Billing {
///     const DEFINITIONS: &'static [ActionDefinition] = &[
///         ActionDefinition::new("invoice.paid", "An invoice was paid")
///             .with_targets(&[FieldDefinition::new("invoice")]),
///     ];
///
///     fn definition(&self) -> &'static ActionDefinition {
///         &Self::DEFINITIONS[0]
///     }
///
///     fn describe(self, event: NewEvent) -> NewEvent {
///         let Self::Paid { invoice } = self;
///         event.target("invoice", invoice.to_string())
///     }
/// }
///
/// assert_eq!(Billing::Paid { invoice: 9 }.definition().name(), "invoice.paid");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a catalogue of actions",
    note = "derive `audit_derive::AuditAction` for an enum of them"
)]
pub trait AuditAction: Sized {
    /// The definitions of all actions, in the order of the enum.
    const DEFINITIONS: &'static [ActionDefinition];

    /// Returns the definition of this action.
    fn definition(&self) -> &'static ActionDefinition;

    /// Returns the event with the targets and attributes of this action.
    fn describe(self, event: NewEvent) -> NewEvent;
}

/// The definition of an action: the targets and attributes of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionDefinition {
    name: &'static str,
    summary: &'static str,
    severity: Option<&'static str>,
    since: Option<&'static str>,
    version: u32,
    ocsf_class: Option<u32>,
    targets: &'static [FieldDefinition],
    attributes: &'static [FieldDefinition],
}

/// A type of target, or an attribute, that the events of an action have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDefinition {
    name: &'static str,
    summary: Option<&'static str>,
    count: FieldCount,
}

/// How often an event has a target of a type, or an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldCount {
    /// Once.
    One,
    /// Once or not at all.
    Optional,
    /// Any number of times, also none. Only for targets.
    Many,
}

impl ActionDefinition {
    /// Returns the definition of the action `name`, whose events have no targets and no attributes.
    pub const fn new(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            severity: None,
            since: None,
            version: 1,
            ocsf_class: None,
            targets: &[],
            attributes: &[],
        }
    }

    /// Sets the severity that events have unless they state another.
    #[must_use]
    pub const fn with_severity(mut self, severity: &'static str) -> Self {
        self.severity = Some(severity);
        self
    }

    /// Sets the version of the service that first recorded the action.
    #[must_use]
    pub const fn with_since(mut self, since: &'static str) -> Self {
        self.since = Some(since);
        self
    }

    /// Sets the version of the definition itself. Default: 1.
    #[must_use]
    pub const fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Sets the class of the events in OCSF (`class_uid`): 6003 for API activity.
    #[must_use]
    pub const fn with_ocsf_class(mut self, class: u32) -> Self {
        self.ocsf_class = Some(class);
        self
    }

    /// Sets the types of the targets.
    #[must_use]
    pub const fn with_targets(mut self, targets: &'static [FieldDefinition]) -> Self {
        self.targets = targets;
        self
    }

    /// Sets the attributes.
    #[must_use]
    pub const fn with_attributes(mut self, attributes: &'static [FieldDefinition]) -> Self {
        self.attributes = attributes;
        self
    }

    /// Returns the name of the action: `invoice.paid`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the action.
    pub const fn action(&self) -> Action {
        Action::from_static(self.name)
    }

    /// Returns the meaning of the action, in a sentence.
    pub const fn summary(&self) -> &'static str {
        self.summary
    }

    /// Returns the severity that events have unless they state another.
    pub fn severity(&self) -> Option<Severity> {
        self.severity.map(Severity::from)
    }

    /// Returns the version of the service that first recorded the action.
    pub const fn since(&self) -> Option<&'static str> {
        self.since
    }

    /// Returns the version of the definition.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Returns the class of the events in OCSF (`class_uid`).
    pub const fn ocsf_class(&self) -> Option<u32> {
        self.ocsf_class
    }

    /// Returns the types of the targets.
    pub const fn targets(&self) -> &'static [FieldDefinition] {
        self.targets
    }

    /// Returns the attributes.
    pub const fn attributes(&self) -> &'static [FieldDefinition] {
        self.attributes
    }
}

impl FieldDefinition {
    /// Returns the definition of a target of the type `name`, or of the attribute `name`, which each
    /// event has once.
    pub const fn new(name: &'static str) -> Self {
        Self { name, summary: None, count: FieldCount::One }
    }

    /// Sets how often an event has it.
    #[must_use]
    pub const fn with_count(mut self, count: FieldCount) -> Self {
        self.count = count;
        self
    }

    /// Sets the meaning.
    #[must_use]
    pub const fn with_summary(mut self, summary: &'static str) -> Self {
        self.summary = Some(summary);
        self
    }

    /// Returns the type of the target, or the key of the attribute.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the meaning.
    pub const fn summary(&self) -> Option<&'static str> {
        self.summary
    }

    /// Returns how often an event has it.
    pub const fn count(&self) -> FieldCount {
        self.count
    }
}
