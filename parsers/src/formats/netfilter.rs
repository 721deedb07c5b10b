//! Linux netfilter: the LOG target of iptables, `log` of nftables, UFW, firewalld, and appliances that build on them (UniFi,
//! VyOS, Shorewall): `[prefix] IN=eth0 OUT= MAC=… SRC=… DST=… … PROTO=TCP SPT=… DPT=… … SYN URGP=0`.
//!
//! Reference: kernel sources `net/netfilter/nf_log_syslog.c`; UFW and firewalld documentation for their prefixes; VyOS/UniFi
//! `[ruleset-rule-action]`.

use event::{Event, Outcome, RawRecord, field};

use crate::{Parser, Sniff, ecs, text};

const PREFIX: &str = "netfilter.";

pub struct Netfilter;

impl Parser for Netfilter {
    fn name(&self) -> &'static str {
        "netfilter"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = raw.text();
        let Some(at) = start(line) else { return Outcome::Unreadable("no netfilter line") };
        event.set_dataset("netfilter.log");
        ecs::classify(event, &["network"], &["connection"]);
        event.set(field::OBSERVER_VENDOR, "Linux");
        event.set(field::OBSERVER_PRODUCT, "netfilter");
        event.set(field::OBSERVER_TYPE, "firewall");
        event.set(field::MESSAGE, line);
        prefix(event, uptime(&line[..at]).trim());
        packet(event, &line[at..]);
        Outcome::Parsed
    }
}

/// Where the packet's description starts: `IN=`, or what a cut line has left of it.
fn start(line: &str) -> Option<usize> {
    let find = |needle: &str| crate::text::find(line.as_bytes(), needle.as_bytes());
    let at = find("IN=").filter(|at| *at == 0 || !line.as_bytes()[at - 1].is_ascii_alphanumeric());
    match at {
        Some(at) if find(" OUT=").is_some() && (find(" SRC=").is_some() || find(" PROTO=").is_some()) => Some(at),
        _ => {
            find(" PROTO=")?;
            find(" SPT=").and(find(" DPT="))?;
            find("TTL=").or_else(|| find("SRC="))
        }
    }
}

/// `[16571.459614] ` of the kernel's own clock.
fn uptime(text: &str) -> &str {
    match text.strip_prefix('[').and_then(|inside| text::split(inside, b']')) {
        Some((inside, rest)) if inside.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b' ')) => rest,
        _ => text,
    }
}

/// What the administrator wrote into the rule says what became of the packet.
fn prefix<'r>(event: &mut Event<'r>, prefix: &'r str) {
    let prefix = prefix.trim_end_matches([':', '=', ' ', ',']);
    if prefix.is_empty() {
        return;
    }
    event.set_extra(PREFIX, "prefix", prefix);
    let inside = text::strip_pair(prefix, '[', ']');
    if let Some((head, letter @ ("A" | "D" | "R"))) = inside.rsplit_once('-')
        && let Some((ruleset, rule)) = head.rsplit_once('-')
    {
        event.set(field::RULE_NAME, ruleset);
        event.set(field::RULE_ID, rule);
        if let Some((ingress, egress)) = ruleset.split_once('-').filter(|(_, egress)| !egress.contains('-')) {
            event.set(field::OBSERVER_INGRESS_ZONE, ingress);
            event.set(field::OBSERVER_EGRESS_ZONE, egress);
        }
        return match letter {
            "A" => decide(event, "accept", true),
            "D" => decide(event, "drop", false),
            _ => decide(event, "reject", false),
        };
    }
    let has = |words: &[&str]| {
        inside.split(|c: char| !c.is_ascii_alphabetic()).any(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
    };
    let action = text::lower(event, inside.rsplit(' ').next().unwrap_or(inside).trim_matches([':', '[', ']']));
    if has(&["drop", "dropped", "block", "blocked", "deny", "denied", "reject", "rejected", "bad", "invalid"]) {
        decide(event, action, false);
    } else if has(&["accept", "accepted", "allow", "allowed", "pass", "permit"]) {
        decide(event, action, true);
    }
    if !inside.is_empty() && !inside.contains(' ') {
        event.set(field::RULE_NAME, inside);
    }
}

fn decide<'r>(event: &mut Event<'r>, action: &'r str, is_allowed: bool) {
    event.set(field::EVENT_ACTION, action);
    event.set(field::EVENT_TYPE, if is_allowed { "allowed" } else { "denied" });
    event.set(field::EVENT_OUTCOME, if is_allowed { "success" } else { "failure" });
}

fn packet<'r>(event: &mut Event<'r>, text: &'r str) {
    // An ICMP error carries the head of the packet that it answers in brackets: its addresses are not this packet's.
    let text = text.split_once(" [SRC=").map_or(text, |(own, _)| own);
    let mut is_v6 = false;
    for word in text.split(' ') {
        let Some((key, value)) = word.split_once('=') else {
            if matches!(word, "SYN" | "ACK" | "FIN" | "RST" | "PSH" | "URG" | "CWR" | "ECE" | "DF" | "MF") {
                flag(event, word);
            }
            continue;
        };
        if value.is_empty() || key.is_empty() {
            continue;
        }
        match key {
            "IN" => event.set(field::OBSERVER_INGRESS_INTERFACE_NAME, value),
            "OUT" => event.set(field::OBSERVER_EGRESS_INTERFACE_NAME, value),
            "MAC" | "MACSRC" | "MACDST" => mac(event, key, value),
            "SRC" => {
                is_v6 = value.contains(':');
                ecs::source(event, value);
            }
            "DST" => ecs::destination(event, value),
            "SPT" => drop(event.set_int(field::SOURCE_PORT, value)),
            "DPT" => drop(event.set_int(field::DESTINATION_PORT, value)),
            // UDP writes its own, shorter length behind the ports.
            "LEN" if !event.has(field::SOURCE_BYTES) => drop(event.set_int(field::SOURCE_BYTES, value)),
            "PROTO" => protocol(event, value),
            "UID" => event.set(field::USER_ID, value),
            "GID" => event.set(field::GROUP_ID, value),
            _ => {}
        }
        if !matches!(key, "IN" | "OUT" | "MAC" | "SRC" | "DST" | "SPT" | "DPT" | "PROTO") {
            event.set_extra(PREFIX, key, value);
        }
    }
    if event.has(field::SOURCE_IP) {
        event.set_extra("", "network.type", if is_v6 { "ipv6" } else { "ipv4" });
        event.set(field::SOURCE_PACKETS, 1);
    }
}

fn flag<'r>(event: &mut Event<'r>, word: &'r str) {
    event.set_extra("netfilter.flag.", word, true);
}

fn protocol<'r>(event: &mut Event<'r>, value: &'r str) {
    match value.parse::<u8>() {
        Ok(number) => ecs::protocol(event, i64::from(number)),
        Err(_) => event.set(
            field::NETWORK_TRANSPORT,
            match value {
                "ICMPv6" => "ipv6-icmp",
                other => text::lower(event, other),
            },
        ),
    }
}

/// `MAC=` holds destination, source and type one after the other.
fn mac<'r>(event: &mut Event<'r>, key: &str, value: &'r str) {
    match key {
        "MACSRC" => event.set(field::SOURCE_MAC, value),
        "MACDST" => event.set(field::DESTINATION_MAC, value),
        _ => {
            if let Some(destination) = value.get(..17) {
                event.set(field::DESTINATION_MAC, destination);
            }
            if let Some(source) = value.get(18..35) {
                event.set(field::SOURCE_MAC, source);
            }
        }
    }
}
