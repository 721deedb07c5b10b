//! The seams: traits at which crates meet without knowing each other. They are joined in `src/wiring.rs`.
//!
//! Futures are boxed and runtime-free, so that this crate needs no async runtime.

use std::{future::Future, io, path::Path, pin::Pin};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};

use crate::{Micros, RawBatch, Receipt, Scope};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a sink did not take a batch. Nothing of the batch was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The disk budget or the queue is full: try again after this time. Pull sources pause, push sources answer 429.
    #[error("the store is under pressure, retry in {retry_after_ms} ms")]
    Pressure { retry_after_ms: u64 },
    /// The program is shutting down: HTTP sources answer 503.
    #[error("the store is closing")]
    Closing,
    /// The log could not be written (disk full, I/O error): HTTP sources answer 503.
    #[error("{0}")]
    Failed(String),
}

/// Takes records in. The write-ahead log implements it; sources, dashboards and respond (audit events) use it.
pub trait Sink: Send + Sync {
    /// Resolves once the batch is synced to disk, or was refused as a whole. Dropping the future does not take the batch
    /// back: it may or may not be stored.
    fn submit(&self, batch: RawBatch) -> BoxFuture<'_, Result<Receipt, Refused>>;

    /// The offset after the last durable batch of this file; 0 when the file is new.
    fn file_offset(&self, source: &str, file: &str) -> u64;
}

/// A failed read behind a seam, already worded for an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SeamError(pub String);

/// Rows that `query` shows as a table: `state` and `store` implement it.
pub trait TableSource: Send + Sync {
    /// Table name in SQL.
    fn name(&self) -> &'static str;

    fn schema(&self) -> SchemaRef;

    /// The column that holds `system.id`; rows out of scope are filtered by it. `None` means that only people who see all
    /// systems may read the table.
    fn scope_column(&self) -> Option<&'static str>;

    /// Reads all rows, in the columns of [`TableSource::schema`]. Small tables only: the rows are held in memory.
    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>>;
}

/// Question in, small rows out: checks and SQL rules ask through it without knowing the engine.
pub trait Search: Send + Sync {
    /// Runs one SELECT in the given scope; fails beyond `rows_max` rows rather than cutting silently.
    fn search<'a>(
        &'a self,
        scope: &'a Scope,
        sql: &'a str,
        rows_max: usize,
    ) -> BoxFuture<'a, Result<Vec<RecordBatch>, SeamError>>;
}

/// Where time comes from. Only `src` owns the real one; tests and the simulator own theirs.
pub trait Clock: Send + Sync {
    /// Wall-clock time; may jump.
    fn now(&self) -> Micros;
}

/// Files, as far as the store writes them: log, segments, indexes, proof. The simulator implements it with torn writes, lost
/// unsynced bytes and full disks; so nothing but this trait may be assumed about a disk.
pub trait Storage: Send + Sync {
    /// Creates a file that must not exist, for appending.
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file for appending after its first `len` bytes; what follows is cut off.
    fn open_at(&self, path: &Path, len: u64) -> io::Result<Box<dyn StorageFile>>;

    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Reads up to `len` bytes from `offset` on; fewer only at the end of the file.
    fn read_range(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes[from..from.saturating_add(len).min(bytes.len())].to_vec())
    }

    /// Names of the files in a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, in place of what had it. Durable after [`Storage::sync_dir`] of the folders.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Creates a folder and those above it, where they are missing.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Makes creations and removals in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes that the file system still has free.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
}

/// A file open for appending.
pub trait StorageFile: Send {
    /// Appends; may write a part before it fails.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything appended is on stable storage.
    fn sync(&mut self) -> io::Result<()>;
}
