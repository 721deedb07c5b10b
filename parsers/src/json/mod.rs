//! JSON objects flattened in one pass: dotted names and their values go to a visitor, without a tree in between.
//!
//! Bounds: [`DEPTH_MAX`] levels, [`KEYS_MAX`] values; what is deeper is handed on as the text of its JSON. Arrays are handed
//! on as text too ([`Leaf::List`]): the visitor knows which field wants elements. `null`, `{}` and `[]` say nothing and are
//! left out; an empty string is a value.
//!
//! Not a validator: raw control characters in strings are accepted, because devices write them.

mod scan;
mod strings;

use bumpalo::Bump;

use crate::text;
use scan::Scanner;

pub use scan::Malformed;

/// Objects nested deeper than this are kept as JSON text.
pub const DEPTH_MAX: usize = 24;

/// Values of one object; further ones are dropped and reported.
pub const KEYS_MAX: usize = 4096;

/// Bytes that the dotted names of any object may take, beside four times its text.
const NAMES_LEAST: usize = 4096;

/// A value that has no names below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaf<'r> {
    Str(&'r str),
    /// A number as it was written.
    Number(&'r str),
    Bool(bool),
    /// An array, or an object beyond [`DEPTH_MAX`], as its JSON text.
    List(&'r str),
}

impl<'r> Leaf<'r> {
    /// The value's text: strings unescaped, everything else as written.
    pub fn text(self) -> &'r str {
        match self {
            Self::Str(text) | Self::Number(text) | Self::List(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

/// What a flattened object was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes after the object, other than blanks.
    pub has_rest: bool,
    /// Values beyond [`KEYS_MAX`].
    pub lost: usize,
}

/// Calls `emit` with each dotted name and value of the object at the start of the text.
pub fn flatten<'r>(arena: &'r Bump, text: &'r str, emit: &mut dyn FnMut(&'r str, Leaf<'r>)) -> Result<Report, Malformed> {
    let mut walk =
        Walk { arena, scanner: Scanner::new(text), emit, left: KEYS_MAX, lost: 0, names_left: 4 * text.len() + NAMES_LEAST };
    walk.scanner.skip_blanks();
    walk.object("", 0)?;
    walk.scanner.skip_blanks();
    Ok(Report { has_rest: !walk.scanner.is_at_end(), lost: walk.lost })
}

/// Calls `emit` with each scalar element of an array's JSON text; elements that are objects or arrays come as text.
pub fn elements<'r>(arena: &'r Bump, list: &'r str, emit: &mut dyn FnMut(Leaf<'r>)) {
    let mut scanner = Scanner::new(list);
    if scanner.expect(b'[').is_err() {
        return;
    }
    // The text was scanned once already: an error cannot come, and would only end the list.
    let _ = scanner.items(b']', |scanner| {
        if let Some(leaf) = leaf(scanner, arena)? {
            emit(leaf);
        }
        Ok(())
    });
}

struct Walk<'r, 'e> {
    arena: &'r Bump,
    scanner: Scanner<'r>,
    emit: &'e mut dyn FnMut(&'r str, Leaf<'r>),
    left: usize,
    lost: usize,
    /// Bytes that dotted names may still take: thousands of short keys under one long path would take many times the text.
    names_left: usize,
}

impl<'r> Walk<'r, '_> {
    fn object(&mut self, prefix: &'r str, depth: usize) -> Result<(), Malformed> {
        self.scanner.expect(b'{')?;
        self.scanner.skip_blanks();
        if self.scanner.take(b'}') {
            return Ok(());
        }
        loop {
            self.scanner.skip_blanks();
            let key = strings::read(&mut self.scanner, self.arena)?;
            self.scanner.skip_blanks();
            self.scanner.expect(b':')?;
            self.scanner.skip_blanks();
            self.member(prefix, key, depth)?;
            self.scanner.skip_blanks();
            if self.scanner.take(b',') {
                continue;
            }
            return self.scanner.expect(b'}');
        }
    }

    fn member(&mut self, prefix: &'r str, key: &'r str, depth: usize) -> Result<(), Malformed> {
        let name_len = if prefix.is_empty() { 0 } else { prefix.len() + 1 + key.len() };
        let name = || if prefix.is_empty() { key } else { text::concat(self.arena, [prefix, ".", key]) };
        // A path that is too long is not built: nesting could make it grow with the square of the record's length.
        if self.scanner.peek() == Some(b'{')
            && depth + 1 < DEPTH_MAX
            && prefix.len() + key.len() < 512
            && name_len <= self.names_left
        {
            let name = name();
            self.names_left -= name_len;
            return self.object(name, depth + 1);
        }
        if self.left == 0 || prefix.len() + key.len() > 1024 || name_len > self.names_left {
            self.scanner.skip_value(0)?;
            self.lost += 1;
            return Ok(());
        }
        let Some(leaf) = leaf(&mut self.scanner, self.arena)? else { return Ok(()) };
        let name = name();
        self.names_left -= name_len;
        self.left -= 1;
        (self.emit)(name, leaf);
        Ok(())
    }
}

/// Reads one value without going into it; `None` for `null` and empty containers.
fn leaf<'r>(scanner: &mut Scanner<'r>, arena: &'r Bump) -> Result<Option<Leaf<'r>>, Malformed> {
    Ok(match scanner.peek() {
        Some(b'"') => Some(Leaf::Str(strings::read(scanner, arena)?)),
        Some(b'{' | b'[') => {
            let text = scanner.skip_value(0)?;
            let is_empty = text.bytes().filter(|b| !b.is_ascii_whitespace()).nth(2).is_none();
            (!is_empty).then_some(Leaf::List(text))
        }
        Some(b't') => scanner.literal("true").map(|()| Some(Leaf::Bool(true)))?,
        Some(b'f') => scanner.literal("false").map(|()| Some(Leaf::Bool(false)))?,
        Some(b'n') => scanner.literal("null").map(|()| None)?,
        _ => Some(Leaf::Number(scanner.number()?)),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn ours(text: &str) -> Result<BTreeMap<String, String>, Malformed> {
        let arena = Bump::new();
        let mut found = BTreeMap::new();
        let text: &str = arena.alloc_str(text);
        flatten(&arena, text, &mut |name, leaf| {
            found.insert(name.to_owned(), leaf.text().to_owned());
        })?;
        Ok(found)
    }

    /// The oracle: serde_json's tree, walked by the rules at the head of this file.
    fn theirs(value: &serde_json::Value, prefix: &str, found: &mut BTreeMap<String, String>) {
        for (key, value) in value.as_object().unwrap() {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                serde_json::Value::Object(_) => theirs(value, &name, found),
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => drop(found.insert(name, text.clone())),
                serde_json::Value::Array(list) if list.is_empty() => {}
                other => drop(found.insert(name, other.to_string())),
            }
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e9..1e9f64).prop_map(Into::into),
            "\\PC{0,12}".prop_map(Into::into),
            "[\\x00-\\x20\"\\\\/\u{1F600}é]{0,6}".prop_map(Into::into),
        ];
        let tree = leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-z@_\"\\\\é]{1,6}", inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-z@_\"\\\\é]{1,6}", tree, 0..6)
            .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(value in json(), pretty in any::<bool>()) {
            // Lists are compared as written, so they are written as serde_json prints them.
            let text = if pretty && !value.to_string().contains('[') {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            let mut expected = BTreeMap::new();
            theirs(&value, "", &mut expected);
            prop_assert_eq!(ours(&text).unwrap(), expected);
        }

        #[test]
        fn what_serde_json_reads_we_read(text in "[\\{\\}\\[\\]\":,a-c0-9\\\\ .eE+-]{0,40}") {
            let text = format!("{{{text}}}");
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            if theirs.is_ok() {
                prop_assert!(ours(&text).is_ok(), "{}", text);
            }
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = ours(&text);
        }
    }

    #[test]
    fn hostile() {
        for text in [
            "",
            "{",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":tru}",
            "{\"a\":-}",
            "{a:1}",
            "[1]",
            "{\"a\":\"\\",
        ] {
            assert!(ours(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        let found = ours(&deep).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found.keys().next().unwrap().matches('a').count() == DEPTH_MAX);
        let brackets = format!("{{\"a\":{}}}", "[".repeat(100_000));
        assert!(ours(&brackets).is_err());
        let many: Vec<String> = (0..KEYS_MAX + 10).map(|i| format!("\"k{i}\":{i}")).collect();
        let arena = Bump::new();
        let report = flatten(&arena, arena.alloc_str(&format!("{{{}}} x", many.join(","))), &mut |_, _| {}).unwrap();
        assert_eq!(report, Report { has_rest: true, lost: 10 });
    }

    #[test]
    fn many_short_keys_under_a_long_path_stay_small() {
        let path = "p".repeat(240);
        let keys: Vec<String> = (0..KEYS_MAX).map(|at| format!("\"k{at}\":1")).collect();
        let text = format!("{{\"{path}\":{{\"{path}\":{{{}}}}}}}", keys.join(","));
        let (arena, mut found) = (Bump::new(), 0);
        let report = flatten(&arena, &text, &mut |_, _| found += 1).unwrap();
        assert_eq!((found + report.lost, report.lost > 0), (KEYS_MAX, true));
        assert!(arena.allocated_bytes() <= 16 * text.len());
    }

    #[test]
    fn escapes_and_doubles() {
        let found =
            ours(r#"{"a":"\u00e9\ud83d\ude00\ud83d \n\/","b":{"c":[1, "x"],"d":null,"e":"","f":{},"g":[]},"a.b":1,"n":1.50}"#)
                .unwrap();
        let found: Vec<_> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(found, [("a", "é😀\u{fffd} \n/"), ("a.b", "1"), ("b.c", "[1, \"x\"]"), ("b.e", ""), ("n", "1.50")]);
        assert_eq!(ours(r#"{"a":1,"a":2}"#).unwrap()["a"], "2");
    }
}
