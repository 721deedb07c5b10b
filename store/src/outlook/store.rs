//! What the forecast is fed with: the segments of a snapshot, the rules, the holds, the room on the disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use event::{Micros, seam::Storage as _};

use super::{DAY, Outlook, Part, day_of, days, forecast};
use crate::{
    ClassSize, Disk, Error, Hold, Result, RetentionPolicy, Segment, Snapshot, Store, SystemClass, locked,
    retention::holds_segment,
    sizes::{self, total},
    store::blocking,
};

/// The rate is that of so many days, or of the store's age when it is younger; of a day at least, so that the first hour of a
/// new server, when old files are read in, raises no alarm.
const RATE_SPAN: Micros = 7 * DAY;
const RATE_SPAN_MIN: Micros = DAY;
/// Segments that are measured for the weights of classes.
const SAMPLE_MAX: usize = 24;

/// Segments measured before; they never change.
#[derive(Debug, Default)]
pub struct SizesCache(Mutex<HashMap<String, Vec<ClassSize>>>);

impl Store {
    /// Measures bytes per event by log class on the newest compacted segments, at most so many; on fresh ones where none is
    /// compacted.
    pub async fn class_sizes(&self, sample_max: usize) -> Result<Vec<ClassSize>> {
        self.measured(&SizesCache::default(), sample_max).await
    }

    async fn measured(&self, cache: &SizesCache, sample_max: usize) -> Result<Vec<ClassSize>> {
        let sample = sample(&self.snapshot(), sample_max);
        let mut known = std::mem::take(&mut *locked(&cache.0));
        let measured = blocking("measuring segments", move || {
            let mut fresh = HashMap::new();
            for segment in sample {
                let sizes = match known.remove(&segment.id) {
                    Some(sizes) => sizes,
                    None => sizes::measure(&segment)?,
                };
                fresh.insert(segment.id.clone(), sizes);
            }
            Ok(fresh)
        })
        .await?;
        let sizes = total(measured.values().flatten().cloned());
        *locked(&cache.0) = measured;
        Ok(sizes)
    }

    /// Bytes that segments may take in all: what they take now and what is free above the floor, or `disk_max` where that is
    /// less.
    pub async fn room(&self, disk_max: Option<u64>) -> Result<u64> {
        let dir = self.options.dir.clone();
        let free = blocking("asking for free disk space", move || {
            Disk.free_bytes(&dir).map_err(Error::file("ask for the free space of", dir))
        });
        let free = free.await?.saturating_sub(self.options.free_bytes_min);
        let room = local_bytes(&self.snapshot()).saturating_add(free);
        Ok(disk_max.map_or(room, |most| most.min(room)))
    }

    /// Forecasts how long `budget_bytes` last, and when a minimum would break.
    pub async fn outlook(
        &self,
        policy: &dyn RetentionPolicy,
        cache: &SizesCache,
        budget_bytes: u64,
        now: Micros,
    ) -> Result<Outlook> {
        let weights = self.measured(cache, SAMPLE_MAX).await?;
        let holds = self.catalogue.holds().await?;
        let here = self.options.cold.as_ref().map(|cold| cold.after);
        let parts = parts(&self.snapshot(), &weights, policy, &holds, here, now);
        Ok(forecast(&parts, budget_bytes, day_of(now)))
    }
}

/// The newest compacted segments, or the newest at all.
fn sample(snapshot: &Snapshot, max: usize) -> Vec<Arc<Segment>> {
    let of_level = |level: u8| -> Vec<Arc<Segment>> {
        let fits = |segment: &&Arc<Segment>| segment.level >= level && segment.rows > 0;
        let mut found: Vec<_> = snapshot.segments.iter().filter(fits).cloned().collect();
        found.sort_by(|one, two| (two.ingested.1, &two.id).cmp(&(one.ingested.1, &one.id)));
        found.truncate(max);
        found
    };
    let compacted = of_level(1);
    if compacted.is_empty() { of_level(0) } else { compacted }
}

fn local_bytes(snapshot: &Snapshot) -> u64 {
    snapshot.segments.iter().map(|segment| bytes_of(segment)).sum()
}

/// Bytes on this machine: of a cold segment only the index.
fn bytes_of(segment: &Segment) -> u64 {
    let file = if segment.cold.is_none() { segment.bytes } else { 0 };
    file + segment.index.as_ref().map_or(0, |index| index.bytes)
}

/// What is stored and what comes in, by system, class and whether it is held.
///
/// What moves to the cold store after `here` leaves this disk then; its index files, about a tenth, are not forecast.
fn parts(
    snapshot: &Snapshot,
    weights: &[ClassSize],
    policy: &dyn RetentionPolicy,
    holds: &[Hold],
    here: Option<Micros>,
    now: Micros,
) -> Vec<Part> {
    let in_force: Vec<&Hold> = holds.iter().filter(|hold| hold.is_in_force()).collect();
    let weights = Weights::new(weights);
    let first = snapshot.segments.iter().map(|segment| segment.ingested.0).min().unwrap_or(now);
    let since = first.max(now - RATE_SPAN).min(now - RATE_SPAN_MIN);
    let mut parts: BTreeMap<(String, String, bool), Part> = BTreeMap::new();
    for segment in &snapshot.segments {
        let held = in_force.iter().any(|hold| holds_segment(hold, segment));
        for (part, bytes) in segment.systems.iter().zip(weights.shares(segment)) {
            let key = (part.system.clone(), part.class.clone(), held);
            *parts.entry(key).or_default().stored.entry(day_of(part.ingested.1).min(day_of(now))).or_default() += bytes;
            if part.ingested.1 >= since {
                // Until here the bytes of the span; they become a rate below. What comes in is held where a hold is open.
                let coming = SystemClass { ingested: (now, now), ..part.clone() };
                let held = in_force.iter().any(|hold| hold.covers(&coming));
                parts.entry((part.system.clone(), part.class.clone(), held)).or_default().bytes_per_day += bytes;
            }
        }
    }
    let rate = |bytes: u64| (u128::from(bytes) * DAY as u128 / u128::from(now.abs_diff(since).max(1))) as u64;
    let finish = |((system, class, held), part): ((String, String, bool), Part)| {
        let keep = policy.keep(&system, &class);
        Part {
            bytes_per_day: rate(part.bytes_per_day),
            keep_days: keep.map(days),
            here_days: here.map(days),
            minimum_days: policy.minimum(&system, &class).map(days),
            held,
            stored: part.stored,
            system,
            class,
        }
    };
    parts.into_iter().map(finish).collect()
}

/// Bytes per event by class; what was not measured counts as the average.
struct Weights<'s> {
    by_class: HashMap<&'s str, f64>,
    average: f64,
}

impl<'s> Weights<'s> {
    fn new(sizes: &'s [ClassSize]) -> Self {
        let (rows, bytes) = sizes.iter().fold((0, 0), |sum, size| (sum.0 + size.rows, sum.1 + size.bytes));
        let average = if rows == 0 || bytes == 0 { 1.0 } else { bytes as f64 / rows as f64 };
        Self { by_class: sizes.iter().map(|size| (size.class.as_str(), size.per_event().max(0.01))).collect(), average }
    }

    /// The bytes of a segment's parts, in their order; the sum is the segment's size.
    fn shares(&self, segment: &Segment) -> Vec<u64> {
        let weight =
            |part: &SystemClass| part.rows as f64 * self.by_class.get(part.class.as_str()).copied().unwrap_or(self.average);
        let sum: f64 = segment.systems.iter().map(weight).sum();
        let mut left = bytes_of(segment);
        let all = left as f64;
        let last = segment.systems.len().saturating_sub(1);
        let share = |(at, part): (usize, &SystemClass)| {
            let share = if at == last { left } else { ((weight(part) / sum.max(f64::MIN_POSITIVE) * all) as u64).min(left) };
            left -= share;
            share
        };
        segment.systems.iter().enumerate().map(share).collect()
    }
}
