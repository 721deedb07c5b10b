//! Stormshield Network Security: `id=firewall time="…" fw="…" tz=+0700 startime="…" … logtype="filter"`.
//!
//! Reference: Stormshield, "SNS: description of audit logs" (WELF-like fields, and the fields of each log: filter, connection,
//! alarm, auth, xvpn, vpn, web, plugin, system, server, monitor).

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    kv::Separator,
    text, time,
    vendor::{self, Means, Notes},
};

const PREFIX: &str = "stormshield.";

pub struct Stormshield;

mod note {
    pub const TIME: u8 = 0;
    pub const START: u8 = 1;
    pub const ZONE: u8 = 2;
    pub const LOG: u8 = 3;
    pub const ACTION: u8 = 4;
    pub const MESSAGE: u8 = 5;
    pub const HOST: u8 = 6;
    pub const ARGUMENT: u8 = 7;
    pub const SERVICE: u8 = 8;
    pub const COUNT: usize = 9;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("time", Note(note::TIME)),
        ("startime", Note(note::START)),
        ("tz", Note(note::ZONE)),
        ("logtype", Note(note::LOG)),
        ("action", Note(note::ACTION)),
        ("msg", Both(field::MESSAGE, note::MESSAGE)),
        ("pri", Int(field::EVENT_SEVERITY)),
        ("fw", Text(field::OBSERVER_SERIAL_NUMBER)),
        ("srcif", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("dstif", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("ipproto", Protocol),
        ("proto", Lower(field::NETWORK_PROTOCOL)),
        ("src", Ip(field::SOURCE_IP)),
        ("srcport", Int(field::SOURCE_PORT)),
        ("srcmac", Mac(field::SOURCE_MAC)),
        ("srcname", Machine(field::SOURCE_DOMAIN)),
        ("dst", Ip(field::DESTINATION_IP)),
        ("dstport", Int(field::DESTINATION_PORT)),
        ("dstname", Note(note::HOST)),
        ("modsrc", Ip(field::SOURCE_NAT_IP)),
        ("modsrcport", Int(field::SOURCE_NAT_PORT)),
        ("origdst", Ip(field::DESTINATION_NAT_IP)),
        ("origdstport", Int(field::DESTINATION_NAT_PORT)),
        ("sent", Int(field::SOURCE_BYTES)),
        ("rcvd", Int(field::DESTINATION_BYTES)),
        ("duration", Seconds),
        ("ruleid", Text(field::RULE_ID)),
        ("rulename", Text(field::RULE_NAME)),
        ("alarmid", Text(field::EVENT_CODE)),
        ("class", Text(field::RULE_CATEGORY)),
        ("cat_site", Text(field::RULE_CATEGORY)),
        ("virus", Text(field::RULE_NAME)),
        ("user", User(field::USER_NAME)),
        ("domain", Text(field::USER_DOMAIN)),
        ("remotenet", Ip(field::CLIENT_IP)),
        ("op", Text(field::HTTP_REQUEST_METHOD)),
        ("result", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("arg", Note(note::ARGUMENT)),
        ("service", Both(field::PROCESS_NAME, note::SERVICE)),
        ("appname", Lower(field::NETWORK_APPLICATION)),
        ("sessionid", Name("stormshield.session")),
        ("address", Ip(field::SOURCE_IP)),
    ])
});

impl Parser for Stormshield {
    fn name(&self) -> &'static str {
        "stormshield"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(at) = start(raw.text()) else {
            return Outcome::Unreadable("no Stormshield fields");
        };
        let mut notes = Line::default();
        vendor::pairs(raw, event, &raw.text()[at..], Separator::Blank, PREFIX, &KEYS, &mut notes);
        event.set_dataset("stormshield.sns");
        vendor::device(event, "Stormshield", "Stormshield Network Security", "firewall");
        if let Some(name) = event.text(field::OBSERVER_SERIAL_NUMBER) {
            event.set_named("observer.hostname", name);
        }
        set_time(raw, event, &notes);
        set_url(event, &notes);
        classify(event, &notes);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

type Line<'r> = Notes<'r, { note::COUNT }>;

fn start(text: &str) -> Option<usize> {
    let b = text.as_bytes();
    let near = &b[..b.len().min(200)];
    let at = crate::text::find(near, b"time=")?;
    let near = &b[at..b.len().min(at + 200)];
    let has = |word: &[u8]| crate::text::find(near, word).is_some();
    if !has(b" fw=") || !has(b" tz=") || !has(b" startime=") || (at > 0 && b[at - 1] != b' ') {
        return None;
    }
    Some(text[..at].find("id=firewall").unwrap_or(at))
}

/// `time` is local; `tz` is its zone.
fn set_time<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Line<'r>) {
    let zone = time::numeric_zone(notes.get(note::ZONE)).map(|(seconds, _)| seconds);
    let moment =
        |text: &str| time::iso(text).map(|(stamp, _)| time::Stamp { offset: stamp.offset.or(zone), ..stamp }.resolve(raw));
    // Monitor logs leave the quotes out: then the stamp is read where it stands.
    let unquoted = || raw.text().split_once("time=").and_then(|(_, rest)| moment(rest));
    match moment(notes.get(note::TIME)).or_else(unquoted) {
        Some(moment) => event.set(field::TIMESTAMP, Value::Time(moment)),
        None => event.problem("no time"),
    }
    if let Some(moment) = moment(notes.get(note::START)) {
        event.set(field::EVENT_START, Value::Time(moment));
    }
    event.set_present(field::EVENT_TIMEZONE, notes.get(note::ZONE));
}

fn set_url<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let (host, argument) = (notes.get(note::HOST), notes.get(note::ARGUMENT));
    if !host.is_empty() {
        event.set(field::DESTINATION_DOMAIN, host);
        event.set(field::RELATED_HOSTS, host);
    }
    if argument.starts_with('/') {
        let whole = if host.is_empty() { argument } else { text::concat(event.arena(), [host, argument]) };
        vendor::url(event, whole);
    }
}

fn classify<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let (action, told) = (notes.get(note::ACTION), notes.get(note::MESSAGE));
    event.set_present(field::EVENT_ACTION, action);
    let says = |words: &[&str]| words.iter().any(|word| told.contains(word));
    let outcome = match action {
        "pass" => Some(true),
        "block" => Some(false),
        _ => None,
    };
    match notes.get(note::LOG) {
        "auth" | "xvpn" => {
            ecs::classify(event, &["authentication"], &["info"]);
            if says(&["success", "created"]) {
                ecs::success(event);
            } else if says(&["ailed", "rror", "bad password", "denied"]) {
                ecs::failure(event);
            }
            if told.starts_with("SSH ") {
                event.set(field::NETWORK_PROTOCOL, "ssh");
            }
            if action.is_empty() {
                event.set(field::EVENT_ACTION, "authentication");
            }
            return;
        }
        "alarm" => {
            ecs::classify(event, &["intrusion_detection", "network"], &["info"]);
            event.set(field::EVENT_KIND, "alert");
        }
        "system" | "monitor" | "server" => ecs::classify(event, &["host", "process"], &["info"]),
        "web" => ecs::classify(event, &["web", "network"], &["access"]),
        "virus" | "sandboxing" => ecs::classify(event, &["malware", "network"], &["info"]),
        "" if !event.has(field::DESTINATION_IP) => return ecs::classify(event, &["host"], &["info"]),
        _ => ecs::classify(event, &["network"], &["connection"]),
    }
    match outcome {
        Some(true) => {
            event.set(field::EVENT_TYPE, "allowed");
            ecs::success(event);
        }
        // The verdict is the firewall's success; the connection's end is told by the type.
        Some(false) => {
            event.set(field::EVENT_TYPE, "denied");
            ecs::success(event);
        }
        None => {}
    }
}
