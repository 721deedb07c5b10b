//! Follows the log: yields durable frames in order, once each.
//!
//! Fresh frames come out of a ring in memory; a follower that falls behind the ring, or starts in the past, reads the files.
//! Both meet at [`Ring::start`]: every durable frame from there on is in the ring.

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use event::{Micros, RawBatch};
use tokio::{sync::watch, time::Instant};

use super::{
    Progress, Shared, frame,
    log::LogFile,
    scan::{Item, Scanner},
};
use crate::{Error, Result, locked};

/// One durable batch with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub sequence: u64,
    /// `event.ingested` of its records; rises strictly from frame to frame.
    pub ingested: Micros,
    pub batch: RawBatch,
}

impl Frame {
    fn bytes(&self) -> usize {
        self.batch.data.len() + self.batch.ends.len() * 4 + 128
    }
}

/// The newest frames, in memory. When full it drops the oldest: they are in the files.
pub(super) struct Ring {
    frames: VecDeque<Frame>,
    bytes: usize,
    bytes_max: usize,
    start: u64,
}

impl Ring {
    pub fn new(start: u64, bytes_max: usize) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, bytes_max, start }
    }

    pub fn extend(&mut self, frames: Vec<Frame>) {
        for frame in frames {
            self.bytes += frame.bytes();
            self.frames.push_back(frame);
            while self.bytes > self.bytes_max && self.pop().is_some() {}
        }
    }

    fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.bytes();
        self.start = frame.sequence + 1;
        Some(frame)
    }
}

/// Holds a follower back while too much is published but not flushed, so that memory stays bounded: the log grows instead,
/// up to its budget, and then the sources feel it.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    pub hot_bytes: Arc<AtomicU64>,
    pub hot_bytes_max: u64,
}

/// A follower of the log. Independent of other followers; the one that drives publication is [`crate::Store::tail`].
pub struct Tail {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    throttle: Throttle,
    /// Last sequence that was yielded, or is known not to exist.
    position: u64,
    file: Option<FileReader>,
    /// Gathered for the next answer; kept here so that a dropped call loses nothing.
    block: Vec<Frame>,
    block_bytes: usize,
}

struct FileReader {
    first: u64,
    path: PathBuf,
    scanner: Scanner,
}

impl Tail {
    pub(super) fn new(shared: Arc<Shared>, after: u64, throttle: Throttle) -> Self {
        let progress = shared.progress.subscribe();
        Self { shared, progress, throttle, position: after, file: None, block: Vec::new(), block_bytes: 0 }
    }

    /// Last sequence that was yielded.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the next frames: as soon as they hold `bytes_max` bytes, or what there is (maybe nothing) when `wait` is over.
    /// `None` when the log was closed and everything in it was yielded. Cancel-safe: what a dropped call had gathered comes
    /// with the next one.
    pub async fn next(&mut self, bytes_max: usize, wait: Duration) -> Result<Option<Vec<Frame>>> {
        let deadline = Instant::now() + wait;
        loop {
            let progress = *self.progress.borrow_and_update();
            let is_held = !progress.is_closed && self.throttle.hot_bytes.load(Ordering::Relaxed) >= self.throttle.hot_bytes_max;
            if is_held {
                tokio::time::sleep_until(deadline.min(Instant::now() + Duration::from_millis(20))).await;
            } else {
                while self.block_bytes < bytes_max && self.position < progress.durable {
                    self.gather(bytes_max).await?;
                }
                if self.block_bytes >= bytes_max {
                    return Ok(Some(self.take_block()));
                }
                if progress.is_closed {
                    return Ok((!self.block.is_empty()).then(|| self.take_block()));
                }
                let changed = tokio::time::timeout_at(deadline, self.progress.changed());
                if let Ok(Err(_)) = changed.await {
                    return Err(Error::Stopped("the log"));
                }
            }
            if Instant::now() >= deadline {
                return Ok(Some(self.take_block()));
            }
        }
    }

    fn take_block(&mut self) -> Vec<Frame> {
        self.block_bytes = 0;
        std::mem::take(&mut self.block)
    }

    fn push(&mut self, frame: Frame) {
        self.block_bytes += frame.bytes();
        self.block.push(frame);
    }

    /// Takes what the ring or one stretch of a file has.
    async fn gather(&mut self, bytes_max: usize) -> Result<()> {
        let Some(ring_start) = self.take_from_ring(bytes_max) else { return Ok(()) };
        let (shared, file, after) = (Arc::clone(&self.shared), self.file.take(), self.position);
        let wanted = bytes_max - self.block_bytes;
        let task = tokio::task::spawn_blocking(move || read_files(&shared, file, after, ring_start, wanted));
        let stretch = task.await.map_err(|_| Error::Stopped("reading the log"))??;
        self.file = stretch.file;
        self.position = stretch.position;
        stretch.frames.into_iter().for_each(|frame| self.push(frame));
        Ok(())
    }

    /// Returns where the ring starts when this follower is behind it.
    fn take_from_ring(&mut self, bytes_max: usize) -> Option<u64> {
        let shared = Arc::clone(&self.shared);
        let mut ring = locked(&shared.ring);
        if self.position + 1 < ring.start {
            return Some(ring.start);
        }
        self.file = None;
        while self.block_bytes < bytes_max
            && let Some(frame) = ring.pop()
        {
            if frame.sequence > self.position {
                self.position = frame.sequence;
                self.push(frame);
            }
        }
        None
    }
}

struct Stretch {
    frames: Vec<Frame>,
    position: u64,
    file: Option<FileReader>,
}

/// Reads frames behind `after` and before `until` from the files. When there are none left, the position moves up to
/// `until`: what is missing was lost to damage, and recovery reported it.
fn read_files(shared: &Shared, mut reader: Option<FileReader>, after: u64, until: u64, wanted: usize) -> Result<Stretch> {
    let files = Arc::clone(&locked(&shared.files));
    let mut stretch = Stretch { frames: Vec::new(), position: after, file: None };
    let mut bytes = 0;
    while bytes < wanted && stretch.position + 1 < until {
        let Some(mut current) = reader.take().or_else(|| open_file(&files, stretch.position, until)) else {
            stretch.position = until - 1;
            break;
        };
        let limit = files.iter().find(|file| file.first == current.first).map_or(0, |file| file.bytes);
        match current.scanner.next(&*shared.storage, limit) {
            Ok(Item::Frame { sequence, .. }) if sequence <= stretch.position => reader = Some(current),
            Ok(Item::Frame { sequence, .. }) if sequence >= until => stretch.position = until - 1,
            Ok(Item::Frame { sequence, ingested, payload }) => {
                stretch.position = sequence;
                match frame::decode(payload) {
                    Ok(batch) => stretch.frames.push(Frame { sequence, ingested, batch }),
                    Err(error) => tracing::error!(sequence, %error, "intact frame that cannot be decoded"),
                }
                bytes += payload.len();
                reader = Some(current);
            }
            Ok(Item::Damage(_)) => reader = Some(current),
            Ok(Item::End { .. }) => skip_to_next_file(&files, &current, until, &mut stretch.position),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                skip_to_next_file(&files, &current, until, &mut stretch.position);
            }
            Err(error) => return Err(Error::file("read the log file", current.path)(error)),
        }
    }
    stretch.file = reader;
    Ok(stretch)
}

/// Opens the file that holds the frame behind `position`.
fn open_file(files: &[LogFile], position: u64, until: u64) -> Option<FileReader> {
    let at = files.partition_point(|file| file.first <= position + 1).saturating_sub(1);
    let file = files.get(at).filter(|file| file.first < until)?;
    let below = files.get(at + 1).map_or(u64::MAX, |next| next.first);
    Some(FileReader { first: file.first, path: file.path.clone(), scanner: Scanner::new(&file.path, file.salt, below) })
}

fn skip_to_next_file(files: &[LogFile], current: &FileReader, until: u64, position: &mut u64) {
    let next = files.iter().map(|file| file.first).find(|first| *first > current.first).unwrap_or(until);
    *position = (*position).max(next.min(until) - 1);
}
