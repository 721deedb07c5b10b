//! Proof blocks: the leaves of a run of log frames, and the builder that makes them out of batches.
//!
//! A block is one or more whole processing blocks of one flush, and never reaches over the end of an hour of
//! `event.ingested`. Its hash is over the hashes of its leaves, in the order of their classes, so that a packet can show the
//! leaves of one system and the bare hashes of the others.

use std::collections::HashMap;

use arrow::record_batch::RecordBatch;

use crate::{
    HOUR, Hash,
    codec::{Reader, put_number, put_text},
    leaf::{Class, Leaf, LeafHasher, Place, Rows},
};

const BLOCK: &str = "chieng.proof 1 block";

/// What is known of the frames behind `after` through `through`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub after: u64,
    pub through: u64,
    /// Earliest and latest `event.ingested`.
    pub ingested: (i64, i64),
    /// Rows whose `event.id` does not say where they stand in the log: they are in no leaf.
    pub unplaced: u64,
    /// In the order of their classes.
    pub leaves: Vec<Leaf>,
}

impl Block {
    pub fn rows(&self) -> u64 {
        self.leaves.iter().map(|leaf| leaf.rows).sum()
    }

    /// Start of its hour.
    pub fn hour(&self) -> i64 {
        self.ingested.0.div_euclid(HOUR).saturating_mul(HOUR)
    }

    pub fn hash(&self) -> Hash {
        block_hash(self, self.leaves.iter().map(Leaf::hash))
    }
}

/// The hash of a block whose leaves are known by their hashes only; `head` gives the rest.
pub fn block_hash(head: &Block, leaves: impl Iterator<Item = Hash>) -> Hash {
    let leaves: Vec<Hash> = leaves.collect();
    let numbers = [
        head.after,
        head.through,
        head.ingested.0.cast_unsigned(),
        head.ingested.1.cast_unsigned(),
        head.unplaced,
        leaves.len() as u64,
    ];
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    crate::hash(BLOCK, &[&numbers, leaves.as_flattened()])
}

/// Systems and datasets of a journal by number: a name is written once a file.
#[derive(Clone, Debug, Default)]
pub struct Names {
    list: Vec<(String, String)>,
    numbers: HashMap<(String, String), u64>,
}

impl Names {
    fn add(&mut self, system: &str, dataset: &str) {
        let pair = (system.to_owned(), dataset.to_owned());
        self.numbers.insert(pair.clone(), self.list.len() as u64);
        self.list.push(pair);
    }

    /// Writes a block as the payload of a record.
    pub fn write(&mut self, block: &Block, out: &mut Vec<u8>) {
        put_number(out, block.after);
        put_number(out, block.through - block.after.min(block.through));
        out.extend_from_slice(&block.ingested.0.to_le_bytes());
        put_number(out, block.ingested.1.abs_diff(block.ingested.0));
        put_number(out, block.unplaced);
        put_number(out, block.leaves.len() as u64);
        for leaf in &block.leaves {
            let class = &leaf.class;
            let pair = (class.system.clone(), class.dataset.clone());
            let known = self.numbers.get(&pair).copied();
            put_number(out, known.unwrap_or(self.list.len() as u64) << 1 | u64::from(class.skewed));
            if known.is_none() {
                put_text(out, &class.system);
                put_text(out, &class.dataset);
                self.add(&class.system, &class.dataset);
            }
            put_number(out, leaf.rows);
            out.extend_from_slice(&leaf.content);
        }
    }

    /// Reads what [`Names::write`] wrote; `None` for anything else.
    pub fn read(&mut self, payload: &[u8]) -> Option<Block> {
        let mut reader = Reader(payload);
        let after = reader.number()?;
        let through = after.checked_add(reader.number()?)?;
        let from = i64::from_le_bytes(reader.bytes(8)?.try_into().ok()?);
        let ingested = (from, from.checked_add_unsigned(reader.number()?)?);
        let unplaced = reader.number()?;
        let count = reader.number()?;
        let mut leaves = Vec::new();
        for _ in 0..count {
            let code = reader.number()?;
            let (number, skewed) = (code >> 1, code & 1 == 1);
            if number == self.list.len() as u64 {
                let (system, dataset) = (reader.text()?, reader.text()?);
                self.add(system, dataset);
            }
            let (system, dataset) = self.list.get(usize::try_from(number).ok()?)?.clone();
            let rows = reader.number()?;
            leaves.push(Leaf { class: Class { system, dataset, skewed }, rows, content: reader.hash()? });
        }
        reader.0.is_empty().then_some(Block { after, through, ingested, unplaced, leaves })
    }
}

/// One row of a builder: where it stands in the log, and in the batches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RowRef {
    place: Place,
    ingested: i64,
    batch: u32,
    row: u32,
    class: u32,
}

/// Makes blocks out of the batches of neighbouring processing blocks. The batches have all their columns.
///
/// `last` is the log sequence of the last frame; rows without `event.ingested` count as ingested with the row before.
pub fn blocks_of(batches: &[&RecordBatch], after: u64, last: u64) -> Vec<Block> {
    let readers: Vec<Rows<'_>> = batches.iter().map(|batch| Rows::new(batch)).collect();
    let mut classes = Classes::default();
    let mut refs = Vec::with_capacity(readers.iter().map(Rows::len).sum());
    let mut unplaced = 0;
    for (batch, rows) in readers.iter().enumerate() {
        for row in 0..rows.len() {
            let Some(place) = rows.place(row).filter(|place| after < place.sequence && place.sequence <= last) else {
                unplaced += 1;
                continue;
            };
            let class = classes.number(rows.system(row), rows.dataset(row), rows.is_skewed(row));
            refs.push(RowRef {
                place,
                ingested: rows.ingested(row).unwrap_or(i64::MIN),
                batch: batch as u32,
                row: row as u32,
                class,
            });
        }
    }
    // Batches are runs in this order already.
    refs.sort();
    let mut blocks: Vec<Block> = Vec::new();
    let mut start = after;
    for rows in hours(&refs) {
        let through = rows.last().map_or(last, |row| row.place.sequence);
        let mut block = block(rows, &readers, &classes);
        (block.after, block.through) = (start, through);
        start = through;
        blocks.push(block);
    }
    match blocks.last_mut() {
        Some(block) => {
            block.through = last;
            block.unplaced = unplaced;
        }
        // Frames without a row (all refused, or merged): the chain still says that they were seen.
        None => blocks.push(Block { after, through: last, unplaced, ..Block::default() }),
    }
    blocks
}

/// Runs of rows of one hour; a frame is never cut.
fn hours(refs: &[RowRef]) -> impl Iterator<Item = &[RowRef]> {
    let hour = |row: &RowRef| row.ingested.div_euclid(HOUR);
    refs.chunk_by(move |one, two| one.place.sequence == two.place.sequence || hour(two) <= hour(one))
}

fn block(refs: &[RowRef], readers: &[Rows<'_>], classes: &Classes) -> Block {
    let mut hashers: Vec<Option<LeafHasher>> = vec![None; classes.list.len()];
    let times = refs.iter().map(|row| row.ingested).filter(|time| *time != i64::MIN);
    let ingested = (times.clone().min().unwrap_or(0), times.max().unwrap_or(0));
    for row in refs {
        let hasher = hashers[row.class as usize].get_or_insert_default();
        hasher.row(|out| readers[row.batch as usize].encode(row.row as usize, out));
    }
    let leaves = hashers.into_iter().zip(&classes.list);
    let mut leaves: Vec<Leaf> = leaves.filter_map(|(hasher, class)| Some(hasher?.finish(class.clone()))).collect();
    leaves.sort_unstable_by(|one, two| one.class.cmp(&two.class));
    Block { ingested, leaves, ..Block::default() }
}

/// Classes by number; neighbouring rows mostly share theirs.
#[derive(Default)]
pub struct Classes {
    list: Vec<Class>,
    numbers: HashMap<Class, u32>,
    last: usize,
}

impl Classes {
    pub fn number(&mut self, system: &str, dataset: &str, skewed: bool) -> u32 {
        let same = |class: &Class| class.skewed == skewed && class.system == system && class.dataset == dataset;
        if self.list.get(self.last).is_some_and(same) {
            return self.last as u32;
        }
        let class = Class { system: system.to_owned(), dataset: dataset.to_owned(), skewed };
        let next = self.list.len() as u32;
        let number = *self.numbers.entry(class.clone()).or_insert(next);
        if number == next {
            self.list.push(class);
        }
        self.last = number as usize;
        number
    }

    pub fn class(&self, number: u32) -> Option<&Class> {
        self.list.get(number as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Block {
        let class = |dataset: &str, skewed| Class { system: "s".into(), dataset: dataset.into(), skewed };
        let leaves = vec![
            Leaf { class: class("a", false), rows: 3, content: [1; 32] },
            Leaf { class: class("a", true), rows: 1, content: [2; 32] },
        ];
        Block { after: 4, through: 9, ingested: (-5, 7), unplaced: 1, leaves }
    }

    #[test]
    fn comes_back_and_writes_names_once() {
        let (mut writer, mut reader) = (Names::default(), Names::default());
        let (mut first, mut second) = (Vec::new(), Vec::new());
        writer.write(&sample(), &mut first);
        writer.write(&sample(), &mut second);
        assert!(second.len() < first.len());
        assert_eq!(reader.read(&first), Some(sample()));
        assert_eq!(reader.read(&second), Some(sample()));
    }

    #[test]
    fn the_hash_binds_everything() {
        let mut seen = std::collections::BTreeSet::from([sample().hash()]);
        let changes: [fn(&mut Block); 9] = [
            |block| block.after = 5,
            |block| block.through = 8,
            |block| block.ingested.0 = 0,
            |block| block.ingested.1 = 0,
            |block| block.unplaced = 0,
            |block| block.leaves[0].rows = 4,
            |block| block.leaves[0].class.system = "t".into(),
            |block| block.leaves[1].class.skewed = false,
            |block| block.leaves[1].content[31] = 3,
        ];
        for change in changes {
            let mut block = sample();
            change(&mut block);
            assert!(seen.insert(block.hash()), "{block:?}");
        }
    }

    proptest! {
        #[test]
        fn hostile_payloads_end(bytes: Vec<u8>) {
            let _ = Names::default().read(&bytes);
        }
    }
}
