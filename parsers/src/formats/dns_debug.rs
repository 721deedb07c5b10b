//! The debug log of the Windows DNS server (`dns.log`), packet lines.
//!
//! Reference: Microsoft, "DNS logging and diagnostics" and the head of the file: date, time, thread id, context, internal
//! packet id, UDP/TCP, Snd/Rcv, remote address, Xid (hex), Query/Response (`R`), opcode (`Q`, `N`, `U`, `?`), `[flags (hex), flag
//! letters, response code]`, question type, question name (`(3)www(7)example(0)`). The date follows the system's locale.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, text, windows::dates};

const PREFIX: &str = "windows.dns.";

pub struct DnsDebug;

impl Parser for DnsDebug {
    fn name(&self) -> &'static str {
        "dns_debug"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let b = raw.text().as_bytes();
        let is = b.first().is_some_and(u8::is_ascii_digit)
            && crate::text::find(&b[..b.len().min(64)], b" PACKET ").is_some()
            && dates::read(raw.text(), false).is_some();
        Sniff::yes_if(is)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((stamp, rest)) = dates::read(raw.text(), false) else {
            return Outcome::Unreadable("no date and time");
        };
        let Some((thread, rest)) = rest.split_once(" PACKET ") else {
            return Outcome::Unreadable("no PACKET line of the DNS server");
        };
        event.set_dataset("windows.dns");
        ecs::classify(event, &["network"], &["connection", "protocol", "info"]);
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        event.set(field::NETWORK_PROTOCOL, "dns");
        event.set(field::OBSERVER_VENDOR, "Microsoft");
        event.set(field::OBSERVER_PRODUCT, "DNS Server");
        keep(event, "thread_id", thread.trim());
        let mut words = rest.split_ascii_whitespace();
        let mut word = words.next();
        if word.is_some_and(|word| word.len() >= 8 && word.bytes().all(|b| b.is_ascii_hexdigit())) {
            keep(event, "packet_id", word.unwrap_or_default());
            word = words.next();
        }
        if let Some(transport) = word.filter(|word| matches!(*word, "UDP" | "TCP")) {
            event.set(field::NETWORK_TRANSPORT, text::lower(event, transport));
        }
        let is_received = words.next() == Some("Rcv");
        let peer = words.next().unwrap_or_default();
        let xid = words.next().unwrap_or_default();
        if !xid.is_empty() {
            event.set_named("dns.id", xid);
        }
        let is_response = head(rest).split_ascii_whitespace().any(|word| word == "R");
        event.set_named("dns.type", if is_response { "answer" } else { "query" });
        // A query that comes in, and the answer to it that goes out, have the peer for a client.
        if is_received != is_response {
            ecs::source(event, peer);
        } else {
            ecs::destination(event, peer);
        }
        event.set(field::NETWORK_DIRECTION, if is_received { "inbound" } else { "outbound" });
        event.set(
            field::EVENT_ACTION,
            match (is_received, is_response) {
                (true, false) => "dns-query-received",
                (false, true) => "dns-response-sent",
                (false, false) => "dns-recursive-query-sent",
                (true, true) => "dns-recursive-response-received",
            },
        );
        question(event, rest);
        Outcome::Parsed
    }
}

fn head(text: &str) -> &str {
    text.split_once('[').map_or(text, |(head, _)| head)
}

fn keep<'r>(event: &mut Event<'r>, key: &'static str, value: &'r str) {
    if !value.is_empty() {
        event.set_extra(PREFIX, key, value);
    }
}

/// `[0001   D   NOERROR] A      (3)www(7)example(3)com(0)`.
fn question<'r>(event: &mut Event<'r>, text: &'r str) {
    let Some((inside, rest)) = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')) else {
        return event.problem("no flags and question");
    };
    let mut flags = inside.split_ascii_whitespace();
    keep(event, "flags", flags.next().unwrap_or_default());
    if let Some(code) = flags.last() {
        event.set(field::DNS_RESPONSE_CODE, code);
        event.set(field::EVENT_OUTCOME, if code == "NOERROR" { "success" } else { "failure" });
    }
    let (kind, name) = text::word(rest.trim());
    event.set_present(field::DNS_QUESTION_TYPE, kind);
    let name = name.trim();
    if name.starts_with('(') {
        let name = labels(event, name);
        event.set_present(field::DNS_QUESTION_NAME, name);
    } else {
        event.set_present(field::DNS_QUESTION_NAME, name);
    }
}

/// `(3)www(7)example(0)` → `www.example`; a length that lies is not believed, only the brackets are.
fn labels<'r>(event: &Event<'r>, text: &'r str) -> &'r str {
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), event.arena());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        let Some((length, label)) = after.split_once(')').filter(|(length, _)| length.bytes().all(|b| b.is_ascii_digit())) else {
            out.push_str(rest);
            return out.into_bump_str();
        };
        out.push_str(before);
        if !out.is_empty() && length != "0" {
            out.push('.');
        }
        rest = label;
    }
    out.push_str(rest.trim());
    out.into_bump_str()
}
