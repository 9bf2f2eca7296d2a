//! A segment: the index of a run of a log's events, written once, and changed by erasure alone.
//!
//! Within a segment an event has a *rank*, its place by time, and an *offset*, its place by
//! sequence. For each term there is a list of ranks. A table tells, for each rank, the event's time
//! and offset, and for each offset the rank. So all conditions are met with ranks, in memory, and a
//! walk goes through a segment in either order.
//!
//! A segment is kept in parts, each a row: the table, then the buckets, then the lists that are too
//! long for a bucket. A term's bucket is told by the first bits of its key.

use std::collections::BTreeMap;

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Position, Result, Sequence, Timestamp};
use roaring::RoaringBitmap;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use crate::error::{damaged as damaged_row, sqlite};
use crate::list::{self, damaged, read_varint, take, take_array, write_varint};
use crate::tail::Entry;
use crate::terms::TermKey;

/// What the directory tells of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    id: i64,
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
    earliest: Timestamp,
    latest: Timestamp,
    /// The number of buckets is two to this power.
    bucket_bits: u32,
}

/// Events to a row of the table: with 16 bytes each they fill a page.
const TABLE_ROW: u32 = 250;
const TABLE_ENTRY: usize = 16;
/// About how many bytes a bucket has.
const BUCKET_BYTES: usize = 2_500;
/// A longer list gets a row of its own.
const INLINE_BYTES: usize = 1_024;
/// No segment has more events, or buckets: what tells otherwise is damaged.
const MOST_EVENTS: u64 = 1 << 22;
const MOST_BUCKET_BITS: u32 = 20;
/// The bits of a part's number that tell its place in its segment.
const PART_BITS: u32 = 24;

/// The statement that reads the segments of a log, the last first.
pub(crate) const DIRECTORY: &str =
    "SELECT id, first, last, earliest, latest, bucket_bits FROM audit_segment
     WHERE log = ?1 ORDER BY first DESC";
/// The statement that finds the number of the last segment of the file.
pub(crate) const LAST_ID: &str = "SELECT id FROM audit_segment ORDER BY id DESC LIMIT 1";
/// The statement that reads a part of a segment.
pub(crate) const READ_PART: &str = "SELECT data FROM audit_part WHERE id = ?1";
/// The statement that removes a segment from the directory.
pub(crate) const DELETE_SEGMENT: &str = "DELETE FROM audit_segment WHERE id = ?1";
/// The statement that removes the parts of a segment.
pub(crate) const DELETE_PARTS: &str = "DELETE FROM audit_part WHERE id BETWEEN ?1 AND ?2";

/// The segments of a log, the last first.
pub(crate) fn directory(connection: &Connection, log: i64) -> Result<Vec<Segment>> {
    let query = || {
        let mut statement = connection.prepare_cached(DIRECTORY)?;
        let rows = statement.query_map([log], |row| Ok(Segment::of_row(row)))?;
        rows.collect::<rusqlite::Result<Result<Vec<_>>>>()
    };
    query().map_err(sqlite("reading the index"))?
}

impl Segment {
    fn of_row(row: &Row<'_>) -> Result<Self> {
        let get = |at| row.get::<_, i64>(at).map_err(sqlite("reading the index"));
        let time = |at| Timestamp::from_micros(get(at)?).map_err(damaged_row);
        let sequence = |at| Sequence::try_from(get(at)?).map_err(damaged_row);
        let segment = Self {
            id: get(0)?,
            first: sequence(1)?,
            last: sequence(2)?,
            earliest: time(3)?,
            latest: time(4)?,
            bucket_bits: u32::try_from(get(5)?).map_err(|_| damaged())?,
        };
        match segment.last.get().checked_sub(segment.first.get()) {
            Some(span) if span < MOST_EVENTS && segment.bucket_bits <= MOST_BUCKET_BITS => {
                Ok(segment)
            }
            _ => Err(damaged()),
        }
    }

    /// How many events it has.
    pub(crate) fn len(&self) -> u32 {
        // Within MOST_EVENTS, so that it fits.
        u32::try_from(self.last.get() - self.first.get() + 1).unwrap_or(u32::MAX)
    }

    /// How large it is, in events of the usual size: what counts when segments are merged, so that
    /// a merge is bounded in bytes, too.
    pub(crate) fn weight(&self) -> u64 {
        const USUAL_BYTES: u64 = 128;
        let bytes = (BUCKET_BYTES as u64) << self.bucket_bits;
        u64::from(self.len()).max(bytes / USUAL_BYTES)
    }

    /// Where a walk by time in `order` first meets it, at the earliest.
    pub(crate) fn edge(&self, order: Order) -> Position {
        match order {
            Order::NewestFirst => Position { occurred_at: self.latest, sequence: self.last },
            _ => Position { occurred_at: self.earliest, sequence: self.first },
        }
    }

    /// Whether it can hold events that `lookup` wants.
    pub(crate) fn is_within(&self, lookup: &IndexQuery) -> bool {
        let (low, high) = lookup.span();
        self.last > lookup.first_after()
            && self.first <= lookup.bound
            && self.latest >= low.occurred_at
            && self.earliest <= high.occurred_at
    }

    fn table_rows(&self) -> u32 {
        self.len().div_ceil(TABLE_ROW)
    }

    fn part(&self, number: u32) -> i64 {
        self.id << PART_BITS | i64::from(number)
    }

    fn bucket_of(&self, key: &TermKey) -> u32 {
        self.table_rows() + bucket(key, self.bucket_bits)
    }
}

/// The bucket of a key, which its first bits tell.
fn bucket(key: &TermKey, bits: u32) -> u32 {
    let [a, b, c, d, ..] = *key;
    u32::from_be_bytes([a, b, c, d]).checked_shr(u32::BITS - bits).unwrap_or(0)
}

/// Reads segments.
pub(crate) struct Parts<'c> {
    statement: CachedStatement<'c>,
    /// The row of a table that was read last.
    row: (i64, Vec<u8>),
}

/// What a table tells at one place.
struct TableEntry {
    /// The event of that rank.
    position: Position,
    /// The rank of the event of that offset.
    rank_of_offset: u32,
}

impl<'c> Parts<'c> {
    pub(crate) fn open(connection: &'c Connection) -> Result<Self> {
        let statement =
            connection.prepare_cached(READ_PART).map_err(sqlite("reading the index"))?;
        Ok(Self { statement, row: (0, Vec::new()) })
    }

    fn read<T>(&mut self, part: i64, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        const CONTEXT: &str = "reading the index";
        let mut rows = self.statement.query([part]).map_err(sqlite(CONTEXT))?;
        let row = rows.next().map_err(sqlite(CONTEXT))?.ok_or_else(damaged)?;
        read(row.get_ref(0).map_err(sqlite(CONTEXT))?.as_blob().map_err(|_| damaged())?)
    }

    fn entry(&mut self, segment: &Segment, at: u32) -> Result<TableEntry> {
        let part = segment.part(at / TABLE_ROW);
        if self.row.0 != part {
            let mut row = std::mem::take(&mut self.row.1);
            row.clear();
            row = self.read(part, move |data| {
                row.extend(data);
                Ok(row)
            })?;
            self.row = (part, row);
        }
        let begin = (at % TABLE_ROW) as usize * TABLE_ENTRY;
        let mut bytes = self.row.1.get(begin..).ok_or_else(damaged)?;
        let occurred_at = i64::from_be_bytes(take_array(&mut bytes)?);
        let offset = u32::from_be_bytes(take_array(&mut bytes)?);
        let rank_of_offset = u32::from_be_bytes(take_array(&mut bytes)?);
        if offset >= segment.len() || rank_of_offset >= segment.len() {
            return Err(damaged());
        }
        let position = Position {
            occurred_at: Timestamp::from_micros(occurred_at).map_err(damaged_row)?,
            sequence: sequence_at(segment, offset)?,
        };
        Ok(TableEntry { position, rank_of_offset })
    }

    /// The event of that rank.
    pub(crate) fn position(&mut self, segment: &Segment, rank: u32) -> Result<Position> {
        Ok(self.entry(segment, rank)?.position)
    }

    /// The rank of the event of that sequence.
    pub(crate) fn rank(&mut self, segment: &Segment, sequence: Sequence) -> Result<u32> {
        let offset = sequence.get().checked_sub(segment.first.get()).ok_or_else(damaged)?;
        let offset = u32::try_from(offset).map_err(|_| damaged())?;
        Ok(self.entry(segment, offset)?.rank_of_offset)
    }

    /// How many events come before `position` by time.
    fn ranks_before(&mut self, segment: &Segment, position: Position) -> Result<u32> {
        let (mut low, mut high) = (0, segment.len());
        while low < high {
            let middle = low.midpoint(high);
            let found = self.position(segment, middle)?;
            if Order::OldestFirst.compare(&found, &position).is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The ranks between the places by time of `lookup`.
    fn ranks_within(
        &mut self,
        segment: &Segment,
        lookup: &IndexQuery,
    ) -> Result<std::ops::Range<u32>> {
        let (low, high) = lookup.span();
        let by_time = |a: &Position, b: &Position| Order::OldestFirst.compare(a, b);
        let begin = if by_time(&segment.edge(Order::OldestFirst), &low).is_ge() {
            0
        } else {
            self.ranks_before(segment, low)?
        };
        let end = if by_time(&segment.edge(Order::NewestFirst), &high).is_le() {
            segment.len()
        } else {
            let behind = Position { sequence: high.sequence.next(), ..high };
            self.ranks_before(segment, behind)?
        };
        Ok(begin..end)
    }

    /// The ranks of the events that have a term of each group and are within the span of `lookup`.
    /// Puts the group first of which this segment has nothing: the next may have nothing, either.
    pub(crate) fn find(
        &mut self,
        segment: &Segment,
        groups: &mut [Vec<TermKey>],
        lookup: &IndexQuery,
    ) -> Result<RoaringBitmap> {
        // The shortest first: most often one that is short leaves nothing to do for the others.
        let mut unions = Vec::with_capacity(groups.len());
        for at in 0..groups.len() {
            let mut lists = Vec::with_capacity(groups[at].len());
            for key in &groups[at] {
                lists.extend(self.list(segment, key)?);
            }
            if lists.is_empty() {
                groups.swap(0, at);
                return Ok(RoaringBitmap::new());
            }
            unions.push((lists.iter().map(|list| list.len).sum::<u64>(), lists));
        }
        unions.sort_by_key(|(len, _)| *len);
        let mut found: Option<RoaringBitmap> = None;
        for (_, lists) in unions {
            let mut union = RoaringBitmap::new();
            for list in lists {
                union |= self.decode(segment, &list)?;
            }
            let both = match found {
                Some(found) => found & union,
                None => union,
            };
            if both.is_empty() {
                return Ok(both);
            }
            found = Some(both);
        }
        let within = self.ranks_within(segment, lookup)?;
        let Some(mut found) = found else {
            let mut all = RoaringBitmap::new();
            all.insert_range(within);
            return Ok(all);
        };
        found.remove_range(..within.start);
        found.remove_range(within.end..);
        Ok(found)
    }

    /// How many events [`Parts::find`] finds.
    pub(crate) fn count(
        &mut self,
        segment: &Segment,
        groups: &mut [Vec<TermKey>],
        lookup: &IndexQuery,
    ) -> Result<u64> {
        let is_whole = self.ranks_within(segment, lookup)? == (0..segment.len());
        if lookup.holds(segment.first) && lookup.holds(segment.last) {
            return match groups {
                [] if is_whole => Ok(u64::from(segment.len())),
                [group] if is_whole && let [key] = &**group => {
                    Ok(self.list(segment, key)?.map_or(0, |list| list.len))
                }
                _ => Ok(self.find(segment, groups, lookup)?.len()),
            };
        }
        let found = self.find(segment, groups, lookup)?;
        let mut count = found.len();
        // What is out of bounds does not count: the smaller of the two is looked through.
        let below = segment.first.get()..(lookup.floor.get() + 1).max(segment.first.get());
        let beyond = (lookup.bound.get() + 1).max(below.end)..segment.last.get() + 1;
        if (below.end - below.start) + (beyond.end.saturating_sub(beyond.start)) <= count {
            for outside in below.chain(beyond) {
                let rank = self.rank(segment, Sequence::new(outside)?)?;
                count -= u64::from(found.contains(rank));
            }
            return Ok(count);
        }
        for rank in found {
            count -= u64::from(!lookup.holds(self.position(segment, rank)?.sequence));
        }
        Ok(count)
    }

    /// The list of a term, as its bucket has it.
    fn list(&mut self, segment: &Segment, key: &TermKey) -> Result<Option<List>> {
        let list = self.read(segment.part(segment.bucket_of(key)), |bucket| {
            Ok(match Bucket(bucket).find(key)? {
                Some(Kept::Here(list)) => {
                    Some(List { len: list::len(list)?, place: Place::Here(list.to_vec()) })
                }
                Some(Kept::Apart { part, len }) => Some(List { len, place: Place::Apart(part) }),
                None => None,
            })
        })?;
        match list {
            Some(list) if list.len > u64::from(segment.len()) => Err(damaged()),
            list => Ok(list),
        }
    }

    fn decode(&mut self, segment: &Segment, list: &List) -> Result<RoaringBitmap> {
        match &list.place {
            Place::Here(list) => list::decode(list),
            Place::Apart(part) => self.read(segment.part(*part), list::decode),
        }
    }
}

/// The list of a term in one segment.
struct List {
    len: u64,
    place: Place,
}

enum Place {
    Here(Vec<u8>),
    /// In the part of that number.
    Apart(u32),
}

fn sequence_at(segment: &Segment, offset: u32) -> Result<Sequence> {
    Sequence::new(segment.first.get() + u64::from(offset)).map_err(damaged_row)
}

/// Some of the lists of a segment, sorted by their keys. Behind them there may be [`PADDING`].
struct Bucket<'b>(&'b [u8]);

/// What stands where something was taken out, so that a row stays as long as it was. No key is of
/// nothing else.
const PADDING: u8 = 0xff;

/// Where a list is kept.
enum Kept<'b> {
    Here(&'b [u8]),
    /// In a part of its own; `len` is its length.
    Apart {
        part: u32,
        len: u64,
    },
}

impl<'b> Bucket<'b> {
    fn find(self, wanted: &TermKey) -> Result<Option<Kept<'b>>> {
        for entry in self {
            let (key, kept) = entry?;
            if key >= *wanted {
                return Ok((key == *wanted).then_some(kept));
            }
        }
        Ok(None)
    }

    /// Appends an entry to a bucket that is being made.
    fn push(bucket: &mut Vec<u8>, key: &TermKey, kept: &Kept<'_>) {
        bucket.extend(key);
        match kept {
            Kept::Here(list) => {
                write_varint((list.len() as u64) << 1, bucket);
                bucket.extend(*list);
            }
            Kept::Apart { part, len } => {
                write_varint(u64::from(*part) << 1 | 1, bucket);
                write_varint(*len, bucket);
            }
        }
    }

    fn take(&mut self) -> Result<(TermKey, Kept<'b>)> {
        let key = take_array(&mut self.0)?;
        let tagged = read_varint(&mut self.0)?;
        let kept = if tagged & 1 == 0 {
            let len = usize::try_from(tagged >> 1).map_err(|_| damaged())?;
            Kept::Here(take(&mut self.0, len)?)
        } else {
            let part = u32::try_from(tagged >> 1).map_err(|_| damaged())?;
            Kept::Apart { part, len: read_varint(&mut self.0)? }
        };
        Ok((key, kept))
    }
}

impl<'b> Iterator for Bucket<'b> {
    type Item = Result<(TermKey, Kept<'b>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.iter().take(size_of::<TermKey>()).all(|byte| *byte == PADDING) {
            return None;
        }
        let entry = self.take();
        if entry.is_err() {
            self.0 = &[];
        }
        Some(entry)
    }
}

/// A segment that is being made.
struct Draft {
    /// The time of each event, by offset.
    times: Vec<i64>,
    /// The offset of each rank.
    order: Vec<u32>,
    /// The rank of each offset.
    rank_of: Vec<u32>,
    table_rows: u32,
    /// The lists, by key: where each one's bytes are, and how many ranks it has.
    lists: Vec<(TermKey, std::ops::Range<usize>, u64)>,
    bytes: Vec<u8>,
}

impl Draft {
    fn new(times: Vec<i64>) -> Result<Self> {
        let len = u32::try_from(times.len()).map_err(|_| damaged())?;
        let mut order: Vec<u32> = (0..len).collect();
        // Stable, so that what occurred at the same time stays in order; quick, as most is sorted.
        order.sort_by_key(|offset| times[*offset as usize]);
        let mut rank_of = vec![0; times.len()];
        for (rank, offset) in (0..).zip(&order) {
            rank_of[*offset as usize] = rank;
        }
        let table_rows = len.div_ceil(TABLE_ROW);
        Ok(Self { times, order, rank_of, table_rows, lists: Vec::new(), bytes: Vec::new() })
    }

    /// Adds the next list.
    fn push(&mut self, key: TermKey, ranks: &mut [u32]) -> Result<()> {
        if self.lists.last().is_some_and(|(last, ..)| *last >= key) {
            return Err(damaged());
        }
        if !ranks.is_sorted() {
            ranks.sort_unstable();
        }
        let begin = self.bytes.len();
        list::encode(ranks, &mut self.bytes)?;
        self.lists.push((key, begin..self.bytes.len(), ranks.len() as u64));
        Ok(())
    }

    /// Writes it as a segment of `log` that begins with `first`.
    fn write(self, connection: &Connection, log: i64, first: Sequence) -> Result<()> {
        let bytes = self.bytes.len() + self.lists.len() * size_of::<TermKey>();
        let bucket_bits = (bytes / BUCKET_BYTES).next_power_of_two().ilog2().min(MOST_BUCKET_BITS);
        let time = |rank: Option<&u32>| rank.map_or(0, |offset| self.times[*offset as usize]);
        let (earliest, latest) = (time(self.order.first()), time(self.order.last()));
        let last = first.as_i64() + self.times.len().cast_signed() as i64 - 1;
        let last_id =
            || connection.prepare_cached(LAST_ID)?.query_row([], |row| row.get(0)).optional();
        let last_id: Option<i64> = last_id().map_err(sqlite("reading the index"))?;
        let id = last_id.unwrap_or(0).saturating_add(1);
        if id > i64::MAX >> PART_BITS {
            return Err(damaged());
        }
        let insert = || {
            connection
                .prepare_cached(
                    "INSERT INTO audit_segment (id, log, first, last, earliest, latest, bucket_bits)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![id, log, first.as_i64(), last, earliest, latest, bucket_bits])?;
            let mut part = id << PART_BITS;
            let mut insert =
                connection.prepare_cached("INSERT INTO audit_part (id, data) VALUES (?1, ?2)")?;
            let mut insert = |data: &[u8]| {
                insert.execute(params![part, data])?;
                part += 1;
                rusqlite::Result::Ok(())
            };
            self.write_table(&mut insert)?;
            self.write_lists(bucket_bits, &mut insert)
        };
        insert().map_err(sqlite("writing the index"))
    }

    fn write_table(
        &self,
        insert: &mut impl FnMut(&[u8]) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut row = Vec::with_capacity(TABLE_ROW as usize * TABLE_ENTRY);
        let rows = self.order.chunks(TABLE_ROW as usize);
        for (order, rank_of) in rows.zip(self.rank_of.chunks(TABLE_ROW as usize)) {
            row.clear();
            for (offset, rank) in order.iter().zip(rank_of) {
                row.extend(self.times[*offset as usize].to_be_bytes());
                row.extend(offset.to_be_bytes());
                row.extend(rank.to_be_bytes());
            }
            insert(&row)?;
        }
        Ok(())
    }

    fn write_lists(
        &self,
        bucket_bits: u32,
        insert: &mut impl FnMut(&[u8]) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut part = self.table_rows + (1 << bucket_bits);
        let mut apart = Vec::new();
        let mut lists = self.lists.iter().peekable();
        let mut row = Vec::with_capacity(BUCKET_BYTES * 2);
        for number in 0..1 << bucket_bits {
            row.clear();
            while let Some((key, range, len)) =
                lists.next_if(|(key, ..)| bucket(key, bucket_bits) == number)
            {
                if range.len() <= INLINE_BYTES {
                    Bucket::push(&mut row, key, &Kept::Here(&self.bytes[range.clone()]));
                } else {
                    Bucket::push(&mut row, key, &Kept::Apart { part, len: *len });
                    apart.push(range.clone());
                    part += 1;
                }
            }
            insert(&row)?;
        }
        apart.into_iter().try_for_each(|range| insert(&self.bytes[range]))
    }
}

/// Writes the segment of `entries`, of which the first has the number `first`.
pub(crate) fn write(
    connection: &Connection,
    log: i64,
    first: Sequence,
    entries: &[Entry],
) -> Result<()> {
    let times = entries.iter().map(|entry| entry.occurred_at.as_micros()).collect();
    let mut draft = Draft::new(times)?;
    let mut postings: Vec<(TermKey, u32)> =
        Vec::with_capacity(entries.iter().map(|entry| entry.keys.len()).sum());
    for (entry, rank) in entries.iter().zip(&draft.rank_of) {
        postings.extend(entry.keys.iter().map(|key| (*key, *rank)));
    }
    postings.sort_unstable();
    let mut ranks = Vec::new();
    for list in postings.chunk_by(|a, b| a.0 == b.0) {
        ranks.clear();
        ranks.extend(list.iter().map(|(_, rank)| *rank));
        if let Some((key, _)) = list.first() {
            draft.push(*key, &mut ranks)?;
        }
    }
    draft.write(connection, log, first)
}

/// Puts neighbours, given in order, in the place of which there is one segment then.
pub(crate) fn merge(connection: &Connection, log: i64, segments: &[Segment]) -> Result<()> {
    let Some(first) = segments.first().map(|segment| segment.first) else { return Ok(()) };
    let mut parts = Parts::open(connection)?;
    let mut times = Vec::new();
    let mut offsets = Vec::new(); // in the merged segment, for each rank of each segment
    for segment in segments {
        let begin = times.len();
        times.resize(begin + segment.len() as usize, 0);
        let mut of_segment = Vec::with_capacity(segment.len() as usize);
        for rank in 0..segment.len() {
            let position = parts.position(segment, rank)?;
            let offset = position.sequence.get() - first.get();
            let offset = usize::try_from(offset).map_err(|_| damaged())?;
            *times.get_mut(offset).ok_or_else(damaged)? = position.occurred_at.as_micros();
            of_segment.push(offset);
        }
        offsets.push(of_segment);
    }
    let mut draft = Draft::new(times)?;
    let mut streams = Vec::with_capacity(segments.len());
    for (segment, offsets) in segments.iter().zip(offsets) {
        let ranks = offsets.into_iter().map(|offset| draft.rank_of[offset]).collect();
        streams.push(Stream::open(&mut parts, segment, ranks)?);
    }
    let mut ranks = Vec::new();
    while let Some(key) = streams.iter().filter_map(Stream::key).min() {
        ranks.clear();
        for stream in &mut streams {
            if stream.key() == Some(key) {
                stream.take_into(&mut parts, &mut ranks)?;
            }
        }
        draft.push(key, &mut ranks)?;
    }
    drop(streams);
    drop(parts);
    let delete = || {
        let mut segment_row = connection.prepare_cached(DELETE_SEGMENT)?;
        let mut part_rows = connection.prepare_cached(DELETE_PARTS)?;
        for segment in segments {
            segment_row.execute([segment.id])?;
            part_rows.execute([segment.part(0), segment.part((1 << PART_BITS) - 1)])?;
        }
        Ok(())
    };
    delete().map_err(sqlite("writing the index"))?;
    draft.write(connection, log, first)
}

/// The lists of a segment, by key.
struct Stream {
    segment: Segment,
    /// The rank in the merged segment of each rank of this one.
    ranks: Vec<u32>,
    next_bucket: u32,
    /// What is left of the bucket, the last first.
    bucket: Vec<(TermKey, Vec<u8>, Option<u32>)>,
}

impl Stream {
    fn open(parts: &mut Parts<'_>, segment: &Segment, ranks: Vec<u32>) -> Result<Self> {
        let mut stream =
            Self { segment: segment.clone(), ranks, next_bucket: 0, bucket: Vec::new() };
        stream.fill(parts)?;
        Ok(stream)
    }

    fn key(&self) -> Option<TermKey> {
        self.bucket.last().map(|(key, ..)| *key)
    }

    /// Reads on until there is a list, or no more.
    fn fill(&mut self, parts: &mut Parts<'_>) -> Result<()> {
        while self.bucket.is_empty() && self.next_bucket < 1 << self.segment.bucket_bits {
            let part = self.segment.part(self.segment.table_rows() + self.next_bucket);
            self.next_bucket += 1;
            self.bucket = parts.read(part, |bucket| {
                let entry = |entry: Result<(TermKey, Kept<'_>)>| {
                    let (key, kept) = entry?;
                    Ok(match kept {
                        Kept::Here(list) => (key, list.to_vec(), None),
                        Kept::Apart { part, .. } => (key, Vec::new(), Some(part)),
                    })
                };
                Bucket(bucket).map(entry).collect()
            })?;
            self.bucket.reverse();
        }
        Ok(())
    }

    /// Moves the ranks of the next list, as those of the merged segment, to the end of `out`.
    fn take_into(&mut self, parts: &mut Parts<'_>, out: &mut Vec<u32>) -> Result<()> {
        let Some((_, here, apart)) = self.bucket.pop() else { return Ok(()) };
        let ranks = &self.ranks;
        let add = |rank: u32| {
            out.push(*ranks.get(rank as usize).ok_or_else(damaged)?);
            Ok(())
        };
        match apart {
            Some(part) => {
                parts.read(self.segment.part(part), |list| list::for_each(list, add))?;
            }
            None => list::for_each(&here, add)?,
        }
        if self.bucket.is_empty() { self.fill(parts) } else { Ok(()) }
    }
}

/// Takes events out of lists: of each event, given by its number, out of those of the keys. What
/// stays is written over what was there, so that no copy of it is left behind.
pub(crate) fn forget(
    connection: &Connection,
    segment: &Segment,
    forgotten: &[(&Sequence, &Vec<TermKey>)],
) -> Result<()> {
    let mut parts = Parts::open(connection)?;
    let mut ranks_of: BTreeMap<TermKey, RoaringBitmap> = BTreeMap::new();
    for (sequence, keys) in forgotten {
        let rank = parts.rank(segment, **sequence)?;
        for key in *keys {
            ranks_of.entry(*key).or_default().insert(rank);
        }
    }
    let keys: Vec<_> = ranks_of.into_iter().collect();
    for of_bucket in keys.chunk_by(|a, b| segment.bucket_of(&a.0) == segment.bucket_of(&b.0)) {
        let Some((first, _)) = of_bucket.first() else { continue };
        let bucket = segment.part(segment.bucket_of(first));
        let row = parts.read(bucket, |bucket| Ok(bucket.to_vec()))?;
        let mut left = Vec::with_capacity(row.len());
        for entry in Bucket(&row) {
            let (key, kept) = entry?;
            let Some((_, gone)) = of_bucket.iter().find(|(wanted, _)| *wanted == key) else {
                Bucket::push(&mut left, &key, &kept);
                continue;
            };
            match kept {
                Kept::Here(list) => {
                    let list = without(list, gone)?;
                    if list::len(&list)? > 0 {
                        Bucket::push(&mut left, &key, &Kept::Here(&list));
                    }
                }
                Kept::Apart { part, .. } => {
                    let id = segment.part(part);
                    let before = parts.read(id, |list| Ok(list.to_vec()))?;
                    let list = without(&before, gone)?;
                    let len = list::len(&list)?;
                    overwrite(connection, id, list, before.len())?;
                    if len > 0 {
                        Bucket::push(&mut left, &key, &Kept::Apart { part, len });
                    }
                }
            }
        }
        overwrite(connection, bucket, left, row.len())?;
    }
    Ok(())
}

/// A list without some ranks.
fn without(list: &[u8], gone: &RoaringBitmap) -> Result<Vec<u8>> {
    let left: Vec<u32> = (list::decode(list)? - gone).into_iter().collect();
    let mut list = Vec::new();
    list::encode(&left, &mut list)?;
    Ok(list)
}

/// The statement that overwrites a part of a segment.
pub(crate) const OVERWRITE_PART: &str = "UPDATE audit_part SET data = ?2 WHERE id = ?1";

/// Puts `data` where `len` bytes were.
fn overwrite(connection: &Connection, part: i64, mut data: Vec<u8>, len: usize) -> Result<()> {
    data.resize(len.max(data.len()), PADDING);
    let update = || connection.prepare_cached(OVERWRITE_PART)?.execute(params![part, data]);
    update().map_err(sqlite("writing the index"))?;
    Ok(())
}

/// The statement that finds the last part of a segment.
pub(crate) const LAST_PART: &str = "SELECT id FROM audit_part
     WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";

/// Removes some parts of a segment of which all events are at most `floor`, at last the segment
/// itself. Says whether there may be more to remove.
pub(crate) fn remove_below(
    connection: &Connection,
    log: i64,
    floor: Sequence,
    step: usize,
) -> Result<bool> {
    let mut segments = directory(connection, log)?;
    segments.retain(|segment| segment.last <= floor);
    let Some(segment) = segments.first() else { return Ok(false) };
    let (low, high) = (segment.part(0), segment.part((1 << PART_BITS) - 1));
    let delete = || {
        let last = connection.prepare_cached(LAST_PART)?.query_row([low, high], |row| row.get(0));
        let last: Option<i64> = last.optional()?;
        // From the end: while the segment is in the directory, the rest will be found.
        let from = last.map_or(low, |last| low.max(last - step.cast_signed() as i64));
        connection.prepare_cached(DELETE_PARTS)?.execute([from, high])?;
        if from == low {
            connection.prepare_cached(DELETE_SEGMENT)?.execute([segment.id])?;
        }
        rusqlite::Result::Ok(())
    };
    delete().map_err(sqlite("removing from the index"))?;
    Ok(true)
}
