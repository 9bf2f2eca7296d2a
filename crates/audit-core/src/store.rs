//! The trait that every backend implements.
//!
//! It is small: an append, a look-up, a scan, a wait; the tree that proves it; what may be
//! forgotten; and the organizations. What callers use day
//! to day (pages, tokens, feeds, streams) is built on it once, in
//! [`AuditStoreExt`](crate::AuditStoreExt), and what an append or a change of an organization
//! decides is worked out once, in [`Batch`](crate::Batch) and [`Organization`]; a backend only
//! keeps things, in order, durably.
//!
//! # A store in full
//!
//! This one keeps every event in a list and looks at each to answer a scan. It holds every promise
//! but speed and durability; the backends differ from it in how they keep and find, nothing else.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Mutex, MutexGuard};
//!
//! use async_trait::async_trait;
//! use audit_core::*;
//!
//! #[derive(Debug)]
//! struct ListStore {
//!     keys: TokenKeys,
//!     state: Mutex<State>,
//! }
//!
//! #[derive(Debug, Default)]
//! struct State {
//!     logs: BTreeMap<Log, LogState>,
//!     organizations: BTreeMap<OrganizationId, Option<Organization>>,
//! }
//!
//! #[derive(Clone, Debug, Default)]
//! struct LogState {
//!     head: Head,
//!     events: Vec<StoredEvent>,
//!     leaves: Vec<LeafHash>, // of every event, those that are pruned too
//!     frontier: Frontier,
//!     retention: Retention,
//! }
//!
//! impl LogState {
//!     fn opened(&self) -> Result<Vec<AuditEvent>> {
//!         self.events.iter().map(StoredEvent::open).collect()
//!     }
//!
//!     fn node(&self, level: u8, index: u64) -> Option<NodeHash> {
//!         let width = 1_usize.checked_shl(level.into())?;
//!         let first = width.checked_mul(index as usize)?;
//!         tree::subtree(self.leaves.get(first..first.checked_add(width)?)?)
//!     }
//! }
//!
//! impl State {
//!     fn log(&self, log: Log) -> LogState {
//!         self.logs.get(&log).cloned().unwrap_or_default()
//!     }
//!
//!     fn organization(&self, id: OrganizationId) -> Result<Organization> {
//!         let organization = self.organizations.get(&id).cloned().flatten();
//!         organization.ok_or_else(|| Error::not_found("organization"))
//!     }
//!
//!     fn append(&mut self, batch: Batch) -> Result<Vec<Receipt>> {
//!         let mut log = self.log(batch.log());
//!         let opened = log.opened()?;
//!         let find = |id| {
//!             let at = opened.iter().position(|event| event.id == id);
//!             Ok(at.map(|at| log.events[at].clone()))
//!         };
//!         let name = batch.log();
//!         let placement = batch.place(log.head, log.frontier.clone(), Timestamp::now(), find)?;
//!         (log.head, log.frontier) = (placement.head, placement.frontier);
//!         for event in placement.new {
//!             log.leaves.push(event.leaf);
//!             log.events.push(event.stored);
//!         }
//!         self.logs.insert(name, log);
//!         Ok(placement.receipts)
//!     }
//!
//!     /// Appends the event that tells of a change of a log.
//!     fn append_one(&mut self, log: Log, event: NewEvent) -> Result<()> {
//!         self.append(Batch::of_log(log, event)?).map(drop)
//!     }
//!
//!     fn tell(&mut self, id: OrganizationId, event: NewEvent) -> Result<()> {
//!         for batch in Organization::batches(id, event)? {
//!             self.append(batch)?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! impl ListStore {
//!     fn new() -> Result<Self> {
//!         let keys = TokenKeys::from_secret(TokenKeys::generate_secret()?);
//!         Ok(Self { keys, state: Mutex::default() })
//!     }
//!
//!     fn state(&self) -> MutexGuard<'_, State> {
//!         self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
//!     }
//! }
//!
//! #[async_trait]
//! impl AuditStore for ListStore {
//!     fn token_keys(&self) -> &TokenKeys {
//!         &self.keys
//!     }
//!
//!     async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
//!         let batch = Batch::new(log, events)?;
//!         self.state().append(batch)
//!     }
//!
//!     async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
//!         let found = self.state().log(log).opened()?.into_iter().find(|event| event.id == id);
//!         found.ok_or_else(|| Error::not_found("event"))
//!     }
//!
//!     async fn head(&self, log: Log) -> Result<Head> {
//!         Ok(self.state().log(log).head)
//!     }
//!
//!     async fn scan(&self, scan: Scan) -> Result<Slice> {
//!         let log = self.state().log(scan.log);
//!         let bound = scan.bound_within(log.head)?;
//!         let mut events = log.opened()?;
//!         events.retain(|event| event.sequence <= bound && scan.filter.matches(event));
//!         events.sort_by(|a, b| scan.order.compare(&Position::of(a), &Position::of(b)));
//!         let total = (scan.total == Total::Exact).then_some(events.len() as u64);
//!         events.retain(|event| {
//!             scan.after.is_none_or(|after| {
//!                 scan.order.compare(&Position::of(event), &after).is_gt()
//!             })
//!         });
//!         let mut events = events.split_off(events.len().min(scan.offset as usize));
//!         let fitting = scan.fitting(&events);
//!         let more = events.len() > fitting;
//!         events.truncate(fitting);
//!         Ok(Slice { events, more, total, bound })
//!     }
//!
//!     async fn wait_beyond(&self, log: Log, sequence: Sequence) -> Result<Head> {
//!         loop {
//!             let head = self.state().log(log).head;
//!             if head.size > sequence {
//!                 return Ok(head);
//!             }
//!             yield_now().await; // a real store sleeps until an append wakes it
//!         }
//!     }
//!
//!     async fn frontier(&self, log: Log) -> Result<Frontier> {
//!         Ok(self.state().log(log).frontier)
//!     }
//!
//!     async fn nodes(&self, log: Log, nodes: Vec<(u8, u64)>) -> Result<Vec<Option<NodeHash>>> {
//!         let log = self.state().log(log);
//!         Ok(nodes.into_iter().map(|(level, index)| log.node(level, index)).collect())
//!     }
//!
//!     async fn entries(
//!         &self,
//!         log: Log,
//!         after: Sequence,
//!         limit: usize,
//!         bytes: usize,
//!     ) -> Result<Vec<LogEntry>> {
//!         let log = self.state().log(log);
//!         let (mut read, mut size) = (Vec::new(), 0);
//!         for (sequence, event) in (log.head.pruned.get() + 1..).zip(log.events) {
//!             if read.len() == limit || (size > 0 && size >= bytes) {
//!                 break;
//!             }
//!             if sequence > after.get() {
//!                 size += event.size();
//!                 let leaf = log.leaves[sequence as usize - 1];
//!                 read.push(LogEntry { sequence: Sequence::new(sequence)?, leaf, event });
//!             }
//!         }
//!         Ok(read)
//!     }
//!
//!     async fn erase_events(
//!         &self,
//!         log: Log,
//!         sequences: Vec<Sequence>,
//!         by: Attribution,
//!     ) -> Result<u64> {
//!         limits::erased_events(sequences.len())?;
//!         let mut state = self.state();
//!         let mut after = state.log(log);
//!         after.retention.permits_removal()?;
//!         let mut erased = 0;
//!         for event in &mut after.events {
//!             if sequences.contains(&event.open()?.sequence) && event.personal.is_some() {
//!                 event.erase()?; // a store with an index takes the terms that it returns out of it
//!                 erased += 1;
//!             }
//!         }
//!         if erased > 0 {
//!             let told = Erasure::event(erased, by)?;
//!             state.logs.insert(log, after);
//!             state.append_one(log, told)?;
//!         }
//!         Ok(erased)
//!     }
//!
//!     async fn retention(&self, log: Log) -> Result<Retention> {
//!         Ok(self.state().log(log).retention)
//!     }
//!
//!     async fn set_retention(&self, log: Log, to: Retention, by: Attribution) -> Result<()> {
//!         to.validate()?;
//!         let mut state = self.state();
//!         let before = state.log(log).retention;
//!         if before != to {
//!             state.append_one(log, to.event(&before, by)?)?;
//!             state.logs.entry(log).or_default().retention = to;
//!         }
//!         Ok(())
//!     }
//!
//!     async fn prune(&self, log: Log, by: Attribution) -> Result<Pruned> {
//!         let mut state = self.state();
//!         let mut after = state.log(log);
//!         let (head, events) = (after.head, after.opened()?);
//!         let recorded_at = |sequence: Sequence| {
//!             Ok(events[(sequence.get() - head.pruned.get()) as usize - 1].recorded_at)
//!         };
//!         let floor = after.retention.floor(head, Timestamp::now(), recorded_at)?;
//!         let pruned = Pruned::new(head, floor);
//!         if pruned.events > 0 {
//!             let told = pruned.event(by)?;
//!             after.events.drain(..pruned.events as usize);
//!             after.head.pruned = floor;
//!             state.logs.insert(log, after);
//!             state.append_one(log, told)?;
//!         }
//!         Ok(pruned)
//!     }
//!
//!     async fn create_organization(
//!         &self,
//!         new: NewOrganization,
//!         by: Attribution,
//!     ) -> Result<Organization> {
//!         let (organization, event) = Organization::create(new, by)?;
//!         let mut state = self.state();
//!         if state.organizations.contains_key(&organization.id) {
//!             return Err(Error::new(ErrorKind::Conflict).with_field("id"));
//!         }
//!         state.tell(organization.id, event)?;
//!         state.organizations.insert(organization.id, Some(organization.clone()));
//!         Ok(organization)
//!     }
//!
//!     async fn organization(&self, id: OrganizationId) -> Result<Organization> {
//!         self.state().organization(id)
//!     }
//!
//!     async fn organizations(
//!         &self,
//!         after: Option<OrganizationId>,
//!         limit: usize,
//!     ) -> Result<Vec<Organization>> {
//!         limits::organizations_page(limit)?;
//!         let state = self.state();
//!         let present = state.organizations.values().flatten();
//!         Ok(present.filter(|o| after.is_none_or(|after| o.id > after)).take(limit).cloned().collect())
//!     }
//!
//!     async fn update_organization(
//!         &self,
//!         id: OrganizationId,
//!         update: OrganizationUpdate,
//!         by: Attribution,
//!     ) -> Result<Organization> {
//!         let mut state = self.state(); // held to the end, so that no update is lost
//!         let before = state.organization(id)?;
//!         let Some((after, event)) = before.update(update, by)? else { return Ok(before) };
//!         state.tell(id, event)?;
//!         state.organizations.insert(id, Some(after.clone()));
//!         Ok(after)
//!     }
//!
//!     async fn delete_organization(&self, id: OrganizationId, by: Attribution) -> Result<()> {
//!         let mut state = self.state();
//!         let event = state.organization(id)?.delete(by)?;
//!         state.tell(id, event)?;
//!         state.organizations.insert(id, None); // the id is not given again
//!         Ok(())
//!     }
//! }
//! # async fn yield_now() {
//! #     let mut yielded = false;
//! #     std::future::poll_fn(|context| {
//! #         if std::mem::replace(&mut yielded, true) {
//! #             return std::task::Poll::Ready(());
//! #         }
//! #         context.waker().wake_by_ref();
//! #         std::task::Poll::Pending
//! #     }).await
//! # }
//!
//! # futures_executor::block_on(async {
//! let store = ListStore::new()?;
//! let by = Attribution::new(Actor::user("u_1"));
//! let acme = store.create_organization(NewOrganization::new("Acme"), by).await?;
//! store.record(acme.id, NewEvent::new("user.login", Actor::user("u_1"))).await?;
//!
//! let query = Query::new(acme.id).filter(Filter::new().actor_id("u_1")).limit(1).with_total();
//! let page = store.page(&query).await?;
//! assert_eq!((page.events.len(), page.total), (1, Some(2)));
//! let last = store.next_page(&query, &page.next.unwrap()).await?;
//! assert_eq!(last.events[0].action, Action::ORGANIZATION_CREATED);
//! assert!(last.next.is_none());
//! # Ok::<(), Error>(())
//! # })?;
//! # Ok::<(), Error>(())
//! ```

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    Attribution, AuditEvent, Error, ErrorKind, EventId, Filter, Frontier, Head, Log, LogEntry,
    NewEvent, NewOrganization, NodeHash, Order, Organization, OrganizationId, OrganizationUpdate,
    Position, Pruned, Receipt, Result, Retention, Sequence, TokenKeys, Total,
};

/// A store of audit logs. Callers use it through [`AuditStoreExt`](crate::AuditStoreExt) as well.
///
/// The methods are the same on every backend, to the letter of their `# Behavior` lists, which the
/// conformance suite checks. Any of them can also fail with a kind that tells of the engine below:
/// [`Busy`](ErrorKind::Busy), [`StorageFull`](ErrorKind::StorageFull),
/// [`ReadOnly`](ErrorKind::ReadOnly), [`Corrupt`](ErrorKind::Corrupt),
/// [`Closed`](ErrorKind::Closed), [`Unavailable`](ErrorKind::Unavailable).
///
/// Dropping a future before it is ready is safe at any point: an append has then happened as a
/// whole or not at all, and appending the same events again tells which.
#[async_trait]
pub trait AuditStore: Debug + Send + Sync + 'static {
    /// The keys that sign this store's tokens.
    ///
    /// # Behavior
    /// - MUST be the same for every handle of the same store, and MUST outlive a restart if the
    ///   events do.
    fn token_keys(&self) -> &TokenKeys;

    /// Appends a batch of events to one log.
    ///
    /// # Behavior
    /// - MUST append all the events or none.
    /// - MUST return only when they are as durable as the backend promises.
    /// - MUST number them in the order given, without a gap, from the log's size on.
    /// - MUST make them visible in the order of their numbers: a reader never sees *n* before
    ///   *n* − 1.
    /// - MUST record a time that is not earlier than that of the event before.
    /// - MUST return one receipt for each event given, in that order.
    /// - MUST return the first receipt, marked as redelivered, for an event whose id the log holds
    ///   with the same content.
    /// - MUST fail with [`Conflict`](ErrorKind::Conflict), changing nothing, if the log holds an id
    ///   with other content. The same id in another log is another event.
    /// - MUST fail with [`Invalid`](ErrorKind::Invalid), changing nothing, if an event breaks a
    ///   [limit](crate::limits), or is one by which [only a log itself
    ///   tells](crate::Action::is_of_log).
    /// - MUST accept an empty batch and return no receipt.
    /// - MUST NOT require that an organization of the log's id exists.
    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>>;

    /// The event `id` of `log`.
    ///
    /// # Behavior
    /// - MUST fail with [`NotFound`](ErrorKind::NotFound) if the log does not hold it, whatever
    ///   another log holds.
    /// - MUST see every append that returned before the call.
    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent>;

    /// The end of `log`.
    ///
    /// # Behavior
    /// - MUST be the [default](Head::default) for a log without events.
    /// - MUST see every append that returned before the call.
    async fn head(&self, log: Log) -> Result<Head>;

    /// Reads a part of one log: what every page, total and feed is made of.
    ///
    /// With a `bound`, the answer depends on the arguments alone, whatever is appended meanwhile:
    /// but for what is erased, and pruned.
    ///
    /// # Behavior
    /// - MUST look at the first `bound` events of the log only, or, without a bound, at those that
    ///   the log has when the scan begins; MUST return which.
    /// - MUST fail with [`Behind`](ErrorKind::Behind) if the log is shorter than `bound`.
    /// - MUST fail with [`Gone`](ErrorKind::Gone) if the sequence of `after` is smaller than
    ///   [`Head::pruned`].
    /// - MUST return the events that [match](Filter::matches), in strict `order`, from behind
    ///   `after`, leaving out the first `offset` of them, at most `limit`.
    /// - MUST return no more once those returned have about `bytes` bytes or more, as stored or as
    ///   JSON; so the first is returned however large it is.
    /// - MUST say whether more match behind the last one returned.
    /// - MUST count, if asked, every event up to the bound that matches, whatever `after`, `offset`
    ///   and `limit` are.
    /// - MUST find the events through an index, not by reading the log.
    async fn scan(&self, scan: Scan) -> Result<Slice>;

    /// Waits until `log` holds an event after `sequence`.
    ///
    /// # Behavior
    /// - MUST return at once if it does.
    /// - MUST otherwise return soon after such an append, by whichever handle or process.
    async fn wait_beyond(&self, log: Log, sequence: Sequence) -> Result<Head>;

    /// The edge of the log's [tree](crate::tree), as of all its events.
    ///
    /// # Behavior
    /// - MUST be that of the records that the log was given, in order, those that retention has
    ///   removed included.
    /// - MUST see every append that returned before the call.
    async fn frontier(&self, log: Log) -> Result<Frontier>;

    /// Nodes of the log's [tree](crate::tree), each named by its level and its index: what proofs
    /// are made of.
    ///
    /// # Behavior
    /// - MUST return one entry for each node asked for, in that order.
    /// - MUST return the hash of every node that is complete and [needed](crate::tree::is_needed)
    ///   after [`Head::pruned`], and `None` for one that is not complete. One that is not needed
    ///   may be `None`.
    /// - MUST take a time for each that does not depend on the size of the log.
    async fn nodes(&self, log: Log, nodes: Vec<(u8, u64)>) -> Result<Vec<Option<NodeHash>>>;

    /// Events as they are kept, each beside its leaf, by sequence, from behind `after`: at most
    /// `limit`, and no more once those returned have `bytes` bytes, so that the first is returned
    /// however large it is.
    ///
    /// This is what verification reads. It is given what is there, under the numbers under which
    /// it is there, right or wrong.
    ///
    /// # Behavior
    /// - MUST return the very bytes that are kept, and MUST NOT refuse those that are no event.
    /// - MUST return the leaf that [`nodes`](Self::nodes) has, and MUST NOT make it of the record.
    /// - MUST leave out what retention has removed, and MUST NOT fail because `after` is below it.
    /// - MUST return nothing only if there is nothing behind `after`.
    async fn entries(
        &self,
        log: Log,
        after: Sequence,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<LogEntry>>;

    /// Erases the personal parts of the events of these numbers, at most
    /// [`BATCH_EVENTS`](crate::limits::BATCH_EVENTS), and returns how many had one. Callers use
    /// [`AuditStoreExt::erase`](crate::AuditStoreExt::erase).
    ///
    /// # Behavior
    /// - MUST erase the personal part and its salt, and leave the record as it is.
    /// - MUST append the [event of it](crate::Erasure::event) in the same transaction, if any had
    ///   one.
    /// - MUST, when it returns, keep nothing of what was erased, by this call or one before: not in
    ///   the index, not in a journal, not in pages that are free.
    /// - MUST pass over numbers that the log does not hold.
    /// - MUST fail with [`Held`](ErrorKind::Held), changing nothing, under a legal hold.
    /// - MUST fail with [`Invalid`](ErrorKind::Invalid) for too many numbers.
    async fn erase_events(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: Attribution,
    ) -> Result<u64>;

    /// What the log keeps, and for how long.
    ///
    /// # Behavior
    /// - MUST be the [default](Retention::default), which keeps everything, until it is set.
    async fn retention(&self, log: Log) -> Result<Retention>;

    /// Sets what the log keeps. Nothing is removed by this call.
    ///
    /// # Behavior
    /// - MUST set it, and append the [event of it](Retention::event) in the same transaction.
    /// - MUST append no event if nothing changes.
    /// - MUST fail with [`Invalid`](ErrorKind::Invalid) if a field breaks a bound.
    async fn set_retention(&self, log: Log, retention: Retention, by: Attribution) -> Result<()>;

    /// Removes the first events of the log, as far as its retention says.
    ///
    /// # Behavior
    /// - MUST remove the events up to [`Retention::floor`], and no other.
    /// - MUST say so in the [event of it](Pruned::event), appended in the transaction in which the
    ///   events become invisible: from then on no call finds one, and [`Head::pruned`] tells.
    /// - MUST append no event if there is nothing to remove.
    /// - MUST let appends go on meanwhile.
    /// - MUST finish what an earlier call was kept from.
    /// - MUST leave the [edge](Self::frontier), and the [nodes](Self::nodes) that are needed.
    /// - MUST fail with [`Held`](ErrorKind::Held), changing nothing, under a legal hold.
    async fn prune(&self, log: Log, by: Attribution) -> Result<Pruned>;

    /// Creates an organization.
    ///
    /// # Behavior
    /// - MUST create it, and append the event of its creation to its log and to the platform's, all
    ///   or nothing.
    /// - MUST fail with [`Conflict`](ErrorKind::Conflict) if the id has been given, even to an
    ///   organization that was deleted.
    /// - MUST fail with [`Invalid`](ErrorKind::Invalid) if a field breaks a limit.
    async fn create_organization(
        &self,
        new: NewOrganization,
        by: Attribution,
    ) -> Result<Organization>;

    /// The organization `id`.
    ///
    /// # Behavior
    /// - MUST fail with [`NotFound`](ErrorKind::NotFound) if it does not exist or was deleted.
    async fn organization(&self, id: OrganizationId) -> Result<Organization>;

    /// The organizations by ascending id, from behind `after`, at most `limit`.
    ///
    /// # Behavior
    /// - MUST leave out those that were deleted.
    /// - MUST fail with [`Invalid`](ErrorKind::Invalid) for a limit outside 1 to
    ///   [`ORGANIZATIONS_PAGE`](crate::limits::ORGANIZATIONS_PAGE).
    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>>;

    /// Changes an organization and returns it as it is then.
    ///
    /// # Behavior
    /// - MUST apply the update to the organization as it is, remove endpoints before it adds any,
    ///   and append the event of the change to its log and to the platform's, all or nothing; of
    ///   two updates at once, neither is lost.
    /// - MUST append no event, and leave `updated_at`, if nothing changes.
    /// - MUST fail with [`NotFound`](ErrorKind::NotFound) if it does not exist or was deleted, and
    ///   with [`Invalid`](ErrorKind::Invalid) if a field breaks a limit.
    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: Attribution,
    ) -> Result<Organization>;

    /// Deletes an organization. Its events stay.
    ///
    /// # Behavior
    /// - MUST delete it, and append the event of its deletion to its log and to the platform's, all
    ///   or nothing.
    /// - MUST fail with [`NotFound`](ErrorKind::NotFound) if it does not exist or was deleted.
    async fn delete_organization(&self, id: OrganizationId, by: Attribution) -> Result<()>;
}

/// What [`AuditStore::scan`] is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The log.
    pub log: Log,
    /// Which events.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Begin behind this place, which need not be that of an event that matches.
    pub after: Option<Position>,
    /// Look at the first so many events of the log only.
    pub bound: Option<Sequence>,
    /// Leave out so many of the events that match.
    pub offset: u64,
    /// Return at most so many.
    pub limit: usize,
    /// Return no more once those returned have so many bytes, as JSON.
    pub bytes: usize,
    /// Whether to count those that match.
    pub total: Total,
}

/// How many bytes `event` has as JSON.
fn bytes_of(event: &AuditEvent) -> usize {
    /// Counts what is written.
    struct Count(usize);

    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    // Neither the count nor an event can fail.
    let _ = serde_json::to_writer(&mut count, event);
    count.0
}

impl Scan {
    /// How many of `events`, which match behind the offset, in order, fit a slice.
    pub fn fitting(&self, events: &[AuditEvent]) -> usize {
        let mut bytes = 0;
        let fit = events.iter().take(self.limit).take_while(|event| {
            let fits = bytes == 0 || bytes < self.bytes;
            bytes += bytes_of(event);
            fits
        });
        fit.count()
    }

    /// The bound to scan to in a log that ends at `head`.
    ///
    /// # Errors
    /// [`ErrorKind::Behind`] if the scan's bound is beyond it, [`ErrorKind::Gone`] if the scan
    /// goes on from an event that retention has removed together with the next.
    pub fn bound_within(&self, head: Head) -> Result<Sequence> {
        if self.after.is_some_and(|after| after.sequence < head.pruned) {
            return Err(Error::new(ErrorKind::Gone));
        }
        match self.bound {
            Some(bound) if bound > head.size => Err(Error::new(ErrorKind::Behind)),
            Some(bound) => Ok(bound),
            None => Ok(head.size),
        }
    }
}

/// What [`AuditStore::scan`] read.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// The events, in order.
    pub events: Vec<AuditEvent>,
    /// Whether more match behind the last.
    pub more: bool,
    /// How many match, if the scan asked.
    pub total: Option<u64>,
    /// The size of the log to which the scan looked.
    pub bound: Sequence,
}
