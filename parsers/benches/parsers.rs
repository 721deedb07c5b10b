//! Megabytes per second of each parser over its corpus: `cargo bench -p parsers`.
//!
//! The whole way of a record is measured (envelope, recognition, payload), with the arena reset after every block, as the
//! pipe does it. Not measured: building columns.

use std::{fs, path::Path};

use bumpalo::Bump;
use chrono_tz::Tz;
use divan::{Bencher, counter::BytesCount};
use event::{Event, RawRecord};
use parsers::{Memory, PARSERS};

/// 2026-11-23T12:00:00Z.
const RECEIVED: i64 = 1_795_435_200_000_000;

const BLOCK_BYTES: usize = 256 * 1024;

fn main() {
    divan::main();
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

#[divan::bench(args = PARSERS.iter().map(|parser| parser.name()))]
fn parse(bencher: Bencher, name: &str) {
    let lines = block(name);
    let bytes: usize = lines.iter().map(String::len).sum();
    let mut arena = Bump::new();
    let mut memory = Memory::default();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        arena.reset();
        let mut event = Event::new(&arena);
        for line in &lines {
            event.clear();
            let raw = RawRecord::new(line.as_bytes(), line, RECEIVED, Tz::Asia__Ho_Chi_Minh);
            divan::black_box(parsers::parse(raw, None, &mut memory, &mut event));
        }
        divan::black_box(event.fields().len())
    });
}
