//! XML of no known vendor: one document a record, its elements flattened to `xml.<path>`.
//!
//! Text of an element without children and attributes are kept; words whose meaning is common to many devices fill ECS beside,
//! by the table of [`words`] on the last name of the path. Bounded in depth, in values and in the length of names; what is
//! beyond stays in the raw record, and the event says so. No entity of a document type is ever expanded.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff,
    words::{self, Found},
    xml::{self, Reader, Token},
};

const PREFIX: &str = "xml.";
const DEPTH_MAX: usize = 16;
const VALUES_MAX: usize = 256;
/// Bytes of a path; with [`VALUES_MAX`] it bounds what a short document of many elements can take.
const PATH_MAX: usize = 128;

pub struct Xml;

impl Parser for Xml {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn starts(&self) -> &'static [u8] {
        b"<"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let b = raw.text().as_bytes();
        let is_open = b.first() == Some(&b'<') && b.get(1).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'?');
        Sniff::maybe_if(is_open && memchr::memchr(b'>', b).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let mut reader = Reader::new(raw.text());
        let mut found = Found::default();
        let (mut path, mut depth, mut values) = ([""; DEPTH_MAX], 0, 0);
        // The text of the innermost element, until a child or an end comes.
        let mut said = None;
        let mut is_cut = false;
        let mut keep = |event: &mut Event<'r>, path: &[&'r str], name: &'r str, value: &'r str| {
            if value.is_empty() || values >= VALUES_MAX {
                return value.is_empty();
            }
            values += 1;
            let Some(path) = joined(event, path, name) else { return false };
            event.set_extra(PREFIX, path, value);
            found.note(raw, name, value);
            true
        };
        for token in reader.by_ref() {
            match token {
                Token::Open { name, attributes } => {
                    said = None;
                    depth += 1;
                    if depth > DEPTH_MAX {
                        is_cut = true;
                        continue;
                    }
                    path[depth - 1] = name;
                    for (key, value) in xml::attributes(attributes) {
                        let value = xml::text(event, value).trim();
                        is_cut |= !keep(event, &path[..depth], key, value);
                    }
                }
                Token::Text(text) if depth > 0 => {
                    let text = xml::text(event, text).trim();
                    said = Some(text).filter(|text| !text.is_empty()).or(said);
                }
                Token::Verbatim(text) if depth > 0 => said = Some(text.trim()),
                Token::Close(name) if depth > 0 => {
                    if let Some(text) = said.take().filter(|_| depth <= DEPTH_MAX) {
                        is_cut |= !keep(event, &path[..depth - 1], name, text);
                    }
                    depth -= 1;
                }
                Token::Text(text) if text.trim().is_empty() => {}
                _ => return Outcome::Unreadable("text outside of XML's elements"),
            }
        }
        let is_broken = reader.is_broken() || depth > 0;
        if values == 0 {
            return Outcome::Unreadable("XML without a value");
        }
        if is_broken {
            event.problem("the XML ends early");
        }
        if is_cut {
            event.problem("XML deeper or longer than is read");
        }
        event.set_dataset("xml");
        event.set(field::EVENT_KIND, "event");
        found.apply(raw, event, true);
        words::conclude(event);
        Outcome::Parsed
    }
}

/// Names below the root, dotted; the root's own name is left out unless it is all there is. `None` where that is too long.
fn joined<'r>(event: &Event<'r>, path: &[&'r str], name: &'r str) -> Option<&'r str> {
    let parts = || path.iter().skip(1).copied().chain([name]);
    let len = parts().map(|part| part.len() + 1).sum::<usize>();
    if name.is_empty() || len > PATH_MAX {
        return None;
    }
    let mut out = bumpalo::collections::String::with_capacity_in(len, event.arena());
    for part in parts() {
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(part);
    }
    Some(out.into_bump_str())
}
