//! CPU of making leaves: `cargo bench -p proof`. One million rows in processing blocks of 3,072, four datasets, two systems.
//!
//! Lines come from the file that `CHIENG_BENCH_LINES` names, else stand-ins of 357 bytes are made. Not a test: it prints figures.

use std::{
    hint::black_box,
    io::{BufRead as _, BufReader},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, StringViewArray, TimestampMicrosecondArray},
    record_batch::RecordBatch,
};
use proof::{BLOCK_ROWS, block::blocks_of, journal};

const ROWS: usize = 1_000_000;
const PROCESSING_ROWS: usize = 3_072;

/// CPU seconds of this process so far, in steps of 10 ms (Linux).
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn lines() -> Vec<String> {
    match std::env::var_os("CHIENG_BENCH_LINES") {
        Some(path) => {
            let file = std::fs::File::open(&path).expect("the file of lines");
            BufReader::new(file).lines().map_while(Result::ok).take(ROWS).collect()
        }
        None => (0..ROWS).map(|row| format!("<134>line {row} {}", "abcdefghij".repeat(34)).chars().take(357).collect()).collect(),
    }
}

/// One dataset's batch of a processing block.
fn batch(lines: &[String], first: usize, dataset: usize) -> Option<RecordBatch> {
    let rows: Vec<usize> = (0..lines.len()).filter(|row| row % 4 == dataset).collect();
    let ids = rows.iter().map(|row| format!("n1-{}-{}", 1 + (first + row) / 256, (first + row) % 256));
    let times = |add: i64| TimestampMicrosecondArray::from(vec![1_790_000_000_000_000 + add; rows.len()]).with_timezone("UTC");
    let texts = |value: &dyn Fn(usize) -> String| {
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| value(*row)))) as ArrayRef
    };
    let columns: [(&str, ArrayRef); 8] = [
        ("timestamp", Arc::new(times(-5))),
        ("event.created", Arc::new(times(-1))),
        ("event.dataset", texts(&|_| format!("dataset{dataset}.log"))),
        ("event.id", Arc::new(StringViewArray::from_iter_values(ids))),
        ("event.ingested", Arc::new(times(0))),
        ("event.original", texts(&|row| lines[row].clone())),
        ("log.source.address", texts(&|_| "192.0.2.1".to_owned())),
        ("system.id", texts(&|row| if row % 8 < 4 { "dvc" } else { "mail" }.to_owned())),
    ];
    (!rows.is_empty()).then(|| RecordBatch::try_from_iter(columns).expect("columns of one length"))
}

fn main() {
    let lines = lines();
    let bytes: usize = lines.iter().map(String::len).sum();
    let mut processing = Vec::new();
    for (at, lines) in lines.chunks(PROCESSING_ROWS).enumerate() {
        processing.push((0..4).filter_map(|dataset| batch(lines, at * PROCESSING_ROWS, dataset)).collect::<Vec<_>>());
    }
    let blocks_each = BLOCK_ROWS.div_ceil(PROCESSING_ROWS);
    for round in 0..3 {
        let started = cpu();
        let (mut position, mut out, mut after, mut leaves) = (journal::Position::default(), Vec::new(), 0, 0);
        for group in processing.chunks(blocks_each) {
            let batches: Vec<&RecordBatch> = group.iter().flatten().collect();
            let last = after + (blocks_each * PROCESSING_ROWS / 256) as u64;
            for block in blocks_of(&batches, after, last) {
                leaves += block.leaves.len();
                position.push(&journal::Record::Block(block), &mut out);
            }
            after = last;
        }
        let seconds = cpu() - started;
        let whole: Vec<u8> = lines.iter().flat_map(|line| line.as_bytes()).copied().collect();
        let bulk = cpu();
        for chunk in whole.chunks(64 << 10) {
            black_box(blake3::hash(chunk));
        }
        let bulk = cpu() - bulk;
        let raw = cpu();
        let mut hasher = blake3::Hasher::new();
        for line in &lines {
            hasher.update(line.as_bytes());
        }
        black_box(hasher.finalize());
        println!(
            "round {round}: {} rows of {} bytes, {leaves} leaves: {seconds:.2} CPU-s ({:.2} per million), {} bytes of journal; BLAKE3 alone in 64 KiB {bulk:.2}, line by line {:.2}",
            lines.len(),
            bytes / lines.len().max(1),
            seconds * 1e6 / lines.len() as f64,
            out.len(),
            cpu() - raw,
        );
    }
}
