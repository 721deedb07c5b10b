//! CPU and bytes of flush (L0) and compaction (L1): `cargo bench -p store --bench compact`.
//!
//! Lines come from the file that `CHIENG_BENCH_LINES` names, else a few thousand small stand-ins are made. They are parsed as the
//! pipe parses them, but without register and listeners. `CHIENG_BENCH_EVENTS` bounds the number of lines; with
//! `CHIENG_BENCH_COLUMNS` the bytes of each column are shown. `CHIENG_BENCH_PARTS` compacts after every flush of so many rows about,
//! so that the end merges the parts of an hour. Not a test: nothing is asserted but that all rows are there.

use std::{collections::BTreeMap, fs::File, io::BufRead, path::Path, sync::Arc};

use bumpalo::Bump;
use event::{BlockBuilder, Event, Micros, RawBatch, RawRecord, Value, field, seam::Clock};
use parquet::file::reader::{FileReader, SerializedFileReader};
use store::{Disk, LedgerDelta, Options, Processed, Store, minute_of};

/// Records of one frame: what a listener reads at once.
const FRAME_RECORDS: usize = 256;
/// Frames of one processing block.
const BLOCK_FRAMES: usize = 12;
/// Events per second of the burst that is played.
const RATE: i64 = 250_000;

struct Now(std::sync::atomic::AtomicI64);

impl Clock for Now {
    fn now(&self) -> Micros {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run());
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    // SAFETY: the struct is plain data that the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Largest memory of this process so far, in MiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn lines() -> Vec<String> {
    let max = std::env::var("CHIENG_BENCH_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    match std::env::var("CHIENG_BENCH_LINES") {
        Ok(path) => {
            let file = std::io::BufReader::new(File::open(&path).expect("CHIENG_BENCH_LINES names a readable file"));
            file.lines().take(max).collect::<Result<_, _>>().expect("the lines are UTF-8")
        }
        Err(_) => (0..max.min(50_000))
            .map(|at| {
                let (second, host) = (at / 100, at % 37);
                format!(
                    "<38>Nov 22 00:{:02}:{:02} srv{host:03} sshd[{}]: Failed password for user{} from 203.0.113.{} port {} ssh2",
                    second / 60 % 60,
                    second % 60,
                    1_000 + at * 7 % 31_000,
                    at % 61,
                    at % 254,
                    1_024 + at * 13 % 60_000
                )
            })
            .collect(),
    }
}

async fn run() {
    let lines = lines();
    let events = lines.len();
    let raw: usize = lines.iter().map(|line| line.len() + 1).sum();
    let dir = tempfile::tempdir().expect("a temporary directory");
    // 2026-11-22T23:00Z: within a day of all claimed times.
    let clock = Arc::new(Now(1_795_388_400_000_000.into()));
    let part_rows: Option<u64> = std::env::var("CHIENG_BENCH_PARTS").ok().and_then(|text| text.parse().ok());
    let mut options = Options { dir: dir.path().to_owned(), free_bytes_min: 0, ..Options::default() };
    options.compact_rows = part_rows.unwrap_or(options.compact_rows);
    let store = Store::open(options, Arc::clone(&clock) as _, Arc::new(Disk)).await.expect("a fresh directory opens");
    let sink = store.sink();
    let mut tail = store.tail();
    let mut arena = Bump::new();
    let (mut parse_cpu, mut flush_cpu) = (0.0, 0.0);
    for block in lines.chunks(FRAME_RECORDS * BLOCK_FRAMES) {
        for frame in block.chunks(FRAME_RECORDS) {
            let now = clock.0.fetch_add(frame.len() as i64 * 1_000_000 / RATE, std::sync::atomic::Ordering::Relaxed);
            let mut batch = RawBatch::new("syslog-tcp", Some([10, 1, 2, 3].into()), now);
            frame.iter().for_each(|line| batch.push(line.as_bytes()));
            sink.submit(batch).await.expect("the log takes it");
        }
        let started = cpu();
        let frames = tail.next(usize::MAX, std::time::Duration::from_millis(50)).await.expect("readable").expect("open");
        store.publish(process(&frames, &mut arena));
        parse_cpu += cpu() - started;
        if store.flush_is_due() || part_rows.is_some_and(|rows| store.stats().hot_rows >= rows) {
            let started = cpu();
            store.flush().await.expect("flushes");
            flush_cpu += cpu() - started;
            if part_rows.is_some() {
                store.compact_once().await.expect("compacts");
            }
        }
        store.release(store.stats().published);
    }
    let started = cpu();
    store.flush().await.expect("flushes");
    flush_cpu += cpu() - started;
    let millions = events as f64 / 1e6;
    let show = |name: &str, cpu: f64, bytes: u64| {
        println!("{name}: {:.2} CPU-s per M, {:.1} bytes per event", cpu / millions, bytes as f64 / events as f64);
    };
    println!(
        "{events} events, {:.1} bytes a line, {} segments, {} MiB",
        raw as f64 / events as f64,
        store.stats().segments,
        memory()
    );
    println!("parse and publish: {:.2} CPU-s per M", parse_cpu / millions);
    show("flush (L0)", flush_cpu, store.stats().segment_bytes);
    columns(&store, events);
    println!("before the end: {} segments", store.stats().segments);
    let started = (cpu(), std::time::Instant::now());
    let done = store.compact_all().await.expect("compacts");
    let took = started.1.elapsed().as_secs_f64();
    show("compaction (L1)", cpu() - started.0, store.stats().segment_bytes);
    println!("{} compactions, {took:.2} s, {} MiB at most", done.len(), memory());
    assert_eq!(store.stats().segment_rows, events as u64);
    columns(&store, events);
    if let Ok(target) = std::env::var("CHIENG_BENCH_KEEP") {
        for segment in &store.snapshot().segments {
            std::fs::copy(&segment.path, Path::new(&target).join(format!("{}.parquet", segment.id))).expect("copies");
        }
    }
}

/// What `src/pipe` does to a block, without the register.
fn process(frames: &[store::Frame], arena: &mut Bump) -> Processed {
    arena.reset();
    let mut event = Event::new(arena);
    let mut builder = BlockBuilder::new();
    let mut memory = parsers::Memory::default();
    let mut ledger = Vec::new();
    for frame in frames {
        let mut delta =
            LedgerDelta { source: frame.batch.source.clone(), minute: minute_of(frame.ingested), ..LedgerDelta::default() };
        for (at, record) in frame.batch.records().enumerate() {
            let text = std::str::from_utf8(record).expect("the lines are UTF-8");
            event.clear();
            let raw = RawRecord::new(record, text, frame.batch.received, chrono_tz::Asia::Ho_Chi_Minh);
            let (_, parser) = parsers::parse(raw, None, &mut memory, &mut event);
            event.set(field::CHIENG_PARSER, parser);
            event.set(field::EVENT_ORIGINAL, text);
            event.set(field::CHIENG_SOURCE, "syslog-tcp");
            event.set(field::LOG_SOURCE_ADDRESS, "10.1.2.3");
            event.set(field::EVENT_ID, event.alloc(&format!("chieng-{}-{at}", frame.sequence)));
            event.set(field::EVENT_DATASET, event.dataset());
            match event.get(field::TIMESTAMP) {
                Some(Value::Time(claimed)) => {
                    event.set(field::CHIENG_CLOCK_SKEW, claimed.saturating_sub(frame.batch.received) / 1_000);
                }
                _ => event.set(field::TIMESTAMP, Value::Time(frame.batch.received)),
            }
            event.set(field::EVENT_CREATED, Value::Time(frame.batch.received));
            event.set(field::EVENT_INGESTED, Value::Time(frame.ingested));
            event.set(field::SYSTEM_ID, event::UNASSIGNED);
            event.set(field::CHIENG_ATTRIBUTION, "none");
            builder.append(&event);
            delta.events += 1;
            delta.parsed += 1;
        }
        ledger.push(delta);
    }
    Processed { through: frames.last().map_or(0, |frame| frame.sequence), batches: builder.finish(), ledger }
}

/// Bytes by column over all segments, the largest first.
fn columns(store: &Store, events: usize) {
    if std::env::var_os("CHIENG_BENCH_COLUMNS").is_none() {
        return;
    }
    let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
    let mut footers = 0;
    for segment in &store.snapshot().segments {
        let reader = SerializedFileReader::new(File::open(&segment.path).expect("a segment")).expect("Parquet");
        let mut own = 0;
        for group in reader.metadata().row_groups() {
            for column in group.columns() {
                own += column.compressed_size() as u64;
                *bytes.entry(column.column_path().string()).or_default() += column.compressed_size() as u64;
            }
        }
        footers += segment.bytes - own;
    }
    let mut sorted: Vec<(String, u64)> = bytes.into_iter().collect();
    sorted.push(("(footers and page indexes)".into(), footers));
    sorted.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (name, bytes) in sorted.iter().take(45) {
        println!("  {:>8.3}  {name}", *bytes as f64 / events as f64);
    }
}
