//! RFC 5424: `<PRI>1 TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA MSG`.
//!
//! Accepted beside the standard: a BSD stamp in place of the ISO one, missing structured data, several blanks, a byte order
//! mark before the message. Structured data becomes `log.syslog.structured_data.<id>.<name>`.

use event::{Event, RawRecord, field};
use nom::{
    IResult, Parser,
    bytes::complete::{tag, take_while1},
    character::complete::char,
    sequence::terminated,
};

use super::Envelope;
use crate::{ecs, text, time};

const STRUCTURED_DATA: &str = "log.syslog.structured_data.";

/// Opens the header after PRI; `None` when the text does not start with a version.
pub fn open<'r>(raw: RawRecord<'r>, rest: &'r str, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let (rest, version) = version(rest).ok()?;
    let rest = stamp(raw, rest, event)?;
    event.set(field::LOG_SYSLOG_VERSION, version);
    let (host, rest) = text::word(rest);
    let (program, rest) = text::word(rest);
    let (procid, rest) = text::word(rest);
    let (msgid, rest) = text::word(rest);
    if host != "-" {
        event.set_present(field::LOG_SYSLOG_HOSTNAME, host);
        ecs::host(event, host);
    }
    if program != "-" && !program.is_empty() {
        event.set(field::LOG_SYSLOG_APPNAME, program);
        event.set(field::PROCESS_NAME, program);
    }
    if procid != "-" && !procid.is_empty() {
        event.set(field::LOG_SYSLOG_PROCID, procid);
        event.set_int(field::PROCESS_PID, procid);
    }
    event.set_present(field::LOG_SYSLOG_MSGID, msgid);
    let payload = structured_data(rest, event);
    let payload = payload.strip_prefix(' ').unwrap_or(payload);
    let payload = payload.strip_prefix('\u{feff}').unwrap_or(payload);
    Some(Envelope { payload, program: (program != "-").then_some(program), is_some: true })
}

fn version(input: &str) -> IResult<&str, &str> {
    terminated(nom::combinator::verify(take_while1(|c: char| c.is_ascii_digit()), |digits: &str| digits.len() <= 2), char(' '))
        .parse(input)
}

fn stamp<'r>(raw: RawRecord<'r>, rest: &'r str, event: &mut Event<'r>) -> Option<&'r str> {
    let rest = rest.trim_start_matches(' ');
    if let Some(rest) = rest.strip_prefix("- ") {
        return Some(rest);
    }
    let (stamp, rest) = time::iso(rest).or_else(|| time::bsd(rest, raw))?;
    event.set(field::TIMESTAMP, event::Value::Time(stamp.resolve(raw)));
    Some(rest.trim_start_matches(' '))
}

/// Reads the structured data; returns what follows it.
fn structured_data<'r>(text: &'r str, event: &mut Event<'r>) -> &'r str {
    if let Some(rest) = text.strip_prefix('-')
        && (rest.is_empty() || rest.starts_with(' '))
    {
        return rest;
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
    take_while1(|c: char| !matches!(c, ' ' | ']' | '"' | '='))(rest)
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
