//! Questions over events and the small tables: SQL and the search language, safely, in a scope.
//!
//! ```text
//! search text ──▶ SQL ──▶ syntax tree ──rewrite──▶ plan ──▶ scan of hot batches and segments ──▶ rows
//!                          allow-list, names,              scope ▸ masking ▸ filters,
//!                          list fields                     newest first, pruned
//! ```
//!
//! Invariants:
//! * A row out of scope and the plain value of a hidden column leave no scan: not into a filter, a join, an error or a
//!   statistic. Scope and masking are inside the table providers, below everything that a statement can say.
//! * What is not on a list (statement, expression, function, table) does not exist.
//! * One question sees one snapshot.
//! * An answer that is not whole says so.
//!
//! Deliberately absent: writing, user accounts and rights (the caller knows them), any file format but the store's.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod amend;
pub mod background;
mod blank;
mod compare;
mod complete;
mod count;
pub mod dialect;
pub mod encode;
mod engine;
mod error;
mod explain;
pub mod export;
mod file;
mod flows;
pub mod functions;
mod hunt;
mod lens;
mod limits;
mod lines;
mod mask;
mod newest;
pub mod paste;
mod patterns;
mod prune;
mod pushdown;
mod queue;
mod rewrite;
mod rows;
mod scan;
pub mod search;
mod segment;
mod stages;
mod tables;
mod tail;
mod view;
mod whole;
mod yielding;

pub use amend::{AMENDED, Amendment, Amendments};
pub use compare::{Comparison, Difference, Selection};
pub use complete::Completion;
pub use engine::{Engine, Source};
pub use error::{Error, ErrorKind, Place, Result};
pub use explain::{Explanation, Sentence};
pub use hunt::{
    Before, Bucket, ColumnInfo, Facet, FacetsRequest, FieldInfo, Histogram, HistogramRequest, Hunt, HuntError, HuntRequest,
};
pub use limits::Limits;
pub use mask::PRIVACY_METADATA;
pub use patterns::{Pattern, Patterns, PatternsRequest};
pub use rows::{Collected, Rows, Stats};
pub use scan::ScanStats;
pub use tail::{Step, Tail};

#[cfg(test)]
mod tests;
