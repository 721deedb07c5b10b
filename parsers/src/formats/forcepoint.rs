//! Forcepoint (Websense): Web Security in its key-value and report forms, and the Security Management Center's audit log.
//!
//! Reference: Forcepoint, "Web Security: integrating with third-party SIEM" (key-value format), "Cloud web report columns",
//! "SMC: audit entries forwarded in CSV" (names of log fields). CEF and LEEF of these products are read as CEF and LEEF.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff,
    csv::Fields,
    ecs,
    keys::KeyTable,
    text, time,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "forcepoint.";

pub struct Forcepoint;

mod note {
    pub const TIME: u8 = 0;
    pub const KIND: u8 = 1;
    pub const RESULT: u8 = 2;
    pub const INFO: u8 = 3;
    pub const ACTION: u8 = 4;
    pub const COUNT: usize = 5;
}

/// Audit entries of the Management Center.
static AUDIT: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("Timestamp", Note(note::TIME)),
        ("NodeId", IpName("observer.ip")),
        ("CompId", Name("observer.hostname")),
        ("InfoMsg", Note(note::INFO)),
        ("UserOriginator", User(field::USER_NAME)),
        ("ClientIpAddress", Ip(field::SOURCE_IP)),
        ("TypeDescription", Note(note::KIND)),
        ("Result", Note(note::RESULT)),
        ("RuleId", Text(field::RULE_ID)),
        ("Situation", Text(field::RULE_NAME)),
        ("AlertSeverity", Lower(field::LOG_LEVEL)),
        ("Src", Ip(field::SOURCE_IP)),
        ("Dst", Ip(field::DESTINATION_IP)),
        ("Sport", Int(field::SOURCE_PORT)),
        ("Dport", Int(field::DESTINATION_PORT)),
        ("Action", Note(note::ACTION)),
        ("NatSrc", Ip(field::SOURCE_NAT_IP)),
        ("NatDst", Ip(field::DESTINATION_NAT_IP)),
    ])
});

/// Web Security's `vendor=Websense …`.
static WEB: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("action", Note(note::ACTION)),
        ("severity", Int(field::EVENT_SEVERITY)),
        ("category", Text(field::RULE_CATEGORY)),
        ("user", User(field::USER_NAME)),
        ("loginID", User(field::USER_NAME)),
        ("src_host", Peer(field::SOURCE_IP, field::SOURCE_ADDRESS)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("dst_host", Machine(field::DESTINATION_DOMAIN)),
        ("dst_ip", Ip(field::DESTINATION_IP)),
        ("dst_port", Int(field::DESTINATION_PORT)),
        ("bytes_out", Int(field::SOURCE_BYTES)),
        ("bytes_in", Int(field::DESTINATION_BYTES)),
        ("http_response", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("http_method", Text(field::HTTP_REQUEST_METHOD)),
        ("http_content_type", Name("http.response.mime_type")),
        ("http_user_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("reason", Text(field::EVENT_REASON)),
        ("policy", Text(field::RULE_NAME)),
        ("disposition", Text(field::EVENT_CODE)),
        ("url", Url),
    ])
});

impl Parser for Forcepoint {
    fn name(&self) -> &'static str {
        "forcepoint"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let b = text.as_bytes();
        let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
        let is_audit = text.starts_with("Timestamp=\"") && has(120, b",NodeId=\"");
        let is_web = text.starts_with("vendor=")
            && (has(30, b"vendor=Websense") || has(30, b"vendor=Forcepoint"))
            && has(120, b"product=");
        Sniff::yes_if(is_audit || is_web || is_report(text))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let mut notes = Notes::<{ note::COUNT }>::default();
        if text.starts_with("Timestamp=") {
            vendor::listed(raw, event, text, b',', PREFIX, &AUDIT, &mut notes);
            event.set_dataset("forcepoint.smc");
            vendor::device(event, "Forcepoint", "Forcepoint Management Server", "management");
            audit(raw, event, &notes);
        } else if text.starts_with("vendor=") {
            pairs(raw, event, text, &mut notes);
            event.set_dataset("forcepoint.web");
            vendor::device(event, "Forcepoint", "Web Security", "proxy");
            ecs::classify(event, &["web", "network"], &["access"]);
            let action = notes.get(note::ACTION);
            event.set(field::EVENT_TYPE, if matches!(action, "blocked") { "denied" } else { "allowed" });
            event.set_present(field::EVENT_ACTION, action);
        } else if is_report(text) {
            report(raw, event, text);
        } else {
            return Outcome::Unreadable("no Forcepoint record");
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// Values hold blanks: a value ends where the next `word=` begins.
fn pairs<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, notes: &mut Notes<'r, { note::COUNT }>) {
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let next = memchr::memchr_iter(b' ', after.as_bytes())
            .find(|at| vendor::name_before_equals(&after[at + 1..]).is_some_and(|name| WEB_WORDS.contains(&name)));
        let (value, tail) = next.map_or((after, ""), |at| (&after[..at], &after[at + 1..]));
        let value = value.trim();
        if !value.is_empty() && value != "-" {
            vendor::word(raw, event, PREFIX, key.trim(), value, &WEB, notes);
        }
        rest = tail;
    }
}

/// The names of the format: other words with an equals sign belong to a value.
const WEB_WORDS: [&str; 29] = [
    "product",
    "product_version",
    "action",
    "severity",
    "category",
    "user",
    "loginID",
    "src_host",
    "src_port",
    "dst_host",
    "dst_ip",
    "dst_port",
    "bytes_out",
    "bytes_in",
    "http_response",
    "http_method",
    "http_content_type",
    "http_user_agent",
    "http_proxy_status_code",
    "reason",
    "disposition",
    "policy",
    "role",
    "duration",
    "url",
    "logRecordSource",
    "keyword",
    "file_name",
    "unknownfield",
];

fn audit<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    match time::any(notes.get(note::TIME), raw) {
        Some(moment) => event.set(field::TIMESTAMP, Value::Time(moment)),
        None => event.problem("no time"),
    }
    let kind = notes.get(note::KIND);
    event.set_present(field::EVENT_ACTION, if kind.is_empty() { notes.get(note::ACTION) } else { kind });
    event.set_present(field::MESSAGE, notes.get(note::INFO));
    if let Some((_, user)) = notes.get(note::INFO).split_once("for user ") {
        event.set_named("client.user.name", user.trim_end_matches('.'));
        event.set(field::RELATED_USER, user.trim_end_matches('.'));
    }
    let has = |word: &str| kind.contains(word);
    if has("login") || has("logout") {
        ecs::classify(event, &["authentication"], &["admin", if has("logout") { "end" } else { "start" }]);
    } else if has("insert") || has("create") {
        ecs::classify(event, &["configuration"], &["creation"]);
    } else if has("delete") {
        ecs::classify(event, &["configuration"], &["deletion"]);
    } else if has("update") || has("policy") {
        ecs::classify(event, &["configuration"], &["change"]);
    } else if event.has(field::DESTINATION_IP) {
        vendor::verdict(event, vendor::is_allowed(notes.get(note::ACTION)));
    } else {
        ecs::classify(event, &["host"], &["info"]);
    }
    event.set(field::EVENT_OUTCOME, ecs::outcome_word(notes.get(note::RESULT)).unwrap_or("unknown"));
}

/// `"16/12/2022","07:05:25","user",…`: the default columns of a cloud report.
fn is_report(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() > 30
        && b[0] == b'"'
        && b[3] == b'/'
        && b[6] == b'/'
        && b[11] == b'"'
        && b[12] == b','
        && b[13] == b'"'
        && b[16] == b':'
        && Fields::new(text, b',').take(18).count() == 17
}

fn report<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    event.set_dataset("forcepoint.web");
    vendor::device(event, "Forcepoint", "Web Security", "proxy");
    ecs::classify(event, &["web"], &["info"]);
    let mut columns = [""; 17];
    let fields = Fields::new(text, b',');
    for (slot, value) in columns.iter_mut().zip(fields) {
        let value = value.value(event);
        *slot = if matches!(value, "Not available" | "None") { "" } else { value };
    }
    let [
        date,
        clock,
        user,
        workstation,
        categories,
        action,
        risk,
        policy,
        url,
        source,
        destination,
        threat,
        _,
        file,
        agent,
        status,
        method,
    ] = columns;
    if date.len() == 10 && date.is_ascii() {
        let iso = text::concat(event.arena(), [&date[6..], "-", &date[3..5], "-", &date[..2], " ", clock]);
        if let Some((stamp, _)) = time::iso(iso) {
            event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        }
    }
    ecs::user(event, field::USER_NAME, user);
    event.set_present(field::USER_ID, user);
    event.set_present(field::SOURCE_DOMAIN, workstation);
    event.set_present(field::RULE_CATEGORY, categories);
    event.set_present(field::EVENT_ACTION, text::lower(event, action));
    if vendor::is_denied(action) {
        event.set(field::EVENT_TYPE, "denied");
    }
    for (name, value) in [("risk", risk), ("threat", threat), ("file", file)] {
        if !value.is_empty() {
            event.set_extra(PREFIX, name, value);
        }
    }
    event.set_present(field::RULE_NAME, policy);
    ecs::ip_only(event, field::SOURCE_NAT_IP, source);
    ecs::ip_only(event, field::DESTINATION_IP, destination);
    event.set_present(field::USER_AGENT_ORIGINAL, agent);
    event.set_int(field::HTTP_RESPONSE_STATUS_CODE, status);
    if !method.is_empty() {
        let copy = event.arena().alloc_str(method);
        copy.make_ascii_uppercase();
        let method: &str = copy;
        event.set(field::HTTP_REQUEST_METHOD, method);
    }
    if !url.is_empty() {
        let scheme = if url.contains(":443") { "https://" } else { "http://" };
        web::url(event, if url.contains("://") { url } else { text::concat(event.arena(), [scheme, url]) });
    }
}
