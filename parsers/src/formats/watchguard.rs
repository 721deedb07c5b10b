//! WatchGuard Firebox (Fireware): `serial (2026-11-23T03:00:00) firewall: msg_id="3000-0148" Allow 1-Trusted 0-External …`.
//!
//! Reference: WatchGuard, "Fireware log catalog" (message ids, fields of packet filter, proxies, sessions, VPN).
//!
//! Packet filter lines are positional after the verdict (interfaces, length, protocol, header length, TTL, addresses, ports);
//! proxies leave lengths out and write pairs; daemons write sentences. The policy stands in brackets at the end.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    kv::{Pairs, Separator},
    phrases::{self, LOGIN, LOGIN_FAILED, LOGOUT, Phrase},
    text, time,
    vendor::{self, Means, Notes},
};

const PREFIX: &str = "watchguard.";

pub struct WatchGuard;

mod note {
    pub const HOST: u8 = 0;
    pub const ARGUMENT: u8 = 1;
    pub const MESSAGE: u8 = 2;
    pub const DURATION: u8 = 3;
    pub const COUNT: usize = 4;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("msg_id", Text(field::EVENT_CODE)),
        ("msg", Note(note::MESSAGE)),
        ("proxy_act", Text(field::RULE_RULESET)),
        ("rule_name", Text(field::RULE_NAME)),
        ("signature_name", Text(field::RULE_NAME)),
        ("signature_id", Text(field::RULE_ID)),
        ("signature_cat", Text(field::RULE_CATEGORY)),
        ("virus", Text(field::RULE_NAME)),
        ("cats", Text(field::RULE_CATEGORY)),
        ("op", Text(field::HTTP_REQUEST_METHOD)),
        ("dstname", Note(note::HOST)),
        ("arg", Note(note::ARGUMENT)),
        ("sent_bytes", Int(field::SOURCE_BYTES)),
        ("rcvd_bytes", Int(field::DESTINATION_BYTES)),
        ("elapsed_time", Note(note::DURATION)),
        ("duration", Seconds),
        ("app_name", Lower(field::NETWORK_APPLICATION)),
        ("src_user", Account(field::SOURCE_USER_NAME)),
        ("dst_user", Account(field::DESTINATION_USER_NAME)),
        ("src_ip_nat", Ip(field::SOURCE_NAT_IP)),
        ("src_port_nat", Int(field::SOURCE_NAT_PORT)),
        ("dst_ip_nat", Ip(field::DESTINATION_NAT_IP)),
        ("dst_port_nat", Int(field::DESTINATION_NAT_PORT)),
        ("geo_src", Text(field::SOURCE_GEO_COUNTRY_NAME)),
        ("geo_dst", Text(field::DESTINATION_GEO_COUNTRY_NAME)),
        ("sender", Name("email.from.address")),
        ("recipients", Name("email.to.address")),
        ("file_name", FilePath),
        ("md5", Hash),
        ("query_type", Text(field::DNS_QUESTION_TYPE)),
        ("question", Text(field::DNS_QUESTION_NAME)),
        ("sni", Name("tls.client.server_name")),
    ])
});

const USER: Option<Means> = Some(Means::Account(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Peer(field::SOURCE_IP, field::SOURCE_ADDRESS));
const NAT: Option<Means> = Some(Means::Ip(field::SOURCE_NAT_IP));
const REASON: Option<Means> = Some(Means::Text(field::EVENT_REASON));

const PHRASES: &[Phrase] = &[
    Phrase { text: "Authentication of * user [*] from * was accepted", means: &[None, USER, FROM], class: LOGIN },
    Phrase {
        text: "Authentication of * user [*] from * was rejected, *",
        means: &[None, USER, FROM, REASON],
        class: LOGIN_FAILED,
    },
    Phrase { text: "Authentication of * user [*] from * was rejected", means: &[None, USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "Management user * from * log in attempt was rejected", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "Management user * from * logged in", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Management user * from * logged out", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "Management user * logged in from *", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Firewall user * from * logged in", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Firewall user * from * logged out", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "* user * from * logged in assigned virtual IP is *", means: &[None, USER, FROM, NAT], class: LOGIN },
    Phrase { text: "* user * from * logged out assigned virtual IP is *", means: &[None, USER, FROM, NAT], class: LOGOUT },
    Phrase { text: "* user * from * logged in", means: &[None, USER, FROM], class: LOGIN },
    Phrase { text: "* user * from * logged out", means: &[None, USER, FROM], class: LOGOUT },
    Phrase { text: "Failed login attempt for user * from *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "User * from * log in attempt was rejected", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "Configuration changed by user * from *", means: &[USER, FROM], class: phrases::CONFIGURED },
];

impl Parser for WatchGuard {
    fn name(&self) -> &'static str {
        "watchguard"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(message_id(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let Some(at) = message_id(text) else {
            return Outcome::Unreadable("no msg_id of Fireware");
        };
        head(raw, event, &text[..at]);
        event.set_dataset("watchguard.firebox");
        vendor::device(event, "WatchGuard", "Firebox", "firewall");
        let (id, body) = text[at + 8..].split_once('"').unwrap_or((&text[at + 8..], ""));
        event.set(field::EVENT_CODE, id);
        let body = body.trim_start();
        event.set_present(field::MESSAGE, body);
        let mut notes = Notes::<{ note::COUNT }>::default();
        let rest = policy(event, body);
        for pair in Pairs::new(rest, Separator::Blank) {
            let value = pair.value(event);
            if !value.is_empty() {
                vendor::word(raw, event, PREFIX, pair.key, value, &KEYS, &mut notes);
            }
        }
        let (word, positions) = text::word(rest);
        if matches!(
            word,
            "Allow"
                | "Deny"
                | "ProxyAllow:"
                | "ProxyDeny:"
                | "ProxyDrop:"
                | "ProxyBlock:"
                | "ProxyStrip:"
                | "ProxyAvScan:"
                | "ProxyLock:"
                | "ProxyReplace:"
        ) {
            verdict(event, word, positions);
        } else if !phrases::read(raw, event, PHRASES, body) {
            ecs::classify(event, &["network"], &["info"]);
        }
        finish(event, &notes);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// Finds `msg_id="1AFF-0024"`.
fn message_id(text: &str) -> Option<usize> {
    let b = text.as_bytes();
    let at = crate::text::find(&b[..b.len().min(240)], b"msg_id=\"")?;
    let id = b.get(at + 8..at + 18)?;
    let is_hex = |b: &u8| b.is_ascii_hexdigit();
    (id[..4].iter().all(is_hex) && id[4] == b'-' && id[5..9].iter().all(is_hex) && id[9] == b'"').then_some(at)
}

/// `[host] serial (2026-11-23T03:00:00) firewall: `: the stamp in brackets is UTC.
fn head<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let mut rest = text.trim();
    if let Some((before, after)) = rest.split_once('(')
        && let Some((stamp, after)) = after.split_once(')')
        && let Some((stamp, _)) = time::iso(stamp)
    {
        event.set(field::TIMESTAMP, Value::Time(time::Stamp { offset: stamp.offset.or(Some(0)), ..stamp }.resolve(raw)));
        let serial = before.trim().rsplit(' ').next().unwrap_or_default();
        event.set_present(field::OBSERVER_SERIAL_NUMBER, serial);
        rest = after.trim();
    }
    let tag = rest.rsplit(' ').next().unwrap_or_default().trim_end_matches(':');
    let (program, pid) = tag.strip_suffix(']').and_then(|tag| tag.split_once('[')).unwrap_or((tag, ""));
    event.set_present(field::PROCESS_NAME, program);
    event.set_int(field::PROCESS_PID, pid);
}

/// `(HTTPS-00)` at the end: the policy.
fn policy<'r>(event: &mut Event<'r>, text: &'r str) -> &'r str {
    let Some((rest, name)) = text.trim_end().strip_suffix(')').and_then(|text| text.rsplit_once('(')) else { return text };
    if !name.is_empty() && name.len() <= 128 && !name.contains('=') {
        event.set(field::RULE_NAME, name);
    }
    rest
}

fn verdict<'r>(event: &mut Event<'r>, word: &'r str, positions: &'r str) {
    let word = word.trim_end_matches(':');
    let is_allowed = word.ends_with("Allow") || word.ends_with("AvScan");
    vendor::verdict(event, is_allowed);
    event.set(field::EVENT_ACTION, word);
    // Proxies may write a sentence instead.
    const TRANSPORTS: [&str; 9] = ["tcp", "udp", "icmp", "icmpv6", "igmp", "gre", "esp", "ah", "sctp"];
    if !positions
        .split(' ')
        .filter(|word| !word.is_empty())
        .skip(2)
        .take(2)
        .any(|word| TRANSPORTS.contains(&word) || word.parse::<u8>().is_ok())
    {
        return;
    }
    let mut words = positions.split(' ').filter(|word| !word.is_empty());
    event.set_present(field::OBSERVER_INGRESS_INTERFACE_NAME, words.next().unwrap_or_default());
    event.set_present(field::OBSERVER_EGRESS_INTERFACE_NAME, words.next().unwrap_or_default());
    let mut word = words.next().unwrap_or_default();
    if event.set_int(field::NETWORK_BYTES, word) {
        word = words.next().unwrap_or_default();
    }
    vendor::protocol(event, word);
    // Header length and TTL, where they stand, come before the addresses.
    let mut ends = words.skip_while(|word| ecs::ip(word).is_none() || !word.contains(['.', ':']));
    ecs::source(event, ends.next().unwrap_or_default());
    ecs::destination(event, ends.next().unwrap_or_default());
    event.set_int(field::SOURCE_PORT, ends.next().unwrap_or_default());
    event.set_int(field::DESTINATION_PORT, ends.next().unwrap_or_default());
}

fn finish<'r>(event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    let (host, argument) = (notes.get(note::HOST), notes.get(note::ARGUMENT));
    if !host.is_empty() {
        event.set(field::DESTINATION_DOMAIN, host);
        event.set(field::RELATED_HOSTS, host);
        let whole = if argument.starts_with('/') { text::concat(event.arena(), [host, argument]) } else { host };
        vendor::url(event, whole);
    }
    if let Some(nanos) = notes.get(note::DURATION).split(' ').next().and_then(text::seconds_to_nanos) {
        event.set(field::EVENT_DURATION, nanos);
    }
    let told = notes.get(note::MESSAGE);
    event.set_present(field::EVENT_REASON, told);
    let has = |word: &str| told.contains(word);
    if has("IPS") || has("intrusion") {
        event.set(field::EVENT_CATEGORY, "intrusion_detection");
        event.set(field::EVENT_KIND, "alert");
    } else if has("irus") || has("APT") || has("Botnet") {
        event.set(field::EVENT_CATEGORY, "malware");
        event.set(field::EVENT_KIND, "alert");
    } else if has("HTTP") {
        event.set(field::EVENT_CATEGORY, "web");
    }
}
