//! The model: the answers that a store must give, computed from a plain list.

use audit_core::{
    AuditEvent, Change, Filter, Message, Order, OrganizationRef, Position, Scan, ScanResult,
    Sequence, Total,
};

/// The events of one log, by sequence, but for those that are pruned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) events: Vec<AuditEvent>,
    /// The last that is pruned.
    pub(crate) floor: Sequence,
}

impl Model {
    pub(crate) fn new(events: Vec<AuditEvent>) -> Self {
        Self { events, floor: Sequence::ZERO }
    }

    pub(crate) fn size(&self) -> Sequence {
        self.events.last().map_or(Sequence::ZERO, |last| last.sequence)
    }

    /// Returns the events up to `bound` that match, in order.
    pub(crate) fn select(&self, filter: &Filter, order: Order, bound: Sequence) -> Vec<AuditEvent> {
        let wanted = |event: &&AuditEvent| event.sequence <= bound && filter.matches(event);
        let mut events: Vec<_> = self.events.iter().filter(wanted).cloned().collect();
        events.sort_by(|a, b| order.compare(&Position::of(a), &Position::of(b)));
        events
    }

    /// Returns the whole log's events that match, in order.
    pub(crate) fn all(&self, filter: &Filter, order: Order) -> Vec<AuditEvent> {
        self.select(filter, order, self.size())
    }

    /// Returns the answer to `scan`, whose bound is within the log, without its end.
    pub(crate) fn answer(&self, scan: &Scan) -> ScanResult {
        let bound = scan.bound.unwrap_or(self.size());
        let events = self.select(&scan.filter, scan.order, bound);
        let total = (scan.total == Total::Exact).then_some(events.len() as u64);
        let is_after = |event: &AuditEvent| match &scan.after {
            Some(after) => scan.order.compare(&Position::of(event), after).is_gt(),
            None => true,
        };
        let offset = usize::try_from(scan.offset).unwrap_or(usize::MAX);
        let rest: Vec<_> = events.into_iter().filter(is_after).skip(offset).collect();
        let more = rest.len() > scan.limit;
        let events = rest.into_iter().take(scan.limit).collect();
        ScanResult::new(events, more, bound, None).total(total)
    }

    /// Erases the events that `wanted` selects, and returns how many had personal data.
    pub(crate) fn erase(&mut self, wanted: impl Fn(&AuditEvent) -> bool) -> u64 {
        let mut erased = 0;
        for event in self.events.iter_mut().filter(|event| !event.erased && wanted(event)) {
            *event = without_personal(event);
            erased += 1;
        }
        erased
    }

    /// Removes the events up to `floor`.
    pub(crate) fn prune(&mut self, floor: Sequence) {
        self.events.retain(|event| event.sequence > floor);
        self.floor = floor;
    }
}

/// Returns the event as it must be read once its personal data is erased.
pub(crate) fn without_personal(event: &AuditEvent) -> AuditEvent {
    let AuditEvent { log, sequence, recorded_at, clock_reading, by_store, .. } = *event;
    let mut content = event.clone().into_content();
    content.change = Change::default();
    content.message = Message::default();
    (content.location, content.reason) = (None, None);
    content.metadata.clear();
    let forget = |organization: &mut Option<OrganizationRef>| {
        if let Some(organization) = organization {
            organization.name = None;
        }
    };
    forget(&mut content.organization);
    let mut actor = Some(&mut content.actor);
    while let Some(each) = actor {
        (each.name, each.email, each.ip) = (None, None, None);
        (each.user_agent, each.details) = (None, None);
        forget(&mut each.organization);
        actor = each.on_behalf_of.as_deref_mut();
    }
    for target in &mut content.targets {
        target.name = None;
    }
    let mut event = AuditEvent::new(log, sequence, recorded_at, content);
    (event.clock_reading, event.by_store) = (clock_reading, by_store);
    event.erased = true;
    event
}
