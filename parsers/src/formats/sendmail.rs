//! Sendmail (and MTAs that log like it): `qid: from=<…>, size=…, relay=host [192.0.2.7]`, `ruleset=check_rcpt, …, reject=550 …`.
//!
//! Reference: Sendmail Installation and Operation Guide, "System Log"; `logsender`, `logdelivery`, `logundelrcpts` in its source.

use event::{Event, Outcome, RawRecord, field};

use crate::{Parser, Sniff, ecs, facts, linux, text};

const PREFIX: &str = "sendmail.";

pub struct Sendmail;

impl Parser for Sendmail {
    fn name(&self) -> &'static str {
        "sendmail"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["sendmail", "sm-mta", "sm-msp-queue", "sm-acceptingconnections", "mta", "sm-que", "sendmail-in"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(raw.text().contains("ruleset=check_") && raw.text().contains(", relay="))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let message = linux::begin(raw, event, "sendmail.log");
        linux::software(event, "Sendmail", "Sendmail", "sendmail");
        event.set(field::EVENT_CATEGORY, "email");
        event.set(field::NETWORK_PROTOCOL, "smtp");
        event.set(field::EVENT_TYPE, "info");
        let (id, rest) = match message.split_once(": ") {
            Some((id, rest)) if (10..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()) => (id, rest),
            _ => ("", message),
        };
        if !id.is_empty() {
            event.set_extra(PREFIX, "queue_id", id);
        }
        pairs(event, rest);
        if rest.starts_with("AUTH failure") || rest.contains("possible SMTP attack") {
            linux::act(event, "login", &["authentication"], &["start"], Some("failure"));
        }
        facts::read(event, rest);
        Outcome::Parsed
    }
}

fn pairs<'r>(event: &mut Event<'r>, text: &'r str) {
    for part in text.split(", ") {
        let Some((key, value)) = part.split_once('=') else { continue };
        let bare = text::strip_pair(value, '<', '>');
        match key {
            "from" => {
                event.set(field::EVENT_ACTION, "queued");
                if !bare.is_empty() {
                    event.set_extra("", "email.from.address", bare);
                }
            }
            "to" => event.set_extra("", "email.to.address", bare),
            "relay" => relay(event, value, text.contains("stat=") && !text.contains("reject=")),
            "size" => drop(event.set_int(field::SOURCE_BYTES, value)),
            "msgid" => event.set_extra("", "email.message_id", bare),
            "stat" => {
                event.set(field::EVENT_ACTION, "delivery");
                event.set(field::EVENT_REASON, value);
                event.set(field::EVENT_OUTCOME, if value.starts_with("Sent") { "success" } else { "failure" });
            }
            "reject" => {
                event.set(field::EVENT_ACTION, "reject");
                event.set(field::EVENT_TYPE, "denied");
                event.set(field::EVENT_REASON, value);
                ecs::failure(event);
            }
            "ruleset" => event.set(field::RULE_NAME, value),
            "arg1" if value.contains('@') => event.set_extra("", "email.to.address", bare),
            "user" => ecs::user(event, field::USER_NAME, value),
            "version" => event.set(field::TLS_VERSION, value.trim_start_matches("TLSv")),
            "cipher" => event.set(field::TLS_CIPHER, value),
            _ if !key.is_empty() && !key.contains(' ') && key.len() <= 32 => event.set_extra(PREFIX, key, value),
            _ => {}
        }
    }
}

/// `mx.example.org [192.0.2.7] (may be forged)`, `[192.0.2.7]`.
fn relay<'r>(event: &mut Event<'r>, value: &'r str, is_destination: bool) {
    let Some((name, inside)) = value.split_once('[') else { return };
    let address = inside.split(']').next().unwrap_or(inside);
    if is_destination {
        ecs::ip_only(event, field::DESTINATION_IP, address);
        event.set_present(field::DESTINATION_DOMAIN, name.trim());
    } else {
        ecs::ip_only(event, field::SOURCE_IP, address);
        event.set_present(field::SOURCE_DOMAIN, name.trim());
    }
}
