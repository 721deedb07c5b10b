//! pfSense and OPNsense: the packet filter's log (`filterlog`), and log-ins to the web console.
//!
//! Reference: Netgate, pfSense documentation, "Raw Filter Log Format" (its grammar is followed field by field); OPNsense
//! documentation, "Firewall logs". OPNsense writes the rule's label where pfSense writes its tracker number.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff,
    csv::Fields,
    ecs,
    phrases::{self, LOGIN, LOGIN_FAILED, LOGOUT, Phrase},
    vendor::{self, Means},
};

const PREFIX: &str = "pfsense.";

pub struct PfSense;

const USER: Option<Means> = Some(Means::User(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Endpoint(field::SOURCE_IP, field::SOURCE_ADDRESS, field::SOURCE_PORT));

/// What the web console says of its users; a method in brackets may follow the address.
const CONSOLE: &[Phrase] = &[
    Phrase { text: "Successful login for user '*' from: * (", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Successful login for user '*' from: *", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "webConfigurator authentication error for user '*' from: *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "webConfigurator authentication error for '*' from *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "Web GUI authentication error for '*' from *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "User logged out for user '*' from: * (", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "User logged out for user '*' from: *", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "Session timed out for user '*' from: *", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "Web GUI user logged out for '*' from *", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "user * authenticated successfully for * [", means: &[USER, None], class: LOGIN },
    Phrase { text: "User * authenticated successfully for * [", means: &[USER, None], class: LOGIN },
    Phrase { text: "user * could not authenticate for *", means: &[USER, None], class: LOGIN_FAILED },
    Phrase { text: "User * could not authenticate for *", means: &[USER, None], class: LOGIN_FAILED },
];

impl Parser for PfSense {
    fn name(&self) -> &'static str {
        "pfsense"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["filterlog", "php-fpm", "audit", "configd.py"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(is_filter_log(raw.text()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if is_filter_log(raw.text()) {
            filter_log(event, raw.text());
            return Outcome::Parsed;
        }
        // The script that speaks: `/index.php: `.
        let message = match raw.text().split_once(": ") {
            Some((script, message)) if script.starts_with('/') && !script.contains(' ') => message,
            _ => raw.text(),
        };
        if !phrases::read(raw, event, CONSOLE, message) {
            return Outcome::Unreadable("no pfSense or OPNsense message");
        }
        event.set_dataset("pfsense.log");
        event.set(field::MESSAGE, raw.text());
        let product =
            if message.contains("Web GUI") || event.text(field::PROCESS_NAME) == Some("audit") { "OPNsense" } else { "pfSense" };
        vendor::device(event, "netgate", product, "firewall");
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// `rule,sub-rule,anchor,tracker,interface,reason,action,direction,version,…`: two numbers and words from fixed lists.
fn is_filter_log(text: &str) -> bool {
    let mut fields = text.split(',');
    let is_number = |word: Option<&str>| word.is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()) && word.len() <= 10);
    is_number(fields.next())
        && fields.next().is_some()
        && fields.next().is_some()
        && fields.nth(2).is_some()
        && matches!(
            fields.next(),
            Some(
                "block"
                    | "pass"
                    | "reject"
                    | "match"
                    | "rdr"
                    | "nat"
                    | "binat"
                    | "scrub"
                    | "no rdr"
                    | "no nat"
                    | "unkn(11)"
                    | "synproxy drop"
            )
        )
        && matches!(fields.next(), Some("in" | "out"))
        && matches!(fields.next(), Some("4" | "6"))
}

fn filter_log<'r>(event: &mut Event<'r>, text: &'r str) {
    let mut fields = Fields::new(text, b',').map(|field| field.raw());
    let mut next = || fields.next().unwrap_or_default();
    event.set_dataset("pfsense.log");
    let (rule, sub_rule, anchor, tracker) = (next(), next(), next(), next());
    keep(event, "rule_number", rule);
    keep(event, "sub_rule", sub_rule);
    keep(event, "anchor", anchor);
    event.set_present(field::RULE_ID, if tracker.is_empty() || tracker == "0" { rule } else { tracker });
    let is_opnsense = tracker.len() == 32;
    vendor::device(event, "netgate", if is_opnsense { "OPNsense" } else { "pfSense" }, "firewall");
    let interface = next();
    let reason = next();
    let action = next();
    let direction = next();
    event.set_present(field::EVENT_REASON, reason);
    event.set_present(field::EVENT_ACTION, action);
    vendor::verdict(event, !matches!(action, "block" | "reject" | "synproxy drop"));
    let (interface_field, word) = match direction {
        "in" => (field::OBSERVER_INGRESS_INTERFACE_NAME, "inbound"),
        _ => (field::OBSERVER_EGRESS_INTERFACE_NAME, "outbound"),
    };
    event.set_present(interface_field, interface);
    event.set(field::NETWORK_DIRECTION, word);
    if let Some((_, vlan)) = interface.rsplit_once('.').filter(|(_, vlan)| vlan.parse::<u16>().is_ok()) {
        event.set_named("network.vlan.id", vlan);
    }
    let number = if next() == "4" {
        for name in ["tos", "ecn", "ttl", "id", "offset", "flags"] {
            keep(event, name, next());
        }
        let number = next();
        let _name = next();
        number
    } else {
        for name in ["class", "flow_label", "hop_limit"] {
            keep(event, name, next());
        }
        let _name = next();
        next()
    };
    match number.parse() {
        Ok(number) => ecs::protocol(event, number),
        Err(_) => event.problem("no protocol number"),
    }
    event.set_int(field::NETWORK_BYTES, next());
    ecs::source(event, next());
    ecs::destination(event, next());
    match number {
        "6" | "17" | "132" => {
            event.set_int(field::SOURCE_PORT, next());
            event.set_int(field::DESTINATION_PORT, next());
            keep(event, "data_length", next());
            if number == "6" {
                for name in ["tcp.flags", "tcp.seq", "tcp.ack", "tcp.window", "tcp.urg", "tcp.options"] {
                    keep(event, name, next());
                }
            }
        }
        "1" | "58" => {
            keep(event, "icmp.type", next());
            for name in ["icmp.1", "icmp.2", "icmp.3", "icmp.4"] {
                keep(event, name, next());
            }
        }
        "112" => {
            for name in ["carp.type", "carp.ttl", "carp.vhid", "carp.version", "carp.advbase", "carp.advskew"] {
                keep(event, name, next());
            }
        }
        _ => keep(event, "data", next()),
    }
    vendor::conclude(event);
}

fn keep<'r>(event: &mut Event<'r>, name: &'static str, value: &'r str) {
    if !value.is_empty() {
        event.set_extra(PREFIX, name, Value::Str(value));
    }
}
