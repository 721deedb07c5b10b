//! A restart with a long tail in the log: reads are served while it is read again, and say how much is still to come.

use serde_json::Value;

use crate::harness::{Site, client, post_records, wait_for};

/// Records in the tail: seconds of work, while a question takes a part of one.
const TAIL: i64 = 500_000;
const BATCH: i64 = 2_000;
const OLD: i64 = 1_000;

async fn post(base: &str, prefix: &str, from: i64, to: i64) {
    let body: String = (from..to).map(|at| format!("{{\"message\":\"{prefix} {at}\"}}\n")).collect();
    let client = client();
    loop {
        match post_records(&client, base, "api", Some(&format!("{prefix}-{from}")), body.clone()).await {
            Ok(200) => return,
            Ok(429 | 503) => tokio::time::sleep(std::time::Duration::from_millis(25)).await,
            other => panic!("unexpected answer {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_served_while_the_tail_of_the_log_is_read_again() {
    // Nothing is flushed but at a proper end.
    let site = Site::new("[store]\nflush_interval = \"1h\"\nflush_size = \"4 GiB\"\n");
    let server = site.start();
    post(&server.http(), "old", 0, OLD).await;
    let old = "SELECT count(*) FROM events WHERE message LIKE 'old %'";
    wait_for("the first events to be visible", || (site.count(old) == OLD).then_some(()));
    server.stop();
    let server = site.start();
    for from in (0..TAIL).step_by(BATCH as usize) {
        post(&server.http(), "new", from, from + BATCH).await;
    }
    server.kill();

    let server = site.start();
    let books = "SELECT sum(received) AS received, sum(pending) AS pending, sum(unaccounted) AS unaccounted FROM ledger WHERE source = 'api'";
    let number = |row: &Value, name: &str| row[name].as_i64().expect("a number");
    let first = site.query(books);
    assert!(number(&first[0], "pending") > 0, "a question is answered before the log was read: {first:?}");
    assert_eq!(number(&first[0], "received"), OLD + TAIL, "what was acknowledged is in the books at once: {first:?}");
    assert_eq!(number(&first[0], "unaccounted"), 0, "{first:?}");
    assert_eq!(site.count(old), OLD, "what was in files is there at once");
    wait_for("the tail to be visible", || (number(&site.query(books)[0], "pending") == 0).then_some(()));
    assert_eq!(site.count("SELECT count(DISTINCT message) FROM events WHERE message LIKE 'new %'"), TAIL);
    assert_eq!(site.count("SELECT count(*) FROM events WHERE message LIKE 'new %'"), TAIL);
    server.stop();
}
