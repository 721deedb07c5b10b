//! Planning of a day's question among the files of a year: `cargo bench -p query --bench planning`.
//!
//! The files are not there: questions are only explained, so nothing but the catalogue's rows is looked at. Printed is the median
//! of 200 explanations with 10 files and with `CHIENG_BENCH_SEGMENTS` (10,000); the difference is what the catalogue costs. Not a
//! test: nothing is asserted but that only the day's files are left.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use event::{Micros, Scope, Systems, catalogue::timestamp_type};
use query::{Engine, Limits, Source};
use store::{Segment, Snapshot, SystemClass};

const DAY: Micros = 24 * 3_600_000_000;
/// 2026-01-01T00:00Z.
const YEAR: Micros = 1_767_225_600_000_000;
const RUNS: usize = 200;

struct Fixed(Arc<Snapshot>);

impl Source for Fixed {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.0.clone()
    }
}

fn schema() -> SchemaRef {
    let text = |name: String| Field::new(name, DataType::Utf8View, true);
    let mut fields = vec![Field::new("timestamp", timestamp_type(), true)];
    fields.extend(["event.dataset", "event.original", "source.ip", "host.name", "system.id"].map(|name| text(name.into())));
    fields.extend((0..60).map(|at| text(format!("vendor.field{at}"))));
    Arc::new(Schema::new(fields))
}

/// So many files over a year, each with 20 systems of 3 log classes.
fn snapshot(count: i64) -> Arc<Snapshot> {
    let schema = schema();
    let segment = |at: i64| {
        let (from, to) = (YEAR + at * 365 * DAY / count, YEAR + (at + 1) * 365 * DAY / count - 1);
        let classes = (0..60).map(|part| SystemClass {
            system: format!("system-{:02}", part / 3),
            class: format!("class.{}", part % 3),
            rows: 1_000,
            ingested: (from, to),
        });
        let segment = Segment {
            id: format!("segment-{at}"),
            location: String::new(),
            path: "nowhere".into(),
            rows: 60_000,
            bytes: 4 << 20,
            checksum: [0; 32],
            sequences: (at as u64, at as u64 + 1),
            timestamp: Some((from, to)),
            ingested: (from, to),
            datasets: (0..3).map(|part| format!("class.{part}")).collect(),
            systems: classes.collect(),
            schema: Arc::clone(&schema),
            residual_keys: Arc::default(),
            residual_complete: true,
            skewed: false,
            level: 2,
            format: 2,
            index: None,
            cold: None,
        };
        Arc::new(segment)
    };
    let extra: BTreeSet<Arc<str>> = (0..60).map(|at| format!("vendor.field{at}").into()).collect();
    Arc::new(Snapshot { segments: (0..count).map(segment).collect(), extra: Arc::new(extra), ..Snapshot::default() })
}

async fn median(engine: &Arc<Engine>, scope: &Scope, sql: &str, left: &str) -> Duration {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        let answer = engine.sql(scope, sql, None).await.expect("a plan").collect().await.expect("an explanation");
        times.push(started.elapsed());
        let shown = format!("{:?}", answer.batches);
        assert!(scope.systems != Systems::All || shown.contains(left), "{left} in {shown}");
    }
    times.sort();
    times[RUNS / 2]
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let many = std::env::var("CHIENG_BENCH_SEGMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let sql = "EXPLAIN SELECT source.ip, count(*) FROM events \
               WHERE timestamp >= '2026-07-01T00:00:00Z' AND timestamp < '2026-07-02T00:00:00Z' GROUP BY source.ip";
    let all = Scope::internal("bench");
    let only = Systems::Only(["system-07".to_owned()].into_iter().collect());
    let one = Scope { systems: only, ..all.clone() };
    for count in [10, many] {
        let snapshot = snapshot(count);
        let started = Instant::now();
        let copies: Vec<_> = (0..RUNS).map(|_| snapshot.segments.clone()).collect();
        let copied = started.elapsed() / copies.len() as u32;
        drop(copies);
        let engine = Engine::over(Arc::new(Fixed(snapshot)), vec![], Limits::default(), [7; 32]).expect("an engine");
        // The window's own files, and those it cuts.
        let first = 181 * count / 365;
        let last = (182 * count - 1) / 365;
        let left = format!("segments={} of {count}", last - first + 1);
        let everyone = runtime.block_on(median(&engine, &all, sql, &left));
        let owner = runtime.block_on(median(&engine, &one, sql, &left));
        println!("{count} files: {everyone:?} who sees all, {owner:?} who owns one system; a copy of the list {copied:?}");
    }
}
