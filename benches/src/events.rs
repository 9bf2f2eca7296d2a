//! The events: the same in every run and on every side.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use audit_core::{
    Actor, Change, Log, NewEvent, OrganizationId, Scope, Sequence, Timestamp,
    backend::PreparedEvent,
};
use serde_json::json;
use uuid::Uuid;

use crate::Result;

/// The time of the first event: 2025-01-01T00:00Z, in microseconds.
const BEGIN: i64 = 1_735_689_600_000_000;
/// The time from one event to the next, in microseconds.
const STEP: i64 = 250_000;
const HOUR: u64 = 3_600_000_000;

const ACTORS: u64 = 1_000;
const MAX_TARGETS: u64 = 10_000;
const FAMILIES: [&str; 10] =
    ["user", "invoice", "project", "schedule", "report", "space", "role", "budget", "team", "key"];
const VERBS: [&str; 5] = ["updated", "viewed", "created", "exported", "deleted"];
const ENVIRONMENTS: [&str; 3] = ["production", "staging", "development"];
const SERVICES: [&str; 5] = ["accounts", "billing", "planner", "deployer", "gateway"];

/// Returns the log with this number.
pub(crate) fn log(number: u64) -> Log {
    Log::organization(OrganizationId::from_uuid(Uuid::from_u128(u128::from(number) + 1)))
}

/// Returns the approximate time of the event with this number.
pub(crate) fn time_of(number: u64) -> Timestamp {
    let elapsed = number.cast_signed().saturating_mul(STEP);
    Timestamp::from_micros(BEGIN.saturating_add(elapsed)).unwrap_or(Timestamp::MAX)
}

/// Returns the events with these numbers.
pub(crate) fn events(numbers: Range<u64>) -> Vec<NewEvent> {
    numbers.map(event).collect()
}

/// One event in sixteen has a product. Each product has half as many events as the one before.
const COMMONEST: u32 = 4;

/// Returns the product that about 20 of `events` events have, anywhere among them.
pub(crate) fn rare_product(events: u64) -> String {
    let rarity = (COMMONEST..63).min_by_key(|rarity| (events >> rarity).abs_diff(20));
    product(rarity.unwrap_or(COMMONEST))
}

fn product(rarity: u32) -> String {
    format!("product_{rarity}")
}

/// The order in which the events of a load arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// By time, except for the few that are late.
    InTime,
    /// The latest first.
    Backwards,
    /// In no order.
    Shuffled,
}

impl Arrival {
    /// Returns the number of the event that arrives at `index` among `count` events.
    pub(crate) fn number(self, index: u64, count: u64) -> u64 {
        match self {
            Self::InTime => index,
            Self::Backwards => count - 1 - index,
            Self::Shuffled => shuffled(index, count),
        }
    }
}

/// Writes the order as the end of a phrase.
impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InTime => "",
            Self::Backwards => ", the latest event first",
            Self::Shuffled => ", events in no order",
        })
    }
}

/// Permutes the numbers below `count` without a table: permutes the numbers of as many bits, and
/// repeats that until the result is below `count`.
fn shuffled(index: u64, count: u64) -> u64 {
    let bits = count.next_power_of_two().ilog2().max(1);
    let mask = (1 << bits) - 1;
    let mut number = index;
    loop {
        // Each step is invertible: an odd factor, and an exclusive or of upper bits into lower
        // ones.
        for factor in [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9] {
            number = number.wrapping_add(1).wrapping_mul(factor) & mask;
            number ^= number >> bits.div_ceil(2);
        }
        if number < count {
            return number;
        }
    }
}

/// Returns the event with this number. Times rise with the numbers, except that one event in fifty
/// is up to an hour late.
pub(crate) fn event(number: u64) -> NewEvent {
    let random = &mut Random(number);
    let late = if random.below(50) == 0 { random.below(HOUR) } else { 0 };
    let jitter = random.below(STEP.cast_unsigned());
    let time = time_of(number)
        .saturating_add(Duration::from_micros(jitter))
        .saturating_sub(Duration::from_micros(late));

    let family = random.skewed(&FAMILIES);
    let verb = random.skewed(&VERBS);
    // As in real logs, a few actors and targets have most of the events.
    let target = random.skewed_below(MAX_TARGETS);
    let id = format!("{family}_{target:05}");
    let status = random.skewed(&["paid", "closed"]);
    let mut event = NewEvent::new(format!("{family}.{verb}"), actor(random))
        .id(event_id(random, time))
        .occurred_at(time)
        .request("POST", format!("/v1/{id}"))
        .message(format!("{id} was {verb}"))
        .target(family, id)
        .scope(
            Scope::default()
                .service(random.skewed(&SERVICES))
                .environment(random.skewed(&ENVIRONMENTS)),
        )
        .change(Change::default().field("status", Some(json!("open")), Some(json!(status))))
        .metadata("region", random.skewed(&["eu-1", "us-2", "ap-1"]));
    if random.below(20) == 0 {
        event = event.change_set_id(Uuid::from_u128(u128::from(number / 100)));
    }
    let rarity = random.next().trailing_zeros() + 1;
    if rarity >= COMMONEST {
        event.scope = event.scope.product(product(rarity));
    }
    event
}

fn actor(random: &mut Random) -> Actor {
    let number = random.skewed_below(ACTORS);
    if number % 20 == 19 {
        return Actor::api(format!("key_{number:04}"));
    }
    Actor::user(format!("u_{number:04}"))
        .email(format!("person.{number:04}@example.com"))
        .ip(format!("10.0.{}.{}", number / 250, number % 250))
}

/// Returns a UUIDv7, so that ids rise with time like those of a service.
fn event_id(random: &mut Random, time: Timestamp) -> Uuid {
    let millis = u64::try_from(time.as_micros() / 1_000).unwrap_or_default();
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&random.next().to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

/// Returns the average size of a stored event in bytes.
pub(crate) fn stored_bytes() -> Result<f64> {
    const SAMPLE: u64 = 1_000;
    let mut bytes = 0;
    for event in events(0..SAMPLE) {
        let event = PreparedEvent::new(&event)?;
        let stored = event.into_stored(log(0), Sequence::new(SAMPLE)?, time_of(0));
        bytes += stored.record.len() + stored.personal.map_or(0, |part| part.bytes.len() + 16);
    }
    Ok(bytes as f64 / SAMPLE as f64)
}

/// `SplitMix64`: a short generator that returns the same numbers in every version.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Returns a number below `end`, which is at most 2^32. Small numbers are more frequent: it is
    /// the square of a uniform choice.
    fn skewed_below(&mut self, end: u64) -> u64 {
        let even = self.next() >> 32;
        (((even * even) >> 32) * end) >> 32
    }

    fn skewed<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let index = usize::try_from(self.skewed_below(of.len() as u64)).unwrap_or_default();
        of[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn events_are_the_same_each_time_and_valid_and_their_ids_differ() {
        let first = events(0..2_000);
        assert_eq!(first, events(0..2_000));
        assert!(first.iter().all(|event| event.validate().is_ok()));
        let ids: HashSet<_> = first.iter().map(|event| event.id).collect();
        let actions: HashSet<_> = first.iter().map(|event| &event.action).collect();
        assert_eq!((ids.len(), actions.len()), (2_000, 50));
        assert!(first.windows(2).any(|two| two[1].occurred_at < two[0].occurred_at));
    }

    #[test]
    fn a_rare_product_is_rare_at_each_size() {
        for count in [2_000, 20_000, 50_000] {
            let rare = Some(rare_product(count));
            let found = events(0..count).iter().filter(|event| event.scope.product == rare).count();
            assert!((8..40).contains(&found), "{found} of {count}");
        }
    }

    #[test]
    fn each_arrival_brings_every_event_once() {
        for arrival in [Arrival::InTime, Arrival::Backwards, Arrival::Shuffled] {
            for count in [1, 2, 7, 1_000, 1_024] {
                let mut numbers: Vec<_> = (0..count).map(|i| arrival.number(i, count)).collect();
                let rising = (0..count).zip(&numbers).filter(|(i, number)| i == *number).count();
                numbers.sort_unstable();
                assert_eq!(numbers, (0..count).collect::<Vec<_>>(), "{arrival:?}");
                assert!(arrival == Arrival::InTime || count < 1_000 || rising < 100);
            }
        }
    }
}
