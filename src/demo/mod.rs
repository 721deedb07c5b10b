//! The demo province: an invented province of the Central Highlands, its registers and its log lines, byte for byte the
//! same for the same seed and moment.
//!
//! A pure generator: no network, no clock, no file; what it makes goes through the real pipe ([`load`]). It knows no rule
//! and no parser: lines look as the devices' makers document them, and what happens in them is told in `story.md`. People,
//! places and hosts are invented; addresses are private ones, attackers' are those reserved for documentation.
//!
//! ```text
//! data/*.csv ─▶ estate ─┐
//! seed, now ────────────┼─▶ History (120 thin days, 24 dense hours) ─▶ load ─▶ Sink, with a clock that stands in the past
//!            story ─────┘   Live (a few lines a second, for ever)
//! ```

pub mod civil;
pub mod estate;
pub mod generate;
mod habits;
mod lines;
pub mod load;
mod random;
mod story;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use event::Micros;

pub use estate::Estate;
pub use generate::{History, Live, Options};

/// One line as a device sends it, and when, where and from whom it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub received: Micros,
    /// Name of the source; see [`estate::sources`].
    pub source: &'static str,
    pub sender: IpAddr,
    pub text: String,
}
