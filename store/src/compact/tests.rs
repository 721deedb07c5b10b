//! Compaction end to end: the rows of hot batches, L0 and L1 together are the rows that were sent, whatever goes wrong.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow::{array::AsArray, record_batch::RecordBatch};
use bytes::Bytes;
use event::{Event, Micros, field};

use super::{BlockObserver, HOUR};
use crate::{
    Disk, Options, RetentionPolicy, SKEW_MAX, Snapshot, Store,
    tests::{
        durability::{LOSE_ALL, LOSE_ANSWER, REFUSE, faulty},
        support::*,
    },
};

/// Rows with everything that the line store and the writer tell apart.
pub(super) fn rich<'r>(event: &mut Event<'r>, number: u64) {
    let host = event.alloc(&format!("host-{}", 7 - number % 7));
    event.set(field::HOST_NAME, host);
    event.set(field::LOG_SYSLOG_HOSTNAME, host);
    let address = event.alloc(&format!("10.0.{}.{}", number % 5, number % 251));
    event.set(field::SOURCE_IP, address);
    event.set_extra("vendor.", "srcip", address);
    event.set_ip(field::RELATED_IP, address);
    event.set(field::SOURCE_PORT, (number * 7919 % 65_536) as i64);
    event.set(field::MESSAGE, event.alloc(&number.to_string()));
    if number.is_multiple_of(11) {
        event.set_extra("vendor.", "some", "");
    }
    if number == 42 {
        event.set_extra("vendor.", "rare", "a \"quoted\" text");
        event.set(field::TIMESTAMP, START - 3 * SKEW_MAX);
    }
}

/// All rows as text, by id.
pub(super) fn everything(snapshot: &Snapshot) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let hot = snapshot.hot.iter().map(|hot| hot.batch.clone());
    for batch in hot.chain(snapshot.segments.iter().flat_map(|segment| segment_rows(&segment.path))) {
        for row in 0..batch.num_rows() {
            let mut values = BTreeMap::new();
            for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                if arrow::array::Array::is_null(array, row) {
                    continue;
                }
                // Shown as a number: the display of time zones is not compiled in.
                let time = array.as_primitive_opt::<arrow::datatypes::TimestampMicrosecondType>();
                let shown = time.map_or_else(
                    || arrow::util::display::array_value_to_string(array, row).unwrap(),
                    |times| times.value(row).to_string(),
                );
                // A rare name moves between its own column and the residual.
                if column.name() == "residual" {
                    let object: BTreeMap<String, String> = serde_json::from_str(&shown).unwrap();
                    values.extend(object);
                } else {
                    values.insert(column.name().clone(), shown);
                }
            }
            let id = values["event.id"].clone();
            assert!(found.insert(id, values).is_none(), "an event is there twice");
        }
    }
    found
}

async fn filled(store: &Arc<Store>, flushes: u64) {
    let mut tail = store.tail_from(store.snapshot().through);
    let from = store.snapshot().rows();
    for at in 0..flushes {
        let from = from + at * 100;
        store.sink().submit(batch("s", from, from + 100)).await.unwrap();
        drain(store, &mut tail, rich).await;
        store.flush().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_compacted_reads_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { compact_slice_rows: 170, ..options(dir.path()) };
    let store = Store::open(options.clone(), TestClock::new(), Arc::new(Disk)).await.unwrap();
    filled(&store, 5).await;
    let before = everything(&store.snapshot());
    assert_eq!((before.len(), store.stats().compaction_debt_rows), (500, 500));
    let systems = store.snapshot().systems();
    let done = store.compact_all().await.unwrap();
    assert_eq!(done.iter().map(|done| done.rows).sum::<u64>(), 500);
    let snapshot = store.snapshot();
    assert_eq!(everything(&snapshot), before);
    assert_eq!(snapshot.systems(), systems, "retention sees what it saw");
    let [regular, skewed] = &snapshot.segments[..] else { panic!("{} segments", snapshot.segments.len()) };
    assert_eq!((regular.rows, regular.skewed, skewed.rows, skewed.skewed), (499, false, 1, true));
    for segment in &snapshot.segments {
        assert_eq!((segment.level, segment.format), (1, 2));
        assert_eq!(segment.checksum, *blake3::hash(&std::fs::read(&segment.path).unwrap()).as_bytes());
    }
    assert_eq!(skewed.timestamp, Some((START - 3 * SKEW_MAX, START - 3 * SKEW_MAX)));
    let stats = store.stats();
    assert_eq!((stats.compaction_debt_segments, stats.compactions_total, stats.compaction_error), (0, 2, None));
    drop((store, snapshot));

    let store = Store::open(options, TestClock::new(), Arc::new(Disk)).await.unwrap();
    assert_eq!(everything(&store.snapshot()), before);
    assert_eq!((store.stats().orphans_removed, store.stats().segments_missing), (0, vec![]));
    let files = walk(&dir.path().join("segments"));
    assert_eq!(files.len(), 4, "two segments with their indexes, the inputs' files are gone: {files:?}");
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_hour_aligned_and_row_groups_are_clustered_slices() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let hour = START.div_euclid(HOUR) * HOUR;
    let store = Store::open(options(dir.path()), Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap();
    let mut tail = store.tail();
    // One flush that reaches over the hour's end, one after it.
    for (at, now) in [HOUR - 2, HOUR - 1, HOUR, HOUR + 1, HOUR + 2].into_iter().enumerate() {
        clock.set(hour + now);
        store.sink().submit(batch("s", at as u64 * 10, at as u64 * 10 + 10)).await.unwrap();
        drain(&store, &mut tail, plain).await;
        if at > 2 {
            store.flush().await.unwrap();
        }
    }
    assert_eq!(store.compact_once().await.unwrap(), None, "the hour is open and there is little");
    clock.set(hour + 2 * HOUR + 121_000_000);
    let done = store.compact_once().await.unwrap().unwrap();
    assert_eq!((done.inputs.len(), done.outputs.len()), (1, 2));
    assert!(store.compact_once().await.unwrap().is_some(), "the second flush");
    let snapshot = store.snapshot();
    assert_eq!(numbers(&snapshot), (0..50).collect::<Vec<_>>());
    for segment in &snapshot.segments {
        assert_eq!(segment.ingested.0.div_euclid(HOUR), segment.ingested.1.div_euclid(HOUR), "{}", segment.id);
        for batch in segment_rows(&segment.path) {
            let datasets = batch.column_by_name("event.dataset").unwrap().as_string_view();
            assert!(datasets.iter().is_sorted());
        }
    }
    assert_eq!(snapshot.segments.iter().map(|segment| segment.rows).collect::<Vec<_>>(), [20, 20, 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_commit_neither_doubles_nor_loses() {
    for fault in [REFUSE, LOSE_ANSWER, LOSE_ALL] {
        let dir = tempfile::tempdir().unwrap();
        let (store, mode) = faulty(dir.path()).await;
        filled(&store, 3).await;
        let before = everything(&store.snapshot());
        mode.store(fault, Ordering::Relaxed);
        let compacted = store.compact_all().await;
        assert_eq!(compacted.is_ok(), fault == LOSE_ANSWER, "fault {fault}");
        assert_eq!(everything(&store.snapshot()), before, "fault {fault}");
        assert_eq!(store.stats().compaction_error.is_some(), fault != LOSE_ANSWER, "fault {fault}");
        if fault == LOSE_ALL {
            // Killed before anybody could ask: the next start knows.
            drop(store);
            let store = open(dir.path()).await;
            assert_eq!(everything(&store.snapshot()), before, "fault {fault}, restarted");
            store.compact_all().await.unwrap();
            assert_eq!(everything(&store.snapshot()), before, "fault {fault}, restarted and compacted");
            continue;
        }
        mode.store(0, Ordering::Relaxed);
        store.compact_all().await.unwrap();
        assert_eq!(everything(&store.snapshot()), before, "fault {fault}, again");
        assert_eq!(store.stats().compaction_debt_segments, 0);
        drop(store);
        let store = open(dir.path()).await;
        assert_eq!(everything(&store.snapshot()), before, "fault {fault}, restarted");
        assert_eq!(store.stats().orphans_removed, 0, "fault {fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_commit_leaves_an_orphan_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    filled(&store, 3).await;
    let before = everything(&store.snapshot());
    let inputs: Vec<_> = store.snapshot().segments.iter().filter(|segment| !segment.skewed).cloned().collect();
    // As `compact_once` does, but the process ends before the commit; and once more in the middle of a file.
    let job = super::plan::Job { inputs, skewed: false, span: HOUR, level: 1 };
    let (shared, copy) = (Arc::clone(&store), job.clone());
    tokio::task::spawn_blocking(move || super::job::run(&shared, &copy, None)).await.unwrap().unwrap();
    std::fs::write(dir.path().join("segments/half.parquet.part"), "PAR1").unwrap();
    drop((store, job));
    let store = open(dir.path()).await;
    assert_eq!(store.stats().orphans_removed, 2);
    assert_eq!(everything(&store.snapshot()), before);
    store.compact_all().await.unwrap();
    assert_eq!(everything(&store.snapshot()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_every_event_once_while_compaction_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Store::open(Options { compact_rows: 150, ..options(dir.path()) }, TestClock::new(), Arc::new(Disk)).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, ended) = (Arc::clone(&store), Arc::clone(&ended));
        tokio::task::spawn_blocking(move || {
            let mut seen = 0;
            while !ended.load(Ordering::Relaxed) {
                let snapshot = store.snapshot();
                // Files of a snapshot stay until it is dropped, whatever happens meanwhile.
                let found = numbers(&snapshot);
                assert_eq!(found, (0..snapshot.rows()).collect::<Vec<_>>());
                seen += 1;
            }
            seen
        })
    };
    let compactor = {
        let (store, ended) = (Arc::clone(&store), Arc::clone(&ended));
        tokio::spawn(async move {
            let mut done = 0;
            while !ended.load(Ordering::Relaxed) {
                done += usize::from(store.compact_once().await.unwrap().is_some());
                tokio::task::yield_now().await;
            }
            done
        })
    };
    filled(&store, 20).await;
    ended.store(true, Ordering::Relaxed);
    assert!(reader.await.unwrap() > 0);
    assert!(compactor.await.unwrap() > 0);
    assert_eq!(numbers(&store.snapshot()), (0..2_000).collect::<Vec<_>>());
    store.sweep().await;
    let named: usize = store.snapshot().segments.iter().map(|segment| 1 + usize::from(segment.index.is_some())).sum();
    assert_eq!(walk(&dir.path().join("segments")).len(), named, "no file is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_that_drops_an_input_meanwhile_wins() {
    struct Nothing;
    impl RetentionPolicy for Nothing {
        fn keep(&self, _: &str, _: &str) -> Option<Micros> {
            Some(0)
        }
        fn actor(&self) -> String {
            "test".into()
        }
        fn reason(&self) -> String {
            "test".into()
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    filled(&store, 2).await;
    let inputs: Vec<_> = store.snapshot().segments.iter().filter(|segment| !segment.skewed).cloned().collect();
    let job = super::plan::Job { inputs: inputs.clone(), skewed: false, span: HOUR, level: 1 };
    let shared = Arc::clone(&store);
    let new = tokio::task::spawn_blocking(move || super::job::run(&shared, &job, None)).await.unwrap().unwrap();
    assert_eq!(store.apply_retention(&Nothing, START + HOUR).await.unwrap().len(), 3);
    let replaced = store.replace(inputs, new.into_iter().map(Arc::new).collect()).await;
    assert!(replaced.unwrap_err().chain().contains("is not in the catalogue any more"));
    assert_eq!(store.snapshot().rows(), 0);
    store.sweep().await;
    assert_eq!(walk(&dir.path().join("segments")), Vec::<std::path::PathBuf>::new());
}

/// Collects what it sees.
struct Watcher(Arc<Mutex<Vec<Seen>>>);

/// Number of columns, lines.
type Seen = (usize, Vec<String>);

impl BlockObserver for Watcher {
    fn columns(&self) -> Vec<String> {
        vec!["event.original".into(), "host.name".into(), "no.such".into()]
    }

    fn rows(&mut self, batch: &RecordBatch) -> crate::Result<()> {
        let lines = batch.column_by_name("event.original").unwrap().as_string_view();
        self.0.lock().unwrap().push((batch.num_columns(), lines.iter().flatten().map(str::to_owned).collect()));
        Ok(())
    }

    fn finish(self: Box<Self>) -> crate::Result<Option<Bytes>> {
        Ok(Some(Bytes::from_static(b"words")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_sees_the_rows_in_file_order_and_its_file_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    filled(&store, 2).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&seen);
    store.observe_compaction(Arc::new(move |_| Box::new(Watcher(Arc::clone(&shared)))));
    store.compact_all().await.unwrap();
    let snapshot = store.snapshot();
    let mut lines = Vec::new();
    for segment in &snapshot.segments {
        let index = segment.index.as_ref().unwrap();
        assert_eq!(std::fs::read(dir.path().join("segments").join(&index.location)).unwrap(), b"words");
        for batch in segment_rows(&segment.path) {
            let column = batch.column_by_name("event.original").unwrap().as_string_view();
            lines.extend(column.iter().flatten().map(str::to_owned));
        }
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert!(seen.iter().all(|(columns, _)| *columns == 2));
    assert_eq!(seen.iter().flat_map(|(_, lines)| lines.clone()).collect::<Vec<_>>(), lines);
    drop((store, snapshot));
    let store = open(dir.path()).await;
    assert_eq!(store.stats().orphans_removed, 0);
    assert!(store.snapshot().segments.iter().all(|segment| segment.index.is_some()));
}

/// A file of format 2 as it was first written. With `CHIENG_BLESS` the test writes it anew; only a new format may do that.
#[tokio::test(flavor = "multi_thread")]
async fn the_sample_of_format_2_opens() {
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/samples/format-2.parquet");
    if std::env::var_os("CHIENG_BLESS").is_some() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        filled(&store, 1).await;
        store.compact_all().await.unwrap();
        let snapshot = store.snapshot();
        let regular = snapshot.segments.iter().find(|segment| !segment.skewed).unwrap();
        std::fs::copy(&regular.path, &sample).unwrap();
    }
    let mut found = Vec::new();
    for batch in segment_rows(&sample) {
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string_view().clone();
        let (ids, lines, messages) = (text("event.id"), text("event.original"), text("message"));
        let (hosts, claimed, sources, vendors) =
            (text("host.name"), text("log.syslog.hostname"), text("source.ip"), text("vendor.srcip"));
        for row in 0..batch.num_rows() {
            let number: u64 = lines.value(row).parse().unwrap();
            found.push(number);
            assert_eq!(ids.value(row), format!("t-1-{number}"));
            assert_eq!(messages.value(row), lines.value(row));
            assert_eq!(hosts.value(row), format!("host-{}", 7 - number % 7));
            assert_eq!(claimed.value(row), hosts.value(row));
            assert_eq!(sources.value(row), format!("10.0.{}.{}", number % 5, number % 251));
            assert_eq!(vendors.value(row), sources.value(row));
        }
    }
    found.sort_unstable();
    assert_eq!(found, (0..100).filter(|number| *number != 42).collect::<Vec<_>>());
}

/// A damaged input is named and stays as it is; the others are compacted.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_set_apart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    filled(&store, 3).await;
    let segments: Vec<_> = store.snapshot().segments.iter().filter(|segment| !segment.skewed).cloned().collect();
    let mut bytes = std::fs::read(&segments[1].path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segments[1].path, bytes).unwrap();
    let error = store.compact_all().await.unwrap_err().chain();
    assert!(error.contains(&segments[1].id) && error.contains("has checksum") && error.contains("expected"), "{error}");
    assert_eq!(store.stats().compaction_error, Some(error));
    store.compact_all().await.unwrap();
    let left: Vec<_> =
        store.snapshot().segments.iter().filter(|segment| segment.level == 0).map(|segment| segment.id.clone()).collect();
    assert_eq!(left, [segments[1].id.clone()]);
    assert_eq!(store.snapshot().rows(), 300);
}
