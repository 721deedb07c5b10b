//! The hash of a token, and small arithmetic on it.
//!
//! Two uses, two seeds: postings are found by a hash that every version of this file computes alike ([`STABLE`]); the
//! table that drops repeated tokens of a block uses a seed drawn at start, so that nobody can write a word that hides
//! another. A token is hashed as it stands after folding.

/// Seed of the hash that is on disk. Changing it, or anything in [`hash`], makes a new format version.
pub const STABLE: u64 = 0x9e37_79b9_7f4a_7c15;

const FIRST: u64 = 0xf58a_1bc7_d3e9_86a5;
const SECOND: u64 = 0xe703_7ed1_a0b4_28db;
const THIRD: u64 = 0x8ebc_6af0_9c88_c6e3;

/// Bytes that must lie behind a token in its buffer, so that it can be read eight bytes at a time.
pub const PAD: usize = 8;

/// Hashes `buffer[start..end]`; [`PAD`] bytes of anything follow in the buffer.
#[inline]
pub fn hash(buffer: &[u8], start: usize, end: usize, seed: u64) -> u64 {
    let len = end - start;
    let mut state = seed ^ len as u64;
    let mut at = start;
    while end - at > 16 {
        state = mix(state ^ load(buffer, at) ^ FIRST, load(buffer, at + 8) ^ SECOND);
        at += 16;
    }
    let left = end - at;
    let (low, high) =
        if left > 8 { (load(buffer, at), load(buffer, at + 8) & mask(left - 8)) } else { (load(buffer, at) & mask(left), 0) };
    mix(mix(low ^ FIRST ^ state, high ^ SECOND ^ seed) ^ state, THIRD)
}

/// Hashes a token that has no buffer of its own.
pub fn hash_of(token: &[u8], seed: u64) -> u64 {
    let mut padded = Vec::with_capacity(token.len() + PAD);
    padded.extend_from_slice(token);
    padded.resize(token.len() + PAD, 0);
    hash(&padded, 0, token.len(), seed)
}

#[inline]
fn load(buffer: &[u8], at: usize) -> u64 {
    buffer[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline]
fn mask(bytes: usize) -> u64 {
    if bytes >= 8 { u64::MAX } else { (1 << (bytes * 8)) - 1 }
}

#[inline]
fn mix(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_follows_a_token_does_not_matter() {
        for len in 0..40 {
            let token: Vec<u8> = (0..len).map(|at| b'a' + at % 26).collect();
            let mut buffer = vec![0xff; 3];
            buffer.extend_from_slice(&token);
            buffer.extend_from_slice(b" tail of it");
            assert_eq!(hash(&buffer, 3, 3 + token.len(), STABLE), hash_of(&token, STABLE));
        }
    }

    #[test]
    fn the_hash_on_disk_stays() {
        assert_eq!(hash_of(b"203.0.113.77", STABLE), 13_349_418_321_303_317_120);
        assert_eq!(hash_of(b"203fa0fd3ec4318f", STABLE), 13_663_105_932_716_096_041);
    }

    #[test]
    fn numbers_spread_in_high_and_low_bits() {
        let hashes: Vec<u64> = (0..100_000).map(|n: u32| hash_of(n.to_string().as_bytes(), STABLE)).collect();
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), hashes.len());
        for shift in [0, 24, 40, 56] {
            let mut buckets = [0_u32; 256];
            hashes.iter().for_each(|hash| buckets[(hash >> shift & 0xff) as usize] += 1);
            assert!(buckets.iter().all(|count| (280..520).contains(count)), "{shift}: {buckets:?}");
        }
    }
}
