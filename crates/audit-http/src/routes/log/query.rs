//! The parameters by which events are listed and followed.
#![allow(dead_code)] // the structures describe parameters; never constructed

use audit_core::openapi::TimeBound;
use audit_core::{Anchor, Error, ErrorKind, EventId, EventQuery, Filter, Log, Order, Sequence};
use utoipa::IntoParams;

use crate::paging::PAGE_BYTES;
use crate::params::{Params, malformed};
use crate::rejection::Rejection;

/// The conditions of a filter. Each may be repeated. Read by [`filter`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct FilterParams {
    /// The action, exact, or `prefix.*` for every action below a prefix.
    #[param(min_length = 1, pattern = r"^([^*]+|[^*]*\.\*)$")]
    action: Option<Vec<String>>,
    /// The category.
    #[param(min_length = 1)]
    category: Option<Vec<String>>,
    /// The actor's kind.
    #[param(min_length = 1)]
    actor_kind: Option<Vec<String>>,
    /// The actor's id.
    #[param(min_length = 1)]
    actor_id: Option<Vec<String>>,
    /// The actor's e-mail address, in any case.
    #[param(min_length = 1)]
    actor_email: Option<Vec<String>>,
    /// The actor's IP address, as recorded.
    #[param(min_length = 1)]
    actor_ip: Option<Vec<String>>,
    /// The id of an actor on whose behalf the actor acted, directly or in turn.
    #[param(min_length = 1)]
    on_behalf_of_id: Option<Vec<String>>,
    /// The session of the actor, or of an actor on whose behalf it acted.
    #[param(min_length = 1)]
    session_id: Option<Vec<String>>,
    /// An id that the actor, a target, or an actor on whose behalf the actor acted has.
    #[param(min_length = 1)]
    involving: Option<Vec<String>>,
    /// The result of the outcome.
    #[param(min_length = 1)]
    outcome: Option<Vec<String>>,
    /// The severity.
    #[param(min_length = 1)]
    severity: Option<Vec<String>>,
    /// The type and the id of one target: `type=id`.
    #[param(pattern = "=", min_length = 1)]
    target: Option<Vec<String>>,
    /// The type of a target. With `targetId`, one target has both.
    #[param(min_length = 1)]
    target_type: Option<Vec<String>>,
    /// The id of a target.
    #[param(min_length = 1)]
    target_id: Option<Vec<String>>,
    /// The organization that the event names, if not that of the log.
    #[param(min_length = 1)]
    named_organization_id: Option<Vec<String>>,
    /// The service.
    #[param(min_length = 1)]
    service: Option<Vec<String>>,
    /// The product.
    #[param(min_length = 1)]
    product: Option<Vec<String>>,
    /// The config.
    #[param(min_length = 1)]
    config: Option<Vec<String>>,
    /// The environment.
    #[param(min_length = 1)]
    environment: Option<Vec<String>>,
    /// The product surface.
    #[param(min_length = 1)]
    surface: Option<Vec<String>>,
    /// The change set.
    change_set_id: Option<Vec<uuid::Uuid>>,
    /// The id of the request.
    #[param(min_length = 1)]
    request_id: Option<Vec<String>>,
    /// The trace id: 32 hexadecimal digits.
    #[param(pattern = "^(?!0+$)[0-9a-fA-F]{32}$")]
    trace_id: Option<Vec<String>>,
    /// The foreign system that recorded the event first.
    #[param(min_length = 1)]
    source_system: Option<Vec<String>>,
    /// The foreign system and the id of the event there: `system=id`.
    #[param(pattern = "[^=]=", min_length = 1)]
    source: Option<Vec<String>>,
    /// The key and the value of an attribute: `key=value`.
    #[param(pattern = "[^=]=", min_length = 1)]
    attribute: Option<Vec<String>>,
    /// The earliest time of the events, inclusive.
    since: Option<TimeBound>,
    /// The latest time of the events, exclusive; as a date, the last day. After `since`.
    until: Option<TimeBound>,
}

/// The order and the bounds of a page. Read by [`list_query`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// The order: by the time of the events, or by sequence.
    #[param(inline)]
    order: Option<OrderParam>,
    /// The highest number of events in a page; 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// The number of events to skip on the first page. Ignored with a token.
    #[param(minimum = 0)]
    offset: Option<u64>,
    /// `true` to count the events that match.
    total: Option<bool>,
    /// The id or the sequence of an event: the first page is around it. Not with `offset`, and
    /// ignored with a token.
    around: Option<String>,
    /// The `next` or the `previous` of a page. Conditions and order must be the same; the limit may
    /// differ.
    #[param(max_length = 200)]
    token: Option<String>,
}

/// The order of a page.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum OrderParam {
    /// Latest first; the default.
    Newest,
    /// Earliest first.
    Oldest,
    /// The order in which the events were recorded.
    Sequence,
}

/// Takes the filter out of the parameters.
pub(super) fn filter(params: &mut Params) -> Result<Filter, Rejection> {
    Ok(Filter::from_parameters(params.take(Filter::is_parameter))?)
}

/// Takes the order out of the parameters.
pub(super) fn order(params: &mut Params) -> Result<Order, Rejection> {
    Ok(match params.one("order")?.as_deref() {
        None | Some("newest") => Order::NewestFirst,
        Some("oldest") => Order::OldestFirst,
        Some("sequence") => Order::Sequence,
        Some(_) => return Err(malformed("order", "newest, oldest or sequence")),
    })
}

/// Returns the query of a page, and the token of the previous page.
pub(super) fn list_query(
    log: Log,
    mut params: Params,
) -> Result<(EventQuery, Option<String>), Rejection> {
    let order = order(&mut params)?;
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
    query = match params.one("around")? {
        Some(_) if offset > 0 => {
            return Err(malformed("offset", "absent if `around` is given"));
        }
        Some(event) => query.around(anchor(&event)?),
        None => query.offset(offset),
    };
    let token = params.one("token")?;
    params.finish()?;
    Ok((query, token))
}

/// Reads an event's id or its sequence.
fn anchor(text: &str) -> Result<Anchor, Rejection> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let sequence = text.parse::<u64>().ok().filter(|_| digits);
    if let Some(sequence) = sequence.and_then(|number| Sequence::new(number).ok()) {
        return Ok(sequence.into());
    }
    let id = text.parse::<EventId>().ok().filter(|_| text.len() == 36);
    id.map(Into::into).ok_or_else(|| malformed("around", "a UUID or a sequence"))
}

/// Names the parameter with the token if a token is rejected.
pub(super) fn of_token(error: Error, name: &'static str) -> Rejection {
    match error.kind() {
        ErrorKind::InvalidToken | ErrorKind::HistoryChanged | ErrorKind::Gone => {
            error.with_field(name).into()
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::Facet;
    use utoipa::openapi::path::ParameterIn;

    #[test]
    fn every_facet_is_a_parameter() {
        let described: Vec<_> = FilterParams::into_params(|| Some(ParameterIn::Query))
            .into_iter()
            .map(|p| p.name)
            .collect();
        for facet in Facet::ALL {
            assert!(described.iter().any(|name| name == facet.name()), "{facet:?}");
        }
        assert_eq!(described.len(), Facet::ALL.len() + 2, "the facets, since and until");
    }
}
