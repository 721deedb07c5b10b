//! The fused path: log → block → events → hot batches, and behind it the same batches → rules → alerts → incidents.
//!
//! ```text
//! Tail ─frames─▶ Processor ─batches─▶ Store::publish ─▶ visible
//!                               └─Handover─▶ Detector ─▶ Responder::record ─▶ Store::release
//! ```
//!
//! A block is visible before it is matched, and the next one is parsed while it is. When its alerts cannot be recorded,
//! storage goes on; nothing is released, so that detection can read from its own cursor, after a crash as well.

mod block;
mod detector;
mod flows;
mod handover;
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
use futures::{StreamExt as _, stream::FuturesOrdered};
use respond::{Responder, RuleCard};
use state::{State, register};
use store::{Processed, Store, Tail};
use tokio_util::sync::CancellationToken;

use crate::formats::Known;
pub use block::{Block, Context, Processor};
use detector::Detector;
use handover::{Handed, Handover};

/// A processing block: about so many raw bytes, or what came within so long.
const BLOCK_BYTES: usize = 1 << 20;
const BLOCK_WAIT: Duration = Duration::from_millis(200);

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
    pub formats: Arc<Known>,
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
    /// Runs until stopped, or until the log cannot be read any more. Ends when what is visible is matched too.
    pub async fn run(self, stop: CancellationToken) -> Result<(), store::Error> {
        let pipe = Arc::new(self);
        let through = pipe.store.snapshot().through;
        let handover = Handover::new(through);
        let detector = Detector::new(pipe.clone(), handover.clone(), stop.clone()).await;
        let detector = tokio::spawn(detector.run());
        let ended = pipe.publish_all(&handover, through, &stop).await;
        handover.close();
        let followed = detector.await;
        debug_assert!(followed.is_ok(), "detection does not panic");
        ended
    }

    /// Parses blocks on a few threads at once and publishes them in the order of the log.
    async fn publish_all(
        self: &Arc<Self>,
        handover: &Handover,
        through: u64,
        stop: &CancellationToken,
    ) -> Result<(), store::Error> {
        let mut tail = self.store.tail();
        let mut idle: Vec<Processor> = (0..parse_threads()).map(|_| Processor::new(&self.node)).collect();
        let mut flying: FuturesOrdered<_> = FuturesOrdered::new();
        let mut after = through;
        let mut has_more = true;
        while has_more || !flying.is_empty() {
            tokio::select! {
                biased;
                Some((processor, block)) = flying.next(), if !flying.is_empty() => {
                    idle.push(processor);
                    after = self.publish(block, after, handover).await;
                }
                // Cancel-safe: what was gathered so far comes with the next call.
                frames = next(&mut tail, stop), if has_more && !idle.is_empty() => match frames? {
                    Some(frames) if frames.is_empty() => {}
                    Some(frames) => {
                        let processor = idle.pop().unwrap_or_else(|| Processor::new(&self.node));
                        flying.push_back(process(self, processor, frames));
                    }
                    None => has_more = false,
                }
            }
        }
        Ok(())
    }

    /// Makes a block visible; returns its last frame.
    async fn publish(&self, block: Block, after: u64, handover: &Handover) -> u64 {
        let Block { through, batches, ledger } = block;
        let rows: u64 = batches.iter().map(|batch| batch.batch.num_rows() as u64).sum();
        self.store.publish(Processed { through, batches: batches.clone(), ledger });
        self.progress.events.fetch_add(rows, Ordering::Relaxed);
        self.progress.published.store(through, Ordering::Relaxed);
        handover.push(Handed { after, through, batches: Arc::new(batches) }).await;
        through
    }
}

/// Threads that parse: more than a few only hold more blocks in memory.
fn parse_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 4)
}

async fn next(tail: &mut Tail, stop: &CancellationToken) -> Result<Option<Vec<store::Frame>>, store::Error> {
    tokio::select! {
        () = stop.cancelled() => Ok(None),
        frames = tail.next(BLOCK_BYTES, BLOCK_WAIT) => frames,
    }
}

/// Parses off the async threads; the processor travels along and comes back.
///
/// Starts at once, not when it is first awaited.
fn process(
    pipe: &Pipe,
    mut processor: Processor,
    frames: Vec<store::Frame>,
) -> impl Future<Output = (Processor, Block)> + Send + use<> {
    let sources = pipe.sources.load();
    let knowledge = pipe.knowledge.read().unwrap_or_else(PoisonError::into_inner).clone();
    let formats = pipe.formats.load();
    let work = move || {
        let context = Context {
            sources: &sources,
            register: &knowledge.register,
            formats: &formats,
            token_systems: &knowledge.token_systems,
        };
        let block = processor.process(&frames, &context);
        (processor, block)
    };
    // A panic in a parser would lose the processor and stop the pipe: it is a bug, and going on would lose records.
    let running = tokio::task::spawn_blocking(work);
    async move { running.await.expect("parsers do not panic") }
}
