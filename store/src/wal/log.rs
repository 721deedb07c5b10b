//! The log files: recovery, appending a commit group, removal. Synchronous and owned by one thread; the simulator drives it
//! directly.
//!
//! Invariants:
//! * [`Log::append`] returns `Ok` only when every byte of the group, and the entry of its file, is synced.
//! * After a failed append nothing is written before the file was cut back to its last good frame and synced, so a refused
//!   frame cannot come back once a later one is acknowledged, and sequences may be given again.
//! * Sequences and ingestion times rise strictly, over files and restarts.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use event::{
    Micros,
    seam::{Storage, StorageFile},
};

use super::{
    frame,
    scan::{self, FILE_HEADER_BYTES, Item, Scanner},
};

/// Sequences left out when a file could not be read: it may hold frames that nobody saw.
const SEQUENCE_JUMP: u64 = 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    pub path: PathBuf,
    /// Sequence of its first frame; its last is below the next file's first.
    pub first: u64,
    /// Bytes that are synced and good.
    pub bytes: u64,
    pub salt: u64,
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Frames behind the floor, handed to the caller.
    pub frames: u64,
    /// Bytes cut from the end of the last file: writes that were never acknowledged.
    pub torn_bytes: u64,
    /// Bytes of damaged spans that were skipped: these may have been acknowledged.
    pub lost_bytes: u64,
    /// Files that could not be read at all.
    pub unreadable_files: u64,
}

pub struct Log {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    file_bytes_max: u64,
    salt: u64,
    files: Vec<LogFile>,
    active: Active,
    next: u64,
    ingested: Micros,
    group: Vec<u8>,
}

/// State of the last file in `files`.
enum Active {
    /// There is none, or it must not be written to.
    None,
    Open {
        file: Box<dyn StorageFile>,
        is_listed: bool,
    },
    /// A write failed: what stands behind the good bytes is unknown.
    Dirty,
}

/// Where a log lives and how large its files grow.
#[derive(Clone, Debug)]
pub struct Place {
    pub dir: PathBuf,
    pub file_bytes_max: u64,
    /// Salt of new files, and of old ones whose header is damaged.
    pub salt: u64,
}

impl Log {
    /// Reads what is there. Calls `on_frame` with every intact frame whose sequence is above `floor`. Damage never stops it;
    /// only a folder that cannot be listed does.
    pub fn recover(
        storage: Arc<dyn Storage>,
        place: &Place,
        floor: (u64, Micros),
        mut on_frame: impl FnMut(u64, Micros, &[u8]),
    ) -> io::Result<(Self, Recovery)> {
        let mut firsts: Vec<u64> = storage.list(&place.dir)?.iter().filter_map(|name| first_of(name)).collect();
        firsts.sort_unstable();
        let mut log = Self {
            storage,
            dir: place.dir.clone(),
            file_bytes_max: place.file_bytes_max,
            salt: place.salt,
            files: Vec::new(),
            active: Active::None,
            next: floor.0 + 1,
            ingested: floor.1,
            group: Vec::new(),
        };
        let mut report = Recovery::default();
        for (at, first) in firsts.iter().enumerate() {
            let below = firsts.get(at + 1).copied().unwrap_or(u64::MAX);
            log.recover_file(*first, below, floor.0, &mut report, &mut on_frame);
        }
        Ok((log, report))
    }

    fn recover_file(
        &mut self,
        first: u64,
        below: u64,
        floor: u64,
        report: &mut Recovery,
        on_frame: &mut impl FnMut(u64, Micros, &[u8]),
    ) {
        let storage = Arc::clone(&self.storage);
        let path = self.dir.join(name_of(first));
        let is_last = below == u64::MAX;
        let header = storage.read_range(&path, 0, FILE_HEADER_BYTES).unwrap_or_default();
        let found_salt = scan::read_file_header(&header);
        let salt = found_salt.unwrap_or(self.salt);
        let mut scanner = Scanner::new(&path, salt, below);
        let mut frames = 0;
        let (good, torn) = loop {
            match scanner.next(&*storage, u64::MAX) {
                Ok(Item::Frame { sequence, ingested, payload }) => {
                    frames += 1;
                    self.next = self.next.max(sequence + 1);
                    self.ingested = self.ingested.max(ingested);
                    if sequence > floor {
                        report.frames += 1;
                        on_frame(sequence, ingested, payload);
                    }
                }
                Ok(Item::Damage(bytes)) => {
                    tracing::error!(path = %path.display(), bytes, "damaged span in the log");
                    report.lost_bytes += bytes;
                }
                Ok(Item::End { good, torn }) => break (good, torn),
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "failed to read a log file");
                    report.unreadable_files += 1;
                    self.next = self.next.max(first) + SEQUENCE_JUMP;
                    self.files.push(LogFile { path, first, bytes: 0, salt });
                    return;
                }
            }
        };
        if found_salt.is_none() && frames == 0 && is_last {
            // Created, but its first group never became durable.
            report.torn_bytes += torn + header.len() as u64;
            self.files.push(LogFile { path, first, bytes: 0, salt: self.salt });
            self.active = Active::Dirty;
            return;
        }
        if found_salt.is_none() {
            report.lost_bytes += header.len() as u64;
        }
        self.files.push(LogFile { path, first, bytes: good, salt });
        if is_last {
            report.torn_bytes += torn;
            self.active = Active::Dirty;
        } else {
            report.lost_bytes += torn;
        }
    }

    /// Cuts the last file back to its good bytes if that is due. Fails when the disk does.
    pub fn heal(&mut self) -> io::Result<()> {
        if !matches!(self.active, Active::Dirty) {
            return Ok(());
        }
        let Some(last) = self.files.last() else {
            self.active = Active::None;
            return Ok(());
        };
        match self.storage.open_at(&last.path, last.bytes) {
            Ok(mut file) => {
                file.sync()?;
                self.active = Active::Open { file, is_listed: false };
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if last.bytes == 0 {
                    self.files.pop();
                }
                self.active = Active::None;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes and syncs the frames of one group. Returns sequence and ingestion time of the first; the others count up by
    /// one in both.
    pub fn append<'p>(&mut self, payloads: impl Iterator<Item = &'p [u8]>, now: Micros) -> io::Result<(u64, Micros)> {
        self.heal()?;
        let is_full = self.files.last().is_some_and(|last| last.bytes >= self.file_bytes_max);
        if is_full || matches!(self.active, Active::None) {
            self.rotate()?;
        }
        let (sequence, ingested) = (self.next, now.max(self.ingested + 1));
        let last = self.files.last_mut().expect("rotate pushed a file");
        self.group.clear();
        if last.bytes == 0 {
            self.group.extend_from_slice(&scan::file_header(last.first, last.salt));
        }
        let mut count = 0;
        for payload in payloads {
            frame::push(&mut self.group, last.salt, sequence + count, ingested + count as i64, payload);
            count += 1;
        }
        let Active::Open { file, is_listed } = &mut self.active else {
            return Err(io::Error::other("the log file is not open"));
        };
        let mut written = file.append(&self.group).and_then(|()| file.sync());
        if written.is_ok() && !*is_listed {
            written = self.storage.sync_dir(&self.dir);
        }
        if let Err(error) = written {
            self.active = Active::Dirty;
            // Cut back at once if the disk lets us; if not, the next append tries again before it writes.
            let _ = self.heal();
            return Err(error);
        }
        *is_listed = true;
        last.bytes += self.group.len() as u64;
        self.next = sequence + count;
        self.ingested = ingested + count as i64 - 1;
        // One huge group must not hold its memory for ever.
        self.group.shrink_to(16 << 20);
        Ok((sequence, ingested))
    }

    fn rotate(&mut self) -> io::Result<()> {
        let path = self.dir.join(name_of(self.next));
        let file = match self.storage.create(&path) {
            // Left over from a failed rotation: no frame with this sequence was ever acknowledged.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.storage.open_at(&path, 0)?,
            created => created?,
        };
        self.files.push(LogFile { path, first: self.next, bytes: 0, salt: self.salt });
        self.active = Active::Open { file, is_listed: false };
        Ok(())
    }

    /// Removes the files whose frames are all at or below `through`; the last file always stays.
    pub fn release(&mut self, through: u64) -> io::Result<usize> {
        let mut removed = 0;
        while self.files.len() > 1 && self.files[1].first <= through.saturating_add(1) {
            match self.storage.remove(&self.files[0].path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {
                    self.files.remove(0);
                    removed += 1;
                }
            }
        }
        if removed > 0 {
            self.storage.sync_dir(&self.dir)?;
        }
        Ok(removed)
    }

    pub fn files(&self) -> &[LogFile] {
        &self.files
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Sequence of the next frame.
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn name_of(first: u64) -> String {
    format!("{first:020}.wal")
}

fn first_of(name: &str) -> Option<u64> {
    name.strip_suffix(".wal").filter(|digits| digits.len() == 20)?.parse().ok()
}
