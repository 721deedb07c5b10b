//! The cold path: old segments lie in another object store, a folder or a bucket, and are read from there.
//!
//! ```text
//! note the copy ─▶ copy, hash ─▶ read back, compare ─▶ catalogue: segment is cold, note gone ─▶ snapshot swap ─▶ local file goes
//!                 (a noted copy that no segment names is removed if we die here) │ (the local file is an orphan if we die here)
//! ```
//!
//! Invariants:
//! * The local file goes only after the copy was read back whole, its checksum compared, and the catalogue committed.
//! * The catalogue notes every object before it appears and until it is removed; an object that no segment names goes.
//! * The index file stays here: a question that the index answers fetches nothing.
//! * Retention drops a cold segment like any other; its object goes after its last reader.
//! * Never more than [`ColdOptions::bytes_per_second_max`] in each direction.
//!
//! Not here: credentials (they come as options of the object store), and any other use of the bucket: nothing is listed, and
//! only objects that the catalogue notes are ever removed.

mod files;
mod read;

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use event::Micros;
use tokio::sync::watch;

use crate::{Error, Result, Segment, Store, locked, store::blocking};

pub(crate) use files::ColdFiles;
pub use read::SegmentFile;

/// Bytes of a part of a copy, held in memory.
const PART_BYTES: usize = 8 << 20;
/// How often the mover looks whether a segment is old enough, after it found none or failed.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Where old segments go.
#[derive(Clone, Debug)]
pub struct ColdOptions {
    /// `file:///folder` or, in a build with the feature `s3`, `s3://bucket/prefix`.
    pub url: String,
    /// Age by the newest `event.ingested` at which a segment moves.
    pub after: Micros,
    pub bytes_per_second_max: u64,
    /// Options of the object store by its own names (`access_key_id`, `endpoint`, `region` …).
    pub options: Vec<(String, String)>,
}

/// Where a cold segment's Parquet file is.
#[derive(Clone)]
pub struct ColdFile {
    /// URL of the object.
    pub url: String,
    /// `None` where the cold store is not configured: the segment is known but cannot be read.
    pub(crate) files: Option<Arc<ColdFiles>>,
}

impl PartialEq for ColdFile {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl std::fmt::Debug for ColdFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ColdFile({})", self.url)
    }
}

/// One move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub segment: String,
    pub bytes: u64,
    pub ms: u64,
}

/// What was moved, for [`crate::Stats`].
#[derive(Clone, Debug, Default)]
pub(crate) struct ColdLog {
    pub moves: u64,
    pub failures: u64,
    pub error: Option<String>,
    /// Segments whose local file is damaged: they stay.
    pub damaged: std::collections::BTreeSet<String>,
}

impl Store {
    /// Moves old segments and removes objects that nobody needs, until `shutdown` says true. Ends at once where no cold store is
    /// configured.
    pub async fn run_cold(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        if self.cold.is_none() {
            return;
        }
        while !*shutdown.borrow_and_update() {
            let moved = tokio::select! {
                changed = shutdown.changed() => if changed.is_err() { return } else { continue },
                moved = self.move_cold_once() => moved,
            };
            let pause = match moved {
                Ok(Some(moved)) => {
                    tracing::info!(
                        segment = moved.segment,
                        bytes = moved.bytes,
                        ms = moved.ms,
                        "moved a segment to the cold store"
                    );
                    Duration::ZERO
                }
                Ok(None) => LOOK_AGAIN,
                Err(error) => {
                    tracing::error!(error = error.chain(), "failed to move to the cold store; the segment stays here");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                changed = shutdown.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Removes what nobody needs in the cold store, then moves the oldest segment that is due; `None` when none is.
    ///
    /// May be dropped at any time: what was begun is noted and cleared by the next call.
    pub async fn move_cold_once(self: &Arc<Self>) -> Result<Option<Moved>> {
        let Some(cold) = self.cold.clone() else { return Ok(None) };
        let _moving = self.moving.acquire().await.map_err(|_| Error::Stopped("the store"))?;
        let outcome = async {
            self.sweep_cold(&cold).await?;
            match self.due_for_cold(&cold) {
                Some(segment) => self.move_segment(&cold, segment).await.map(Some),
                None => Ok(None),
            }
        };
        let outcome = outcome.await;
        let mut log = locked(&self.cold_log);
        match &outcome {
            Ok(None) => log.error = None,
            Ok(Some(_)) => {
                log.moves += 1;
                log.error = None;
            }
            Err(error) => {
                if let Error::Damaged { segment, .. } = error {
                    log.damaged.insert(segment.clone());
                }
                log.failures += 1;
                log.error = Some(error.chain());
            }
        }
        outcome
    }

    /// The oldest compacted segment past the age.
    fn due_for_cold(&self, cold: &ColdFiles) -> Option<Arc<Segment>> {
        let before = self.clock.now().saturating_sub(cold.options.after);
        let damaged = locked(&self.cold_log).damaged.clone();
        let is_due = |segment: &&Arc<Segment>| {
            segment.level > 0 && segment.cold.is_none() && segment.ingested.1 < before && !damaged.contains(&segment.id)
        };
        let snapshot = self.snapshot();
        snapshot.segments.iter().filter(is_due).min_by_key(|segment| (segment.ingested.1, segment.id.clone())).cloned()
    }

    async fn move_segment(self: &Arc<Self>, cold: &Arc<ColdFiles>, segment: Arc<Segment>) -> Result<Moved> {
        let started = Instant::now();
        let url = cold.url_of(&segment.location);
        self.catalogue.note_cold(&url).await?;
        let mut throttle = Throttle::new(cold.options.bytes_per_second_max);
        copy(cold, &segment, &mut throttle).await?;
        compare(cold, &segment, &mut throttle).await?;
        // In a task of its own: a caller that goes away must not leave catalogue and snapshot apart.
        let (store, file) = (Arc::clone(self), ColdFile { url, files: Some(Arc::clone(cold)) });
        let moved = Moved { segment: segment.id.clone(), bytes: segment.bytes, ms: started.elapsed().as_millis() as u64 };
        let task = tokio::spawn(async move {
            let _turn = store.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
            store.catalogue.make_cold(&segment.id, &file.url).await?;
            store.now_cold(&segment, file);
            Ok::<(), Error>(())
        });
        task.await.map_err(|_| Error::Stopped("the move to the cold store"))??;
        self.sweep().await;
        Ok(moved)
    }

    /// The step in memory, after the catalogue has taken it.
    fn now_cold(&self, segment: &Arc<Segment>, file: ColdFile) {
        let _publishing = locked(&self.publishing);
        let mut next = self.snapshot().shallow();
        let Some(place) = next.segments.iter_mut().find(|place| place.id == segment.id) else { return };
        let old = std::mem::replace(place, Arc::new(Segment { cold: Some(file), ..Segment::clone(segment) }));
        locked(&self.retired).push((Arc::downgrade(&old), old.location.clone()));
        self.swap(next);
    }

    /// Removes noted objects that no segment names and nobody reads.
    async fn sweep_cold(&self, cold: &ColdFiles) -> Result<()> {
        for url in self.catalogue.cold_garbage().await? {
            if cold.is_read(&url) {
                continue;
            }
            cold.remove(&url).await?;
            self.catalogue.forget_cold(&url).await?;
        }
        Ok(())
    }

    /// Remembers readers of cold segments that left the snapshot.
    pub(crate) fn retire_cold(&self, gone: &[Arc<Segment>]) {
        for segment in gone {
            if let Some(ColdFile { url, files: Some(files) }) = &segment.cold {
                files.leave(Arc::downgrade(segment), url.clone());
            }
        }
    }
}

/// Copies the file in parts; fails when what was read is not what the catalogue says.
async fn copy(cold: &ColdFiles, segment: &Segment, throttle: &mut Throttle) -> Result<()> {
    let failed = || Error::segment("copy to the cold store", &segment.id);
    let mut upload = cold.begin(&segment.location).await.map_err(failed())?;
    let (mut hasher, mut offset) = (blake3::Hasher::new(), 0);
    while offset < segment.bytes {
        let (path, len) = (segment.path.clone(), (segment.bytes - offset).min(PART_BYTES as u64) as usize);
        let read = blocking("reading a segment", move || read_at(&path, offset, len)).await;
        let part = match read {
            Ok(part) => part,
            Err(error) => {
                let _ = upload.abort().await;
                return Err(error);
            }
        };
        hasher.update(&part);
        offset += len as u64;
        throttle.take(len).await;
        if let Err(error) = upload.put_part(bytes::Bytes::from(part).into()).await {
            let _ = upload.abort().await;
            return Err(failed()(error));
        }
    }
    if let Err(error) = same(segment, segment.path.clone(), &hasher) {
        let _ = upload.abort().await;
        return Err(error);
    }
    upload.complete().await.map_err(failed())?;
    cold.sync(&segment.location).await
}

/// Reads the copy back.
async fn compare(cold: &ColdFiles, segment: &Segment, throttle: &mut Throttle) -> Result<()> {
    let (mut hasher, mut offset) = (blake3::Hasher::new(), 0);
    while offset < segment.bytes {
        let end = (offset + PART_BYTES as u64).min(segment.bytes);
        throttle.take((end - offset) as usize).await;
        let part = cold.range(&segment.location, offset..end).await.map_err(Error::segment("read the copy of", &segment.id))?;
        hasher.update(&part);
        offset = end;
    }
    let length = cold.length(&segment.location).await.map_err(Error::segment("read the copy of", &segment.id))?;
    if length != segment.bytes {
        let source = format!("the copy has {length} bytes, {} expected", segment.bytes).into();
        return Err(Error::Segment { what: "compare the copy of", segment: segment.id.clone(), source });
    }
    same(segment, PathBuf::from(cold.url_of(&segment.location)), &hasher).map_err(|error| Error::Segment {
        what: "compare the copy of",
        segment: segment.id.clone(),
        source: error.into(),
    })
}

fn same(segment: &Segment, path: PathBuf, hasher: &blake3::Hasher) -> Result<()> {
    let found = hasher.finalize();
    if *found.as_bytes() == segment.checksum {
        return Ok(());
    }
    Err(Error::Damaged {
        segment: segment.id.clone(),
        path,
        expected: blake3::Hash::from_bytes(segment.checksum).to_hex().to_string(),
        found: found.to_hex().to_string(),
    })
}

fn read_at(path: &std::path::Path, offset: u64, len: usize) -> Result<Vec<u8>> {
    let failed = || Error::file("read segment", path);
    let file = std::fs::File::open(path).map_err(failed())?;
    let mut bytes = vec![0; len];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, offset).map_err(failed())?;
    Ok(bytes)
}

/// Holds the rate: waits until so many bytes may pass.
struct Throttle {
    per_second: u64,
    started: Instant,
    bytes: u64,
}

impl Throttle {
    fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), started: Instant::now(), bytes: 0 }
    }

    async fn take(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        let due = Duration::from_secs_f64(self.bytes as f64 / self.per_second as f64);
        tokio::time::sleep_until((self.started + due).into()).await;
    }
}

/// A reader of an object that is to go.
pub(crate) type Leaving = (Weak<Segment>, String);
