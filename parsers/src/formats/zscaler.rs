//! Zscaler: Nanolog Streaming Service (web, firewall, DNS, tunnel, audit, alerts) as JSON and as tab-separated pairs, and the Log
//! Streaming Service of Private Access as JSON.
//!
//! Reference: Zscaler, "NSS feed output format" (fields of web, firewall, DNS, tunnel and admin audit logs), "About log streaming
//! service" (user activity, user status, app connector status, browser access, audit logs).

mod meaning;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    text, time,
    vendor::{self, Notes},
    web,
};
use meaning::{NSS, PRIVATE, note};

pub struct Zscaler;

impl Parser for Zscaler {
    fn name(&self) -> &'static str {
        "zscaler"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["ZscalerNSS"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(shape(raw.text()) != Shape::Other)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let mut notes = Line::default();
        let shape = shape(text);
        let is_read = match shape {
            Shape::Nss => vendor::json(raw, event, json::object(text).unwrap_or(text), "zscaler.zia.", &NSS, &mut notes),
            Shape::Private => vendor::json(raw, event, json::object(text).unwrap_or(text), "zscaler.zpa.", &PRIVATE, &mut notes),
            Shape::Pairs => {
                let (stamp, rest) = text::split(text, b'\t').unwrap_or((text, ""));
                notes.put(note::TIME, stamp);
                for (key, value) in rest.split('\t').filter_map(|pair| pair.split_once('=')) {
                    vendor::word(raw, event, "zscaler.zia.", key, value, &NSS, &mut notes);
                }
                true
            }
            Shape::Notice | Shape::Other => {
                alert(event, text);
                true
            }
        };
        if !is_read {
            return Outcome::Unreadable("malformed JSON");
        }
        vendor::device(event, "Zscaler", if shape == Shape::Private { "ZPA" } else { "ZIA" }, "proxy");
        if shape == Shape::Private {
            event.set_dataset("zscaler.zpa");
            private(raw, event, &notes);
        } else {
            event.set_dataset("zscaler.zia");
            if !matches!(shape, Shape::Notice | Shape::Other) {
                internet(raw, event, &notes);
            }
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}

type Line<'r> = Notes<'r, { note::COUNT }>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Nss,
    Private,
    Pairs,
    Notice,
    Other,
}

fn shape(text: &str) -> Shape {
    let b = text.as_bytes();
    let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
    if b.first() == Some(&b'{') {
        return if has(200, b"zscalernss") || (has(8192, b"\"vendor\":\"Zscaler\"") && has(8192, b"\"product\":\"NSS\"")) {
            Shape::Nss
        } else if has(100, b"\"LogTimestamp\"") && has(8192, b"\"Customer\"")
            || has(100, b"\"ModifiedTime\"") && has(8192, b"\"AuditOperationType\"")
        {
            Shape::Private
        } else {
            Shape::Other
        };
    }
    if memchr::memchr(b'\t', &b[..b.len().min(64)]).is_some() && has(8192, b"\tvendor=Zscaler") {
        return Shape::Pairs;
    }
    if has(80, b"ZscalerNSS: ") { Shape::Notice } else { Shape::Other }
}

/// `Wed Jul  3 05:17:22 2019`, with one blank or two, or an ISO stamp.
fn moment<'r>(raw: RawRecord<'r>, event: &Event<'r>, value: &'r str) -> Option<Value<'r>> {
    if let Some(moment) = time::any(value, raw) {
        return Some(Value::Time(moment));
    }
    let (_, rest) = text::word(value);
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let (month, day, clock, year) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let plain = text::concat(event.arena(), [month, " ", day, " ", year, " ", clock]);
    time::bsd(plain, raw).map(|(stamp, _)| Value::Time(stamp.resolve(raw)))
}

fn set_time<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, value: &'r str) {
    if value.is_empty() {
        return;
    }
    match moment(raw, event, value) {
        Some(time) => event.set(field::TIMESTAMP, time),
        None => event.problem("a time could not be read"),
    }
}

fn internet<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Line<'r>) {
    set_time(raw, event, notes.get(note::TIME));
    let action = notes.get(note::ACTION);
    event.set_present(field::EVENT_ACTION, text::lower(event, action));
    let kind = notes.get(note::FEED);
    let protocol = notes.get(note::PROTOCOL);
    let url = notes.get(note::URL);
    let user = notes.get(note::USER);
    let is = |feed: &str| kind.ends_with(feed);
    if is("-dns") || !notes.get(note::DNS_NAME).is_empty() {
        ecs::classify(event, &["network"], &["info", "protocol"]);
        event.set(field::NETWORK_PROTOCOL, "dns");
        event.set_present(field::USER_EMAIL, user);
    } else if is("-fw") {
        ecs::classify(event, &["network"], &["info", "connection"]);
        if vendor::is_denied(action.split(' ').next().unwrap_or_default()) {
            event.set(field::EVENT_TYPE, "denied");
        }
        vendor::protocol(event, protocol);
        event.set_present(field::USER_EMAIL, user);
    } else if is("-tunnel") || !notes.get(note::TUNNEL).is_empty() {
        ecs::classify(event, &["network"], &["info", "connection"]);
        let transport = match notes.get(note::TUNNEL) {
            tunnel if tunnel.eq_ignore_ascii_case("GRE") => "gre",
            _ => "esp",
        };
        vendor::protocol(event, transport);
        ecs::user(event, field::USER_NAME, user);
    } else if is("-audit") {
        let kind = match action {
            "CREATE" => "creation",
            "DELETE" => "deletion",
            "SIGN_IN" | "SIGN_OUT" => "info",
            _ => "change",
        };
        ecs::classify(event, &[if action.starts_with("SIGN") { "authentication" } else { "configuration" }], &[kind]);
        ecs::user(event, field::USER_NAME, if user == "None" { "" } else { user });
    } else {
        ecs::classify(event, &["web"], &["info", "access"]);
        if vendor::is_denied(action) {
            event.set(field::EVENT_TYPE, "denied");
        }
        event.set_present(field::NETWORK_PROTOCOL, text::lower(event, protocol));
        vendor::account(event, field::USER_NAME, user);
    }
    if let Some(nanos) = text::seconds_to_nanos(notes.get(note::MILLIS)) {
        event.set(field::EVENT_DURATION, nanos / 1000);
    }
    if !url.is_empty() {
        let url = vendor::percent_decoded(event, url);
        let scheme = if url.ends_with(":443") || protocol.eq_ignore_ascii_case("HTTPS") || protocol.eq_ignore_ascii_case("SSL") {
            "https://"
        } else {
            "http://"
        };
        web::url(event, if url.contains("://") { url } else { text::concat(event.arena(), [scheme, url]) });
    }
}

/// Sentences of the streaming server about itself: `connection to  192.0.2.1:443 lost`.
fn alert<'r>(event: &mut Event<'r>, text: &'r str) {
    ecs::classify(event, &["host"], &["info"]);
    event.set(field::MESSAGE, text);
    if let Some((_, rest)) = text.split_once("onnection to ") {
        let peer = rest.trim_start().split(' ').next().unwrap_or_default();
        if ecs::ip(vendor::split_endpoint(peer).0).is_some() {
            vendor::destination(event, peer);
        }
    }
}

fn private<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Line<'r>) {
    set_time(raw, event, notes.get(note::TIME));
    let host = notes.get(note::HOST);
    if !notes.get(note::METHOD).is_empty() {
        ecs::classify(event, &["network", "session", "web"], &["connection", "access"]);
        let scheme = if notes.get(note::PROTOCOL).eq_ignore_ascii_case("HTTPS") { "https://" } else { "http://" };
        event.set_named("server.address", host);
        web::url(event, text::concat(event.arena(), [scheme, host, notes.get(note::URL)]));
    } else if !notes.get(note::CONNECTOR_KIND).is_empty() {
        ecs::classify(event, &["package", "host"], &["info"]);
        event.set(field::OBSERVER_TYPE, "forwarder");
        vendor::ip_named(event, "observer.ip", notes.get(note::PUBLIC_IP));
    } else if !notes.get(note::AUDIT).is_empty() {
        ecs::classify(event, &["iam", "configuration"], &["change"]);
        event.set(field::EVENT_ACTION, notes.get(note::AUDIT));
    } else {
        ecs::classify(event, &["iam", "network"], &["info", "user"]);
        ecs::ip_only(event, field::CLIENT_IP, notes.get(note::PUBLIC_IP));
        ecs::ip_only(event, field::HOST_IP, host);
    }
    if let Some(action) = Some(notes.get(note::ACTION)).filter(|action| !action.is_empty()) {
        event.set(field::EVENT_ACTION, action);
    }
}
