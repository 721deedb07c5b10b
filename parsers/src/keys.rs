//! A fixed table from words to small values, faster than a chain of comparisons: vendor formats look up dozens of keys in
//! every line.

/// Words known at start-up, looked up by exact bytes.
#[derive(Debug)]
pub struct KeyTable<T> {
    slots: Box<[Option<(&'static str, T)>]>,
}

impl<T: Copy> KeyTable<T> {
    /// Builds the table; a word given twice keeps its first value.
    pub fn new(entries: &[(&'static str, T)]) -> Self {
        let len = (entries.len() * 4).next_power_of_two().max(8);
        let mut table = Self { slots: vec![None; len].into_boxed_slice() };
        for (key, value) in entries {
            let mut at = table.start(key.as_bytes());
            while let Some((known, _)) = table.slots[at] {
                if known == *key {
                    break;
                }
                at = (at + 1) & (len - 1);
            }
            if table.slots[at].is_none() {
                table.slots[at] = Some((key, *value));
            }
        }
        table
    }

    /// Finds a word.
    pub fn get(&self, key: &str) -> Option<T> {
        let mut at = self.start(key.as_bytes());
        while let Some((known, value)) = &self.slots[at] {
            if *known == key {
                return Some(*value);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        None
    }

    /// First slot of a word: its length and its first and last eight bytes tell vendor keys apart well.
    fn start(&self, key: &[u8]) -> usize {
        let edge = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
        let n = key.len().min(8);
        let mixed = (edge(&key[..n]) ^ edge(&key[key.len() - n..]).rotate_left(29) ^ key.len() as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 32) as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_holds_and_nothing_else() {
        let table = KeyTable::new(&[("srcip", 1), ("dstip", 2), ("", 3), ("a-much-longer-key-name", 4), ("srcip", 9)]);
        assert_eq!(table.get("srcip"), Some(1));
        assert_eq!(table.get("dstip"), Some(2));
        assert_eq!(table.get(""), Some(3));
        assert_eq!(table.get("a-much-longer-key-name"), Some(4));
        assert_eq!(table.get("src"), None);
        assert_eq!(table.get("a-much-longer-key-nama"), None);
    }
}
