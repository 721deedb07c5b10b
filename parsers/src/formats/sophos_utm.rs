//! Sophos UTM (Astaro, UTM 9): `2026:11:23-10:00:00 gate ulogd[5009]: id="2002" severity="info" sys="SecureNet" …`.
//!
//! Reference: Sophos, "UTM 9 log file format and fields" (packet filter, IPS, web, mail, authentication, VPN, WAF, ATP) and the
//! table of log ids.
//!
//! The stamp has colons in its date and no zone; the host and the program stand before the pairs, whatever carried the line.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    kv::Separator,
    text, time,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "sophos.utm.";

pub struct SophosUtm;

mod note {
    pub const SUBSYSTEM: u8 = 0;
    pub const NAME: u8 = 1;
    pub const ACTION: u8 = 2;
    pub const USER: u8 = 3;
    pub const URL: u8 = 4;
    pub const STATUS: u8 = 5;
    pub const EVENT: u8 = 6;
    pub const HOST: u8 = 7;
    pub const COUNT: usize = 8;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("id", Text(field::EVENT_CODE)),
        ("severity", Lower(field::LOG_LEVEL)),
        ("sub", Note(note::SUBSYSTEM)),
        ("name", Both(field::MESSAGE, note::NAME)),
        ("event", Note(note::EVENT)),
        ("action", Note(note::ACTION)),
        ("fwrule", Text(field::RULE_ID)),
        ("sid", Text(field::RULE_ID)),
        ("class", Text(field::RULE_CATEGORY)),
        ("threatname", Text(field::RULE_NAME)),
        ("virus", Text(field::RULE_NAME)),
        ("reason", Text(field::EVENT_REASON)),
        ("error", Text(field::EVENT_REASON)),
        ("initf", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("itf", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("outitf", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("srcmac", Mac(field::SOURCE_MAC)),
        ("dstmac", Mac(field::DESTINATION_MAC)),
        ("srcip", Ip(field::SOURCE_IP)),
        ("localip", Ip(field::DESTINATION_IP)),
        ("dstip", Ip(field::DESTINATION_IP)),
        ("virtual_ip", Ip(field::SOURCE_NAT_IP)),
        ("srcport", Int(field::SOURCE_PORT)),
        ("dstport", Int(field::DESTINATION_PORT)),
        ("port", Int(field::URL_PORT)),
        ("proto", Protocol),
        ("length", Int(field::NETWORK_BYTES)),
        ("user", Note(note::USER)),
        ("username", Note(note::USER)),
        ("group", Text(field::USER_GROUP_NAME)),
        ("ad_domain", Text(field::USER_DOMAIN)),
        ("method", Text(field::HTTP_REQUEST_METHOD)),
        ("statuscode", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("size", Int(field::HTTP_RESPONSE_BODY_BYTES)),
        ("url", Note(note::URL)),
        ("query", Text(field::URL_QUERY)),
        ("server", Machine(field::DESTINATION_DOMAIN)),
        ("referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("ua", Text(field::USER_AGENT_ORIGINAL)),
        ("useragent", Text(field::USER_AGENT_ORIGINAL)),
        ("categoryname", Text(field::RULE_CATEGORY)),
        ("application", Lower(field::NETWORK_APPLICATION)),
        ("content-type", Name("http.response.mime_type")),
        ("filename", FilePath),
        ("sha", Hash),
        ("from", Name("email.from.address")),
        ("to", Name("email.to.address")),
        ("subject", Name("email.subject")),
        ("queueid", Name("email.message_id")),
        ("status", Note(note::STATUS)),
        ("host", Note(note::HOST)),
    ])
});

impl Parser for SophosUtm {
    fn name(&self) -> &'static str {
        "sophos_utm"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let b = raw.text().as_bytes();
        let head = &b[..b.len().min(240)];
        let has = |word: &[u8]| crate::text::find(head, word).is_some();
        Sniff::yes_if(
            has(b"id=\"") && (has(b" sys=\"Sec") || has(b" sys=\"Sys") || (stamp(raw.text()).is_some() && has(b"]: id=\""))),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let rest = head(raw, event, raw.text());
        let mut notes = Notes::<{ note::COUNT }>::default();
        if vendor::pairs(raw, event, rest, Separator::Blank, PREFIX, &KEYS, &mut notes) < 2 {
            return Outcome::Unreadable("no Sophos UTM fields");
        }
        event.set_dataset("sophos.utm");
        vendor::observer(event, "Sophos", "UTM", "firewall");
        let subsystem = notes.get(note::SUBSYSTEM);
        let field = if matches!(subsystem, "packetfilter" | "ips" | "http") { field::SOURCE_USER_NAME } else { field::USER_NAME };
        ecs::user(event, field, notes.get(note::USER));
        if !notes.get(note::URL).is_empty() {
            web::url(event, notes.get(note::URL));
        }
        let host = notes.get(note::HOST);
        if !host.is_empty() {
            if event.has(field::URL_ORIGINAL) {
                web::authority(event, host);
            } else if !ecs::ip_only(event, field::SOURCE_IP, host) {
                event.set(field::RELATED_HOSTS, host);
            }
        }
        vendor::conclude(event);
        classify(event, &notes);
        Outcome::Parsed
    }
}

/// `2026:11:23-10:00:00`.
fn stamp(text: &str) -> Option<(time::Stamp, &str)> {
    let b = text.as_bytes();
    if b.len() < 20 || b[4] != b':' || b[7] != b':' || b[10] != b'-' || b[13] != b':' {
        return None;
    }
    let mut iso = [0u8; 19];
    iso.copy_from_slice(&b[..19]);
    (iso[4], iso[7], iso[10]) = (b'-', b'-', b'T');
    let (stamp, _) = time::iso(std::str::from_utf8(&iso).ok()?)?;
    Some((stamp, text.get(19..)?))
}

/// Takes stamp, host and program off; sets them.
fn head<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) -> &'r str {
    let Some((stamp, rest)) = stamp(text) else { return text };
    event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
    let (host, rest) = text::word(rest.trim_start_matches(' '));
    event.set_present(field::OBSERVER_NAME, host);
    ecs::host(event, host);
    let Some((tag, pairs)) = rest.split_once(": ") else { return rest };
    let (program, pid) = tag.split_once('[').unwrap_or((tag, ""));
    event.set_present(field::PROCESS_NAME, program);
    event.set_int(field::PROCESS_PID, pid.trim_end_matches(']'));
    pairs
}

fn classify<'r>(event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    let (name, action) = (notes.get(note::NAME), notes.get(note::ACTION));
    event.set_present(field::EVENT_ACTION, notes.first(&[note::ACTION, note::EVENT, note::NAME]));
    let contains = |word: &str| name.contains(word);
    match notes.get(note::SUBSYSTEM) {
        "auth" => {
            ecs::classify(event, &["authentication"], &["start"]);
            if contains("successful") {
                ecs::success(event);
            } else if contains("failed") {
                ecs::failure(event);
            }
        }
        "confd" => ecs::classify(event, &["configuration"], &["change"]),
        "vpn" => ecs::classify(
            event,
            &["network"],
            &["connection", if notes.get(note::EVENT).contains("started") { "start" } else { "end" }],
        ),
        "ips" => {
            ecs::classify(
                event,
                &["intrusion_detection", "network"],
                &["info", if action == "drop" { "denied" } else { "allowed" }],
            );
            event.set(field::EVENT_KIND, "alert");
        }
        "http" | "reverseproxy" => {
            ecs::classify(event, &["web", "network"], &["access", if vendor::is_denied(action) { "denied" } else { "allowed" }]);
            ecs::success(event);
        }
        "smtp" | "pop3" => ecs::classify(event, &["email", "network"], &["info"]),
        _ if vendor::is_denied(action) || contains("dropped") || contains("rejected") => vendor::verdict(event, false),
        _ if vendor::is_allowed(action) || contains("accepted") => vendor::verdict(event, true),
        _ => ecs::classify(event, &["network"], &["info"]),
    }
}
