//! The text index of a segment: which row blocks *may* hold what is asked. It never answers; the scan verifies.
//!
//! ```text
//! IndexWriter: text and values of each row ─▶ distinct words and tokens of each block of 1,024 rows
//!                 words without a digit ─▶ Tantivy, one document a block          (dictionary: prefix, suffix, infix)
//!                 tokens with a digit, exact values ─▶ hash postings, 4 KiB pages (one read a look-up)
//! Index:       Question ─▶ Need ─▶ Blocks ─▶ row ranges for the scan
//! ```
//!
//! Invariants:
//! * No false negative: a row for which the question holds lies in a block of the answer, if its texts and values were given
//!   to the writer. False positives cost time only.
//! * Every byte read was checked; a damaged file is an [`Error`], upon which the segment is scanned whole.
//! * Between questions an [`Index`] holds its header, about 200 bytes, and no file content.
//! * What a word is, is said by [`event::tokenise`] and [`event::fold`] alone; what of it is kept, by `units.rs` alone, for
//!   writer and questions alike.
//!
//! Deliberately absent: answers, ranking, positions, rows inside a block, a file name (see [`ReadAt`]).

mod bits;
mod blocks;
mod error;
mod file;
mod gather;
mod hash;
mod patterns;
mod postings;
mod question;
#[cfg(test)]
mod tests;
mod units;
mod words;
mod writer;

use std::{cell::OnceCell, sync::Arc};

pub use blocks::Blocks;
pub use error::{Error, Result};
pub use file::{FileSource, ReadAt};
pub use question::Question;
pub use writer::{IndexWriter, Parts, ROWS_PER_BLOCK};

use file::Header;
use question::Need;
use words::Words;

/// Dictionary words that one beginning, end or middle may have; with more it says nothing.
const WORDS_MAX: usize = 4_096;
/// With so few blocks left, walking over the dictionary costs more than it can save.
const FEW: u32 = 2;

/// An index file, opened for reading. Cheap to keep: it holds the header.
pub struct Index {
    source: Arc<dyn ReadAt>,
    header: Header,
}

impl Index {
    /// Reads the header. An error means that the file is damaged or of another version.
    pub fn open(source: Arc<dyn ReadAt>) -> Result<Self> {
        let header = Header::read(source.as_ref())?;
        Ok(Self { source, header })
    }

    /// Rows of the segment the index was made of.
    pub fn rows(&self) -> u64 {
        self.header.rows
    }

    pub fn rows_per_block(&self) -> u32 {
        self.header.rows_per_block
    }

    /// Tokens in the hash postings.
    pub fn tokens(&self) -> u64 {
        self.header.tokens
    }

    /// Returns the blocks that may hold rows for which the question holds. Blocking; reads a few KiB, or the dictionary
    /// of words when the question is about words.
    pub fn blocks(&self, question: &Question) -> Result<Blocks> {
        let look = Look { index: self, words: OnceCell::new() };
        let mut blocks = look.need(&question.need())?;
        if self.header.always.len > 0 {
            let bytes = self.header.always.read(self.source.as_ref())?;
            error::check("blocks that always qualify", self.header.always.offset, self.header.always_checksum, &bytes)?;
            blocks.insert_bitmap(&bytes);
        }
        Ok(blocks)
    }

    /// Reads the whole file and compares every checksum.
    pub fn verify(&self) -> Result<()> {
        let header = Header::read(self.source.as_ref())?;
        let always = header.always.read(self.source.as_ref())?;
        error::check("blocks that always qualify", header.always.offset, header.always_checksum, &always)?;
        postings::verify(self.source.as_ref(), &header)?;
        words::verify(&self.source, &header)
    }

    fn none(&self) -> Blocks {
        Blocks::none(self.header.rows, self.header.rows_per_block)
    }

    fn all(&self) -> Blocks {
        Blocks::all(self.header.rows, self.header.rows_per_block)
    }
}

/// One question's walk; the dictionary is opened when first needed.
struct Look<'i> {
    index: &'i Index,
    words: OnceCell<Words>,
}

impl Look<'_> {
    fn need(&self, need: &Need) -> Result<Blocks> {
        let mut found = self.index.none();
        match need {
            Need::Anything => return Ok(self.index.all()),
            Need::Token(hash) => postings::find(self.index.source.as_ref(), &self.index.header, *hash, &mut found)?,
            Need::Word(word) => self.words()?.exact(word, &mut found)?,
            Need::Beginning(part) => return self.some(part, |_| true),
            Need::End(part) => return self.some("", |word| word.ends_with(part.as_bytes())),
            Need::Middle(part) => {
                let finder = memchr::memmem::Finder::new(part);
                return self.some("", |word| finder.find(word).is_some());
            }
            Need::Any(needs) => {
                for need in needs {
                    found.unite(&self.need(need)?);
                }
            }
            Need::All(needs) => return self.all(needs),
        }
        Ok(found)
    }

    /// Needs come cheapest first.
    fn all(&self, needs: &[Need]) -> Result<Blocks> {
        let mut left = self.index.all();
        for need in needs {
            let is_cheap = matches!(need, Need::Token(_) | Need::Word(_));
            if left.is_empty() || !is_cheap && left.count() <= FEW {
                break;
            }
            left.intersect(&self.need(need)?);
        }
        Ok(left)
    }

    fn some(&self, prefix: &str, test: impl Fn(&[u8]) -> bool) -> Result<Blocks> {
        let mut found = self.index.none();
        let is_bounded = self.words()?.some(prefix, WORDS_MAX, test, &mut found)?;
        Ok(if is_bounded.is_some() { found } else { self.index.all() })
    }

    fn words(&self) -> Result<&Words> {
        if let Some(words) = self.words.get() {
            return Ok(words);
        }
        let words = Words::open(&self.index.source, &self.index.header)?;
        Ok(self.words.get_or_init(|| words))
    }
}
