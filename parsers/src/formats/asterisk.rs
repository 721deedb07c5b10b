//! Asterisk (and FreePBX): notices of SIP channels, and its security log.
//!
//! Reference: Asterisk source `main/security_events.c`, `res_security_log.c` (`SecurityEvent="…",EventTV="…",…`), `chan_sip.c`,
//! `res_pjsip/pjsip_distributor.c`; logger.conf.
//!
//! `[2026-11-23 10:00:00] NOTICE[812] chan_sip.c: Registration from '<sip:an@pbx>' failed for '192.0.2.7:5060' - Wrong password`

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs, facts,
    kv::{Pairs, Separator},
    linux,
    pattern::Table,
    stamps, text,
};

const PREFIX: &str = "asterisk.";

pub struct Asterisk;

impl Parser for Asterisk {
    fn name(&self) -> &'static str {
        "asterisk"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["asterisk"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(unstamped(raw).1).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let (stamp, line) = unstamped(raw);
        if let Some(micros) = stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        let line = linux::begin(raw.with_text(line), event, "asterisk.log");
        linux::software(event, "Sangoma", "Asterisk", "asterisk");
        event.set(field::NETWORK_PROTOCOL, "sip");
        let message = match head(line) {
            Some((level, pid, message)) => {
                event.set(field::LOG_LEVEL, text::lower(event, level));
                event.set_int(field::PROCESS_THREAD_ID, pid);
                message
            }
            None => line,
        };
        if let Some(at) = crate::text::find(message.as_bytes(), b"SecurityEvent=\"") {
            security(event, &message[at..]);
            return Outcome::Parsed;
        }
        let sentence = message.split_once(": ").map_or(message, |(_, sentence)| sentence);
        if !MESSAGES.read(event, sentence) {
            linux::act(event, "sip_message", &["network"], &["info"], None);
            facts::read(event, sentence);
        }
        Outcome::Parsed
    }
}

fn unstamped(raw: RawRecord<'_>) -> (Option<i64>, &str) {
    match stamps::leading(raw.text(), raw) {
        Some((micros, rest)) => (Some(micros), rest.trim_start_matches(' ')),
        None => (None, raw.text()),
    }
}

/// `NOTICE[812] chan_sip.c: `, `SECURITY[812][C-0000000a]: res_security_log.c: `.
fn head(line: &str) -> Option<(&str, &str, &str)> {
    let (level, rest) = text::split(line, b'[')?;
    if !matches!(level, "NOTICE" | "SECURITY" | "WARNING" | "ERROR" | "VERBOSE" | "DEBUG" | "DTMF") {
        return None;
    }
    let (pid, rest) = text::split(rest, b']')?;
    let rest = match rest.strip_prefix('[').and_then(|inside| text::split(inside, b']')) {
        Some((_, rest)) => rest,
        None => rest,
    };
    pid.bytes().all(|b| b.is_ascii_digit()).then(|| (level, pid, rest.trim_start_matches([':', ' '])))
}

const AUTH: &str = "authentication";

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        PREFIX,
        &[
            (
                "Registration from '{.from*>}' failed for '{src}:{source.port}' - {event.reason*}",
                "sip_register",
                AUTH,
                "start",
                "failure",
            ),
            ("Registration from '{.from*>}' failed for '{src}' - {event.reason*}", "sip_register", AUTH, "start", "failure"),
            (
                "Request '{.method}' from '{.from*>}' failed for '{src>}:{source.port}' (callid: {.call_id*}) - {event.reason*}",
                "sip_request",
                AUTH,
                "start",
                "failure",
            ),
            (
                "Request ‹'{.method}' ›from '{.from*>}' failed for '{src>}:{source.port}' (callid: {.call_id*}) - {event.reason*}",
                "sip_request",
                AUTH,
                "start",
                "failure",
            ),
            (
                "Call from '{user*}' ({src>}:{source.port}) to extension '{.extension*}' rejected because {event.reason*}",
                "sip_call",
                "network",
                "denied",
                "failure",
            ),
            ("Host {src} failed to authenticate as '{user*>}'", "login", AUTH, "start", "failure"),
            ("{src!} failed to authenticate as '{user*>}'", "login", AUTH, "start", "failure"),
            (
                "No registration for peer '{user*>}' (from {src})",
                "sip_register",
                AUTH,
                "start",
                "failure: no registration for peer",
            ),
            ("Failed to authenticate (user|device) {user*} for SUBSCRIBE, code = {}", "sip_subscribe", AUTH, "start", "failure"),
            ("Failed to authenticate {} {.from*>} for {}‹, code = {}›", "sip_request", AUTH, "start", "failure"),
            ("Sending fake auth rejection for {} {.from*>}", "sip_request", AUTH, "start", "failure"),
        ],
    )
});

/// `SecurityEvent="InvalidPassword",EventTV="…",Severity="Error",Service="SIP",AccountID="an",RemoteAddress="IPV4/UDP/192.0.2.7/5060",…`.
fn security<'r>(event: &mut Event<'r>, text: &'r str) {
    for pair in Pairs::new(text, Separator::Any) {
        let value = pair.raw();
        match pair.key {
            "SecurityEvent" => {
                event.set(field::EVENT_ACTION, value);
                let is_success = matches!(value, "SuccessfulAuth" | "ChallengeSent");
                linux_category(event, value);
                event.set(field::EVENT_OUTCOME, if is_success { "success" } else { "failure" });
            }
            "AccountID" => ecs::user(event, field::USER_NAME, value),
            "Service" => event.set(field::SERVICE_NAME, value),
            "RemoteAddress" => {
                let (address, port) = endpoint(value);
                ecs::source(event, address);
                event.set_int(field::SOURCE_PORT, port);
                event.set_present(field::NETWORK_TRANSPORT, transport(event, value));
            }
            "LocalAddress" => {
                let (address, port) = endpoint(value);
                ecs::destination(event, address);
                event.set_int(field::DESTINATION_PORT, port);
            }
            "" => {}
            key => event.set_extra(PREFIX, key, value),
        }
    }
}

fn linux_category(event: &mut Event<'_>, name: &str) {
    event
        .set(field::EVENT_CATEGORY, if name.contains("Session") || name.contains("Load") { "network" } else { "authentication" });
    event.set(field::EVENT_TYPE, "start");
}

/// `IPV4/UDP/192.0.2.7/5060`.
fn endpoint(value: &str) -> (&str, &str) {
    let (head, port) = value.rsplit_once('/').unwrap_or((value, ""));
    (head.rsplit_once('/').map_or(head, |(_, address)| address), port)
}

fn transport<'r>(event: &Event<'r>, value: &'r str) -> &'r str {
    text::lower(event, value.split('/').nth(1).unwrap_or_default())
}
