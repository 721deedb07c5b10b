//! The real store under the engine: hot, then flushed, the same answers; and its ledger as a table.

use std::sync::Arc;

use event::{Micros, seam::Clock};
use store::{ColdOptions, Disk, Options, Processed, Store};

use super::world::{admin, batches, first_column, rows, run};
use crate::{Engine, Limits};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Micros {
        super::world::START
    }
}

#[test]
fn the_store_answers_the_same_hot_flushed_compacted_and_moved_away() {
    let dir = tempfile::tempdir().unwrap();
    // So small a limit that compaction does not wait for the end of the hour.
    let cold = ColdOptions {
        url: format!("file://{}", dir.path().join("cold").display()),
        // A day ahead: everything is old enough.
        after: -86_400_000_000,
        bytes_per_second_max: u64::MAX,
        options: Vec::new(),
    };
    let options = Options { dir: dir.path().join("data"), compact_rows: 1, cold: Some(cold), ..Options::default() };
    run(async {
        let store = Store::open(options, Arc::new(Fixed), Arc::new(Disk)).await.unwrap();
        let mut batch = event::RawBatch::new("test", None, super::world::START);
        batch.push(b"one line");
        let receipt = store.sink().submit(batch).await.unwrap();
        let made = rows(300, 1);
        store.publish(Processed { through: receipt.sequence, batches: batches(&made), ledger: vec![] });
        let engine = Engine::new(store.clone(), vec![], Limits::default(), [1; 32]).unwrap();
        let ask =
            async |sql: &str| first_column(&engine.sql(&admin(), sql, None).await.unwrap().collect().await.unwrap().batches);
        let questions = [
            "SELECT count(*) FROM events",
            "SELECT count(*) FROM events WHERE user.name = 'root' AND related.ip = '10.0.0.1'",
            "SELECT count(*) FROM events WHERE rare.key = '7'",
            "SELECT count(*) FROM events WHERE fortinet.level = '5'",
            "SELECT event.id FROM events ORDER BY timestamp DESC, event.id LIMIT 5",
            "SELECT event.original FROM events WHERE match('failed') ORDER BY event.id",
            "SELECT message FROM events WHERE message LIKE '%login%' ORDER BY event.id",
            "SELECT count(DISTINCT event.original) FROM events WHERE system.id = 'portal'",
            "SELECT event.original FROM events WHERE event.id = 'n1-17-0'",
        ];
        let mut hot = Vec::new();
        for sql in questions {
            hot.push(ask(sql).await);
        }
        assert_eq!(hot[0], ["300"]);
        assert_eq!(hot[2], [made.iter().filter(|row| row.rare.as_deref() == Some("7")).count().to_string()]);
        store.flush().await.unwrap();
        assert!(store.snapshot().hot.is_empty());
        for (sql, before) in questions.iter().zip(&hot) {
            assert_eq!(ask(sql).await, *before, "{sql}");
        }
        let compacted = store.compact_once().await.unwrap().expect("one small file is enough here");
        assert_eq!(compacted.rows, 300);
        let snapshot = store.snapshot();
        assert!(snapshot.segments.iter().all(|segment| segment.format == 2), "lines are derived from here on");
        for (sql, before) in questions.iter().zip(&hot) {
            assert_eq!(ask(sql).await, *before, "{sql}");
        }
        assert!(!ask("SELECT sum(received) FROM ledger").await.is_empty());
        drop(engine);
        while store.move_cold_once().await.unwrap().is_some() {}
        drop(snapshot);
        store.sweep().await;
        let moved = store.snapshot();
        let away: Vec<_> = moved.segments.iter().filter(|segment| segment.cold.is_some()).collect();
        assert!(!away.is_empty() && away.iter().all(|segment| !segment.path.exists()));
        // An engine that has nothing cached.
        let engine = Engine::new(store.clone(), vec![], Limits::default(), [1; 32]).unwrap();
        let ask =
            async |sql: &str| first_column(&engine.sql(&admin(), sql, None).await.unwrap().collect().await.unwrap().batches);
        for (sql, before) in questions.iter().zip(&hot) {
            assert_eq!(ask(sql).await, *before, "{sql}");
        }
        drop(engine);
        store.close().await.unwrap();
    });
}
