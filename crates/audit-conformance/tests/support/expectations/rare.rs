//! Mutations that show under a rare condition only: at a limit, in a large log, after a reopen.

use audit_core::tree::NodeHash;
use audit_core::{Facet, Filter, Log, Order, Sequence, Timestamp, Total};

use super::super::mutations::{Mutation, with_values};

const FIND_LAST: &[&str] = &["limits::find_the_last_value"];
const FIND_MOST: &[&str] = &["limits::find_the_last_of_the_most_values"];
const COMPARE_EVERY: &[&str] = &["redeliveries::compare_every_field"];
const COMPARE_LAST: &[&str] = &["redeliveries::compare_the_last_value"];
const ERASE_LAST: &[&str] = &["erasure_limits::reach_the_last_value"];
const LARGE: &[&str] = &["large_logs::are_read_exactly"];
const LARGE_REMOVAL: &[&str] = &["large_removals::are_exact"];
/// Not the property of any other query: a random filter seldom reads like another.
const ALIKE: &[&str] = &["tokens::of_a_filter_that_reads_alike_are_refused"];

pub(super) const MUTATIONS: &[(Mutation, &[&str])] = &[
    // The last value of a limit is not indexed.
    (Mutation::IndexesAs(|e| e.targets.truncate(255)), FIND_LAST),
    (Mutation::IndexesAs(|e| drop(e.attributes.remove("key_31"))), FIND_LAST),
    (Mutation::IndexesAs(|e| cut(&mut e.actor.id, 1_023)), FIND_LAST),
    (Mutation::IndexesAs(|e| cut(&mut e.category, 255)), FIND_LAST),
    (
        Mutation::IndexesAs(|e| {
            let principal = e.actor.on_behalf_of.as_deref_mut();
            let third = principal.and_then(|actor| actor.on_behalf_of.as_deref_mut());
            let third = third.and_then(|actor| actor.on_behalf_of.as_deref_mut());
            if let Some(third) = third {
                third.on_behalf_of = None;
            }
        }),
        FIND_LAST,
    ),
    (
        Mutation::AltersScans(|scan, _| {
            let is_shallow =
                |value: &str| !value.ends_with(".*") || value.matches('.').count() < 15;
            scan.filter = with_values(&scan.filter, |_, value| is_shallow(value));
        }),
        FIND_LAST,
    ),
    (
        Mutation::AltersScans(|scan, _| scan.filter = with_values(&scan.filter, |n, _| n < 99)),
        FIND_MOST,
    ),
    (
        Mutation::AltersScans(|scan, _| {
            let pairs = [Facet::TargetType, Facet::TargetId].map(|f| scan.filter.values(f).count());
            if pairs[0] * pairs[1] > 999 {
                scan.limit = 0;
            }
        }),
        FIND_MOST,
    ),
    // A field is not compared.
    (Mutation::ComparesAfter(|new, old| new.metadata.clone_from(&old.metadata)), COMPARE_EVERY),
    (Mutation::ComparesAfter(|new, old| new.trace = old.trace), COMPARE_EVERY),
    (Mutation::ComparesAfter(|new, old| new.outcome.clone_from(&old.outcome)), COMPARE_EVERY),
    (
        Mutation::ComparesAfter(|new, old| new.message.params.clone_from(&old.message.params)),
        COMPARE_EVERY,
    ),
    (
        Mutation::ComparesAfter(|new, old| new.change.truncated = old.change.truncated),
        COMPARE_EVERY,
    ),
    (Mutation::ComparesAfter(|new, old| new.source.clone_from(&old.source)), COMPARE_EVERY),
    (
        Mutation::ComparesAfter(|new, old| {
            new.actor.on_behalf_of.clone_from(&old.actor.on_behalf_of);
        }),
        &["redeliveries::compare_every_field", "redeliveries::compare_the_last_value"],
    ),
    (
        Mutation::ComparesAfter(|new, old| {
            if let (Some(new), Some(old)) = (new.targets.get_mut(255), old.targets.get(255)) {
                new.clone_from(old);
            }
        }),
        COMPARE_LAST,
    ),
    (
        Mutation::ComparesAfter(|new, old| {
            if let (Some(new), Some(old)) =
                (new.change.diff.get_mut(4_095), old.change.diff.get(4_095))
            {
                new.clone_from(old);
            }
        }),
        COMPARE_LAST,
    ),
    (
        Mutation::ComparesAfter(|new, old| {
            if new.location.as_ref().is_some_and(|text| text.len() > 65_535) {
                new.location.clone_from(&old.location);
            }
        }),
        COMPARE_LAST,
    ),
    // What is compared after an erasure, and what is erased.
    (
        Mutation::ComparesAfter(|new, old| new.request.path.clone_from(&old.request.path)),
        &["erased_redeliveries::compare_what_they_kept", "redeliveries::compare_every_field"],
    ),
    (
        Mutation::KeepsOfErased(|e, was| {
            if let (Some(target), Some(was)) = (e.targets.get_mut(255), was.targets.get(255)) {
                target.name.clone_from(&was.name);
            }
        }),
        ERASE_LAST,
    ),
    (
        Mutation::KeepsOfErased(|e, was| {
            let actors: Vec<_> = was.actor.chain().collect();
            let mut actor = Some(&mut e.actor);
            let mut depth = 0;
            while let Some(each) = actor {
                if depth == 4 {
                    each.details.clone_from(&actors[4].details);
                }
                depth += 1;
                actor = each.on_behalf_of.as_deref_mut();
            }
        }),
        ERASE_LAST,
    ),
    // In a large log.
    (
        Mutation::AltersResults(|_, _, result| {
            // The hash of another node where a tile is full.
            if result.bound.get() == 64 {
                result.end = result.end.map(|_| NodeHash::from_bytes([7; 32]));
            }
        }),
        &["scans::return_the_node_of_their_end"],
    ),
    (
        Mutation::AltersResults(|_, _, result| result.end = None),
        &["scans::return_the_node_of_their_end", "walks::are_snapshots"],
    ),
    (
        Mutation::AltersResults(|_, _, result| {
            result.total = result.total.map(|total| if total > 4_096 { total & !7 } else { total });
        }),
        LARGE,
    ),
    (
        Mutation::AltersResults(|scan, _, result| {
            result.more &= scan.filter.facets().count() < 3 || scan.after.is_none();
        }),
        LARGE,
    ),
    (
        Mutation::AltersScans(|scan, _| scan.offset &= 0xffff_ffff),
        &["totals::leave_out_exactly_the_offset", "large_logs::are_read_exactly"],
    ),
    (
        Mutation::AltersScans(|scan, seen| {
            if scan.bound.is_none() && seen.size > 4_096 {
                scan.bound = Sequence::new(seen.size & !7).ok();
            }
        }),
        LARGE,
    ),
    (
        Mutation::AltersResults(|scan, _, result| {
            if scan.filter.facets().next().is_some() {
                result.events.retain(|event| event.sequence.get() % 4_096 != 0);
            }
        }),
        LARGE,
    ),
    (
        Mutation::AltersScans(|scan, seen| {
            if scan.order == Order::Sequence && seen.size > 1_000 {
                scan.filter = timeless(&scan.filter);
            }
        }),
        LARGE,
    ),
    (
        Mutation::AltersResults(|scan, _, result| {
            let is_far = scan.after.is_some_and(|after| after.sequence.get() >= 8_191);
            if is_far && scan.order == Order::Sequence && !result.events.is_empty() {
                result.events.remove(0);
            }
        }),
        LARGE,
    ),
    (
        Mutation::AltersResults(|_, seen, result| {
            let early = Timestamp::from_nanos(-2_208_988_800_000_000_000);
            let is_early = |n: usize| seen.size > 9_999 && result.events[n].occurred_at < early;
            for n in (1..result.events.len()).filter(|n| is_early(*n)).collect::<Vec<_>>() {
                result.events.swap(n - 1, n);
            }
        }),
        LARGE,
    ),
    (
        Mutation::AltersNodes(|id, hash| match id.level {
            13 => NodeHash::from_bytes([7; 32]),
            _ => hash,
        }),
        LARGE,
    ),
    (Mutation::GetsUpTo(9_999), LARGE),
    (Mutation::EntriesSkipAfter(8_191), LARGE),
    (Mutation::ErasesUpTo(9_990), LARGE_REMOVAL),
    (
        Mutation::AltersScans(|scan, seen| {
            let is_reversed = scan.order == Order::SequenceReversed;
            if seen.floor > 0 && seen.size > 9_000 && is_reversed && scan.total == Total::Skip {
                scan.limit = scan.limit.min(1);
            }
        }),
        LARGE_REMOVAL,
    ),
    (
        Mutation::AltersResults(|_, seen, result| {
            if seen.opened > 1 && seen.size > 9_000 {
                result.total = result.total.map(|total| total.saturating_sub(1));
            }
        }),
        &["large_logs::are_read_exactly", "large_removals::are_exact"],
    ),
    // In the log of the platform only.
    (
        Mutation::AltersScans(|scan, _| {
            if scan.log == Log::Platform {
                scan.filter = timeless(&scan.filter);
            }
        }),
        LARGE,
    ),
    // Batches, waits, listings.
    (Mutation::AppendsInStepsOf(1_024), &["limits::keep_the_most_events_of_a_batch"]),
    (Mutation::AppendsInStepsOf(9_999), &["limits::keep_the_most_events_of_a_batch"]),
    (Mutation::RefusesBatchesOfBytes(64 << 20), &["limits::keep_the_most_bytes_of_a_batch"]),
    (Mutation::ErrorsForgetTheRule, &["limits::refuse_one_more_by_field"]),
    (Mutation::ListsLogsUpTo(999), &["limits::list_the_most_logs"]),
    (Mutation::MissesAppends, &["waits::miss_no_append"]),
    // One queue for all logs.
    (Mutation::LooksUpWhenOthersAreDone, &["neighbours::read_while_one_log_is_read"]),
    (Mutation::ReadsWhenOthersAreDone, &["neighbours::read_while_one_log_is_read"]),
    (Mutation::AppendsInTheOrderAsked, &["neighbours::append_while_one_log_grows"]),
    (Mutation::WaitsReturnOldHeads, &["waits::sleep_while_other_logs_grow"]),
    // One of two bounds.
    (
        Mutation::PrunesBy(|rule| {
            let mut by = rule;
            by.max_events = by.max_events.filter(|_| rule.max_age_seconds.is_none());
            by
        }),
        &["prunings::remove_events_over_the_count"],
    ),
    (
        Mutation::PrunesBy(|rule| {
            let mut by = rule;
            by.max_age_seconds = by.max_age_seconds.filter(|_| rule.max_events.is_none());
            by
        }),
        &["prunings::remove_events_over_the_age"],
    ),
    // Filters that read alike.
    (Mutation::BindsTokensTo(|query| query.replace("\", \"", "")), ALIKE),
    (Mutation::BindsTokensTo(|query| query.replace("\", \"", ",")), ALIKE),
    (
        Mutation::BindsTokensTo(|query| {
            let short =
                |values: &str| values.split("\", \"").take(99).collect::<Vec<_>>().join(",");
            query.split('}').map(short).collect()
        }),
        &["tokens::of_a_filter_that_reads_alike_are_refused"],
    ),
    (
        Mutation::BindsTokensTo(|query| {
            let end = query.find("audience").unwrap_or(query.len());
            query[..end].to_owned()
        }),
        &["tokens::of_any_other_query_are_refused", "tokens::of_another_endpoint_are_refused"],
    ),
];

fn cut(text: &mut Option<String>, bytes: usize) {
    if let Some(text) = text {
        text.truncate(bytes);
    }
}

/// Returns the filter without its time range.
fn timeless(filter: &Filter) -> Filter {
    let conditions = filter
        .facets()
        .flat_map(|facet| filter.values(facet).map(move |value| (facet, value.to_owned())));
    conditions.fold(Filter::new(), |filter, (facet, value)| filter.with(facet, value))
}
