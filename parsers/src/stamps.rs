//! The stamp at the head of a line that an application wrote to its own log: one of many forms, told apart by their shape.
//!
//! Beside what [`time`] reads: day before month (`23-Nov-2026 10:00:00.123`, `23 Nov 10:00:00`, `Mon, 23 Nov 2026 …`),
//! java.util.logging (`Nov 23, 2026 10:00:00 AM`), short dates (`261123 10:00:00`), TAI64N (`@4000…`), epoch seconds, all of
//! them also in brackets; zone abbreviations behind the clock.

use event::{Micros, RawRecord};

use crate::{
    text,
    time::{self, DAY, SECOND, Stamp},
};

/// The bytes that a line with a stamp at its start begins with.
pub const STARTS: &[u8] = b"[@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Reads a stamp at the start of a line. The rest keeps its leading blank; a closing bracket is taken off.
pub fn leading<'t>(line: &'t str, raw: RawRecord<'_>) -> Option<(Micros, &'t str)> {
    let (inner, is_bracketed) = match line.strip_prefix('[') {
        Some(inner) => (inner, true),
        None => (line, false),
    };
    let (micros, rest) = bare(inner, raw)?;
    if !is_bracketed {
        return Some((micros, rest));
    }
    // `[2026-11-23 10:00:00 +0700 UTC]`: what else stands in the bracket belongs to the stamp.
    let (inside, rest) = text::split(rest, b']')?;
    (inside.len() <= 24).then_some((micros, rest))
}

fn bare<'t>(text: &'t str, raw: RawRecord<'_>) -> Option<(Micros, &'t str)> {
    let first = *text.as_bytes().first()?;
    if first == b'@' {
        return tai64n(text);
    }
    if first.is_ascii_digit() {
        if let Some((mut stamp, mut rest)) = time::iso(text).or_else(|| day_first(text, raw)).or_else(|| time::clf(text)) {
            if stamp.offset.is_none()
                && let Some((offset, after)) = abbreviation(rest)
            {
                stamp.offset = Some(offset);
                rest = after;
            }
            return Some((stamp.resolve(raw), rest));
        }
        if let Some((stamp, rest)) = short(text, raw).or_else(|| odd(text)) {
            return Some((stamp.resolve(raw), rest));
        }
        return epoch(text);
    }
    if !first.is_ascii_alphabetic() {
        return None;
    }
    if let Some((stamp, rest)) =
        time::ctime(text).or_else(|| julian(text)).or_else(|| dashed(text)).or_else(|| time::bsd(text, raw))
    {
        return Some((stamp.resolve(raw), rest));
    }
    // `Mon, 23 Nov 2026 10:00:00 +0700`, `Mon Nov 23 10:00:00 UTC 2026`.
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let after = text.get(..3).filter(|day| DAYS.contains(day)).and_then(|_| text.get(3..))?;
    let after = after.strip_prefix(',').unwrap_or(after).strip_prefix(' ')?;
    let (stamp, rest) = day_first(after, raw).or_else(|| time::bsd(after, raw))?;
    Some((stamp.resolve(raw), rest))
}

/// `23-Nov-2026 10:00:00.123`, `23/Nov/2026 10:00:00`, `23 Nov 10:00:00`, `23/11/2026 10:00:00`, `23.11.2026 10:00:00`.
pub fn day_first<'t>(text: &'t str, raw: RawRecord<'_>) -> Option<(Stamp, &'t str)> {
    let (day, rest) = time::number(text, 2)?;
    let separator = *rest.as_bytes().first()?;
    if !matches!(separator, b'-' | b'/' | b' ' | b'.') {
        return None;
    }
    let rest = &rest[1..];
    let (month, rest) = match time::month(rest.as_bytes()) {
        Some(month) => (month, rest.get(3..)?),
        None if separator == b' ' => return None,
        None => time::number(rest, 2)?,
    };
    let (year, rest) = match rest.as_bytes().first()? {
        b if *b == separator => match time::number(&rest[1..], 4) {
            Some((year, after)) if year >= 1000 => (Some(year as i32), after),
            _ => (None, rest),
        },
        _ => (None, rest),
    };
    let (time, rest) = time::clock(rest.strip_prefix([' ', ':', 'T', ','])?.trim_start_matches(' '))?;
    let (offset, rest) = time::zone_suffix(rest);
    let civil = match year {
        Some(year) => time::days(year, month, day)? * DAY + time,
        None => time::infer_year(month, day, time, raw)?,
    };
    Some((Stamp { civil, offset }, rest))
}

/// `Nov 23, 2026 10:00:00 AM` (java.util.logging).
fn julian(text: &str) -> Option<(Stamp, &str)> {
    let month = time::month(text.as_bytes())?;
    let (day, rest) = time::number(text.get(3..)?.strip_prefix(' ')?, 2)?;
    let (year, rest) = time::number(rest.strip_prefix(", ")?, 4)?;
    let rest = rest.trim_start_matches([',', ' ']);
    // One digit of the hour is common here.
    let padded;
    let (time, rest) = match time::clock(rest) {
        Some(read) => read,
        None if rest.len() > 7 && rest.is_char_boundary(7) && rest.as_bytes()[1] == b':' => {
            let mut bytes = [b'0'; 8];
            bytes[1..].copy_from_slice(&rest.as_bytes()[..7]);
            padded = bytes;
            (time::clock(std::str::from_utf8(&padded).ok()?)?.0, &rest[7..])
        }
        None => return None,
    };
    let half = 12 * 3600 * SECOND;
    let (time, rest) = match (rest.strip_prefix(" AM"), rest.strip_prefix(" PM")) {
        (Some(rest), _) => (time % half, rest),
        (_, Some(rest)) => (time % half + half, rest),
        _ => (time, rest),
    };
    Some((Stamp { civil: time::days(year as i32, month, day)? * DAY + time, offset: None }, rest))
}

/// `261123 10:00:00` (MySQL to 5.6), `20261123 10:00:00`, `2026-11-23 9:05:01` (one digit of the hour), `26/11/23 10:00:00`.
fn short<'t>(line: &'t str, _: RawRecord<'_>) -> Option<(Stamp, &'t str)> {
    let (digits, rest) = text::digits(line);
    let (year, month, day) = match digits.len() {
        6 => (2000 + digits[..2].parse::<i32>().ok()?, &digits[2..4], &digits[4..6]),
        8 => (digits[..4].parse().ok()?, &digits[4..6], &digits[6..8]),
        _ => return None,
    };
    let rest = rest.strip_prefix([' ', '-', 'T', '_'])?.trim_start_matches(' ');
    let (time, rest) = loose_clock(rest)?;
    let (offset, rest) = time::zone_suffix(rest);
    let civil = time::days(year, month.parse().ok()?, day.parse().ok()?)? * DAY + time;
    Some((Stamp { civil, offset }, rest))
}

/// `2014:07:02-00:17:45`, `2011.11.21 14:29:16`, `2026-11-23 9:05:01`: the year first, other separators.
fn odd(line: &str) -> Option<(Stamp, &str)> {
    let b = line.as_bytes();
    if b.len() < 18 || !matches!(b[4], b':' | b'.' | b'-' | b'/') || b[7] != b[4] || !matches!(b[10], b'-' | b' ' | b'T' | b'_') {
        return None;
    }
    let date = time::days(time::digits4(b)? as i32, time::digits2(&b[5..])?, time::digits2(&b[8..])?)?;
    let (clock, rest) = loose_clock(line.get(11..)?.trim_start_matches(' '))?;
    let (offset, rest) = time::zone_suffix(rest);
    Some((Stamp { civil: date * DAY + clock, offset }, rest))
}

/// `Apr-07-13 07:12:37`, `Apr-07-2013 07:12:37`.
fn dashed(text: &str) -> Option<(Stamp, &str)> {
    let month = time::month(text.as_bytes())?;
    let (day, rest) = time::number(text.get(3..)?.strip_prefix('-')?, 2)?;
    let (year, rest) = time::number(rest.strip_prefix('-')?, 4)?;
    let year = if year < 100 { 2000 + year } else { year };
    let (clock, rest) = time::clock(rest.strip_prefix(' ')?)?;
    Some((Stamp { civil: time::days(year as i32, month, day)? * DAY + clock, offset: None }, rest))
}

/// A clock whose hour may have one digit.
pub fn loose_clock(text: &str) -> Option<(i64, &str)> {
    if let Some(read) = time::clock(text) {
        return Some(read);
    }
    let (hour, rest) = time::number(text, 1)?;
    let b = rest.as_bytes();
    if b.len() < 6 || b[0] != b':' || b[3] != b':' {
        return None;
    }
    let (minute, second) = (time::digits2(&b[1..])?, time::digits2(&b[4..])?);
    let whole = (i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)) * SECOND;
    (minute < 60 && second <= 60).then_some((whole, rest.get(6..)?))
}

/// `@400000004c91b044077a9e94` (TAI64N of multilog): seconds from 2^62, ten ahead of UTC at its origin.
fn tai64n(text: &str) -> Option<(Micros, &str)> {
    let label = text.get(1..25).filter(|label| label.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let seconds = i64::from_str_radix(&label[..16], 16).ok()?.checked_sub(1 << 62)?.checked_sub(10)?;
    let nanos = i64::from_str_radix(&label[16..], 16).ok()?;
    let micros = seconds.checked_mul(SECOND)?.checked_add(nanos / 1000)?;
    Some((micros, &text[25..]))
}

/// `1795402800.123 …`, `1795402800 …`: ten digits, with or without a fraction.
fn epoch(line: &str) -> Option<(Micros, &str)> {
    let len = line.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let number = &line[..len];
    let whole = text::digits(number).0;
    let is_plausible =
        matches!(whole.len(), 10 | 13) && number.starts_with('1') && line[len..].starts_with([' ', '|', ':', ']', '\t']);
    is_plausible.then(|| time::epoch(number)).flatten().map(|micros| (micros, &line[len..]))
}

/// ` CEST`, ` +07`, ` ICT`: a zone that servers in their own zone write. Names that stand for several zones are read as the
/// most common one; a configured zone of the source is the cure.
pub fn abbreviation(text: &str) -> Option<(i32, &str)> {
    const ZONES: [(&str, i32); 34] = [
        ("UTC", 0),
        ("GMT", 0),
        ("WET", 0),
        ("WEST", 60),
        ("BST", 60),
        ("CET", 60),
        ("MEZ", 60),
        ("CEST", 120),
        ("MESZ", 120),
        ("EET", 120),
        ("SAST", 120),
        ("EEST", 180),
        ("MSK", 180),
        ("TRT", 180),
        ("PKT", 300),
        ("IST", 330),
        ("ICT", 420),
        ("WIB", 420),
        ("SGT", 480),
        ("HKT", 480),
        ("PHT", 480),
        ("AWST", 480),
        ("JST", 540),
        ("KST", 540),
        ("AEST", 600),
        ("AEDT", 660),
        ("EST", -300),
        ("EDT", -240),
        ("CST", -360),
        ("CDT", -300),
        ("MST", -420),
        ("MDT", -360),
        ("PST", -480),
        ("PDT", -420),
    ];
    let word = text.strip_prefix(' ')?;
    let len = word.bytes().take_while(u8::is_ascii_uppercase).count();
    if word.as_bytes().get(len).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let minutes = ZONES.iter().find(|(name, _)| *name == &word[..len])?.1;
    Some((minutes * 60, &word[len..]))
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::testing::RECEIVED;

    fn read(text: &str) -> Option<(String, String)> {
        let raw = RawRecord::new(b"", "", RECEIVED, Tz::Asia__Ho_Chi_Minh);
        let (micros, rest) = leading(text, raw)?;
        Some((crate::render::time(micros), rest.to_owned()))
    }

    #[test]
    fn forms() {
        for (text, expected, rest) in [
            ("2026-11-23 10:00:00.123 CEST [8] x", "2026-11-23T08:00:00.123Z", " [8] x"),
            ("2026-11-23 10:00:00 EST x", "2026-11-23T15:00:00Z", " x"),
            ("23-Nov-2026 10:00:00.250 x", "2026-11-23T03:00:00.250Z", " x"),
            ("23 Nov 10:00:00.250 * x", "2026-11-23T03:00:00.250Z", " * x"),
            ("23 Nov 2026 10:00:00.250 * x", "2026-11-23T03:00:00.250Z", " * x"),
            ("23/11/2026 10:00:00 x", "2026-11-23T03:00:00Z", " x"),
            ("[23/Nov/2026:10:00:00 +0700] x", "2026-11-23T03:00:00Z", " x"),
            ("[Mon Nov 23 10:00:00 2026] x", "2026-11-23T03:00:00Z", " x"),
            ("Mon, 23 Nov 2026 10:00:00 +0000 x", "2026-11-23T10:00:00Z", " x"),
            ("Nov 23, 2026 9:05:01 PM x", "2026-11-23T14:05:01Z", " x"),
            ("2026.11.23 10:00:00 x", "2026-11-23T03:00:00Z", " x"),
            ("2026:11:23-10:00:00: x", "2026-11-23T03:00:00Z", ": x"),
            ("Nov-23-26 10:00:00 x", "2026-11-23T03:00:00Z", " x"),
            ("261123  9:05:01 x", "2026-11-23T02:05:01Z", " x"),
            ("20261123 10:00:00 x", "2026-11-23T03:00:00Z", " x"),
            ("1795402800.250 x", "2026-11-23T03:00:00.250Z", " x"),
            ("@400000004c91b044077a9e94 x", "2010-09-16T05:50:50.125476Z", " x"),
        ] {
            assert_eq!(read(text), Some((expected.to_owned(), rest.to_owned())), "{text}");
        }
        for text in ["", "x", "[", "@", "12", "2026-13-01 00:00:00", "99/99/2026 10:00:00", "é1-Nov", "Mon, é"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
