//! Huawei VRP: switches, routers and USG/Eudemon firewalls: `%%01MODULE/4/BRIEF(l)[7]:text (Key=value, …)`.
//!
//! Reference: Huawei, "Log reference" of CloudEngine, AR, NE and "USG6000/HiSecEngine USG log reference" (log format, SHELL, SSH,
//! AAA, SECLOG, POLICY, IPS, AV, URL, ATK, UM, CM); traps come as `MODULE/4/BRIEF:OID … (Key=value, …)`.
//!
//! Module, severity and mnemonic are always read; the pairs at the end (in brackets) or of the whole text (session logs) are kept
//! verbatim under `huawei.` and give ECS by their names, which Huawei writes in several ways: case, blanks, dashes and
//! underscores in a name do not count.

mod meaning;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    phrases::{self, Class, LOGIN, LOGIN_FAILED, LOGOUT},
    text,
    vendor::{self, Notes},
    web,
};
use meaning::{note, word_means};

const PREFIX: &str = "huawei.";

pub struct Huawei;

impl Parser for Huawei {
    fn name(&self) -> &'static str {
        "huawei"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(head) = head(raw.text()) else {
            return Outcome::Unreadable("no Huawei header");
        };
        event.set_dataset("huawei.vrp");
        let is_firewall = meaning::is_security(head.module);
        let (product, kind) = if is_firewall { ("USG", "firewall") } else { ("VRP", "network") };
        vendor::device(event, "Huawei", product, kind);
        event.set(field::EVENT_PROVIDER, head.module);
        event.set(field::EVENT_CODE, head.brief);
        event.set(field::EVENT_ACTION, head.brief);
        event.set_int(field::EVENT_SEVERITY, head.severity);
        event.set_present(field::LOG_LEVEL, LEVELS[usize::from(head.severity.as_bytes()[0] - b'0') & 7]);
        event.set_present(field::MESSAGE, head.text);
        let mut line = Line::default();
        pairs(raw, event, head.text, &mut line);
        finish(event, &head, &line);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

type Line<'r> = Notes<'r, { note::COUNT }>;

const LEVELS: [&str; 8] = ["emergencies", "alert", "critical", "error", "warning", "notification", "informational", "debugging"];

struct Head<'r> {
    module: &'r str,
    severity: &'r str,
    brief: &'r str,
    text: &'r str,
}

/// Finds `%%01MODULE/4/BRIEF(l)[7]:` or, without its mark, `MODULE/4/BRIEF:OID` near the start.
fn head(text: &str) -> Option<Head<'_>> {
    let b = text.as_bytes();
    let near = &b[..b.len().min(200)];
    let start = match crate::text::find(near, b"%%01") {
        Some(at) => at + 4,
        // A trap: the object id proves it.
        None => {
            let colon = crate::text::find(near, b":OID ").filter(|at| *at > 4)?;
            b[..colon].iter().rposition(|b| *b == b' ').map_or(0, |at| at + 1)
        }
    };
    let (module, rest) = text.get(start..)?.split_once('/')?;
    let (severity, rest) = rest.split_once('/')?;
    if module.is_empty() || module.len() > 40 || !module.bytes().all(is_name) || !matches!(severity.as_bytes(), [b'0'..=b'7']) {
        return None;
    }
    let end = rest.bytes().position(|b| !is_name(b))?;
    let (brief, rest) = rest.split_at(end);
    // `(l)`, `(s)`, `(t)`, `(D)`: log, security log, trap, debugging; then the message's number.
    let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
    let rest = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(rest, |(_, rest)| rest);
    let text = rest.trim_start().strip_prefix(':')?;
    Some(Head { module, severity, brief, text: text.trim_start() })
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// Reads the pairs: those in the last bracket, or the whole text when it starts with one.
fn pairs<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, line: &mut Line<'r>) {
    let starts = text.find('=').is_some_and(|at| at <= 40 && !text[..at].contains(['.', '(', ':']));
    let list = if starts {
        text.trim_end_matches(['.', ' '])
    } else {
        match text.find('(') {
            Some(at) => text[at + 1..].trim_end_matches(['.', ' ']).strip_suffix(')').unwrap_or(&text[at + 1..]),
            None => return,
        }
    };
    let separator = if list.contains(',') || !list.contains(';') { b',' } else { b';' };
    for (key, value) in vendor::Listed::new(list, separator) {
        if key.is_empty() || value.is_empty() || key.len() > ecs::NAME_BYTES_MAX {
            continue;
        }
        event.set_extra(PREFIX, key, value);
        if value.starts_with("CVE-") {
            event.set(field::VULNERABILITY_ID, value);
        }
        if let Some(means) = word_means(key) {
            vendor::set(raw, event, means, value, line);
        }
    }
}

fn finish<'r>(event: &mut Event<'r>, head: &Head<'r>, line: &Line<'r>) {
    let user = line.get(note::USER);
    if !matches!(user, "" | "unknown" | "Unknown" | "**") {
        vendor::account(event, if meaning::is_security(head.module) { field::SOURCE_USER_NAME } else { field::USER_NAME }, user);
    }
    let host = line.get(note::HOST);
    if !host.is_empty() {
        web::authority(event, host);
    }
    let page = line.get(note::PAGE);
    if !page.is_empty() {
        event.set(field::URL_PATH, page);
    }
    if let (false, false) = (host.is_empty(), page.is_empty()) {
        event.set(field::URL_ORIGINAL, text::concat(event.arena(), [host, page]));
    }
    classify(event, head, line);
}

fn classify<'r>(event: &mut Event<'r>, head: &Head<'r>, line: &Line<'r>) {
    let brief = head.brief;
    let has = |word: &str| crate::text::find(brief.as_bytes(), word.as_bytes()).is_some();
    let action = line.get(note::ACTION);
    if has("LOGINFAIL")
        || has("LOGIN_FAIL")
        || has("SSH_FAIL")
        || has("AUTHFAIL")
        || has("AUTH_FAIL")
        || has("USERLOGINFAIL")
        || has("IP_LOCK")
    {
        return phrases::classify(event, &Class { action: "", ..LOGIN_FAILED });
    }
    if has("LOGOUT") || has("LOGOFF") || has("OFFLINE") {
        return phrases::classify(event, &Class { action: "", ..LOGOUT });
    }
    if has("LOGIN") || has("LOGON") || has("USER_LOG") || has("ONLINE") {
        return phrases::classify(event, &Class { action: "", ..LOGIN });
    }
    match head.module {
        "POLICY" => vendor::verdict(event, !has("DENY")),
        "SECLOG" | "SESSION" => {
            vendor::verdict(event, !has("DENY") && !vendor::is_denied(action));
            if has("TEARDOWN") || has("AGED") {
                event.set(field::EVENT_TYPE, "end");
            } else if has("CREATE") || has("BUILD") {
                event.set(field::EVENT_TYPE, "start");
            }
        }
        module if meaning::is_detection(module) => {
            let category: &'static str =
                if matches!(module, "AV" | "APT" | "SANDBOX") { "malware" } else { "intrusion_detection" };
            let verdict = if vendor::is_denied(action) { "denied" } else { "info" };
            ecs::classify(event, &[category, "network"], &[verdict]);
            event.set(field::EVENT_KIND, "alert");
        }
        "URL" | "CONTENT" | "FILE" | "APPCTL" | "MAIL" | "DLP" => {
            ecs::classify(event, &["web", "network"], &[if vendor::is_denied(action) { "denied" } else { "allowed" }]);
        }
        _ if has("CMDRECORD") || has("CMD") => phrases::classify(event, &Class { action: "", ..phrases::COMMAND }),
        "CFM" | "CFGMAN" | "CONFIGURATION" => ecs::classify(event, &["configuration"], &["change"]),
        "SHELL" | "SSH" | "SSHS" | "TELNET" | "AAA" | "HTTPD" | "WEB" | "LINE" | "UM" | "CM" | "SNMP" => {
            ecs::classify(event, &["authentication"], &["info"]);
        }
        _ => ecs::classify(event, &["network"], &["info"]),
    }
    if !action.is_empty() {
        event.set(field::EVENT_ACTION, action);
    }
}
