//! Journals: one append-only file a day with everything that is proven.
//!
//! ```text
//! "CHGPROOF" │ record │ record │ …          record: length u32 │ crc32 u32 │ kind u8 │ payload (length bytes)
//! ```
//!
//! The checksum covers length, kind and payload: it finds damage. The chain (see [`chained`]) runs through all records of all
//! files: it finds people. The first record of a file says where the chain stood.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Hash, Result,
    block::{Block, Names},
    root::SignedRoot,
};

pub const MAGIC: &[u8; 8] = b"CHGPROOF";
pub const VERSION: u32 = 1;
/// Extension of journal files.
pub const EXTENSION: &str = "proof";
/// Bytes before the payload of a record.
const HEAD: usize = 9;
const RECORD: &str = "chieng.proof 1 record";
const CHAIN: &str = "chieng.proof 1 chain";

/// The first record of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    pub version: u32,
    pub node: String,
    /// The chain before this record.
    #[serde(with = "crate::codec::hex")]
    pub chain: Hash,
    /// Log sequence before the first block: what lies below is in earlier files, or older than the proof.
    pub after: u64,
    #[serde(with = "crate::codec::hex")]
    pub key: [u8; 32],
    /// Why the file before could not be continued, when it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// A new key took over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    #[serde(with = "crate::codec::hex")]
    pub from: [u8; 32],
    #[serde(with = "crate::codec::hex")]
    pub to: [u8; 32],
    pub at: i64,
    /// The old key's signature over the new one; `None` when the old key was not there to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl KeyChange {
    pub fn is_signed(&self) -> bool {
        let signature = self.signature.as_deref().and_then(crate::codec::from_hex);
        signature.is_some_and(|signature| crate::root::is_signed(&self.from, &self.to, &signature))
    }
}

/// A root was taken by somebody outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub root: u64,
    #[serde(with = "crate::codec::hex")]
    pub hash: Hash,
    /// Which anchor, for people: `syslog tcp 192.0.2.1:514`.
    pub target: String,
    pub at: i64,
    /// What the other side answered, where it answers.
    pub answer: String,
}

/// One system and dataset in a dropped segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedClass {
    pub system: String,
    pub dataset: String,
    pub rows: u64,
}

/// A segment that retention removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Number of the tombstone in the catalogue.
    pub tombstone: u64,
    pub segment: String,
    /// Log sequences that it may have held: behind `.0`, through `.1`.
    pub sequences: (u64, u64),
    pub ingested: (i64, i64),
    pub skewed: bool,
    pub classes: Vec<DroppedClass>,
    pub at: i64,
    pub actor: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Start(Start),
    Block(Block),
    Root(SignedRoot),
    Key(KeyChange),
    Dropped(Dropped),
    Receipt(Receipt),
}

impl Record {
    fn kind(&self) -> u8 {
        match self {
            Self::Start(_) => 0,
            Self::Block(_) => 1,
            Self::Root(_) => 2,
            Self::Key(_) => 3,
            Self::Dropped(_) => 4,
            Self::Receipt(_) => 5,
        }
    }

    /// What of the record goes into the chain. A block goes in by its leaves, anything else by its bytes.
    pub fn node(&self) -> Hash {
        match self {
            Self::Block(block) => block.hash(),
            Self::Root(root) => root_node(&root.hash()),
            _ => crate::hash(RECORD, &[&[self.kind()], &self.json()]),
        }
    }

    fn json(&self) -> Vec<u8> {
        let written = match self {
            Self::Start(start) => serde_json::to_vec(start),
            Self::Block(_) => return Vec::new(),
            Self::Root(root) => serde_json::to_vec(root),
            Self::Key(key) => serde_json::to_vec(key),
            Self::Dropped(dropped) => serde_json::to_vec(dropped),
            Self::Receipt(receipt) => serde_json::to_vec(receipt),
        };
        // Plain structs with text keys: the serialiser cannot fail.
        written.unwrap_or_default()
    }
}

/// What of a root goes into the chain behind it.
pub fn root_node(hash: &Hash) -> Hash {
    crate::hash(RECORD, &[&[2], hash])
}

/// The chain after one more record.
pub fn chained(chain: &Hash, node: &Hash) -> Hash {
    crate::hash(CHAIN, &[chain, node])
}

/// Where a journal stands while it is written or read.
#[derive(Clone, Debug, Default)]
pub struct Position {
    pub chain: Hash,
    names: Names,
}

impl Position {
    /// The start of a file, behind the given chain.
    pub fn new(chain: Hash) -> Self {
        Self { chain, names: Names::default() }
    }

    /// Appends a record and moves the chain on.
    pub fn push(&mut self, record: &Record, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&[0; HEAD]);
        match record {
            Record::Block(block) => self.names.write(block, out),
            other => out.extend_from_slice(&other.json()),
        }
        let length = ((out.len() - at - HEAD) as u32).to_le_bytes();
        let crc = checksum(length, record.kind(), &out[at + HEAD..]).to_le_bytes();
        out[at..at + 4].copy_from_slice(&length);
        out[at + 4..at + 8].copy_from_slice(&crc);
        out[at + 8] = record.kind();
        self.chain = chained(&self.chain, &record.node());
    }
}

fn checksum(length: [u8; 4], kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct Entry {
    pub offset: u64,
    pub record: Record,
    /// The chain before and after it.
    pub before: Hash,
    pub after: Hash,
}

/// Reads a journal from the start; ends after the first error.
#[derive(Debug)]
pub struct Journal<'b> {
    file: String,
    bytes: &'b [u8],
    at: usize,
    position: Option<Position>,
    failed: bool,
}

impl<'b> Journal<'b> {
    /// `bytes` is the whole file, or what of it was committed.
    pub fn new(file: impl Into<String>, bytes: &'b [u8]) -> Self {
        Self { file: file.into(), bytes, at: 0, position: None, failed: false }
    }

    /// Where reading stands: after the last record when the iterator has ended without an error.
    pub fn into_position(self) -> Option<Position> {
        self.position.filter(|_| !self.failed)
    }

    fn damaged(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::Damaged { file: self.file.clone(), offset: self.at as u64, expected: expected.into(), found: found.into() }
    }

    fn read(&mut self) -> Result<Option<Entry>> {
        if self.at == 0 {
            if self.bytes.get(..8) != Some(MAGIC) {
                return Err(self.damaged("CHGPROOF", "something else"));
            }
            self.at = 8;
        }
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return match self.position {
                Some(_) => Ok(None),
                None => Err(self.damaged("a first record", "the end of the file")),
            };
        }
        let Some((head, behind)) = rest.split_first_chunk::<HEAD>() else {
            return Err(self.damaged("a record", format!("{} bytes", rest.len())));
        };
        let [l0, l1, l2, l3, c0, c1, c2, c3, kind] = *head;
        let (length, crc) = ([l0, l1, l2, l3], u32::from_le_bytes([c0, c1, c2, c3]));
        let Some(payload) = behind.get(..u32::from_le_bytes(length) as usize) else {
            return Err(
                self.damaged(format!("a record of {} bytes", u32::from_le_bytes(length)), format!("{} bytes", behind.len()))
            );
        };
        let sum = checksum(length, kind, payload);
        if sum != crc {
            return Err(self.damaged(format!("checksum {crc:08x}"), format!("{sum:08x}")));
        }
        let record = self.record(kind, payload)?;
        if let (None, Record::Start(start)) = (&self.position, &record) {
            if start.version > VERSION {
                return Err(Error::Version { file: self.file.clone(), found: start.version.into(), known: VERSION.into() });
            }
            self.position = Some(Position { chain: start.chain, names: Names::default() });
        }
        let node = record.node();
        let Some(position) = &mut self.position else { return Err(self.damaged("a first record", "another one")) };
        let before = position.chain;
        position.chain = chained(&before, &node);
        let (offset, after) = (self.at as u64, position.chain);
        self.at += HEAD + payload.len();
        Ok(Some(Entry { offset, record, before, after }))
    }

    fn record(&mut self, kind: u8, payload: &[u8]) -> Result<Record> {
        fn json<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Option<T> {
            serde_json::from_slice(payload).ok()
        }
        let record = match kind {
            0 if self.position.is_none() => json(payload).map(Record::Start),
            1 => self.position.as_mut().and_then(|position| position.names.read(payload)).map(Record::Block),
            2 => json(payload).map(Record::Root),
            3 => json(payload).map(Record::Key),
            4 => json(payload).map(Record::Dropped),
            5 => json(payload).map(Record::Receipt),
            _ => None,
        };
        // What is read must be what was hashed: a payload with a second spelling is refused.
        let record = record.filter(|record| kind == 1 || record.json() == payload);
        record.ok_or_else(|| self.damaged("a record", format!("one of kind {kind} that cannot be read")))
    }
}

impl Iterator for Journal<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        read.transpose()
    }
}

/// Day and number of a journal's name: `2026-11-23.proof`, `2026-11-23-2.proof`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalName {
    pub day: String,
    pub number: u32,
}

impl JournalName {
    pub fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".proof")?;
        let (day, rest) = stem.split_at_checked(10)?;
        let is_day =
            day.bytes().enumerate().all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
        let number = match rest.strip_prefix('-') {
            Some(number) => number.parse().ok().filter(|number| *number > 1)?,
            None => rest.is_empty().then_some(1)?,
        };
        let name = Self { day: day.to_owned(), number };
        is_day.then_some(name)
    }

    pub fn file(&self) -> String {
        match self.number {
            1 => format!("{}.{EXTENSION}", self.day),
            number => format!("{}-{number}.{EXTENSION}", self.day),
        }
    }
}

/// Journals of a folder, oldest first.
pub fn list(dir: &Path) -> Result<Vec<JournalName>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::file("list", dir))? {
        let entry = entry.map_err(Error::file("list", dir))?;
        names.extend(entry.file_name().to_str().and_then(JournalName::parse));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> (Vec<u8>, Hash) {
        let start = Start { version: 1, node: "n".into(), chain: [9; 32], after: 3, key: [1; 32], broken: None };
        let mut position = Position::new(start.chain);
        let mut bytes = MAGIC.to_vec();
        let receipt = Receipt { root: 1, hash: [2; 32], target: "t".into(), at: 5, answer: String::new() };
        let block = Block { after: 3, through: 4, ..Block::default() };
        for record in [Record::Start(start), Record::Block(block.clone()), Record::Receipt(receipt), Record::Block(block)] {
            position.push(&record, &mut bytes);
        }
        (bytes, position.chain)
    }

    #[test]
    fn reads_what_was_written_and_stands_where_the_writer_stood() {
        let (bytes, chain) = sample();
        let mut journal = Journal::new("f", &bytes);
        let entries: Vec<Entry> = journal.by_ref().collect::<Result<_>>().unwrap();
        assert_eq!(entries.len(), 4);
        assert_eq!(entries[0].before, [9; 32]);
        assert_eq!(journal.into_position().unwrap().chain, chain);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_seen() {
        let (bytes, chain) = sample();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert!(Journal::new("f", &other).any(|entry| entry.is_err()), "byte {at}, bit {bit}");
            }
            let mut cut = Journal::new("f", &bytes[..at]);
            let failed = cut.by_ref().any(|entry| entry.is_err());
            assert!(failed || cut.into_position().unwrap().chain != chain, "cut at {at}");
        }
    }

    #[test]
    fn names_sort_by_day_and_number() {
        let names = ["2026-11-23.proof", "2026-11-23-2.proof", "2026-11-23-10.proof", "2026-11-24.proof"];
        let parsed: Vec<JournalName> = names.iter().map(|name| JournalName::parse(name).unwrap()).collect();
        assert!(parsed.is_sorted());
        assert_eq!(parsed.iter().map(JournalName::file).collect::<Vec<_>>(), names);
        for bad in ["2026-11-23", "2026-11-2.proof", "2026-11-23-1.proof", "2026-11-23-x.proof", "2026_11-23.proof"] {
            assert_eq!(JournalName::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_end(tail: Vec<u8>) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend(tail);
            let _ = Journal::new("f", &bytes).count();
        }
    }
}
