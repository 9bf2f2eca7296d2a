//! The inverted index of an audit log, for authors of stores. It has no runtime and does no I/O: a
//! store provides the storage calls of [`IndexStorage`] and [`IndexStorageMut`].
//!
//! The newest events of a log are in the *tail*: rows of times and term keys, read in full by every
//! query. When the tail has [`SEGMENT_EVENTS`] events, it becomes a *segment*: for each term the
//! *postings*, the events that have it. When small segments together are eight times as large as one
//! of them, they are merged into one. So an event is written to the index three or four times, each
//! time together with thousands of others, and a query reads a few rows of each segment that it
//! reaches.
//!
//! A large merge is done in slices: each append that makes a segment does a share of it, in
//! proportion to the size of that segment. What is done is in the storage, so that any process can
//! continue at the next slice. Queries read the old segments until the last slice.
//!
//! A segment consists of parts, each stored as a row: first the table of its events by time, then
//! the buckets with short postings, then long postings. Terms are stored as [`TermKey`]s; their
//! first bits choose the bucket.
//!
//! | to | use |
//! |---|---|
//! | answer a query | [`LogIndex`], with [`select`](audit_core::backend::index::select) |
//! | index an append, erase keys, remove pruned segments, rebuild | [`IndexWriter`] |
//! | index an append without a storage at hand | [`tail_rows`], [`NewSegment`] |
//! | compare the index with the events | [`read_segment`], [`read_tail`], [`check_directory`] |
//! | provide the storage | [`IndexStorage`], [`ReadParts`], [`IndexStorageMut`] |
//!
//! | file | noun |
//! |---|---|
//! | `storage.rs` | the storage calls that a store provides |
//! | `index.rs` | the index of one log, for reading |
//! | `writer.rs` | the index of one log, for writing |
//! | `walk.rs` | a walk, and the events that it finds |
//! | `walked.rs` | the segments of a walk |
//! | `by_time.rs` | a walk by time |
//! | `by_sequence.rs` | a walk by sequence |
//! | `cut.rs` | where a number of events end in several segments at once |
//! | `merge.rs` | merging adjacent segments |
//! | `builder.rs` | building a segment in memory |
//! | `buckets.rs` | writing the buckets of a segment |
//! | `reader.rs` | reading a segment |
//! | `announce.rs` | what is read of segments ahead, from a remote storage |
//! | `opened.rs` | reading parts that have checksums |
//! | `check.rs` | checks whether a stored index is complete |
//! | `rebuild.rs` | rebuilding a damaged index |
//! | `repair.rs` | comparing an index with the events, and repairing it |
//! | `first_buckets.rs` | the buckets that a query reads first |
//! | `findings.rs` | faults of derived data |
//! | `unhealed.rs` | the logs whose damage could not be healed |
//! | `tail.rs` | the newest events |
//! | `entry.rs` | the entry of an event |
//! | `part.rs` | the rows of a stored index |
//! | `segment.rs` | a segment of the directory |
//! | `table.rs` | the events of a segment, by time and by sequence |
//! | `bucket.rs` | the postings of some terms |
//! | `postings.rs` | the events that have one term |
//! | `term_key.rs` | terms hashed to a fixed length |
//! | `checksum.rs` | the checksums of stored rows |
//! | `bytes.rs` | numbers as bytes |

mod announce;
mod bucket;
mod buckets;
mod builder;
mod by_sequence;
mod by_time;
mod bytes;
mod check;
mod checksum;
mod cut;
mod entry;
mod findings;
mod first_buckets;
mod index;
mod merge;
mod opened;
mod part;
mod postings;
mod reader;
mod rebuild;
mod repair;
mod segment;
mod storage;
mod table;
mod tail;
mod term_key;
mod unhealed;
mod walk;
mod walked;
mod writer;

pub use builder::NewSegment;
pub use bytes::damaged;
pub use check::{check_directory, is_damage, read_segment, read_tail};
pub use entry::IndexEntry;
pub use findings::DerivedFinding;
pub use first_buckets::FirstBuckets;
pub use index::LogIndex;
pub use merge::may_merge;
pub use part::{NewPart, PartId, TableSearch, TailRow};
pub use repair::{Compared, IndexExtent};
pub use segment::{MAX_PARTS, Segment, SegmentInfo, Stage};
pub use storage::{IndexStorage, IndexStorageMut, ReadParts};
pub use tail::{RemovedKeys, tail_entries, tail_rows};
pub use term_key::{TermHasher, TermKey};
pub use unhealed::Unhealed;
pub use walk::Found;
pub use writer::{IndexWriter, MERGE_SHARE, SEGMENT_EVENTS};
