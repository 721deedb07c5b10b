//! JSON objects: ECS names fill the catalogue, common words of other schemas fill ECS beside their own name, everything else
//! is kept under its dotted name.
//!
//! Names that belong to the pipeline (`event.id`, `system.id` …) are kept under `reported.`: a sender cannot forge them.
//! A list in a list field becomes its elements; any other list is kept as its JSON text.

use event::{Event, Field, Kind, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    json::{self, Leaf},
    keys::KeyTable,
    text, time,
};
use std::sync::LazyLock;

pub struct Json;

impl Parser for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn starts(&self) -> &'static [u8] {
        crate::OBJECT
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        // Lines of Windows agents are JSON too, and surer of it.
        Sniff::maybe_if(object(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        event.set_dataset("json");
        let mut aliases = Aliases::default();
        let times = stamps(event);
        let outcome = read(raw, event, &mut |_, name, leaf| {
            aliases.note(name, leaf);
            false
        });
        if outcome == Outcome::Parsed {
            if !event.has(field::EVENT_KIND) {
                event.set(field::EVENT_KIND, "event");
            }
            // The payload's own time wins over the envelope's; its ECS name wins over other words.
            aliases.apply(raw, event, stamps(event) == times);
        }
        outcome
    }
}

fn stamps(event: &Event<'_>) -> usize {
    event.fields().iter().filter(|(field, _)| *field == field::TIMESTAMP).count()
}

/// The object in a payload; a CEE cookie in front of it is taken off.
pub fn object(text: &str) -> Option<&str> {
    let text = text.strip_prefix("@cee:").unwrap_or(text).trim_start_matches([' ', '\t']);
    text.starts_with('{').then_some(text)
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

/// What the words of common loggers mean in ECS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Means {
    Time,
    Message,
    Level,
    Host,
    User,
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    Transport,
    Program,
    Agent,
    Url,
    Method,
    Status,
}

static WORDS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("time", Time),
        ("ts", Time),
        ("Timestamp", Time),
        ("datetime", Time),
        ("eventTime", Time),
        ("event_time", Time),
        ("EventTime", Time),
        ("time_local", Time),
        ("time_iso8601", Time),
        ("date", Time),
        ("msg", Message),
        ("Message", Message),
        ("log", Message),
        ("level", Level),
        ("severity", Level),
        ("lvl", Level),
        ("loglevel", Level),
        ("host", Host),
        ("hostname", Host),
        ("Hostname", Host),
        ("computer", Host),
        ("user", User),
        ("username", User),
        ("user_name", User),
        ("userName", User),
        ("src_ip", Source),
        ("source_ip", Source),
        ("srcip", Source),
        ("client_ip", Source),
        ("clientip", Source),
        ("remote_addr", Source),
        ("remote_ip", Source),
        ("sourceIPAddress", Source),
        ("id.orig_h", Source),
        ("dest_ip", Destination),
        ("dst_ip", Destination),
        ("destination_ip", Destination),
        ("dstip", Destination),
        ("id.resp_h", Destination),
        ("src_port", SourcePort),
        ("source_port", SourcePort),
        ("srcport", SourcePort),
        ("id.orig_p", SourcePort),
        ("dest_port", DestinationPort),
        ("dst_port", DestinationPort),
        ("destination_port", DestinationPort),
        ("dstport", DestinationPort),
        ("id.resp_p", DestinationPort),
        ("proto", Transport),
        ("protocol", Transport),
        ("app", Program),
        ("program", Program),
        ("http_user_agent", Agent),
        ("user_agent", Agent),
        ("request_uri", Url),
        ("uri", Url),
        ("request_method", Method),
        ("status", Status),
    ])
});

/// The first value of each meaning; ECS names in the same record win over it.
#[derive(Default)]
struct Aliases<'r> {
    found: [Option<(Means, Leaf<'r>)>; 16],
    len: usize,
}

impl<'r> Aliases<'r> {
    fn note(&mut self, name: &str, leaf: Leaf<'r>) {
        let Some(means) = WORDS.get(name) else { return };
        let is_new = !self.found[..self.len].iter().flatten().any(|(known, _)| *known == means);
        if is_new && self.len < self.found.len() {
            self.found[self.len] = Some((means, leaf));
            self.len += 1;
        }
    }

    fn apply(&self, raw: RawRecord<'r>, event: &mut Event<'r>, is_time_free: bool) {
        for (means, leaf) in self.found[..self.len].iter().flatten() {
            let is_taken = *means == Means::Time && !is_time_free;
            if !is_taken && !matches!(leaf, Leaf::List(_)) && !ecs::is_nothing(leaf.text()) {
                apply(raw, event, *means, leaf.text());
            }
        }
    }
}

fn apply<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, means: Means, value: &'r str) {
    let is_free = |event: &Event<'r>, field| !event.has(field);
    match means {
        Means::Time => {
            if let Some(time) = time::any(value, raw) {
                event.set(field::TIMESTAMP, Value::Time(time));
            }
        }
        Means::Message if is_free(event, field::MESSAGE) => event.set(field::MESSAGE, value),
        Means::Level if is_free(event, field::LOG_LEVEL) => event.set(field::LOG_LEVEL, text::lower(event, value)),
        Means::Host if is_free(event, field::HOST_NAME) => ecs::host(event, value),
        Means::User if is_free(event, field::USER_NAME) => ecs::user(event, field::USER_NAME, value),
        Means::Source if is_free(event, field::SOURCE_IP) => ecs::source(event, value),
        Means::Destination if is_free(event, field::DESTINATION_IP) => ecs::destination(event, value),
        Means::SourcePort if is_free(event, field::SOURCE_PORT) => drop(event.set_int(field::SOURCE_PORT, value)),
        Means::DestinationPort if is_free(event, field::DESTINATION_PORT) => drop(event.set_int(field::DESTINATION_PORT, value)),
        Means::Transport if is_free(event, field::NETWORK_TRANSPORT) => transport(event, value),
        Means::Program if is_free(event, field::PROCESS_NAME) => event.set(field::PROCESS_NAME, value),
        Means::Agent if is_free(event, field::USER_AGENT_ORIGINAL) => event.set(field::USER_AGENT_ORIGINAL, value),
        Means::Url if is_free(event, field::URL_ORIGINAL) => crate::web::url(event, value),
        Means::Method if is_free(event, field::HTTP_REQUEST_METHOD) => event.set(field::HTTP_REQUEST_METHOD, value),
        Means::Status if event.has(field::HTTP_REQUEST_METHOD) => drop(event.set_int(field::HTTP_RESPONSE_STATUS_CODE, value)),
        _ => {}
    }
}

fn transport<'r>(event: &mut Event<'r>, value: &'r str) {
    let name = text::lower(event, value);
    if matches!(name, "tcp" | "udp" | "icmp" | "sctp" | "ipv6-icmp" | "gre" | "esp") {
        event.set(field::NETWORK_TRANSPORT, name);
    }
}
