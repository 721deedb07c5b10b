//! Infoblox NIOS: administrators' audit log, DNS responses, threat protection and system messages. Queries and leases have the
//! forms of BIND and ISC dhcpd, and CEF is read as CEF.
//!
//! Reference: Infoblox, "NIOS Administrator Guide": "Monitoring the appliance" (audit log), "Capturing DNS queries and responses",
//! "Using a syslog server".

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    phrases::{self, Class, LOGIN, LOGIN_FAILED, LOGOUT},
    text, time, vendor,
};

const PREFIX: &str = "infoblox.";

pub struct Infoblox;

impl Parser for Infoblox {
    fn name(&self) -> &'static str {
        "infoblox"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["httpd", "named", "threat-protect-log", "serial_console"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(audit(raw).is_some() || response(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if let Some((stamp, user, rest)) = audit(raw) {
            event.set_dataset("infoblox.audit");
            vendor::device(event, "Infoblox", "NIOS", "ddi");
            event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
            event.set(field::MESSAGE, rest);
            ecs::user(event, field::USER_NAME, user);
            set_audit(event, rest);
        } else if let Some(parts) = response(raw.text()) {
            event.set_dataset("infoblox.dns");
            vendor::device(event, "Infoblox", "NIOS", "ddi");
            event.set(field::MESSAGE, raw.text());
            set_response(event, &parts);
        } else {
            return Outcome::Unreadable("no NIOS message");
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// `2026-11-23 03:00:00.123Z [admin]: Login_Allowed - - to=AdminConnector ip=192.0.2.9 auth=LOCAL …`.
fn audit(raw: RawRecord<'_>) -> Option<(time::Stamp, &str, &str)> {
    let (stamp, rest) = time::iso(raw.text())?;
    let (user, rest) = rest.trim_start().strip_prefix('[')?.split_once("]: ")?;
    (!user.is_empty()
        && user.len() <= 256
        && !user.contains(['[', ' '])
        && rest.as_bytes().first().is_some_and(u8::is_ascii_uppercase))
    .then_some((stamp, user, rest))
}

fn set_audit<'r>(event: &mut Event<'r>, text: &'r str) {
    let (action, rest) = text::word(text);
    event.set(field::EVENT_ACTION, action);
    for (key, value) in rest.split([' ', ',', ':', ';']).filter_map(|pair| pair.split_once('=')) {
        let value = value.trim_matches(['"', '\\']);
        if key.is_empty() || value.is_empty() || key.len() > 64 {
            continue;
        }
        event.set_extra(PREFIX, key, value);
        match key {
            "ip" => ecs::source(event, value),
            "group" => event.set(field::USER_GROUP_NAME, value),
            "error" => event.set(field::EVENT_REASON, value),
            _ => {}
        }
    }
    let class = match action {
        "Login_Allowed" => LOGIN,
        "Login_Denied" => LOGIN_FAILED,
        "Logout" => LOGOUT,
        "First_Login" => LOGIN,
        "Password_Reset_Error" | "Password_Reset" => phrases::USER_CHANGED,
        "Created" => Class::new(&["configuration"], &["creation"], "", "success"),
        "Deleted" => Class::new(&["configuration"], &["deletion"], "", "success"),
        "Modified" | "Called" => Class::new(&["configuration"], &["change"], "", "success"),
        _ => Class::new(&["configuration"], &["info"], "", ""),
    };
    phrases::classify(event, &Class { action: "", ..class });
    if matches!(action, "Created" | "Deleted" | "Modified" | "Called")
        && let Some(object) = rest.split(' ').next().filter(|object| !object.is_empty())
    {
        event.set_extra(PREFIX, "object", object);
    }
}

struct Answer<'r> {
    client: &'r str,
    transport: &'r str,
    name: &'r str,
    class: &'r str,
    kind: &'r str,
    code: &'r str,
    records: &'r str,
}

/// `[stamp ]client 192.0.2.1#5000: UDP: query: x.example IN A response: NOERROR +AEDV x.example 300 IN A 203.0.113.9;`.
fn response(text: &str) -> Option<Answer<'_>> {
    let at = crate::text::find(&text.as_bytes()[..text.len().min(60)], b"client ")?;
    let rest = &text[at + 7..];
    let (head, rest) = rest.split_once(": query: ")?;
    let (client, transport) = head.split_once(": ")?;
    let (question, answer) = rest.split_once(" response: ")?;
    let mut words = question.split(' ');
    let (name, class, kind) = (words.next()?, words.next()?, words.next()?);
    let (code, records) = text::word(answer);
    Some(Answer { client: client.split(' ').find(|word| word.contains('#'))?, transport, name, class, kind, code, records })
}

fn set_response<'r>(event: &mut Event<'r>, answer: &Answer<'r>) {
    ecs::classify(event, &["network"], &["protocol", "info"]);
    event.set(field::NETWORK_PROTOCOL, "dns");
    vendor::source(event, answer.client);
    vendor::protocol(event, answer.transport);
    event.set(field::DNS_QUESTION_NAME, answer.name);
    event.set_named("dns.question.class", answer.class);
    event.set(field::DNS_QUESTION_TYPE, answer.kind);
    event.set(field::DNS_RESPONSE_CODE, answer.code);
    event.set(field::EVENT_OUTCOME, if answer.code == "NOERROR" { "success" } else { "failure" });
    // The flags come first; each record is `name ttl class type data`.
    let records = answer.records.split_once(' ').map_or("", |(_, records)| records);
    for record in records.split(';') {
        let Some(data) = record.split(' ').filter(|word| !word.is_empty()).nth(4) else { continue };
        event.set_named("dns.answers.data", data);
        if let Some(address) = ecs::ip(data) {
            event.set(field::RELATED_IP, address);
        }
    }
}
