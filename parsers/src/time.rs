//! Time stamps as text → [`Stamp`]s: RFC 3339 and its relatives, BSD syslog, common log format, Apache, nginx, epoch numbers.
//!
//! Reading and resolving are two steps: a [`Stamp`] is what the line says; [`Stamp::resolve`] adds what it leaves out (year,
//! zone) from the record. No clock: the receive time of the record is the only "now".
//!
//! Every reader takes the text at the stamp and returns the stamp and what follows it, or `None`.

use event::{Micros, RawRecord};

use crate::zone;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// A time stamp as a line states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Date and time of day as micros, read as if UTC.
    pub civil: Micros,
    /// Offset from UTC in seconds; `None` where the line names no zone.
    pub offset: Option<i32>,
}

impl Stamp {
    /// Returns the moment in UTC; the record's zone fills in for a missing one.
    pub fn resolve(self, raw: RawRecord<'_>) -> Micros {
        match self.offset {
            Some(seconds) => self.civil - i64::from(seconds) * SECOND,
            None => zone::to_utc(self.civil, raw.zone(), raw.received()),
        }
    }
}

/// Returns the days from 1970-01-01 to a date of the proleptic Gregorian calendar; `None` for dates that do not exist.
pub fn days(year: i32, month: u32, day: u32) -> Option<i64> {
    const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = LENGTHS.get(month.wrapping_sub(1) as usize)? + u32::from(month == 2 && is_leap);
    if day == 0 || day > length || !(0..=9999).contains(&year) {
        return None;
    }
    // Howard Hinnant, "chrono-compatible low-level date algorithms": the year starts in March.
    let y = i64::from(year) - i64::from(month <= 2);
    let (m, d) = (i64::from(month), i64::from(day));
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Returns the year of a moment.
pub fn year_of(micros: Micros) -> i32 {
    let days = micros.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    (era * 400 + year_of_era + i64::from(month >= 10)) as i32
}

/// `2026-11-23T10:00:00.123456+07:00` and what devices make of it: blank for `T`, comma for the dot, `+0700`, `+07`, no zone,
/// `Z`, a blank before the zone, `/` for `-` in the date.
pub fn iso(text: &str) -> Option<(Stamp, &str)> {
    let b = text.as_bytes();
    if b.len() < 19 || !(b[4] == b'-' || b[4] == b'/') || b[7] != b[4] || !(b[10] == b'T' || b[10] == b' ' || b[10] == b't') {
        return None;
    }
    let year = digits4(b)?;
    let date = days(year as i32, digits2(&b[5..])?, digits2(&b[8..])?)?;
    let (time, rest) = clock(text.get(11..)?)?;
    let (offset, rest) = zone_suffix(rest);
    Some((Stamp { civil: date * DAY + time, offset }, rest))
}

/// A BSD stamp: month, day, time, with or without a year (before or after the time) and a trailing zone.
///
/// Without a year the newest one is taken that does not put the stamp more than a day after the receive time: a line of 31
/// December that arrives on 1 January is of last year, and a device whose clock runs ahead on New Year's Eve is of the next.
pub fn bsd<'t>(text: &'t str, raw: RawRecord<'_>) -> Option<(Stamp, &'t str)> {
    let b = text.as_bytes();
    let month = month(b)?;
    let rest = text.get(3..)?.strip_prefix(' ')?.trim_start_matches(' ');
    let (day, rest) = number(rest, 2)?;
    let rest = rest.strip_prefix(' ')?.trim_start_matches(' ');
    // `Nov 23 2026 10:00:00`
    if let Some((year, after)) = number(rest, 4).filter(|(year, after)| *year >= 1000 && after.starts_with(' ')) {
        let (time, rest) = clock(&after[1..])?;
        let (offset, rest) = named_zone_suffix(rest);
        return Some((Stamp { civil: days(year as i32, month, day)? * DAY + time, offset }, rest));
    }
    let (time, rest) = clock(rest)?;
    let (offset, rest) = named_zone_suffix(rest);
    // `Nov 23 10:00:00 2026`
    if let Some((year, after)) = rest.strip_prefix(' ').and_then(|rest| number(rest, 4))
        && (1970..2200).contains(&year)
        && (after.is_empty() || after.starts_with([' ', ':']))
    {
        return Some((Stamp { civil: days(year as i32, month, day)? * DAY + time, offset }, after));
    }
    let civil = infer_year(month, day, time, raw)?;
    Some((Stamp { civil, offset }, rest))
}

/// `2026 Nov 23 10:00:00.123 UTC` (NX-OS).
pub fn year_first(text: &str) -> Option<(Stamp, &str)> {
    let (year, rest) = number(text, 4).filter(|(year, _)| *year >= 1970)?;
    let rest = rest.strip_prefix(' ')?;
    let month = month(rest.as_bytes())?;
    let (day, rest) = number(rest.get(3..)?.trim_start_matches(' '), 2)?;
    let (time, rest) = clock(rest.strip_prefix(' ')?)?;
    let (offset, rest) = zone_suffix(rest);
    Some((Stamp { civil: days(year as i32, month, day)? * DAY + time, offset }, rest))
}

/// `23/Nov/2026:10:00:00 +0700` (common log format, inside its brackets).
pub fn clf(text: &str) -> Option<(Stamp, &str)> {
    let b = text.as_bytes();
    if b.len() < 20 || b[2] != b'/' || b[6] != b'/' || b[11] != b':' {
        return None;
    }
    let date = days(digits4(&b[7..])? as i32, month(&b[3..])?, digits2(b)?)?;
    let (time, rest) = clock(text.get(12..)?)?;
    let (offset, rest) = zone_suffix(rest);
    Some((Stamp { civil: date * DAY + time, offset }, rest))
}

/// `Mon Nov 23 10:00:00.123456 2026` (Apache error log, ctime).
pub fn ctime(text: &str) -> Option<(Stamp, &str)> {
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    if !DAYS.contains(&text.as_bytes().get(..3)?) {
        return None;
    }
    let rest = text.get(3..)?.strip_prefix(' ')?;
    let month = month(rest.as_bytes())?;
    let (day, rest) = number(rest.get(3..)?.trim_start_matches(' '), 2)?;
    let (time, rest) = clock(rest.strip_prefix(' ')?)?;
    let (year, rest) = number(rest.strip_prefix(' ')?, 4)?;
    Some((Stamp { civil: days(year as i32, month, day)? * DAY + time, offset: None }, rest))
}

/// An epoch number, whole or with a fraction of seconds; its length says whether it counts s, ms, µs or ns.
pub fn epoch(text: &str) -> Option<Micros> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    if whole.is_empty() || whole.len() > 19 || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let micros = match whole.len() {
        ..=11 => number.checked_mul(SECOND)?,
        12..=14 => number.checked_mul(1000)?,
        15..=17 => number,
        _ => number / 1000,
    };
    match fraction {
        None => Some(micros),
        Some(fraction) if whole.len() <= 11 => Some(micros + fraction_micros(fraction)?),
        Some(fraction) => fraction.bytes().all(|b| b.is_ascii_digit()).then_some(micros),
    }
}

/// Any stamp a field may hold: RFC 3339, epoch, BSD, common log format, ctime. Whole text, no rest.
pub fn any(text: &str, raw: RawRecord<'_>) -> Option<Micros> {
    let text = text.trim();
    let whole =
        |read: Option<(Stamp, &str)>| read.filter(|(_, rest)| rest.trim().is_empty()).map(|(stamp, _)| stamp.resolve(raw));
    epoch(text)
        .or_else(|| whole(iso(text)))
        .or_else(|| whole(bsd(text, raw)))
        .or_else(|| whole(year_first(text)))
        .or_else(|| whole(clf(text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text))))
        .or_else(|| whole(ctime(text)))
}

pub(crate) fn infer_year(month: u32, day: u32, time: i64, raw: RawRecord<'_>) -> Option<Micros> {
    let this_year = year_of(raw.received());
    // Eight years back: the longest way to a 29 February.
    (0..=9).filter_map(|back| Some(days(this_year + 1 - back, month, day)? * DAY + time)).find(|civil| {
        // A civil time is compared as it stands: zones shift it by less than the day of tolerance plus half a day.
        *civil <= raw.received() + DAY + DAY / 2
    })
}

/// Reads `HH:MM:SS[.fraction]` (also `,` for the dot) as micros of the day.
pub(crate) fn clock(text: &str) -> Option<(i64, &str)> {
    let b = text.as_bytes();
    if b.len() < 8 || b[2] != b':' || b[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits2(b)?, digits2(&b[3..])?, digits2(&b[6..])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let time = (i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)) * SECOND;
    // H3C: `10:00:00:123`.
    let is_colon = b.get(8) == Some(&b':')
        && b.len() > 11
        && b[9..12].iter().all(u8::is_ascii_digit)
        && !b.get(12).is_some_and(u8::is_ascii_digit);
    if !(is_colon || matches!(b.get(8), Some(b'.' | b','))) || !b.get(9).is_some_and(u8::is_ascii_digit) {
        return Some((time, text.get(8..)?));
    }
    let mut end = 9;
    let (mut fraction, mut scale) = (0i64, SECOND);
    while let Some(digit) = b.get(end).filter(|b| b.is_ascii_digit()) {
        if scale > 1 {
            scale /= 10;
            fraction += i64::from(digit - b'0') * scale;
        }
        end += 1;
    }
    Some((time + fraction, text.get(end..)?))
}

fn fraction_micros(digits: &str) -> Option<i64> {
    let (mut fraction, mut scale) = (0, SECOND);
    for b in digits.bytes() {
        if !b.is_ascii_digit() {
            return None;
        }
        if scale > 1 {
            scale /= 10;
            fraction += i64::from(b - b'0') * scale;
        }
    }
    Some(fraction)
}

/// Reads `Z`, `+07:00`, `+0700`, `+07`, ` +0700`, ` UTC`; nothing of it is no error.
pub(crate) fn zone_suffix(text: &str) -> (Option<i32>, &str) {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return (Some(0), rest);
    }
    let signed = text.strip_prefix(' ').unwrap_or(text);
    if let Some((offset, rest)) = numeric_zone(signed) {
        // `+00:00Z`: two zones that say the same.
        return (Some(offset), rest.strip_prefix('Z').unwrap_or(rest));
    }
    // Check Point: `--5:00`.
    if let Some((hours, rest)) = signed.strip_prefix("--").and_then(|text| text.split_once(":00"))
        && let Ok(hours @ 0..=12) = hours.parse::<i32>()
    {
        return (Some(-hours * 3600), rest);
    }
    for name in [" UTC", " GMT"] {
        if let Some(rest) = text.strip_prefix(name).filter(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric())) {
            // `GMT+07:00`: the number says more than the name.
            if let Some((offset, rest)) = numeric_zone(rest) {
                return (Some(offset), rest);
            }
            return (Some(0), rest);
        }
    }
    (None, text)
}

/// `+07:00`, `-0330`, `+07` as seconds.
pub fn numeric_zone(text: &str) -> Option<(i32, &str)> {
    let b = text.as_bytes();
    let sign = match b.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = digits2(b.get(1..)?)? as i32;
    let after = match b.get(3) {
        Some(b':') => 4,
        _ => 3,
    };
    let (minutes, end) = match b.get(after..).and_then(digits2) {
        Some(minutes) => (minutes as i32, after + 2),
        None => (0, 3),
    };
    if hours > 15 || minutes > 59 || b.get(end).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((sign * (hours * 3600 + minutes * 60), text.get(end..)?))
}

/// After a BSD time, only `Z`, a numeric zone, `UTC` or `GMT` are read as a zone: other letters may be a host name.
fn named_zone_suffix(text: &str) -> (Option<i32>, &str) {
    zone_suffix(text)
}

/// Month number of an English three-letter name; any case.
pub(crate) fn month(b: &[u8]) -> Option<u32> {
    let b = b.get(..3)?;
    let key = u32::from(b[0] | 0x20) << 16 | u32::from(b[1] | 0x20) << 8 | u32::from(b[2] | 0x20);
    const fn key_of(name: &[u8; 3]) -> u32 {
        (name[0] as u32) << 16 | (name[1] as u32) << 8 | name[2] as u32
    }
    const KEYS: [u32; 12] = [
        key_of(b"jan"),
        key_of(b"feb"),
        key_of(b"mar"),
        key_of(b"apr"),
        key_of(b"may"),
        key_of(b"jun"),
        key_of(b"jul"),
        key_of(b"aug"),
        key_of(b"sep"),
        key_of(b"oct"),
        key_of(b"nov"),
        key_of(b"dec"),
    ];
    KEYS.iter().position(|k| *k == key).map(|at| at as u32 + 1)
}

pub(crate) fn digits2(b: &[u8]) -> Option<u32> {
    let (a, b) = (b.first()?.wrapping_sub(b'0'), b.get(1)?.wrapping_sub(b'0'));
    (a < 10 && b < 10).then_some(u32::from(a) * 10 + u32::from(b))
}

pub(crate) fn digits4(b: &[u8]) -> Option<u32> {
    Some(digits2(b)? * 100 + digits2(b.get(2..)?)?)
}

/// Reads a number of at most `width` digits, at least one.
pub(crate) fn number(text: &str, width: usize) -> Option<(u32, &str)> {
    let len = text.bytes().take(width).take_while(u8::is_ascii_digit).count();
    Some((text.get(..len)?.parse().ok()?, text.get(len..)?))
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    fn micros(rfc3339: &str) -> Micros {
        rfc3339.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_micros()
    }

    fn at(received: &str, zone: Tz) -> RawRecord<'static> {
        RawRecord::new(b"", "", micros(received), zone)
    }

    fn resolved(text: &str, received: &str, zone: Tz) -> Option<String> {
        let time = any(text, at(received, zone))?;
        Some(chrono::DateTime::from_timestamp_micros(time).unwrap().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    #[test]
    fn forms() {
        let vn = Tz::Asia__Ho_Chi_Minh;
        for (text, expected) in [
            ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
            ("2026-11-23T10:00:00.123456789+07:00", "2026-11-23T03:00:00.123456Z"),
            ("2026-11-23 10:00:00,250", "2026-11-23T03:00:00.250Z"),
            ("2026-11-23 10:00:00 -0330", "2026-11-23T13:30:00Z"),
            ("2026-11-23T10:00:00+07", "2026-11-23T03:00:00Z"),
            ("2026/11/23 10:00:00", "2026-11-23T03:00:00Z"),
            ("Nov 23 10:00:00", "2026-11-23T03:00:00Z"),
            ("Nov  3 10:00:00.5", "2026-11-03T03:00:00.500Z"),
            ("nov 3 10:00:00 UTC", "2026-11-03T10:00:00Z"),
            ("Nov 23 2026 10:00:00 GMT+07:00", "2026-11-23T03:00:00Z"),
            ("Nov 23 2019 10:00:00", "2019-11-23T03:00:00Z"),
            ("Nov 23 10:00:00 2019", "2019-11-23T03:00:00Z"),
            ("23/Nov/2026:10:00:00 +0700", "2026-11-23T03:00:00Z"),
            ("[23/Nov/2026:10:00:00 +0000]", "2026-11-23T10:00:00Z"),
            ("Mon Nov 23 10:00:00.250 2026", "2026-11-23T03:00:00.250Z"),
            ("2026-11-23T10:00:00+00:00Z", "2026-11-23T10:00:00Z"),
            ("2026-11-23T10:00:00--5:00", "2026-11-23T15:00:00Z"),
            ("2026 Nov 23 10:00:00.5", "2026-11-23T03:00:00.500Z"),
            ("Nov 23 10:00:00:250 2026", "2026-11-23T03:00:00.250Z"),
            ("1795402800", "2026-11-23T03:00:00Z"),
            ("1795402800.25", "2026-11-23T03:00:00.250Z"),
            ("1795402800250", "2026-11-23T03:00:00.250Z"),
            ("1795402800250001", "2026-11-23T03:00:00.250001Z"),
            ("1795402800250001999", "2026-11-23T03:00:00.250001Z"),
        ] {
            assert_eq!(resolved(text, "2026-11-23T12:00:00Z", vn).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "2026-13-01T00:00:00Z",
            "2026-02-29 00:00:00",
            "Foo 1 00:00:00",
            "Nov 31 00:00:00",
            "25:00:00",
            "1.2.3",
            "2026-11-23T25:00:00Z",
        ] {
            assert_eq!(resolved(text, "2026-11-23T12:00:00Z", vn), None, "{text}");
        }
    }

    #[test]
    fn the_year_is_the_newest_that_is_not_in_the_future() {
        for (text, received, expected) in [
            ("Dec 31 23:59:58", "2027-01-01T00:00:05Z", "2026-12-31T23:59:58Z"),
            ("Jan  1 00:00:30", "2026-12-31T23:59:50Z", "2027-01-01T00:00:30Z"),
            ("Dec 24 10:00:00", "2026-11-23T00:00:00Z", "2025-12-24T10:00:00Z"),
            ("Feb 29 10:00:00", "2027-03-01T00:00:00Z", "2024-02-29T10:00:00Z"),
        ] {
            assert_eq!(resolved(text, received, Tz::UTC).as_deref(), Some(expected), "{text} at {received}");
        }
    }

    #[test]
    fn days_agree_with_chrono() {
        let epoch = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for year in [1600, 1899, 1900, 1970, 1999, 2000, 2024, 2026, 2100, 2400] {
            for month in 1..=12 {
                for day in 0..=32 {
                    let theirs = chrono::NaiveDate::from_ymd_opt(year, month, day).map(|date| (date - epoch).num_days());
                    assert_eq!(days(year, month, day), theirs, "{year}-{month}-{day}");
                    if let Some(days) = theirs {
                        assert_eq!(year_of(days * DAY + 5), year);
                    }
                }
            }
        }
    }
}
