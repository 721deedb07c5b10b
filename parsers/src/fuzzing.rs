//! Fuzz targets over all parsers, envelopes and flow decoders. `parsers/fuzz` runs them under cargo-fuzz; a test of this crate
//! runs them over mutated corpus lines, so that they stay alive without a nightly compiler.
//!
//! A target panics when a promise is broken: a parser must end, keep its names dotted and bounded, and say something about
//! every record.

use bumpalo::Bump;
use chrono_tz::Tz;
use event::{Event, Outcome, RawRecord};

use crate::{Look, Memory, PARSERS, Sniff, encoding, flows, render};

/// 2026-11-23T12:00:00Z.
const RECEIVED: i64 = 1_795_435_200_000_000;

/// A target: bytes in, a panic where a promise is broken.
pub type Target = fn(&[u8]);

/// All targets by name.
pub static TARGETS: &[(&str, Target)] =
    &[("records", records), ("payloads", payloads), ("encodings", encodings), ("netflow_v5", netflow_v5)];

/// Memory that an event may take: so many times its record, and [`MEMORY_LEAST`] in any case.
const MEMORY_RATIO: usize = 16;
const MEMORY_LEAST: usize = 64 * 1024;

/// Whole records, recognised.
pub fn records(bytes: &[u8]) {
    with_record(bytes, |raw, event| {
        let (outcome, name) = crate::parse(raw, None, &mut Memory::default(), event);
        assert_eq!(outcome == Outcome::Parsed, name != "none", "outcome and parser disagree");
        check(event);
    });
}

/// The same bytes as payload of every parser.
pub fn payloads(bytes: &[u8]) {
    for parser in PARSERS {
        with_record(bytes, |raw, event| {
            let sniff = parser.sniff(raw);
            assert_eq!(parser.sniff_shared(&Look::new(raw)), sniff, "{}: what is shared says something else", parser.name());
            let may = parser.starts().is_empty() || raw.text().as_bytes().first().is_some_and(|b| parser.starts().contains(b));
            assert!(may || sniff == Sniff::No, "{}: begins otherwise than it says", parser.name());
            let mark = event.mark();
            match parser.parse(raw, event) {
                Outcome::Parsed => check(event),
                Outcome::Unreadable(reason) => {
                    assert!(!reason.is_empty());
                    event.rewind(mark);
                    assert!(event.fields().is_empty() && event.extra().is_empty());
                }
            }
        });
    }
}

/// The same bytes in every encoding.
pub fn encodings(bytes: &[u8]) {
    let arena = Bump::new();
    for of_source in encoding::NAMES.iter().map(|(_, encoding)| Some(*encoding)).chain([None]) {
        let decoded = encoding::decode(&arena, bytes, of_source);
        assert!(decoded.text.len() <= bytes.len() * 3);
    }
}

/// Flow datagrams.
pub fn netflow_v5(bytes: &[u8]) {
    if let Ok((header, flows)) = flows::netflow_v5::read(bytes) {
        assert_eq!(flows.count(), usize::from(header.count));
    }
}

fn with_record(bytes: &[u8], run: impl for<'r> FnOnce(RawRecord<'r>, &mut Event<'r>)) {
    let arena = Bump::new();
    let bytes: &[u8] = arena.alloc_slice_copy(bytes);
    let text: &str = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => arena.alloc_str(&String::from_utf8_lossy(bytes)),
    };
    let mut event = Event::new(&arena);
    run(RawRecord::new(bytes, text, RECEIVED, Tz::Asia__Ho_Chi_Minh), &mut event);
    drop(event);
    let bound = MEMORY_LEAST.max(bytes.len() * MEMORY_RATIO);
    assert!(arena.allocated_bytes() <= bound, "{} bytes took {} of memory", bytes.len(), arena.allocated_bytes());
}

/// What holds for every event of every parser.
fn check(event: &Event<'_>) {
    assert!(!event.dataset().is_empty(), "no dataset");
    assert!(event.has(event::field::EVENT_KIND), "no event.kind");
    for (name, _) in event.extra() {
        assert!(!name.key.is_empty() || name.prefix.is_empty(), "a name that ends in its prefix: {name}");
        assert!(name.prefix.is_empty() || name.prefix.ends_with('.'), "a prefix without a dot: {name}");
        assert!(event::Field::by_name(name.prefix).is_none());
        if name.prefix.is_empty() {
            assert!(event::Field::by_name(name.key).is_none(), "a catalogue name set as extra: {name}");
        }
    }
    let json = render::json(event);
    assert!(json.starts_with('{') && json.ends_with('}'));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::testing;

    /// xorshift64*: the runs are the same everywhere.
    struct Seeded(u64);

    impl Seeded {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
        }
    }

    fn mutate(seeded: &mut Seeded, seeds: &[Vec<u8>], at: usize) -> Vec<u8> {
        let mut bytes = seeds[at % seeds.len()].clone();
        for _ in 0..=seeded.below(4) {
            let len = bytes.len();
            let place = seeded.below(len + 1);
            match seeded.below(6) {
                0 => bytes.truncate(place),
                1 if place < len => bytes[place] = seeded.below(256) as u8,
                2 if place < len => drop(bytes.drain(place..(place + 1 + seeded.below(12)).min(len))),
                3 => {
                    const WORDS: [&[u8]; 16] = [
                        b"\"",
                        b"\\",
                        b"[",
                        b"]",
                        b"{",
                        b"=",
                        b" ",
                        b"  ",
                        b": ",
                        b"|",
                        b"<34>",
                        b"\xff",
                        "é".as_bytes(),
                        b"\0",
                        b"99999999999999999999",
                        b" from ",
                    ];
                    bytes.splice(place..place, WORDS[seeded.below(WORDS.len())].iter().copied());
                }
                4 => {
                    let other = &seeds[seeded.below(seeds.len())];
                    bytes.truncate(place);
                    bytes.extend(&other[seeded.below(other.len() + 1)..]);
                }
                _ => {
                    let copy: Vec<u8> = bytes[..place].to_vec();
                    bytes.extend(copy.iter().take(200));
                }
            }
        }
        bytes
    }

    /// Mutated corpus lines through one target for a while, each parser held to a millisecond per KiB: `cargo xtask fuzz`.
    /// An input that took too long is tried again: only what is slow each time counts.
    fn run_for(seconds: u64, name: &str, target: Target, seeded: &mut Seeded, seeds: &[Vec<u8>]) {
        let begun = Instant::now();
        let mut inputs = 0;
        while begun.elapsed() < Duration::from_secs(seconds) {
            let mut input = mutate(seeded, seeds, inputs);
            if seeded.below(64) == 0 {
                input = input.repeat(1 + seeded.below(40));
                input.truncate(64 * 1024);
            }
            let parsers = if name == "payloads" { PARSERS.len() as u64 } else { 1 };
            let limit = Duration::from_micros(parsers * 1000 * (input.len() as u64).max(1024) / 1024);
            let mut is_slow = true;
            for _ in 0..5 {
                let one = Instant::now();
                if let Err(panic) = std::panic::catch_unwind(|| target(&input)) {
                    eprintln!("target {name}, input {inputs}: {:?}", String::from_utf8_lossy(&input));
                    std::panic::resume_unwind(panic);
                }
                if one.elapsed() <= limit {
                    is_slow = false;
                    break;
                }
            }
            assert!(!is_slow, "target {name}: more than {limit:?} for {:?}", String::from_utf8_lossy(&input));
            inputs += 1;
        }
        println!("target {name}: {inputs} inputs in {seconds} s, nothing found");
    }

    /// Mutated corpus lines through every target. `CHIENG_FUZZ_INPUTS` and `CHIENG_FUZZ_SEED` choose a longer or another run,
    /// `CHIENG_FUZZ_SECONDS` so long for every target, `CHIENG_FUZZ_TARGET` only one of them.
    #[test]
    fn mutated_corpus() {
        let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
        let (inputs, seed) = (number("CHIENG_FUZZ_INPUTS", 20_000), number("CHIENG_FUZZ_SEED", 7));
        let mut seeds: Vec<Vec<u8>> =
            testing::corpus().iter().flat_map(|(_, path)| testing::lines(path)).map(String::into_bytes).collect();
        seeds.push([&[0u8, 5, 0, 1][..], &[0; 68]].concat());
        let mut seeded = Seeded(seed.max(1));
        if let Some(seconds) = std::env::var("CHIENG_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()) {
            let wanted = std::env::var("CHIENG_FUZZ_TARGET").unwrap_or_default();
            for (name, target) in TARGETS.iter().filter(|(name, _)| wanted.is_empty() || wanted == *name) {
                run_for(seconds, name, *target, &mut seeded, &seeds);
            }
            return;
        }
        for at in 0..inputs as usize {
            let input = mutate(&mut seeded, &seeds, at);
            for (name, target) in TARGETS {
                if let Err(panic) = std::panic::catch_unwind(|| target(&input)) {
                    eprintln!("target {name}, seed {seed}, input {at}: {:?}", String::from_utf8_lossy(&input));
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
}
