//! What the log remembers across batches: idempotency keys and file positions.
//!
//! A key is kept as 128 bits of BLAKE3 over (source, key). Keys are forgotten after a window of time and beyond a number,
//! oldest first. A key whose batch is on its way is *in flight*: the second sender waits for the first one's answer.
//!
//! Positions and keys of frames that are not in a segment yet are remembered with their sequence, so that a flush commits
//! exactly those at or below its cursor.

use std::collections::{BTreeMap, HashMap, VecDeque};

use event::{Micros, RawBatch, Receipt, seam::Refused};
use tokio::sync::oneshot;

pub type Reply = oneshot::Sender<Result<Receipt, Refused>>;

/// An idempotency key as the catalogue keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenKey {
    pub hash: u128,
    pub sequence: u64,
    pub records: u32,
    pub ingested: Micros,
}

/// A file position as the catalogue keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePosition {
    pub source: String,
    pub file: String,
    pub offset: u64,
}

/// How long and how many keys are remembered.
#[derive(Clone, Copy, Debug)]
pub struct KeyWindow {
    pub micros: Micros,
    pub count_max: usize,
}

pub struct Index {
    window: KeyWindow,
    seen: HashMap<u128, (u64, u32)>,
    /// In order of sequence.
    order: VecDeque<SeenKey>,
    in_flight: HashMap<u128, Vec<Reply>>,
    positions: BTreeMap<String, BTreeMap<String, u64>>,
    /// Position changes that no flush has committed, in order of sequence.
    moved: VecDeque<(u64, FilePosition)>,
}

/// What a key says about a batch that comes in.
pub enum Admission {
    /// Unknown: the key is in flight from now on.
    First,
    Duplicate(Receipt),
    /// The first batch of this key is on its way; its answer will come here.
    Wait(oneshot::Receiver<Result<Receipt, Refused>>),
}

impl Index {
    pub fn new(window: KeyWindow) -> Self {
        Self {
            window,
            seen: HashMap::new(),
            order: VecDeque::new(),
            in_flight: HashMap::new(),
            positions: BTreeMap::new(),
            moved: VecDeque::new(),
        }
    }

    /// Takes over what the catalogue knows; keys in order of sequence.
    pub fn restore(&mut self, keys: Vec<SeenKey>, positions: Vec<FilePosition>) {
        for key in keys {
            self.remember(key);
        }
        for position in positions {
            self.positions.entry(position.source).or_default().insert(position.file, position.offset);
        }
    }

    pub fn admit(&mut self, hash: u128) -> Admission {
        if let Some((sequence, records)) = self.seen.get(&hash) {
            return Admission::Duplicate(Receipt { sequence: *sequence, records: *records, duplicate: true });
        }
        if let Some(waiting) = self.in_flight.get_mut(&hash) {
            let (reply, answer) = oneshot::channel();
            waiting.push(reply);
            return Admission::Wait(answer);
        }
        self.in_flight.insert(hash, Vec::new());
        Admission::First
    }

    /// Notes a durable frame; returns the answer for those who waited on its key.
    pub fn committed(&mut self, hash: Option<u128>, sequence: u64, ingested: Micros, batch: &RawBatch) -> Vec<Reply> {
        if let Some(cursor) = &batch.cursor {
            let files = match self.positions.get_mut(&batch.source) {
                Some(files) => files,
                None => self.positions.entry(batch.source.clone()).or_default(),
            };
            match files.get_mut(&cursor.file) {
                Some(offset) => *offset = cursor.offset,
                None => drop(files.insert(cursor.file.clone(), cursor.offset)),
            }
            let position = FilePosition { source: batch.source.clone(), file: cursor.file.clone(), offset: cursor.offset };
            self.moved.push_back((sequence, position));
        }
        let Some(hash) = hash else { return Vec::new() };
        self.remember(SeenKey { hash, sequence, records: batch.len() as u32, ingested });
        self.in_flight.remove(&hash).unwrap_or_default()
    }

    /// Forgets a key whose batch was refused; returns those who waited on it.
    pub fn refused(&mut self, hash: u128) -> Vec<Reply> {
        self.in_flight.remove(&hash).unwrap_or_default()
    }

    pub fn file_offset(&self, source: &str, file: &str) -> u64 {
        self.positions.get(source).and_then(|files| files.get(file)).copied().unwrap_or(0)
    }

    /// Keys and positions of the frames in (`after`, `through`], for the catalogue.
    pub fn changes(&self, after: u64, through: u64) -> (Vec<SeenKey>, Vec<FilePosition>) {
        let from = self.order.partition_point(|key| key.sequence <= after);
        let to = self.order.partition_point(|key| key.sequence <= through);
        let keys = self.order.range(from..to).copied().collect();
        let mut last: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (_, position) in self.moved.iter().take_while(|(sequence, _)| *sequence <= through) {
            last.insert((&position.source, &position.file), position.offset);
        }
        let owned =
            |((source, file), offset): ((&str, &str), u64)| FilePosition { source: source.into(), file: file.into(), offset };
        (keys, last.into_iter().map(owned).collect())
    }

    /// Notes that the catalogue holds all changes through this sequence.
    pub fn flushed(&mut self, through: u64) {
        let done = self.moved.partition_point(|(sequence, _)| *sequence <= through);
        self.moved.drain(..done);
    }

    fn remember(&mut self, key: SeenKey) {
        self.seen.insert(key.hash, (key.sequence, key.records));
        self.order.push_back(key);
        let oldest_kept = key.ingested.saturating_sub(self.window.micros);
        while self.order.len() > self.window.count_max || self.order.front().is_some_and(|old| old.ingested < oldest_kept) {
            let Some(old) = self.order.pop_front() else { break };
            if self.seen.get(&old.hash).is_some_and(|(sequence, _)| *sequence == old.sequence) {
                self.seen.remove(&old.hash);
            }
        }
    }
}

/// Returns the 128 bits under which a key is known.
pub fn hash_key(source: &str, key: &str) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(source.len() as u64).to_le_bytes());
    hasher.update(source.as_bytes());
    hasher.update(key.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::SourceCursor;

    fn index() -> Index {
        Index::new(KeyWindow { micros: 100, count_max: 3 })
    }

    #[test]
    fn keys_are_forgotten_by_age_and_number() {
        let mut index = index();
        for at in 1..=4_u64 {
            index.committed(Some(u128::from(at)), at, at as i64, &RawBatch::default());
        }
        assert!(matches!(index.admit(1), Admission::First));
        assert!(matches!(index.admit(4), Admission::Duplicate(Receipt { sequence: 4, duplicate: true, .. })));
        index.committed(Some(9), 9, 104, &RawBatch::default());
        assert!(matches!(index.admit(3), Admission::First));
        assert!(matches!(index.admit(4), Admission::Duplicate(_)));
    }

    #[test]
    fn the_second_sender_waits_for_the_first_ones_answer() {
        let mut index = index();
        assert!(matches!(index.admit(7), Admission::First));
        assert!(matches!(index.admit(7), Admission::Wait(_)));
        assert_eq!(index.committed(Some(7), 1, 1, &RawBatch::default()).len(), 1);
        assert!(matches!(index.admit(7), Admission::Duplicate(_)));
    }

    #[test]
    fn a_flush_takes_positions_as_of_its_cursor() {
        let mut index = index();
        for (sequence, offset) in [(1, 10), (2, 20), (3, 30)] {
            let cursor = Some(SourceCursor { file: "f".into(), offset });
            index.committed(None, sequence, 1, &RawBatch { source: "s".into(), cursor, ..RawBatch::default() });
        }
        assert_eq!(index.file_offset("s", "f"), 30);
        assert_eq!(index.changes(0, 2).1, [FilePosition { source: "s".into(), file: "f".into(), offset: 20 }]);
        index.flushed(2);
        assert_eq!(index.changes(2, 3).1[0].offset, 30);
    }

    #[test]
    fn source_and_key_do_not_run_together() {
        assert_ne!(hash_key("ab", "c"), hash_key("a", "bc"));
    }
}
