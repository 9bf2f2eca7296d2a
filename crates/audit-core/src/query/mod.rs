//! The query: which events, in which order, and the pages that answer it.

mod cursor;
mod event_query;
mod facet;
mod facet_source;
mod filter;
mod order;
mod page;
pub(crate) mod pair;
mod parameters;
mod token;
mod token_keys;

pub(crate) use cursor::{Cursor, HistoryMark};
pub(crate) use facet_source::FacetSource;
pub(crate) use token_keys::TokenKind;

pub use event_query::{Anchor, EventQuery, Total};
pub use facet::Facet;
pub use filter::Filter;
pub use order::{Order, Position};
pub use page::{FeedPage, FeedStart, Page};
pub use token::Token;
pub use token_keys::TokenKeys;
