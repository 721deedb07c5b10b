//! Redis (and Valkey, KeyDB, Sentinel) server log: `812:M 23 Nov 2026 10:00:00.123 * message`.
//!
//! Reference: Redis source, `serverLogRaw` (pid, role, time, level mark); releases 1 to 8. The marks are `.` debug, `-` verbose,
//! `*` notice, `#` warning; roles are M master, S replica, C child, X sentinel.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, pattern::Table, stamps, text};

pub struct Redis;

impl Parser for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["redis", "redis-server", "redis-sentinel", "valkey-server", "keydb-server"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw).is_some_and(|head| head.stamp.is_some()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(head) = head(raw) else {
            return Outcome::Unreadable("no Redis line");
        };
        if let Some(micros) = head.stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        event.set_dataset("redis.log");
        ecs::classify(event, &["database"], &["info"]);
        crate::linux::software(event, "Redis", "Redis", "redis-server");
        event.set_int(field::PROCESS_PID, head.pid);
        if !head.role.is_empty() {
            event.set_extra("redis.log.", "role", role(head.role));
        }
        event.set(field::LOG_LEVEL, head.level);
        event.set_present(field::MESSAGE, head.message);
        if !MESSAGES.read(event, head.message) && head.message.contains("onnection") {
            facts::read(event, head.message);
        }
        Outcome::Parsed
    }
}

struct Head<'r> {
    pid: &'r str,
    role: &'r str,
    stamp: Option<i64>,
    level: &'static str,
    message: &'r str,
}

fn head(raw: RawRecord<'_>) -> Option<Head<'_>> {
    let line = raw.text();
    let first = *line.as_bytes().first()?;
    if !(first.is_ascii_digit() || first == b'[') {
        return marked(line, "", "", None);
    }
    let (pid, role, rest) = match line.strip_prefix('[').and_then(|inside| text::split(inside, b']')) {
        Some((pid, rest)) if pid.bytes().all(|b| b.is_ascii_digit()) => (pid, "", rest.strip_prefix(' ')?),
        Some(_) => return None,
        None => {
            let (pid, rest) = text::digits(line);
            match rest.strip_prefix(':') {
                Some(rest) => (pid, rest.get(..1)?, rest.get(1..)?.strip_prefix(' ')?),
                None => ("", "", line),
            }
        }
    };
    if !matches!(role, "" | "M" | "S" | "C" | "X") {
        return None;
    }
    let (stamp, rest) = stamps::day_first(rest, raw)?;
    marked(rest.strip_prefix(' ')?, pid, role, Some(stamp.resolve(raw)))
}

fn marked<'r>(text: &'r str, pid: &'r str, role: &'r str, stamp: Option<i64>) -> Option<Head<'r>> {
    let (mark, message) = text.split_once(' ').unwrap_or((text, ""));
    let level = match mark {
        "." => "debug",
        "-" => "verbose",
        "*" => "notice",
        "#" => "warning",
        _ => return None,
    };
    Some(Head { pid, role, stamp, level, message })
}

fn role(letter: &str) -> &'static str {
    match letter {
        "M" => "master",
        "S" => "slave",
        "C" => "child",
        _ => "sentinel",
    }
}

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "redis.log.",
        &[
            ("Accepted {src>}:{source.port}", "connection_accepted", "network", "connection start", "success"),
            (
                "Possible SECURITY ATTACK detected.{*}Connection from {src>}:{source.port} aborted.",
                "cross_protocol_attack",
                "intrusion_detection",
                "denied",
                "failure: cross protocol scripting",
            ),
            (
                "-DENIED Redis is running in protected mode{*}",
                "connection_denied",
                "network",
                "denied",
                "failure: protected mode",
            ),
            ("Synchronization with replica {dst>}:{destination.port} succeeded", "replica_synchronised", "", "", "success"),
            ("Replica {dst>}:{destination.port} asks for synchronization", "replica_asks", "", "", ""),
            ("Connecting to MASTER {dst>}:{destination.port}", "connecting_to_master", "", "", ""),
            ("User requested shutdown...", "shutdown", "", "end", ""),
            ("Server started, Redis version {observer.version}", "started", "", "start", ""),
        ],
    )
});
