//! SonicWall firewalls (SonicOS 5 to 7): `id=firewall sn=… time="…" fw=… pri=6 c=1024 m=537 msg="…" src=ip:port:interface …`.
//!
//! Reference: SonicWall, "SonicOS log events reference guide" (tag names, message numbers, enhanced syslog format).
//!
//! `m` numbers the message; [`EVENTS`] knows those that are log-ins, drops, closes and detections. A number that is not in it is
//! read by its verdict (`fw_action`) and its tags.

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    kv::Separator,
    phrases::{self, Class, LOGIN, LOGIN_FAILED, LOGOUT},
    text, time,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "sonicwall.";

pub struct SonicWall;

mod note {
    pub const TIME: u8 = 0;
    pub const MESSAGE_ID: u8 = 1;
    pub const VERDICT: u8 = 2;
    pub const PROTOCOL: u8 = 3;
    pub const SOURCE: u8 = 4;
    pub const DESTINATION: u8 = 5;
    pub const NAT_SOURCE: u8 = 6;
    pub const NAT_DESTINATION: u8 = 7;
    pub const HOST: u8 = 8;
    pub const ARGUMENT: u8 = 9;
    pub const DURATION_MS: u8 = 10;
    pub const PRIORITY: u8 = 11;
    pub const SOURCE_V6: u8 = 12;
    pub const DESTINATION_V6: u8 = 13;
    pub const RESULT: u8 = 14;
    pub const COUNT: usize = 15;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("time", Note(note::TIME)),
        ("m", Note(note::MESSAGE_ID)),
        ("sn", Text(field::OBSERVER_SERIAL_NUMBER)),
        ("fw", IpName("observer.ip")),
        ("pri", Note(note::PRIORITY)),
        ("msg", Text(field::MESSAGE)),
        ("src", Note(note::SOURCE)),
        ("dst", Note(note::DESTINATION)),
        ("srcV6", Note(note::SOURCE_V6)),
        ("dstV6", Note(note::DESTINATION_V6)),
        ("natSrc", Note(note::NAT_SOURCE)),
        ("natDst", Note(note::NAT_DESTINATION)),
        ("srcMac", Mac(field::SOURCE_MAC)),
        ("dstMac", Mac(field::DESTINATION_MAC)),
        ("proto", Note(note::PROTOCOL)),
        ("sent", Int(field::SOURCE_BYTES)),
        ("rcvd", Int(field::DESTINATION_BYTES)),
        ("spkt", Int(field::SOURCE_PACKETS)),
        ("rpkt", Int(field::DESTINATION_PACKETS)),
        ("cdur", Note(note::DURATION_MS)),
        ("usr", Account(field::USER_NAME)),
        ("user", Account(field::USER_NAME)),
        ("rule", Text(field::RULE_ID)),
        ("af_policy", Text(field::RULE_NAME)),
        ("af_polid", Text(field::RULE_ID)),
        ("sid", Text(field::RULE_ID)),
        ("ipscat", Text(field::RULE_CATEGORY)),
        ("spycat", Text(field::RULE_CATEGORY)),
        ("Category", Text(field::RULE_CATEGORY)),
        ("fw_action", Note(note::VERDICT)),
        ("af_action", Note(note::VERDICT)),
        ("dstname", Note(note::HOST)),
        ("arg", Note(note::ARGUMENT)),
        ("op", Name("sonicwall.operation")),
        ("result", Note(note::RESULT)),
        ("appName", Lower(field::NETWORK_APPLICATION)),
        ("note", Text(field::EVENT_REASON)),
        ("referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("srcZone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("dstZone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("vpnpolicy", Text(field::NETWORK_NAME)),
        ("fileid", Hash),
        ("filename", FilePath),
    ])
});

const CLOSED: Class = Class::new(&["network"], &["connection", "end", "allowed"], "connection-closed", "success");
const OPENED: Class = Class::new(&["network"], &["connection", "start", "allowed"], "connection-opened", "success");
const DROPPED: Class = Class::new(&["network"], &["connection", "denied"], "connection-dropped", "success");
const WEB: Class = Class::new(&["web", "network"], &["access", "allowed"], "website-accessed", "success");
const WEB_BLOCKED: Class = Class::new(&["web", "network"], &["access", "denied"], "website-blocked", "success");
const ATTACK: Class = Class::new(&["intrusion_detection", "network"], &["info", "denied"], "attack-prevented", "success");
const PROBE: Class = Class::new(&["intrusion_detection", "network"], &["info"], "attack-detected", "success");
const MALWARE: Class = Class::new(&["malware", "network"], &["info", "denied"], "malware-blocked", "success");
const CONFIG: Class = phrases::CONFIGURED;

/// Message numbers, in order.
const EVENTS: &[(u32, Class)] = &[
    (14, WEB_BLOCKED),
    (16, WEB),
    (22, ATTACK),
    (23, ATTACK),
    (25, ATTACK),
    (27, ATTACK),
    (29, LOGIN),
    (30, LOGIN_FAILED),
    (31, LOGIN),
    (32, LOGIN_FAILED),
    (33, LOGIN_FAILED),
    (35, LOGIN_FAILED),
    (36, DROPPED),
    (37, DROPPED),
    (38, DROPPED),
    (41, DROPPED),
    (81, ATTACK),
    (82, PROBE),
    (83, PROBE),
    (97, WEB),
    (98, OPENED),
    (123, ATTACK),
    (124, ATTACK),
    (125, ATTACK),
    (173, DROPPED),
    (174, DROPPED),
    (177, PROBE),
    (178, PROBE),
    (179, PROBE),
    (199, LOGIN),
    (200, LOGIN_FAILED),
    (235, LOGIN),
    (236, LOGIN),
    (237, LOGIN),
    (238, LOGIN_FAILED),
    (246, LOGIN_FAILED),
    (261, LOGOUT),
    (262, LOGOUT),
    (263, LOGOUT),
    (264, LOGOUT),
    (265, LOGOUT),
    (328, LOGOUT),
    (329, LOGIN_FAILED),
    (486, LOGIN_FAILED),
    (520, LOGIN),
    (521, LOGIN_FAILED),
    (524, WEB_BLOCKED),
    (526, DROPPED),
    (537, CLOSED),
    (549, LOGIN_FAILED),
    (583, ATTACK),
    (608, PROBE),
    (609, ATTACK),
    (648, DROPPED),
    (735, LOGIN_FAILED),
    (736, LOGIN_FAILED),
    (793, ATTACK),
    (794, ATTACK),
    (795, PROBE),
    (809, MALWARE),
    (856, ATTACK),
    (860, ATTACK),
    (986, LOGIN),
    (987, LOGIN_FAILED),
    (1080, LOGIN),
    (1149, PROBE),
    (1154, PROBE),
    (1155, ATTACK),
    (1198, DROPPED),
    (1199, DROPPED),
    (1382, CONFIG),
    (1383, CONFIG),
    (1387, ATTACK),
    (1459, MALWARE),
];

impl Parser for SonicWall {
    fn name(&self) -> &'static str {
        "sonicwall"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(at) = start(raw.text()) else {
            return Outcome::Unreadable("no SonicWall fields");
        };
        let mut notes = Line::default();
        vendor::pairs(raw, event, &raw.text()[at..], Separator::Blank, PREFIX, &KEYS, &mut notes);
        event.set_dataset("sonicwall.firewall");
        vendor::device(event, "SonicWall", "Firewall", "firewall");
        set_time(raw, event, &notes);
        if let Ok(priority) = notes.get(note::PRIORITY).parse::<i64>() {
            const NAMES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
            event.set(field::EVENT_SEVERITY, priority);
            if let Some(name) = usize::try_from(priority).ok().and_then(|at| NAMES.get(at)) {
                event.set(field::LOG_LEVEL, *name);
            }
        }
        peers(event, &notes);
        request(event, &notes);
        if let Some(millis) = notes.number(note::DURATION_MS).filter(|millis| *millis >= 0) {
            event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
        }
        classify(event, &notes);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

type Line<'r> = Notes<'r, { note::COUNT }>;

fn start(text: &str) -> Option<usize> {
    let b = text.as_bytes();
    let at = crate::text::find(&b[..b.len().min(200)], b"id=")?;
    if at > 0 && b[at - 1] != b' ' {
        return None;
    }
    let near = &b[at..b.len().min(at + 400)];
    let has = |word: &[u8]| crate::text::find(near, word).is_some();
    (has(b" sn=") && has(b" fw=") && has(b" m=") && has(b" time=\"")).then_some(at)
}

/// `2026-11-23 10:00:00 UTC`, or without a zone.
fn set_time<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Line<'r>) {
    match time::iso(notes.get(note::TIME)) {
        Some((stamp, _)) => event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw))),
        None => event.problem("no time"),
    }
}

/// `address:port:interface[:name]`; parts may be empty.
fn end<'r>(event: &mut Event<'r>, value: &'r str, ip: Field, port: Field, interface: Field, name: Field) {
    let mut parts = value.splitn(4, ':');
    let (address, number, device, domain) = (parts.next(), parts.next(), parts.next(), parts.next());
    ecs::ip_only(event, ip, address.unwrap_or_default());
    event.set_int(port, number.unwrap_or_default());
    event.set_present(interface, device.unwrap_or_default());
    if let Some(domain) = domain.filter(|domain| !domain.is_empty()) {
        event.set(name, domain);
        event.set(field::RELATED_HOSTS, domain);
    }
}

fn peers<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    end(
        event,
        notes.get(note::SOURCE),
        field::SOURCE_IP,
        field::SOURCE_PORT,
        field::OBSERVER_INGRESS_INTERFACE_NAME,
        field::SOURCE_DOMAIN,
    );
    end(
        event,
        notes.get(note::DESTINATION),
        field::DESTINATION_IP,
        field::DESTINATION_PORT,
        field::OBSERVER_EGRESS_INTERFACE_NAME,
        field::DESTINATION_DOMAIN,
    );
    ecs::ip_only(event, field::SOURCE_IP, notes.get(note::SOURCE_V6));
    ecs::ip_only(event, field::DESTINATION_IP, notes.get(note::DESTINATION_V6));
    for (value, ip, port) in [
        (notes.get(note::NAT_SOURCE), field::SOURCE_NAT_IP, field::SOURCE_NAT_PORT),
        (notes.get(note::NAT_DESTINATION), field::DESTINATION_NAT_IP, field::DESTINATION_NAT_PORT),
    ] {
        let (address, number) = value.split_once(':').unwrap_or((value, ""));
        ecs::ip_only(event, ip, address);
        event.set_int(port, number.split(':').next().unwrap_or_default());
    }
    // `tcp/https`, `udp/dns`, `icmp`
    let (transport, protocol) = notes.get(note::PROTOCOL).split_once('/').unwrap_or((notes.get(note::PROTOCOL), ""));
    vendor::protocol(event, transport);
    if !protocol.is_empty() && !protocol.bytes().all(|b| b.is_ascii_digit()) {
        event.set(field::NETWORK_PROTOCOL, text::lower(event, protocol));
    }
}

fn request<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let (host, argument) = (notes.get(note::HOST), notes.get(note::ARGUMENT));
    if !host.is_empty() {
        if ecs::ip(host).is_none() {
            event.set(field::DESTINATION_DOMAIN, host);
        }
        if argument.starts_with('/') {
            vendor::url(event, text::concat(event.arena(), [host, argument]));
        } else {
            web::authority(event, host);
        }
    } else if argument.starts_with('/') {
        web::url(event, argument);
    }
    let operation = event.extra().iter().find(|(name, _)| name.prefix == PREFIX && name.key == "op").map(|(_, value)| *value);
    if let Some(Value::Str(operation)) = operation {
        // Numbers stand for methods in old releases.
        let method = match operation {
            "1" => "GET",
            "2" => "POST",
            "3" => "HEAD",
            other => other,
        };
        if method.bytes().all(|b| b.is_ascii_alphabetic()) {
            event.set(field::HTTP_REQUEST_METHOD, method);
        }
    }
    event.set_int(field::HTTP_RESPONSE_STATUS_CODE, notes.get(note::RESULT));
}

fn classify<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let id = notes.get(note::MESSAGE_ID);
    event.set_present(field::EVENT_CODE, id);
    let verdict = notes.get(note::VERDICT).trim_matches('"');
    let known =
        id.parse::<u32>().ok().and_then(|id| EVENTS.binary_search_by_key(&id, |(known, _)| *known).ok()).map(|at| &EVENTS[at].1);
    match known {
        Some(class) => {
            phrases::classify(event, class);
            if class.categories.iter().any(|category| matches!(*category, "intrusion_detection" | "malware")) {
                event.set(field::EVENT_KIND, "alert");
            }
        }
        None if vendor::is_denied(verdict) => vendor::verdict(event, false),
        None if vendor::is_allowed(verdict) => vendor::verdict(event, true),
        None if event.has(field::SOURCE_IP) => ecs::classify(event, &["network"], &["info"]),
        None => ecs::classify(event, &["host"], &["info"]),
    }
    if !matches!(verdict, "" | "NA") {
        event.set(field::EVENT_ACTION, verdict);
        if vendor::is_denied(verdict) {
            event.set(field::EVENT_TYPE, "denied");
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn events_are_in_order() {
        assert!(super::EVENTS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
