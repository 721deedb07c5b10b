//! The store: write-ahead log, hot batches, segments, catalogue, ledger, retention.
//!
//! ```text
//! submit ─▶ wal (synced) ─▶ receipt            catalogue (SQLite): the only publication point
//!             │                                        ▲
//!             └─▶ Tail ─▶ the pipe ─▶ publish ─▶ hot ──flush──▶ segment (Parquet)
//!                                                 └───── Snapshot ─────┘ ─▶ query
//! ```
//!
//! Invariants:
//! * A receipt is given only after the frame is synced; what was not synced is never acknowledged.
//! * Store cursor, segments, ledger, file cursors and idempotency keys advance in one catalogue transaction.
//! * Readers take one [`Snapshot`]: an event is in it once or not at all.
//! * Nothing in the log below the smaller of store cursor and released sequence is needed again; nothing above is removed.
//!
//! Deliberately absent: parsing, rules, SQL over events (that is `query`), wall-clock reading (a [`event::seam::Clock`] is
//! handed in), and anything that carries a root of the proof out of the house.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod catalogue;
mod chunk;
mod cold;
mod columns;
mod compact;
mod data;
mod delta;
mod disk;
mod error;
mod flush;
mod hold;
pub mod index;
pub mod indexing;
mod keeping;
mod ledger;
pub mod line;
mod lock;
mod options;
pub mod outlook;
pub mod proof;
pub mod read;
mod retention;
mod segment;
mod sizes;
mod snapshot;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;
mod wal;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use catalogue::{Tombstone, TombstoneSystem};
pub use cold::{ColdFile, ColdOptions, Moved, SegmentFile};
pub use compact::{BlockObserver, Compacted, ObserverFactory};
pub use disk::Disk;
pub use error::{Error, Result};
pub use hold::{Hold, NewHold, Release};
pub use ledger::{Counts, LedgerDelta, LedgerRow, minute_of};
pub use lock::{DirectoryLock, LOCK_FILE};
pub use options::{Options, Stats};
pub use outlook::{Outlook, SizesCache, SystemOutlook};
pub use retention::RetentionPolicy;
pub use segment::SKEW_MAX;
pub use sizes::ClassSize;
pub use snapshot::{EXTRA_NAMES_MAX, HotBatch, IndexFile, Segment, Segments, Snapshot, SystemClass};
pub use store::{Processed, Store};
pub use wal::{Frame, Recovery, Tail};

/// Locks; what a panicking holder left is taken as it is, since every critical section here leaves its data whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
