//! Zeek: every standard log as JSON, with or without `_path`, and the usual ones as tab-separated values.
//!
//! Reference: Zeek documentation, "Log files" (fields of each log), "Zeek log formats and inspection" (TSV: `#separator`,
//! `(empty)`, `-`), policy/tuning/json-logs.
//!
//! A JSON line without `_path` says by its members which log it is from. A TSV line says it by its number of columns and by what
//! stands in a few of them: the `#fields` line is another record.

mod keys;
mod logs;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    json as flat, text,
    vendor::{self, Notes},
    web,
};
use keys::{KEYS, note};
use logs::{LOGS, Log};

const PREFIX: &str = "zeek.";

pub struct Zeek;

impl Parser for Zeek {
    fn name(&self) -> &'static str {
        "zeek"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["zeek", "bro"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        if let Some(object) = json::object(text) {
            return Sniff::yes_if(is_json(object));
        }
        Sniff::yes_if(is_comment(text) || columns(text).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let mut notes = Line::default();
        let log = if let Some(object) = json::object(text) {
            let inner = unwrapped(event, object);
            if !vendor::json(raw, event, inner, PREFIX, &KEYS, &mut notes) {
                return Outcome::Unreadable("malformed JSON");
            }
            if !event.has(field::TIMESTAMP) {
                return Outcome::Unreadable("no time stamp of Zeek");
            }
            logs::of_members(event, notes.get(note::PATH))
        } else if is_comment(text) {
            event.set_dataset("zeek.header");
            event.set(field::EVENT_KIND, "state");
            event.set(field::MESSAGE, text);
            vendor::observer(event, "Zeek", "Zeek", "sensor");
            return Outcome::Parsed;
        } else {
            let Some(log) = columns(text) else {
                return Outcome::Unreadable("no Zeek log");
            };
            for (name, value) in log.columns.iter().zip(text.split('\t')) {
                if !matches!(value, "-" | "(empty)" | "") {
                    vendor::word(raw, event, PREFIX, name, value, &KEYS, &mut notes);
                }
            }
            log
        };
        finish(event, log, &notes);
        Outcome::Parsed
    }
}

type Line<'r> = Notes<'r, { note::COUNT }>;

fn is_json(object: &str) -> bool {
    let b = object.as_bytes();
    let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
    if has(600, b"\"_raw\":\"{\\\"ts\\\":") {
        return true;
    }
    // Members stand in the order of the log's fields: `ts` comes first, unless a shipper put `_path` before it.
    if !(has(24, b"\"ts\"") || has(40, b"\"_path\"") && has(120, b"\"ts\"")) {
        return false;
    }
    let is_note = || has(600, b"\"note\":\"") && has(600, b"::");
    // The logs of few members have no word of their own: only what is as short as they are counts.
    let is_short = || {
        b.len() <= 220
            && (has(220, b"\"src\":\"") && has(220, b"\"dst\":\"")
                || memchr::memchr_iter(b':', b).count() <= 6 && object.matches("\",\"").count() <= 2 && has(80, b"\"host\":\""))
    };
    has(40, b"\"_path\"") || keys::MARKS.iter().any(|mark| has(16_384, mark.as_bytes())) || is_note() || is_short()
}

/// A search head's export keeps the record as text in `result._raw`.
fn unwrapped<'r>(event: &mut Event<'r>, object: &'r str) -> &'r str {
    if crate::text::find(&object.as_bytes()[..object.len().min(600)], b"\"_raw\":\"{\\\"ts\\\":").is_none() {
        return object;
    }
    let (mut inner, mut host) = ("", "");
    let _ = flat::flatten(event.arena(), object, &mut |name, leaf| match name {
        "result._raw" => inner = leaf.text(),
        "result.host" => host = leaf.text(),
        _ => {}
    });
    if inner.is_empty() {
        return object;
    }
    ecs::host(event, host);
    inner
}

fn is_comment(text: &str) -> bool {
    [
        "#separator ",
        "#set_separator\t",
        "#empty_field\t",
        "#unset_field\t",
        "#path\t",
        "#open\t",
        "#close\t",
        "#fields\t",
        "#types\t",
    ]
    .iter()
    .any(|head| text.starts_with(head))
}

/// The log of a tab-separated line.
fn columns(text: &str) -> Option<&'static Log> {
    let b = text.as_bytes();
    // `1795402800.123456<TAB>`
    if b.len() < 20 || !b[0].is_ascii_digit() || b.get(10) != Some(&b'.') || b.get(17) != Some(&b'\t') {
        return None;
    }
    let count = memchr::memchr_iter(b'\t', b).count() + 1;
    LOGS.iter().find(|log| {
        log.columns.len() == count
            && log.checks.iter().all(|(column, check)| text.split('\t').nth(*column).is_some_and(|value| check.holds(value)))
    })
}

fn finish<'r>(event: &mut Event<'r>, log: &'static Log, notes: &Line<'r>) {
    event.set_dataset(log.dataset);
    ecs::classify(event, log.categories, log.types);
    vendor::device(event, "Zeek", "Zeek", "sensor");
    if !event.has(field::NETWORK_TRANSPORT) && !log.transport.is_empty() {
        vendor::protocol(event, log.transport);
    }
    let service = notes.get(note::SERVICE);
    if !log.protocol.is_empty() {
        event.set(field::NETWORK_PROTOCOL, log.protocol);
    } else if !service.is_empty() && log.name == "conn" {
        event.set(field::NETWORK_PROTOCOL, text::lower(event, service.split(',').next().unwrap_or_default()));
    }
    let action = notes.get(note::ACTION);
    if !action.is_empty() {
        event.set(field::EVENT_ACTION, if log.name == "dnp3" { text::lower(event, action) } else { action });
    }
    outcome(event, log, notes);
    match log.name {
        "conn" => connection(event, notes),
        "http" => request(event, notes),
        "sip" => {
            event.set_present(field::URL_ORIGINAL, notes.get(note::URI));
            if !notes.get(note::URI).is_empty() {
                event.set_named("url.full", notes.get(note::URI));
            }
        }
        "dns" => answers(event, notes),
        "kerberos" => {
            let client = notes.get(note::CLIENT);
            let (name, realm) = client.split_once('/').unwrap_or((client, ""));
            ecs::user(event, field::USER_NAME, name);
            event.set_present(field::USER_DOMAIN, realm);
            server(event);
        }
        "ssl" => {
            let version = notes.get(note::VERSION);
            if let Some(number) = version.strip_prefix("TLSv").or_else(|| version.strip_prefix("SSLv")) {
                event.set(field::TLS_VERSION, dotted(event, number));
            }
            server(event);
        }
        "smb_files" => {
            let (path, name) = (notes.get(note::SHARE), notes.get(note::NAME));
            event.set_present(field::FILE_NAME, name);
            if !path.is_empty() {
                event.set(field::FILE_PATH, text::join(event, path, "\\", name));
            }
        }
        "known_hosts" | "known_services" | "known_certs" => {
            ecs::ip_only(event, field::HOST_IP, notes.get(note::HOST));
            if log.name != "known_hosts" {
                ecs::ip_only(event, field::SERVER_IP, notes.get(note::HOST));
            }
            if let Some(address) = ecs::ip(notes.get(note::HOST)) {
                event.set_named("network.type", if address.is_ipv4() { "ipv4" } else { "ipv6" });
            }
        }
        "notice" => {
            event.set_present(field::RULE_NAME, notes.get(note::NOTE));
            event.set(field::EVENT_KIND, "alert");
            if !event.has(field::SOURCE_IP) {
                ecs::ip_only(event, field::SOURCE_IP, notes.get(note::SOURCE));
            }
            if !event.has(field::DESTINATION_IP) {
                ecs::ip_only(event, field::DESTINATION_IP, notes.get(note::DESTINATION));
            }
            event.set(field::EVENT_TYPE, if notes.get(note::DROPPED) == "true" { "denied" } else { "allowed" });
        }
        "signatures" => {
            event.set(field::EVENT_KIND, "alert");
            ecs::ip_only(event, field::SOURCE_IP, notes.get(note::SOURCE));
            ecs::ip_only(event, field::DESTINATION_IP, notes.get(note::DESTINATION));
        }
        "traceroute" => {
            ecs::ip_only(event, field::SOURCE_IP, notes.get(note::SOURCE));
            ecs::ip_only(event, field::DESTINATION_IP, notes.get(note::DESTINATION));
        }
        "dhcp" => {
            ecs::ip_only(event, field::CLIENT_IP, notes.get(note::CLIENT_ADDRESS));
            ecs::ip_only(event, field::SERVER_IP, notes.get(note::SERVER_ADDRESS));
            ecs::ip_only(event, field::SOURCE_IP, notes.get(note::CLIENT_ADDRESS));
            ecs::ip_only(event, field::DESTINATION_IP, notes.get(note::SERVER_ADDRESS));
            vendor::ip_named(event, "server.address", notes.get(note::SERVER_ADDRESS));
            vendor::ip_named(event, "client.address", notes.get(note::CLIENT_ADDRESS));
        }
        _ => {}
    }
    vendor::conclude(event);
}

/// The end that answers is the server.
fn server(event: &mut Event<'_>) {
    if let Some(Value::Ip(address)) = event.get(field::DESTINATION_IP) {
        event.set_named("server.address", address);
    }
}

/// `12` → `1.2`, `13` → `1.3`; `3` stays.
fn dotted<'r>(event: &Event<'r>, number: &'r str) -> &'r str {
    match number.len() {
        2 if number.is_ascii() => text::concat(event.arena(), [&number[..1], ".", &number[1..]]),
        _ => number,
    }
}

fn outcome<'r>(event: &mut Event<'r>, log: &Log, notes: &Line<'r>) {
    let status = notes.number(note::STATUS);
    let is_good = match log.name {
        "http" | "sip" => status.map(|status| status < 400),
        "dns" => match notes.get(note::REJECTED) {
            "true" | "T" => Some(false),
            _ => Some(notes.get(note::RCODE).is_empty() || notes.get(note::RCODE) == "0"),
        },
        "modbus" => Some(notes.get(note::EXCEPTION).is_empty()),
        "socks" => match notes.get(note::STATUS) {
            "" => None,
            word => Some(word == "succeeded"),
        },
        _ => match notes.get(note::SUCCESS) {
            "true" | "T" | "success" => Some(true),
            "" => None,
            _ => Some(false),
        },
    };
    match is_good {
        Some(true) => ecs::success(event),
        Some(false) => {
            ecs::failure(event);
            if log.name == "sip" {
                event.set(field::EVENT_TYPE, "error");
            }
        }
        None => {}
    }
}

/// Byte counts with headers are the better measure of what was on the wire; `conn_state` says how the connection went.
fn connection<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    for (field, with_headers, without) in [
        (field::SOURCE_BYTES, note::SOURCE_IP_BYTES, note::SOURCE_BYTES),
        (field::DESTINATION_BYTES, note::DESTINATION_IP_BYTES, note::DESTINATION_BYTES),
    ] {
        if let Some(count) = notes.number(with_headers).or_else(|| notes.number(without)) {
            event.set(field, count);
        }
    }
    let is = |note: u8| matches!(notes.get(note), "true" | "T");
    if !notes.get(note::LOCAL_SOURCE).is_empty() && !notes.get(note::LOCAL_DESTINATION).is_empty() {
        let direction = match (is(note::LOCAL_SOURCE), is(note::LOCAL_DESTINATION)) {
            (true, true) => "internal",
            (true, false) => "outbound",
            (false, true) => "inbound",
            (false, false) => "external",
        };
        event.set(field::NETWORK_DIRECTION, direction);
    }
    match notes.get(note::STATE) {
        "S0" | "REJ" => {
            event.set(field::EVENT_TYPE, "start");
            if notes.get(note::STATE) == "REJ" {
                event.set(field::EVENT_TYPE, "denied");
            }
        }
        "S1" => event.set(field::EVENT_TYPE, "start"),
        "SF" | "S2" | "S3" | "RSTO" | "RSTR" | "RSTOS0" | "RSTRH" => {
            event.set(field::EVENT_TYPE, "start");
            event.set(field::EVENT_TYPE, "end");
        }
        "SH" | "SHR" => event.set(field::EVENT_TYPE, "end"),
        _ => event.set(field::EVENT_TYPE, "info"),
    }
    if notes.get(note::PROTOCOL) == "icmp" {
        // Zeek puts type and code where ports stand.
        event.remove(field::SOURCE_PORT);
        event.remove(field::DESTINATION_PORT);
    }
}

fn request<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    event.set_present(field::HTTP_VERSION, notes.get(note::VERSION));
    let (host, uri) = (notes.get(note::HOST), notes.get(note::URI));
    if !uri.is_empty() {
        web::url(event, uri);
    }
    if !host.is_empty() {
        web::authority(event, host);
        let name = vendor::split_endpoint(host).0;
        if ecs::ip(name).is_none() {
            event.set(field::DESTINATION_DOMAIN, name);
        }
        event.set(field::RELATED_HOSTS, name);
    }
}

fn answers<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let class = match notes.get(note::CLASS) {
        "C_INTERNET" | "1" => "IN",
        "C_CHAOS" => "CH",
        "C_HESIOD" => "HS",
        "C_ANY" => "ANY",
        other => other,
    };
    if !class.is_empty() {
        event.set_named("dns.question.class", class);
    }
}
