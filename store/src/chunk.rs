//! Column chunks of a flush, written from hot batches without sorting, gathering or hashing of values.
//!
//! A text column whose block builder interned its values repeats its *views*, not only its values: two rows with the same view
//! have the same text. So a row costs one look-up of sixteen bytes; a text is hashed once per batch and value. Columns that do
//! not repeat are plain (`event.id`: front-coded), numbers and times are differences. Not here: which rows, pages and columns
//! there are ([`crate::segment`]); lists, flags and fractions, which the general writer takes.

use std::{hash::BuildHasher as _, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanBufferBuilder, StringViewArray},
    datatypes::{DataType, Int64Type, TimestampMicrosecondType},
};
use hashbrown::{DefaultHashBuilder, HashTable};
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

use crate::{
    compact::dictionary::{Chunk, hybrid, push_run, push_varint},
    delta,
};

/// zstd level of text that does not repeat; below zero is faster than 1.
const LEVEL: i32 = -5;
/// Columns with fewer distinct values are dictionaries in any case.
const DISTINCT_FREE: usize = 1_024;
/// Bytes of one dictionary.
const DICTIONARY_BYTES_MAX: usize = 4 << 20;
/// Longest value in statistics; a chunk with longer ones has none.
const STATISTICS_BYTES_MAX: usize = 256;

/// Rows `from .. from + len` of one piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub piece: usize,
    pub from: usize,
    pub len: usize,
}

/// How the text of a column is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texts {
    /// As a dictionary where that pays.
    Maybe,
    /// Plain, compressed.
    Plain,
    /// Front-coded: neighbours share their beginning.
    Front,
}

/// Values of one page, not compressed yet.
struct Body {
    bytes: Vec<u8>,
    present: usize,
    is_packable: bool,
}

/// Reused from chunk to chunk.
pub(crate) struct Chunks {
    compressor: zstd::bulk::Compressor<'static>,
    coder: Coder,
    longs: Vec<i64>,
}

impl Chunks {
    pub fn new() -> Result<Self> {
        let compressor = zstd::bulk::Compressor::new(LEVEL).map_err(|error| ParquetError::External(error.into()))?;
        Ok(Self { compressor, coder: Coder::default(), longs: Vec::new() })
    }

    /// True when [`Chunks::write`] takes columns of this type.
    pub fn takes(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Utf8View | DataType::Int64 | DataType::Timestamp(..))
    }

    /// Writes one column. `arrays` has an entry per piece, `None` where the column is all null.
    pub fn write(
        &mut self,
        descr: &ColumnDescPtr,
        arrays: &[Option<&ArrayRef>],
        pages: &[Vec<Span>],
        texts: Texts,
    ) -> Result<Chunk> {
        if descr.physical_type() == Type::INT64 {
            return self.write_longs(descr, arrays, pages);
        }
        let arrays: Vec<Option<&StringViewArray>> =
            arrays.iter().map(|array| array.and_then(|array| array.as_string_view_opt())).collect();
        if texts == Texts::Maybe && self.coder.code(&arrays, pages) {
            return self.write_codes(descr, &arrays, pages);
        }
        let encoding = if texts == Texts::Front { Encoding::DELTA_BYTE_ARRAY } else { Encoding::PLAIN };
        let mut out = Out::new(descr, encoding);
        for page in pages {
            let rows = page.iter().flat_map(|span| {
                let array = arrays[span.piece];
                array.into_iter().flat_map(move |array| {
                    (span.from..span.from + span.len).filter(|row| array.is_valid(*row)).map(|row| array.value(row).as_bytes())
                })
            });
            let mut body = Body { bytes: Vec::new(), present: 0, is_packable: true };
            if texts == Texts::Front {
                body.present = delta::push_front(rows, &mut body.bytes);
            } else {
                for text in rows {
                    body.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    body.bytes.extend_from_slice(text);
                    body.present += 1;
                }
            }
            let levels = levels(page, |piece| arrays[piece].map(|array| array as &dyn Array));
            out.page(&mut self.compressor, levels, body, page)?;
        }
        let nulls = out.nulls;
        out.finish(Some(Statistics::ByteArray(ValueStatistics::new(None, None, None, Some(nulls), false))), None)
    }

    fn write_codes(&mut self, descr: &ColumnDescPtr, arrays: &[Option<&StringViewArray>], pages: &[Vec<Span>]) -> Result<Chunk> {
        let count = self.coder.starts.len();
        let encoding = if count > 0 { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };
        let mut out = Out::new(descr, encoding);
        if count > 0 {
            out.dictionary(&mut self.compressor, &self.coder.page, count)?;
        }
        let width = 32 - (count.max(1) as u32 - 1).leading_zeros();
        let mut start = 0;
        for (page, end) in pages.iter().zip(&self.coder.page_ends) {
            let codes = &self.coder.codes[start..*end];
            let mut body = Body { bytes: Vec::new(), present: codes.len(), is_packable: false };
            if count > 0 {
                body.bytes.push(width as u8);
                hybrid(codes, width, &mut body.bytes);
            }
            let levels = levels(page, |piece| arrays[piece].map(|array| array as &dyn Array));
            out.page(&mut self.compressor, levels, body, page)?;
            start = *end;
        }
        let (nulls, span) = (out.nulls, self.coder.bounds());
        let (min, max) = span.unzip();
        let is_exact = min.is_some();
        let values = ValueStatistics::new(min, max, Some(count as u64), Some(nulls), false);
        out.finish(Some(Statistics::ByteArray(values.with_min_is_exact(is_exact).with_max_is_exact(is_exact))), None)
    }

    fn write_longs(&mut self, descr: &ColumnDescPtr, arrays: &[Option<&ArrayRef>], pages: &[Vec<Span>]) -> Result<Chunk> {
        let mut out = Out::new(descr, Encoding::DELTA_BINARY_PACKED);
        let mut index = ColumnIndexBuilder::new(Type::INT64);
        let mut whole: Option<(i64, i64)> = None;
        let (mut is_rising, mut last) = (true, None);
        for page in pages {
            self.longs.clear();
            for span in page {
                let Some(array) = arrays[span.piece] else { continue };
                let values: &[i64] = match array.data_type() {
                    DataType::Int64 => array.as_primitive::<Int64Type>().values(),
                    _ => array.as_primitive::<TimestampMicrosecondType>().values(),
                };
                let rows = span.from..span.from + span.len;
                match array.nulls().filter(|nulls| nulls.null_count() > 0) {
                    None => self.longs.extend_from_slice(&values[rows]),
                    Some(nulls) => self.longs.extend(rows.filter(|row| nulls.is_valid(*row)).map(|row| values[row])),
                }
            }
            let rows: usize = page.iter().map(|span| span.len).sum();
            let nulls = (rows - self.longs.len()) as i64;
            match self.longs.iter().min().copied().zip(self.longs.iter().max().copied()) {
                Some((min, max)) => {
                    index.append(false, min.to_le_bytes().to_vec(), max.to_le_bytes().to_vec(), nulls);
                    whole = Some(whole.map_or((min, max), |(low, high)| (low.min(min), high.max(max))));
                    is_rising &= last.is_none_or(|(low, high)| low <= min && high <= max);
                    last = Some((min, max));
                }
                None => index.append(true, Vec::new(), Vec::new(), nulls),
            }
            let mut body = Body { bytes: Vec::new(), present: self.longs.len(), is_packable: false };
            delta::push_longs(&self.longs, &mut body.bytes);
            let levels = levels(page, |piece| arrays[piece].map(|array| array.as_ref()));
            out.page(&mut self.compressor, levels, body, page)?;
        }
        index.set_boundary_order(if is_rising { BoundaryOrder::ASCENDING } else { BoundaryOrder::UNORDERED });
        let (min, max) = whole.unzip();
        let statistics = Statistics::Int64(ValueStatistics::new(min, max, None, Some(out.nulls), false));
        out.finish(Some(statistics), Some(index))
    }
}

/// Definition levels of a page: runs where eight rows and more are alike, bits elsewhere.
fn levels<'a>(page: &[Span], array: impl Fn(usize) -> Option<&'a dyn Array>) -> Vec<u8> {
    let rows: usize = page.iter().map(|span| span.len).sum();
    let mut out = Vec::new();
    let state = |span: &Span| match array(span.piece) {
        None => Some(false),
        Some(array) if array.null_count() == 0 => Some(true),
        Some(_) => None,
    };
    if let Some(first) = page.first().map(state)
        && let Some(is_there) = first
        && page.iter().all(|span| state(span) == first)
    {
        push_run(&mut out, u32::from(is_there), 1, rows);
        return out;
    }
    let mut bits = BooleanBufferBuilder::new(rows);
    for span in page {
        match (state(span), array(span.piece).and_then(|array| array.nulls())) {
            (None, Some(nulls)) => bits.append_buffer(&nulls.inner().slice(span.from, span.len)),
            (known, _) => bits.append_n(span.len, known.unwrap_or(true)),
        }
    }
    let bytes = bits.as_slice();
    let whole = rows / 8;
    let (mut at, mut literal) = (0, 0);
    let packed = |out: &mut Vec<u8>, bytes: &[u8]| {
        if !bytes.is_empty() {
            push_varint(out, bytes.len() << 1 | 1);
            out.extend_from_slice(bytes);
        }
    };
    while at < whole {
        let value = bytes[at];
        let run = bytes[at..whole].iter().take_while(|byte| **byte == value).count();
        if (value == 0 || value == u8::MAX) && run >= 4 {
            packed(&mut out, &bytes[literal..at]);
            push_run(&mut out, u32::from(value & 1), 1, run * 8);
            literal = at + run;
        }
        at += run;
    }
    packed(&mut out, &bytes[literal..rows.div_ceil(8)]);
    out
}

/// Gives the texts of a row group numbers.
#[derive(Default)]
struct Coder {
    hasher: DefaultHashBuilder,
    /// Views of the row group that hold their text themselves.
    short: HashTable<(u128, u32)>,
    /// Views of one array that refer to its buffers.
    long: HashTable<(u128, u32)>,
    texts: HashTable<u32>,
    /// The dictionary page: length and text, in order of appearance.
    page: Vec<u8>,
    starts: Vec<u32>,
    /// Codes of rows with a value, and where each page ends among them.
    codes: Vec<u32>,
    page_ends: Vec<usize>,
}

impl Coder {
    /// Returns false when the values do not repeat enough; the codes are of no use then.
    fn code(&mut self, arrays: &[Option<&StringViewArray>], pages: &[Vec<Span>]) -> bool {
        self.short.clear();
        self.long.clear();
        self.texts.clear();
        self.page.clear();
        self.starts.clear();
        self.codes.clear();
        self.page_ends.clear();
        let seeds = (self.hasher.hash_one(0_u8), self.hasher.hash_one(1_u8));
        let mut piece = usize::MAX;
        for page in pages {
            for span in page {
                let Some(array) = arrays[span.piece] else { continue };
                if span.piece != piece {
                    piece = span.piece;
                    self.long.clear();
                }
                self.code_span(array, span, seeds);
                let distinct = self.starts.len();
                if self.page.len() > DICTIONARY_BYTES_MAX || (distinct > DISTINCT_FREE && distinct * 3 > self.codes.len()) {
                    return false;
                }
            }
            self.page_ends.push(self.codes.len());
        }
        true
    }

    fn code_span(&mut self, array: &StringViewArray, span: &Span, seeds: (u64, u64)) {
        let hash = |view: &u128| {
            let product = u128::from(*view as u64 ^ seeds.0) * u128::from((*view >> 64) as u64 ^ seeds.1);
            product as u64 ^ (product >> 64) as u64
        };
        let views = array.views();
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let mut last: Option<(u128, u32)> = None;
        for row in span.from..span.from + span.len {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let view = views[row];
            if let Some((known, code)) = last
                && known == view
            {
                self.codes.push(code);
                continue;
            }
            let table = if view as u32 <= 12 { &self.short } else { &self.long };
            let hashed = hash(&view);
            let code = match table.find(hashed, |(known, _)| *known == view) {
                Some((_, code)) => *code,
                None => {
                    let code = self.intern(array.value(row).as_bytes(), view as u32 > 12);
                    let table = if view as u32 <= 12 { &mut self.short } else { &mut self.long };
                    table.insert_unique(hashed, (view, code), |(view, _)| hash(view));
                    code
                }
            };
            self.codes.push(code);
            last = Some((view, code));
        }
    }

    /// The number of a text; short ones are known by their views and never looked up here twice.
    fn intern(&mut self, text: &[u8], is_long: bool) -> u32 {
        let next = self.starts.len() as u32;
        if is_long {
            let hash = self.hasher.hash_one(text);
            let (page, starts) = (&self.page, &self.starts);
            if let Some(code) = self.texts.find(hash, |code| text_at(page, starts, *code) == text) {
                return *code;
            }
            let hasher = &self.hasher;
            self.texts.insert_unique(hash, next, |code| {
                hasher.hash_one(if *code == next { text } else { text_at(page, starts, *code) })
            });
        }
        self.starts.push(self.page.len() as u32);
        self.page.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.page.extend_from_slice(text);
        next
    }

    /// Smallest and largest text.
    fn bounds(&self) -> Option<(ByteArray, ByteArray)> {
        let text = |code: usize| text_at(&self.page, &self.starts, code as u32);
        if self.starts.is_empty() {
            return None;
        }
        let (mut min, mut max) = (text(0), text(0));
        for code in 0..self.starts.len() {
            let text = text(code);
            if text.len() > STATISTICS_BYTES_MAX {
                return None;
            }
            min = min.min(text);
            max = max.max(text);
        }
        Some((ByteArray::from(min.to_vec()), ByteArray::from(max.to_vec())))
    }
}

fn text_at<'p>(page: &'p [u8], starts: &[u32], code: u32) -> &'p [u8] {
    let from = starts[code as usize] as usize + 4;
    let to = starts.get(code as usize + 1).map_or(page.len(), |next| *next as usize);
    &page[from..to]
}

/// A chunk in the making.
struct Out<'d> {
    descr: &'d ColumnDescPtr,
    encoding: Encoding,
    sink: TrackedWrite<Vec<u8>>,
    offsets: OffsetIndexBuilder,
    stats: Vec<PageEncodingStats>,
    dictionary_offset: Option<i64>,
    data_offset: Option<i64>,
    raw_bytes: u64,
    bytes: u64,
    rows: usize,
    nulls: u64,
    pages: i32,
}

impl<'d> Out<'d> {
    fn new(descr: &'d ColumnDescPtr, encoding: Encoding) -> Self {
        Self {
            descr,
            encoding,
            sink: TrackedWrite::new(Vec::new()),
            offsets: OffsetIndexBuilder::new(),
            stats: Vec::new(),
            dictionary_offset: None,
            data_offset: None,
            raw_bytes: 0,
            bytes: 0,
            rows: 0,
            nulls: 0,
            pages: 0,
        }
    }

    fn dictionary(&mut self, compressor: &mut zstd::bulk::Compressor<'_>, plain: &[u8], count: usize) -> Result<()> {
        let packed = compressor.compress(plain).map_err(|error| ParquetError::External(error.into()))?;
        let page =
            Page::DictionaryPage { buf: packed.into(), num_values: count as u32, encoding: Encoding::PLAIN, is_sorted: false };
        let spec = SerializedPageWriter::new(&mut self.sink).write_page(CompressedPage::new(page, plain.len()))?;
        self.raw_bytes += spec.uncompressed_size as u64;
        self.bytes += spec.bytes_written;
        self.dictionary_offset = Some(spec.offset as i64);
        self.stats.push(PageEncodingStats { page_type: PageType::DICTIONARY_PAGE, encoding: Encoding::PLAIN, count: 1 });
        Ok(())
    }

    fn page(&mut self, compressor: &mut zstd::bulk::Compressor<'_>, levels: Vec<u8>, body: Body, page: &[Span]) -> Result<()> {
        let rows: usize = page.iter().map(|span| span.len).sum();
        let nulls = rows - body.present;
        let raw = levels.len() + body.bytes.len();
        let levels_len = levels.len() as u32;
        let packed = match body.is_packable && body.bytes.len() > 64 {
            true => Some(compressor.compress(&body.bytes).map_err(|error| ParquetError::External(error.into()))?),
            false => None,
        };
        let packed = packed.filter(|packed| packed.len() + packed.len() / 8 < body.bytes.len());
        let is_compressed = packed.is_some();
        let mut buf = levels;
        buf.extend_from_slice(packed.as_deref().unwrap_or(&body.bytes));
        let page = Page::DataPageV2 {
            buf: buf.into(),
            num_values: rows as u32,
            encoding: self.encoding,
            num_nulls: nulls as u32,
            num_rows: rows as u32,
            def_levels_byte_len: levels_len,
            rep_levels_byte_len: 0,
            is_compressed,
            statistics: None,
        };
        let spec = SerializedPageWriter::new(&mut self.sink).write_page(CompressedPage::new(page, raw))?;
        self.data_offset.get_or_insert(spec.offset as i64);
        self.offsets.append_row_count(rows as i64);
        self.offsets.append_offset_and_size(spec.offset as i64, spec.bytes_written as i32);
        self.raw_bytes += spec.uncompressed_size as u64;
        self.bytes += spec.bytes_written;
        self.rows += rows;
        self.nulls += nulls as u64;
        self.pages += 1;
        Ok(())
    }

    fn finish(mut self, statistics: Option<Statistics>, index: Option<ColumnIndexBuilder>) -> Result<Chunk> {
        self.stats.push(PageEncodingStats { page_type: PageType::DATA_PAGE_V2, encoding: self.encoding, count: self.pages });
        let mut metadata = ColumnChunkMetaData::builder(Arc::clone(self.descr))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, self.encoding])
            .set_page_encoding_stats(self.stats)
            .set_num_values(self.rows as i64)
            .set_total_compressed_size(self.bytes as i64)
            .set_total_uncompressed_size(self.raw_bytes as i64)
            .set_dictionary_page_offset(self.dictionary_offset)
            .set_data_page_offset(self.data_offset.unwrap_or(0));
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: self.bytes,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: index.map(ColumnIndexBuilder::build).transpose()?,
            offset_index: Some(self.offsets.build()),
        };
        Ok(Chunk { bytes: self.sink.into_inner()?.into(), close })
    }
}
