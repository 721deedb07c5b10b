//! Oracle Database audit records of the operating system: audit files (`.aud`) and syslog (`AUDIT_SYSLOG_LEVEL`).
//!
//! Reference: Oracle Database Security Guide, "Operating System Audit Trail"; return codes and action numbers of `AUDIT_ACTIONS`.
//!
//! A value carries its length (`ACTION :[125] '…'`), so SQL text with quotes and newlines in it is read exactly; a length that
//! lies is not believed: then the value ends at its quote.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, text, time};

const PREFIX: &str = "oracle.";

/// Pairs of one record.
const PAIRS_MAX: usize = 64;

pub struct OracleAudit;

impl Parser for OracleAudit {
    fn name(&self) -> &'static str {
        "oracle_audit"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["Oracle Audit", "oracle"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let head = &raw.text().as_bytes()[..raw.text().len().min(80)];
        Sniff::yes_if(crate::text::find(head, b"LENGTH : '").is_some() || crate::text::find(head, b"LENGTH: \"").is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let record = raw.text();
        let (stamp, mut rest) = match time::ctime(record) {
            Some((stamp, rest)) => {
                let (offset, rest) = time::zone_suffix(rest);
                (Some(time::Stamp { offset, ..stamp }), rest)
            }
            // Syslog writes `Oracle Audit[812]: `, a tag with a blank.
            None => (None, crate::text::find(record.as_bytes(), b"LENGTH").map_or(record, |at| &record[at..])),
        };
        let mut count = 0;
        let mut user = "";
        while let Some((key, value, after)) = pair(rest).filter(|_| count < PAIRS_MAX) {
            rest = after;
            count += 1;
            match key {
                "CURRENT_USER" | "CLIENT USER" if !value.is_empty() => user = value,
                "USERID" | "DATABASE USER" if user.is_empty() && value != "/" => user = value,
                _ => {}
            }
            set(event, key, value);
        }
        if count == 0 {
            return Outcome::Unreadable("no Oracle audit record");
        }
        event.set_dataset("oracle.database_audit");
        ecs::classify(event, &["database"], &["access"]);
        event.set(field::EVENT_ACTION, "database_audit");
        crate::linux::software(event, "Oracle", "Oracle Database", "oracle");
        if let Some(stamp) = stamp {
            event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        }
        ecs::user(event, field::USER_NAME, user);
        Outcome::Parsed
    }
}

/// `KEY :[n] 'value'`, `KEY:[n] "value"`, `KEY : 'value'`.
fn pair(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim_start_matches(['\n', '\r', ' ', '\t']);
    let (key, rest) = text::split(text, b':')?;
    let key = key.trim_end();
    if key.len() > 64 || key.contains(['\n', '"', '\'']) {
        return None;
    }
    let rest = rest.trim_start_matches(' ');
    let (length, rest) = match rest.strip_prefix('[').and_then(|inside| text::split(inside, b']')) {
        Some((length, rest)) => (length.parse::<usize>().ok(), rest.trim_start_matches(' ')),
        None => (None, rest),
    };
    let quote = *rest.as_bytes().first().filter(|b| matches!(b, b'\'' | b'"'))?;
    let inside = &rest[1..];
    // A length that lies may point at another quote by chance: behind the true end stands a key, or nothing.
    let exact = length.filter(|length| {
        inside.as_bytes().get(*length) == Some(&quote) && inside.is_char_boundary(*length) && is_key_next(&inside[length + 1..])
    });
    let end = exact.or_else(|| closing(inside, quote)).unwrap_or(inside.len());
    Some((key, &inside[..end], inside.get(end + 1..).unwrap_or_default()))
}

/// `ENTRYID:[1] …`, `DATABASE USER:[1] …`, `PRIVILEGE :[4] …`, or the end.
fn is_key_next(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty()
        || text.split_once(':').is_some_and(|(key, _)| {
            key.len() <= 64
                && key.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b' ' | b'_' | b'$'))
        })
}

/// A quote that is followed by a blank, a line end or nothing.
fn closing(inside: &str, quote: u8) -> Option<usize> {
    let b = inside.as_bytes();
    memchr::memchr_iter(quote, b).find(|at| b.get(at + 1).is_none_or(|b| matches!(b, b' ' | b'\n' | b'\r')))
}

fn set<'r>(event: &mut Event<'r>, key: &'r str, value: &'r str) {
    if value.is_empty() || key.is_empty() {
        return;
    }
    match key {
        "STATUS" | "RETURNCODE" => {
            event.set_present(field::EVENT_CODE, value);
            event.set(field::EVENT_OUTCOME, if value == "0" { "success" } else { "failure" });
        }
        // The machine of the client.
        "USERHOST" => ecs::source(event, value),
        "CLIENT ADDRESS" => {
            ecs::ip_only(event, field::SOURCE_IP, value);
        }
        "OS$USERID" | "CLIENT USER" => {
            event.set(field::SOURCE_USER_NAME, value);
            event.set_named("client.user.name", value);
        }
        "CLIENT TERMINAL" | "TERMINAL" => event.set_present(field::PROCESS_TTY_NAME, value),
        "COMMENT$TEXT" => {
            // `Authenticated by: DATABASE; Client address: (ADDRESS=(PROTOCOL=tcp)(HOST=192.0.2.7)(PORT=51000))`
            if let Some((_, host)) = value.split_once("(HOST=") {
                ecs::ip_only(event, field::SOURCE_IP, host.split(')').next().unwrap_or(host));
            }
            if let Some((_, port)) = value.split_once("(PORT=") {
                event.set_int(field::SOURCE_PORT, port.split(')').next().unwrap_or(port));
            }
        }
        _ => {}
    }
    event.set_extra(PREFIX, key, value);
}
