//! H3C and HPE Comware: switches, routers and SecPath firewalls: `%%10MODULE/6/MNEMONIC: text`.
//!
//! Reference: H3C, "Comware 7 system log messages reference" and "SecPath firewall log messages reference" (log format,
//! SHELL, LOGIN, SSHS, AAA, WEB, FILTER, SESSION, NAT, ATTACK, IPS, ANTI-VIR, UFLT, CFGMAN).
//!
//! Security modules write `Name(1003)=value;` pairs, the number being the field's id; access modules write
//! `-Name=value-Name=value; sentence`; the rest are sentences.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    phrases::{self, CONFIGURED, CONNECTED, Class, DISCONNECTED, LOGIN, LOGIN_FAILED, LOGOUT, Phrase},
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "h3c.";

pub struct H3c;

mod note {
    pub const ACTION: u8 = 0;
    pub const EVENT: u8 = 1;
    pub const URL: u8 = 2;
    pub const USER: u8 = 3;
    pub const COUNT: usize = 4;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("Protocol", Protocol),
        ("Application", Lower(field::NETWORK_APPLICATION)),
        ("SrcIPAddr", Ip(field::SOURCE_IP)),
        ("SrcIPv6Addr", Ip(field::SOURCE_IP)),
        ("IPAddr", Ip(field::SOURCE_IP)),
        ("IPAddress", Ip(field::SOURCE_IP)),
        ("UserIP", Ip(field::SOURCE_IP)),
        ("DstIPAddr", Ip(field::DESTINATION_IP)),
        ("DstIPv6Addr", Ip(field::DESTINATION_IP)),
        ("SrcPort", Int(field::SOURCE_PORT)),
        ("DstPort", Int(field::DESTINATION_PORT)),
        ("NATSrcIPAddr", Ip(field::SOURCE_NAT_IP)),
        ("NatSrcIPAddr", Ip(field::SOURCE_NAT_IP)),
        ("NATSrcPort", Int(field::SOURCE_NAT_PORT)),
        ("NATDstIPAddr", Ip(field::DESTINATION_NAT_IP)),
        ("NATDstPort", Int(field::DESTINATION_NAT_PORT)),
        ("SrcMacAddr", Mac(field::SOURCE_MAC)),
        ("SrcMACAddr", Mac(field::SOURCE_MAC)),
        ("MACAddr", Mac(field::SOURCE_MAC)),
        ("DstMacAddr", Mac(field::DESTINATION_MAC)),
        ("SrcZoneName", Text(field::OBSERVER_INGRESS_ZONE)),
        ("DstZoneName", Text(field::OBSERVER_EGRESS_ZONE)),
        ("RcvIfName", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("IfName", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("InitPktCount", Int(field::SOURCE_PACKETS)),
        ("InitByteCount", Int(field::SOURCE_BYTES)),
        ("RplyPktCount", Int(field::DESTINATION_PACKETS)),
        ("RplyByteCount", Int(field::DESTINATION_BYTES)),
        ("UserName", Note(note::USER)),
        ("User", Note(note::USER)),
        ("PolicyName", Text(field::RULE_RULESET)),
        ("SecurityPolicy", Text(field::RULE_NAME)),
        ("RuleName", Text(field::RULE_NAME)),
        ("RuleID", Text(field::RULE_ID)),
        ("AttackName", Text(field::RULE_NAME)),
        ("AttackID", Text(field::RULE_ID)),
        ("VirusName", Text(field::RULE_NAME)),
        ("VirusID", Text(field::RULE_ID)),
        ("Category", Text(field::RULE_CATEGORY)),
        ("URLCategory", Text(field::RULE_CATEGORY)),
        ("Severity", Lower(field::LOG_LEVEL)),
        ("CVE", Text(field::VULNERABILITY_ID)),
        ("URL", Note(note::URL)),
        ("FileName", FilePath),
        ("FileMD5", Hash),
        ("Action", Note(note::ACTION)),
        ("Event", Note(note::EVENT)),
        ("Service", Lower(field::NETWORK_PROTOCOL)),
        ("Command", Text(field::PROCESS_COMMAND_LINE)),
        ("Reason", Text(field::EVENT_REASON)),
    ])
});

const USER: Option<Means> = Some(Means::Account(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Endpoint(field::SOURCE_IP, field::SOURCE_ADDRESS, field::SOURCE_PORT));
const PORT: Option<Means> = Some(Means::Int(field::SOURCE_PORT));
const COMMAND: Option<Means> = Some(Means::Text(field::PROCESS_COMMAND_LINE));
const REASON: Option<Means> = Some(Means::Text(field::EVENT_REASON));
const INTERFACE: Option<Means> = Some(Means::Text(field::OBSERVER_INGRESS_INTERFACE_NAME));

const PHRASES: &[Phrase] = &[
    Phrase { text: "* failed to log in from *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "* failed to login from *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "* logged in from *", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "* login from *", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "* logged out from *", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "* logout from *", means: &[USER, FROM], class: LOGOUT },
    Phrase {
        text: "Authentication failed for user * from * port * because of *",
        means: &[USER, FROM, PORT, REASON],
        class: LOGIN_FAILED,
    },
    Phrase { text: "Authentication failed for * from * port * ", means: &[USER, FROM, PORT], class: LOGIN_FAILED },
    Phrase { text: "Accepted * for * from * port *", means: &[None, USER, FROM, PORT], class: LOGIN },
    Phrase { text: "SSH user * (IP: *) connected to the server", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "SSH user * (IP: *) disconnected from the server", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "User * logged in from *", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Command is *", means: &[COMMAND], class: phrases::COMMAND },
    Phrase { text: "Configuration changed", means: &[], class: CONFIGURED },
    Phrase { text: "AAA failed", means: &[], class: LOGIN_FAILED },
    Phrase { text: "AAA succeeded", means: &[], class: LOGIN },
    Phrase { text: "AAA launched", means: &[], class: Class::new(&["authentication"], &["info"], "", "") },
    Phrase { text: "Physical state on the interface * changed to up", means: &[INTERFACE], class: CONNECTED },
    Phrase { text: "Physical state on the interface * changed to down", means: &[INTERFACE], class: DISCONNECTED },
];

impl Parser for H3c {
    fn name(&self) -> &'static str {
        "h3c"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(head) = head(raw.text()) else {
            return Outcome::Unreadable("no Comware header");
        };
        event.set_dataset("h3c.comware");
        let kind = if is_security(head.module) { "firewall" } else { "network" };
        vendor::device(event, "H3C", "Comware", kind);
        event.set(field::EVENT_PROVIDER, head.module);
        event.set(field::EVENT_CODE, head.mnemonic);
        event.set(field::EVENT_ACTION, head.mnemonic);
        event.set_int(field::EVENT_SEVERITY, head.severity);
        event.set_present(field::MESSAGE, head.text);
        let mut notes = Notes::<{ note::COUNT }>::default();
        let sentence = pairs(raw, event, head.text, &mut notes);
        vendor::account(event, field::USER_NAME, notes.get(note::USER));
        let url = notes.get(note::URL);
        if !url.is_empty() {
            web::url(event, url);
        }
        classify(raw, event, &head, &notes, sentence);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

struct Head<'r> {
    module: &'r str,
    severity: &'r str,
    mnemonic: &'r str,
    text: &'r str,
}

/// `%%10MODULE/6/MNEMONIC(l): ` near the start; a slot or a stack's name may stand before it.
fn head(text: &str) -> Option<Head<'_>> {
    let b = text.as_bytes();
    let start = crate::text::find(&b[..b.len().min(200)], b"%%10")? + 4;
    let (module, rest) = text.get(start..)?.split_once('/')?;
    let (severity, rest) = rest.split_once('/')?;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if module.is_empty() || module.len() > 40 || !module.bytes().all(is_name) || !matches!(severity.as_bytes(), [b'0'..=b'7']) {
        return None;
    }
    let end = rest.bytes().position(|b| !is_name(b))?;
    let (mnemonic, rest) = rest.split_at(end);
    let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
    Some(Head { module, severity, mnemonic, text: rest.trim_start().strip_prefix(':')?.trim_start() })
}

/// Reads the pairs of either form; returns the sentence that is left.
fn pairs<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, notes: &mut Notes<'r, { note::COUNT }>) -> &'r str {
    if let Some(list) = text.strip_prefix('-') {
        let (list, sentence) = list.split_once(';').unwrap_or((list, ""));
        dashed(raw, event, list, notes);
        return sentence.trim();
    }
    let is_listed = text.find('=').is_some_and(|at| text[..at].ends_with(')') && at <= 60);
    if is_listed {
        vendor::listed(raw, event, text, b';', PREFIX, &KEYS, notes);
    }
    text
}

/// `Line=vty0-IPAddr=192.0.2.1-User=**`: a dash before a word and its sign begins the next pair.
fn dashed<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, list: &'r str, notes: &mut Notes<'r, { note::COUNT }>) {
    let mut rest = list;
    while let Some((key, after)) = rest.split_once('=') {
        let next = memchr::memchr_iter(b'-', after.as_bytes())
            .find(|at| vendor::name_before_equals(&after[at + 1..]).is_some_and(|name| !name.contains(['-', '.'])));
        let (value, tail) = next.map_or((after, ""), |at| (&after[..at], &after[at + 1..]));
        let value = value.trim();
        if !value.is_empty() && value != "**" {
            vendor::word(raw, event, PREFIX, key.trim(), value, &KEYS, notes);
        }
        rest = tail;
    }
}

fn is_security(module: &str) -> bool {
    is_detection(module)
        || matches!(module, "FILTER" | "SESSION" | "NAT" | "UFLT" | "ASPF" | "CONTEXT" | "APR" | "NBAR" | "AUDIT")
}

fn is_detection(module: &str) -> bool {
    matches!(
        module,
        "IPS" | "ANTI-VIR" | "AVC" | "ATK" | "ATTACK" | "WAF" | "SCD" | "DLP" | "IPREPUTATION" | "DOMAINREPUTATION" | "SANDBOX"
    )
}

fn classify<'r>(
    raw: RawRecord<'r>,
    event: &mut Event<'r>,
    head: &Head<'r>,
    notes: &Notes<'r, { note::COUNT }>,
    sentence: &'r str,
) {
    let action = notes.get(note::ACTION);
    let told = notes.get(note::EVENT);
    match head.module {
        "FILTER" => {
            vendor::verdict(event, !matches!(told, "Deny" | "Drop" | "deny" | "drop"));
            event.set_present(field::EVENT_ACTION, told);
        }
        "SESSION" | "NAT" => {
            vendor::verdict(event, true);
            let contains = |word: &str| told.contains(word);
            if contains("created") {
                event.set(field::EVENT_TYPE, "start");
            } else if contains("aged") || contains("deleted") || contains("over") {
                event.set(field::EVENT_TYPE, "end");
            }
        }
        module if is_detection(module) => {
            let is_stopped =
                ["Drop", "drop", "Block", "block", "Reset", "reset", "Deny", "deny"].iter().any(|word| action.contains(word));
            let category: &'static str = if module == "ANTI-VIR" { "malware" } else { "intrusion_detection" };
            ecs::classify(event, &[category, "network"], &[if is_stopped { "denied" } else { "info" }]);
            event.set(field::EVENT_KIND, "alert");
            event.set_present(field::EVENT_ACTION, action);
        }
        "UFLT" => {
            ecs::classify(event, &["web", "network"], &[if vendor::is_denied(action) { "denied" } else { "allowed" }]);
            event.set_present(field::EVENT_ACTION, action);
        }
        _ => {
            if !phrases::read(raw, event, PHRASES, sentence) {
                let class = match head.module {
                    "CFGMAN" => &CONFIGURED,
                    "AAA" | "SSHS" | "LOGIN" | "WEB" | "SHELL" | "SC" => &Class::new(&["authentication"], &["info"], "", ""),
                    _ => &phrases::NETWORK,
                };
                phrases::classify(event, &Class { action: "", ..*class });
            }
        }
    }
}
