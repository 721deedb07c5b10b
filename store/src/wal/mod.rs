//! The write-ahead log: a bounded queue in front, one thread that commits groups, followers behind.
//!
//! ```text
//! submit ─encode─▶ queue (bounded) ─▶ commit thread: one write + fdatasync a group ─▶ receipts
//!                                                     └─▶ ledger, keys, positions, ring ─▶ Tail
//! ```
//!
//! A full queue, the log's disk budget or too little free space refuse with `Pressure`; a failing disk refuses the group with
//! a worded error. Nothing is acknowledged that is not synced ([`log::Log`] keeps that promise).

mod commit;
pub(crate) mod frame;
pub(crate) mod index;
pub(crate) mod log;
mod scan;
#[cfg(test)]
pub(crate) mod sim;
mod tail;

pub use log::Recovery;
pub(crate) use tail::Throttle;
pub use tail::{Frame, Tail};

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use event::{
    Micros, RawBatch, Receipt,
    seam::{BoxFuture, Clock, Refused, Sink, Storage},
};
use tokio::sync::{oneshot, watch};

use crate::{ledger::Ledger, locked};
use commit::Latencies;
use index::{Admission, FilePosition, Index, KeyWindow, SeenKey, hash_key};
use log::{Log, LogFile, Place};
use tail::Ring;

/// Settings of the log; see [`crate::Options`] for their meaning.
#[derive(Clone, Debug)]
pub struct Settings {
    pub dir: PathBuf,
    pub salt: u64,
    pub bytes_max: u64,
    pub file_bytes_max: u64,
    pub free_bytes_min: u64,
    pub commit_delay_ms: u64,
    pub queue_bytes_max: usize,
    pub queue_count_max: usize,
    pub ring_bytes_max: usize,
    pub keys: KeyWindow,
}

/// What the catalogue knows when the log is opened.
#[derive(Debug, Default)]
pub struct Known {
    pub through: u64,
    pub ingested: Micros,
    pub keys: Vec<SeenKey>,
    pub positions: Vec<FilePosition>,
}

/// How long a refused sender should wait.
const RETRY_AFTER_MS: u64 = 1_000;

/// The log as the rest of the store sees it. Dropping it commits what is queued and ends the thread.
pub(crate) struct Wal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub recovery: Recovery,
}

/// State that submitters, the commit thread and followers share. No lock in it is held while another is taken, nor across
/// an await.
pub(crate) struct Shared {
    settings: Settings,
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    ledger: Arc<Ledger>,
    queue: Mutex<Queue>,
    wake: Condvar,
    index: Mutex<Index>,
    ring: Mutex<Ring>,
    files: Mutex<Arc<[LogFile]>>,
    progress: watch::Sender<Progress>,
    wal_bytes: AtomicU64,
    latencies: Mutex<Latencies>,
    groups: AtomicU64,
    frames: AtomicU64,
    failures: AtomicU64,
    pressures: AtomicU64,
}

/// How far the log is durable, and whether more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    durable: u64,
    is_closed: bool,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Bytes queued and in the group being written.
    bytes: usize,
    release: u64,
    is_closing: bool,
}

struct Item {
    batch: RawBatch,
    payload: Vec<u8>,
    key: Option<u128>,
    reply: index::Reply,
}

/// Numbers of the log, for health pages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WalStats {
    pub bytes: u64,
    pub queue_bytes: u64,
    pub queue_count: u64,
    pub groups: u64,
    pub frames: u64,
    pub failures: u64,
    pub pressures: u64,
    pub commit_us_p50: u64,
    pub commit_us_p99: u64,
    pub durable: u64,
}

impl Wal {
    /// Recovers the log and starts its thread. Blocking.
    pub fn open(
        settings: Settings,
        known: Known,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        ledger: Arc<Ledger>,
    ) -> io::Result<Self> {
        let place = Place { dir: settings.dir.clone(), file_bytes_max: settings.file_bytes_max, salt: settings.salt };
        let mut index = Index::new(settings.keys);
        index.restore(known.keys, known.positions);
        let floor = (known.through, known.ingested);
        let (mut log, recovery) =
            Log::recover(Arc::clone(&storage), &place, floor, |sequence, ingested, payload| match frame::decode(payload) {
                Ok(batch) => {
                    ledger.received(sequence, ingested, &batch);
                    let key = batch.key.as_deref().map(|key| hash_key(&batch.source, key));
                    index.committed(key, sequence, ingested, &batch);
                }
                Err(error) => tracing::error!(sequence, %error, "intact frame that cannot be decoded"),
            })?;
        if let Err(error) = log.heal() {
            tracing::warn!(%error, "failed to cut the torn end of the log; trying again before the next write");
        }
        let durable = log.next() - 1;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            index: Mutex::new(index),
            ring: Mutex::new(Ring::new(log.next(), settings.ring_bytes_max)),
            files: Mutex::new(log.files().into()),
            progress: watch::Sender::new(Progress { durable, is_closed: false }),
            wal_bytes: AtomicU64::new(log.bytes()),
            latencies: Mutex::default(),
            groups: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            pressures: AtomicU64::new(0),
            settings,
            storage,
            clock,
            ledger,
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("wal-commit".into()).spawn(move || commit::run(&worker, log))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)), recovery })
    }

    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.shared) as Arc<dyn Sink>
    }

    /// Follows the log behind this sequence.
    pub fn tail(&self, after: u64, throttle: Throttle) -> Tail {
        Tail::new(Arc::clone(&self.shared), after, throttle)
    }

    /// Lets go of the files whose frames are all at or below `through`.
    pub fn release(&self, through: u64) {
        let mut queue = locked(&self.shared.queue);
        queue.release = queue.release.max(through);
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Keys and positions of the frames in (`after`, `through`].
    pub fn changes(&self, after: u64, through: u64) -> (Vec<SeenKey>, Vec<FilePosition>) {
        locked(&self.shared.index).changes(after, through)
    }

    pub fn flushed(&self, through: u64) {
        locked(&self.shared.index).flushed(through);
    }

    /// Takes nothing more in. What is queued is still committed; then followers hear that the log ended.
    pub fn stop_intake(&self) {
        self.shared.stop_intake();
    }

    /// Waits for the thread to end. Blocking; call [`Wal::stop_intake`] first.
    pub fn join(&self) {
        if let Some(thread) = locked(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the log's commit thread panicked");
        }
    }

    pub fn stats(&self) -> WalStats {
        let shared = &self.shared;
        let (queue_bytes, queue_count) = {
            let queue = locked(&shared.queue);
            (queue.bytes as u64, queue.items.len() as u64)
        };
        let (commit_us_p50, commit_us_p99) = locked(&shared.latencies).percentiles();
        WalStats {
            bytes: shared.wal_bytes.load(Ordering::Relaxed),
            queue_bytes,
            queue_count,
            groups: shared.groups.load(Ordering::Relaxed),
            frames: shared.frames.load(Ordering::Relaxed),
            failures: shared.failures.load(Ordering::Relaxed),
            pressures: shared.pressures.load(Ordering::Relaxed),
            commit_us_p50,
            commit_us_p99,
            durable: shared.progress.borrow().durable,
        }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.stop_intake();
        self.join();
    }
}

impl Shared {
    fn stop_intake(&self) {
        locked(&self.queue).is_closing = true;
        self.wake.notify_one();
    }

    /// Puts an encoded batch into the queue, or says why not.
    fn enqueue(&self, item: Item) -> Result<(), Refused> {
        let settings = &self.settings;
        let mut queue = locked(&self.queue);
        if queue.is_closing {
            return Err(Refused::Closing);
        }
        let after = queue.bytes + item.payload.len();
        // A single batch larger than the queue still gets through an empty one.
        let is_full = queue.items.len() >= settings.queue_count_max || (after > settings.queue_bytes_max && queue.bytes > 0);
        let is_over_budget = self.wal_bytes.load(Ordering::Relaxed) + after as u64 > settings.bytes_max;
        if is_full || is_over_budget {
            self.pressures.fetch_add(1, Ordering::Relaxed);
            return Err(Refused::Pressure { retry_after_ms: RETRY_AFTER_MS });
        }
        queue.bytes = after;
        queue.items.push_back(item);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// Encodes and queues a batch; the answer comes through the returned channel.
    fn start(&self, batch: RawBatch) -> Result<Started, Refused> {
        let payload = frame::encode(&batch).map_err(|error| Refused::Failed(error.to_string()))?;
        let key = batch.key.as_deref().map(|key| hash_key(&batch.source, key));
        if let Some(hash) = key {
            match locked(&self.index).admit(hash) {
                Admission::First => {}
                Admission::Duplicate(receipt) => return Ok(Started::Done(receipt)),
                Admission::Wait(answer) => return Ok(Started::Duplicate(answer)),
            }
        }
        let (reply, answer) = oneshot::channel();
        match self.enqueue(Item { batch, payload, key, reply }) {
            Ok(()) => Ok(Started::First(answer)),
            Err(refused) => {
                self.forget(key, &refused);
                Err(refused)
            }
        }
    }

    /// Frees the key of a refused batch and tells those who waited on it.
    fn forget(&self, key: Option<u128>, refused: &Refused) {
        let Some(hash) = key else { return };
        let waiting = locked(&self.index).refused(hash);
        for reply in waiting {
            let _ = reply.send(Err(refused.clone()));
        }
    }
}

enum Started {
    Done(Receipt),
    First(oneshot::Receiver<Result<Receipt, Refused>>),
    Duplicate(oneshot::Receiver<Result<Receipt, Refused>>),
}

impl Sink for Shared {
    fn submit(&self, batch: RawBatch) -> BoxFuture<'_, Result<Receipt, Refused>> {
        Box::pin(async move {
            if batch.is_empty() {
                let sequence = self.progress.borrow().durable;
                return Ok(Receipt { sequence, records: 0, duplicate: false });
            }
            let stopped = |_| Err(Refused::Failed("the log stopped; the batch may or may not be stored".into()));
            match self.start(batch)? {
                Started::Done(receipt) => Ok(receipt),
                Started::First(answer) => answer.await.unwrap_or_else(stopped),
                Started::Duplicate(answer) => {
                    answer.await.unwrap_or_else(stopped).map(|receipt| Receipt { duplicate: true, ..receipt })
                }
            }
        })
    }

    fn file_offset(&self, source: &str, file: &str) -> u64 {
        locked(&self.index).file_offset(source, file)
    }
}
