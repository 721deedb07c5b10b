//! Time stamps inside field values, for `minute`, `hour`, `day`, `week`, `month` and `year`; always read as UTC.

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};

use crate::predicate::TimePart;

/// Reads RFC 3339, the same without a zone (taken for UTC), or a plain date.
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if !text.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    if let Ok(stamp) = DateTime::parse_from_rfc3339(text) {
        return Some(stamp.to_utc());
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(stamp) = NaiveDateTime::parse_from_str(text, format) {
            return Some(stamp.and_utc());
        }
    }
    text.parse::<chrono::NaiveDate>().ok()?.and_hms_opt(0, 0, 0).map(|stamp| stamp.and_utc())
}

/// One part of a stamp; weeks are ISO weeks.
pub fn part(stamp: DateTime<Utc>, part: TimePart) -> i64 {
    match part {
        TimePart::Minute => i64::from(stamp.minute()),
        TimePart::Hour => i64::from(stamp.hour()),
        TimePart::Day => i64::from(stamp.day()),
        TimePart::Week => i64::from(stamp.iso_week().week()),
        TimePart::Month => i64::from(stamp.month()),
        TimePart::Year => i64::from(stamp.year()),
    }
}

/// Writes microseconds as RFC 3339 with `Z`.
pub fn text(micros: event::Micros) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(stamp) => stamp.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        None => micros.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_utc() {
        let stamp = parse("2026-03-01T06:59:00+07:00").unwrap();
        assert_eq!(part(stamp, TimePart::Hour), 23);
        assert_eq!(part(stamp, TimePart::Day), 28);
        assert_eq!(part(parse("2026-03-01 06:59:00").unwrap(), TimePart::Minute), 59);
        assert!(parse("yesterday").is_none() && parse("").is_none());
    }
}
