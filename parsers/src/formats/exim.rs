//! Exim: main log and reject log, from the daemon's files or by syslog.
//!
//! Reference: Exim specification, chapter "Log files" (flags `<=` `=>` `->` `>>` `*>` `**` `==`, fields A C CV DN DS F H I id P R S
//! T U X …), message identifications of 6-6-2 and, since 4.97, 6-11-4 characters.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, linux, stamps, text};

const PREFIX: &str = "exim.";

pub struct Exim;

impl Parser for Exim {
    fn name(&self) -> &'static str {
        "exim"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["exim", "exim4"]
    }

    fn starts(&self) -> &'static [u8] {
        stamps::STARTS
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let Some((_, rest)) = stamps::leading(raw.text(), raw) else { return Sniff::No };
        let rest = unbracketed(rest.trim_start_matches(' '));
        let (id, after) = message_id(rest);
        let is = if id.is_empty() {
            rest.contains(" authenticator failed for ") || rest.starts_with("H=") && rest.contains('[')
        } else {
            FLAGS.iter().any(|(flag, ..)| after.starts_with(flag)) || after.starts_with("H=") || after == "Completed"
        };
        Sniff::yes_if(is)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let (stamp, rest) = match stamps::leading(raw.text(), raw) {
            Some((micros, rest)) => (Some(micros), rest.trim_start_matches(' ')),
            None => (None, raw.text()),
        };
        if let Some(micros) = stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        let message = linux::begin(raw.with_text(unbracketed(rest)), event, "exim.main");
        linux::software(event, "Exim", "Exim", "exim");
        event.set(field::EVENT_CATEGORY, "email");
        event.set(field::NETWORK_PROTOCOL, "smtp");
        read(event, message);
        Outcome::Parsed
    }
}

/// `[812] ` of `log_selector = +pid`.
fn unbracketed(text: &str) -> &str {
    match text.strip_prefix('[').and_then(|inside| inside.split_once("] ")) {
        Some((pid, rest)) if pid.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => text,
    }
}

fn message_id(text: &str) -> (&str, &str) {
    let (id, rest) = text::word(text);
    let mut parts = id.split('-');
    let lengths = (parts.next().map(str::len), parts.next().map(str::len), parts.next().map(str::len));
    let is = parts.next().is_none()
        && matches!(lengths, (Some(6), Some(6 | 11), Some(2 | 4)))
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is { (id, rest) } else { ("", text) }
}

const FLAGS: &[(&str, &str, &str)] = &[
    ("<= ", "received", "success"),
    ("=> ", "delivered", "success"),
    ("-> ", "delivered", "success"),
    (">> ", "delivered", "success"),
    ("*> ", "delivery_suppressed", ""),
    ("** ", "bounced", "failure"),
    ("== ", "deferred", "failure"),
    ("SMTP error ", "smtp_error", "failure"),
];

fn read<'r>(event: &mut Event<'r>, message: &'r str) {
    let (id, rest) = message_id(message);
    if !id.is_empty() {
        event.set_extra(PREFIX, "message_id", id);
    }
    event.set(field::EVENT_TYPE, "info");
    for (flag, action, outcome) in FLAGS {
        let Some(rest) = rest.strip_prefix(flag) else { continue };
        event.set(field::EVENT_ACTION, *action);
        if !outcome.is_empty() {
            event.set(field::EVENT_OUTCOME, *outcome);
        }
        let (address, rest) = text::word(rest);
        let (address, rest) = match rest.strip_prefix('<').and_then(|inside| inside.split_once("> ")) {
            Some((original, rest)) => (if original.contains('@') { original } else { address }, rest),
            None => (address, rest),
        };
        if address != "<>" && !address.is_empty() {
            event.set_extra("", if *action == "received" { "email.from.address" } else { "email.to.address" }, address);
        }
        return fields(event, rest, *action == "received");
    }
    if let Some((method, rest)) = rest.split_once(" authenticator failed for ") {
        event.set(field::EVENT_ACTION, "login");
        event.set(field::EVENT_CATEGORY, "authentication");
        event.set(field::EVENT_TYPE, "start");
        ecs::failure(event);
        event.set_extra(PREFIX, "method", method);
        host(event, rest, true);
        if let Some((_, user)) = rest.rsplit_once("(set_id=") {
            ecs::user(event, field::USER_NAME, user.trim_end_matches(')'));
        }
        if let Some((_, reason)) = rest.split_once("]: ") {
            event.set(field::EVENT_REASON, reason);
        }
        return;
    }
    if rest == "Completed" || rest.starts_with("Completed ") {
        return event.set(field::EVENT_ACTION, "completed");
    }
    if rest.starts_with("H=") || rest.contains(" H=") {
        fields(event, rest, true);
        if let Some((_, reason)) = rest.split_once(" rejected ") {
            event.set(field::EVENT_ACTION, "rejected");
            event.set(field::EVENT_TYPE, "denied");
            ecs::failure(event);
            let (what, reason) = reason.split_once(": ").unwrap_or((reason, ""));
            event.set_present(field::EVENT_REASON, reason);
            if let Some((_, to)) = what.split_once("RCPT ") {
                event.set_extra("", "email.to.address", text::strip_pair(to, '<', '>'));
            }
        }
        return;
    }
    event.set(field::EVENT_ACTION, "mail_message");
    facts::read(event, rest);
}

/// `H=mx.example.org (helo) [192.0.2.7]:51000 P=esmtps A=plain:an S=812 id=… T="Subject" F=<from>`.
fn fields<'r>(event: &mut Event<'r>, text: &'r str, is_source: bool) {
    if let Some(at) = text.find("H=") {
        host(event, &text[at + 2..], is_source);
    }
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let key = rest[..at].rsplit(' ').next().unwrap_or_default();
        let after = &rest[at + 1..];
        let (value, next) = match after.strip_prefix('"').and_then(|inside| inside.split_once('"')) {
            Some(parts) => parts,
            None => after.split_at(after.find(' ').unwrap_or(after.len())),
        };
        rest = next;
        match key {
            "F" => event.set_extra("", "email.from.address", text::strip_pair(value, '<', '>')),
            "P" => event.set_extra(PREFIX, "protocol", value),
            "A" => {
                let (method, user) = value.split_once(':').unwrap_or((value, ""));
                event.set_extra(PREFIX, "method", method);
                ecs::user(event, field::USER_NAME, user);
            }
            "U" => ecs::user(event, field::USER_NAME, value),
            "S" => drop(event.set_int(field::SOURCE_BYTES, value)),
            "id" => event.set_extra("", "email.message_id", value),
            "T" if is_source => event.set_extra("", "email.subject", value),
            "R" | "T" | "C" | "QT" | "DT" => event.set_extra(PREFIX, key, value),
            "X" => {
                let mut parts = value.splitn(3, ':');
                if let Some(version) = parts.next() {
                    event.set(field::TLS_VERSION, version.trim_start_matches("TLS"));
                }
                event.set_present(field::TLS_CIPHER, parts.next().unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// `mx.example.org (helo) [192.0.2.7]:51000`.
fn host<'r>(event: &mut Event<'r>, text: &'r str, is_source: bool) {
    let Some((before, inside)) = text.split_once('[') else { return };
    let (address, after) = inside.split_once(']').unwrap_or((inside, ""));
    let name = before.split([' ', '(']).next().unwrap_or_default();
    let port = after.strip_prefix(':').map_or("", |port| text::digits(port).0);
    if is_source {
        ecs::ip_only(event, field::SOURCE_IP, address);
        event.set_present(field::SOURCE_DOMAIN, name);
        event.set_int(field::SOURCE_PORT, port);
    } else {
        ecs::ip_only(event, field::DESTINATION_IP, address);
        event.set_present(field::DESTINATION_DOMAIN, name);
        event.set_int(field::DESTINATION_PORT, port);
    }
}
