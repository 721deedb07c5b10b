//! The log file of the Windows firewall (`pfirewall.log`), W3C extended format in local time.
//!
//! Reference: Microsoft, "Interpreting the Windows Firewall log": date time action protocol src-ip dst-ip src-port dst-port size
//! tcpflags tcpsyn tcpack tcpwin icmptype icmpcode info path, and since Windows 11 the process id.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, text, time};

const PREFIX: &str = "windows.firewall.";

pub struct WindowsFirewall;

impl Parser for WindowsFirewall {
    fn name(&self) -> &'static str {
        "windows_firewall"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(is_directive(raw.text()) || action(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        event.set_dataset("windows.firewall_log");
        if is_directive(raw.text()) {
            event.set(field::EVENT_KIND, "event");
            event.set(field::MESSAGE, raw.text());
            return Outcome::Parsed;
        }
        let Some((action, rest)) = action(raw.text()) else {
            return Outcome::Unreadable("no action of the Windows firewall");
        };
        let Some((stamp, _)) = time::iso(raw.text()) else {
            return Outcome::Unreadable("no date and time");
        };
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        let (kind, outcome) = match action {
            "ALLOW" | "OPEN" | "OPEN-INBOUND" => (["connection", "allowed"], "success"),
            "DROP" => (["connection", "denied"], "failure"),
            "CLOSE" => (["connection", "end"], "success"),
            _ => (["connection", "info"], ""),
        };
        ecs::classify(event, &["network"], &kind);
        event.set_present(field::EVENT_OUTCOME, outcome);
        event.set(field::EVENT_ACTION, text::lower(event, action));
        event.set(field::OBSERVER_VENDOR, "Microsoft");
        event.set(field::OBSERVER_PRODUCT, "Windows Firewall");
        event.set(field::OBSERVER_TYPE, "firewall");
        let mut words = rest.split(' ');
        let mut next = || words.next().filter(|word| !ecs::is_nothing(word));
        if let Some(protocol) = next() {
            match protocol.parse::<u8>() {
                Ok(number) => ecs::protocol(event, i64::from(number)),
                Err(_) => event.set(field::NETWORK_TRANSPORT, text::lower(event, protocol)),
            }
        }
        if let Some(address) = next() {
            ecs::source(event, address);
        }
        if let Some(address) = next() {
            ecs::destination(event, address);
        }
        for field in [field::SOURCE_PORT, field::DESTINATION_PORT, field::NETWORK_BYTES] {
            if let Some(number) = next() {
                event.set_int(field, number);
            }
        }
        for key in ["tcp_flags", "tcp_sequence", "tcp_acknowledgement", "tcp_window", "icmp_type", "icmp_code", "info"] {
            if let Some(value) = next() {
                event.set_extra(PREFIX, key, value);
            }
        }
        match next() {
            Some("RECEIVE") => event.set(field::NETWORK_DIRECTION, "inbound"),
            Some("SEND") => event.set(field::NETWORK_DIRECTION, "outbound"),
            Some(path) => event.set_extra(PREFIX, "path", path),
            None => {}
        }
        if let Some(pid) = next() {
            event.set_int(field::PROCESS_PID, pid);
        }
        Outcome::Parsed
    }
}

fn is_directive(text: &str) -> bool {
    text.starts_with("#Software: Microsoft Windows Firewall")
        || text.starts_with("#Fields: date time action protocol src-ip dst-ip")
}

/// The action and what follows it.
fn action(text: &str) -> Option<(&str, &str)> {
    let b = text.as_bytes();
    if b.len() < 30 || b[4] != b'-' || b[10] != b' ' || b[19] != b' ' {
        return None;
    }
    let (action, rest) = text::word(text.get(20..)?);
    let is_known = matches!(action, "ALLOW" | "DROP" | "OPEN" | "OPEN-INBOUND" | "CLOSE" | "INFO-EVENTS-LOST");
    (is_known && rest.bytes().filter(|b| *b == b' ').count() >= 12).then_some((action, rest))
}
