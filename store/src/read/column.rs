//! Rows of one flat column as an Arrow array.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanBufferBuilder, DictionaryArray, Int32Array, Int64Array, StringArray, StringViewArray,
        TimestampMicrosecondArray,
    },
    buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Int32Type, TimeUnit},
    util::bit_iterator::BitSliceIterator,
};
use parquet::{
    arrow::arrow_reader::ArrowReaderMetadata,
    basic::{Compression, Encoding, Type},
};

use super::page::{Dictionary, NO_VIEW, Page, Source, Texts, Values};

/// Bytes of a text that a view holds itself.
const INLINE_MAX: usize = 12;

/// What a column comes out as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Text,
    /// Codes into the row group's dictionary.
    Coded,
    Long,
    Time,
}

/// A column of a row group, read in ascending order of rows.
pub(super) struct Column {
    leaf: usize,
    output: Output,
    pub data_type: DataType,
    dictionary: Option<Dictionary>,
    /// The dictionary's texts as codes refer to them.
    values: Option<ArrayRef>,
    page: Option<(usize, Page)>,
}

/// Views of texts, and the pages that they are in.
#[derive(Default)]
struct Views {
    views: Vec<u128>,
    buffers: Vec<Buffer>,
}

impl Column {
    /// `None` when the column is not one that this reader reads.
    pub fn new(metadata: &ArrowReaderMetadata, group: usize, leaf: usize, wanted: &DataType, as_codes: bool) -> Option<Self> {
        let file = metadata.metadata();
        let chunk = file.row_group(group).column(leaf);
        let descr = chunk.column_descr();
        let pages = file.offset_index()?.get(group)?.get(leaf)?.page_locations();
        let is_sound = pages.first().is_some_and(|page| page.first_row_index == 0)
            && pages.iter().all(|page| page.offset >= 0 && page.compressed_page_size >= 0 && page.first_row_index >= 0)
            && pages.is_sorted_by_key(|page| page.first_row_index);
        let is_flat = descr.max_def_level() == 1 && descr.max_rep_level() == 0;
        let is_packed_known = matches!(chunk.compression(), Compression::ZSTD(_) | Compression::UNCOMPRESSED);
        let is_known = |encoding: Encoding| match encoding {
            Encoding::PLAIN | Encoding::RLE | Encoding::RLE_DICTIONARY => true,
            Encoding::DELTA_BINARY_PACKED => descr.physical_type() == Type::INT64,
            _ => false,
        };
        if !is_sound || !is_flat || !is_packed_known || !chunk.encodings().all(is_known) {
            return None;
        }
        let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let has_codes = chunk.dictionary_page_offset().is_some()
            && chunk.page_encoding_stats_mask().is_some_and(|mask| mask.is_only(Encoding::RLE_DICTIONARY));
        let (output, data_type) = match (descr.physical_type(), wanted) {
            (Type::BYTE_ARRAY, wanted) if *wanted == DataType::Utf8View || *wanted == coded => {
                match has_codes && (as_codes || *wanted == coded) {
                    true => (Output::Coded, coded),
                    false => (Output::Text, DataType::Utf8View),
                }
            }
            (Type::INT64, DataType::Int64) => (Output::Long, DataType::Int64),
            (Type::INT64, DataType::Timestamp(TimeUnit::Microsecond, _)) => (Output::Time, wanted.clone()),
            _ => return None,
        };
        Some(Self { leaf, output, data_type, dictionary: None, values: None, page: None })
    }

    /// The rows of these ranges, which follow those that were read before.
    pub fn read(&mut self, source: &Source, ranges: &[Range<usize>]) -> Result<ArrayRef, String> {
        let rows = ranges.iter().map(ExactSizeIterator::len).sum();
        let mut nulls = BooleanBufferBuilder::new(rows);
        Ok(match self.output {
            Output::Text => {
                let mut out = Views { views: Vec::with_capacity(rows), buffers: Vec::new() };
                self.dictionary(source)?;
                if let Some(Dictionary::Texts { texts, .. }) = &self.dictionary {
                    out.buffers.push(texts.buffer.clone());
                }
                let mut block = None;
                self.each(source, ranges, &mut nulls, &mut out, |out, dictionary, number, values, from, to| {
                    match (values, dictionary) {
                        (Values::Codes(codes), Some(Dictionary::Texts { texts, starts, views })) => {
                            views.resize(starts.len(), NO_VIEW);
                            for code in &codes[from..to] {
                                let known = views[*code as usize];
                                if known != NO_VIEW {
                                    out.views.push(known);
                                    continue;
                                }
                                let start = starts[*code as usize] as usize;
                                out.push(texts, start, length_before(&texts.buffer, start), 0)?;
                                views[*code as usize] = out.views.last().copied().unwrap_or(NO_VIEW);
                            }
                        }
                        (Values::Texts(texts), _) => {
                            let block = match block {
                                Some((known, block)) if known == number => block,
                                _ => {
                                    out.buffers.push(texts.buffer.clone());
                                    block.insert((number, out.buffers.len() as u32 - 1)).1
                                }
                            };
                            texts.skip_to(from)?;
                            for _ in from..to {
                                let (start, len) = texts.next()?;
                                out.push(texts, start, len, block)?;
                            }
                        }
                        _ => return Err("numbers in a column of texts".to_owned()),
                    }
                    Ok(())
                })?;
                let (views, nulls) = (ScalarBuffer::from(out.views), some(nulls));
                // SAFETY: `Views::push` made every view, within the buffer that it names and of text that is UTF-8; rows without
                // a value have the view of the empty text.
                Arc::new(unsafe { StringViewArray::new_unchecked(views, out.buffers, nulls) })
            }
            Output::Coded => {
                let mut out: Vec<i32> = Vec::with_capacity(rows);
                self.each(source, ranges, &mut nulls, &mut out, |out, _, _, values, from, to| {
                    let Values::Codes(codes) = values else { return Err("values in a column of codes".to_owned()) };
                    out.extend_from_slice(&codes[from..to]);
                    Ok(())
                })?;
                let keys = Int32Array::new(ScalarBuffer::from(out), some(nulls));
                let values = self.texts(source)?;
                Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).map_err(|error| error.to_string())?)
            }
            Output::Long | Output::Time => {
                let mut out: Vec<i64> = Vec::with_capacity(rows);
                self.each(source, ranges, &mut nulls, &mut out, |out, dictionary, _, values, from, to| {
                    match (values, dictionary) {
                        (Values::Longs(longs), _) => out.extend_from_slice(&longs[from..to]),
                        (Values::Codes(codes), Some(Dictionary::Longs(longs))) => {
                            out.extend(codes[from..to].iter().map(|code| longs[*code as usize]));
                        }
                        _ => return Err("texts in a column of numbers".to_owned()),
                    }
                    Ok(())
                })?;
                let (values, nulls) = (ScalarBuffer::from(out), some(nulls));
                match self.output {
                    Output::Time => {
                        Arc::new(TimestampMicrosecondArray::new(values, nulls).with_data_type(self.data_type.clone()))
                    }
                    _ => Arc::new(Int64Array::new(values, nulls)),
                }
            }
        })
    }

    /// Gives the values of the ranges page by page, and puts nulls where rows have none.
    fn each<O: Rowed>(
        &mut self,
        source: &Source,
        ranges: &[Range<usize>],
        nulls: &mut BooleanBufferBuilder,
        out: &mut O,
        mut give: impl FnMut(&mut O, Option<&mut Dictionary>, usize, &mut Values, usize, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        for range in ranges {
            let mut row = range.start;
            while row < range.end {
                self.load(source, row)?;
                let Some((number, page)) = &mut self.page else { return Err("no page".to_owned()) };
                let (from, to) = (row - page.first, range.end.min(page.end) - page.first);
                let (first, last) = (page.values_before(from), page.values_before(to));
                let start = out.rows().len();
                give(out, self.dictionary.as_mut(), *number, &mut page.values, first, last)
                    .map_err(|what| format!("page {number}: {what}"))?;
                match &page.present {
                    Some(bits) if last - first < to - from => {
                        nulls.append_packed_range(from..to, bits);
                        spread(out.rows(), start, bits, from..to);
                    }
                    _ => nulls.append_n(to - from, true),
                }
                row = page.first + to;
            }
        }
        Ok(())
    }

    /// Makes the page of a row the current one.
    fn load(&mut self, source: &Source, row: usize) -> Result<(), String> {
        if self.page.as_ref().is_some_and(|(_, page)| (page.first..page.end).contains(&row)) {
            return Ok(());
        }
        self.dictionary(source)?;
        let pages = source.pages(self.leaf);
        let number = pages.partition_point(|page| page.first_row_index as usize <= row).saturating_sub(1);
        let below = self.dictionary.as_ref().map_or(0, Dictionary::len);
        let is_text = matches!(self.output, Output::Text | Output::Coded);
        let page = source.page(self.leaf, number, is_text, below).map_err(|what| format!("page {number}: {what}"))?;
        if row >= page.end {
            return Err(format!("page {number}: ends before row {row}"));
        }
        self.page = Some((number, page));
        Ok(())
    }

    fn dictionary(&mut self, source: &Source) -> Result<(), String> {
        let chunk = source.metadata.row_group(source.group).column(self.leaf);
        if self.dictionary.is_none() && chunk.dictionary_page_offset().is_some() {
            let is_text = matches!(self.output, Output::Text | Output::Coded);
            let read = source.dictionary(self.leaf, is_text).map_err(|what| format!("dictionary: {what}"))?;
            self.dictionary = Some(read);
        }
        Ok(())
    }

    /// The texts of the dictionary as an array.
    fn texts(&mut self, source: &Source) -> Result<ArrayRef, String> {
        if let Some(values) = &self.values {
            return Ok(Arc::clone(values));
        }
        self.dictionary(source)?;
        let Some(Dictionary::Texts { texts, starts, .. }) = &self.dictionary else { return Err("no dictionary".to_owned()) };
        let mut bytes = Vec::with_capacity(texts.buffer.len());
        let mut offsets = Vec::with_capacity(starts.len() + 1);
        offsets.push(0_i32);
        for &start in starts {
            let start = start as usize;
            bytes.extend_from_slice(&texts.buffer[start..start + length_before(&texts.buffer, start)]);
            offsets.push(bytes.len() as i32);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let values = StringArray::try_new(offsets, Buffer::from_vec(bytes), None);
        let values: ArrayRef = Arc::new(values.map_err(|error| format!("dictionary: {error}"))?);
        self.values = Some(Arc::clone(&values));
        Ok(values)
    }
}

/// Something with an entry for each row.
trait Rowed {
    type Entry: Copy + Default;

    fn rows(&mut self) -> &mut Vec<Self::Entry>;
}

impl<T: Copy + Default> Rowed for Vec<T> {
    type Entry = T;

    fn rows(&mut self) -> &mut Vec<T> {
        self
    }
}

impl Rowed for Views {
    type Entry = u128;

    fn rows(&mut self) -> &mut Vec<u128> {
        &mut self.views
    }
}

impl Views {
    /// Appends the view of a text in a buffer by its number.
    #[inline]
    fn push(&mut self, texts: &Texts, start: usize, len: usize, block: u32) -> Result<(), String> {
        texts.check(start, len)?;
        let bytes = &texts.buffer;
        let view = if len <= INLINE_MAX {
            let value = match bytes.get(start..start + 16) {
                Some(sixteen) => u128::from_le_bytes(sixteen.try_into().unwrap_or_default()) & ((1 << (8 * len)) - 1),
                None => {
                    let mut sixteen = [0; 16];
                    sixteen[..len].copy_from_slice(&bytes[start..start + len]);
                    u128::from_le_bytes(sixteen)
                }
            };
            value << 32 | len as u128
        } else {
            let mut prefix = [0; 4];
            prefix.copy_from_slice(&bytes[start..start + 4]);
            let prefix = u32::from_le_bytes(prefix);
            len as u128 | u128::from(prefix) << 32 | u128::from(block) << 64 | (start as u128) << 96
        };
        self.views.push(view);
        Ok(())
    }
}

/// The length that stands before a text.
#[inline]
fn length_before(bytes: &[u8], start: usize) -> usize {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[start - 4..start]);
    u32::from_le_bytes(four) as usize
}

/// Moves the values behind `start` to the rows that have one.
fn spread<T: Copy + Default>(out: &mut Vec<T>, start: usize, bits: &[u8], rows: Range<usize>) {
    let mut left = out.len();
    let len = rows.len();
    out.resize(start + len, T::default());
    let runs: Vec<(usize, usize)> = BitSliceIterator::new(bits, rows.start, len).collect();
    let mut end = start + len;
    for &(from, to) in runs.iter().rev() {
        left -= to - from;
        out.copy_within(left..left + (to - from), start + from);
        out[start + to..end].fill(T::default());
        end = start + from;
    }
    out[start..end].fill(T::default());
}

fn some(mut nulls: BooleanBufferBuilder) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(nulls.finish());
    (nulls.null_count() > 0).then_some(nulls)
}
