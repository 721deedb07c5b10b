//! Builds the Parquet file of a flush in memory, in the order in which events came.
//!
//! Batches stand one after the other, those of one dataset together; nothing is sorted and nothing is gathered, because the
//! file lives for minutes until compaction sorts it. Rows whose claimed time is more than 24 h off their ingestion go to a file
//! of their own: only batches with such rows are copied. How columns are written is in [`crate::chunk`].

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array},
    compute::{concat, filter},
    datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use bytes::Bytes;
use event::{Micros, field};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::compute_leaves},
    basic::{Compression, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
};

use crate::{
    Error, HotBatch, Result, Segment,
    chunk::{Chunks, Span, Texts},
    columns::{Plan, plan},
    compact::dictionary::ChunkEncoder,
    line::{
        LAYOUT_KEY,
        part::{self, FORMAT_PARTS},
    },
    snapshot::{Systems, systems_of},
};

/// Claimed times further off than this are skewed.
pub const SKEW_MAX: Micros = 24 * 3_600 * 1_000_000;

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
    let (mut regular, mut skewed) = (Vec::new(), Vec::new());
    let mut order: Vec<usize> = (0..hot.len()).filter(|at| hot[*at].batch.num_rows() > 0).collect();
    // Stable: within a dataset, as they came.
    order.sort_by_key(|at| &hot[*at].dataset);
    for at in order {
        let columns = columns(&hot[at].batch, plan.residuals[at].as_ref(), &plan.schema);
        let off = skewed_rows(&hot[at]);
        let count = off.iter().filter(|is_off| **is_off).count();
        if count < off.len() {
            let rows: Vec<bool> = off.iter().map(|is_off| !is_off).collect();
            regular.push(piece(&hot[at], &columns, rows, off.len() - count, sequences)?);
        }
        if count > 0 {
            skewed.push(piece(&hot[at], &columns, off, count, sequences)?);
        }
    }
    let mut built = Vec::new();
    for (mut pieces, is_skewed) in [(regular, false), (skewed, true)] {
        if !pieces.is_empty() {
            built.push(build_file(&mut pieces, &plan, sequences, is_skewed)?);
        }
    }
    Ok(built)
}

/// Rows of one batch that go into one file.
struct Piece<'h> {
    hot: &'h HotBatch,
    /// In the order of the file's columns; `None` where all null.
    columns: Vec<Option<ArrayRef>>,
    /// Which rows of the batch; `None`: all.
    chosen: Option<Vec<bool>>,
    rows: usize,
}

fn columns(batch: &RecordBatch, residual: Option<&ArrayRef>, schema: &SchemaRef) -> Vec<Option<ArrayRef>> {
    let find = |name: &str| match name == field::RESIDUAL.name() {
        true => residual,
        false => batch.column_by_name(name).filter(|array| array.null_count() < array.len()),
    };
    schema.fields().iter().map(|column| find(column.name()).map(Arc::clone)).collect()
}

/// For each row whether its claimed time is far off.
fn skewed_rows(hot: &HotBatch) -> Vec<bool> {
    let timestamps = time_column(&hot.batch, field::TIMESTAMP.name());
    let ingested = time_column(&hot.batch, field::EVENT_INGESTED.name());
    let time = |column: Option<&arrow::array::TimestampMicrosecondArray>, row| {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
    };
    (0..hot.batch.num_rows())
        .map(|row| {
            let ingested = time(ingested, row).unwrap_or(hot.ingested.1);
            time(timestamps, row).is_some_and(|claimed| claimed.abs_diff(ingested) > SKEW_MAX.unsigned_abs())
        })
        .collect()
}

fn piece<'h>(
    hot: &'h HotBatch,
    columns: &[Option<ArrayRef>],
    chosen: Vec<bool>,
    rows: usize,
    sequences: (u64, u64),
) -> Result<Piece<'h>> {
    if rows == chosen.len() {
        return Ok(Piece { hot, columns: columns.to_vec(), chosen: None, rows });
    }
    let mask = BooleanArray::from(chosen.clone());
    let kept = columns.iter().map(|column| match column {
        Some(array) => filter(array, &mask).map(|array| (array.null_count() < array.len()).then_some(array)),
        None => Ok(None),
    });
    let columns = kept.collect::<Result<_, _>>().map_err(Error::segment("encode", &format!("through {}", sequences.1)))?;
    Ok(Piece { hot, columns, chosen: Some(chosen), rows })
}

fn build_file(pieces: &mut [Piece<'_>], plan: &Plan, sequences: (u64, u64), skewed: bool) -> Result<Built> {
    let mut segment = describe(pieces, plan, sequences, skewed);
    let physical = without_messages(pieces, &plan.schema);
    if physical.is_some() {
        segment.format = FORMAT_PARTS;
    }
    let bytes = encode(pieces, &plan.schema, physical.as_ref()).map_err(Error::segment("encode", &segment.id))?;
    segment.bytes = bytes.len() as u64;
    segment.checksum = *blake3::hash(&bytes).as_bytes();
    Ok(Built { segment, bytes: bytes.into() })
}

fn describe(pieces: &[Piece<'_>], plan: &Plan, sequences: (u64, u64), skewed: bool) -> Segment {
    let mut systems = Systems::default();
    let mut datasets = BTreeSet::new();
    let mut timestamp: Option<(Micros, Micros)> = None;
    for Piece { hot, chosen, .. } in pieces {
        datasets.insert(hot.dataset.clone());
        let mut claimed = hot.timestamp;
        match chosen {
            None => hot.systems.iter().for_each(|part| systems.add(part)),
            Some(chosen) => {
                let rows = || (0..chosen.len()).filter(|row| chosen[*row]);
                systems_of(&hot.batch, &hot.dataset, hot.ingested.1, rows()).iter().for_each(|part| systems.add(part));
                let column = time_column(&hot.batch, field::TIMESTAMP.name());
                let times = || {
                    column.into_iter().flat_map(|column| rows().filter(|row| column.is_valid(*row)).map(|row| column.value(row)))
                };
                claimed = times().min().zip(times().max());
            }
        }
        if let Some((from, to)) = claimed {
            timestamp = Some(timestamp.map_or((from, to), |span| (span.0.min(from), span.1.max(to))));
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
        rows: pieces.iter().map(|piece| piece.rows as u64).sum(),
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
        cold: None,
    }
}

/// Leaves messages out that lie in their lines; returns the file's columns when there are any.
fn without_messages(pieces: &mut [Piece<'_>], logical: &SchemaRef) -> Option<SchemaRef> {
    let line = logical.index_of(field::EVENT_ORIGINAL.name()).ok()?;
    let message = logical.index_of(field::MESSAGE.name()).ok()?;
    let mut has_parts = false;
    for piece in pieces.iter_mut() {
        let found = match (&piece.columns[line], &piece.columns[message]) {
            (Some(lines), Some(messages)) => part::parts(lines, messages),
            _ => None,
        };
        has_parts |= found.is_some();
        let (starts, lengths) = match found {
            Some(found) => {
                piece.columns[message] = found.own;
                (Some(found.starts), Some(found.lengths))
            }
            None => (None, None),
        };
        piece.columns.extend([starts, lengths]);
    }
    let further = [part::COLUMN_START, part::COLUMN_LENGTH].map(|name| Arc::new(ArrowField::new(name, DataType::Int64, true)));
    has_parts.then(|| Arc::new(Schema::new(logical.fields().iter().cloned().chain(further).collect::<Vec<_>>())))
}

fn encode(
    pieces: &[Piece<'_>],
    logical: &SchemaRef,
    physical: Option<&SchemaRef>,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let schema = physical.unwrap_or(logical);
    let writer = ArrowWriter::try_new(Vec::new(), SchemaRef::clone(schema), Some(properties()))?;
    let (mut writer, factory) = writer.into_serialized_writer()?;
    let descriptors = writer.schema_descr().columns().to_vec();
    let leaf_of: Vec<usize> = (0..schema.fields().len())
        .map(|root| (0..descriptors.len()).find(|leaf| writer.schema_descr().get_column_root_idx(*leaf) == root).unwrap_or(root))
        .collect();
    let mut chunks = Chunks::new()?;
    let mut empty = ChunkEncoder::new(1)?;
    for (number, pages) in groups(pieces).into_iter().enumerate() {
        let rows = pages.iter().flatten().map(|span| span.len).sum();
        let mut general: Vec<Option<_>> = factory.create_column_writers(number)?.into_iter().map(Some).collect();
        let mut group = writer.next_row_group()?;
        for (at, column) in schema.fields().iter().enumerate() {
            let arrays: Vec<Option<&ArrayRef>> = pieces.iter().map(|piece| piece.columns[at].as_ref()).collect();
            let descr = &descriptors[leaf_of[at]];
            if Chunks::takes(column.data_type()) {
                let is_absent = pages.iter().flatten().all(|span| arrays[span.piece].is_none());
                let chunk = match is_absent {
                    true => empty.nulls(descr, rows)?,
                    false => chunks.write(descr, &arrays, &pages, texts_of(column.name()))?,
                };
                group.append_column(&chunk.bytes, chunk.close)?;
                continue;
            }
            let mut writer = general[leaf_of[at]].take().ok_or("a column of more than one leaf")?;
            for page in &pages {
                for leaf in compute_leaves(column, &joined(column.data_type(), &arrays, page)?)? {
                    writer.write(&leaf)?;
                }
            }
            writer.close()?.append_to_row_group(&mut group)?;
        }
        group.close()?;
    }
    if physical.is_some() {
        let stored = serde_json::to_string(&part::stored(logical))?;
        writer.append_key_value_metadata(KeyValue::new(LAYOUT_KEY.to_owned(), stored));
    }
    Ok(writer.into_inner()?)
}

/// Cuts the pieces into row groups of pages.
fn groups(pieces: &[Piece<'_>]) -> Vec<Vec<Vec<Span>>> {
    let mut groups: Vec<Vec<Vec<Span>>> = Vec::new();
    let (mut in_page, mut in_group) = (PAGE_ROWS, ROW_GROUP_ROWS);
    for (piece, rows) in pieces.iter().map(|piece| piece.rows).enumerate() {
        let mut from = 0;
        while from < rows {
            if in_group == ROW_GROUP_ROWS {
                groups.push(Vec::new());
                (in_page, in_group) = (PAGE_ROWS, 0);
            }
            let Some(group) = groups.last_mut() else { break };
            if in_page == PAGE_ROWS {
                group.push(Vec::new());
                in_page = 0;
            }
            let len = (rows - from).min(PAGE_ROWS - in_page).min(ROW_GROUP_ROWS - in_group);
            if let Some(page) = group.last_mut() {
                page.push(Span { piece, from, len });
            }
            from += len;
            in_page += len;
            in_group += len;
        }
    }
    groups
}

fn texts_of(name: &str) -> Texts {
    match name {
        _ if name == field::EVENT_ID.name() => Texts::Front,
        _ if [field::EVENT_ORIGINAL, field::MESSAGE, field::RESIDUAL].iter().any(|field| field.name() == name) => Texts::Plain,
        _ => Texts::Maybe,
    }
}

fn joined(data_type: &DataType, arrays: &[Option<&ArrayRef>], page: &[Span]) -> Result<ArrayRef, arrow::error::ArrowError> {
    let parts: Vec<ArrayRef> = page
        .iter()
        .map(|span| {
            arrays[span.piece].map_or_else(|| new_null_array(data_type, span.len), |array| array.slice(span.from, span.len))
        })
        .collect();
    concat(&parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>())
}

/// For lists, flags and fractions.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_max_row_group_row_count(None)
        .set_created_by(concat!("chieng ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

fn time_column<'b>(batch: &'b RecordBatch, name: &str) -> Option<&'b arrow::array::TimestampMicrosecondArray> {
    batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()
}
