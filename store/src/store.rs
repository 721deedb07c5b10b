//! The store itself: opens everything, publishes, hands out snapshots, closes.
//!
//! Flush, retention and upkeep are in [`crate::flush`]; the log in [`crate::wal`].

use std::{
    collections::HashMap,
    fs::{self, File},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use event::{
    EventBatch, Micros,
    seam::{BoxFuture, Clock, SeamError, Sink, Storage, TableSource},
};
use object_store::ObjectStore;
use tokio::sync::Semaphore;

use crate::{
    Error, LedgerDelta, LedgerRow, Options, Result, Segment, Snapshot, Stats, Tail, Tombstone,
    catalogue::{Catalogue, Loaded},
    cold::{ColdFile, ColdFiles, ColdLog},
    columns::conform,
    compact::{CompactionLog, HOUR, ObserverFactory, Replacement, debt},
    data::DataFiles,
    flush::{FlushLog, Unresolved},
    indexing::Indexer,
    ledger::{self, Ledger},
    lock::DirectoryLock,
    locked,
    proof::keeper::Keeper,
    sqlite::SqliteCatalogue,
    wal::{Known, Settings, Throttle, Wal, index::KeyWindow},
};

/// How often a scan of the ledger that crosses a flush is taken again.
const LEDGER_TRIES: u64 = 50;

/// What the pipe made of the frames through a sequence.
#[derive(Clone, Debug, Default)]
pub struct Processed {
    /// Sequence of the last frame of the block.
    pub through: u64,
    pub batches: Vec<EventBatch>,
    pub ledger: Vec<LedgerDelta>,
}

/// One data directory, owned by this process.
pub struct Store {
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalogue: Arc<dyn Catalogue>,
    pub(crate) data: DataFiles,
    pub(crate) wal: Wal,
    pub(crate) ledger: Arc<Ledger>,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Held while a snapshot is replaced, together with what must change at the same instant. Never across an await.
    pub(crate) publishing: Mutex<()>,
    /// One flush or retention run at a time.
    pub(crate) turn: Semaphore,
    pub(crate) hot_bytes: Arc<AtomicU64>,
    /// When the oldest hot batch was published.
    pub(crate) hot_since: Mutex<Option<Instant>>,
    pub(crate) flushed: AtomicU64,
    pub(crate) released: AtomicU64,
    pub(crate) unresolved: Mutex<Option<Unresolved>>,
    /// Dropped segments whose file waits for its last reader.
    pub(crate) retired: Mutex<Vec<(Weak<Segment>, String)>>,
    pub(crate) flush_log: Mutex<FlushLog>,
    /// One compaction at a time.
    pub(crate) compacting: Semaphore,
    pub(crate) replacement: Mutex<Option<Replacement>>,
    /// Longest span of `event.ingested` that a file may have, as far as retention says.
    pub(crate) span_max: AtomicI64,
    pub(crate) compaction_log: Mutex<CompactionLog>,
    pub(crate) observers: Mutex<Option<ObserverFactory>>,
    /// The cold store, where one is configured.
    pub(crate) cold: Option<Arc<ColdFiles>>,
    /// One move at a time.
    pub(crate) moving: Semaphore,
    pub(crate) cold_log: Mutex<ColdLog>,
    /// True when maintenance ends: a running compaction gives up.
    pub(crate) stopping: AtomicBool,
    /// Writes the journals of the proof.
    pub(crate) keeper: Arc<Keeper>,
    segments_missing: Vec<String>,
    orphans_removed: u64,
    /// Last, so that it is let go of after everything else.
    _lock: DirectoryLock,
}

impl Store {
    /// Takes the data directory and recovers what is in it. `storage` holds the write-ahead log.
    ///
    /// Fails when another process has the directory, when it cannot be written, or when the catalogue is of a newer version;
    /// damage in the log or missing segment files are reported ([`Store::stats`]) but do not stop it.
    pub async fn open(options: Options, clock: Arc<dyn Clock>, storage: Arc<dyn Storage>) -> Result<Arc<Self>> {
        Self::open_with(options, clock, storage, |catalogue| catalogue).await
    }

    /// Like [`Store::open`], with something between store and catalogue.
    pub(crate) async fn open_with(
        options: Options,
        clock: Arc<dyn Clock>,
        storage: Arc<dyn Storage>,
        wrap: impl FnOnce(Arc<dyn Catalogue>) -> Arc<dyn Catalogue>,
    ) -> Result<Arc<Self>> {
        let dir = options.dir.clone();
        let files = Arc::clone(&storage);
        let (lock, wal_dir, data) = blocking("opening the data directory", move || prepare(&dir, files)).await?;
        let catalogue = wrap(Arc::new(SqliteCatalogue::open(&options.dir.join("catalogue.sqlite")).await?));
        let mut loaded = catalogue.load(options.keys_max).await?;
        let segments = std::mem::take(&mut loaded.segments);
        let cold = options.cold.clone().map(ColdFiles::open).transpose()?.map(Arc::new);
        let files = cold.clone();
        let (data, present, segments_missing, orphans_removed) =
            blocking("checking the segments", move || check_segments(data, segments, files.as_ref())).await?;

        let (cursor, at, through) = (catalogue.proof_cursor().await?, options.clone(), loaded.through);
        let proof_storage = Arc::clone(&storage);
        let keeper =
            blocking("opening the proof", move || Keeper::open(&at.dir, &at.node, proof_storage, cursor.as_deref(), through))
                .await?;
        let keeper = crate::proof::begin(keeper, &*catalogue, clock.now()).await?;

        let ledger = Arc::new(Ledger::new(loaded.through));
        let (through, settings) = (loaded.through, options.wal_settings(wal_dir, loaded.salt));
        let (wal_clock, wal_ledger) = (Arc::clone(&clock), Arc::clone(&ledger));
        let wal = blocking("recovering the log", move || open_wal(settings, loaded, storage, wal_clock, wal_ledger)).await?;

        let mut snapshot = Snapshot { through, segments: present.into(), ..Snapshot::default() };
        let segments = snapshot.segments.clone();
        segments.iter().for_each(|segment| snapshot.extend_names(segment.extra_names()));
        Ok(Arc::new(Self {
            clock,
            catalogue,
            data,
            wal,
            ledger,
            snapshot: RwLock::new(Arc::new(snapshot)),
            publishing: Mutex::default(),
            turn: Semaphore::new(1),
            hot_bytes: Arc::default(),
            hot_since: Mutex::default(),
            flushed: AtomicU64::new(through),
            released: AtomicU64::new(0),
            unresolved: Mutex::default(),
            retired: Mutex::default(),
            flush_log: Mutex::default(),
            compacting: Semaphore::new(1),
            replacement: Mutex::default(),
            span_max: AtomicI64::new(HOUR),
            compaction_log: Mutex::default(),
            observers: Mutex::new(Some(Arc::new(|segment| Box::new(Indexer::new(segment))))),
            cold,
            moving: Semaphore::new(1),
            cold_log: Mutex::default(),
            stopping: AtomicBool::new(false),
            keeper,
            segments_missing,
            orphans_removed,
            options,
            _lock: lock,
        }))
    }

    /// Where records come in.
    pub fn sink(self: &Arc<Self>) -> Arc<dyn Sink> {
        self.wal.sink()
    }

    /// The follower that drives publication: it starts behind the store cursor, so after a restart it yields again
    /// everything that is in no segment. It is held back while too much is hot.
    pub fn tail(self: &Arc<Self>) -> Tail {
        let throttle = Throttle { hot_bytes: Arc::clone(&self.hot_bytes), hot_bytes_max: self.options.hot_bytes_max };
        self.wal.tail(self.snapshot().through, throttle)
    }

    /// A follower that starts behind any sequence; for whoever lags behind publication. Frames that were released are skipped.
    pub fn tail_from(self: &Arc<Self>, after: u64) -> Tail {
        self.wal.tail(after, Throttle { hot_bytes: Arc::default(), hot_bytes_max: u64::MAX })
    }

    /// Makes the events of a block visible at once and books them. Blocks are published in order, each once.
    pub fn publish(&self, done: Processed) {
        let now = self.clock.now();
        let full = done.batches.into_iter().filter(|batch| batch.batch.num_rows() > 0);
        let fresh: Vec<_> = full.map(|batch| Arc::new(conform(batch, done.through, now))).collect();
        let bytes: u64 = fresh.iter().map(|hot| hot.bytes).sum();
        let _publishing = locked(&self.publishing);
        let current = self.snapshot();
        debug_assert!(done.through >= current.through, "blocks are published in order");
        let mut next = Snapshot { through: done.through.max(current.through), ..current.shallow() };
        for hot in &fresh {
            next.extend_names(hot.batch.schema_ref().fields().iter().map(|column| column.name().as_str()));
        }
        next.hot.extend(fresh);
        self.ledger.published(done.through, &done.ledger);
        self.hot_bytes.fetch_add(bytes, Ordering::Relaxed);
        locked(&self.hot_since).get_or_insert_with(Instant::now);
        self.swap(next);
    }

    /// Everything that can be read, at one instant. Cheap.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the snapshot; the caller holds `publishing`.
    pub(crate) fn swap(&self, next: Snapshot) {
        let old = std::mem::replace(&mut *self.snapshot.write().unwrap_or_else(PoisonError::into_inner), Arc::new(next));
        // Outside the lock: the last reader of many segments may take a while to let go of them.
        drop(old);
    }

    /// Says that nobody but the store needs the log through this sequence (the cursor of `detect`). Log files below both this
    /// and the store cursor are removed; until the first call none is.
    pub fn release(&self, through: u64) {
        self.released.fetch_max(through, Ordering::Relaxed);
        self.trim();
    }

    pub(crate) fn trim(&self) {
        let through = self.flushed.load(Ordering::Relaxed).min(self.released.load(Ordering::Relaxed));
        self.wal.release(through);
    }

    /// The ledger as rows, hot part included.
    pub async fn ledger(&self) -> Result<Vec<LedgerRow>> {
        // A flush moves rows from memory into the catalogue; a scan that crosses one is taken again.
        let mut tries = 0;
        loop {
            let (flushed, hot) = self.ledger.unflushed();
            let (through, stored) = self.catalogue.ledger().await?;
            if through == flushed {
                return Ok(ledger::merge_rows(stored.into_iter().chain(hot)));
            }
            tries += 1;
            if tries == LEDGER_TRIES {
                return Err(Error::CursorMoved { found: through, expected: flushed });
            }
            tokio::time::sleep(Duration::from_millis(tries)).await;
        }
    }

    /// The ledger as the table `ledger`.
    pub fn ledger_table(self: &Arc<Self>) -> Arc<dyn TableSource> {
        Arc::new(LedgerTable(Arc::clone(self)))
    }

    /// Every deletion, oldest first.
    pub async fn tombstones(&self) -> Result<Vec<Tombstone>> {
        self.catalogue.tombstones().await
    }

    /// The object store that holds the segments, by [`Segment::location`].
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.data.objects()
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    pub fn stats(&self) -> Stats {
        let (wal, recovery, snapshot) = (self.wal.stats(), &self.wal.recovery, self.snapshot());
        let flush_log = locked(&self.flush_log).clone();
        let cold_log = locked(&self.cold_log).clone();
        let is_cold = |segment: &&Arc<Segment>| segment.cold.is_some();
        let (compaction_log, debt) = (locked(&self.compaction_log).clone(), debt(&snapshot));
        Stats {
            wal_bytes: wal.bytes,
            wal_bytes_max: self.options.wal_bytes_max,
            wal_durable: wal.durable,
            wal_queue_bytes: wal.queue_bytes,
            wal_queue_count: wal.queue_count,
            wal_groups_total: wal.groups,
            wal_frames_total: wal.frames,
            wal_failures_total: wal.failures,
            wal_pressures_total: wal.pressures,
            commit_us_p50: wal.commit_us_p50,
            commit_us_p99: wal.commit_us_p99,
            recovered_frames: recovery.frames,
            recovered_torn_bytes: recovery.torn_bytes,
            recovered_lost_bytes: recovery.lost_bytes,
            recovered_unreadable_files: recovery.unreadable_files,
            segments_missing: self.segments_missing.clone(),
            orphans_removed: self.orphans_removed,
            published: snapshot.through,
            flushed: self.flushed.load(Ordering::Relaxed),
            frames_waiting: self.ledger.frames_waiting() as u64,
            hot_rows: snapshot.hot_rows(),
            hot_bytes: self.hot_bytes.load(Ordering::Relaxed),
            segments: snapshot.segments.len() as u64,
            segment_rows: snapshot.segments.iter().map(|segment| segment.rows).sum(),
            segment_bytes: snapshot.segments.iter().map(|segment| segment.bytes).sum(),
            flushes_total: flush_log.flushes,
            flush_failures_total: flush_log.failures,
            flush_error: flush_log.error,
            flush_ms_last: flush_log.ms_last,
            compaction_debt_segments: debt.segments,
            compaction_debt_rows: debt.rows,
            compaction_debt_bytes: debt.bytes,
            compactions_total: compaction_log.compactions,
            compaction_failures_total: compaction_log.failures,
            compaction_error: compaction_log.error,
            compaction_ms_last: compaction_log.ms_last,
            cold_segments: snapshot.segments.iter().filter(is_cold).count() as u64,
            cold_bytes: snapshot.segments.iter().filter(is_cold).map(|segment| segment.bytes).sum(),
            cold_moves_total: cold_log.moves,
            cold_failures_total: cold_log.failures,
            cold_error: cold_log.error,
        }
    }

    /// Takes nothing more in: senders hear `Closing`, and followers reach the end of the log.
    pub fn stop_intake(&self) {
        self.wal.stop_intake();
    }

    /// Stops taking in, flushes what is published and ends the log's thread. What is durable but not published waits in the
    /// log for the next start. Dropping the store without this, or killing the process, loses nothing either.
    pub async fn close(self: &Arc<Self>) -> Result<()> {
        self.stop_intake();
        let store = Arc::clone(self);
        blocking("closing the log", move || {
            store.wal.join();
            Ok(())
        })
        .await?;
        let flushed = self.flush().await;
        self.catalogue.close().await;
        flushed
    }
}

impl Snapshot {
    /// The same content in a new value.
    pub(crate) fn shallow(&self) -> Self {
        Self { hot: self.hot.clone(), segments: self.segments.clone(), through: self.through, extra: Arc::clone(&self.extra) }
    }
}

impl Options {
    pub(crate) fn key_window(&self) -> Micros {
        i64::try_from(self.key_window_ms).unwrap_or(i64::MAX).saturating_mul(1_000)
    }

    fn wal_settings(&self, dir: PathBuf, salt: u64) -> Settings {
        Settings {
            dir,
            salt,
            bytes_max: self.wal_bytes_max,
            file_bytes_max: self.wal_file_bytes.min(self.wal_bytes_max / 4),
            free_bytes_min: self.free_bytes_min,
            commit_delay_ms: self.commit_delay_ms.min(20),
            queue_bytes_max: self.queue_bytes_max,
            queue_count_max: self.queue_count_max,
            ring_bytes_max: self.ring_bytes_max,
            keys: KeyWindow { micros: self.key_window(), count_max: self.keys_max },
        }
    }
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Stopped(what))?
}

fn prepare(dir: &std::path::Path, storage: Arc<dyn Storage>) -> Result<(DirectoryLock, PathBuf, DataFiles)> {
    let lock = DirectoryLock::take(dir)?;
    let wal_dir = dir.join("wal");
    fs::create_dir_all(&wal_dir).map_err(Error::file("create the log folder", &wal_dir))?;
    let data = DataFiles::open(&dir.join("segments"), storage)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::file("sync the data directory", dir))?;
    Ok((lock, wal_dir, data))
}

type Checked = (DataFiles, Vec<Arc<Segment>>, Vec<String>, u64);

/// Removes orphans and sets apart segments whose file is missing or has another length than the catalogue says.
fn check_segments(data: DataFiles, segments: Vec<Segment>, cold: Option<&Arc<ColdFiles>>) -> Result<Checked> {
    let files = |segment: &Segment| {
        let index = segment.index.as_ref().map(|index| (index.location.clone(), index.bytes));
        // A file that moved to the cold store and is still here is an orphan.
        let file = segment.cold.is_none().then(|| (segment.location.clone(), segment.bytes));
        file.into_iter().chain(index).collect::<Vec<_>>()
    };
    let known: HashMap<String, u64> = segments.iter().flat_map(files).collect();
    let (orphans, found) = data.remove_orphans(&known).map_err(Error::file("list the segments in", data.path("")))?;
    let (mut present, mut missing) = (Vec::with_capacity(segments.len()), Vec::new());
    for mut segment in segments {
        // The cold store may be away for now; whether it holds the file whole is seen when it is read.
        if segment.cold.is_some() || found.get(&segment.location) == Some(&segment.bytes) {
            segment.cold = segment.cold.map(|file| ColdFile { files: cold.cloned(), ..file });
            segment.path = data.path(&segment.location);
            // Without its index a segment is slower, not gone.
            segment.index = segment.index.filter(|index| found.get(&index.location) == Some(&index.bytes));
            present.push(Arc::new(segment));
        } else {
            let found = found.get(&segment.location);
            tracing::error!(segment = %segment.id, expected = segment.bytes, ?found, "a segment's file is missing or cut");
            missing.push(segment.id);
        }
    }
    Ok((data, present, missing, orphans as u64))
}

fn open_wal(
    settings: Settings,
    loaded: Loaded,
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    ledger: Arc<Ledger>,
) -> Result<Wal> {
    let dir = settings.dir.clone();
    let known = Known { through: loaded.through, ingested: loaded.ingested, keys: loaded.keys, positions: loaded.positions };
    Wal::open(settings, known, storage, clock, ledger).map_err(Error::file("recover the log in", dir))
}

struct LedgerTable(Arc<Store>);

impl TableSource for LedgerTable {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn schema(&self) -> arrow::datatypes::SchemaRef {
        ledger::schema()
    }

    /// Sources are not systems: only people who see everything read the ledger.
    fn scope_column(&self) -> Option<&'static str> {
        None
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<arrow::record_batch::RecordBatch>, SeamError>> {
        Box::pin(async move {
            let rows = self.0.ledger().await?;
            let batch = ledger::to_batch(&rows).map_err(|error| SeamError(format!("failed to show the ledger: {error}")))?;
            Ok(vec![batch])
        })
    }
}
