//! The statements that a connection prepares if the options ask for it: those of appends and of reads.

use crate::connection::Statement;
use crate::options::Statements;
use crate::{append, index, keys, parts, read, rows, segments, tree};

/// Returns the statements that connections for reads and for writes prepare.
pub(crate) fn of(statements: Statements) -> [&'static [&'static Statement]; 2] {
    match statements {
        Statements::Unnamed => [&[], &[]],
        Statements::Prepared => [OF_READERS, OF_WRITERS],
    }
}

/// The statements of appends.
const OF_WRITERS: &[&Statement] = &[
    &append::SET_TIMEOUTS,
    &append::LOCK_HEADS,
    &append::LOCK_HEAD,
    &append::FIND_IDS,
    &keys::READ_LAST,
    &rows::APPEND,
    &segments::INSERT_SEGMENTS,
];

/// The statements of reads.
const OF_READERS: &[&Statement] = &[
    &read::READ_LOG,
    &read::READ_STATE,
    &read::FIND_EVENT,
    &read::READ_EVENTS,
    &index::READ_TAIL,
    &index::DIRECTORY,
    &parts::READ_FIRST_BUCKETS,
    &parts::READ_PARTS,
    &parts::SEARCH_TABLES,
    &tree::READ_LEAVES,
    &tree::READ_LEAVES_AT,
    &tree::READ_NODES,
    &tree::READ_ENTRIES,
];
