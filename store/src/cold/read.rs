//! A segment's Parquet file as a reader sees it, wherever it lies.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::FileExt as _,
    sync::Arc,
};

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result as ParquetResult},
    file::reader::{ChunkReader, Length},
};

use super::{ColdFile, ColdFiles, files::path_in};
use crate::{Error, Result, Segment};

/// An open file. Clones read independently; for threads that may block.
#[derive(Clone)]
pub struct SegmentFile(Place);

#[derive(Clone)]
enum Place {
    /// On this machine, with its length.
    Here(Arc<File>, u64),
    There {
        files: Arc<ColdFiles>,
        location: Arc<str>,
        bytes: u64,
    },
}

impl std::fmt::Debug for SegmentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentFile").finish_non_exhaustive()
    }
}

impl Segment {
    /// Opens the Parquet file where it is. Fails when it is not there, or lies in a cold store that is not configured.
    pub fn open(&self) -> Result<SegmentFile> {
        let here = |path: &std::path::Path| {
            let file = File::open(path).map_err(Error::file("open segment", path))?;
            let bytes = file.metadata().map_err(Error::file("open segment", path))?.len();
            Ok(SegmentFile(Place::Here(Arc::new(file), bytes)))
        };
        let Some(ColdFile { url, files }) = &self.cold else { return here(&self.path) };
        let failed = || Error::segment("open", &self.id);
        let files = files.as_ref().ok_or_else(|| failed()(format!("it lies at {url}, and no cold store is configured")))?;
        let location = files.location_of(url).map_err(failed())?;
        match &files.folder {
            Some(folder) => here(&path_in(folder, location)),
            None => Ok(SegmentFile(Place::There { files: Arc::clone(files), location: location.into(), bytes: self.bytes })),
        }
    }
}

impl SegmentFile {
    /// All bytes from the beginning.
    pub(crate) fn bytes(&self) -> Onward {
        Onward { file: self.clone(), at: 0 }
    }

    fn read(&self, start: u64, len: usize) -> io::Result<Bytes> {
        match &self.0 {
            Place::Here(file, _) => {
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, start)?;
                Ok(bytes.into())
            }
            Place::There { files, location, bytes } => files.read(location, start..start + len as u64, *bytes),
        }
    }
}

impl Length for SegmentFile {
    fn len(&self) -> u64 {
        match &self.0 {
            Place::Here(_, bytes) | Place::There { bytes, .. } => *bytes,
        }
    }
}

impl ChunkReader for SegmentFile {
    type T = BufReader<Onward>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let capacity = if matches!(self.0, Place::Here(..)) { 8 << 10 } else { 64 << 10 };
        Ok(BufReader::with_capacity(capacity, Onward { file: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start.saturating_add(length as u64) > self.len() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} asked of a file of {}", self.len())));
        }
        Ok(self.read(start, length)?)
    }
}

/// Reads on from a place in the file.
#[derive(Debug)]
pub struct Onward {
    file: SegmentFile,
    at: u64,
}

impl Read for Onward {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = (buffer.len() as u64).min(self.file.len().saturating_sub(self.at)) as usize;
        let bytes = self.file.read(self.at, len)?;
        buffer[..len].copy_from_slice(&bytes);
        self.at += len as u64;
        Ok(len)
    }
}
