//! Stand-in for `chieng parse` (not committed).
use bumpalo::Bump;
use event::{Event, RawRecord};
use parsers::Memory;
use std::io::{self, BufRead as _, Write as _};
fn main() {
    let is_ndjson = std::env::args().any(|argument| argument == "ndjson");
    let show = std::env::args().any(|argument| argument == "--name");
    let mut memory = Memory::default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().split(b'\n') {
        let line = line.unwrap();
        let record = if is_ndjson {
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            value["raw"].as_str().unwrap().as_bytes().to_vec()
        } else {
            line
        };
        let arena = Bump::new();
        let mut event = Event::new(&arena);
        let text = String::from_utf8_lossy(&record);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
        let raw = RawRecord::new(&record, &text, now, chrono_tz::Tz::UTC);
        let (_, name) = parsers::parse(raw, None, &mut memory, &mut event);
        let shown = parsers::render::json(&event);
        drop(event);
        if show {
            write!(out, "{name}\t").unwrap();
        }
        writeln!(out, "{shown}").unwrap();
    }
}
