//! The catalogue: which segments exist, how far publication has come, and everything that must move together with it.
//!
//! [`Catalogue::publish`] is the only publication point: segments, store cursor, ledger rows, file positions and idempotency
//! keys in one transaction, and only if the cursor still stands where the caller saw it. The trait is the seam for another
//! database; [`crate::sqlite::SqliteCatalogue`] is the one there is.
//!
//! Not here: events, and any rule about what to keep.

use event::Micros;
use serde::{Deserialize, Serialize};

use crate::{
    Hold, Result, Segment, SystemClass,
    hold::{NewHold, Release},
    ledger::LedgerRow,
    proof::Attempt,
    wal::index::{FilePosition, SeenKey},
};

/// What is read at start.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Last log sequence published in segments.
    pub through: u64,
    /// Latest ingestion time that was published.
    pub ingested: Micros,
    /// Secret of the log's checksums; made when the catalogue is.
    pub salt: u64,
    /// In order of publication; paths are still relative.
    pub segments: Vec<Segment>,
    pub positions: Vec<FilePosition>,
    /// In order of sequence.
    pub keys: Vec<SeenKey>,
}

/// One flush.
#[derive(Debug, Default)]
pub struct Publication {
    /// Where the cursor must stand.
    pub after: u64,
    /// Where it goes.
    pub through: u64,
    pub ingested: Micros,
    pub segments: Vec<Segment>,
    pub ledger: Vec<LedgerRow>,
    pub positions: Vec<FilePosition>,
    pub keys: Vec<SeenKey>,
    /// Keys ingested before this time are forgotten.
    pub keys_since: Micros,
    /// How far the journal of the proof reaches with this flush.
    pub proof: Option<String>,
}

/// The record of a deletion: what went, when, by whom and why. Tombstones are never removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    pub segment: String,
    pub rows: u64,
    pub bytes: u64,
    /// Hexadecimal BLAKE3 of the file that went.
    pub checksum: String,
    /// Log sequences of the blocks that were in it.
    pub sequences: (u64, u64),
    pub ingested: (Micros, Micros),
    pub systems: Vec<TombstoneSystem>,
    pub dropped_at: Micros,
    /// Who or what decided.
    pub actor: String,
    pub reason: String,
}

/// The part of one system and log class in a dropped segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TombstoneSystem {
    pub system: String,
    pub class: String,
    pub rows: u64,
    pub ingested: (Micros, Micros),
}

impl From<&SystemClass> for TombstoneSystem {
    fn from(part: &SystemClass) -> Self {
        Self { system: part.system.clone(), class: part.class.clone(), rows: part.rows, ingested: part.ingested }
    }
}

/// Where ledger rows are rolled up: minutes before the first time become hours, hours before the second become days.
#[derive(Clone, Copy, Debug)]
pub struct RollUp {
    pub hours_before: Micros,
    pub days_before: Micros,
}

#[async_trait::async_trait]
pub trait Catalogue: Send + Sync {
    /// Reads everything; of the keys only this many, the newest.
    async fn load(&self, keys_max: usize) -> Result<Loaded>;

    /// Commits a flush whole or not at all. Fails with [`crate::Error::CursorMoved`] when the cursor is not at `after`.
    async fn publish(&self, publication: Publication) -> Result<()>;

    /// Returns the store cursor.
    async fn through(&self) -> Result<u64>;

    /// Returns the ledger rows and the cursor that they belong to, as of one instant.
    async fn ledger(&self) -> Result<(u64, Vec<LedgerRow>)>;

    /// Adds old minutes up to hours and old hours to days. Sums do not change.
    async fn roll_up_ledger(&self, at: RollUp) -> Result<()>;

    /// Takes segments out and puts their tombstones in.
    async fn drop_segments(&self, tombstones: &[Tombstone]) -> Result<()>;

    /// Takes segments out and puts others with the same events in, whole or not at all. Fails with
    /// [`crate::Error::SegmentGone`] when one to take out is not there.
    async fn replace_segments(&self, gone: &[String], new: &[Segment]) -> Result<()>;

    /// Returns whether a segment of that name is published.
    async fn has_segment(&self, id: &str) -> Result<bool>;

    /// Returns all tombstones, oldest first.
    async fn tombstones(&self) -> Result<Vec<Tombstone>>;

    /// Returns every hold that ever was, oldest first.
    async fn holds(&self) -> Result<Vec<Hold>>;

    /// Adds a hold; durable when it returns.
    async fn place_hold(&self, hold: &NewHold, now: Micros) -> Result<Hold>;

    /// Ends a hold. Fails with [`crate::Error::NoHold`] when none of that number is in force.
    async fn release_hold(&self, id: u64, release: &Release) -> Result<Hold>;

    /// Notes an object that will appear in the cold store.
    async fn note_cold(&self, url: &str) -> Result<()>;

    /// Says that a segment lies in the cold store now. Fails with [`crate::Error::SegmentGone`] when it is not published.
    async fn make_cold(&self, id: &str, url: &str) -> Result<()>;

    /// Returns the noted objects that no segment names: copies that were not finished, files of dropped segments.
    async fn cold_garbage(&self) -> Result<Vec<String>>;

    /// Forgets an object that was removed.
    async fn forget_cold(&self, url: &str) -> Result<()>;

    /// Returns the tombstones behind the first `count`.
    async fn tombstones_after(&self, count: u64) -> Result<Vec<Tombstone>>;

    /// Returns how far the journal of the proof is committed, as it was saved.
    async fn proof_cursor(&self) -> Result<Option<String>>;

    async fn set_proof_cursor(&self, cursor: &str) -> Result<()>;

    async fn add_proof_attempt(&self, attempt: &Attempt) -> Result<()>;

    /// Returns the newest attempts to anchor, newest first.
    async fn proof_attempts(&self, count_max: u32) -> Result<Vec<Attempt>>;

    async fn close(&self);
}
