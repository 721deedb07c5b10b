//! Builds the Parquet file of a flush in memory: sorted, clustered, with page index.
//!
//! Rows are ordered by (dataset, `host.name`, `timestamp`) by sorting 24-byte row references; columns are then gathered 8,192
//! rows at a time, so that only what the encoder buffers and the finished bytes are held beside the hot batches. Rows whose
//! claimed time is more than 24 h off their ingestion go to a file of their own.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, new_null_array},
    datatypes::{DataType, SchemaRef, TimestampMicrosecondType},
    error::ArrowError,
    record_batch::RecordBatch,
};
use bytes::Bytes;
use event::{Micros, field};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
    schema::types::ColumnPath,
};

use crate::{
    Error, HotBatch, Result, Segment,
    columns::{Plan, plan},
    snapshot::{Systems, systems_of},
};

/// Claimed times further off than this are skewed.
pub const SKEW_MAX: Micros = 24 * 3_600 * 1_000_000;

const CHUNK_ROWS: usize = 8_192;
const PAGE_ROWS: usize = 8_192;
const ROW_GROUP_ROWS: usize = 131_072;

/// A file ready to be written, and its catalogue row (without a path).
pub(crate) struct Built {
    pub segment: Segment,
    pub bytes: Bytes,
}

/// Builds the files of a flush: one, or two when there are skewed rows. `hot` has rows.
pub(crate) fn build(hot: &[Arc<HotBatch>], sequences: (u64, u64)) -> Result<Vec<Built>> {
    let plan = plan(hot);
    let (regular, skewed) = order(hot);
    let mut built = Vec::new();
    for (rows, is_skewed) in [(regular, false), (skewed, true)] {
        if !rows.is_empty() {
            built.push(build_file(hot, &plan, &rows, sequences, is_skewed)?);
        }
    }
    Ok(built)
}

/// One row: its sort key and where it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RowRef {
    dataset: u32,
    host: u32,
    timestamp: Micros,
    batch: u32,
    row: u32,
}

/// Returns references to regular and skewed rows, in file order.
fn order(hot: &[Arc<HotBatch>]) -> (Vec<RowRef>, Vec<RowRef>) {
    let datasets = ranks(hot.iter().map(|hot| hot.dataset.as_str()));
    let host_columns: Vec<_> = hot.iter().map(|hot| text_column(&hot.batch, field::HOST_NAME.name())).collect();
    let hosts = ranks(host_columns.iter().flatten().flat_map(|column| column.iter().flatten()));
    let (mut regular, mut skewed) = (Vec::new(), Vec::new());
    for (at, (hot, host_column)) in hot.iter().zip(host_columns).enumerate() {
        let dataset = datasets[hot.dataset.as_str()];
        let timestamps = time_column(&hot.batch, field::TIMESTAMP.name());
        let ingested = time_column(&hot.batch, field::EVENT_INGESTED.name());
        for row in 0..hot.batch.num_rows() {
            let host = host_column.filter(|column| column.is_valid(row)).map_or(u32::MAX, |column| hosts[column.value(row)]);
            let claimed = timestamps.filter(|column| column.is_valid(row)).map(|column| column.value(row));
            let ingested = ingested.filter(|column| column.is_valid(row)).map_or(hot.ingested.1, |column| column.value(row));
            let timestamp = claimed.unwrap_or(ingested);
            let row = RowRef { dataset, host, timestamp, batch: at as u32, row: row as u32 };
            if timestamp.abs_diff(ingested) > SKEW_MAX.unsigned_abs() { skewed.push(row) } else { regular.push(row) }
        }
    }
    regular.sort_unstable();
    skewed.sort_unstable();
    (regular, skewed)
}

/// Numbers distinct texts in their order.
fn ranks<'t>(texts: impl Iterator<Item = &'t str>) -> HashMap<&'t str, u32> {
    let mut distinct: HashMap<&str, u32> = HashMap::new();
    for text in texts {
        distinct.entry(text).or_default();
    }
    let mut sorted: Vec<&str> = distinct.into_keys().collect();
    sorted.sort_unstable();
    sorted.into_iter().zip(0..).collect()
}

fn build_file(hot: &[Arc<HotBatch>], plan: &Plan, rows: &[RowRef], sequences: (u64, u64), skewed: bool) -> Result<Built> {
    let mut segment = describe(hot, plan, rows, sequences, skewed);
    let bytes = encode(hot, plan, rows).map_err(Error::segment("encode", &segment.id))?;
    segment.bytes = bytes.len() as u64;
    segment.checksum = *blake3::hash(&bytes).as_bytes();
    Ok(Built { segment, bytes: bytes.into() })
}

fn describe(hot: &[Arc<HotBatch>], plan: &Plan, rows: &[RowRef], sequences: (u64, u64), skewed: bool) -> Segment {
    let mut by_batch: Vec<Vec<usize>> = vec![Vec::new(); hot.len()];
    rows.iter().for_each(|row| by_batch[row.batch as usize].push(row.row as usize));
    let mut systems = Systems::default();
    let mut datasets = BTreeSet::new();
    let mut timestamp: Option<(Micros, Micros)> = None;
    for (hot, rows) in hot.iter().zip(by_batch).filter(|(_, rows)| !rows.is_empty()) {
        datasets.insert(hot.dataset.clone());
        if rows.len() == hot.batch.num_rows() {
            hot.systems.iter().for_each(|part| systems.add(part));
        } else {
            systems_of(&hot.batch, &hot.dataset, hot.ingested.1, rows.iter().copied()).iter().for_each(|part| systems.add(part));
        }
        let Some(column) = time_column(&hot.batch, field::TIMESTAMP.name()) else { continue };
        for value in rows.iter().filter(|row| column.is_valid(**row)).map(|row| column.value(*row)) {
            timestamp = Some(timestamp.map_or((value, value), |(from, to)| (from.min(value), to.max(value))));
        }
    }
    let systems = systems.finish();
    let from = systems.iter().map(|part| part.ingested.0).min().unwrap_or(0);
    let to = systems.iter().map(|part| part.ingested.1).max().unwrap_or(0);
    let started = chrono::DateTime::from_timestamp_micros(from).unwrap_or_default();
    let id = format!("{}-{:012x}{}", started.format("%Y%m%dT%H%M%S"), sequences.1, if skewed { "-skewed" } else { "" });
    let location = format!("{}/{id}.parquet", started.format("%Y-%m-%d"));
    Segment {
        id,
        path: location.clone().into(),
        location,
        rows: rows.len() as u64,
        bytes: 0,
        checksum: [0; 32],
        sequences,
        timestamp,
        ingested: (from, to),
        datasets,
        systems,
        schema: SchemaRef::clone(&plan.schema),
        residual_keys: Arc::clone(&plan.residual_keys),
        residual_complete: plan.residual_complete,
        skewed,
        level: 0,
        format: 1,
        index: None,
    }
}

fn encode(hot: &[Arc<HotBatch>], plan: &Plan, rows: &[RowRef]) -> parquet::errors::Result<Vec<u8>> {
    let mut writer = ArrowWriter::try_new(Vec::new(), SchemaRef::clone(&plan.schema), Some(properties(&plan.schema)))?;
    let mut gather = Gather::new(hot, plan);
    for chunk in rows.chunks(CHUNK_ROWS) {
        writer.write(&gather.chunk(chunk)?)?;
    }
    writer.into_inner()
}

fn properties(schema: &SchemaRef) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a zstd level")))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(concat!("chieng ", env!("CARGO_PKG_VERSION")).to_owned());
    // Columns whose values hardly repeat: a dictionary would be built only to be given up.
    let id = field::EVENT_ID.name();
    for name in [id, field::EVENT_ORIGINAL.name(), field::MESSAGE.name(), field::RESIDUAL.name()] {
        builder = builder.set_column_dictionary_enabled(path(name), false);
    }
    builder = builder.set_column_encoding(path(id), Encoding::DELTA_BYTE_ARRAY);
    for column in schema.fields().iter().filter(|column| matches!(column.data_type(), DataType::Timestamp(..))) {
        builder = builder
            .set_column_dictionary_enabled(path(column.name()), false)
            .set_column_encoding(path(column.name()), Encoding::DELTA_BINARY_PACKED);
    }
    builder.build()
}

/// A column's path: its dotted name is one part, not several.
fn path(name: &str) -> ColumnPath {
    ColumnPath::new(vec![name.to_owned()])
}

/// Gathers the rows of a chunk, column by column, out of the hot batches.
struct Gather<'h> {
    plan: &'h Plan,
    /// For each planned column and batch, the array; `None` where all null.
    sources: Vec<Vec<Option<&'h ArrayRef>>>,
    /// One null of each column's type.
    nulls: Vec<ArrayRef>,
    indices: Vec<(usize, usize)>,
}

impl<'h> Gather<'h> {
    fn new(hot: &'h [Arc<HotBatch>], plan: &'h Plan) -> Self {
        let fields = plan.schema.fields();
        let source = |name: &str| -> Vec<Option<&'h ArrayRef>> {
            if name == field::RESIDUAL.name() {
                return plan.residuals.iter().map(Option::as_ref).collect();
            }
            let present = |array: &&ArrayRef| array.null_count() < array.len();
            hot.iter().map(|hot| hot.batch.column_by_name(name).filter(present)).collect()
        };
        Self {
            sources: fields.iter().map(|column| source(column.name())).collect(),
            nulls: fields.iter().map(|column| new_null_array(column.data_type(), 1)).collect(),
            plan,
            indices: Vec::with_capacity(CHUNK_ROWS),
        }
    }

    fn chunk(&mut self, rows: &[RowRef]) -> Result<RecordBatch, ArrowError> {
        // The chunk's batches, numbered from 0: sorted rows come from few of them.
        let mut local: HashMap<u32, usize> = HashMap::new();
        let mut batches: Vec<usize> = Vec::new();
        let places: Vec<(usize, usize)> = rows
            .iter()
            .map(|row| {
                let at = *local.entry(row.batch).or_insert_with(|| {
                    batches.push(row.batch as usize);
                    batches.len() - 1
                });
                (at, row.row as usize)
            })
            .collect();
        let mut columns = Vec::with_capacity(self.sources.len());
        for (sources, null) in self.sources.iter().zip(&self.nulls) {
            columns.push(gather_column(sources, null, &batches, &places, &mut self.indices)?);
        }
        RecordBatch::try_new(SchemaRef::clone(&self.plan.schema), columns)
    }
}

fn gather_column(
    sources: &[Option<&ArrayRef>],
    null: &ArrayRef,
    batches: &[usize],
    places: &[(usize, usize)],
    indices: &mut Vec<(usize, usize)>,
) -> Result<ArrayRef, ArrowError> {
    let mut arrays: Vec<&dyn Array> = vec![null.as_ref()];
    let at: Vec<Option<usize>> = batches
        .iter()
        .map(|batch| {
            sources[*batch].map(|array| {
                arrays.push(array.as_ref());
                arrays.len() - 1
            })
        })
        .collect();
    if arrays.len() == 1 {
        return Ok(new_null_array(null.data_type(), places.len()));
    }
    indices.clear();
    indices.extend(places.iter().map(|(batch, row)| at[*batch].map_or((0, 0), |array| (array, *row))));
    arrow::compute::interleave(&arrays, indices)
}

fn text_column<'b>(batch: &'b RecordBatch, name: &str) -> Option<&'b arrow::array::StringViewArray> {
    batch.column_by_name(name)?.as_string_view_opt()
}

fn time_column<'b>(batch: &'b RecordBatch, name: &str) -> Option<&'b arrow::array::TimestampMicrosecondArray> {
    batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()
}
