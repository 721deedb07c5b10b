//! Lines that an application writes to a log of its own: a stamp, perhaps a level, a logger, a process, then a sentence.
//!
//! No vendor's document: the common ground of log4j, logback, java.util.logging, Python's logging, Monolog, glog, Serilog and
//! daemons with a log file. Taken only when no other format claims the line. What the sentence says about peers and accounts is
//! read by [`facts`].

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, facts, stamps, text, time};

pub struct AppLog;

impl Parser for AppLog {
    fn name(&self) -> &'static str {
        "applog"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let line = raw.text();
        Sniff::maybe_if(stamps::leading(line, raw).is_some() || leveled(line).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = raw.text();
        let outer = match event.get(field::TIMESTAMP) {
            Some(Value::Time(micros)) => Some(micros),
            _ => None,
        };
        let rest = match (stamps::leading(line, raw), leveled(line)) {
            (Some((micros, rest)), _) => {
                // Behind an envelope its stamp stands: the sender's clock and zone are known, the application's are not. It is
                // taken where it only adds the fraction of the same second.
                if outer.is_none_or(|outer| (outer..outer + time::SECOND).contains(&micros)) {
                    event.set(field::TIMESTAMP, Value::Time(micros));
                }
                rest
            }
            (None, Some((level, rest))) => {
                event.set(field::LOG_LEVEL, text::lower(event, level));
                // Many write the level first, the stamp behind it.
                match stamps::leading(rest, raw) {
                    Some((micros, rest)) => {
                        event.set(field::TIMESTAMP, Value::Time(micros));
                        rest
                    }
                    None => rest,
                }
            }
            (None, None) => return Outcome::Unreadable("no stamp"),
        };
        event.set_dataset("applog");
        event.set(field::EVENT_KIND, "event");
        let message = head(event, rest.trim_start_matches([' ', ',', '|', '-', '\t', ':', ']']));
        event.set_present(field::MESSAGE, message);
        request(event, message);
        facts::read(event, message);
        if !event.has(field::EVENT_TYPE) {
            let is_error =
                matches!(event.text(field::LOG_LEVEL), Some("error" | "err" | "fatal" | "critical" | "crit" | "severe"));
            event.set(field::EVENT_TYPE, if is_error { "error" } else { "info" });
        }
        Outcome::Parsed
    }
}

/// `… "POST /login HTTP/1.1" 401 …` anywhere in the sentence.
fn request<'r>(event: &mut Event<'r>, message: &'r str) {
    const METHODS: [&str; 8] = ["GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT "];
    let found = memchr::memchr_iter(b'"', message.as_bytes())
        .take(64)
        .find(|at| METHODS.iter().any(|method| message[at + 1..].starts_with(method)));
    let Some((request, rest)) = found.and_then(|at| crate::web::quoted(&message[at..])) else { return };
    if !request.contains(" HTTP/") {
        return;
    }
    crate::web::request(event, request);
    let status = text::word(rest.trim_start()).0;
    if status.len() == 3 && event.set_int(field::HTTP_RESPONSE_STATUS_CODE, status) {
        event.set(field::EVENT_CATEGORY, "web");
        event.set(field::EVENT_TYPE, "access");
    }
}

/// `ERROR: …`, `[WARN] …`, `INFO 2026-…`, `WARN|…` at the start of a line.
fn leveled(line: &str) -> Option<(&str, &str)> {
    // Ruby's logger: `W, [2026-11-23T10:00:00.245316 #1]  WARN -- : …`.
    if let Some((letter, rest)) = line.split_once(", [") {
        let level = match letter {
            "D" => "debug",
            "I" => "info",
            "W" => "warn",
            "E" => "error",
            "F" => "fatal",
            _ => "",
        };
        if !level.is_empty() {
            return Some((level, rest));
        }
    }
    let (inner, is_bracketed) = match line.strip_prefix('[') {
        Some(inner) => (inner, true),
        None => (line, false),
    };
    let len = inner.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, rest) = inner.split_at(len);
    // Outside brackets a word in lower case may begin any sentence.
    let is =
        len >= 4 && is_level(word) && (is_bracketed && rest.starts_with(']') || word.bytes().all(|b| b.is_ascii_uppercase()));
    (is && rest.starts_with([':', ']', ' ', '|', '\t'])).then(|| (word, rest.trim_start_matches([':', ']', ' ', '|', '\t', '-'])))
}

/// Takes level, logger and process off the front, in any order, and returns the sentence.
fn head<'r>(event: &mut Event<'r>, line: &'r str) -> &'r str {
    let mut rest = line;
    for _ in 0..6 {
        let (part, after, is_bracketed) = match rest.as_bytes().first() {
            Some(b'[') => match text::split(&rest[1..], b']') {
                Some((inside, after)) if inside.len() <= 128 => (inside, after, true),
                _ => return rest,
            },
            _ => {
                let end = rest.find([' ', '\t', '|']).unwrap_or(rest.len());
                (&rest[..end], &rest[end..], false)
            }
        };
        let word = part.trim().trim_end_matches([':', ',']);
        if is_level(word) || level_of(word).is_some() {
            if !event.has(field::LOG_LEVEL) {
                event.set(field::LOG_LEVEL, text::lower(event, level_of(word).unwrap_or(word)));
            }
        } else if is_bracketed && !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
            event.set_int(field::PROCESS_PID, word);
        } else if is_bracketed && crate::ecs::ip(word).is_some() {
            crate::ecs::source(event, word);
        } else if is_bracketed {
            event.set_extra("applog.", "context", word);
        } else {
            return rest;
        }
        rest = after.trim_start_matches([' ', '\t', '|', ':', '-']);
    }
    rest
}

fn is_level(word: &str) -> bool {
    const LEVELS: [&str; 20] = [
        "TRACE",
        "DEBUG",
        "INFO",
        "NOTICE",
        "WARN",
        "WARNING",
        "ERROR",
        "ERR",
        "CRIT",
        "CRITICAL",
        "ALERT",
        "FATAL",
        "EMERG",
        "EMERGENCY",
        "SEVERE",
        "FINE",
        "FINER",
        "FINEST",
        "INFORMATION",
        "VERBOSE",
    ];
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// Monolog writes `security.ERROR`, others `auth/warning` or `core:error`.
fn level_of(word: &str) -> Option<&str> {
    let (channel, level) = word.rsplit_once(['.', '/', ':'])?;
    (is_level(level) && channel.len() <= 64).then_some(level)
}
