//! MikroTik RouterOS: `topics message`, with or without a syslog header; also the BSD syslog mode, which drops the topics.
//!
//! Reference: MikroTik, RouterOS documentation, "Log" (topics, remote actions), "Firewall: log action" (the shape of a packet's
//! line), "User", "PPP AAA", "DHCP server".

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    phrases::{self, CONFIGURED, CONNECTED, Class, DISCONNECTED, LOGIN, LOGIN_FAILED, LOGOUT, NETWORK, Phrase},
    text, time,
    vendor::{self, Means},
};

const PREFIX: &str = "mikrotik.";

pub struct Mikrotik;

const USER: Option<Means> = Some(Means::User(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Peer(field::SOURCE_IP, field::SOURCE_ADDRESS));
const MAC: Option<Means> = Some(Means::Mac(field::SOURCE_MAC));
const SERVICE: Option<Means> = Some(Means::Text(field::NETWORK_PROTOCOL));
const REASON: Option<Means> = Some(Means::Text(field::EVENT_REASON));
const LEASED: Class = Class::new(&["network"], &["protocol", "start"], "assigned", "success");
const RELEASED: Class = Class::new(&["network"], &["protocol", "end"], "deassigned", "success");

const PHRASES: &[Phrase] = &[
    Phrase { text: "user * logged in from * via *", means: &[USER, FROM, SERVICE], class: LOGIN },
    Phrase { text: "user * logged in via *", means: &[USER, SERVICE], class: LOGIN },
    Phrase { text: "user * logged out from * via *", means: &[USER, FROM, SERVICE], class: LOGOUT },
    Phrase { text: "user * logged out via *", means: &[USER, SERVICE], class: LOGOUT },
    Phrase { text: "login failure for user * from * via *", means: &[USER, FROM, SERVICE], class: LOGIN_FAILED },
    Phrase { text: "login failure for user * via *", means: &[USER, SERVICE], class: LOGIN_FAILED },
    Phrase { text: "auth failed for user * from *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "* changed by * (", means: &[None, USER], class: CONFIGURED },
    Phrase { text: "* changed by *", means: &[None, USER], class: CONFIGURED },
    Phrase { text: "* added by * (", means: &[None, USER], class: CONFIGURED },
    Phrase { text: "* added by *", means: &[None, USER], class: CONFIGURED },
    Phrase { text: "* removed by * (", means: &[None, USER], class: CONFIGURED },
    Phrase { text: "* removed by *", means: &[None, USER], class: CONFIGURED },
    Phrase { text: "* deassigned * from *", means: &[None, FROM, MAC], class: RELEASED },
    Phrase { text: "* assigned * to *", means: &[None, FROM, MAC], class: LEASED },
    Phrase { text: "* assigned * for * ", means: &[None, FROM, MAC], class: LEASED },
    Phrase { text: "* deassigned * for * ", means: &[None, FROM, MAC], class: RELEASED },
    Phrase { text: "TCP connection established from *", means: &[FROM], class: CONNECTED },
    Phrase { text: "first L2TP UDP packet received from *", means: &[FROM], class: NETWORK },
    Phrase { text: "* logged in, *", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "* logged out, *", means: &[USER, None], class: LOGOUT },
    Phrase { text: "<*>: user * is already active", means: &[None, USER], class: LOGIN_FAILED },
    Phrase { text: "user * authentication failed", means: &[USER], class: LOGIN_FAILED },
    Phrase { text: "*: user * authentication failed", means: &[None, USER], class: LOGIN_FAILED },
    Phrase { text: "<*>: authenticated", means: &[None], class: LOGIN },
    Phrase { text: "<*>: connected", means: &[None], class: CONNECTED },
    Phrase { text: "<*>: terminating... - *", means: &[None, REASON], class: DISCONNECTED },
    Phrase { text: "<*>: disconnected", means: &[None], class: DISCONNECTED },
    Phrase { text: "*@*: connected", means: &[MAC, None], class: CONNECTED },
    Phrase { text: "*@*: disconnected, *", means: &[MAC, None, REASON], class: DISCONNECTED },
];

/// Names of topics, in order (RouterOS 6 and 7).
const TOPICS: &[&str] = &[
    "account",
    "async",
    "backup",
    "bfd",
    "bgp",
    "bridge",
    "calc",
    "caps",
    "certificate",
    "clock",
    "cloud",
    "container",
    "critical",
    "ddns",
    "debug",
    "dhcp",
    "disk",
    "dns",
    "dot1x",
    "dude",
    "e-mail",
    "error",
    "event",
    "evpn",
    "fetch",
    "firewall",
    "gps",
    "gsm",
    "health",
    "hotspot",
    "igmp-proxy",
    "info",
    "interface",
    "ipsec",
    "iscsi",
    "isdn",
    "isis",
    "kvm",
    "l2tp",
    "ldp",
    "lora",
    "lte",
    "manager",
    "mme",
    "mpls",
    "mqtt",
    "natpmp",
    "netinstall",
    "netwatch",
    "ntp",
    "ospf",
    "ovpn",
    "packet",
    "pim",
    "poe-out",
    "ppp",
    "pppoe",
    "pptp",
    "ptp",
    "queue",
    "radius",
    "radvd",
    "raw",
    "read",
    "rip",
    "route",
    "rpki",
    "rsvp",
    "script",
    "sertcp",
    "simulator",
    "smb",
    "sms",
    "snmp",
    "socksify",
    "ssh",
    "ssld",
    "sstp",
    "state",
    "store",
    "stp",
    "system",
    "telephony",
    "tftp",
    "timer",
    "tr069",
    "ups",
    "vpls",
    "vrrp",
    "warning",
    "watchdog",
    "web-proxy",
    "wireguard",
    "wireless",
    "write",
    "zerotier",
];

impl Parser for Mikrotik {
    fn name(&self) -> &'static str {
        "mikrotik"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["input", "forward", "output", "prerouting", "postrouting", "srcnat", "dstnat"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(packet(raw.text()).is_some() || split(raw.text()).topics.contains(','))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = split(raw.text());
        let is_packet = packet(line.message).is_some();
        if line.topics.is_empty() && !is_packet {
            return Outcome::Unreadable("no RouterOS topics and no packet");
        }
        event.set_dataset("mikrotik.routeros");
        if let Some((stamp, _)) = time::iso(line.stamp) {
            event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        }
        if !line.host.is_empty() {
            ecs::host(event, line.host);
        }
        vendor::device(event, "MikroTik", "RouterOS", "router");
        event.set(field::MESSAGE, line.message);
        set_topics(event, line.topics);
        match packet(line.message) {
            Some(found) => set_packet(event, line.message, found),
            None => {
                let has = |topic: &str| line.topics.split(',').any(|known| known == topic);
                if !phrases::read(raw, event, PHRASES, line.message) {
                    let class =
                        if has("firewall") || has("dhcp") || has("ipsec") || has("ppp") { &NETWORK } else { &phrases::DEVICE };
                    phrases::classify(event, class);
                }
            }
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}

#[derive(Default)]
struct Line<'r> {
    stamp: &'r str,
    host: &'r str,
    topics: &'r str,
    message: &'r str,
}

/// Finds the topics: the first word, or the third after a stamp and a host that no envelope took off.
fn split(text: &str) -> Line<'_> {
    let (first, rest) = text::word(text);
    if is_topics(first) {
        return Line { topics: first, message: rest.trim_start(), ..Line::default() };
    }
    if time::iso(text).is_some() {
        let (host, rest) = text::word(rest);
        let (topics, message) = text::word(rest);
        if is_topics(topics) {
            return Line { stamp: first, host, topics, message: message.trim_start() };
        }
    }
    Line { message: text, ..Line::default() }
}

fn is_topics(word: &str) -> bool {
    word.len() <= 80 && !word.is_empty() && word.split(',').all(|topic| topic == "!" || TOPICS.binary_search(&topic).is_ok())
}

fn set_topics<'r>(event: &mut Event<'r>, topics: &'r str) {
    if topics.is_empty() {
        return;
    }
    event.set_extra(PREFIX, "topics", topics);
    let is_level = |topic: &&str| matches!(*topic, "info" | "error" | "warning" | "critical" | "debug");
    if let Some(level) = topics.split(',').rfind(is_level) {
        event.set(field::LOG_LEVEL, level);
    }
    event.set_present(field::EVENT_PROVIDER, topics.split(',').next().unwrap_or_default());
}

/// Where the parts of a packet's line begin.
#[derive(Clone, Copy)]
struct Packet {
    inside: usize,
    protocol: usize,
}

/// `[prefix ]chain: in:ether1 out:bridge, … proto TCP (SYN), a:1->b:2, len 60`.
fn packet(text: &str) -> Option<Packet> {
    let b = text.as_bytes();
    let inside = crate::text::find(&b[..b.len().min(300)], b"in:")?;
    if inside > 0 && b[inside - 1] != b' ' {
        return None;
    }
    crate::text::find(&b[inside..], b" out:")?;
    let protocol = inside + crate::text::find(&b[inside..], b"proto ")?;
    Some(Packet { inside, protocol })
}

fn set_packet<'r>(event: &mut Event<'r>, text: &'r str, at: Packet) {
    // `drop-in input:`: the rule's prefix, then the chain. In BSD mode the chain is the tag.
    let head = text[..at.inside].trim().trim_end_matches(':');
    let (prefix, chain) = head.rsplit_once(' ').unwrap_or(("", head));
    let chain = if chain.is_empty() { event.text(field::LOG_SYSLOG_APPNAME).unwrap_or_default() } else { chain };
    if !chain.is_empty() {
        event.set_extra(PREFIX, "chain", chain);
    }
    event.set_present(field::RULE_NAME, prefix);
    let interfaces = &text[at.inside..at.protocol];
    let after = |word: &str| interfaces.split_once(word).map(|(_, rest)| rest);
    let interface = |rest: &'r str| rest.split([',', ' ']).next().unwrap_or_default();
    if let Some(name) = after("in:").map(interface).filter(|name| !name.starts_with('(')) {
        event.set_present(field::OBSERVER_INGRESS_INTERFACE_NAME, name);
    }
    if let Some(name) = after(" out:").map(interface).filter(|name| !name.starts_with('(')) {
        event.set_present(field::OBSERVER_EGRESS_INTERFACE_NAME, name);
    }
    if let Some(state) = after("connection-state:").map(interface) {
        event.set_extra(PREFIX, "connection_state", state);
    }
    if let Some(mac) = after("src-mac ").map(interface) {
        event.set(field::SOURCE_MAC, vendor::mac(event, mac));
    }
    match chain {
        "input" => event.set(field::NETWORK_DIRECTION, "inbound"),
        "output" => event.set(field::NETWORK_DIRECTION, "outbound"),
        _ => {}
    }
    // `TCP (SYN), 192.0.2.1:1->192.0.2.2:2, NAT (…)->…, len 60`
    let mut parts = text[at.protocol + 6..].split(", ");
    let protocol = parts.next().unwrap_or_default();
    let (name, flags) = protocol.split_once(" (").unwrap_or((protocol, ""));
    vendor::protocol(event, name.trim_end_matches(','));
    if !flags.is_empty() {
        event.set_extra(PREFIX, "flags", flags.trim_end_matches(')'));
    }
    for part in parts {
        if let Some(length) = part.strip_prefix("len ") {
            event.set_int(field::NETWORK_BYTES, length.trim());
        } else if let Some(nat) = part.strip_prefix("NAT ") {
            set_nat(event, nat);
        } else if let Some((from, to)) = part.split_once("->") {
            // A destination that is translated stands in a bracket with what it becomes.
            match to.strip_prefix('(').and_then(|to| to.split_once("->")) {
                Some((to, _)) => {
                    set_nat(event, part);
                    vendor::destination(event, to);
                }
                None => vendor::destination(event, to),
            }
            vendor::source(event, from);
        }
    }
    let denied = ["drop", "deny", "reject", "block"].iter().any(|word| text::lower(event, prefix).contains(word));
    let accepted = ["accept", "allow", "pass"].iter().any(|word| text::lower(event, prefix).contains(word));
    ecs::classify(event, &["network"], &["connection"]);
    if denied || accepted {
        vendor::verdict(event, accepted && !denied);
    }
    event.set(
        field::EVENT_ACTION,
        if denied {
            "drop"
        } else if accepted {
            "accept"
        } else {
            "log"
        },
    );
}

/// `(192.0.2.1:1->198.51.100.9:1)->203.0.113.5:80` or `192.0.2.1:1->(198.51.100.9:80->10.0.0.5:80)`: the bracket holds before
/// and after.
fn set_nat<'r>(event: &mut Event<'r>, nat: &'r str) {
    let Some((open, close)) = nat.find('(').zip(nat.find(')')).filter(|(open, close)| open < close) else { return };
    let Some((_, after)) = nat[open + 1..close].split_once("->") else { return };
    let is_source = open == 0;
    let (ip, port) = vendor::split_endpoint(after);
    let (ip_field, port_field) = if is_source {
        (field::SOURCE_NAT_IP, field::SOURCE_NAT_PORT)
    } else {
        (field::DESTINATION_NAT_IP, field::DESTINATION_NAT_PORT)
    };
    ecs::ip_only(event, ip_field, ip);
    event.set_int(port_field, port);
}

#[cfg(test)]
mod tests {
    #[test]
    fn topics_are_in_order() {
        assert!(super::TOPICS.is_sorted());
    }
}
