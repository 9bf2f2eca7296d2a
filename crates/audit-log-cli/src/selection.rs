//! The options that select the events of a log.

use audit_core::{EventQuery, Facet, Filter, Log};
use clap::Args;

use crate::error::Result;

/// The options that select the events of a log.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    #[command(flatten)]
    conditions: Conditions,
    /// The earliest time of the events, inclusive: RFC 3339, or a date, which begins at midnight in UTC.
    #[arg(long, visible_alias = "from", value_name = "TIME", help_heading = HEADING)]
    since: Option<String>,
    /// The latest time of the events, exclusive: RFC 3339, or a date, whose whole day in UTC is included.
    #[arg(long, visible_alias = "to", value_name = "TIME", help_heading = HEADING)]
    until: Option<String>,
}

const HEADING: &str = "Filters (all must hold; a repeated one holds with any of its values)";

/// Declares an option for each facet, so that a facet is named once.
macro_rules! conditions {
    ($($(#[$meta:meta])* $field:ident: $facet:ident, $value:literal;)*) => {
        #[derive(Debug, Default, Args)]
        struct Conditions {
            $($(#[$meta])* #[arg(long, value_name = $value, help_heading = HEADING)]
            $field: Vec<String>,)*
        }

        impl Conditions {
            /// Returns the values given for each facet.
            fn all(&self) -> impl Iterator<Item = (Facet, &[String])> {
                [$((Facet::$facet, &*self.$field)),*].into_iter()
            }
        }
    };
}

conditions! {
    /// The action: exact, or `prefix.*` for every action that starts with `prefix.`.
    action: Action, "ACTION";
    /// The category.
    category: Category, "CATEGORY";
    /// The actor's kind: user, api, service, system, support, unknown, or another.
    actor_kind: ActorKind, "KIND";
    /// The actor's id.
    actor_id: ActorId, "ID";
    /// The actor's e-mail address, in any case.
    actor_email: ActorEmail, "EMAIL";
    /// The actor's IP address, as recorded.
    actor_ip: ActorIp, "ADDRESS";
    /// The id of an actor on whose behalf the actor acted, directly or in turn.
    #[arg(visible_alias = "on-behalf-of")]
    on_behalf_of_id: OnBehalfOf, "ID";
    /// The session of the actor, or of an actor on whose behalf it acted.
    #[arg(visible_alias = "session")]
    session_id: Session, "ID";
    /// An id that the actor, a target, or an actor on whose behalf the actor acted has.
    involving: Involving, "ID";
    /// The result of the outcome: success, failure, denied, unknown, or another.
    outcome: Outcome, "RESULT";
    /// The severity.
    severity: Severity, "SEVERITY";
    /// The type and the id of one target.
    target: Target, "TYPE=ID";
    /// The type of a target. With --target-id, one target has both.
    target_type: TargetType, "TYPE";
    /// The id of a target.
    target_id: TargetId, "ID";
    /// The id of the organization that the event names, if it names one.
    named_organization_id: Organization, "ID";
    /// The service.
    service: Service, "SERVICE";
    /// The product.
    product: Product, "PRODUCT";
    /// The config.
    config: Config, "CONFIG";
    /// The environment.
    environment: Environment, "ENVIRONMENT";
    /// The product surface.
    surface: Surface, "SURFACE";
    /// The change set, a UUID.
    change_set_id: ChangeSet, "UUID";
    /// The id of the request.
    request_id: Request, "ID";
    /// The trace id: 32 hexadecimal digits.
    #[arg(visible_alias = "trace")]
    trace_id: Trace, "ID";
    /// The foreign system that recorded the event first.
    source_system: SourceSystem, "SYSTEM";
    /// The foreign system and the id of the event there.
    source: Source, "SYSTEM=ID";
    /// The key and the value of an attribute.
    attribute: Attribute, "KEY=VALUE";
}

impl Selection {
    pub(crate) fn log(&self) -> Log {
        self.organization
    }

    /// Returns the query for the selected events, newest first.
    ///
    /// # Errors
    /// As [`Selection::filter`].
    pub(crate) fn query(&self) -> Result<EventQuery> {
        Ok(EventQuery::new(self.organization).filter(self.filter()?))
    }

    /// Returns the filter that the options describe, read by the same parser as query parameters.
    ///
    /// # Errors
    /// Fails if a value is empty, malformed, or one that no event can have.
    pub(crate) fn filter(&self) -> Result<Filter> {
        let conditions = self.conditions.all().flat_map(|(facet, values)| {
            values.iter().map(move |value| (facet.name(), value.as_str()))
        });
        let since = self.since.iter().map(|time| ("since", time.as_str()));
        let until = self.until.iter().map(|time| ("until", time.as_str()));
        Ok(Filter::from_parameters(conditions.chain(since).chain(until))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// A command with only these options.
    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        selection: Selection,
    }

    #[test]
    fn every_facet_has_an_option_of_its_name() {
        let conditions = Conditions::default();
        let facets: Vec<_> = conditions.all().map(|(facet, _)| facet).collect();
        assert_eq!(facets, Facet::ALL);
        let command = Command::command();
        let options: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_long()).collect();
        for facet in Facet::ALL {
            let kebab = |c: char| {
                let dash = c.is_ascii_uppercase().then_some('-');
                dash.into_iter().chain([c.to_ascii_lowercase()])
            };
            let name: String = facet.name().chars().flat_map(kebab).collect();
            assert!(options.contains(&&*name), "{name}");
        }
    }
}
