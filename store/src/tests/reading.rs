//! What a segment looks like: columns, order, residual, skew, retention, snapshots that outlive it.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{Array, AsArray},
    datatypes::TimestampMicrosecondType,
};
use event::{Event, Micros, field};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    basic::Compression,
};

use super::{durability::wait_for, support::*};
use crate::{RetentionPolicy, SKEW_MAX, SystemClass};

/// Dense and rare names outside the catalogue, lists, hosts out of order, and one claimed time far off.
fn rich<'r>(event: &mut Event<'r>, number: u64) {
    let host = event.alloc(&format!("host-{}", 7 - number % 7));
    event.set(field::HOST_NAME, host);
    event.set_ip(field::RELATED_IP, "192.0.2.9");
    event.set(field::SOURCE_PORT, number as i64);
    event.set_extra("vendor.", "dense", "yes");
    if number == 42 {
        event.set_extra("vendor.", "rare", "a \"quoted\" text");
        event.set_extra("vendor.", "rarer", "");
        event.set(field::TIMESTAMP, START - 3 * SKEW_MAX);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_is_clustered_typed_and_told_apart_by_skew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    for at in 0..5 {
        store.sink().submit(batch("s", at * 200, at * 200 + 200)).await.unwrap();
    }
    drain(&store, &mut tail, rich).await;
    let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<BTreeSet<Arc<str>>>();
    assert_eq!(*store.snapshot().extra, names(&["vendor.dense", "vendor.rare", "vendor.rarer"]));
    store.flush().await.unwrap();
    drop((store, tail));

    // Everything about the segments is in the catalogue.
    let store = open(dir.path()).await;
    let snapshot = store.snapshot();
    assert_eq!(numbers(&snapshot), (0..1000).collect::<Vec<_>>());
    let [regular, skewed] = &snapshot.segments[..] else { panic!("{} segments", snapshot.segments.len()) };
    assert_eq!((regular.rows, regular.skewed, skewed.rows, skewed.skewed), (999, false, 1, true));
    assert_eq!(skewed.timestamp, Some((START - 3 * SKEW_MAX, START - 3 * SKEW_MAX)));
    assert_eq!(skewed.datasets, BTreeSet::from(["b.log".to_owned()]));
    assert_eq!(*regular.residual_keys, BTreeSet::from(["vendor.rare".to_owned(), "vendor.rarer".to_owned()]));
    assert_eq!(*snapshot.extra, names(&["vendor.dense", "vendor.rare", "vendor.rarer"]));
    assert_eq!(regular.checksum, *blake3::hash(&std::fs::read(&regular.path).unwrap()).as_bytes());

    let rows = segment_rows(&skewed.path).remove(0);
    assert_eq!(rows.schema().fields(), skewed.schema.fields(), "the catalogue knows the file's columns and types");
    let residual = rows.column_by_name("residual").unwrap().as_string_view();
    assert_eq!(residual.value(0), r#"{"vendor.rare":"a \"quoted\" text","vendor.rarer":""}"#);
    let related = rows.column_by_name("related.ip").unwrap().as_list::<i32>().value(0);
    assert_eq!(related.as_string_view().value(0), "192.0.2.9");

    let mut keys = Vec::new();
    for rows in segment_rows(&regular.path) {
        let text = |name: &str| rows.column_by_name(name).unwrap().as_string_view().clone();
        let (datasets, hosts, dense) = (text("event.dataset"), text("host.name"), text("vendor.dense"));
        let times = rows.column_by_name("timestamp").unwrap().as_primitive::<TimestampMicrosecondType>().clone();
        for row in 0..rows.num_rows() {
            assert!(hosts.is_valid(row));
            // One frame is one time: within a dataset rows stand as they came.
            keys.push((datasets.value(row).to_owned(), times.value(row)));
            assert_eq!(dense.value(row), "yes");
        }
        assert_eq!(rows.column_by_name("residual").unwrap().null_count(), rows.num_rows());
    }
    assert!(keys.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_zstd_with_a_page_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    store.sink().submit(batch("s", 0, 20_000)).await.unwrap();
    drain(&store, &mut tail, rich).await;
    store.flush().await.unwrap();
    let path = store.snapshot().segments[0].path.clone();
    let options = ArrowReaderOptions::new().with_page_index_policy(parquet::file::metadata::PageIndexPolicy::Required);
    let metadata = ArrowReaderMetadata::load(&std::fs::File::open(path).unwrap(), options).unwrap();
    let groups = metadata.metadata().row_groups();
    assert!(groups.iter().flat_map(|group| group.columns()).all(|column| matches!(column.compression(), Compression::ZSTD(_))));
    let pages = &metadata.metadata().offset_index().unwrap()[0][0];
    assert!(pages.page_locations().len() >= 3, "20,000 rows in pages of 8,192");
}

struct Rules(fn(&str) -> Option<Micros>);

impl RetentionPolicy for Rules {
    fn keep(&self, system: &str, _class: &str) -> Option<Micros> {
        (self.0)(system)
    }

    fn actor(&self) -> String {
        "test".into()
    }

    fn reason(&self) -> String {
        "rule 1".into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_rule_wins_and_readers_keep_their_files() {
    const DAY: Micros = 86_400_000_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    store.sink().submit(batch("s", 0, 100)).await.unwrap();
    drain(&store, &mut tail, plain).await;
    store.flush().await.unwrap();
    let spans = store.snapshot().systems();
    let systems: BTreeSet<&str> = spans.iter().map(|part: &SystemClass| part.system.as_str()).collect();
    assert_eq!((spans.iter().map(|part| part.rows).sum::<u64>(), systems), (100, BTreeSet::from(["even", "odd"])));

    let mixed = Rules(|system| Some(if system == "odd" { 90 * DAY } else { 30 * DAY }));
    let for_ever = Rules(|system| (system == "odd").then_some(DAY));
    assert!(store.apply_retention(&mixed, START + 60 * DAY).await.unwrap().is_empty());
    assert!(store.apply_retention(&for_ever, START + 9_000 * DAY).await.unwrap().is_empty());

    let reader = store.snapshot();
    let gone = store.apply_retention(&mixed, START + 91 * DAY).await.unwrap();
    assert_eq!((gone.len(), gone[0].rows, gone[0].reason.as_str(), gone[0].actor.as_str()), (1, 100, "rule 1", "test"));
    assert!(store.snapshot().segments.is_empty());
    assert_eq!(numbers(&reader).len(), 100, "who holds a snapshot reads on");
    let path = reader.segments[0].path.clone();
    drop(reader);
    store.sweep().await;
    wait_for(|| !path.exists()).await;
    drop((store, tail));
    let store = open(dir.path()).await;
    assert_eq!(store.tombstones().await.unwrap(), gone);
    assert!(store.snapshot().segments.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reader_sees_an_event_twice_or_not_at_all_while_a_flush_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let reader = Arc::clone(&store);
    let watching = tokio::spawn(async move {
        let mut last = 0;
        while last < 3_000 {
            let snapshot = reader.snapshot();
            let rows = snapshot.rows();
            assert!(rows >= last, "{rows} rows after {last}");
            assert_eq!(rows, snapshot.through * 100, "a block is there whole or not at all");
            last = rows;
            tokio::task::yield_now().await;
        }
    });
    let mut tail = store.tail();
    for at in 0..30_u64 {
        store.sink().submit(batch("s", at * 100, at * 100 + 100)).await.unwrap();
        drain(&store, &mut tail, plain).await;
        if at % 3 == 0 {
            store.flush().await.unwrap();
        }
    }
    tokio::time::timeout(std::time::Duration::from_secs(20), watching).await.expect("in time").unwrap();
    assert_eq!(numbers(&store.snapshot()), (0..3_000).collect::<Vec<_>>());
}
