//! Clavister NetWall and NetShield (cOS Core): `CONN: prio=1 id=00600001 rev=1 event=conn_open … connsrcip=192.0.2.1 …`, and the
//! nested form `id=… event=… [message=… [conn connsrcip=…]]`.
//!
//! Reference: Clavister, "cOS Core log reference guide" (message ids, categories by id, context parameters: rule, conn, packet).
//!
//! Brackets group parameters; their names are unique enough to be read flat. `message=` is a sentence: it ends where the next
//! parameter begins.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    text,
    vendor::{self, Means, Notes},
};

const PREFIX: &str = "clavister.";

pub struct Clavister;

mod note {
    pub const EVENT: u8 = 0;
    pub const ACTION: u8 = 1;
    pub const MESSAGE: u8 = 2;
    pub const COUNT: usize = 3;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("id", Text(field::EVENT_CODE)),
        ("prio", Int(field::EVENT_SEVERITY)),
        ("event", Note(note::EVENT)),
        ("action", Note(note::ACTION)),
        ("message", Note(note::MESSAGE)),
        ("connsrcip", Ip(field::SOURCE_IP)),
        ("connsrcport", Int(field::SOURCE_PORT)),
        ("conndestip", Ip(field::DESTINATION_IP)),
        ("conndestport", Int(field::DESTINATION_PORT)),
        ("connnewsrcip", Ip(field::SOURCE_NAT_IP)),
        ("connnewsrcport", Int(field::SOURCE_NAT_PORT)),
        ("connnewdestip", Ip(field::DESTINATION_NAT_IP)),
        ("connnewdestport", Int(field::DESTINATION_NAT_PORT)),
        ("newconnsrcip", Ip(field::SOURCE_NAT_IP)),
        ("newconnsrcport", Int(field::SOURCE_NAT_PORT)),
        ("newconndestip", Ip(field::DESTINATION_NAT_IP)),
        ("newconndestport", Int(field::DESTINATION_NAT_PORT)),
        ("srcip", Ip(field::SOURCE_IP)),
        ("srcport", Int(field::SOURCE_PORT)),
        ("destip", Ip(field::DESTINATION_IP)),
        ("destport", Int(field::DESTINATION_PORT)),
        ("local_ip", Ip(field::SOURCE_IP)),
        ("remote_ip", Ip(field::DESTINATION_IP)),
        ("ipaddr", Ip(field::SOURCE_IP)),
        ("client_ip", Ip(field::CLIENT_IP)),
        ("server", Ip(field::SERVER_IP)),
        ("hwsender", Mac(field::SOURCE_MAC)),
        ("hwsrc", Mac(field::SOURCE_MAC)),
        ("hwdest", Mac(field::DESTINATION_MAC)),
        ("connipproto", Protocol),
        ("ipproto", Protocol),
        ("connrecvif", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("recvif", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("conndestif", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("connrecvzone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("conndestzone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("origsent", Int(field::SOURCE_BYTES)),
        ("termsent", Int(field::DESTINATION_BYTES)),
        ("conntime", Seconds),
        ("rule", Text(field::RULE_NAME)),
        ("signature", Text(field::RULE_NAME)),
        ("signatureid", Text(field::RULE_ID)),
        ("virusname", Text(field::RULE_NAME)),
        ("application", Lower(field::NETWORK_APPLICATION)),
        ("username", Account(field::USER_NAME)),
        ("user", Account(field::USER_NAME)),
        ("authrule", Text(field::RULE_NAME)),
        ("url", Url),
        ("categories", Text(field::RULE_CATEGORY)),
        ("filename", FilePath),
        ("reason", Text(field::EVENT_REASON)),
    ])
});

impl Parser for Clavister {
    fn name(&self) -> &'static str {
        "clavister"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(at) = start(raw.text()) else {
            return Outcome::Unreadable("no cOS Core parameters");
        };
        event.set_dataset("clavister.ngfw");
        vendor::device(event, "Clavister", "NGFW", "firewall");
        if let Some((category, _)) = raw.text()[..at].split_once(':') {
            event.set_present(field::EVENT_PROVIDER, category.rsplit(' ').next().unwrap_or_default());
        }
        let mut notes = Notes::<{ note::COUNT }>::default();
        parameters(raw, event, &raw.text()[at..], &mut notes);
        let told = notes.get(note::MESSAGE);
        event.set_present(field::MESSAGE, told);
        event.set_present(field::EVENT_REASON, told);
        classify(event, &notes);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// Finds `id=01800906 … event=ike_sa_deleted`, which open every message.
fn start(text: &str) -> Option<usize> {
    let b = text.as_bytes();
    let near = &b[..b.len().min(120)];
    let at = crate::text::find(near, b"prio=").or_else(|| crate::text::find(near, b"id="))?;
    if at > 0 && b[at - 1] != b' ' {
        return None;
    }
    let near = &b[at..b.len().min(at + 80)];
    let id = crate::text::find(near, b"id=")?;
    let digits = near[id + 3..].iter().take_while(|b| b.is_ascii_digit()).count();
    ((6..=8).contains(&digits) && near.get(id + 3 + digits) == Some(&b' ') && crate::text::find(near, b" event=").is_some())
        .then_some(at)
}

/// `name=value`, brackets around groups; a sentence runs to the next name.
fn parameters<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, notes: &mut Notes<'r, { note::COUNT }>) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        rest = &rest[at..];
        let Some(name) = vendor::name_before_equals(rest) else {
            // The name of a group, or a stray word.
            rest = rest.find([' ', '[']).map_or("", |at| &rest[at..]);
            continue;
        };
        let after = &rest[name.len() + 1..];
        let (value, tail) = if let Some((inside, tail)) = after.strip_prefix('"').and_then(|after| after.split_once('"')) {
            (inside, tail)
        } else if name == "message" {
            let end = sentence_end(after);
            (&after[..end], &after[end..])
        } else {
            after.split_at(after.find([' ', ']']).unwrap_or(after.len()))
        };
        let value = value.trim();
        if !value.is_empty() {
            vendor::word(raw, event, PREFIX, name, value, &KEYS, notes);
        }
        rest = tail;
    }
}

/// Where the sentence ends: before a blank and the next `name=`, or at a bracket.
fn sentence_end(text: &str) -> usize {
    let b = text.as_bytes();
    memchr::memchr3_iter(b' ', b'[', b']', b)
        .find(|at| b[*at] != b' ' || vendor::name_before_equals(&text[at + 1..]).is_some())
        .unwrap_or(b.len())
}

fn classify<'r>(event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    let (name, action) = (notes.get(note::EVENT), notes.get(note::ACTION));
    event.set_present(field::EVENT_ACTION, if matches!(action, "" | "none") { name } else { action });
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let told = notes.get(note::MESSAGE);
    let kind = if vendor::is_denied(action) || has(&["disallowed", "denied", "drop"]) {
        "denied"
    } else if has(&["_open", "created", "connect", "started", "attempt", "login", "conn_failed"]) && !has(&["disconnect"]) {
        "start"
    } else if has(&["close", "_end", "removed", "terminated", "logout", "disconnect", "identified"]) {
        "end"
    } else {
        "info"
    };
    let category = if has(&["session", "server_connect", "_alg_"]) || name.starts_with("alg_") {
        "session"
    } else if has(&["idp_", "intrusion", "scan_detected", "signature"]) {
        "intrusion_detection"
    } else if has(&["virus", "malware"]) {
        "malware"
    } else if has(&["user_login", "user_logout", "userauth", "login", "logout"]) {
        "authentication"
    } else if has(&["config", "address_added", "address_removed", "policy_updated", "reconf"]) {
        "configuration"
    } else {
        "network"
    };
    ecs::classify(event, &[category], &[if category == "configuration" { "change" } else { kind }]);
    if text::lower(event, told).contains("fail") || has(&["failed"]) {
        ecs::failure(event);
    }
}
