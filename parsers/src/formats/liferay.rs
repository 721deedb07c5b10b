//! Liferay Portal and DXP: `2026-11-23 10:00:00.123 INFO  [http-nio-8080-exec-3][LoginAction:72] message`.
//!
//! Reference: Liferay, `portal-log4j-ext.xml` (`%d{yyyy-MM-dd HH:mm:ss.SSS} %-5p [%t][%c{1}:%L] %m%n`; before 7.1 `%d{ABSOLUTE}`, a
//! time without a date). Traces of the stack and other lines below the first are part of the record's message.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, text, time};

const PREFIX: &str = "liferay.";

pub struct Liferay;

impl Parser for Liferay {
    fn name(&self) -> &'static str {
        "liferay"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(head) = head(raw) else { return Outcome::Unreadable("no line of Liferay") };
        event.set_dataset("liferay.log");
        if let Some(stamp) = head.stamp {
            event.set(field::TIMESTAMP, Value::Time(stamp));
        }
        let is_error = matches!(head.level, "ERROR" | "FATAL" | "WARN");
        ecs::classify(event, &["web"], if is_error { &["error"] } else { &["info"] });
        crate::linux::software(event, "Liferay", "Liferay Portal", "liferay");
        event.set(field::LOG_LEVEL, text::lower(event, head.level));
        event.set_extra(PREFIX, "thread", head.thread);
        event.set_extra(PREFIX, "logger", head.logger);
        event.set_extra(PREFIX, "line", Value::Int(head.line));
        event.set_present(field::MESSAGE, head.message);
        facts::read(event, head.message.lines().next().unwrap_or_default());
        Outcome::Parsed
    }
}

struct Head<'r> {
    /// `None` where the line has a time of day only: then the record's time of receipt stands.
    stamp: Option<i64>,
    level: &'r str,
    thread: &'r str,
    logger: &'r str,
    line: i64,
    message: &'r str,
}

fn head(raw: RawRecord<'_>) -> Option<Head<'_>> {
    let text = raw.text();
    let b = text.as_bytes();
    let is_clock = |at: usize| b.get(at + 2) == Some(&b':') && b.get(at + 5) == Some(&b':');
    let (stamp, rest) = if b.get(4) == Some(&b'-') && is_clock(11) {
        let (stamp, rest) = time::iso(text)?;
        (Some(stamp.resolve(raw)), rest)
    } else if is_clock(0) && matches!(b.get(8), Some(b',' | b'.')) && b.get(12) == Some(&b' ') {
        (None, text.get(12..)?)
    } else {
        return None;
    };
    let (level, rest) = text::word(rest.strip_prefix(' ')?);
    if !matches!(level, "FATAL" | "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE") {
        return None;
    }
    let (thread, rest) = rest.trim_start_matches(' ').strip_prefix('[')?.split_once("][")?;
    let (place, message) = rest.split_once("] ")?;
    let (logger, line) = place.rsplit_once(':')?;
    let is_name =
        !logger.is_empty() && logger.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.' | b'-'));
    let line = line.parse().ok().filter(|_| is_name && thread.len() <= 128 && !thread.contains('\n'))?;
    Some(Head { stamp, level, thread, logger, line, message })
}
