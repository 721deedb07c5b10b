//! ECS idioms that every format needs: kinds and categories, an address that may be a name, users and their `related.*`.

use std::net::IpAddr;

use event::{Event, Field, Kind, RawRecord, Value, field};

use crate::time;

/// Sets `event.kind: event` and the categories and types.
pub fn classify<'r>(event: &mut Event<'r>, categories: &[&'static str], types: &[&'static str]) {
    event.set(field::EVENT_KIND, "event");
    categories.iter().for_each(|category| event.set(field::EVENT_CATEGORY, *category));
    types.iter().for_each(|kind| event.set(field::EVENT_TYPE, *kind));
}

pub fn success(event: &mut Event<'_>) {
    event.set(field::EVENT_OUTCOME, "success");
}

pub fn failure(event: &mut Event<'_>) {
    event.set(field::EVENT_OUTCOME, "failure");
}

/// Reads an address: brackets and a zone (`fe80::1%eth0`) are taken off; an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`)
/// becomes IPv4, so that one peer has one address.
pub fn ip(text: &str) -> Option<IpAddr> {
    let first = *text.as_bytes().first()?;
    if !(first.is_ascii_hexdigit() || first == b':' || first == b'[') {
        return None;
    }
    let text = crate::text::strip_pair(text, '[', ']');
    let text = match text.split_once('%') {
        Some((address, _)) if address.contains(':') => address,
        _ => text,
    };
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// Sets an address: an IP goes to `ip_field` and `related.ip`, a name to `name_field` and `related.hosts`.
pub fn address<'r>(event: &mut Event<'r>, ip_field: Field, name_field: Field, text: &'r str) {
    match ip(text) {
        Some(address) => related_ip(event, ip_field, address),
        None if is_nothing(text) => {}
        None => {
            event.set(name_field, text);
            event.set(field::RELATED_HOSTS, text);
        }
    }
}

/// Sets an IP field and `related.ip`; text that is no IP is left alone. Returns whether it was one.
pub fn ip_only(event: &mut Event<'_>, ip_field: Field, text: &str) -> bool {
    let Some(address) = ip(text) else { return false };
    related_ip(event, ip_field, address);
    true
}

fn related_ip(event: &mut Event<'_>, ip_field: Field, address: IpAddr) {
    event.set(ip_field, address);
    if !address.is_unspecified() {
        event.set(field::RELATED_IP, address);
    }
}

/// Sets the peer that began: `source.ip` or `source.address`.
pub fn source<'r>(event: &mut Event<'r>, text: &'r str) {
    address(event, field::SOURCE_IP, field::SOURCE_ADDRESS, text);
}

/// Sets the peer that was reached: `destination.ip` or `destination.address`.
pub fn destination<'r>(event: &mut Event<'r>, text: &'r str) {
    address(event, field::DESTINATION_IP, field::DESTINATION_ADDRESS, text);
}

/// Sets an account field and `related.user`.
pub fn user<'r>(event: &mut Event<'r>, user_field: Field, name: &'r str) {
    if !is_nothing(name) {
        event.set(user_field, name);
        event.set(field::RELATED_USER, name);
    }
}

/// Sets the host that the event is about, and `related.hosts`; an address also becomes `host.ip`.
pub fn host<'r>(event: &mut Event<'r>, name: &'r str) {
    if is_nothing(name) {
        return;
    }
    event.set(field::HOST_NAME, name);
    event.set(field::RELATED_HOSTS, name);
    if let Some(address) = ip(name) {
        event.set(field::HOST_IP, address);
    }
}

/// Sets an IANA protocol number and the transport's name.
pub fn protocol(event: &mut Event<'_>, number: i64) {
    event.set(field::NETWORK_IANA_NUMBER, number);
    if let Some(name) = transport_name(number) {
        event.set(field::NETWORK_TRANSPORT, name);
    }
}

/// The keyword of an IANA protocol number, for those a log meets.
pub fn transport_name(number: i64) -> Option<&'static str> {
    Some(match number {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "ipv6-icmp",
        88 => "eigrp",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        115 => "l2tp",
        132 => "sctp",
        _ => return None,
    })
}

/// Marks for "no value" that devices write.
pub fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "-" | "N/A" | "n/a" | "(null)" | "null" | "?" | "\"\"")
}

/// Names that belong to the pipeline: a record that brings them could forge its own provenance.
fn is_reserved(field: Field) -> bool {
    matches!(
        field,
        field::EVENT_ID
            | field::EVENT_DATASET
            | field::EVENT_CREATED
            | field::EVENT_INGESTED
            | field::EVENT_ORIGINAL
            | field::EVENT_ORIGINAL_BYTES
            | field::LOG_SOURCE_ADDRESS
            | field::SYSTEM_ID
            | field::SYSTEM_LEVEL
            | field::ORGANIZATION_ID
            | field::RELATED_SYSTEM
            | field::LABELS
            | field::TAGS
            | field::RESIDUAL
            | field::CHIENG_SOURCE
            | field::CHIENG_PARSER
            | field::CHIENG_ATTRIBUTION
            | field::CHIENG_CLOCK_SKEW
    )
}

/// Prefix of fields that a record claims under a name that the pipeline owns.
pub const REPORTED: &str = "reported.";

/// The longest name of a field from a record; longer ones are a problem, not a column.
pub const NAME_BYTES_MAX: usize = 256;

/// Sets a field by a dotted name that came from the record: to the catalogue, beside it, or under `reported.` where the name
/// is the pipeline's.
pub fn set_reported<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, name: &'r str, value: Value<'r>) {
    match catalogue_name(name) {
        Some(field) => set_field(raw, event, field, value),
        None => set_beside(event, name, value),
    }
}

/// Finds the catalogue field of a name from a record; `None` for names outside and for names of the pipeline.
pub fn catalogue_name(name: &str) -> Option<Field> {
    let field = if name == "@timestamp" { field::TIMESTAMP } else { Field::by_name(name)? };
    (!is_reserved(field)).then_some(field)
}

fn set_beside<'r>(event: &mut Event<'r>, name: &'r str, value: Value<'r>) {
    if name.is_empty() {
        event.problem("a field without a name was left out");
    } else if name.len() > NAME_BYTES_MAX {
        event.problem("a field whose name is too long was left out");
    } else if Field::by_name(name).is_some() || name.starts_with(REPORTED) {
        event.set_extra(REPORTED, name.strip_prefix(REPORTED).unwrap_or(name), value);
    } else {
        event.set_extra("", name, value);
    }
}

/// Sets a catalogue field from a value of any type; what does not fit its type is kept beside it as text.
pub fn set_field<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, field: Field, value: Value<'r>) {
    let fitting = match (field.definition().kind, value) {
        (Kind::Date, Value::Str(text)) => time::any(text, raw).map(Value::Time),
        (Kind::Date, Value::Int(number)) => epoch_number(number),
        (Kind::Date, Value::Float(number)) => (0.0..1e11).contains(&number).then_some(Value::Time((number * 1e6) as i64)),
        (Kind::Long, Value::Str(text)) => text.parse().ok().map(Value::Int),
        (Kind::Ip, Value::Str(text)) => ip(text).map(Value::Ip),
        (Kind::Ip, Value::Ip(_)) => Some(value),
        (Kind::Ip, _) => None,
        _ => Some(value),
    };
    match fitting {
        Some(value) => event.set(field, value),
        None if matches!(value, Value::Str("")) => {}
        None => {
            event.problem(match field.definition().kind {
                Kind::Date => "a time could not be read",
                Kind::Ip => "an address could not be read",
                _ => "a number could not be read",
            });
            event.set_extra(REPORTED, field.name(), value);
        }
    }
}

/// An epoch number of seconds, milli-, micro- or nanoseconds, told apart by its size as [`time::epoch`] does by length.
fn epoch_number(number: i64) -> Option<Value<'static>> {
    let micros = match number {
        0..100_000_000_000 => number * 1_000_000,
        100_000_000_000..100_000_000_000_000 => number * 1000,
        100_000_000_000_000..100_000_000_000_000_000 => number,
        100_000_000_000_000_000.. => number / 1000,
        _ => return None,
    };
    Some(Value::Time(micros))
}

/// Returns `success` or `failure` for the words that devices use, `None` for others.
pub fn outcome_word(word: &str) -> Option<&'static str> {
    const SUCCESS: [&str; 9] = ["success", "successful", "succeeded", "ok", "passed", "accept", "accepted", "allow", "allowed"];
    const FAILURE: [&str; 8] = ["failure", "failed", "fail", "error", "unsuccessful", "denied", "deny", "rejected"];
    let is = |words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(word));
    if is(&SUCCESS) {
        Some("success")
    } else if is(&FAILURE) {
        Some("failure")
    } else {
        None
    }
}
