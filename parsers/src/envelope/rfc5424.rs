//! RFC 5424: `<PRI>1 TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA MSG`.
//!
//! Accepted beside the standard: a BSD stamp in place of the ISO one, missing structured data, several blanks, a byte order
//! mark before the message, no version, no PRI, seconds since 1970 for the stamp, a message right behind the host. Structured data becomes `log.syslog.structured_data.<id>.<name>`.

use event::{Event, RawRecord, field};
use nom::{
    IResult, Parser,
    bytes::complete::{tag, take_while1},
    character::complete::char,
    sequence::terminated,
};

use super::{Envelope, is_payload};
use crate::{ecs, text, time};

const STRUCTURED_DATA: &str = "log.syslog.structured_data.";

/// Opens the header after PRI; `None` when the text does not start with a version, or, without one, has not the fields of
/// such a header behind an ISO stamp.
pub fn open<'r>(raw: RawRecord<'r>, rest: &'r str, has_pri: bool, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let mut is_epoch = false;
    let (version, stamp, rest) = match version(rest) {
        Ok((after, version)) => {
            is_epoch = starts_with_epoch(after);
            let (stamp, after) = stamp(raw, after.trim_start_matches(' '))?;
            // Without PRI a number before a stamp could be anything: the header must go on as one.
            if !has_pri && !has_fields(text::word(after).1) {
                return None;
            }
            (Some(version), stamp, after)
        }
        Err(_) => {
            let (stamp, after) = time::iso(rest)?;
            let after = after.strip_prefix(' ')?;
            if !has_fields(text::word(after).1) {
                return None;
            }
            (None, Some(stamp.resolve(raw)), after)
        }
    };
    if let Some(stamp) = stamp {
        event.set(field::TIMESTAMP, event::Value::Time(stamp));
    }
    if let Some(version) = version {
        event.set(field::LOG_SYSLOG_VERSION, version);
    }
    let (host, rest) = text::word(rest.trim_start_matches(' '));
    if host != "-" {
        event.set_present(field::LOG_SYSLOG_HOSTNAME, host);
        ecs::host(event, host);
    }
    // Devices that leave out what follows the host; those that write an epoch always do.
    if is_payload(rest) || is_epoch {
        return Some(Envelope { payload: rest, program: None, is_some: true });
    }
    let (program, rest) = text::word(rest);
    let (procid, rest) = text::word(rest);
    let (msgid, rest) = text::word(rest);
    if program != "-" && !program.is_empty() {
        event.set(field::LOG_SYSLOG_APPNAME, program);
        event.set(field::PROCESS_NAME, text::file_name(program));
    }
    if procid != "-" && !procid.is_empty() {
        event.set(field::LOG_SYSLOG_PROCID, procid);
        event.set_int(field::PROCESS_PID, procid);
    }
    event.set_present(field::LOG_SYSLOG_MSGID, msgid);
    // Such a message is the vendor's, whatever program wrote it.
    let program = if is_message(rest) { "-" } else { program };
    let payload = structured_data(rest, event);
    let payload = payload.strip_prefix(' ').unwrap_or(payload);
    let payload = payload.strip_prefix('\u{feff}').unwrap_or(payload);
    Some(Envelope { payload, program: (program != "-").then_some(program), is_some: true })
}

/// Says whether `APP PROCID MSGID SD` stands here: a process number or `-`, then structured data or `-` as the fourth field.
fn has_fields(text: &str) -> bool {
    let mut words = text.splitn(4, ' ');
    let (Some(program), Some(procid), Some(msgid), Some(data)) = (words.next(), words.next(), words.next(), words.next()) else {
        return false;
    };
    !program.is_empty()
        && !program.ends_with(':')
        && (procid == "-" || (!procid.is_empty() && procid.bytes().all(|b| b.is_ascii_digit())))
        && !msgid.is_empty()
        && (data.starts_with('[') || data == "-" || data.starts_with("- "))
}

fn version(input: &str) -> IResult<&str, &str> {
    terminated(nom::combinator::verify(take_while1(|c: char| c.is_ascii_digit()), |digits: &str| digits.len() <= 2), char(' '))
        .parse(input)
}

/// The stamp of the header: ISO, `-` for none, and what devices write in its place: BSD, seconds since 1970 (Meraki).
fn stamp<'r>(raw: RawRecord<'r>, rest: &'r str) -> Option<(Option<event::Micros>, &'r str)> {
    if let Some(rest) = rest.strip_prefix("- ") {
        return Some((None, rest));
    }
    if let Some((stamp, rest)) = time::iso(rest).or_else(|| time::bsd(rest, raw)) {
        return Some((Some(stamp.resolve(raw)), rest.trim_start_matches(' ')));
    }
    if !starts_with_epoch(rest) {
        return None;
    }
    let (word, rest) = text::word(rest);
    Some((Some(time::epoch(word)?), rest))
}

fn starts_with_epoch(text: &str) -> bool {
    text.as_bytes().get(..10).is_some_and(|word| word.iter().all(u8::is_ascii_digit))
}

/// Says whether structured data is the message itself (Junos, and Check Point by its enterprise number): it is left in the
/// payload for the vendor's parser.
fn is_message(text: &str) -> bool {
    let id = text::word(text).0;
    id.starts_with("[junos@") || (id.starts_with('[') && id.contains('@') && id.ends_with("2620"))
}

/// Reads the structured data; returns what follows it.
fn structured_data<'r>(text: &'r str, event: &mut Event<'r>) -> &'r str {
    if let Some(rest) = text.strip_prefix('-')
        && (rest.is_empty() || rest.starts_with(' '))
    {
        return rest;
    }
    if is_message(text) {
        return text;
    }
    let mut rest = text;
    while let Ok((after, id)) = element_start(rest) {
        let mark = event.mark();
        match params(after, id, event) {
            Some(after) => rest = after,
            None => {
                event.rewind(mark);
                event.problem("broken structured data was left in the message");
                return rest;
            }
        }
    }
    rest
}

fn element_start(input: &str) -> IResult<&str, &str> {
    let (rest, _) = tag("[")(input)?;
    // What goes on otherwise is a message in brackets (Check Point: `[action:"Accept"; …]`).
    nom::sequence::terminated(
        take_while1(|c: char| !matches!(c, ' ' | ']' | '"' | '=')),
        nom::combinator::peek(nom::character::complete::one_of(" ]")),
    )
    .parse(rest)
}

/// Reads ` name="value"…]`; values escape `"`, `\` and `]` by a backslash (RFC 5424 §6.3.3).
fn params<'r>(text: &'r str, id: &'r str, event: &mut Event<'r>) -> Option<&'r str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(after) = rest.strip_prefix(']') {
            return Some(after);
        }
        let (name, after) = rest.split_once("=\"")?;
        if name.is_empty() || name.len() > 64 || name.contains([' ', ']']) {
            return None;
        }
        let end = closing_quote(after)?;
        let value = text::unescape(event, &after[..end], |c| matches!(c, '"' | '\\' | ']'));
        let key = text::join(event, id, ".", name);
        event.set_extra(STRUCTURED_DATA, key, value);
        rest = &after[end + 1..];
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &text.as_bytes()[from..])?;
        if text.as_bytes()[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
        if from > text.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check_line;

    #[test]
    fn standard() {
        check_line(
            r#"<165>1 2026-11-23T10:00:00.003Z gw.example evntslog 42 ID47 [ex@32473 iut="3" note="a \"b\" \] \\ c"][other x="1"] ﻿hello"#,
            expect![[
                r#"{"chieng.parser":"syslog","@timestamp":"2026-11-23T10:00:00.003Z","event.dataset":"syslog","event.kind":"event","host.name":"gw.example","log.syslog.appname":"evntslog","log.syslog.facility.code":20,"log.syslog.facility.name":"local4","log.syslog.hostname":"gw.example","log.syslog.msgid":"ID47","log.syslog.priority":165,"log.syslog.procid":"42","log.syslog.severity.code":5,"log.syslog.severity.name":"notice","log.syslog.structured_data.ex@32473.iut":"3","log.syslog.structured_data.ex@32473.note":"a \"b\" ] \\ c","log.syslog.structured_data.other.x":"1","log.syslog.version":"1","message":"hello","process.name":"evntslog","process.pid":42,"related.hosts":["gw.example"]}"#
            ]],
        );
    }
}
