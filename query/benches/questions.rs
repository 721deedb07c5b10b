//! Time of questions over a data directory: `CHIENG_BENCH_DATA=DIR cargo bench --workspace --bench questions`.
//!
//! The directory is one that `chieng run` has filled and left (of the lines of `benches/peers/store.py`, say); all that waits in it is
//! compacted first. Arguments are questions in SQL; without any the ones of the peers are asked. Each is asked once, then
//! `CHIENG_BENCH_ROUNDS` times (15): the shortest and the median time, the CPU time of one, the rows of the answer and what was read are shown. Not a
//! test, and not the time that a user sees: there is no server between.

use std::{sync::Arc, time::Instant};

use event::{Micros, Scope, seam::Clock};
use query::{Engine, Limits};
use store::{Disk, Options, Store};

const QUESTIONS: [(&str, &str); 7] = [
    ("needle", "SELECT timestamp, host.name, message FROM events WHERE match('203.0.113.77') ORDER BY timestamp"),
    ("token", "SELECT timestamp, host.name, message FROM events WHERE match('203fa0fd3ec4318f')"),
    ("top", "SELECT source.ip, count(*) AS n FROM events GROUP BY source.ip ORDER BY n DESC LIMIT 10"),
    (
        "histogram",
        "SELECT date_bin(INTERVAL '5 minutes', timestamp) AS b, count(*) FROM events WHERE event.dataset = 'sshd.auth' AND \
         match('\"Failed password\"') GROUP BY b ORDER BY b",
    ),
    ("substring", "SELECT count(*) AS n FROM events WHERE event.original LIKE '%owershell.exe -nop%'"),
    ("regex", "SELECT count(*) AS n FROM events WHERE event.original ~ '/api/v[12]/users/[0-9]+/delete'"),
    ("last", "SELECT * FROM events WHERE host.name = 'web13' ORDER BY timestamp DESC LIMIT 100"),
];

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Now;

impl Clock for Now {
    fn now(&self) -> Micros {
        chrono::Utc::now().timestamp_micros()
    }
}

fn main() {
    let Ok(dir) = std::env::var("CHIENG_BENCH_DATA") else {
        println!("skipped: CHIENG_BENCH_DATA names no data directory");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(dir.into()));
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

async fn run(dir: std::path::PathBuf) {
    let rounds = std::env::var("CHIENG_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(15_usize);
    let store =
        Store::open(Options { dir, ..Options::default() }, Arc::new(Now), Arc::new(Disk)).await.expect("a data directory");
    let started = Instant::now();
    let compacted = store.compact_all().await.expect("compaction").len();
    let snapshot = store.snapshot();
    let rows: u64 = snapshot.segments.iter().map(|segment| segment.rows).sum();
    println!("{compacted} compactions in {:.1?}; {rows} rows in {} files", started.elapsed(), snapshot.segments.len());
    let engine = Engine::new(store.clone(), vec![], Limits::default(), [1; 32]).expect("an engine");
    let given: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let asked: Vec<(&str, &str)> = match given.is_empty() {
        true => QUESTIONS.to_vec(),
        false => {
            let known = |word: &str| QUESTIONS.iter().find(|(name, _)| *name == word).copied();
            given.iter().map(|word| known(word).unwrap_or(("given", word))).collect()
        }
    };
    for (name, sql) in asked {
        let (mut times, used) = (Vec::new(), cpu());
        let mut seen = String::new();
        for _ in 0..=rounds {
            let started = Instant::now();
            let answer = engine.sql(&Scope::internal("bench"), sql, None).await.expect("a question");
            let answer = answer.collect().await.expect("an answer");
            let rows: usize = answer.batches.iter().map(|batch| batch.num_rows()).sum();
            times.push(started.elapsed().as_secs_f64() * 1e3);
            seen = format!("{rows} rows; {:?}", answer.stats);
        }
        let (first, cpu) = (times.remove(0), (cpu() - used) * 1e3 / (rounds + 1) as f64);
        times.sort_by(f64::total_cmp);
        println!(
            "{name:10} first {first:7.1}  min {:7.1}  median {:7.1} ms  cpu {cpu:6.1} ms  {seen}",
            times[0],
            times[times.len() / 2]
        );
    }
    drop(engine);
    store.close().await.expect("closing");
}
