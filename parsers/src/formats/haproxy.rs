//! HAProxy: HTTP log, TCP log, error log of connections, and the short line of the default format.
//!
//! Reference: HAProxy Configuration Manual, "Log formats" (8.2.1 default, 8.2.2 TCP, 8.2.3 HTTP, 8.2.6 error log), 1.4 to 3.2.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, pattern::Table, text, time, web};

const PREFIX: &str = "haproxy.";

pub struct HaProxy;

impl Parser for HaProxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["haproxy"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let line = raw.text();
        let is_connect = line.starts_with("Connect from ") && MESSAGES.knows(line);
        Sniff::yes_if(
            is_connect || head(line.trim()).is_some_and(|head| log(head.rest).is_some() || refused(head.rest).is_some()),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = raw.text().trim();
        if line.is_empty() {
            return Outcome::Unreadable("no message");
        }
        event.set_dataset("haproxy.log");
        crate::linux::software(event, "HAProxy Technologies", "HAProxy", "haproxy");
        let Some(head) = head(line) else {
            other(event, line);
            return Outcome::Parsed;
        };
        client(event, head.client);
        event.set(field::TIMESTAMP, Value::Time(head.stamp.resolve(raw)));
        if let Some(log) = log(head.rest) {
            event.set_extra(PREFIX, "frontend_name", log.frontend.trim_end_matches('~'));
            let (backend, server) = log.backend.split_once('/').unwrap_or((log.backend, ""));
            event.set_extra(PREFIX, "backend_name", backend);
            event.set_extra(PREFIX, "server_name", server);
            if !log.host.is_empty() {
                ecs::destination(event, log.host);
                event.set(field::DESTINATION_DOMAIN, log.host);
            }
            if log.is_http { http(event, &log) } else { tcp(event, &log) }
        } else if let Some((place, reason)) = refused(head.rest) {
            ecs::classify(event, &["network"], &["connection", "error"]);
            event.set(field::EVENT_ACTION, "connection_error");
            ecs::failure(event);
            event.set(field::EVENT_REASON, reason);
            event.set_extra(PREFIX, "frontend_name", place.split('/').next().unwrap_or(place));
        } else {
            other(event, line);
        }
        Outcome::Parsed
    }
}

fn other<'r>(event: &mut Event<'r>, line: &'r str) {
    ecs::classify(event, &["web"], &["info"]);
    event.set(field::MESSAGE, line);
    if !MESSAGES.read(event, line) {
        facts::read(event, line);
    }
}

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        PREFIX,
        &[
            (
                "Connect from {src>}:{source.port} to {dst>}:{destination.port} ({.frontend_name}/{.mode})",
                "connect",
                "network",
                "connection",
                "",
            ),
            ("Proxy {.frontend_name} started.", "proxy_started", "configuration", "start", ""),
            ("Stopping {.kind} {.frontend_name} {*}", "proxy_stopped", "configuration", "end", ""),
            (
                "Server {.backend_name}/{.server_name} is {.state}, reason: {event.reason*}, {*}",
                "server_state",
                "configuration",
                "change",
                "",
            ),
            ("Server {.backend_name}/{.server_name} is {.state}. {*}", "server_state", "configuration", "change", ""),
            ("backend {.backend_name} has no server available!", "no_server", "configuration", "error", "failure"),
        ],
    )
});

struct Head<'r> {
    client: &'r str,
    stamp: time::Stamp,
    rest: &'r str,
}

/// `192.0.2.7:51000 [23/Nov/2026:10:00:00.123] …`.
fn head(line: &str) -> Option<Head<'_>> {
    let (client, rest) = text::word(line);
    let (stamp, rest) = time::clf(rest.strip_prefix('[')?)?;
    (client.contains(':') || client == "unix").then_some(())?;
    Some(Head { client, stamp, rest: rest.strip_prefix("] ")? })
}

fn client<'r>(event: &mut Event<'r>, client: &'r str) {
    let (address, port) = client.rsplit_once(':').unwrap_or((client, ""));
    ecs::source(event, address);
    event.set_int(field::SOURCE_PORT, port);
}

struct Log<'r> {
    frontend: &'r str,
    backend: &'r str,
    /// A word that sites put before the timers.
    host: &'r str,
    timers: &'r str,
    is_http: bool,
    rest: &'r str,
}

fn log(text: &str) -> Option<Log<'_>> {
    let (frontend, rest) = text::word(text);
    let (backend, rest) = text::word(rest);
    let (mut timers, mut rest) = text::word(rest);
    let mut host = "";
    if slashes(timers).is_none() {
        host = timers;
        (timers, rest) = text::word(rest);
    }
    let slashes = slashes(timers)?;
    (backend.contains('/') && (slashes == 2 || slashes == 4)).then_some(Log {
        frontend,
        backend,
        host,
        timers,
        is_http: slashes == 4,
        rest,
    })
}

/// The slashes in a word of timers (`0/-1/+3`); `None` for other words.
fn slashes(word: &str) -> Option<usize> {
    let is = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'/' | b'-' | b'+'));
    is.then(|| word.bytes().filter(|b| *b == b'/').count()).filter(|count| *count > 0)
}

/// `frontend/bind: SSL handshake failure`.
fn refused(text: &str) -> Option<(&str, &str)> {
    let (place, reason) = text.split_once(": ")?;
    (place.contains('/') && !place.contains(' ')).then_some((place, reason))
}

fn duration(event: &mut Event<'_>, timers: &str) {
    let total = timers.rsplit('/').next().unwrap_or(timers).trim_start_matches('+');
    if let Ok(millis @ 0..) = total.parse::<i64>() {
        event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
    }
}

fn http<'r>(event: &mut Event<'r>, log: &Log<'r>) {
    ecs::classify(event, &["web"], &["access"]);
    duration(event, log.timers);
    for (name, value) in
        ["time_request", "time_queue", "time_backend_connect", "time_server_response"].into_iter().zip(log.timers.split('/'))
    {
        event.set_extra(PREFIX, name, value);
    }
    let (status, rest) = text::word(log.rest);
    let (bytes, rest) = text::word(rest);
    if let Ok(status) = status.parse::<i64>() {
        event.set(field::HTTP_RESPONSE_STATUS_CODE, status);
        event.set(field::EVENT_OUTCOME, if (1..400).contains(&status) { "success" } else { "failure" });
    }
    event.set_int(field::HTTP_RESPONSE_BYTES, bytes.trim_start_matches('+'));
    let (_, rest) = text::word(rest);
    let (_, rest) = text::word(rest);
    let rest = tail(event, rest);
    let rest = captures(event, rest);
    if let Some((request, after)) = web::quoted(rest).or_else(|| rest.strip_prefix('"').map(|cut| (cut, ""))) {
        web::request(event, request);
        let version = text::word(after.trim_start()).0;
        if let Some(version) = version.strip_prefix("TLSv").or_else(|| version.strip_prefix("SSLv")) {
            event.set(field::TLS_VERSION, version);
        }
    }
}

fn tcp<'r>(event: &mut Event<'r>, log: &Log<'r>) {
    ecs::classify(event, &["network"], &["connection", "end"]);
    duration(event, log.timers);
    let (bytes, rest) = text::word(log.rest);
    event.set_int(field::SOURCE_BYTES, bytes.trim_start_matches('+'));
    tail(event, rest);
}

/// Termination state, connection counts, queues.
fn tail<'r>(event: &mut Event<'r>, rest: &'r str) -> &'r str {
    let (state, rest) = text::word(rest);
    let (connections, rest) = text::word(rest);
    let (queues, rest) = text::word(rest);
    event.set_extra(PREFIX, "termination_state", state);
    event.set_extra(PREFIX, "connections", connections);
    event.set_extra(PREFIX, "queues", queues);
    rest
}

/// `{request headers} {response headers} "request"`; the first captured header is the host more often than not.
fn captures<'r>(event: &mut Event<'r>, text: &'r str) -> &'r str {
    let mut rest = text;
    for name in ["captured_request_headers", "captured_response_headers"] {
        let Some((inside, after)) = rest.strip_prefix('{').and_then(|inside| inside.split_once("} ")) else { break };
        event.set_extra(PREFIX, name, inside);
        let first = inside.split('|').next().unwrap_or(inside);
        if name == "captured_request_headers" && first.contains('.') {
            web::authority(event, first);
        }
        rest = after;
    }
    rest
}
