//! The index file: where its parts lie, and how they are read and checked.
//!
//! ```text
//! 0      header, 4 KiB: magic, version, numbers, sections, checksum
//! 4096   pages of the hash postings, 4 KiB each, each with its checksum
//!        overflow of pages · bitmaps of tokens that stand nearly everywhere · blocks that always qualify
//!        words: the files of a Tantivy index · their table with a checksum for every 16 KiB
//! ```
//!
//! Sections follow one another without a gap, so every byte of the file is under some checksum.

use std::{fs::File, io, sync::Arc};

use bytes::Bytes;

use super::error::{Error, Result, check};

/// Positioned reads of an immutable file: memory, a memory map, a file, a range of an object.
pub trait ReadAt: Send + Sync {
    /// Length of the whole file in bytes.
    fn len(&self) -> u64;

    /// Reads exactly `len` bytes; fewer are an error.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes>;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ReadAt for Bytes {
    fn len(&self) -> u64 {
        Bytes::len(self) as u64
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        match start.checked_add(len) {
            Some(end) if end <= Bytes::len(self) => Ok(self.slice(start..end)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A file read by position, a system call a read and nothing held between.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    pub fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl ReadAt for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; len];
        std::os::unix::fs::FileExt::read_exact_at(&self.file, &mut bytes, offset)?;
        Ok(bytes.into())
    }
}

/// Reads a range and says where it failed.
pub fn read(source: &dyn ReadAt, offset: u64, len: usize) -> Result<Bytes> {
    source.read_at(offset, len).map_err(|source| Error::Read { offset, len, source })
}

pub const MAGIC: &[u8; 8] = b"CHGINDEX";
pub const VERSION: u32 = 1;
/// Bytes of the header and of a page.
pub const PAGE: usize = 4_096;

/// Offset and length of a part of the file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Section {
    pub offset: u64,
    pub len: u64,
}

impl Section {
    pub fn end(self) -> u64 {
        self.offset.saturating_add(self.len)
    }

    pub fn read(self, source: &dyn ReadAt) -> Result<Bytes> {
        read(source, self.offset, self.len as usize)
    }
}

/// All that is held in memory of an index: about 200 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub rows: u64,
    pub rows_per_block: u32,
    /// Pages of hash postings.
    pub pages: u32,
    /// Bits of a token's hash that are kept in a page, and the low bits of their Rice code.
    pub print_bits: u32,
    pub rice_low: u32,
    /// Bits of a block number.
    pub block_bits: u32,
    /// Tokens in the hash postings.
    pub tokens: u64,
    pub overflow: Section,
    pub bitmaps: Section,
    pub always: Section,
    pub always_checksum: u32,
    pub words: Section,
    pub table: Section,
    pub table_checksum: u32,
}

impl Header {
    pub fn blocks(&self) -> u32 {
        self.rows.div_ceil(u64::from(self.rows_per_block)) as u32
    }

    /// Bytes of one bitmap, checksum included.
    pub fn bitmap_len(&self) -> usize {
        (self.blocks() as usize).div_ceil(8) + 4
    }

    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PAGE);
        bytes.extend_from_slice(MAGIC);
        for number in [VERSION, self.rows_per_block, self.pages, self.print_bits, self.rice_low, self.block_bits] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.rows, self.tokens] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for section in [self.overflow, self.bitmaps, self.always, self.words, self.table] {
            bytes.extend_from_slice(&section.offset.to_le_bytes());
            bytes.extend_from_slice(&section.len.to_le_bytes());
        }
        for checksum in [self.always_checksum, self.table_checksum] {
            bytes.extend_from_slice(&checksum.to_le_bytes());
        }
        bytes.resize(PAGE - 4, 0);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads and checks the header, and that the sections fill the file.
    pub fn read(source: &dyn ReadAt) -> Result<Self> {
        let bytes = read(source, 0, PAGE)?;
        let mut fields = Fields(&bytes);
        let magic = fields.u64();
        if magic != u64::from_le_bytes(*MAGIC) {
            return Err(Error::Damaged { what: "magic", offset: 0, expected: u64::from_le_bytes(*MAGIC), found: magic });
        }
        let version = fields.u32();
        if version != VERSION {
            return Err(Error::Version { found: version, known: VERSION });
        }
        check("header", 0, Fields(&bytes[PAGE - 4..]).u32(), &bytes[..PAGE - 4])?;
        let [rows_per_block, pages, print_bits, rice_low, block_bits] = std::array::from_fn(|_| fields.u32());
        let [rows, tokens] = std::array::from_fn(|_| fields.u64());
        let [overflow, bitmaps, always, words, table] =
            std::array::from_fn(|_| Section { offset: fields.u64(), len: fields.u64() });
        let [always_checksum, table_checksum] = std::array::from_fn(|_| fields.u32());
        let header = Self {
            rows,
            rows_per_block,
            pages,
            print_bits,
            rice_low,
            block_bits,
            tokens,
            overflow,
            bitmaps,
            always,
            always_checksum,
            words,
            table,
            table_checksum,
        };
        header.check(source.len())?;
        Ok(header)
    }

    fn check(&self, file_len: u64) -> Result<()> {
        let damaged = |what, expected, found| Err(Error::Damaged { what, offset: 0, expected, found });
        let mut end = (u64::from(self.pages) + 1) * PAGE as u64;
        for section in [self.overflow, self.bitmaps, self.always, self.words, self.table] {
            if section.offset != end {
                return damaged("place of a section", end, section.offset);
            }
            end = section.end();
        }
        if end != file_len {
            return damaged("length of the file", end, file_len);
        }
        if self.rows_per_block == 0 || self.rows.div_ceil(u64::from(self.rows_per_block)) >= 1 << 24 {
            return damaged("rows of a block", 1, self.rows_per_block.into());
        }
        let bits = self.print_bits.max(self.rice_low).max(self.block_bits);
        if bits > 32 || self.pages == 0 || self.pages >= 1 << 24 {
            return damaged("page numbers", 32, bits.into());
        }
        Ok(())
    }
}

/// Little-endian numbers one after the other; zeros behind the end.
pub struct Fields<'b>(pub &'b [u8]);

impl Fields<'_> {
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => [0; N],
        }
    }
}

/// A shared source.
pub type Source = Arc<dyn ReadAt>;
