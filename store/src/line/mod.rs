//! The line store: the exact line comes back byte for byte, but is not paid for twice.
//!
//! ```text
//! logical row                         physical row (format 2)
//! event.original, message      ─▶     _line.template (shape), _line.1 … _line.8, _line.time; plain text only where no shape fits
//! fortinet.srcip = source.ip   ─▶     said by the shape
//! event.id "node-7-3"          ─▶     _id.sequence 7, _id.index 3
//! ```
//!
//! Invariants: a row is stored in a shape only after every byte was compared; null and '' stay apart; every other column is a
//! plain Parquet column that any engine reads. Not here: which rows go into a file, and how columns are written.

mod build;
pub(crate) mod cells;
mod decode;
mod derive;
pub(crate) mod encode;
pub(crate) mod part;
pub mod search;
mod template;
#[cfg(test)]
mod tests;
mod time;

pub use decode::{FORMAT_LINES, LAYOUT_KEY, Layout, Needs};
pub(crate) use decode::{Stored, Uses};

/// The shape of a row (see the reference of the segment format).
pub const COLUMN_SHAPE: &str = "_line.template";
/// The residual time: microseconds after `timestamp` (after 1970 where that is null).
pub const COLUMN_TIME: &str = "_line.time";
/// The two numbers of `event.id`.
pub const COLUMN_SEQUENCE: &str = "_id.sequence";
pub const COLUMN_INDEX: &str = "_id.index";

/// Name of the column of a residual variable, counted from 0.
pub(crate) fn slot_name(at: usize) -> String {
    format!("_line.{}", at + 1)
}
