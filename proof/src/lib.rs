//! Proof that nothing was changed: what is hashed, how hashes are chained and signed, and how all of it is checked again.
//!
//! ```text
//! rows of one (proof block, system, dataset) ─▶ leaf ─┐
//!                                    other leaves ────┴─▶ block ─▶ chain ─▶ hourly root, signed ─▶ anchors outside
//! ```
//!
//! Invariants:
//! * A leaf follows from the logical rows alone, whatever file they lie in, so compaction and retention of others keep it.
//! * Every record of a journal is under a checksum (against damage) and in the chain (against people).
//! * Reading is total: damaged and hostile bytes give an error that names file and offset, never a panic, and never take more
//!   memory than a small multiple of their size.
//!
//! Deliberately absent: the store (it writes journals in the formats of this crate), a clock, a network, an
//! async runtime, and anything that a Windows machine does not have: `chieng-verify` is built from this crate alone.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod block;
pub mod chain;
pub mod codec;
mod error;
pub mod journal;
pub mod key;
pub mod leaf;
pub mod packet;
pub mod root;

pub use error::{Error, Result};

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// Rows after which a proof block ends: at 5,000 events a second and 60 (system, dataset) pairs this makes about 10⁸ leaves a
/// year; blocks of 200 ms would make 10¹⁰, and most of them longer than the rows they prove.
pub const BLOCK_ROWS: usize = 65_536;

/// An hour in microseconds.
pub const HOUR: i64 = 3_600 * 1_000_000;

/// Hashes parts under a context, so that no hash of one kind can pass for one of another.
pub fn hash(context: &str, parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}
