//! Reads the frames of one log file in order, in bounded memory, over damage.
//!
//! A damaged span is skipped up to the next intact frame and reported; what follows the last intact frame is the torn tail.
//! The scanner keeps its place, so a follower reads on where the file has grown.

use std::{
    io,
    path::{Path, PathBuf},
};

use event::{Micros, seam::Storage};

use super::frame::{self, HEADER_BYTES, MAGIC, Peek};

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Header of a log file: magic and version, first sequence, salt, checksum of these.
pub const FILE_HEADER_BYTES: usize = 28;
const FILE_MAGIC: [u8; 8] = *b"chgwal\x01\x00";

pub fn file_header(first: u64, salt: u64) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(&FILE_MAGIC);
    header[8..16].copy_from_slice(&first.to_le_bytes());
    header[16..24].copy_from_slice(&salt.to_le_bytes());
    let checksum = crc32fast::hash(&header[..24]);
    header[24..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Returns the salt of an intact file header.
pub fn read_file_header(bytes: &[u8]) -> Option<u64> {
    let header: &[u8; FILE_HEADER_BYTES] = bytes.first_chunk()?;
    let checksum = u32::from_le_bytes(*header.last_chunk()?);
    let salt = u64::from_le_bytes(*header[16..24].first_chunk()?);
    (header[..8] == FILE_MAGIC && crc32fast::hash(&header[..24]) == checksum).then_some(salt)
}

/// What comes next in the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'b> {
    Frame {
        sequence: u64,
        ingested: Micros,
        payload: &'b [u8],
    },
    /// This many bytes are no frame; an intact frame follows them.
    Damage(u64),
    /// Nothing more for now. `good` is the offset after the last intact frame, `torn` the number of bytes behind it.
    End {
        good: u64,
        torn: u64,
    },
}

pub struct Scanner {
    path: PathBuf,
    salt: u64,
    /// Sequences must rise from here …
    last: u64,
    /// … and stay below this one, the first of the next file.
    below: u64,
    /// File offset of `buffer[0]`.
    offset: u64,
    buffer: Vec<u8>,
    at: usize,
    good: u64,
}

impl Scanner {
    pub fn new(path: &Path, salt: u64, below: u64) -> Self {
        let offset = FILE_HEADER_BYTES as u64;
        Self { path: path.to_owned(), salt, last: 0, below, offset, buffer: Vec::new(), at: 0, good: offset }
    }

    /// Returns the next item; nothing at or behind `limit` is read.
    pub fn next(&mut self, storage: &dyn Storage, limit: u64) -> io::Result<Item<'_>> {
        let mut wanted = HEADER_BYTES;
        loop {
            let is_whole = self.fill(storage, wanted, limit)?;
            match frame::peek(&self.buffer[self.at..], self.salt) {
                Peek::Frame { sequence, ingested, bytes } if sequence > self.last && sequence < self.below => {
                    let here = self.offset + self.at as u64;
                    if here > self.good {
                        let lost = here - self.good;
                        self.good = here;
                        return Ok(Item::Damage(lost));
                    }
                    let start = self.at + HEADER_BYTES;
                    self.at += bytes;
                    self.last = sequence;
                    self.good = here + bytes as u64;
                    return Ok(Item::Frame { sequence, ingested, payload: &self.buffer[start..self.at] });
                }
                Peek::Short(bytes) if is_whole && self.buffer.len() - self.at < bytes => wanted = bytes,
                _ if self.at >= self.buffer.len() || (!is_whole && self.skip_is_over()) => return Ok(self.end()),
                _ => {
                    self.skip();
                    wanted = HEADER_BYTES;
                }
            }
        }
    }

    /// Rewinds to the end of the last intact frame, so that a grown file is read on from there.
    fn end(&mut self) -> Item<'static> {
        let end = self.offset + self.buffer.len() as u64;
        let (good, torn) = (self.good, end - self.good);
        self.buffer.clear();
        (self.offset, self.at) = (good, 0);
        Item::End { good, torn }
    }

    /// True when no further frame can start in what is left of the file.
    fn skip_is_over(&self) -> bool {
        self.buffer.len() - self.at < HEADER_BYTES
    }

    /// Moves to the next place where a frame may start.
    fn skip(&mut self) {
        let rest = &self.buffer[self.at + 1..];
        self.at += 1 + rest.windows(MAGIC.len()).position(|w| w == MAGIC).unwrap_or(rest.len().saturating_sub(MAGIC.len() - 1));
    }

    /// Sees to it that `wanted` bytes stand at `at`; false when the file ends before.
    fn fill(&mut self, storage: &dyn Storage, wanted: usize, limit: u64) -> io::Result<bool> {
        let held = self.buffer.len() - self.at;
        if held >= wanted {
            return Ok(true);
        }
        self.buffer.drain(..self.at);
        self.offset += self.at as u64;
        self.at = 0;
        let from = self.offset + held as u64;
        let asked = CHUNK_BYTES.max(wanted - held).min(usize::try_from(limit.saturating_sub(from)).unwrap_or(usize::MAX));
        if asked > 0 {
            self.buffer.extend_from_slice(&storage.read_range(&self.path, from, asked)?);
        }
        Ok(self.buffer.len() >= wanted)
    }
}
