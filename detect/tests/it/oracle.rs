//! A naive evaluator beside the engine: random rules on random events, and the ways of running that must not matter.
//!
//! The generator keeps each rule as data and writes it as YAML; the evaluator reads the data, so it shares neither parser
//! nor matching with the crate.

use std::collections::BTreeMap;

use detect::{Options, Route, RuleSource, flat, load};
use serde_json::{Value, json};

/// Rules and events of one run; `cargo test` stays short.
const RULES: usize = 400;
const EVENTS: usize = 24;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const FIELDS: &[&str] = &["Image", "CommandLine", "Port", "Ip", "Tags", "cs-uri"];
const WORDS: &[&str] = &["cmd", "CMD.exe", "power", "ΩМир", "a", "", "x y", "Đường", "10", "80", "-enc", "a.b", "ſk"];
const ADDRESSES: &[&str] = &["10.1.2.3", "10.200.0.1", "192.0.2.9", "2001:db8::1", "::ffff:10.1.2.3", "010.1.2.3", "none"];
const NETWORKS: &[&str] = &["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32", "10.1.2.3/32"];
const EXPRESSIONS: &[&str] = &["c[mM]d", "^a", "(?i)CMD\\.EXE$", "[0-9]{2}", "(?i)ſk", "power|enc"];
const MODIFIERS: &[&str] = &["", "contains", "startswith", "endswith", "cased"];

/// One `field|modifier: value` of a generated rule.
#[derive(Clone)]
enum Atom {
    Text { how: &'static str, value: String },
    Number(i64),
    Above(i64),
    Null,
    Network(&'static str),
    Regex(&'static str),
    Exists(bool),
    Keyword(String),
}

#[derive(Clone)]
struct Item {
    field: &'static str,
    atom: Atom,
}

#[derive(Clone)]
enum Tree {
    Name(usize),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

struct Sample {
    /// Each identifier is one map: all of its items.
    identifiers: Vec<Vec<Item>>,
    condition: Tree,
}

fn atom(random: &mut Random) -> Atom {
    match random.below(12) {
        0 => Atom::Number([80, 443, 10][random.below(3)]),
        1 => Atom::Above([79, 80, 500][random.below(3)]),
        2 => Atom::Null,
        3 => Atom::Network(random.word(NETWORKS)),
        4 => Atom::Regex(random.word(EXPRESSIONS)),
        5 => Atom::Exists(random.chance(50)),
        6 => Atom::Keyword(random.word(WORDS).to_string()),
        _ => {
            let mut value = random.word(WORDS).to_string();
            if random.chance(25) {
                value.insert(if value.is_ascii() { random.below(value.len() + 1) } else { 0 }, *random.pick(&['*', '?']));
            }
            Atom::Text { how: random.word(MODIFIERS), value }
        }
    }
}

fn tree(random: &mut Random, names: usize, depth: usize) -> Tree {
    match random.below(if depth == 0 { 1 } else { 4 }) {
        0 => Tree::Name(random.below(names)),
        1 => Tree::Not(Box::new(tree(random, names, depth - 1))),
        2 => Tree::And(Box::new(tree(random, names, depth - 1)), Box::new(tree(random, names, depth - 1))),
        _ => Tree::Or(Box::new(tree(random, names, depth - 1)), Box::new(tree(random, names, depth - 1))),
    }
}

fn sample(random: &mut Random) -> Sample {
    let count = 1 + random.below(3);
    let identifiers = (0..count)
        .map(|_| {
            let mut items: Vec<Item> = Vec::new();
            for _ in 0..1 + random.below(2) {
                let item = Item { field: random.word(FIELDS), atom: atom(random) };
                // A map holds each key once.
                if items.iter().all(|known| key(known) != key(&item)) {
                    items.push(item);
                }
            }
            items
        })
        .collect();
    Sample { identifiers, condition: tree(random, count, 3) }
}

fn key(item: &Item) -> String {
    let modifier = match &item.atom {
        Atom::Text { how, .. } => how,
        Atom::Above(_) => "gt",
        Atom::Network(_) => "cidr",
        Atom::Regex(_) => "re",
        Atom::Exists(_) => "exists",
        Atom::Keyword(_) => return "|contains".to_owned(),
        Atom::Number(_) | Atom::Null => "",
    };
    if modifier.is_empty() { item.field.to_owned() } else { format!("{}|{modifier}", item.field) }
}

fn yaml(sample: &Sample, number: usize) -> String {
    let mut detection = serde_json::Map::new();
    for (i, items) in sample.identifiers.iter().enumerate() {
        let map = items.iter().map(|item| {
            let value = match &item.atom {
                Atom::Text { value, .. } | Atom::Keyword(value) => json!(value),
                Atom::Number(number) | Atom::Above(number) => json!(number),
                Atom::Null => Value::Null,
                Atom::Network(text) | Atom::Regex(text) => json!(text),
                Atom::Exists(flag) => json!(flag),
            };
            (key(item), value)
        });
        detection.insert(format!("sel{i}"), Value::Object(map.collect()));
    }
    detection.insert("condition".into(), json!(shown(&sample.condition)));
    let id = format!("00000000-0000-4000-8000-{number:012}");
    // JSON is YAML.
    json!({"title": "sample", "id": id, "level": "low", "logsource": {"product": "test"}, "detection": detection}).to_string()
}

fn shown(tree: &Tree) -> String {
    match tree {
        Tree::Name(i) => format!("sel{i}"),
        Tree::Not(inner) => format!("not ({})", shown(inner)),
        Tree::And(a, b) => format!("({} and {})", shown(a), shown(b)),
        Tree::Or(a, b) => format!("({} or {})", shown(a), shown(b)),
    }
}

fn event(random: &mut Random) -> flat::FlatEvent {
    let mut event = flat::FlatEvent::new();
    for field in FIELDS {
        let text = |random: &mut Random| json!(format!("{}{}", random.word(WORDS), random.word(WORDS)));
        let value = match *field {
            _ if random.chance(25) => continue,
            "Ip" => json!(random.word(ADDRESSES)),
            "Port" if random.chance(50) => json!(random.word(&["80", "443", "80.0", " 10 ", "http"])),
            "Port" => json!([80, 443, 501][random.below(3)]),
            "Tags" => json!([text(random), text(random)]),
            _ => text(random),
        };
        event.insert((*field).to_owned(), value);
    }
    event
}

fn texts(event: &flat::FlatEvent, field: &str) -> Vec<String> {
    match event.get(field) {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().map(flat::text).collect(),
        Some(value) => vec![flat::text(value)],
    }
}

/// Wildcards by recursion over characters: slow and plain.
fn wild(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| wild(rest, &text[skip..])),
        Some(('?', rest)) => !text.is_empty() && wild(rest, &text[1..]),
        Some((c, rest)) => text.first() == Some(c) && wild(rest, &text[1..]),
    }
}

fn like(how: &str, value: &str, text: &str) -> bool {
    let pattern = match how {
        "contains" => format!("*{value}*"),
        "startswith" => format!("{value}*"),
        "endswith" => format!("*{value}"),
        _ => value.to_owned(),
    };
    let fold = |text: &str| if how == "cased" { text.to_owned() } else { text.to_lowercase() };
    wild(&fold(&pattern).chars().collect::<Vec<_>>(), &fold(text).chars().collect::<Vec<_>>())
}

fn in_network(network: &str, text: &str) -> bool {
    let Ok(address) = text.parse::<std::net::IpAddr>() else { return false };
    let (base, bits) = network.split_once('/').unwrap();
    let bits: u32 = bits.parse().unwrap();
    match (address, base.parse().unwrap()) {
        (std::net::IpAddr::V4(a), std::net::IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
        (std::net::IpAddr::V6(a), std::net::IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
        _ => false,
    }
}

fn naive_item(item: &Item, event: &flat::FlatEvent) -> bool {
    let values = texts(event, item.field);
    match &item.atom {
        Atom::Null => values.is_empty(),
        Atom::Exists(wanted) => values.is_empty() != *wanted,
        Atom::Keyword(word) => event.keys().flat_map(|field| texts(event, field)).any(|text| like("contains", word, &text)),
        Atom::Text { how, value } => values.iter().any(|text| like(how, value, text)),
        Atom::Number(number) => values.iter().any(|text| text.trim().parse::<f64>().is_ok_and(|value| value == *number as f64)),
        Atom::Above(number) => values.iter().any(|text| text.trim().parse::<f64>().is_ok_and(|value| value > *number as f64)),
        Atom::Network(network) => values.iter().any(|text| in_network(network, text)),
        Atom::Regex(source) => values.iter().any(|text| regex::Regex::new(source).unwrap().is_match(text)),
    }
}

fn naive(tree: &Tree, sample: &Sample, event: &flat::FlatEvent) -> bool {
    match tree {
        Tree::Name(i) => sample.identifiers[*i].iter().all(|item| naive_item(item, event)),
        Tree::Not(inner) => !naive(inner, sample, event),
        Tree::And(a, b) => naive(a, sample, event) && naive(b, sample, event),
        Tree::Or(a, b) => naive(a, sample, event) || naive(b, sample, event),
    }
}

/// Rule number → rows that match.
type Verdicts = BTreeMap<u32, Vec<u32>>;

fn run(sources: &[RuleSource], events: &[flat::FlatEvent], batch_rows: usize) -> Verdicts {
    let loaded = load(sources.to_vec(), &Options::default());
    assert_eq!(loaded.rejected, []);
    let mut verdicts = Verdicts::new();
    for (i, chunk) in events.chunks(batch_rows).enumerate() {
        for found in loaded.set.match_batch_by(&flat::batch("test", chunk), Route::Everything) {
            verdicts.entry(found.rule).or_default().push(found.row + (i * batch_rows) as u32);
        }
    }
    verdicts
}

#[test]
fn the_engine_says_what_the_naive_evaluator_says() {
    let mut random = Random(0x00c0_ffee_1234_5678);
    let samples: Vec<_> = (0..RULES).map(|_| sample(&mut random)).collect();
    let events: Vec<_> = (0..EVENTS).map(|_| event(&mut random)).collect();
    let sources: Vec<_> =
        samples.iter().enumerate().map(|(i, sample)| RuleSource { path: format!("{i}.yml"), text: yaml(sample, i) }).collect();

    let together = run(&sources, &events, events.len());
    let mut hits = 0;
    for (i, sample) in samples.iter().enumerate() {
        let expected: Vec<u32> =
            (0..EVENTS as u32).filter(|row| naive(&sample.condition, sample, &events[*row as usize])).collect();
        let got = together.get(&(i as u32)).cloned().unwrap_or_default();
        assert_eq!(got, expected, "{}\n{}", sources[i].text, serde_json::to_string_pretty(&events).unwrap());
        hits += expected.len();
    }
    let share = hits * 100 / (RULES * EVENTS);
    assert!((10..90).contains(&share), "a test that says something: {share} % of the cases match");
    eprintln!("oracle: {} cases, {hits} hits", RULES * EVENTS);

    assert_eq!(run(&sources, &events, 1), together, "batches of one row");
    for (i, source) in sources.iter().enumerate().step_by(7) {
        let alone = run(std::slice::from_ref(source), &events, events.len());
        assert_eq!(alone.get(&0), together.get(&(i as u32)), "alone: {}", source.text);
    }
}

#[test]
fn interned_columns_and_plain_ones_say_the_same() {
    let arena = bumpalo::Bump::new();
    let mut builder = event::BlockBuilder::new();
    let mut scratch = event::Event::new(&arena);
    let mut flat_events = Vec::new();
    for i in 0..40_i64 {
        let action = ["login", "LOGOUT", "root shell"][i as usize % 3];
        scratch.clear();
        scratch.set_dataset("sshd.auth");
        scratch.set(event::field::EVENT_ACTION, action);
        scratch.set(event::field::SOURCE_PORT, i % 5);
        scratch.set(event::field::RELATED_USER, "anna");
        let mut flat = flat::FlatEvent::new();
        flat.insert("event.action".into(), action.into());
        flat.insert("source.port".into(), (i % 5).into());
        flat.insert("related.user".into(), json!(["anna"]));
        if i % 4 == 0 {
            scratch.set_extra("v.", "k", "Value");
            flat.insert("v.k".into(), "Value".into());
        }
        builder.append(&scratch);
        flat_events.push(flat);
    }
    let rules = [
        "a: {event.action|startswith: log, source.port: [1, 2]}\n  condition: a",
        "a: {v.k: null, related.user: ANNA}\n  condition: a",
        "a: [shell, value]\n  condition: a",
        "a: {v.k: '*'}\n  b: {source.port|gte: 3}\n  condition: a and not b",
    ];
    let head = |i: usize| format!("title: T\nid: 00000000-0000-4000-8000-{i:012}\nlogsource: {{product: linux}}\ndetection:\n  ");
    let sources = rules.iter().enumerate().map(|(i, text)| RuleSource { path: format!("{i}"), text: head(i) + text });
    let loaded = load(sources.collect(), &Options::default());
    assert_eq!(loaded.rejected, []);
    let built = builder.finish().remove(0);
    assert!(built.codes.iter().any(Option::is_some), "nothing was interned");
    let matches = loaded.set.match_batch(&built);
    assert_eq!(matches, loaded.set.match_batch(&flat::batch("sshd.auth", &flat_events)));
    assert!((0..4).all(|rule| matches.iter().any(|found| found.rule == rule)), "{matches:?}");
    assert_eq!(loaded.set.health(0).events, 80);
    assert!(!loaded.set.is_blind(0));
}
