//! Whole record → envelope → the parser of its payload → event.
//!
//! Which parser reads a payload is decided in this order: the one that configuration fixed; the installation's own mappings that
//! claim it ([`Formats`]); those that claim the program named in the envelope; the one that read the sender's last record, if it is sure again; the first that is sure; the first
//! that says maybe; the plain syslog event. So the memory of a sender only saves work: it never changes what is read.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{Look, PARSERS, Parser, Sniff, envelope, mapping::Mapping};

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

/// What an installation can read: mappings of its own, then [`PARSERS`].
///
/// A mapping that claims a line (by program or by its `[match]`) is asked before every built-in parser, so that an operator can
/// mend what a built-in one gets wrong.
#[derive(Clone, Debug, Default)]
pub struct Formats {
    own: Vec<&'static Mapping>,
}

impl Formats {
    /// Takes mappings, the first of a name wins. They live as long as the program.
    pub fn new(own: Vec<&'static Mapping>) -> Self {
        Self { own }
    }

    pub fn own(&self) -> &[&'static Mapping] {
        &self.own
    }

    /// Finds a parser by the name that configuration gives it.
    pub fn by_name(&self, name: &str) -> Option<&'static dyn Parser> {
        let own = self.own.iter().find(|mapping| mapping.name() == name);
        own.map(|mapping| *mapping as &'static dyn Parser).or_else(|| crate::by_name(name))
    }

    /// All names, the installation's own first.
    pub fn names(&self) -> Vec<&'static str> {
        self.own.iter().map(|mapping| mapping.name()).chain(PARSERS.iter().map(|parser| parser.name())).collect()
    }

    /// Reads a whole record, see [`parse`].
    pub fn parse<'r>(
        &self,
        raw: RawRecord<'r>,
        fixed: Option<&'static dyn Parser>,
        memory: &mut Memory,
        event: &mut Event<'r>,
    ) -> (Outcome, &'static str) {
        parse_with(&self.own, raw, fixed, memory, event)
    }
}

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
    parse_with(&[], raw, fixed, memory, event)
}

fn parse_with<'r>(
    own: &[&'static Mapping],
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
    for mapping in own {
        let claims = envelope.program.is_some_and(|program| {
            mapping.programs().iter().any(|name| name.eq_ignore_ascii_case(program.rsplit('/').next().unwrap_or(program)))
        });
        if (claims || mapping.sniff(payload) == Sniff::Yes) && read(*mapping, payload, event) {
            return (Outcome::Parsed, mapping.name());
        }
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
    let look = Look::new(payload);
    if let Some(parser) = PARSERS.get(usize::from(memory.parser).wrapping_sub(1))
        && parser.sniff_shared(&look) == Sniff::Yes
        && read(*parser, payload, event)
    {
        return Some(*parser);
    }
    let mut maybe = [0u64; MAYBE_WORDS];
    for at in asked(payload.text()) {
        let (at, parser) = (usize::from(*at), PARSERS[usize::from(*at)]);
        match parser.sniff_shared(&look) {
            Sniff::No => {}
            Sniff::Maybe => maybe[at / 64] |= 1 << (at % 64),
            Sniff::Yes => {
                if read(parser, payload, event) {
                    memory.parser = at as u8 + 1;
                    return Some(parser);
                }
            }
        }
    }
    for (word, bits) in maybe.into_iter().enumerate() {
        let mut bits = bits;
        while bits != 0 {
            let parser = PARSERS[word * 64 + bits.trailing_zeros() as usize];
            if read(parser, payload, event) {
                return Some(parser);
            }
            bits &= bits - 1;
        }
    }
    None
}

/// The parsers, as places in [`PARSERS`], that may say anything but no to a text that begins as this one does.
fn asked(text: &str) -> &'static [u8] {
    static BY_FIRST: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let may = |parser: &dyn Parser, first: u8| parser.starts().is_empty() || parser.starts().contains(&first);
        let all = || PARSERS.iter().zip(0..);
        (0..=u8::MAX).map(|first| all().filter(|(parser, _)| may(**parser, first)).map(|(_, at)| at).collect()).collect()
    });
    text.as_bytes().first().map_or(&[], |first| BY_FIRST[usize::from(*first)].as_slice())
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
    fn own_mappings_come_first() {
        let file = "name = \"door\"\ndataset = \"door\"\nprefix = \"door.\"\nformat = \"pattern\"\n[match]\nprograms = [\"sshd\"]\n\
                    [[pattern]]\ntext = \"open {who}\"\n[fields]\nwho = \"user.name\"\n";
        let mapping: &'static Mapping = Box::leak(Box::new(crate::mapping::compile(file).unwrap()));
        let formats = Formats::new(vec![mapping]);
        let name = |line: &str| {
            let arena = bumpalo::Bump::new();
            let mut event = Event::new(&arena);
            let raw = RawRecord::new(line.as_bytes(), line, crate::testing::RECEIVED, chrono_tz::Tz::UTC);
            formats.parse(raw, None, &mut Memory::default(), &mut event).1
        };
        assert_eq!(name("<38>Nov 23 10:00:00 h sshd[1]: open lan"), "door");
        assert_eq!(name("<38>Nov 23 10:00:00 h sshd[1]: Invalid user x from 192.0.2.1 port 1"), "sshd");
        assert_eq!(name("<38>Nov 23 10:00:00 h other[1]: open lan"), "syslog");
        assert_eq!((formats.by_name("door").unwrap().name(), formats.by_name("sshd").unwrap().name()), ("door", "sshd"));
    }

    #[test]
    fn programs_are_found_without_path_and_case() {
        assert_eq!(programs("sshd")[0].name(), "sshd");
        assert_eq!(programs("/usr/sbin/CRON")[0].name(), "cron");
        assert!(programs("").is_empty() && programs("unheard-of").is_empty());
    }
}
