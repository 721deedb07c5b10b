//! Merges of compacted files: what is due when, that it ends, and that rows, proof, index and retention do not notice.

use std::{collections::BTreeMap, sync::Arc};

use event::Micros;
use proptest::prelude::*;

use super::{
    HOUR,
    plan::{Job, LEVEL_MAX, Limits, choose, widths},
    tests::{everything, rich},
};
use crate::{
    Disk, Options, RetentionPolicy, Segment, Snapshot, Store,
    index::{FileSource, Index, Question},
    proof::{VerifyOptions, verify},
    tests::support::*,
};

const DAY: Micros = 24 * HOUR;
/// The start of a week as files count them.
const WEEK_START: Micros = START.div_euclid(7 * DAY) * 7 * DAY;

struct Keep(Micros);

impl RetentionPolicy for Keep {
    fn keep(&self, _: &str, _: &str) -> Option<Micros> {
        Some(self.0)
    }

    fn actor(&self) -> String {
        "test".into()
    }

    fn reason(&self) -> String {
        "old".into()
    }
}

struct World {
    store: Arc<Store>,
    clock: Arc<TestClock>,
    sent: u64,
}

impl World {
    async fn new(options: Options) -> Self {
        let clock = TestClock::new();
        let store = Store::open(options, Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap();
        Self { store, clock, sent: 100 }
    }

    /// Receives and flushes so many rows at this time, none of them skewed.
    async fn flush_at(&mut self, now: Micros, rows: u64) {
        self.clock.set(now);
        let mut tail = self.store.tail_from(self.store.snapshot().through);
        self.store.sink().submit(batch("s", self.sent, self.sent + rows)).await.unwrap();
        self.sent += rows;
        drain(&self.store, &mut tail, rich).await;
        self.store.flush().await.unwrap();
    }

    /// Compacts what is due at this time.
    async fn compact_at(&self, now: Micros) -> usize {
        self.clock.set(now);
        let mut count = 0;
        while self.store.compact_once().await.unwrap().is_some() {
            count += 1;
        }
        count
    }

    /// (level, first and last hour since the week's start, rows) of each file.
    fn files(&self) -> Vec<(u8, i64, i64, u64)> {
        let snapshot = self.store.snapshot();
        let hour = |time: Micros| (time - WEEK_START).div_euclid(HOUR);
        let file = |segment: &Arc<Segment>| (segment.level, hour(segment.ingested.0), hour(segment.ingested.1), segment.rows);
        snapshot.segments.iter().map(file).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_waits_for_a_minutes_worth_and_its_end_for_little() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(Options { compact_rows: 6_400, ..options(dir.path()) }).await;
    world.flush_at(WEEK_START, 1_000).await;
    assert_eq!(world.compact_at(WEEK_START + 1_000_000).await, 0, "100 rows a second: 6,000 are worth a file");
    assert_eq!(world.compact_at(WEEK_START + 15_000_000).await, 1, "it is calm: 100 would do");
    world.flush_at(WEEK_START + 30_000_000, 90).await;
    assert_eq!(world.compact_at(WEEK_START + 60_000_000).await, 0, "too little for a file of its own");
    for _ in 0..31 {
        world.flush_at(WEEK_START + 61_000_000, 1).await;
    }
    assert_eq!(world.compact_at(WEEK_START + 61_000_000).await, 1, "but not as 32 files");
    assert_eq!(world.store.stats().compaction_debt_rows, 0);
}

#[test]
fn what_waits_beside_much_is_little_and_in_silence_less() {
    let options = Options { compact_rows: 6_400, ..Options::default() };
    let limits = Limits { span_max: HOUR, is_behind: false, merges: true };
    let big = file(0, (0, 50), 64_000, 1, false);
    let is_due = |rows: u64, newest: i64, limits: Limits| {
        let segments = vec![Arc::clone(&big), file(1, (51, 55), rows, 0, false), file(2, (newest, newest), 1, 0, true)];
        let snapshot = Snapshot { segments: segments.into(), ..Snapshot::default() };
        choose(&snapshot, &options, limits, WEEK_START + 70_000_000).is_some()
    };
    assert!(!is_due(1_999, 69, limits) && is_due(2_000, 69, limits), "a 32nd of 64,000");
    assert!(!is_due(99, 52, limits) && is_due(100, 52, limits), "nothing came for ten seconds");
    let behind = Limits { is_behind: true, ..limits };
    assert!(!is_due(51_198, 69, behind) && is_due(51_199, 69, behind), "while ingest is behind, eight times 6,400 in all");
}

#[tokio::test(flavor = "multi_thread")]
async fn thin_hours_become_a_day_and_thin_days_a_week() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { compact_thin_rows: 100, compact_slice_rows: 64, ..options(dir.path()) };
    let mut world = World::new(options.clone()).await;
    // Day 0: hours 1, 2 and 5 thin, hour 3 not. Day 1 and 2: thin.
    for (hour, rows) in [(1, 20), (1, 21), (2, 10), (3, 60), (3, 59), (5, 30), (6, 11), (25, 12), (27, 13), (49, 14), (51, 15)] {
        world.flush_at(WEEK_START + hour * HOUR + HOUR / 2 + rows, rows as u64).await;
        world.compact_at(WEEK_START + (hour + 1) * HOUR + 121_000_000).await;
    }
    let hours = [(2, 1, 1, 41), (1, 2, 2, 10), (2, 3, 3, 119), (1, 5, 5, 30), (1, 6, 6, 11)];
    let others = [(1, 25, 25, 12), (1, 27, 27, 13), (1, 49, 49, 14), (1, 51, 51, 15)];
    assert_eq!(world.files(), [&hours[..], &others[..]].concat(), "until retention is known, files keep to their hours");
    let before = everything(&world.store.snapshot());
    let systems = world.store.snapshot().systems();

    assert_eq!(world.store.apply_retention(&Keep(20 * DAY), WEEK_START).await.unwrap(), []);
    world.compact_at(WEEK_START + 2 * DAY).await;
    assert_eq!(world.files()[..5], [(3, 1, 2, 51), (2, 3, 3, 119), (3, 5, 6, 41), (1, 25, 25, 12), (1, 27, 27, 13)]);
    world.compact_at(WEEK_START + 2 * DAY + 121_000_000).await;
    assert_eq!(world.files()[3..], [(3, 25, 27, 25), (1, 49, 49, 14), (1, 51, 51, 15)], "two minutes after the day's end");
    assert_eq!(everything(&world.store.snapshot()), before);

    world.store.apply_retention(&Keep(140 * DAY), WEEK_START).await.unwrap();
    assert_eq!(world.compact_at(WEEK_START + 7 * DAY).await, 1, "the third day");
    world.compact_at(WEEK_START + 7 * DAY + 121_000_000).await;
    assert_eq!(
        world.files(),
        [(3, 1, 2, 51), (2, 3, 3, 119), (3, 5, 6, 41), (4, 25, 51, 54)],
        "the first day is not thin, the others go into the week's file"
    );
    assert_eq!(world.store.compact_all().await.unwrap(), [], "nothing is left to do");
    assert_eq!(everything(&world.store.snapshot()), before);
    assert_eq!(world.store.snapshot().systems(), systems, "retention sees what it saw");
    check_files(&world.store).await;
    drop(world);
    let store = Store::open(options, TestClock::new(), Arc::new(Disk)).await.unwrap();
    assert_eq!(everything(&store.snapshot()), before);
    assert_eq!((store.stats().orphans_removed, store.stats().segments_missing), (0, vec![]));
}

/// Checksums, indexes and the proof of all files.
async fn check_files(store: &Store) {
    for segment in &store.snapshot().segments {
        assert_eq!(segment.checksum, *blake3::hash(&std::fs::read(&segment.path).unwrap()).as_bytes());
        let index = Index::open(Arc::new(FileSource::new(std::fs::File::open(segment.index_path().unwrap()).unwrap()).unwrap()));
        let index = index.unwrap();
        assert_eq!(index.rows(), segment.rows);
        // Each row's line is a number of its own; hosts are in every file.
        assert!(!index.blocks(&Question::Value("host-3".into())).unwrap().is_empty() || segment.rows < 7);
    }
    let options = VerifyOptions { dir: store.options().dir.clone(), ..VerifyOptions::default() };
    let report = verify(options, Arc::new(|_| {})).await.unwrap();
    assert!(report.is_intact(), "{:?}", report.divergences);
    assert_eq!(report.rows, store.snapshot().rows());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_days_file_goes_when_its_last_row_may_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(options(dir.path())).await;
    for hour in 0..24 {
        world.flush_at(WEEK_START + hour * HOUR, 2).await;
    }
    let policy = Keep(20 * DAY);
    world.store.apply_retention(&policy, WEEK_START).await.unwrap();
    world.compact_at(WEEK_START + 2 * DAY).await;
    assert_eq!(world.files(), [(3, 0, 23, 48)], "24 hours, merged once");
    let last = WEEK_START + 23 * HOUR + 20 * DAY;
    assert_eq!(world.store.apply_retention(&policy, last).await.unwrap().len(), 0);
    assert_eq!(world.store.apply_retention(&policy, last + 1_000_000).await.unwrap().len(), 1);
    assert_eq!(world.store.snapshot().rows(), 0);
    // Rules of hours leave hours.
    world.flush_at(WEEK_START + 30 * DAY, 2).await;
    world.flush_at(WEEK_START + 30 * DAY + HOUR, 2).await;
    world.store.apply_retention(&Keep(HOUR), WEEK_START).await.unwrap();
    world.compact_at(WEEK_START + 40 * DAY).await;
    assert_eq!(world.files().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_larger_than_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { compact_slice_rows: 100, compact_file_bytes: 20 << 10, ..options(dir.path()) };
    let mut world = World::new(options).await;
    for at in 0..2 {
        world.flush_at(WEEK_START + at, 500).await;
    }
    let before = everything(&world.store.snapshot());
    let done = world.store.compact_all().await.unwrap();
    assert!(done[0].outputs.len() > 1, "one run wrote several files of one hour: {done:?}");
    assert_eq!(everything(&world.store.snapshot()), before);
    for segment in world.store.snapshot().segments.iter() {
        assert!(segment.bytes <= 20 << 10, "{}: {} bytes", segment.id, segment.bytes);
    }
    check_files(&world.store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_fails_does_not_hold_the_others_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(Options { compact_rows: 6_400, ..options(dir.path()) }).await;
    for hour in [0, 1] {
        for part in 0..2 {
            world.flush_at(WEEK_START + hour * HOUR + part, 110).await;
            world.compact_at(WEEK_START + hour * HOUR + 30_000_000).await;
        }
    }
    let first = Arc::clone(&world.store.snapshot().segments[0]);
    std::fs::rename(&first.path, dir.path().join("away")).unwrap();
    world.clock.set(WEEK_START + 3 * HOUR);
    for _ in 0..super::MERGE_TRIES {
        assert!(world.store.compact_once().await.unwrap_err().chain().contains(&first.id));
    }
    assert_eq!(world.store.compact_all().await.unwrap().len(), 1, "the other hour");
    std::fs::rename(dir.path().join("away"), &first.path).unwrap();
    assert_eq!(everything(&world.store.snapshot()).len(), 440);
}

/// A file of this many rows, ingested in this span of seconds.
fn file(number: usize, span: (i64, i64), rows: u64, level: u8, skewed: bool) -> Arc<Segment> {
    let schema = Arc::new(arrow::datatypes::Schema::empty());
    Arc::new(Segment {
        id: format!("{number}"),
        location: String::new(),
        path: Default::default(),
        rows,
        bytes: rows * 70,
        checksum: [0; 32],
        sequences: (0, 1),
        timestamp: None,
        ingested: (WEEK_START + span.0 * 1_000_000, WEEK_START + span.1 * 1_000_000),
        datasets: Default::default(),
        systems: Vec::new(),
        schema,
        residual_keys: Default::default(),
        residual_complete: true,
        skewed,
        level,
        format: if level == 0 { 3 } else { 2 },
        index: None,
        cold: None,
    })
}

/// What a run would write: a file a unit.
fn outcome(job: &Job, next: &mut usize) -> Vec<Arc<Segment>> {
    let mut units: BTreeMap<i64, (i64, i64, u64)> = BTreeMap::new();
    for segment in &job.inputs {
        // Rows of a small file that crosses units: half in its first, half in its last.
        let (from, to) = ((segment.ingested.0 - WEEK_START) / 1_000_000, (segment.ingested.1 - WEEK_START) / 1_000_000);
        for (time, rows) in [(from, segment.rows - segment.rows / 2), (to, segment.rows / 2)] {
            let unit = units.entry((time * 1_000_000).div_euclid(job.span)).or_insert((time, time, 0));
            *unit = (unit.0.min(time), unit.1.max(time), unit.2 + rows);
        }
    }
    let file = |(from, to, rows)| {
        *next += 1;
        file(*next, (from, to), rows, job.level, job.skewed)
    };
    units.into_values().filter(|unit| unit.2 > 0).map(file).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever files there are: runs end, read neighbours of one kind and unit, and raise the level of each row they rewrite.
    #[test]
    fn merging_ends_and_rewrites_each_row_a_few_times(
        mut parts in prop::collection::vec((0..20 * 86_400_i64, 0..9_000_i64, 1..300_u64, any::<bool>()), 1..120),
        thin in 1..2_000_u64,
        days in prop_oneof![Just(0_i64), 0..10_i64],
        now in prop_oneof![Just(Micros::MAX), (0..25_i64).prop_map(|days| WEEK_START + days * DAY)],
    ) {
        let options = Options { compact_rows: 1_000, compact_thin_rows: thin, compact_file_bytes: 100_000, ..Options::default() };
        parts.sort_unstable();
        let segments: Vec<_> = parts.iter().enumerate()
            .map(|(at, (from, len, rows, skewed))| file(at, (*from, from + len), *rows, 0, *skewed)).collect();
        let rows: u64 = segments.iter().map(|segment| segment.rows).sum();
        let mut snapshot = Snapshot { segments: segments.into(), ..Snapshot::default() };
        let span_max = days * DAY;
        let widest = widths(span_max).last().unwrap().0;
        let mut next = 1_000;
        let (mut runs, mut rewritten) = (0, 0);
        while let Some(job) = choose(&snapshot, &options, Limits { span_max, is_behind: false, merges: true }, now) {
            runs += 1;
            prop_assert!(runs <= 2_000, "it does not end");
            prop_assert!(job.level <= LEVEL_MAX && job.span <= widest);
            prop_assert!(job.level == 1 || job.inputs.len() > 1, "a file is merged with itself");
            for segment in &job.inputs {
                prop_assert!(segment.level < job.level && segment.skewed == job.skewed);
                prop_assert!(job.level == 1 || segment.ingested.0.div_euclid(job.span) == segment.ingested.1.div_euclid(job.span));
            }
            rewritten += job.inputs.iter().map(|segment| segment.rows).sum::<u64>();
            let gone: Vec<&str> = job.inputs.iter().map(|segment| segment.id.as_str()).collect();
            let mut left: Vec<_> = snapshot.segments.iter().filter(|segment| !gone.contains(&segment.id.as_str())).cloned().collect();
            left.extend(outcome(&job, &mut next));
            snapshot.segments = left.into();
        }
        prop_assert!(rewritten <= rows * u64::from(LEVEL_MAX));
        if now == Micros::MAX {
            prop_assert!(snapshot.segments.iter().all(|segment| segment.level > 0));
        }
    }
}
