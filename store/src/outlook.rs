//! How long the disk lasts, and when a legal minimum would break: a pure forecast over days.
//!
//! ```text
//! what is stored, by day ─┐
//! bytes a day ────────────┼─▶ day by day: add · expire by rule · over the budget? the oldest day goes ─▶ first day full,
//! rules, minimums, holds ─┘                                                                            first day too short
//! ```
//!
//! Chiêng never deletes early by itself: when the disk is full it asks senders to wait. The forecast answers what would happen
//! if room were then made in the only way there is, oldest day first: on which day would a system have less than its level asks.
//! Steady rates are assumed, days are whole, and what is under a hold never goes.
//!
//! Not here: where the numbers come from ([`crate::Store::outlook`]) and what is said about them.

mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use event::Micros;

pub use store::SizesCache;

/// One day.
pub const DAY: Micros = 86_400 * 1_000_000;
/// The forecast looks no further.
pub const HORIZON_DAYS: i64 = 3_650;

/// The events of one system and log class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    pub system: String,
    pub class: String,
    /// Bytes stored, by day of `event.ingested` (days since 1970).
    pub stored: BTreeMap<i64, u64>,
    /// Bytes that come in a day from now on.
    pub bytes_per_day: u64,
    /// Days that the rule keeps them; `None` is for ever.
    pub keep_days: Option<i64>,
    /// Days that the law asks for; `None` where it is silent.
    pub minimum_days: Option<i64>,
    /// Days after which they move to the cold store; `None`: never.
    pub here_days: Option<i64>,
    /// Under a hold: neither expires nor goes for room.
    pub held: bool,
}

impl Part {
    /// Days on this disk.
    fn stays(&self) -> Option<i64> {
        let keep = self.keep_days.filter(|_| !self.held);
        [keep, self.here_days].into_iter().flatten().min()
    }

    /// Days that it has to be on this disk.
    fn needed(&self) -> Option<i64> {
        self.minimum_days.map(|minimum| self.here_days.map_or(minimum, |here| here.min(minimum)))
    }
}

/// What the forecast says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// The day it was made.
    pub today: i64,
    /// Bytes that segments may take in all.
    pub budget_bytes: u64,
    pub stored_bytes: u64,
    pub bytes_per_day: u64,
    /// First day on which the rules need more than the budget; `None`: not within [`HORIZON_DAYS`].
    pub full_on: Option<i64>,
    /// By `system`.
    pub systems: Vec<SystemOutlook>,
}

/// One system's share of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemOutlook {
    pub system: String,
    pub stored_bytes: u64,
    pub bytes_per_day: u64,
    /// The longest rule of its classes; `None` is for ever.
    pub keep_days: Option<i64>,
    /// The longest minimum of its classes.
    pub minimum_days: Option<i64>,
    /// A rule is shorter than the minimum, full disk or not.
    pub is_rule_short: bool,
    /// Oldest day stored.
    pub oldest: Option<i64>,
    /// First day on which events younger than the minimum would have to go.
    pub breaks_on: Option<i64>,
}

impl Outlook {
    pub fn days_left(&self) -> Option<i64> {
        self.full_on.map(|day| day - self.today)
    }

    /// The earliest break of all systems.
    pub fn first_break(&self) -> Option<i64> {
        self.systems.iter().filter_map(|system| system.breaks_on).min()
    }
}

/// Returns the day that a time is in.
pub fn day_of(at: Micros) -> i64 {
    at.div_euclid(DAY)
}

/// Returns a span in whole days, the last one begun.
pub fn days(span: Micros) -> i64 {
    span.div_euclid(DAY) + i64::from(span.rem_euclid(DAY) > 0)
}

/// Forecasts from `today` on.
pub fn forecast(parts: &[Part], budget_bytes: u64, today: i64) -> Outlook {
    let mut systems = summaries(parts, today);
    let mut disk = Disk::new(parts, today);
    let mut full_on = None;
    for day in today..=today + HORIZON_DAYS {
        if day > today {
            disk.grow(day);
        }
        disk.expire(day);
        while disk.bytes > u128::from(budget_bytes) && disk.cut < day {
            full_on = full_on.or(Some(day));
            disk.cut += 1;
            for part in disk.make_room(day) {
                if let Some(system) = systems.get_mut(&part.system) {
                    system.breaks_on = system.breaks_on.or(Some(day));
                }
            }
        }
        if disk.bytes > u128::from(budget_bytes) {
            // Holds alone are more than there is room for.
            full_on = full_on.or(Some(day));
        }
        if disk.is_steady(day) {
            break;
        }
    }
    let systems: Vec<SystemOutlook> = systems.into_values().collect();
    Outlook {
        today,
        budget_bytes,
        stored_bytes: systems.iter().map(|system| system.stored_bytes).sum(),
        bytes_per_day: systems.iter().map(|system| system.bytes_per_day).sum(),
        full_on,
        systems,
    }
}

fn summaries(parts: &[Part], today: i64) -> BTreeMap<String, SystemOutlook> {
    let mut systems: BTreeMap<String, SystemOutlook> = BTreeMap::new();
    for part in parts {
        let is_new = !systems.contains_key(&part.system);
        let system = systems.entry(part.system.clone()).or_default();
        if is_new {
            *system = SystemOutlook { system: part.system.clone(), keep_days: Some(0), ..SystemOutlook::default() };
        }
        system.stored_bytes = system.stored_bytes.saturating_add(part.stored.values().sum());
        system.bytes_per_day = system.bytes_per_day.saturating_add(part.bytes_per_day);
        if !part.held {
            system.keep_days = system.keep_days.zip(part.keep_days).map(|(one, two)| one.max(two));
            system.is_rule_short |= part.keep_days.zip(part.minimum_days).is_some_and(|(keep, minimum)| keep < minimum);
        }
        system.minimum_days = system.minimum_days.max(part.minimum_days);
        let oldest = part.stored.iter().find(|(day, bytes)| **bytes > 0 && **day <= today).map(|(day, _)| *day);
        system.oldest = [system.oldest, oldest].into_iter().flatten().min();
    }
    systems
}

/// What is on the disk on one day: all days after `cut` that their rule still keeps.
struct Disk<'p> {
    parts: &'p [Part],
    today: i64,
    bytes: u128,
    rate: u128,
    cut: i64,
}

impl<'p> Disk<'p> {
    fn new(parts: &'p [Part], today: i64) -> Self {
        let is_kept = |part: &Part, day: i64| part.stays().is_none_or(|keep| day + keep >= today);
        let of_part = |part: &Part| -> u128 {
            part.stored.iter().filter(|(day, _)| is_kept(part, **day)).map(|(_, bytes)| u128::from(*bytes)).sum()
        };
        let oldest = parts.iter().filter_map(|part| part.stored.keys().next()).min().copied();
        Self {
            parts,
            today,
            bytes: parts.iter().map(of_part).sum(),
            rate: parts.iter().map(|part| u128::from(part.bytes_per_day)).sum(),
            cut: oldest.unwrap_or(today).min(today) - 1,
        }
    }

    fn bytes_of(&self, part: &Part, day: i64) -> u128 {
        let stored = u128::from(part.stored.get(&day).copied().unwrap_or(0));
        if day > self.today { stored + u128::from(part.bytes_per_day) } else { stored }
    }

    fn grow(&mut self, _day: i64) {
        self.bytes += self.rate;
    }

    /// Takes off the day that just became older than its rule, where it was not taken for room before.
    fn expire(&mut self, day: i64) {
        if day == self.today {
            return;
        }
        let mut gone = 0;
        for part in self.parts {
            let Some(keep) = part.stays() else { continue };
            let expired = day - keep - 1;
            // What is held was never taken for room.
            if expired > self.cut || part.held {
                gone += self.bytes_of(part, expired);
            }
        }
        self.bytes -= gone;
    }

    /// Takes off the day `cut`; returns the parts that still needed it.
    fn make_room(&mut self, day: i64) -> Vec<&'p Part> {
        let (cut, mut gone, mut short) = (self.cut, 0, Vec::new());
        for part in self.parts.iter().filter(|part| !part.held) {
            let bytes = self.bytes_of(part, cut);
            if bytes == 0 || part.stays().is_some_and(|keep| cut + keep < day) {
                continue;
            }
            gone += bytes;
            if part.needed().is_some_and(|needed| cut + needed >= day) {
                short.push(part);
            }
        }
        self.bytes -= gone;
        short
    }

    /// True when every later day is like this one.
    fn is_steady(&self, day: i64) -> bool {
        let is_settled = |part: &Part| {
            let grows_for_ever = part.bytes_per_day > 0 && part.stays().is_none();
            let newest = part.stored.keys().next_back().copied().unwrap_or(self.today).max(self.today);
            !grows_for_ever && part.stays().is_none_or(|keep| day > newest + keep + 1)
        };
        self.parts.iter().all(is_settled)
    }
}
