//! `<PRI>`, RFC 3164 §4.1.1 and RFC 5424 §6.2.1.

use event::{
    Event, field,
    severity::{SYSLOG_FACILITIES, SYSLOG_SEVERITIES},
};

use crate::text;

/// Reads `<0>` to `<191>`; also after an octet count that framing left in place (`123 <34>…`).
pub fn read(text: &str) -> (Option<u8>, &str) {
    let framed = match text::digits(text) {
        ("", rest) => rest,
        (count, rest) if count.len() <= 6 && rest.starts_with(" <") => &rest[1..],
        _ => return (None, text),
    };
    let Some(rest) = framed.strip_prefix('<') else { return (None, text) };
    let (number, rest) = text::digits(rest);
    match (number.len() <= 3, number.parse::<u8>(), rest.strip_prefix('>')) {
        (true, Ok(pri), Some(rest)) if pri <= 191 => (Some(pri), rest),
        _ => (None, text),
    }
}

/// Takes off a number in angle brackets that is no PRI.
pub fn skip_broken(text: &str) -> Option<&str> {
    let (number, rest) = text::digits(text.strip_prefix('<')?);
    rest.strip_prefix('>').filter(|_| (1..=9).contains(&number.len()))
}

pub fn set(event: &mut Event<'_>, pri: u8) {
    let (facility, severity) = (pri >> 3, pri & 7);
    event.set(field::LOG_SYSLOG_PRIORITY, pri);
    event.set(field::LOG_SYSLOG_FACILITY_CODE, facility);
    event.set(field::LOG_SYSLOG_FACILITY_NAME, SYSLOG_FACILITIES[usize::from(facility)]);
    event.set(field::LOG_SYSLOG_SEVERITY_CODE, severity);
    event.set(field::LOG_SYSLOG_SEVERITY_NAME, SYSLOG_SEVERITIES[usize::from(severity)]);
}
