//! One page of a flat column: fetched, unpacked, its levels read; values are taken from it in ascending order.

use std::cell::RefCell;

use arrow::{buffer::Buffer, util::bit_chunk_iterator::UnalignedBitChunk};
use parquet::{
    basic::{Compression, Encoding},
    file::{metadata::ParquetMetaData, reader::ChunkReader as _},
};

use super::{
    bits,
    header::{Header, Kind},
};
use crate::SegmentFile;

/// No view of any text: its length is that of no page.
pub(super) const NO_VIEW: u128 = u128::MAX;

/// Bytes of an unpacked page.
const PAGE_BYTES_MAX: usize = 1 << 30;

thread_local! {
    /// Making one costs as much as unpacking a small page.
    static UNPACKER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Where pages come from.
pub(super) struct Source {
    pub file: SegmentFile,
    pub metadata: std::sync::Arc<ParquetMetaData>,
    pub group: usize,
}

/// Texts with their lengths before them (`PLAIN`), read from front to back.
pub(super) struct Texts {
    pub buffer: Buffer,
    /// True when every byte of the page is ASCII: then every text is UTF-8.
    pub is_ascii: bool,
    /// Number and place of the next text.
    next: usize,
    at: usize,
}

pub(super) enum Values {
    Texts(Texts),
    Codes(Vec<i32>),
    Longs(Vec<i64>),
}

/// A page of data.
pub(super) struct Page {
    /// Its first row in the row group, and the first one after it.
    pub first: usize,
    pub end: usize,
    /// Which rows have a value; `None`: all.
    pub present: Option<Vec<u8>>,
    pub values: Values,
    /// A row of the page and the values before it.
    counted: (usize, usize),
}

/// The texts or numbers that codes stand for.
pub(super) enum Dictionary {
    Texts {
        texts: Texts,
        starts: Vec<u32>,
        /// Views that were made, [`NO_VIEW`] for the others.
        views: Vec<u128>,
    },
    Longs(Vec<i64>),
}

impl Texts {
    fn new(buffer: Buffer) -> Self {
        Self { is_ascii: buffer.is_ascii(), buffer, next: 0, at: 0 }
    }

    /// The next text's place.
    #[inline]
    pub fn next(&mut self) -> Result<(usize, usize), String> {
        let from = self.at + 4;
        let length: Option<[u8; 4]> = self.buffer.get(self.at..from).and_then(|bytes| bytes.try_into().ok());
        let length = length.map(u32::from_le_bytes).ok_or("values: cut off")? as usize;
        if length > self.buffer.len() - from {
            return Err("values: a text goes beyond its page".to_owned());
        }
        self.at = from + length;
        self.next += 1;
        Ok((from, length))
    }

    /// Goes on to a text by its number.
    pub fn skip_to(&mut self, number: usize) -> Result<(), String> {
        while self.next < number {
            self.next()?;
        }
        Ok(())
    }

    /// Checks a text where that is not known of all.
    #[inline]
    pub fn check(&self, from: usize, length: usize) -> Result<(), String> {
        if !self.is_ascii {
            std::str::from_utf8(&self.buffer[from..from + length]).map_err(|error| format!("a text: {error}"))?;
        }
        Ok(())
    }
}

impl Source {
    /// Unpacks a part of the file: header and body.
    fn fetch(&self, leaf: usize, offset: u64, len: usize) -> Result<(Header, Option<Vec<u8>>, Buffer), String> {
        let bytes = self.file.get_bytes(offset, len).map_err(|error| error.to_string())?;
        let header = Header::read(&bytes)?;
        let body = bytes.get(header.len..).and_then(|rest| rest.get(..header.packed)).ok_or("page: cut off")?;
        if header.raw > PAGE_BYTES_MAX {
            return Err(format!("page: {} bytes unpacked, at most {PAGE_BYTES_MAX} expected", header.raw));
        }
        let packing = self.metadata.row_group(self.group).column(leaf).compression();
        let (levels, body, raw, is_packed) = match header.kind {
            Kind::Two { levels, is_packed } => {
                let split = body.split_at_checked(levels).filter(|_| levels <= header.raw);
                let (levels, body) = split.ok_or("page: definition levels go beyond it")?;
                (Some(levels.to_vec()), body, header.raw - levels.len(), is_packed)
            }
            _ => (None, body, header.raw, true),
        };
        let is_packed = is_packed && packing != Compression::UNCOMPRESSED && !body.is_empty();
        let body = if is_packed { Buffer::from_vec(unpack(body, raw)?) } else { Buffer::from(body) };
        if body.len() != raw {
            return Err(format!("page: {} bytes unpacked, {raw} expected", body.len()));
        }
        Ok((header, levels, body))
    }

    /// Reads a page of data; `below`: values in the dictionary.
    pub fn page(&self, leaf: usize, number: usize, is_text: bool, below: usize) -> Result<Page, String> {
        let pages = self.pages(leaf);
        let page = pages.get(number).ok_or_else(|| format!("no page {number}"))?;
        let rows = self.metadata.row_group(self.group).num_rows();
        let end = pages.get(number + 1).map_or(rows, |next| next.first_row_index);
        let (first, end) = (page.first_row_index as usize, end.max(page.first_row_index) as usize);
        let (header, levels, body) = self.fetch(leaf, page.offset as u64, page.compressed_page_size as usize)?;
        if header.values != end - first {
            return Err(format!("page: {} rows found, {} expected", header.values, end - first));
        }
        let (levels, body) = match levels {
            Some(levels) => (levels, body),
            None => {
                let length: Option<[u8; 4]> = body.get(..4).and_then(|bytes| bytes.try_into().ok());
                let length = length.map(u32::from_le_bytes).ok_or("page: cut off")? as usize;
                let levels = body.get(4..4 + length).ok_or("page: definition levels go beyond it")?.to_vec();
                (levels, body.slice(4 + length))
            }
        };
        let present = bits::bitmap(&levels, end - first)?;
        let count = present.as_ref().map_or(end - first, |bits| count_ones(bits, 0, end - first));
        let values = match (header.encoding, is_text) {
            (Encoding::RLE_DICTIONARY, _) => {
                let mut codes = Vec::new();
                let width = body.first().copied().unwrap_or(0);
                bits::codes(body.get(1..).unwrap_or_default(), u32::from(width), count, below, &mut codes)?;
                Values::Codes(codes)
            }
            (Encoding::PLAIN, true) => Values::Texts(Texts::new(body)),
            (Encoding::PLAIN, false) => Values::Longs(longs(&body, count)?),
            (Encoding::DELTA_BINARY_PACKED, false) => {
                let mut longs = Vec::new();
                if count > 0 {
                    bits::deltas(&body, count, &mut longs)?;
                }
                Values::Longs(longs)
            }
            (encoding, _) => return Err(format!("page: encoding {encoding} in a column of another type")),
        };
        Ok(Page { first, end, present, values, counted: (0, 0) })
    }

    /// Reads the dictionary of a column.
    pub fn dictionary(&self, leaf: usize, is_text: bool) -> Result<Dictionary, String> {
        let chunk = self.metadata.row_group(self.group).column(leaf);
        let start = chunk.dictionary_page_offset().and_then(|start| u64::try_from(start).ok()).ok_or("no dictionary")?;
        let first = self.pages(leaf).first().map_or(0, |page| page.offset as u64);
        let len = first.checked_sub(start).ok_or("the dictionary stands behind the pages")?;
        let (header, _, body) = self.fetch(leaf, start, len as usize)?;
        if header.kind != Kind::Dictionary || header.encoding != Encoding::PLAIN {
            return Err("a page of data where the dictionary should be".to_owned());
        }
        if !is_text {
            return longs(&body, header.values).map(Dictionary::Longs);
        }
        // A text takes four bytes at least.
        let mut starts = Vec::with_capacity(header.values.min(body.len() / 4));
        let mut texts = Texts::new(body);
        for _ in 0..header.values {
            starts.push(texts.next()?.0 as u32);
        }
        Ok(Dictionary::Texts { texts, starts, views: Vec::new() })
    }

    pub fn pages(&self, leaf: usize) -> &[parquet::file::page_index::offset_index::PageLocation] {
        let group = self.metadata.offset_index().and_then(|groups| groups.get(self.group));
        group.and_then(|columns| columns.get(leaf)).map_or(&[], |column| column.page_locations())
    }
}

impl Page {
    /// Values before a row of the page. Rows are asked in ascending order.
    pub fn values_before(&mut self, row: usize) -> usize {
        let Some(bits) = &self.present else { return row };
        let (known, count) = self.counted;
        let count = match row.checked_sub(known) {
            Some(len) => count + count_ones(bits, known, len),
            None => count_ones(bits, 0, row),
        };
        self.counted = (row, count);
        count
    }
}

impl Dictionary {
    pub fn len(&self) -> usize {
        match self {
            Self::Texts { starts, .. } => starts.len(),
            Self::Longs(values) => values.len(),
        }
    }
}

fn count_ones(bits: &[u8], from: usize, len: usize) -> usize {
    if len == 0 { 0 } else { UnalignedBitChunk::new(bits, from, len).count_ones() }
}

fn longs(bytes: &[u8], count: usize) -> Result<Vec<i64>, String> {
    let bytes = count.checked_mul(8).and_then(|len| bytes.get(..len)).ok_or("values: cut off")?;
    Ok(bytes.chunks_exact(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap_or_default())).collect())
}

fn unpack(bytes: &[u8], raw: usize) -> Result<Vec<u8>, String> {
    UNPACKER.with_borrow_mut(|unpacker| {
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            None => unpacker.insert(zstd::bulk::Decompressor::new().map_err(|error| error.to_string())?),
        };
        let mut unpacked = Vec::with_capacity(raw);
        unpacker.decompress_to_buffer(bytes, &mut unpacked).map_err(|error| format!("page: {error}"))?;
        Ok(unpacked)
    })
}
