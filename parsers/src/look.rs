//! What is found out about a payload once, for all parsers that are asked about it: which marks of products stand in its object.
//!
//! Some thirty products send JSON and are known by keys such as `"event_simpleName"`. Asked one after another, each searches the
//! object's head for its own words; here one pass over the quotes finds the words of all. A mark that does not begin with a
//! quote is no part of this: its product searches for it.

use std::{cell::OnceCell, sync::LazyLock};

use event::RawRecord;

use crate::{PARSERS, formats::json::object};

/// What a payload begins with in which [`object`] finds one.
pub const OBJECT: &[u8] = b"{@ \t";

/// Bytes of an object in which marks are looked for.
const HEAD: usize = 16 * 1024;

/// Words of the bit set of marks.
const WORDS: usize = 4;

/// A set of marks, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks([u64; WORDS]);

impl Marks {
    pub fn insert(&mut self, number: u8) {
        self.0[usize::from(number / 64)] |= 1 << (number % 64);
    }

    pub fn has_all(&self, wanted: &Self) -> bool {
        self.0.iter().zip(&wanted.0).all(|(have, wanted)| have & wanted == *wanted)
    }

    pub fn has_any(&self, wanted: &Self) -> bool {
        self.0.iter().zip(&wanted.0).any(|(have, wanted)| have & wanted != 0)
    }
}

/// A payload, and what was found out about it so far.
#[derive(Debug)]
pub struct Look<'r> {
    raw: RawRecord<'r>,
    marks: OnceCell<Marks>,
}

impl<'r> Look<'r> {
    pub fn new(raw: RawRecord<'r>) -> Self {
        Self { raw, marks: OnceCell::new() }
    }

    pub fn raw(&self) -> RawRecord<'r> {
        self.raw
    }

    /// The head of the payload's object.
    pub fn head(&self) -> Option<&'r [u8]> {
        object(self.raw.text()).map(head)
    }

    /// The marks in the head of the payload's object.
    pub fn marks(&self) -> Marks {
        *self.marks.get_or_init(|| self.head().map(|head| ALL.scan(head)).unwrap_or_default())
    }
}

/// The part of an object in which marks are looked for.
pub fn head(object: &str) -> &[u8] {
    &object.as_bytes()[..object.len().min(HEAD)]
}

/// The number of a mark that [`Look::marks`] finds; `None` for a word that does not begin with a quote.
pub fn number(mark: &str) -> Option<u8> {
    ALL.marks.iter().position(|known| *known == mark).map(|at| at as u8)
}

static ALL: LazyLock<All> = LazyLock::new(|| All::new(PARSERS.iter().flat_map(|parser| parser.marks()).collect()));

struct All {
    marks: Vec<&'static str>,
    /// Marks by the hash of the two bytes behind the quote.
    buckets: Box<[Vec<u8>; BUCKETS]>,
}

const BUCKETS: usize = 1024;

fn bucket(first: u8, second: u8) -> usize {
    (usize::from(first) * 31 + usize::from(second) * 7) & (BUCKETS - 1)
}

impl All {
    fn new(mut marks: Vec<&'static str>) -> Self {
        marks.retain(|mark| mark.len() >= 3 && mark.starts_with('"'));
        marks.sort_unstable();
        marks.dedup();
        assert!(marks.len() <= WORDS * 64, "{} marks of products: more words for their bit set", marks.len());
        let mut buckets = Box::new([const { Vec::new() }; BUCKETS]);
        for (at, mark) in marks.iter().enumerate() {
            buckets[bucket(mark.as_bytes()[1], mark.as_bytes()[2])].push(at as u8);
        }
        Self { marks, buckets }
    }

    fn scan(&self, head: &[u8]) -> Marks {
        let mut found = Marks::default();
        for at in memchr::memchr_iter(b'"', head) {
            let Some([first, second]) = head.get(at + 1..at + 3) else { break };
            for number in &self.buckets[bucket(*first, *second)] {
                if head[at..].starts_with(self.marks[usize::from(*number)].as_bytes()) {
                    found.insert(*number);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_where_they_stand() {
        let all = All::new(vec!["\"aid\"", "\"cid\"", "\"AdvancedHunting-", "no quote", "\"aid\""]);
        assert_eq!(all.marks, ["\"AdvancedHunting-", "\"aid\"", "\"cid\""]);
        let found = |text: &str| all.scan(text.as_bytes()).0[0];
        assert_eq!(found(r#"{"aid":1,"x":"cid"}"#), 0b110);
        assert_eq!(found(r#"{"category":"AdvancedHunting-DeviceEvents"}"#), 0b001);
        assert_eq!((found(r#"{"aid:1,"#), found(""), found("\"\"\""), found("{\"aid")), (0, 0, 0, 0));
    }
}
