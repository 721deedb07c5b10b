//! Where a value goes: fields with their types, value maps, times; constants.

use chrono::format::{Item, Parsed};
use event::{Event, Field, Kind, RawRecord, Value, field};

use crate::{ecs, text, time, web};

/// How a value is read where the type of its field does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    Plain,
    Lower,
    /// `DOMAIN\an`, `an@domain`: the name here, the domain beside it.
    Account,
    User,
    Host,
    Url,
    /// Path of a file: also its name.
    File,
    Hash,
    Transport,
    Seconds,
    Millis,
    Time,
}

impl As {
    pub const NAMES: &'static [(&'static str, As)] = &[
        ("plain", As::Plain),
        ("lower", As::Lower),
        ("account", As::Account),
        ("user", As::User),
        ("host", As::Host),
        ("url", As::Url),
        ("file", As::File),
        ("hash", As::Hash),
        ("transport", As::Transport),
        ("seconds", As::Seconds),
        ("millis", As::Millis),
        ("time", As::Time),
    ];

    /// What a field's name suggests.
    pub fn of(name: &str) -> Self {
        match name {
            "user.name" | "user.target.name" | "user.effective.name" | "source.user.name" | "destination.user.name" => Self::User,
            "host.name" => Self::Host,
            "url.original" => Self::Url,
            "network.transport" => Self::Transport,
            _ => Self::Plain,
        }
    }
}

/// A field by its name: in the catalogue or beside it.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    Field(Field),
    Beside(&'static str),
}

impl Name {
    fn is_set(self, event: &Event<'_>, start: usize) -> bool {
        match self {
            Self::Field(field) if field.definition().list => false,
            Self::Field(field) => event.fields()[start..].iter().any(|(known, _)| *known == field),
            Self::Beside(name) => event.extra().iter().any(|(known, _)| known.prefix.is_empty() && known.key == name),
        }
    }
}

/// Words of the vendor and of the field, and the word for all others.
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub words: Vec<(&'static str, &'static str)>,
    pub default: Option<&'static str>,
}

/// One target of a key.
#[derive(Debug)]
pub struct Target {
    pub name: Name,
    pub how: As,
    /// Values of the vendor's that stand for others; without one the value is taken as it is.
    pub map: Option<Map>,
}

/// Formats of stamps beside those that are always read.
#[derive(Debug, Default)]
pub struct Times {
    pub formats: Vec<Vec<Item<'static>>>,
    pub zone: Option<chrono_tz::Tz>,
}

impl Times {
    /// Reads a stamp: the file's formats first.
    pub fn read(&self, raw: RawRecord<'_>, value: &str) -> Option<i64> {
        let raw = match self.zone {
            Some(zone) => RawRecord::new(raw.bytes(), raw.text(), raw.received(), zone),
            None => raw,
        };
        self.formats.iter().find_map(|items| read(items, raw, value)).or_else(|| time::any(value, raw))
    }
}

fn read(items: &[Item<'static>], raw: RawRecord<'_>, value: &str) -> Option<i64> {
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, value.trim(), items.iter()).ok()?;
    if let Ok(moment) = parsed.to_datetime() {
        return Some(moment.timestamp_micros());
    }
    let date = parsed.to_naive_date().ok()?;
    let clock = parsed.to_naive_time().unwrap_or_default();
    let civil = date.and_time(clock).and_utc().timestamp_micros();
    Some(time::Stamp { civil, offset: None }.resolve(raw))
}

impl Target {
    pub fn set<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>, start: usize, times: &Times, value: &'r str) {
        let value = match &self.map {
            None => value,
            Some(map) => match map.words.iter().find(|(known, _)| known.eq_ignore_ascii_case(value)) {
                Some((_, word)) => word,
                None => match map.default {
                    Some(word) => word,
                    None => return,
                },
            },
        };
        if self.name.is_set(event, start) {
            return;
        }
        match self.how {
            As::Plain => plain(raw, event, self.name, times, value),
            As::Time => match times.read(raw, value) {
                Some(time) => put(event, self.name, Value::Time(time)),
                None => event.problem("a time could not be read"),
            },
            As::Lower => put(event, self.name, Value::Str(text::lower(event, value))),
            As::User => {
                put(event, self.name, Value::Str(value));
                event.set(field::RELATED_USER, value);
            }
            As::Account => {
                let (name, domain) = crate::objects::split_account(value);
                put(event, self.name, Value::Str(name));
                event.set(field::RELATED_USER, name);
                if let (Some(domain), Name::Field(field::USER_NAME)) = (domain, self.name) {
                    event.set(field::USER_DOMAIN, domain);
                }
            }
            As::Host => {
                put(event, self.name, Value::Str(value));
                event.set(field::RELATED_HOSTS, value);
            }
            As::Url => web::url(event, value),
            As::File => {
                put(event, self.name, Value::Str(value));
                event.set(field::FILE_NAME, text::file_name(value));
            }
            As::Hash => {
                let value = text::lower(event, value);
                event.set(field::RELATED_HASH, value);
                put(event, self.name, Value::Str(value));
            }
            As::Transport => match value.parse::<u8>() {
                Ok(number) => ecs::protocol(event, i64::from(number)),
                Err(_) => event.set(field::NETWORK_TRANSPORT, text::lower(event, value)),
            },
            As::Seconds | As::Millis => {
                let divisor = if self.how == As::Millis { 1000 } else { 1 };
                match text::seconds_to_nanos(value) {
                    Some(nanos) => put(event, self.name, Value::Int(nanos / divisor)),
                    None => event.problem("a length of time could not be read"),
                }
            }
        }
    }
}

fn plain<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, name: Name, times: &Times, value: &'r str) {
    let Name::Field(field) = name else { return put(event, name, Value::Str(value)) };
    match field.definition().kind {
        Kind::Ip => {
            if !ecs::ip_only(event, field, value) {
                event.problem("an address could not be read");
            }
        }
        Kind::Long => match text::integer(value.trim()) {
            Some(number) => super::set_value(event, field, Value::Int(number)),
            None => event.problem("a number could not be read"),
        },
        Kind::Date => match times.read(raw, value) {
            Some(time) => super::set_value(event, field, Value::Time(time)),
            None => event.problem("a time could not be read"),
        },
        _ => ecs::set_field(raw, event, field, Value::Str(value)),
    }
}

fn put<'r>(event: &mut Event<'r>, name: Name, value: Value<'r>) {
    match name {
        Name::Field(field) => event.set(field, value),
        Name::Beside(name) => event.set_extra("", name, value),
    }
}

/// A field and its value, set for every line or on a condition.
#[derive(Debug)]
pub struct Constant {
    pub name: Name,
    pub values: Vec<Value<'static>>,
}

impl Constant {
    pub fn set(&self, event: &mut Event<'_>) {
        for value in &self.values {
            put(event, self.name, *value);
        }
    }
}
