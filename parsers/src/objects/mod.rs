//! Products that send JSON objects of their own shape, as data: which path of the object is which field of ECS.
//!
//! ```text
//! {"device":{"name":"PC-09"},"user":"TINH\\an","files":[{"sha1":"…"}]}
//!   rows: ("device.name", Host("host.name")), ("user", Account("user")), ("files.sha1", Hash("file.hash"))   open: ["files"]
//! ```
//!
//! Every value is kept verbatim under the product's prefix; rows set ECS beside it. Rows are tried in their order and a field
//! that a row of this product has set stays, so the first of several sources wins. What several values decide together is
//! the product's own [`Product::finish`].
//!
//! Not a query language: a path is the dotted name that flattening gives. Lists of objects and strings that hold JSON are
//! gone into only where the product names them ([`Product::open`]), bounded by [`ELEMENTS_MAX`].

use std::sync::OnceLock;

use event::{Event, Field, Kind, Outcome, RawRecord, Value, field};

use crate::{
    Look, OBJECT, Parser, Sniff, ecs,
    formats::json::object,
    json::{self, Leaf},
    keys::KeyTable,
    look::{self, Marks},
    text, time, web,
};

/// Elements of a list that are looked at.
pub const ELEMENTS_MAX: usize = 64;

/// Paths that one product's rows may name.
const SLOTS_MAX: usize = 256;

/// What becomes of the value at a path. Names are dotted ECS names, in the catalogue or not.
#[derive(Clone, Copy, Debug)]
pub enum To {
    /// For [`Values::get`] only.
    Note,
    Text(&'static str),
    Lower(&'static str),
    Int(&'static str),
    /// An address; also `related.ip`. Text that is none is left out.
    Ip(&'static str),
    /// An address with or without a port: the names of both.
    Endpoint(&'static str, &'static str),
    /// An address, else a name: the names of both.
    Peer(&'static str, &'static str),
    /// An account; also `related.user`.
    User(&'static str),
    /// `DOMAIN\an`, `an@domain` or `an`: `<set>.name`, `<set>.domain`.
    Account(&'static str),
    /// A mail address: `<set>.email`, and name and domain of it.
    Mail(&'static str),
    /// A machine; also `related.hosts`.
    Host(&'static str),
    Mac(&'static str),
    Time(&'static str),
    /// A time that is UTC where it names no zone.
    Utc(&'static str),
    /// A digest, told apart by its length: `<set>.md5`, `.sha1`, `.sha256`; also `related.hash`.
    Hash(&'static str),
    /// Path of a file: `file.path`, `file.name`, `file.extension`.
    File,
    /// Path of a program: `<set>.executable` and `<set>.name`.
    Program(&'static str),
    /// A command line, and its words where the set is `process`.
    Command(&'static str),
    Url,
    /// A length of time in seconds, in milliseconds.
    Seconds,
    Millis,
    /// An IANA number or a transport's name.
    Transport,
    /// Words of the vendor and those of ECS; other words are left out.
    Words(&'static str, &'static [(&'static str, &'static str)]),
    /// Numbers by word (a severity).
    Numbers(&'static str, &'static [(&'static str, i64)]),
}

pub type Row = (&'static str, To);

/// A list of `{name, value}` objects: its path and the keys of both; `path.<name>` becomes a path.
pub type Pairs = (&'static str, &'static str, &'static str);

/// One product.
pub struct Product {
    pub name: &'static str,
    pub dataset: &'static str,
    /// Ends in a dot.
    pub prefix: &'static str,
    pub vendor: &'static str,
    pub product: &'static str,
    /// `observer.type`; empty where the product is no device.
    pub observer: &'static str,
    /// Any of these sets of words, all of a set, says that an object is of this product.
    pub marks: &'static [&'static [&'static str]],
    /// Words of other products that carry this one's objects inside theirs.
    pub not: &'static [&'static str],
    pub rows: &'static [Row],
    pub open: &'static [&'static str],
    pub pairs: &'static [Pairs],
    /// Names that agents wrap the object in, each with its dot; they are no part of a path.
    pub wraps: &'static [&'static str],
    pub finish: for<'r, 'v> fn(&Values<'r, 'v>, &mut Event<'r>),
}

/// Reads a payload that is no JSON: calls [`Values::note`] with each name and value; false when the payload is not of the product.
pub type Read = for<'r, 'v> fn(&mut Noting<'_, 'r, 'v>, &'r str) -> bool;

/// How a payload that is no JSON is known, and read.
type Other = (fn(&str) -> Sniff, Read);

/// A parser made of a product.
pub struct Objects {
    product: Product,
    /// How a payload that is no JSON is known and read.
    other: Option<Other>,
    programs: &'static [&'static str],
    table: OnceLock<Table>,
    sure: OnceLock<Sure>,
}

/// The marks of a product by number.
struct Sure {
    /// Sets of which all must be there: numbered marks, and words that have no number.
    any: Vec<(Marks, Vec<&'static str>)>,
    not: (Marks, Vec<&'static str>),
}

impl Sure {
    fn new(product: &Product) -> Self {
        let set = |words: &[&'static str]| {
            let mut marks = Marks::default();
            let mut others = Vec::new();
            for word in words {
                match look::number(word) {
                    Some(number) => marks.insert(number),
                    None => others.push(*word),
                }
            }
            (marks, others)
        };
        Self { any: product.marks.iter().map(|words| set(words)).collect(), not: set(product.not) }
    }
}

/// What a reader notes names and values with.
pub struct Noting<'n, 'r, 'v> {
    product: &'n Product,
    values: &'n mut Values<'r, 'v>,
    event: &'n mut Event<'r>,
}

impl<'r> Noting<'_, 'r, '_> {
    /// Notes a value under its name.
    pub fn note(&mut self, name: &'r str, value: &'r str) {
        self.values.note(self.product, self.event, name, Leaf::Str(value));
    }

    /// The event, for text that has to be made.
    pub fn event(&self) -> &Event<'r> {
        self.event
    }
}

impl Objects {
    pub const fn new(product: Product) -> Self {
        Self { product, other: None, programs: &[], table: OnceLock::new(), sure: OnceLock::new() }
    }

    /// A product whose payload is no JSON.
    pub const fn of_text(product: Product, programs: &'static [&'static str], sniff: fn(&str) -> Sniff, read: Read) -> Self {
        Self { product, other: Some((sniff, read)), programs, table: OnceLock::new(), sure: OnceLock::new() }
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| Table::new(&self.product))
    }
}

impl Parser for Objects {
    fn name(&self) -> &'static str {
        self.product.name
    }

    fn programs(&self) -> &'static [&'static str] {
        self.programs
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        if let Some((sniff, _)) = self.other {
            return sniff(raw.text());
        }
        let Some(object) = object(raw.text()) else { return Sniff::No };
        let head = look::head(object);
        let has = |word: &&str| crate::text::find(head, word.as_bytes()).is_some();
        Sniff::yes_if(self.product.marks.iter().any(|set| set.iter().all(has)) && !self.product.not.iter().any(has))
    }

    fn starts(&self) -> &'static [u8] {
        if self.other.is_some() { &[] } else { OBJECT }
    }

    fn sniff_shared(&self, look: &Look<'_>) -> Sniff {
        if let Some((sniff, _)) = self.other {
            return sniff(look.raw().text());
        }
        let Some(head) = look.head() else { return Sniff::No };
        let (found, sure) = (look.marks(), self.sure.get_or_init(|| Sure::new(&self.product)));
        let has = |word: &&str| text::find(head, word.as_bytes()).is_some();
        let is = sure.any.iter().any(|(marks, words)| found.has_all(marks) && words.iter().all(has));
        Sniff::yes_if(is && !found.has_any(&sure.not.0) && !sure.not.1.iter().any(has))
    }

    fn marks(&self) -> Vec<&'static str> {
        self.product.marks.iter().copied().flatten().chain(self.product.not).copied().collect()
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let table = self.table();
        let mut values = Values { table, slots: [None; SLOTS_MAX], start: event.fields().len(), raw };
        match self.other {
            Some((_, read)) => {
                let mut noting = Noting { product: &self.product, values: &mut values, event };
                if !read(&mut noting, raw.text()) {
                    return Outcome::Unreadable("not a message of this product");
                }
            }
            None => {
                let Some(object) = object(raw.text()) else {
                    return Outcome::Unreadable("no JSON object");
                };
                let report =
                    json::flatten(event.arena(), object, &mut |name, leaf| values.note(&self.product, event, name, leaf));
                let Ok(report) = report else {
                    return Outcome::Unreadable("malformed JSON");
                };
                if report.has_rest {
                    event.problem("text after the JSON object was left out");
                }
                if report.lost > 0 {
                    event.problem("more values than a record may have: the rest was left out");
                }
            }
        }
        event.set_dataset(self.product.dataset);
        event.set_present(field::OBSERVER_VENDOR, self.product.vendor);
        event.set_present(field::OBSERVER_PRODUCT, self.product.product);
        event.set_present(field::OBSERVER_TYPE, self.product.observer);
        for (slot, to) in &table.rows {
            if let Some(value) = values.slots[usize::from(*slot)] {
                to.set(&values, event, value);
            }
        }
        (self.product.finish)(&values, event);
        if !event.has(field::EVENT_KIND) {
            event.set(field::EVENT_KIND, "event");
        }
        Outcome::Parsed
    }
}

struct Table {
    /// Slot of a path; paths to open have the numbers from [`OPEN`] on, lists of pairs those from [`PAIRS`] on.
    keys: KeyTable<u16>,
    rows: Vec<(u16, Target)>,
    /// Some path is opened: whole names must be looked up for that, too.
    opens: KeyTable<u16>,
}

/// Numbers of lists of pairs in [`Table::opens`].
const PAIRS: u16 = 1024;

impl Table {
    fn new(product: &Product) -> Self {
        let mut paths: Vec<&'static str> = Vec::new();
        let mut rows = Vec::new();
        for (path, to) in product.rows {
            let slot = paths.iter().position(|known| known == path).unwrap_or_else(|| {
                paths.push(path);
                paths.len() - 1
            });
            assert!(slot < SLOTS_MAX, "{}: more paths than slots", product.name);
            rows.push((slot as u16, Target::new(*to)));
        }
        let keys: Vec<_> = paths.iter().enumerate().map(|(at, path)| (*path, at as u16)).collect();
        let opens = product.open.iter().enumerate().map(|(at, path)| (*path, at as u16));
        let pairs = product.pairs.iter().enumerate().map(|(at, pair)| (pair.0, PAIRS + at as u16));
        Self { keys: KeyTable::new(&keys), rows, opens: KeyTable::new(&opens.chain(pairs).collect::<Vec<_>>()) }
    }
}

/// The values of the paths that a product's rows name.
pub struct Values<'r, 'v> {
    table: &'v Table,
    slots: [Option<Leaf<'r>>; SLOTS_MAX],
    /// Fields that the envelope had set.
    start: usize,
    raw: RawRecord<'r>,
}

impl<'r> Values<'r, '_> {
    /// The text at a path of a row.
    pub fn get(&self, path: &str) -> Option<&'r str> {
        let slot = self.table.keys.get(path);
        debug_assert!(slot.is_some(), "no row names {path}");
        let text = self.slots[usize::from(slot?)]?.text();
        (!is_nothing(text)).then_some(text)
    }

    /// The text at a path, or nothing.
    pub fn text(&self, path: &str) -> &'r str {
        self.get(path).unwrap_or_default()
    }

    /// The record, for what a time leaves out.
    pub fn raw(&self) -> RawRecord<'r> {
        self.raw
    }

    /// Says whether a row or the finishing has set a field; what the envelope set does not count.
    pub fn has(&self, event: &Event<'r>, field: Field) -> bool {
        event.fields()[self.start..].iter().any(|(known, _)| *known == field)
    }

    fn note(&mut self, product: &Product, event: &mut Event<'r>, name: &'r str, leaf: Leaf<'r>) {
        if name.is_empty() || name.len() > ecs::NAME_BYTES_MAX {
            return event.problem("a field without a name, or with one that is too long, was left out");
        }
        let value = match leaf {
            Leaf::Bool(flag) => Value::Bool(flag),
            other => Value::Str(other.text()),
        };
        let name = product.wraps.iter().find_map(|wrap| name.strip_prefix(wrap)).unwrap_or(name);
        if !name.is_empty() {
            event.set_extra(product.prefix, name, value);
            self.take(product, event, name, leaf, 0);
        }
    }

    fn take(&mut self, product: &Product, event: &Event<'r>, name: &'r str, leaf: Leaf<'r>, depth: usize) {
        if let Some(slot) = self.table.keys.get(name)
            && self.slots[usize::from(slot)].is_none_or(|leaf| is_nothing(leaf.text()))
        {
            self.slots[usize::from(slot)] = Some(leaf);
        }
        let Some(open) = self.table.opens.get(name).filter(|_| depth < 4) else { return };
        let text = leaf.text();
        let text = text.trim_start();
        if open >= PAIRS {
            let (_, key, value) = product.pairs[usize::from(open - PAIRS)];
            return self.pairs(product, event, name, text, key, value, depth);
        }
        if text.starts_with('{') {
            self.object(product, event, name, text, depth);
        } else if text.starts_with('[') {
            let mut left = ELEMENTS_MAX;
            json::elements(event.arena(), text, &mut |leaf| {
                if left > 0 && leaf.text().starts_with('{') {
                    left -= 1;
                    self.object(product, event, name, leaf.text(), depth);
                }
            });
        }
    }

    fn object(&mut self, product: &Product, event: &Event<'r>, path: &'r str, text: &'r str, depth: usize) {
        let arena = event.arena();
        // A list was scanned before; a string that is no JSON after all gives what was read until then.
        let _ = json::flatten(arena, text, &mut |name, leaf| {
            if path.len() + name.len() < ecs::NAME_BYTES_MAX {
                let name = text::concat(arena, [path, ".", name]);
                self.take(product, event, name, leaf, depth + 1);
            }
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn pairs(
        &mut self,
        product: &Product,
        event: &Event<'r>,
        path: &'r str,
        list: &'r str,
        key: &str,
        value: &str,
        depth: usize,
    ) {
        let arena = event.arena();
        let mut left = ELEMENTS_MAX;
        json::elements(arena, list, &mut |leaf| {
            if left == 0 || !leaf.text().starts_with('{') {
                return;
            }
            left -= 1;
            let (mut name, mut found) = ("", None);
            let _ = json::flatten(arena, leaf.text(), &mut |member, leaf| {
                if member == key {
                    name = leaf.text();
                } else if member == value {
                    found = Some(leaf);
                }
            });
            if let Some(leaf) = found
                && !name.is_empty()
                && path.len() + name.len() < ecs::NAME_BYTES_MAX
            {
                let name = text::concat(arena, [path, ".", name]);
                self.take(product, event, name, leaf, depth + 1);
            }
        });
    }
}

/// Marks for "nothing", those of JSON consoles too.
fn is_nothing(text: &str) -> bool {
    ecs::is_nothing(text) || matches!(text, "(none)" | "None" | "none" | "NULL" | "Unknown" | "\"\"")
}

/// A row with its names looked up.
#[derive(Clone, Copy)]
struct Target {
    to: To,
    names: [Name; 3],
}

#[derive(Clone, Copy)]
enum Name {
    None,
    Field(Field, Kind),
    Beside(&'static str),
}

impl Name {
    fn of(name: &'static str) -> Self {
        let found = if name == "@timestamp" { Some(field::TIMESTAMP) } else { Field::by_name(name) };
        match found {
            Some(field) => Self::Field(field, field.definition().kind),
            None => Self::Beside(name),
        }
    }

    fn is_set(self, values: &Values<'_, '_>, event: &Event<'_>) -> bool {
        match self {
            Self::None => true,
            Self::Field(field, _) if field.definition().list => false,
            Self::Field(field, _) => event.fields()[values.start..].iter().any(|(known, _)| *known == field),
            Self::Beside(name) => event.extra().iter().any(|(known, _)| known.prefix.is_empty() && known.key == name),
        }
    }

    fn set<'r>(self, values: &Values<'r, '_>, event: &mut Event<'r>, value: Value<'r>) {
        if self.is_set(values, event) {
            return;
        }
        match self {
            Self::None => {}
            Self::Field(field, Kind::Long) => match value {
                Value::Str(text) => drop(set_number(event, field, text)),
                Value::Int(_) => event.set(field, value),
                _ => {}
            },
            Self::Field(field, Kind::Ip) => {
                if let Value::Str(text) = value {
                    ecs::ip_only(event, field, text);
                } else {
                    event.set(field, value);
                }
            }
            Self::Field(field, _) => event.set(field, value),
            Self::Beside(name) => event.set_extra("", name, value),
        }
    }
}

/// A whole number; `80.0` is one.
fn set_number(event: &mut Event<'_>, field: Field, text: &str) -> bool {
    event.set_int(field, text.strip_suffix(".0").unwrap_or(text))
}

/// The names below a set, looked up once: sets are few.
fn below(set: &'static str, part: &str) -> Name {
    let known: &'static str = match (set, part) {
        ("user", "name") => "user.name",
        ("user", "domain") => "user.domain",
        ("user", "email") => "user.email",
        ("user.target", "name") => "user.target.name",
        ("user.target", "domain") => "user.target.domain",
        ("user.target", "email") => "user.target.email",
        ("source.user", "name") => "source.user.name",
        ("source.user", "domain") => "source.user.domain",
        ("source.user", "email") => "source.user.email",
        ("destination.user", "name") => "destination.user.name",
        ("destination.user", "domain") => "destination.user.domain",
        ("destination.user", "email") => "destination.user.email",
        ("process", "executable") => "process.executable",
        ("process", "name") => "process.name",
        ("process.parent", "executable") => "process.parent.executable",
        ("process.parent", "name") => "process.parent.name",
        ("file.hash", "md5") => "file.hash.md5",
        ("file.hash", "sha1") => "file.hash.sha1",
        ("file.hash", "sha256") => "file.hash.sha256",
        ("process.hash", "md5") => "process.hash.md5",
        ("process.hash", "sha1") => "process.hash.sha1",
        ("process.hash", "sha256") => "process.hash.sha256",
        ("process.parent.hash", "md5") => "process.parent.hash.md5",
        ("process.parent.hash", "sha1") => "process.parent.hash.sha1",
        ("process.parent.hash", "sha256") => "process.parent.hash.sha256",
        _ => return Name::None,
    };
    Name::of(known)
}

impl Target {
    fn new(to: To) -> Self {
        let none = Name::None;
        let names = match to {
            To::Note | To::Url | To::Transport => [none; 3],
            To::Text(name)
            | To::Lower(name)
            | To::Int(name)
            | To::Ip(name)
            | To::User(name)
            | To::Host(name)
            | To::Mac(name)
            | To::Time(name)
            | To::Utc(name)
            | To::Command(name)
            | To::Words(name, _)
            | To::Numbers(name, _) => [Name::of(name), none, none],
            To::Endpoint(first, second) | To::Peer(first, second) => [Name::of(first), Name::of(second), none],
            To::Account(set) | To::Mail(set) => [below(set, "name"), below(set, "domain"), below(set, "email")],
            To::Hash(set) => [below(set, "md5"), below(set, "sha1"), below(set, "sha256")],
            To::File => [Name::of("file.path"), Name::of("file.name"), Name::of("file.extension")],
            To::Program(set) => [below(set, "executable"), below(set, "name"), none],
            To::Seconds | To::Millis => [Name::of("event.duration"), none, none],
        };
        Self { to, names }
    }

    fn set<'r>(&self, values: &Values<'r, '_>, event: &mut Event<'r>, leaf: Leaf<'r>) {
        if let Leaf::List(list) = leaf
            && list.starts_with('[')
        {
            let mut left = ELEMENTS_MAX;
            let arena = event.arena();
            json::elements(arena, list, &mut |leaf| {
                if left > 0 && !matches!(leaf, Leaf::List(_)) {
                    left -= 1;
                    self.one(values, event, leaf.text());
                }
            });
            return;
        }
        self.one(values, event, leaf.text());
    }

    fn one<'r>(&self, values: &Values<'r, '_>, event: &mut Event<'r>, value: &'r str) {
        let value = value.trim();
        if is_nothing(value) {
            return;
        }
        let [first, second, third] = self.names;
        match self.to {
            To::Note => {}
            To::Text(_) | To::Int(_) => first.set(values, event, Value::Str(value)),
            To::Lower(_) => {
                let value = text::lower(event, value);
                first.set(values, event, Value::Str(value));
            }
            To::Ip(_) => address(values, event, first, Name::None, value),
            To::Peer(..) => address(values, event, first, second, value),
            To::Endpoint(..) => {
                let (host, port) = split_port(value);
                address(values, event, first, Name::None, host);
                if let Some(port) = port {
                    second.set(values, event, Value::Str(port));
                }
            }
            To::User(_) => account(values, event, first, value),
            To::Account(_) => {
                let (name, domain) = split_account(value);
                account(values, event, first, name);
                if let Some(domain) = domain {
                    second.set(values, event, Value::Str(domain));
                }
            }
            To::Mail(_) => {
                let Some((name, domain)) = value.split_once('@') else { return account(values, event, first, value) };
                third.set(values, event, Value::Str(value));
                account(values, event, first, name);
                second.set(values, event, Value::Str(domain));
            }
            To::Host(_) => {
                if !first.is_set(values, event) {
                    event.set(field::RELATED_HOSTS, value);
                    first.set(values, event, Value::Str(value));
                }
            }
            To::Mac(_) => first.set(values, event, Value::Str(value)),
            To::Time(_) => {
                let stamp = value.strip_prefix("/Date(").and_then(|rest| rest.split(')').next()).unwrap_or(value);
                match time::any(stamp, values.raw) {
                    Some(time) => first.set(values, event, Value::Time(time)),
                    None => event.problem("a time could not be read"),
                }
            }
            To::Utc(_) => match time::iso(value) {
                Some((stamp, "")) => {
                    let offset = stamp.offset.or(Some(0));
                    let time = time::Stamp { offset, ..stamp }.resolve(values.raw);
                    first.set(values, event, Value::Time(time));
                }
                _ => Self { to: To::Time(""), names: self.names }.one(values, event, value),
            },
            To::Hash(_) => {
                if !value.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return;
                }
                let value = text::lower(event, value);
                let name = match value.len() {
                    32 => first,
                    40 => second,
                    64 => third,
                    _ => return,
                };
                event.set(field::RELATED_HASH, value);
                name.set(values, event, Value::Str(value));
            }
            To::File => {
                first.set(values, event, Value::Str(value));
                let name = text::file_name(value);
                second.set(values, event, Value::Str(name));
                if let Some((stem, extension)) = name.rsplit_once('.')
                    && !stem.is_empty()
                    && (1..=8).contains(&extension.len())
                {
                    third.set(values, event, Value::Str(extension));
                }
            }
            To::Program(_) => {
                first.set(values, event, Value::Str(value));
                second.set(values, event, Value::Str(text::file_name(value)));
            }
            To::Command(_) => {
                if !first.is_set(values, event) {
                    first.set(values, event, Value::Str(value));
                    if matches!(first, Name::Field(field::PROCESS_COMMAND_LINE, _)) {
                        crate::windows::arguments(event, field::PROCESS_ARGS, value);
                    }
                }
            }
            To::Url => {
                if !values.has(event, field::URL_ORIGINAL) {
                    web::url(event, value);
                }
            }
            To::Seconds => {
                if let Some(nanos) = text::seconds_to_nanos(value) {
                    first.set(values, event, Value::Int(nanos));
                }
            }
            To::Millis => {
                if let Some(nanos) = text::seconds_to_nanos(value) {
                    first.set(values, event, Value::Int(nanos / 1000));
                }
            }
            To::Transport => match value.parse::<u8>() {
                Ok(number) => ecs::protocol(event, i64::from(number)),
                Err(_) => event.set(field::NETWORK_TRANSPORT, text::lower(event, value)),
            },
            To::Words(_, words) => {
                if let Some((_, word)) = words.iter().find(|(known, _)| known.eq_ignore_ascii_case(value)) {
                    first.set(values, event, Value::Str(word));
                }
            }
            To::Numbers(_, words) => {
                if let Some((_, number)) = words.iter().find(|(known, _)| known.eq_ignore_ascii_case(value)) {
                    first.set(values, event, Value::Int(*number));
                }
            }
        }
    }
}

fn account<'r>(values: &Values<'r, '_>, event: &mut Event<'r>, name: Name, value: &'r str) {
    if !name.is_set(values, event) {
        name.set(values, event, Value::Str(value));
        event.set(field::RELATED_USER, value);
    }
}

fn address<'r>(values: &Values<'r, '_>, event: &mut Event<'r>, ip: Name, name: Name, value: &'r str) {
    let value = value.split('/').next().unwrap_or(value);
    let value = value.strip_prefix("::ffff:").unwrap_or(value);
    match ecs::ip(value) {
        Some(address) => {
            if !ip.is_set(values, event) {
                ip.set(values, event, Value::Ip(address));
                if !address.is_unspecified() {
                    event.set(field::RELATED_IP, address);
                }
            }
        }
        None if matches!(name, Name::None) => {}
        None => {
            if !name.is_set(values, event) {
                name.set(values, event, Value::Str(value));
                event.set(field::RELATED_HOSTS, value);
            }
        }
    }
}

/// `192.0.2.1:443`, `[2001:db8::1]:443`, `192.0.2.1`, `2001:db8::1`; also `2001:db8::1#443`, `…p443`, `….443`.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if text.bytes().filter(|b| *b == b':').count() > 1
        && let Some((host, port)) = text.rsplit_once(['#', 'p', '.'])
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
    {
        return (host, Some(port));
    }
    match text.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            (host, Some(port))
        }
        _ => (text, None),
    }
}

/// `DOMAIN\an`, `an@domain`, `an`.
pub fn split_account(account: &str) -> (&str, Option<&str>) {
    if let Some((domain, name)) = account.rsplit_once('\\') {
        return (name, Some(domain.trim_end_matches('\\')));
    }
    match account.split_once('@') {
        Some((name, domain)) if !name.is_empty() && domain.contains('.') => (name, Some(domain)),
        _ => (account, None),
    }
}

/// A caption as a name: small letters, `_` for everything that is no letter or digit (`Local Host IP` → `local_host_ip`).
pub fn caption<'r>(event: &Event<'r>, text: &str) -> &'r str {
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), event.arena());
    for c in text.trim().chars().take(64) {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('_') && !out.is_empty() {
            out.push('_');
        }
    }
    let name = out.into_bump_str();
    name.trim_end_matches('_')
}

/// Sets kind, categories and types; several words stand with a blank between.
pub fn classify(event: &mut Event<'_>, kind: &'static str, categories: &'static str, types: &'static str) {
    event.set(field::EVENT_KIND, kind);
    categories.split(' ').filter(|word| !word.is_empty()).for_each(|word| event.set(field::EVENT_CATEGORY, word));
    types.split(' ').filter(|word| !word.is_empty()).for_each(|word| event.set(field::EVENT_TYPE, word));
}

/// Severities by the words of most consoles.
pub const SEVERITIES: &[(&str, i64)] =
    &[("informational", 1), ("info", 1), ("low", 2), ("medium", 3), ("moderate", 3), ("high", 4), ("critical", 5), ("severe", 5)];
