//! The forecast against a simulation that keeps every day as an object and deletes literally.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Bytes of one part and day.
struct Bucket<'p> {
    part: &'p Part,
    day: i64,
    bytes: u64,
}

fn stays(part: &Part) -> Option<i64> {
    match (part.held, part.keep_days, part.here_days) {
        (false, Some(keep), Some(here)) => Some(keep.min(here)),
        (false, keep, None) => keep,
        (_, _, here) => here,
    }
}

fn needed(part: &Part) -> Option<i64> {
    let minimum = part.minimum_days?;
    Some(part.here_days.map_or(minimum, |here| minimum.min(here)))
}

/// Deletes by rule, then the oldest day as long as there is too much; returns the first full day and the first day of each
/// system on which something younger than its minimum went.
fn simulate(parts: &[Part], budget: u64, today: i64) -> (Option<i64>, BTreeMap<String, i64>) {
    let mut disk: Vec<Bucket<'_>> = Vec::new();
    for part in parts {
        disk.extend(part.stored.iter().map(|(day, bytes)| Bucket { part, day: *day, bytes: *bytes }));
    }
    let (mut full, mut broken) = (None, BTreeMap::new());
    // Rules are below 40 days here: what has not happened in 200 never will.
    for now in today..=today + 200 {
        if now > today {
            disk.extend(parts.iter().map(|part| Bucket { part, day: now, bytes: part.bytes_per_day }));
        }
        disk.retain(|bucket| bucket.bytes > 0);
        disk.retain(|bucket| stays(bucket.part).is_none_or(|keep| now - bucket.day <= keep));
        while disk.iter().map(|bucket| bucket.bytes).sum::<u64>() > budget {
            full = full.or(Some(now));
            let Some(oldest) = disk.iter().filter(|bucket| !bucket.part.held).map(|bucket| bucket.day).min() else { break };
            for bucket in disk.iter().filter(|bucket| bucket.day == oldest && !bucket.part.held) {
                if needed(bucket.part).is_some_and(|needed| now - oldest <= needed) {
                    broken.entry(bucket.part.system.clone()).or_insert(now);
                }
            }
            disk.retain(|bucket| bucket.day != oldest || bucket.part.held);
        }
    }
    (full, broken)
}

fn part() -> impl Strategy<Value = Part> {
    (
        "[ab]",
        prop::collection::btree_map(-40_i64..=0, 0_u64..50, 0..6),
        0_u64..20,
        prop::option::of(0_i64..40),
        prop::option::of(0_i64..40),
        prop::option::weighted(0.2, 0_i64..40),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(system, stored, bytes_per_day, keep_days, minimum_days, here_days, held)| Part {
            system,
            class: "c".into(),
            stored: stored.into_iter().map(|(day, bytes)| (day + 1_000, bytes)).collect(),
            bytes_per_day,
            keep_days,
            minimum_days,
            here_days,
            held,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn the_forecast_is_what_the_simulation_finds(parts in prop::collection::vec(part(), 0..5), budget in 0_u64..1_500) {
        // What grows for ever would make the simulation slow; that case has an example of its own.
        let mut parts = parts;
        for part in parts.iter_mut().filter(|part| stays(part).is_none()) {
            part.bytes_per_day = 0;
        }
        let (full, broken) = simulate(&parts, budget, 1_000);
        let found = forecast(&parts, budget, 1_000);
        prop_assert_eq!(found.full_on, full);
        for system in &found.systems {
            prop_assert_eq!(system.breaks_on, broken.get(&system.system).copied(), "{}", &system.system);
        }
    }

    #[test]
    fn more_room_never_fills_or_breaks_earlier(parts in prop::collection::vec(part(), 0..4), budget in 0_u64..800, more in 0_u64..400) {
        let (small, large) = (forecast(&parts, budget, 1_000), forecast(&parts, budget + more, 1_000));
        let last = i64::MAX;
        prop_assert!(small.full_on.unwrap_or(last) <= large.full_on.unwrap_or(last));
        for (one, two) in small.systems.iter().zip(&large.systems) {
            prop_assert!(one.breaks_on.unwrap_or(last) <= two.breaks_on.unwrap_or(last));
        }
    }
}

fn steady(system: &str, bytes_per_day: u64, keep: i64, minimum: i64) -> Part {
    Part {
        system: system.into(),
        class: "c".into(),
        bytes_per_day,
        keep_days: Some(keep),
        minimum_days: Some(minimum),
        ..Part::default()
    }
}

#[test]
fn a_disk_for_sixty_days_breaks_the_longer_minimum_first() {
    // 10 a day each: full after 60 days; then 30 days of each fit, 90 are asked of one, 10 of the other.
    let parts = [steady("long", 10, 93, 90), steady("short", 10, 93, 10)];
    let outlook = forecast(&parts, 1_200, 0);
    assert_eq!((outlook.full_on, outlook.days_left(), outlook.bytes_per_day), (Some(61), Some(61), 20));
    let breaks: Vec<_> = outlook.systems.iter().map(|system| (system.system.as_str(), system.breaks_on)).collect();
    assert_eq!(breaks, [("long", Some(61)), ("short", None)]);
    assert_eq!(forecast(&parts, 1_880, 0).full_on, None, "94 days of both fit");
}

#[test]
fn what_is_kept_longer_than_the_law_asks_gives_the_room_first() {
    let parts = [steady("a", 10, 365, 30)];
    let outlook = forecast(&parts, 1_000, 0);
    assert_eq!((outlook.full_on, outlook.first_break()), (Some(101), None));
}

#[test]
fn a_hold_takes_room_that_the_others_miss() {
    let held = Part { held: true, stored: [(0, 900)].into(), keep_days: None, ..steady("held", 0, 0, 0) };
    let parts = [held.clone(), steady("b", 10, 31, 31)];
    assert_eq!(forecast(&parts, 1_000, 0).first_break(), Some(11));
    assert_eq!(forecast(&[held], 800, 0).full_on, Some(0), "holds alone are too much, and nothing can go");
}

#[test]
fn what_is_kept_for_ever_fills_any_disk() {
    let parts = [Part { keep_days: None, ..steady("a", 10, 0, 31) }];
    assert_eq!(forecast(&parts, 10_000, 0).full_on, Some(1_001));
    assert_eq!(forecast(&parts, 1 << 40, 0).full_on, None, "beyond the horizon");
}

#[test]
fn a_rule_below_the_law_is_told_whatever_the_disk() {
    let outlook = forecast(&[steady("a", 1, 31, 93)], 1 << 40, 0);
    assert!(outlook.systems[0].is_rule_short && outlook.systems[0].breaks_on.is_none());
    assert_eq!((days(1), days(DAY), days(DAY + 1), day_of(-1)), (1, 1, 2, -1));
}
