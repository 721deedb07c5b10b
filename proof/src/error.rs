//! What can go wrong with proof files, worded for the person who must explain it.

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Bytes that are not what was written.
    #[error("{file}, byte {offset}: {expected} expected, {found} found")]
    Damaged { file: String, offset: u64, expected: String, found: String },
    /// The file was written by a newer version of the program.
    #[error("{file} has version {found}, this program reads up to {known}")]
    Version { file: String, found: u64, known: u64 },
    /// A key file or a key in text that is none.
    #[error("{place}: {reason}")]
    Key { place: String, reason: String },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
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
