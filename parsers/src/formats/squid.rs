//! Squid: native access log, and its `common`/`combined` formats; messages of cache.log.
//!
//! Reference: Squid wiki "Squid Log Files" and the directive `logformat` (squid, combined), result codes and hierarchy codes.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, text, time, web};

const PREFIX: &str = "squid.";

pub struct Squid;

impl Parser for Squid {
    fn name(&self) -> &'static str {
        "squid"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["squid", "squid-1", "(squid-1)", "squid3"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(native(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = raw.text();
        let begin = |event: &mut Event<'r>, dataset| {
            event.set_dataset(dataset);
            event.set(field::OBSERVER_VENDOR, "Squid");
            event.set(field::OBSERVER_PRODUCT, "Squid");
            event.set(field::OBSERVER_TYPE, "proxy");
        };
        if let Some(entry) = native(line) {
            begin(event, "squid.access");
            access(event, &entry);
            return Outcome::Parsed;
        }
        if let Some(entry) = web::access(line) {
            begin(event, "squid.access");
            web::set_access(raw, event, &entry);
            // `TCP_MISS:HIER_DIRECT` closes the line of these formats.
            if let Some((code, hierarchy)) = entry.rest.trim().split_once(':') {
                event.set(field::EVENT_ACTION, code);
                event.set_extra(PREFIX, "hierarchy", hierarchy);
            }
            return Outcome::Parsed;
        }
        if line.is_empty() {
            return Outcome::Unreadable("no message");
        }
        begin(event, "squid.cache");
        ecs::classify(event, &["web"], &["info"]);
        event.set(field::MESSAGE, line);
        facts::read(event, line);
        Outcome::Parsed
    }
}

struct Entry<'r> {
    stamp: i64,
    elapsed: &'r str,
    client: &'r str,
    code: &'r str,
    status: &'r str,
    bytes: &'r str,
    method: &'r str,
    url: &'r str,
    user: &'r str,
    hierarchy: &'r str,
    peer: &'r str,
    mime: &'r str,
}

/// `1795402800.327   2864 192.0.2.7 TCP_MISS/200 10182 GET http://example.com/ an HIER_DIRECT/203.0.113.9 text/html`.
fn native(line: &str) -> Option<Entry<'_>> {
    let (stamp, rest) = text::word(line.trim_start_matches(' '));
    if stamp.len() < 12 || stamp.as_bytes().get(10) != Some(&b'.') {
        return None;
    }
    let stamp = time::epoch(stamp)?;
    let (elapsed, rest) = text::word(rest.trim_start_matches(' '));
    if !elapsed.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return None;
    }
    let (client, rest) = text::word(rest.trim_start_matches(' '));
    let (result, rest) = text::word(rest);
    let (code, status) = result.split_once('/')?;
    if !code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') || !status.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (bytes, rest) = text::word(rest);
    let (method, rest) = text::word(rest);
    let (url, rest) = text::word(rest);
    let (user, rest) = text::word(rest);
    let (hierarchy, rest) = text::word(rest);
    let (hierarchy, peer) = hierarchy.split_once('/').unwrap_or((hierarchy, ""));
    let (mime, _) = text::word(rest);
    Some(Entry { stamp, elapsed, client, code, status, bytes, method, url, user, hierarchy, peer, mime })
}

fn access<'r>(event: &mut Event<'r>, entry: &Entry<'r>) {
    let status = entry.status.parse::<i64>().unwrap_or(0);
    let is_denied = entry.code.contains("DENIED");
    ecs::classify(event, &["web", "network"], &["access", "connection"]);
    if is_denied {
        event.set(field::EVENT_TYPE, "denied");
    }
    event.set(field::TIMESTAMP, Value::Time(entry.stamp));
    if let Ok(millis) = entry.elapsed.parse::<i64>() {
        event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
    }
    ecs::source(event, entry.client);
    event.set(field::EVENT_ACTION, entry.code);
    if status > 0 {
        event.set(field::HTTP_RESPONSE_STATUS_CODE, status);
    }
    event.set(field::EVENT_OUTCOME, if is_denied || status == 0 || status >= 400 { "failure" } else { "success" });
    event.set_int(field::HTTP_RESPONSE_BYTES, entry.bytes);
    ecs::user(event, field::USER_NAME, entry.user);
    event.set(field::NETWORK_DIRECTION, "egress");
    event.set(field::NETWORK_TRANSPORT, "tcp");
    if entry.method != "-" {
        event.set(field::HTTP_REQUEST_METHOD, entry.method);
    }
    if entry.method == "CONNECT" {
        let (host, port) = entry.url.rsplit_once(':').unwrap_or((entry.url, ""));
        ecs::destination(event, host);
        if ecs::ip(host).is_none() {
            event.set(field::DESTINATION_DOMAIN, host);
        }
        event.set_int(field::DESTINATION_PORT, port);
    }
    if !entry.url.starts_with("error:") {
        web::url(event, entry.url);
    } else {
        event.set(field::EVENT_REASON, &entry.url[6..]);
    }
    event.set_extra(PREFIX, "hierarchy", entry.hierarchy);
    if ecs::ip_only(event, field::SERVER_IP, entry.peer) && entry.method != "CONNECT" {
        ecs::ip_only(event, field::DESTINATION_IP, entry.peer);
    }
    if !ecs::is_nothing(entry.mime) {
        event.set_extra("", "http.response.mime_type", entry.mime);
    }
}
