//! Detection behind publication: takes blocks as the pipe hands them over, or reads them from the log again.
//!
//! ```text
//! Handover ─block─▶ match ─▶ gather ─▶ Responder::record ─▶ cursor, Store::release
//!     └─gap─▶ log ─frames─▶ Processor ─▲
//! ```
//!
//! A block that comes after a calm is recorded at once. While blocks come one after the other their matches are gathered, so
//! that recording, which costs by the transaction and by the alert, takes a small share of the time.
//!
//! One path serves three cases: keeping up, lagging (a gap in the handover), and the start after a crash (everything between
//! the cursor and the store's is a gap). When alerts cannot be recorded they are tried again; storage goes on meanwhile, and
//! the log is kept until they are.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use event::EventBatch;
use respond::{EventReader, Found};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{BLOCK_BYTES, BLOCK_WAIT, Handover, Pipe, Processor, Rules, handover::Handed, observe, process};

/// Pause before alerts that could not be recorded are tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Blocks without a match after which the cursor is written all the same: a restart reads about so many again.
const QUIET_BLOCKS_MAX: u32 = 64;

/// After a recording the next one waits so many times as long as it took, and at most so long: an alert is never later than that.
const GATHER_TIMES: u32 = 8;
const GATHER_MAX: Duration = Duration::from_millis(500);

/// Gathered matches that are recorded without waiting.
const GATHERED_MAX: usize = 16_384;

pub struct Detector {
    pipe: Arc<Pipe>,
    handover: Arc<Handover>,
    /// Last frame whose alerts are recorded.
    detected: u64,
    /// Last frame that was matched, and the matches since `detected`.
    matched: u64,
    gathered: Vec<Found>,
    /// When they are recorded at the latest.
    due: Instant,
    quiet_blocks: u32,
    /// For what is read from the log; the pipe's own knows other blocks.
    processor: Option<Processor>,
    stop: CancellationToken,
}

impl Detector {
    /// Starts at the cursor. When it cannot be read, from the first frame that is in the log.
    pub async fn new(pipe: Arc<Pipe>, handover: Arc<Handover>, stop: CancellationToken) -> Self {
        let detected = match pipe.state.cursor(state::cursors::DETECT).await {
            Ok(detected) => detected,
            Err(error) => {
                error!(%error, "failed to read the detection cursor; detection reads the whole log again");
                0
            }
        };
        let processor = Some(Processor::new(&pipe.node));
        Self {
            pipe,
            handover,
            detected,
            matched: detected,
            gathered: Vec::new(),
            due: Instant::now(),
            quiet_blocks: 0,
            processor,
            stop,
        }
    }

    /// Follows until the pipe has ended and everything visible is matched, or alerts cannot be recorded while stopping.
    pub async fn run(mut self) {
        let mut published = self.handover.published();
        loop {
            let target = *published.borrow_and_update();
            while self.matched < target.through {
                if !self.step(target.through).await {
                    return;
                }
            }
            if target.is_last {
                break;
            }
            if self.detected == self.matched {
                if published.changed().await.is_err() {
                    break;
                }
                continue;
            }
            let is_due = tokio::select! {
                changed = published.changed() => if changed.is_err() { break } else { false },
                () = tokio::time::sleep_until(self.due) => true,
            };
            if is_due && !self.record_gathered().await {
                return;
            }
        }
        if self.detected < self.matched && !self.record_gathered().await {
            return;
        }
        if let Err(error) = self.pipe.state.advance_cursor(state::cursors::DETECT, self.detected).await {
            warn!(%error, "failed to keep the detection cursor; the next start matches some blocks again");
        }
    }

    /// Does the next block, or the next part of a gap. False when it is no use going on.
    async fn step(&mut self, target: u64) -> bool {
        let end = match self.handover.take(self.matched) {
            Ok(Handed { through, batches, .. }) => return self.settle(through, batches).await,
            Err(next) => next.map_or(target, |next| next.min(target)),
        };
        self.catch_up(end).await
    }

    /// Reads the frames through `end` from the log. Those that were released were matched before.
    async fn catch_up(&mut self, end: u64) -> bool {
        let mut tail = self.pipe.store.tail_from(self.matched);
        while tail.position() < end {
            let frames = match tail.next(BLOCK_BYTES, BLOCK_WAIT).await {
                Ok(frames) => frames.unwrap_or_default(),
                Err(error) => {
                    error!(%error, "failed to read the log again; its part that is not matched yet is left to the next start");
                    return false;
                }
            };
            let wanted: Vec<_> = frames.into_iter().filter(|frame| frame.sequence <= end).collect();
            let Some(last) = wanted.last().map(|frame| frame.sequence) else { break };
            let processor = self.processor.take().unwrap_or_else(|| Processor::new(&self.pipe.node));
            let (processor, block) = process(&self.pipe, processor, wanted).await;
            self.processor = Some(processor);
            if !self.settle(last, Arc::new(block.batches)).await {
                return false;
            }
        }
        // What was released has no matches; what is gathered is recorded first.
        self.matched = self.matched.max(end);
        if self.gathered.is_empty() {
            self.reached(self.matched)
        }
        true
    }

    /// Matches a block, and records what is gathered when that is due.
    async fn settle(&mut self, through: u64, batches: Arc<Vec<EventBatch>>) -> bool {
        let observations = observe::read(&batches);
        if let Err(error) = self.pipe.state.observe(&observations).await {
            warn!(%error, "failed to keep observations");
        }
        let found = matches(&self.pipe, batches).await;
        self.pipe.progress.matches.fetch_add(found.len() as u64, Ordering::Relaxed);
        self.quiet_blocks = if found.is_empty() { self.quiet_blocks + 1 } else { 0 };
        self.gathered.extend(found);
        self.matched = through;
        let is_due = self.gathered.is_empty() || self.gathered.len() >= GATHERED_MAX || Instant::now() >= self.due;
        !is_due || self.record_gathered().await
    }

    /// Records what is gathered, until it is recorded. False when it cannot be while stopping.
    async fn record_gathered(&mut self) -> bool {
        let begun = Instant::now();
        while let Err(error) = self.record().await {
            let through = self.matched;
            error!(error = chain(&*error), through, "failed to record alerts, trying again; events are stored, the log is kept");
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = self.stop.cancelled() => return false,
            }
        }
        self.due = Instant::now() + (begun.elapsed() * GATHER_TIMES).min(GATHER_MAX);
        self.gathered.clear();
        self.reached(self.matched);
        true
    }

    async fn record(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.pipe.responder.record(self.matched, &self.gathered).await?;
        if self.quiet_blocks >= QUIET_BLOCKS_MAX {
            self.pipe.state.advance_cursor(state::cursors::DETECT, self.matched).await?;
            self.quiet_blocks = 0;
        }
        Ok(())
    }

    fn reached(&mut self, through: u64) {
        self.detected = through;
        self.pipe.progress.detected.store(through, Ordering::Relaxed);
        self.pipe.store.release(through);
    }
}

async fn matches(pipe: &Pipe, batches: Arc<Vec<EventBatch>>) -> Vec<Found> {
    let rules = pipe.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
    let work = move || batches.iter().flat_map(|batch| matches_of(&rules, batch)).collect();
    tokio::task::spawn_blocking(work).await.expect("rules do not panic")
}

fn chain(error: &dyn std::error::Error) -> String {
    dashboards::error::chain(error)
}

fn matches_of(rules: &Rules, batch: &EventBatch) -> Vec<Found> {
    let reader = EventReader::new(&batch.batch);
    let one = |found: detect::Match| {
        let card = &rules.cards[found.rule as usize];
        Found {
            rule: card.clone(),
            event: reader.read(found.row as usize, &card.group_by),
            evidence: found
                .evidence
                .into_iter()
                .map(|evidence| respond::Evidence {
                    identifier: evidence.identifier,
                    field: evidence.field,
                    value: evidence.value,
                })
                .collect(),
        }
    };
    rules.set.match_batch(batch).into_iter().map(one).collect()
}
