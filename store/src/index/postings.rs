//! Hash postings: which blocks hold a token, found by one read of 4 KiB.
//!
//! The tokens' hashes are spread over pages of 4 KiB by their upper bits, so the page of a token is computed, not looked
//! up. A page lists in order what is left of each hash (a *print*; Rice-coded differences, about 12 bits) with its blocks.
//! Prints are long enough that a token which is nowhere is taken for another in less than one look-up of a thousand.
//!
//! ```text
//! page      checksum u32 · entries u16 · 0 u16 · overflow: offset u32, length u32 · bits
//! overflow  checksum u32 · entries u32 · bits          what did not fit into the page: about 1 look-up in 50 goes there
//! bitmap    a bit a block · checksum u32               tokens whose list would crowd a page
//! entry     rice(print - previous print) · list
//! list      0 block                                    one block
//!           1 0 gamma(count - 1) block gamma(gap)…      several
//!           1 1 number of the bitmap u32
//! ```

use super::{
    bits::{BitReader, BitWriter, Cut, gamma_bits, rice_bits},
    blocks::Blocks,
    error::{Error, Result, check},
    file::{Fields, Header, PAGE, ReadAt, Section, read},
};

const PAGE_HEAD: usize = 16;
const PAGE_BITS: usize = (PAGE - PAGE_HEAD) * 8;
/// Share of a page that is filled on average, in percent.
const FILL: usize = 97;
/// One wrong hit in so many look-ups, at most.
const LOOKUPS_PER_WRONG_HIT: u64 = 1_000;
/// Lists that need more bits become bitmaps.
const LIST_BITS_MAX: usize = 1_024;

/// Bits of the hash that postings keep, and below them bits of the block number, in one `u64`.
const HASH_BITS: u32 = 40;
const BLOCK_BITS: u32 = 24;
const PARTS: usize = 256;

/// Collects (token, block) pairs: 8 bytes each, sorted when finished.
pub struct Pairs {
    parts: Vec<Vec<u64>>,
    count: usize,
}

impl Pairs {
    pub fn new() -> Self {
        Self { parts: vec![Vec::new(); PARTS], count: 0 }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn push(&mut self, hash: u64, block: u32) {
        debug_assert!(block < 1 << BLOCK_BITS);
        let pair = hash >> BLOCK_BITS << BLOCK_BITS | u64::from(block);
        self.parts[(hash >> 56) as usize].push(pair);
        self.count += 1;
    }

    /// The distinct hashes so far, cut to their upper 40 bits, in no order and perhaps repeated.
    pub fn hashes(&self) -> impl Iterator<Item = u64> {
        self.parts.iter().flatten().map(|pair| pair >> BLOCK_BITS)
    }

    /// Sorts and encodes; fills in the header's numbers of pages and bits. Returns pages, overflow and bitmaps.
    pub fn encode(mut self, header: &mut Header) -> [Vec<u8>; 3] {
        let mut sizes = Sizes { block_bits: header.blocks().max(2).next_power_of_two().ilog2(), ..Sizes::default() };
        for part in &mut self.parts {
            part.sort_unstable();
            part.dedup();
            groups(part, |_, pairs| sizes.add(pairs));
        }
        sizes.decide(header);
        let mut encoder = Encoder::new(header);
        for part in &mut self.parts {
            let part = std::mem::take(part);
            groups(&part, |hash, pairs| encoder.add(hash, pairs));
        }
        encoder.finish()
    }
}

/// Calls `each` with every hash and its pairs.
fn groups<'p>(sorted: &'p [u64], mut each: impl FnMut(u64, &'p [u64])) {
    for pairs in sorted.chunk_by(|left, right| left >> BLOCK_BITS == right >> BLOCK_BITS) {
        each(pairs[0] >> BLOCK_BITS, pairs);
    }
}

fn block_of(pair: u64) -> u64 {
    pair & ((1 << BLOCK_BITS) - 1)
}

/// What the lists will need, to choose the number of pages.
#[derive(Default)]
struct Sizes {
    block_bits: u32,
    tokens: u64,
    list_bits: usize,
}

impl Sizes {
    fn add(&mut self, pairs: &[u64]) {
        self.tokens += 1;
        self.list_bits += list_bits(pairs, self.block_bits).unwrap_or(34);
    }

    fn decide(&self, header: &mut Header) {
        let tokens = self.tokens.max(1);
        // A print is about 12 bits in the page: log₂ of the distance of prints, and 1.5.
        let page_count =
            |print_bits: usize| (self.list_bits + tokens as usize * print_bits).div_ceil(PAGE_BITS * FILL / 100).max(1);
        let pages = page_count(LOOKUPS_PER_WRONG_HIT.ilog2() as usize + 3);
        let per_page = tokens.div_ceil(pages as u64);
        let print_bits = (per_page * LOOKUPS_PER_WRONG_HIT).next_power_of_two().ilog2().min(32);
        // Rice's parameter for a geometric distribution: 0.69 of the mean.
        let mean = (1_u64 << print_bits) / per_page;
        header.rice_low = (mean * 69 / 100).max(1).ilog2();
        header.print_bits = print_bits;
        header.block_bits = self.block_bits;
        header.tokens = self.tokens;
        let needed = rice_bits(mean, header.rice_low);
        header.pages = page_count(needed.min(40)).max(pages.min(1)) as u32;
    }
}

/// Bits of an inline list, unless it must be a bitmap.
fn list_bits(pairs: &[u64], block_bits: u32) -> Option<usize> {
    if pairs.len() == 1 {
        return Some(1 + block_bits as usize);
    }
    let gaps: usize = pairs.windows(2).map(|two| gamma_bits(two[1] - two[0])).sum();
    let bits = 2 + gamma_bits(pairs.len() as u64 - 1) + block_bits as usize + gaps;
    (bits <= LIST_BITS_MAX).then_some(bits)
}

/// The page of a hash of 40 bits, and its print there.
fn place(hash: u64, pages: u32, print_bits: u32) -> (u32, u64) {
    let scaled = hash * u64::from(pages);
    ((scaled >> HASH_BITS) as u32, (scaled & ((1 << HASH_BITS) - 1)) >> (HASH_BITS - print_bits))
}

struct Encoder {
    pages: u32,
    print_bits: u32,
    rice_low: u32,
    block_bits: u32,
    bitmap_len: usize,
    /// Where the pending pairs go; pairs of hashes that share a print are merged.
    pending: (u32, u64),
    pairs: Vec<u64>,
    page: u32,
    previous: u64,
    bits: BitWriter,
    entries: u16,
    spilled: BitWriter,
    spilled_entries: u32,
    out: [Vec<u8>; 3],
}

impl Encoder {
    fn new(header: &Header) -> Self {
        Self {
            pages: header.pages,
            print_bits: header.print_bits,
            rice_low: header.rice_low,
            block_bits: header.block_bits,
            bitmap_len: header.bitmap_len(),
            pending: (0, 0),
            pairs: Vec::new(),
            page: 0,
            previous: 0,
            bits: BitWriter::default(),
            entries: 0,
            spilled: BitWriter::default(),
            spilled_entries: 0,
            out: Default::default(),
        }
    }

    fn add(&mut self, hash: u64, pairs: &[u64]) {
        let at = place(hash, self.pages, self.print_bits);
        if at != self.pending {
            self.flush();
            self.pending = at;
        }
        self.pairs.extend(pairs.iter().map(|pair| block_of(*pair)));
    }

    fn flush(&mut self) {
        if self.pairs.is_empty() {
            return;
        }
        let (page, print) = self.pending;
        while self.page < page {
            self.end_page();
        }
        let mut blocks = std::mem::take(&mut self.pairs);
        blocks.sort_unstable();
        blocks.dedup();
        let list = list_bits(&blocks, self.block_bits);
        let delta = print - self.previous;
        let needed = rice_bits(delta, self.rice_low) + list.unwrap_or(34);
        let fits = self.spilled_entries == 0 && self.entries < u16::MAX && self.bits.bits() + needed <= PAGE_BITS;
        let bits = if fits {
            self.entries += 1;
            &mut self.bits
        } else {
            self.spilled_entries += 1;
            &mut self.spilled
        };
        bits.put_rice(delta, self.rice_low);
        if list.is_some() {
            put_list(bits, &blocks, self.block_bits);
        } else {
            bits.put(0b11, 2);
            bits.put((self.out[2].len() / self.bitmap_len) as u64, 32);
            put_bitmap(&mut self.out[2], &blocks, self.bitmap_len);
        }
        self.previous = print;
        blocks.clear();
        self.pairs = blocks;
    }

    fn end_page(&mut self) {
        let bits = std::mem::take(&mut self.bits).finish();
        let [pages, overflow, _] = &mut self.out;
        let (mut offset, mut len) = (0, 0);
        if self.spilled_entries > 0 {
            let mut record = self.spilled_entries.to_le_bytes().to_vec();
            record.extend(std::mem::take(&mut self.spilled).finish());
            offset = overflow.len();
            overflow.extend_from_slice(&crc32fast::hash(&record).to_le_bytes());
            overflow.extend(record);
            len = overflow.len() - offset;
        }
        let mut page = Vec::with_capacity(PAGE - 4);
        page.extend_from_slice(&self.entries.to_le_bytes());
        page.extend_from_slice(&[0; 2]);
        page.extend_from_slice(&(offset as u32).to_le_bytes());
        page.extend_from_slice(&(len as u32).to_le_bytes());
        page.extend(bits);
        page.resize(PAGE - 4, 0);
        pages.extend_from_slice(&crc32fast::hash(&page).to_le_bytes());
        pages.extend(page);
        (self.page, self.previous, self.entries, self.spilled_entries) = (self.page + 1, 0, 0, 0);
    }

    fn finish(mut self) -> [Vec<u8>; 3] {
        self.flush();
        while self.page < self.pages {
            self.end_page();
        }
        self.out
    }
}

fn put_list(bits: &mut BitWriter, blocks: &[u64], block_bits: u32) {
    if let [block] = blocks {
        bits.put(0, 1);
        return bits.put(*block, block_bits);
    }
    bits.put(0b01, 2);
    bits.put_gamma(blocks.len() as u64 - 1);
    bits.put(blocks[0], block_bits);
    blocks.windows(2).for_each(|two| bits.put_gamma(two[1] - two[0]));
}

fn put_bitmap(out: &mut Vec<u8>, blocks: &[u64], len: usize) {
    let start = out.len();
    out.resize(start + len - 4, 0);
    blocks.iter().for_each(|block| out[start + *block as usize / 8] |= 1 << (block % 8));
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// Adds the blocks that may hold the token with this hash: one read, rarely two.
pub fn find(source: &dyn ReadAt, header: &Header, hash: u64, found: &mut Blocks) -> Result<()> {
    let (page, print) = place(hash >> BLOCK_BITS, header.pages, header.print_bits);
    let offset = (u64::from(page) + 1) * PAGE as u64;
    let bytes = page_at(source, offset)?;
    let head = Head::of(&bytes);
    let mut list = Entries { header, bits: BitReader::new(&bytes[PAGE_HEAD..]), left: head.entries.into(), print: 0 };
    let cut = |offset| move |_: Cut| Error::Damaged { what: "end of a list", offset, expected: 1, found: 0 };
    let Some(hit) = list.find(print, found).map_err(cut(offset))? else {
        if head.overflow.len == 0 {
            return Ok(());
        }
        let last = list.print;
        let (record, offset) = overflow_at(source, header, head.overflow)?;
        let left = Fields(&record[4..]).u32();
        let mut list = Entries { header, bits: BitReader::new(&record[8..]), left, print: last };
        let hit = list.find(print, found).map_err(cut(offset))?;
        return hit.map_or(Ok(()), |hit| hit.add(source, header, found));
    };
    hit.add(source, header, found)
}

/// Checks every page, overflow and bitmap.
pub fn verify(source: &dyn ReadAt, header: &Header) -> Result<()> {
    let mut overflow_end = 0;
    for page in 1..=u64::from(header.pages) {
        let head = Head::of(&page_at(source, page * PAGE as u64)?);
        if head.overflow.len > 0 {
            overflow_at(source, header, head.overflow)?;
            overflow_end = head.overflow.end();
        }
    }
    if overflow_end != header.overflow.len {
        let (offset, expected) = (header.overflow.offset, header.overflow.len);
        return Err(Error::Damaged { what: "length of the overflow", offset, expected, found: overflow_end });
    }
    let bitmaps = header.bitmaps.len / header.bitmap_len() as u64;
    (0..bitmaps).try_for_each(|number| bitmap_at(source, header, number).map(drop))
}

fn page_at(source: &dyn ReadAt, offset: u64) -> Result<bytes::Bytes> {
    let bytes = read(source, offset, PAGE)?;
    check("page", offset, Fields(&bytes).u32(), &bytes[4..])?;
    Ok(bytes)
}

struct Head {
    entries: u16,
    overflow: Section,
}

impl Head {
    fn of(page: &[u8]) -> Self {
        let mut fields = Fields(&page[4..PAGE_HEAD]);
        let entries = fields.u16();
        fields.u16();
        Self { entries, overflow: Section { offset: fields.u32().into(), len: fields.u32().into() } }
    }
}

fn overflow_at(source: &dyn ReadAt, header: &Header, place: Section) -> Result<(bytes::Bytes, u64)> {
    let offset = header.overflow.offset + place.offset;
    if place.len < 8 || place.end() > header.overflow.len {
        let (expected, found) = (header.overflow.len, place.end());
        return Err(Error::Damaged { what: "overflow of a page", offset, expected, found });
    }
    let record = read(source, offset, place.len as usize)?;
    check("overflow of a page", offset, Fields(&record).u32(), &record[4..])?;
    Ok((record, offset))
}

fn bitmap_at(source: &dyn ReadAt, header: &Header, number: u64) -> Result<bytes::Bytes> {
    let len = header.bitmap_len();
    let place = Section { offset: number * len as u64, len: len as u64 };
    let offset = header.bitmaps.offset + place.offset;
    if place.end() > header.bitmaps.len {
        let (expected, found) = (header.bitmaps.len, place.end());
        return Err(Error::Damaged { what: "number of a bitmap", offset, expected, found });
    }
    let bytes = read(source, offset, len)?;
    check("bitmap", offset, Fields(&bytes[len - 4..]).u32(), &bytes[..len - 4])?;
    Ok(bytes.slice(..len - 4))
}

/// Where the blocks of a hit are.
enum Hit {
    Added,
    Bitmap(u64),
}

impl Hit {
    fn add(self, source: &dyn ReadAt, header: &Header, found: &mut Blocks) -> Result<()> {
        if let Self::Bitmap(number) = self {
            found.insert_bitmap(&bitmap_at(source, header, number)?);
        }
        Ok(())
    }
}

/// Walks over entries in order.
struct Entries<'b> {
    header: &'b Header,
    bits: BitReader<'b>,
    left: u32,
    print: u64,
}

impl Entries<'_> {
    /// Looks for a print; `None` when the entries end before it.
    fn find(&mut self, print: u64, found: &mut Blocks) -> Result<Option<Hit>, Cut> {
        let Header { rice_low, block_bits, .. } = *self.header;
        while self.left > 0 {
            self.left -= 1;
            self.print += self.bits.get_rice(rice_low)?;
            if self.print > print {
                return Ok(Some(Hit::Added));
            }
            let is_hit = self.print == print;
            if self.bits.get(1)? == 0 {
                let block = self.bits.get(block_bits)?;
                if is_hit {
                    found.insert(block as u32);
                }
            } else if self.bits.get(1)? == 1 {
                let number = self.bits.get(32)?;
                if is_hit {
                    return Ok(Some(Hit::Bitmap(number)));
                }
            } else {
                self.several(is_hit.then_some(&mut *found))?;
            }
            if is_hit {
                return Ok(Some(Hit::Added));
            }
        }
        Ok(None)
    }

    fn several(&mut self, mut found: Option<&mut Blocks>) -> Result<(), Cut> {
        let gaps = self.bits.get_gamma()?;
        let mut block = self.bits.get(self.header.block_bits)?;
        let mut add = |block: u64| {
            if let Some(found) = &mut found {
                found.insert(u32::try_from(block).unwrap_or(u32::MAX));
            }
        };
        add(block);
        for _ in 0..gaps {
            block += self.bits.get_gamma()?;
            add(block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::index::{
        file::VERSION,
        hash::{STABLE, hash_of},
    };

    fn build(pairs: &[(u64, u32)], blocks: u32) -> (Header, Bytes) {
        assert_eq!(VERSION, 1);
        let mut header = Header { rows: u64::from(blocks) * 1_024, rows_per_block: 1_024, ..Header::default() };
        let mut all = Pairs::new();
        pairs.iter().for_each(|(hash, block)| all.push(*hash, *block));
        let [pages, overflow, bitmaps] = all.encode(&mut header);
        let mut bytes = vec![0; PAGE];
        bytes.extend(pages);
        for (section, part) in [(&mut header.overflow, overflow), (&mut header.bitmaps, bitmaps)] {
            *section = Section { offset: bytes.len() as u64, len: part.len() as u64 };
            bytes.extend(part);
        }
        (header, bytes.into())
    }

    fn look(header: &Header, bytes: &Bytes, hash: u64) -> Vec<u32> {
        let mut found = Blocks::none(header.rows, header.rows_per_block);
        find(bytes, header, hash, &mut found).unwrap();
        found.iter().collect()
    }

    #[test]
    fn a_hundred_thousand_tokens_are_found_and_others_are_not() {
        let token = |n: u32| hash_of(format!("token{n}").as_bytes(), STABLE);
        let pairs: Vec<_> = (0..100_000).map(|n| (token(n), n % 1_000)).collect();
        let (header, bytes) = build(&pairs, 1_000);
        verify(&bytes, &header).unwrap();
        assert!(header.pages > 50 && header.overflow.len > 0, "{header:?}");
        for (hash, block) in &pairs {
            assert!(look(&header, &bytes, *hash).contains(block));
        }
        let wrong = (100_000..200_000).filter(|n| !look(&header, &bytes, token(*n)).is_empty()).count();
        assert!(wrong < 150, "{wrong} wrong hits in 100,000 look-ups");
    }

    #[test]
    fn tokens_that_stand_nearly_everywhere_are_bitmaps() {
        let everywhere: Vec<u32> = (0..5_000).filter(|block| block % 7 != 3).collect();
        let pairs: Vec<_> = everywhere.iter().map(|block| (1 << 63, *block)).chain([(5, 77)]).collect();
        let (header, bytes) = build(&pairs, 5_000);
        assert_eq!(header.bitmaps.len as usize, header.bitmap_len());
        assert_eq!((look(&header, &bytes, 1 << 63), look(&header, &bytes, 5)), (everywhere, vec![77]));
    }

    proptest! {
        #[test]
        fn every_pair_is_found(pairs in prop::collection::vec((0_u64..40, 0_u32..300), 0..200), shift in 20_u32..59) {
            let pairs: Vec<_> = pairs.into_iter().map(|(hash, block)| (hash << shift, block)).collect();
            let (header, bytes) = build(&pairs, 300);
            prop_assert!(verify(&bytes, &header).is_ok());
            for (hash, block) in &pairs {
                prop_assert!(look(&header, &bytes, *hash).contains(block));
            }
        }
    }
}
