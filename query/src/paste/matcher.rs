//! Which of many indicators stand in a row: one automaton over its text, one look-up for each of its values.
//!
//! The rules, the same for every row wherever it is stored:
//!
//! * An address, hash or name is the whole value of a field of [`FIELDS`], or stands in the line or message by itself:
//!   `203.0.113.7` not in `203.0.113.77`, `evil.example` in `cdn.evil.example` but not in `evil.example.vn`.
//! * A network holds the address of an address field; text is not searched for networks.
//! * A URL stands in the text without its scheme, or its host and the beginning of its path are those of the event.
//!
//! Each rule is at least as strict as a [`Question`] that the text index can answer ([`question`]); so blocks that the index
//! rules out hold no hit. Case never matters, accents do.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray, StringViewArray},
    compute::cast,
    datatypes::{DataType, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use event::{Field, Micros, field, tokenise::is_word};
use ipnet::IpNet;
use store::index::Question;

use super::refang::{Indicator, IndicatorKind};
use crate::error::{Error, Result};

/// Systems that are named for one indicator.
pub const SYSTEMS_MAX: usize = 50;

/// How a field takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The whole value is an address.
    Address,
    /// The whole value is a hash.
    Hash,
    /// The whole value is a name.
    Name,
    /// Anything may stand in it.
    Text,
}

/// Fields that are searched, all of them in the text index.
const FIELDS: [(Field, Part); 17] = [
    (field::EVENT_ORIGINAL, Part::Text),
    (field::MESSAGE, Part::Text),
    (field::SOURCE_IP, Part::Address),
    (field::DESTINATION_IP, Part::Address),
    (field::CLIENT_IP, Part::Address),
    (field::SERVER_IP, Part::Address),
    (field::HOST_IP, Part::Address),
    (field::SOURCE_NAT_IP, Part::Address),
    (field::DESTINATION_NAT_IP, Part::Address),
    (field::RELATED_IP, Part::Address),
    (field::FILE_HASH_MD5, Part::Hash),
    (field::FILE_HASH_SHA1, Part::Hash),
    (field::FILE_HASH_SHA256, Part::Hash),
    (field::DNS_QUESTION_NAME, Part::Name),
    (field::URL_DOMAIN, Part::Name),
    (field::HOST_NAME, Part::Name),
    (field::LOG_SYSLOG_HOSTNAME, Part::Name),
];

/// The fields in which an indicator of this kind may stand.
pub fn fields_of(kind: IndicatorKind) -> impl Iterator<Item = Field> {
    FIELDS.into_iter().filter(move |(_, part)| takes_part(kind, *part)).map(|(field, _)| field)
}

fn takes_part(kind: IndicatorKind, part: Part) -> bool {
    match part {
        Part::Text => kind != IndicatorKind::Network,
        Part::Address => matches!(kind, IndicatorKind::Address | IndicatorKind::Network),
        Part::Hash => kind == IndicatorKind::Hash,
        Part::Name => kind == IndicatorKind::Domain,
    }
}

/// A hit in the host and path of an event, shown as this field.
const URL_FIELD: Field = field::URL_PATH;

/// Columns that the rules read for these indicators, beside time and system.
pub fn columns(indicators: &[Indicator]) -> Vec<Field> {
    let has = |kind: IndicatorKind| indicators.iter().any(|one| one.kind == kind);
    let kinds: Vec<IndicatorKind> = IndicatorKind::ALL.into_iter().filter(|kind| has(*kind)).collect();
    let mut columns: Vec<Field> = FIELDS
        .into_iter()
        .filter(|(_, part)| kinds.iter().any(|kind| takes_part(*kind, *part)))
        .map(|(field, _)| field)
        .collect();
    if has(IndicatorKind::Url) {
        columns.extend([field::URL_DOMAIN, URL_FIELD]);
    }
    columns.sort_unstable_by_key(|field| field.name());
    columns.dedup();
    columns
}

/// What must be in a block of rows that holds a hit.
pub fn question(indicators: &[Indicator]) -> Question {
    let mut questions = Vec::with_capacity(indicators.len() * 2);
    for Indicator { kind, value, .. } in indicators {
        let exact = || Question::Value(value.clone());
        let term = || Question::Term { asked: value.clone(), is_prefix: false };
        match kind {
            IndicatorKind::Address | IndicatorKind::Hash | IndicatorKind::Domain => questions.extend([exact(), term()]),
            IndicatorKind::Mail => questions.push(term()),
            IndicatorKind::Url => questions.extend([Question::Value(split_url(value).0.to_owned()), term()]),
            IndicatorKind::Network => questions.extend(value.parse().ok().map(Question::Cidr)),
        }
    }
    Question::Any(questions)
}

/// Host without port, and path with query.
pub fn split_url(value: &str) -> (&str, &str) {
    let (authority, path) = value.split_at(value.find('/').unwrap_or(value.len()));
    let host = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or(inner),
        None => authority.split(':').next().unwrap_or(authority),
    };
    (host, path)
}

/// Looks for all indicators at once.
pub struct Matcher {
    kinds: Vec<IndicatorKind>,
    /// `None` when no indicator is looked for in text.
    needles: Option<AhoCorasick>,
    /// Indicator of each pattern of `needles`.
    owners: Vec<usize>,
    values: HashMap<String, usize>,
    /// By (IPv6?, prefix length, bits).
    networks: HashMap<(bool, u8, u128), usize>,
    /// The (IPv6?, prefix length) in `networks`.
    lengths: Vec<(bool, u8)>,
    /// Paths by host.
    urls: HashMap<String, Vec<(String, usize)>>,
}

/// What was found of one indicator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    pub first: Option<Micros>,
    pub last: Option<Micros>,
    /// Rows by system; the empty name stands for rows of no system.
    pub systems: BTreeMap<String, u64>,
    pub has_more_systems: bool,
    /// Bits by place in [`FIELDS`]; the bit behind the last is [`URL_FIELD`].
    fields: u32,
}

impl Tally {
    /// Fields in which it stood.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        let all = FIELDS.into_iter().map(|(field, _)| field).chain([URL_FIELD]).enumerate();
        all.filter(|(at, _)| self.fields >> at & 1 == 1).map(|(_, field)| field)
    }

    fn add(&mut self, time: Option<Micros>, system: &str, fields: u32) {
        self.count += 1;
        self.fields |= fields;
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        if let Some(count) = self.systems.get_mut(system) {
            *count += 1;
        } else if self.systems.len() < SYSTEMS_MAX {
            self.systems.insert(system.to_owned(), 1);
        } else {
            self.has_more_systems = true;
        }
    }
}

/// One thing found: row, indicator, bit of the field.
type Found = (usize, usize, u32);

impl Matcher {
    pub fn new(indicators: &[Indicator]) -> Result<Self> {
        let in_text = |one: &Indicator| one.kind != IndicatorKind::Network;
        let owners: Vec<usize> = (0..indicators.len()).filter(|at| in_text(&indicators[*at])).collect();
        let needles = (!owners.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .ascii_case_insensitive(true)
                    .match_kind(MatchKind::Standard)
                    .kind(Some(AhoCorasickKind::ContiguousNFA))
                    .build(owners.iter().map(|at| &indicators[*at].value))
            })
            .transpose()
            .map_err(|error| Error::failed(format!("failed to prepare the search for indicators: {error}")))?;
        let mut matcher = Self {
            kinds: indicators.iter().map(|one| one.kind).collect(),
            needles,
            owners,
            values: HashMap::new(),
            networks: HashMap::new(),
            lengths: Vec::new(),
            urls: HashMap::new(),
        };
        for (at, one) in indicators.iter().enumerate() {
            matcher.add(at, one);
        }
        matcher.lengths = matcher.networks.keys().map(|(is_v6, len, _)| (*is_v6, *len)).collect();
        matcher.lengths.sort_unstable();
        matcher.lengths.dedup();
        Ok(matcher)
    }

    fn add(&mut self, at: usize, one: &Indicator) {
        match one.kind {
            IndicatorKind::Address | IndicatorKind::Hash | IndicatorKind::Domain => {
                self.values.insert(one.value.clone(), at);
            }
            IndicatorKind::Network => {
                if let Ok(net) = one.value.parse::<IpNet>() {
                    self.networks.insert((net.network().is_ipv6(), net.prefix_len(), bits(net.network())), at);
                }
            }
            IndicatorKind::Url => {
                let (host, path) = split_url(&one.value);
                self.urls.entry(host.to_owned()).or_default().push((path.to_owned(), at));
            }
            IndicatorKind::Mail => {}
        }
    }

    /// Adds what stands in a batch to the tallies, one for each indicator.
    pub fn look(&self, batch: &RecordBatch, tallies: &mut [Tally]) -> Result<()> {
        let mut found: Vec<Found> = Vec::new();
        for (bit, (field, part)) in FIELDS.into_iter().enumerate() {
            let Some(array) = batch.column_by_name(field.name()) else { continue };
            let bit = 1 << bit;
            match part {
                Part::Text => each(array, |row, text| self.in_text(row, text, bit, &mut found))?,
                part => {
                    let mut last = Last::default();
                    each(array, |row, value| self.in_value(row, value, part, bit, &mut last, &mut found))?;
                }
            }
        }
        if !self.urls.is_empty() {
            self.in_urls(batch, 1 << FIELDS.len(), &mut found)?;
        }
        tally(batch, found, tallies);
        Ok(())
    }

    fn in_text(&self, row: usize, text: &str, bit: u32, found: &mut Vec<Found>) {
        let Some(needles) = &self.needles else { return };
        for hit in needles.find_overlapping_iter(text) {
            let at = self.owners[hit.pattern().as_usize()];
            if stands_alone(text, hit.start(), hit.end(), self.kinds[at]) {
                found.push((row, at, bit));
            }
        }
    }

    fn in_value(&self, row: usize, value: &str, part: Part, bit: u32, last: &mut Last, found: &mut Vec<Found>) {
        if last.value != value {
            last.value.clear();
            last.value.push_str(value);
            last.found.clear();
            self.look_up(value, part, &mut last.found);
        }
        found.extend(last.found.iter().map(|at| (row, *at, bit)));
    }

    fn look_up(&self, value: &str, part: Part, found: &mut Vec<usize>) {
        let at = match value.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => self.values.get(&value.to_ascii_lowercase()),
            false => self.values.get(value),
        };
        found.extend(at.filter(|at| takes_part(self.kinds[**at], part)));
        if part == Part::Address && !self.networks.is_empty() {
            self.in_networks(value, found);
        }
    }

    fn in_networks(&self, value: &str, found: &mut Vec<usize>) {
        let Ok(address) = value.parse::<std::net::IpAddr>() else { return };
        let address = address.to_canonical();
        let (is_v6, all) = (address.is_ipv6(), bits(address));
        for (_, len) in self.lengths.iter().filter(|(of_v6, _)| *of_v6 == is_v6) {
            let width = if is_v6 { 128 } else { 32 };
            let kept = all.checked_shr(u32::from(width - len)).map_or(0, |high| high << (width - len) as u32);
            found.extend(self.networks.get(&(is_v6, *len, if *len == 0 { 0 } else { kept })));
        }
    }

    fn in_urls(&self, batch: &RecordBatch, bit: u32, found: &mut Vec<Found>) -> Result<()> {
        let column = |field: Field| batch.column_by_name(field.name()).map(texts).transpose();
        let (Some(hosts), Some(paths)) = (column(field::URL_DOMAIN)?, column(URL_FIELD)?) else { return Ok(()) };
        for row in (0..batch.num_rows()).filter(|row| hosts.is_valid(*row) && paths.is_valid(*row)) {
            let Some(of_host) = self.urls.get(&hosts.value(row).to_ascii_lowercase()) else { continue };
            let path = paths.value(row).to_lowercase();
            found.extend(of_host.iter().filter(|(wanted, _)| is_below(&path, wanted)).map(|(_, at)| (row, *at, bit)));
        }
        Ok(())
    }
}

/// The value before, and what was found for it: neighbours are mostly equal.
#[derive(Default)]
struct Last {
    value: String,
    found: Vec<usize>,
}

/// Joins what was found in one row, and counts the row once for each indicator.
fn tally(batch: &RecordBatch, mut found: Vec<Found>, tallies: &mut [Tally]) {
    found.sort_unstable();
    let times = batch.column_by_name(field::TIMESTAMP.name());
    let times = times.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let systems = batch.column_by_name(field::SYSTEM_ID.name()).and_then(|column| column.as_string_view_opt());
    for same in found.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
        let (row, at, _) = same[0];
        let fields = same.iter().fold(0, |all, (_, _, bit)| all | bit);
        let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
        let system = systems.filter(|systems| systems.is_valid(row)).map_or("", |systems| systems.value(row));
        tallies[at].add(time, if system == event::UNASSIGNED { "" } else { system }, fields);
    }
}

fn texts(array: &ArrayRef) -> Result<StringViewArray> {
    let array = cast(array, &DataType::Utf8View).map_err(|error| Error::failed(error.to_string()))?;
    Ok(array.as_string_view().clone())
}

/// Calls `act` with every text of a column, list elements one by one.
fn each(array: &ArrayRef, mut act: impl FnMut(usize, &str)) -> Result<()> {
    let Some(lists) = array.as_list_opt::<i32>() else {
        let texts = texts(array)?;
        (0..texts.len()).filter(|row| texts.is_valid(*row)).for_each(|row| act(row, texts.value(row)));
        return Ok(());
    };
    let (items, offsets) = (texts(lists.values())?, lists.value_offsets());
    for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
        let items = (offsets[row] as usize..offsets[row + 1] as usize).filter(|at| items.is_valid(*at)).map(|at| items.value(at));
        items.for_each(|item| act(row, item));
    }
    Ok(())
}

fn bits(address: std::net::IpAddr) -> u128 {
    match address {
        std::net::IpAddr::V4(ip) => u128::from(ip.to_bits()),
        std::net::IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// True when the path is the wanted one or below it.
fn is_below(path: &str, wanted: &str) -> bool {
    let wanted = wanted.split('?').next().unwrap_or(wanted);
    let Some(rest) = path.strip_prefix(wanted) else { return false };
    rest.is_empty() || wanted.ends_with('/') || rest.starts_with('/')
}

/// True when what was found in a text is not a part of something else of its kind.
fn stands_alone(text: &str, start: usize, end: usize, kind: IndicatorKind) -> bool {
    let (mut back, mut ahead) = (text[..start].chars().rev(), text[end..].chars());
    let (before, before_that) = (back.next(), back.next());
    let (after, after_that) = (ahead.next(), ahead.next());
    let joins = |c: Option<char>, next: Option<char>, joiners: &str, goes_on: fn(char) -> bool| {
        c.is_some_and(|c| joiners.contains(c)) && next.is_some_and(goes_on)
    };
    // A path that ends in `/` has whatever it likes behind it.
    let is_open = text[..end].ends_with(['/', '=', '?', '&']);
    if before.is_some_and(is_word) || !is_open && after.is_some_and(is_word) {
        return false;
    }
    let hex = |c: char| c.is_ascii_hexdigit();
    match kind {
        IndicatorKind::Address | IndicatorKind::Network => {
            let joiners = if text[start..end].contains(':') { ":." } else { "." };
            !joins(before, before_that, joiners, hex) && !joins(after, after_that, joiners, hex)
        }
        IndicatorKind::Hash => true,
        // A name below it counts, a name that goes on does not.
        IndicatorKind::Domain => before != Some('-') && after != Some('-') && !joins(after, after_that, ".", is_word),
        IndicatorKind::Url => !matches!(before, Some('-' | '.')) && (is_open || after != Some('-')),
        IndicatorKind::Mail => {
            !matches!(before, Some('-' | '.' | '+')) && after != Some('-') && !joins(after, after_that, ".", is_word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paste::refang::read;

    #[test]
    fn every_searched_field_is_in_the_index() {
        for (field, part) in FIELDS {
            let is_indexed = if part == Part::Text { store::indexing::is_text } else { store::indexing::is_value };
            assert!(is_indexed(field.name()), "{}", field.name());
        }
        assert!(store::indexing::is_value(field::URL_DOMAIN.name()));
        assert!(FIELDS.len() < 32, "a bit for each and one for URLs");
    }

    /// (indicator, text, does it stand there)
    const CASES: [(&str, &str, bool); 24] = [
        ("203.0.113.7", "src=203.0.113.7:443", true),
        ("203.0.113.7", "src=203.0.113.77", false),
        ("203.0.113.7", "1.203.0.113.7", false),
        ("203.0.113.7", "from 203.0.113.7.", true),
        ("2001:db8::1", "from 2001:DB8::1 port", true),
        ("2001:db8::1", "from 2001:db8::1:5", false),
        ("evil.example", "GET http://EVIL.example/x", true),
        ("evil.example", "query cdn.evil.example", true),
        ("evil.example", "query evil.example.vn", false),
        ("evil.example", "query not-evil.example", false),
        ("evil.example", "query notevil.example", false),
        ("evil.example", "seen evil.example. Then", true),
        ("evil.example", "an@evil.example", true),
        ("http://evil.example/a", "GET https://evil.example/a/b", true),
        ("http://evil.example/a", "GET https://evil.example/ab", false),
        ("http://evil.example/a/", "GET https://evil.example/a/b", true),
        ("http://evil.example/a", "GET https://x.evil.example/a", false),
        ("an@evil.example", "to=<an@evil.example>", true),
        ("an@evil.example", "to=<tan@evil.example>", false),
        ("an@evil.example", "to=<x.an@evil.example>", false),
        ("an@evil.example", "to=<an@evil.example.vn>", false),
        ("d41d8cd98f00b204e9800998ecf8427e", "MD5=D41D8CD98F00B204E9800998ECF8427E,", true),
        ("d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e0", false),
        ("đăng-nhập.vn", "GET https://đăng-nhập.vn/", true),
    ];

    /// Every hit is one that the index may be asked for.
    #[test]
    fn text_is_searched_by_the_rules() {
        for (asked, text, stands) in CASES {
            let indicators = read(asked).indicators;
            let matcher = Matcher::new(&indicators).unwrap();
            let mut found = Vec::new();
            matcher.in_text(0, text, 1, &mut found);
            assert_eq!(!found.is_empty(), stands, "{asked} in {text}");
            let value = &indicators[0].value;
            let is_term = event::tokenise::contains_term(&event::fold::like(value, text), &event::fold::like(value, value));
            assert!(!stands || is_term, "{asked} in {text} is no term");
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        let indicators = read("203.0.113.0/24 203.0.0.0/16 2001:db8::/32 0.0.0.0/0").indicators;
        let matcher = Matcher::new(&indicators).unwrap();
        let found = |value: &str| {
            let mut found = Vec::new();
            matcher.look_up(value, Part::Address, &mut found);
            found.sort_unstable();
            found
        };
        assert_eq!(found("203.0.113.255"), [0, 1, 3]);
        assert_eq!(found("203.0.114.0"), [1, 3]);
        assert_eq!(found("2001:db8:1::9"), [2]);
        assert_eq!(found("::ffff:203.0.113.1"), [0, 1, 3]);
        assert_eq!(found("không phải"), [0; 0]);
    }

    #[test]
    fn a_url_is_its_host_and_what_lies_below_its_path() {
        for (path, wanted, is) in
            [("/a", "/a", true), ("/a/b", "/a", true), ("/ab", "/a", false), ("/a", "/a?x=1", true), ("/ab", "/", true)]
        {
            assert_eq!(is_below(path, wanted), is, "{path} {wanted}");
        }
        assert_eq!(split_url("[2001:db8::1]:80/x"), ("2001:db8::1", "/x"));
        assert_eq!(split_url("a.example:80/x?y"), ("a.example", "/x?y"));
    }
}
