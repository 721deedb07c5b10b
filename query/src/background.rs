//! Questions in the background: their answers are kept as Parquet files, read page by page and taken away later.
//!
//! ```text
//! slices of time, or one statement ─▶ Parquet under a temporary name ─sync─▶ its name ─▶ pages, downloads
//! ```
//!
//! Invariants:
//! * They run on a thread of their own, of low priority, with one partition: a question of a person who waits, the live
//!   tail and detection go first.
//! * A file under its name is whole and synced; one whose question ended early says so in [`Outcome`].
//! * Dropping the future of [`Engine::keep`] ends the question and removes what was written.
//!
//! Not here: whose an answer is, how many there may be, and when it goes; the caller knows persons.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use datafusion::{
    arrow::{error::ArrowError, record_batch::RecordBatch},
    execution::memory_pool::FairSpillPool,
    parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
};
use event::Scope;
use futures::StreamExt;
use serde_json::{Map, Value};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    encode::{self, Nulls},
    engine::{Engine, Given},
    error::{Error, ErrorKind, Result},
    export::{Encoder, Export, Format, Slices, Wanted},
    hunt::{ColumnInfo, HuntError, columns, table_columns},
    limits::Limits,
    rows::{AbortOnDrop, Collected, Stats, vanished},
    search::Window,
};

/// How the temporary file of an answer ends.
pub const PART: &str = "part";
/// Bytes in memory of one page of rows.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// Rows that are read at a time.
const BATCH_ROWS: usize = 1_024;
/// [`Progress::permille`] where nothing tells how far it is.
const UNKNOWN: u32 = u32::MAX;

/// What one question in the background may cost.
#[derive(Clone, Debug)]
pub struct Ceiling {
    /// From its first step to its last.
    pub time: Duration,
    pub memory_bytes: usize,
    /// Bytes of the kept file; a little more may come out.
    pub bytes_max: u64,
}

/// How far a question is; written while it runs.
#[derive(Debug)]
pub struct Progress {
    rows: AtomicU64,
    bytes: AtomicU64,
    permille: AtomicU32,
}

impl Default for Progress {
    fn default() -> Self {
        Self { rows: AtomicU64::new(0), bytes: AtomicU64::new(0), permille: AtomicU32::new(UNKNOWN) }
    }
}

impl Progress {
    /// Rows kept so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Thousandths of the range that were looked at; `None` where nothing tells, as with free SQL.
    pub fn permille(&self) -> Option<u32> {
        Some(self.permille.load(Relaxed)).filter(|permille| *permille != UNKNOWN)
    }
}

/// A kept answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub rows: u64,
    pub bytes: u64,
    /// True when the rows are a table that SQL or commands made, not events.
    pub is_table: bool,
    /// Why rows are missing; `None` when it is whole.
    pub reason: Option<String>,
}

/// Some rows of a kept answer.
#[derive(Clone, Debug)]
pub struct Page {
    /// Of events those that have a value in some row of the page, of a table all.
    pub columns: Vec<ColumnInfo>,
    pub rows: Vec<Map<String, Value>>,
    /// Rows of the whole answer.
    pub total: u64,
}

impl Engine {
    /// Says what is wrong with a question, as far as that is known before it runs.
    pub async fn check(self: &Arc<Self>, scope: &Scope, wanted: &Wanted) -> std::result::Result<(), HuntError> {
        let sql = match wanted {
            Wanted::Sql(sql) => sql.clone(),
            Wanted::Search { q, from, to, columns } => {
                if from >= to {
                    return Err(Error::new(ErrorKind::Invalid, "the time range ends before it begins").into());
                }
                self.known(scope, columns.clone())?;
                self.compile(scope, q, &Window { from: Some(*from), to: Some(*to), limit: Some(1) })?.sql
            }
        };
        let (engine, scope, limits) = (self.clone(), Arc::new(scope.clone()), self.limits().clone());
        let time = limits.time;
        let planning = self.work(async move {
            let pool = Arc::new(FairSpillPool::new(limits.memory_bytes));
            engine.planned(&scope, &sql, &Given::default(), &limits, pool, &Arc::default()).await.map(drop)
        });
        Ok(timeout(time, planning).await.map_err(|_| crate::engine::out_of_time(self.limits()))??)
    }

    /// Answers a question in the background into a file. Whether the asker may write SQL is the caller's to check.
    pub async fn keep(
        self: &Arc<Self>,
        scope: &Scope,
        wanted: Wanted,
        ceiling: Ceiling,
        path: &Path,
        progress: Arc<Progress>,
    ) -> std::result::Result<Outcome, HuntError> {
        let limits = Limits { time: ceiling.time, memory_bytes: ceiling.memory_bytes, partitions: 1, ..self.limits().clone() };
        let source = Slices::new(self, scope, wanted, limits, true)?;
        let file = Part::create(path)?;
        let keeping = Keeping { source, file, progress, started: Instant::now(), ceiling };
        let Some(runtime) = self.background_runtime() else { return Err(vanished().into()) };
        let task = runtime.spawn(keeping.run());
        let _guard = AbortOnDrop(task.abort_handle());
        Ok(task.await.map_err(|_| vanished())??)
    }

    /// Reads rows of a kept answer, from `offset`, at most `limit`; fewer when they are large.
    pub async fn kept_page(&self, path: &Path, offset: u64, limit: usize, is_table: bool) -> Result<Page> {
        let path = path.to_owned();
        let Some(runtime) = self.runtime() else { return Err(vanished()) };
        runtime.spawn_blocking(move || page(&path, offset, limit, is_table)).await.map_err(|_| vanished())?
    }

    /// A kept answer as a download; it takes the place of an export.
    pub fn kept_export(&self, path: &Path, format: Format, is_table: bool) -> Result<Export> {
        let busy = || Error::new(ErrorKind::Busy, "too many exports are running").hint("try again when one has ended");
        let place = self.export_places().clone().try_acquire_owned().map_err(|_| busy())?;
        let reader = opened(path)?.with_batch_size(BATCH_ROWS);
        let nulls = if is_table { Nulls::Keep } else { Nulls::Omit };
        let mut encoder = Encoder::new(format, reader.schema().clone(), nulls)?;
        let batches = reader.build().map_err(|error| unread(path, error))?;
        let (sender, chunks) = mpsc::channel(2);
        let rows = Arc::new(AtomicU64::new(0));
        let (told, path) = (rows.clone(), path.to_owned());
        let write = move || {
            let _place = place;
            let send = |chunk: Result<Vec<u8>>| chunk.as_ref().is_ok_and(Vec::is_empty) || sender.blocking_send(chunk).is_ok();
            if !send(Ok(encoder.start())) {
                return;
            }
            for batch in batches {
                let chunk = batch.map_err(|error| unread(&path, error)).and_then(|batch| {
                    told.fetch_add(batch.num_rows() as u64, Relaxed);
                    encoder.write(&batch)
                });
                let is_broken = chunk.is_err();
                if !send(chunk) || is_broken {
                    return;
                }
            }
            send(encoder.finish());
        };
        let Some(runtime) = self.runtime() else { return Err(vanished()) };
        let task = runtime.spawn_blocking(write);
        Ok(Export { chunks, rows, _task: AbortOnDrop(task.abort_handle()) })
    }
}

/// A question on its way into its file.
struct Keeping {
    source: Slices,
    file: Part,
    progress: Arc<Progress>,
    started: Instant,
    ceiling: Ceiling,
}

impl Keeping {
    async fn run(mut self) -> Result<Outcome> {
        let is_table = self.source.is_sql();
        let mut slice = self.source.next().await?;
        let schema = match &slice {
            Some(rows) => rows.schema(),
            None => self.source.empty_schema().await?,
        };
        let mut encoder = Encoder::new(Format::Parquet, schema, Nulls::Keep)?;
        let mut reason = None;
        while reason.is_none()
            && let Some(mut rows) = slice.take()
        {
            let before = self.progress.rows();
            while let Some(batch) = rows.next().await {
                match batch {
                    Ok(batch) => reason = self.write(&mut encoder, &batch)?,
                    // What was found before stands; newest first, so it is the rest that is missing.
                    Err(error) if error.kind == ErrorKind::Limit && (!is_table || self.progress.rows() > 0) => {
                        reason = Some(error.message);
                    }
                    Err(error) => return Err(error),
                }
                if reason.is_some() {
                    break;
                }
            }
            self.source.learn(self.progress.rows() - before);
            self.progress.permille.store(self.source.asked().unwrap_or(UNKNOWN), Relaxed);
            if reason.is_none() && !is_table {
                match self.ceiling.time.checked_sub(self.started.elapsed()) {
                    Some(left) if !left.is_zero() => self.source.allow(left),
                    _ => {
                        reason = Some(format!("the time limit of {} s was reached", self.ceiling.time.as_secs()));
                        break;
                    }
                }
                slice = self.source.next().await?;
            }
        }
        let end = encoder.finish()?;
        self.put(&end)?;
        self.file.persist()?;
        Ok(Outcome { rows: self.progress.rows(), bytes: self.progress.bytes(), is_table, reason })
    }

    /// Writes rows; gives the reason to stop when there is no room for more.
    fn write(&mut self, encoder: &mut Encoder, batch: &RecordBatch) -> Result<Option<String>> {
        let bytes = encoder.write(batch)?;
        self.put(&bytes)?;
        self.progress.rows.fetch_add(batch.num_rows() as u64, Relaxed);
        let size = self.progress.bytes() + encoder.in_wait() as u64;
        let is_full = size > self.ceiling.bytes_max;
        Ok(is_full.then(|| format!("more than {} MiB", (self.ceiling.bytes_max >> 20).max(1))))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write(bytes)?;
        self.progress.bytes.fetch_add(bytes.len() as u64, Relaxed);
        Ok(())
    }
}

/// A file under its temporary name; removed unless it was persisted.
struct Part {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    is_kept: bool,
}

impl Part {
    fn create(path: &Path) -> Result<Self> {
        let temporary = path.with_extension(PART);
        let file = File::create(&temporary).map_err(|error| unwritten(&temporary, &error))?;
        Ok(Self { file, temporary, path: path.to_owned(), is_kept: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| unwritten(&self.temporary, &error))
    }

    /// Syncs the bytes, gives the file its name, syncs the folder.
    fn persist(&mut self) -> Result<()> {
        self.file.sync_all().map_err(|error| unwritten(&self.temporary, &error))?;
        std::fs::rename(&self.temporary, &self.path).map_err(|error| unwritten(&self.path, &error))?;
        self.is_kept = true;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritten(folder, &error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

fn page(path: &Path, offset: u64, limit: usize, is_table: bool) -> Result<Page> {
    let builder = opened(path)?;
    let total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let schema = builder.schema().clone();
    let mut batches = Vec::new();
    if offset < total {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let builder = builder.with_offset(offset).with_limit(limit).with_batch_size(limit.min(BATCH_ROWS));
        let mut bytes = 0;
        for batch in builder.build().map_err(|error| unread(path, error))? {
            let batch = batch.map_err(|error: ArrowError| unread(path, error))?;
            bytes += batch.get_array_memory_size();
            batches.push(batch);
            if bytes > PAGE_BYTES_MAX {
                break;
            }
        }
    }
    let rows = encode::json_rows(&batches, if is_table { Nulls::Keep } else { Nulls::Omit })?;
    let answer = Collected { schema, batches, complete: true, reason: None, stats: Stats::default() };
    let columns = if is_table { table_columns(&answer) } else { columns(&answer) };
    Ok(Page { columns, rows, total })
}

fn opened(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(|error| unread(path, error))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unread(path, error))
}

fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn unread(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::failed(format!("failed to read the kept answer {}: {error}", name_of(path)))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("failed to write the kept answer {}: {error}", name_of(path)))
}

#[cfg(test)]
mod tests {
    use event::Role;

    use super::*;
    use crate::tests::world::{DAY, START, World, admin, only, rows, run};

    fn search(q: &str) -> Wanted {
        Wanted::Search { q: q.to_owned(), from: START - 100 * DAY, to: START + 100 * DAY, columns: vec![] }
    }

    fn ceiling() -> Ceiling {
        Ceiling { time: Duration::from_secs(60), memory_bytes: 64 << 20, bytes_max: 64 << 20 }
    }

    async fn text(mut export: Export) -> String {
        let mut bytes = Vec::new();
        while let Some(chunk) = export.next().await {
            bytes.extend(chunk.unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_answer_is_kept_paged_and_taken_away_as_asked() {
        run(async {
            let world = World::new(rows(600, 1));
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("1.parquet");
            let progress = Arc::new(Progress::default());
            let owner = only(Role::Owner, &["portal"]);
            let kept = world.engine.keep(&owner, search(""), ceiling(), &path, progress.clone()).await.unwrap();
            let mine: Vec<&str> = world.rows.iter().filter(|row| row.system == "portal").map(|row| row.id.as_str()).collect();
            assert_eq!((kept.rows, kept.is_table, kept.reason), (mine.len() as u64, false, None));
            assert_eq!((progress.rows(), progress.permille()), (kept.rows, Some(1_000)));
            assert_eq!(kept.bytes, std::fs::metadata(&path).unwrap().len());
            let (mut offset, mut ids, mut times) = (0, Vec::new(), Vec::new());
            while offset < kept.rows {
                let page = world.engine.kept_page(&path, offset, 50, false).await.unwrap();
                assert_eq!(page.total, kept.rows);
                offset += page.rows.len() as u64;
                ids.extend(page.rows.iter().map(|row| row["event.id"].as_str().unwrap().to_owned()));
                times.extend(page.rows.iter().map(|row| row["@timestamp"].as_str().unwrap().to_owned()));
                assert!(page.columns.iter().all(|column| column.name != "dns.question.name"));
            }
            assert!(times.is_sorted_by(|one, other| one >= other), "newest first over all pages");
            ids.sort();
            let mut wanted: Vec<String> = mine.iter().map(|id| (*id).to_owned()).collect();
            wanted.sort();
            assert_eq!(ids, wanted);
            assert!(world.engine.kept_page(&path, kept.rows, 50, false).await.unwrap().rows.is_empty());
            let taken = text(world.engine.kept_export(&path, Format::Ndjson, false).unwrap()).await;
            assert_eq!(taken.lines().count() as u64, kept.rows);
            assert!(!taken.contains("rm -rf"), "what the asker may not read was never kept");
        });
    }

    #[test]
    fn tables_of_sql_and_commands_are_kept_in_their_order() {
        run(async {
            let world = World::new(rows(100, 1));
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("2.parquet");
            let sql = Wanted::Sql("SELECT 2 AS two, NULL AS nothing UNION ALL SELECT 3, NULL ORDER BY two DESC".to_owned());
            let kept = world.engine.keep(&admin(), sql, ceiling(), &path, Arc::default()).await.unwrap();
            assert_eq!((kept.rows, kept.is_table), (2, true));
            let csv = text(world.engine.kept_export(&path, Format::Csv, true).unwrap()).await;
            assert_eq!(csv, "\u{feff}two,nothing\r\n3,\r\n2,\r\n");
            let stages = search("| stats count() as n");
            world.engine.keep(&admin(), stages, ceiling(), &path, Arc::default()).await.unwrap();
            let page = world.engine.kept_page(&path, 0, 10, true).await.unwrap();
            assert_eq!((page.rows[0]["n"].as_i64(), page.columns.len()), (Some(100), 1));
        });
    }

    #[test]
    fn what_has_no_room_or_no_time_is_kept_in_part_and_says_so() {
        run(async {
            let world = World::new(rows(2_000, 1));
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("3.parquet");
            let small = Ceiling { bytes_max: 1, ..ceiling() };
            let kept = world.engine.keep(&admin(), search(""), small, &path, Arc::default()).await.unwrap();
            assert!(kept.reason.is_some_and(|reason| reason.contains("MiB")) && kept.rows > 0 && kept.rows < 2_000);
            // 2,000³ rows: nothing that a fast machine has before the time is over.
            let short = Ceiling { time: Duration::from_millis(50), ..ceiling() };
            let sql = Wanted::Sql("SELECT count(*) FROM events a, events b, events c WHERE a.message > b.message".to_owned());
            let error = world.engine.keep(&admin(), sql, short, &path, Arc::default()).await.unwrap_err();
            assert!(error.to_string().contains("time limit"), "{error}");
        });
    }

    #[test]
    fn a_wrong_question_is_told_at_once_and_leaves_nothing() {
        run(async {
            let world = World::new(rows(10, 1));
            let engine = &world.engine;
            assert!(matches!(engine.check(&admin(), &search("(")).await, Err(HuntError::Search(_))));
            for sql in ["DROP TABLE events", "SELECT no_such FROM events"] {
                assert!(matches!(engine.check(&admin(), &Wanted::Sql(sql.to_owned())).await, Err(HuntError::Query(_))));
            }
            engine.check(&admin(), &search("user.name:root | top 3 source.ip")).await.unwrap();
            let dir = tempfile::tempdir().unwrap();
            let wrong = Wanted::Sql("DROP TABLE events".to_owned());
            let path = dir.path().join("4.parquet");
            assert!(engine.keep(&admin(), wrong, ceiling(), &path, Arc::default()).await.is_err());
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "no part of a file is left");
        });
    }

    #[test]
    fn whoever_goes_away_leaves_no_file() {
        run(async {
            let world = World::new(rows(2_000, 1));
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("5.parquet");
            drop(
                tokio::time::timeout(Duration::ZERO, world.engine.keep(&admin(), search(""), ceiling(), &path, Arc::default()))
                    .await,
            );
            let start = Instant::now();
            while std::fs::read_dir(dir.path())
                .unwrap()
                .any(|file| file.unwrap().path().extension().is_some_and(|end| end == PART))
            {
                assert!(start.elapsed() < Duration::from_secs(60), "the part stayed");
                tokio::task::yield_now().await;
            }
        });
    }
}
