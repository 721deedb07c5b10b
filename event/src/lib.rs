//! The vocabulary that every other crate speaks: records as they arrive, events as they are understood, batches as they
//! are stored, and the seams (traits) at which crates meet.
//!
//! What is deliberately absent: no async runtime, no clock (time comes in as an argument), no SQL, no parser, no file.
//!
//! ```text
//! RawBatch ──WAL──▶ RawRecord ──parser──▶ Event (reused scratch) ──BlockBuilder──▶ EventBatch (Arrow, one per dataset)
//! ```

pub mod batch;
pub mod catalogue;
pub mod fold;
pub mod raw;
pub mod scope;
pub mod scratch;
pub mod seam;
pub mod severity;
pub mod tokenise;
pub mod value;

pub use batch::{BlockBuilder, Codes, EventBatch};
pub use catalogue::{Definition, Field, Index, Kind, Privacy, field};
pub use raw::{RawBatch, RawRecord, Receipt, SourceCursor};
pub use scope::{Role, Scope, Systems};
pub use scratch::{Event, Mark, Outcome};
pub use value::Value;

/// Microseconds since 1970-01-01T00:00:00Z; the only unit of time inside the program.
pub type Micros = i64;

/// The `system.id` of events whose sender is in no register entry.
pub const UNASSIGNED: &str = "unassigned";
