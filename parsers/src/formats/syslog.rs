//! A message of which only the envelope is understood: it is kept whole, with host, program and severity, and with the peer and
//! the account that its sentence names.

use event::{Event, Outcome, RawRecord, field};

use crate::{Parser, Sniff, facts};

pub struct Syslog;

impl Parser for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    /// Any text could be a message: this parser takes what the others leave, never more.
    fn sniff(&self, _: RawRecord<'_>) -> Sniff {
        Sniff::No
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        event.set_dataset("syslog");
        event.set(field::EVENT_KIND, "event");
        if !raw.text().is_empty() {
            event.set(field::MESSAGE, raw.text());
            facts::read(event, raw.text());
        }
        Outcome::Parsed
    }
}
