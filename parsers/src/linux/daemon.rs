//! A daemon whose messages are sentences: a [`Daemon`] is a parser made of its names and a table of patterns.
//!
//! A message that the table does not know is kept, with the peer and the account that it names ([`facts`]). Lines of the
//! daemon's own log file, with a stamp of their own in front, are read as well.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, facts, linux, pattern, pattern::Table, stamps};

/// What differs from daemon to daemon.
pub struct Daemon {
    pub name: &'static str,
    pub programs: &'static [&'static str],
    pub dataset: &'static str,
    pub vendor: &'static str,
    pub product: &'static str,
    pub process: &'static str,
    /// `network.protocol`, or nothing.
    pub protocol: &'static str,
    /// Category of messages that the table does not know.
    pub category: &'static str,
    /// Action of messages that the table does not know.
    pub action: &'static str,
    pub table: &'static LazyLock<Table>,
    /// Whether a message is surely this daemon's where no program is named.
    pub is_sure: fn(&str) -> bool,
    /// Takes what stands in front of the sentence off, and may set fields from it.
    pub strip: for<'r> fn(&mut Event<'r>, &'r str) -> &'r str,
}

/// Nothing stands in front.
pub fn bare<'r>(_: &mut Event<'r>, message: &'r str) -> &'r str {
    message
}

impl Daemon {
    fn body<'t>(&self, raw: RawRecord<'t>) -> (Option<i64>, &'t str) {
        let text = raw.text().trim_start_matches(' ');
        match stamps::leading(text, raw) {
            Some((micros, rest)) => (Some(micros), rest.trim_start_matches([' ', ':', '-', ','])),
            None => (None, text),
        }
    }
}

impl Parser for Daemon {
    fn name(&self) -> &'static str {
        self.name
    }

    fn programs(&self) -> &'static [&'static str] {
        self.programs
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if((self.is_sure)(self.body(raw).1))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let (stamp, body) = self.body(raw);
        if let Some(micros) = stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        let message = linux::begin(raw.with_text(body), event, self.dataset);
        linux::software(event, self.vendor, self.product, self.process);
        if !self.protocol.is_empty() {
            event.set(field::NETWORK_PROTOCOL, self.protocol);
        }
        let message = (self.strip)(event, message);
        if !linux::pam::read(event, message) && !self.table.read(event, message) {
            if !event.has(field::EVENT_ACTION) {
                event.set(field::EVENT_ACTION, self.action);
            }
            pattern::words(event, field::EVENT_CATEGORY, self.category);
            event.set(field::EVENT_TYPE, "info");
            facts::read(event, message);
        }
        Outcome::Parsed
    }
}
