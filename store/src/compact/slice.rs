//! The working set of compaction: the rows of one time slice, read, encoded and put in order.
//!
//! A slice is a run of neighbouring L0 segments (or, where one alone is too big, the part of one in a span of
//! `event.ingested`), or of row groups of compacted ones. Its rows are ordered by (file they go to, dataset, `host.name`,
//! `timestamp`).

use std::{collections::HashMap, ops::Range, sync::Arc};

use arrow::{
    array::{Array, AsArray},
    compute::{filter_record_batch, kernels::boolean::and},
    datatypes::{Int32Type, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use event::{Micros, field};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector},
    },
    file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData},
};

use crate::{
    Error, Result, Segment, SystemClass,
    line::{FORMAT_LINES, Layout, cells::Cells, encode::Encoder, part},
    read::{Reader, Wanted},
    snapshot::{Systems, systems_of},
};

const BATCH_ROWS: usize = 16_384;
/// Bytes that a row of a compacted file counts in memory at least: its line is put together again.
const LINE_ROW_BYTES: u64 = 1 << 10;

/// Rows of one dataset and one input batch, in physical form.
pub(crate) struct Part {
    pub batch: RecordBatch,
    pub shapes: Vec<u32>,
    /// `event.original`, kept only where somebody looks on ([`super::BlockObserver`]).
    pub logical: Option<RecordBatch>,
}

/// One row: its sort key and where it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowRef {
    /// Number of the span of `event.ingested` that a file is for.
    pub unit: i64,
    pub dataset: u32,
    pub host: u32,
    pub timestamp: Micros,
    pub part: u32,
    pub row: u32,
}

/// Rows of a slice.
#[derive(Default)]
pub(crate) struct Slice {
    pub parts: Vec<Part>,
    pub rows: Vec<RowRef>,
    /// By unit: systems, span of `timestamp`, datasets.
    pub units: HashMap<i64, Facts>,
    /// Bytes that are written of it at most.
    pub written_max: u64,
}

#[derive(Default)]
pub(crate) struct Facts {
    pub systems: Systems,
    pub timestamp: Option<(Micros, Micros)>,
}

/// Which rows of which segments are read together.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub segment: Arc<Segment>,
    /// Only rows ingested from `.0` to before `.1`.
    pub ingested: Option<(Micros, Micros)>,
    /// Only these row groups.
    pub groups: Option<Range<usize>>,
    pub rows: u64,
    /// Bytes in memory, about.
    pub bytes: u64,
    /// Bytes that are written of it at most.
    pub written_max: u64,
}

/// Splits segments, in order of ingestion, into slices of at most this many rows and about this many bytes in memory.
pub(crate) fn plan(segments: &[Arc<Segment>], rows_max: u64, bytes_max: u64) -> Result<Vec<Vec<Piece>>> {
    let mut slices: Vec<Vec<Piece>> = Vec::new();
    let (mut rows, mut bytes) = (u64::MAX, 0_u64);
    for segment in segments {
        let file = segment.open()?;
        let metadata =
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(Error::segment("read", &segment.id))?;
        let pieces = match segment.format {
            FORMAT_LINES => by_group(segment, metadata.metadata()),
            _ => by_time(segment, metadata.metadata(), rows_max, bytes_max),
        };
        for piece in pieces {
            let fits = rows.saturating_add(piece.rows) <= rows_max && bytes.saturating_add(piece.bytes) <= bytes_max;
            if !fits {
                slices.push(Vec::new());
                (rows, bytes) = (0, 0);
            }
            rows += piece.rows;
            bytes += piece.bytes;
            if let Some(last) = slices.last_mut() {
                last.push(piece);
            }
        }
    }
    Ok(slices)
}

/// A piece for each row group: each was a slice when it was written.
fn by_group(segment: &Arc<Segment>, metadata: &ParquetMetaData) -> Vec<Piece> {
    let groups = metadata.row_groups().iter().enumerate();
    let piece = |(at, group): (usize, &RowGroupMetaData)| {
        let rows = group.num_rows().max(0) as u64;
        let bytes = (group.total_byte_size().max(0) as u64).max(rows.saturating_mul(LINE_ROW_BYTES));
        // Written again among others it is as large, about.
        let written_max = (group.compressed_size().max(0) as u64).saturating_mul(2);
        Piece { segment: Arc::clone(segment), ingested: None, groups: Some(at..at + 1), rows, bytes, written_max }
    };
    groups.map(piece).collect()
}

/// The whole of a file of a flush, or parts of its span.
fn by_time(segment: &Arc<Segment>, metadata: &ParquetMetaData, rows_max: u64, bytes_max: u64) -> Vec<Piece> {
    let size: u64 = metadata.row_groups().iter().map(|group| group.total_byte_size().max(0) as u64).sum();
    let count = segment.rows.div_ceil(rows_max).max(size.div_ceil(bytes_max)).max(1);
    let (from, to) = segment.ingested;
    // Rows are spread over the segment's span; a burst makes one part bigger, not wrong.
    let count = count.min(to.abs_diff(from) + 1);
    let step = (to.abs_diff(from) + 1).div_ceil(count);
    let piece = |at| {
        let start = from.saturating_add_unsigned(step.saturating_mul(at));
        Piece {
            segment: Arc::clone(segment),
            ingested: (count > 1).then(|| (start, start.saturating_add_unsigned(step))),
            groups: None,
            rows: segment.rows.div_ceil(count),
            bytes: size.div_ceil(count),
            // More than twice what becomes of it.
            written_max: segment.bytes.div_ceil(count),
        }
    };
    (0..count).map(piece).collect()
}

/// Reads a slice whose rows go into a file for each `span` of `event.ingested`.
pub(crate) fn read(pieces: &[Piece], encoder: &mut Encoder, keep_logical: bool, span: Micros) -> Result<Slice> {
    let mut slice = Slice { written_max: pieces.iter().map(|piece| piece.written_max).sum(), ..Slice::default() };
    let mut order = Order::new(span);
    for piece in pieces {
        read_piece(piece, encoder, keep_logical, &mut slice, &mut order).map_err(|error| match error {
            Failure::Store(error) => error,
            Failure::Other(source) => Error::Segment { what: "compact", segment: piece.segment.id.clone(), source },
        })?;
    }
    slice.rows = order.finish();
    Ok(slice)
}

enum Failure {
    Store(Error),
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

fn read_piece(piece: &Piece, encoder: &mut Encoder, keep: bool, slice: &mut Slice, order: &mut Order) -> Result<(), Failure> {
    let file = piece.segment.open().map_err(Failure::Store)?;
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(&file, options)?;
    let layout = Layout::of_file(&piece.segment.id, metadata.metadata()).map_err(Failure::Store)?;
    for group in piece.groups.clone().unwrap_or(0..metadata.metadata().num_row_groups()) {
        // Dictionaries are read as such, per row group; columns without a value are not read at all.
        let rows = metadata.metadata().row_group(group);
        let wanted = Wanted {
            group,
            columns: ProjectionMask::roots(metadata.parquet_schema(), filled_columns(rows)),
            rows: RowSelection::from(vec![RowSelector::select(rows.num_rows() as usize)]),
            batch_rows: BATCH_ROWS,
            limit: None,
            as_codes: true,
        };
        let reader = Reader::new(&piece.segment.id, &file, &metadata, wanted).map_err(Failure::Store)?;
        for batch in reader {
            let mut batch = batch.map_err(Failure::Store)?;
            if let Some(layout) = &layout {
                batch = match piece.segment.format {
                    FORMAT_LINES => layout.decode_filled(&batch),
                    _ => part::whole(&batch, layout),
                }
                .map_err(Failure::Store)?;
            }
            if let Some((from, to)) = piece.ingested {
                batch = in_span(&batch, from, to, piece.segment.ingested)?;
            }
            for (dataset, part) in datasets(&batch) {
                order.add(&part, &dataset, slice, piece.segment.ingested.1);
                let encoded = encoder.encode(&dataset, &part)?;
                slice.parts.push(Part { batch: encoded.batch, shapes: encoded.shapes, logical: keep.then_some(part) });
            }
        }
    }
    Ok(())
}

fn filled_columns(group: &RowGroupMetaData) -> Vec<usize> {
    let schema = group.schema_descr();
    let is_empty = |leaf: usize| {
        let nulls = group.column(leaf).statistics().and_then(|statistics| statistics.null_count_opt());
        // A null list counts as one null value as well.
        nulls == Some(group.column(leaf).num_values().max(0) as u64)
    };
    let mut roots: Vec<usize> =
        (0..schema.num_columns()).filter(|leaf| !is_empty(*leaf)).map(|leaf| schema.get_column_root_idx(leaf)).collect();
    roots.dedup();
    roots
}

fn in_span(
    batch: &RecordBatch,
    from: Micros,
    to: Micros,
    whole: (Micros, Micros),
) -> Result<RecordBatch, arrow::error::ArrowError> {
    use arrow::{array::TimestampMicrosecondArray, compute::kernels::cmp};
    let column =
        batch.column_by_name(field::EVENT_INGESTED.name()).and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
    // Rows without the time count as ingested last.
    let times: TimestampMicrosecondArray = match column {
        Some(column) => column.iter().map(|time| Some(time.unwrap_or(whole.1))).collect(),
        None => std::iter::repeat_n(Some(whole.1), batch.num_rows()).collect(),
    };
    let kept = and(
        &cmp::gt_eq(&times, &TimestampMicrosecondArray::new_scalar(from))?,
        &cmp::lt(&times, &TimestampMicrosecondArray::new_scalar(to))?,
    )?;
    filter_record_batch(batch, &kept)
}

/// Runs of rows of one dataset.
fn datasets(batch: &RecordBatch) -> Vec<(String, RecordBatch)> {
    let cells = Cells::by_name(batch, field::EVENT_DATASET.name());
    let mut found = Vec::new();
    let mut start = 0;
    while start < batch.num_rows() {
        let dataset = cells.text(start).unwrap_or_default();
        let end =
            (start..batch.num_rows()).find(|row| cells.text(*row).unwrap_or_default() != dataset).unwrap_or(batch.num_rows());
        found.push((dataset.to_owned(), without_nulls(&batch.slice(start, end - start))));
        start = end;
    }
    found
}

/// Leaves out columns without a value in these rows.
fn without_nulls(batch: &RecordBatch) -> RecordBatch {
    let at: Vec<usize> = (0..batch.num_columns()).filter(|at| batch.column(*at).null_count() < batch.num_rows()).collect();
    batch.project(&at).expect("the columns are the batch's own")
}

/// Collects sort keys; datasets and hosts are numbered as they come and ranked at the end.
struct Order {
    span: Micros,
    rows: Vec<RowRef>,
    datasets: HashMap<String, u32>,
    hosts: HashMap<String, u32>,
}

impl Order {
    fn new(span: Micros) -> Self {
        Self { span, rows: Vec::new(), datasets: HashMap::new(), hosts: HashMap::new() }
    }

    fn add(&mut self, batch: &RecordBatch, dataset: &str, slice: &mut Slice, ingested_last: Micros) {
        let next = self.datasets.len() as u32;
        let dataset_number = *self.datasets.entry(dataset.to_owned()).or_insert(next);
        let hosts = Cells::by_name(batch, field::HOST_NAME.name());
        let timestamps = Cells::by_name(batch, field::TIMESTAMP.name());
        let ingested = Cells::by_name(batch, field::EVENT_INGESTED.name());
        let part = slice.parts.len() as u32;
        let mut last: Option<(&str, u32)> = None;
        let mut by_unit: Vec<(i64, Vec<usize>)> = Vec::new();
        for row in 0..batch.num_rows() {
            let host = match (hosts.text(row), last) {
                (None, _) => u32::MAX,
                (Some(name), Some((known, number))) if name == known => number,
                (Some(name), _) => {
                    let next = self.hosts.len() as u32;
                    let number = match self.hosts.get(name) {
                        Some(number) => *number,
                        None => *self.hosts.entry(name.to_owned()).or_insert(next),
                    };
                    last = Some((name, number));
                    number
                }
            };
            let time = ingested.date(row).unwrap_or(ingested_last);
            let claimed = timestamps.date(row);
            let unit = time.div_euclid(self.span);
            self.rows.push(RowRef {
                unit,
                dataset: dataset_number,
                host,
                timestamp: claimed.unwrap_or(time),
                part,
                row: row as u32,
            });
            match by_unit.last_mut() {
                Some((last, rows)) if *last == unit => rows.push(row),
                _ => by_unit.push((unit, vec![row])),
            }
            if let Some(claimed) = claimed {
                let facts = slice.units.entry(unit).or_default();
                facts.timestamp =
                    Some(facts.timestamp.map_or((claimed, claimed), |span| (span.0.min(claimed), span.1.max(claimed))));
            }
        }
        for (unit, rows) in by_unit {
            let parts: Vec<SystemClass> = systems_of(batch, dataset, ingested_last, rows);
            let facts = slice.units.entry(unit).or_default();
            parts.iter().for_each(|part| facts.systems.add(part));
        }
    }

    fn finish(mut self) -> Vec<RowRef> {
        let datasets = ranks(self.datasets);
        let hosts = ranks(self.hosts);
        for row in &mut self.rows {
            row.dataset = datasets[row.dataset as usize];
            if row.host != u32::MAX {
                row.host = hosts[row.host as usize];
            }
        }
        self.rows.sort_unstable();
        self.rows
    }
}

/// For each number its place among the sorted names.
fn ranks(names: HashMap<String, u32>) -> Vec<u32> {
    let mut sorted: Vec<(String, u32)> = names.into_iter().collect();
    sorted.sort_unstable();
    let mut ranks = vec![0; sorted.len()];
    for (rank, (_, number)) in sorted.into_iter().enumerate() {
        ranks[number as usize] = rank as u32;
    }
    ranks
}

/// The keys and values of a column that is a dictionary.
pub(crate) fn as_coded(array: &dyn Array) -> Option<(&arrow::array::Int32Array, &arrow::array::StringArray)> {
    let coded = array.as_dictionary_opt::<Int32Type>()?;
    Some((coded.keys(), coded.values().as_string_opt::<i32>()?))
}
