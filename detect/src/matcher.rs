//! All questions about one field, answered for one text at a time: which predicates are true of it.
//!
//! Equality is a hash look-up, every other literal is in one automaton (contains, prefix, suffix, the longest literal of a
//! glob, the gates of regular expressions), numbers, networks and time parts are parsed once per text.

use std::net::IpAddr;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use hashbrown::HashMap;
use ipnet::IpNet;
use regex::Regex;

use crate::{
    gate, modifier,
    pattern::{Pattern, Shape},
    predicate::{Comparison, Number, Predicate, PredicateId, Test, TimePart},
    time,
};

/// Up to this many bytes of literals the automaton is a DFA; beyond, its tables would cost more memory than they win.
const DFA_BYTES_MAX: usize = 24 << 10;

/// What a literal's occurrence means.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    Contains(PredicateId),
    StartsWith(PredicateId),
    EndsWith(PredicateId),
    /// Verify `globs[i]`.
    Glob(u32),
    /// Run `gated[i]`.
    Regex(u32),
}

/// The questions of one field.
#[derive(Default)]
pub struct Matcher {
    equals: HashMap<Box<str>, Vec<PredicateId>>,
    equals_len_max: usize,
    automaton: Option<AhoCorasick>,
    meanings: Vec<Box<[Meaning]>>,
    globs: Vec<(PredicateId, Pattern)>,
    /// Patterns without a literal, and case-sensitive ones: tested one by one.
    plain: Vec<(PredicateId, Pattern)>,
    present: Vec<PredicateId>,
    gated: Vec<(PredicateId, Regex)>,
    /// Expressions without a gate that some rule depends on.
    ungated: Vec<(PredicateId, Regex)>,
    numbers: HashMap<u64, Vec<PredicateId>>,
    number_texts: HashMap<Box<str>, Vec<PredicateId>>,
    comparisons: Vec<(PredicateId, Comparison, f64)>,
    networks: Vec<(PredicateId, IpNet)>,
    times: Vec<(PredicateId, TimePart, i64)>,
}

/// Memory that tests of one batch share.
#[derive(Default)]
pub struct Scratch {
    folded: String,
    seen: Vec<bool>,
    met: Vec<u32>,
    globs_done: Vec<u32>,
}

/// Gathers the questions of one field.
#[derive(Default)]
pub struct Builder {
    matcher: Matcher,
    literals: HashMap<Box<str>, Vec<Meaning>>,
}

impl Builder {
    /// Adds a predicate. Predicates that depend on more than one value of the event are the engine's, not ours.
    pub fn add(&mut self, id: PredicateId, predicate: &Predicate) {
        match &predicate.test {
            Test::Text(patterns) => patterns.iter().for_each(|pattern| self.add_pattern(id, pattern)),
            Test::Numbers(numbers) => {
                for number in numbers {
                    self.matcher.numbers.entry((number.0 + 0.0).to_bits()).or_default().push(id);
                    if Number::parse(&number.text()).is_none() {
                        self.matcher.number_texts.entry(number.text().into()).or_default().push(id);
                    }
                }
            }
            Test::Compare(comparison, number) => self.matcher.comparisons.push((id, *comparison, number.0)),
            Test::Regex(expression) => {
                let Ok(regex) = modifier::compile_regex(&expression.0) else {
                    debug_assert!(false, "expressions were compiled when the rule was read");
                    return;
                };
                match gate::required(&expression.0) {
                    Some(literals) => {
                        let at = self.matcher.gated.len() as u32;
                        self.matcher.gated.push((id, regex));
                        literals.iter().for_each(|literal| self.add_literal(literal, Meaning::Regex(at)));
                    }
                    None => self.matcher.ungated.push((id, regex)),
                }
            }
            Test::Networks(nets) => self.matcher.networks.extend(nets.iter().map(|net| (id, *net))),
            Test::Time(part, number) => self.matcher.times.push((id, *part, *number)),
            Test::Absent | Test::Exists(_) | Test::Field(..) => {}
        }
    }

    fn add_pattern(&mut self, id: PredicateId, pattern: &Pattern) {
        if pattern.shape() == Shape::Anything {
            self.matcher.present.push(id);
        } else if pattern.is_cased() {
            self.matcher.plain.push((id, pattern.clone()));
        } else {
            match pattern.shape() {
                Shape::Anything => {}
                Shape::Equals(text) => {
                    self.matcher.equals_len_max = self.matcher.equals_len_max.max(text.len());
                    self.matcher.equals.entry_ref(text).or_default().push(id);
                }
                Shape::Contains(text) => self.add_literal(text, Meaning::Contains(id)),
                Shape::StartsWith(text) => self.add_literal(text, Meaning::StartsWith(id)),
                Shape::EndsWith(text) => self.add_literal(text, Meaning::EndsWith(id)),
                Shape::Glob => match pattern.longest_text() {
                    Some(text) => {
                        let at = self.matcher.globs.len() as u32;
                        self.matcher.globs.push((id, pattern.clone()));
                        self.add_literal(text, Meaning::Glob(at));
                    }
                    None => self.matcher.plain.push((id, pattern.clone())),
                },
            }
        }
    }

    fn add_literal(&mut self, text: &str, meaning: Meaning) {
        self.literals.entry_ref(text).or_default().push(meaning);
    }

    /// Builds the automaton.
    pub fn finish(mut self) -> Matcher {
        let mut literals: Vec<_> = self.literals.into_iter().collect();
        literals.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if !literals.is_empty() {
            let bytes: usize = literals.iter().map(|(text, _)| text.len()).sum();
            let kind = if bytes <= DFA_BYTES_MAX { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
            let texts = literals.iter().map(|(text, _)| text.as_bytes());
            let built = AhoCorasick::builder().match_kind(MatchKind::Standard).kind(Some(kind)).prefilter(false).build(texts);
            self.matcher.automaton = Some(built.expect("rule files are far smaller than an automaton's limit"));
            self.matcher.meanings = literals.into_iter().map(|(_, meanings)| meanings.into()).collect();
        }
        self.matcher
    }
}

impl Matcher {
    pub fn is_empty(&self) -> bool {
        self.equals.is_empty()
            && self.automaton.is_none()
            && self.plain.is_empty()
            && self.present.is_empty()
            && self.ungated.is_empty()
            && self.numbers.is_empty()
            && self.comparisons.is_empty()
            && self.networks.is_empty()
            && self.times.is_empty()
    }

    /// Appends the predicates that are true of a text; one may be appended twice.
    pub fn test(&self, text: &str, scratch: &mut Scratch, out: &mut Vec<PredicateId>) {
        out.extend_from_slice(&self.present);
        let mut folded = std::mem::take(&mut scratch.folded);
        fold_into(text, &mut folded);
        self.test_folded(text, &folded, scratch, out);
        scratch.folded = folded;
        for (id, pattern) in &self.plain {
            let subject = if pattern.is_cased() { text } else { &scratch.folded };
            if pattern.matches(subject) {
                out.push(*id);
            }
        }
        out.extend(self.ungated.iter().filter(|(_, regex)| regex.is_match(text)).map(|(id, _)| *id));
        self.test_numbers(text, out);
        self.test_networks(text, out);
        if !self.times.is_empty()
            && let Some(stamp) = time::parse(text)
        {
            out.extend(self.times.iter().filter(|(_, part, number)| time::part(stamp, *part) == *number).map(|(id, ..)| *id));
        }
    }

    fn test_folded(&self, text: &str, folded: &str, scratch: &mut Scratch, out: &mut Vec<PredicateId>) {
        if folded.len() <= self.equals_len_max
            && let Some(ids) = self.equals.get(folded)
        {
            out.extend_from_slice(ids);
        }
        let Some(automaton) = &self.automaton else { return };
        scratch.seen.resize(self.meanings.len().max(scratch.seen.len()), false);
        let is_odd = gate::is_odd(text);
        for found in automaton.find_overlapping_iter(folded) {
            let literal = found.pattern().as_usize();
            let (at_start, at_end) = (found.start() == 0, found.end() == folded.len());
            let is_first = !scratch.seen[literal];
            if !is_first && !at_start && !at_end {
                continue;
            }
            scratch.seen[literal] = true;
            if is_first {
                scratch.met.push(literal as u32);
            }
            for meaning in &self.meanings[literal] {
                match meaning {
                    Meaning::Contains(id) if is_first => out.push(*id),
                    Meaning::StartsWith(id) if at_start => out.push(*id),
                    Meaning::EndsWith(id) if at_end => out.push(*id),
                    Meaning::Glob(glob) if is_first => scratch.globs_done.push(*glob),
                    Meaning::Regex(gated) if is_first && !is_odd => {
                        let (id, regex) = &self.gated[*gated as usize];
                        if regex.is_match(text) {
                            out.push(*id);
                        }
                    }
                    _ => {}
                }
            }
        }
        for literal in scratch.met.drain(..) {
            scratch.seen[literal as usize] = false;
        }
        for glob in scratch.globs_done.drain(..) {
            let (id, pattern) = &self.globs[glob as usize];
            if pattern.matches(folded) {
                out.push(*id);
            }
        }
        if is_odd {
            out.extend(self.gated.iter().filter(|(_, regex)| regex.is_match(text)).map(|(id, _)| *id));
        }
    }

    fn test_numbers(&self, text: &str, out: &mut Vec<PredicateId>) {
        if self.numbers.is_empty() && self.comparisons.is_empty() {
            return;
        }
        if let Some(ids) = self.number_texts.get(text) {
            out.extend_from_slice(ids);
        }
        let Some(value) = Number::parse(text) else { return };
        // Zero has two bit patterns and one value.
        let value = if value == 0.0 { 0.0 } else { value };
        if let Some(ids) = self.numbers.get(&value.to_bits()) {
            out.extend_from_slice(ids);
        }
        out.extend(self.comparisons.iter().filter(|(_, comparison, bound)| comparison.holds(value, *bound)).map(|(id, ..)| *id));
    }

    fn test_networks(&self, text: &str, out: &mut Vec<PredicateId>) {
        if self.networks.is_empty() {
            return;
        }
        let Ok(address) = text.trim().parse::<IpAddr>() else { return };
        out.extend(self.networks.iter().filter(|(_, net)| net.contains(&address)).map(|(id, _)| *id));
    }
}

/// Lower-cases as Sigma wants it: by Unicode, with a fast path for ASCII.
pub fn fold_into(text: &str, out: &mut String) {
    out.clear();
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else {
        out.push_str(&text.to_lowercase());
    }
}
