//! What can go wrong with an index file. The remedy is always the same: scan the segment without it, build it again.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to read {len} bytes of the index at offset {offset}")]
    Read {
        offset: u64,
        len: usize,
        #[source]
        source: io::Error,
    },
    /// The file is not what its writer wrote.
    #[error("the index is damaged: {what} at offset {offset}: expected {expected:#x}, found {found:#x}")]
    Damaged { what: &'static str, offset: u64, expected: u64, found: u64 },
    /// The file was written by another version of the program.
    #[error("the index has version {found}, this program reads version {known}")]
    Version { found: u32, known: u32 },
    #[error("failed to {what} the words of the index")]
    Words {
        what: &'static str,
        #[source]
        source: tantivy::TantivyError,
    },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(super) fn words<E: Into<tantivy::TantivyError>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Words { what, source: source.into() }
    }
}

/// Compares a checksum with the one on disk.
pub(super) fn check(what: &'static str, offset: u64, expected: u32, bytes: &[u8]) -> Result<()> {
    let found = crc32fast::hash(bytes);
    if found == expected {
        return Ok(());
    }
    Err(Error::Damaged { what, offset, expected: expected.into(), found: found.into() })
}
