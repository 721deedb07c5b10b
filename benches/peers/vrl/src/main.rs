//! The built-in parsers beside the parse functions of the vrl crate, on the same lines, on one core, in one run.
//!
//! `cargo run --release` in this folder. Both know the format: vrl by the function called, Chiêng by a fixed parser. vrl gives the
//! format's own fields; Chiêng gives those and ECS beside them (the columns `fields` count both). A figure is the best of [`ROUNDS`].

use std::{collections::BTreeMap, time::Instant};

use bumpalo::Bump;
use chrono_tz::Tz;
use event::{Event, Outcome, RawRecord};
use parsers::Memory;
use vrl::{
    compiler::{Context, TargetValue, TimeZone, compile, state::RuntimeState},
    value::{Secrets, Value},
};

/// Few lines many times: the best round is one that nothing interrupted.
const LINES: usize = 400;
const ROUNDS: usize = 150;

/// 2026-11-23T12:00:00Z.
const RECEIVED: i64 = 1_795_435_200_000_000;

type Line = fn(usize) -> String;

/// Format, our parser, the peer's program, a line by number.
const FORMATS: [(&str, &str, &str, Line); 6] = [
    ("syslog", "syslog", "parse_syslog!(.message)", |n| {
        let (day, host, pid) = (n % 27 + 1, n % 40, 1000 + n);
        format!("<30>1 2026-11-{day:02}T10:{:02}:{:02}.003Z web{host:02} indexer {pid} ID47 - rebuilt shard {n} in {} ms", n % 60, n % 59, n % 977)
    }),
    ("CEF", "cef", "parse_cef!(.message)", |n| {
        format!(
            "CEF:0|Security|threatmanager|1.0|{}|worm successfully stopped|{}|src=192.0.2.{} dst=198.51.100.{} spt={} dpt=443 suser=user{} act=blocked msg=Detected a threat number {n}. No action needed. proto=TCP request=http://example.org/a/{n}?q\\=1 cnt={}",
            100 + n % 9, n % 10, n % 250, n % 240, 1024 + n, n % 90, n % 7
        )
    }),
    ("key=value", "keyvalue", "parse_key_value!(.message)", |n| {
        format!(
            "ts=2026-11-23T10:00:{:02}Z level=info component=api method=GET path=/v1/items/{n} status={} user=u{} ip=192.0.2.{} duration_ms={} msg=\"request served in time, cache {}\" trace=4bf92f3577b34da6",
            n % 60, 200 + n % 5, n % 99, n % 250, n % 870, n % 2
        )
    }),
    ("nginx access", "nginx_access", "parse_nginx_log!(.message, \"combined\")", |n| {
        format!(
            "192.0.2.{} - user{} [23/Nov/2026:10:{:02}:{:02} +0700] \"GET /dich-vu-cong/ho-so/{n}?page={} HTTP/1.1\" 200 {} \"https://example.vn/trang/{n}\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\"",
            n % 250, n % 50, n % 60, n % 59, n % 9, 900 + n
        )
    }),
    ("apache access", "apache_access", "parse_apache_log!(.message, \"common\")", |n| {
        format!("198.51.100.{} - frank{} [23/Nov/2026:10:{:02}:{:02} +0700] \"POST /apache/{n}.php HTTP/1.0\" 404 {}", n % 250, n % 70, n % 60, n % 59, 2326 + n)
    }),
    ("JSON", "json", "parse_json!(.message)", |n| {
        format!(
            "{{\"time\":\"2026-11-23T10:00:{:02}Z\",\"level\":\"warn\",\"service\":{{\"name\":\"kho-du-lieu\",\"version\":\"1.{}\"}},\"client\":{{\"ip\":\"192.0.2.{}\",\"port\":{}}},\"http\":{{\"method\":\"GET\",\"path\":\"/api/v1/items/{n}\",\"status\":{}}},\"message\":\"slow answer of the \\\"store\\\"\",\"took\":{}.25,\"ok\":true,\"tags\":[\"a\",\"b\"]}}",
            n % 60, n % 9, n % 250, 1024 + n, 200 + n % 4, n % 700
        )
    }),
];

fn main() {
    println!("{:<14} {:>6} {:>10} {:>7} {:>10} {:>7} {:>7}", "format", "bytes", "chieng", "fields", "vrl", "fields", "ratio");
    println!("{:<14} {:>6} {:>10} {:>7} {:>10} {:>7} {:>7}", "", "/line", "MB/s", "/line", "MB/s", "/line", "");
    for (format, parser, program, line) in FORMATS {
        let lines: Vec<String> = (0..LINES).map(line).collect();
        let bytes: usize = lines.iter().map(String::len).sum();
        let (our_seconds, our_fields) = ours(&lines, parser);
        let (their_seconds, their_fields) = theirs(&lines, program);
        println!(
            "{format:<14} {:>6} {:>10.0} {our_fields:>7} {:>10.1} {their_fields:>7} {:>7.1}",
            bytes / LINES,
            bytes as f64 / our_seconds / 1e6,
            bytes as f64 / their_seconds / 1e6,
            their_seconds / our_seconds
        );
    }
}

/// Seconds for all lines, fields of the first.
fn ours(lines: &[String], name: &str) -> (f64, usize) {
    let parser = parsers::by_name(name);
    let mut arena = Bump::new();
    let (mut best, mut fields) = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        arena.reset();
        let mut event = Event::new(&arena);
        let mut memory = Memory::default();
        for line in lines {
            event.clear();
            let raw = RawRecord::new(line.as_bytes(), line, RECEIVED, Tz::UTC);
            let (outcome, by) = parsers::parse(raw, parser, &mut memory, &mut event);
            assert!(outcome == Outcome::Parsed && by == name, "{line}");
            fields = event.fields().len() + event.extra().len();
        }
        best = best.min(begun.elapsed().as_secs_f64());
    }
    (best, fields)
}

fn theirs(lines: &[String], program: &str) -> (f64, usize) {
    let program = compile(program, &vrl::stdlib::all()).expect("the program compiles").program;
    let zone = TimeZone::parse("UTC").expect("UTC is a zone");
    let mut state = RuntimeState::default();
    let records: Vec<Value> = lines.iter().map(|line| Value::from(line.as_str())).collect();
    let (mut best, mut fields) = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for record in &records {
            // The text is shared, not copied.
            let value = Value::Object(BTreeMap::from([("message".into(), record.clone())]));
            let mut target = TargetValue { value, metadata: Value::Object(BTreeMap::new()), secrets: Secrets::default() };
            let mut context = Context::new(&mut target, &mut state, &zone);
            let answer = program.resolve(&mut context).expect("the line is of the format");
            fields = leaves(&answer);
            std::hint::black_box(answer);
        }
        best = best.min(begun.elapsed().as_secs_f64());
    }
    (best, fields)
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.values().map(leaves).sum(),
        Value::Null => 0,
        _ => 1,
    }
}
