//! The state database as its callers see it: every test on a file of its own.
#![allow(clippy::unwrap_used)]

mod accounts;
mod jobs;
mod matches;
mod observations;
mod saved;

use state::State;

/// A database in a directory that lives as long as the test.
pub struct Db {
    pub state: State,
    dir: tempfile::TempDir,
}

impl Db {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state.db")).await.unwrap();
        Self { state, dir }
    }

    /// Opens the same file again, as after a restart.
    pub async fn reopened(self) -> Self {
        let Self { state, dir } = self;
        drop(state);
        let state = State::open(&dir.path().join("state.db")).await.unwrap();
        Self { state, dir }
    }
}
