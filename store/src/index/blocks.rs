//! Which row blocks may hold a match: a bitmap over the blocks of one segment. It promises nothing about the rows inside.

use std::ops::Range;

/// Row blocks of one segment, numbered from its first row. Blocks that are absent hold no match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    bits: Vec<u64>,
    count: u32,
    rows_per_block: u32,
    rows: u64,
}

impl Blocks {
    /// No block of a segment of so many rows.
    pub fn none(rows: u64, rows_per_block: u32) -> Self {
        let count = rows.div_ceil(u64::from(rows_per_block.max(1))) as u32;
        Self { bits: vec![0; (count as usize).div_ceil(64)], count, rows_per_block, rows }
    }

    /// Every block.
    pub fn all(rows: u64, rows_per_block: u32) -> Self {
        let mut blocks = Self::none(rows, rows_per_block);
        blocks.bits.fill(u64::MAX);
        let used = blocks.count % 64;
        if let Some(last) = blocks.bits.last_mut().filter(|_| used > 0) {
            *last = (1 << used) - 1;
        }
        blocks
    }

    /// Number of blocks of the segment, chosen or not.
    pub fn total(&self) -> u32 {
        self.count
    }

    pub fn rows_per_block(&self) -> u32 {
        self.rows_per_block
    }

    /// Number of chosen blocks.
    pub fn count(&self) -> u32 {
        self.bits.iter().map(|word| word.count_ones()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    pub fn contains(&self, block: u32) -> bool {
        self.bits.get(block as usize / 64).is_some_and(|word| word >> (block % 64) & 1 == 1)
    }

    /// Adds a block; one that the segment does not have is ignored.
    pub(super) fn insert(&mut self, block: u32) {
        if block < self.count {
            self.bits[block as usize / 64] |= 1 << (block % 64);
        }
    }

    /// Adds the blocks of a bitmap, eight blocks a byte, lowest bit first.
    pub(super) fn insert_bitmap(&mut self, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate() {
            (0..8).filter(|bit| byte >> bit & 1 == 1).for_each(|bit| self.insert(at as u32 * 8 + bit));
        }
    }

    /// Keeps what is in both; both must be of one segment.
    pub fn intersect(&mut self, other: &Self) {
        debug_assert_eq!((self.rows, self.rows_per_block), (other.rows, other.rows_per_block));
        self.bits.iter_mut().zip(&other.bits).for_each(|(mine, its)| *mine &= its);
    }

    /// Adds what is in the other; both must be of one segment.
    pub fn unite(&mut self, other: &Self) {
        debug_assert_eq!((self.rows, self.rows_per_block), (other.rows, other.rows_per_block));
        self.bits.iter_mut().zip(&other.bits).for_each(|(mine, its)| *mine |= its);
    }

    /// The chosen blocks in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.bits.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(at as u32 * 64 + bit)
            })
        })
    }

    /// The rows of the chosen blocks as ranges, neighbours joined, in order.
    pub fn row_ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let mut blocks = self.iter().peekable();
        std::iter::from_fn(move || {
            let first = blocks.next()?;
            let mut last = first;
            while blocks.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            let row = |block: u32| u64::from(block) * u64::from(self.rows_per_block);
            Some(row(first)..row(last + 1).min(self.rows))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Blocks;

    #[test]
    fn ranges_join_neighbours_and_end_with_the_rows() {
        let mut blocks = Blocks::none(70 * 10 + 3, 10);
        assert_eq!(blocks.total(), 71);
        [0, 1, 2, 63, 64, 70, 71, 900].into_iter().for_each(|block| blocks.insert(block));
        assert_eq!(blocks.row_ranges().collect::<Vec<_>>(), [0..30, 630..650, 700..703]);
        assert_eq!((blocks.count(), blocks.contains(63), blocks.contains(71)), (6, true, false));
        blocks.intersect(&Blocks::all(703, 10));
        assert_eq!(blocks.count(), 6);
        assert!(Blocks::all(703, 10).row_ranges().eq(std::iter::once(0..703)));
        assert_eq!(Blocks::all(640, 10).count(), 64);
        assert!(Blocks::all(0, 10).is_empty());
    }
}
