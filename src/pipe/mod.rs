//! The fused path: log → block → events → hot batches, and the same batches → rules → alerts → incidents.
//!
//! ```text
//! Tail ─frames─▶ Processor ─batches─▶ Store::publish ─▶ visible
//!                               └───▶ RuleSet::match_batch ─▶ Responder::record ─▶ Store::release
//! ```
//!
//! A block is visible before it is matched. When its alerts cannot be recorded they are tried again: the block is stored all the
//! same, the next ones wait in the log, and nothing is released, so that after a crash detection reads from its own cursor.

mod block;
mod flows;
mod observe;

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use detect::RuleSet;
use event::EventBatch;
use respond::{EventSummary, Found, Responder, RuleCard};
use state::{State, register};
use store::{Processed, Store, Tail};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use block::{Block, Context, Processor};

/// A processing block: about so many raw bytes, or what came within so long.
const BLOCK_BYTES: usize = 1 << 20;
const BLOCK_WAIT: Duration = Duration::from_millis(200);

/// Pause before alerts that could not be recorded are tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What blocks are read against; replaced as a whole while the pipe runs.
#[derive(Clone, Default)]
pub struct Knowledge {
    pub register: Arc<register::Snapshot>,
    /// System of each source whose ingest token is bound to one.
    pub token_systems: Arc<HashMap<String, String>>,
}

/// The rules with the cards that alerts show, in the same order.
pub struct Rules {
    pub set: Arc<RuleSet>,
    pub cards: Vec<Arc<RuleCard>>,
}

/// Everything that the pipe joins.
pub struct Pipe {
    pub node: String,
    pub store: Arc<Store>,
    pub state: State,
    pub responder: Arc<Responder>,
    pub sources: Arc<ingest::Sources>,
    pub knowledge: Arc<RwLock<Knowledge>>,
    pub rules: Arc<RwLock<Arc<Rules>>>,
    pub progress: Arc<Progress>,
}

/// How far the pipe is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Last frame that is visible.
    pub published: AtomicU64,
    /// Last frame whose alerts are recorded.
    pub detected: AtomicU64,
    pub events: AtomicU64,
    pub matches: AtomicU64,
}

impl Pipe {
    /// Runs until stopped, or until the log cannot be read any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), store::Error> {
        self.catch_up().await?;
        let mut tail = self.store.tail();
        let mut processor = Processor::new(&self.node);
        while let Some((used, block)) = self.next(&mut tail, processor, &stop).await? {
            processor = used;
            let Some(block) = block else { continue };
            self.settle(block, true).await;
        }
        Ok(())
    }

    /// After a crash events may be in segments whose alerts were not recorded yet: their frames are still in the log, and
    /// are matched again without being stored again.
    async fn catch_up(&self) -> Result<(), store::Error> {
        let detected = match self.state.cursor(state::cursors::DETECT).await {
            Ok(detected) => detected,
            Err(error) => {
                error!(%error, "failed to read the detection cursor; detection goes on from the store's");
                return Ok(());
            }
        };
        let stored = self.store.snapshot().through;
        let mut tail = self.store.tail_from(detected);
        let mut processor = Processor::new(&self.node);
        while tail.position() < stored {
            let Some(frames) = tail.next(BLOCK_BYTES, BLOCK_WAIT).await? else { break };
            let wanted: Vec<_> = frames.into_iter().filter(|frame| frame.sequence <= stored).collect();
            if wanted.is_empty() {
                break;
            }
            let (used, block) = self.process(processor, wanted).await;
            processor = used;
            self.settle(block, false).await;
        }
        Ok(())
    }

    async fn next(
        &self,
        tail: &mut Tail,
        processor: Processor,
        stop: &CancellationToken,
    ) -> Result<Option<(Processor, Option<Block>)>, store::Error> {
        let frames = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            frames = tail.next(BLOCK_BYTES, BLOCK_WAIT) => frames?,
        };
        match frames {
            None => Ok(None),
            Some(frames) if frames.is_empty() => Ok(Some((processor, None))),
            Some(frames) => {
                let (processor, block) = self.process(processor, frames).await;
                Ok(Some((processor, Some(block))))
            }
        }
    }

    /// Parses off the async threads; the processor travels along and comes back.
    async fn process(&self, mut processor: Processor, frames: Vec<store::Frame>) -> (Processor, Block) {
        let sources = self.sources.load();
        let knowledge = self.knowledge.read().unwrap_or_else(PoisonError::into_inner).clone();
        let work = move || {
            let context = Context { sources: &sources, register: &knowledge.register, token_systems: &knowledge.token_systems };
            let block = processor.process(&frames, &context);
            (processor, block)
        };
        // A panic in a parser would lose the processor and stop the pipe: it is a bug, and going on would lose records.
        tokio::task::spawn_blocking(work).await.expect("parsers do not panic")
    }

    /// Makes a block visible, then looks for what its events mean.
    async fn settle(&self, block: Block, publish: bool) {
        let Block { through, batches, ledger } = block;
        let batches = Arc::new(batches);
        self.progress.events.fetch_add(batches.iter().map(|batch| batch.batch.num_rows() as u64).sum(), Ordering::Relaxed);
        if publish {
            self.store.publish(Processed { through, batches: batches.as_ref().clone(), ledger });
            self.progress.published.store(through, Ordering::Relaxed);
        }
        let observations = observe::read(&batches);
        if let Err(error) = self.state.observe(&observations).await {
            warn!(%error, "failed to keep observations");
        }
        let found = self.matches(batches).await;
        self.progress.matches.fetch_add(found.len() as u64, Ordering::Relaxed);
        while let Err(error) = self.responder.record(through, found.clone()).await {
            error!(%error, through, "failed to record alerts, trying again; events are stored, the log is kept");
            tokio::time::sleep(RETRY).await;
        }
        self.progress.detected.store(through, Ordering::Relaxed);
        self.store.release(through);
    }

    async fn matches(&self, batches: Arc<Vec<EventBatch>>) -> Vec<Found> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
        let work = move || batches.iter().flat_map(|batch| matches_of(&rules, batch)).collect();
        tokio::task::spawn_blocking(work).await.expect("rules do not panic")
    }
}

fn matches_of(rules: &Rules, batch: &EventBatch) -> Vec<Found> {
    let one = |found: detect::Match| {
        let card = &rules.cards[found.rule as usize];
        Found {
            rule: card.clone(),
            event: EventSummary::read(&batch.batch, found.row as usize, &card.group_by),
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
