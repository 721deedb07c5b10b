//! Time, memory, rows, turns, and an asker who goes away.

use std::time::{Duration, Instant};

use futures::StreamExt;

use super::world::{World, admin, rows, run};
use crate::{ErrorKind, Limits};

/// Joins everything with everything: never done in time.
const ENDLESS: &str =
    "SELECT count(*) FROM events a, events b, events c, events d WHERE a.message < b.message AND c.message < d.message";

fn world(limits: Limits) -> World {
    World::with(rows(2000, 1), limits, vec![])
}

#[test]
fn time_is_bounded() {
    let world = world(Limits { time: Duration::from_millis(300), ..Limits::default() });
    run(async {
        let started = Instant::now();
        let error = world.ask(ENDLESS).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Limit);
        assert!(error.message.contains("time limit"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    });
}

#[test]
fn memory_is_bounded() {
    let world = world(Limits { memory_bytes: 100_000, ..Limits::default() });
    run(async {
        let error = world.ask("SELECT event.id, array_agg(message) FROM events GROUP BY event.id").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Limit, "{error}");
    });
}

#[test]
fn rows_are_cut_honestly() {
    let world = world(Limits { rows_max: 100, ..Limits::default() });
    run(async {
        let answer = world.ask("SELECT event.id FROM events").await.unwrap();
        assert_eq!(answer.num_rows(), 100);
        assert!(!answer.complete);
        assert_eq!(answer.reason.as_deref(), Some("more than 100 rows"));
        let answer = world.ask("SELECT event.id FROM events LIMIT 100").await.unwrap();
        assert!(answer.complete && answer.num_rows() == 100);
        // A seam that expects all rows gets an error, not a part.
        let seam: &dyn event::seam::Search = &*world.engine;
        assert!(seam.search(&admin(), "SELECT event.id FROM events", 100).await.is_err());
        assert!(seam.search(&admin(), "SELECT event.id FROM events", 5000).await.is_ok());
    });
}

#[test]
fn turns_are_bounded_and_come_back() {
    let world = world(Limits { concurrent: 1, wait: Duration::from_millis(50), ..Limits::default() });
    run(async {
        let first = world.engine.sql(&admin(), ENDLESS, None).await.unwrap();
        let error = world.ask("SELECT 1").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Busy);
        // Going away ends the question and frees its turn.
        drop(first);
        wait_until(|| world.engine.running() == 0).await;
        assert!(world.ask("SELECT 1").await.is_ok());
    });
}

/// One person who asks all the time leaves a turn to the others, and to the program itself.
#[test]
fn nobody_has_all_turns() {
    let world = world(Limits { concurrent: 2, wait: Duration::from_millis(50), ..Limits::default() });
    run(async {
        let first = world.engine.sql(&admin(), ENDLESS, None).await.unwrap();
        assert_eq!(world.ask("SELECT 1").await.unwrap_err().kind, ErrorKind::Busy, "a second one of the same person");
        let other = event::Scope { actor: "lan".to_owned(), ..admin() };
        assert!(world.ask_as(&other, "SELECT 1").await.is_ok());
        assert!(world.ask_as(&event::Scope::internal("rule"), "SELECT 1").await.is_ok());
        drop(first);
        wait_until(|| world.engine.running() == 0).await;
        assert!(world.ask("SELECT 1").await.is_ok());
    });
}

#[test]
fn a_half_read_answer_can_be_left() {
    let world = world(Limits::default());
    run(async {
        let mut answer = world.engine.sql(&admin(), "SELECT * FROM events a, events b", None).await.unwrap();
        assert!(answer.next().await.unwrap().is_ok());
        drop(answer);
        wait_until(|| world.engine.running() == 0).await;
    });
}

#[test]
fn the_watermark_ends_the_largest() {
    let world = world(Limits { process_bytes_max: Some(1), ..Limits::default() });
    run(async {
        let error = world.ask(ENDLESS).await.unwrap_err();
        assert!(error.message.contains("short of memory"), "{error}");
    });
}

async fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "the condition did not come true in 10 s");
        tokio::task::yield_now().await;
    }
}
