//! The commit thread: owns the log files, gathers a group, writes and syncs it once, then answers.
//!
//! When the log was idle a batch is committed at once; under load a group gathers until the last commit is
//! `commit_delay_ms` old or the group is large, so that many small senders share one sync.

use std::{
    collections::VecDeque,
    io,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use event::{Receipt, seam::Refused};

use super::{Item, Progress, RETRY_AFTER_MS, Shared, log::Log, tail::Frame};
use crate::locked;

/// A group this large is written without waiting for more.
const GROUP_BYTES: usize = 4 << 20;

pub(super) fn run(shared: &Shared, mut log: Log) {
    let _ended = Ended(shared);
    let mut released = 0;
    let mut last_commit: Option<Instant> = None;
    while let Some(work) = gather(shared, released, last_commit) {
        if work.release > released {
            released = work.release;
            release(shared, &mut log, released);
        }
        if !work.items.is_empty() {
            let started = Instant::now();
            commit(shared, &mut log, work.items);
            locked(&shared.latencies).push(started.elapsed());
            last_commit = Some(started);
        }
    }
}

/// However the thread ends: nothing more is taken in, and nobody waits for an answer that cannot come.
struct Ended<'s>(&'s Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let items = {
            let mut queue = locked(&self.0.queue);
            queue.is_closing = true;
            std::mem::take(&mut queue.items)
        };
        for item in items {
            refuse(self.0, item, &Refused::Closing);
        }
        self.0.progress.send_modify(|progress| progress.is_closed = true);
    }
}

struct Work {
    items: Vec<Item>,
    release: u64,
}

/// Waits for something to do; `None` when the queue is closed and empty.
fn gather(shared: &Shared, released: u64, last_commit: Option<Instant>) -> Option<Work> {
    let mut queue = locked(&shared.queue);
    while queue.items.is_empty() && queue.release <= released {
        if queue.is_closing {
            return None;
        }
        queue = shared.wake.wait(queue).unwrap_or_else(std::sync::PoisonError::into_inner);
    }
    let due = last_commit.map(|at| at + Duration::from_millis(shared.settings.commit_delay_ms));
    while !queue.items.is_empty() && !queue.is_closing && queue.bytes < GROUP_BYTES {
        let Some(left) = due.and_then(|due| due.checked_duration_since(Instant::now())).filter(|left| !left.is_zero()) else {
            break;
        };
        queue = shared.wake.wait_timeout(queue, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
    }
    let mut items = Vec::new();
    let mut bytes = 0;
    while bytes < GROUP_BYTES
        && let Some(item) = queue.items.pop_front()
    {
        bytes += item.payload.len();
        items.push(item);
    }
    Some(Work { items, release: queue.release })
}

fn commit(shared: &Shared, log: &mut Log, items: Vec<Item>) {
    let bytes = items.iter().map(|item| item.payload.len()).sum::<usize>();
    if let Some(refused) = lacks_space(shared, log, &items) {
        locked(&shared.queue).bytes -= bytes;
        items.into_iter().for_each(|item| refuse(shared, item, &refused));
        return;
    }
    let payloads = items.iter().map(|item| item.payload.as_slice());
    let appended = log.append(payloads, shared.clock.now());
    publish_files(shared, log);
    // Before anybody hears an answer: the bytes count as written now, no longer as queued.
    locked(&shared.queue).bytes -= bytes;
    let (sequence, ingested) = match appended {
        Ok(first) => first,
        Err(error) => {
            shared.failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, dir = %log.dir().display(), "failed to write the log");
            let refused = Refused::Failed(worded(&error));
            items.into_iter().for_each(|item| refuse(shared, item, &refused));
            return;
        }
    };
    shared.groups.fetch_add(1, Ordering::Relaxed);
    shared.frames.fetch_add(items.len() as u64, Ordering::Relaxed);
    let mut replies = Vec::with_capacity(items.len());
    let mut frames = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let (sequence, ingested) = (sequence + at as u64, ingested + at as i64);
        let receipt = Receipt { sequence, records: item.batch.len() as u32, duplicate: false };
        // First the ledger: once a follower sees the frame, it may publish it.
        shared.ledger.received(sequence, ingested, &item.batch);
        let waiting = locked(&shared.index).committed(item.key, sequence, ingested, &item.batch);
        replies.extend(std::iter::once(item.reply).chain(waiting).map(|reply| (reply, receipt)));
        frames.push(Frame { sequence, ingested, batch: item.batch });
    }
    let durable = sequence + frames.len() as u64 - 1;
    locked(&shared.ring).extend(frames);
    shared.progress.send_modify(|progress| *progress = Progress { durable, ..*progress });
    for (reply, receipt) in replies {
        // A sender that went away does not take its batch back.
        let _ = reply.send(Ok(receipt));
    }
}

fn lacks_space(shared: &Shared, log: &Log, items: &[Item]) -> Option<Refused> {
    let wanted = items.iter().map(|item| item.payload.len() as u64).sum::<u64>() + shared.settings.free_bytes_min;
    // A file system that does not say how full it is will say so when the write fails.
    let free = shared.storage.free_bytes(log.dir()).unwrap_or(u64::MAX);
    (free < wanted).then(|| {
        shared.pressures.fetch_add(items.len() as u64, Ordering::Relaxed);
        Refused::Pressure { retry_after_ms: RETRY_AFTER_MS }
    })
}

fn refuse(shared: &Shared, item: Item, refused: &Refused) {
    shared.forget(item.key, refused);
    let _ = item.reply.send(Err(refused.clone()));
}

fn release(shared: &Shared, log: &mut Log, through: u64) {
    if let Err(error) = log.release(through) {
        tracing::warn!(%error, through, "failed to remove log files that are no longer needed");
    }
    publish_files(shared, log);
}

fn publish_files(shared: &Shared, log: &Log) {
    shared.wal_bytes.store(log.bytes(), Ordering::Relaxed);
    *locked(&shared.files) = log.files().into();
}

fn worded(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "failed to write the log: the disk is full".into(),
        _ => format!("failed to write the log: {error}"),
    }
}

/// The last commit times.
#[derive(Default)]
pub(super) struct Latencies(VecDeque<u64>);

impl Latencies {
    fn push(&mut self, took: Duration) {
        if self.0.len() == 1024 {
            self.0.pop_front();
        }
        self.0.push_back(took.as_micros() as u64);
    }

    /// Median and 99th percentile in microseconds.
    pub fn percentiles(&self) -> (u64, u64) {
        let mut sorted: Vec<u64> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let at = |share: usize| sorted.get(sorted.len() * share / 100).or(sorted.last()).copied().unwrap_or(0);
        (at(50), at(99))
    }
}
