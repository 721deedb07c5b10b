//! A pull reader of XML as event logs and consoles write it: elements, attributes, text. Not a validator, and no tree.
//!
//! Reference: W3C XML 1.0 (tags, attributes, character references, CDATA). Document types and their entities are skipped and
//! never expanded, so no input can grow; depth is the caller's to count.

use bumpalo::collections::String as BumpString;
use event::Event;

/// One step through a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'r> {
    /// `<name attributes>`; namespace prefixes are taken off.
    Open { name: &'r str, attributes: &'r str },
    /// `</name>`, and the end of `<name/>`.
    Close(&'r str),
    /// Text between tags, as written ([`text`] resolves it).
    Text(&'r str),
    /// Text in which nothing is to be resolved.
    Verbatim(&'r str),
}

/// Reads tokens until the text ends or is no XML any more.
#[derive(Debug)]
pub struct Reader<'r> {
    rest: &'r str,
    /// The name of a tag that closes itself, still to be told.
    closing: Option<&'r str>,
    broken: bool,
}

impl<'r> Reader<'r> {
    pub fn new(text: &'r str) -> Self {
        Self { rest: text, closing: None, broken: false }
    }

    /// True when the text ended inside a tag.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'r str {
        self.rest
    }

    /// Skips to the end of `marker`.
    fn skip_past(&mut self, marker: &str) -> Option<&'r str> {
        match crate::text::find(self.rest.as_bytes(), marker.as_bytes()) {
            Some(at) => {
                let inside = &self.rest[..at];
                self.rest = &self.rest[at + marker.len()..];
                Some(inside)
            }
            None => {
                self.broken = true;
                self.rest = "";
                None
            }
        }
    }

    fn tag(&mut self) -> Option<Token<'r>> {
        let end = tag_end(self.rest.as_bytes());
        let Some(end) = end else {
            self.broken = true;
            self.rest = "";
            return None;
        };
        let inside = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            return Some(Token::Close(local(name.trim())));
        }
        let (inside, is_empty) = match inside.strip_suffix('/') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let cut = inside.find(|c: char| c.is_ascii_whitespace()).unwrap_or(inside.len());
        let name = local(&inside[..cut]);
        if is_empty {
            self.closing = Some(name);
        }
        Some(Token::Open { name, attributes: &inside[cut..] })
    }
}

impl<'r> Iterator for Reader<'r> {
    type Item = Token<'r>;

    fn next(&mut self) -> Option<Token<'r>> {
        if let Some(name) = self.closing.take() {
            return Some(Token::Close(name));
        }
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let Some(inside) = self.rest.strip_prefix('<') else {
                let end = memchr::memchr(b'<', self.rest.as_bytes()).unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                return Some(Token::Text(text));
            };
            self.rest = inside;
            if let Some(rest) = self.rest.strip_prefix("![CDATA[") {
                self.rest = rest;
                return self.skip_past("]]>").map(Token::Verbatim);
            }
            let marker = match self.rest.as_bytes() {
                [b'?', ..] => "?>",
                [b'!', b'-', b'-', ..] => "-->",
                [b'!', ..] => ">",
                _ => return self.tag(),
            };
            self.skip_past(marker)?;
        }
    }
}

/// The `>` that ends a tag; those inside quotes do not.
fn tag_end(b: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr3(b'>', b'"', b'\'', b.get(from..)?)?;
        if b[at] == b'>' {
            return Some(at);
        }
        from = at + 1 + memchr::memchr(b[at], b.get(at + 1..)?)? + 1;
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// The attributes of a tag in order, values as written.
pub fn attributes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let end = after[1..].find(quote)?;
        rest = &after[end + 2..];
        Some((local(name.trim()), &after[1..=end]))
    })
}

/// The value of one attribute, as written.
pub fn attribute<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    attributes(text).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Resolves character references and the five named entities; others stay as they stand.
pub fn text<'r>(event: &Event<'r>, raw: &'r str) -> &'r str {
    if memchr::memchr(b'&', raw.as_bytes()).is_none() {
        return raw;
    }
    let mut out = BumpString::with_capacity_in(raw.len(), event.arena());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match reference(rest) {
            Some((c, len)) => {
                out.push(c);
                rest = &rest[len..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out.into_bump_str()
}

/// A reference at the start of the text, with its length.
fn reference(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(12).position(|b| b == b';')?;
    let c = match &text[1..end] {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((c, end + 1))
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    #[test]
    fn tokens() {
        let read = |text: &'static str| Reader::new(text).collect::<Vec<_>>();
        assert_eq!(
            read("<?xml version='1.0'?><!-- <x> --><n:a b='1>2'>t&amp;<c/><![CDATA[<&>]]></n:a>"),
            [
                Token::Open { name: "a", attributes: " b='1>2'" },
                Token::Text("t&amp;"),
                Token::Open { name: "c", attributes: "" },
                Token::Close("c"),
                Token::Verbatim("<&>"),
                Token::Close("a"),
            ]
        );
        for broken in ["<a", "<a b='", "<![CDATA[x", "<!-- x", "<?x"] {
            let mut reader = Reader::new(broken);
            while reader.next().is_some() {}
            assert!(reader.is_broken(), "{broken}");
        }
    }

    #[test]
    fn attributes_and_references() {
        assert_eq!(attributes(" a='1' b = \"2\" c").collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert_eq!(attribute(" Name='x' Guid='{1}'", "Guid"), Some("{1}"));
        let arena = Bump::new();
        let event = Event::new(&arena);
        assert_eq!(text(&event, "&lt;a&gt; &amp;amp; &#x41;&#66; &nope; & &#xFFFFFFFF;"), "<a> &amp; AB &nope; & &#xFFFFFFFF;");
        assert_eq!(text(&event, "đ&quot;é"), "đ\"é");
    }
}
