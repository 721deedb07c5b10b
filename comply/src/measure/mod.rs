//! Measures: pure functions from what a check's SQL counted, and what the register owes, to a verdict.
//!
//! No SQL, no clock, no law. The properties of the score rest on three rules kept here:
//! * what was learned or counted before (learned volume, denominators, first day) comes from *sealed* days where they exist, so
//!   that rows removed later cannot soften a judgement;
//! * a denominator is the largest of: the dossier now, the dossier at its largest in the look-back window, what traffic shows,
//!   and what recent sealed days counted;
//! * what is not seen counts as not met.

pub mod classes;
pub mod coverage;
pub mod drift;
pub mod emitters;
pub mod endpoints;
pub mod span;

use std::collections::BTreeMap;

use crate::Verdict;

/// What a measure found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    /// What was measured and what was asked, for the page.
    pub value_vi: String,
    pub value_en: String,
    pub threshold_vi: String,
    pub threshold_en: String,
    pub reason_vi: String,
    pub reason_en: String,
    /// Key numbers, by name; sealed.
    pub numbers: BTreeMap<String, i64>,
    /// What the next days need to know.
    pub memory: Memory,
}

/// What a closed day hands to the days after it; part of the sealed inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Memory {
    /// Events of each emitter on the closed day, by its key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
    /// The denominator that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator: Option<u64>,
    /// First day ever with a received record, days since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_day: Option<i64>,
}

/// What sealed days say about one check of one system; empty before the first day is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Learned daily volume of each emitter: median over the sealed days of the window. `None`: no day was sealed yet.
    pub learned: Option<BTreeMap<String, u64>>,
    /// Largest denominator of the sealed days in the look-back window.
    pub denominator: u64,
    pub first_day: Option<i64>,
}

impl Sealed {
    /// Folds the memories of sealed days (of the look-back window) into what counts today.
    pub fn from_memories(memories: &[Memory]) -> Self {
        if memories.is_empty() {
            return Self::default();
        }
        let mut days: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let window = &memories[memories.len().saturating_sub(LEARN_DAYS)..];
        for (key, count) in window.iter().flat_map(|memory| &memory.counts) {
            days.entry(key).or_default().push(*count);
        }
        let learned = days.into_iter().map(|(key, counts)| (key.to_owned(), median(&counts, window.len()))).collect();
        Self {
            learned: Some(learned),
            denominator: memories.iter().filter_map(|memory| memory.denominator).max().unwrap_or(0),
            first_day: memories.iter().filter_map(|memory| memory.first_day).min(),
        }
    }
}

/// Days over which a source's usual volume is learned: two weeks hold two of each weekday.
pub const LEARN_DAYS: usize = 14;

/// Days for which a larger dossier or denominator is remembered: a quarter, the review cycle of level 4 registers.
pub const LOOK_BACK_DAYS: i64 = 90;

/// Lower median of `days` daily counts, of which those not given are 0.
pub fn median(counts: &[u64], days: usize) -> u64 {
    let mut all: Vec<u64> = counts.to_vec();
    all.resize(days.max(counts.len()), 0);
    all.sort_unstable();
    if all.is_empty() { 0 } else { all[(all.len() - 1) / 2] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_counts_silent_days() {
        assert_eq!(median(&[100, 90, 110], 3), 100);
        assert_eq!(median(&[100, 90, 110], 7), 0);
        assert_eq!(median(&[], 0), 0);
    }

    #[test]
    fn sealed_days_keep_the_largest_denominator_and_the_first_day() {
        let day = |count, denominator, first| Memory {
            counts: [("a".to_owned(), count)].into(),
            denominator: Some(denominator),
            first_day: Some(first),
        };
        let sealed = Sealed::from_memories(&[day(10, 5, 100), day(30, 3, 101), day(20, 4, 101)]);
        assert_eq!(sealed, Sealed { learned: Some([("a".to_owned(), 20)].into()), denominator: 5, first_day: Some(100) });
    }
}
