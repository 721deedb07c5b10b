//! Citrix ADC (NetScaler): `11/23/2026:10:00:00 GMT ns1 0-PPE-0 : default SSLVPN LOGIN 5071 0 : Context an@192.0.2.9 - …`.
//!
//! Reference: Citrix, "ADC syslog message reference" (modules AAA, SSLVPN, SSLLOG, TCP, UI, GUI, API, CLI, EVENT, SNMP, AAATM,
//! APPFW, ACL, ROUTING …). The date is month or day first or ISO-like, as the appliance was told; the application firewall's CEF
//! is read as CEF.
//!
//! A message is `Word value - Other_word value - …`: the words of [`KEYS`] begin a pair, whatever stands between.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    phrases::{self, Class, LOGIN, LOGIN_FAILED, LOGOUT},
    text, time,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "citrix.";

pub struct CitrixAdc;

mod note {
    pub const STATUS: u8 = 0;
    pub const USER: u8 = 1;
    pub const CONTEXT: u8 = 2;
    pub const TLS: u8 = 3;
    pub const COUNT: usize = 4;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("User", Note(note::USER)),
        ("Context", Note(note::CONTEXT)),
        ("Client_ip", Ip(field::SOURCE_IP)),
        ("ClientIP", Ip(field::SOURCE_IP)),
        ("Remote_ip", Ip(field::SOURCE_IP)),
        ("ClientPort", Int(field::SOURCE_PORT)),
        ("Source", Endpoint(field::SOURCE_IP, field::SOURCE_ADDRESS, field::SOURCE_PORT)),
        ("Destination", Endpoint(field::DESTINATION_IP, field::DESTINATION_ADDRESS, field::DESTINATION_PORT)),
        ("VserverServiceIP", Ip(field::SERVER_IP)),
        ("NatIP", Endpoint(field::SOURCE_NAT_IP, field::SOURCE_ADDRESS, field::SOURCE_NAT_PORT)),
        ("Nat_ip", Ip(field::SOURCE_NAT_IP)),
        ("Command", Text(field::PROCESS_COMMAND_LINE)),
        ("Status", Note(note::STATUS)),
        ("Failure_reason", Text(field::EVENT_REASON)),
        ("Reason", Text(field::EVENT_REASON)),
        ("Browser", Text(field::USER_AGENT_ORIGINAL)),
        ("Browser_type", Text(field::USER_AGENT_ORIGINAL)),
        ("Denied_by_policy", Text(field::RULE_NAME)),
        ("Total_bytes_send", Int(field::SOURCE_BYTES)),
        ("Total_bytes_recv", Int(field::DESTINATION_BYTES)),
        ("ClientVersion", Note(note::TLS)),
        ("CipherSuite", Text(field::TLS_CIPHER)),
        ("Group(s)", Text(field::USER_GROUP_NAME)),
    ])
});

impl Parser for CitrixAdc {
    fn name(&self) -> &'static str {
        "citrix_adc"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(head) = head(raw.text()) else {
            return Outcome::Unreadable("no NetScaler head");
        };
        event.set_dataset("citrix.adc");
        if let Some(stamp) = head.stamp {
            event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        }
        if !head.host.is_empty() {
            event.set(field::OBSERVER_NAME, head.host);
            ecs::host(event, head.host);
        }
        vendor::device(event, "Citrix", "NetScaler", "load-balancer");
        event.set_present(field::EVENT_PROVIDER, head.module);
        event.set_present(field::EVENT_CODE, head.code);
        event.set_present(field::EVENT_ACTION, head.code);
        event.set_int(field::EVENT_SEQUENCE, head.id);
        let message = head.text.trim_end_matches('"').trim();
        let message = message.trim_start_matches('"');
        event.set_present(field::MESSAGE, message);
        let mut notes = Notes::<{ note::COUNT }>::default();
        pairs(raw, event, head.text, &mut notes);
        users(event, &notes);
        if head.code == "Message" {
            event.set_present(field::EVENT_REASON, message);
            free_text(event, message);
        }
        classify(event, &head, &notes, message);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// Modules that write messages; needed only where no packet engine is named.
const MODULES: &[&str] = &[
    "AAA",
    "AAATM",
    "ACL",
    "API",
    "APPFW",
    "CLI",
    "CLUSTERD",
    "CVPN",
    "EVENT",
    "GUI",
    "ICA",
    "PITBOSS",
    "ROUTING",
    "SNMP",
    "SSLI",
    "SSLLOG",
    "SSLVPN",
    "SUBSCRIBER",
    "TCP",
    "TRANSFORM",
    "UI",
];

struct Head<'r> {
    stamp: Option<time::Stamp>,
    host: &'r str,
    module: &'r str,
    code: &'r str,
    id: &'r str,
    text: &'r str,
}

/// Finds `[stamp [zone] host] 0-PPE-0 : [partition] MODULE CODE id 0 : text`, or the part of it from the partition on.
fn head(text: &str) -> Option<Head<'_>> {
    let text = text.strip_prefix('"').unwrap_or(text);
    let b = text.as_bytes();
    let near = &b[..b.len().min(200)];
    // The application firewall's CEF, whatever carries it, is read as CEF.
    if crate::text::find(&b[..b.len().min(260)], b"CEF:").is_some() {
        return None;
    }
    let engine = crate::text::find(near, b"-PPE-");
    let (before, after) = match engine {
        Some(at) => {
            let end = at + crate::text::find(&b[at..b.len().min(at + 20)], b" : ")?;
            (&text[..at], &text[end + 3..])
        }
        None if text.starts_with("default ") => ("", text),
        None => {
            let at = crate::text::find(near, b" : ")?;
            let before = text[..at].rsplit_once(' ').map_or("", |(before, _)| before);
            (before, &text[at + 3..])
        }
    };
    let (words, message) = after.split_once(" : ")?;
    // The partition is `default` or an administrator's word; then module, code and, as a rule, two numbers.
    let mut list = [""; 5];
    let words = words.split(' ').filter(|word| !word.is_empty()).take(5);
    list.iter_mut().zip(words).for_each(|(slot, word)| *slot = word);
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let numbers = list.iter().position(|word| is_number(word) || word.is_empty()).unwrap_or(list.len());
    let code = list[numbers.checked_sub(1)?];
    let module = numbers.checked_sub(2).map_or("", |at| list[at]);
    let module = if module == "default" { "" } else { module };
    let id = list.get(numbers).copied().unwrap_or_default();
    let is_word = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_word(code)
        || !is_word(module)
        || (engine.is_none() && !is_number(id))
        || (engine.is_none() && !module.is_empty() && !MODULES.contains(&module))
    {
        return None;
    }
    if engine.is_none() && module.is_empty() && !before.is_empty() {
        return None;
    }
    let (stamp, host) = stamp_and_host(before);
    Some(Head { stamp, host, module, code, id, text: message.trim_start() })
}

/// `11/23/2026:10:00:00 GMT ns1 0`, `2026/11/23:10:00:00  ADC 0`, after whatever a relay wrote.
fn stamp_and_host(text: &str) -> (Option<time::Stamp>, &str) {
    let text = text.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end();
    let mut found = None;
    let mut host = "";
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if let Some(stamp) = stamp(word) {
            found = Some(stamp);
        } else if matches!(word, "GMT" | "UTC") {
            if let Some(stamp) = &mut found {
                stamp.offset = Some(0);
            }
        } else if found.is_some() {
            host = word;
        }
    }
    (found, host)
}

/// Month or day first, or the year; a first number over twelve is a day.
fn stamp(word: &str) -> Option<time::Stamp> {
    let b = word.as_bytes();
    if b.len() < 19 || b[10] != b':' || b[13] != b':' {
        return None;
    }
    let mut iso = [0u8; 19];
    iso.copy_from_slice(&b[..19]);
    iso[10] = b'T';
    if b[2] == b'/' && b[5] == b'/' {
        iso[..4].copy_from_slice(&b[6..10]);
        let day_first = (b[0], b[1]) > (b'1', b'2');
        let (month, day) = if day_first { (3, 0) } else { (0, 3) };
        iso[5..7].copy_from_slice(&b[month..month + 2]);
        iso[8..10].copy_from_slice(&b[day..day + 2]);
        (iso[4], iso[7]) = (b'-', b'-');
    }
    time::iso(std::str::from_utf8(&iso).ok()?).map(|(stamp, _)| stamp)
}

fn pairs<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, notes: &mut Notes<'r, { note::COUNT }>) {
    for piece in text.split(" - ") {
        let piece = piece.trim();
        let (mut key, mut value) = text::word(piece);
        // `Start Time 2023/…`, `SessionId: 12345`
        if let Some((second, rest)) = value.split_once(' ').filter(|(second, _)| *second == "Time") {
            (key, value) = (&piece[..key.len() + 1 + second.len()], rest);
        }
        let key = key.trim_end_matches(':');
        let value = value.trim().trim_matches('"');
        let is_key = key.as_bytes().first().is_some_and(u8::is_ascii_uppercase) && key.len() <= 48;
        if is_key && !value.is_empty() {
            vendor::word(raw, event, PREFIX, key, value, &KEYS, notes);
        }
    }
}

fn users<'r>(event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    let (context, address) = notes.get(note::CONTEXT).rsplit_once('@').unwrap_or((notes.get(note::CONTEXT), ""));
    let user = if notes.get(note::USER).is_empty() { context } else { notes.get(note::USER) };
    vendor::account(event, field::USER_NAME, text::word(user).0);
    if !event.has(field::SOURCE_IP) {
        ecs::ip_only(event, field::SOURCE_IP, address);
    }
}

/// Words that sentences of the appliance put before what matters.
fn free_text<'r>(event: &mut Event<'r>, text: &'r str) {
    let after = |words: &[&str]| {
        words.iter().find_map(|word| {
            let (_, rest) = text.split_once(word)?;
            Some(rest.trim_start().split([' ', ',', ')', '"', '>', ';']).next().unwrap_or_default())
        })
    };
    if let Some(ip) = after(&["Srcip: ", "client ip : ", "clientip ", "client_ip ", "Client_ip "]) {
        ecs::source(event, ip);
    }
    if let Some(ip) = after(&["Dstip: ", "vserver ip: ", "vserver ip : "]) {
        ecs::destination(event, ip);
    }
    if let Some(user) = after(&["User <", "rejected for ", "accepted for ", "user <", " user ", "User: ", "username:"]) {
        vendor::account(event, field::USER_NAME, user);
    }
    if let Some(rule) = after(&["denied_by_policy: "]) {
        event.set_present(field::RULE_NAME, rule);
    }
    if let Some(target) = after(&["request: "]) {
        web::url(event, target);
    }
}

fn classify<'r>(event: &mut Event<'r>, head: &Head<'r>, notes: &Notes<'r, { note::COUNT }>, text: &str) {
    let code = head.code;
    let has = |word: &str| crate::text::find(code.as_bytes(), word.as_bytes()).is_some();
    let says = |word: &str| crate::text::find(text.as_bytes(), word.as_bytes()).is_some();
    let keep = |class: Class| Class { action: "", ..class };
    if has("LOGIN_FAILED") || has("LOGINFAIL") || (head.module == "AAA" && says("rejected")) {
        phrases::classify(event, &keep(LOGIN_FAILED));
    } else if has("LOGOUT") {
        phrases::classify(event, &keep(LOGOUT));
        event.set(field::EVENT_CATEGORY, "network");
        event.set(field::EVENT_TYPE, "connection");
    } else if has("LOGIN") {
        phrases::classify(event, &keep(LOGIN));
    } else if has("CMD_EXECUTED") {
        ecs::classify(event, &["configuration"], &["change"]);
        match notes.get(note::STATUS) {
            "Success" | "Done" => ecs::success(event),
            "" => {}
            _ => ecs::failure(event),
        }
    } else if matches!(head.module, "AAA" | "AAATM") || (head.module == "SSLVPN" && says("Authorize result")) {
        ecs::classify(event, &["authentication"], &["start"]);
        event.set(field::EVENT_OUTCOME, if says("is Deny") || says("failed") || says("denied") { "failure" } else { "success" });
    } else {
        ecs::classify(event, &["network"], &["connection"]);
        if has("DENIED") {
            event.set(field::EVENT_TYPE, "denied");
        }
    }
    // `TLSv1.2`: ECS wants the number alone.
    let version = notes.get(note::TLS).trim_start_matches("TLSv").trim_start_matches("SSLv");
    event.set_present(field::TLS_VERSION, version);
}
