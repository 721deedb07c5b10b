//! Builds the index of one segment, row by row, in memory.
//!
//! Held meanwhile, per million rows: 8 bytes for each (token, block) pair (about 25 MB for lines of 357 bytes), what
//! Tantivy holds for the words (a few MB), then the finished file (about 7 MB). Hostile rows cannot make it grow without
//! bound: a block with too many distinct tokens, and every block after [`PAIRS_MAX`] pairs or [`WORDS_MEMORY_MAX`] bytes
//! of words, is not indexed and always qualifies.

use super::{
    error::Result,
    file::{Header, PAGE, Section},
    gather::Gather,
    postings::Pairs,
    words::WordsWriter,
};

/// Rows of a block. Measured (docs/adr/0013): larger blocks make the index smaller and every hit read more.
pub const ROWS_PER_BLOCK: u32 = 1_024;
/// Pairs that are held at most: 512 MB.
const PAIRS_MAX: usize = 64 << 20;
/// What Tantivy may hold.
const WORDS_MEMORY_MAX: usize = 256 << 20;

/// Builds an index. Rows come in the order of the segment.
pub struct IndexWriter {
    rows_per_block: u32,
    rows: u64,
    block: u32,
    gather: Gather,
    pairs: Pairs,
    words: WordsWriter,
    always: Vec<u32>,
}

/// Bytes of each part of a finished index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub tokens: usize,
    pub words: usize,
    pub rest: usize,
}

impl IndexWriter {
    pub fn new() -> Result<Self> {
        Self::with_rows_per_block(ROWS_PER_BLOCK)
    }

    /// For measurements and tests; 0 counts as 1.
    pub fn with_rows_per_block(rows_per_block: u32) -> Result<Self> {
        Ok(Self {
            rows_per_block: rows_per_block.max(1),
            rows: 0,
            block: 0,
            gather: Gather::new(),
            pairs: Pairs::new(),
            words: WordsWriter::new()?,
            always: Vec::new(),
        })
    }

    /// Adds a text of the current row: the line, a message. Any number a row.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.gather.text(text);
    }

    /// Adds the exact value of a column of the current row: an address, a user, a host, a hash.
    #[inline]
    pub fn value(&mut self, value: &str) {
        self.gather.value(value);
    }

    /// Ends the current row.
    pub fn end_row(&mut self) -> Result<()> {
        self.rows += 1;
        if self.rows.is_multiple_of(self.rows_per_block.into()) { self.end_block() } else { Ok(()) }
    }

    /// Bytes held now, without what a finished file adds.
    pub fn memory(&self) -> usize {
        self.pairs.len() * 8 + self.words.memory()
    }

    /// Hashes (upper 40 bits) of all tokens so far, repeated and in no order: what a filter over many segments is made of.
    pub fn token_hashes(&self) -> impl Iterator<Item = u64> {
        self.pairs.hashes()
    }

    fn end_block(&mut self) -> Result<()> {
        let found = &self.gather.found;
        let is_over = self.pairs.len() + found.hashes.len() > PAIRS_MAX || self.words.memory() > WORDS_MEMORY_MAX;
        if found.is_full || is_over {
            self.always.push(self.block);
            self.words.block("")?;
        } else {
            found.hashes.iter().for_each(|hash| self.pairs.push(*hash, self.block));
            self.words.block(&found.words)?;
        }
        self.gather.clear();
        self.block += 1;
        Ok(())
    }

    /// Returns the bytes of the index file.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.finish_with_parts().map(|(bytes, _)| bytes)
    }

    /// Returns the bytes of the index file and how they divide.
    pub fn finish_with_parts(mut self) -> Result<(Vec<u8>, Parts)> {
        if !self.rows.is_multiple_of(self.rows_per_block.into()) {
            self.end_block()?;
        }
        let mut header = Header { rows: self.rows, rows_per_block: self.rows_per_block, ..Header::default() };
        let (words, table) = self.words.finish()?;
        let [pages, overflow, bitmaps] = self.pairs.encode(&mut header);
        let always = bitmap(&self.always, header.blocks());
        header.always_checksum = crc32fast::hash(&always);
        header.table_checksum = crc32fast::hash(&table);
        let mut end = (PAGE + pages.len()) as u64;
        let mut place = |part: &[u8]| {
            let section = Section { offset: end, len: part.len() as u64 };
            end = section.end();
            section
        };
        header.overflow = place(&overflow);
        header.bitmaps = place(&bitmaps);
        header.always = place(&always);
        header.words = place(&words);
        header.table = place(&table);
        let mut bytes = header.write();
        bytes.reserve_exact(end as usize - PAGE);
        for part in [&pages, &overflow, &bitmaps, &always, &words, &table] {
            bytes.extend_from_slice(part);
        }
        let tokens = pages.len() + overflow.len() + bitmaps.len();
        let words = words.len() + table.len();
        Ok((bytes, Parts { tokens, words, rest: PAGE + always.len() }))
    }
}

/// A bitmap of blocks; empty when there are none.
fn bitmap(blocks: &[u32], total: u32) -> Vec<u8> {
    let mut bytes = vec![0; if blocks.is_empty() { 0 } else { (total as usize).div_ceil(8) }];
    blocks.iter().for_each(|block| bytes[*block as usize / 8] |= 1 << (block % 8));
    bytes
}
