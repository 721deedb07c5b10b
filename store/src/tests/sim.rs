//! The whole store on a machine whose power fails between any two calls: log, flush, compaction, index, retention, proof.
//!
//! After each recovery: what was acknowledged is visible, nothing is there twice, nothing is there that was never sent, the books
//! balance; at the end the files fit their checksums and the proof holds. One seed: `CHIENG_SIM_SEED=7 cargo test -p store
//! whole_store`; more: `CHIENG_SIM_SEEDS=1000`; `cargo xtask sim --minutes 10` goes on from
//! `CHIENG_SIM_FROM`.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use event::Micros;

use super::{
    gate::Gated,
    machine::{Machine, files_below},
    support::*,
};
use crate::{
    Compacted, Options, RetentionPolicy, Store, Tail,
    proof::{VerifyOptions, verify},
    wal::sim::Rng,
};

/// Calls after which nothing fails any more.
const ENDLESS: u64 = u64::MAX;
const HOUR: Micros = 3_600_000_000;

/// What must hold, kept beside the store under test.
#[derive(Default)]
struct Model {
    acknowledged: BTreeSet<u64>,
    /// Sent, and answered with an error: visible or not.
    open: BTreeSet<u64>,
    /// Outlived their rule, as the tombstones say.
    dropped: BTreeSet<u64>,
    next: u64,
    crashes: u64,
    flushes: u64,
    compactions: u64,
    /// Compactions of files that were compacted before.
    merges: u64,
    faults: u64,
}

struct Keep(Micros);

impl RetentionPolicy for Keep {
    fn keep(&self, _: &str, _: &str) -> Option<Micros> {
        Some(self.0)
    }

    fn actor(&self) -> String {
        "sim".into()
    }

    fn reason(&self) -> String {
        "old".into()
    }
}

struct World {
    store: Arc<Store>,
    tail: Tail,
    clock: Arc<TestClock>,
    now: Micros,
}

fn small(dir: &Path) -> Options {
    Options {
        wal_file_bytes: 2_000,
        compact_rows: 30,
        compact_slice_rows: 40,
        compact_file_bytes: 60_000,
        // Rules of hours: files of several hours all the same.
        compact_span_share: 1,
        ..options(dir)
    }
}

/// Starts the store; `None` when the machine went down meanwhile or a call failed: a person starts it again.
async fn start(dir: &Path, machine: &Machine, now: Micros) -> Option<World> {
    let clock = TestClock::new();
    clock.set(now);
    let gate = machine.clone();
    let wrap = |inner| Arc::new(Gated { inner, gate }) as _;
    let store = Store::open_with(small(dir), Arc::clone(&clock) as _, Arc::new(machine.clone()), wrap).await.ok()?;
    let tail = store.tail();
    Some(World { store, tail, clock, now })
}

impl World {
    /// Publishes what is durable, as far as it goes.
    async fn drain(&mut self) -> bool {
        while self.tail.position() < self.store.stats().wal_durable {
            match self.tail.next(1, Duration::from_secs(10)).await {
                Ok(Some(frames)) if !frames.is_empty() => self.store.publish(process(&frames, plain)),
                _ => return false,
            }
        }
        true
    }

    /// Everything durable is visible: compare it with the model.
    fn check(&self, model: &mut Model) -> Result<(), String> {
        let visible = visible(&self.store.snapshot());
        let mut seen = BTreeSet::new();
        for (id, (times, number)) in &visible {
            if *times != 1 || !seen.insert(*number) {
                return Err(format!("record {number} ({id}) is there twice"));
            }
            if *number >= model.next {
                return Err(format!("record {number} was never sent"));
            }
        }
        if let Some(lost) = model.acknowledged.iter().find(|number| !seen.contains(number) && !model.dropped.contains(number)) {
            return Err(format!("record {lost} was acknowledged and is gone"));
        }
        // What is shown once stays.
        let shown: Vec<u64> = model.open.intersection(&seen).copied().collect();
        model.acknowledged.extend(&shown);
        // The rest never reached the disk: what recovery did not find cannot come back.
        model.open.clear();
        Ok(())
    }

    async fn step(&mut self, model: &mut Model, rng: &mut Rng) -> Result<(), String> {
        // The clock may jump; the store's own time never goes back.
        self.now += rng.below(20 * 60_000_000) as i64 - if rng.chance(10) { HOUR } else { 0 };
        self.clock.set(self.now);
        match rng.below(20) {
            0..=9 => {
                let count = rng.below(12) + 1;
                let (from, to) = (model.next, model.next + count);
                model.next = to;
                let source = if rng.chance(50) { "a" } else { "b" };
                match self.store.sink().submit(batch(source, from, to)).await {
                    Ok(_) => model.acknowledged.extend(from..to),
                    Err(_) => model.open.extend(from..to),
                }
            }
            10..=12 => {
                self.drain().await;
            }
            13..=15 => {
                self.drain().await;
                model.flushes += u64::from(self.store.flush().await.is_ok());
            }
            16..=17 => {
                if let Ok(Some(done)) = self.store.compact_once().await {
                    model.compactions += 1;
                    model.merges += u64::from(is_merge(&done));
                }
            }
            18 => {
                let through = self.tail.position();
                self.store.release(rng.below(through + 1));
                let _ = self.store.close_root(rng.chance(50)).await;
            }
            _ => self.retire(model).await?,
        }
        Ok(())
    }

    /// Drops what is old, and believes only the tombstones about what went.
    async fn retire(&mut self, model: &mut Model) -> Result<(), String> {
        let before = visible(&self.store.snapshot());
        let _ = self.store.apply_retention(&Keep(6 * HOUR), self.now).await;
        let after = visible(&self.store.snapshot());
        let gone = before.iter().filter(|(id, _)| !after.contains_key(*id)).map(|(_, (_, number))| *number);
        model.dropped.extend(gone);
        self.store.sweep().await;
        Ok(())
    }
}

/// Starts until it runs, publishes everything and compares.
async fn recover(dir: &Path, machine: &mut Machine, model: &mut Model, calls: u64, now: Micros) -> Result<World, String> {
    for attempt in 0..200 {
        if let Some(mut world) = start(dir, machine, now).await
            && world.drain().await
        {
            // Deletions that were committed before the power went: their tombstones say so, the model did not see them.
            let tombstones = world.store.tombstones().await.map_err(|error| error.to_string())?;
            let rows: u64 = tombstones.iter().map(|stone| stone.rows).sum();
            let shown: BTreeSet<u64> = visible(&world.store.snapshot()).values().map(|(_, number)| *number).collect();
            let missing: Vec<u64> = model.acknowledged.difference(&shown).copied().collect();
            model.dropped.extend(missing);
            if model.dropped.len() as u64 > rows {
                return Err(format!("{} records are gone, the tombstones speak of {rows}", model.dropped.len()));
            }
            world.check(model)?;
            return Ok(world);
        }
        *machine = machine.restart(if attempt > 20 { ENDLESS } else { calls + 50 }, (attempt > 20).then_some(0));
        model.crashes += 1;
    }
    Err("the store does not start".into())
}

/// Runs one seed through several power cuts.
async fn run(seed: u64) -> Result<Model, String> {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Rng(seed);
    let machine = Machine::new(seed, if rng.chance(50) { 0 } else { rng.below(8) });
    let mut model = Model::default();
    let mut now = START;
    for _ in 0..rng.below(4) + 2 {
        let calls = 20 + rng.below(250);
        let mut process = machine.restart(calls, None);
        let mut world = recover(dir.path(), &mut process, &mut model, calls, now).await?;
        for _ in 0..80 {
            if process.is_down() {
                break;
            }
            world.step(&mut model, &mut rng).await?;
        }
        now = now.max(world.now);
        model.crashes += 1;
    }
    model.faults = machine.faults();
    let mut process = machine.restart(ENDLESS, Some(0));
    let world = recover(dir.path(), &mut process, &mut model, ENDLESS - 50, now).await?;
    finish(&world, dir.path(), &mut model).await.map(|()| model)
}

fn is_merge(done: &Compacted) -> bool {
    ["-l2", "-l3", "-l4"].iter().any(|level| done.outputs.iter().any(|id| id.contains(level)))
}

/// A good machine brings everything to its end: one flush, compaction, the books, checksums, the proof.
async fn finish(world: &World, dir: &Path, model: &mut Model) -> Result<(), String> {
    let failed = |what: &str| format!("{what} fails on a good machine");
    world.store.flush().await.map_err(|error| format!("{}: {}", failed("a flush"), error.chain()))?;
    let done = world.store.compact_all().await;
    let done = done.map_err(|error| format!("{}: {}", failed("compaction"), error.chain()))?;
    model.merges += done.iter().filter(|done| is_merge(done)).count() as u64;
    world.store.sweep().await;
    world.check(model)?;
    let sum = books(&world.store).await;
    let tombstones = world.store.tombstones().await.map_err(|error| error.chain())?;
    let events = world.store.snapshot().rows() + tombstones.iter().map(|stone| stone.rows).sum::<u64>();
    if sum.unaccounted() != 0 || sum.received != sum.events || sum.events != events {
        return Err(format!("the books say {sum:?}, {events} events are there or in tombstones"));
    }
    let stats = world.store.stats();
    if !stats.segments_missing.is_empty() {
        return Err(format!("segments without a file: {:?}", stats.segments_missing));
    }
    let known = world.store.snapshot();
    let named = known.segments.iter().flat_map(|segment| segment.index_path().into_iter().chain([segment.path.clone()]));
    let named: BTreeSet<_> = named.collect();
    if let Some(orphan) = files_below(&dir.join("segments")).difference(&named).next() {
        return Err(format!("{} belongs to no segment", orphan.display()));
    }
    let report = verify(VerifyOptions { dir: dir.to_owned(), ..VerifyOptions::default() }, Arc::new(|_| {})).await;
    let report = report.map_err(|error| format!("the proof cannot be checked: {}", error.chain()))?;
    if !report.is_intact() {
        return Err(format!("the proof does not hold: {:?}", report.divergences));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_store() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("CHIENG_SIM_SEED");
    let count = if first.is_some() { 1 } else { number("CHIENG_SIM_SEEDS").unwrap_or(20) };
    let until = number("CHIENG_SIM_MINUTES").map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    let mut sum = Model::default();
    let mut seeds = 0;
    let start = first.or(number("CHIENG_SIM_FROM")).unwrap_or(0);
    while until.map_or(seeds < count, |until| Instant::now() < until) {
        let seed = start + seeds;
        let model = run(seed).await;
        let model =
            model.unwrap_or_else(|error| panic!("{error}\nrepeat: CHIENG_SIM_SEED={seed} cargo test -p store whole_store"));
        sum.crashes += model.crashes;
        sum.flushes += model.flushes;
        sum.compactions += model.compactions;
        sum.merges += model.merges;
        sum.faults += model.faults;
        sum.next += model.acknowledged.len() as u64;
        sum.dropped.extend(model.dropped);
        seeds += 1;
    }
    eprintln!(
        "{seeds} seeds: {} records acknowledged, {} crashes, {} failed calls, {} flushes, {} compactions, {} merges, {} dropped",
        sum.next,
        sum.crashes,
        sum.faults,
        sum.flushes,
        sum.compactions,
        sum.merges,
        sum.dropped.len()
    );
    let does_enough =
        sum.crashes > seeds && sum.flushes > seeds && sum.compactions > 0 && sum.merges > 0 && sum.next > 20 * seeds;
    assert!(first.is_some() || does_enough, "the simulation does too little");
}
