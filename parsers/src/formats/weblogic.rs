//! Oracle WebLogic server and domain log: `####<time> <severity> <subsystem> <machine> <server> <thread> <user> … <BEA-000000> <text>`.
//!
//! Reference: Oracle "Configuring Log Files and Filtering Log Messages for WebLogic Server", "Server Log Entries"; since 12.2.1 a
//! field of attributes stands before the message id.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, text, time};

const PREFIX: &str = "weblogic.";

/// Bracketed fields of one entry.
const FIELDS_MAX: usize = 16;

pub struct WebLogic;

impl Parser for WebLogic {
    fn name(&self) -> &'static str {
        "weblogic"
    }

    fn starts(&self) -> &'static [u8] {
        b"#"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(raw.text().starts_with("####<"))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(rest) = raw.text().strip_prefix("####") else { return Outcome::Unreadable("no WebLogic entry") };
        event.set_dataset("weblogic.log");
        ecs::classify(event, &["web"], &["info"]);
        crate::linux::software(event, "Oracle", "WebLogic", "weblogic");
        let mut fields = [""; FIELDS_MAX];
        let mut count = 0;
        let mut rest = rest;
        while let Some(inside) = rest.trim_start().strip_prefix('<').filter(|_| count < FIELDS_MAX) {
            // The text comes last and may hold anything; the others end at `> <`.
            let end = crate::text::find(inside.as_bytes(), b"> <");
            let (value, after) = match end {
                Some(at) => (&inside[..at], &inside[at + 2..]),
                None => (inside.trim_end().trim_end_matches('>'), ""),
            };
            fields[count] = value.trim();
            count += 1;
            rest = after;
            // A thread name may itself stand in brackets: `<[ACTIVE] ExecuteThread: …>` needs no care, `<> ` is an empty field.
        }
        const NAMES: [&str; 9] =
            ["", "", "subsystem", "machine", "server", "thread", "user", "transaction", "diagnostic_context"];
        for (at, name) in NAMES.iter().enumerate() {
            let value = fields[at];
            if value.is_empty() || name.is_empty() {
                continue;
            }
            match *name {
                "machine" => ecs::host(event, value),
                "user" => ecs::user(event, field::USER_NAME, text::strip_pair(value, '<', '>')),
                "server" => event.set(field::SERVICE_NAME, value),
                _ => {}
            }
            event.set_extra(PREFIX, name, value);
        }
        event.set_present(field::LOG_LEVEL, text::lower(event, fields[1]));
        if matches!(fields[1], "Error" | "Critical" | "Alert" | "Emergency") {
            event.set(field::EVENT_TYPE, "error");
        }
        for value in &fields[9..count.max(9)] {
            if value.starts_with("BEA-") {
                event.set(field::EVENT_CODE, *value);
            } else if value.len() == 13
                && let Some(micros) = time::epoch(value)
            {
                event.set(field::TIMESTAMP, Value::Time(micros));
            }
        }
        if count > 9 {
            let message = fields[count - 1];
            event.set_present(field::MESSAGE, message);
            facts::read(event, message);
        }
        Outcome::Parsed
    }
}
