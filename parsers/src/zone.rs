//! Local time → UTC, daylight saving included.
//!
//! An hour that happens twice (clocks set back) takes the reading nearest to the receive time; an hour that never happens
//! (clocks set forward) is read with the offset before the jump. Look-ups are remembered per thread for the quarter of an
//! hour they hold in, because a block of lines is nearly always from one such quarter.

use std::cell::Cell;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use event::Micros;

const SECOND: i64 = 1_000_000;
const QUARTER: i64 = 900 * SECOND;

#[derive(Clone, Copy)]
struct Known {
    zone: Tz,
    quarter: i64,
    offset: i64,
}

thread_local! {
    static KNOWN: Cell<Option<Known>> = const { Cell::new(None) };
}

/// Returns the moment at which clocks of `zone` show `civil`.
pub fn to_utc(civil: Micros, zone: Tz, received: Micros) -> Micros {
    if zone == Tz::UTC {
        return civil;
    }
    let quarter = civil.div_euclid(QUARTER);
    if let Some(known) = KNOWN.get()
        && known.quarter == quarter
        && known.zone == zone
    {
        return civil - known.offset;
    }
    let start = single(quarter * QUARTER, zone);
    if let (Some(offset), Some(end)) = (start, single((quarter + 1) * QUARTER, zone))
        && offset == end
    {
        KNOWN.set(Some(Known { zone, quarter, offset }));
        return civil - offset;
    }
    resolve(civil, zone, received)
}

/// Offset in micros where the civil time happens exactly once.
fn single(civil: Micros, zone: Tz) -> Option<i64> {
    match zone.offset_from_local_datetime(&naive(civil)?) {
        MappedLocalTime::Single(offset) => Some(i64::from(offset.fix().local_minus_utc()) * SECOND),
        _ => None,
    }
}

fn resolve(civil: Micros, zone: Tz, received: Micros) -> Micros {
    let Some(local) = naive(civil) else { return civil };
    let utc = |offset: &<Tz as TimeZone>::Offset| civil - i64::from(offset.fix().local_minus_utc()) * SECOND;
    match zone.offset_from_local_datetime(&local) {
        MappedLocalTime::Single(offset) => utc(&offset),
        MappedLocalTime::Ambiguous(a, b) => {
            let (a, b) = (utc(&a), utc(&b));
            if (a - received).abs() <= (b - received).abs() { a } else { b }
        }
        MappedLocalTime::None => match naive(civil - 3 * 3600 * SECOND).map(|before| zone.offset_from_local_datetime(&before)) {
            Some(MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(_, offset)) => utc(&offset),
            _ => civil,
        },
    }
}

fn naive(civil: Micros) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(civil).map(|time| time.naive_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> Micros {
        text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros()
    }

    #[test]
    fn daylight_saving() {
        let berlin = Tz::Europe__Berlin;
        // Summer and winter.
        assert_eq!(to_utc(micros("2026-07-01T12:00:00Z"), berlin, 0), micros("2026-07-01T10:00:00Z"));
        assert_eq!(to_utc(micros("2026-12-01T12:00:00Z"), berlin, 0), micros("2026-12-01T11:00:00Z"));
        // 25 October 2026, 02:30 happens twice.
        let twice = micros("2026-10-25T02:30:00Z");
        assert_eq!(to_utc(twice, berlin, micros("2026-10-25T00:31:00Z")), micros("2026-10-25T00:30:00Z"));
        assert_eq!(to_utc(twice, berlin, micros("2026-10-25T01:31:00Z")), micros("2026-10-25T01:30:00Z"));
        // 29 March 2026, 02:30 never happens: read as winter time.
        assert_eq!(to_utc(micros("2026-03-29T02:30:00Z"), berlin, 0), micros("2026-03-29T01:30:00Z"));
        // A change in the middle of an hour (Lord Howe: half an hour).
        assert_eq!(to_utc(micros("2026-10-04T03:00:00Z"), Tz::Australia__Lord_Howe, 0), micros("2026-10-03T16:00:00Z"));
    }

    proptest! {
        /// Every moment, shown on the clocks of a zone, comes back (or as its twin, where the hour happens twice).
        #[test]
        fn round_trip(seconds in 0i64..4_000_000_000, zone in 0usize..chrono_tz::TZ_VARIANTS.len()) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let moment = DateTime::from_timestamp(seconds, 0).unwrap();
            let offset = moment.with_timezone(&zone).offset().fix().local_minus_utc();
            let civil = (seconds + i64::from(offset)) * SECOND;
            prop_assert_eq!(to_utc(civil, zone, seconds * SECOND), seconds * SECOND);
        }
    }
}
