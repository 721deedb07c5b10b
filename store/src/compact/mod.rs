//! Compaction: the small files of flushes (L0) become big, clustered ones with the line store (L1); small ones of these become
//! one file an hour, a day, a week (L2 to L4).
//!
//! ```text
//! choose ▶ slice: read, encode, order ▶ row group ─▶ … ▶ sync, rename ▶ one catalogue transaction ▶ one snapshot swap
//!                                       (orphan if we die here) │ (published if we die here)      files of the inputs go last
//! ```
//!
//! Invariants:
//! * An event is in an input or in an output, for every reader and after every crash: both change in one transaction.
//! * The working set is one slice ([`crate::Options::compact_slice_bytes`]), never an hour.
//! * A file holds rows of one hour of `event.ingested`, or of several whole ones inside one day or week, where the shortest rule
//!   of retention is many times as long; skewed rows stay in files of their own.
//! * After its flush a row is rewritten four times at most: each time its file's level rises ([`plan`]).
//! * A file has at most [`crate::Options::compact_file_bytes`].
//!
//! Not here: how lines are encoded ([`crate::line`]), what an index is (a [`BlockObserver`] sees the rows and gives the bytes).

pub(crate) mod dictionary;
mod job;
#[cfg(test)]
mod merge_tests;
mod plan;
mod slice;
#[cfg(test)]
mod tests;
mod write;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use event::Micros;

use crate::{Error, Result, Segment, Store, locked};

/// A merge that failed so often stays undone until the next start; others go on.
const MERGE_TRIES: u32 = 3;

/// Priority of compaction's thread: about a tenth of a busy core, and all of an idle one. At 19 it would be a hundredth, and debt
/// would only grow. Where very much waits, it is served like the rest.
const NICE: i32 = 10;

/// Frames that wait to be published in a stream that is kept up with, at most.
const BEHIND: usize = 256;

/// An hour of `event.ingested`.
pub(crate) const HOUR: Micros = 3_600 * 1_000_000;

/// Looks on while a file is written; the seam of the text index.
pub trait BlockObserver: Send {
    /// Names of the logical columns that [`BlockObserver::rows`] gets, where they occur.
    fn columns(&self) -> Vec<String>;

    /// Sees the rows of the file, in file order, without gaps. Batches end where row groups end, else they have 8,192 rows.
    fn rows(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Gives the file that goes beside the segment, if any.
    fn finish(self: Box<Self>) -> Result<Option<Bytes>>;
}

/// Makes an observer for each file that compaction writes, by the segment's id.
pub type ObserverFactory = Arc<dyn Fn(&str) -> Box<dyn BlockObserver> + Send + Sync>;

/// What one compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Ids of the segments that went.
    pub inputs: Vec<String>,
    /// Ids of the segments that took their place.
    pub outputs: Vec<String>,
    pub rows: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub ms: u64,
}

/// What waits, and what was done, for [`crate::Stats`].
#[derive(Clone, Debug, Default)]
pub(crate) struct CompactionLog {
    pub compactions: u64,
    pub failures: u64,
    pub error: Option<String>,
    pub ms_last: u64,
    /// Segments that were found damaged since the start.
    pub damaged: std::collections::BTreeSet<String>,
    /// How often a merge of compacted files failed, by its first input.
    merges_failed: std::collections::BTreeMap<String, u32>,
}

impl CompactionLog {
    fn is_left_alone(&self, segment: &Segment) -> bool {
        self.damaged.contains(&segment.id) || self.merges_failed.get(&segment.id).is_some_and(|tries| *tries >= MERGE_TRIES)
    }
}

/// A replacement whose commit was answered with an error, while the catalogue could not be read either.
pub(crate) struct Replacement {
    gone: Vec<Arc<Segment>>,
    new: Vec<Arc<Segment>>,
}

impl Store {
    /// Sets who looks on while files are written; before the first compaction.
    pub fn observe_compaction(&self, factory: ObserverFactory) {
        *locked(&self.observers) = Some(factory);
    }

    /// Does the most urgent compaction, if one is due; `None` when nothing is.
    pub async fn compact_once(self: &Arc<Self>) -> Result<Option<Compacted>> {
        self.compact_due(true).await
    }

    /// The same; without `merges` only for files of flushes.
    pub(crate) async fn compact_due(self: &Arc<Self>, merges: bool) -> Result<Option<Compacted>> {
        self.compact_at(self.clock.now(), merges).await
    }

    /// Compacts whatever can be, due or not; for tests, benches and before an export.
    pub async fn compact_all(self: &Arc<Self>) -> Result<Vec<Compacted>> {
        let mut done = Vec::new();
        while let Some(compacted) = self.compact_at(Micros::MAX, true).await? {
            done.push(compacted);
        }
        Ok(done)
    }

    /// True while frames of the log wait that are not even visible.
    fn is_behind(&self) -> bool {
        self.ledger.frames_waiting() > BEHIND
    }

    /// Notes how long rows are kept at least: no file will span much of it. Until it is known, a file spans an hour.
    pub(crate) fn limit_spans(&self, policy: &dyn crate::RetentionPolicy) {
        let shortest = self.snapshot().systems().iter().filter_map(|part| policy.keep(&part.system, &part.class)).min();
        let span = shortest.map_or(Micros::MAX, |keep| keep / self.options.compact_span_share.max(1));
        self.span_max.store(span, Ordering::Relaxed);
    }

    async fn compact_at(self: &Arc<Self>, now: Micros, merges: bool) -> Result<Option<Compacted>> {
        let store = Arc::clone(self);
        // In a task of its own: a caller that goes away must not leave catalogue and snapshot apart.
        let task = tokio::spawn(async move {
            let _compacting = store.compacting.acquire().await.map_err(|_| Error::Stopped("the store"))?;
            {
                let _turn = store.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
                store.resolve_replacement().await?;
            }
            let mut fit = store.snapshot().shallow();
            {
                let log = locked(&store.compaction_log);
                if fit.segments.iter().any(|segment| log.is_left_alone(segment)) {
                    fit.segments.retain(|segment| !log.is_left_alone(segment));
                }
            }
            let limits = plan::Limits { span_max: store.span_max.load(Ordering::Relaxed), is_behind: store.is_behind(), merges };
            let Some(job) = plan::choose(&fit, &store.options, limits, now) else { return Ok(None) };
            drop(fit);
            let merged = (job.level > 1).then(|| job.inputs.first().map(|segment| segment.id.clone())).flatten();
            let outcome = store.compact_job(job).await;
            store.note_compaction(&outcome, merged);
            outcome.map(Some)
        });
        let done = task.await.map_err(|_| Error::Stopped("compaction"))?;
        self.sweep().await;
        done
    }

    fn note_compaction(&self, outcome: &Result<Compacted>, merged: Option<String>) {
        let mut log = locked(&self.compaction_log);
        match outcome {
            Ok(done) => {
                log.compactions += 1;
                log.error = None;
                log.ms_last = done.ms;
            }
            Err(error) => {
                if let Error::Damaged { segment, .. } = error {
                    // It stays as it is, and must not hold the others up.
                    log.damaged.insert(segment.clone());
                }
                if let Some(first) = merged
                    && !matches!(error, Error::Stopped(_))
                {
                    *log.merges_failed.entry(first).or_default() += 1;
                }
                log.failures += 1;
                log.error = Some(error.chain());
            }
        }
    }

    async fn compact_job(self: &Arc<Self>, job: plan::Job) -> Result<Compacted> {
        let started = Instant::now();
        let observers = locked(&self.observers).clone();
        let (store, inputs) = (Arc::clone(self), job.inputs.clone());
        let much = self.options.compact_rows.saturating_mul(plan::BEHIND_TIMES);
        let nice = if debt(&self.snapshot()).rows < much { NICE } else { 0 };
        let new = on_own_thread(nice, move || job::run(&store, &job, observers.as_ref())).await?;
        let compacted = Compacted {
            inputs: inputs.iter().map(|segment| segment.id.clone()).collect(),
            outputs: new.iter().map(|segment| segment.id.clone()).collect(),
            rows: new.iter().map(|segment| segment.rows).sum(),
            bytes_read: inputs.iter().map(|segment| segment.bytes).sum(),
            bytes_written: new.iter().map(|segment| segment.bytes).sum(),
            ms: started.elapsed().as_millis() as u64,
        };
        self.replace(inputs, new.into_iter().map(Arc::new).collect()).await?;
        Ok(compacted)
    }

    /// The step from inputs to outputs: in the catalogue, then in memory.
    async fn replace(&self, gone: Vec<Arc<Segment>>, new: Vec<Arc<Segment>>) -> Result<()> {
        let _turn = self.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
        let ids: Vec<String> = gone.iter().map(|segment| segment.id.clone()).collect();
        let rows: Vec<Segment> = new.iter().map(|segment| Segment::clone(segment)).collect();
        let Err(error) = self.catalogue.replace_segments(&ids, &rows).await else {
            self.replaced(&gone, new);
            return Ok(());
        };
        *locked(&self.replacement) = Some(Replacement { gone, new });
        // The commit may have happened all the same.
        match self.resolve_replacement().await {
            Ok(true) => Ok(()),
            _ => Err(error),
        }
    }

    /// Finds out what became of a replacement whose answer was lost; the caller holds `turn`. `Ok(true)`: there was one, and it
    /// happened.
    pub(crate) async fn resolve_replacement(&self) -> Result<bool> {
        let target = locked(&self.replacement).as_ref().and_then(|open| open.new.first().map(|segment| segment.id.clone()));
        let Some(id) = target else { return Ok(false) };
        let happened = self.catalogue.has_segment(&id).await?;
        let Some(open) = locked(&self.replacement).take() else { return Ok(false) };
        if happened {
            self.replaced(&open.gone, open.new);
            return Ok(true);
        }
        for segment in open.new {
            // Not published, so nobody reads it; if this fails too, the next start removes it.
            for location in segment.locations() {
                let _ = self.data.remove(&location).await;
            }
        }
        Ok(false)
    }

    fn replaced(&self, gone: &[Arc<Segment>], new: Vec<Arc<Segment>>) {
        let _publishing = locked(&self.publishing);
        let mut next = self.snapshot().shallow();
        let is_gone = |segment: &Arc<Segment>| gone.iter().any(|gone| gone.id == segment.id);
        // The outputs stand where the first input stood: the order of publication stays that of ingestion.
        let at = next.segments.iter().position(is_gone).unwrap_or(next.segments.len());
        let taken: Vec<Arc<Segment>> = next.segments.iter().filter(|segment| is_gone(segment)).cloned().collect();
        next.segments.retain(|segment| !is_gone(segment));
        let new: Vec<_> = new.into_iter().map(|segment| Arc::new(next.segments.sharing(Arc::unwrap_or_clone(segment)))).collect();
        next.segments.splice(at..at, new);
        self.retire_files(&taken);
        self.swap(next);
    }
}

/// What waits for compaction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Debt {
    pub segments: u64,
    pub rows: u64,
    pub bytes: u64,
}

pub(crate) fn debt(snapshot: &crate::Snapshot) -> Debt {
    let waiting = snapshot.segments.iter().filter(|segment| segment.level == 0);
    waiting.fold(Debt::default(), |debt, segment| Debt {
        segments: debt.segments + 1,
        rows: debt.rows + segment.rows,
        bytes: debt.bytes + segment.bytes,
    })
}

/// Runs blocking work on a thread of its own, at a low priority: ingest comes first.
async fn on_own_thread<T: Send + 'static>(nice: i32, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let run = move || {
        // SAFETY: `setpriority` on thread 0, the calling one, touches no memory; that it may fail is of no consequence.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
        // Nobody waits any more when the runtime is going down.
        let _ = answer.send(work());
    };
    let thread = std::thread::Builder::new().name("compaction".into()).spawn(run);
    thread.map_err(Error::file("start a thread for", "compaction"))?;
    answered.await.map_err(|_| Error::Stopped("compaction"))?
}
