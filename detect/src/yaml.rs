//! YAML as a tree that remembers its lines: what rule files, rule tests and mapping files are read into.
//!
//! Not a general YAML value: keys are text, anchors and tags are resolved by the parser, duplicate keys are an error.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A node and the line (from 1) it stands on; 0 where the parser does not say.
#[derive(Clone, Debug)]
pub struct Node {
    pub line: u32,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub struct Key {
    pub line: u32,
    pub name: String,
}

/// Why a file could not be read as YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    pub message: String,
}

/// Reads all documents of a file; empty documents are left out.
pub fn documents(text: &str) -> Result<Vec<Node>, Error> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let read: Result<Vec<Spanned<Raw>>, _> = serde_saphyr::from_multiple_with_options(text, options);
    match read {
        Ok(documents) => {
            let nodes = documents.into_iter().map(|raw| node(raw, text));
            Ok(nodes.filter(|node| !matches!(node.value, Value::Null)).collect())
        }
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line() as u32);
            let shown = error.without_snippet().to_string();
            let message = shown.lines().next().unwrap_or("not readable").to_owned();
            Err(Error { line, message })
        }
    }
}

impl Node {
    /// The value under a key of a map.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list, or the single value itself.
    pub fn elements(&self) -> &[Node] {
        match &self.value {
            Value::List(elements) => elements,
            Value::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// A scalar as text; `None` for null, lists and maps.
    pub fn text(&self) -> Option<String> {
        match &self.value {
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Int(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The scalars of a list (or one scalar) as text.
    pub fn texts(&self) -> Vec<String> {
        self.elements().iter().filter_map(Node::text).collect()
    }

    /// The text under a key.
    pub fn text_at(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Node::text)
    }

    /// The texts under a key; empty when it is missing.
    pub fn texts_at(&self, name: &str) -> Vec<String> {
        self.get(name).map(Node::texts).unwrap_or_default()
    }
}

fn node(raw: Spanned<Raw>, source: &str) -> Node {
    let line = raw.referenced.line() as u32;
    let spelled = spelling(raw.defined, source);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(flag) => Value::Bool(flag),
        Raw::Int(number) => match spelled {
            Some(text) if !is_plain_number(text) => Value::Text(text.to_owned()),
            _ => Value::Int(number),
        },
        Raw::Float(number) => match spelled {
            Some(text) if !is_plain_number(text) => Value::Text(text.to_owned()),
            _ => Value::Float(number),
        },
        Raw::Text(text) => Value::Text(text),
        Raw::List(elements) => Value::List(elements.into_iter().map(|element| node(element, source)).collect()),
        Raw::Map(entries) => {
            let entries = entries.into_iter().map(|(name, value)| {
                let line = name.referenced.line() as u32;
                (Key { line, name: name.value.0 }, node(value, source))
            });
            Value::Map(entries.collect())
        }
    };
    Node { line, value }
}

/// The characters of a scalar as the file has them.
fn spelling(location: serde_saphyr::Location, source: &str) -> Option<&str> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start + usize::try_from(span.byte_len()?).ok()?;
    source.get(start..end).map(str::trim)
}

/// True for what everybody reads as the same number. `0X10`, `1_000`, `007` and `.inf` are not: YAML libraries disagree, a
/// log has them as they stand, so they are text.
fn is_plain_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    let digits = text.trim_start_matches(['-', '+']);
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    !has_leading_zero
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'))
        && digits.bytes().any(|byte| byte.is_ascii_digit())
}

/// What serde builds; the lines come from the wrapper around each node.
enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<KeyText>, Spanned<Raw>)>),
}

/// A key, whatever scalar it is, as text.
struct KeyText(String);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a scalar, list or map")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(i64::try_from(number).map_or(Raw::Float(number as f64), Raw::Int))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(i64::try_from(number).map_or(Raw::Float(number as f64), Raw::Int))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Raw, E> {
        Ok(i64::try_from(number).map_or(Raw::Float(number as f64), Raw::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Raw::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(RawVisitor)? {
            Raw::Text(text) => Ok(Self(text)),
            Raw::Bool(flag) => Ok(Self(flag.to_string())),
            Raw::Int(number) => Ok(Self(number.to_string())),
            Raw::Float(number) => Ok(Self(number.to_string())),
            Raw::Null | Raw::List(_) | Raw::Map(_) => Err(de::Error::custom("a key must be text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept() {
        let nodes = documents("a: 1\nb:\n  - x\n  - y: null\n---\nc: d\n").unwrap();
        assert_eq!(nodes.len(), 2);
        let list = nodes[0].get("b").unwrap();
        assert_eq!(list.elements().iter().map(|node| node.line).collect::<Vec<_>>(), [3, 4]);
        assert!(matches!(list.elements()[1].get("y").unwrap().value, Value::Null));
        assert_eq!(nodes[1].entries()[0].0.line, 6);
    }

    #[test]
    fn words_and_odd_numbers_stay_text() {
        let nodes = documents("[y, no, 0X10, 1_000, 007, 4624, -1.5, true, '5', 0x1F]").unwrap();
        let shown: Vec<_> = nodes[0].elements().iter().map(|node| format!("{:?}", node.value)).collect();
        let expected = [
            r#"Text("y")"#,
            r#"Text("no")"#,
            r#"Text("0X10")"#,
            r#"Text("1_000")"#,
            r#"Text("007")"#,
            "Int(4624)",
            "Float(-1.5)",
            "Bool(true)",
            r#"Text("5")"#,
            "Int(31)",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_key_given_twice_is_an_error_with_its_line() {
        let error = documents("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(error.message.contains("duplicate"), "{}", error.message);
    }
}
