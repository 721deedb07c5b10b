//! The `key=value` scanner of FortiGate, generic key=value lines, and the tails of other formats.
//!
//! Values stand bare, in double or in single quotes; inside quotes a backslash escapes the quote and itself. An unclosed
//! quote runs to the end of the text: nothing is lost, and [`Pairs::problem`] says so.

use event::Event;

use crate::text;

/// What separates pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// Blanks; a comma belongs to the value.
    Blank,
    /// Commas, semicolons and blanks (`a=1, b=2; c=3`).
    Any,
}

/// One pair as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'r> {
    pub key: &'r str,
    value: &'r str,
    quote: Option<u8>,
}

impl<'r> Pair<'r> {
    /// The value without quotes and escapes.
    pub fn value(self, event: &Event<'r>) -> &'r str {
        match self.quote {
            Some(quote) => text::unescape(event, self.value, |c| c == '\\' || c == char::from(quote)),
            None => self.value,
        }
    }

    /// True when the value stands in quotes.
    pub fn is_quoted(self) -> bool {
        self.quote.is_some()
    }

    /// The value without quotes, escapes left in.
    pub fn raw(self) -> &'r str {
        self.value
    }
}

/// Iterates over the pairs of a text; words without `=` are skipped and counted.
#[derive(Debug)]
pub struct Pairs<'r> {
    rest: &'r str,
    separator: Separator,
    skipped: usize,
    unclosed: bool,
}

impl<'r> Pairs<'r> {
    pub fn new(text: &'r str, separator: Separator) -> Self {
        Self { rest: text, separator, skipped: 0, unclosed: false }
    }

    /// Number of words that were no pair.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// What was wrong with the text so far.
    pub fn problem(&self) -> Option<&'static str> {
        self.unclosed.then_some("a quoted value is not closed")
    }

    fn is_separator(&self, b: u8) -> bool {
        b == b' ' || b == b'\t' || (self.separator == Separator::Any && (b == b',' || b == b';'))
    }

    /// Length of the run at the start of `rest` until a separator.
    fn until_separator(&self, from: usize) -> usize {
        let b = self.rest.as_bytes();
        b[from..].iter().position(|b| self.is_separator(*b)).map_or(b.len(), |at| from + at)
    }

    fn quoted(&mut self, key: &'r str, start: usize, quote: u8) -> Pair<'r> {
        let b = self.rest.as_bytes();
        let mut from = start;
        loop {
            match memchr::memchr2(quote, b'\\', &b[from..]) {
                Some(at) if b[from + at] == quote => {
                    let value = &self.rest[start..from + at];
                    self.rest = &self.rest[from + at + 1..];
                    return Pair { key, value, quote: Some(quote) };
                }
                // A backslash at the very end of a quoted Windows path (`path="C:\"`) does not escape: the quote is followed
                // by the end of the pair and no later quote closes it.
                Some(at) if from + at + 1 < b.len() => from += at + 2,
                _ => break,
            }
            if from > b.len() {
                break;
            }
        }
        if let Some(at) =
            memchr::memchr(quote, &b[start..]).filter(|at| b[start + at + 1..].first().is_none_or(|b| self.is_separator(*b)))
        {
            let value = &self.rest[start..start + at];
            self.rest = &self.rest[start + at + 1..];
            return Pair { key, value, quote: None };
        }
        self.unclosed = true;
        let value = &self.rest[start..];
        self.rest = "";
        Pair { key, value, quote: Some(quote) }
    }
}

impl<'r> Iterator for Pairs<'r> {
    type Item = Pair<'r>;

    fn next(&mut self) -> Option<Pair<'r>> {
        loop {
            let b = self.rest.as_bytes();
            let start = b.iter().position(|b| !self.is_separator(*b))?;
            let mut equals = start;
            while equals < b.len() && b[equals] != b'=' && !self.is_separator(b[equals]) {
                equals += 1;
            }
            if equals == b.len() || b[equals] != b'=' || equals == start {
                self.skipped += 1;
                self.rest = &self.rest[equals.max(start + 1).min(b.len())..];
                // A word may end inside a character only if the separator did, which is ASCII: boundaries hold.
                continue;
            }
            let key = &self.rest[start..equals];
            let value = equals + 1;
            return Some(match b.get(value) {
                Some(quote @ (b'"' | b'\'')) => self.quoted(key, value + 1, *quote),
                _ => {
                    let end = self.until_separator(value);
                    let pair = Pair { key, value: &self.rest[value..end], quote: None };
                    self.rest = &self.rest[end..];
                    pair
                }
            });
        }
    }
}

/// Pairs whose bare values may hold blanks (CEF, LEEF with blanks, Check Point): a value ends at the last blank before the
/// next `key=`. A backslash hides an equals sign.
#[derive(Clone, Debug)]
pub struct Multiword<'r> {
    rest: &'r str,
}

impl<'r> Multiword<'r> {
    pub fn new(text: &'r str) -> Self {
        Self { rest: text }
    }
}

impl<'r> Iterator for Multiword<'r> {
    type Item = (&'r str, &'r str);

    fn next(&mut self) -> Option<(&'r str, &'r str)> {
        let text = self.rest.trim_start_matches(' ');
        let equals = next_equals(text, 0)?;
        // Words before the first key belong to none: the key is the word before the sign.
        let key_start = text[..equals].rfind(' ').map_or(0, |at| at + 1);
        let key = &text[key_start..equals];
        let value = equals + 1;
        let mut from = value;
        while let Some(next) = next_equals(text, from) {
            let word = text[from..next].rfind(' ').map(|at| from + at);
            // Some writers put a line end between pairs, as it is or escaped.
            if let Some(blank) = word.filter(|blank| is_key(past_line_ends(&text[blank + 1..next]))) {
                self.rest = past_line_ends(&text[blank + 1..]);
                return Some((key, text[value..blank].trim_end_matches(' ')));
            }
            from = next + 1;
        }
        self.rest = "";
        Some((key, text[value..].trim_end_matches(' ')))
    }
}

fn past_line_ends(text: &str) -> &str {
    text.trim_start_matches(['\n', '\r']).trim_start_matches("\\n")
}

/// The next equals sign that no backslash escapes.
fn next_equals(text: &str, from: usize) -> Option<usize> {
    let b = text.as_bytes();
    let mut from = from;
    loop {
        let at = from + memchr::memchr2(b'=', b'\\', b.get(from..)?)?;
        if b[at] == b'=' {
            return Some(at);
        }
        from = at + 2;
    }
}

/// Says whether a word may be a key.
pub fn is_key(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 128
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    fn pairs(text: &str, separator: Separator) -> Vec<(String, String)> {
        let arena = Bump::new();
        let event = Event::new(&arena);
        let text = arena.alloc_str(text);
        Pairs::new(text, separator).map(|pair| (pair.key.to_owned(), pair.value(&event).to_owned())).collect()
    }

    #[test]
    fn line_ends_between_pairs_belong_to_none() {
        for text in ["a=1 2 \nb=3 \r\nc=4", "a=1 2 \\nb=3 \\nc=4"] {
            assert_eq!(Multiword::new(text).collect::<Vec<_>>(), [("a", "1 2"), ("b", "3"), ("c", "4")], "{text:?}");
        }
    }

    #[test]
    fn quotings() {
        let is = |text: &str, expected: &[(&str, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(pairs(text, Separator::Blank), expected, "{text}");
        };
        is(r#"a=1 b="x y" c='it"s' d="#, &[("a", "1"), ("b", "x y"), ("c", "it\"s"), ("d", "")]);
        is(r#"a="say \"hi\" \\ \n" b=2"#, &[("a", "say \"hi\" \\ \\n"), ("b", "2")]);
        is(r#"path="C:\" b=2"#, &[("path", "C:\\"), ("b", "2")]);
        is(r#"a="never closed b=2"#, &[("a", "never closed b=2")]);
        is("words before a=1 = =x é=ü", &[("a", "1"), ("é", "ü")]);
        is("", &[]);
        assert_eq!(pairs("a=1, b=2;c=3,d=\"4,5\"", Separator::Any).len(), 4);
        assert_eq!(pairs("a=1,2 b=3", Separator::Blank)[0].1, "1,2");
    }
}
