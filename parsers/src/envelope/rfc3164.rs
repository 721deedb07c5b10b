//! RFC 3164 as devices write it: `<PRI>Mmm dd hh:mm:ss host tag[pid]: message`, every part of which may be missing.
//!
//! Read beside the standard: years, ISO stamps, sequence numbers and clock marks (`*`, `.`) of Cisco, stamps without PRI (as
//! daemons write to files), no stamp, no host, tags with path, blanks, brackets or an old PAM suffix, `%FACILITY-…` heads.

use event::{Event, RawRecord, Value, field};

use super::Envelope;
use crate::{ecs, text, time};

pub fn open<'r>(raw: RawRecord<'r>, rest: &'r str, has_pri: bool, event: &mut Event<'r>) -> Envelope<'r> {
    let start = if has_pri { skip_sequence(rest) } else { rest };
    let start = skip_origin(raw, start, event);
    let Some((stamp, after)) = stamp(raw, start) else {
        return if has_pri {
            without_stamp(start, event)
        } else {
            Envelope { payload: raw.text(), program: None, is_some: false }
        };
    };
    if !has_pri && !looks_like_file(after) {
        return Envelope { payload: raw.text(), program: None, is_some: false };
    }
    event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
    if stamp.offset.is_none() && raw.zone() != chrono_tz::Tz::UTC {
        event.set(field::EVENT_TIMEZONE, raw.zone().name());
    }
    let after = after.trim_start_matches([':', ' ']);
    host_and_tag(after, event)
}

/// `<189>123: *Nov 23 …` (Cisco IOS: message counter, then a mark for an unsynchronised clock).
fn skip_sequence(text: &str) -> &str {
    let text = text.trim_start_matches(' ');

    (match text::digits(text) {
        ("", rest) => rest,
        (_, rest) => match rest.strip_prefix(": ") {
            Some(rest) => rest,
            None => return text,
        },
    }) as _
}

/// `router1: Nov 23 …` (Cisco IOS with `logging origin-id`): the host stands before the stamp.
fn skip_origin<'r>(raw: RawRecord<'r>, text: &'r str, event: &mut Event<'r>) -> &'r str {
    match text.split_once(": ") {
        Some((host, rest)) if host.len() <= 64 && is_host(host) && stamp(raw, rest).is_some() => {
            set_host(host, event);
            rest
        }
        _ => text,
    }
}

fn stamp<'r>(raw: RawRecord<'r>, text: &'r str) -> Option<(time::Stamp, &'r str)> {
    let text = text.strip_prefix(['*', '.']).unwrap_or(text);
    match text.as_bytes().first()? {
        b'0'..=b'9' => time::iso(text),
        b'A'..=b'Z' | b'a'..=b'z' => time::bsd(text, raw),
        _ => None,
    }
}

/// Without PRI the stamp alone is no proof: `2026-11-23 10:00:00 INFO starting` is an application's line. In a file of a
/// syslog daemon, host and tag follow.
fn looks_like_file(after: &str) -> bool {
    let Some(after) = after.strip_prefix(' ') else { return false };
    let (host, rest) = text::word(after);
    is_host(host)
        && (tag(rest.trim_start_matches(' ')).is_some()
            || rest.starts_with("last message repeated ")
            || rest.starts_with("-- MARK --"))
        || tag(after).is_some_and(|tag| tag.pid.is_some())
}

fn without_stamp<'r>(text: &'r str, event: &mut Event<'r>) -> Envelope<'r> {
    if let Some(tag) = tag(text) {
        return tagged(tag, event);
    }
    let (first, rest) = text::word(text);
    if is_host(first)
        && !first.bytes().all(|b| b.is_ascii_digit())
        && let Some(tag) = tag(rest).filter(|tag| tag.pid.is_some())
    {
        set_host(first, event);
        return tagged(tag, event);
    }
    Envelope { payload: text, program: None, is_some: true }
}

fn host_and_tag<'r>(text: &'r str, event: &mut Event<'r>) -> Envelope<'r> {
    if is_payload(text) {
        return Envelope { payload: text, program: None, is_some: true };
    }
    if let Some(tag) = tag(text) {
        return tagged(tag, event);
    }
    let (host, rest) = text::word(text);
    if !is_host(host) || rest.is_empty() {
        return Envelope { payload: text, program: None, is_some: true };
    }
    set_host(host, event);
    let rest = rest.trim_start_matches(' ');
    // Cisco writes a colon of its own after the host: `host : %ASA-…`.
    let rest = rest.strip_prefix(": ").unwrap_or(rest);
    if is_payload(rest) {
        return Envelope { payload: rest, program: None, is_some: true };
    }
    match tag(rest) {
        Some(tag) => tagged(tag, event),
        None => Envelope { payload: rest, program: None, is_some: true },
    }
}

fn set_host<'r>(host: &'r str, event: &mut Event<'r>) {
    let host = host.strip_suffix(':').unwrap_or(host);
    event.set(field::LOG_SYSLOG_HOSTNAME, host);
    ecs::host(event, host);
}

fn tagged<'r>(tag: Tag<'r>, event: &mut Event<'r>) -> Envelope<'r> {
    event.set(field::LOG_SYSLOG_APPNAME, tag.program);
    event.set(field::PROCESS_NAME, text::file_name(tag.program));
    if let Some(pid) = tag.pid {
        event.set(field::LOG_SYSLOG_PROCID, pid);
        event.set_int(field::PROCESS_PID, pid);
    }
    Envelope { payload: tag.message, program: Some(tag.program), is_some: true }
}

struct Tag<'r> {
    program: &'r str,
    pid: Option<&'r str>,
    message: &'r str,
}

/// Reads `prog[pid]:`, `prog:`, `prog[pid]` before a blank, `prog(pam_unix)[pid]:`, `/usr/sbin/prog:`.
fn tag(text: &str) -> Option<Tag<'_>> {
    let b = text.as_bytes();
    let end = b.iter().take(65).position(|b| !is_program(*b))?;
    if end == 0 {
        return None;
    }
    let program = &text[..end];
    let mut rest = &text[end..];
    if let Some(inside) = rest.strip_prefix('(') {
        rest = text::split(inside, b')').filter(|(word, _)| word.len() <= 32 && !word.contains(' '))?.1;
    }
    let mut pid = None;
    if let Some(inside) = rest.strip_prefix('[') {
        let (number, after) = text::split(inside, b']').filter(|(word, _)| word.len() <= 20 && !word.contains(' '))?;
        pid = Some(number).filter(|number| !number.is_empty());
        rest = after;
    }
    // gdm writes `gdm-password]:`.
    let rest = if pid.is_none() { rest.strip_prefix(']').unwrap_or(rest) } else { rest };
    let message = match rest.strip_prefix(':') {
        Some(message) => message,
        None if pid.is_some() && rest.starts_with(' ') => rest,
        None => return None,
    };
    // `CEF:0|…`, `LEEF:1.0|…`, `10:00:00`, `fe80::1`, `https://…`: a colon, but no tag.
    let is_glued = !message.is_empty() && !message.starts_with([' ', '\t']);
    if is_payload(text)
        || (is_glued && (pid.is_none() || message.starts_with(':')))
        || program.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    Some(Tag { program, pid, message: message.strip_prefix(' ').unwrap_or(message).trim_start_matches('\t') })
}

fn is_program(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'@' | b'+')
}

fn is_host(word: &str) -> bool {
    let word = word.strip_suffix(':').unwrap_or(word);
    !word.is_empty()
        && word.len() <= 255
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'/' | b'%'))
        && word.bytes().any(|b| b.is_ascii_alphanumeric())
        && (!word.starts_with('[') || word.contains(':'))
        && !matches!(word, "last" | "message")
}

/// Heads of formats that stand directly behind a stamp: never a host or a tag.
fn is_payload(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'{' | b'%') => true,
        Some(b'C') => text.starts_with("CEF:"),
        Some(b'L') => text.starts_with("LEEF:"),
        Some(b'd' | b'l' | b't') => text.starts_with("date=") || text.starts_with("logver=") || text.starts_with("timestamp="),
        _ => false,
    }
}
