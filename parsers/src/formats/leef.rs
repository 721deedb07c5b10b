//! IBM Log Event Extended Format: `LEEF:1.0|Vendor|Product|Version|EventID|key=value⇥key=value`, and 2.0 with a delimiter field.
//!
//! Reference: IBM QRadar, "Log Event Extended Format (LEEF)" guide, versions 1 and 2: header, delimiter (a character or its
//! hexadecimal code), predefined event attributes.
//!
//! Attributes are kept verbatim under `leef.<key>`. Where a device writes another delimiter than it should (a literal `\t`,
//! `^`, `|`, blanks), the one that the text shows is taken.

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::cef,
    keys::KeyTable,
    kv::{self, Multiword},
    text, time,
    words::{self, Found},
};

const PREFIX: &str = "leef.";

pub struct Leef;

impl Parser for Leef {
    fn name(&self) -> &'static str {
        "leef"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["LEEF"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((version, text)) = start(raw.text()) else {
            return Outcome::Unreadable("no LEEF header");
        };
        let mut rest = text;
        let mut header = [""; 4];
        for (at, part) in header.iter_mut().enumerate() {
            match rest.split_once('|') {
                Some((before, after)) => (*part, rest) = (before, after),
                None if at == 3 => (*part, rest) = (rest, ""),
                None => return Outcome::Unreadable("the LEEF header is cut"),
            }
        }
        event.set_dataset("leef");
        event.set(field::EVENT_KIND, "event");
        for (part, field) in
            header.iter().zip([field::OBSERVER_VENDOR, field::OBSERVER_PRODUCT, field::OBSERVER_VERSION, field::EVENT_CODE])
        {
            event.set_present(field, part.trim());
        }
        let (delimiter, attributes) = delimiter(version, rest);
        let mut line = Line::default();
        let mut found = Found::default();
        each(attributes, delimiter, &mut |key, value| {
            found.note(raw, key, value);
            attribute(raw, event, &mut line, key, value);
        });
        line.finish(raw, event);
        cef::products::finish(raw, event, header[0], header[1], header[3], "");
        let is_time_free = !event.has(field::TIMESTAMP);
        found.apply(raw, event, is_time_free);
        words::conclude(event);
        Outcome::Parsed
    }
}

/// Finds `LEEF:1.0|` or `LEEF:2.0|` near the start.
fn start(text: &str) -> Option<(u8, &str)> {
    let at = crate::text::find(&text.as_bytes()[..text.len().min(256)], b"LEEF:")?;
    let rest = text[at + "LEEF:".len()..].trim_start_matches(' ');
    let (version, rest) = rest.split_once('|')?;
    match version.as_bytes() {
        [b'1', ..] if version.len() <= 4 => Some((1, rest)),
        [b'2', ..] if version.len() <= 4 => Some((2, rest)),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Delimiter {
    Char(char),
    /// A backslash and a `t`.
    Literal,
    Blank,
}

/// The delimiter of the attributes: the header's field in version 2, else what the text shows.
fn delimiter(version: u8, rest: &str) -> (Delimiter, &str) {
    if version == 2
        && let Some((field, after)) = rest.split_once('|')
        && !field.contains('=')
    {
        let hex = field.strip_prefix("0x").or_else(|| field.strip_prefix('x')).or_else(|| field.strip_prefix("0X"));
        let mut chars = field.chars();
        return match (hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32), chars.next(), chars.next())
        {
            (Some(code), _, _) => (shown(after, code), after),
            (None, Some(one), None) => (shown(after, one), after),
            (None, Some('\\'), Some('t')) | (None, None, _) => (shown(after, '\t'), after),
            _ => (shown(after, '\t'), after),
        };
    }
    (shown(rest, '\t'), rest)
}

fn shown(text: &str, said: char) -> Delimiter {
    let splits = |mark: &str| text.split(mark).skip(1).any(|part| part.split_once('=').is_some_and(|(key, _)| kv::is_key(key)));
    if text.contains(said) {
        return Delimiter::Char(said);
    }
    match text {
        _ if text.contains('\t') => Delimiter::Char('\t'),
        _ if splits("\\t") => Delimiter::Literal,
        _ if splits("^") => Delimiter::Char('^'),
        _ if splits("|") => Delimiter::Char('|'),
        _ => Delimiter::Blank,
    }
}

fn each<'r>(text: &'r str, delimiter: Delimiter, emit: &mut dyn FnMut(&'r str, &'r str)) {
    let mut pair = |part: &'r str| {
        if let Some((key, value)) = text::split(part, b'=') {
            emit(key.trim(), value.trim());
        }
    };
    match delimiter {
        Delimiter::Char(mark) => text.split(mark).for_each(pair),
        Delimiter::Literal => text.split("\\t").for_each(&mut pair),
        Delimiter::Blank => Multiword::new(text).for_each(|(key, value)| emit(key, value)),
    }
}

#[derive(Clone, Copy)]
enum Means {
    Text(Field),
    Int(Field),
    Source,
    Destination,
    Ip(Field),
    User(Field),
    Host,
    Protocol,
    Url,
    Action,
    Time,
    Format,
    Login,
    Logout,
    Policy,
    Hash,
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("cat", Text(field::RULE_CATEGORY)),
        ("devTime", Time),
        ("devTimeFormat", Format),
        ("proto", Protocol),
        ("sev", Int(field::EVENT_SEVERITY)),
        ("src", Source),
        ("dst", Destination),
        ("srcPort", Int(field::SOURCE_PORT)),
        ("dstPort", Int(field::DESTINATION_PORT)),
        ("srcPostNAT", Ip(field::SOURCE_NAT_IP)),
        ("dstPostNAT", Ip(field::DESTINATION_NAT_IP)),
        ("srcPostNATPort", Int(field::SOURCE_NAT_PORT)),
        ("dstPostNATPort", Int(field::DESTINATION_NAT_PORT)),
        ("srcMAC", Text(field::SOURCE_MAC)),
        ("dstMAC", Text(field::DESTINATION_MAC)),
        ("srcBytes", Int(field::SOURCE_BYTES)),
        ("dstBytes", Int(field::DESTINATION_BYTES)),
        ("srcPackets", Int(field::SOURCE_PACKETS)),
        ("dstPackets", Int(field::DESTINATION_PACKETS)),
        ("totalPackets", Int(field::NETWORK_PACKETS)),
        ("usrName", User(field::USER_NAME)),
        ("userName", User(field::USER_NAME)),
        ("accountName", User(field::USER_TARGET_NAME)),
        ("domain", Text(field::USER_DOMAIN)),
        ("groupID", Text(field::GROUP_ID)),
        ("identHostName", Host),
        ("identGrpName", Text(field::GROUP_NAME)),
        ("url", Url),
        ("policy", Policy),
        ("resource", Text(field::SERVICE_NAME)),
        ("action", Action),
        ("Action", Action),
        ("reason", Text(field::EVENT_REASON)),
        ("msg", Text(field::MESSAGE)),
        ("message", Text(field::MESSAGE)),
        ("fileName", Text(field::FILE_NAME)),
        ("filePath", Text(field::FILE_PATH)),
        ("fileHash", Hash),
        ("isLoginEvent", Login),
        ("isLogoutEvent", Logout),
    ])
});

#[derive(Default)]
struct Line<'r> {
    time: &'r str,
    format: &'r str,
    is_login: bool,
    is_logout: bool,
}

fn attribute<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, line: &mut Line<'r>, key: &'r str, value: &'r str) {
    if key.is_empty() || key.len() > ecs::NAME_BYTES_MAX {
        return event.problem("an attribute without a usable key was left out");
    }
    event.set_extra(PREFIX, key, value);
    let Some(means) = KEYS.get(key).filter(|_| !ecs::is_nothing(value)) else { return };
    match means {
        Means::Text(field) => event.set(field, value),
        Means::Int(field) => drop(event.set_int(field, value)),
        Means::Source => ecs::source(event, value),
        Means::Destination => ecs::destination(event, value),
        Means::Ip(field) => drop(ecs::ip_only(event, field, value)),
        Means::User(field) => ecs::user(event, field, value),
        Means::Host => ecs::host(event, value),
        Means::Protocol => match value.parse::<u8>() {
            Ok(number) => ecs::protocol(event, i64::from(number)),
            Err(_) => event.set(field::NETWORK_TRANSPORT, text::lower(event, value)),
        },
        Means::Url => crate::web::url(event, value),
        Means::Action => event.set(field::EVENT_ACTION, value),
        Means::Policy => event.set(field::RULE_NAME, value),
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
        Means::Time => line.time = value,
        Means::Format => line.format = value,
        Means::Login => line.is_login = value.eq_ignore_ascii_case("true"),
        Means::Logout => line.is_logout = value.eq_ignore_ascii_case("true"),
    }
    let _ = raw;
}

impl<'r> Line<'r> {
    fn finish(&self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        if !self.time.is_empty() {
            match time::any(self.time, raw) {
                Some(time) => event.set(field::TIMESTAMP, Value::Time(time)),
                None => event.problem(match self.format {
                    "" => "devTime could not be read",
                    _ => "devTime could not be read in the format that devTimeFormat names",
                }),
            }
        }
        let kind = match (self.is_login, self.is_logout) {
            (true, _) => "start",
            (_, true) => "end",
            _ => return,
        };
        event.set(field::EVENT_CATEGORY, "authentication");
        event.set(field::EVENT_TYPE, kind);
    }
}
