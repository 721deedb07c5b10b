//! Log append in MB/s and flush in events/s, on a temporary directory of this machine: `cargo bench -p store`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bumpalo::Bump;
use event::{BlockBuilder, Event, Micros, RawBatch, field, seam::Clock};
use store::{Disk, LedgerDelta, Options, Processed, Store, minute_of};

const LINE: &str =
    "<86>Oct 11 22:14:15 web-07 sshd[24601]: Failed password for invalid user admin from 203.0.113.77 port 41022 ssh2";
const BATCHES: u64 = 1_500;
const RECORDS: u64 = 1_000;
const EVENTS: u64 = 400_000;

struct Now;

impl Clock for Now {
    fn now(&self) -> Micros {
        chrono::Utc::now().timestamp_micros()
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        append().await;
        flush().await;
    });
}

async fn open(dir: &std::path::Path) -> Arc<Store> {
    let options = Options { dir: dir.to_owned(), ..Options::default() };
    Store::open(options, Arc::new(Now), Arc::new(Disk)).await.expect("a fresh directory opens")
}

/// Eight senders that each wait for their receipt.
async fn append() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path()).await;
    let mut batch = RawBatch::new("bench", None, 0);
    (0..RECORDS).for_each(|_| batch.push(LINE.as_bytes()));
    let bytes = batch.data.len() as u64 * BATCHES;
    let started = Instant::now();
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (sink, batch) = (store.sink(), batch.clone());
            tokio::spawn(async move {
                for _ in 0..BATCHES / 8 {
                    sink.submit(batch.clone()).await.expect("the log takes it");
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.expect("no panic");
    }
    let (took, stats) = (started.elapsed().as_secs_f64(), store.stats());
    println!(
        "append: {:.0} MB/s, {:.0} records/s, {} groups, commit p50 {} µs, p99 {} µs",
        bytes as f64 / 1e6 / took,
        (BATCHES * RECORDS) as f64 / took,
        stats.wal_groups_total,
        stats.commit_us_p50,
        stats.commit_us_p99
    );
}

async fn flush() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    let mut batch = RawBatch::new("bench", None, 0);
    (0..RECORDS).for_each(|_| batch.push(LINE.as_bytes()));
    for _ in 0..EVENTS / RECORDS {
        store.sink().submit(batch.clone()).await.expect("the log takes it");
    }
    let mut publish = Duration::ZERO;
    while tail.position() < store.stats().wal_durable {
        let frames = tail.next(1 << 20, Duration::from_millis(1)).await.expect("readable").unwrap_or_default();
        let Some(done) = process(&frames) else { continue };
        let started = Instant::now();
        store.publish(done);
        publish += started.elapsed();
    }
    let hot_bytes = store.stats().hot_bytes;
    let started = Instant::now();
    store.flush().await.expect("flushes");
    let took = started.elapsed().as_secs_f64();
    let stats = store.stats();
    println!(
        "flush: {:.0} events/s, {:.1} bytes per event on disk, {} MB hot, publish {:.2} ms in all",
        EVENTS as f64 / took,
        stats.segment_bytes as f64 / stats.segment_rows as f64,
        hot_bytes / 1_000_000,
        publish.as_secs_f64() * 1e3
    );
}

/// Events with about the columns that a parsed sshd line has.
fn process(frames: &[store::Frame]) -> Option<Processed> {
    let through = frames.last()?.sequence;
    let arena = Bump::new();
    let mut event = Event::new(&arena);
    let mut builder = BlockBuilder::new();
    let mut ledger = Vec::new();
    for frame in frames {
        for (at, record) in frame.batch.records().enumerate() {
            let number = frame.sequence * RECORDS + at as u64;
            event.clear();
            event.set_dataset("sshd.auth");
            event.set(field::EVENT_ID, &*arena.alloc_str(&format!("n-{}-{at}", frame.sequence)));
            event.set(field::TIMESTAMP, frame.ingested - (number % 5_000) as i64);
            event.set(field::EVENT_CREATED, frame.ingested - 1_000);
            event.set(field::EVENT_INGESTED, frame.ingested);
            event.set(field::EVENT_DATASET, "sshd.auth");
            event.set(field::EVENT_OUTCOME, "failure");
            event.set(field::EVENT_ACTION, "ssh_login");
            event.set(field::HOST_NAME, &*arena.alloc_str(&format!("web-{:02}", number % 60)));
            event.set(field::SOURCE_IP, &*arena.alloc_str(&format!("203.0.113.{}", number * 7 % 251)));
            event.set(field::SOURCE_PORT, (number * 31 % 60_000) as i64);
            event.set(field::USER_NAME, &*arena.alloc_str(&format!("user{}", number * 13 % 700)));
            event.set(field::SYSTEM_ID, "portal");
            event.set(field::CHIENG_SOURCE, "bench");
            event.set(field::EVENT_ORIGINAL, &*arena.alloc_str(std::str::from_utf8(record).expect("text")));
            builder.append(&event);
        }
        let records = frame.batch.len() as u64;
        let minute = minute_of(frame.ingested);
        ledger.push(LedgerDelta { source: "bench".into(), minute, parsed: records, events: records, ..LedgerDelta::default() });
    }
    Some(Processed { through, batches: builder.finish(), ledger })
}
