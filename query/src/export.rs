//! Exports without a ceiling on rows: CSV, NDJSON or Parquet, written while they are read.
//!
//! ```text
//! slices of time, newest first ─sorted each─▶ encoder ─▶ two chunks in wait ─▶ the reader's pace
//! ```
//!
//! Invariants:
//! * One snapshot from the first row to the last; newest first.
//! * Memory is that of one sorted slice (it spills beyond its share) and of a few chunks, however long the export.
//! * An export takes no turn from questions; there are few at a time, and one that nobody reads ends.
//! * What ends early ends with an error: a reader never takes a part for the whole.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use datafusion::{
    arrow::{datatypes::SchemaRef, record_batch::RecordBatch},
    parquet::{
        arrow::ArrowWriter,
        basic::{Compression, ZstdLevel},
        file::properties::WriterProperties,
    },
};
use event::{Field, Micros, Scope, field};
use futures::StreamExt;
use serde_json::Value;
use store::Snapshot;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};

use crate::{
    encode::{self, Nulls},
    engine::{Engine, Given},
    error::{Error, ErrorKind, Result},
    hunt::HuntError,
    limits::Limits,
    rows::{AbortOnDrop, Rows, vanished},
    search::{Window, conditions, name},
    view::View,
};

/// Exports that run at the same time.
pub(crate) const EXPORTS_MAX: usize = 3;
/// The longest an export may take, and the longest that a reader may stand still.
const TIME_MAX: Duration = Duration::from_secs(12 * 3_600);
const STILL_MAX: Duration = Duration::from_secs(300);
/// Memory in which a slice is sorted; beyond it the sort spills.
const MEMORY_BYTES: usize = 128 << 20;
/// Columns that are chosen unasked; with more, the person chooses.
const COLUMNS_MAX: usize = 1_500;
/// Rows of a slice between which its length stays.
const SLICE_ROWS: std::ops::Range<u64> = 50_000..400_000;
const SLICE_FIRST: Micros = 3_600_000_000;
const SLICE_SHORTEST: Micros = 1_000_000;
/// Bytes that a Parquet row group gathers.
const GROUP_BYTES: usize = 8 << 20;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Ndjson,
    Parquet,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Csv, Self::Ndjson, Self::Parquet];

    /// Its name, which is the ending of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// What is exported.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Events of a search in a range, newest first; without names all columns that have values somewhere in the range.
    Search { q: String, from: Micros, to: Micros, columns: Vec<String> },
    /// The answer of one statement; whether the asker may write SQL is the caller's to check.
    Sql(String),
}

/// An export under way. Dropping it ends it.
pub struct Export {
    pub(crate) chunks: mpsc::Receiver<Result<Vec<u8>>>,
    pub(crate) rows: Arc<AtomicU64>,
    pub(crate) _task: AbortOnDrop,
}

impl Export {
    /// Waits for the next piece of the file; `None` when it is whole.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>>> {
        self.chunks.recv().await
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }
}

impl Engine {
    /// Begins an export. What is wrong with the question is told here; afterwards only what breaks on the way.
    pub async fn export(
        self: &Arc<Self>,
        scope: &Scope,
        wanted: Wanted,
        format: Format,
    ) -> std::result::Result<Export, HuntError> {
        let busy = || Error::new(ErrorKind::Busy, "too many exports are running").hint("try again when one has ended");
        let place = self.export_places().clone().try_acquire_owned().map_err(|_| busy())?;
        let limits = self.limits();
        let limits = Limits { time: TIME_MAX, memory_bytes: limits.memory_bytes.min(MEMORY_BYTES), ..limits.clone() };
        let mut source = Slices::new(self, scope, wanted, limits, false)?;
        // The first question is asked before anything is answered: it may be wrong.
        let first = source.next().await?;
        let schema = match &first {
            Some(rows) => rows.schema(),
            None => source.empty_schema().await?,
        };
        let (sender, chunks) = mpsc::channel(2);
        let rows = Arc::new(AtomicU64::new(0));
        let nulls = if source.is_sql() { Nulls::Keep } else { Nulls::Omit };
        let encoder = Encoder::new(format, schema, nulls)?;
        let writing = Writing { source, encoder, sender, rows: rows.clone(), _place: place };
        let Some(runtime) = self.runtime() else { return Err(vanished().into()) };
        let task = runtime.spawn(writing.run(first));
        Ok(Export { chunks, rows, _task: AbortOnDrop(task.abort_handle()) })
    }
}

/// The questions of an export, one after the other.
pub(crate) struct Slices {
    engine: Arc<Engine>,
    scope: Scope,
    snapshot: Arc<Snapshot>,
    what: What,
    limits: Limits,
    in_background: bool,
}

enum What {
    /// A statement that was not asked yet, or was.
    Sql(Option<String>),
    Search {
        select: String,
        where_sql: String,
        from: Micros,
        to: Micros,
        width: Micros,
        /// From `from` to where it began.
        whole: Micros,
    },
}

impl Slices {
    /// Reads the question; what is wrong with a search text is told here.
    pub(crate) fn new(
        engine: &Arc<Engine>,
        scope: &Scope,
        wanted: Wanted,
        limits: Limits,
        in_background: bool,
    ) -> std::result::Result<Self, HuntError> {
        let snapshot = engine.snapshot();
        let what = match wanted {
            Wanted::Sql(sql) => What::Sql(Some(sql)),
            Wanted::Search { q, from, to, columns } => {
                if from >= to {
                    return Err(Error::new(ErrorKind::Invalid, "the time range ends before it begins").into());
                }
                let window = Window { from: Some(from), to: Some(to), limit: None };
                let compiled = engine.compile(scope, &q, &window)?;
                if !compiled.stages.is_empty() {
                    // Commands look at all events of the range at once; their columns are their own.
                    let what = What::Sql(Some(compiled.sql));
                    return Ok(Self { engine: engine.clone(), scope: scope.clone(), snapshot, what, limits, in_background });
                }
                let view = engine.view_of(&snapshot, scope);
                let columns = if columns.is_empty() { columns_of(&view, from, to)? } else { engine.known(scope, columns)? };
                let select: Vec<String> = columns.iter().map(|column| name(column)).collect();
                let (oldest, newest) = view.span().unwrap_or((to, to));
                let (from, to) = (from.max(oldest), to.min(newest.saturating_add(1)));
                let whole = to.saturating_sub(from).max(1);
                let select = select.join(", ");
                What::Search { select, where_sql: compiled.where_sql, from, to, width: SLICE_FIRST, whole }
            }
        };
        Ok(Self { engine: engine.clone(), scope: scope.clone(), snapshot, what, limits, in_background })
    }

    /// Rows of free SQL or of commands, in an order of their own.
    pub(crate) fn is_sql(&self) -> bool {
        matches!(self.what, What::Sql(_))
    }

    /// Asks the next question; `None` when there is none left.
    pub(crate) async fn next(&mut self) -> Result<Option<Rows>> {
        let sql = match &mut self.what {
            What::Sql(sql) => sql.take(),
            What::Search { select, where_sql, from, to, width, .. } if *to > *from => {
                let start = to.saturating_sub(*width).max(*from);
                let window = conditions(where_sql, &Window { from: Some(start), to: Some(*to), limit: None });
                *to = start;
                Some(format!("SELECT {select} FROM events WHERE {window} ORDER BY timestamp DESC, event.id DESC"))
            }
            What::Search { .. } => None,
        };
        match sql {
            Some(sql) => Ok(Some(self.ask(&sql).await?)),
            None => Ok(None),
        }
    }

    async fn ask(&self, sql: &str) -> Result<Rows> {
        let snapshot = Some(self.snapshot.clone());
        let given = Given { snapshot, narrow: None, needs_turn: false, in_background: self.in_background };
        self.engine.sql_given(&self.scope, sql, Some(self.limits.clone()), given).await
    }

    /// The columns of an export without any row.
    pub(crate) async fn empty_schema(&self) -> Result<SchemaRef> {
        match &self.what {
            What::Search { select, .. } => Ok(self.ask(&format!("SELECT {select} FROM events LIMIT 0")).await?.schema()),
            What::Sql(_) => Err(vanished()),
        }
    }

    /// The longest that the next question may take.
    pub(crate) fn allow(&mut self, time: Duration) {
        self.limits.time = time;
    }

    /// Thousandths of the range that were asked for; `None` where nothing tells.
    pub(crate) fn asked(&self) -> Option<u32> {
        let What::Search { from, to, whole, .. } = &self.what else { return None };
        let left = to.saturating_sub(*from).max(0);
        Some(1_000 - u32::try_from((i128::from(left) * 1_000 / i128::from(*whole)).clamp(0, 1_000)).unwrap_or(1_000))
    }

    /// Makes the next slice longer or shorter.
    pub(crate) fn learn(&mut self, rows: u64) {
        let What::Search { width, .. } = &mut self.what else { return };
        *width = match rows {
            rows if rows < SLICE_ROWS.start / 8 => width.saturating_mul(8),
            rows if rows < SLICE_ROWS.start => width.saturating_mul(2),
            rows if rows > SLICE_ROWS.end => (*width / 2).max(SLICE_SHORTEST),
            _ => *width,
        };
    }
}

/// Columns that may have a value in the range: those of the batches and files in it.
pub(crate) fn columns_of(view: &View, from: Micros, to: Micros) -> Result<Vec<String>> {
    let is_inside = |span: Option<(Micros, Micros)>| span.is_some_and(|(min, max)| min < to && from <= max);
    let mut names: BTreeSet<String> = BTreeSet::new();
    let all = |schema: &SchemaRef| schema.fields().iter().map(|column| column.name().clone()).collect::<Vec<_>>();
    for hot in view.hot.iter().filter(|hot| is_inside(hot.timestamp)) {
        names.extend(all(&hot.batch.schema()));
    }
    for segment in view.segments.iter().filter(|segment| is_inside(segment.timestamp)) {
        names.extend(all(&segment.schema));
        names.extend(segment.residual_keys.iter().cloned());
    }
    names.extend([field::TIMESTAMP, field::EVENT_ID].map(|field| field.name().to_owned()));
    let has_residual = names.remove(field::RESIDUAL.name());
    let mut columns: Vec<String> = view.schema.fields().iter().map(|column| column.name().clone()).collect();
    // What only a hot residual has is known to the view's schema; it is rare, and a batch in the range may have it.
    let is_wanted = |name: &String| names.contains(name) || has_residual && Field::by_name(name).is_none();
    columns.retain(|name| is_wanted(name) && name != field::RESIDUAL.name());
    columns.sort_by_key(|name| name != field::TIMESTAMP.name());
    if columns.len() > COLUMNS_MAX {
        let message = format!("the events of this range have {} columns, an export has at most {COLUMNS_MAX}", columns.len());
        return Err(Error::new(ErrorKind::Limit, message).hint("choose the columns, or narrow the search"));
    }
    Ok(columns)
}

/// An export on its way.
struct Writing {
    source: Slices,
    encoder: Encoder,
    sender: mpsc::Sender<Result<Vec<u8>>>,
    rows: Arc<AtomicU64>,
    _place: OwnedSemaphorePermit,
}

/// Nobody reads any more.
struct Gone;

impl Writing {
    async fn run(mut self, first: Option<Rows>) {
        let ended = self.write(first).await;
        if let Err(Some(error)) = ended {
            let _ = timeout(STILL_MAX, self.sender.send(Err(error))).await;
        }
    }

    /// Writes all; an error without a reason means that the reader is gone.
    async fn write(&mut self, first: Option<Rows>) -> std::result::Result<(), Option<Error>> {
        let start = self.encoder.start();
        send(&self.sender, start).await.map_err(|Gone| None)?;
        let mut slice = first;
        while let Some(mut rows) = slice {
            let before = self.rows.load(Relaxed);
            while let Some(batch) = rows.next().await {
                let batch = batch.map_err(Some)?;
                let bytes = self.encoder.write(&batch).map_err(Some)?;
                self.rows.fetch_add(batch.num_rows() as u64, Relaxed);
                send(&self.sender, bytes).await.map_err(|Gone| None)?;
            }
            self.source.learn(self.rows.load(Relaxed) - before);
            slice = self.source.next().await.map_err(Some)?;
        }
        let end = self.encoder.finish().map_err(Some)?;
        send(&self.sender, end).await.map_err(|Gone| None)
    }
}

/// Hands a piece on, at the reader's pace.
async fn send(sender: &mpsc::Sender<Result<Vec<u8>>>, bytes: Vec<u8>) -> std::result::Result<(), Gone> {
    if bytes.is_empty() {
        return Ok(());
    }
    match timeout(STILL_MAX, sender.send(Ok(bytes))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

/// Rows → bytes of a file.
pub(crate) enum Encoder {
    Csv(SchemaRef),
    Ndjson(Nulls),
    /// `None` once it is closed.
    Parquet(Option<Box<ArrowWriter<Vec<u8>>>>),
}

impl Encoder {
    pub(crate) fn new(format: Format, schema: SchemaRef, nulls: Nulls) -> Result<Self> {
        Ok(match format {
            Format::Csv => Self::Csv(schema),
            Format::Ndjson => Self::Ndjson(nulls),
            Format::Parquet => {
                let zstd = Compression::ZSTD(ZstdLevel::try_new(1).map_err(unwritten)?);
                let properties = WriterProperties::builder().set_compression(zstd).build();
                let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(unwritten)?;
                Self::Parquet(Some(Box::new(writer)))
            }
        })
    }

    /// What stands before the rows. The mark tells spreadsheets that the file is UTF-8.
    pub(crate) fn start(&self) -> Vec<u8> {
        match self {
            Self::Csv(schema) => format!("\u{feff}{}", encode::csv_header(schema)).into_bytes(),
            Self::Ndjson(_) | Self::Parquet(_) => Vec::new(),
        }
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match self {
            Self::Csv(_) => Ok(encode::csv_rows(batch)?.into_bytes()),
            Self::Ndjson(nulls) => {
                let mut lines = Vec::new();
                for row in encode::json_rows(std::slice::from_ref(batch), *nulls)? {
                    lines.extend_from_slice(Value::Object(row).to_string().as_bytes());
                    lines.push(b'\n');
                }
                Ok(lines)
            }
            Self::Parquet(writer) => {
                let Some(writer) = writer else { return Err(vanished()) };
                writer.write(batch).map_err(unwritten)?;
                if writer.in_progress_size() >= GROUP_BYTES {
                    writer.flush().map_err(unwritten)?;
                }
                Ok(std::mem::take(writer.inner_mut()))
            }
        }
    }

    /// Bytes that were given and did not come out yet, about.
    pub(crate) fn in_wait(&self) -> usize {
        match self {
            Self::Parquet(Some(writer)) => writer.in_progress_size(),
            _ => 0,
        }
    }

    /// What stands behind the rows.
    pub(crate) fn finish(&mut self) -> Result<Vec<u8>> {
        match self {
            Self::Csv(_) | Self::Ndjson(_) => Ok(Vec::new()),
            Self::Parquet(writer) => match writer.take() {
                Some(writer) => writer.into_inner().map_err(unwritten),
                None => Err(vanished()),
            },
        }
    }
}

fn unwritten(error: datafusion::parquet::errors::ParquetError) -> Error {
    Error::failed(format!("failed to write the export: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use event::Role;

    use super::*;
    use crate::tests::world::{DAY, START, World, admin, first_column, only, rows, run};

    fn search(q: &str, columns: &[&str]) -> Wanted {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Wanted::Search { q: q.to_owned(), from: START - 100 * DAY, to: START + 100 * DAY, columns }
    }

    async fn whole(world: &World, scope: &Scope, wanted: Wanted, format: Format) -> (Vec<u8>, u64) {
        let mut export = world.engine.export(scope, wanted, format).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(chunk) = export.next().await {
            bytes.extend(chunk.unwrap());
        }
        (bytes, export.rows())
    }

    fn text((bytes, _): &(Vec<u8>, u64)) -> String {
        String::from_utf8(bytes.clone()).unwrap()
    }

    #[test]
    fn every_row_newest_first_past_the_limit_of_answers() {
        run(async {
            let limits = Limits { rows_max: 10, ..Limits::default() };
            let world = World::with(rows(2_000, 1), limits, vec![]);
            let export = whole(&world, &admin(), search("", &["timestamp", "event.id"]), Format::Ndjson).await;
            assert_eq!(export.1, 2_000);
            let times: Vec<String> = text(&export)
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["@timestamp"].to_string())
                .collect();
            assert!(times.len() == 2_000 && times.is_sorted_by(|one, other| one >= other));
        });
    }

    #[test]
    fn commands_are_part_of_what_is_taken_away() {
        run(async {
            let world = World::new(rows(600, 1));
            let wanted = search("| stats count() as n by system.id | sort system.id", &[]);
            let export = whole(&world, &admin(), wanted, Format::Csv).await;
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            world.rows.iter().for_each(|row| *counts.entry(row.system).or_default() += 1);
            let lines: Vec<String> = counts.iter().map(|(system, count)| format!("{system},{count}")).collect();
            let text = text(&export);
            for line in lines {
                let (system, count) = line.split_once(',').unwrap();
                assert!(text.lines().any(|found| found.contains(system) && found.contains(count)), "{line} in {text}");
            }
            assert_eq!(export.1, counts.len() as u64);
        });
    }

    #[test]
    fn only_what_matches_in_scope_and_masked() {
        run(async {
            let world = World::new(rows(600, 1));
            let owner = only(Role::Owner, &["portal"]);
            let export =
                whole(&world, &owner, search("user.name:root", &["event.id", "system.id", "process.command_line"]), Format::Csv)
                    .await;
            let text = text(&export);
            let wanted = world.rows.iter().filter(|row| row.system == "portal" && row.user.as_deref() == Some("root"));
            let mut ids: Vec<&str> = wanted.map(|row| row.id.as_str()).collect();
            ids.sort_unstable();
            let mut found: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
            found.sort_unstable();
            assert_eq!(found, ids);
            assert!(text.starts_with("\u{feff}event.id,system.id,process.command_line\r\n"), "{text}");
            assert!(!text.contains("rm -rf") && text.contains(",s:"), "what an owner may not read is a token: {text}");
        });
    }

    #[test]
    fn parquet_opens_and_has_every_column_that_has_values() {
        run(async {
            let world = World::new(rows(600, 1));
            let (bytes, count) = whole(&world, &admin(), search("", &[]), Format::Parquet).await;
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
            let batches: Vec<RecordBatch> = reader.map(std::result::Result::unwrap).collect();
            let names: Vec<String> = batches[0].schema().fields().iter().map(|column| column.name().clone()).collect();
            for name in ["timestamp", "event.id", "user.name", "related.ip", "fortinet.level", "rare.key", "event.original"] {
                assert!(names.iter().any(|one| one == name), "{name} is not in {names:?}");
            }
            assert!(!names.iter().any(|name| name == "residual" || name == "dns.question.name"), "{names:?}");
            let read: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!((read as u64, count), (600, 600));
            let ids = batches.iter().map(|batch| batch.project(&[batch.schema().index_of("event.id").unwrap()]).unwrap());
            let mut ids = first_column(&ids.collect::<Vec<_>>());
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), 600);
        });
    }

    #[test]
    fn sql_goes_the_same_way_and_nothing_is_a_file_too() {
        run(async {
            let world = World::new(rows(50, 1));
            let sql = Wanted::Sql("SELECT '=1+1' AS evil, count(*) AS n FROM events".to_owned());
            assert_eq!(text(&whole(&world, &admin(), sql, Format::Csv).await), "\u{feff}evil,n\r\n'=1+1,50\r\n");
            let nothing = Wanted::Search { q: String::new(), from: START - 9 * DAY, to: START - 8 * DAY, columns: vec![] };
            let empty = whole(&world, &admin(), nothing, Format::Csv).await;
            assert_eq!(text(&empty), "\u{feff}'@timestamp,event.id\r\n");
            assert!(matches!(world.engine.export(&admin(), search("(", &[]), Format::Csv).await, Err(HuntError::Search(_))));
            let wrong = [Wanted::Sql("DROP TABLE events".to_owned()), search("", &["no.such.field"])];
            for wanted in wrong {
                assert!(matches!(world.engine.export(&admin(), wanted, Format::Csv).await, Err(HuntError::Query(_))));
            }
        });
    }

    #[test]
    fn exports_are_few_and_end_with_their_readers() {
        run(async {
            let world = World::new(rows(50, 1));
            let open = async || world.engine.export(&admin(), search("", &[]), Format::Csv).await;
            let mut all = Vec::new();
            for _ in 0..EXPORTS_MAX {
                all.push(open().await.unwrap());
            }
            assert!(matches!(open().await, Err(HuntError::Query(error)) if error.kind == ErrorKind::Busy));
            all.clear();
            let start = std::time::Instant::now();
            while open().await.is_err() {
                assert!(start.elapsed() < Duration::from_secs(60), "the places did not come back");
                tokio::task::yield_now().await;
            }
        });
    }
}
