//! nginx error log: `2026/11/23 10:00:00 [error] 812#812: *17 message, client: …, server: …, request: "…", host: "…"`.
//!
//! Reference: nginx documentation, core functionality (`error_log`); the tail of `, key: value` is written by the HTTP and
//! stream modules' log handlers.

use event::{Event, Outcome, RawRecord, Value, field};
use nom::{
    IResult, Parser as _,
    bytes::complete::{tag, take_while1},
    character::complete::{char, digit1},
    combinator::opt,
    sequence::{delimited, terminated},
};

use crate::{Parser, Sniff, ecs, formats::modsecurity, time, web};

const PREFIX: &str = "nginx.error.";

/// Keys of the tail, in the order in which nginx writes them.
const KEYS: [&str; 8] = ["client", "server", "request", "subrequest", "upstream", "host", "referrer", "login"];

pub struct NginxError;

impl Parser for NginxError {
    fn name(&self) -> &'static str {
        "nginx_error"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["nginx", "nginx_error"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let b = raw.text().as_bytes();
        Sniff::yes_if(b.len() > 22 && b[4] == b'/' && b[7] == b'/' && b[20] == b'[' && head(&raw.text()[20..]).is_ok())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        // Through syslog nginx writes the same line, stamp included.
        let (stamp, rest) = match time::iso(raw.text()) {
            Some((stamp, rest)) => (Some(stamp), rest.trim_start_matches(' ')),
            None => (None, raw.text()),
        };
        let Ok((message, head)) = head(rest) else {
            return Outcome::Unreadable("no nginx error line");
        };
        event.set_dataset("nginx.error");
        crate::linux::software(event, "F5", "nginx", "nginx");
        ecs::classify(event, &["web"], &["error"]);
        if let Some(stamp) = stamp {
            event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        }
        event.set(field::LOG_LEVEL, head.level);
        event.set_int(field::PROCESS_PID, head.process);
        event.set_int(field::PROCESS_THREAD_ID, head.thread);
        if let Some(connection) = head.connection {
            event.set_extra(PREFIX, "connection_id", connection);
        }
        tail(event, message);
        if message.starts_with("ModSecurity: ") {
            modsecurity::detail(event, message);
        }
        Outcome::Parsed
    }
}

struct Head<'r> {
    level: &'r str,
    process: &'r str,
    thread: &'r str,
    connection: Option<&'r str>,
}

/// `[level] pid#tid: ` and, for messages about a connection, `*number `.
fn head(input: &str) -> IResult<&str, Head<'_>> {
    let (rest, level) = delimited(char('['), take_while1(|c: char| c.is_ascii_lowercase()), tag("] ")).parse(input)?;
    let (rest, process) = terminated(digit1, char('#')).parse(rest)?;
    let (rest, thread) = terminated(digit1, char(':')).parse(rest)?;
    let (rest, _) = opt(char(' ')).parse(rest)?;
    let (rest, connection) = opt(delimited(char('*'), digit1, char(' '))).parse(rest)?;
    Ok((rest, Head { level, process, thread, connection }))
}

/// Splits off the `, key: value` tail. The text of a request comes from the attacker and may hold `, host: "x"` itself; nginx
/// writes quotes inside it as `\x22`, so values in quotes are read to their quote and cannot be broken out of.
fn tail<'r>(event: &mut Event<'r>, text: &'r str) {
    let Some(start) = crate::text::find(text.as_bytes(), b", client: ").or_else(|| first_key(text)) else {
        event.set_present(field::MESSAGE, text);
        return;
    };
    event.set_present(field::MESSAGE, &text[..start]);
    let mut rest = &text[start..];
    while let Some(pair) = rest.strip_prefix(", ") {
        let Some((key, after)) = pair.split_once(": ") else { break };
        let (value, after) = match web::quoted(after) {
            Some((value, after)) => (value, after),
            None => after.split_at(crate::text::find(after.as_bytes(), b", ").unwrap_or(after.len())),
        };
        set(event, key, value);
        rest = after;
    }
}

/// Messages without a client (timers, upstream checks) begin their tail with another key.
fn first_key(text: &str) -> Option<usize> {
    KEYS.iter().filter_map(|key| find_key(text, key)).min()
}

fn find_key(text: &str, key: &str) -> Option<usize> {
    memchr::memmem::find_iter(text.as_bytes(), b", ")
        .find(|at| text[at + 2..].strip_prefix(key).is_some_and(|rest| rest.starts_with(": ")))
}

fn set<'r>(event: &mut Event<'r>, key: &'r str, value: &'r str) {
    match key {
        "client" => ecs::source(event, value),
        "server" => {
            if !value.is_empty() && value != "_" && !event.has(field::URL_DOMAIN) {
                event.set(field::URL_DOMAIN, value);
            }
            if !value.is_empty() {
                event.set_extra(PREFIX, "server", value);
            }
        }
        "host" => web::authority(event, value),
        "request" => web::request(event, value),
        "referrer" => event.set_present(field::HTTP_REQUEST_REFERRER, value),
        "" => event.problem("a value without a key was left out"),
        _ => event.set_extra(PREFIX, key, value),
    }
}
