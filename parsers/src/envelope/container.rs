//! What container runtimes and the journal write around a line: CRI (`… stdout F …`), Docker's json-file driver, journald's
//! export format and its JSON, GELF.
//!
//! References: Kubernetes CRI logging format; Docker json-file driver; systemd "Journal Export Formats" and "Journal JSON
//! Format"; Graylog Extended Log Format 1.1.
//!
//! The message inside is handed on: it may be of any format. Fields without an ECS name keep their own under `container.`,
//! `journald.` and `gelf.`.

use event::{Event, Field, RawRecord, Value, field, severity::SYSLOG_FACILITIES, severity::SYSLOG_SEVERITIES};

use super::Envelope;
use crate::{
    ecs,
    json::{self, Leaf},
    text, time,
};

/// Fields of one journal record that are looked at.
const JOURNAL_FIELDS_MAX: usize = 256;

/// Opens one of these envelopes, told by the first bytes.
pub fn open<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let text = raw.text();
    match text.as_bytes().first()? {
        b'0'..=b'9' => cri(raw, event),
        b'{' => json_object(raw, event),
        b'_' | b'M' | b'P' | b'S' | b'C' if is_journal_export(text) => Some(journal_export(raw, event)),
        _ => None,
    }
}

/// `2026-11-23T10:00:00.123456789+07:00 stdout F message`; `P` marks a part of a longer line.
fn cri<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let text = raw.text();
    let b = text.as_bytes();
    if b.len() < 30 || b[4] != b'-' || b[10] != b'T' {
        return None;
    }
    let (stamp, rest) = time::iso(text)?;
    let (stream, rest) = text::word(rest.strip_prefix(' ')?);
    if !matches!(stream, "stdout" | "stderr") {
        return None;
    }
    let (tag, payload) = text::word(rest);
    let is_partial = match tag.split(':').next() {
        Some("F") => false,
        Some("P") => true,
        _ => return None,
    };
    event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
    event.set_extra("container.", "stream", stream);
    if is_partial {
        event.set_extra("container.", "partial", true);
    }
    Some(Envelope { payload, program: None, is_some: true })
}

fn json_object<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let b = raw.text().as_bytes();
    let has = |word: &[u8]| crate::text::find(b, word).is_some();
    if b.starts_with(b"{\"log\":\"") && has(b"\"stream\":\"std") && has(b"\"time\":\"") {
        return docker(raw, event);
    }
    if has(b"\"__REALTIME_TIMESTAMP\"") || has(b"\"_SOURCE_REALTIME_TIMESTAMP\"") {
        return journal_json(raw, event);
    }
    if has(b"\"short_message\"") && has(b"\"host\"") {
        return gelf(raw, event);
    }
    None
}

/// `{"log":"message\n","stream":"stdout","time":"…"}`.
fn docker<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let mut log = None;
    let mark = event.mark();
    let read = json::flatten(event.arena(), raw.text(), &mut |name, leaf| match name {
        "log" => log = Some(leaf.text().trim_end_matches(['\n', '\r'])),
        "time" => {
            if let Some((stamp, _)) = time::iso(leaf.text()) {
                event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
            }
        }
        _ if name.len() <= ecs::NAME_BYTES_MAX => event.set_extra("container.", name, leaf.text()),
        _ => {}
    });
    finish(read.is_ok(), log, None, mark, event)
}

/// Graylog Extended Log Format: the message, its host, time and level; additional fields begin with `_`.
fn gelf<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let (mut short, mut full, mut program) = (None, None, None);
    let mark = event.mark();
    let read = json::flatten(event.arena(), raw.text(), &mut |name, leaf| {
        let value = leaf.text();
        match name {
            "short_message" => short = Some(value),
            "full_message" => full = Some(value).filter(|value| !value.is_empty()),
            "host" => ecs::host(event, value),
            "timestamp" => match time::epoch(value) {
                Some(time) => event.set(field::TIMESTAMP, Value::Time(time)),
                None => event.problem("a time could not be read"),
            },
            "level" => severity(event, value),
            "version" => {}
            "_application_name" | "_program" | "_ident" => program = Some(value),
            _ if name.len() > ecs::NAME_BYTES_MAX => event.problem("a field whose name is too long was left out"),
            _ => {
                let name = name.strip_prefix('_').unwrap_or(name);
                if !name.is_empty() {
                    event.set_extra("gelf.", name, beside(leaf));
                }
            }
        }
    });
    // A short message is the first line of a full one.
    finish(read.is_ok(), full.or(short), program, mark, event)
}

fn beside(leaf: Leaf<'_>) -> Value<'_> {
    match leaf {
        Leaf::Bool(flag) => Value::Bool(flag),
        other => Value::Str(other.text()),
    }
}

fn finish<'r>(
    is_read: bool,
    payload: Option<&'r str>,
    program: Option<&'r str>,
    mark: event::Mark,
    event: &mut Event<'r>,
) -> Option<Envelope<'r>> {
    let Some(payload) = payload.filter(|_| is_read) else {
        event.rewind(mark);
        return None;
    };
    let program = program.filter(|program| !program.is_empty());
    if let Some(program) = program {
        event.set(field::LOG_SYSLOG_APPNAME, program);
        event.set(field::PROCESS_NAME, text::file_name(program));
    }
    Some(Envelope { payload, program, is_some: true })
}

fn journal_json<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Option<Envelope<'r>> {
    let mut journal = Journal::default();
    let mark = event.mark();
    let read = json::flatten(event.arena(), raw.text(), &mut |name, leaf| journal.set(event, name, leaf.text()));
    finish(read.is_ok(), journal.message, journal.program(), mark, event).inspect(|_| journal.finish(event))
}

fn is_journal_export(text: &str) -> bool {
    text.starts_with("__CURSOR=")
        || ((text.starts_with("__REALTIME_TIMESTAMP=") || text.starts_with("_") || text.starts_with("MESSAGE="))
            && crate::text::find(text.as_bytes(), b"\n__REALTIME_TIMESTAMP=").is_some())
}

/// `NAME=value` lines; a value with line ends is `NAME`, a line end, its length in eight bytes and the bytes.
fn journal_export<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Envelope<'r> {
    let mut journal = Journal::default();
    let mut rest = raw.text();
    for _ in 0..JOURNAL_FIELDS_MAX {
        if rest.is_empty() {
            break;
        }
        let (line, after) = text::split(rest, b'\n').unwrap_or((rest, ""));
        rest = after;
        if let Some((name, value)) = text::split(line, b'=') {
            journal.set(event, name, value);
        } else if let Some((value, after)) = sized(rest) {
            journal.set(event, line, value);
            rest = after.strip_prefix('\n').unwrap_or(after);
        } else if !line.is_empty() {
            event.problem("a field of the journal record is cut");
        }
    }
    journal.finish(event);
    let program = journal.program();
    if let Some(program) = program {
        event.set(field::LOG_SYSLOG_APPNAME, program);
        event.set(field::PROCESS_NAME, text::file_name(program));
    }
    Envelope { payload: journal.message.unwrap_or(""), program, is_some: true }
}

/// A little-endian length in eight bytes and as many bytes; `None` when they are not there.
fn sized(text: &str) -> Option<(&str, &str)> {
    let length: [u8; 8] = text.as_bytes().get(..8)?.try_into().ok()?;
    let end = usize::try_from(u64::from_le_bytes(length)).ok()?.checked_add(8)?;
    Some((text.get(8..end)?, text.get(end..)?))
}

/// What several fields of a journal record decide together.
#[derive(Default)]
struct Journal<'r> {
    message: Option<&'r str>,
    identifier: Option<&'r str>,
    command: Option<&'r str>,
    realtime: Option<&'r str>,
    source_realtime: Option<&'r str>,
    pid: Option<&'r str>,
    syslog_pid: Option<&'r str>,
}

impl<'r> Journal<'r> {
    fn set(&mut self, event: &mut Event<'r>, name: &'r str, value: &'r str) {
        let text = |event: &mut Event<'r>, field: Field| event.set_present(field, value);
        match name {
            "MESSAGE" => self.message = Some(value),
            "SYSLOG_IDENTIFIER" => self.identifier = Some(value),
            "_COMM" => self.command = Some(value),
            "__REALTIME_TIMESTAMP" => self.realtime = Some(value),
            "_SOURCE_REALTIME_TIMESTAMP" => self.source_realtime = Some(value),
            "_PID" => self.pid = Some(value),
            "SYSLOG_PID" => self.syslog_pid = Some(value),
            "_HOSTNAME" => ecs::host(event, value),
            "PRIORITY" => severity(event, value),
            "SYSLOG_FACILITY" => {
                if let Some((code, name)) = value.parse().ok().and_then(|n: usize| Some((n as i64, SYSLOG_FACILITIES.get(n)?))) {
                    event.set(field::LOG_SYSLOG_FACILITY_CODE, code);
                    event.set(field::LOG_SYSLOG_FACILITY_NAME, *name);
                }
            }
            "_EXE" => text(event, field::PROCESS_EXECUTABLE),
            "_CMDLINE" => text(event, field::PROCESS_COMMAND_LINE),
            "_UID" => event.set_extra("journald.", "uid", value),
            "_GID" => event.set_extra("journald.", "gid", value),
            "_SYSTEMD_UNIT" => text(event, field::SERVICE_NAME),
            "__CURSOR"
            | "__MONOTONIC_TIMESTAMP"
            | "__SEQNUM"
            | "__SEQNUM_ID"
            | "_SOURCE_MONOTONIC_TIMESTAMP"
            | "SYSLOG_TIMESTAMP" => {}
            _ if name.is_empty() || name.len() > ecs::NAME_BYTES_MAX => {}
            _ => event.set_extra("journald.", name, value),
        }
    }

    fn program(&self) -> Option<&'r str> {
        self.identifier.or(self.command).filter(|program| !program.is_empty())
    }

    fn finish(&self, event: &mut Event<'r>) {
        if let Some(time) = self.source_realtime.or(self.realtime).and_then(time::epoch) {
            event.set(field::TIMESTAMP, Value::Time(time));
        }
        if let Some(pid) = self.pid.or(self.syslog_pid) {
            event.set(field::LOG_SYSLOG_PROCID, pid);
            event.set_int(field::PROCESS_PID, pid);
        }
    }
}

/// A syslog severity as a number.
fn severity(event: &mut Event<'_>, value: &str) {
    if let Some((code, name)) = value.parse().ok().and_then(|n: usize| Some((n as i64, SYSLOG_SEVERITIES.get(n)?))) {
        event.set(field::LOG_SYSLOG_SEVERITY_CODE, code);
        event.set(field::LOG_SYSLOG_SEVERITY_NAME, *name);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check_line;

    #[test]
    fn the_line_inside_is_read() {
        check_line(
            "2026-11-23T10:00:00.123456789+07:00 stdout F 192.0.2.1 - - [23/Nov/2026:10:00:01 +0700] \"GET / HTTP/1.1\" 200 5",
            expect![[
                r#"{"chieng.parser":"apache_access","@timestamp":"2026-11-23T03:00:01Z","container.stream":"stdout","event.category":["web"],"event.dataset":"apache.access","event.kind":"event","event.outcome":"success","event.type":["access"],"http.request.method":"GET","http.response.body.bytes":5,"http.response.status_code":200,"http.version":"1.1","observer.product":"HTTP Server","observer.type":"server","observer.vendor":"Apache","process.name":"apache2","related.ip":["192.0.2.1"],"source.ip":"192.0.2.1","url.original":"/","url.path":"/"}"#
            ]],
        );
        check_line(
            r#"{"log":"<34>Nov 23 10:00:00 web1 app[7]: hello\n","stream":"stderr","time":"2026-11-23T10:00:00.5Z"}"#,
            expect![[
                r#"{"chieng.parser":"syslog","@timestamp":"2026-11-23T03:00:00Z","container.stream":"stderr","event.dataset":"syslog","event.kind":"event","event.timezone":"Asia/Ho_Chi_Minh","host.name":"web1","log.syslog.appname":"app","log.syslog.facility.code":4,"log.syslog.facility.name":"auth","log.syslog.hostname":"web1","log.syslog.priority":34,"log.syslog.procid":"7","log.syslog.severity.code":2,"log.syslog.severity.name":"critical","message":"hello","process.name":"app","process.pid":7,"related.hosts":["web1"]}"#
            ]],
        );
        check_line(
            r#"{"version":"1.1","host":"web1","short_message":"hello","level":4,"timestamp":1795402800.25,"_user":"lan"}"#,
            expect![[
                r#"{"chieng.parser":"syslog","@timestamp":"2026-11-23T03:00:00.250Z","event.dataset":"syslog","event.kind":"event","gelf.user":"lan","host.name":"web1","log.syslog.severity.code":4,"log.syslog.severity.name":"warning","message":"hello","related.hosts":["web1"]}"#
            ]],
        );
        check_line(
            "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795402800250001\n_HOSTNAME=db1\nSYSLOG_IDENTIFIER=app\n_PID=7\nPRIORITY=6\nMESSAGE\n\x05\0\0\0\0\0\0\0two\nx\n",
            expect![[
                r#"{"chieng.parser":"syslog","@timestamp":"2026-11-23T03:00:00.250001Z","event.dataset":"syslog","event.kind":"event","host.name":"db1","log.syslog.appname":"app","log.syslog.procid":"7","log.syslog.severity.code":6,"log.syslog.severity.name":"informational","message":"two\nx","process.name":"app","process.pid":7,"related.hosts":["db1"]}"#
            ]],
        );
        check_line(
            r#"{"__REALTIME_TIMESTAMP":"1795402800250001","MESSAGE":"hello","_COMM":"app","_HOSTNAME":"db1"}"#,
            expect![[
                r#"{"chieng.parser":"syslog","@timestamp":"2026-11-23T03:00:00.250001Z","event.dataset":"syslog","event.kind":"event","host.name":"db1","log.syslog.appname":"app","message":"hello","process.name":"app","related.hosts":["db1"]}"#
            ]],
        );
    }
}
