//! The cases, a file for each noun.

pub(crate) mod api_keys;
pub(crate) mod appends;
mod changes;
pub(crate) mod concurrency;
pub(crate) mod contents;
pub(crate) mod erasures;
pub(crate) mod feeds;
pub(crate) mod filters;
pub(crate) mod floors;
pub(crate) mod isolation;
mod limits;
pub(crate) mod logs;
pub(crate) mod lookups;
pub(crate) mod orders;
pub(crate) mod organizations;
pub(crate) mod prunings;
pub(crate) mod records;
pub(crate) mod retention_concurrency;
pub(crate) mod retentions;
pub(crate) mod scans;
pub(crate) mod tenant_concurrency;
pub(crate) mod tokens;
pub(crate) mod totals;
pub(crate) mod trees;
pub(crate) mod waits;
pub(crate) mod walks;
