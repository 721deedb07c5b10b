//! Writes an L1 file: one row group per slice, column by column, streamed to disk under another name until it is whole.
//!
//! Columns whose values repeat are written as sorted dictionaries ([`super::dictionary`]); others by the general writer. Which
//! one is decided per column and row group by counting distinct values, so the file's metadata says the same thing to any reader.

use std::{collections::HashMap, hash::BuildHasher as _, io, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, new_null_array},
    datatypes::{DataType, Field as ArrowField, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use event::{Field, field, seam::StorageFile};
use hashbrown::HashMap as FastMap;
use parquet::{
    arrow::{
        ArrowWriter,
        arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves},
    },
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};

use super::{
    dictionary::{ChunkEncoder, NULL, Texts, Values},
    slice::{RowRef, Slice, as_coded},
};
use crate::{
    line::{
        COLUMN_INDEX, COLUMN_SEQUENCE, COLUMN_SHAPE, COLUMN_TIME, FORMAT_LINES, LAYOUT_KEY, Stored, Uses,
        cells::Cells,
        encode::{Encoder, NO_SHAPE},
        slot_name,
    },
    sqlite::type_name,
};

/// Rows of a page.
pub(crate) const PAGE_ROWS: usize = 8_192;
const ZSTD_LEVEL: i32 = 1;
const SLOTS: usize = 8;
/// Rows looked at to guess whether values repeat.
const SAMPLE: usize = 1_024;
/// Distinct numbers of a dictionary.
const LONGS_MAX: usize = 20_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Counts and checksums what goes through to the file.
pub(crate) struct Hashed {
    file: Box<dyn StorageFile>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl io::Write for Hashed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.append(buffer)?;
        self.hasher.update(buffer);
        self.bytes += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file in the making.
pub(crate) struct FileWriter {
    writer: SerializedFileWriter<Hashed>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    logical: SchemaRef,
    node: String,
    chunks: ChunkEncoder,
    uses: Uses,
    used: Vec<bool>,
    groups: usize,
    pub rows: u64,
}

/// A file that is whole and synced, still under its first name.
pub(crate) struct Finished {
    pub bytes: u64,
    pub checksum: [u8; 32],
    pub rows: u64,
}

/// Logical columns → all columns that a file may have.
fn physical_schema(logical: &Schema) -> SchemaRef {
    let mut fields: Vec<ArrowField> = logical.fields().iter().map(|column| (**column).clone()).collect();
    let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    fields.push(ArrowField::new(COLUMN_SHAPE, coded, true));
    fields.extend((0..SLOTS).map(|at| ArrowField::new(slot_name(at), DataType::Utf8View, true)));
    fields.extend([COLUMN_TIME, COLUMN_SEQUENCE, COLUMN_INDEX].map(|name| ArrowField::new(name, DataType::Int64, true)));
    Arc::new(Schema::new(fields))
}

fn properties(schema: &Schema) -> Result<WriterProperties, Failure> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_max_row_group_row_count(None)
        .set_created_by(concat!("chieng ", env!("CARGO_PKG_VERSION")).to_owned());
    for column in schema.fields() {
        let path = ColumnPath::new(vec![column.name().clone()]);
        match column.data_type() {
            DataType::Timestamp(..) | DataType::Int64 => {
                builder = builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
            DataType::List(_) => {
                let path = ColumnPath::new(vec![column.name().clone(), "list".into(), "item".into()]);
                builder = builder.set_column_dictionary_enabled(path, true);
            }
            DataType::Utf8View => {
                let name = column.name().as_str();
                let is_text = [field::EVENT_ORIGINAL, field::MESSAGE, field::RESIDUAL].iter().any(|field| field.name() == name);
                if is_text || name.starts_with("_line.") {
                    builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
                }
            }
            _ => {}
        }
    }
    Ok(builder.build())
}

impl FileWriter {
    pub fn create(file: Box<dyn StorageFile>, logical: SchemaRef, node: &str) -> Result<Self, Failure> {
        let schema = physical_schema(&logical);
        let sink = Hashed { file, hasher: blake3::Hasher::new(), bytes: 0 };
        let writer = ArrowWriter::try_new(sink, SchemaRef::clone(&schema), Some(properties(&schema)?))?;
        let (writer, factory) = writer.into_serialized_writer()?;
        Ok(Self {
            writer,
            factory,
            schema,
            logical,
            node: node.to_owned(),
            chunks: ChunkEncoder::new(ZSTD_LEVEL)?,
            uses: Uses::default(),
            used: Vec::new(),
            groups: 0,
            rows: 0,
        })
    }

    /// Writes rows of a slice, in order, as one row group.
    pub fn write_group(&mut self, slice: &Slice, rows: &[RowRef], encoder: &Encoder) -> Result<(), Failure> {
        self.note_shapes(slice, rows, encoder)?;
        let mut sources: HashMap<&str, Vec<Option<&ArrayRef>>> = HashMap::new();
        for (at, part) in slice.parts.iter().enumerate() {
            for (column, array) in part.batch.schema_ref().fields().iter().zip(part.batch.columns()) {
                sources.entry(column.name()).or_insert_with(|| vec![None; slice.parts.len()])[at] = Some(array);
            }
        }
        let mut writers: Vec<Option<_>> = self.factory.create_column_writers(self.groups)?.into_iter().map(Some).collect();
        let descriptors = self.writer.schema_descr().columns().to_vec();
        let mut group = self.writer.next_row_group()?;
        for (at, column) in self.schema.fields().iter().enumerate() {
            let coded = match sources.get(column.name().as_str()) {
                _ if column.name() == COLUMN_SHAPE => shape_codes(slice, rows, encoder),
                None => None,
                Some(arrays) => codes(column.name(), column.data_type(), arrays, rows),
            };
            let is_absent = column.name() != COLUMN_SHAPE && !sources.contains_key(column.name().as_str());
            if is_absent && !matches!(column.data_type(), DataType::List(_) | DataType::Boolean | DataType::Float64) {
                let chunk = self.chunks.nulls(&descriptors[at], rows.len())?;
                group.append_column(&chunk.bytes, chunk.close)?;
            } else if let Some((values, codes)) = coded {
                let chunk = self.chunks.coded(&descriptors[at], &values, &codes, PAGE_ROWS)?;
                group.append_column(&chunk.bytes, chunk.close)?;
            } else {
                let array = match sources.get(column.name().as_str()) {
                    Some(arrays) => gather(column.data_type(), arrays, rows)?,
                    None => new_null_array(column.data_type(), rows.len()),
                };
                let mut writer = writers[at].take().ok_or("a column of more than one leaf")?;
                for leaf in compute_leaves(column, &array)? {
                    writer.write(&leaf)?;
                }
                writer.close()?.append_to_row_group(&mut group)?;
            }
        }
        group.close()?;
        self.groups += 1;
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Bytes in the file so far.
    pub fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    fn note_shapes(&mut self, slice: &Slice, rows: &[RowRef], encoder: &Encoder) -> Result<(), Failure> {
        for row in rows {
            let code = slice.parts[row.part as usize].shapes[row.row as usize];
            if code == NO_SHAPE || self.used.get(code as usize).copied().unwrap_or(false) {
                continue;
            }
            if self.used.len() <= code as usize {
                self.used.resize(code as usize + 1, false);
            }
            self.used[code as usize] = true;
            self.uses.add(encoder.shape(code))?;
        }
        Ok(())
    }

    /// Writes the footer and syncs.
    pub fn finish(mut self) -> Result<Finished, Failure> {
        let columns = self.logical.fields().iter();
        let stored = Stored {
            format: FORMAT_LINES,
            node: self.node,
            columns: columns.map(|column| (column.name().clone(), type_name(column.data_type()).to_owned())).collect(),
            derived: self.uses.finish(),
            addresses: true,
        };
        let pair = KeyValue::new(LAYOUT_KEY.to_owned(), serde_json::to_string(&stored)?);
        self.writer.append_key_value_metadata(pair);
        let mut sink = self.writer.into_inner()?;
        sink.file.sync()?;
        Ok(Finished { bytes: sink.bytes, checksum: *sink.hasher.finalize().as_bytes(), rows: self.rows })
    }
}

/// The union of logical columns: catalogue fields in their order, then others by name.
pub(crate) fn union<'s>(schemas: impl Iterator<Item = &'s SchemaRef>) -> SchemaRef {
    let mut known: std::collections::BTreeMap<(Option<usize>, String), Arc<ArrowField>> = std::collections::BTreeMap::new();
    for column in schemas.flat_map(|schema| schema.fields().iter()) {
        let order = Field::by_name(column.name()).map(Field::index);
        // `None` sorts first; names outside the catalogue come last.
        known.entry((order.or(Some(usize::MAX)), column.name().clone())).or_insert_with(|| Arc::clone(column));
    }
    Arc::new(Schema::new(known.into_values().collect::<Vec<_>>()))
}

fn shape_codes(slice: &Slice, rows: &[RowRef], encoder: &Encoder) -> Option<(Values, Vec<u32>)> {
    let mut codes: Vec<u32> = rows.iter().map(|row| slice.parts[row.part as usize].shapes[row.row as usize]).collect();
    debug_assert_eq!(NO_SHAPE, NULL);
    let values = rank(&mut codes, |code| encoder.shape(code).as_bytes());
    Some((values, codes))
}

/// Replaces codes by the rank of their value among the values that occur.
fn rank<'t>(codes: &mut [u32], texts: impl Fn(u32) -> &'t [u8]) -> Values {
    let count = codes.iter().filter(|code| **code != NULL).max().map_or(0, |max| *max as usize + 1);
    let mut used = vec![false; count];
    codes.iter().filter(|code| **code != NULL).for_each(|code| used[*code as usize] = true);
    // Most texts differ in their first bytes: these are compared as one number.
    let mut sorted: Vec<(u64, u32)> =
        (0..count as u32).filter(|code| used[*code as usize]).map(|code| (prefix(texts(code)), code)).collect();
    sorted.sort_unstable_by(|one, two| one.0.cmp(&two.0).then_with(|| texts(one.1).cmp(texts(two.1))));
    let mut ranks = vec![NULL; count];
    sorted.iter().enumerate().for_each(|(rank, (_, code))| ranks[*code as usize] = rank as u32);
    codes.iter_mut().filter(|code| **code != NULL).for_each(|code| *code = ranks[*code as usize]);
    let mut all = Vec::with_capacity(sorted.iter().map(|(_, code)| texts(*code).len()).sum());
    let ends: Vec<usize> = sorted
        .iter()
        .map(|(_, code)| {
            all.extend_from_slice(texts(*code));
            all.len()
        })
        .collect();
    Values::Texts(Texts { bytes: all.into(), ends })
}

fn prefix(text: &[u8]) -> u64 {
    let mut first = [0; 8];
    let len = text.len().min(8);
    first[..len].copy_from_slice(&text[..len]);
    u64::from_be_bytes(first)
}

/// Values and codes of a column whose values repeat; `None` for others.
fn codes(name: &str, data_type: &DataType, arrays: &[Option<&ArrayRef>], rows: &[RowRef]) -> Option<(Values, Vec<u32>)> {
    match data_type {
        DataType::Utf8View => text_codes(arrays, rows),
        // Numbers that mostly rise by little are shorter as differences.
        DataType::Int64 if !name.starts_with("_id.") && name != COLUMN_TIME => long_codes(arrays, rows),
        _ => None,
    }
}

fn text_codes(arrays: &[Option<&ArrayRef>], rows: &[RowRef]) -> Option<(Values, Vec<u32>)> {
    let is_coded = |array: &ArrayRef| as_coded(array).is_some();
    let all_coded = arrays.iter().flatten().all(|array| is_coded(array));
    if !(if all_coded { dictionaries_repeat(arrays) } else { repeats(arrays, rows) }) {
        return None;
    }
    let mut interner = Interner::default();
    // Batches of one row group share their dictionary.
    let mut known: FastMap<(usize, usize), Arc<Vec<u32>>> = FastMap::new();
    let mut maps: Vec<Option<Arc<Vec<u32>>>> = Vec::with_capacity(arrays.len());
    for array in arrays {
        maps.push(array.and_then(|array| as_coded(array)).map(|(_, values)| {
            let place = (values.value_data().as_ptr() as usize, values.value_offsets().as_ptr() as usize);
            let map = known
                .entry(place)
                .or_insert_with(|| Arc::new(values.iter().map(|value| interner.intern(value.unwrap_or_default())).collect()));
            Arc::clone(map)
        }));
    }
    let cells: Vec<(Cells<'_>, Option<&[u32]>)> = arrays
        .iter()
        .zip(&maps)
        .map(|(array, map)| (array.map_or(Cells::Other, Cells::of), map.as_ref().map(|map| map.as_slice())))
        .collect();
    let mut codes = Vec::with_capacity(rows.len());
    let mut present = 0;
    for row in rows {
        let at = row.row as usize;
        let code = match &cells[row.part as usize] {
            (Cells::Coded { keys, .. }, Some(map)) if keys.is_valid(at) => map[keys.value(at) as usize],
            (Cells::Text(texts), _) if texts.is_valid(at) => interner.intern(texts.value(at)),
            _ => NULL,
        };
        present += usize::from(code != NULL);
        codes.push(code);
    }
    let values = rank(&mut codes, |code| interner.get(code));
    // A dictionary of values that hardly repeat costs more than it saves.
    (values.len() * 2 <= present || values.len() < 256).then_some((values, codes))
}

/// Distinct texts, in one buffer.
#[derive(Default)]
struct Interner {
    hasher: hashbrown::DefaultHashBuilder,
    table: hashbrown::HashTable<u32>,
    bytes: Vec<u8>,
    /// End of each text.
    ends: Vec<u32>,
}

impl Interner {
    #[inline]
    fn text(bytes: &[u8], ends: &[u32], code: u32) -> std::ops::Range<usize> {
        debug_assert!(ends.last().is_none_or(|end| *end as usize <= bytes.len()));
        let from = if code == 0 { 0 } else { ends[code as usize - 1] };
        from as usize..ends[code as usize] as usize
    }

    #[inline]
    fn intern(&mut self, text: &str) -> u32 {
        let text = text.as_bytes();
        let hash = self.hasher.hash_one(text);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(code) = self.table.find(hash, |code| bytes[Self::text(bytes, ends, *code)] == *text) {
            return *code;
        }
        let code = self.ends.len() as u32;
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len() as u32);
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.table.insert_unique(hash, code, |code| hasher.hash_one(&bytes[Self::text(bytes, ends, *code)]));
        code
    }

    fn get(&self, code: u32) -> &[u8] {
        &self.bytes[Self::text(&self.bytes, &self.ends, code)]
    }
}

/// Guesses from the size of the dictionaries whether a column's values repeat.
fn dictionaries_repeat(arrays: &[Option<&ArrayRef>]) -> bool {
    let mut known = hashbrown::HashSet::new();
    let (mut distinct, mut present) = (0, 0);
    for (array, (_, values)) in arrays.iter().flatten().filter_map(|array| Some((array, as_coded(array)?))) {
        present += array.len() - array.null_count();
        if known.insert(values.value_data().as_ptr() as usize) {
            distinct += values.len();
        }
    }
    distinct < 1_024 || distinct * 4 < present * 3
}

/// Guesses from a sample whether a column's values repeat.
fn repeats(arrays: &[Option<&ArrayRef>], rows: &[RowRef]) -> bool {
    let mut distinct: hashbrown::HashSet<&str> = hashbrown::HashSet::new();
    let mut present = 0;
    for row in rows.iter().step_by(rows.len().div_ceil(SAMPLE).max(1)) {
        let Some(array) = arrays[row.part as usize] else { continue };
        if let Some(text) = Cells::of(array).text(row.row as usize) {
            present += 1;
            distinct.insert(text);
        }
    }
    distinct.len() * 2 <= present
}

fn long_codes(arrays: &[Option<&ArrayRef>], rows: &[RowRef]) -> Option<(Values, Vec<u32>)> {
    let cells: Vec<Cells<'_>> = arrays.iter().map(|array| array.map_or(Cells::Other, Cells::of)).collect();
    let value = |row: &RowRef| cells[row.part as usize].long(row.row as usize);
    let mut numbers: FastMap<i64, u32> = FastMap::new();
    let mut values = Vec::new();
    let mut codes = Vec::with_capacity(rows.len());
    let mut last = (0, NULL);
    let mut present = 0;
    for row in rows {
        present += 1;
        // Values that hardly repeat: given up early.
        if values.len() > LONGS_MAX || (present & 0x3fff == 0 && values.len() * 2 > present) {
            return None;
        }
        codes.push(match value(row) {
            None => NULL,
            Some(number) if last == (number, last.1) && last.1 != NULL => last.1,
            Some(number) => {
                let code = *numbers.entry(number).or_insert_with(|| {
                    values.push(number);
                    values.len() as u32 - 1
                });
                last = (number, code);
                code
            }
        });
    }
    let filled = codes.iter().filter(|code| **code != NULL).count();
    if values.len() * 3 > filled && values.len() > 256 {
        return None;
    }
    let mut sorted: Vec<u32> = (0..values.len() as u32).collect();
    sorted.sort_unstable_by_key(|code| values[*code as usize]);
    let mut ranks = vec![0; values.len()];
    sorted.iter().enumerate().for_each(|(rank, code)| ranks[*code as usize] = rank as u32);
    codes.iter_mut().filter(|code| **code != NULL).for_each(|code| *code = ranks[*code as usize]);
    values.sort_unstable();
    Some((Values::Longs(values), codes))
}

/// A column in file order.
pub(crate) fn gather(data_type: &DataType, arrays: &[Option<&ArrayRef>], rows: &[RowRef]) -> Result<ArrayRef, Failure> {
    let null = new_null_array(data_type, 1);
    let mut owned: Vec<ArrayRef> = vec![null];
    let mut at: Vec<usize> = Vec::with_capacity(arrays.len());
    for array in arrays {
        match array {
            None => at.push(0),
            Some(array) => {
                owned.push(if array.data_type() == data_type {
                    Arc::clone(array)
                } else {
                    arrow::compute::cast(array, data_type)?
                });
                at.push(owned.len() - 1);
            }
        }
    }
    let sources: Vec<&dyn Array> = owned.iter().map(|array| array.as_ref()).collect();
    let indices: Vec<(usize, usize)> = rows
        .iter()
        .map(|row| match at[row.part as usize] {
            0 => (0, 0),
            source => (source, row.row as usize),
        })
        .collect();
    Ok(arrow::compute::interleave(&sources, &indices)?)
}

/// Logical rows in file order, with the wanted columns that occur.
pub(crate) fn logical_rows(slice: &Slice, rows: &[RowRef], wanted: &[String], schema: &Schema) -> Result<RecordBatch, Failure> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for name in wanted {
        let Ok(column) = schema.field_with_name(name) else { continue };
        let arrays: Vec<Option<&ArrayRef>> =
            slice.parts.iter().map(|part| part.logical.as_ref().and_then(|batch| batch.column_by_name(name))).collect();
        fields.push(column.clone());
        columns.push(gather(column.data_type(), &arrays, rows)?);
    }
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}
