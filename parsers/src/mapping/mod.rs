//! A format without code: one TOML file says how a line is cut and which piece is which field; [`compile`] makes a parser of
//! it that runs like the built-in ones.
//!
//! ```text
//! mapping.toml ──compile──▶ Mapping (implements Parser)      line ──cut──▶ (key, value) ──▶ fields, maps, conditions ──▶ Event
//!      └── [[test]] ──Mapping::failures──▶ what differs            pattern | json | pairs | csv
//! ```
//!
//! The file (see `mappings/*.toml` for whole ones):
//!
//! | Part | Says |
//! |---|---|
//! | `name`, `dataset`, `prefix` | names of the parser, of the dataset, and of what no field takes (ends in a dot) |
//! | `format` | `pattern`, `json`, `pairs` or `csv` |
//! | `[match]` | `programs` (syslog), `starts` (any of them begins the payload), `contains` (all of them stand near its start) |
//! | `[[pattern]]` | `text` with captures `{key}`, `{key:shape}`; `set` for this pattern only; tried in order |
//! | `[pairs]`, `[csv]` | `separator`; `columns` |
//! | `[json]` | `open`: paths whose lists of objects, or strings that hold JSON, are gone into |
//! | `[fields]` | key or JSON path → field, `["several", "fields"]`, or `{ to = …, as = …, map = … }` |
//! | `[maps.<name>]` | words of the vendor → words of the field; `default` for all others |
//! | `[time]` | `formats` (strftime) beside those that are always read; `zone` for stamps that name none |
//! | `[set]`, `[[when]]` | constant fields; constants for lines whose `key` `is` one of some words |
//! | `[[test]]` | `line` and what it must give: `expect` (fields), `absent`, or `unreadable = true` |
//!
//! Pure: no file, no clock. Bounded: sizes, counts and steps are the constants of this module and of [`pattern`]. Names live
//! as long as the program ([`intern`]), so a file that is loaded again takes no more memory than before.
//!
//! Not here: the folder the files lie in, reloading, the commands.

mod document;
mod intern;
pub mod pattern;
mod target;

use std::fmt;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, csv,
    formats::json::object,
    json::{self, Leaf},
    kv::{Pairs, Separator},
    text,
};
use pattern::Pattern;
use target::{Constant, Target, Times};

/// Bytes of a mapping file.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Keys that one mapping may name.
pub const KEYS_MAX: usize = 256;

/// Patterns, conditions, maps, tests of one file, each.
pub const ENTRIES_MAX: usize = 512;

/// Pieces of one line that are looked at.
const PIECES_MAX: usize = 512;

/// Elements of an opened list.
const ELEMENTS_MAX: usize = 32;

/// Bytes in which the words of `[match]` are looked for.
const HEAD: usize = 4096;

/// Something in a mapping file that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from one, in characters.
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Makes a parser of a mapping file; all of its problems, in the order of the file, when it is none.
pub fn compile(file: &str) -> Result<Mapping, Vec<Problem>> {
    document::compile(file)
}

/// How a line is cut.
#[derive(Debug)]
enum Cut {
    Pattern(Vec<(Pattern, Vec<Constant>)>),
    Json { open: Vec<&'static str> },
    Pairs { separator: Separator },
    Split { separator: u8, equals: u8 },
    Csv { separator: u8, columns: Vec<&'static str> },
}

/// A condition and its constants.
#[derive(Debug)]
struct When {
    slot: usize,
    is: Vec<&'static str>,
    set: Vec<Constant>,
}

/// A line of the file's own tests.
#[derive(Debug)]
struct Test {
    line: String,
    place: usize,
    expect: Vec<(String, String)>,
    absent: Vec<String>,
    unreadable: bool,
}

/// A compiled mapping.
#[derive(Debug)]
pub struct Mapping {
    name: &'static str,
    dataset: &'static str,
    prefix: &'static str,
    programs: &'static [&'static str],
    starts: Vec<&'static str>,
    contains: Vec<memchr::memmem::Finder<'static>>,
    cut: Cut,
    keys: Keys,
    times: Times,
    set: Vec<Constant>,
    when: Vec<When>,
    tests: Vec<Test>,
}

/// The keys that a mapping names: each has a slot and targets.
#[derive(Debug)]
struct Keys {
    table: crate::keys::KeyTable<u16>,
    targets: Vec<Vec<Target>>,
}

/// A test of the file that did not come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Line of the `[[test]]` in the file.
    pub line: usize,
    pub message: String,
}

impl Mapping {
    /// Runs the file's own tests; nothing comes back when all pass.
    pub fn failures(&'static self) -> Vec<Failure> {
        self.tests.iter().filter_map(|test| self.failure(test)).collect()
    }

    /// Number of tests in the file.
    pub fn tests(&self) -> usize {
        self.tests.len()
    }

    fn failure(&'static self, test: &Test) -> Option<Failure> {
        let fail = |message| Some(Failure { line: test.place, message });
        // 2026-11-23T12:00:00Z in UTC: tests give the same everywhere.
        const RECEIVED: i64 = 1_795_435_200_000_000;
        let arena = bumpalo::Bump::new();
        let line: &str = arena.alloc_str(&test.line);
        let mut event = Event::new(&arena);
        let raw = RawRecord::new(line.as_bytes(), line, RECEIVED, chrono_tz::Tz::UTC);
        let (outcome, _) = crate::parse(raw, Some(self), &mut crate::Memory::default(), &mut event);
        match (outcome, test.unreadable) {
            (Outcome::Parsed, true) => return fail("the line was read, but should not be".to_owned()),
            (Outcome::Unreadable(_), true) => return None,
            (Outcome::Unreadable(reason), false) => return fail(format!("the line could not be read: {reason}")),
            (Outcome::Parsed, false) => {}
        }
        let members = crate::render::members(&event);
        let plain = |text: &str| {
            text.strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
                .unwrap_or(text)
                .replace("\\\\", "\\")
                .replace("\\\"", "\"")
        };
        for (name, expected) in &test.expect {
            match members.get(name) {
                None => return fail(format!("{name} is missing, expected {expected:?}")),
                Some(text) => {
                    let is_in_list =
                        text.starts_with('[') && text[1..text.len() - 1].split(',').any(|element| plain(element) == *expected);
                    if plain(text) != *expected && !is_in_list {
                        return fail(format!("{name} is {text}, expected {expected:?}"));
                    }
                }
            }
        }
        let unwanted = test.absent.iter().find(|name| members.contains_key(*name))?;
        fail(format!("{unwanted} should be absent, is {}", members[unwanted]))
    }
}

impl Parser for Mapping {
    fn name(&self) -> &'static str {
        self.name
    }

    fn programs(&self) -> &'static [&'static str] {
        self.programs
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let payload = raw.text();
        if self.starts.is_empty() && self.contains.is_empty() {
            return Sniff::No;
        }
        let head = &payload.as_bytes()[..payload.len().min(HEAD)];
        let starts = self.starts.is_empty() || self.starts.iter().any(|start| payload.starts_with(start));
        Sniff::yes_if(starts && self.contains.iter().all(|word| word.find(head).is_some()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let mut line = Line { mapping: self, raw, slots: [None; KEYS_MAX], start: event.fields().len(), pieces: 0 };
        let mut extra: &[Constant] = &[];
        match &self.cut {
            Cut::Pattern(patterns) => {
                let Some((found, set)) = patterns.iter().find_map(|(pattern, set)| Some((pattern.find(raw.text(), raw)?, set)))
                else {
                    return Outcome::Unreadable("no pattern of the mapping fits the line");
                };
                extra = set;
                for (key, value, is_quoted) in found.captures() {
                    let value = if is_quoted { text::unescape(event, value, |c| c == '"' || c == '\\') } else { value };
                    line.take(event, key, value);
                }
            }
            Cut::Json { open } => {
                let Some(object) = object(raw.text()) else { return Outcome::Unreadable("no JSON object") };
                let report = json::flatten(event.arena(), object, &mut |name, leaf| line.leaf(event, open, name, leaf, 0));
                if report.is_err() {
                    return Outcome::Unreadable("malformed JSON");
                }
            }
            Cut::Pairs { separator } => {
                for pair in Pairs::new(raw.text(), *separator) {
                    let value = pair.value(event);
                    line.take(event, pair.key, value);
                }
                if line.pieces == 0 {
                    return Outcome::Unreadable("no key=value pairs");
                }
            }
            Cut::Split { separator, equals } => {
                for part in raw.text().split(char::from(*separator)) {
                    if let Some((key, value)) = text::split(part, *equals) {
                        line.take(event, key.trim(), value.trim());
                    }
                }
                if line.pieces == 0 {
                    return Outcome::Unreadable("no pairs");
                }
            }
            Cut::Csv { separator, columns } => {
                let mut fields = csv::Fields::new(raw.text(), *separator);
                for column in columns {
                    let Some(value) = fields.next() else { break };
                    let value = value.value(event);
                    if !column.is_empty() {
                        line.take(event, column, value.trim());
                    }
                }
                if line.pieces < 2 && columns.len() > 1 {
                    return Outcome::Unreadable("no separated values");
                }
            }
        }
        line.finish(event, extra);
        event.set_dataset(self.dataset);
        if !event.has(field::EVENT_KIND) {
            event.set(field::EVENT_KIND, "event");
        }
        Outcome::Parsed
    }
}

struct Line<'m, 'r> {
    mapping: &'m Mapping,
    raw: RawRecord<'r>,
    slots: [Option<&'r str>; KEYS_MAX],
    /// Fields that the envelope had set.
    start: usize,
    pieces: usize,
}

impl<'r> Line<'_, 'r> {
    /// One piece of the line: kept under the prefix, and remembered where the mapping names its key.
    fn take(&mut self, event: &mut Event<'r>, key: &'r str, value: &'r str) {
        if key.is_empty() || key.len() > crate::ecs::NAME_BYTES_MAX {
            return event.problem("a key that is empty or too long was left out");
        }
        self.pieces += 1;
        if self.pieces > PIECES_MAX {
            if self.pieces == PIECES_MAX + 1 {
                event.problem("more keys than a line may have: the rest was left out");
            }
            return;
        }
        let slot = self.mapping.keys.table.get(key);
        if let Some(slot) = slot {
            let known = &mut self.slots[usize::from(slot)];
            if known.is_none_or(crate::ecs::is_nothing) {
                *known = Some(value);
            }
        }
        // A key that is a field's own name needs no second copy.
        if Field::by_name(key).is_none() || slot.is_none() {
            event.set_extra(self.mapping.prefix, key, value);
        }
    }

    fn leaf(&mut self, event: &mut Event<'r>, open: &[&'static str], name: &'r str, leaf: Leaf<'r>, depth: usize) {
        if depth == 0 {
            self.take(event, name, leaf.text());
        } else if let Some(slot) = self.mapping.keys.table.get(name) {
            self.slots[usize::from(slot)].get_or_insert(leaf.text());
        }
        if depth > 3 || !open.contains(&name) {
            return;
        }
        let arena = event.arena();
        let inside = leaf.text().trim_start();
        let object = |line: &mut Self, event: &mut Event<'r>, inside: &'r str| {
            let _ = json::flatten(arena, inside, &mut |member, leaf| {
                if name.len() + member.len() < crate::ecs::NAME_BYTES_MAX {
                    let path = text::concat(arena, [name, ".", member]);
                    line.leaf(event, open, path, leaf, depth + 1);
                }
            });
        };
        if inside.starts_with('{') {
            object(self, event, inside);
        } else {
            let mut left = ELEMENTS_MAX;
            json::elements(arena, inside, &mut |leaf| {
                if left > 0 && leaf.text().starts_with('{') {
                    left -= 1;
                    object(self, event, leaf.text());
                }
            });
        }
    }

    fn finish(&self, event: &mut Event<'r>, extra: &[Constant]) {
        for constant in &self.mapping.set {
            constant.set(event);
        }
        for (slot, targets) in self.mapping.keys.targets.iter().enumerate() {
            let Some(value) = self.slots[slot].filter(|value| !crate::ecs::is_nothing(value)) else { continue };
            for target in targets {
                target.set(self.raw, event, self.start, &self.mapping.times, value);
            }
        }
        for constant in extra {
            constant.set(event);
        }
        for when in &self.mapping.when {
            let is = self.slots[when.slot].is_some_and(|value| when.is.iter().any(|word| word.eq_ignore_ascii_case(value)));
            if is {
                when.set.iter().for_each(|constant| constant.set(event));
            }
        }
    }
}

/// Sets a value that is no text, for the targets.
fn set_value<'r>(event: &mut Event<'r>, field: Field, value: Value<'r>) {
    event.set(field, value);
}

#[cfg(test)]
mod tests;
