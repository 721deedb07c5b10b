//! The text index of a segment: cost to build, size by part, time and width of look-ups.
//!
//! `CHIENG_BENCH_LINES=<file> cargo bench -p store --bench index` reads a log file (`CHIENG_BENCH_COUNT` lines of it, all by
//! default); without the variable it makes lines up. Lines are indexed in the order of the file, and once more sorted by
//! application and host, as compaction lays them out. `CHIENG_BENCH_ROWS` lists rows a block to compare.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use store::index::{Index, IndexWriter, Question, ROWS_PER_BLOCK};

const ROUNDS: u32 = 200;

fn main() {
    let lines = match std::env::var("CHIENG_BENCH_LINES") {
        Ok(path) => std::fs::read_to_string(&path).expect("CHIENG_BENCH_LINES is a text file"),
        Err(_) => stand_in(),
    };
    let count = std::env::var("CHIENG_BENCH_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(usize::MAX);
    let mut lines: Vec<&str> = lines.lines().take(count).collect();
    let sizes = std::env::var("CHIENG_BENCH_ROWS").unwrap_or_else(|_| ROWS_PER_BLOCK.to_string());
    let sizes: Vec<u32> = sizes.split(',').filter_map(|size| size.parse().ok()).collect();
    println!("lines {}, bytes a line {}", lines.len(), lines.iter().map(|line| line.len()).sum::<usize>() / lines.len());
    for order in ["as they came", "by host and application"] {
        if order != "as they came" {
            lines.sort_by_key(|line| key(line));
        }
        for size in &sizes {
            println!("\norder {order}, rows a block {size}");
            let index = build(&lines, *size, true);
            look_up(&index);
        }
    }
    println!();
    build(&lines, ROWS_PER_BLOCK, false);
}

/// What stands in the places of host and application of a line with a syslog header of either kind.
fn key(line: &str) -> (String, String) {
    let words: Vec<&str> = line.split(' ').take(5).collect();
    let at = if words.first().is_some_and(|first| first.ends_with(">1")) { 2 } else { 3 };
    let part = |at: usize| words.get(at).map_or("", |word| word).split('[').next().unwrap_or_default().to_owned();
    (part(at + 1), part(at))
}

fn stand_in() -> String {
    let mut lines = String::new();
    let mut state = 7_u64;
    for _ in 0..200_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (host, pid, octet, id) = (state >> 59, state >> 48 & 0x7fff, state >> 40 & 0xff, state);
        lines += &format!(
            "<86>Nov 22 10:14:15 srv{host:03} sshd[{pid}]: Failed password for invalid user admin from 203.0.{octet}.{} port \
             {} ssh2 rid={id:016x}\n",
            octet ^ 77,
            pid | 0x8000,
        );
    }
    lines
}

fn build(lines: &[&str], rows_per_block: u32, with_values: bool) -> Index {
    // Addresses as columns would give them.
    let is_address = |word: &&str| word.parse::<std::net::Ipv4Addr>().is_ok();
    let values: Vec<Vec<&str>> = match with_values {
        true => lines.iter().map(|line| line.split([' ', '=', '/', ':', '(', ')']).filter(is_address).collect()).collect(),
        false => vec![Vec::new(); lines.len()],
    };
    let started = cpu();
    let mut writer = IndexWriter::with_rows_per_block(rows_per_block).expect("a writer");
    for (line, values) in lines.iter().zip(&values) {
        writer.text(line);
        values.iter().for_each(|value| writer.value(value));
        writer.end_row().expect("a row");
    }
    let (gathered, pairs, memory) = (cpu() - started, writer.token_hashes().count(), writer.memory());
    let (bytes, parts) = writer.finish_with_parts().expect("an index");
    let took = cpu() - started;
    let millions = lines.len() as f64 / 1e6;
    let each = |bytes: usize| bytes as f64 / lines.len() as f64;
    println!(
        "build{}: {:.3} CPU-s per million (gathering {:.3}); {:.2} bytes an event: tokens {:.2}, words {:.2}, rest {:.2}; {:.2} pairs an \
         event; {:.1} MB held per million",
        if with_values { " with addresses as values" } else { " of text alone" },
        took.as_secs_f64() / millions,
        gathered.as_secs_f64() / millions,
        each(bytes.len()),
        each(parts.tokens),
        each(parts.words),
        each(parts.rest),
        pairs as f64 / lines.len() as f64,
        memory as f64 / 1e6 / millions,
    );
    let index = Index::open(Arc::new(Bytes::from(bytes))).expect("the index opens");
    let started = cpu();
    index.verify().expect("the index is whole");
    println!("tokens {}; verify {:.1} ms", index.tokens(), (cpu() - started).as_secs_f64() * 1e3);
    index
}

fn look_up(index: &Index) {
    let term = |asked: &str| Question::Term { asked: asked.to_owned(), is_prefix: false };
    let questions = [
        ("address 203.0.113.77", term("203.0.113.77")),
        ("value 203.0.113.77", Question::Value("203.0.113.77".to_owned())),
        ("cidr 203.0.113.0/24", Question::Cidr("203.0.113.0/24".parse().expect("a network"))),
        ("token 203fa0fd3ec4318f", term("203fa0fd3ec4318f")),
        ("absent token 203fa0fd3ec4318e", term("203fa0fd3ec4318e")),
        ("word Failed", term("Failed")),
        ("absent word gong", term("gong")),
        ("phrase Failed password", term("Failed password")),
        ("beginning Fail*", Question::Term { asked: "Fail".to_owned(), is_prefix: true }),
        ("contains owershell.exe -nop", Question::Contains { literal: "owershell.exe -nop".to_owned(), case_insensitive: false }),
        (
            "regex /api/v[12]/users/[0-9]+/delete",
            Question::Regex { pattern: "/api/v[12]/users/[0-9]+/delete".to_owned(), case_insensitive: false },
        ),
    ];
    for (name, question) in questions {
        let blocks = index.blocks(&question).expect("an answer");
        let started = Instant::now();
        for _ in 0..ROUNDS {
            black_box(index.blocks(black_box(&question)).expect("an answer"));
        }
        let took = started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
        println!("{name:40} {took:9.1} µs  {:5} of {} blocks", blocks.count(), blocks.total());
    }
}

/// Processor time of this process.
fn cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage writes a whole rusage into the place it is given, and zeros are a valid one.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}
