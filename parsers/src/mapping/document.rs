//! The TOML of a mapping → [`Mapping`], with the place of everything that is wrong. All problems are reported at once.

use std::collections::BTreeMap;

use chrono::format::{Item, StrftimeItems};
use event::{Kind, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Cut, ENTRIES_MAX, FILE_BYTES_MAX, KEYS_MAX, Keys, Mapping, Problem, Test, When,
    intern::{intern, list},
    pattern::Pattern,
    target::{As, Constant, Map, Name, Target, Times},
};
use crate::{ecs, keys::KeyTable, kv::Separator};

type Table<'i> = DeTable<'i>;
type Place = std::ops::Range<usize>;

pub fn compile(file: &str) -> Result<Mapping, Vec<Problem>> {
    let mut reader = Reader { file, problems: Vec::new(), keys: Vec::new(), targets: Vec::new(), maps: BTreeMap::new() };
    let mapping = reader.document();
    let Reader { mut problems, .. } = reader;
    match mapping {
        Some(mapping) if problems.is_empty() => Ok(mapping),
        _ => {
            problems.sort_by_key(|problem| (problem.line, problem.column));
            problems.dedup();
            Err(problems)
        }
    }
}

struct Reader<'i> {
    file: &'i str,
    problems: Vec<Problem>,
    keys: Vec<&'static str>,
    targets: Vec<Vec<Target>>,
    maps: BTreeMap<&'static str, Map>,
}

/// Sections of the file, for suggestions.
const TOP: &[&str] = &[
    "name",
    "description",
    "dataset",
    "prefix",
    "format",
    "match",
    "pattern",
    "pairs",
    "csv",
    "json",
    "fields",
    "maps",
    "time",
    "set",
    "when",
    "test",
    "example",
];

/// First parts of names that are ECS's or ours: no prefix of a vendor.
const RESERVED_ROOTS: &[&str] = &[
    "event",
    "source",
    "destination",
    "client",
    "server",
    "user",
    "host",
    "process",
    "file",
    "network",
    "url",
    "http",
    "dns",
    "tls",
    "rule",
    "threat",
    "observer",
    "log",
    "error",
    "registry",
    "service",
    "email",
    "related",
    "system",
    "organization",
    "chieng",
    "reported",
    "winlog",
];

impl<'i> Reader<'i> {
    fn problem(&mut self, at: usize, message: impl Into<String>) {
        if self.problems.len() >= 100 {
            return;
        }
        let mut at = at.min(self.file.len());
        while !self.file.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.file[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.problems.push(Problem { line, column, message: message.into() });
    }

    fn line_of(&self, at: usize) -> usize {
        self.file[..at.min(self.file.len())].matches('\n').count() + 1
    }

    fn intern(&mut self, at: usize, name: &str) -> &'static str {
        match intern(name) {
            Some(name) => name,
            None => {
                self.problem(at, "the room for names is used up");
                ""
            }
        }
    }

    fn document(&mut self) -> Option<Mapping> {
        if self.file.len() > FILE_BYTES_MAX {
            self.problem(0, format!("the file is longer than {FILE_BYTES_MAX} bytes"));
            return None;
        }
        let table = match DeTable::parse(self.file) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                self.problem(error.span().map_or(0, |span| span.start), error.message().to_owned());
                return None;
            }
        };
        self.known(&table, TOP);
        let name = self.name(
            &table,
            "name",
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
            "small letters, digits and _",
        );
        let dataset = self.name(
            &table,
            "dataset",
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.'),
            "small letters, digits, _ and .",
        );
        let prefix = self.name(
            &table,
            "prefix",
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.'),
            "small letters, digits, _ and .",
        );
        if !prefix.is_empty() && (!prefix.ends_with('.') || prefix.len() < 2) {
            self.problem(place(&table, "prefix"), "prefix ends in a dot");
        }
        if RESERVED_ROOTS.contains(&prefix.trim_end_matches('.')) {
            self.problem(place(&table, "prefix"), format!("{prefix} belongs to the fields of ECS: take the vendor's name"));
        }
        self.maps(&table);
        let times = self.times(&table);
        let cut = self.cut(&table)?;
        self.fields(&table);
        self.captures(&cut);
        let set = self.constants(&table, "set");
        let when = self.conditions(&table);
        let (programs, starts, contains) = self.matches(&table);
        let tests = self.tests(&table);
        let entries: Vec<_> = self.keys.iter().enumerate().map(|(at, key)| (*key, at as u16)).collect();
        Some(Mapping {
            name,
            dataset,
            prefix,
            programs: list(programs),
            starts,
            contains,
            cut,
            keys: Keys { table: KeyTable::new(&entries), targets: std::mem::take(&mut self.targets) },
            times,
            set,
            when,
            tests,
        })
    }

    /// Reports keys that no section has, with the nearest that it has.
    fn known(&mut self, table: &Table<'_>, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref();
            if known.contains(&&**name) {
                continue;
            }
            let near = known.iter().map(|known| (distance(name, known), *known)).min().filter(|(distance, _)| *distance <= 2);
            let hint = near.map_or_else(String::new, |(_, near)| format!(", did you mean {near}?"));
            self.problem(key.span().start, format!("unknown key {name}{hint}"));
        }
    }

    fn name(&mut self, table: &Table<'_>, key: &str, is: fn(char) -> bool, words: &str) -> &'static str {
        let Some(value) = table.get(key) else {
            self.problem(0, format!("{key} is missing"));
            return "";
        };
        let text = self.string(value).unwrap_or_default().to_owned();
        if text.is_empty() || text.len() > 64 || !text.chars().all(is) {
            self.problem(value.span().start, format!("{key} is made of {words}, at most 64"));
            return "";
        }
        self.intern(value.span().start, &text)
    }

    fn string<'v>(&mut self, value: &'v Spanned<DeValue<'_>>) -> Option<&'v str> {
        match value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => {
                self.problem(value.span().start, "a text is expected here");
                None
            }
        }
    }

    fn table<'v, 't>(&mut self, table: &'v Table<'t>, key: &str) -> Option<&'v Table<'t>> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.problem(value.span().start, format!("{key} is a table: [{key}]"));
                None
            }
        }
    }

    /// The tables of `[[key]]`, with their places.
    fn tables<'v, 't>(&mut self, table: &'v Table<'t>, key: &str) -> Vec<(&'v Table<'t>, Place)> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.problem(value.span().start, format!("{key} is a list of tables: [[{key}]]"));
            return Vec::new();
        };
        if array.len() > ENTRIES_MAX {
            self.problem(value.span().start, format!("more than {ENTRIES_MAX} entries"));
        }
        let mut tables = Vec::new();
        for entry in array.iter().take(ENTRIES_MAX) {
            match entry.get_ref() {
                DeValue::Table(table) => tables.push((table, entry.span())),
                _ => self.problem(entry.span().start, format!("{key} is a list of tables: [[{key}]]")),
            }
        }
        tables
    }

    /// A text or a list of texts.
    fn strings(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<(String, usize)> {
        match value.get_ref() {
            DeValue::Array(array) => array
                .iter()
                .take(ENTRIES_MAX)
                .filter_map(|element| self.string(element).map(|text| (text.to_owned(), element.span().start)))
                .collect(),
            _ => self.string(value).map(|text| (text.to_owned(), value.span().start)).into_iter().collect(),
        }
    }

    fn interned(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<&'static str> {
        self.strings(value).into_iter().map(|(text, at)| self.intern(at, &text)).collect()
    }

    fn maps(&mut self, table: &Table<'_>) {
        let Some(maps) = self.table(table, "maps") else { return };
        for (key, value) in maps.iter().take(ENTRIES_MAX) {
            let DeValue::Table(words) = value.get_ref() else {
                self.problem(value.span().start, "a map is a table: [maps.name]");
                continue;
            };
            let mut map = Map::default();
            for (from, to) in words.iter().take(ENTRIES_MAX) {
                let Some(text) = self.string(to).map(str::to_owned) else { continue };
                let text = self.intern(to.span().start, &text);
                if from.get_ref() == "default" {
                    map.default = Some(text);
                } else {
                    let from = self.intern(from.span().start, from.get_ref());
                    map.words.push((from, text));
                }
            }
            let name = self.intern(key.span().start, key.get_ref());
            self.maps.insert(name, map);
        }
    }

    fn times(&mut self, table: &Table<'_>) -> Times {
        let mut times = Times::default();
        let Some(time) = self.table(table, "time") else { return times };
        self.known(time, &["formats", "zone"]);
        if let Some(value) = time.get("formats") {
            for (format, at) in self.strings(value) {
                let format = self.intern(at, &format);
                let items: Vec<Item<'static>> = StrftimeItems::new(format).collect();
                if items.iter().any(|item| matches!(item, Item::Error)) {
                    self.problem(at, format!("{format:?} is no format of a time"));
                } else {
                    times.formats.push(items);
                }
            }
        }
        if let Some(value) = time.get("zone")
            && let Some(zone) = self.string(value).map(str::to_owned)
        {
            match zone.parse() {
                Ok(zone) => times.zone = Some(zone),
                Err(_) => self.problem(value.span().start, format!("{zone:?} is no time zone, such as Asia/Ho_Chi_Minh")),
            }
        }
        times
    }

    fn cut(&mut self, table: &Table<'_>) -> Option<Cut> {
        let Some(value) = table.get("format") else {
            self.problem(0, "format is missing: pattern, json, pairs or csv");
            return None;
        };
        let format = self.string(value)?.to_owned();
        match format.as_str() {
            "pattern" => Some(self.patterns(table)),
            "json" => {
                let mut open = Vec::new();
                if let Some(json) = self.table(table, "json") {
                    self.known(json, &["open"]);
                    if let Some(value) = json.get("open") {
                        open = self.interned(value);
                    }
                }
                Some(Cut::Json { open })
            }
            "pairs" => {
                let mut cut = Cut::Pairs { separator: Separator::Blank };
                if let Some(pairs) = self.table(table, "pairs") {
                    self.known(pairs, &["separator", "equals"]);
                    let separator = pairs.get("separator").and_then(|value| self.byte(value));
                    let equals = pairs.get("equals").and_then(|value| self.byte(value)).unwrap_or(b'=');
                    cut = match (separator, equals) {
                        (None | Some(b' '), b'=') => Cut::Pairs { separator: Separator::Blank },
                        (Some(b',' | b';'), b'=') => Cut::Pairs { separator: Separator::Any },
                        (separator, equals) => Cut::Split { separator: separator.unwrap_or(b' '), equals },
                    };
                }
                Some(cut)
            }
            "csv" => {
                let Some(csv) = self.table(table, "csv") else {
                    self.problem(value.span().start, "[csv] with columns is missing");
                    return None;
                };
                self.known(csv, &["separator", "columns"]);
                let separator = csv.get("separator").and_then(|value| self.byte(value)).unwrap_or(b',');
                let columns = csv.get("columns").map(|value| self.interned(value)).unwrap_or_default();
                if columns.is_empty() {
                    self.problem(place(table, "csv"), "columns are missing");
                }
                Some(Cut::Csv { separator, columns })
            }
            other => {
                self.problem(value.span().start, format!("{other:?} is no format: pattern, json, pairs or csv"));
                None
            }
        }
    }

    fn byte(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u8> {
        match self.string(value)?.as_bytes() {
            [byte] if byte.is_ascii() => Some(*byte),
            _ => {
                self.problem(value.span().start, "one ASCII character is expected here");
                None
            }
        }
    }

    fn patterns(&mut self, table: &Table<'_>) -> Cut {
        let mut patterns = Vec::new();
        for (entry, place) in self.tables(table, "pattern") {
            self.known(entry, &["text", "set"]);
            let Some(value) = entry.get("text") else {
                self.problem(place.start, "text is missing");
                continue;
            };
            let Some(text) = self.string(value).map(str::to_owned) else { continue };
            let set = self.constants(entry, "set");
            match Pattern::new(&text, &intern) {
                Ok(pattern) => patterns.push((pattern, set)),
                // The place is exact where the text stands as it is: after one quote.
                Err((at, message)) => self.problem(value.span().start + 1 + at, message),
            }
        }
        if patterns.is_empty() && self.problems.is_empty() {
            self.problem(0, "[[pattern]] is missing");
        }
        Cut::Pattern(patterns)
    }

    /// The slot of a key, made where it has none.
    fn slot(&mut self, at: usize, key: &str) -> usize {
        if let Some(slot) = self.keys.iter().position(|known| *known == key) {
            return slot;
        }
        if self.keys.len() == KEYS_MAX {
            self.problem(at, format!("more than {KEYS_MAX} keys"));
            return 0;
        }
        let key = self.intern(at, key);
        self.keys.push(key);
        self.targets.push(Vec::new());
        self.keys.len() - 1
    }

    fn fields(&mut self, table: &Table<'_>) {
        let Some(fields) = self.table(table, "fields") else { return };
        for (key, value) in fields.iter() {
            let slot = self.slot(key.span().start, key.get_ref());
            match value.get_ref() {
                DeValue::Array(array) => {
                    for element in array.iter().take(8) {
                        self.target(slot, element);
                    }
                }
                _ => self.target(slot, value),
            }
        }
    }

    /// `"source.ip"` or `{ to = "event.outcome", map = "result" }`.
    fn target(&mut self, slot: usize, value: &Spanned<DeValue<'_>>) {
        let (to, how, map) = match value.get_ref() {
            DeValue::String(text) => (Some((text.to_string(), value.span().start)), None, None),
            DeValue::Table(spec) => {
                self.known(spec, &["to", "as", "map"]);
                let to = spec.get("to").and_then(|to| self.string(to).map(|text| (text.to_owned(), to.span().start)));
                if to.is_none() {
                    self.problem(value.span().start, "to is missing");
                }
                let how = spec.get("as").and_then(|how| self.how(how));
                let map = spec.get("map").and_then(|map| self.map(map));
                (to, how, map)
            }
            _ => return self.problem(value.span().start, "a field or { to = …, as = …, map = … } is expected here"),
        };
        let Some((to, at)) = to else { return };
        if let Some(name) = self.field(&to, at) {
            let how = how.unwrap_or_else(|| As::of(&to));
            self.targets[slot].push(Target { name, how, map });
        }
    }

    fn how(&mut self, value: &Spanned<DeValue<'_>>) -> Option<As> {
        let text = self.string(value)?.to_owned();
        let known = As::NAMES.iter().find(|(name, _)| *name == text);
        if known.is_none() {
            let names: Vec<_> = As::NAMES.iter().map(|(name, _)| *name).collect();
            self.problem(value.span().start, format!("{text:?} is none of {}", names.join(", ")));
        }
        known.map(|(_, how)| *how)
    }

    fn map(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Map> {
        let name = self.string(value)?.to_owned();
        let map = self.maps.get(name.as_str()).cloned();
        if map.is_none() {
            self.problem(value.span().start, format!("there is no [maps.{name}]"));
        }
        map
    }

    /// Looks a field's name up; names that the pipeline owns cannot be set by a mapping.
    fn field(&mut self, name: &str, at: usize) -> Option<Name> {
        let name = if name == "@timestamp" { "timestamp" } else { name };
        if let Some(field) = event::Field::by_name(name) {
            if ecs::catalogue_name(name).is_none() {
                self.problem(at, format!("{name} belongs to the pipeline and cannot be set by a line"));
                return None;
            }
            return Some(Name::Field(field));
        }
        let is = name.len() <= ecs::NAME_BYTES_MAX
            && name.contains('.')
            && name
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-@".contains(&b)));
        if !is || name.starts_with(ecs::REPORTED) {
            self.problem(at, format!("{name:?} is no name of a field"));
            return None;
        }
        Some(Name::Beside(self.intern(at, name)))
    }

    /// A capture that carries a field's own name needs no line in `[fields]`.
    fn captures(&mut self, cut: &Cut) {
        let Cut::Pattern(patterns) = cut else { return };
        let keys: Vec<_> = patterns.iter().flat_map(|(pattern, _)| pattern.keys()).collect();
        for key in keys {
            if self.keys.contains(&key) || ecs::catalogue_name(key).is_none() {
                continue;
            }
            let slot = self.slot(0, key);
            if let Some(name) = self.field(key, 0) {
                self.targets[slot].push(Target { name, how: As::of(key), map: None });
            }
        }
    }

    fn constants(&mut self, table: &Table<'_>, key: &str) -> Vec<Constant> {
        let Some(set) = self.table(table, key) else { return Vec::new() };
        let mut constants = Vec::new();
        for (key, value) in set.iter().take(64) {
            let Some(name) = self.field(key.get_ref(), key.span().start) else { continue };
            let kind = match name {
                Name::Field(field) => field.definition().kind,
                Name::Beside(_) => Kind::Keyword,
            };
            let mut values = Vec::new();
            match value.get_ref() {
                DeValue::Integer(number) if kind == Kind::Long => match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => values.push(Value::Int(number)),
                    Err(_) => self.problem(value.span().start, "the number is too large"),
                },
                _ => {
                    for text in self.interned(value) {
                        match kind {
                            Kind::Keyword | Kind::Text => values.push(Value::Str(text)),
                            _ => self.problem(value.span().start, format!("{} takes no text", key.get_ref())),
                        }
                    }
                }
            }
            let is_list = matches!(name, Name::Field(field) if field.definition().list);
            if values.len() > 1 && !is_list {
                self.problem(value.span().start, format!("{} takes one value", key.get_ref()));
            }
            constants.push(Constant { name, values });
        }
        constants
    }

    fn conditions(&mut self, table: &Table<'_>) -> Vec<When> {
        let mut conditions = Vec::new();
        for (entry, place) in self.tables(table, "when") {
            self.known(entry, &["key", "is", "set"]);
            let key = entry.get("key").and_then(|key| self.string(key).map(|text| (text.to_owned(), key.span().start)));
            let (Some((key, at)), Some(is)) = (key, entry.get("is")) else {
                self.problem(place.start, "key and is are needed");
                continue;
            };
            let slot = self.slot(at, &key);
            let is = self.interned(is);
            let set = self.constants(entry, "set");
            conditions.push(When { slot, is, set });
        }
        conditions
    }

    #[allow(clippy::type_complexity)]
    fn matches(&mut self, table: &Table<'_>) -> (Vec<&'static str>, Vec<&'static str>, Vec<memchr::memmem::Finder<'static>>) {
        let Some(section) = self.table(table, "match") else {
            self.problem(0, "[match] is missing: programs, starts or contains say which lines are of this format");
            return Default::default();
        };
        self.known(section, &["programs", "starts", "contains"]);
        let mut get = |key: &str| section.get(key).map(|value| self.interned(value)).unwrap_or_default();
        let (programs, starts, contains) = (get("programs"), get("starts"), get("contains"));
        if programs.is_empty() && starts.is_empty() && contains.is_empty() {
            self.problem(place(table, "match"), "one of programs, starts and contains is needed");
        }
        if starts.iter().chain(&contains).any(|word| word.len() < 2) {
            self.problem(place(table, "match"), "words shorter than two characters would claim other formats' lines");
        }
        let contains = contains.into_iter().map(|word| memchr::memmem::Finder::new(word.as_bytes())).collect();
        (programs, starts, contains)
    }

    fn tests(&mut self, table: &Table<'_>) -> Vec<Test> {
        let mut tests = Vec::new();
        for (entry, place) in self.tables(table, "test") {
            self.known(entry, &["line", "expect", "absent", "unreadable"]);
            let Some(line) = entry.get("line").and_then(|line| self.string(line).map(str::to_owned)) else {
                self.problem(place.start, "line is missing");
                continue;
            };
            let mut expect = Vec::new();
            if let Some(fields) = self.table(entry, "expect") {
                for (key, value) in fields.iter() {
                    let text = match value.get_ref() {
                        DeValue::String(text) => text.to_string(),
                        DeValue::Integer(number) => number.as_str().to_owned(),
                        DeValue::Boolean(flag) => flag.to_string(),
                        _ => {
                            self.problem(value.span().start, "a text or a number is expected here");
                            continue;
                        }
                    };
                    expect.push((key.get_ref().to_string(), text));
                }
            }
            let absent = entry.get("absent").map(|value| self.strings(value)).unwrap_or_default();
            let unreadable = matches!(entry.get("unreadable").map(Spanned::get_ref), Some(DeValue::Boolean(true)));
            let absent: Vec<_> = absent.into_iter().map(|(text, _)| text).collect();
            if expect.is_empty() && absent.is_empty() && !unreadable {
                self.problem(place.start, "a test says what it expects: expect, absent or unreadable");
            }
            let line_number = self.line_of(place.start);
            tests.push(Test { line, place: line_number, expect, absent, unreadable });
        }
        tests
    }
}

fn place(table: &Table<'_>, key: &str) -> usize {
    table.get(key).map_or(0, |value| value.span().start)
}

/// Edits between two short words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(40).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let next = (row[j] + 1).min(row[j + 1] + 1).min(corner + usize::from(a != *b));
            corner = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[right.len()]
}
