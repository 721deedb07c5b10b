//! Linux audit records, one at a time: audit.log, audisp by syslog, enriched records, kernel messages without a daemon.
//!
//! Reference: Linux audit documentation, "Audit Record Types" and "Audit Event Fields" (linux-audit/audit-documentation),
//! `audit-userspace` for hexadecimal values and the enriched tail behind 0x1d.
//!
//! The records of one event share its number, kept in `auditd.sequence` and `auditd.id`; joining them is not done here.

mod meaning;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    kv::{Pairs, Separator},
    pattern, text, time,
};
use meaning::{MEANINGS, numbered};

const PREFIX: &str = "auditd.";

/// What the kernel writes for "nobody": -1 in 32 bits.
const UNSET: [&str; 3] = ["4294967295", "-1", "unset"];

pub struct Auditd;

impl Parser for Auditd {
    fn name(&self) -> &'static str {
        "auditd"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(head) = head(raw.text()) else {
            return Outcome::Unreadable("no audit record");
        };
        event.set_dataset("auditd.log");
        event.set(field::EVENT_KIND, "event");
        event.set(field::OBSERVER_VENDOR, "Linux");
        event.set(field::OBSERVER_PRODUCT, "auditd");
        event.set(field::OBSERVER_TYPE, "server");
        if let Some(micros) = time::epoch(head.stamp) {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        event.set_int(field::EVENT_SEQUENCE, head.sequence);
        event.set_extra(PREFIX, "sequence", head.sequence);
        event.set_extra(PREFIX, "id", head.id);
        ecs::host(event, head.node);
        let kind = numbered(head.kind).unwrap_or(text::lower(event, head.kind));
        event.set_extra(PREFIX, "type", kind);
        event.set(field::EVENT_CODE, kind);
        event.set(field::MESSAGE, head.body);
        let mut record = Record::default();
        body(event, &mut record, head.body, kind);
        record.finish(event, kind);
        Outcome::Parsed
    }
}

struct Head<'r> {
    node: &'r str,
    kind: &'r str,
    /// `epoch:sequence`.
    id: &'r str,
    stamp: &'r str,
    sequence: &'r str,
    body: &'r str,
}

/// `[node=…] type=KIND msg=audit(epoch:sequence): …`; the kernel writes `type=1400 audit(…): …`.
fn head(line: &str) -> Option<Head<'_>> {
    let line = line.strip_prefix("audit: ").unwrap_or(line);
    let (node, rest) = match line.strip_prefix("node=") {
        Some(rest) => text::word(rest),
        None => ("", line),
    };
    let (kind, rest) = text::word(rest.strip_prefix("type=")?);
    let rest = rest.strip_prefix("msg=").unwrap_or(rest).strip_prefix("audit(")?;
    let (id, body) = text::split(rest, b')')?;
    let (stamp, sequence) = id.split_once(':')?;
    let body = body.strip_prefix(':').unwrap_or(body).trim_start_matches(' ');
    (!stamp.is_empty()).then_some(Head { node, kind, id, stamp, sequence, body })
}

/// What several fields decide together.
#[derive(Default)]
struct Record<'r> {
    uid: &'r str,
    auid: &'r str,
    account: &'r str,
    id: &'r str,
    result: &'r str,
    command: &'r str,
    is_apparmor: bool,
}

fn body<'r>(event: &mut Event<'r>, record: &mut Record<'r>, text: &'r str, kind: &'r str) {
    // The enriched tail (names for numbers) stands behind a group separator.
    let (text, tail) = text.split_once('\u{1d}').unwrap_or((text, ""));
    if let Some((verdict, rest)) = text.strip_prefix("avc:").and_then(|rest| rest.split_once('}')) {
        let (verdict, permissions) = verdict.split_once('{').unwrap_or((verdict, ""));
        record.result = if verdict.trim() == "denied" { "denied" } else { "granted" };
        event.set_extra(PREFIX, "avc.permissions", permissions.trim());
        pairs(event, record, rest, kind);
    } else {
        pairs(event, record, text, kind);
    }
    for pair in Pairs::new(tail, Separator::Blank) {
        let name = text::strip_pair(pair.raw(), '"', '"');
        match pair.key {
            "UID" => ecs::user(event, field::USER_NAME, name),
            "AUID" if name != "unset" => {
                event.set_extra("auditd.user.audit.", "name", name);
                event.set(field::RELATED_USER, name);
            }
            "EUID" => ecs::user(event, field::USER_EFFECTIVE_NAME, name),
            "GID" => event.set(field::GROUP_NAME, name),
            "SYSCALL" => event.set_extra(PREFIX, "syscall_name", name),
            _ => {}
        }
    }
}

fn pairs<'r>(event: &mut Event<'r>, record: &mut Record<'r>, text: &'r str, kind: &'r str) {
    // The inner message of a user-space record: everything to the last quote.
    if let Some((outer, inner)) = text.split_once("msg='") {
        pairs(event, record, outer, kind);
        let inner = inner.rsplit_once('\'').map_or(inner, |(inner, _)| inner);
        // `op=adding group to /etc/group id=1004 …`: the operation may hold blanks.
        if let Some(rest) = inner.strip_prefix("op=").filter(|rest| !rest.starts_with('"')) {
            let end = rest.find('=').map_or(rest.len(), |at| rest[..at].rfind(' ').unwrap_or(at));
            event.set_extra(PREFIX, "op", &rest[..end]);
            return inner_pairs(event, record, &rest[end..], kind);
        }
        return inner_pairs(event, record, inner, kind);
    }
    inner_pairs(event, record, text, kind);
}

fn inner_pairs<'r>(event: &mut Event<'r>, record: &mut Record<'r>, text: &'r str, kind: &'r str) {
    for pair in Pairs::new(text, Separator::Blank) {
        let raw = pair.raw().trim_end_matches(',');
        if raw.is_empty() || matches!(raw, "?" | "(null)" | "(none)") {
            continue;
        }
        let value = if pair.is_quoted() || !may_be_hex(pair.key, kind) { raw } else { unhex(event, raw).unwrap_or(raw) };
        set(event, record, pair.key, value, kind);
    }
}

fn set<'r>(event: &mut Event<'r>, record: &mut Record<'r>, key: &'r str, value: &'r str, kind: &str) {
    let is_unset = UNSET.contains(&value);
    match key {
        "uid" => record.uid = value,
        "auid" | "new auid" => record.auid = if is_unset { record.auid } else { value },
        "acct" => record.account = value,
        "id" => record.id = value,
        "res" | "success" | "result" => record.result = value,
        "pid" => drop(event.set_int(field::PROCESS_PID, value)),
        "ppid" => drop(event.set_int(field::PROCESS_PARENT_PID, value)),
        "comm" => event.set(field::PROCESS_NAME, value),
        "exe" => event.set(field::PROCESS_EXECUTABLE, value),
        "cwd" => event.set(field::PROCESS_WORKING_DIRECTORY, value),
        "proctitle" => {
            let line = spaced(event, value);
            event.set(field::PROCESS_COMMAND_LINE, line);
        }
        "cmd" | "data" if kind == "user_cmd" || kind == "tty" || kind == "user_tty" => record.command = value,
        "terminal" | "tty" => event.set(field::PROCESS_TTY_NAME, value),
        "syscall" if kind == "syscall" => match value {
            "42" | "44" | "46" | "307" => event.set(field::NETWORK_DIRECTION, "egress"),
            "43" | "45" | "47" | "49" | "288" => event.set(field::NETWORK_DIRECTION, "ingress"),
            _ => {}
        },
        "apparmor" => record.is_apparmor = true,
        "addr" => ecs::source(event, value),
        "hostname" if ecs::ip(value).is_none() && !event.has(field::SOURCE_IP) => event.set(field::SOURCE_DOMAIN, value),
        "src" => ecs::source(event, value),
        "dst" => ecs::destination(event, value),
        "laddr" => ecs::destination(event, value),
        "lport" => drop(event.set_int(field::DESTINATION_PORT, value)),
        "rport" => drop(event.set_int(field::SOURCE_PORT, value)),
        "saddr" => socket(event, value),
        "name" if kind == "path" => {
            event.set(field::FILE_PATH, value);
            event.set(field::FILE_NAME, text::file_name(value));
        }
        "path" => event.set(field::FILE_PATH, value),
        "unit" => event.set(field::SERVICE_NAME, value),
        "grp" => event.set(field::GROUP_NAME, value),
        "gid" => event.set(field::GROUP_ID, value),
        "euid" => event.set(field::USER_EFFECTIVE_ID, value),
        "reason" => event.set(field::EVENT_REASON, value),
        "key" | "rule" => event.set(field::RULE_NAME, value.trim_start_matches("key=")),
        _ if kind == "execve" && is_argument(key) => {
            if key == "a0" {
                event.set(field::PROCESS_EXECUTABLE, value);
            }
            event.set(field::PROCESS_ARGS, value);
            event.set_extra("auditd.execve.", key, value);
            return;
        }
        _ => {}
    }
    event.set_extra(PREFIX, key, value);
}

fn is_argument(key: &str) -> bool {
    key.len() > 1 && key.starts_with('a') && key[1..].bytes().all(|b| b.is_ascii_digit() || matches!(b, b'[' | b']'))
}

/// Fields that user space and kernel write in hexadecimal when the text holds blanks or quotes.
fn may_be_hex(key: &str, kind: &str) -> bool {
    match key {
        "exe" | "comm" | "cmd" | "cwd" | "name" | "path" | "proctitle" | "acct" | "data" | "key" | "ocomm" | "watch"
        | "new-name" | "grp" | "old-name" => true,
        _ => kind == "execve" && is_argument(key),
    }
}

/// Decodes hexadecimal text; `None` when it is none, or not UTF-8.
fn unhex<'r>(event: &Event<'r>, value: &str) -> Option<&'r str> {
    let is_hex = value.len() >= 4
        && value.len().is_multiple_of(2)
        && value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F'));
    if !is_hex {
        return None;
    }
    let digit = |b: u8| if b.is_ascii_digit() { b - b'0' } else { b - b'A' + 10 };
    let mut out = bumpalo::collections::Vec::with_capacity_in(value.len() / 2, event.arena());
    out.extend(value.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])));
    std::str::from_utf8(out.into_bump_slice()).ok()
}

/// Arguments are separated by NUL in a process title.
fn spaced<'r>(event: &Event<'r>, value: &'r str) -> &'r str {
    if !value.contains('\0') {
        return value;
    }
    let copy = event.arena().alloc_slice_copy(value.as_bytes());
    copy.iter_mut().filter(|b| **b == 0).for_each(|b| *b = b' ');
    std::str::from_utf8(copy).unwrap_or(value)
}

/// `02000050A9FEA9FE…`: family in the machine's order, then port and address in network order.
fn socket(event: &mut Event<'_>, hex: &str) {
    let byte = |at: usize| hex.get(at * 2..at * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let port = |event: &mut Event<'_>| {
        if let (Some(high), Some(low)) = (byte(2), byte(3)) {
            event.set(field::DESTINATION_PORT, i64::from(high) << 8 | i64::from(low));
        }
    };
    match byte(0) {
        Some(2) => {
            let (Some(a), Some(b), Some(c), Some(d)) = (byte(4), byte(5), byte(6), byte(7)) else { return };
            port(event);
            let address = std::net::IpAddr::from([a, b, c, d]);
            event.set(field::DESTINATION_IP, address);
            event.set(field::RELATED_IP, address);
        }
        Some(10) => {
            let mut octets = [0u8; 16];
            for (at, octet) in octets.iter_mut().enumerate() {
                let Some(read) = byte(8 + at) else { return };
                *octet = read;
            }
            port(event);
            let address = std::net::IpAddr::from(octets).to_canonical();
            event.set(field::DESTINATION_IP, address);
            event.set(field::RELATED_IP, address);
        }
        _ => {}
    }
}

impl<'r> Record<'r> {
    fn finish(&self, event: &mut Event<'r>, kind: &'r str) {
        let kind = if self.is_apparmor { "apparmor_denied" } else { kind };
        match MEANINGS.get(kind) {
            Some(meaning) => {
                event.set(field::EVENT_ACTION, meaning.action);
                pattern::words(event, field::EVENT_CATEGORY, meaning.categories);
                pattern::words(event, field::EVENT_TYPE, meaning.types);
            }
            None => event.set(field::EVENT_ACTION, kind),
        }
        let id = if self.auid.is_empty() { self.uid } else { self.auid };
        if !id.is_empty() && !UNSET.contains(&id) {
            event.set(field::USER_ID, id);
        }
        if !self.account.is_empty() {
            ecs::user(event, field::USER_NAME, self.account);
            ecs::user(event, field::USER_EFFECTIVE_NAME, self.account);
        }
        if !self.id.is_empty() && kind.contains("group") {
            event.set(field::GROUP_ID, self.id);
        } else if !self.id.is_empty() && kind.contains("user") {
            event.set(field::USER_TARGET_ID, self.id);
        }
        if !self.command.is_empty() {
            event.set(field::PROCESS_COMMAND_LINE, self.command);
        }
        match self.result {
            "success" | "yes" | "1" | "granted" => ecs::success(event),
            "failed" | "no" | "0" | "denied" | "failure" => ecs::failure(event),
            _ => {}
        }
    }
}
