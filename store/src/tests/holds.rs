//! Legal holds against retention, over restarts and against a deletion that was decided before; the record of deletions.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use arrow::array::AsArray;
use event::{Event, Micros, UNASSIGNED, field};

use super::support::*;
use crate::{Error, NewHold, RetentionPolicy, Store, Tombstone, retention::expired};

const DAY: Micros = 86_400_000_000;
const LATE: Micros = START + 400 * DAY;

/// Everything is kept for thirty days.
struct Thirty;

impl RetentionPolicy for Thirty {
    fn keep(&self, _system: &str, _class: &str) -> Option<Micros> {
        Some(30 * DAY)
    }

    fn actor(&self) -> String {
        "test".into()
    }

    fn reason(&self) -> String {
        "thirty days".into()
    }
}

/// A store with two segments: records 0..10 (systems `even` and `odd`), then one record of the system `mail`.
async fn two_segments(dir: &std::path::Path) -> Arc<Store> {
    fn mail(event: &mut Event<'_>, _: u64) {
        event.set(field::SYSTEM_ID, "mail");
    }
    let store = open(dir).await;
    let mut tail = store.tail();
    store.sink().submit(batch("s", 0, 10)).await.unwrap();
    drain(&store, &mut tail, plain).await;
    store.flush().await.unwrap();
    store.sink().submit(batch("s", 10, 11)).await.unwrap();
    drain(&store, &mut tail, mail).await;
    store.flush().await.unwrap();
    assert_eq!(store.snapshot().segments.len(), 2);
    store
}

fn of_system(system: &str) -> NewHold {
    NewHold { system: Some(system.into()), reason: "case 12".into(), placed_by: "lan".into(), ..NewHold::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_held_row_keeps_its_segment_until_the_hold_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let store = two_segments(dir.path()).await;
    let held = store.snapshot().segments[0].id.clone();
    // Two of the ten rows are of that class and system.
    let hold = store.place_hold(NewHold { class: Some("b.log".into()), ..of_system("even") }).await.unwrap();
    let gone = store.apply_retention(&Thirty, LATE).await.unwrap();
    assert_eq!(gone.len(), 1, "what is not held goes");
    assert_ne!(gone[0].segment, held);
    assert_eq!(numbers(&store.snapshot()), (0..10).collect::<Vec<_>>());

    // A hold outlives the process.
    store.close().await.unwrap();
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(store.holds().await.unwrap(), std::slice::from_ref(&hold));
    assert!(store.apply_retention(&Thirty, LATE).await.unwrap().is_empty());

    let released = store.release_hold(hold.id, "minh", "case closed").await.unwrap();
    assert_eq!(released.released.as_ref().map(|release| release.by.as_str()), Some("minh"));
    assert!(matches!(store.release_hold(hold.id, "minh", "again").await, Err(Error::NoHold { id: 1 })));
    let gone = store.apply_retention(&Thirty, LATE).await.unwrap();
    assert_eq!((gone.len(), gone[0].segment.as_str()), (1, held.as_str()));
    assert_eq!(gone[0].reason, "thirty days; was under hold 1 until 2026-09-21T14:13:20Z, released by minh: case closed");
    assert_eq!(store.tombstones().await.unwrap().len(), 2);
    assert_eq!(store.holds().await.unwrap(), [released], "a hold is never removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_span_is_of_the_time_of_ingestion() {
    let dir = tempfile::tempdir().unwrap();
    let store = two_segments(dir.path()).await;
    let before = NewHold { to: Some(START - 1), ..of_system("mail") };
    let after = NewHold { from: Some(START + DAY), ..of_system("mail") };
    store.place_hold(before).await.unwrap();
    store.place_hold(after).await.unwrap();
    let around = NewHold { system: None, from: Some(START - DAY), to: Some(START + DAY), ..of_system("") };
    let around = store.place_hold(around).await.unwrap();
    assert!(store.apply_retention(&Thirty, LATE).await.unwrap().is_empty(), "all systems, the right span");
    store.release_hold(around.id, "lan", "done").await.unwrap();
    assert_eq!(store.apply_retention(&Thirty, LATE).await.unwrap().len(), 2, "the other two cover nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_comes_after_retention_has_decided_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = two_segments(dir.path()).await;
    let decided = expired(&store.snapshot(), &Thirty, &[], LATE);
    assert_eq!(decided.len(), 2);
    store.place_hold(of_system("mail")).await.unwrap();
    let gone = store.drop_in_turn(decided).await.unwrap();
    assert_eq!((gone.len(), store.snapshot().segments.len()), (1, 1), "only what is not held");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_while_the_holds_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    two_segments(dir.path()).await.close().await.unwrap();
    let (store, mode) = super::durability::faulty(dir.path()).await;
    mode.store(super::durability::LOSE_ALL, Ordering::Relaxed);
    assert!(store.apply_retention(&Thirty, LATE).await.is_err());
    assert_eq!(store.snapshot().segments.len(), 2);
    mode.store(0, Ordering::Relaxed);
    assert_eq!(store.apply_retention(&Thirty, LATE).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_segment_is_held_for_what_went_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = two_segments(dir.path()).await;
    store.place_hold(of_system("mail")).await.unwrap();
    store.compact_all().await.unwrap();
    assert_eq!(store.snapshot().segments.len(), 1);
    assert!(store.apply_retention(&Thirty, LATE).await.unwrap().is_empty(), "the whole file stays for one row");
    store.release_hold(1, "lan", "done").await.unwrap();
    assert_eq!(store.apply_retention(&Thirty, LATE).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_senders_may_be_the_systems_tomorrow() {
    fn unknown(event: &mut Event<'_>, _: u64) {
        event.set(field::SYSTEM_ID, UNASSIGNED);
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    store.sink().submit(batch("s", 0, 3)).await.unwrap();
    drain(&store, &mut tail, unknown).await;
    store.flush().await.unwrap();
    store.place_hold(of_system("dvc")).await.unwrap();
    assert!(store.apply_retention(&Thirty, LATE).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_are_a_table_with_a_row_for_each_system() {
    let dir = tempfile::tempdir().unwrap();
    let store = two_segments(dir.path()).await;
    let table = store.tombstones_table();
    assert_eq!((table.name(), table.scope_column()), ("tombstones", Some("system.id")));
    assert_eq!(table.scan().await.unwrap()[0].num_rows(), 0);
    let gone: Vec<Tombstone> = store.apply_retention(&Thirty, LATE).await.unwrap();
    let batch = table.scan().await.unwrap().remove(0);
    assert_eq!(batch.schema(), table.schema());
    let text = |name: &str| batch.column_by_name(name).unwrap().as_string_view().clone();
    let rows = batch.column_by_name("rows").unwrap().as_primitive::<arrow::datatypes::Int64Type>();
    let mut by_part: BTreeMap<(String, String), i64> = BTreeMap::new();
    let (systems, classes) = (text("system.id"), text("class"));
    for at in 0..batch.num_rows() {
        by_part.insert((systems.value(at).into(), classes.value(at).into()), rows.value(at));
    }
    let part = |system: &str, class: &str| by_part[&(system.to_owned(), class.to_owned())];
    // 0..10: even 0 6 | 2 4 8, odd 3 9 | 1 5 7; record 10 is of mail.
    assert_eq!((part("even", "b.log"), part("even", "a.log")), (2, 3));
    assert_eq!((part("odd", "b.log"), part("odd", "a.log"), part("mail", "a.log")), (2, 3, 1));
    assert_eq!(by_part.len(), 5);
    assert!(text("segment").iter().flatten().all(|segment| gone.iter().any(|tombstone| tombstone.segment == segment)));
    assert!(text("reason").iter().flatten().all(|reason| reason == "thirty days"));
}
