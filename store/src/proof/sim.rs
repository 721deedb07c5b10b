//! The keeper over a bad disk and a catalogue that may not answer: whatever dies when, one chain is left, and it holds every
//! committed flush once.
//!
//! One seed: `CHIENG_SIM_SEED=7 cargo test -p store proof::sim`; more: `CHIENG_SIM_COUNT=10000`.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, StringViewArray, TimestampMicrosecondArray},
    record_batch::RecordBatch,
};
use event::seam::Storage;
use proof::{
    Hash,
    journal::{Journal, JournalName, Record},
};

use super::{
    Attempt, FOLDER,
    keeper::{Cursor, Keeper},
};
use crate::{HotBatch, wal::sim::SimDisk};

const START: i64 = 1_790_000_000_000_000;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// Two records in each of some frames.
fn hot(after: u64, through: u64, ingested: i64) -> Arc<HotBatch> {
    let ids: Vec<String> = (after + 1..=through).flat_map(|frame| [format!("n-{frame}-0"), format!("n-{frame}-1")]).collect();
    let text = |value: &str| Arc::new(StringViewArray::from(vec![value; ids.len()])) as ArrayRef;
    let times = TimestampMicrosecondArray::from(vec![ingested; ids.len()]).with_timezone("UTC");
    let batch = RecordBatch::try_from_iter([
        ("event.id", Arc::new(StringViewArray::from_iter_values(&ids)) as ArrayRef),
        ("event.ingested", Arc::new(times) as ArrayRef),
        ("event.dataset", text("a.log")),
        ("event.original", text("line")),
        ("system.id", text("s")),
    ]);
    let dataset = "a.log".to_owned();
    let ingested = (ingested, ingested);
    Arc::new(HotBatch { dataset, batch: batch.unwrap(), through, bytes: 1, timestamp: None, ingested, systems: Vec::new() })
}

/// Reads all that is committed: one chain, no gap, nothing twice.
fn check(disk: &SimDisk, dir: &Path, cursor: &Cursor, seed: u64) {
    let mut names: Vec<JournalName> = disk.list(dir).unwrap().iter().filter_map(|name| JournalName::parse(name)).collect();
    names.sort();
    let current = JournalName::parse(&cursor.file).unwrap();
    let (mut chain, mut through, mut roots): (Hash, u64, u64) = ([0; 32], 0, 0);
    for name in names.into_iter().filter(|name| *name <= current) {
        let mut bytes = disk.read(&dir.join(name.file())).unwrap();
        if name == current {
            bytes.truncate(cursor.length as usize);
        }
        for entry in Journal::new(name.file(), &bytes) {
            let entry = entry.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            match &entry.record {
                Record::Start(start) => assert_eq!((start.chain, start.broken.clone()), (chain, None), "seed {seed}"),
                Record::Block(block) => {
                    assert_eq!(block.after, through, "seed {seed}: a gap, or a block that is there twice");
                    assert_eq!(block.rows(), 2 * (block.through - block.after), "seed {seed}");
                    through = block.through;
                }
                Record::Root(root) => {
                    roots += 1;
                    assert_eq!(root.read().unwrap().number, roots, "seed {seed}");
                }
                _ => {}
            }
            chain = entry.after;
        }
    }
    assert_eq!((chain, through, roots), (cursor.chain, cursor.through, cursor.root), "seed {seed}");
}

/// One life after the other; returns how many steps were committed.
fn run(seed: u64) -> u64 {
    let mut rng = Rng(seed);
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join(FOLDER);
    let disk = SimDisk::new(seed, 5);
    let mut saved: Option<String> = None;
    let (mut now, mut committed) = (START, 0);
    for _ in 0..12 {
        disk.restart(rng.below(40));
        let cursor = saved.as_deref().map(|text| Cursor::parse(text).unwrap());
        let through = cursor.as_ref().map_or(0, |cursor| cursor.through);
        let keeper = Keeper::open(data.path(), "n", Arc::new(disk.clone()), saved.as_deref(), through);
        while let Ok(keeper) = &keeper {
            if disk.is_crashed() {
                break;
            }
            assert_eq!(keeper.broken(), None, "seed {seed}: what is committed is whole");
            now += rng.below(3 * proof::HOUR as u64) as i64;
            let cursor = keeper.cursor();
            // The first step begins the journal, as opening a store does.
            let step = match if saved.is_some() { rng.below(10) } else { 10 } {
                0..7 => {
                    let middle = cursor.through + 1 + rng.below(3);
                    let last = middle + 1 + rng.below(3);
                    let batches = [hot(cursor.through, middle, now), hot(middle, last, now + rng.below(1 << 32) as i64)];
                    keeper.extend(&batches, (cursor.through, last), &[], now).map(Some)
                }
                10 => keeper.start(now),
                7 | 8 => keeper.close(now, |cursor| cursor.hour.is_some()),
                _ => {
                    let (target, detail) = ("t".to_owned(), String::new());
                    keeper.receive(&Attempt {
                        root: cursor.root,
                        hash: cursor.root_hash,
                        target,
                        at: now,
                        is_taken: true,
                        detail,
                    })
                }
            };
            let Ok(Some(text)) = step else { continue };
            // The catalogue commits, refuses, or the machine dies before anybody hears of it, with the commit or without.
            let fate = rng.below(10);
            if fate < 8 && fate != 6 {
                saved = Some(text);
                committed += 1;
            }
            if fate >= 7 {
                break;
            }
            assert_eq!(keeper.settle(saved.as_deref()), fate != 6, "seed {seed}");
        }
        drop(keeper);
        disk.restart(u64::MAX);
        if let Some(text) = &saved {
            check(&disk, &dir, &Cursor::parse(text).unwrap(), seed);
        }
    }
    committed
}

#[test]
fn one_chain_is_left_whatever_dies_when() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("CHIENG_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CHIENG_SIM_COUNT").unwrap_or(20),
    };
    let committed: u64 = seeds.clone().map(run).sum();
    let count = seeds.end - seeds.start;
    eprintln!("{count} seeds: {committed} steps committed");
    assert!(count < 20 || committed > 5 * count, "the simulation does too little: {committed}");
}
