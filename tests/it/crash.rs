//! Real `kill -9` under load over HTTP: what was acknowledged is there exactly once, and the ledger balances.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use crate::harness::{Site, post_records, wait_for};

const KILLS: usize = 20;

/// `CHIENG_KILLS` asks for more.
fn kills() -> usize {
    std::env::var("CHIENG_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS)
}
const WRITERS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_event_is_there_exactly_once_after_twenty_kills() {
    let site = Site::new("[store]\nflush_interval = \"1s\"\n");
    let base = Arc::new(Mutex::new(String::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(Mutex::new(BTreeSet::<String>::new()));
    let sent = Arc::new(AtomicU64::new(0));
    let mut server = site.start();
    *base.lock().unwrap() = server.http();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (base, stop, acknowledged, sent) = (base.clone(), stop.clone(), acknowledged.clone(), sent.clone());
            tokio::spawn(write_until_stopped(writer, base, stop, acknowledged, sent))
        })
        .collect();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for kill in 0..kills() {
        // A random moment, measured in requests rather than in time, so that a slow machine crashes in the same places.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let target = sent.load(Ordering::Relaxed) + 3 + (seed >> 33) % 60;
        wait_for("writers to write", || (sent.load(Ordering::Relaxed) >= target).then_some(()));
        server.kill();
        server = site.start();
        *base.lock().unwrap() = server.http();
        println!("kill {}: {} acknowledged so far", kill + 1, acknowledged.lock().unwrap().len());
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("a writer");
    }
    settle(&site);
    let acknowledged = acknowledged.lock().unwrap().clone();
    let mut found: BTreeMap<String, i64> = BTreeMap::new();
    for row in site.query("SELECT message, count(*) AS n FROM events WHERE chieng.source = 'api' GROUP BY message") {
        found.insert(row["message"].as_str().expect("message").to_owned(), row["n"].as_i64().expect("n"));
    }
    let lost: Vec<_> = acknowledged.iter().filter(|id| !found.contains_key(*id)).take(5).collect();
    let doubled: Vec<_> = found.iter().filter(|(_, n)| **n != 1).take(5).collect();
    assert!(lost.is_empty(), "acknowledged but lost: {lost:?}\n{}", site.log());
    assert!(doubled.is_empty(), "stored more than once: {doubled:?}");
    assert_eq!(found.len(), acknowledged.len(), "every batch was retried until acknowledged, so nothing else may be there");
    assert!(acknowledged.len() > 1_000, "the load was real: {}", acknowledged.len());
    let ids = site.count("SELECT count(*) - count(DISTINCT event.id) AS doubled FROM events");
    assert_eq!(ids, 0, "event ids are unique");
    let ledger = site.query(
        "SELECT sum(received) AS received, sum(parsed) AS parsed, sum(quarantined) AS quarantined, sum(unaccounted) AS unaccounted \
         FROM ledger WHERE source = 'api'",
    );
    assert_eq!(ledger[0]["unaccounted"], 0, "{ledger:?}");
    assert_eq!(ledger[0]["received"].as_i64(), Some(acknowledged.len() as i64), "{ledger:?}");
    server.stop();
    let verified = site.chieng(&["store", "verify", "--json"]);
    let report: Value = serde_json::from_slice(&verified.stdout).expect("a report");
    assert_eq!(report["divergences_total"], 0, "one chain over twenty kills: {report}");
    assert!(report["rows"].as_u64() >= Some(acknowledged.len() as u64), "every row is proven: {report}");
    assert_eq!(report["rows_unproven"], 0, "{report}");
}

/// Waits until everything in the log has been processed.
fn settle(site: &Site) {
    wait_for("the log to be processed", || {
        let rows = site.query("SELECT coalesce(sum(pending), 0) AS pending FROM ledger");
        (rows.first()?.get("pending").and_then(Value::as_i64)? == 0).then_some(())
    });
}

/// Posts batches with keys; a batch is repeated with its key until it is acknowledged, as a careful agent does.
async fn write_until_stopped(
    writer: u64,
    base: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    sent: Arc<AtomicU64>,
) {
    let client = crate::harness::client();
    let mut batch = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        batch += 1;
        let ids: Vec<String> = (0..1 + (batch * 7 + writer) % 40).map(|i| format!("w{writer}-{batch}-{i}")).collect();
        let body: String = ids.iter().map(|id| format!("{{\"message\":\"{id}\"}}\n")).collect();
        let key = format!("{writer}-{batch}");
        loop {
            let to = base.lock().unwrap().clone();
            sent.fetch_add(1, Ordering::Relaxed);
            match post_records(&client, &to, "api", Some(&key), body.clone()).await {
                Ok(200) => break,
                // Overload, shutting down, or killed in the middle: the same key again, after a breath.
                Ok(429 | 503) | Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
                Ok(status) => panic!("unexpected answer {status}"),
            }
        }
        acknowledged.lock().unwrap().extend(ids);
    }
}
