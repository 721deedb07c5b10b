//! An event as one JSON line with dotted keys, for people and tests. Not a hot path: it allocates as it likes.
//!
//! Keys are sorted; `timestamp` is written `@timestamp`; lists are arrays without doubles; problems are `error.message`.

use std::{collections::BTreeMap, fmt::Write as _};

use chrono::{DateTime, SecondsFormat};
use event::{Event, Micros, Value, field};

/// Returns the event as a JSON object, without fields that the pipe adds.
pub fn json(event: &Event<'_>) -> String {
    let mut out = String::from("{");
    for (name, text) in members(event) {
        if out.len() > 1 {
            out.push(',');
        }
        push_string(&mut out, &name);
        out.push(':');
        out.push_str(&text);
    }
    out.push('}');
    out
}

/// Returns the fields by name, each value as JSON text.
pub fn members(event: &Event<'_>) -> BTreeMap<String, String> {
    let mut members = BTreeMap::new();
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (field, value) in event.fields() {
        let text = value_text(*value);
        if field.definition().list {
            let list = lists.entry(field.name()).or_default();
            if !list.contains(&text) {
                list.push(text);
            }
        } else {
            let name = if *field == field::TIMESTAMP { "@timestamp" } else { field.name() };
            members.insert(name.to_owned(), text);
        }
    }
    for (name, list) in lists {
        members.insert(name.to_owned(), format!("[{}]", list.join(",")));
    }
    for (name, value) in event.extra() {
        members.insert(name.to_string(), value_text(*value));
    }
    if !event.problems().is_empty() {
        let mut text = String::new();
        push_string(&mut text, &event.problems().join("; "));
        members.insert(field::ERROR_MESSAGE.name().to_owned(), text);
    }
    if !event.dataset().is_empty() {
        members.insert(field::EVENT_DATASET.name().to_owned(), format!("\"{}\"", event.dataset()));
    }
    members
}

/// RFC 3339 in UTC with as many digits as needed.
pub fn time(micros: Micros) -> String {
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

pub(crate) fn value_text(value: Value<'_>) -> String {
    let mut out = String::new();
    match value {
        Value::Str(text) => push_string(&mut out, text),
        Value::Int(number) => drop(write!(out, "{number}")),
        Value::Float(number) if number.is_finite() => drop(write!(out, "{number:?}")),
        Value::Float(number) => push_string(&mut out, &number.to_string()),
        Value::Bool(flag) => drop(write!(out, "{flag}")),
        Value::Ip(address) => drop(write!(out, "\"{address}\"")),
        Value::Time(micros) => push_string(&mut out, &time(micros)),
    }
    out
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' || c == '\u{7f}' => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}
