//! The statements that a connection prepares if the options ask for it: those of appends and of reads.

use crate::connection::Statement;
use crate::options::Statements;
use crate::{
    events, first_rows, keys, lock, log_row, log_state, parts, read, rows, segments, settings,
    tiles, tree,
};

/// Returns the statements that connections for reads and for writes prepare.
pub(crate) fn of(statements: Statements) -> [&'static [&'static Statement]; 2] {
    match statements {
        Statements::Unnamed => [&[], &[]],
        Statements::Prepared => [OF_READERS, OF_WRITERS],
    }
}

/// The statements of appends.
const OF_WRITERS: &[&Statement] = &[
    &settings::SET_TIMEOUTS,
    &lock::LOCK_HEADS,
    &lock::LOCK_HEAD,
    &lock::FIND_IDS,
    &keys::READ_LAST,
    &rows::APPEND,
    &segments::INSERT_SEGMENTS,
];

/// The statements of reads.
const OF_READERS: &[&Statement] = &[
    &log_row::READ_LOG,
    &log_state::READ_STATE,
    &read::FIND_EVENT,
    &events::READ_EVENTS,
    &first_rows::READ_FIRST,
    &parts::READ_PARTS,
    &parts::SEARCH_TABLES,
    &tiles::READ_LEAVES,
    &tiles::READ_LEAVES_AT,
    &tiles::READ_NODES,
    &tree::READ_ENTRIES,
];
