//! Settings of the store, and its numbers for health pages.

use std::path::PathBuf;

use crate::ColdOptions;

/// Settings of the store. Every bound has a default that suits a server with 4 GB.
#[derive(Clone, Debug)]
pub struct Options {
    /// Data directory; everything the store keeps is below it.
    pub dir: PathBuf,
    /// Name of this server in `event.id`.
    pub node: String,
    /// Disk budget of the write-ahead log. When it is reached, senders are told to wait.
    pub wal_bytes_max: u64,
    /// Size at which the log starts a new file; at most a quarter of the budget.
    pub wal_file_bytes: u64,
    /// Free disk space below which senders are told to wait.
    pub free_bytes_min: u64,
    /// Longest time that a commit group gathers under load; at most 20.
    pub commit_delay_ms: u64,
    /// Bytes of batches that may wait for their commit; beyond it, senders are told to wait.
    pub queue_bytes_max: usize,
    /// Number of batches that may wait for their commit.
    pub queue_count_max: usize,
    /// Bytes of fresh frames kept in memory for the follower of the log; a slower one reads the files.
    pub ring_bytes_max: usize,
    /// Hot bytes at which a flush is due.
    pub flush_bytes: u64,
    /// Age of the oldest hot batch at which a flush is due.
    pub flush_interval_ms: u64,
    /// Hot bytes at which the follower of the log is held back until a flush succeeded.
    pub hot_bytes_max: u64,
    /// Rows, or bytes, in small files at which compaction does not wait any longer; a calm stream waits for much less.
    pub compact_rows: u64,
    pub compact_bytes: u64,
    /// Rows of an hour, and of a day, below which it goes into one file with its neighbours.
    pub compact_thin_rows: u64,
    /// A file spans at most one of so many parts of the shortest rule of retention.
    pub compact_span_share: i64,
    /// Rows, and bytes about, that compaction holds in memory at a time; a slice becomes a row group.
    pub compact_slice_rows: u64,
    pub compact_slice_bytes: u64,
    /// Bytes of a big file at most, if a slice has less.
    pub compact_file_bytes: u64,
    /// How long an idempotency key is remembered.
    pub key_window_ms: u64,
    /// How many idempotency keys are remembered.
    pub keys_max: usize,
    /// Where old segments go; `None` keeps them here.
    pub cold: Option<ColdOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("data"),
            node: "chieng".into(),
            wal_bytes_max: 4 << 30,
            wal_file_bytes: 64 << 20,
            free_bytes_min: 256 << 20,
            commit_delay_ms: 5,
            queue_bytes_max: 64 << 20,
            queue_count_max: 16_384,
            ring_bytes_max: 32 << 20,
            flush_bytes: 128 << 20,
            flush_interval_ms: 30_000,
            hot_bytes_max: 384 << 20,
            compact_rows: 1_000_000,
            compact_bytes: 256 << 20,
            compact_thin_rows: 128 << 10,
            compact_span_share: 20,
            compact_slice_rows: 512 << 10,
            compact_slice_bytes: 192 << 20,
            compact_file_bytes: 1 << 30,
            key_window_ms: 24 * 3_600 * 1_000,
            keys_max: 1_000_000,
            cold: None,
        }
    }
}

impl Options {
    /// Budgets of memory that go with a flush size: what waits for its commit, what is hot, what compaction holds at a time.
    /// The default flush size gives the defaults; a machine with little memory sets a smaller one.
    #[must_use]
    pub fn with_flush_bytes(self, flush_bytes: u64) -> Self {
        let of = Self::default();
        let flush_bytes = flush_bytes.max(FLUSH_BYTES_MIN);
        let share = |bytes: u64| (u128::from(bytes) * u128::from(flush_bytes) / u128::from(of.flush_bytes)) as u64;
        Self {
            flush_bytes,
            hot_bytes_max: share(of.hot_bytes_max),
            queue_bytes_max: share(of.queue_bytes_max as u64) as usize,
            ring_bytes_max: share(of.ring_bytes_max as u64) as usize,
            compact_slice_rows: share(of.compact_slice_rows).min(of.compact_slice_rows),
            compact_slice_bytes: share(of.compact_slice_bytes).min(of.compact_slice_bytes),
            ..self
        }
    }
}

/// Below this, files would be too small to be worth their footers.
const FLUSH_BYTES_MIN: u64 = 16 << 20;

/// The store at this moment.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub wal_bytes: u64,
    pub wal_bytes_max: u64,
    /// Last sequence that is durable.
    pub wal_durable: u64,
    pub wal_queue_bytes: u64,
    pub wal_queue_count: u64,
    /// Commit groups, frames, failed groups and batches sent away under pressure, since start.
    pub wal_groups_total: u64,
    pub wal_frames_total: u64,
    pub wal_failures_total: u64,
    pub wal_pressures_total: u64,
    /// Time from the start of a group's write to its answers, over the last 1,024 groups.
    pub commit_us_p50: u64,
    pub commit_us_p99: u64,
    /// Recovery at this start: frames found behind the store cursor, torn bytes cut (never acknowledged), damaged bytes
    /// skipped (may have been acknowledged), log files that could not be read.
    pub recovered_frames: u64,
    pub recovered_torn_bytes: u64,
    pub recovered_lost_bytes: u64,
    pub recovered_unreadable_files: u64,
    /// Segments that the catalogue names but the disk does not hold whole; left out of every snapshot.
    pub segments_missing: Vec<String>,
    pub orphans_removed: u64,
    /// Last sequence that is visible, and the last one that is in segments.
    pub published: u64,
    pub flushed: u64,
    /// Durable frames that are not published.
    pub frames_waiting: u64,
    pub hot_rows: u64,
    pub hot_bytes: u64,
    pub segments: u64,
    pub segment_rows: u64,
    pub segment_bytes: u64,
    pub flushes_total: u64,
    pub flush_failures_total: u64,
    /// The last failed flush, worded; `None` when the last one went well.
    pub flush_error: Option<String>,
    pub flush_ms_last: u64,
    /// Small files that wait for compaction.
    pub compaction_debt_segments: u64,
    pub compaction_debt_rows: u64,
    pub compaction_debt_bytes: u64,
    pub compactions_total: u64,
    pub compaction_failures_total: u64,
    /// The last failed compaction, worded; `None` when the last one went well.
    pub compaction_error: Option<String>,
    pub compaction_ms_last: u64,
    /// Segments in the cold store and the bytes of their Parquet files; in `segments` and `segment_bytes` too.
    pub cold_segments: u64,
    pub cold_bytes: u64,
    pub cold_moves_total: u64,
    pub cold_failures_total: u64,
    /// The last failed move, worded; `None` when the last one went well.
    pub cold_error: Option<String>,
}
