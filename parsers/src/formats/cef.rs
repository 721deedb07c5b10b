//! ArcSight Common Event Format: `CEF:0|Vendor|Product|Version|Id|Name|Severity|key=value …`.
//!
//! Reference: Micro Focus/OpenText, "ArcSight Common Event Format (CEF) Implementation Standard", versions 0 and 1 (header
//! escapes, extension dictionary, custom labels).
//!
//! Extensions are kept verbatim under `cef.extensions.<key>`; a labelled custom field (`cs1Label=Policy cs1=web`) also under
//! `cef.label.<Policy>`. Values may hold blanks: a value ends where the next `key=` begins.

mod dictionary;
mod endpoints;
pub mod products;
mod vendor;

use event::{Event, Outcome, RawRecord, Value, field};
use nom::{
    IResult, Parser as _,
    bytes::complete::tag,
    character::complete::{digit1, space0},
    combinator::opt,
    sequence::delimited,
};

use crate::{Parser, Sniff, ecs, kv::Multiword, text, time, words::Found};
use dictionary::{KEYS, LABELS, Means};
use vendor::Vendor;

const EXTENSIONS: &str = "cef.extensions.";
const LABEL: &str = "cef.label.";

/// Labelled custom fields that one event may have.
const LABELS_MAX: usize = 32;

pub struct Cef;

impl Parser for Cef {
    fn name(&self) -> &'static str {
        "cef"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["CEF"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        // Relays put their own words before the header.
        let Some(text) = start(raw.text()) else {
            return Outcome::Unreadable("no CEF header");
        };
        let Some((header, extensions)) = header(text) else {
            return Outcome::Unreadable("the CEF header is cut");
        };
        event.set_dataset("cef");
        event.set(field::EVENT_KIND, "event");
        set_header(event, &header);
        let mut found = Found::default();
        set_extensions(raw, event, extensions, &header, &mut found);
        products::finish(raw, event, header[0], header[1], header[3], header[4]);
        // What neither the dictionary nor a product knows, by the words that mean the same to all vendors.
        let is_time_free = !event.has(field::TIMESTAMP);
        found.apply(raw, event, is_time_free);
        Outcome::Parsed
    }
}

/// Finds the header near the start: `CEF:0|`, `CEF: 0|`, or `0|…` where a relay took the word off.
fn start(text: &str) -> Option<&str> {
    // A relay that took the word off leaves the blank behind it.
    let text = text.trim_start();
    if let Some(at) = crate::text::find(&text.as_bytes()[..text.len().min(256)], b"CEF:") {
        let rest = &text[at..];
        return version(rest).is_ok().then_some(rest);
    }
    let is_bare = matches!(text.as_bytes(), [b'0'..=b'1', b'|', ..])
        && text.bytes().take(512).filter(|b| *b == b'|').count() >= 7
        && text.contains('=');
    is_bare.then_some(text)
}

fn version(input: &str) -> IResult<&str, &str> {
    delimited((opt(tag("CEF:")), space0), digit1, tag("|")).parse(input)
}

/// Vendor, product, version, id, name, severity.
type Header<'r> = [&'r str; 6];

fn header(text: &str) -> Option<(Header<'_>, &str)> {
    let (mut rest, _) = version(text).ok()?;
    let mut parts = [""; 6];
    for (at, part) in parts.iter_mut().enumerate() {
        let Some(end) = bar(rest) else {
            // Without extensions devices leave the last bar out.
            if at == 5 {
                *part = rest;
                return Some((parts, ""));
            }
            return None;
        };
        (*part, rest) = (&rest[..end], &rest[end + 1..]);
        // `CEF:0||Check Point|…`: an empty vendor that shifts all others.
        if at == 0 && part.is_empty() && bars(rest) > 5 {
            let end = bar(rest)?;
            (*part, rest) = (&rest[..end], &rest[end + 1..]);
        }
    }
    Some((parts, rest))
}

/// Bars of the header: those before the first pair.
fn bars(text: &str) -> usize {
    let end = text.find('=').unwrap_or(text.len());
    text[..end].bytes().filter(|b| *b == b'|').count()
}

/// The next bar that no backslash escapes.
fn bar(text: &str) -> Option<usize> {
    let b = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'|', b'\\', b.get(from..)?)?;
        if b[at] == b'|' {
            return Some(at);
        }
        from = at + 2;
    }
}

fn set_header<'r>(event: &mut Event<'r>, header: &Header<'r>) {
    let plain = |event: &Event<'r>, text: &'r str| text::unescape(event, text.trim(), |c| c == '|' || c == '\\');
    for (part, field) in
        [(0, field::OBSERVER_VENDOR), (1, field::OBSERVER_PRODUCT), (2, field::OBSERVER_VERSION), (3, field::EVENT_CODE)]
    {
        let text = plain(event, header[part]);
        event.set_present(field, text);
    }
    let name = plain(event, header[4]);
    if !name.is_empty() {
        event.set_extra("cef.", "name", name);
    }
    let severity = plain(event, header[5]);
    match severity.parse::<i64>() {
        Ok(number) => event.set(field::EVENT_SEVERITY, number),
        Err(_) => {
            // The standard's words and where their ranges begin.
            let number = match text::lower(event, severity) {
                "low" => 0,
                "medium" => 4,
                "high" => 7,
                "very-high" | "critical" => 9,
                _ => return event.set_present(field::LOG_LEVEL, severity),
            };
            event.set(field::EVENT_SEVERITY, number);
        }
    }
}

fn set_extensions<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, header: &Header<'r>, found: &mut Found<'r>) {
    let mut labels: [(&'r str, &'r str); LABELS_MAX] = [("", ""); LABELS_MAX];
    let mut labels_len = 0;
    let mut vendor = Vendor::of(header);
    let raw = zoned(raw, text);
    for (key, value) in Multiword::new(text) {
        if key.is_empty() {
            event.problem("an extension without a key was left out");
            continue;
        }
        let value = plain(event, value);
        event.set_extra(EXTENSIONS, key, value);
        vendor.take(raw, event, key, value);
        if let Some(labelled) = key.strip_suffix("Label") {
            if labels_len < LABELS_MAX && !value.is_empty() {
                labels[labels_len] = (labelled, value);
                labels_len += 1;
            }
        } else if let Some(means) = KEYS.get(key)
            && !ecs::is_nothing(value)
        {
            set(raw, event, means, value);
        } else if !is_numbered(key) {
            found.note(raw, key, value);
        }
    }
    for (key, label) in &labels[..labels_len] {
        let value =
            event.extra().iter().rev().find(|(name, _)| name.prefix == EXTENSIONS && name.key == *key).map(|(_, value)| *value);
        if let Some(value) = value {
            event.set_extra(LABEL, label, value);
            if let Value::Str(text) = value
                && !ecs::is_nothing(text)
            {
                match LABELS.get(squeezed(event, label)) {
                    Some(means) => set(raw, event, means, text),
                    None => found.note(raw, label, text),
                }
            }
        }
    }
    let name = header[4].trim();
    if !event.has(field::MESSAGE) {
        let name = text::unescape(event, name, |c| c == '|' || c == '\\');
        event.set_present(field::MESSAGE, name);
    }
    // Devices that do not say when they sent it say when it happened.
    if !event.has(field::TIMESTAMP)
        && let Some(time) = event.get(field::EVENT_START).or_else(|| event.get(field::EVENT_END))
    {
        event.set(field::TIMESTAMP, time);
    }
    vendor.finish(raw, event, header);
    endpoints::finish(event, header, raw);
    // The class of an event is the signature of the device that found it.
    if !event.has(field::RULE_ID) {
        event.set_present(field::RULE_ID, header[3].trim());
    }
}

/// `cs1`, `cn2`, `deviceCustomDate1`, `flexString1`: their label says what they are.
fn is_numbered(key: &str) -> bool {
    key.ends_with(|c: char| c.is_ascii_digit())
}

/// The record in the zone that `dtz` names: stamps without one are the device's.
fn zoned<'r>(raw: RawRecord<'r>, extensions: &str) -> RawRecord<'r> {
    let name = extensions.split_once(" dtz=").map(|(_, rest)| rest).or_else(|| extensions.strip_prefix("dtz="));
    let zone = name.and_then(|name| name.split(' ').next()).and_then(|name| name.parse().ok());
    zone.map_or(raw, |zone| RawRecord::new(raw.bytes(), raw.text(), raw.received(), zone))
}

/// A label without blanks and marks, in lower case: `Rule Name` and `rule_name` are one.
fn squeezed<'r>(event: &Event<'r>, label: &str) -> &'r str {
    let mut out = bumpalo::collections::String::with_capacity_in(label.len(), event.arena());
    label.bytes().filter(u8::is_ascii_alphanumeric).for_each(|b| out.push(char::from(b.to_ascii_lowercase())));
    out.into_bump_str()
}

/// `\=`, `\\`, `\|` stand for themselves; `\n` and `\r` are line ends.
fn plain<'r>(event: &Event<'r>, text: &'r str) -> &'r str {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return text;
    }
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), event.arena());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let mut ahead = chars.clone();
        match (c, ahead.next()) {
            ('\\', Some(next @ ('=' | '\\' | '|'))) => out.push(next),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            _ => {
                out.push(c);
                continue;
            }
        }
        chars = ahead;
    }
    out.into_bump_str()
}

fn set<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, means: Means, value: &'r str) {
    match means {
        Means::Text(field) => event.set(field, value),
        Means::Lower(field) => {
            let value = text::lower(event, value);
            event.set(field, value);
        }
        Means::Int(field) => drop(event.set_int(field, value)),
        Means::Address(ip, name) => ecs::address(event, ip, name, value),
        // `LAN\an`: the domain stands beside the name.
        Means::User(field) => {
            let (domain, name) = if value.contains('\\') { crate::net::split_account(value) } else { ("", value) };
            ecs::user(event, field, name);
            if !domain.is_empty() && field == field::SOURCE_USER_NAME {
                event.set_named("source.user.domain", domain);
            } else if !domain.is_empty() && field == field::DESTINATION_USER_NAME {
                event.set_named("destination.user.domain", domain);
            }
        }
        Means::Time(field) => match time::any(value, raw) {
            Some(time) => event.set(field, Value::Time(time)),
            None => event.problem("a time could not be read"),
        },
        Means::Host => ecs::host(event, value),
        Means::Transport => match value.parse::<u8>() {
            Ok(number) => ecs::protocol(event, i64::from(number)),
            Err(_) => crate::net::transport(event, value),
        },
        Means::Mac => {
            event.set(field::HOST_MAC, value);
        }
        Means::Device => {
            if ecs::ip_only(event, field::HOST_IP, value) {
                event.set_named("observer.ip", value);
            }
        }
        Means::Named("email.message_id") => event.set_named("email.message_id", value.trim_matches(['\'', '"', '<', '>'])),
        Means::Named(name) => event.set_named(name, value),
        Means::Outcome => {
            if let Some(outcome) = ecs::outcome_word(value) {
                event.set(field::EVENT_OUTCOME, outcome);
            }
        }
        Means::Direction => match value {
            "0" => event.set(field::NETWORK_DIRECTION, "inbound"),
            "1" => event.set(field::NETWORK_DIRECTION, "outbound"),
            _ => {
                let word = text::lower(event, value);
                if matches!(word, "inbound" | "outbound" | "internal" | "external") {
                    event.set(field::NETWORK_DIRECTION, word);
                }
            }
        },
        Means::Url => crate::web::url(event, value),
        Means::Hash => {
            let value = text::lower(event, value);
            event.set(field::RELATED_HASH, value);
            match value.len() {
                32 => event.set(field::FILE_HASH_MD5, value),
                40 => event.set(field::FILE_HASH_SHA1, value),
                64 => event.set(field::FILE_HASH_SHA256, value),
                _ => {}
            }
        }
    }
}
