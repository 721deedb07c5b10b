//! Windows events as Snare agents send them: `MSWinEventLog` and fields between tabs, the text of the event among them.
//!
//! Reference: Prophecy (InterSect Alliance), "Snare for Windows: Event Output Format": criticality, log, counter, time, event
//! id, source, account, kind of account, result, computer, category, data, expanded text, counter. Relays that do not pass
//! tabs write `#011`; NXLog's `to_syslog_snare()` writes the same fields.
//!
//! The data fields are read from the text ([`windows::message`]).

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs, time,
    windows::{self, Data, Header},
};

const MARK: &str = "MSWinEventLog";

pub struct Snare;

impl Parser for Snare {
    fn name(&self) -> &'static str {
        "snare"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[MARK]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((separator, rest)) = start(raw.text()) else {
            return Outcome::Unreadable("no MSWinEventLog");
        };
        let mut fields = rest.split(separator);
        let mut next = || fields.next().unwrap_or_default();
        let (criticality, channel, counter, stamp, id, provider) = (next(), next(), next(), next(), next(), next());
        let (account, kind, result, computer, category, _data) = (next(), next(), next(), next(), next(), next());
        let text = next();
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) {
            return Outcome::Unreadable("no event id");
        }
        let header =
            Header { provider, channel, event_id: id, computer, outcome: result, task_name: category, ..Header::default() };
        let mut data = Data::default();
        event.set_present(field::MESSAGE, text.trim());
        windows::message::read(event, &mut data, id.parse().unwrap_or(0), text);
        windows::finish(raw, event, &header, &data);
        match time::ctime(stamp) {
            Some((stamp, _)) => event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw))),
            None => event.problem("the time could not be read"),
        }
        let level = match criticality {
            "0" => "information",
            "1" => "notice",
            "2" => "warning",
            "3" => "error",
            "4" => "critical",
            _ => "",
        };
        event.set_present(field::LOG_LEVEL, level);
        for (key, value) in [("criticality", criticality), ("counter", counter), ("sid_type", kind), ("result", result)] {
            if !value.is_empty() {
                event.set_extra("snare.", key, value);
            }
        }
        if !event.has(field::USER_NAME) && !ecs::is_nothing(account) {
            let (name, domain) = match account.split_once('\\') {
                Some((domain, name)) => (name, domain),
                None => (account, ""),
            };
            ecs::user(event, field::USER_NAME, name);
            event.set_present(field::USER_DOMAIN, domain);
        }
        Outcome::Parsed
    }
}

/// The separator and what follows the mark. Relays put their own words before it.
fn start(text: &str) -> Option<(&'static str, &str)> {
    let head = &text.as_bytes()[..text.len().min(160)];
    let at = crate::text::find(head, MARK.as_bytes())?;
    let rest = &text[at + MARK.len()..];
    ["\t", "#011"].iter().find_map(|separator| Some((*separator, rest.strip_prefix(separator)?)))
}
