//! What a fuzzer drives: hostile rule files must be refused or loaded, never panic, and loaded rules must run.

use crate::{EventClass, Options, Route, RuleSource, flat, load};

/// Loads bytes as a rule file and matches what loads against a few small events.
pub fn rule_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let lists = crate::Lists::from([("list".to_owned(), vec!["a".to_owned(), "%list%".to_owned()])]);
    let loaded = load(vec![RuleSource { path: "fuzz.yml".to_owned(), text: text.clone() }], &Options { lists });
    let mut event = flat::FlatEvent::new();
    for (name, value) in [("Image", "C:\\ſ.EXE"), ("EventID", "1"), ("CommandLine", &text)] {
        event.insert(name.to_owned(), value.into());
    }
    let batch = flat::batch("windows.sysmon", &[event, flat::FlatEvent::new()]);
    let everything = loaded.set.match_batch_by(&batch, Route::Everything);
    let none = loaded.set.match_batch_by(&batch, Route::As(&EventClass::default()));
    assert!(none.len() <= everything.len(), "a log source can only narrow");
}

#[cfg(test)]
mod tests {
    /// A short run on every build; `cargo fuzz` takes the same function further.
    #[test]
    fn mutated_rules_never_panic() {
        let seed = include_bytes!("../rules/linux/sshd_root_login_public.yml");
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % below
        };
        let bits: &[&[u8]] = &[
            b"|all",
            b"|re",
            b"|cidr",
            b"|windash",
            b"|base64offset",
            b"|expand",
            b"|fieldref",
            b"|exists",
            b"*",
            b"?",
            b"\\",
            b"%list%",
            b"not ",
            b"1 of ",
            b"(",
            b"null",
            b"[]",
            b"{}",
            b"- ",
            b": ",
            b"\n  ",
            b"&a ",
            b"*a",
            b"!!int ",
            b"(?i)",
            b"[a-",
            b"{9999}",
            b"\xff",
            b"\xc5\xbf",
            b"---\n",
        ];
        for _ in 0..1500 {
            let mut bytes = seed.to_vec();
            for _ in 0..1 + random(6) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => drop(bytes.drain(at..(at + random(20)).min(bytes.len()))),
                    _ => drop(bytes.splice(at..at, bits[random(bits.len())].iter().copied())),
                }
            }
            super::rule_file(&bytes);
        }
    }
}
