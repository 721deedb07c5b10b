//! Dates as Windows services write them into their own files: in the format of the system's locale.

use crate::time::{self, Stamp};

/// `11/23/2026 1:48:12 PM`, `23/11/2026 13:48:12`, `11/23/26,13:48:12`, `2026-11-23 13:48:12`: the stamp and what follows.
///
/// Which number is the month: the one that can be; where both can, the first if the clock has twelve hours or `month_first`
/// (services that ignore the locale), else the second.
pub fn read(text: &str, month_first: bool) -> Option<(Stamp, &str)> {
    if text.as_bytes().get(4) == Some(&b'-') {
        return time::iso(text);
    }
    let (first, rest) = number(text)?;
    let separator = rest.chars().next().filter(|c| matches!(c, '/' | '.' | '-'))?;
    let (second, rest) = number(&rest[1..])?;
    let (year, rest) = number(rest.strip_prefix(separator)?)?;
    let year = if year < 100 { 2000 + year } else { year };
    let (clock, is_twelve, rest) = clock(rest.strip_prefix([' ', ','])?.trim_start())?;
    let month_leads = if first > 12 {
        false
    } else if second > 12 {
        true
    } else {
        month_first || is_twelve
    };
    let (month, day) = if month_leads { (first, second) } else { (second, first) };
    let days = time::days(i32::try_from(year).ok()?, month, day)?;
    Some((Stamp { civil: (days * 86_400 + i64::from(clock)) * 1_000_000, offset: None }, rest))
}

/// `H:MM:SS[ AM|PM]` as seconds of the day, whether it has twelve hours, and the rest.
fn clock(text: &str) -> Option<(u32, bool, &str)> {
    let (hour, rest) = number(text)?;
    let (minute, rest) = number(rest.strip_prefix(':')?)?;
    let (second, rest) = number(rest.strip_prefix(':')?)?;
    let half = rest.get(..3).map(|half| (half.eq_ignore_ascii_case(" am"), half.eq_ignore_ascii_case(" pm")));
    let (hour, is_twelve, rest) = match half {
        Some((true, _)) => (hour % 12, true, &rest[3..]),
        Some((_, true)) => (hour % 12 + 12, true, &rest[3..]),
        _ => (hour, false, rest),
    };
    (hour < 24 && minute < 60 && second <= 60).then_some((hour * 3600 + minute * 60 + second, is_twelve, rest))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = crate::text::digits(text);
    (digits.len() <= 4).then(|| digits.parse().ok().map(|number| (number, rest)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let at =
            |text: &str, month_first| read(text, month_first).map(|(stamp, rest)| (stamp.civil / 1_000_000, rest.to_owned()));
        let noon = |rest: &str| Some((1_795_441_692, rest.to_owned()));
        assert_eq!(at("11/23/2026 1:48:12 PM 0F10", false), noon(" 0F10"));
        assert_eq!(at("23/11/2026 13:48:12 0F10", false), noon(" 0F10"));
        assert_eq!(at("11/23/26,13:48:12,x", true), noon(",x"));
        assert_eq!(at("2026-11-23 13:48:12", false), noon(""));
        assert_eq!(at("3/4/2026 00:00:01", false), at("4/3/2026 12:00:01 AM", false));
        for text in ["", "1/2", "13/13/2026 00:00:00", "1/2/2026 25:00:00", "1/2/2026", "99999/1/1 00:00:00"] {
            assert_eq!(at(text, false), None, "{text}");
        }
    }
}
