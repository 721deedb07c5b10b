//! What can go wrong in the store, worded for an operator; causes are in the chain.

use std::{io, path::PathBuf};

use event::seam::SeamError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process owns the data directory.
    #[error("the data directory {} is in use by {owner}", dir.display())]
    Locked { dir: PathBuf, owner: String },
    #[error("failed to {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to {what} the catalogue")]
    Catalogue {
        what: &'static str,
        #[source]
        source: sqlx::Error,
    },
    /// The catalogue was written by a newer version of the program.
    #[error("the catalogue has version {found}, this program reads up to {known}")]
    Version { found: i64, known: i64 },
    /// Another writer moved the store cursor: two processes on one catalogue, or a commit whose answer was lost.
    #[error("the store cursor is at {found}, expected {expected}")]
    CursorMoved { found: u64, expected: u64 },
    /// The file is not what was written.
    #[error("segment {segment} is damaged: {} has checksum {found}, {expected} expected", path.display())]
    Damaged { segment: String, path: PathBuf, expected: String, found: String },
    /// Retention or another run was quicker.
    #[error("segment {segment} is not in the catalogue any more")]
    SegmentGone { segment: String },
    #[error("failed to {what} segment {segment}")]
    Segment {
        what: &'static str,
        segment: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was asked for cannot be a hold.
    #[error("the hold is not valid: {0}")]
    Hold(String),
    #[error("no hold {id} is in force")]
    NoHold { id: u64 },
    #[error("the cold store {url:?} cannot be used: {why}")]
    ColdUrl { url: String, why: String },
    /// Journals, keys and hashes of the proof.
    #[error(transparent)]
    Proof(#[from] proof::Error),
    /// A worker ended without an answer; the program is shutting down or has a defect.
    #[error("{0} stopped before it was done")]
    Stopped(&'static str),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    pub(crate) fn catalogue(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Catalogue { what, source }
    }

    pub(crate) fn segment<E>(what: &'static str, segment: &str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let segment = segment.to_owned();
        move |source| Self::Segment { what, segment, source: source.into() }
    }

    /// The message with its causes, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

impl From<Error> for SeamError {
    fn from(error: Error) -> Self {
        Self(error.chain())
    }
}
