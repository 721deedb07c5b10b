//! Files that grow: read as they do, through rotation by renaming and by copy-and-truncate, exactly once.
//!
//! One thread looks at all files in turn ([`FileSettings::poll_interval`]) and walks the globs now and then. A file is known
//! by device, inode and first line, so a renamed file is the same file, and a truncated one is a new generation. Only ended
//! lines are handed on; the cursor stands behind the last of them and is durable with them, so a restart reads on there. A
//! file that no glob finds any more is read to its end, then let go. While the sink is under pressure nothing is read.
//!
//! [`FileSettings::poll_interval`]: crate::settings::FileSettings

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use event::{RawBatch, SourceCursor, seam::Refused};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    Context,
    files::{first_line, generation, is_telling, plain_id},
    framing::{Frame, Framer},
    metrics::{Counters, add, one},
    path_pattern::expand,
    settings::FileSettings,
    submit::submit_patiently,
};

/// One file may fill this much before the next one has its turn.
const TURN_BYTES: usize = 8 << 20;
const READ_BYTES: usize = 256 << 10;
const BATCH_BYTES: usize = 512 << 10;
/// Scans that must miss a file before it is let go.
const MISSED_MAX: u32 = 2;
/// Rotated siblings that a glob like `app.log*` would find too.
const COMPRESSED: [&str; 6] = ["gz", "zst", "xz", "bz2", "zip", "lz4"];

/// Device and inode: what an open file keeps while it is renamed.
type Key = (u64, u64);

/// Tails the files of every source in the table.
pub struct Tail {
    context: Context,
    settings: FileSettings,
    files: HashMap<Key, Tailed>,
    buffer: Vec<u8>,
    is_full_told: bool,
}

struct Tailed {
    source: String,
    path: PathBuf,
    file: File,
    counters: Arc<Counters>,
    missed: u32,
    /// `None` until the first line has ended.
    reading: Option<Reading>,
    last_seen: Option<(u64, SystemTime)>,
}

struct Reading {
    id: String,
    first: Vec<u8>,
    framer: Framer,
    /// How far bytes were taken.
    position: u64,
}

impl Tail {
    pub fn new(context: Context, settings: &FileSettings) -> Self {
        Self { context, settings: settings.clone(), files: HashMap::new(), buffer: vec![0; READ_BYTES], is_full_told: false }
    }

    /// Reads until `stop`. What has no line end yet is left for the next start.
    pub async fn run(self, stop: CancellationToken) {
        let handle = Handle::current();
        if let Err(error) = tokio::task::spawn_blocking(move || self.work(&handle, &stop)).await {
            warn!(%error, "the tailing thread has ended");
        }
    }

    fn work(mut self, handle: &Handle, stop: &CancellationToken) {
        let mut scanned: Option<Instant> = None;
        while !stop.is_cancelled() {
            if scanned.is_none_or(|at| at.elapsed() >= self.settings.scan_interval.0) {
                self.scan(handle, stop);
                scanned = Some(Instant::now());
            }
            self.poll(handle, stop);
            handle.block_on(async {
                let _ = tokio::time::timeout(self.settings.poll_interval.0, stop.cancelled()).await;
            });
        }
    }

    /// Walks the globs: opens what is new, lets go of what is gone.
    fn scan(&mut self, handle: &Handle, stop: &CancellationToken) {
        let mut found = HashSet::new();
        let table = self.context.sources.load();
        for source in table.all() {
            for path in source.files.iter().flat_map(|pattern| expand(pattern)) {
                if is_compressed(&path) {
                    continue;
                }
                match fs::metadata(&path) {
                    Ok(metadata) if metadata.is_file() => {
                        let key = key(&metadata);
                        found.insert(key);
                        self.open(key, &path, &source.name);
                    }
                    Ok(_) => {}
                    Err(error) => debug!(%error, path = %path.display(), "a file left between listing and looking"),
                }
            }
        }
        let mut gone = Vec::new();
        for (key, tailed) in &mut self.files {
            tailed.missed = if found.contains(key) { 0 } else { tailed.missed + 1 };
            if tailed.missed >= MISSED_MAX {
                gone.push(*key);
            }
        }
        for key in gone {
            let Some(mut tailed) = self.files.remove(&key) else { continue };
            tailed.read(&self.context, &self.settings, &mut self.buffer, handle, stop);
            tailed.end(&self.context, handle, stop);
            debug!(path = %tailed.path.display(), "a rotated file was read to its end");
        }
    }

    fn open(&mut self, key: Key, path: &Path, source: &str) {
        if let Some(known) = self.files.get_mut(&key) {
            if known.path != path {
                path.clone_into(&mut known.path);
            }
            return;
        }
        let counters = self.context.metrics.of("file", source);
        if self.files.len() >= self.settings.files_max {
            if !std::mem::replace(&mut self.is_full_told, true) {
                warn!(files_max = self.settings.files_max, path = %path.display(), "too many files to tail; see files_max");
            }
            one(&counters.errors);
            return;
        }
        match File::open(path) {
            Ok(file) => {
                let tailed = Tailed {
                    source: source.to_owned(),
                    path: path.to_owned(),
                    file,
                    counters,
                    missed: 0,
                    reading: None,
                    last_seen: None,
                };
                self.files.insert(key, tailed);
            }
            Err(error) => {
                one(&counters.errors);
                warn!(%error, path = %path.display(), "failed to open a file to tail");
            }
        }
    }

    fn poll(&mut self, handle: &Handle, stop: &CancellationToken) {
        for tailed in self.files.values_mut() {
            if stop.is_cancelled() {
                return;
            }
            tailed.read(&self.context, &self.settings, &mut self.buffer, handle, stop);
        }
    }
}

impl Tailed {
    /// Takes what has come since the last look.
    fn read(&mut self, context: &Context, settings: &FileSettings, buffer: &mut [u8], handle: &Handle, stop: &CancellationToken) {
        if let Err(error) = self.try_read(context, settings, buffer, handle, stop) {
            one(&self.counters.errors);
            warn!(%error, path = %self.path.display(), "failed to read a tailed file");
        }
    }

    fn try_read(
        &mut self,
        context: &Context,
        settings: &FileSettings,
        buffer: &mut [u8],
        handle: &Handle,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        let seen = Some((metadata.len(), metadata.modified()?));
        let is_behind = self.reading.as_ref().is_none_or(|reading| reading.position < metadata.len());
        if seen == self.last_seen && !is_behind {
            return Ok(());
        }
        if self.was_truncated(&metadata)? {
            self.end(context, handle, stop);
        }
        if self.reading.is_none() && !self.begin(context, settings, &metadata)? {
            return Ok(());
        }
        self.take(context, buffer, handle, stop)?;
        self.last_seen = seen;
        Ok(())
    }

    /// True when the file is shorter than what was read of it, or begins otherwise than it did.
    fn was_truncated(&self, metadata: &Metadata) -> io::Result<bool> {
        let Some(reading) = &self.reading else { return Ok(false) };
        Ok(metadata.len() < reading.position || first_line(&self.file)? != reading.first)
    }

    /// Finds out who the file is and where reading it goes on; false while its first line has not ended.
    fn begin(&mut self, context: &Context, settings: &FileSettings, metadata: &Metadata) -> io::Result<bool> {
        let first = first_line(&self.file)?;
        if !is_telling(&first) {
            return Ok(false);
        }
        let base = plain_id(metadata, &first);
        let (id, position) = generation(&*context.sink, &self.source, &base, metadata.len());
        let framer = Framer::lines(settings.line_max.len(), position);
        self.reading = Some(Reading { id, first, framer, position });
        Ok(true)
    }

    fn take(&mut self, context: &Context, buffer: &mut [u8], handle: &Handle, stop: &CancellationToken) -> io::Result<()> {
        let mut turn = 0;
        while turn < TURN_BYTES && !stop.is_cancelled() {
            let Some(reading) = &mut self.reading else { return Ok(()) };
            let mut batch = RawBatch::default();
            let mut end = None;
            let mut is_at_end = false;
            while batch.data.len() < BATCH_BYTES {
                let n = self.file.read_at(buffer, reading.position)?;
                if n == 0 {
                    is_at_end = true;
                    break;
                }
                reading.position += n as u64;
                turn += n;
                reading.framer.feed(&buffer[..n], |frame| end = Some(push(frame, &mut batch, &self.counters)));
            }
            if let Some(end) = end {
                let cursor = SourceCursor { file: reading.id.clone(), offset: end };
                self.hand_on(batch, cursor, context, handle, stop);
            }
            if is_at_end {
                break;
            }
        }
        Ok(())
    }

    /// Ends the reading of this generation: what has no line end will never get one.
    fn end(&mut self, context: &Context, handle: &Handle, stop: &CancellationToken) {
        let Some(mut reading) = self.reading.take() else { return };
        let mut batch = RawBatch::default();
        let mut end = None;
        reading.framer.finish(|frame| end = Some(push(frame, &mut batch, &self.counters)));
        if let Some(offset) = end {
            self.hand_on(batch, SourceCursor { file: reading.id, offset }, context, handle, stop);
        }
    }

    /// Submits and waits. A batch that the closing sink refuses is read again after the next start: reading begins anew.
    fn hand_on(
        &mut self,
        mut batch: RawBatch,
        cursor: SourceCursor,
        context: &Context,
        handle: &Handle,
        stop: &CancellationToken,
    ) {
        batch.source.clone_from(&self.source);
        batch.received = context.clock.now();
        batch.cursor = Some(cursor);
        let stored = handle.block_on(submit_patiently(&context.sink, batch, &self.counters, stop));
        if let Err(refused) = stored {
            if !matches!(refused, Refused::Closing) {
                warn!(%refused, path = %self.path.display(), "lines of a tailed file wait for the next start");
            }
            self.reading = None;
            self.last_seen = None;
        }
    }
}

fn push(frame: Frame<'_>, batch: &mut RawBatch, counters: &Counters) -> u64 {
    one(&counters.received);
    add(&counters.received_bytes, frame.bytes.len() as u64);
    if frame.cut > 0 {
        one(&counters.cut);
        add(&counters.cut_bytes, frame.cut);
    }
    batch.push(frame.bytes);
    frame.end
}

fn key(metadata: &Metadata) -> Key {
    (metadata.dev(), metadata.ino())
}

fn is_compressed(path: &Path) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| COMPRESSED.contains(&extension))
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
