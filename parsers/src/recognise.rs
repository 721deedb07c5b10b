//! Whole record → envelope → the parser of its payload → event.
//!
//! Which parser reads a payload is decided in this order: the one that configuration fixed; those that claim the program
//! named in the envelope; the one that read the sender's last record, if it is sure again; the first that is sure; the first
//! that says maybe; the plain syslog event. So the memory of a sender only saves work: it never changes what is read.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{PARSERS, Parser, Sniff, envelope};

/// The remembered format of one sender's source. Tiny, so that the pipe can keep one for each of many senders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Index in [`PARSERS`] plus one; 0 = nothing remembered.
    parser: u8,
}

/// Words of the bit set of parsers that say maybe.
const MAYBE_WORDS: usize = 3;

/// The name given to records that no parser reads.
const NONE: &str = "none";

/// Reads a whole record: envelope, then payload. Sets the dataset; returns the name of the parser that read it.
///
/// After `Unreadable` the event holds a quarantined record: dataset `unparsed`, `event.kind` `pipeline_error`, the reason in
/// `error.message`, the text in `message`.
pub fn parse<'r>(
    raw: RawRecord<'r>,
    fixed: Option<&'static dyn Parser>,
    memory: &mut Memory,
    event: &mut Event<'r>,
) -> (Outcome, &'static str) {
    let text = envelope::trim(raw.text());
    if text.is_empty() {
        return quarantine(raw, event, "empty record");
    }
    let envelope = envelope::open(raw.with_text(text), event);
    let payload = raw.with_text(envelope.payload);
    if let Some(parser) = fixed {
        return with_fixed(parser, raw, payload, event);
    }
    if let Some(program) = envelope.program {
        for parser in programs(program) {
            if read(*parser, payload, event) {
                return (Outcome::Parsed, parser.name());
            }
        }
    }
    if let Some(parser) = sniffed(payload, memory, event) {
        return (Outcome::Parsed, parser.name());
    }
    if envelope.is_some {
        let syslog = &crate::formats::syslog::Syslog;
        return (syslog.parse(payload, event), syslog.name());
    }
    quarantine(raw, event, "no parser recognises this line")
}

/// A configured parser gets the payload; a line of the same sender that it cannot read is kept with the reason.
fn with_fixed<'r>(
    parser: &'static dyn Parser,
    raw: RawRecord<'r>,
    payload: RawRecord<'r>,
    event: &mut Event<'r>,
) -> (Outcome, &'static str) {
    let mark = event.mark();
    match parser.parse(payload, event) {
        Outcome::Parsed => (Outcome::Parsed, parser.name()),
        Outcome::Unreadable(reason) => {
            event.rewind(mark);
            quarantine(raw, event, reason)
        }
    }
}

fn sniffed<'r>(payload: RawRecord<'r>, memory: &mut Memory, event: &mut Event<'r>) -> Option<&'static dyn Parser> {
    if let Some(parser) = PARSERS.get(usize::from(memory.parser).wrapping_sub(1))
        && parser.sniff(payload) == Sniff::Yes
        && read(*parser, payload, event)
    {
        return Some(*parser);
    }
    let mut maybe = [0u64; MAYBE_WORDS];
    for (at, parser) in PARSERS.iter().enumerate() {
        match parser.sniff(payload) {
            Sniff::No => {}
            Sniff::Maybe => maybe[at / 64] |= 1 << (at % 64),
            Sniff::Yes => {
                if read(*parser, payload, event) {
                    memory.parser = at as u8 + 1;
                    return Some(*parser);
                }
            }
        }
    }
    PARSERS
        .iter()
        .enumerate()
        .filter(|(at, _)| maybe[at / 64] & (1 << (at % 64)) != 0)
        .map(|(_, parser)| *parser)
        .find(|parser| read(*parser, payload, event))
}

/// Tries a parser; leaves no trace of it in the event when it fails.
fn read<'r>(parser: &'static dyn Parser, payload: RawRecord<'r>, event: &mut Event<'r>) -> bool {
    let mark = event.mark();
    if parser.parse(payload, event) == Outcome::Parsed {
        return true;
    }
    event.rewind(mark);
    false
}

fn quarantine<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, reason: &'static str) -> (Outcome, &'static str) {
    event.set_dataset("unparsed");
    event.set(field::EVENT_KIND, "pipeline_error");
    event.set(field::ERROR_MESSAGE, reason);
    event.set_present(field::MESSAGE, raw.text());
    (Outcome::Unreadable(reason), NONE)
}

/// The parsers that claim a program; names are compared without path and in any case.
fn programs(program: &str) -> &'static [&'static dyn Parser] {
    type Claim = (&'static str, Vec<&'static dyn Parser>);
    static BY_LENGTH: LazyLock<[Vec<Claim>; 32]> = LazyLock::new(|| {
        let mut table: [Vec<Claim>; 32] = Default::default();
        for parser in PARSERS {
            for name in parser.programs() {
                let bucket = &mut table[name.len() % 32];
                match bucket.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                    Some((_, parsers)) => parsers.push(*parser),
                    None => bucket.push((name, vec![*parser])),
                }
            }
        }
        table
    });
    let name = program.rsplit('/').next().unwrap_or(program);
    let bucket = &BY_LENGTH[name.len() % 32];
    bucket.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(&[], |(_, parsers)| parsers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_fits_its_bit_set_and_has_no_doubles() {
        assert!(PARSERS.len() < 64 * MAYBE_WORDS && PARSERS.len() < usize::from(u8::MAX));
        let mut names: Vec<_> = PARSERS.iter().map(|parser| parser.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PARSERS.len());
        assert!(names.iter().all(|name| crate::by_name(name).is_some()));
        assert!(crate::by_name("no_such").is_none());
    }

    #[test]
    fn programs_are_found_without_path_and_case() {
        assert_eq!(programs("sshd")[0].name(), "sshd");
        assert_eq!(programs("/usr/sbin/CRON")[0].name(), "cron");
        assert!(programs("").is_empty() && programs("unheard-of").is_empty());
    }
}
