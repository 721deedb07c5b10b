//! The scratch that parsers fill: a reused list of (field, value), without an allocation per event.
//!
//! Text that cannot be borrowed from the record (unescaped JSON, lower-cased words) goes to the block's arena through
//! [`Event::alloc`]. The scratch is not the stored form: [`crate::BlockBuilder`] turns it into columns.

use std::{fmt, net::IpAddr};

use bumpalo::Bump;

use crate::{Field, Value};

/// What became of a record in a parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The record was understood; problems with single parts may have been noted ([`Event::problem`]).
    Parsed,
    /// The record is not of this format, or is broken beyond use: stored raw, with this reason, as a quarantined record.
    Unreadable(&'static str),
}

/// A field outside the catalogue: `prefix` + `key` is its dotted name (`fortinet.firewall.` + `srcip`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtraName<'r> {
    pub prefix: &'static str,
    pub key: &'r str,
}

impl fmt::Display for ExtraName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.key)
    }
}

/// A state of the scratch to come back to ([`Event::rewind`]).
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    dataset: &'static str,
    fields: usize,
    extra: usize,
    problems: usize,
    extra_lost: usize,
}

/// Fields outside the catalogue that one event may carry; more are counted in `error.message`, never refused silently.
pub const EXTRA_MAX: usize = 1024;

/// One event in the making. Scalar fields keep the last value set, list fields keep all in order.
pub struct Event<'r> {
    arena: &'r Bump,
    dataset: &'static str,
    fields: Vec<(Field, Value<'r>)>,
    extra: Vec<(ExtraName<'r>, Value<'r>)>,
    problems: Vec<&'r str>,
    extra_lost: usize,
}

impl<'r> Event<'r> {
    pub fn new(arena: &'r Bump) -> Self {
        Self {
            arena,
            dataset: "",
            fields: Vec::with_capacity(64),
            extra: Vec::with_capacity(64),
            problems: Vec::new(),
            extra_lost: 0,
        }
    }

    /// Forgets the event, keeps the memory.
    pub fn clear(&mut self) {
        self.dataset = "";
        self.fields.clear();
        self.extra.clear();
        self.problems.clear();
        self.extra_lost = 0;
    }

    /// Remembers the present state, for a parser that may find out late that the record is not of its format.
    pub fn mark(&self) -> Mark {
        Mark {
            dataset: self.dataset,
            fields: self.fields.len(),
            extra: self.extra.len(),
            problems: self.problems.len(),
            extra_lost: self.extra_lost,
        }
    }

    /// Forgets everything that was set since `mark`. Fields taken out since then ([`Event::remove`]) do not come back.
    pub fn rewind(&mut self, mark: Mark) {
        self.dataset = mark.dataset;
        self.fields.truncate(mark.fields);
        self.extra.truncate(mark.extra);
        self.problems.truncate(mark.problems);
        self.extra_lost = mark.extra_lost;
    }

    /// Names the dataset (`sshd.auth`); decides which batch the event joins.
    pub fn set_dataset(&mut self, dataset: &'static str) {
        self.dataset = dataset;
    }

    pub fn dataset(&self) -> &'static str {
        self.dataset
    }

    /// Sets a field. On a scalar field the last call wins; on a list field each call adds an element.
    pub fn set(&mut self, field: Field, value: impl Into<Value<'r>>) {
        self.fields.push((field, value.into()));
    }

    /// Sets a field unless the text is empty or a lone `-`, the common mark for "nothing".
    pub fn set_present(&mut self, field: Field, text: &'r str) {
        if !text.is_empty() && text != "-" {
            self.set(field, text);
        }
    }

    /// Sets an address field in canonical form; returns false, and sets nothing, when the text is no IP address.
    pub fn set_ip(&mut self, field: Field, text: &str) -> bool {
        match text.parse::<IpAddr>() {
            Ok(address) => {
                self.set(field, address);
                true
            }
            Err(_) => false,
        }
    }

    /// Sets a whole-number field; returns false, and sets nothing, when the text is no such number.
    pub fn set_int(&mut self, field: Field, text: &str) -> bool {
        match text.parse::<i64>() {
            Ok(number) => {
                self.set(field, number);
                true
            }
            Err(_) => false,
        }
    }

    /// Sets a field outside the catalogue; `prefix` ends in a dot or is empty.
    pub fn set_extra(&mut self, prefix: &'static str, key: &'r str, value: impl Into<Value<'r>>) {
        if self.extra.len() >= EXTRA_MAX {
            self.extra_lost += 1;
            return;
        }
        self.extra.push((ExtraName { prefix, key }, value.into()));
    }

    /// Sets a field by its dotted name, in the catalogue or outside it.
    pub fn set_named(&mut self, name: &'r str, value: impl Into<Value<'r>>) {
        match Field::by_name(name) {
            Some(field) => self.set(field, value),
            None => self.set_extra("", name, value),
        }
    }

    /// Notes that a part of the record could not be read; the event stands.
    pub fn problem(&mut self, what: &'r str) {
        if self.problems.len() < 16 {
            self.problems.push(what);
        }
    }

    /// Copies text into the block's arena.
    pub fn alloc(&self, text: &str) -> &'r str {
        self.arena.alloc_str(text)
    }

    pub fn arena(&self) -> &'r Bump {
        self.arena
    }

    /// The value of a scalar field, the last one set.
    pub fn get(&self, field: Field) -> Option<Value<'r>> {
        self.fields.iter().rev().find(|(f, _)| *f == field).map(|(_, value)| *value)
    }

    /// The text of a field; `None` when absent or not text.
    pub fn text(&self, field: Field) -> Option<&'r str> {
        match self.get(field) {
            Some(Value::Str(text)) => Some(text),
            _ => None,
        }
    }

    pub fn has(&self, field: Field) -> bool {
        self.fields.iter().any(|(f, _)| *f == field)
    }

    /// Takes a field out, all of its values.
    pub fn remove(&mut self, field: Field) {
        self.fields.retain(|(f, _)| *f != field);
    }

    pub fn fields(&self) -> &[(Field, Value<'r>)] {
        &self.fields
    }

    pub fn extra(&self) -> &[(ExtraName<'r>, Value<'r>)] {
        &self.extra
    }

    pub fn problems(&self) -> &[&'r str] {
        &self.problems
    }

    /// Number of fields outside the catalogue that did not fit ([`EXTRA_MAX`]).
    pub fn extra_lost(&self) -> usize {
        self.extra_lost
    }
}
