//! Cisco Identity Services Engine: `CISE_Passed_Authentications 0000000028 1 0 2026-11-23 10:00:00.276 +07:00 0000001707 5200 NOTICE
//! Passed-Authentication: Authentication succeeded, UserName=an, …`.
//!
//! Reference: "Cisco ISE Syslogs" and the message catalogue: category, sequence number and the number of the segment of a long
//! message; the first segment has stamp, sequence, message code, severity, class and text; `name=value` pairs follow.
//!
//! A message cut into segments arrives as several records: each gives its own pairs. Names are kept as
//! `cisco.ise.<name>`, lower case with underscores; a comma or equals sign in a value is escaped by a backslash.

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, keys::KeyTable, net, text, time};

const PREFIX: &str = "cisco.ise.";

/// Pairs of one record.
const PAIRS_MAX: usize = 512;

pub struct CiscoIse;

impl Parser for CiscoIse {
    fn name(&self) -> &'static str {
        "cisco_ise"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[
            "CSCOacs_Passed_Authentications",
            "CSCOacs_Failed_Attempts",
            "CSCOacs_Administrative_Audit",
            "CSCOacs_TACACS_Accounting",
        ]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(segment(raw.text()).is_some() || alarm(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let (segment, alarm) = (segment(raw.text()), alarm(raw.text()));
        if segment.is_none() && alarm.is_none() {
            return Outcome::Unreadable("no CISE_ header");
        }
        event.set_dataset("cisco.ise");
        event.set(field::OBSERVER_VENDOR, "Cisco");
        event.set(field::OBSERVER_PRODUCT, "Cisco ISE");
        event.set(field::OBSERVER_TYPE, "nac");
        if let Some(alarm) = alarm {
            set_alarm(event, &alarm);
        }
        let Some(segment) = segment else { return Outcome::Parsed };
        if !segment.category.is_empty() {
            event.set_extra(PREFIX, "category", segment.category);
        }
        event.set_extra(PREFIX, "message_id", segment.id);
        event.set_extra(PREFIX, "segment", segment.number);
        event.set_extra(PREFIX, "segments", segment.total);
        let head = head(segment.rest);
        let mut body = segment.rest;
        if let Some(head) = &head {
            body = head.rest;
            event.set(field::TIMESTAMP, Value::Time(head.stamp.resolve(raw)));
            event.set_int(field::EVENT_SEQUENCE, head.sequence);
            event.set(field::EVENT_CODE, head.code);
            event.set(field::LOG_LEVEL, text::lower(event, head.severity));
            event.set(field::EVENT_ACTION, text::lower(event, head.class));
            event.set_present(field::MESSAGE, head.text);
            event.set_present(field::EVENT_REASON, head.text);
        }
        let mut facts = Facts::default();
        pairs(event, body, &mut facts);
        facts.finish(event);
        classify(event, segment.category, head.as_ref(), &facts);
        Outcome::Parsed
    }
}

struct Alarm<'r> {
    severity: &'r str,
    name: &'r str,
    text: &'r str,
    pairs: &'r str,
}

/// `CISE_Alarm WARN: Configuration Changed: Admin=an; Object Type=…`: an alarm of the console, sent on; pairs end with a
/// semicolon or a comma, and there may be none.
fn alarm(text: &str) -> Option<Alarm<'_>> {
    let (severity, text) = text.strip_prefix("CISE_Alarm ")?.split_once(':')?;
    if severity.is_empty() || severity.len() > 10 || !severity.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let text = text.trim();
    let (name, pairs) = text.split_once(':').filter(|(_, pairs)| key(pairs.trim_start()).is_some()).unwrap_or((text, ""));
    Some(Alarm { severity, name: name.trim(), text, pairs: pairs.trim_start() })
}

fn set_alarm<'r>(event: &mut Event<'r>, alarm: &Alarm<'r>) {
    event.set(field::LOG_LEVEL, text::lower(event, alarm.severity));
    event.set_present(field::MESSAGE, alarm.text);
    event.set_present(field::EVENT_REASON, alarm.name);
    event.set_extra(PREFIX, "category", "Alarm");
    let mut facts = Facts::default();
    if alarm.pairs.contains("; ") {
        for (name, value) in alarm.pairs.split("; ").filter_map(key).take(PAIRS_MAX) {
            facts.pair(event, name, value.trim_end_matches(';').trim());
        }
    } else {
        pairs(event, alarm.pairs, &mut facts);
    }
    facts.finish(event);
    let has = |words: &[&str]| words.iter().any(|word| alarm.name.contains(word));
    let (category, kind) = if has(&["Configuration"]) {
        ("configuration", "change")
    } else if has(&["uthenticat", "RADIUS", "EAP", "ogin", "Supplicant"]) {
        ("authentication", "info")
    } else {
        ("network", "info")
    };
    ecs::classify(event, &[category], &[kind]);
    event.set(field::EVENT_KIND, "alert");
}

struct Segment<'r> {
    category: &'r str,
    id: &'r str,
    total: &'r str,
    number: &'r str,
    rest: &'r str,
}

/// `[CISE_Category ]id total number rest`; without the category the id has its ten digits and the rest must look the part.
fn segment(text: &str) -> Option<Segment<'_>> {
    let (category, rest) = match text.strip_prefix("CISE_").or_else(|| text.strip_prefix("CSCOacs_")) {
        Some(rest) => text::split(rest, b' ')?,
        None => ("", text),
    };
    let mut words = rest.splitn(4, ' ');
    let (id, total, number, rest) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_number = |word: &str, len: usize| !word.is_empty() && word.len() <= len && word.bytes().all(|b| b.is_ascii_digit());
    if !is_number(id, 12) || !is_number(total, 3) || !is_number(number, 3) {
        return None;
    }
    if category.is_empty() {
        let is_like = id.len() == 10 && id.starts_with('0') && (head(rest).is_some() || rest.contains('='));
        return is_like.then_some(Segment { category, id, total, number, rest });
    }
    Some(Segment { category, id, total, number, rest })
}

struct Head<'r> {
    stamp: time::Stamp,
    sequence: &'r str,
    code: &'r str,
    severity: &'r str,
    class: &'r str,
    text: &'r str,
    rest: &'r str,
}

/// `stamp zone sequence code SEVERITY Class: text, `.
fn head(text: &str) -> Option<Head<'_>> {
    let (stamp, rest) = time::iso(text.trim_start_matches(' '))?;
    let (sequence, rest) = text::word(rest.trim_start_matches(' '));
    let (code, rest) = text::word(rest);
    let (severity, rest) = text::word(rest);
    let (class, rest) = rest.trim_start_matches(' ').split_once(':')?;
    if code.len() > 6 || !code.bytes().all(|b| b.is_ascii_digit()) || class.len() > 64 {
        return None;
    }
    let rest = rest.trim_start_matches(' ');
    // The text ends at the comma before the first pair.
    let mut from = 0;
    let end = loop {
        match rest[from..].find(',').map(|at| from + at) {
            None => break rest.len(),
            Some(at) if rest[at + 1..].trim().is_empty() || key(rest[at + 1..].trim_start()).is_some() => break at,
            Some(at) => from = at + 1,
        }
    };
    Some(Head {
        stamp,
        sequence,
        code,
        severity,
        class,
        text: rest[..end].trim(),
        rest: rest[end..].trim_start_matches([',', ' ']),
    })
}

/// The name before an equals sign, and what follows it.
fn key(text: &str) -> Option<(&str, &str)> {
    let at = memchr::memchr(b'=', &text.as_bytes()[..text.len().min(80)])?;
    let key = &text[..at];
    let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_' | b'.' | b'/' | b'(' | b')'));
    is_key.then(|| (key.trim(), &text[at + 1..]))
}

fn pairs<'r>(event: &mut Event<'r>, text: &'r str, facts: &mut Facts<'r>) {
    let mut rest = text.trim_start_matches([',', ' ']);
    for _ in 0..PAIRS_MAX {
        if rest.is_empty() {
            return;
        }
        let Some((name, after)) = key(rest) else {
            // Words that are no pair: on to the next comma.
            rest = text::split(rest, b',').map_or("", |(_, after)| after.trim_start_matches([',', ' ']));
            continue;
        };
        let end = value_end(after);
        let value = text::unescape(event, after[..end].trim(), |c| matches!(c, ',' | '=' | '\\' | ';' | '{' | '}'));
        rest = after[end..].trim_start_matches([',', ' ']);
        facts.pair(event, name, value);
    }
    if !rest.is_empty() {
        event.problem("more pairs than a record may have: the rest was left out");
    }
}

/// Where a value ends: behind its brace, else at the comma before the next name.
fn value_end(text: &str) -> usize {
    let b = text.as_bytes();
    if let Some(open @ (b'{' | b'[')) = b.first() {
        let close = if *open == b'{' { b'}' } else { b']' };
        let mut depth = 0usize;
        for (at, byte) in b.iter().enumerate() {
            if byte == open {
                depth += 1;
            } else if *byte == close {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
        }
    }
    let mut from = 0;
    while let Some(at) = memchr::memchr(b',', &b[from..]).map(|at| from + at) {
        let is_escaped = at > 0 && b[at - 1] == b'\\';
        if !is_escaped && (text[at + 1..].trim().is_empty() || key(text[at + 1..].trim_start()).is_some()) {
            return at;
        }
        from = at + 1;
    }
    text.len()
}

#[derive(Clone, Copy)]
enum Means {
    Text(Field),
    Int(Field),
    /// The network device that asked: the client of ISE.
    Device,
    DevicePort,
    Destination,
    Source,
    User,
    Mac,
    Framed,
    Protocol,
    Admin,
    Host,
    Failure,
    Command,
    Named(&'static str),
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("Device IP Address", Device),
        ("NAS-IP-Address", Device),
        ("Device Port", DevicePort),
        ("DestinationIPAddress", Destination),
        ("DestinationPort", Int(field::DESTINATION_PORT)),
        ("AdminIPAddress", Source),
        ("IpAddress", Source),
        ("Remote-Address", Source),
        ("EndPointIPAddress", Source),
        ("UserName", User),
        ("User-Name", User),
        ("User", User),
        ("AD-User-Resolved-Identities", Named("user.full_name")),
        ("AdminName", Admin),
        ("Admin", Admin),
        ("Server", Host),
        ("NAS IP Address", Device),
        ("NAD Address", Device),
        ("AD-Account-Name", User),
        ("Calling-Station-ID", Mac),
        ("EPMacAddress", Mac),
        ("EndPointMACAddress", Mac),
        ("Framed-IP-Address", Framed),
        ("FramedIPAddress", Framed),
        ("Protocol", Protocol),
        ("AcsInstance", Host),
        ("FailureReason", Failure),
        ("Service-Type", Named("service.type")),
        ("AuthorizationPolicyMatchedRule", Text(field::RULE_NAME)),
        ("ISEPolicySetName", Text(field::RULE_RULESET)),
        ("IdentityGroup", Text(field::USER_GROUP_NAME)),
        ("AD-Domain", Text(field::USER_DOMAIN)),
        ("Acct-Input-Octets", Int(field::SOURCE_BYTES)),
        ("Acct-Output-Octets", Int(field::DESTINATION_BYTES)),
        ("Acct-Input-Packets", Int(field::SOURCE_PACKETS)),
        ("Acct-Output-Packets", Int(field::DESTINATION_PACKETS)),
        ("CmdSet", Command),
        ("CmdAV", Command),
    ])
});

#[derive(Default)]
struct Facts<'r> {
    device: &'r str,
    source: &'r str,
    framed: &'r str,
    failure: &'r str,
    port: &'r str,
}

impl<'r> Facts<'r> {
    fn pair(&mut self, event: &mut Event<'r>, name: &'r str, value: &'r str) {
        event.set_extra(PREFIX, snake(event, name), value);
        let Some(means) = KEYS.get(name).filter(|_| !ecs::is_nothing(value)) else { return };
        match means {
            Means::Text(field) => event.set(field, value),
            Means::Int(field) => drop(event.set_int(field, value)),
            Means::Device if self.device.is_empty() => self.device = value,
            Means::Device => {}
            Means::DevicePort => self.port = value,
            Means::Destination => ecs::destination(event, value),
            Means::Source => self.source = value,
            Means::User | Means::Admin => net::account(event, value),
            Means::Mac => event.set(field::SOURCE_MAC, value),
            Means::Framed => self.framed = value,
            Means::Protocol => event.set(field::NETWORK_PROTOCOL, text::lower(event, value)),
            Means::Host => event.set_named("host.hostname", value),
            Means::Failure => self.failure = value,
            Means::Command => {
                let inside = text::strip_pair(value, '[', ']').trim();
                event.set(field::PROCESS_COMMAND_LINE, inside.strip_prefix("CmdAV=").unwrap_or(inside));
            }
            Means::Named(name) => event.set_named(name, value),
        }
    }

    /// Whom it came from: an administrator or endpoint where one is named, else the network device.
    fn finish(&self, event: &mut Event<'r>) {
        ecs::ip_only(event, field::CLIENT_IP, self.device);
        let source = [self.source, self.framed, self.device].into_iter().find(|text| ecs::ip(text).is_some()).unwrap_or("");
        ecs::source(event, source);
        if self.source == source && !source.is_empty() {
            ecs::ip_only(event, field::CLIENT_IP, source);
        }
        if !self.port.is_empty() {
            event.set_named("client.port", self.port);
        }
    }
}

/// `Device IP Address` → `device_ip_address`.
fn snake<'r>(event: &Event<'r>, name: &str) -> &'r str {
    let copy = event.arena().alloc_slice_copy(name.as_bytes());
    for b in copy.iter_mut() {
        *b = match *b {
            b' ' | b'-' | b'/' | b'(' | b')' => b'_',
            b => b.to_ascii_lowercase(),
        };
    }
    // Names are ASCII: `key` lets nothing else through.
    std::str::from_utf8(copy).unwrap_or("name")
}

fn classify(event: &mut Event<'_>, category: &str, head: Option<&Head<'_>>, facts: &Facts<'_>) {
    let class = head.map_or("", |head| head.class);
    let text = head.map_or("", |head| head.text);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let categories: &[&'static str] = match (category, class) {
        (_, "Administrator-Login") => &["iam", "authentication"],
        (_, "Configuration-Changes") => &["iam", "configuration"],
        ("Passed_Authentications" | "Failed_Attempts", _) => &["authentication", "session"],
        (_, "Passed-Authentication" | "Failed-Attempt") => &["authentication", "session"],
        ("AD_Connector", _) | (_, "AD-Connector") => &["authentication", "configuration"],
        ("Administrative_and_Operational_Audit", _) => &["iam", "process"],
        ("Authentication_Flow_Diagnostics" | "Identity_Stores_Diagnostics", _) => &["iam", "authentication"],
        ("RADIUS_Accounting" | "TACACS_Accounting", _) => &["session", "configuration"],
        ("RADIUS_Diagnostics", _) => &["authentication", "network", "iam", "session", "configuration"],
        ("System_Statistics", _) => &["process"],
        ("Posture_and_Client_Provisioning_Audit", _) => &["malware", "host"],
        ("Threat_Centric_NAC", _) => &["configuration", "authentication"],
        _ => &["configuration"],
    };
    ecs::classify(event, categories, &["info"]);
    let is_failure =
        category == "Failed_Attempts" || class == "Failed-Attempt" || has(&["fail", "unsuccessful", "rejected", "dropped"]);
    let is_success = category == "Passed_Authentications" || has(&["ucceeded", "uccessful", "logged in"]);
    if is_failure {
        ecs::failure(event);
        event.set_present(field::EVENT_REASON, event.alloc(facts.failure));
    } else if is_success {
        ecs::success(event);
    }
    match class {
        "Configuration-Changes" if has(&["Added", "Created"]) => event.set(field::EVENT_TYPE, "creation"),
        "Configuration-Changes" if has(&["Deleted"]) => event.set(field::EVENT_TYPE, "deletion"),
        "Configuration-Changes" => event.set(field::EVENT_TYPE, "change"),
        "Radius-Accounting" | "Tacacs-Accounting" if has(&["start"]) => event.set(field::EVENT_TYPE, "start"),
        "Radius-Accounting" | "Tacacs-Accounting" if has(&["stop"]) => event.set(field::EVENT_TYPE, "end"),
        _ => {}
    }
}
