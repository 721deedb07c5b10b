//! F5 Distributed Cloud: access and security events of its global log receiver, one JSON object an event.
//!
//! Reference: F5, "Distributed Cloud: global log receiver", "HTTP access log and security event fields".

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    keys::KeyTable,
    text,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "f5_xc.";

pub struct F5Xc;

mod note {
    pub const ACTION: u8 = 0;
    pub const DOMAIN: u8 = 1;
    pub const AUTHORITY: u8 = 2;
    pub const PATH: u8 = 3;
    pub const PROTOCOL: u8 = 4;
    pub const KIND: u8 = 5;
    pub const COUNT: usize = 6;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("@timestamp", Time(field::TIMESTAMP)),
        ("time", Time(field::TIMESTAMP)),
        ("action", Note(note::ACTION)),
        ("src_ip", Ip(field::SOURCE_IP)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("dst_ip", Ip(field::DESTINATION_IP)),
        ("dst_port", Int(field::DESTINATION_PORT)),
        ("domain", Note(note::DOMAIN)),
        ("authority", Note(note::AUTHORITY)),
        ("req_path", Note(note::PATH)),
        ("method", Text(field::HTTP_REQUEST_METHOD)),
        ("rsp_code", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("rsp_size", Int(field::HTTP_RESPONSE_BYTES)),
        ("req_size", Int(field::HTTP_REQUEST_BODY_BYTES)),
        ("http_version", Note(note::PROTOCOL)),
        ("user_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("req_id", Text(field::HTTP_REQUEST_ID)),
        ("app_firewall_name", Text(field::RULE_RULESET)),
        ("policy_hits.policy_hits", Name("f5_xc.policies")),
        ("signatures.name", Text(field::RULE_NAME)),
        ("signatures.id", Text(field::RULE_ID)),
        ("user", Name("f5_xc.user_key")),
        ("sni", Name("tls.client.server_name")),
        ("tls_cipher_suite", Text(field::TLS_CIPHER)),
        ("vh_name", Name("f5_xc.load_balancer")),
        ("severity", Lower(field::LOG_LEVEL)),
        ("sec_event_type", Note(note::KIND)),
        ("sec_event_name", Text(field::RULE_NAME)),
    ])
});

impl Parser for F5Xc {
    fn name(&self) -> &'static str {
        "f5_xc"
    }

    fn starts(&self) -> &'static [u8] {
        crate::OBJECT
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let Some(object) = json::object(raw.text()) else { return Sniff::No };
        let b = object.as_bytes();
        let has = |word: &[u8]| crate::text::find(&b[..b.len().min(32_768)], word).is_some();
        Sniff::yes_if(has(b"\"vh_name\"") && (has(b"\"tenant\"") || has(b"\"cluster_name\"")))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(object) = json::object(raw.text()) else {
            return Outcome::Unreadable("no JSON object");
        };
        let mut notes = Notes::<{ note::COUNT }>::default();
        if !vendor::json(raw, event, object, PREFIX, &KEYS, &mut notes) {
            return Outcome::Unreadable("malformed JSON");
        }
        event.set_dataset("f5_xc.events");
        vendor::device(event, "F5", "F5 Distributed Cloud", "waf");
        let path = notes.get(note::PATH);
        if !path.is_empty() {
            web::url(event, path);
        }
        let domain = notes.first(&[note::DOMAIN, note::AUTHORITY]);
        if !domain.is_empty() {
            web::authority(event, domain);
            event.set(field::RELATED_HOSTS, vendor::split_endpoint(domain).0);
        }
        let version = notes.get(note::PROTOCOL);
        event.set_present(field::HTTP_VERSION, version.strip_prefix("HTTP/").unwrap_or(version));
        let action = notes.get(note::ACTION);
        event.set_present(field::EVENT_ACTION, text::lower(event, action));
        ecs::classify(event, &["web", "network"], &["access"]);
        if !action.is_empty() {
            event.set(field::EVENT_TYPE, if vendor::is_denied(action) { "denied" } else { "allowed" });
        }
        if notes.get(note::KIND).contains("waf") || notes.get(note::KIND).contains("bot") {
            event.set(field::EVENT_CATEGORY, "intrusion_detection");
            event.set(field::EVENT_KIND, "alert");
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}
