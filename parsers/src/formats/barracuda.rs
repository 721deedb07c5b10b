//! Barracuda: CloudGen Firewall (syslog and its JSON streams) and Web Application Firewall.
//!
//! Reference: Barracuda, "CloudGen Firewall: log files and structure" (firewall activity log, threat log), "firewall, web and
//! threat log streaming"; "Web Application Firewall: syslog and other logs" (access, web firewall, audit, network firewall, system
//! log formats).

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    keys::KeyTable,
    phrases::{self, Class, LOGIN, Phrase},
    text, time,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "barracuda.";

pub struct Barracuda;

mod note {
    pub const ACTION: u8 = 0;
    pub const TIME: u8 = 1;
    pub const KIND: u8 = 2;
    pub const TRAFFIC: u8 = 3;
    pub const DURATION: u8 = 4;
    pub const COUNT: usize = 5;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("timestamp", Note(note::TIME)),
        ("action", Note(note::ACTION)),
        ("operation", Note(note::ACTION)),
        ("type", Both(field::RULE_RULESET, note::KIND)),
        ("traffic_type", Note(note::TRAFFIC)),
        ("duration", Note(note::DURATION)),
        ("src_iface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("dst_iface", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("src_ip", Ip(field::SOURCE_IP)),
        ("source_ip", Ip(field::SOURCE_IP)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("source_port", Int(field::SOURCE_PORT)),
        ("src_mac", Mac(field::SOURCE_MAC)),
        ("dst_ip", Ip(field::DESTINATION_IP)),
        ("destination_ip", Ip(field::DESTINATION_IP)),
        ("dst_port", Int(field::DESTINATION_PORT)),
        ("destination_port", Int(field::DESTINATION_PORT)),
        ("port", Int(field::DESTINATION_PORT)),
        ("dst_mac", Mac(field::DESTINATION_MAC)),
        ("src_ip_nat", Ip(field::SOURCE_NAT_IP)),
        ("dst_ip_nat", Ip(field::DESTINATION_NAT_IP)),
        ("fwd_bytes", Int(field::SOURCE_BYTES)),
        ("rev_bytes", Int(field::DESTINATION_BYTES)),
        ("fwd_packets", Int(field::SOURCE_PACKETS)),
        ("rev_packets", Int(field::DESTINATION_PACKETS)),
        ("ip_proto", Protocol),
        ("trans_proto", Protocol),
        ("apps", Lower(field::NETWORK_APPLICATION)),
        ("fw_rule", Text(field::RULE_NAME)),
        ("description", Text(field::MESSAGE)),
        ("ips_category", Text(field::RULE_CATEGORY)),
        ("severity", Text(field::LOG_LEVEL)),
        ("threat_severity", Int(field::EVENT_SEVERITY)),
        ("user", User(field::USER_NAME)),
        ("app_target", FilePath),
        ("method", Text(field::HTTP_REQUEST_METHOD)),
        ("status_code", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("user_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("content_type", Name("http.response.mime_type")),
        ("name", Url),
        ("size", Int(field::HTTP_RESPONSE_BODY_BYTES)),
        ("domain", Machine(field::DESTINATION_DOMAIN)),
    ])
});

const USER: Option<Means> = Some(Means::Account(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Endpoint(field::SOURCE_IP, field::SOURCE_ADDRESS, field::SOURCE_PORT));
const ACTION: Option<Means> = Some(Means::Text(field::EVENT_ACTION));
const COMMAND: Option<Means> = Some(Means::Text(field::PROCESS_COMMAND_LINE));
const FILE: Option<Means> = Some(Means::FilePath);
const SIZE: Option<Means> = Some(Means::Int(field::FILE_SIZE));
const PID: Option<Means> = Some(Means::Int(field::PROCESS_PID));

const STARTED: Class = Class::new(&["authentication"], &["start"], "", "");
const FILES: Class = Class::new(&["file"], &["info"], "", "");
const PROCESS: Class = Class::new(&["process"], &["info"], "", "");

const PHRASES: &[Phrase] = &[
    Phrase { text: "phibs: Authentication * for peer=* origin=* user=*", means: &[ACTION, FROM, None, USER], class: STARTED },
    Phrase {
        text: "phibs: Authentication * for peer=* origin=* box=* *|",
        means: &[ACTION, FROM, None, None, USER],
        class: STARTED,
    },
    Phrase { text: "Session from * mode=", means: &[FROM], class: Class::new(&["session"], &["start"], "", "") },
    Phrase {
        text: "[*@*_*]  Download File * received size=* mode=",
        means: &[USER, FROM, Some(Means::Int(field::SOURCE_PORT)), FILE, SIZE],
        class: FILES,
    },
    Phrase {
        text: "[*@*_*]  Commit operation: * Copy: * from",
        means: &[USER, FROM, Some(Means::Int(field::SOURCE_PORT)), None, FILE],
        class: FILES,
    },
    Phrase {
        text: "[*@*_*]  Commit operation: * Execute: *",
        means: &[USER, FROM, Some(Means::Int(field::SOURCE_PORT)), None, COMMAND],
        class: PROCESS,
    },
    Phrase {
        text: "firewall: [*] SecurityEvent: (*) * for source IP * within",
        means: &[None, Some(Means::Text(field::RULE_NAME)), None, FROM],
        class: Class::new(&["network", "intrusion_detection"], &["info"], "", ""),
    },
    Phrase { text: "was able to ping process * (*)", means: &[PID, FILE], class: PROCESS },
    Phrase { text: "still alive", means: &[], class: PROCESS },
    Phrase { text: "current", means: &[], class: PROCESS },
    Phrase { text: "Received * users from * (", means: &[], class: Class::new(&["authentication"], &["info"], "", "") },
    Phrase { text: "MSAD", means: &[], class: Class::new(&["authentication"], &["info"], "", "") },
    Phrase { text: "Accepted * for * from * port", means: &[None, USER, FROM], class: LOGIN },
];

/// Levels that the box daemon writes in front of every line, padded to eight characters and a blank.
const LEVELS: [&str; 6] = ["Info", "Warning", "Error", "Security", "Notice", "Fatal"];

impl Parser for Barracuda {
    fn name(&self) -> &'static str {
        "barracuda"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let b = text.as_bytes();
        let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
        let is_json = b.first() == Some(&b'{')
            && (has(2048, b"\"fw_rule\"") && (has(2048, b"\"fw_info\"") || has(2048, b"\"traffic_type\""))
                || has(4096, b"\"threat_severity\"") && has(4096, b"\"trans_proto\""));
        Sniff::yes_if(is_json || box_line(text).is_some() || appliance(text).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        if let Some((level, host, rest)) = box_line(text) {
            event.set_dataset("barracuda.cloudgen_firewall");
            event.set(field::LOG_LEVEL, level);
            ecs::host(event, host);
            vendor::device(event, "Barracuda", "CloudGen Firewall", "firewall");
            event.set(field::MESSAGE, rest);
            box_message(raw, event, rest);
        } else if let Some(unit) = appliance(text) {
            event.set_dataset("barracuda.waf");
            waf(raw, event, text, unit);
        } else if let Some(object) = json::object(text) {
            let mut notes = Notes::<{ note::COUNT }>::default();
            if !vendor::json(raw, event, object, PREFIX, &KEYS, &mut notes) {
                return Outcome::Unreadable("malformed JSON");
            }
            event.set_dataset("barracuda.cloudgen_firewall");
            vendor::device(event, "Barracuda", "ngfw", "firewall");
            stream(raw, event, &notes);
        } else {
            return Outcome::Unreadable("no Barracuda record");
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}

fn stream<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    if let Some(moment) = time::any(notes.get(note::TIME), raw) {
        event.set(field::TIMESTAMP, Value::Time(moment));
    }
    let action = notes.get(note::ACTION);
    event.set_present(field::EVENT_ACTION, action);
    if let Some(millis) = notes.number(note::DURATION) {
        event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
    }
    let is_web = !notes.get(note::TRAFFIC).is_empty();
    let kind = match action {
        "End" | "Terminate" => "end",
        "Allow" | "Begin" => "start",
        _ if is_web => {
            if action == "0" {
                "allowed"
            } else {
                "denied"
            }
        }
        _ if vendor::is_denied(action) || matches!(action, "Fail" | "ARP" | "Scan") => "denied",
        _ => "allowed",
    };
    ecs::classify(event, &["network"], &[kind]);
    match notes.get(note::KIND) {
        "Virus" | "ATD" => event.set(field::EVENT_CATEGORY, "malware"),
        "IPS" => event.set(field::EVENT_CATEGORY, "intrusion_detection"),
        _ if is_web => event.set(field::EVENT_CATEGORY, "web"),
        _ => return,
    }
    if !is_web {
        event.set(field::EVENT_KIND, "alert");
    }
}

/// `Info     HOST text`: the level in a field of nine characters, then the box.
fn box_line(text: &str) -> Option<(&str, &str, &str)> {
    let level = LEVELS.iter().find(|level| text.starts_with(**level))?;
    let rest = text.get(9..)?;
    if !text[level.len()..9].bytes().all(|b| b == b' ') {
        return None;
    }
    let (host, rest) = text::word(rest);
    let is_host = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    (!host.is_empty() && is_host && !rest.is_empty()).then(|| (&text[..level.len()], host, rest.trim_start()))
}

fn box_message<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    // `Allow: LOUT|UDP|bond0.603|…`: the firewall's activity log.
    if let Some((action, list)) = text.split_once(": ")
        && list.matches('|').count() >= 12
        && list.split('|').nth(3).is_some_and(|address| ecs::ip(address).is_some())
        && !action.contains(' ')
    {
        return activity(event, action, list);
    }
    // `firewall: [Request] Allow:   IPS ALLIP(0) a -> b:0 |[ID: …]||3|Probing`
    if let Some(rest) = text.strip_prefix("firewall: [")
        && let Some((_, rest)) = rest.split_once("] ")
        && let Some((action, rest)) = rest.split_once(':')
        && let Some((from, to)) = rest.split_once(" -> ")
    {
        vendor::verdict(event, vendor::is_allowed(action));
        event.set(field::EVENT_CATEGORY, "intrusion_detection");
        event.set(field::EVENT_ACTION, action);
        vendor::source(event, from.rsplit(' ').next().unwrap_or_default());
        let (to, detail) = to.split_once(" |").unwrap_or((to, ""));
        vendor::destination(event, to.trim());
        let mut parts = detail.split('|');
        event.set_present(field::RULE_NAME, parts.next().unwrap_or_default().trim_matches(['[', ']']));
        event.set_int(field::EVENT_SEVERITY, parts.nth(1).unwrap_or_default());
        event.set_present(field::RULE_CATEGORY, parts.next().unwrap_or_default());
        return;
    }
    if !phrases::read(raw, event, PHRASES, text) {
        ecs::classify(event, &["network"], &["info"]);
    }
    if !event.has(field::EVENT_REASON) {
        // `[master@192.0.2.9_36778]  text`: who speaks is no part of it.
        let reason = text.strip_prefix('[').and_then(|text| text.split_once("]  ")).map_or(text, |(_, reason)| reason);
        event.set(field::EVENT_REASON, reason);
    }
}

/// type | protocol | source interface | source | port | MAC | destination | port | service | destination interface | rule | info |
/// source NAT | destination NAT | duration | count | received bytes | sent bytes | received packets | sent packets | user | …
fn activity<'r>(event: &mut Event<'r>, action: &'r str, list: &'r str) {
    let mut parts = list.split('|');
    let mut next = || parts.next().unwrap_or_default();
    event.set_extra(PREFIX, "type", next());
    vendor::verdict(event, matches!(action, "Allow" | "Remove" | "Detect"));
    event.set(field::EVENT_TYPE, if action == "Remove" { "end" } else { "info" });
    event.set(field::EVENT_ACTION, action);
    vendor::protocol(event, next());
    event.set_present(field::OBSERVER_INGRESS_INTERFACE_NAME, next());
    ecs::source(event, next());
    event.set_int(field::SOURCE_PORT, next());
    event.set_present(field::SOURCE_MAC, vendor::mac(event, next()));
    ecs::destination(event, next());
    event.set_int(field::DESTINATION_PORT, next());
    event.set_present(field::NETWORK_PROTOCOL, next());
    event.set_present(field::OBSERVER_EGRESS_INTERFACE_NAME, next());
    event.set_present(field::RULE_NAME, next());
    event.set_present(field::EVENT_CODE, next());
    ecs::ip_only(event, field::SOURCE_NAT_IP, next());
    ecs::ip_only(event, field::DESTINATION_NAT_IP, next());
    if let Ok(millis) = next().parse::<i64>() {
        event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
    }
    let _count = next();
    event.set_int(field::DESTINATION_BYTES, next());
    event.set_int(field::SOURCE_BYTES, next());
    event.set_int(field::DESTINATION_PACKETS, next());
    event.set_int(field::SOURCE_PACKETS, next());
    ecs::user(event, field::USER_NAME, next());
}

/// `[2026-11-23 10:00:00.123 +0700 ]unit WF …`: where the type's word begins.
fn appliance(text: &str) -> Option<usize> {
    let rest_at = match time::iso(text) {
        Some((_, rest)) => text.len() - rest.trim_start().len(),
        None => 0,
    };
    let rest = &text[rest_at..];
    let (unit, after) = text::word(rest);
    let (kind, after) = text::word(after);
    let is_unit = !unit.is_empty() && unit.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let (severity, tail) = text::word(after);
    const SEVERITIES: [&str; 8] = ["EMER", "ALER", "CRIT", "ERRO", "WARN", "NOTI", "INFO", "DEBU"];
    let is = match kind {
        "WF" | "SYS" | "NF" => SEVERITIES.contains(&severity),
        "TR" => ecs::ip(severity).is_some() && tail.split(' ').next().is_some_and(|port| port.parse::<u16>().is_ok()),
        "AUDIT" => tail.contains(' '),
        _ => false,
    };
    (is_unit && is && rest_at > 0).then_some(rest_at)
}

fn waf<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, at: usize) {
    if let Some((stamp, _)) = time::iso(text) {
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
    }
    let (unit, rest) = text::word(&text[at..]);
    ecs::host(event, unit);
    vendor::device(event, "Barracuda", "Web Application Firewall", "waf");
    let (kind, rest) = text::word(rest);
    event.set(field::EVENT_PROVIDER, kind);
    event.set(field::MESSAGE, rest);
    let mut words = Words { rest };
    let mut next = || words.next().unwrap_or_default();
    match kind {
        "WF" => {
            event.set(field::LOG_LEVEL, text::lower(event, next()));
            ecs::classify(event, &["intrusion_detection", "web"], &["info"]);
            event.set(field::EVENT_KIND, "alert");
            event.set_present(field::RULE_CATEGORY, next());
            ecs::source(event, next());
            event.set_int(field::SOURCE_PORT, next());
            event.set_present(field::RULE_NAME, next());
            event.set_present(field::RULE_RULESET, next());
            let action = next();
            event.set_present(field::EVENT_ACTION, action);
            event.set(field::EVENT_TYPE, if matches!(action, "DENY" | "BLOCK" | "DROP") { "denied" } else { "allowed" });
            let _follow_up = next();
            event.set_present(field::EVENT_REASON, next());
            event.set_present(field::HTTP_REQUEST_METHOD, next());
            vendor::url(event, next());
            let _protocol = next();
            let _session = next();
            event.set_present(field::USER_AGENT_ORIGINAL, next());
            ecs::destination(event, next());
            event.set_int(field::DESTINATION_PORT, next());
            ecs::user(event, field::USER_NAME, next());
            event.set_present(field::HTTP_REQUEST_REFERRER, next());
        }
        "TR" => {
            ecs::classify(event, &["web"], &["access"]);
            ecs::destination(event, next());
            event.set_int(field::DESTINATION_PORT, next());
            ecs::source(event, next());
            event.set_int(field::SOURCE_PORT, next());
            let (login, _certificate) = (next(), next());
            ecs::user(event, field::USER_NAME, login);
            event.set_present(field::HTTP_REQUEST_METHOD, next());
            event.set_present(field::NETWORK_PROTOCOL, text::lower(event, next()));
            let host = next();
            let version = next();
            event.set_present(field::HTTP_VERSION, version.strip_prefix("HTTP/").unwrap_or(version));
            let status = next();
            if event.set_int(field::HTTP_RESPONSE_STATUS_CODE, status) {
                event.set(field::EVENT_OUTCOME, if status < "400" { "success" } else { "failure" });
            }
            event.set_int(field::HTTP_RESPONSE_BYTES, next());
            event.set_int(field::HTTP_REQUEST_BODY_BYTES, next());
            let (_cache, _millis, server, server_port) = (next(), next(), next(), next());
            vendor::ip_named(event, "server.ip", server);
            let _ = server_port;
            for _ in 0..5 {
                next();
            }
            let path = next();
            if path.starts_with('/') {
                web::url(event, path);
            }
            web::authority(event, host);
            event.set_present(field::URL_QUERY, next().trim_matches('"'));
            event.set_present(field::HTTP_REQUEST_REFERRER, next());
            let _cookie = next();
            event.set_present(field::USER_AGENT_ORIGINAL, next());
        }
        "AUDIT" => {
            ecs::classify(event, &["configuration"], &["change"]);
            ecs::user(event, field::USER_NAME, next());
            let kind = next();
            event.set_present(field::EVENT_ACTION, kind);
            if kind.contains("LOGIN") {
                phrases::classify(event, &if kind.contains("UNSUCCESS") { phrases::LOGIN_FAILED } else { LOGIN });
            }
            ecs::source(event, next());
            event.set_int(field::SOURCE_PORT, next());
        }
        "NF" => {
            event.set(field::LOG_LEVEL, text::lower(event, next()));
            vendor::protocol(event, next());
            ecs::source(event, next());
            event.set_int(field::SOURCE_PORT, next());
            ecs::destination(event, next());
            event.set_int(field::DESTINATION_PORT, next());
            let action = next();
            vendor::verdict(event, vendor::is_allowed(action));
            event.set_present(field::EVENT_ACTION, action);
            event.set_present(field::RULE_NAME, next());
        }
        _ => {
            event.set(field::LOG_LEVEL, text::lower(event, next()));
            ecs::classify(event, &["host"], &["info"]);
        }
    }
}

/// Words between blanks; quotes and brackets hold blanks.
struct Words<'r> {
    rest: &'r str,
}

impl<'r> Iterator for Words<'r> {
    type Item = &'r str;

    fn next(&mut self) -> Option<&'r str> {
        let rest = self.rest.trim_start_matches(' ');
        if rest.is_empty() {
            return None;
        }
        if let Some((inside, after)) = web::quoted(rest) {
            self.rest = after;
            return Some(inside);
        }
        if let Some((inside, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            self.rest = after;
            return Some(inside);
        }
        let (word, after) = text::word(rest);
        self.rest = after;
        Some(word)
    }
}
