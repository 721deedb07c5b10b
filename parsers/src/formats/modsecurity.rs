//! ModSecurity: the audit log of version 2 and 3 as JSON and in its serial form, and what its messages say inside the error logs
//! of Apache and nginx ([`detail`], which those formats call).
//!
//! Reference: OWASP ModSecurity, "Data formats" (audit log parts A to Z), "JSON audit log", reference manual ("SecAuditLog…",
//! alert format).

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    json as flat,
    keys::KeyTable,
    text, time,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "modsecurity.";

pub struct ModSecurity;

mod note {
    pub const URI: u8 = 0;
    pub const HOST: u8 = 1;
    pub const MESSAGES: u8 = 2;
    pub const REQUEST_LINE: u8 = 3;
    pub const INTERCEPTED: u8 = 4;
    pub const SERVER_PORT: u8 = 5;
    pub const COUNT: usize = 6;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("transaction.client_ip", Ip(field::SOURCE_IP)),
        ("transaction.client_port", Int(field::SOURCE_PORT)),
        ("transaction.host_ip", Ip(field::DESTINATION_IP)),
        ("transaction.host_port", Note(note::SERVER_PORT)),
        ("transaction.time_stamp", Time(field::TIMESTAMP)),
        ("transaction.id", Text(field::HTTP_REQUEST_ID)),
        ("transaction.unique_id", Text(field::HTTP_REQUEST_ID)),
        ("transaction.request.method", Text(field::HTTP_REQUEST_METHOD)),
        ("transaction.request.http_version", Text(field::HTTP_VERSION)),
        ("transaction.request.uri", Note(note::URI)),
        ("transaction.request.headers.Host", Note(note::HOST)),
        ("transaction.request.headers.host", Note(note::HOST)),
        ("transaction.request.headers.User-Agent", Text(field::USER_AGENT_ORIGINAL)),
        ("transaction.request.headers.user-agent", Text(field::USER_AGENT_ORIGINAL)),
        ("transaction.request.headers.Referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("transaction.response.http_code", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("transaction.messages", Note(note::MESSAGES)),
        // Version 2.
        ("transaction.time", Time(field::TIMESTAMP)),
        ("transaction.transaction_id", Text(field::HTTP_REQUEST_ID)),
        ("transaction.remote_address", Ip(field::SOURCE_IP)),
        ("transaction.remote_port", Int(field::SOURCE_PORT)),
        ("transaction.local_address", Ip(field::DESTINATION_IP)),
        ("transaction.local_port", Note(note::SERVER_PORT)),
        ("request.request_line", Note(note::REQUEST_LINE)),
        ("request.headers.Host", Note(note::HOST)),
        ("request.headers.User-Agent", Text(field::USER_AGENT_ORIGINAL)),
        ("request.headers.Referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("response.status", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("audit_data.messages", Note(note::MESSAGES)),
        ("audit_data.action.intercepted", Note(note::INTERCEPTED)),
        ("audit_data.action.message", Text(field::EVENT_REASON)),
    ])
});

impl Parser for ModSecurity {
    fn name(&self) -> &'static str {
        "modsecurity"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["modsecurity", "ModSecurity"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let b = raw.text().as_bytes();
        let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
        let is_json = b.starts_with(b"{\"transaction\":{") && (has(600, b"client_ip") || has(600, b"remote_address"));
        let is_message = b.starts_with(b"ModSecurity: ") && has(65536, b"[id \"");
        Sniff::yes_if(is_json || is_serial(raw.text()) || is_message)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        event.set_dataset("modsecurity.audit");
        let text = raw.text();
        ecs::classify(event, &["web"], &["access"]);
        if is_serial(text) {
            serial(raw, event, text);
        } else if let Some(object) = json::object(text) {
            let mut notes = Notes::<{ note::COUNT }>::default();
            if !vendor::json(raw, event, object, PREFIX, &KEYS, &mut notes) {
                return Outcome::Unreadable("malformed JSON");
            }
            audit(event, &notes);
        } else if detail(event, text) {
            event.set(field::MESSAGE, text);
        } else {
            return Outcome::Unreadable("no ModSecurity record");
        }
        vendor::observer(event, "OWASP", "ModSecurity", "waf");
        vendor::conclude(event);
        Outcome::Parsed
    }
}

fn audit<'r>(event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    let line = notes.get(note::REQUEST_LINE);
    if !line.is_empty() {
        web::request(event, line);
    }
    let (uri, host, port) = (notes.get(note::URI), notes.get(note::HOST), notes.get(note::SERVER_PORT));
    event.set_int(field::DESTINATION_PORT, port);
    if !uri.is_empty() {
        address(event, uri, host, port);
    } else if !host.is_empty() {
        web::authority(event, host);
    }
    let mut has_message = false;
    if let Some(list) = event
        .extra()
        .iter()
        .find(|(name, _)| matches!(name.key, "transaction.messages" | "audit_data.messages"))
        .map(|(_, value)| *value)
        && let Value::Str(list) = list
    {
        flat::elements(event.arena(), list, &mut |leaf| {
            if has_message {
                return;
            }
            has_message = true;
            match leaf {
                flat::Leaf::List(object) => finding(event, object),
                leaf => drop(detail(event, leaf.text())),
            }
        });
    }
    if notes.get(note::INTERCEPTED) == "true" {
        denied(event);
    } else if has_message {
        event.set(field::EVENT_KIND, "alert");
    }
}

/// A finding of version 3: `{"message": …, "details": {"ruleId": …, …}}`.
fn finding<'r>(event: &mut Event<'r>, object: &'r str) {
    event.set(field::EVENT_CATEGORY, "intrusion_detection");
    let _ = flat::flatten(event.arena(), object, &mut |name, leaf| match name {
        "message" => event.set_present(field::RULE_NAME, leaf.text()),
        "details.ruleId" => event.set_present(field::RULE_ID, leaf.text()),
        "details.severity" => drop(event.set_int(field::EVENT_SEVERITY, leaf.text())),
        "details.data" => event.set_present(field::EVENT_REASON, leaf.text()),
        "details.file" => event.set_present(field::RULE_RULESET, leaf.text()),
        _ => {}
    });
}

/// The whole URL: the scheme follows from the port.
fn address<'r>(event: &mut Event<'r>, uri: &'r str, host: &'r str, port: &'r str) {
    if host.is_empty() || uri.contains("://") {
        return web::url(event, uri);
    }
    let scheme = if matches!(port, "443" | "8443") { "https://" } else { "http://" };
    let name = vendor::split_endpoint(host).0;
    let whole = if host == name && !port.is_empty() {
        text::concat(event.arena(), [scheme, host, ":", port, uri])
    } else {
        text::concat(event.arena(), [scheme, host, uri])
    };
    web::url(event, whole);
}

fn denied(event: &mut Event<'_>) {
    event.set(field::EVENT_KIND, "alert");
    event.set(field::EVENT_TYPE, "denied");
    event.set(field::EVENT_ACTION, "denied");
    ecs::success(event);
}

/// Reads `ModSecurity: Warning. … [id "930100"] [msg "…"] [severity "CRITICAL"] [uri "/"] [unique_id "…"]` inside another log's
/// message; returns false when it is none.
pub fn detail<'r>(event: &mut Event<'r>, text: &'r str) -> bool {
    let Some(first) = crate::text::find(text.as_bytes(), b" [id \"").or_else(|| crate::text::find(text.as_bytes(), b" [file \""))
    else {
        return false;
    };
    event.set(field::EVENT_CATEGORY, "intrusion_detection");
    event.set(field::EVENT_KIND, "alert");
    let head = text[..first].trim_start();
    let head = head.strip_prefix("ModSecurity: ").unwrap_or(head);
    if head.starts_with("Access denied") {
        denied(event);
        if let Some((_, code)) = head.split_once("with code ") {
            event.set_int(field::HTTP_RESPONSE_STATUS_CODE, text::digits(code).0);
        }
    }
    let mut rest = text;
    for _ in 0..64 {
        let Some(at) = crate::text::find(rest.as_bytes(), b" [") else { break };
        let inside = &rest[at + 2..];
        rest = inside;
        let (key, value) = text::word(inside);
        let Some((value, after)) = web::quoted(value) else { continue };
        rest = after;
        match key {
            "id" => event.set_present(field::RULE_ID, value),
            "msg" => event.set_present(field::RULE_NAME, value),
            "file" => event.set_present(field::RULE_RULESET, value),
            "data" => event.set_present(field::EVENT_REASON, value),
            "severity" => match vendor::severity(value) {
                Some(number) => event.set(field::EVENT_SEVERITY, number),
                None => drop(event.set_int(field::EVENT_SEVERITY, value)),
            },
            "uri" if !event.has(field::URL_ORIGINAL) => web::url(event, value),
            "hostname" if !event.has(field::URL_DOMAIN) => web::authority(event, value),
            "unique_id" => event.set_present(field::HTTP_REQUEST_ID, value),
            "client" => vendor::source(event, value),
            _ => {}
        }
    }
    true
}

/// `--63f1a2b0-A--` begins a record of the serial log.
fn is_serial(text: &str) -> bool {
    let b = text.as_bytes();
    let line = &b[..memchr::memchr(b'\n', &b[..b.len().min(60)]).unwrap_or(b.len().min(60))];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(inner) = line
        .strip_prefix(b"--")
        .and_then(|line| line.strip_suffix(b"-A--"))
        .or_else(|| line.strip_prefix(b"---").and_then(|line| line.strip_suffix(b"---A--")))
    else {
        return false;
    };
    (6..=16).contains(&inner.len()) && inner.iter().all(u8::is_ascii_alphanumeric)
}

fn serial<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let mut part = b'A';
    let mut is_first = true;
    let mut host = "";
    let mut port = "";
    for line in text.lines() {
        if let Some(inner) = line.strip_prefix("--").and_then(|line| line.strip_suffix("--"))
            && let Some(letter) = inner.as_bytes().last().filter(|letter| letter.is_ascii_uppercase())
        {
            (part, is_first) = (*letter, true);
            continue;
        }
        match (part, is_first) {
            (b'A', true) => {
                // `[stamp] id client port server port`
                if let Some((stamp, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
                    if let Some((stamp, _)) = time::clf(stamp) {
                        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
                    }
                    let mut words = rest.split(' ');
                    event.set_present(field::HTTP_REQUEST_ID, words.next().unwrap_or_default());
                    ecs::source(event, words.next().unwrap_or_default());
                    event.set_int(field::SOURCE_PORT, words.next().unwrap_or_default());
                    ecs::destination(event, words.next().unwrap_or_default());
                    port = words.next().unwrap_or_default();
                    event.set_int(field::DESTINATION_PORT, port);
                }
            }
            (b'B', true) => web::request(event, line),
            (b'B', false) => match line.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("host") => host = value,
                Some((name, value)) if name.eq_ignore_ascii_case("user-agent") => event.set(field::USER_AGENT_ORIGINAL, value),
                Some((name, value)) if name.eq_ignore_ascii_case("referer") => event.set(field::HTTP_REQUEST_REFERRER, value),
                _ => {}
            },
            (b'F', true) => {
                event.set_int(field::HTTP_RESPONSE_STATUS_CODE, line.split(' ').nth(1).unwrap_or_default());
            }
            (b'H', _) => {
                if let Some(message) = line.strip_prefix("Message: ").or_else(|| line.strip_prefix("ModSecurity: ")) {
                    if !event.has(field::RULE_ID) {
                        detail(event, message);
                    }
                    if message.starts_with("Access denied") {
                        denied(event);
                    }
                }
            }
            _ => {}
        }
        is_first = false;
    }
    if !host.is_empty() {
        let original = event.text(field::URL_ORIGINAL);
        match original {
            Some(uri) if uri.starts_with('/') => address(event, uri, host, port),
            _ => web::authority(event, host),
        }
    }
}
