//! A clock that a test moves, a toy pipe, and a reader that knows nothing of DataFusion.

use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arrow::{array::AsArray, record_batch::RecordBatch};
use bumpalo::Bump;
use event::{BlockBuilder, Event, Micros, RawBatch, field, seam::Clock};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::{Counts, Disk, Frame, LedgerDelta, Options, Processed, Snapshot, Store, Tail, line::Layout, minute_of};

pub const START: Micros = 1_790_000_000_000_000;

pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(START)))
    }

    pub fn set(&self, now: Micros) {
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Micros {
        self.0.load(Ordering::Relaxed)
    }
}

pub fn options(dir: &Path) -> Options {
    Options { dir: dir.to_owned(), node: "t".into(), commit_delay_ms: 0, free_bytes_min: 0, ..Options::default() }
}

pub async fn open(dir: &Path) -> Arc<Store> {
    Store::open(options(dir), TestClock::new(), Arc::new(Disk)).await.unwrap()
}

/// A batch of records `from..to`; record `n` is the text `n`.
pub fn batch(source: &str, from: u64, to: u64) -> RawBatch {
    let mut batch = RawBatch::new(source, Some([192, 0, 2, 1].into()), START);
    (from..to).for_each(|number| batch.push(number.to_string().as_bytes()));
    batch
}

/// What a toy event adds to the bare minimum.
pub type Fill = for<'r> fn(&mut Event<'r>, u64);

/// Processes frames as `src` does: each record an event, those ending in 9 quarantined.
pub fn process(frames: &[Frame], fill: Fill) -> Processed {
    let arena = Bump::new();
    let mut event = Event::new(&arena);
    let mut builder = BlockBuilder::new();
    let mut ledger = Vec::new();
    for frame in frames {
        let minute = minute_of(frame.ingested);
        let mut delta = LedgerDelta { source: frame.batch.source.clone(), minute, ..LedgerDelta::default() };
        for (at, record) in frame.batch.records().enumerate() {
            let text = arena.alloc_str(std::str::from_utf8(record).unwrap());
            let number: u64 = text.parse().unwrap();
            event.clear();
            event.set_dataset(if number.is_multiple_of(3) { "b.log" } else { "a.log" });
            event.set(field::EVENT_ID, &*arena.alloc_str(&format!("t-{}-{at}", frame.sequence)));
            event.set(field::EVENT_ORIGINAL, &*text);
            event.set(field::EVENT_INGESTED, frame.ingested);
            event.set(field::TIMESTAMP, frame.ingested - 1_000);
            event.set(field::SYSTEM_ID, if number.is_multiple_of(2) { "even" } else { "odd" });
            fill(&mut event, number);
            builder.append(&event);
            delta.events += 1;
            if text.ends_with('9') { delta.quarantined += 1 } else { delta.parsed += 1 }
        }
        ledger.push(delta);
    }
    Processed { through: frames.last().map_or(0, |frame| frame.sequence), batches: builder.finish(), ledger }
}

/// Publishes everything that is durable now.
pub async fn drain(store: &Store, tail: &mut Tail, fill: Fill) {
    while tail.position() < store.stats().wal_durable {
        let frames = tail.next(1, Duration::from_secs(10)).await.unwrap().unwrap();
        assert!(!frames.is_empty(), "the log holds more, the follower gives nothing");
        store.publish(process(&frames, fill));
    }
}

pub fn plain(_: &mut Event<'_>, _: u64) {}

pub fn segment_rows(path: &Path) -> Vec<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let layout = Layout::of_file("test", builder.metadata()).unwrap();
    let decode =
        |batch| layout.as_ref().map_or_else(|| Ok(RecordBatch::clone(&batch)), |layout| layout.decode_all(&batch)).unwrap();
    builder.build().unwrap().map(Result::unwrap).map(decode).collect()
}

/// Every visible event: its id, how often it is there, and its original line.
pub fn visible(snapshot: &Snapshot) -> BTreeMap<String, (usize, u64)> {
    let mut found = BTreeMap::new();
    let hot = snapshot.hot.iter().map(|hot| hot.batch.clone());
    for batch in hot.chain(snapshot.segments.iter().flat_map(|segment| segment_rows(&segment.path))) {
        let ids = batch.column_by_name("event.id").unwrap().as_string_view();
        let lines = batch.column_by_name("event.original").unwrap().as_string_view();
        for (id, line) in ids.iter().flatten().zip(lines.iter().flatten()) {
            found.entry(id.to_owned()).or_insert((0, line.parse().unwrap())).0 += 1;
        }
    }
    found
}

/// The record numbers that are visible, sorted; fails when an event is there twice.
pub fn numbers(snapshot: &Snapshot) -> Vec<u64> {
    let found = visible(snapshot);
    assert!(found.values().all(|(times, _)| *times == 1), "an event is there twice");
    let mut numbers: Vec<u64> = found.into_values().map(|(_, number)| number).collect();
    numbers.sort_unstable();
    numbers
}

pub async fn books(store: &Store) -> Counts {
    let mut sum = Counts::default();
    store.ledger().await.unwrap().iter().for_each(|row| sum.add(&row.counts));
    sum
}
