//! A machine whose power may fail between, or in the middle of, any two calls: real files below a folder, and beside them
//! what a power cut would leave of each.
//!
//! Segments, indexes and the proof's journals are read by their paths, so the files are real ones; [`Machine::restart`]
//! rewrites them to what survived. The catalogue is SQLite with full sync and is trusted to be whole; power fails before a
//! commit or after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use event::seam::{Storage, StorageFile};

use super::gate::Gate;
use crate::{
    Disk, Error, Result,
    wal::sim::{Rng, SimFile, survivor},
};

/// What is known of one path since the last restart.
#[derive(Default)]
struct Entry {
    /// As of the last sync of the folder: `None` when there was no file.
    listed: Option<Vec<u8>>,
    /// As of the last sync of the file.
    durable: Vec<u8>,
    /// Bytes from the start that no call has touched since.
    untouched: usize,
}

struct State {
    rng: Rng,
    entries: BTreeMap<PathBuf, Entry>,
    /// Renames whose folder was not synced since.
    renames: Vec<(PathBuf, PathBuf)>,
    calls_left: u64,
    is_down: bool,
    fault_percent: u64,
    epoch: u64,
    pub faults: u64,
}

/// Cheap to clone. What was opened before a restart belongs to a process that is dead: its calls fail for ever.
#[derive(Clone)]
pub struct Machine {
    state: Arc<Mutex<State>>,
    epoch: u64,
}

struct Handle {
    machine: Machine,
    path: PathBuf,
    file: fs::File,
}

fn down() -> io::Error {
    io::Error::other("the machine is down")
}

impl Machine {
    pub fn new(seed: u64, fault_percent: u64) -> Self {
        let state = State {
            rng: Rng(seed ^ 0x3AC4),
            entries: BTreeMap::new(),
            renames: Vec::new(),
            calls_left: 0,
            is_down: true,
            fault_percent,
            epoch: 0,
            faults: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), epoch: 0 }
    }

    pub fn is_down(&self) -> bool {
        let state = self.lock();
        state.is_down || state.epoch != self.epoch
    }

    /// How many calls failed without a crash.
    pub fn faults(&self) -> u64 {
        self.lock().faults
    }

    /// Power off, and on again; off again after this many calls. The machine that is returned is the new process.
    pub fn restart(&self, calls: u64, fault_percent: Option<u64>) -> Self {
        let mut state = self.lock();
        let state = &mut *state;
        // A rename without a sync of its folder happened, or did not.
        for (from, to) in std::mem::take(&mut state.renames) {
            if state.rng.chance(50) && to.exists() && !from.exists() {
                fs::rename(&to, &from).unwrap();
                let entry = state.entries.remove(&to).unwrap_or_default();
                state.entries.insert(from, entry);
            }
        }
        for (path, entry) in std::mem::take(&mut state.entries) {
            let now = fs::read(&path).ok();
            let left = match (&now, &entry.listed) {
                (None, None) => continue,
                // A creation or a removal that was not synced holds or does not.
                (Some(_), None) | (None, Some(_)) if state.rng.chance(50) => None,
                (Some(now), _) => {
                    let file = SimFile { durable: entry.durable, current: now.clone(), untouched: entry.untouched };
                    Some(survivor(&mut state.rng, &file))
                }
                (None, Some(before)) => Some(before.clone()),
            };
            match left {
                Some(left) if Some(&left) != now.as_ref() => fs::write(&path, left).unwrap(),
                None if now.is_some() => fs::remove_file(&path).unwrap(),
                _ => {}
            }
        }
        state.calls_left = calls;
        state.is_down = false;
        state.fault_percent = fault_percent.unwrap_or(state.fault_percent);
        state.epoch += 1;
        Self { state: Arc::clone(&self.state), epoch: state.epoch }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a call that changes something; an error when the machine is down, goes down now, or the call shall fail.
    fn enter(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.alive()?;
        if state.calls_left == 0 {
            state.is_down = true;
            return Err(down());
        }
        state.calls_left -= 1;
        let percent = state.fault_percent;
        if state.rng.chance(percent) {
            state.faults += 1;
            let is_full = state.rng.chance(50);
            return Err(if is_full { io::ErrorKind::StorageFull.into() } else { io::Error::other("input/output error") });
        }
        Ok(state)
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.is_down || state.epoch != self.epoch { Err(down()) } else { Ok(state) }
    }

    /// True half of the time: an error, or a crash, may come before or after the thing was done.
    fn happens_all_the_same(&self) -> bool {
        let mut state = self.lock();
        state.epoch == self.epoch && state.rng.chance(50)
    }
}

impl State {
    /// Starts to keep book of a path as it stands on the disk.
    fn watch(&mut self, path: &Path) -> &mut Entry {
        self.entries.entry(path.to_owned()).or_insert_with(|| {
            let listed = fs::read(path).ok();
            let durable = listed.clone().unwrap_or_default();
            Entry { untouched: durable.len(), listed, durable }
        })
    }
}

impl Storage for Machine {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let entered = self.enter().map(drop);
        let entered = match entered {
            Err(error) if !self.happens_all_the_same() => return Err(error),
            entered => entered,
        };
        let mut state = self.lock();
        state.watch(path);
        let file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        entered?;
        let entry = state.watch(path);
        (entry.durable, entry.untouched) = (Vec::new(), 0);
        Ok(Box::new(Handle { machine: self.clone(), path: path.to_owned(), file }))
    }

    fn open_at(&self, path: &Path, len: u64) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.enter()?;
        let entry = state.watch(path);
        entry.untouched = entry.untouched.min(len as usize);
        let mut file = fs::OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(len))?;
        Ok(Box::new(Handle { machine: self.clone(), path: path.to_owned(), file }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        drop(self.alive()?);
        Disk.read(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        drop(self.alive()?);
        Disk.list(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.enter()?;
        state.watch(path);
        Disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.enter()?;
        state.watch(from);
        state.watch(to);
        Disk.rename(from, to)?;
        // Content goes along; what the folder says of either name is as it was.
        let (durable, untouched) = {
            let moved = state.watch(from);
            (std::mem::take(&mut moved.durable), std::mem::take(&mut moved.untouched))
        };
        let entry = state.watch(to);
        (entry.durable, entry.untouched) = (durable, untouched);
        state.renames.push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        // Folders are not lost: an empty one does no harm, and files in it are the interesting part.
        drop(self.enter()?);
        Disk.create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.enter()?;
        state.renames.retain(|(from, to)| from.parent() != Some(dir) && to.parent() != Some(dir));
        for (path, entry) in state.entries.iter_mut().filter(|(path, _)| path.parent() == Some(dir)) {
            entry.listed = fs::read(path).ok();
        }
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl StorageFile for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.machine.enter() {
            Ok(_state) => self.file.write_all(bytes),
            Err(error) => {
                let mut state = self.machine.lock();
                // The last call of a process that dies may still have written a part.
                if state.epoch == self.machine.epoch {
                    let part = state.rng.below(bytes.len() as u64 + 1) as usize;
                    self.file.write_all(&bytes[..part])?;
                }
                Err(error)
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.machine.enter()?;
        let content = fs::read(&self.path)?;
        let entry = state.watch(&self.path);
        entry.untouched = content.len();
        entry.durable = content;
        Ok(())
    }
}

/// Commits: power fails before, or after and the answer is lost.
impl Gate for Machine {
    fn before(&self) -> Result<()> {
        self.enter().map(drop).map_err(|_| Error::Stopped("the catalogue, by the machine,"))
    }

    fn after(&self) -> Result<()> {
        self.before()
    }

    fn read(&self) -> Result<()> {
        self.alive().map(drop).map_err(|_| Error::Stopped("the catalogue, by the machine,"))
    }
}

/// The paths of all files below a folder.
pub fn files_below(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&entry.path())),
            _ => {
                found.insert(entry.path());
            }
        }
    }
    found
}
