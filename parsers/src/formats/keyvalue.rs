//! Lines of `key=value` pairs of no known vendor, in any quoting, separated by blanks, commas or semicolons.
//!
//! Keys are kept under `keyvalue.<key>`: words of an unknown vendor are not ECS names. Those whose meaning is common to many
//! devices (`src`, `dst`, `user` …) fill ECS beside.

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    kv::{Pairs, Separator},
    stamps, text, time,
};

const PREFIX: &str = "keyvalue.";

/// Pairs that a text must have to be taken for this format when nobody says it is.
const PAIRS_MIN: usize = 3;

pub struct KeyValue;

impl Parser for KeyValue {
    fn name(&self) -> &'static str {
        "keyvalue"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let mut pairs = Pairs::new(raw.text(), Separator::Any);
        let found = pairs.by_ref().take(PAIRS_MIN).filter(|pair| is_key(pair.key)).count();
        Sniff::maybe_if(found >= PAIRS_MIN && pairs.skipped() <= 2)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let mut pairs = Pairs::new(raw.text(), Separator::Any);
        let mut line = Line::default();
        let mut count = 0;
        for pair in pairs.by_ref() {
            count += 1;
            let value = pair.value(event);
            event.set_extra(PREFIX, pair.key, value);
            if !ecs::is_nothing(value)
                && let Some(means) = WORDS.get(text::lower(event, pair.key))
            {
                set(event, &mut line, means, value);
            }
        }
        if count == 0 {
            return Outcome::Unreadable("no key=value pairs");
        }
        if let Some(problem) = pairs.problem() {
            event.problem(problem);
        }
        event.set_dataset("keyvalue");
        event.set(field::EVENT_KIND, "event");
        line.finish(raw, event);
        Outcome::Parsed
    }
}

fn is_key(key: &str) -> bool {
    key.len() <= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@' | b':'))
}

#[derive(Clone, Copy)]
enum Means {
    Text(Field),
    Int(Field),
    User(Field),
    Source,
    Destination,
    Host,
    Protocol,
    Outcome,
    Time,
    Date,
    Clock,
    Message,
}

static WORDS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("src", Source),
        ("srcip", Source),
        ("src_ip", Source),
        ("source_ip", Source),
        ("sourceip", Source),
        ("client_ip", Source),
        ("rhost", Source),
        ("remote_addr", Source),
        ("remote_ip", Source),
        ("clientip", Source),
        ("dst", Destination),
        ("dstip", Destination),
        ("dst_ip", Destination),
        ("dest_ip", Destination),
        ("destination_ip", Destination),
        ("srcport", Int(field::SOURCE_PORT)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("sport", Int(field::SOURCE_PORT)),
        ("spt", Int(field::SOURCE_PORT)),
        ("dstport", Int(field::DESTINATION_PORT)),
        ("dst_port", Int(field::DESTINATION_PORT)),
        ("dport", Int(field::DESTINATION_PORT)),
        ("dpt", Int(field::DESTINATION_PORT)),
        ("proto", Protocol),
        ("protocol", Protocol),
        ("user", User(field::USER_NAME)),
        ("username", User(field::USER_NAME)),
        ("user_name", User(field::USER_NAME)),
        ("usr", User(field::USER_NAME)),
        ("uname", User(field::USER_NAME)),
        ("host", Host),
        ("hostname", Host),
        ("devname", Host),
        ("device_name", Host),
        ("action", Text(field::EVENT_ACTION)),
        ("act", Text(field::EVENT_ACTION)),
        ("level", Text(field::LOG_LEVEL)),
        ("lvl", Text(field::LOG_LEVEL)),
        ("pri", Text(field::LOG_LEVEL)),
        ("reason", Text(field::EVENT_REASON)),
        ("url", Text(field::URL_ORIGINAL)),
        ("method", Text(field::HTTP_REQUEST_METHOD)),
        ("rule", Text(field::RULE_NAME)),
        ("policyid", Text(field::RULE_ID)),
        ("pid", Int(field::PROCESS_PID)),
        ("sentbyte", Int(field::SOURCE_BYTES)),
        ("rcvdbyte", Int(field::DESTINATION_BYTES)),
        ("status", Outcome),
        ("result", Outcome),
        ("outcome", Outcome),
        ("time", Clock),
        ("date", Date),
        ("timestamp", Time),
        ("ts", Time),
        ("t", Time),
        ("eventtime", Time),
        ("msg", Message),
        ("message", Message),
    ])
});

#[derive(Default)]
struct Line<'r> {
    time: &'r str,
    date: &'r str,
    clock: &'r str,
}

fn set<'r>(event: &mut Event<'r>, line: &mut Line<'r>, means: Means, value: &'r str) {
    match means {
        Means::Text(field) => event.set(field, value),
        Means::Int(field) => drop(event.set_int(field, value)),
        Means::User(field) => ecs::user(event, field, value),
        Means::Source => peer(event, value, field::SOURCE_PORT, ecs::source),
        Means::Destination => peer(event, value, field::DESTINATION_PORT, ecs::destination),
        Means::Host => ecs::host(event, value),
        Means::Protocol => match value.parse::<u8>() {
            Ok(number) => ecs::protocol(event, i64::from(number)),
            Err(_) => event.set(field::NETWORK_TRANSPORT, text::lower(event, value)),
        },
        Means::Outcome => {
            if let Some(outcome) = ecs::outcome_word(value) {
                event.set(field::EVENT_OUTCOME, outcome);
            }
        }
        Means::Time => line.time = value,
        Means::Date => line.date = value,
        Means::Clock => line.clock = value,
        Means::Message => event.set(field::MESSAGE, value),
    }
}

/// `203.0.113.7`, `203.0.113.7:51234` or a name.
fn peer<'r>(event: &mut Event<'r>, value: &'r str, port_field: Field, set: fn(&mut Event<'r>, &'r str)) {
    if ecs::ip(value).is_none()
        && let Some((address, port)) = value.rsplit_once(':')
        && ecs::ip(address).is_some()
    {
        set(event, address);
        event.set_int(port_field, text::digits(port).0);
        return;
    }
    set(event, value);
}

impl<'r> Line<'r> {
    fn finish(&self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        let time = if !self.time.is_empty() {
            time::any(self.time, raw)
        } else if !self.date.is_empty() && !self.clock.is_empty() {
            time::any(text::join(event, self.date, " ", self.clock), raw)
        } else {
            // Else the stamp that stands in front of the pairs.
            time::any(self.clock, raw).or_else(|| stamps::leading(raw.text(), raw).map(|(micros, _)| micros))
        };
        if let Some(time) = time {
            event.set(field::TIMESTAMP, Value::Time(time));
        }
    }
}
