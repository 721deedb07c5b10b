//! Lines → events → columns, as the pipe does it, in CPU seconds per million lines: `cargo bench -p parsers --bench blocks`.
//!
//! Reads the lines of the file that `CHIENG_BENCH_LINES` names, else those of the corpus, over and over to 200,000. Prints parsing
//! alone, with columns, and the share of each parser. Not measured: the log, rules, storage.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::Instant,
};

use bumpalo::Bump;
use chrono_tz::Tz;
use event::{BlockBuilder, Event, RawRecord, field};
use parsers::{Memory, PARSERS};

/// 2026-11-23T12:00:00Z.
const RECEIVED: i64 = 1_795_435_200_000_000;

const BLOCK_BYTES: usize = 1 << 20;
const LINES: usize = 200_000;

fn main() {
    let text = match env::var_os("CHIENG_BENCH_LINES") {
        Some(path) => String::from_utf8_lossy(&fs::read(PathBuf::from(path)).expect("the lines can be read")).into_owned(),
        None => corpus(),
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let lines: Vec<&str> = lines.iter().copied().cycle().take(LINES.max(lines.len().min(1_000_000))).collect();
    let bytes: usize = lines.iter().map(|line| line.len()).sum();
    println!("{} lines, {} bytes a line", lines.len(), bytes / lines.len());
    for (name, with_columns) in [("parse", false), ("parse + columns", true)] {
        let best = (0..3).map(|_| run(&lines, with_columns)).fold(f64::MAX, f64::min);
        println!("{name:<20} {:>8.3} CPU-s per million lines", best / lines.len() as f64 * 1e6);
    }
    let mut kinds: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    let (arena, mut memory) = (Bump::new(), Memory::default());
    for line in lines.iter().take(LINES) {
        let mut event = Event::new(&arena);
        let begun = Instant::now();
        let (_, parser) = parsers::parse(raw(line), None, &mut memory, &mut event);
        let entry = kinds.entry(parser).or_default();
        *entry = (entry.0 + begun.elapsed().as_secs_f64(), entry.1 + 1);
    }
    for (parser, (seconds, count)) in kinds {
        println!("  {parser:<18} {count:>8} lines {:>8.0} ns a line", seconds / count as f64 * 1e9);
    }
}

fn raw(line: &str) -> RawRecord<'_> {
    RawRecord::new(line.as_bytes(), line, RECEIVED, Tz::UTC)
}

/// Seconds of processor time for all lines.
fn run(lines: &[&str], with_columns: bool) -> f64 {
    let begun = processor_seconds();
    let (mut arena, mut memory, mut builder) = (Bump::new(), Memory::default(), BlockBuilder::new());
    let mut rest = lines;
    while !rest.is_empty() {
        arena.reset();
        let mut event = Event::new(&arena);
        let mut bytes = 0;
        while let Some((line, next)) = rest.split_first()
            && bytes < BLOCK_BYTES
        {
            event.clear();
            parsers::parse(raw(line), None, &mut memory, &mut event);
            if with_columns {
                event.set(field::EVENT_ORIGINAL, *line);
                builder.append(&event);
            }
            bytes += line.len();
            rest = next;
        }
        divan::black_box(builder.finish());
    }
    processor_seconds() - begun
}

/// User and system time of this process.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn corpus() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let of = |name: &str| fs::read_to_string(root.join(name).join("basic.log")).unwrap_or_default();
    PARSERS.iter().map(|parser| of(parser.name())).collect()
}
