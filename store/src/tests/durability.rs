//! Restart, refusal, dedupe, lost answers: nothing is lost, nothing is there twice, the books balance.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use event::{RawBatch, SourceCursor, raw::RefusedReason, seam::Refused};

use super::gate::{Gate, Gated};
use super::support::*;
use crate::{Disk, Error, Options, Result, Store, catalogue::Catalogue};

#[tokio::test(flavor = "multi_thread")]
async fn every_restart_shows_each_record_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut sent = 0;
    for round in 0..12_u64 {
        let store = open(dir.path()).await;
        let mut tail = store.tail();
        for _ in 0..3 {
            store.sink().submit(batch("s", sent, sent + 7)).await.unwrap();
            sent += 7;
        }
        // Each round stops at another point: nothing published, published, flushed, flushed and more published.
        if round % 4 > 0 {
            drain(&store, &mut tail, plain).await;
        }
        if round % 4 > 1 {
            store.flush().await.unwrap();
        }
        if round % 4 == 3 {
            store.sink().submit(batch("s", sent, sent + 5)).await.unwrap();
            sent += 5;
            drain(&store, &mut tail, plain).await;
        }
        store.release(store.stats().published);
        let sum = books(&store).await;
        assert_eq!((sum.received, sum.unaccounted()), (sent, 0), "round {round}");
        if round % 5 == 0 {
            store.close().await.unwrap();
        }
    }
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    drain(&store, &mut tail, plain).await;
    assert_eq!(numbers(&store.snapshot()), (0..sent).collect::<Vec<_>>());
    store.flush().await.unwrap();
    assert_eq!(numbers(&store.snapshot()), (0..sent).collect::<Vec<_>>());
    let sum = books(&store).await;
    assert_eq!((sum.received, sum.pending, sum.events, sum.unaccounted()), (sent, 0, sent, 0));
    assert_eq!(store.stats().hot_rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_follower_reads_files_in_order_while_writers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    // The ring holds next to nothing and files are small: the follower meets every seam between them.
    let options = Options { ring_bytes_max: 600, wal_file_bytes: 2_000, ..options(dir.path()) };
    let store = Store::open(options, TestClock::new(), Arc::new(Disk)).await.unwrap();
    let writers = (0..4_u64).map(|writer| {
        let sink = store.sink();
        tokio::spawn(async move {
            for at in 0..50 {
                let from = writer * 1_000 + at * 5;
                sink.submit(batch(&format!("w{writer}"), from, from + 5)).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut tail = store.tail();
    let mut sequences = Vec::new();
    let mut records = 0;
    while records < 4 * 50 * 5 {
        let frames = tail.next(700, Duration::from_secs(10)).await.unwrap().unwrap();
        assert!(!frames.is_empty());
        records += frames.iter().map(|frame| frame.batch.len()).sum::<usize>();
        sequences.extend(frames.iter().map(|frame| frame.sequence));
    }
    assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    for writer in writers {
        writer.await.unwrap();
    }
    let mut other = store.tail_from(150);
    assert_eq!(other.next(1, Duration::from_secs(10)).await.unwrap().unwrap()[0].sequence, 151);
    store.stop_intake();
    assert_eq!(store.sink().submit(batch("s", 0, 1)).await, Err(Refused::Closing));
    assert!(tail.next(1, Duration::from_secs(10)).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_positions_survive_in_log_and_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let send = |from: u64, key: &str| {
        let cursor = Some(SourceCursor { file: "f".into(), offset: from + 10 });
        RawBatch { key: Some(key.into()), cursor, ..batch("http", from, from + 2) }
    };
    let store = open(dir.path()).await;
    let first = store.sink().submit(send(0, "k1")).await.unwrap();
    let mut tail = store.tail();
    drain(&store, &mut tail, plain).await;
    store.flush().await.unwrap();
    let second = store.sink().submit(send(2, "k2")).await.unwrap();
    drop((store, tail));

    let store = open(dir.path()).await;
    assert_eq!(store.stats().recovered_frames, 1);
    for (key, receipt) in [("k1", first), ("k2", second)] {
        let again = store.sink().submit(send(50, key)).await.unwrap();
        assert_eq!((again.sequence, again.records, again.duplicate), (receipt.sequence, receipt.records, true));
    }
    assert_eq!(store.sink().file_offset("http", "f"), 12);
    assert_eq!(store.sink().file_offset("other", "f"), 0);
    assert!(!store.sink().submit(RawBatch { source: "other".into(), ..send(4, "k1") }).await.unwrap().duplicate);

    let sink = store.sink();
    let (one, two) = tokio::join!(sink.submit(send(6, "k3")), sink.submit(send(6, "k3")));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.sequence, one.duplicate, two.duplicate), (two.sequence, false, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_records_and_clock_jumps_stay_in_the_books() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = Store::open(options(dir.path()), Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap();
    let mut tail = store.tail();
    let day = 86_400_000_000;
    for (at, jump) in [0, 10 * day, -5 * day, 3 * day].into_iter().enumerate() {
        clock.set(START + jump);
        let refused = vec![(RefusedReason::KernelDrop, 2), (RefusedReason::Limit, 1)];
        let from = at as u64 * 10;
        store.sink().submit(RawBatch { refused, ..batch("udp", from, from + 10) }).await.unwrap();
        drain(&store, &mut tail, plain).await;
        store.flush().await.unwrap();
    }
    let sum = books(&store).await;
    assert_eq!((sum.received, sum.refused, sum.quarantined, sum.unaccounted()), (52, [8, 0, 4, 0], 4, 0));
    let times: Vec<i64> = store.snapshot().segments.iter().map(|segment| segment.ingested.0).collect();
    assert!(times.is_sorted() && times[2] > START + 10 * day, "ingestion time never goes back: {times:?}");
    store.roll_up_ledger(START + 100 * day).await.unwrap();
    let rows = store.ledger().await.unwrap();
    assert!(rows.len() == 2 && rows.iter().all(|row| row.span_seconds == 86_400), "{rows:?}");
    assert_eq!(books(&store).await, sum);
    let table = store.ledger_table();
    assert_eq!(table.scan().await.unwrap()[0].schema(), table.schema());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_budget_is_pressure_until_the_log_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { wal_bytes_max: 20_000, ..options(dir.path()) };
    let store = Store::open(options, TestClock::new(), Arc::new(Disk)).await.unwrap();
    let mut tail = store.tail();
    let mut sent = 0;
    let refused = loop {
        match store.sink().submit(batch("s", sent * 100, sent * 100 + 100)).await {
            Ok(_) => sent += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, Refused::Pressure { .. }) && sent > 10);
    let next = || batch("s", sent * 100, sent * 100 + 100);
    drain(&store, &mut tail, plain).await;
    store.flush().await.unwrap();
    assert!(matches!(store.sink().submit(next()).await, Err(Refused::Pressure { .. })), "detect still needs it");
    store.release(store.stats().published);
    wait_for(|| store.stats().wal_bytes < 10_000).await;
    store.sink().submit(next()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let second = Store::open(options(dir.path()), TestClock::new(), Arc::new(Disk)).await;
    let Err(Error::Locked { owner, .. }) = second else { panic!("opened twice") };
    assert_eq!(owner, format!("process {}", std::process::id()));
    drop(store);
    open(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_go_and_missing_segments_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    for at in 0..2 {
        store.sink().submit(batch("s", at * 10, at * 10 + 10)).await.unwrap();
        drain(&store, &mut tail, plain).await;
        store.flush().await.unwrap();
    }
    let lost = Arc::clone(&store.snapshot().segments[0]);
    drop((store, tail));
    fs::remove_file(&lost.path).unwrap();
    let orphan = dir.path().join("segments/2026-01-01/x.parquet#1");
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, "half a file").unwrap();
    let store = open(dir.path()).await;
    let stats = store.stats();
    assert_eq!((stats.segments_missing, stats.orphans_removed), (vec![lost.id.clone()], 1));
    assert!(!orphan.exists());
    assert_eq!(numbers(&store.snapshot()), (10..20).collect::<Vec<_>>());
}

pub const REFUSE: u8 = 1;
/// Commits, then answers with an error.
pub const LOSE_ANSWER: u8 = 2;
/// The same, and the cursor cannot be read either.
pub const LOSE_ALL: u8 = 3;

/// What the next commit shall do: one of the above, or 0.
struct Order(Arc<AtomicU8>);

impl Order {
    fn is(&self, modes: &[u8]) -> Result<()> {
        match modes.contains(&self.0.load(Ordering::Relaxed)) {
            true => Err(Error::Stopped("the catalogue, by order of the test,")),
            false => Ok(()),
        }
    }
}

impl Gate for Order {
    fn before(&self) -> Result<()> {
        self.is(&[REFUSE])
    }

    fn after(&self) -> Result<()> {
        self.is(&[LOSE_ANSWER, LOSE_ALL])
    }

    fn read(&self) -> Result<()> {
        self.is(&[LOSE_ALL])
    }
}

pub async fn faulty(dir: &Path) -> (Arc<Store>, Arc<AtomicU8>) {
    let (store, mode, _) = faulty_with(options(dir)).await;
    (store, mode)
}

pub async fn faulty_with(options: Options) -> (Arc<Store>, Arc<AtomicU8>, Arc<TestClock>) {
    let mode = Arc::new(AtomicU8::new(0));
    let shared = Arc::clone(&mode);
    let wrap = |inner| Arc::new(Gated { inner, gate: Order(shared) }) as Arc<dyn Catalogue>;
    let clock = TestClock::new();
    (Store::open_with(options, Arc::clone(&clock) as _, Arc::new(Disk), wrap).await.unwrap(), mode, clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_or_whose_answer_is_lost_doubles_nothing() {
    for fault in [REFUSE, LOSE_ANSWER, LOSE_ALL] {
        let dir = tempfile::tempdir().unwrap();
        let (store, mode) = faulty(dir.path()).await;
        let mut tail = store.tail();
        store.sink().submit(batch("s", 0, 10)).await.unwrap();
        drain(&store, &mut tail, plain).await;
        mode.store(fault, Ordering::Relaxed);
        let flushed = store.flush().await;
        assert_eq!(flushed.is_ok(), fault == LOSE_ANSWER, "fault {fault}");
        assert_eq!(numbers(&store.snapshot()), (0..10).collect::<Vec<_>>(), "fault {fault}");
        store.sink().submit(batch("s", 10, 20)).await.unwrap();
        drain(&store, &mut tail, plain).await;
        mode.store(0, Ordering::Relaxed);
        store.flush().await.unwrap();
        assert_eq!(numbers(&store.snapshot()), (0..20).collect::<Vec<_>>(), "fault {fault}");
        let sum = books(&store).await;
        assert_eq!((sum.received, sum.events, sum.unaccounted()), (20, 20, 0), "fault {fault}");
        let stats = store.stats();
        assert_eq!((stats.hot_rows, stats.flush_error), (0, None), "fault {fault}");
        drop((store, tail));
        let store = open(dir.path()).await;
        assert_eq!(numbers(&store.snapshot()), (0..20).collect::<Vec<_>>(), "fault {fault}, restarted");
        assert_eq!(store.stats().orphans_removed, 0, "fault {fault}");
    }
}

/// Waits for a condition, with a deadline.
pub async fn wait_for(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the condition holds in time");
}
