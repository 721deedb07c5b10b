//! Message templates with typed captures: a vendor's documented message as text → a matcher.
//!
//! ```text
//! Deny <proto> src <source> dst <destination> by access-group "<rule>"[ \[<hash>\]]
//! ```
//!
//! * `<name>` captures as little as possible, at least one byte, up to the text that follows in the template; the last capture
//!   of a template takes the rest. `<name:w>` takes no blank, `<name:n>` digits only. `<_>` is read and forgotten.
//! * `[…]` may be absent. A backslash makes the next byte a literal.
//! * A blank in a template stands for one or more blanks; case counts. Text behind the template's end is left alone.
//!
//! Matching backtracks, under a budget of steps: a hostile line costs a bounded time and does not match.

/// Steps of one match; ordinary messages take tens.
const STEPS_MAX: u32 = 2_000;

/// Captures of one match.
pub const CAPTURES_MAX: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Word,
    Digits,
}

#[derive(Clone, Debug)]
enum Op<T> {
    Literal(Box<[u8]>),
    Capture {
        slot: Option<T>,
        kind: Kind,
        /// First bytes of what may follow; empty when the text may end here.
        follow: Vec<u8>,
        can_end: bool,
    },
    /// The next operations up to this one may be left out.
    Optional(usize),
}

/// A compiled template over the slots of a format.
#[derive(Clone, Debug)]
pub struct Template<T> {
    ops: Box<[Op<T>]>,
}

/// What a match captured, in the template's order.
#[derive(Clone, Copy, Debug)]
pub struct Captures<'r, T> {
    found: [Option<(T, &'r str)>; CAPTURES_MAX],
    len: usize,
}

impl<'r, T: Copy> Captures<'r, T> {
    fn new() -> Self {
        Self { found: [None; CAPTURES_MAX], len: 0 }
    }

    pub fn iter(&self) -> impl Iterator<Item = (T, &'r str)> + '_ {
        self.found[..self.len].iter().filter_map(|found| *found)
    }

    fn push(&mut self, slot: T, text: &'r str) {
        if let Some(place) = self.found.get_mut(self.len) {
            *place = Some((slot, text));
            self.len += 1;
        }
    }
}

impl<T: Copy> Template<T> {
    /// Compiles a template; `slot` gives the meaning of a name. Returns what is wrong with the text.
    pub fn new(text: &str, slot: &dyn Fn(&str) -> Option<T>) -> Result<Self, String> {
        let mut ops = Vec::new();
        let mut open = None;
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if matches!(c, '<' | '[' | ']') && !literal.is_empty() {
                ops.push(Op::Literal(std::mem::take(&mut literal).into_boxed_slice()));
            }
            match c {
                '<' => {
                    let (name, after) = rest.split_once('>').ok_or_else(|| format!("a capture is not closed: {text}"))?;
                    rest = after;
                    let (name, kind) = match name.split_once(':') {
                        None => (name, Kind::Any),
                        Some((name, "w")) => (name, Kind::Word),
                        Some((name, "n")) => (name, Kind::Digits),
                        Some(_) => return Err(format!("unknown kind of capture: {name}")),
                    };
                    let found = if name == "_" { None } else { Some(slot(name).ok_or_else(|| format!("unknown name: {name}"))?) };
                    ops.push(Op::Capture { slot: found, kind, follow: Vec::new(), can_end: false });
                }
                '[' if open.is_none() => {
                    open = Some(ops.len());
                    ops.push(Op::Optional(0));
                }
                ']' => {
                    let at: usize = open.take().ok_or_else(|| format!("a bracket was not opened: {text}"))?;
                    ops[at] = Op::Optional(ops.len());
                }
                '[' => return Err(format!("brackets do not nest: {text}")),
                '\\' => {
                    let escaped = rest.chars().next().ok_or_else(|| format!("a backslash ends {text}"))?;
                    rest = &rest[escaped.len_utf8()..];
                    literal.extend(escaped.to_string().bytes());
                }
                c => literal.extend(c.to_string().bytes()),
            }
        }
        if open.is_some() {
            return Err(format!("a bracket is not closed: {text}"));
        }
        if !literal.is_empty() {
            ops.push(Op::Literal(literal.into_boxed_slice()));
        }
        for at in 0..ops.len() {
            let (mut bytes, mut ends) = (Vec::new(), false);
            following(&ops, at + 1, &mut bytes, &mut ends);
            if let Op::Capture { follow, can_end, .. } = &mut ops[at] {
                (*follow, *can_end) = (bytes, ends);
            }
        }
        Ok(Self { ops: ops.into_boxed_slice() })
    }

    /// Matches the start of a text.
    pub fn read<'r>(&self, text: &'r str) -> Option<Captures<'r, T>> {
        let mut captures = Captures::new();
        let mut steps = STEPS_MAX;
        self.run(0, text, &mut captures, &mut steps).then_some(captures)
    }

    fn run<'r>(&self, at: usize, text: &'r str, captures: &mut Captures<'r, T>, steps: &mut u32) -> bool {
        if *steps == 0 {
            return false;
        }
        *steps -= 1;
        match self.ops.get(at) {
            None => true,
            Some(Op::Literal(literal)) => strip(text, literal).is_some_and(|rest| self.run(at + 1, rest, captures, steps)),
            Some(Op::Optional(end)) => {
                let len = captures.len;
                if self.run(at + 1, text, captures, steps) {
                    return true;
                }
                captures.len = len;
                self.run(*end, text, captures, steps)
            }
            Some(Op::Capture { slot, kind, follow, can_end }) => {
                let len = captures.len;
                let b = text.as_bytes();
                // A capture at the end of a template takes the rest, one before an optional end stops where that begins.
                let mut end = 0;
                while end < b.len() {
                    let step = match kind {
                        Kind::Word if b[end] == b' ' => break,
                        Kind::Digits if !b[end].is_ascii_digit() => break,
                        _ => 1,
                    };
                    end += step;
                    if end < b.len() && follow.contains(&b[end]) && text.is_char_boundary(end) {
                        if let Some(slot) = slot {
                            captures.push(*slot, text[..end].trim());
                        }
                        if self.run(at + 1, &text[end..], captures, steps) {
                            return true;
                        }
                        captures.len = len;
                        if *steps == 0 {
                            return false;
                        }
                    }
                }
                if *can_end && end > 0 && text.is_char_boundary(end) {
                    if let Some(slot) = slot {
                        captures.push(*slot, text[..end].trim());
                    }
                    return self.run(at + 1, &text[end..], captures, steps);
                }
                false
            }
        }
    }
}

/// First bytes of what may stand at an operation, and whether nothing may.
fn following<T>(ops: &[Op<T>], at: usize, bytes: &mut Vec<u8>, ends: &mut bool) {
    match ops.get(at) {
        None => *ends = true,
        Some(Op::Literal(literal)) => bytes.push(literal[0]),
        Some(Op::Optional(end)) => {
            following(ops, at + 1, bytes, ends);
            following(ops, *end, bytes, ends);
        }
        // Two captures in a row: any byte could begin the second; a template should not do that.
        Some(Op::Capture { .. }) => {}
    }
}

/// Takes a literal off; its blanks stand for one or more.
fn strip<'r>(text: &'r str, literal: &[u8]) -> Option<&'r str> {
    let b = text.as_bytes();
    let mut at = 0;
    for want in literal {
        if b.get(at) != Some(want) {
            return None;
        }
        at += 1;
        if *want == b' ' {
            at += b[at..].iter().take_while(|b| **b == b' ').count();
        }
    }
    text.get(at..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(template: &str, text: &str) -> Option<Vec<(char, String)>> {
        let template = Template::new(template, &|name| name.chars().next()).unwrap();
        Some(template.read(text)?.iter().map(|(slot, text)| (slot, text.to_owned())).collect())
    }

    #[test]
    fn captures_and_optional_parts() {
        let template = "Deny <p:w> src <s>[(<u>)] dst <d> by \"<r>\"[ \\[<h>\\]]";
        let is = |text: &str, expected: Option<&str>| {
            let found =
                read(template, text).map(|found| found.iter().map(|(s, t)| format!("{s}={t}")).collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        is("Deny tcp src a:1/2 dst b:3/4 by \"x\" [0x1, 0x2]", Some("p=tcp s=a:1/2 d=b:3/4 r=x h=0x1, 0x2"));
        is("Deny   tcp src a:1/2(me) dst b by \"x y\"", Some("p=tcp s=a:1/2 u=me d=b r=x y"));
        is("Deny tcp src a dst", None);
        is("Deny tcp", None);
        is("", None);
        assert_eq!(read("a <x>", "a b c d").unwrap()[0].1, "b c d");
        assert_eq!(read("n <x:n>", "n 12ab").unwrap()[0].1, "12");
        assert_eq!(read("n <x>[, y <y>]", "n 12, y 4").unwrap().len(), 2);
        assert_eq!(read("é<x>ü", "éüü").unwrap()[0].1, "ü");
    }

    #[test]
    fn a_hostile_line_ends() {
        let text = "a ".repeat(50_000);
        assert_eq!(read("<a> <b> <c> <d> <e>!", &text), None);
    }

    #[test]
    fn broken_templates_are_refused() {
        for text in ["<a", "[a", "a]", "[[a]]", "<a:q>", "a\\"] {
            assert!(Template::<char>::new(text, &|_| Some('x')).is_err(), "{text}");
        }
        assert!(Template::<char>::new("<a>", &|_| None).is_err());
    }
}
