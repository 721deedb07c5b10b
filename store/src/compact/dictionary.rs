//! Column chunks of values that repeat: a sorted dictionary and codes, written without touching a value twice.
//!
//! The general writer hashes and compares every value; compaction knows the codes already (the files it reads are dictionaries
//! too), so a page's smallest and largest value are its smallest and largest code. The result is an ordinary Parquet column:
//! dictionary page, data pages (version 2), statistics, column and offset index.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    basic::{BoundaryOrder, Compression, Encoding, PageType, Type, ZstdLevel},
    column::{
        page::{CompressedPage, Page, PageWriter},
        writer::ColumnCloseResult,
    },
    data_type::ByteArray,
    errors::{ParquetError, Result},
    file::{
        metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats},
        statistics::{Statistics, ValueStatistics},
        writer::{SerializedPageWriter, TrackedWrite},
    },
    schema::types::ColumnDescPtr,
};

/// The code of a row without a value.
pub(crate) const NULL: u32 = u32::MAX;

/// Longest value in statistics; a chunk with longer ones has none.
const STATISTICS_BYTES_MAX: usize = 256;

/// Texts in one buffer, with the end of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    pub bytes: Bytes,
    pub ends: Vec<usize>,
}

impl Texts {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, at: usize) -> Bytes {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        self.bytes.slice(from..self.ends[at])
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|at| {
            let from = if at == 0 { 0 } else { self.ends[at - 1] };
            &self.bytes[from..self.ends[at]]
        })
    }
}

/// Distinct values in ascending order.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Texts(Texts),
    Longs(Vec<i64>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(values) => values.len(),
            Self::Longs(values) => values.len(),
        }
    }

    fn bytes(&self, code: u32) -> Vec<u8> {
        match self {
            Self::Texts(values) => values.get(code as usize).to_vec(),
            Self::Longs(values) => values[code as usize].to_le_bytes().to_vec(),
        }
    }

    /// PLAIN encoding of all values.
    fn page(&self) -> Vec<u8> {
        match self {
            Self::Texts(values) => {
                let mut page = Vec::with_capacity(values.bytes.len() + values.len() * 4);
                for value in values.iter() {
                    page.extend_from_slice(&(value.len() as u32).to_le_bytes());
                    page.extend_from_slice(value);
                }
                page
            }
            Self::Longs(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn statistics(&self, nulls: u64) -> Option<Statistics> {
        let distinct = Some(self.len() as u64);
        Some(match self {
            Self::Texts(values) if values.iter().any(|value| value.len() > STATISTICS_BYTES_MAX) => return None,
            Self::Texts(values) => {
                let value = |at: usize| (values.len() > 0).then(|| ByteArray::from(values.get(at)));
                let (min, max) = (value(0), value(values.len().saturating_sub(1)));
                let exact = min.is_some();
                let values = ValueStatistics::new(min, max, distinct, Some(nulls), false);
                Statistics::ByteArray(values.with_min_is_exact(exact).with_max_is_exact(exact))
            }
            Self::Longs(values) => {
                let (min, max) = (values.first().copied(), values.last().copied());
                Statistics::Int64(ValueStatistics::new(min, max, distinct, Some(nulls), false))
            }
        })
    }
}

/// A column chunk ready to be spliced into a row group.
pub(crate) struct Chunk {
    pub bytes: Bytes,
    pub close: ColumnCloseResult,
}

/// Reused from chunk to chunk.
pub(crate) struct ChunkEncoder {
    compressor: zstd::bulk::Compressor<'static>,
    level: ZstdLevel,
    present: Vec<u32>,
    body: Vec<u8>,
}

impl ChunkEncoder {
    pub fn new(level: i32) -> Result<Self> {
        let compressor = zstd::bulk::Compressor::new(level).map_err(|error| ParquetError::External(error.into()))?;
        Ok(Self { compressor, level: ZstdLevel::try_new(level)?, present: Vec::new(), body: Vec::new() })
    }

    /// Writes a chunk without a single value.
    pub fn nulls(&mut self, descr: &ColumnDescPtr, rows: usize) -> Result<Chunk> {
        let longs = descr.physical_type() == Type::INT64;
        let values = if longs { Values::Longs(Vec::new()) } else { Values::Texts(Texts::default()) };
        self.chunk(descr, &values, Codes::None(rows), rows.max(1))
    }

    /// Writes a chunk of codes into `values`, [`NULL`] where there is none. The column is optional and not nested.
    pub fn coded(&mut self, descr: &ColumnDescPtr, values: &Values, codes: &[u32], page_rows: usize) -> Result<Chunk> {
        self.chunk(descr, values, Codes::Some(codes), page_rows)
    }

    fn chunk(&mut self, descr: &ColumnDescPtr, values: &Values, codes: Codes<'_>, page_rows: usize) -> Result<Chunk> {
        let rows = codes.len();
        let compression = Compression::ZSTD(self.level);
        let mut sink = TrackedWrite::new(Vec::new());
        let mut pages = SerializedPageWriter::new(&mut sink);
        let mut metadata = ColumnChunkMetaData::builder(Arc::clone(descr)).set_compression(compression);
        let (mut raw_bytes, mut bytes) = (0_u64, 0_u64);
        let mut stats = Vec::new();
        if values.len() > 0 {
            let plain = values.page();
            let (packed, raw) = (self.compressor.compress(&plain).map_err(external)?, plain.len());
            let page = Page::DictionaryPage {
                buf: packed.into(),
                num_values: values.len() as u32,
                encoding: Encoding::PLAIN,
                is_sorted: true,
            };
            let spec = pages.write_page(CompressedPage::new(page, raw))?;
            raw_bytes += spec.uncompressed_size as u64;
            bytes += spec.bytes_written;
            metadata = metadata.set_dictionary_page_offset(Some(spec.offset as i64));
            stats.push(PageEncodingStats { page_type: PageType::DICTIONARY_PAGE, encoding: Encoding::PLAIN, count: 1 });
        }
        let data_encoding = if values.len() > 0 { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };
        let with_pages = !matches!(values, Values::Texts(texts) if texts.iter().any(|text| text.len() > STATISTICS_BYTES_MAX));
        let mut index = ColumnIndexBuilder::new(descr.physical_type());
        let mut offsets = OffsetIndexBuilder::new();
        let (mut nulls, mut data_pages, mut data_offset) = (0, 0, None);
        let (mut rising, mut last) = (true, None);
        let mut start = 0;
        while start < rows {
            let len = page_rows.min(rows - start);
            let page = self.page(codes, start, len, values, data_encoding)?;
            nulls += page.nulls as u64;
            let spec = pages.write_page(page.page)?;
            data_offset.get_or_insert(spec.offset);
            offsets.append_row_count(len as i64);
            offsets.append_offset_and_size(spec.offset as i64, spec.bytes_written as i32);
            raw_bytes += spec.uncompressed_size as u64;
            bytes += spec.bytes_written;
            match page.span {
                Some((min, max)) if with_pages => {
                    index.append(false, values.bytes(min), values.bytes(max), page.nulls as i64);
                    rising &= last.is_none_or(|(low, high)| low <= min && high <= max);
                    last = Some((min, max));
                }
                _ => index.append(true, Vec::new(), Vec::new(), page.nulls as i64),
            }
            data_pages += 1;
            start += len;
        }
        stats.push(PageEncodingStats { page_type: PageType::DATA_PAGE_V2, encoding: data_encoding, count: data_pages });
        index.set_boundary_order(if rising { BoundaryOrder::ASCENDING } else { BoundaryOrder::UNORDERED });
        metadata = metadata
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, data_encoding])
            .set_page_encoding_stats(stats)
            .set_num_values(rows as i64)
            .set_total_compressed_size(bytes as i64)
            .set_total_uncompressed_size(raw_bytes as i64)
            .set_data_page_offset(data_offset.unwrap_or(0) as i64);
        if let Some(statistics) = values.statistics(nulls) {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes,
            rows_written: rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: if with_pages { Some(index.build()?) } else { None },
            offset_index: Some(offsets.build()),
        };
        Ok(Chunk { bytes: sink.into_inner()?.into(), close })
    }

    fn page(&mut self, codes: Codes<'_>, start: usize, len: usize, values: &Values, encoding: Encoding) -> Result<EncodedPage> {
        self.body.clear();
        self.present.clear();
        let mut levels = Vec::new();
        let mut span: Option<(u32, u32)> = None;
        if let Codes::Some(codes) = codes {
            let codes = &codes[start..start + len];
            let mut bounds = (u32::MAX, 0);
            let mut runs = Runs::default();
            for code in codes {
                let is_there = *code != NULL;
                runs.push(is_there, &mut levels);
                if is_there {
                    bounds = (bounds.0.min(*code), bounds.1.max(*code));
                    self.present.push(*code);
                }
            }
            runs.finish(&mut levels);
            span = (!self.present.is_empty()).then_some(bounds);
        } else {
            push_run(&mut levels, 0, 1, len);
        }
        let nulls = len - self.present.len();
        if values.len() > 0 {
            let width = 32 - (values.len() as u32 - 1).leading_zeros();
            self.body.push(width as u8);
            hybrid(&self.present, width, &mut self.body);
        }
        let raw = levels.len() + self.body.len();
        let mut packed = if self.body.len() > 16 { self.compressor.compress(&self.body).map_err(external)? } else { Vec::new() };
        let is_compressed = !packed.is_empty() && packed.len() + packed.len() / 8 < self.body.len();
        if !is_compressed {
            packed.clear();
            packed.extend_from_slice(&self.body);
        }
        let levels_len = levels.len() as u32;
        levels.append(&mut packed);
        let page = Page::DataPageV2 {
            buf: levels.into(),
            num_values: len as u32,
            encoding,
            num_nulls: nulls as u32,
            num_rows: len as u32,
            def_levels_byte_len: levels_len,
            rep_levels_byte_len: 0,
            is_compressed,
            statistics: None,
        };
        Ok(EncodedPage { page: CompressedPage::new(page, raw), nulls, span })
    }
}

fn external(error: std::io::Error) -> ParquetError {
    ParquetError::External(error.into())
}

#[derive(Clone, Copy)]
enum Codes<'a> {
    Some(&'a [u32]),
    None(usize),
}

impl Codes<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Some(codes) => codes.len(),
            Self::None(rows) => *rows,
        }
    }
}

struct EncodedPage {
    page: CompressedPage,
    nulls: usize,
    /// Smallest and largest code.
    span: Option<(u32, u32)>,
}

/// Definition levels of width 1: long runs as runs, the rest packed.
#[derive(Default)]
struct Runs {
    pending: Vec<u32>,
}

impl Runs {
    fn push(&mut self, is_there: bool, _levels: &mut Vec<u8>) {
        self.pending.push(u32::from(is_there));
    }

    fn finish(self, levels: &mut Vec<u8>) {
        hybrid(&self.pending, 1, levels);
    }
}

/// Parquet's run-length and bit-packing hybrid.
pub(crate) fn hybrid(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut literal = 0;
    let mut at = 0;
    while at < values.len() {
        let run = values[at..].iter().take_while(|value| **value == values[at]).count();
        // Packed values come in groups of eight; a run may have to fill the group before it.
        let pad = (8 - (at - literal) % 8) % 8;
        if run >= pad + 8 {
            push_packed(out, &values[literal..at + pad], width);
            push_run(out, values[at], width, run - pad);
            at += run;
            literal = at;
        } else {
            at += run;
        }
    }
    push_packed(out, &values[literal..], width);
}

pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn push_run(out: &mut Vec<u8>, value: u32, width: u32, len: usize) {
    push_varint(out, len << 1);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

fn push_packed(out: &mut Vec<u8>, values: &[u32], width: u32) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(8);
    push_varint(out, groups << 1 | 1);
    let end = out.len() + groups * width as usize;
    let (mut bits, mut count) = (0_u64, 0_u32);
    for value in values {
        bits |= u64::from(*value) << count;
        count += width;
        while count >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push(bits as u8);
    }
    out.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use arrow::{array::AsArray, datatypes::Int64Type};
    use parquet::{
        arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
        file::{
            metadata::PageIndexPolicy, page_index::column_index::ColumnIndexMetaData, properties::WriterProperties,
            writer::SerializedFileWriter,
        },
        schema::parser::parse_message_type,
    };
    use proptest::prelude::*;

    use super::*;

    /// Writes one text and one number column over the same codes, and reads the file with the general reader.
    fn check(distinct: usize, codes: &[u32], page_rows: usize) {
        let schema = Arc::new(parse_message_type("message m { optional binary t (UTF8); optional int64 n; }").unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::new())).unwrap();
        let descriptors = writer.schema_descr().columns().to_vec();
        let mut texts = Texts::default();
        let mut bytes = Vec::new();
        for at in 0..distinct {
            bytes.extend_from_slice(format!("{at:05}").as_bytes());
            texts.ends.push(bytes.len());
        }
        texts.bytes = bytes.into();
        let longs = Values::Longs((0..distinct as i64).map(|at| at * 1_000_000_007 - 5).collect());
        let mut encoder = ChunkEncoder::new(1).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for (descriptor, values) in descriptors.iter().zip([&Values::Texts(texts), &longs]) {
            let chunk = encoder.coded(descriptor, values, codes, page_rows).unwrap();
            group.append_column(&chunk.bytes, chunk.close).unwrap();
        }
        group.close().unwrap();
        let file = Bytes::from(writer.into_inner().unwrap());
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&file, options).unwrap();
        let Some(index) = metadata.metadata().column_index() else { panic!("no column index") };
        let ColumnIndexMetaData::INT64(index) = &index[0][1] else { panic!("not of numbers") };
        for (at, page) in codes.chunks(page_rows).enumerate() {
            let present = page.iter().filter(|code| **code != NULL).map(|code| i64::from(*code) * 1_000_000_007 - 5);
            assert_eq!(index.min_value(at).copied(), present.clone().min());
            assert_eq!(index.max_value(at).copied(), present.max());
        }
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_batch_size(codes.len()).build().unwrap();
        let batch = reader.map(Result::unwrap).next().unwrap();
        let (texts, longs) = (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        assert_eq!(batch.num_rows(), codes.len());
        for (row, code) in codes.iter().enumerate() {
            let expected = (*code != NULL).then(|| format!("{code:05}"));
            assert_eq!(texts.iter().nth(row).unwrap().map(str::to_owned), expected, "row {row}");
            assert_eq!(longs.iter().nth(row).unwrap(), expected.map(|_| i64::from(*code) * 1_000_000_007 - 5), "row {row}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn runs_and_nulls_read_back(
            distinct in prop_oneof![1..3_usize, 3..40_usize, 250..260_usize, 4_000..4_100_usize],
            runs in prop::collection::vec((any::<u32>(), 1..30_usize), 1..40),
            page_rows in 1..200_usize,
        ) {
            let code = |seed: u32| if seed.is_multiple_of(5) { NULL } else { seed % distinct as u32 };
            let codes: Vec<u32> = runs.iter().flat_map(|(seed, len)| std::iter::repeat_n(code(*seed), *len)).collect();
            check(distinct, &codes, page_rows);
        }
    }

    #[test]
    fn a_chunk_without_values_reads_as_nulls() {
        check(1, &[NULL; 100], 30);
    }
}
