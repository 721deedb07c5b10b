//! Predicates: one question about one field, interned so that rules which ask the same share the answer.
//!
//! All are two-valued: on an absent field a predicate is false (except [`Test::Absent`] and `exists: false`).

use hashbrown::HashMap;
use ipnet::IpNet;

use crate::pattern::Pattern;

/// Index of a predicate in its [`Predicates`].
pub type PredicateId = u32;

/// Index of a field in its [`Fields`].
pub type FieldId = u32;

/// The field of keyword predicates: any value of the whole event.
pub const WHOLE_EVENT: FieldId = u32::MAX;

/// A number of a rule: compared as a number, or as the text it is written with.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl Number {
    /// The decimal text, whole numbers without a fraction.
    pub fn text(self) -> String {
        self.0.to_string()
    }

    /// Reads a field's text as a number, spaces around it ignored.
    pub fn parse(text: &str) -> Option<f64> {
        let text = text.trim();
        let first = text.as_bytes().first()?;
        (first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.' | b'i' | b'I' | b'n' | b'N'))
            .then(|| text.parse().ok())
            .flatten()
    }

    fn bits(self) -> u64 {
        self.0.to_bits()
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Number {}

impl std::hash::Hash for Number {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}

/// A part of a time stamp, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// How a field's text relates to another field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    Equals,
    StartsWith,
    EndsWith,
    Contains,
}

impl Relation {
    /// Both texts are lower-cased by the caller.
    pub fn holds(self, text: &str, other: &str) -> bool {
        match self {
            Self::Equals => text == other,
            Self::StartsWith => text.starts_with(other),
            Self::EndsWith => text.ends_with(other),
            Self::Contains => text.contains(other),
        }
    }
}

/// A regular expression as the `regex` crate reads it, flags written in front.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expression(pub String);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// Any of the patterns.
    Text(Vec<Pattern>),
    /// Any of the numbers.
    Numbers(Vec<Number>),
    Compare(Comparison, Number),
    Regex(Expression),
    /// Any of the networks.
    Networks(Vec<IpNet>),
    /// The field has no value.
    Absent,
    Exists(bool),
    Field(Relation, FieldId),
    Time(TimePart, i64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Predicate {
    pub field: FieldId,
    pub test: Test,
}

/// A field as the columns that may hold it: the first one with a value counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldColumns(pub Vec<String>);

/// All different predicates of a rule set, with how many times each was asked for.
#[derive(Default)]
pub struct Predicates {
    pub list: Vec<Predicate>,
    pub uses: Vec<u32>,
    index: HashMap<Predicate, PredicateId>,
}

impl Predicates {
    pub fn intern(&mut self, predicate: Predicate) -> PredicateId {
        if let Some(&id) = self.index.get(&predicate) {
            self.uses[id as usize] += 1;
            return id;
        }
        let id = self.list.len() as PredicateId;
        self.list.push(predicate.clone());
        self.uses.push(1);
        self.index.insert(predicate, id);
        id
    }

    /// Forgets the index once loading is over.
    pub fn seal(&mut self) {
        self.index = HashMap::new();
        self.list.shrink_to_fit();
    }
}

/// All different fields of a rule set.
#[derive(Default)]
pub struct Fields {
    pub list: Vec<FieldColumns>,
    index: HashMap<FieldColumns, FieldId>,
}

impl Fields {
    pub fn intern(&mut self, columns: FieldColumns) -> FieldId {
        if let Some(&id) = self.index.get(&columns) {
            return id;
        }
        let id = self.list.len() as FieldId;
        self.list.push(columns.clone());
        self.index.insert(columns, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_text_that_is_one() {
        assert_eq!(Number::parse(" 4624 "), Some(4624.0));
        assert_eq!(Number::parse("4624.0"), Some(4624.0));
        assert!(["", "04624x", "0x1210", "--1"].iter().all(|text| Number::parse(text).is_none()));
        assert_eq!(Number(80.0).text(), "80");
    }
}
