//! Calendar time of the province (UTC+7, no summer time), in the spellings that devices use.

use std::fmt::Write as _;

use event::Micros;

pub const SECOND: Micros = 1_000_000;
pub const MINUTE: Micros = 60 * SECOND;
pub const HOUR: Micros = 60 * MINUTE;
pub const DAY: Micros = 24 * HOUR;
/// Asia/Ho_Chi_Minh has no other offset since 1975.
pub const ZONE: Micros = 7 * HOUR;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micros: u32,
    /// 0 is Monday.
    pub weekday: u32,
}

impl Civil {
    pub fn local(at: Micros) -> Self {
        Self::utc(at + ZONE)
    }

    pub fn utc(at: Micros) -> Self {
        let (days, rest) = (at.div_euclid(DAY), at.rem_euclid(DAY));
        // Days to year, month, day: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let z = days + 719_468;
        let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let seconds = rest / SECOND;
        Self {
            year: yoe + era * 400 + i64::from(month <= 2),
            month: month as u32,
            day: (doy - (153 * mp + 2) / 5 + 1) as u32,
            hour: (seconds / 3600) as u32,
            minute: (seconds / 60 % 60) as u32,
            second: (seconds % 60) as u32,
            micros: (rest % SECOND) as u32,
            weekday: (days + 3).rem_euclid(7) as u32,
        }
    }

    fn month_name(&self) -> &'static str {
        MONTHS[self.month as usize - 1]
    }
}

/// `Nov 23 10:00:01`, RFC 3164.
pub fn bsd(out: &mut String, at: Micros) {
    let c = Civil::local(at);
    let _ = write!(out, "{} {:2} {:02}:{:02}:{:02}", c.month_name(), c.day, c.hour, c.minute, c.second);
}

/// `2026-11-23T10:00:01.123456+07:00`, RFC 5424.
pub fn iso_local(out: &mut String, at: Micros) {
    let c = Civil::local(at);
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+07:00",
        c.year, c.month, c.day, c.hour, c.minute, c.second, c.micros
    );
}

/// `2026-11-23T03:00:01.123Z`.
pub fn iso_utc(out: &mut String, at: Micros) {
    let c = Civil::utc(at);
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        c.year,
        c.month,
        c.day,
        c.hour,
        c.minute,
        c.second,
        c.micros / 1000
    );
}

/// `23/Nov/2026:10:00:00 +0700`, the common log format.
pub fn clf(out: &mut String, at: Micros) {
    let c = Civil::local(at);
    let _ = write!(out, "{:02}/{}/{:04}:{:02}:{:02}:{:02} +0700", c.day, c.month_name(), c.year, c.hour, c.minute, c.second);
}

/// `date=2026-11-23 time=10:00:00`, FortiOS.
pub fn forti(out: &mut String, at: Micros) {
    let c = Civil::local(at);
    let _ = write!(out, "date={:04}-{:02}-{:02} time={:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

/// `2026/11/23 10:00:00`, nginx error log.
pub fn nginx(out: &mut String, at: Micros) {
    let c = Civil::local(at);
    let _ = write!(out, "{:04}/{:02}/{:02} {:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

/// `2026-11-23`.
pub fn date(at: Micros) -> String {
    let c = Civil::local(at);
    format!("{:04}-{:02}-{:02}", c.year, c.month, c.day)
}
