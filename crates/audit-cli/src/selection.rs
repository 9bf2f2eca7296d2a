//! Which events of which log.

use audit_core::{ChangeSetId, EventQuery, Facet, Filter, Log, Timestamp};
use clap::Args;

/// Which events of which log.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    #[command(flatten)]
    conditions: Conditions,
    /// Only events that occurred at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME", help_heading = HEADING, value_parser = Timestamp::parse_saturating)]
    since: Option<Timestamp>,
    /// Only events that occurred before this time (RFC 3339).
    #[arg(long, value_name = "TIME", help_heading = HEADING, value_parser = Timestamp::parse_saturating)]
    until: Option<Timestamp>,
}

const HEADING: &str = "Filters (all must hold; a repeated one holds with any of its values)";

/// Declares an option for each facet, so that a facet is named once.
macro_rules! conditions {
    ($($(#[$doc:meta])* $field:ident: $facet:ident, $type:ty;)*) => {
        #[derive(Debug, Default, Args)]
        struct Conditions {
            $($(#[$doc])* #[arg(long, help_heading = HEADING)] $field: Vec<$type>,)*
        }

        impl Conditions {
            /// The values that are given for each facet.
            fn all(&self) -> impl Iterator<Item = (Facet, Vec<String>)> {
                let texts = [$(self.$field.iter().map(ToString::to_string).collect()),*];
                [$(Facet::$facet),*].into_iter().zip(texts)
            }
        }
    };
}

conditions! {
    /// The action, exact, or `prefix.*` for all below it.
    action: Action, String;
    /// The category.
    category: Category, String;
    /// The actor's kind: user, api, service, system, support, unknown, or another.
    actor_kind: ActorKind, String;
    /// The actor's id.
    actor_id: ActorId, String;
    /// The actor's e-mail address, letter by letter.
    actor_email: ActorEmail, String;
    /// The type of a target. With --target-id, one target has both.
    target_type: TargetType, String;
    /// The id of a target.
    target_id: TargetId, String;
    /// The id of the organization that the event names, where it names one.
    organization_named: Organization, String;
    /// The service.
    service: Service, String;
    /// The product.
    product: Product, String;
    /// The config.
    config: Config, String;
    /// The environment.
    environment: Environment, String;
    /// The product surface.
    surface: Surface, String;
    /// The change set, a UUID.
    change_set: ChangeSet, ChangeSetId;
}

impl Selection {
    pub(crate) fn log(&self) -> Log {
        self.organization
    }

    /// The query for these events, newest first.
    pub(crate) fn query(&self) -> EventQuery {
        EventQuery::new(self.organization).filter(self.filter())
    }

    pub(crate) fn filter(&self) -> Filter {
        let mut filter = Filter::new();
        for (facet, values) in self.conditions.all() {
            for value in values {
                filter = filter.with(facet, value);
            }
        }
        if let Some(since) = self.since {
            filter = filter.since(since);
        }
        if let Some(until) = self.until {
            filter = filter.until(until);
        }
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_facet_has_an_option() {
        let facets: Vec<_> = Conditions::default().all().map(|(facet, _)| facet).collect();
        assert_eq!(facets, Facet::ALL);
    }
}
