//! The store's part of the proof: keeps the journals while events are flushed, checks them, and packs evidence.
//!
//! ```text
//! flush ─▶ keeper: blocks, roots ─append, sync─▶ proof/2026-11-23.proof ─▶ catalogue commit says how long the file is
//!                                            cut at the next start if we die here │ kept if we die here
//! ```
//!
//! What is hashed and how files look is the crate [`proof`]; who carries roots out of the house is the program's business.

mod catalogue;
mod export;
pub(crate) mod keeper;
mod packet_page;
mod read;
#[cfg(test)]
mod sim;
mod sweep;
#[cfg(test)]
mod tests;
mod verify;

use std::{path::Path, sync::Arc};

use event::Micros;
use proof::root::Anchor;

use crate::{
    Error, Result, Store,
    catalogue::Catalogue,
    proof::keeper::{Cursor, Keeper},
    sqlite::SqliteCatalogue,
    store::blocking,
};

pub(crate) use self::catalogue::{add_attempt, attempts, cursor, save_cursor, set_cursor};
pub use self::{
    catalogue::Attempt,
    export::{ExportOptions, export},
    verify::{Divergence, DivergenceKind, Progress, Report, Span, VerifyOptions, Watch, verify},
};

/// Folder of journals and keys in the data directory.
pub const FOLDER: &str = "proof";

/// Roots are signed this long after the end of their hour, when no later event has closed them before: what was received in
/// the hour's last seconds has been flushed by then.
const GRACE: Micros = 120 * 1_000_000;

/// The proof at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// Number of the last root; 0 when there is none.
    pub root: u64,
    /// The line that carries it out of the house.
    pub line: Option<String>,
    pub signed_at: Option<Micros>,
    /// Log sequence through which roots are signed, and through which blocks are in the chain.
    pub signed_through: u64,
    pub through: u64,
    /// The last root that somebody outside has taken, and when.
    pub anchored: u64,
    pub anchored_at: Option<Micros>,
    /// When the oldest root that nobody outside has taken was signed.
    pub unanchored_since: Option<Micros>,
    /// Public key, hexadecimal.
    pub key: String,
    /// Why the journal could not be continued at this start.
    pub broken: Option<String>,
}

impl Status {
    fn new(cursor: &Cursor, node: &str) -> Self {
        let anchor = (cursor.root > 0).then(|| Anchor::of(node, cursor.root, &cursor.root_hash));
        Self {
            root: cursor.root,
            line: anchor.map(|anchor| anchor.line()),
            signed_at: cursor.signed_at,
            signed_through: cursor.root_through,
            through: cursor.through,
            anchored: cursor.anchored,
            anchored_at: cursor.anchored_at,
            unanchored_since: cursor.unanchored_since,
            key: proof::codec::to_hex(&cursor.key),
            broken: None,
        }
    }
}

/// Reads how far the proof of a data directory reaches, beside the program that owns it.
pub async fn status_of(dir: &Path, node: &str) -> Result<Status> {
    let catalogue = SqliteCatalogue::open_to_read(&dir.join("catalogue.sqlite")).await?;
    let cursor = catalogue.proof_cursor().await?;
    catalogue.close().await;
    let cursor = cursor.as_deref().map(Cursor::parse).transpose()?.unwrap_or_default();
    Ok(Status::new(&cursor, node))
}

/// Begins a journal where there is none to go on with, so that it is committed before the first flush.
pub(crate) async fn begin(keeper: Keeper, catalogue: &dyn Catalogue, now: Micros) -> Result<Arc<Keeper>> {
    let keeper = Arc::new(keeper);
    let begun = Arc::clone(&keeper);
    if let Some(cursor) = blocking("beginning the proof", move || begun.start(now)).await? {
        catalogue.set_proof_cursor(&cursor).await?;
        keeper.settle(Some(&cursor));
    }
    Ok(keeper)
}

impl Store {
    /// Signs a root over everything flushed, when the hour of its first block is over. With `now_at_once` the hour need not be
    /// over. Returns whether one was signed.
    pub async fn close_root(self: &Arc<Self>, now_at_once: bool) -> Result<bool> {
        let now = self.clock.now();
        let is_due = move |cursor: &Cursor| match cursor.hour {
            Some(hour) => now_at_once || now >= hour.saturating_add(proof::HOUR + GRACE),
            None => false,
        };
        // Asked often: nothing is waited for when nothing is due.
        if !self.keeper.is_pending() && !is_due(&self.keeper.cursor()) {
            return Ok(false);
        }
        let store = Arc::clone(self);
        let task = tokio::spawn(async move { store.move_proof(move |keeper| keeper.close(now, is_due)).await });
        task.await.map_err(|_| Error::Stopped("signing a root"))?
    }

    /// Notes that a root went out, or failed to: attempts are kept in the catalogue, successes in the chain as well.
    pub async fn note_anchor(self: &Arc<Self>, attempt: Attempt) -> Result<()> {
        let store = Arc::clone(self);
        let task = tokio::spawn(async move {
            let taken = attempt.clone();
            if attempt.is_taken {
                store.move_proof(move |keeper| keeper.receive(&taken)).await?;
            }
            store.catalogue.add_proof_attempt(&attempt).await
        });
        task.await.map_err(|_| Error::Stopped("noting an anchor"))?
    }

    /// The newest attempts to anchor, newest first.
    pub async fn anchor_attempts(&self, count_max: u32) -> Result<Vec<Attempt>> {
        self.catalogue.proof_attempts(count_max).await
    }

    /// The last root as an anchor, with its whole hash; `None` before the first.
    pub fn last_root(&self) -> Option<(Anchor, proof::Hash)> {
        let cursor = self.keeper.cursor();
        (cursor.root > 0).then(|| (Anchor::of(&self.options.node, cursor.root, &cursor.root_hash), cursor.root_hash))
    }

    pub fn proof_status(&self) -> Status {
        let status = Status::new(&self.keeper.cursor(), &self.options.node);
        Status { key: proof::codec::to_hex(&self.keeper.public_key()), broken: self.keeper.broken(), ..status }
    }

    /// One step of the journal outside of a flush: file first, then the catalogue.
    async fn move_proof(&self, step: impl FnOnce(&Keeper) -> Result<Option<String>> + Send + 'static) -> Result<bool> {
        let _turn = self.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
        self.settle_proof().await?;
        let keeper = Arc::clone(&self.keeper);
        let Some(cursor) = blocking("writing the proof", move || step(&keeper)).await? else { return Ok(false) };
        let saved = self.catalogue.set_proof_cursor(&cursor).await;
        // Also after an error: the commit may have happened all the same.
        match (self.settle_proof().await, saved) {
            (Ok(true), _) => Ok(true),
            (_, Err(error)) | (Err(error), Ok(())) => Err(error),
            (Ok(false), Ok(())) => Err(Error::Stopped("saving the proof's cursor")),
        }
    }

    /// Finds out what became of a step whose commit was not answered; the caller holds `turn`. Returns whether it happened.
    pub(crate) async fn settle_proof(&self) -> Result<bool> {
        if !self.keeper.is_pending() {
            return Ok(false);
        }
        let found = self.catalogue.proof_cursor().await?;
        Ok(self.keeper.settle(found.as_deref()))
    }
}
