//! The cold path over a folder and over objects in memory: moved, read, dropped; a crash between any two steps loses nothing.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use event::Micros;
use object_store::{ObjectStoreExt as _, memory::InMemory, path::Path as Location};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{durability, support::*};
use crate::{ColdOptions, Disk, Options, RetentionPolicy, Segment, Snapshot, Store, cold::ColdFiles, line::Layout};

const DAY: Micros = 86_400_000_000;

fn cold_options(folder: &Path) -> ColdOptions {
    let url = format!("file://{}", folder.display());
    ColdOptions { url, after: 10 * DAY, bytes_per_second_max: u64::MAX, options: Vec::new() }
}

async fn open_cold(dir: &Path, folder: &Path) -> (Arc<Store>, Arc<TestClock>) {
    let clock = TestClock::new();
    let options = Options { cold: Some(cold_options(folder)), ..options(dir) };
    (Store::open(options, Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap(), clock)
}

pub async fn fill(store: &Arc<Store>, from: u64, to: u64) {
    let mut tail = store.tail();
    store.sink().submit(batch("s", from, to)).await.unwrap();
    drain(store, &mut tail, plain).await;
    store.flush().await.unwrap();
    store.compact_all().await.unwrap();
}

/// The record numbers in segments, read through [`Segment::open`] as `query` does; off the async threads.
pub async fn read_numbers(snapshot: Arc<Snapshot>) -> Vec<u64> {
    let numbers = move || {
        let mut numbers: Vec<u64> = snapshot.segments.iter().flat_map(|segment| lines(segment)).collect();
        numbers.sort_unstable();
        numbers
    };
    tokio::task::spawn_blocking(numbers).await.unwrap()
}

fn lines(segment: &Segment) -> Vec<u64> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(segment.open().unwrap()).unwrap();
    let layout = Layout::of_file("test", builder.metadata()).unwrap().unwrap();
    let batches = builder.build().unwrap().map(|batch| layout.decode_all(&batch.unwrap()).unwrap());
    let lines = batches.map(|batch| batch.column_by_name("event.original").unwrap().clone());
    lines
        .flat_map(|column| {
            arrow::array::AsArray::as_string_view(&column)
                .iter()
                .flatten()
                .map(|line| line.parse().unwrap())
                .collect::<Vec<u64>>()
        })
        .collect()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

fn count(folder: &Path, extension: &str) -> usize {
    files(folder).iter().filter(|path| path.extension().is_some_and(|found| found == extension)).count()
}

pub struct Twenty;

impl RetentionPolicy for Twenty {
    fn keep(&self, _system: &str, _class: &str) -> Option<Micros> {
        Some(20 * DAY)
    }

    fn actor(&self) -> String {
        "test".into()
    }

    fn reason(&self) -> String {
        "rule".into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_segment_moves_is_read_and_is_dropped_like_any_other() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, clock) = open_cold(dir.path(), folder.path()).await;
    fill(&store, 0, 500).await;
    assert_eq!(store.move_cold_once().await.unwrap(), None, "not old enough");
    clock.set(START + 11 * DAY);
    let before = store.snapshot();
    let moved = store.move_cold_once().await.unwrap().unwrap();
    assert_eq!((moved.segment.as_str(), moved.bytes), (before.segments[0].id.as_str(), before.segments[0].bytes));
    assert!(before.segments[0].path.exists(), "who reads the local file reads on");
    assert_eq!(numbers(&before), (0..500).collect::<Vec<_>>());
    drop(before);
    store.sweep().await;
    let segment = store.snapshot().segments[0].clone();
    durability::wait_for(|| !segment.path.exists()).await;
    assert!(segment.index_path().unwrap().exists(), "the index stays here");
    assert_eq!((count(folder.path(), "parquet"), store.stats().cold_segments), (1, 1));
    assert_eq!(read_numbers(store.snapshot()).await, (0..500).collect::<Vec<_>>());
    assert_eq!(store.move_cold_once().await.unwrap(), None, "moved once");
    drop(segment);

    // A restart finds it; without the cold store it is known, and reading says what is missing.
    store.close().await.unwrap();
    drop(store);
    let bare = open(dir.path()).await;
    let error = bare.snapshot().segments[0].open().unwrap_err().chain();
    assert!(error.contains("no cold store is configured"), "{error}");
    assert!(bare.stats().segments_missing.is_empty());
    drop(bare);
    let (store, clock) = open_cold(dir.path(), folder.path()).await;
    assert_eq!(read_numbers(store.snapshot()).await.len(), 500);

    let reader = store.snapshot();
    clock.set(START + 30 * DAY);
    assert_eq!(store.apply_retention(&Twenty, START + 30 * DAY).await.unwrap().len(), 1);
    assert_eq!(store.move_cold_once().await.unwrap(), None);
    assert_eq!(count(folder.path(), "parquet"), 1, "the object stays for its reader");
    assert_eq!(read_numbers(Arc::clone(&reader)).await.len(), 500);
    drop(reader);
    store.sweep().await;
    store.move_cold_once().await.unwrap();
    assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(files(&dir.path().join("segments")), Vec::<std::path::PathBuf>::new());
    assert_eq!(store.tombstones().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_nobody_took_over_is_removed_and_made_again() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, clock) = open_cold(dir.path(), folder.path()).await;
    fill(&store, 0, 50).await;
    // As after a crash between copy and commit: noted, copied, not named by the catalogue.
    let files_of = ColdFiles::open(cold_options(folder.path())).unwrap();
    let url = files_of.url_of("2026-01-01/half.parquet");
    store.catalogue.note_cold(&url).await.unwrap();
    std::fs::create_dir_all(folder.path().join("2026-01-01")).unwrap();
    std::fs::write(folder.path().join("2026-01-01/half.parquet"), "half").unwrap();
    std::fs::write(folder.path().join("2026-01-01/half.parquet#1"), "ha").unwrap();
    std::fs::write(folder.path().join("not-ours"), "x").unwrap();
    clock.set(START + 11 * DAY);
    assert!(store.move_cold_once().await.unwrap().is_some());
    let left: Vec<_> = files(folder.path()).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert!(!left.iter().any(|name| name.starts_with("half.parquet")) && left.iter().any(|name| name == "not-ours"), "{left:?}");
    assert!(store.catalogue.cold_garbage().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_commit_leaves_no_second_file() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, clock) = open_cold(dir.path(), folder.path()).await;
    fill(&store, 0, 50).await;
    clock.set(START + 11 * DAY);
    // The reader keeps the local file until the process ends.
    let reader = store.snapshot();
    store.move_cold_once().await.unwrap().unwrap();
    let local = reader.segments[0].path.clone();
    assert!(local.exists());
    let copy = std::fs::read(&local).unwrap();
    drop((reader, store));
    std::fs::write(&local, copy).unwrap();
    let (store, _) = open_cold(dir.path(), folder.path()).await;
    assert!(!local.exists(), "an orphan goes at the start");
    assert_eq!(store.stats().orphans_removed, 1);
    assert_eq!(read_numbers(store.snapshot()).await, (0..50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_the_commit_loses_no_event() {
    for fault in [durability::REFUSE, durability::LOSE_ANSWER] {
        let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        {
            let (store, _) = open_cold(dir.path(), folder.path()).await;
            fill(&store, 0, 50).await;
            store.close().await.unwrap();
        }
        let with_cold = Options { cold: Some(cold_options(folder.path())), ..options(dir.path()) };
        let (store, mode, clock) = durability::faulty_with(with_cold).await;
        clock.set(START + 11 * DAY);
        mode.store(fault, Ordering::Relaxed);
        assert!(store.move_cold_once().await.is_err());
        assert_eq!(read_numbers(store.snapshot()).await, (0..50).collect::<Vec<_>>(), "fault {fault}");
        assert!(store.stats().cold_error.is_some());
        mode.store(0, Ordering::Relaxed);
        assert!(store.move_cold_once().await.unwrap().is_some(), "tried again, fault {fault}");
        drop(store);
        let (store, _) = open_cold(dir.path(), folder.path()).await;
        assert_eq!(read_numbers(store.snapshot()).await, (0..50).collect::<Vec<_>>(), "fault {fault}");
        assert_eq!(count(folder.path(), "parquet"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_not_moved_and_a_bad_copy_is_not_taken_over() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, clock) = open_cold(dir.path(), folder.path()).await;
    fill(&store, 0, 50).await;
    clock.set(START + 11 * DAY);
    let path = store.snapshot().segments[0].path.clone();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = store.move_cold_once().await.unwrap_err().chain();
    assert!(error.contains("is damaged") && error.contains(&path.display().to_string()), "{error}");
    assert!(path.exists() && store.snapshot().segments[0].cold.is_none());
    assert_eq!(store.move_cold_once().await.unwrap(), None, "it does not hold the others up");
    assert_eq!(count(folder.path(), "parquet"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_read_in_blocks_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    fill(&store, 0, 3_000).await;
    let segment = store.snapshot().segments[0].clone();
    // A bucket: the same reader, over an object store that is no folder.
    let objects = Arc::new(InMemory::new());
    let options = ColdOptions { url: "s3://logs/siem/".into(), after: 0, bytes_per_second_max: 1, options: Vec::new() };
    let cold = Arc::new(ColdFiles::with(options, Arc::clone(&objects) as _, Location::from("siem"), None));
    assert_eq!(cold.url_of(&segment.location), format!("s3://logs/siem/{}", segment.location));
    let key = Location::from(format!("siem/{}", segment.location));
    objects.put(&key, std::fs::read(&segment.path).unwrap().into()).await.unwrap();
    let far = Segment {
        cold: Some(crate::ColdFile { url: cold.url_of(&segment.location), files: Some(Arc::clone(&cold)) }),
        ..Segment::clone(&segment)
    };
    let snapshot = Arc::new(Snapshot { segments: vec![Arc::new(far.clone())].into(), ..Snapshot::default() });
    assert_eq!(read_numbers(Arc::clone(&snapshot)).await, (0..3_000).collect::<Vec<_>>());
    // All of it was fetched: it is read again although the bucket is away.
    objects.delete(&key).await.unwrap();
    assert_eq!(read_numbers(snapshot).await, (0..3_000).collect::<Vec<_>>());
    cold.remove(&cold.url_of(&segment.location)).await.unwrap();
    let gone =
        tokio::task::spawn_blocking(move || parquet::file::reader::ChunkReader::get_bytes(&far.open().unwrap(), 0, 4)).await;
    assert!(gone.unwrap().is_err(), "what was removed is forgotten too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_cannot_be_used_stops_the_start_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    for (url, why) in [("ftp://x", "neither file:// nor s3://"), ("file://relative/path", "whole/path"), ("", "neither")] {
        let cold = ColdOptions { url: url.into(), after: 0, bytes_per_second_max: 1, options: Vec::new() };
        let opened = Store::open(Options { cold: Some(cold), ..options(dir.path()) }, TestClock::new(), Arc::new(Disk)).await;
        let error = opened.err().unwrap().chain();
        assert!(error.contains(why), "{error}");
    }
}
