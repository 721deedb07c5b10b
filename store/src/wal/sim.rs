//! A seeded simulator of a bad disk under the log: torn writes, lost unsynced bytes, full disks, I/O errors, and a crash
//! between (or in the middle of) any two calls.
//!
//! After each recovery: what was acknowledged is there, nothing is there twice, order is kept, and a refused batch does not come
//! back once a later one was acknowledged. One seed: `CHIENG_SIM_SEED=7 cargo test -p store sim`; more seeds:
//! `CHIENG_SIM_COUNT=100000`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use event::{
    Micros, RawBatch,
    seam::{Storage, StorageFile},
};

use super::{
    frame,
    log::{Log, Place},
};

/// SplitMix64.
pub(crate) struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A file on a disk that may lose power.
#[derive(Clone, Default)]
pub(crate) struct SimFile {
    /// Content as of the last sync.
    pub durable: Vec<u8>,
    pub current: Vec<u8>,
    /// Bytes from the start that no call has touched since the last sync.
    pub untouched: usize,
}

/// Pages of this many bytes reach the disk one by one.
const PAGE: usize = 32;

struct State {
    rng: Rng,
    files: HashMap<PathBuf, SimFile>,
    /// Entries as of the last `sync_dir`; a file in here that is not in `files` was removed since.
    listed: HashMap<PathBuf, SimFile>,
    calls_left: u64,
    is_crashed: bool,
    fault_percent: u64,
    faults: u64,
}

#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct SimHandle(SimDisk, PathBuf);

fn crashed() -> io::Error {
    io::Error::other("crashed")
}

impl State {
    /// Counts a call; an error when the machine is down, goes down now, or the call shall fail.
    fn enter(&mut self) -> io::Result<()> {
        if self.is_crashed || self.calls_left == 0 {
            self.is_crashed = true;
            return Err(crashed());
        }
        self.calls_left -= 1;
        if self.rng.chance(self.fault_percent) {
            self.faults += 1;
            let full = self.rng.chance(50);
            return Err(if full { io::ErrorKind::StorageFull.into() } else { io::Error::other("input/output error") });
        }
        Ok(())
    }
}

/// What a power cut leaves of a file: pages as of the last sync, as written since, or zeros.
pub(crate) fn survivor(rng: &mut Rng, file: &SimFile) -> Vec<u8> {
    let longest = file.durable.len().max(file.current.len());
    let cut = match rng.below(3) {
        0 => file.current.len(),
        1 => file.durable.len(),
        _ => file.untouched + rng.below((longest - file.untouched) as u64 + 1) as usize,
    };
    let mut left = file.durable[..file.untouched].to_vec();
    left.resize(cut.max(file.untouched), 0);
    for page in (0..left.len().div_ceil(PAGE)).map(|page| page * PAGE) {
        let from = match rng.below(5) {
            0 => None,
            1 => Some(&file.durable),
            _ => Some(&file.current),
        };
        for at in page.max(file.untouched)..(page + PAGE).min(left.len()) {
            left[at] = from.and_then(|bytes| bytes.get(at)).copied().unwrap_or(0);
        }
    }
    left
}

impl SimDisk {
    pub fn new(seed: u64, fault_percent: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: Rng(seed ^ 0xD15C),
            files: HashMap::new(),
            listed: HashMap::new(),
            calls_left: 0,
            is_crashed: false,
            fault_percent,
            faults: 0,
        })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Cuts the power and starts the machine again; it will go down after this many calls.
    pub fn restart(&self, calls: u64) {
        let mut state = self.state();
        let (files, listed) = (std::mem::take(&mut state.files), std::mem::take(&mut state.listed));
        let paths: BTreeSet<PathBuf> = files.keys().chain(listed.keys()).cloned().collect();
        for path in paths {
            let file = match (files.get(&path), listed.get(&path)) {
                // A creation or a removal that was not synced holds or does not.
                (Some(_), None) | (None, Some(_)) if state.rng.chance(50) => continue,
                (Some(file), _) => file,
                (None, Some(file)) => file,
                (None, None) => continue,
            };
            let left = survivor(&mut state.rng, file);
            let file = SimFile { untouched: left.len(), durable: left.clone(), current: left };
            state.files.insert(path.clone(), file.clone());
            state.listed.insert(path, file);
        }
        state.is_crashed = false;
        state.calls_left = calls;
    }

    pub fn is_crashed(&self) -> bool {
        self.state().is_crashed
    }
}

impl Storage for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        let entered = state.enter();
        // A crash, or an error, may come before or after the entry was made.
        if entered.is_err() && state.rng.chance(50) {
            return Err(crashed());
        }
        if state.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(path.to_owned(), SimFile::default());
        entered.map(|()| Box::new(SimHandle(self.clone(), path.to_owned())) as Box<dyn StorageFile>)
    }

    fn open_at(&self, path: &Path, len: u64) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        state.enter()?;
        let file = state.files.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
        file.current.truncate(len as usize);
        file.untouched = file.untouched.min(len as usize);
        Ok(Box::new(SimHandle(self.clone(), path.to_owned())))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        // Reads fail only when the machine is down: a log that cannot be read is another test's business.
        if state.is_crashed || state.calls_left == 0 {
            state.is_crashed = true;
            return Err(crashed());
        }
        state.calls_left -= 1;
        Ok(state.files.get(path).ok_or(io::ErrorKind::NotFound)?.current.clone())
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        if state.is_crashed {
            return Err(crashed());
        }
        Ok(state.files.keys().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.enter()?;
        let removed = state.files.remove(path).ok_or(io::ErrorKind::NotFound)?;
        if let Some(listed) = state.listed.get_mut(path) {
            *listed = removed;
        }
        Ok(())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::Error::other("the log renames nothing"))
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        self.state().enter()
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.enter()?;
        state.listed = state.files.clone();
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl StorageFile for SimHandle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.state();
        let entered = state.enter();
        let written = if entered.is_ok() { bytes.len() } else { state.rng.below(bytes.len() as u64 + 1) as usize };
        let file = state.files.get_mut(&self.1).ok_or(io::ErrorKind::NotFound)?;
        file.current.extend_from_slice(&bytes[..written]);
        entered
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.state();
        state.enter()?;
        let file = state.files.get_mut(&self.1).ok_or(io::ErrorKind::NotFound)?;
        file.durable = file.current.clone();
        file.untouched = file.current.len();
        Ok(())
    }
}

/// What must hold, kept beside the log under test.
#[derive(Default)]
struct Model {
    /// Acknowledged, or seen after a recovery: by sequence, the batch's number.
    known: BTreeMap<u64, u64>,
    /// Answered with an error, and nothing acknowledged since.
    refused: BTreeSet<u64>,
    /// Answered with an error before something later was acknowledged: must never be seen.
    gone: BTreeSet<u64>,
    submitted: u64,
    released: u64,
    now: Micros,
    groups: u64,
    crashes: u64,
}

fn batch(number: u64, rng: &mut Rng) -> RawBatch {
    let mut batch = RawBatch::new("sim", None, number as i64);
    for _ in 0..rng.below(3) + 1 {
        let filler = vec![b'.'; rng.below(120) as usize];
        batch.push(&[number.to_string().as_bytes(), &filler].concat());
    }
    batch
}

fn recover(disk: &SimDisk, model: &mut Model) -> Result<Option<Log>, String> {
    let place = Place { dir: "wal".into(), file_bytes_max: 700, salt: 42 };
    let mut seen: Vec<(u64, Micros, u64)> = Vec::new();
    let recovered = Log::recover(Arc::new(disk.clone()), &place, (model.released, 0), |sequence, ingested, payload| {
        let number = frame::decode(payload).map_or(u64::MAX, |batch| batch.received as u64);
        seen.push((sequence, ingested, number));
    });
    if disk.is_crashed() {
        return Ok(None);
    }
    let (log, _) = recovered.map_err(|error| format!("recovery failed: {error}"))?;
    for pair in seen.windows(2) {
        if pair[0].0 >= pair[1].0 || pair[0].1 >= pair[1].1 || pair[0].2 >= pair[1].2 {
            return Err(format!("out of order or twice: {pair:?}"));
        }
    }
    let found: BTreeMap<u64, u64> = seen.iter().map(|(sequence, _, number)| (*sequence, *number)).collect();
    for (sequence, number) in model.known.range(model.released + 1..) {
        if found.get(sequence) != Some(number) {
            return Err(format!("acknowledged batch {number} (frame {sequence}) came back as {:?}", found.get(sequence)));
        }
    }
    for (sequence, number) in &found {
        if *number > model.submitted || model.gone.contains(number) {
            return Err(format!("frame {sequence} holds batch {number}, which was refused or never sent"));
        }
    }
    if log.next() <= *found.keys().max().unwrap_or(&0) || log.next() <= model.released {
        return Err(format!("sequence {} is given twice", log.next()));
    }
    // What recovery shows is published from now on, whatever was answered.
    model.known.extend(found);
    model.refused.clear();
    Ok(Some(log))
}

fn step(log: &mut Log, model: &mut Model, rng: &mut Rng) -> Result<(), String> {
    model.now += rng.below(2_000) as i64 - 700;
    if rng.chance(10) {
        let newest = model.known.keys().max().copied().unwrap_or(0);
        let through = model.released + rng.below(newest.saturating_sub(model.released) + 1);
        model.released = through;
        let _ = log.release(through);
        return Ok(());
    }
    let numbers: Vec<u64> = (0..rng.below(4) + 1).map(|at| model.submitted + 1 + at).collect();
    model.submitted += numbers.len() as u64;
    let payloads: Vec<Vec<u8>> = numbers.iter().map(|number| frame::encode(&batch(*number, rng)).unwrap()).collect();
    match log.append(payloads.iter().map(Vec::as_slice), model.now) {
        Ok((first, _)) => {
            model.groups += 1;
            let newest = model.known.keys().max().copied().unwrap_or(0);
            if first <= newest {
                return Err(format!("sequence {first} is given twice, {newest} is known"));
            }
            model.known.extend((first..).zip(numbers));
            let refused = std::mem::take(&mut model.refused);
            model.gone.extend(refused);
        }
        Err(_) => model.refused.extend(numbers),
    }
    Ok(())
}

/// Runs one seed through several crashes.
fn run(seed: u64) -> Result<Model, String> {
    let mut rng = Rng(seed);
    let disk = SimDisk::new(seed, if rng.chance(50) { 0 } else { rng.below(25) });
    let mut model = Model { now: 1_000_000, ..Model::default() };
    for _ in 0..rng.below(6) + 2 {
        let calls = 3 + rng.below(120);
        disk.restart(calls);
        let mut log = loop {
            match recover(&disk, &mut model)? {
                Some(log) => break log,
                None => disk.restart(20 + rng.below(200)),
            }
        };
        while !disk.is_crashed() {
            step(&mut log, &mut model, &mut rng)?;
        }
        model.crashes += 1;
    }
    disk.restart(u64::MAX);
    recover(&disk, &mut model)?;
    Ok(model)
}

#[test]
fn sim() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("CHIENG_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CHIENG_SIM_COUNT").unwrap_or(600),
    };
    let (mut groups, mut crashes, mut gone) = (0, 0, 0);
    for seed in seeds.clone() {
        let model = run(seed).unwrap_or_else(|error| panic!("{error}\nrepeat: CHIENG_SIM_SEED={seed} cargo test -p store sim"));
        groups += model.groups;
        crashes += model.crashes;
        gone += model.gone.len();
    }
    eprintln!(
        "{} seeds: {groups} groups acknowledged, {gone} batches refused for good, {crashes} crashes",
        seeds.end - seeds.start
    );
    assert!(seeds.end - seeds.start == 1 || (groups > 1_000 && crashes > 500 && gone > 100), "the simulation does too little");
}

/// A log of three files on a good disk, and what is in it.
fn three_files() -> (SimDisk, Place) {
    let disk = SimDisk::new(1, 0);
    disk.restart(u64::MAX);
    let place = Place { dir: "wal".into(), file_bytes_max: 300, salt: 42 };
    let (mut log, _) = Log::recover(Arc::new(disk.clone()), &place, (0, 0), |_, _, _| {}).unwrap();
    let mut rng = Rng(3);
    while log.files().len() < 3 || log.next() < 10 {
        let payload = frame::encode(&batch(log.next(), &mut rng)).unwrap();
        log.append(std::iter::once(payload.as_slice()), 5).unwrap();
    }
    (disk, place)
}

#[test]
fn one_damaged_byte_anywhere_costs_one_frame_at_most() {
    let (disk, place) = three_files();
    let count = |disk: &SimDisk| {
        let mut seen = 0_u64;
        let (log, report) = Log::recover(Arc::new(disk.clone()), &place, (0, 0), |_, _, _| seen += 1).unwrap();
        (seen, report, log.next())
    };
    let (all, report, next) = count(&disk);
    assert_eq!((all, report.lost_bytes, report.torn_bytes), (next - 1, 0, 0));
    let paths: Vec<PathBuf> = disk.state().files.keys().cloned().collect();
    for path in paths {
        let bytes = disk.state().files[&path].current.len();
        for at in 0..bytes {
            disk.state().files.get_mut(&path).unwrap().current[at] ^= 0x55;
            let (seen, report, _) = count(&disk);
            // The salt of a damaged header is known to the catalogue: its frames survive.
            assert!(seen + 1 >= all, "{path:?} byte {at}: {seen} of {all} frames");
            assert!(report.lost_bytes + report.torn_bytes > 0, "{path:?} byte {at}: damage not reported");
            disk.state().files.get_mut(&path).unwrap().current[at] ^= 0x55;
        }
    }
}

#[test]
fn a_line_that_looks_like_a_frame_is_not_believed() {
    let disk = SimDisk::new(1, 0);
    disk.restart(u64::MAX);
    let place = Place { dir: "wal".into(), file_bytes_max: 1 << 20, salt: 42 };
    let (mut log, _) = Log::recover(Arc::new(disk.clone()), &place, (0, 0), |_, _, _| {}).unwrap();
    let mut forged = Vec::new();
    frame::push(&mut forged, 0, 7, 7, &frame::encode(&RawBatch::new("forged", None, 666)).unwrap());
    let mut hostile = RawBatch::new("sim", None, 1);
    hostile.push(&forged);
    let payload = frame::encode(&hostile).unwrap();
    log.append(std::iter::once(payload.as_slice()), 5).unwrap();
    log.append(std::iter::once(payload.as_slice()), 5).unwrap();
    let path = log.files()[0].path.clone();
    disk.state().files.get_mut(&path).unwrap().current[40] ^= 1;
    let mut seen = Vec::new();
    Log::recover(Arc::new(disk), &place, (0, 0), |sequence, _, _| seen.push(sequence)).unwrap();
    assert_eq!(seen, [2]);
}
