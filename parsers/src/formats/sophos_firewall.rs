//! Sophos Firewall (XG, XGS; SFOS 15 to 21): `key=value` pairs, in the old central-reporting names and in the newer device
//! standard names.
//!
//! Reference: Sophos, "Sophos Firewall syslog guide" (log id structure, common fields, fields by log type: Firewall, IPS,
//! Anti-Virus, Anti-Spam, Content Filtering, Event, WAF, ATP, Heartbeat, System Health, Wireless, SD-WAN, Zero-day protection).
//!
//! Both spellings of a field mean the same and stay verbatim under `sophos.xg.`. The last five digits of `log_id` number the
//! kind of message; they are the event code.

mod meaning;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    kv::Separator,
    text, time,
    vendor::{self, Notes},
    web,
};
use meaning::{KEYS, note};

const PREFIX: &str = "sophos.xg.";

pub struct SophosFirewall;

impl Parser for SophosFirewall {
    fn name(&self) -> &'static str {
        "sophos_firewall"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let (head, text) = raw.text().split_at(start(raw.text()).unwrap_or_default());
        vendor::lead(raw, event, head);
        let mut notes = Line::default();
        let count = vendor::pairs(raw, event, text, Separator::Blank, PREFIX, &KEYS, &mut notes);
        if count < 3 || notes.get(note::LOG_ID).is_empty() {
            return Outcome::Unreadable("no Sophos Firewall fields");
        }
        event.set_dataset("sophos.xg");
        vendor::observer(event, "Sophos", "XG", "firewall");
        set_time(raw, event, &notes);
        set_level(event, &notes);
        set_user(event, &notes);
        set_direction(event, &notes);
        set_urls(event, &notes);
        set_code(event, notes.get(note::LOG_ID));
        set_rest(event, &notes);
        vendor::conclude(event);
        classify(event, &notes);
        Outcome::Parsed
    }
}

/// Where the fields begin: releases put the device, the stamp or the date first, and relays a head before it.
fn start(text: &str) -> Option<usize> {
    let b = text.as_bytes();
    let at = crate::text::find(&b[..b.len().min(600)], b" log_id=")?;
    let has = |word: &[u8]| crate::text::find(&b[..b.len().min(900)], word).is_some();
    if !has(b"log_component=") || !(has(b"log_type=") || has(b"log_subtype=")) {
        return None;
    }
    let first = memchr::memchr(b'=', &b[..at + 1])?;
    Some(b[..first].iter().rposition(|b| *b == b' ').map_or(0, |at| at + 1))
}

type Line<'r> = Notes<'r, { note::COUNT }>;

/// `timestamp` has its zone; `date` and `time` have theirs beside them, sometimes as a name.
fn set_time<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Line<'r>) {
    let stamp = match notes.get(note::TIMESTAMP) {
        "" => {
            let joined = text::join(event, notes.get(note::DATE), " ", notes.get(note::TIME));
            time::iso(joined).map(|(stamp, _)| time::Stamp { offset: offset(notes.get(note::TIMEZONE)), ..stamp })
        }
        stamp => time::iso(stamp).map(|(stamp, _)| stamp),
    };
    match stamp {
        Some(stamp) => event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw))),
        None if event.has(field::TIMESTAMP) => {}
        None => event.problem("no time"),
    }
    event.set_present(field::EVENT_TIMEZONE, notes.get(note::TIMEZONE));
}

/// Names of zones that mean one thing only; `IST` and `CST` do not.
fn offset(zone: &str) -> Option<i32> {
    if let Some((seconds, _)) = time::numeric_zone(zone) {
        return Some(seconds);
    }
    let hours = match zone {
        "UTC" | "GMT" | "WET" => 0,
        "CET" | "BST" | "WEST" => 1,
        "CEST" | "EET" | "SAST" => 2,
        "EEST" | "MSK" => 3,
        "ICT" | "WIB" => 7,
        "SGT" | "HKT" | "AWST" => 8,
        "JST" | "KST" => 9,
        "AEST" => 10,
        "EST" => -5,
        "EDT" => -4,
        "PST" => -8,
        "PDT" => -7,
        _ => return None,
    };
    Some(hours * 3600)
}

fn set_level<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    const NAMES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notification", "informational", "debug"];
    // The old names have syslog's priorities, the new ones a severity of their own; without either the subtype of an alert is
    // its level.
    let word = notes.first(&[note::PRIORITY, note::SEVERITY, note::SUBTYPE]);
    match vendor::severity(word) {
        Some(number) => {
            event.set(field::EVENT_SEVERITY, number);
            let is_syslog = notes.get(note::SEVERITY).is_empty();
            event.set(field::LOG_LEVEL, if is_syslog { NAMES[number as usize & 7] } else { text::lower(event, word) });
        }
        None => event.set_present(field::LOG_LEVEL, text::lower(event, notes.get(note::PRIORITY))),
    }
}

fn set_user<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let is_event = notes.get(note::TYPE) == "Event";
    let field = if is_event { field::USER_NAME } else { field::SOURCE_USER_NAME };
    ecs::user(event, field, notes.first(&[note::USER, note::NAME]));
}

fn set_direction<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let (from, to) = (notes.get(note::SOURCE_ZONE_TYPE), notes.get(note::DESTINATION_ZONE_TYPE));
    if !from.is_empty() && !to.is_empty() {
        let direction = match (from == "WAN", to == "WAN") {
            (true, true) => "external",
            (true, false) => "inbound",
            (false, true) => "outbound",
            (false, false) => "internal",
        };
        event.set(field::NETWORK_DIRECTION, direction);
    }
}

fn set_urls<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let url = notes.get(note::URL);
    if !url.is_empty() {
        web::url(event, url);
    }
    let domain = notes.get(note::DOMAIN);
    if !domain.is_empty() && !event.has(field::URL_DOMAIN) {
        web::authority(event, domain);
    }
    event.set_present(field::URL_QUERY, notes.get(note::QUERY).trim_start_matches('?'));
    if let Some(version) = notes.get(note::WEB_PROTOCOL).strip_prefix("HTTP/") {
        event.set(field::HTTP_VERSION, version);
    }
    // A sandbox names the site that a file came from, as a name or an address.
    let origin = notes.get(note::ORIGIN);
    if !origin.is_empty() {
        if !ecs::ip_only(event, field::DESTINATION_IP, origin) {
            event.set(field::DESTINATION_DOMAIN, origin);
        }
        event.set(field::URL_DOMAIN, origin);
    }
    let status = notes.get(note::HTTP_STATUS);
    if status != "0" {
        event.set_int(field::HTTP_RESPONSE_STATUS_CODE, status);
    }
}

/// `log_id` = type (2), component (2), subtype (2), priority (1), message (5).
fn set_code<'r>(event: &mut Event<'r>, id: &'r str) {
    match id.len().checked_sub(5).and_then(|at| id.get(at..)) {
        Some(code) => event.set(field::EVENT_CODE, code),
        None => event.set(field::EVENT_CODE, id),
    }
}

/// The rule's category: of the signature, else of the site. What the web server sent went to the client.
fn set_rest<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    event.set_present(field::RULE_CATEGORY, notes.first(&[note::CLASSIFICATION, note::CATEGORY]));
    if notes.get(note::TYPE) == "Firewall" && !event.has(field::EVENT_REASON) {
        event.set_present(field::EVENT_REASON, notes.get(note::MESSAGE));
    }
    if let Some(Value::Int(sent)) = event.get(field::SOURCE_BYTES)
        && notes.get(note::TYPE) == "WAF"
    {
        let received = event.get(field::DESTINATION_BYTES);
        event.set(field::DESTINATION_BYTES, sent);
        if let Some(Value::Int(received)) = received {
            event.set(field::SOURCE_BYTES, received);
        }
    }
}

fn classify<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let (kind, component) = (notes.get(note::TYPE), notes.get(note::COMPONENT));
    let subtype = notes.get(note::SUBTYPE);
    let action = if kind == "Event" { notes.first(&[note::STATUS, note::SUBTYPE]) } else { subtype };
    // The web application firewall says what it did by its answer.
    let action = match (kind, notes.get(note::HTTP_STATUS)) {
        ("WAF", "403") if action.is_empty() => "denied",
        ("WAF", _) if action.is_empty() => "allowed",
        _ => action,
    };
    event.set_present(field::EVENT_ACTION, action);
    let subtype = if kind == "WAF" { action } else { subtype };
    ecs::success(event);
    match kind {
        "Event" => return device_event(event, notes, component),
        "System Health" => return ecs::classify(event, &["host"], &["info"]),
        "Heartbeat" => ecs::classify(event, &["host", "network"], &["info"]),
        "Wireless Protection" => return ecs::classify(event, &["network"], &["info"]),
        _ => ecs::classify(event, &["network"], &["connection"]),
    }
    if matches!(component, "SMTP" | "SMTPS" | "POP3" | "POP3S" | "POPS" | "IMAP" | "IMAPS" | "FTP" | "HTTP" | "HTTPS") {
        let name = match (component, event.text(field::URL_SCHEME)) {
            ("POPS", _) => "pop3s",
            (_, Some(scheme)) => scheme,
            _ => text::lower(event, component),
        };
        event.set(field::NETWORK_PROTOCOL, name);
    }
    let category = match kind {
        "IDP" | "IPS" => Some("intrusion_detection"),
        "ATP" => Some("malware"),
        "Anti-Virus" | "Anti-Spam" | "Sandbox" | "Zero-Day Protection" if !is_harmless(subtype) => Some("malware"),
        "Content Filtering" | "WAF" => Some("web"),
        _ => None,
    };
    if let Some(category) = category {
        event.set(field::EVENT_CATEGORY, category);
    }
    if kind == "Anti-Spam" || component.contains("Mail") {
        event.set(field::EVENT_CATEGORY, "email");
    }
    if matches!(category, Some("intrusion_detection" | "malware")) {
        event.set(field::EVENT_KIND, "alert");
        event.set(field::EVENT_TYPE, "info");
    }
    event.set(field::EVENT_TYPE, if is_harmless(subtype) || vendor::is_allowed(subtype) { "allowed" } else { "denied" });
    match notes.get(note::CONNECTION_EVENT) {
        "Start" => event.set(field::EVENT_TYPE, "start"),
        "Stop" => event.set(field::EVENT_TYPE, "end"),
        _ => {}
    }
}

fn is_harmless(subtype: &str) -> bool {
    matches!(subtype, "Allowed" | "Clean" | "Detect" | "Warned" | "Pending" | "Eligible" | "Alert" | "Monitored" | "Interim" | "")
}

/// Logs about the firewall itself, its users, its leases and its tunnels.
fn device_event<'r>(event: &mut Event<'r>, notes: &Line<'r>, component: &'r str) {
    let status = notes.get(note::STATUS);
    let is_login = notes.get(note::SUBTYPE) == "Authentication"
        || component.contains("Authentication")
        || matches!(component, "GUI" | "CLI" | "Central Management");
    match component {
        _ if is_login => {
            ecs::classify(event, &["authentication", "network"], &[if status.contains("ogout") { "end" } else { "start" }]);
        }
        "IPSec" | "SSL VPN" | "L2TP" | "PPTP" | "Dial-In" | "RED" => {
            ecs::classify(event, &["network"], &["connection"]);
            match status {
                "Established" | "Connected" | "Up" => event.set(field::EVENT_TYPE, "start"),
                "Terminated" | "Disconnected" | "Down" => event.set(field::EVENT_TYPE, "end"),
                _ => event.set(field::EVENT_TYPE, "info"),
            }
        }
        "DHCP Server" => ecs::classify(event, &["network"], &["info", "protocol"]),
        _ => ecs::classify(event, &["host"], &["info"]),
    }
    match status {
        "Failed" | "Failure" | "Expire" | "Denied" => ecs::failure(event),
        _ => {
            if let Some(outcome) = ecs::outcome_word(status) {
                event.set(field::EVENT_OUTCOME, outcome);
            }
        }
    }
}
