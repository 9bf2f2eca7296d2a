//! The catalogue, and its check of an event.

use audit_core::{
    Action, ActionDefinition, Attempt, AuditAction, Error, FieldCount, FieldDefinition, NewEvent,
    Result, Target, Violation,
};

/// The attributes that the library itself adds to a service's events: attempts, and the spool.
pub(crate) const LIBRARY_ATTRIBUTES: [&str; 3] =
    [Attempt::ACTION_ATTRIBUTE, Attempt::BEGUN_ATTRIBUTE, "spool.conflict"];

/// The type of the target that `audit-tower` adds to the events that it records by itself.
pub(crate) const ROUTE: &str = "route";

/// The actions that a service records, and what their events state.
///
/// See the [crate](crate) for an example.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    definitions: Vec<&'static ActionDefinition>,
    /// Patterns of actions whose events may state anything.
    others: Vec<String>,
}

impl Catalogue {
    /// Returns a catalogue without actions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the catalogue of the actions `A`.
    pub fn of<A: AuditAction>() -> Self {
        Self::new().and::<A>()
    }

    /// Adds the actions `A`. An action that is in the catalogue already keeps its first definition, and
    /// [`duplicates`](Self::duplicates) returns it.
    #[must_use]
    pub fn and<A: AuditAction>(mut self) -> Self {
        self.definitions.extend(A::DEFINITIONS);
        self
    }

    /// Allows the events of other actions as they are: those of `pattern`, which is one action, `prefix.*`
    /// for all that begin with `prefix.`, or `*` for all.
    ///
    /// The events that `audit-tower` records by itself are `http.*`, unless the policy of their route names
    /// an action.
    #[must_use]
    pub fn allowing(mut self, pattern: impl Into<String>) -> Self {
        self.others.push(pattern.into());
        self
    }

    /// Returns the definitions, in the order in which they were added.
    pub fn definitions(&self) -> impl ExactSizeIterator<Item = &'static ActionDefinition> + '_ {
        self.definitions.iter().copied()
    }

    /// Returns the definition of the action `name`.
    pub fn get(&self, name: &str) -> Option<&'static ActionDefinition> {
        self.definitions().find(|definition| definition.name() == name)
    }

    /// Returns `true` if `action` is defined or allowed.
    pub fn has(&self, action: &Action) -> bool {
        self.get(action.as_str()).is_some() || self.allows(action.as_str())
    }

    /// Returns the actions that have several definitions.
    pub fn duplicates(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.definitions().map(ActionDefinition::name).collect();
        names.sort_unstable();
        let mut twice: Vec<_> =
            names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        twice.dedup();
        twice
    }

    /// Returns the action of an event: for the beginning of an [attempt](Attempt), that which is attempted.
    pub fn action_of(event: &NewEvent) -> Action {
        let attempted = || event.attributes.get(Attempt::ACTION_ATTRIBUTE).map(Action::from);
        let is_begun = event.action == Action::ATTEMPT_BEGUN;
        is_begun.then(attempted).flatten().unwrap_or_else(|| event.action.clone())
    }

    /// Checks that the action of `event` is in the catalogue, and that the event has the targets and
    /// attributes of its definition and no others.
    ///
    /// For events that do not pass through [`Strict`](crate::Strict), because they are recorded in the
    /// service's own transaction. The severity is not checked: an event may state its own. Targets of the
    /// type `route`, which `audit-tower` adds, and the attributes of attempts may always be there.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) with the field `action`, `targets[0].type`,
    /// `targets[invoice]` or `attributes.plan`.
    pub fn check(&self, event: &NewEvent) -> Result<()> {
        let action = Self::action_of(event);
        match self.get(action.as_str()) {
            Some(definition) => {
                check_targets(definition.targets(), &event.targets)?;
                check_attributes(definition.attributes(), event)
            }
            None if self.allows(action.as_str()) => Ok(()),
            None => Err(Error::malformed("action", "an action of the catalogue")),
        }
    }

    fn allows(&self, action: &str) -> bool {
        self.others.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => action.starts_with(prefix),
            None => action == pattern,
        })
    }
}

fn check_targets(definitions: &[FieldDefinition], targets: &[Target]) -> Result<()> {
    for (index, target) in targets.iter().enumerate() {
        let kind = target.kind.as_deref();
        let is_known = kind == Some(ROUTE)
            || definitions.iter().any(|definition| kind == Some(definition.name()));
        if !is_known {
            let expected = "the type of a target that the catalogue states for the action";
            return Err(Error::malformed(format!("targets[{index}].type"), expected));
        }
    }
    for definition in definitions {
        let of_kind = |target: &&Target| target.kind.as_deref() == Some(definition.name());
        let actual = targets.iter().filter(of_kind).count();
        let violation = match (definition.count(), actual) {
            (FieldCount::One, 0) => Violation::Missing,
            (FieldCount::One | FieldCount::Optional, 2..) => {
                Violation::TooMany { limit: 1, actual }
            }
            _ => continue,
        };
        return Err(Error::invalid(format!("targets[{}]", definition.name()), violation));
    }
    Ok(())
}

fn check_attributes(definitions: &[FieldDefinition], event: &NewEvent) -> Result<()> {
    let field = |key: &str| format!("attributes.{key}");
    for (key, _) in event.attributes.iter() {
        let is_known = LIBRARY_ATTRIBUTES.contains(&key)
            || definitions.iter().any(|definition| definition.name() == key);
        if !is_known {
            return Err(Error::invalid(field(key), Violation::UnknownField));
        }
    }
    let missing = definitions.iter().find(|definition| {
        definition.count() != FieldCount::Optional
            && event.attributes.get(definition.name()).is_none()
    });
    missing.map_or(Ok(()), |definition| {
        Err(Error::invalid(field(definition.name()), Violation::Missing))
    })
}
