//! The conditions under which events are listed and followed, as parameters.
#![allow(dead_code)] // the structures describe parameters and are never made

use audit_core::{EventQuery, Facet, Filter, Log, Order, Timestamp};
use utoipa::IntoParams;

use crate::fault::Fault;
use crate::params::{Params, malformed};
use crate::routes::PAGE_BYTES;

/// The conditions, each of which may be repeated. Read by [`filter`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct FilterParams {
    /// The action, exact, or `prefix.*` for every action below a prefix.
    action: Option<Vec<String>>,
    /// The category.
    category: Option<Vec<String>>,
    /// The actor's kind.
    actor_kind: Option<Vec<String>>,
    /// The actor's id.
    actor_id: Option<Vec<String>>,
    /// The actor's e-mail address, in any case.
    actor_email: Option<Vec<String>>,
    /// An id that the actor or a target has.
    involving: Option<Vec<String>>,
    /// The type and the id of one target: `type=id`.
    target: Option<Vec<String>>,
    /// The type of a target. With `targetId`, one and the same target has both.
    target_type: Option<Vec<String>>,
    /// The id of a target.
    target_id: Option<Vec<String>>,
    /// The organization that the event names, where that is not the log's own.
    named_organization_id: Option<Vec<String>>,
    /// The service.
    service: Option<Vec<String>>,
    /// The product.
    product: Option<Vec<String>>,
    /// The config.
    config: Option<Vec<String>>,
    /// The environment.
    environment: Option<Vec<String>>,
    /// The product surface.
    surface: Option<Vec<String>>,
    /// The change set.
    change_set_id: Option<Vec<uuid::Uuid>>,
    /// The first instant at which events occurred.
    since: Option<Timestamp>,
    /// The first instant that is no longer wanted.
    until: Option<Timestamp>,
}

/// How a page is cut. Read by [`list_query`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// By the time at which events occurred, or as the log took them in.
    #[param(inline)]
    order: Option<OrderParam>,
    /// The events of a page; 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// How many events to leave out of the first page. On a page by token it plays no part.
    #[param(minimum = 0)]
    offset: Option<u64>,
    /// Whether to count the events that match.
    total: Option<bool>,
    /// The `next` of the page before. Conditions and order must be the same; the limit may differ.
    #[param(max_length = 200)]
    token: Option<String>,
}

/// The order of a page.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
enum OrderParam {
    /// The latest first; unless given.
    Newest,
    /// The earliest first.
    Oldest,
    /// As the log took them in.
    Sequence,
}

/// The name of the parameter for a facet. In the path stands another `organizationId`.
fn parameter(facet: Facet) -> &'static str {
    match facet {
        Facet::Organization => "namedOrganizationId",
        other => other.name(),
    }
}

/// Takes the conditions out of the parameters.
pub(super) fn filter(params: &mut Params) -> Result<Filter, Fault> {
    let mut filter = Filter::new();
    for facet in Facet::ALL {
        for value in params.all(parameter(facet)) {
            let value = match facet {
                // Written in any case, but looked up in one.
                Facet::ChangeSet => match uuid::Uuid::try_parse(&value) {
                    Ok(id) if value.len() == 36 => id.hyphenated().to_string(),
                    _ => return Err(malformed(facet.name(), "a UUID")),
                },
                _ => value,
            };
            filter = filter.with(facet, value);
        }
    }
    if let Some(since) = params.time("since")? {
        filter = filter.since(since);
    }
    // A range that ends before it begins holds nothing.
    if let Some(until) = params.time("until")? {
        filter = filter.clone().until(until.max(filter.first_instant()));
    }
    Ok(filter)
}

/// The query of a page, and the token with which it goes on.
pub(super) fn list_query(
    log: Log,
    mut params: Params,
) -> Result<(EventQuery, Option<String>), Fault> {
    let order = match params.one("order")?.as_deref() {
        None | Some("newest") => Order::NewestFirst,
        Some("oldest") => Order::OldestFirst,
        Some("sequence") => Order::Sequence,
        Some(_) => return Err(malformed("order", "newest, oldest or sequence")),
    };
    let mut query = EventQuery::new(log)
        .filter(filter(&mut params)?)
        .order(order)
        .limit(params.limit(1_000, 100)?)
        .audience("events")
        .max_bytes(PAGE_BYTES);
    if params.flag("total")? {
        query = query.with_total();
    }
    let offset = params.number("offset", 0, i64::MAX.unsigned_abs(), 0)?;
    let token = params.one("token")?;
    params.finish()?;
    Ok((query.offset(offset), token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::openapi::path::ParameterIn;

    #[test]
    fn every_facet_is_a_parameter() {
        let described: Vec<_> = FilterParams::into_params(|| Some(ParameterIn::Query))
            .into_iter()
            .map(|p| p.name)
            .collect();
        for facet in Facet::ALL {
            assert!(described.iter().any(|name| name == parameter(facet)), "{facet:?}");
        }
        assert_eq!(described.len(), Facet::ALL.len() + 2, "the facets, since and until");
    }
}
