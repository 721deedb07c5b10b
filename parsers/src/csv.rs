//! Rows of separated values, RFC 4180 and what devices make of it: quotes doubled inside quotes, a quote in the middle of a
//! bare value, an unclosed quote.
//!
//! A row is one record here: line ends inside quotes are kept, nothing looks for a next row.

use event::Event;

/// Iterates over the fields of a row. An unclosed quote runs to the end of the text, and [`Fields::is_broken`] says so.
#[derive(Clone, Debug)]
pub struct Fields<'r> {
    rest: Option<&'r str>,
    separator: u8,
    is_broken: bool,
}

/// A field as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'r> {
    text: &'r str,
    has_doubled: bool,
}

impl<'r> Field<'r> {
    /// The value without its quotes; in the arena only where it holds a doubled quote.
    pub fn value(self, event: &Event<'r>) -> &'r str {
        if !self.has_doubled {
            return self.text;
        }
        let mut out = bumpalo::collections::String::with_capacity_in(self.text.len(), event.arena());
        let mut rest = self.text;
        while let Some(at) = rest.find("\"\"") {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 2..];
        }
        out.push_str(rest);
        out.into_bump_str()
    }

    /// The value without its quotes, doubled quotes left in.
    pub fn raw(self) -> &'r str {
        self.text
    }
}

impl<'r> Fields<'r> {
    pub fn new(text: &'r str, separator: u8) -> Self {
        Self { rest: Some(text), separator, is_broken: false }
    }

    /// Says whether a quote was never closed.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    fn bare(&mut self, text: &'r str) -> Field<'r> {
        let (field, rest) = match memchr::memchr(self.separator, text.as_bytes()) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        self.rest = rest;
        Field { text: field, has_doubled: false }
    }
}

impl<'r> Iterator for Fields<'r> {
    type Item = Field<'r>;

    fn next(&mut self) -> Option<Field<'r>> {
        let text = self.rest?;
        // A blank before the quote is the writer's taste.
        let Some(inside) = text.trim_start_matches(' ').strip_prefix('"') else { return Some(self.bare(text)) };
        let b = inside.as_bytes();
        let (mut from, mut has_doubled) = (0, false);
        while let Some(at) = memchr::memchr(b'"', &b[from..]).map(|at| from + at) {
            match b.get(at + 1) {
                Some(b'"') => {
                    has_doubled = true;
                    from = at + 2;
                }
                None => {
                    self.rest = None;
                    return Some(Field { text: &inside[..at], has_doubled });
                }
                Some(next) if *next == self.separator => {
                    self.rest = Some(&inside[at + 2..]);
                    return Some(Field { text: &inside[..at], has_doubled });
                }
                // `"a"b,`: the quote is part of the value.
                Some(_) => from = at + 1,
            }
        }
        self.is_broken = true;
        self.rest = None;
        Some(Field { text: inside, has_doubled })
    }
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    #[test]
    fn rows() {
        let arena = Bump::new();
        let event = Event::new(&arena);
        let row = |text: &'static str| Fields::new(text, b',').map(|field| field.value(&event)).collect::<Vec<_>>();
        assert_eq!(row("a,,b"), ["a", "", "b"]);
        assert_eq!(row(""), [""]);
        assert_eq!(row("a,"), ["a", ""]);
        assert_eq!(row(r#""x, y","say ""hi""", "z""#), ["x, y", "say \"hi\"", "z"]);
        assert_eq!(row(r#"a"b,"c"d,e"#), ["a\"b", "c\"d,e"]);
        assert_eq!(row(r#""never closed,b"#), ["never closed,b"]);
        assert_eq!(row("\"é\",\u{1F600}"), ["é", "\u{1F600}"]);
    }
}
