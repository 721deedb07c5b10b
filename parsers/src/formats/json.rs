//! JSON objects: ECS names fill the catalogue, common words of other schemas fill ECS beside their own name, everything else
//! is kept under its dotted name.
//!
//! Names that belong to the pipeline (`event.id`, `system.id` …) are kept under `reported.`: a sender cannot forge them.
//! A list in a list field becomes its elements; any other list is kept as its JSON text.

use event::{Event, Field, Kind, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    json::{self, Leaf},
    words::{self, Found},
};

pub struct Json;

impl Parser for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn starts(&self) -> &'static [u8] {
        // An object, or the name before it: of one that is text, the letter it begins with.
        b"{@ \tABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        // Lines of Windows agents are JSON too, and surer of it.
        Sniff::maybe_if(object(raw.text()).or_else(|| behind_name(raw.text())).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let raw = behind_name(raw.text()).map_or(raw, |object| raw.with_text(object));
        event.set_dataset("json");
        let mut found = Found::default();
        let times = stamps(event);
        let outcome = read(raw, event, &mut |event, name, leaf| {
            note(&mut found, raw, event, name, leaf);
            false
        });
        if outcome == Outcome::Parsed {
            if !event.has(field::EVENT_KIND) {
                event.set(field::EVENT_KIND, "event");
            }
            // The payload's own time wins over the envelope's; its ECS name wins over other words.
            let is_time_free = stamps(event) == times;
            found.apply(raw, event, is_time_free);
            words::conclude(event);
        }
        outcome
    }
}

fn stamps(event: &Event<'_>) -> usize {
    event.fields().iter().filter(|(field, _)| *field == field::TIMESTAMP).count()
}

/// Shows a value to the table of common words; of a list its first element.
fn note<'r>(found: &mut Found<'r>, raw: RawRecord<'r>, event: &Event<'r>, name: &str, leaf: Leaf<'r>) {
    // A name of the pipeline that the sender brings is no word of a device.
    if Field::by_name(name).is_some() && ecs::catalogue_name(name).is_none() {
        return;
    }
    let Leaf::List(list) = leaf else { return found.note(raw, name, leaf.text()) };
    let mut is_first = true;
    json::elements(event.arena(), list, &mut |leaf| {
        if std::mem::take(&mut is_first) && !matches!(leaf, Leaf::List(_)) {
            found.note(raw, name, leaf.text());
        }
    });
}

/// The object in a payload; a CEE cookie in front of it is taken off.
pub fn object(text: &str) -> Option<&str> {
    let text = text.strip_prefix("@cee:").unwrap_or(text).trim_start_matches([' ', '\t']);
    text.starts_with('{').then_some(text)
}

/// The object behind a name that a relay or a device left in front of it: `alerts -: {"a":1}`.
fn behind_name(text: &str) -> Option<&str> {
    let at = memchr::memchr(b'{', &text.as_bytes()[..text.len().min(64)]).filter(|at| *at > 0)?;
    let (name, object) = text.split_at(at);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.trim_end().ends_with([':', '=', '-'])
        && name.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.' | b' ' | b':' | b'='))
        && name.bytes().filter(|b| *b == b' ').count() <= 3;
    (is_name && object.trim_end().ends_with('}')).then_some(object)
}

/// Flattens the payload's object into the event. `claim` sees each value first and says whether it took it.
pub fn read<'r>(
    raw: RawRecord<'r>,
    event: &mut Event<'r>,
    claim: &mut dyn FnMut(&mut Event<'r>, &'r str, Leaf<'r>) -> bool,
) -> Outcome {
    let Some(object) = object(raw.text()) else {
        return Outcome::Unreadable("no JSON object");
    };
    let report = json::flatten(event.arena(), object, &mut |name, leaf| {
        if !claim(event, name, leaf) {
            set(raw, event, name, leaf);
        }
    });
    match report {
        Ok(report) => {
            if report.has_rest {
                event.problem("text after the JSON object was left out");
            }
            if report.lost > 0 {
                event.problem("more values than a record may have: the rest was left out");
            }
            Outcome::Parsed
        }
        Err(_) => Outcome::Unreadable("malformed JSON"),
    }
}

/// Sets one value under its own name.
pub fn set<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, name: &'r str, leaf: Leaf<'r>) {
    match ecs::catalogue_name(name) {
        Some(field) => set_catalogue(raw, event, field, leaf),
        None => ecs::set_reported(raw, event, name, beside(leaf)),
    }
}

/// A value outside the catalogue stays text as it was written: `1.50` is not `1.5`.
fn beside<'r>(leaf: Leaf<'r>) -> Value<'r> {
    match leaf {
        Leaf::Bool(flag) => Value::Bool(flag),
        other => Value::Str(other.text()),
    }
}

fn set_catalogue<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, field: Field, leaf: Leaf<'r>) {
    let Leaf::List(list) = leaf else {
        return ecs::set_field(raw, event, field, scalar(field, leaf));
    };
    let is_list = field.definition().list;
    let mut count = 0;
    json::elements(event.arena(), list, &mut |leaf| {
        count += 1;
        if is_list || count == 1 {
            ecs::set_field(raw, event, field, scalar(field, leaf));
        }
    });
    if count > 1 && !is_list {
        event.problem("a list in a field of one value: its first element was taken");
        event.set_extra(ecs::REPORTED, field.name(), list);
    }
}

fn scalar<'r>(field: Field, leaf: Leaf<'r>) -> Value<'r> {
    if matches!(field.definition().kind, Kind::Keyword | Kind::Text) {
        return Value::Str(leaf.text());
    }
    match leaf {
        Leaf::Bool(flag) => Value::Bool(flag),
        Leaf::Number(number) => match number.parse::<i64>() {
            Ok(whole) => Value::Int(whole),
            Err(_) => number.parse().map_or(Value::Str(number), Value::Float),
        },
        Leaf::Str(text) | Leaf::List(text) => Value::Str(text),
    }
}
