use event::{Event, RawRecord};
use parsers::*;
use std::collections::BTreeSet;
fn main() {
    let now = 1_795_435_200_000_000;
    let mut payloads: Vec<String> = vec![];
    for p in PARSERS {
        let path = format!("parsers/corpus/{}/basic.log", p.name());
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            if line.is_empty() {
                continue;
            }
            let arena = bumpalo::Bump::new();
            let mut e = Event::new(&arena);
            let line: &str = arena.alloc_str(line);
            let raw = RawRecord::new(line.as_bytes(), line, now, chrono_tz::Tz::UTC);
            let text = envelope::trim(raw.text());
            let env = envelope::open(raw.with_text(text), &mut e);
            payloads.push(env.payload.to_owned());
            payloads.push(line.to_owned());
        }
    }
    payloads.sort();
    payloads.dedup();
    for p in PARSERS {
        let mut yes: Vec<&String> = vec![];
        let mut replaced = BTreeSet::new();
        let mut prepended = BTreeSet::new();
        let mut real = BTreeSet::new();
        for l in &payloads {
            let raw = |s: &'static str| RawRecord::new(s.as_bytes(), s, now, chrono_tz::Tz::UTC);
            let leak = |s: String| -> &'static str { Box::leak(s.into_boxed_str()) };
            if l.is_empty() || p.sniff(raw(leak(l.clone()))) == Sniff::No {
                continue;
            }
            yes.push(l);
            real.insert(l.as_bytes()[0] as char);
            if yes.len() > 40 {
                continue;
            }
            for b in 1u8..127 {
                if l.is_char_boundary(1) {
                    let s = format!("{}{}", b as char, &l[1..]);
                    if p.sniff(raw(leak(s))) != Sniff::No {
                        replaced.insert(b as char);
                    }
                }
                let s = format!("{}{}", b as char, l);
                if p.sniff(raw(leak(s))) != Sniff::No {
                    prepended.insert(b as char);
                }
            }
        }
        let show = |s: &BTreeSet<char>| {
            if s.len() > 100 { "ALL".to_owned() } else { s.iter().collect::<String>().escape_debug().to_string() }
        };
        println!(
            "{:<22} yes {:>4} real {:<30} replaced {:<40} prepended {}",
            p.name(),
            yes.len(),
            show(&real),
            show(&replaced),
            show(&prepended)
        );
    }
}
