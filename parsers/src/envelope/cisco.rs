//! Heads that network devices write before `%FACILITY-5-MNEMONIC:`, `%ASA-6-302013:` and `%%01MODULE/4/BRIEF(l)[7]:`.
//!
//! Reference: Cisco IOS "System Message Logging" (`service sequence-numbers`, `service timestamps`, `logging origin-id`), NX-OS
//! and IOS XR system message formats, ASA `logging device-id`; Huawei VRP and H3C Comware information center log formats.
//!
//! What may stand there, in any order and more than once (a relay adds its own): message counters, host names, clock marks
//! (`*` not synchronised, `.` was synchronised), stamps with a zone name, up-times (`2y10w`, `00:00:46`), IOS XR nodes, tasks of
//! a wireless controller (`*spamApTask1:`), processes with their number. The last one of a kind wins: it is the device's own.
//!
//! Nothing is set unless the whole head is understood; a text without such a marker costs one search over its first bytes.

use event::{Event, RawRecord, field};

use super::Envelope;
use crate::{ecs, text, time};

/// How far the marker may stand from the start.
const HEAD_BYTES_MAX: usize = 200;

/// Pieces that a head may have.
const PIECES_MAX: usize = 12;

#[derive(Default)]
struct Head<'r> {
    stamp: Option<time::Stamp>,
    host: Option<&'r str>,
    program: Option<&'r str>,
    pid: Option<&'r str>,
    node: Option<&'r str>,
    sequence: Option<&'r str>,
    /// Host names since the last stamp.
    names: usize,
}

/// Opens such a head; `None` when there is no marker or something else stands before it.
pub fn open<'r>(raw: RawRecord<'r>, text: &'r str, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let at = marker(text)?;
    let head = head(raw, &text[..at])?;
    if let Some(stamp) = head.stamp {
        super::rfc3164::set_stamp(raw, stamp, event);
    }
    if let Some(host) = head.host {
        event.set(field::LOG_SYSLOG_HOSTNAME, host);
        ecs::host(event, host);
    }
    if let Some(program) = head.program {
        event.set(field::LOG_SYSLOG_APPNAME, program);
        event.set(field::PROCESS_NAME, text::file_name(program));
    }
    if let Some(pid) = head.pid {
        event.set(field::LOG_SYSLOG_PROCID, pid);
        event.set_int(field::PROCESS_PID, pid);
    }
    if let Some(node) = head.node {
        event.set_extra("cisco.ios.", "node", node);
    }
    if let Some(sequence) = head.sequence {
        event.set_int(field::EVENT_SEQUENCE, sequence);
    }
    // The marker says what the message is; the program only says which task wrote it.
    Some(Envelope { payload: &text[at..], program: None, is_some: true })
}

/// Where `%FACILITY-5-MNEMONIC` or `%%01MODULE/` begins.
fn marker(text: &str) -> Option<usize> {
    let b = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(b'%', &b[from..b.len().min(HEAD_BYTES_MAX)])?;
        if is_marker(&b[at..]) && (at == 0 || matches!(b[at - 1], b' ' | b':')) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Says whether `%ASA-6-302013` or `%%10SHELL/5/…` stands here.
pub fn is_marker(b: &[u8]) -> bool {
    if b.starts_with(b"%%") {
        return b.len() > 5 && b[2].is_ascii_digit() && b[3].is_ascii_digit() && b[4].is_ascii_uppercase();
    }
    if !b.get(1).is_some_and(|b| b.is_ascii_alphabetic()) {
        return false;
    }
    let len = b[1..].iter().take(80).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count();
    let word = &b[1..=len];
    // `-5-`: the severity between facility and mnemonic.
    word.windows(3).any(|w| w[0] == b'-' && matches!(w[1], b'0'..=b'7') && w[2] == b'-')
}

fn head<'r>(raw: RawRecord<'r>, text: &'r str) -> Option<Head<'r>> {
    let mut head = Head::default();
    let mut rest = text;
    for _ in 0..PIECES_MAX {
        rest = rest.trim_start_matches([' ', ':', '\t']);
        if rest.is_empty() {
            return Some(head);
        }
        rest = piece(raw, rest, &mut head)?;
    }
    None
}

/// Takes one piece off.
fn piece<'r>(raw: RawRecord<'r>, text: &'r str, head: &mut Head<'r>) -> Option<&'r str> {
    if let Some((stamp, rest)) = super::rfc3164::stamp(raw, text) {
        let (offset, rest) = zone_names(rest);
        head.stamp = Some(time::Stamp { offset: stamp.offset.or(offset), ..stamp });
        head.names = 0;
        return Some(rest);
    }
    // A task's name may hold blanks: `*SISF BT Process: `.
    if let Some((task, rest)) = text.strip_prefix('*').and_then(|text| text.split_once(": "))
        && task.len() <= 40
        && task.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-' | b'.' | b'/'))
    {
        head.program = Some(task);
        return Some(rest);
    }
    let (word, rest) = word(text);
    let bare = word.strip_prefix(['*', '.']).unwrap_or(word);
    if bare.bytes().all(|b| b.is_ascii_digit()) {
        head.sequence = Some(bare).filter(|digits| !digits.is_empty() && digits.len() <= 18);
    } else if is_uptime(bare) || matches!(bare, "-" | "%$" | "log") || is_virtual_context(bare) {
        // Says nothing that an event needs.
    } else if let Some((program, pid)) = bare.strip_suffix(']').and_then(|word| word.split_once('[')) {
        if program.is_empty() || !pid.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        (head.program, head.pid) = (Some(program), Some(pid));
    } else if bare.contains('/') {
        // `RP/0/RSP0/CPU0` of IOS XR.
        head.node = Some(bare).filter(|node| node.len() <= 64);
    } else if super::rfc3164::is_host(bare) {
        head.names += 1;
        // Several bare words are a sentence, not hosts.
        if head.names > 1 && !rest.trim_start_matches(' ').starts_with(':') {
            return None;
        }
        head.host = Some(bare);
    } else {
        return None;
    }
    Some(rest)
}

/// A piece ends at a blank or at a colon behind which another piece begins: colons inside are an address's.
fn word(text: &str) -> (&str, &str) {
    let b = text.as_bytes();
    for (at, byte) in b.iter().enumerate() {
        let ends = match byte {
            b' ' => true,
            b':' => b.get(at + 1).is_none_or(|next| *next == b' ') || b[at + 1..].first().is_some_and(u8::is_ascii_uppercase),
            _ => false,
        };
        if ends {
            return (&text[..at], &text[at..]);
        }
    }
    (text, "")
}

/// ` UTC`, ` UTC UTC `, ` PDT`, ` +07:00`: names are the administrator's choice, so only well-known ones say an offset.
fn zone_names(text: &str) -> (Option<i32>, &str) {
    let (mut offset, mut rest) = (None, text);
    for _ in 0..2 {
        let Some(after) = rest.strip_prefix(' ') else { break };
        let len = after.bytes().take_while(u8::is_ascii_uppercase).count();
        if !(2..=5).contains(&len) || !matches!(after.as_bytes().get(len), None | Some(b':' | b' ')) {
            break;
        }
        // A word in capitals before a blank may be the host, unless a colon or a second zone follows.
        let known = zone_offset(&after[..len]);
        if known.is_none() && !after[len..].trim_start_matches(' ').starts_with(':') {
            break;
        }
        offset = offset.or(known);
        rest = &after[len..];
    }
    (offset, rest)
}

/// Seconds east of UTC of the zone names that mean one thing.
fn zone_offset(name: &str) -> Option<i32> {
    let hours = match name {
        "UTC" | "GMT" | "WET" | "Z" => 0,
        "CET" | "WEST" => 1,
        "CEST" | "EET" => 2,
        "EEST" | "MSK" => 3,
        "ICT" | "WIB" => 7,
        "SGT" | "HKT" | "AWST" => 8,
        "JST" | "KST" => 9,
        "AEST" => 10,
        "AEDT" => 11,
        "NZST" => 12,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => return None,
    };
    Some(hours * 3600)
}

/// `2y10w`, `1w2d`, `3d05h`, `00:00:46`.
fn is_uptime(word: &str) -> bool {
    let b = word.as_bytes();
    let units = b.len() >= 2
        && b[0].is_ascii_digit()
        && b.iter().all(|b| b.is_ascii_digit() || matches!(b, b'y' | b'w' | b'd' | b'h' | b'm' | b's'));
    let clock = b.len() >= 7 && b.contains(&b':') && b.iter().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
    (units && !b.iter().all(u8::is_ascii_digit)) || clock
}

/// `VDC-1` between `%$` marks (NX-OS).
fn is_virtual_context(word: &str) -> bool {
    word.strip_prefix("VDC-").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Option<String> {
        let raw = RawRecord::new(text.as_bytes(), text, crate::testing::RECEIVED, chrono_tz::Tz::UTC);
        let head = head(raw, &text[..marker(text)?])?;
        let time = head.stamp.map(|stamp| crate::render::time(stamp.resolve(raw)));
        Some(format!("{:?} {:?} {:?} {:?} {:?}", time.unwrap_or_default(), head.host, head.program, head.pid, head.sequence))
    }

    #[test]
    fn heads() {
        for (text, expected) in [
            ("352: gw: Aug  3 08:04:47.140: %SEC-6-X: m", r#""2026-08-03T08:04:47.140Z" Some("gw") None None Some("352")"#),
            ("742: GW: 007438: 2y10w: %SYS-6-L: m", r#""" Some("GW") None None Some("007438")"#),
            (
                "Mar 24 18:06:03 192.0.2.1 19: *Mar 24 18:06:04 PDT: %SEC_LOGIN-5-X: m",
                r#""2026-03-25T01:06:04Z" Some("192.0.2.1") None None Some("19")"#,
            ),
            (
                "1:Jan 15 10:20:30: nfsvr[317]: %MGBL-NETFLOW-6-I : m",
                r#""2026-01-15T10:20:30Z" None Some("nfsvr") Some("317") Some("1")"#,
            ),
            (
                "ap: *spamApTask1: Jan 15 10:20:30.123: %CAPWAP-4-D: m",
                r#""2026-01-15T10:20:30.123Z" Some("ap") Some("spamApTask1") None None"#,
            ),
            (
                "ap: *A B Process: Jan 15 10:20:30: %SISF-6-X: m",
                r#""2026-01-15T10:20:30Z" Some("ap") Some("A B Process") None None"#,
            ),
            ("Jan 15 2026 10:20:30.123 UTC UTC : %UC_AUDIT-5-A: m", r#""2026-01-15T10:20:30.123Z" None None None None"#),
            (": 2026 Nov 23 10:00:00 ICT: %ETHPORT-5-IF: m", r#""2026-11-23T03:00:00Z" None None None None"#),
            (
                "RP/0/RSP0/CPU0:Nov 23 10:00:00.1 : ifmgr[246]: %PKT-3-A : m",
                r#""2026-11-23T10:00:00.100Z" None Some("ifmgr") Some("246") None"#,
            ),
            ("Nov 23 2026 10:00:00+07:00 USG %%01SSH/4/F(l)[1]:m", r#""2026-11-23T03:00:00Z" Some("USG") None None None"#),
            ("Nov 23 10:00:00:250 2026 H3C %%10SHELL/5/S: m", r#""2026-11-23T10:00:00.250Z" Some("H3C") None None None"#),
            ("Nov 23 2026 10:00:00 asa : %ASA-6-302013: m", r#""2026-11-23T10:00:00Z" Some("asa") None None None"#),
        ] {
            assert_eq!(opened(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["load is 5 %: fine", "some words here %ASA-6-1: m", "100%-5-x", "%", "%A", "é%ASA-6-302013: x"] {
            assert_eq!(opened(text), None, "{text}");
        }
    }
}
