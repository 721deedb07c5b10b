//! Entry points for a fuzzer: total functions over any bytes, with the invariants asserted inside.
//!
//! The tests drive them with bounded, stable inputs, so that they hold where no nightly compiler is.

use crate::{
    decompress::{Caps, Encoding, capped},
    framing::{Framer, SKIP_BYTES_MAX},
    json_split,
};

const LIMIT: usize = 256;
const CAPS: Caps = Caps { bytes_max: 1 << 20, ratio_max: 50 };

/// Frames any bytes, whole and in pieces: the records agree, none is longer than the limit, no byte is invented.
pub fn fuzz_framing(data: &[u8]) {
    let Some((&first, stream)) = data.split_first() else { return };
    let run = |piece: usize| {
        let mut framer = Framer::detect(LIMIT);
        let (mut records, mut bytes) = (Vec::new(), 0u64);
        let mut emit = |frame: crate::framing::Frame<'_>| {
            assert!(!frame.bytes.is_empty() && frame.bytes.len() <= LIMIT);
            assert!(frame.cut <= SKIP_BYTES_MAX + 1);
            bytes += frame.bytes.len() as u64 + frame.cut;
            assert!(frame.end >= bytes);
            records.push((frame.bytes.to_vec(), frame.end, frame.cut));
        };
        for part in stream.chunks(piece) {
            framer.feed(part, &mut emit);
        }
        framer.finish(&mut emit);
        assert!(bytes <= stream.len() as u64);
        records
    };
    assert_eq!(run(stream.len().max(1)), run(usize::from(first) + 1));
}

/// Decompresses any bytes by every encoding: it ends, within the caps.
pub fn fuzz_decompress(data: &[u8]) {
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::by_magic(data)] {
        if let Ok(out) = capped(encoding, data, CAPS) {
            assert!(out.len() as u64 <= CAPS.bytes_max);
        }
    }
}

/// Divides any bytes as JSON: records lie inside the body, one behind the other.
pub fn fuzz_json_split(data: &[u8]) {
    let mut last = data.as_ptr() as usize;
    let misfit = json_split::split(data, |record| {
        let start = record.as_ptr() as usize;
        assert!(start >= last && !record.is_empty());
        last = start + record.len();
    });
    if let Err(misfit) = misfit {
        assert!(misfit.offset <= data.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decompress::tests::{gzip, zstd};

    /// A small generator of its own: the same inputs on every machine.
    struct Inputs(u64);

    impl Inputs {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn bytes(&mut self, alphabet: &[u8], len_max: u64) -> Vec<u8> {
            let len = self.next() % len_max;
            (0..len).map(|_| alphabet[(self.next() % alphabet.len() as u64) as usize]).collect()
        }

        fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
            let mut bytes = seed.to_vec();
            for _ in 0..1 + self.next() % 4 {
                let at = (self.next() % bytes.len() as u64) as usize;
                match self.next() % 3 {
                    0 => bytes[at] = self.next() as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, self.next() as u8),
                }
            }
            bytes
        }
    }

    #[test]
    fn framing_holds_over_two_thousand_streams() {
        let mut inputs = Inputs(1);
        for _ in 0..2_000 {
            fuzz_framing(&inputs.bytes(b"0123456789 <13>\n\r\0xyz", 900));
        }
    }

    #[test]
    fn decompression_holds_over_mutated_archives() {
        let mut inputs = Inputs(2);
        let text = b"Nov 23 10:00:00 host sshd[1]: line\n".repeat(40);
        for seed in [gzip(&text), zstd(&text), gzip(&gzip(&text))] {
            for _ in 0..300 {
                fuzz_decompress(&inputs.mutate(&seed));
            }
        }
    }

    #[test]
    fn json_division_holds() {
        let mut inputs = Inputs(3);
        for _ in 0..5_000 {
            fuzz_json_split(&inputs.bytes(b"[]{}\",:\\ \n1a", 60));
        }
    }
}
