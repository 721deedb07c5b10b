//! Lines of `key=value` pairs of no known vendor, in any quoting, separated by blanks, commas or semicolons.
//!
//! Keys are kept under `keyvalue.<key>`: words of an unknown vendor are not ECS names. Those whose meaning is common to many
//! devices (`src`, `dst`, `user` …) fill ECS beside, by the table of [`words`].

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff,
    kv::{Pairs, Separator},
    stamps, text, time,
    words::{self, Found},
};

const PREFIX: &str = "keyvalue.";

/// Pairs that a text must have to be taken for this format when nobody says it is.
const PAIRS_MIN: usize = 3;

pub struct KeyValue;

impl Parser for KeyValue {
    fn name(&self) -> &'static str {
        "keyvalue"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let mut pairs = Pairs::new(unbracketed(raw.text()), Separator::Any);
        let found = pairs.by_ref().take(PAIRS_MIN).filter(|pair| is_key(pair.key)).count();
        Sniff::maybe_if(found >= PAIRS_MIN && pairs.skipped() <= 2)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let mut pairs = Pairs::new(unbracketed(raw.text()), Separator::Any);
        let mut line = Line::default();
        let mut found = Found::default();
        let mut count = 0;
        for pair in pairs.by_ref() {
            count += 1;
            let value = pair.value(event);
            event.set_extra(PREFIX, pair.key, value);
            line.note(pair.key, value);
            found.note(raw, pair.key, value);
        }
        if count == 0 {
            return Outcome::Unreadable("no key=value pairs");
        }
        if let Some(problem) = pairs.problem() {
            event.problem(problem);
        }
        event.set_dataset("keyvalue");
        event.set(field::EVENT_KIND, "event");
        let is_time_free = !line.finish(raw, event);
        // No key holds a time: the stamp that stands in front of the pairs.
        if is_time_free
            && !found.has_time()
            && let Some((micros, _)) = stamps::leading(raw.text(), raw)
        {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        found.apply(raw, event, is_time_free);
        words::conclude(event);
        Outcome::Parsed
    }
}

/// Some devices put all pairs into one pair of brackets.
fn unbracketed(text: &str) -> &str {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inside.filter(|inside| inside.find(['[', ']']).is_none_or(|at| inside[..at].contains('='))).unwrap_or(text)
}

fn is_key(key: &str) -> bool {
    key.len() <= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@' | b':'))
}

/// A stamp in two parts: what each pair says of it.
#[derive(Default)]
struct Line<'r> {
    date: &'r str,
    clock: &'r str,
}

impl<'r> Line<'r> {
    fn note(&mut self, key: &str, value: &'r str) {
        if key.eq_ignore_ascii_case("date") {
            self.date = value;
        } else if key.eq_ignore_ascii_case("time") {
            self.clock = value;
        }
    }

    /// Sets the time of two parts; says whether there was one.
    fn finish(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> bool {
        if self.date.is_empty() || self.clock.is_empty() {
            return false;
        }
        let time = time::any(text::join(event, self.date, " ", self.clock), raw);
        if let Some(time) = time {
            event.set(field::TIMESTAMP, Value::Time(time));
        }
        time.is_some()
    }
}
