//! Flush, retention and upkeep: everything that moves the catalogue.
//!
//! ```text
//! hot batches ─build─▶ file ─fsync─▶ catalogue transaction ─▶ one snapshot swap ─▶ log files released
//!                      orphan if we die here │ published if we die here
//! ```
//!
//! The parts that change the catalogue and then the snapshot run in a task of their own, so that a caller that goes away
//! cannot leave the two apart. When the answer of a commit is lost, the cursor in the catalogue says what happened; until it
//! can be read, nothing else is flushed.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use event::Micros;
use tokio::sync::watch;

use crate::{
    Error, Hold, Result, RetentionPolicy, Segment, Segments, Snapshot, Store, Tombstone,
    catalogue::{Publication, RollUp},
    ledger::LedgerRow,
    locked,
    retention::{expired, holds_segment},
    segment::{Built, build},
    store::blocking,
};

/// How often upkeep looks whether a flush is due.
const TICK: Duration = Duration::from_millis(250);
/// How soon upkeep looks again whether a compaction is due: after it found none, and after it failed.
const COMPACTION: Duration = Duration::from_secs(1);
const COMPACTION_FAILED: Duration = Duration::from_secs(10);
/// How soon it looks again for files to merge, after it found none: that is a look at every file there is.
const MERGES: Duration = Duration::from_secs(60);
/// How often retention and the ledger's roll-up run.
const UPKEEP: Duration = Duration::from_secs(600);

const HOUR: Micros = 3_600 * 1_000_000;

/// A publication whose commit was answered with an error, while the cursor could not be read either.
pub(crate) struct Unresolved {
    after: u64,
    through: u64,
    segments: Vec<Arc<Segment>>,
}

/// What flushes did, for [`crate::Stats`].
#[derive(Clone, Debug, Default)]
pub(crate) struct FlushLog {
    pub flushes: u64,
    pub failures: u64,
    pub error: Option<String>,
    pub ms_last: u64,
}

impl Store {
    /// Moves everything published so far into segments and commits. Returns at once when there is nothing to do.
    pub async fn flush(self: &Arc<Self>) -> Result<()> {
        let store = Arc::clone(self);
        let task = tokio::spawn(async move {
            let started = Instant::now();
            let outcome = store.flush_in_turn().await;
            store.note_flush(started, &outcome);
            outcome.map(|_| ())
        });
        task.await.map_err(|_| Error::Stopped("the flush"))?
    }

    fn note_flush(&self, started: Instant, outcome: &Result<bool>) {
        let mut log = locked(&self.flush_log);
        match outcome {
            Ok(false) => {}
            Ok(true) => {
                log.flushes += 1;
                log.error = None;
                log.ms_last = started.elapsed().as_millis() as u64;
            }
            Err(error) => {
                log.failures += 1;
                log.error = Some(error.chain());
            }
        }
    }

    /// Returns whether there was anything to flush.
    async fn flush_in_turn(&self) -> Result<bool> {
        let _turn = self.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
        self.resolve().await?;
        self.settle_proof().await?;
        let (snapshot, ledger) = {
            let _publishing = locked(&self.publishing);
            (self.snapshot(), self.ledger.start_flush())
        };
        let after = self.flushed.load(Ordering::Relaxed);
        if snapshot.through == after {
            self.ledger.flush_failed();
            return Ok(false);
        }
        let outcome = self.flush_snapshot(&snapshot, after, ledger).await;
        if outcome.is_err() && locked(&self.unresolved).is_none() {
            self.ledger.flush_failed();
        }
        outcome.map(|()| true)
    }

    async fn flush_snapshot(&self, snapshot: &Arc<Snapshot>, after: u64, ledger: Vec<LedgerRow>) -> Result<()> {
        let through = snapshot.through;
        let segments = self.write_segments(snapshot, after).await?;
        let proof = self.prove(snapshot, after).await?;
        let (keys, positions) = self.wal.changes(after, through);
        let ingested = segments.iter().map(|segment| segment.ingested.1).max().unwrap_or(0);
        let publication = Publication {
            after,
            through,
            ingested,
            segments: segments.iter().map(|segment| Segment::clone(segment)).collect(),
            ledger,
            positions,
            keys,
            // By the log's time, not the clock's: a clock that jumps must not make us forget.
            keys_since: if ingested > 0 { ingested.saturating_sub(self.options.key_window()) } else { Micros::MIN },
            proof: Some(proof.clone()),
        };
        if let Err(error) = self.catalogue.publish(publication).await {
            *locked(&self.unresolved) = Some(Unresolved { after, through, segments });
            // The commit may have happened all the same.
            return if self.resolve().await.is_ok_and(|was_committed| was_committed) { Ok(()) } else { Err(error) };
        }
        self.keeper.settle(Some(&proof));
        self.published_in_segments(through, segments);
        Ok(())
    }

    /// Writes the blocks of a flush into the journal, and what retention removed since the last one.
    async fn prove(&self, snapshot: &Arc<Snapshot>, after: u64) -> Result<String> {
        let tombstones = self.catalogue.tombstones_after(self.keeper.cursor().tombstones).await?;
        let (keeper, source, now) = (Arc::clone(&self.keeper), Arc::clone(snapshot), self.clock.now());
        blocking("writing the proof", move || keeper.extend(&source.hot, (after, source.through), &tombstones, now)).await
    }

    async fn write_segments(&self, snapshot: &Arc<Snapshot>, after: u64) -> Result<Vec<Arc<Segment>>> {
        if snapshot.hot.is_empty() {
            return Ok(Vec::new());
        }
        let source = Arc::clone(snapshot);
        let built = blocking("building a segment", move || build(&source.hot, (after, source.through))).await?;
        let mut segments = Vec::with_capacity(built.len());
        for Built { mut segment, bytes } in built {
            self.data.put(&segment.location, bytes).await?;
            segment.path = self.data.path(&segment.location);
            segments.push(Arc::new(segment));
        }
        Ok(segments)
    }

    /// Finds out what became of a commit whose answer was lost. `Ok(true)`: it was one, and it happened.
    async fn resolve(&self) -> Result<bool> {
        let target = locked(&self.unresolved).as_ref().map(|open| (open.after, open.through));
        let Some((after, through)) = target else { return Ok(false) };
        let found = self.catalogue.through().await?;
        self.settle_proof().await?;
        if found != after && found != through {
            return Err(Error::CursorMoved { found, expected: after });
        }
        let Some(open) = locked(&self.unresolved).take() else { return Ok(false) };
        if found == through {
            self.published_in_segments(through, open.segments);
            return Ok(true);
        }
        self.ledger.flush_failed();
        for segment in open.segments {
            // Not published, so nobody reads it; if this fails too, the next start removes it.
            let _ = self.data.remove(&segment.location).await;
        }
        Ok(false)
    }

    /// Takes the step from hot to segments in memory, after the catalogue has taken it.
    fn published_in_segments(&self, through: u64, segments: Vec<Arc<Segment>>) {
        {
            let _publishing = locked(&self.publishing);
            let mut next = self.snapshot().shallow();
            next.hot.retain(|hot| hot.through > through);
            segments.iter().for_each(|segment| next.extend_names(segment.extra_names()));
            for segment in segments {
                let segment = next.segments.sharing(Arc::unwrap_or_clone(segment));
                next.segments.push(Arc::new(segment));
            }
            self.hot_bytes.store(next.hot.iter().map(|hot| hot.bytes).sum(), Ordering::Relaxed);
            *locked(&self.hot_since) = (next.through > through).then(Instant::now);
            self.flushed.store(through, Ordering::Relaxed);
            self.ledger.flushed(through);
            self.swap(next);
        }
        self.wal.flushed(through);
        self.trim();
    }

    /// True when enough is hot, for long enough, or the log is half full.
    pub fn flush_is_due(&self) -> bool {
        let Some(since) = *locked(&self.hot_since) else { return false };
        since.elapsed() >= Duration::from_millis(self.options.flush_interval_ms)
            || self.hot_bytes.load(Ordering::Relaxed) >= self.options.flush_bytes
            || self.wal.stats().bytes >= self.options.wal_bytes_max / 2 && since.elapsed() >= Duration::from_secs(1)
    }

    /// Drops the segments that have outlived every rule. Returns their tombstones.
    ///
    /// Files go once the last snapshot that names them is gone.
    pub async fn apply_retention(self: &Arc<Self>, policy: &dyn RetentionPolicy, now: Micros) -> Result<Vec<Tombstone>> {
        self.limit_spans(policy);
        let holds = self.catalogue.holds().await?;
        let tombstones = expired(&self.snapshot(), policy, &holds, now);
        let store = Arc::clone(self);
        let task = tokio::spawn(async move { store.drop_in_turn(tombstones).await });
        task.await.map_err(|_| Error::Stopped("retention"))?
    }

    pub(crate) async fn drop_in_turn(&self, mut tombstones: Vec<Tombstone>) -> Result<Vec<Tombstone>> {
        {
            let _turn = self.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
            self.resolve_replacement().await?;
            // Another run may have been quicker, and a hold may have been placed since: holds take the same turn.
            let holds = self.catalogue.holds().await?;
            let in_force: Vec<&Hold> = holds.iter().filter(|hold| hold.is_in_force()).collect();
            let current = self.snapshot();
            let may_go = |segment: &Arc<Segment>| !in_force.iter().any(|hold| holds_segment(hold, segment));
            tombstones
                .retain(|tombstone| current.segments.iter().any(|segment| segment.id == tombstone.segment && may_go(segment)));
            if !tombstones.is_empty() {
                self.catalogue.drop_segments(&tombstones).await?;
                self.retire(&tombstones);
            }
        }
        self.sweep().await;
        Ok(tombstones)
    }

    fn retire(&self, tombstones: &[Tombstone]) {
        let _publishing = locked(&self.publishing);
        let mut next = self.snapshot().shallow();
        let is_gone = |segment: &Segment| tombstones.iter().any(|tombstone| tombstone.segment == segment.id);
        let (gone, kept) = next.segments.drain(..).partition(|segment| is_gone(segment));
        next.segments = Segments::from(kept);
        let gone: Vec<Arc<Segment>> = gone;
        self.retire_files(&gone);
        self.swap(next);
    }

    /// Remembers the files of segments that left the snapshot, until their last reader is gone.
    pub(crate) fn retire_files(&self, gone: &[Arc<Segment>]) {
        let files = gone.iter().flat_map(|segment| segment.locations().into_iter().map(|file| (Arc::downgrade(segment), file)));
        locked(&self.retired).extend(files);
        self.retire_cold(gone);
    }

    /// Removes the files of dropped segments that nobody reads any more. What is left at the end of the process goes at the
    /// next start.
    pub async fn sweep(&self) {
        let mut unread = Vec::new();
        locked(&self.retired).retain(|(segment, location)| {
            let is_read = segment.strong_count() > 0;
            if !is_read {
                unread.push(location.clone());
            }
            is_read
        });
        for location in unread {
            if let Err(error) = self.data.remove(&location).await {
                tracing::warn!(error = error.chain(), "failed to remove a dropped segment; the next start tries again");
            }
        }
    }

    /// Adds old ledger rows up: minutes to hours after two days, hours to days after 35 days.
    pub async fn roll_up_ledger(&self, now: Micros) -> Result<()> {
        let _turn = self.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
        self.catalogue.roll_up_ledger(RollUp { hours_before: now - 48 * HOUR, days_before: now - 35 * 24 * HOUR }).await
    }

    /// Flushes when due, applies retention and rolls the ledger up, until `shutdown` says true. [`Store::close`] comes after.
    pub async fn run_maintenance(self: Arc<Self>, policy: Arc<dyn RetentionPolicy>, mut shutdown: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_upkeep: Option<Instant> = None;
        let mut retry_at = Instant::now();
        let mut compaction: Option<tokio::task::JoinHandle<Duration>> = None;
        let (mut compact_at, mut merge_at) = (Instant::now(), Instant::now());
        while !*shutdown.borrow_and_update() {
            tokio::select! {
                changed = shutdown.changed() => if changed.is_err() { return },
                _ = tick.tick() => {}
            }
            if self.flush_is_due()
                && Instant::now() >= retry_at
                && let Err(error) = self.flush().await
            {
                tracing::error!(error = error.chain(), "failed to flush; events stay in memory and in the log");
                retry_at = Instant::now() + Duration::from_secs(5);
            }
            // Beside the flushes, not between them: a compaction may take minutes.
            if compaction.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) && Instant::now() >= compact_at {
                let pause = match compaction.take() {
                    Some(done) => done.await.unwrap_or(COMPACTION_FAILED),
                    None => Duration::ZERO,
                };
                compact_at = Instant::now() + pause;
                if pause.is_zero() {
                    let merges = Instant::now() >= merge_at;
                    compaction = Some(tokio::spawn(Arc::clone(&self).compact_and_tell(merges)));
                } else if Instant::now() >= merge_at {
                    merge_at = Instant::now() + MERGES;
                }
            }
            if Instant::now() >= retry_at
                && let Err(error) = self.close_root(false).await
            {
                tracing::error!(error = error.chain(), "failed to sign a root of the proof");
                retry_at = Instant::now() + Duration::from_secs(5);
            }
            if last_upkeep.is_none_or(|at| at.elapsed() >= UPKEEP) {
                last_upkeep = Some(Instant::now());
                self.upkeep(&*policy).await;
            }
        }
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(compaction) = compaction {
            let _ = compaction.await;
        }
    }

    /// Returns when there may be more to do.
    async fn compact_and_tell(self: Arc<Self>, merges: bool) -> Duration {
        match self.compact_due(merges).await {
            Ok(Some(done)) => {
                tracing::info!(
                    inputs = done.inputs.len(),
                    outputs = done.outputs.len(),
                    rows = done.rows,
                    bytes_read = done.bytes_read,
                    bytes_written = done.bytes_written,
                    ms = done.ms,
                    "compacted segments"
                );
                Duration::ZERO
            }
            Ok(None) => COMPACTION,
            Err(error) => {
                if !self.stopping.load(Ordering::Relaxed) {
                    tracing::error!(error = error.chain(), "failed to compact; the small segments stay as they are");
                }
                COMPACTION_FAILED
            }
        }
    }

    async fn upkeep(self: &Arc<Self>, policy: &dyn RetentionPolicy) {
        let now = self.clock.now();
        match self.apply_retention(policy, now).await {
            Ok(dropped) if dropped.is_empty() => {}
            Ok(dropped) => tracing::info!(segments = dropped.len(), "dropped segments that outlived their retention"),
            Err(error) => tracing::error!(error = error.chain(), "failed to apply retention"),
        }
        if let Err(error) = self.roll_up_ledger(now).await {
            tracing::error!(error = error.chain(), "failed to roll the ledger up");
        }
    }
}
