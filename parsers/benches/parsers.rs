//! Megabytes per second of each parser over its own corpus, on one core: `cargo bench -p parsers --bench parsers [NAME …]`.
//!
//! The whole way of a record is measured (envelope, recognition, payload), with the arena reset after every block, as the
//! pipe does it, in three columns: the parser fixed by configuration; recognised with the memory of one sender; recognised
//! from nothing, line by line. Not measured: building columns (`--bench blocks` does).
//!
//! A figure is the best of many blocks of a millisecond or two, so that a busy machine spoils as little as possible. Corpora hold hostile lines
//! too, and lines that another parser claims; their bytes count like any others.

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use bumpalo::Bump;
use chrono_tz::Tz;
use event::{Event, RawRecord};
use parsers::{Memory, PARSERS, Parser};

/// 2026-11-23T12:00:00Z.
const RECEIVED: i64 = 1_795_435_200_000_000;

const BLOCK_BYTES: usize = 256 * 1024;
/// Blocks of one figure, and the time after which no more are begun.
const BLOCKS_MAX: usize = 200;
const TIME: Duration = Duration::from_millis(150);

#[derive(Clone, Copy)]
enum Way {
    Fixed,
    Remembered,
    FromNothing,
}

const WAYS: [(&str, Way); 3] = [("fixed", Way::Fixed), ("memory", Way::Remembered), ("nothing", Way::FromNothing)];

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut columns: [Vec<(f64, &str)>; 3] = Default::default();
    println!("{:<24} {:>6} {:>6}   MB/s: {:>8} {:>8} {:>8}", "parser", "lines", "bytes", WAYS[0].0, WAYS[1].0, WAYS[2].0);
    for parser in PARSERS.iter().filter(|parser| wanted.is_empty() || wanted.iter().any(|name| name == parser.name())) {
        let lines = block(parser.name());
        let bytes: usize = lines.iter().map(String::len).sum();
        let speeds = WAYS.map(|(_, way)| megabytes_per_second(&lines, bytes, *parser, way));
        println!(
            "{:<24} {:>6} {:>6}         {:>8.0} {:>8.0} {:>8.0}",
            parser.name(),
            lines.len(),
            bytes / lines.len().max(1),
            speeds[0],
            speeds[1],
            speeds[2]
        );
        for (column, speed) in columns.iter_mut().zip(speeds) {
            column.push((speed, parser.name()));
        }
    }
    for ((name, _), mut column) in WAYS.into_iter().zip(columns) {
        column.sort_by(|one, other| one.0.total_cmp(&other.0));
        let Some((slowest, who)) = column.first() else { continue };
        println!(
            "{name:<8} median {:.0} MB/s, slowest {who} {slowest:.0} MB/s, {} parsers",
            column[column.len() / 2].0,
            column.len()
        );
    }
}

fn megabytes_per_second(lines: &[String], bytes: usize, parser: &'static dyn Parser, way: Way) -> f64 {
    let (mut arena, begun) = (Bump::new(), Instant::now());
    let mut best = f64::MAX;
    for _ in 0..BLOCKS_MAX {
        let block = Instant::now();
        run(&mut arena, lines, parser, way);
        best = best.min(block.elapsed().as_secs_f64());
        if begun.elapsed() > TIME {
            break;
        }
    }
    bytes as f64 / best / 1e6
}

fn run(arena: &mut Bump, lines: &[String], parser: &'static dyn Parser, way: Way) {
    arena.reset();
    let mut event = Event::new(arena);
    let mut memory = Memory::default();
    let fixed = matches!(way, Way::Fixed).then_some(parser);
    for line in lines {
        event.clear();
        if matches!(way, Way::FromNothing) {
            memory = Memory::default();
        }
        let raw = RawRecord::new(line.as_bytes(), line, RECEIVED, Tz::Asia__Ho_Chi_Minh);
        std::hint::black_box(parsers::parse(raw, fixed, &mut memory, &mut event));
    }
    std::hint::black_box(event.fields().len());
}

/// The lines of a parser's corpus, repeated to a block.
fn block(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name).join("basic.log");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let mut block = Vec::new();
    let mut bytes = 0;
    for line in lines.iter().cycle() {
        if bytes > BLOCK_BYTES {
            break;
        }
        bytes += line.len();
        block.push((*line).to_owned());
    }
    block
}
