//! Apache Tomcat's own log (catalina, localhost, manager): `23-Nov-2026 10:00:00.123 SEVERE [main] class.method message`.
//!
//! Reference: Tomcat documentation, "Logging in Tomcat" (`OneLineFormatter` of JULI). Its access log is the common format, read by
//! [`super::apache_access`].

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, stamps, text};

pub struct Tomcat;

impl Parser for Tomcat {
    fn name(&self) -> &'static str {
        "tomcat"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["tomcat", "catalina", "tomcat9", "tomcat8", "tomcat10"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(head) = head(raw) else { return Outcome::Unreadable("no Tomcat line") };
        event.set_dataset("tomcat.log");
        event.set(field::TIMESTAMP, Value::Time(head.stamp));
        let is_error = matches!(head.level, "SEVERE" | "WARNING");
        ecs::classify(event, &["web"], if is_error { &["error"] } else { &["info"] });
        crate::linux::software(event, "Apache", "Tomcat", "tomcat");
        event.set(field::LOG_LEVEL, text::lower(event, head.level));
        event.set_extra("tomcat.", "thread", head.thread);
        event.set_extra("tomcat.", "logger", head.logger);
        event.set_present(field::MESSAGE, head.message);
        facts::read(event, head.message.lines().next().unwrap_or_default());
        Outcome::Parsed
    }
}

struct Head<'r> {
    stamp: i64,
    level: &'r str,
    thread: &'r str,
    logger: &'r str,
    message: &'r str,
}

fn head(raw: RawRecord<'_>) -> Option<Head<'_>> {
    let line = raw.text();
    if line.as_bytes().get(2) != Some(&b'-') {
        return None;
    }
    let (stamp, rest) = stamps::day_first(line, raw)?;
    let (level, rest) = text::word(rest.strip_prefix(' ')?);
    if !matches!(level, "SEVERE" | "WARNING" | "INFO" | "CONFIG" | "FINE" | "FINER" | "FINEST") {
        return None;
    }
    let (thread, rest) = rest.strip_prefix('[')?.split_once("] ")?;
    let (logger, message) = text::word(rest);
    Some(Head { stamp: stamp.resolve(raw), level, thread, logger, message })
}
