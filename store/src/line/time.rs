//! Times as lines write them: rendered from microseconds, and read back.
//!
//! Only canonical text counts: a form matches a text when rendering the value that was read gives the same bytes. No time
//! zones by name: a form carries its offset from UTC in minutes, because that is what the line shows.

use std::fmt::Write as _;

use event::Micros;

pub(super) const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400;
/// Furthest offset from UTC, in minutes.
const OFFSET_MAX: i64 = 15 * 60;
pub(super) const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Shape of a time text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// `2026-11-22T00:00:00.090987Z` (RFC 3339).
    Rfc3339,
    /// `Nov 22 00:00:00` (RFC 3164).
    Bsd,
    /// `22/Nov/2026:00:00:00 +0000` (common log format).
    Clf,
    /// `2026-11-22`.
    Date,
    /// `00:00:00`.
    Clock,
    /// Decimal count since 1970.
    Epoch,
}

/// A way to write a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeForm {
    pub kind: Kind,
    /// Digits of the fraction (RFC 3339, clock) or of the unit (epoch: 0 = seconds, 3, 6, 9).
    pub digits: u8,
    /// Minutes east of UTC.
    pub offset: i16,
    /// RFC 3339 only: the zone is written `Z`.
    pub zulu: bool,
}

impl TimeForm {
    /// The form in a template: `rfc3339.6Z`, `bsd+0700`.
    pub fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Rfc3339 => "rfc3339",
            Kind::Bsd => "bsd",
            Kind::Clf => "clf",
            Kind::Date => "date",
            Kind::Clock => "clock",
            Kind::Epoch => "epoch",
        };
        if self.zulu {
            return format!("{kind}.{}Z", self.digits);
        }
        let mut name = format!("{kind}.{}", self.digits);
        push_offset(&mut name, self.offset);
        name
    }

    pub fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once('.')?;
        let kind = match kind {
            "rfc3339" => Kind::Rfc3339,
            "bsd" => Kind::Bsd,
            "clf" => Kind::Clf,
            "date" => Kind::Date,
            "clock" => Kind::Clock,
            "epoch" => Kind::Epoch,
            _ => return None,
        };
        let digits = rest.bytes().next().filter(u8::is_ascii_digit)? - b'0';
        let (zulu, offset) = match rest.get(1..)? {
            "Z" => (true, 0),
            text => (false, read_offset(text.as_bytes())?),
        };
        Some(Self { kind, digits, offset, zulu })
    }

    /// Appends the text; false when the value cannot be written in this form.
    pub fn render(&self, micros: Micros, memo: &mut Memo, out: &mut Vec<u8>) -> bool {
        if self.kind == Kind::Epoch {
            return render_epoch(micros, self.digits, out);
        }
        let Some(local) = micros.checked_add(i64::from(self.offset) * 60 * SECOND) else { return false };
        let (second, fraction) = (local.div_euclid(SECOND), local.rem_euclid(SECOND));
        let Some((year, month, day)) = memo.civil(second.div_euclid(DAY)) else { return false };
        let clock = second.rem_euclid(DAY);
        match self.kind {
            Kind::Rfc3339 => {
                push_date(out, year, month, day);
                out.push(b'T');
                push_clock(out, clock);
                push_fraction(out, fraction, self.digits);
                if self.zulu { out.push(b'Z') } else { push_zone(out, self.offset, true) }
            }
            Kind::Bsd => {
                out.extend_from_slice(MONTHS[usize::from(month) - 1].as_bytes());
                out.push(b' ');
                out.push(if day < 10 { b' ' } else { b'0' + day / 10 });
                out.push(b'0' + day % 10);
                out.push(b' ');
                push_clock(out, clock);
            }
            Kind::Clf => {
                push_two(out, day);
                out.push(b'/');
                out.extend_from_slice(MONTHS[usize::from(month) - 1].as_bytes());
                out.push(b'/');
                push_year(out, year);
                out.push(b':');
                push_clock(out, clock);
                out.push(b' ');
                push_zone(out, self.offset, false);
            }
            Kind::Date => push_date(out, year, month, day),
            Kind::Clock => {
                push_clock(out, clock);
                push_fraction(out, fraction, self.digits);
            }
            Kind::Epoch => {}
        }
        true
    }

    /// Reads a text that begins with a full date and time (RFC 3339 or common log): form, value and length.
    pub fn read(text: &[u8]) -> Option<(Self, Micros, usize)> {
        let read = match text.get(4)? {
            b'-' => read_rfc3339(text),
            _ if text.get(2) == Some(&b'/') => read_clf(text),
            _ => None,
        }?;
        let mut again = Vec::with_capacity(read.2);
        let is_canonical = read.0.render(read.1, &mut Memo::default(), &mut again) && again == text[..read.2];
        is_canonical.then_some(read)
    }

    /// Forms in which `micros` may stand at the start of `text`, with the length that they take.
    pub fn find(text: &[u8], micros: Micros) -> Option<(Self, usize)> {
        let mut memo = Memo::default();
        let mut buffer = Vec::with_capacity(40);
        let mut check = |form: Self| {
            buffer.clear();
            (form.render(micros, &mut memo, &mut buffer) && text.starts_with(&buffer)).then_some((form, buffer.len()))
        };
        if let Some((form, _, _)) = Self::read(text) {
            return check(form);
        }
        let form = |kind, digits, offset| Self { kind, digits, offset, zulu: false };
        if text.first()?.is_ascii_digit() {
            for digits in [9, 6, 3, 0] {
                if let Some(found) = check(form(Kind::Epoch, digits, 0)) {
                    return Some(found);
                }
            }
        }
        let shown = clock_at(text).map(|clock| (Kind::Clock, clock));
        let shown = shown.or_else(|| clock_at(text.get(7..)?).map(|clock| (Kind::Bsd, clock)));
        if let Some((kind, clock)) = shown {
            let own = micros.div_euclid(SECOND).rem_euclid(DAY);
            let mut minutes = (clock - own).div_euclid(60);
            if minutes.rem_euclid(15) != 0 || (clock - own).rem_euclid(60) != 0 {
                return None;
            }
            if minutes > OFFSET_MAX - 60 {
                minutes -= 24 * 60;
            } else if minutes < -12 * 60 {
                minutes += 24 * 60;
            }
            let digits = match kind {
                Kind::Clock if text.get(8) == Some(&b'.') => text[9..].iter().take(9).take_while(|b| b.is_ascii_digit()).count(),
                _ => 0,
            };
            return check(form(kind, digits as u8, minutes as i16));
        }
        [0, 420].into_iter().find_map(|offset| check(form(Kind::Date, 0, offset)))
    }
}

/// The last civil date that was computed: neighbours share their day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memo {
    day: i64,
    date: (u16, u8, u8),
}

impl Default for Memo {
    fn default() -> Self {
        Self { day: 0, date: (1970, 1, 1) }
    }
}

impl Memo {
    fn civil(&mut self, day: i64) -> Option<(u16, u8, u8)> {
        if day != self.day {
            self.date = civil(day)?;
            self.day = day;
        }
        Some(self.date)
    }
}

/// Days since 1970 → year (0 to 9999), month, day.
fn civil(days: i64) -> Option<(u16, u8, u8)> {
    if !(-719_528..=2_932_896).contains(&days) {
        return None;
    }
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    Some((u16::try_from(year).ok()?, month as u8, (doy - (153 * mp + 2) / 5 + 1) as u8))
}

/// The reverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let yoe = year.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn render_epoch(micros: Micros, digits: u8, out: &mut Vec<u8>) -> bool {
    let value = match digits {
        0 => micros.div_euclid(SECOND),
        3 => micros.div_euclid(1_000),
        6 => micros,
        9 => match micros.checked_mul(1_000) {
            Some(value) => value,
            None => return false,
        },
        _ => return false,
    };
    push_number(out, value);
    true
}

/// Appends a number in decimal.
pub(super) fn push_number(out: &mut Vec<u8>, value: i64) {
    let mut buffer = [0_u8; 20];
    let mut at = buffer.len();
    let mut left = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&buffer[at..]);
}

fn push_two(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&[b'0' + value / 10, b'0' + value % 10]);
}

fn push_year(out: &mut Vec<u8>, year: u16) {
    push_two(out, (year / 100) as u8);
    push_two(out, (year % 100) as u8);
}

fn push_date(out: &mut Vec<u8>, year: u16, month: u8, day: u8) {
    push_year(out, year);
    out.push(b'-');
    push_two(out, month);
    out.push(b'-');
    push_two(out, day);
}

fn push_clock(out: &mut Vec<u8>, seconds: i64) {
    push_two(out, (seconds / 3_600) as u8);
    out.push(b':');
    push_two(out, (seconds / 60 % 60) as u8);
    out.push(b':');
    push_two(out, (seconds % 60) as u8);
}

fn push_fraction(out: &mut Vec<u8>, fraction: i64, digits: u8) {
    if digits == 0 {
        return;
    }
    out.push(b'.');
    let mut nanos = fraction * 1_000;
    let mut unit = 100_000_000;
    for _ in 0..digits {
        out.push(b'0' + (nanos / unit) as u8);
        nanos %= unit;
        unit /= 10;
    }
}

fn push_zone(out: &mut Vec<u8>, offset: i16, colon: bool) {
    out.push(if offset < 0 { b'-' } else { b'+' });
    let minutes = offset.unsigned_abs();
    push_two(out, (minutes / 60) as u8);
    if colon {
        out.push(b':');
    }
    push_two(out, (minutes % 60) as u8);
}

fn push_offset(out: &mut String, offset: i16) {
    let sign = if offset < 0 { '-' } else { '+' };
    let _ = write!(out, "{sign}{:02}{:02}", offset.unsigned_abs() / 60, offset.unsigned_abs() % 60);
}

/// Reads `+hhmm`.
fn read_offset(text: &[u8]) -> Option<i16> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let minutes = number(text, 1, 2)? * 60 + number(text, 3, 2)?;
    (text.len() == 5 && minutes <= OFFSET_MAX).then_some(sign * minutes as i16)
}

fn number(text: &[u8], at: usize, len: usize) -> Option<i64> {
    text.get(at..at + len)?.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// Seconds of the day that `hh:mm:ss` at the start of `text` shows.
fn clock_at(text: &[u8]) -> Option<i64> {
    if text.get(2) != Some(&b':') || text.get(5) != Some(&b':') {
        return None;
    }
    Some(number(text, 0, 2)? * 3_600 + number(text, 3, 2)? * 60 + number(text, 6, 2)?)
}

fn read_rfc3339(text: &[u8]) -> Option<(TimeForm, Micros, usize)> {
    let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    if text.get(10) != Some(&b'T') || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let clock = clock_at(text.get(11..)?)?;
    let mut at = 19;
    let mut digits = 0;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        digits = text[at + 1..].iter().take(9).take_while(|b| b.is_ascii_digit()).count();
        let nanos = number(text, at + 1, digits)? * 10_i64.pow(9 - digits as u32);
        fraction = nanos / 1_000;
        at += 1 + digits;
    }
    let (zulu, offset, end) = match text.get(at)? {
        b'Z' => (true, 0, at + 1),
        b'+' | b'-' if text.get(at + 3) == Some(&b':') => {
            let mut zone = text.get(at..at + 6)?.to_vec();
            zone.remove(3);
            (false, read_offset(&zone)?, at + 6)
        }
        _ => return None,
    };
    let micros = (days(year, month, day) * DAY + clock - i64::from(offset) * 60) * SECOND + fraction;
    Some((TimeForm { kind: Kind::Rfc3339, digits: digits as u8, offset, zulu }, micros, end))
}

fn read_clf(text: &[u8]) -> Option<(TimeForm, Micros, usize)> {
    let month = MONTHS.iter().position(|month| text.get(3..6) == Some(month.as_bytes()))? as i64 + 1;
    let (day, year) = (number(text, 0, 2)?, number(text, 7, 4)?);
    let clock = clock_at(text.get(12..)?)?;
    let offset = read_offset(text.get(21..26)?)?;
    let micros = (days(year, month, day) * DAY + clock - i64::from(offset) * 60) * SECOND;
    Some((TimeForm { kind: Kind::Clf, digits: 0, offset, zulu: false }, micros, 26))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_and_rendered_again() {
        let micros = 1_795_305_600_208_604;
        for text in [
            "2026-11-22T00:00:00.208604Z",
            "2026-11-22T07:00:00.208+07:00",
            "2026-11-22T00:00:00.208604000Z",
            "2026-11-21T19:30:00-04:30",
            "Nov 22 00:00:00",
            "Nov 22 07:00:00",
            "22/Nov/2026:00:00:00 +0000",
            "2026-11-22",
            "07:00:00",
            "00:00:00.20",
            "1795305600208604000",
            "1795305600208604",
            "1795305600208",
            "1795305600",
        ] {
            let found = TimeForm::find(format!("{text} and more").as_bytes(), micros);
            let (form, len) = found.unwrap_or_else(|| panic!("{text}"));
            assert_eq!(len, text.len(), "{text}: {form:?}");
            assert_eq!(TimeForm::parse(&form.name()), Some(form));
        }
        assert_eq!(TimeForm::find(b"Nov 22 00:00:01", micros), None);
        // Nanoseconds would be lost: only the date is recognised.
        assert_eq!(TimeForm::find(b"2026-11-22T00:00:00.208604001Z", micros).map(|found| found.1), Some(10));
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        for day in (-719_528..2_932_896).step_by(97) {
            let date = chrono::DateTime::from_timestamp(day * DAY, 0).unwrap();
            let mut out = Vec::new();
            let form = TimeForm { kind: Kind::Date, digits: 0, offset: 0, zulu: false };
            assert!(form.render(day * DAY * SECOND, &mut Memo::default(), &mut out));
            assert_eq!(String::from_utf8(out).unwrap(), date.format("%Y-%m-%d").to_string());
        }
        assert_eq!(civil(2_932_897), None);
    }
}
