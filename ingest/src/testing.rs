//! A sink, a clock and a wait for the tests of this crate.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use event::{
    Micros, RawBatch, Receipt,
    seam::{BoxFuture, Clock, Refused, Sink},
};

use crate::{Context, Metrics, SourceTable, Sources, settings::SourceSettings};

/// Keeps batches in memory; can be told to refuse, or to answer late.
#[derive(Default)]
pub struct MemorySink {
    pub batches: Mutex<Vec<RawBatch>>,
    keys: Mutex<HashMap<(String, String), Receipt>>,
    offsets: Mutex<HashMap<(String, String), u64>>,
    /// The answer to every batch while set.
    pub refuse: Mutex<Option<Refused>>,
    /// While set, submissions wait.
    pub stalled: AtomicBool,
    pub asked: AtomicU64,
}

impl MemorySink {
    pub fn records(&self) -> Vec<String> {
        let batches = self.batches.lock().unwrap();
        batches.iter().flat_map(|b| b.records().map(|r| String::from_utf8_lossy(r).into_owned()).collect::<Vec<_>>()).collect()
    }

    pub fn len(&self) -> usize {
        self.batches.lock().unwrap().iter().map(RawBatch::len).sum()
    }

    pub fn refused(&self) -> HashMap<&'static str, u64> {
        let mut all = HashMap::new();
        for (reason, n) in self.batches.lock().unwrap().iter().flat_map(|b| b.refused.clone()) {
            *all.entry(reason.name()).or_default() += n;
        }
        all
    }
}

impl Sink for MemorySink {
    fn submit(&self, batch: RawBatch) -> BoxFuture<'_, Result<Receipt, Refused>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Relaxed);
            while self.stalled.load(Relaxed) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if let Some(refused) = self.refuse.lock().unwrap().clone() {
                return Err(refused);
            }
            let mut batches = self.batches.lock().unwrap();
            let receipt = Receipt { sequence: batches.len() as u64 + 1, records: batch.len() as u32, duplicate: false };
            if let Some(key) = &batch.key {
                let key = (batch.source.clone(), key.clone());
                if let Some(first) = self.keys.lock().unwrap().get(&key) {
                    return Ok(Receipt { duplicate: true, ..*first });
                }
                self.keys.lock().unwrap().insert(key, receipt);
            }
            if let Some(cursor) = &batch.cursor {
                self.offsets.lock().unwrap().insert((batch.source.clone(), cursor.file.clone()), cursor.offset);
            }
            batches.push(batch);
            Ok(receipt)
        })
    }

    fn file_offset(&self, source: &str, file: &str) -> u64 {
        self.offsets.lock().unwrap().get(&(source.to_owned(), file.to_owned())).copied().unwrap_or(0)
    }
}

/// A clock that a test sets.
#[derive(Default)]
pub struct TestClock(pub AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Micros {
        self.0.load(Relaxed)
    }
}

pub fn context(sources: &[SourceSettings]) -> (Context, Arc<MemorySink>) {
    let sink = Arc::new(MemorySink::default());
    let table = SourceTable::new(sources, |_| true).unwrap();
    let context = Context {
        sink: Arc::clone(&sink) as Arc<dyn Sink>,
        clock: Arc::new(TestClock(AtomicI64::new(1_800_000_000_000_000))),
        sources: Arc::new(Sources::new(table)),
        metrics: Arc::new(Metrics::default()),
    };
    (context, sink)
}

/// Waits until a condition holds; fails after ten seconds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(10), "timed out waiting until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
