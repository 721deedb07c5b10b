//! F5 BIG-IP: system, LTM, APM and AFM messages by their number, ASM and AFM key-value logs, and Telemetry Streaming's JSON.
//!
//! Reference: F5, "BIG-IP log messages" (message numbers), "BIG-IP ASM: remote logging formats" (key-value pairs), "AFM network
//! firewall event fields", "APM session and access messages", "Telemetry Streaming: output examples".
//!
//! A daemon's message is `01490500:5: text`: eight hexadecimal digits and the severity. APM then names access profile,
//! partition and session. The names of ASM and AFM fields are the same in pairs and in JSON.

mod meaning;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    kv::Separator,
    phrases, text, time,
    vendor::{self, Notes},
    web,
};
use meaning::{KEYS, PHRASES, note};

const PREFIX: &str = "f5.";

pub struct F5;

impl Parser for F5 {
    fn name(&self) -> &'static str {
        "f5"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["tmm", "tmm1", "tmm2", "tmm3", "apmd", "mcpd", "bigd", "ASM", "asm", "F5"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(shape(raw.text()) != Shape::Other)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        event.set_dataset("f5.bigip");
        let text = raw.text();
        let mut notes = Line::default();
        let is_read = match shape(text) {
            Shape::Json => vendor::json(raw, event, json::object(text).unwrap_or(text), PREFIX, &KEYS, &mut notes),
            Shape::Pairs => {
                let text = text.strip_prefix("ASM:").unwrap_or(text);
                vendor::pairs(raw, event, text, Separator::Any, PREFIX, &KEYS, &mut notes) > 3
            }
            Shape::Message => {
                message(raw, event, text);
                vendor::device(event, "F5", "BIG-IP", "load-balancer");
                vendor::conclude(event);
                return Outcome::Parsed;
            }
            Shape::Other => false,
        };
        if !is_read {
            return Outcome::Unreadable("no BIG-IP message");
        }
        finish(raw, event, &notes);
        Outcome::Parsed
    }
}

type Line<'r> = Notes<'r, { note::COUNT }>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Json,
    Pairs,
    Message,
    Other,
}

fn shape(text: &str) -> Shape {
    let b = text.as_bytes();
    let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
    if b.first() == Some(&b'{') {
        let is = has(8192, b"\"telemetryEventCategory\"")
            || has(2048, b"\"errdefs_msgno\"")
            || (has(4096, b"\"support_id\"") && has(4096, b"\"ip_client\""));
        return if is { Shape::Json } else { Shape::Other };
    }
    if has(200, b"=\"")
        && (has(2048, b"ip_client=\"") && has(4096, b"support_id=\"")
            || has(2048, b"errdefs_msgno=\"") && has(1024, b",") && !has(100, b": [F5@"))
    {
        return Shape::Pairs;
    }
    if has(120, b"[ssl_acc] ")
        || has(120, b"[ssl_req][")
        || number(text).is_some()
        || rule(text).is_some()
        || session(text.trim_start()).is_some()
    {
        return Shape::Message;
    }
    Shape::Other
}

/// Finds `01490500:5: ` near the start: (where it begins, number, severity, text).
fn number(text: &str) -> Option<(usize, &str, &str, &str)> {
    let b = text.as_bytes();
    let near = &b[..b.len().min(160)];
    let mut from = 0;
    while let Some(at) = memchr::memchr(b':', &near[from..]) {
        let colon = from + at;
        from = colon + 1;
        let Some(start) = colon.checked_sub(8) else { continue };
        let is_number = b[start] == b'0'
            && b[start..colon].iter().all(u8::is_ascii_hexdigit)
            && (start == 0 || b[start - 1] == b' ')
            && matches!(b.get(colon + 1), Some(b'0'..=b'7'))
            && b.get(colon + 2) == Some(&b':');
        if is_number {
            let rest = text.get(colon + 3..)?;
            return Some((start, text.get(start..colon)?, text.get(colon + 1..colon + 2)?, rest.trim_start()));
        }
    }
    None
}

/// `Rule /Common/name <EVENT>: text` of an iRule.
fn rule(text: &str) -> Option<(&str, &str, &str)> {
    let b = text.as_bytes();
    let at = crate::text::find(&b[..b.len().min(120)], b"Rule /")?;
    if at > 0 && b[at - 1] != b' ' {
        return None;
    }
    let (name, rest) = text.get(at + 5..)?.split_once(" <")?;
    let (event, rest) = rest.split_once(">: ")?;
    (!name.contains(' ') && event.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')).then_some((name, event, rest))
}

/// `/Common/profile:Common:7a7860e5: text` of APM.
fn session(text: &str) -> Option<(&str, &str, &str, &str)> {
    if !text.starts_with('/') {
        return None;
    }
    let (profile, rest) = text.split_once(':')?;
    let (partition, rest) = rest.split_once(':')?;
    let (id, rest) = rest.split_once(": ")?;
    let is_id = (6..=8).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    (is_id && !profile.contains(' ') && !partition.contains(' ')).then_some((profile, partition, id, rest))
}

fn message<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let mut rest = vendor::heading(raw, event, text);
    event.set(field::MESSAGE, rest);
    ecs::classify(event, &["network"], &["info"]);
    if let Some((_, code, severity, after)) = number(rest) {
        event.set(field::EVENT_CODE, code);
        event.set_int(field::EVENT_SEVERITY, severity);
        rest = after;
    }
    // Structured form: `[F5@12276 name="value" …] text`.
    if let Some((pairs, after)) = rest.strip_prefix("[F5@").and_then(|rest| rest.split_once("] ")) {
        let mut notes = Line::default();
        let host = event.text(field::HOST_NAME);
        vendor::pairs(raw, event, pairs, Separator::Blank, PREFIX, &KEYS, &mut notes);
        if let Some(host) = host {
            event.set(field::HOST_NAME, host);
        }
        rest = after;
    }
    if let Some((name, trigger, after)) = rule(rest) {
        event.set(field::RULE_NAME, name);
        event.set(field::EVENT_ACTION, trigger);
        event.set(field::EVENT_REASON, after);
        irule(event, after);
        return;
    }
    if let Some((profile, partition, id, after)) = session(rest) {
        event.set(field::RULE_NAME, profile);
        event.set_extra(PREFIX, "partition", partition);
        event.set_extra(PREFIX, "session_id", id);
        event.set(field::EVENT_REASON, after);
        event.set(field::EVENT_OUTCOME, if meaning::is_refusal(after) { "failure" } else { "success" });
        ecs::classify(event, &["authentication"], &["info"]);
        rest = after;
    }
    audit(raw, event, rest);
    if phrases::read(raw, event, PHRASES, rest) {
        return;
    }
    if let Some((ends, after)) = rest.split_once(": ")
        && let Some((from, to)) = ends.split_once(" -> ")
        && !from.contains(' ')
    {
        vendor::source(event, from);
        vendor::destination(event, to);
        event.set(field::EVENT_REASON, after);
        return;
    }
    security_event(event, rest);
}

/// What an iRule of common make logs: endpoints, `HTTP: 200 response`, requests.
fn irule<'r>(event: &mut Event<'r>, text: &'r str) {
    if let Some((_, request)) = text.split_once("Request: ") {
        let (method, target) = text::word(request);
        event.set_present(field::HTTP_REQUEST_METHOD, method);
        if !target.is_empty() {
            vendor::url(event, text::word(target).0);
        }
    } else if let Some((_, referrer)) = text.split_once("Referer: ") {
        event.set(field::HTTP_REQUEST_REFERRER, referrer);
    }
    if let Some((status, after)) =
        text.split_once(" response ").map(|(head, after)| (head.rsplit(' ').next().unwrap_or_default(), after))
    {
        event.set_int(field::HTTP_RESPONSE_STATUS_CODE, status);
        let (peer, _) = text::word(text);
        vendor::destination(event, peer.trim_end_matches(':'));
        if let Some((_, from)) = after.split_once("from ") {
            vendor::source(event, text::word(from).0);
        }
        if let Some((_, url)) = after.split_once("URL: ") {
            vendor::url(event, text::word(url).0);
        }
        if let Some((_, version)) = after.split_once(" in TLSv") {
            event.set(field::TLS_VERSION, text::word(version).0);
        }
    }
}

/// `AUDIT - user admin - RAW: httpd(…): user=admin(admin) … host=192.0.2.9`, `AUDIT - pid=1 user=root … cmd_data=…`.
fn audit<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let Some((_, rest)) = text.split_once("AUDIT - ") else { return };
    let mut notes = Line::default();
    ecs::classify(event, &["configuration"], &["info"]);
    if let Some((_, user)) = rest.split_once("user ").filter(|(before, _)| before.is_empty() || before.ends_with(", ")) {
        ecs::user(event, field::USER_NAME, text::word(user).0);
    }
    if let Some((_, command)) = rest.split_once("cmd_data=") {
        event.set(field::PROCESS_COMMAND_LINE, command);
        event.set(field::EVENT_TYPE, "change");
    }
    if rest.contains('=') {
        vendor::pairs(raw, event, rest, Separator::Blank, PREFIX, &meaning::AUDIT, &mut notes);
    }
    if let Some((_, done)) = rest.split_once(" - object 0 - ") {
        event.set(field::EVENT_ACTION, text::word(done).0);
        event.set(field::EVENT_TYPE, "change");
    }
}

/// `[SECEV] Request violations: …, source ip: …, destination ip: …, request: <GET …`.
fn security_event<'r>(event: &mut Event<'r>, text: &'r str) {
    let Some((ruleset, rest)) = text.strip_prefix('[').and_then(|text| text.split_once("] ")) else { return };
    if !rest.contains("source ip: ") {
        return;
    }
    event.set(field::RULE_RULESET, ruleset);
    event.set(field::EVENT_CATEGORY, "intrusion_detection");
    event.set(field::EVENT_KIND, "alert");
    if let Some((name, after)) = rest.split_once(": ") {
        event.set(field::RULE_NAME, name);
        event.set(field::EVENT_REASON, after.split_once(". Support id").map_or(after, |(reason, _)| reason));
    }
    let value = |key: &str| rest.split_once(key).map(|(_, value)| value.split(',').next().unwrap_or_default().trim());
    if let Some(ip) = value(", source ip: ") {
        ecs::source(event, ip);
    }
    if let Some(ip) = value("destination ip: ") {
        ecs::destination(event, ip);
    }
    if let Some(port) = value("source port: ") {
        event.set_int(field::SOURCE_PORT, port);
    }
    if let Some(port) = value("destination port: ") {
        event.set_int(field::DESTINATION_PORT, port);
        event.set_int(field::URL_PORT, port);
    }
    if let Some((_, request)) = rest.split_once("request: <") {
        web::request(event, request.split(['\r', '\n', '>']).next().unwrap_or_default());
    }
}

/// The event of pairs or JSON.
fn finish<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Line<'r>) {
    let is_asm = !notes.get(note::REQUEST_STATUS).is_empty() || !notes.get(note::VIOLATIONS).is_empty();
    let is_afm = !notes.get(note::ACL_RULE).is_empty() || !notes.get(note::DROP_REASON).is_empty();
    let (product, kind) =
        if is_asm { ("BIG-IP ASM", "waf") } else { ("BIG-IP", if is_afm { "firewall" } else { "load-balancer" }) };
    vendor::device(event, "F5", product, kind);
    if let Some(time) = time::any(notes.first(&[note::DATE_TIME, note::TELEMETRY_TIME, note::END_OF_CYCLE]), raw) {
        event.set(field::TIMESTAMP, Value::Time(time));
    }
    let uri = notes.get(note::URI);
    if !uri.is_empty() {
        web::url(event, uri);
    }
    event.set_present(field::URL_QUERY, notes.get(note::QUERY));
    if notes.get(note::SOURCE_KIND) == "request_logging" {
        event.set(field::NETWORK_PROTOCOL, "http");
    }
    if !notes.get(note::BYTES_IN).is_empty()
        && let (Some(sent), Some(got)) = (notes.number(note::BYTES_IN), notes.number(note::BYTES_OUT))
    {
        event.set(field::NETWORK_BYTES, sent.saturating_add(got));
    }
    let action = notes.first(&[note::REQUEST_STATUS, note::ACTION, note::POLICY_RESULT]);
    event.set_present(field::EVENT_ACTION, action);
    if is_asm {
        ecs::classify(
            event,
            &["web", "intrusion_detection", "network"],
            &["info", if action == "blocked" { "denied" } else { "allowed" }],
        );
        event.set_present(field::EVENT_REASON, notes.get(note::VIOLATIONS));
        if !matches!(notes.get(note::VIOLATIONS), "" | "N/A") {
            event.set(field::EVENT_KIND, "alert");
        }
    } else if is_afm {
        vendor::verdict(event, vendor::is_allowed(action) || action.starts_with("Accept"));
        event.set_present(field::EVENT_REASON, notes.get(note::DROP_REASON));
    } else {
        ecs::classify(event, &["network"], &["info"]);
    }
    vendor::conclude(event);
}
