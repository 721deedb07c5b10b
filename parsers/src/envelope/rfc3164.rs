//! RFC 3164 as devices write it: `<PRI>Mmm dd hh:mm:ss host tag[pid]: message`, every part of which may be missing.
//!
//! Read beside the standard: years, ISO stamps, sequence numbers and clock marks (`*`, `.`), stamps without PRI (as daemons
//! write to files), no stamp, no host, tags with path, blanks, brackets or an old PAM suffix, Solaris message ids, AIX
//! selectors and forwarded messages. Heads before `%FACILITY-…` are read by [`super::cisco`].

use event::{Event, RawRecord, Value, field};

use super::{Envelope, is_payload};
use crate::{ecs, text, time};

pub fn open<'r>(raw: RawRecord<'r>, text: &'r str, has_pri: bool, event: &mut Event<'r>) -> Envelope<'r> {
    let nothing = Envelope { payload: raw.text(), program: None, is_some: false };
    let start = if has_pri { skip_sequence(text) } else { text };
    let start = skip_origin(raw, start, event);
    let Some((stamp, after)) = stamp(raw, start) else {
        return match has_pri {
            true => without_stamp(start, event),
            false => bare_tag(text, event).unwrap_or(nothing),
        };
    };
    if !has_pri && !looks_like_file(after) {
        return nothing;
    }
    set_stamp(raw, stamp, event);
    let after = after.trim_start_matches([':', ' ']);
    host_and_tag(after, event)
}

/// Sets the time, and the zone it was read in when the stamp names none.
pub fn set_stamp(raw: RawRecord<'_>, stamp: time::Stamp, event: &mut Event<'_>) {
    event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
    if stamp.offset.is_none() && raw.zone() != chrono_tz::Tz::UTC {
        event.set(field::EVENT_TIMEZONE, raw.zone().name());
    }
}

/// `<189>123: Nov 23 …`: a message counter.
fn skip_sequence(text: &str) -> &str {
    match text::digits(text) {
        (digits, rest) if !digits.is_empty() => rest.strip_prefix(": ").unwrap_or(text),
        _ => text.trim_start_matches(':').trim_start_matches(' '),
    }
}

/// `router1: Nov 23 …`: the host stands before the stamp.
fn skip_origin<'r>(raw: RawRecord<'r>, text: &'r str, event: &mut Event<'r>) -> &'r str {
    match text.split_once(": ") {
        Some((host, rest)) if host.len() <= 64 && is_host(host) && stamp(raw, rest).is_some() => {
            set_host(host, event);
            rest
        }
        _ => text,
    }
}

/// A stamp in any form that devices write, after a clock mark (`*`, `.`).
pub fn stamp<'r>(raw: RawRecord<'r>, text: &'r str) -> Option<(time::Stamp, &'r str)> {
    let text = text.strip_prefix(['*', '.']).unwrap_or(text);
    match text.as_bytes().first()? {
        b'0'..=b'9' => time::iso(text).or_else(|| time::year_first(text)),
        b'A'..=b'Z' | b'a'..=b'z' => time::bsd(text, raw),
        _ => None,
    }
}

/// Without PRI the stamp alone is no proof: `2026-11-23 10:00:00 INFO starting` is an application's line. In a file of a
/// syslog daemon, host and tag follow, or the head of a format that is never written without one.
fn looks_like_file(after: &str) -> bool {
    let trimmed = after.trim_start_matches([':', ' ']);
    if trimmed.len() == after.len() {
        return false;
    }
    let (host, rest) = text::word(trimmed);
    let rest = skip_repeated(host, rest.trim_start_matches([' ', ':']));
    // `an/192.0.2.7:51000 AUTH: …` is a daemon's own line about a peer, `… UTC LOG: …` a database's.
    let is_machine = is_host(host) && !(host.contains('/') && host.contains(':')) && crate::stamps::abbreviation(after).is_none();
    is_payload(trimmed)
        || is_machine
            && (is_payload(rest)
                || tag(skip_selector(rest)).is_some()
                || titled(rest).is_some()
                || rest.starts_with("last message repeated ")
                || rest.starts_with("-- MARK --")
                || rest.starts_with("Message forwarded from "))
        || tag(trimmed).is_some_and(|tag| tag.pid.is_some())
}

/// `gw01 gw01 sshd[42]: …`: UniFi gateways and relays in a row write the host twice.
fn skip_repeated<'r>(host: &str, rest: &'r str) -> &'r str {
    let after = rest.strip_prefix(host).and_then(|rest| rest.strip_prefix(' '));
    after.filter(|after| tag(after).is_some()).unwrap_or(rest)
}

/// `sshd[42]: …` and `host sshd[42]: …` without PRI and stamp, as a journal or a collector prints them.
fn bare_tag<'r>(text: &'r str, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let has_number = |tag: &Tag<'r>| tag.pid.is_some_and(|pid| pid.bytes().all(|b| b.is_ascii_digit()));
    if let Some(tag) = tag(text).filter(has_number) {
        return Some(tagged(tag, event));
    }
    let (host, rest) = text::word(text);
    let tag = tag(rest).filter(has_number)?;
    if !is_host(host) || host.ends_with(':') {
        return None;
    }
    set_host(host, event);
    Some(tagged(tag, event))
}

fn without_stamp<'r>(text: &'r str, event: &mut Event<'r>) -> Envelope<'r> {
    if is_payload(text) {
        return Envelope { payload: text, program: None, is_some: true };
    }
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
    let message = |payload| Envelope { payload, program: None, is_some: true };
    // Some relays write `auth.info` before the host.
    let text = skip_selector(text);
    if is_payload(text) {
        return message(text);
    }
    // AIX: a relayed message names the host that it came from.
    if let Some((host, rest)) = text.strip_prefix("Message forwarded from ").and_then(|text| text.split_once(": ")) {
        set_host(host, event);
        return tag(rest).map_or(message(rest), |tag| tagged(tag, event));
    }
    if let Some(tag) = tag(text) {
        return tagged(tag, event);
    }
    let (host, rest) = text::word(text);
    if !is_host(host) || rest.is_empty() {
        return message(text);
    }
    set_host(host, event);
    let rest = skip_repeated(host, rest.trim_start_matches(' '));
    // A colon of its own after the host: `host : message`.
    let rest = skip_selector(rest.strip_prefix(": ").unwrap_or(rest));
    if is_payload(rest) {
        return message(rest);
    }
    if let Some((host, rest)) = rest.strip_prefix("Message forwarded from ").and_then(|text| text.split_once(": ")) {
        set_host(host, event);
        return tag(rest).map_or(message(rest), |tag| tagged(tag, event));
    }
    match tag(rest).or_else(|| titled(rest)) {
        Some(tag) => tagged(tag, event),
        None => message(rest),
    }
}

/// `auth.info `, `auth|security:info `: facility and severity as words, which AIX and some relays write.
fn skip_selector(text: &str) -> &str {
    let (word, rest) = text::word(text);
    let Some(at) = memchr::memchr2(b'.', b':', word.as_bytes()) else { return text };
    let (facility, severity) = (&word[..at], &word[at + 1..]);
    let facility = facility.split('|').next().unwrap_or(facility);
    const SEVERITIES: [&str; 12] =
        ["emerg", "panic", "alert", "crit", "err", "error", "warn", "warning", "notice", "info", "debug", "none"];
    const FACILITIES: [&str; 14] = [
        "kern", "user", "mail", "daemon", "auth", "security", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "audit",
    ];
    let is_facility = FACILITIES.contains(&facility)
        || facility.strip_prefix("local").is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'7']));
    if is_facility && SEVERITIES.contains(&severity) { rest } else { text }
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
        // Java services put their thread behind the number: `websso[42:tomcat-http--5]`.
        event.set_int(field::PROCESS_PID, pid.split_once(':').map_or(pid, |(number, _)| number));
    }
    Envelope { payload: skip_message_id(tag.message), program: Some(tag.program), is_some: true }
}

/// Solaris puts `[ID 800047 auth.info] ` before the message.
fn skip_message_id(message: &str) -> &str {
    let inside = message.strip_prefix("[ID ").and_then(|rest| rest.split_once("] "));
    match inside {
        Some((id, rest)) if id.len() <= 40 && id.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => message,
    }
}

struct Tag<'r> {
    program: &'r str,
    pid: Option<&'r str>,
    message: &'r str,
}

/// `Google Chrome[42]: message`: macOS names its applications with blanks; each word begins with a capital.
fn titled(text: &str) -> Option<Tag<'_>> {
    let open = text.bytes().take(64).position(|b| b == b'[')?;
    let (program, rest) = (&text[..open], &text[open + 1..]);
    let (pid, after) = text::digits(rest);
    let message = after.strip_prefix("]: ")?;
    let is_title = |word: &str| word.starts_with(|c: char| c.is_ascii_uppercase()) && word.bytes().all(is_program);
    let words = program.split(' ').count();
    ((2..=4).contains(&words) && program.split(' ').all(is_title) && !pid.is_empty() && pid.len() <= 10).then_some(Tag {
        program,
        pid: Some(pid),
        message,
    })
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

pub fn is_host(word: &str) -> bool {
    let word = word.strip_suffix(':').unwrap_or(word);
    !word.is_empty()
        && word.len() <= 255
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'/' | b'%'))
        && word.bytes().any(|b| b.is_ascii_alphanumeric())
        && (!word.starts_with('[') || word.contains(':'))
        && !matches!(word, "last" | "message")
}
