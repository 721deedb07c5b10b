//! Who is on call at an instant. Pure: rows in, person out.
//!
//! Duty passes at a local clock time, so turns around a change of clocks last 23 or 25 hours. A hand-over that falls into the
//! hour that does not exist happens at the first instant after it; one in the hour that comes twice happens the first time.
//! Turns tile time from the first day on: every instant belongs to exactly one.

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use event::Micros;
use state::oncall::{NewSchedule, Schedule, Turn};

/// Why somebody is on call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Rotation,
    Override,
    /// Nobody is: before the first day, no members, or a zone that is unknown.
    Gap,
}

/// Who is on call, and until when that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duty {
    pub person: Option<i64>,
    pub source: Source,
    /// The next instant at which the answer may change.
    pub until: Option<Micros>,
}

/// Says who is on call at `at`.
pub fn on_call(schedule: &Schedule, at: Micros) -> Duty {
    let standing_in = schedule.overrides.iter().rev().find(|stand_in| stand_in.starts <= at && at < stand_in.ends);
    let mut duty = match standing_in {
        Some(stand_in) => Duty { person: Some(stand_in.person), source: Source::Override, until: Some(stand_in.ends) },
        None => rotation(schedule, at).unwrap_or(Duty { person: None, source: Source::Gap, until: None }),
    };
    let next_start = schedule.overrides.iter().map(|stand_in| stand_in.starts).filter(|starts| *starts > at).min();
    duty.until = [duty.until, next_start].into_iter().flatten().min();
    duty
}

/// Checks what the database cannot: the zone, and that there is somebody to be on call.
pub fn validate(schedule: &NewSchedule) -> Result<(), String> {
    schedule
        .timezone
        .parse::<Tz>()
        .map_err(|_| format!("{:?} is not a time zone; expected a name like Asia/Ho_Chi_Minh", schedule.timezone))?;
    if schedule.members.is_empty() {
        return Err("a schedule needs at least one member".into());
    }
    Ok(())
}

fn rotation(schedule: &Schedule, at: Micros) -> Option<Duty> {
    let zone: Tz = schedule.timezone.parse().ok()?;
    let rotation = &schedule.rotation;
    let (first, time) = (rotation.start, rotation.hand_over);
    let days = i64::from(rotation.every.max(1)) * if rotation.turn == Turn::Week { 7 } else { 1 };
    let opens = |turn: i64| hand_over(zone, first.checked_add_signed(TimeDelta::try_days(turn.checked_mul(days)?)?)?, time);
    let begin = opens(0)?;
    if at < begin {
        return Some(Duty { person: None, source: Source::Gap, until: Some(begin) });
    }
    let local = DateTime::from_timestamp_micros(at)?.with_timezone(&zone).date_naive();
    // The local date names the turn up to one: before the hand-over the one before it still lasts.
    let mut turn = local.signed_duration_since(first).num_days().div_euclid(days) + 1;
    while turn > 0 && opens(turn).is_none_or(|opens| opens > at) {
        turn -= 1;
    }
    let member = usize::try_from(turn).ok()?.checked_rem(schedule.members.len())?;
    Some(Duty { person: schedule.members.get(member).copied(), source: Source::Rotation, until: opens(turn + 1) })
}

/// The instant of a local hand-over.
fn hand_over(zone: Tz, date: NaiveDate, time: NaiveTime) -> Option<Micros> {
    /// No zone ever skipped more than a day.
    const QUARTERS_MAX: i64 = 26 * 4;
    let wanted = date.and_time(time);
    (0..QUARTERS_MAX).find_map(|quarters| {
        let local = wanted.checked_add_signed(TimeDelta::try_minutes(15 * quarters)?)?;
        match zone.from_local_datetime(&local) {
            LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant.timestamp_micros()),
            LocalResult::None => None,
        }
    })
}

/// Gaps within the next days: stretches in which nobody is on call, for a warning in advance.
pub fn gaps(schedule: &Schedule, from: Micros, days: u64) -> Vec<(Micros, Micros)> {
    let Some(end) = DateTime::from_timestamp_micros(from).and_then(|from| from.checked_add_days(Days::new(days))) else {
        return Vec::new();
    };
    let end = end.timestamp_micros();
    let mut gaps = Vec::new();
    let mut at = from;
    while at < end {
        let duty = on_call(schedule, at);
        let until = duty.until.unwrap_or(end).min(end);
        if duty.person.is_none() {
            gaps.push((at, until));
        }
        at = until;
    }
    gaps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use state::oncall::{Override, Rotation};

    use super::*;
    use crate::settings::{DAY, HOUR, MINUTE};

    fn schedule(
        timezone: &str,
        turn: Turn,
        every: u32,
        start: (i32, u32, u32),
        hand_over: (u32, u32),
        members: &[i64],
    ) -> Schedule {
        Schedule {
            id: 1,
            name: "trực".into(),
            timezone: timezone.into(),
            members: members.to_vec(),
            rotation: Rotation {
                turn,
                every,
                start: NaiveDate::from_ymd_opt(start.0, start.1, start.2).unwrap(),
                hand_over: NaiveTime::from_hms_opt(hand_over.0, hand_over.1, 0).unwrap(),
            },
            overrides: vec![],
        }
    }

    fn utc(text: &str) -> Micros {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    #[track_caller]
    fn check(schedule: &Schedule, at: &str, person: Option<i64>, until: &str) {
        let duty = on_call(schedule, utc(at));
        assert_eq!((duty.person, duty.until.unwrap()), (person, utc(until)));
    }

    #[test]
    fn a_week_in_the_province() {
        let plan = schedule("Asia/Ho_Chi_Minh", Turn::Week, 1, (2026, 11, 23), (8, 0), &[1, 2, 3]);
        check(&plan, "2026-11-23T07:59:59+07:00", None, "2026-11-23T08:00:00+07:00");
        check(&plan, "2026-11-23T08:00:00+07:00", Some(1), "2026-11-30T08:00:00+07:00");
        check(&plan, "2026-11-30T07:59:59+07:00", Some(1), "2026-11-30T08:00:00+07:00");
        check(&plan, "2026-11-30T08:00:00+07:00", Some(2), "2026-12-07T08:00:00+07:00");
        check(&plan, "2026-12-14T09:00:00+07:00", Some(1), "2026-12-21T08:00:00+07:00");
    }

    #[test]
    fn an_override_stands_in_and_the_newest_wins() {
        let mut plan = schedule("Asia/Ho_Chi_Minh", Turn::Day, 1, (2026, 11, 23), (8, 0), &[1, 2]);
        let stand_in = |id, person, starts: &str, ends: &str| Override {
            id,
            person,
            starts: utc(starts),
            ends: utc(ends),
            reason: "ốm".into(),
            created_by: "lan".into(),
            created: 0,
        };
        plan.overrides.push(stand_in(1, 7, "2026-11-23T12:00:00+07:00", "2026-11-23T20:00:00+07:00"));
        plan.overrides.push(stand_in(2, 8, "2026-11-23T18:00:00+07:00", "2026-11-23T19:00:00+07:00"));
        check(&plan, "2026-11-23T11:00:00+07:00", Some(1), "2026-11-23T12:00:00+07:00");
        check(&plan, "2026-11-23T12:00:00+07:00", Some(7), "2026-11-23T18:00:00+07:00");
        check(&plan, "2026-11-23T18:30:00+07:00", Some(8), "2026-11-23T19:00:00+07:00");
        check(&plan, "2026-11-23T19:00:00+07:00", Some(7), "2026-11-23T20:00:00+07:00");
        check(&plan, "2026-11-23T20:00:00+07:00", Some(1), "2026-11-24T08:00:00+07:00");
    }

    #[test]
    fn the_hour_that_does_not_exist_and_the_hour_that_comes_twice() {
        // Berlin 2026: 29 March 02:00 → 03:00, 25 October 03:00 → 02:00.
        let plan = schedule("Europe/Berlin", Turn::Day, 1, (2026, 3, 28), (2, 30), &[1, 2]);
        check(&plan, "2026-03-29T01:59:59+01:00", Some(1), "2026-03-29T03:00:00+02:00");
        check(&plan, "2026-03-29T03:00:00+02:00", Some(2), "2026-03-30T02:30:00+02:00");
        let autumn = schedule("Europe/Berlin", Turn::Day, 1, (2026, 10, 24), (2, 30), &[1, 2]);
        check(&autumn, "2026-10-25T02:29:59+02:00", Some(1), "2026-10-25T02:30:00+02:00");
        check(&autumn, "2026-10-25T02:30:00+02:00", Some(2), "2026-10-26T02:30:00+01:00");
        check(&autumn, "2026-10-25T02:30:00+01:00", Some(2), "2026-10-26T02:30:00+01:00");
    }

    #[test]
    fn nobody_is_a_gap_and_is_reported_in_advance() {
        let mut plan = schedule("Asia/Ho_Chi_Minh", Turn::Day, 1, (2026, 11, 25), (8, 0), &[1]);
        let from = utc("2026-11-24T08:00:00+07:00");
        assert_eq!(gaps(&plan, from, 3), [(from, from + DAY)]);
        plan.members.clear();
        assert_eq!(on_call(&plan, utc("2026-11-26T08:00:00+07:00")).person, None);
        plan.timezone = "Asia/Nowhere".into();
        assert_eq!(on_call(&plan, from).source, Source::Gap);
        let new = NewSchedule { name: "x".into(), timezone: plan.timezone, members: vec![1], rotation: plan.rotation };
        assert!(validate(&new).unwrap_err().contains("Asia/Ho_Chi_Minh"));
    }

    /// Walks minute by minute and counts hand-overs: the slow truth.
    fn naive(schedule: &Schedule, at: Micros) -> Option<i64> {
        let zone: Tz = schedule.timezone.parse().unwrap();
        let days = i64::from(schedule.rotation.every) * if schedule.rotation.turn == Turn::Week { 7 } else { 1 };
        let mut turn = None;
        for n in 0..400 {
            let opens =
                hand_over(zone, schedule.rotation.start + TimeDelta::days(n * days), schedule.rotation.hand_over).unwrap();
            if opens <= at {
                turn = Some(n);
            }
        }
        turn.map(|turn| schedule.members[turn as usize % schedule.members.len()])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn turns_tile_time(zone in prop::sample::select(vec!["Asia/Ho_Chi_Minh", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
            is_week: bool, every in 1u32..4, day in 0i64..300, hour in 0u32..24, minute in 0u32..60, members in 1usize..5, offset in 0i64..200 * 24 * 60)
        {
            let turn = if is_week { Turn::Week } else { Turn::Day };
            let members: Vec<i64> = (1..=members as i64).collect();
            let mut plan = schedule(zone, turn, every, (2026, 1, 1), (hour, minute), &members);
            plan.rotation.start += TimeDelta::days(day);
            let begin = on_call(&plan, utc("2025-06-01T00:00:00Z")).until.unwrap();
            let at = begin + offset * MINUTE;
            let duty = on_call(&plan, at);
            prop_assert_eq!(duty.person, naive(&plan, at), "agrees with counting");
            let until = duty.until.unwrap();
            prop_assert!(until > at, "the next change lies ahead");
            prop_assert_eq!(on_call(&plan, until - 1).person, duty.person, "the turn lasts until then");
            let next = on_call(&plan, until);
            let expected = if members.len() == 1 { duty.person } else { Some(duty.person.unwrap() % members.len() as i64 + 1) };
            prop_assert_eq!(next.person, expected, "and passes to the next member");
            prop_assert!(until - at <= i64::from(every) * 7 * DAY + 2 * HOUR);
        }
    }
}
