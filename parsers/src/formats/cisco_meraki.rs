//! Cisco Meraki appliances, switches and access points: `1795402800.346 MX84 flows allow src=… dst=…`.
//!
//! Reference: Meraki documentation, "Syslog Event Types and Log Samples": events, security events, flows and firewall, URLs, air
//! marshal, IP flows of MX, MR and MS. The stamp counts seconds since 1970 and is the envelope's where a PRI and a version stand
//! before it.
//!
//! Pairs are kept as `cisco.meraki.<key>`.

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    kv::{Pairs, Separator},
    net::{self, DESTINATION, SOURCE, endpoint},
    text, time,
};

const PREFIX: &str = "cisco.meraki.";

pub struct CiscoMeraki;

impl Parser for CiscoMeraki {
    fn name(&self) -> &'static str {
        "cisco_meraki"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(line(raw.text()).is_some_and(|line| is_like(line.kind, line.rest)))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(line) = line(raw.text()) else {
            return Outcome::Unreadable("no Meraki event");
        };
        event.set_dataset("cisco.meraki");
        event.set(field::OBSERVER_VENDOR, "Cisco");
        event.set(field::OBSERVER_PRODUCT, "Meraki");
        event.set(field::OBSERVER_TYPE, "firewall");
        if let Some(time) = line.time {
            event.set(field::TIMESTAMP, Value::Time(time));
            ecs::host(event, line.host);
        }
        if let Some(host) = event.text(field::HOST_NAME) {
            event.set(field::OBSERVER_NAME, host);
        }
        event.set_extra(PREFIX, "event_type", line.kind);
        event.set_present(field::MESSAGE, line.rest);
        let mut facts = Facts::default();
        facts.pairs(event, line.rest);
        facts.finish(event, &line);
        Outcome::Parsed
    }
}

struct Line<'r> {
    time: Option<i64>,
    host: &'r str,
    kind: &'r str,
    rest: &'r str,
}

const KINDS: [&str; 13] = [
    "events",
    "flows",
    "urls",
    "firewall",
    "vpn_firewall",
    "cellular_firewall",
    "bridge_anyconnect_client_vpn_firewall",
    "ip_flow_start",
    "ip_flow_end",
    "ids-alerts",
    "security_event",
    "airmarshal_events",
    "l7_firewall",
];

fn line(text: &str) -> Option<Line<'_>> {
    let (first, rest) = text::word(text);
    if KINDS.contains(&first) {
        return Some(Line { time: None, host: "", kind: first, rest });
    }
    let is_epoch = first.len() > 14
        && first.as_bytes()[10] == b'.'
        && first.bytes().enumerate().all(|(at, b)| at == 10 || b.is_ascii_digit());
    let (host, rest) = text::word(rest);
    let (kind, rest) = text::word(rest);
    (is_epoch && !host.is_empty() && KINDS.contains(&kind)).then_some(())?;
    Some(Line { time: time::epoch(first), host, kind, rest })
}

/// The words of kinds are common: what follows must look the part.
fn is_like(kind: &str, rest: &str) -> bool {
    match kind {
        "flows"
        | "firewall"
        | "vpn_firewall"
        | "cellular_firewall"
        | "l7_firewall"
        | "ip_flow_start"
        | "ip_flow_end"
        | "urls"
        | "bridge_anyconnect_client_vpn_firewall" => rest.contains("src="),
        "ids-alerts" | "security_event" => rest.contains("signature=") || rest.contains("src=") || rest.contains("name="),
        "airmarshal_events" => rest.contains("type="),
        _ => {
            rest.starts_with("type=")
                || [
                    "client_vpn",
                    "dhcp ",
                    "Site-to-Site",
                    "content_filtering",
                    "url=",
                    "Port ",
                    "port ",
                    "VRRP",
                    "primary uplink",
                    "Auth ",
                    "Blocked ",
                    "Cellular",
                    "Virtual router",
                    "uplink",
                    "STP",
                    "802.1X",
                    "Stack",
                    "SFP",
                    "Power",
                    "failed to connect",
                ]
                .iter()
                .any(|head| rest.starts_with(head))
        }
    }
}

#[derive(Clone, Copy)]
enum Means {
    Text(Field),
    Int(Field),
    Source,
    Destination,
    SourceMac,
    DestinationMac,
    TranslatedSource,
    Protocol,
    Url,
    User,
    Kind,
    Direction,
    Action,
    Message,
    Reason,
    Duration,
    Sha,
    Named(&'static str),
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("type", Kind),
        ("src", Source),
        ("client_ip", Source),
        ("dst", Destination),
        ("server", Destination),
        ("server_ip", Destination),
        ("sport", Int(field::SOURCE_PORT)),
        ("dport", Int(field::DESTINATION_PORT)),
        ("mac", SourceMac),
        ("client_mac", SourceMac),
        ("dhost", DestinationMac),
        ("smac", SourceMac),
        ("shost", SourceMac),
        ("translated_src_ip", TranslatedSource),
        ("translated_port", Int(field::SOURCE_NAT_PORT)),
        ("protocol", Protocol),
        ("url", Url),
        ("agent", Text(field::USER_AGENT_ORIGINAL)),
        ("identity", User),
        ("user", User),
        ("ssid", Named("network.name")),
        ("ssid_name", Named("network.name")),
        ("vlan_id", Named("network.vlan.id")),
        ("vlan", Named("network.vlan.id")),
        ("wired_mac", Named("observer.mac")),
        ("signature", Text(field::RULE_ID)),
        ("message", Message),
        ("msg", Message),
        ("direction", Direction),
        ("decision", Action),
        ("action", Action),
        ("disposition", Named("threat.indicator.confidence")),
        ("name", Text(field::FILE_NAME)),
        ("sha256", Sha),
        ("reason", Reason),
        ("duration", Duration),
        ("category0", Text(field::RULE_CATEGORY)),
    ])
});

#[derive(Default)]
struct Facts<'r> {
    kind: &'r str,
    action: &'r str,
    verdict: &'r str,
    message: &'r str,
}

impl<'r> Facts<'r> {
    fn pairs(&mut self, event: &mut Event<'r>, text: &'r str) {
        // `request: GET https://…` and `pattern: allow all` end the pairs.
        let (pairs, tail) = match [" request: ", " pattern: "].iter().filter_map(|mark| Some((text.find(mark)?, *mark))).min() {
            Some((at, _)) => (&text[..at], &text[at + 1..]),
            None => (text, ""),
        };
        let first = text::word(pairs).0;
        if matches!(first, "allow" | "deny" | "drop" | "block") {
            self.verdict = first;
        }
        for pair in Pairs::new(pairs, Separator::Blank) {
            let value = pair.value(event).trim();
            if pair.key.len() > ecs::NAME_BYTES_MAX {
                continue;
            }
            event.set_extra(PREFIX, pair.key, value);
            if let Some(means) = KEYS.get(pair.key).filter(|_| !ecs::is_nothing(value)) {
                self.one(event, means, value);
            }
        }
        if let Some(request) = tail.strip_prefix("request: ") {
            let (method, url) = text::word(request);
            event.set(field::HTTP_REQUEST_METHOD, method);
            crate::web::url(event, url);
        } else if let Some(pattern) = tail.strip_prefix("pattern: ") {
            event.set_extra(PREFIX, "pattern", pattern);
            let (word, rest) = text::word(pattern);
            self.verdict = match word {
                "allow" | "0" => "allow",
                "deny" | "1" => "deny",
                _ if rest.ends_with("Allow") => "allow",
                _ if rest.ends_with("Deny") => "deny",
                _ => self.verdict,
            };
            event.set(field::RULE_NAME, pattern);
        }
    }

    fn one(&mut self, event: &mut Event<'r>, means: Means, value: &'r str) {
        match means {
            Means::Text(field) => event.set(field, value),
            Means::Int(field) => drop(event.set_int(field, value)),
            Means::Source | Means::Destination => {
                let is_source = matches!(means, Means::Source);
                // Air marshal writes hardware addresses there.
                if is_mac(value) {
                    event.set(if is_source { field::SOURCE_MAC } else { field::DESTINATION_MAC }, value);
                } else if ecs::ip(value).is_none_or(|ip| !ip.is_unspecified()) {
                    let end = endpoint(value);
                    if is_source { SOURCE.set(event, end) } else { DESTINATION.set(event, end) }
                }
            }
            Means::SourceMac => event.set(field::SOURCE_MAC, value),
            Means::DestinationMac => event.set(field::DESTINATION_MAC, value),
            Means::TranslatedSource => drop(ecs::ip_only(event, field::SOURCE_NAT_IP, value)),
            Means::Protocol => {
                let name = text::lower(event, value);
                event.set(field::NETWORK_PROTOCOL, name);
                net::transport(event, name.split('/').next().unwrap_or(name));
            }
            Means::Url => crate::web::url(event, value),
            Means::User => net::account(event, value),
            Means::Kind => self.kind = value,
            Means::Direction => event.set(field::NETWORK_DIRECTION, value),
            Means::Action => self.action = value,
            Means::Message => {
                self.message = value;
                event.set(field::MESSAGE, value);
            }
            Means::Reason => event.set(field::EVENT_REASON, value),
            Means::Duration => {
                if let Some(nanos) = text::seconds_to_nanos(value) {
                    event.set(field::EVENT_DURATION, nanos);
                }
            }
            Means::Sha => {
                event.set(field::FILE_HASH_SHA256, value);
                event.set(field::RELATED_HASH, value);
            }
            Means::Named(name) => event.set_named(name, value),
        }
    }

    fn finish(&self, event: &mut Event<'r>, line: &Line<'r>) {
        // `msg= '…'`: a blank stands before the quote.
        let message = line.rest.split_once("msg= '").map_or(self.message, |(_, message)| message.trim_end_matches(['\'', ' ']));
        if !message.is_empty() {
            event.set(field::MESSAGE, message);
            peers(event, message);
        }
        if line.kind == "events" && self.kind.is_empty() {
            sentence(event, line.rest);
        }
        let (action, categories, types, outcome) = self.meaning(line, event);
        ecs::classify(event, categories, types);
        event.set_present(field::EVENT_ACTION, action);
        if let Some(outcome) = outcome {
            event.set(field::EVENT_OUTCOME, outcome);
        }
    }

    fn meaning(&self, line: &Line<'r>, event: &Event<'r>) -> Meaning<'r> {
        const NET: &[&str] = &["network"];
        const AUTH: &[&str] = &["network", "authentication"];
        const THREAT: &[&str] = &["network", "threat"];
        let flow: Meaning<'r> = match self.verdict {
            "allow" => {
                ("layer3-firewall-allowed-flow", NET, &["info", "connection", "start", "allowed", "access"], Some("success"))
            }
            "deny" | "drop" | "block" => ("layer3-firewall-denied-flow", NET, &["info", "connection", "denied"], Some("success")),
            _ => ("ip-session-initiated", NET, &["info", "connection", "start", "access"], None),
        };
        match line.kind {
            "flows" if line.rest.contains(" pattern: ") => ("ip-session-initiated", flow.1, flow.2, flow.3),
            "flows"
            | "firewall"
            | "vpn_firewall"
            | "cellular_firewall"
            | "l7_firewall"
            | "bridge_anyconnect_client_vpn_firewall" => flow,
            "ip_flow_start" => ("ip-flow-start", NET, &["info", "connection", "start"], None),
            "ip_flow_end" => ("ip-flow-end", NET, &["info", "connection", "end"], None),
            "urls" => {
                let is_error = event.text(field::HTTP_REQUEST_METHOD) == Some("UNKNOWN");
                if is_error {
                    ("http-access-error", &["network", "web"], &["info", "error"], None)
                } else {
                    ("http-access", &["network", "web"], &["info", "access"], None)
                }
            }
            "ids-alerts" => ("ids-signature-matched", THREAT, &["info", "indicator"], None),
            "security_event" if line.rest.starts_with("security_filtering_file_scanned") => {
                ("malicious-file-actioned", &["network", "threat", "malware"], &["info", "indicator", "denied"], None)
            }
            "security_event" => ("ids-signature-matched", THREAT, &["info", "indicator"], None),
            "airmarshal_events" => match self.kind {
                "rogue_ssid_detected" => ("rogue-ssid-detected", THREAT, &["info", "indicator"], None),
                "ssid_spoofing_detected" => ("ssid-spoofing-detected", THREAT, &["info", "indicator"], None),
                kind => (kind, THREAT, &["info", "indicator"], None),
            },
            _ => match self.kind {
                "association" => ("wifi-association-request", NET, &["info", "access", "connection"], None),
                "disassociation" => ("wifi-disassociation-request", NET, &["info", "access", "connection"], None),
                "wpa_auth" => ("wifi-wpa-authentication", AUTH, &["info", "start", "access"], None),
                "wpa_deauth" => ("wifi-wpa-failed-auth-or-deauth", AUTH, &["info", "denied", "end"], None),
                "8021x_eap_success" => ("wifi-8021x-auth", AUTH, &["info", "start"], Some("success")),
                "8021x_eap_failure" => ("wifi-8021x-failed-authentication-attempt", AUTH, &["info", "start"], Some("failure")),
                "8021x_deauth" => ("wifi-8021x-failed-authentication-attempt", AUTH, &["info", "denied"], Some("failure")),
                "8021x_client_deauth" => ("wifi-8021x-client-deauth", AUTH, &["info", "end"], None),
                "splash_auth" => ("splash-authentication", AUTH, &["info", "start", "access"], None),
                "device_packet_flood" => ("wireless-packet-flood-detected", THREAT, &["info", "indicator"], None),
                "multiple_dhcp_servers_detected" => ("multiple-dhcp-servers-detected", NET, &["info", "protocol"], None),
                kind if kind.contains("auth_success") => (kind, AUTH, &["info", "allowed", "start"], Some("success")),
                kind if kind.contains("auth_failure") => (kind, AUTH, &["info", "denied", "start"], Some("failure")),
                kind if kind.contains("vpn") => (kind, &["network", "session"], &["info", "access", "connection"], None),
                "" if line.rest.starts_with("client_vpn_connect") => {
                    ("site-to-site-vpn", &["network", "session"], &["info", "access", "allowed", "start"], None)
                }
                "" if line.rest.starts_with("client_vpn_disconnect") => {
                    ("site-to-site-vpn", &["network", "session"], &["info", "access", "end"], None)
                }
                "" if line.rest.starts_with("Site-to-Site") => ("site-to-site-vpn", NET, &["info", "access"], None),
                "" if line.rest.starts_with("dhcp lease") => {
                    ("dhcp-offer", NET, &["info", "access", "allowed", "protocol"], None)
                }
                "" if line.rest.starts_with("dhcp no offers") => {
                    ("dhcp-no-offer", NET, &["info", "access", "denied", "protocol"], None)
                }
                "" if line.rest.starts_with("content_filtering") => {
                    ("content-filtering-block", &["network", "web"], &["info", "denied"], None)
                }
                "" => (text::word(line.rest).0, NET, &["info"], None),
                kind => (kind, NET, &["info"], None),
            },
        }
    }
}

/// Action, categories, types, outcome.
type Meaning<'r> = (&'r str, &'static [&'static str], &'static [&'static str], Option<&'static str>);

fn is_mac(text: &str) -> bool {
    text.len() == 17 && text.bytes().filter(|b| *b == b':').count() == 5
}

/// `Server IP=… Server port=… Peer IP=… Peer port=… User=an: Authentication request accepted.`.
fn peers<'r>(event: &mut Event<'r>, message: &'r str) {
    let after = |mark: &str| {
        let (_, rest) = message.split_once(mark)?;
        Some(rest.split([' ', ':', ']', ',']).next().unwrap_or(""))
    };
    if let Some(address) = after("Peer IP=") {
        ecs::source(event, address);
    }
    if let Some(address) = after("Server IP=") {
        ecs::destination(event, address);
    }
    for (mark, port) in [("Peer port=", field::SOURCE_PORT), ("Server port=", field::DESTINATION_PORT)] {
        if let Some(value) = after(mark) {
            event.set_int(port, value);
        }
    }
    if let Some(user) = after("User=").or_else(|| after("User name=")) {
        net::account(event, user.trim_matches(['[', ']']));
    }
    if let Some(protocol) = after("Prot[") {
        event.set(field::NETWORK_PROTOCOL, text::lower(event, protocol));
    }
}

/// Events that are sentences.
fn sentence<'r>(event: &mut Event<'r>, text: &'r str) {
    let after = |mark: &str| {
        let (_, rest) = text.split_once(mark)?;
        Some(rest.split([' ', ',']).next().unwrap_or("").trim_matches('\''))
    };
    if let Some(user) = text.split_once("user id '").and_then(|(_, rest)| rest.split_once('\'')) {
        ecs::user(event, field::USER_NAME, user.0);
    }
    for mark in ["connected from ", "lease of ip ", "client ip "] {
        if let Some(address) = after(mark) {
            ecs::ip_only(event, field::SOURCE_IP, address);
        }
    }
    if let Some(address) = after("local ip ") {
        event.set_named("network.forwarded_ip", address);
    }
    if let Some(mac) = after("for client mac ").or_else(|| after("for mac ")) {
        event.set(field::SOURCE_MAC, mac);
    }
    if let Some(mac) = after("mx mac ").or_else(|| after("server mac ")) {
        event.set(field::DESTINATION_MAC, mac);
    }
}
