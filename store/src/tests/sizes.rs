//! Sizes by class and the forecast, on a real store.

use event::{Event, Micros, field};

use super::support::*;
use crate::{
    RetentionPolicy, SizesCache,
    outlook::{DAY, day_of},
    sizes::total,
};

/// Every third event carries a long text that does not repeat.
fn uneven(event: &mut Event<'_>, number: u64) {
    if number.is_multiple_of(3) {
        let text: String =
            (0..40_u64).map(|at| format!("{:016x}", (number * 41 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        event.set(field::MESSAGE, &*event.arena().alloc_str(&text));
    }
}

struct Months;

impl RetentionPolicy for Months {
    fn keep(&self, system: &str, _class: &str) -> Option<Micros> {
        Some(if system == "odd" { 90 * DAY } else { 30 * DAY })
    }

    fn minimum(&self, system: &str, _class: &str) -> Option<Micros> {
        (system == "odd").then_some(90 * DAY)
    }

    fn actor(&self) -> String {
        "test".into()
    }

    fn reason(&self) -> String {
        "rule".into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_with_long_lines_is_measured_bigger_and_the_sum_is_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    store.sink().submit(batch("s", 0, 60_000)).await.unwrap();
    drain(&store, &mut tail, uneven).await;
    store.flush().await.unwrap();
    store.compact_all().await.unwrap();
    let segment = store.snapshot().segments[0].clone();
    let sizes = total(store.class_sizes(10).await.unwrap());
    assert_eq!(
        sizes.iter().map(|size| (size.class.as_str(), size.rows)).collect::<Vec<_>>(),
        [("a.log", 40_000), ("b.log", 20_000)]
    );
    let index = segment.index.as_ref().map_or(0, |index| index.bytes);
    assert_eq!(sizes.iter().map(|size| size.bytes).sum::<u64>(), segment.bytes + index);
    // About 40 × 8 random bytes stand in hexadecimal digits in each of b.log.
    assert!(sizes[1].per_event() > 300.0 && sizes[0].per_event() < 60.0, "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forecast_counts_what_is_stored_and_what_comes_in() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tail = store.tail();
    store.sink().submit(batch("s", 0, 3_000)).await.unwrap();
    drain(&store, &mut tail, plain).await;
    store.flush().await.unwrap();
    let stored: u64 = store.snapshot().segments.iter().map(|segment| segment.bytes).sum();
    let now = START + DAY;
    let cache = SizesCache::default();
    let plenty = store.outlook(&Months, &cache, stored * 1_000, now).await.unwrap();
    assert_eq!((plenty.stored_bytes, plenty.today), (stored, day_of(now)));
    // A day old: what is stored is what comes in a day.
    assert!(plenty.bytes_per_day.abs_diff(stored) <= 2, "{} and {stored}", plenty.bytes_per_day);
    assert_eq!((plenty.full_on, plenty.first_break()), (None, None));

    let tight = store.outlook(&Months, &cache, stored * 20, now).await.unwrap();
    let breaks: Vec<_> = tight.systems.iter().map(|system| (system.system.as_str(), system.breaks_on.is_some())).collect();
    assert_eq!(breaks, [("even", false), ("odd", true)]);
    assert!(tight.days_left().unwrap() > 15 && tight.full_on == tight.first_break());
    let odd = &tight.systems[1];
    assert_eq!((odd.keep_days, odd.minimum_days, odd.is_rule_short), (Some(90), Some(90), false));
}
