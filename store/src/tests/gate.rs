//! A catalogue with a gate before and behind each commit: tests and the simulator let it fail there.

use std::sync::Arc;

use event::Micros;

use crate::{
    Hold, LedgerRow, NewHold, Release, Result, Segment, Tombstone,
    catalogue::{Catalogue, Loaded, Publication, RollUp},
    proof::Attempt,
};

/// Asked around every call.
pub trait Gate: Send + Sync {
    /// Before a commit; an error keeps it from happening.
    fn before(&self) -> Result<()>;

    /// After a commit; an error is a lost answer.
    fn after(&self) -> Result<()>;

    /// Before a read that decides what happened.
    fn read(&self) -> Result<()>;
}

pub struct Gated<G> {
    pub inner: Arc<dyn Catalogue>,
    pub gate: G,
}

impl<G: Gate> Gated<G> {
    async fn commit<T>(&self, done: impl Future<Output = Result<T>>) -> Result<T> {
        self.gate.before()?;
        let done = done.await?;
        self.gate.after()?;
        Ok(done)
    }
}

#[async_trait::async_trait]
impl<G: Gate> Catalogue for Gated<G> {
    async fn load(&self, keys_max: usize) -> Result<Loaded> {
        self.gate.read()?;
        self.inner.load(keys_max).await
    }

    async fn publish(&self, publication: Publication) -> Result<()> {
        self.commit(self.inner.publish(publication)).await
    }

    async fn through(&self) -> Result<u64> {
        self.gate.read()?;
        self.inner.through().await
    }

    async fn ledger(&self) -> Result<(u64, Vec<LedgerRow>)> {
        self.inner.ledger().await
    }

    async fn roll_up_ledger(&self, at: RollUp) -> Result<()> {
        self.commit(self.inner.roll_up_ledger(at)).await
    }

    async fn drop_segments(&self, tombstones: &[Tombstone]) -> Result<()> {
        self.commit(self.inner.drop_segments(tombstones)).await
    }

    async fn replace_segments(&self, gone: &[String], new: &[Segment]) -> Result<()> {
        self.commit(self.inner.replace_segments(gone, new)).await
    }

    async fn has_segment(&self, id: &str) -> Result<bool> {
        self.gate.read()?;
        self.inner.has_segment(id).await
    }

    async fn tombstones(&self) -> Result<Vec<Tombstone>> {
        self.inner.tombstones().await
    }

    async fn holds(&self) -> Result<Vec<Hold>> {
        self.gate.read()?;
        self.inner.holds().await
    }

    async fn place_hold(&self, hold: &NewHold, now: Micros) -> Result<Hold> {
        self.commit(self.inner.place_hold(hold, now)).await
    }

    async fn release_hold(&self, id: u64, release: &Release) -> Result<Hold> {
        self.commit(self.inner.release_hold(id, release)).await
    }

    async fn note_cold(&self, url: &str) -> Result<()> {
        self.commit(self.inner.note_cold(url)).await
    }

    async fn make_cold(&self, id: &str, url: &str) -> Result<()> {
        self.commit(self.inner.make_cold(id, url)).await
    }

    async fn cold_garbage(&self) -> Result<Vec<String>> {
        self.inner.cold_garbage().await
    }

    async fn forget_cold(&self, url: &str) -> Result<()> {
        self.commit(self.inner.forget_cold(url)).await
    }

    async fn tombstones_after(&self, count: u64) -> Result<Vec<Tombstone>> {
        self.inner.tombstones_after(count).await
    }

    async fn proof_cursor(&self) -> Result<Option<String>> {
        self.gate.read()?;
        self.inner.proof_cursor().await
    }

    async fn set_proof_cursor(&self, cursor: &str) -> Result<()> {
        self.commit(self.inner.set_proof_cursor(cursor)).await
    }

    async fn add_proof_attempt(&self, attempt: &Attempt) -> Result<()> {
        self.commit(self.inner.add_proof_attempt(attempt)).await
    }

    async fn proof_attempts(&self, count_max: u32) -> Result<Vec<Attempt>> {
        self.inner.proof_attempts(count_max).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
