//! Bits written and read one after the other, lowest first, and the three codes the postings use.
//!
//! Reading past the end gives an error value, never a panic: what is read may be a damaged file.

/// Writes bits into bytes.
#[derive(Default)]
pub struct BitWriter {
    pub bytes: Vec<u8>,
    held: u64,
    used: u32,
}

impl BitWriter {
    /// Writes the low `count` bits of `value`; at most 32.
    pub fn put(&mut self, value: u64, count: u32) {
        debug_assert!(count <= 32 && value >> count == 0);
        self.held |= value << self.used;
        self.used += count;
        if self.used >= 32 {
            self.bytes.extend_from_slice(&(self.held as u32).to_le_bytes());
            self.held >>= 32;
            self.used -= 32;
        }
    }

    /// A quotient in unary, then `low` bits (Rice's code).
    pub fn put_rice(&mut self, value: u64, low: u32) {
        self.put_unary(value >> low);
        self.put(value & ((1 << low) - 1), low);
    }

    /// A number of at least 1 in `2 log₂ + 1` bits (Elias' gamma).
    pub fn put_gamma(&mut self, value: u64) {
        let bits = value.max(1).ilog2();
        self.put_unary(u64::from(bits));
        self.put(value & ((1 << bits) - 1), bits);
    }

    fn put_unary(&mut self, value: u64) {
        for _ in 0..value / 32 {
            self.put(0, 32);
        }
        self.put(1 << (value % 32), (value % 32) as u32 + 1);
    }

    /// Fills up the last byte and gives the bytes.
    pub fn finish(mut self) -> Vec<u8> {
        let left = self.used.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.held.to_le_bytes()[..left]);
        self.bytes
    }

    pub fn bits(&self) -> usize {
        self.bytes.len() * 8 + self.used as usize
    }
}

pub fn gamma_bits(value: u64) -> usize {
    2 * value.max(1).ilog2() as usize + 1
}

pub fn rice_bits(value: u64, low: u32) -> usize {
    (value >> low) as usize + 1 + low as usize
}

/// The bits ended before the number did.
#[derive(Debug)]
pub struct Cut;

/// Reads what [`BitWriter`] wrote.
pub struct BitReader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> BitReader<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next 57 bits or more, zeros behind the end.
    #[inline]
    fn peek(&self) -> u64 {
        let rest = &self.bytes[(self.at / 8).min(self.bytes.len())..];
        let word = match rest.first_chunk() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        word >> (self.at % 8)
    }

    /// Reads up to 32 bits.
    #[inline]
    pub fn get(&mut self, count: u32) -> Result<u64, Cut> {
        let value = self.peek() & ((1 << count) - 1);
        self.at += count as usize;
        if self.at > self.bytes.len() * 8 { Err(Cut) } else { Ok(value) }
    }

    #[inline]
    pub fn get_rice(&mut self, low: u32) -> Result<u64, Cut> {
        let high = self.get_unary()?;
        Ok(high << low | self.get(low)?)
    }

    pub fn get_gamma(&mut self) -> Result<u64, Cut> {
        let bits = self.get_unary()?;
        if bits > 31 {
            return Err(Cut);
        }
        Ok(1 << bits | self.get(bits as u32)?)
    }

    #[inline]
    fn get_unary(&mut self) -> Result<u64, Cut> {
        let mut value = 0;
        loop {
            let zeros = self.peek().trailing_zeros();
            if zeros < 56 {
                self.at += zeros as usize + 1;
                return if self.at > self.bytes.len() * 8 { Err(Cut) } else { Ok(value + u64::from(zeros)) };
            }
            value += 56;
            self.at += 56;
            if self.at >= self.bytes.len() * 8 {
                return Err(Cut);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec((0_u64..1 << 24, 0_u32..25), 0..50)) {
            let mut writer = BitWriter::default();
            let mut bits = 0;
            for (number, low) in &numbers {
                let low = (*low).max(12);
                writer.put_rice(*number, low);
                writer.put_gamma(number + 1);
                writer.put(*number, 24);
                bits += rice_bits(*number, low) + gamma_bits(number + 1) + 24;
            }
            prop_assert_eq!(writer.bits(), bits);
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for (number, low) in &numbers {
                prop_assert_eq!(reader.get_rice((*low).max(12)).unwrap(), *number);
                prop_assert_eq!(reader.get_gamma().unwrap(), number + 1);
                prop_assert_eq!(reader.get(24).unwrap(), *number);
            }
            prop_assert!(reader.get(8).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = BitReader::new(&bytes);
            while reader.get_gamma().and_then(|_| reader.get_rice(7)).and_then(|_| reader.get(31)).is_ok() {}
        }
    }
}
