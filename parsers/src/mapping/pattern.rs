//! A line as a pattern of literal text and typed captures: `{time:stamp} {host} virus="{virus:text}"{? on {path:text}?}`.
//!
//! | Written | Takes |
//! |---|---|
//! | `{key}` or `{key:word}` | text without blanks, up to the literal behind it |
//! | `{key:text}` | any text, as little as possible |
//! | `{key:rest}` | any text, as much as possible |
//! | `{key:int}` `{key:hex}` `{key:ip}` | digits, hexadecimal digits, an address |
//! | `{key:quoted}` | a text in double quotes; a backslash hides a quote |
//! | `{key:stamp}` | a time that can be read |
//! | `{:shape}` | the same, kept nowhere |
//! | `{? … ?}` | a part that may be missing; not nested |
//! | `{{` | a brace |
//!
//! A pattern accounts for the whole line. Matching backtracks over literals only and gives up after [`STEPS_MAX`] tries.

use event::RawRecord;

use crate::{ecs, time, web};

/// Positions that one pattern may try.
pub const STEPS_MAX: usize = 2048;

/// Captures of one pattern.
pub const CAPTURES_MAX: usize = 32;

/// Optional parts of one pattern: each doubles the variants.
pub const OPTIONAL_MAX: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Word,
    Text,
    Rest,
    Int,
    Hex,
    Ip,
    Quoted,
    Stamp,
}

#[derive(Clone, Debug)]
enum Token {
    Literal(Box<memchr::memmem::Finder<'static>>),
    Capture { key: &'static str, shape: Shape },
}

/// A compiled pattern: its variants with and without the optional parts, the longest first.
#[derive(Debug)]
pub struct Pattern {
    variants: Vec<Vec<Token>>,
}

/// What a line gave.
#[derive(Debug)]
pub struct Found<'r> {
    captures: [(&'static str, &'r str, bool); CAPTURES_MAX],
    len: usize,
}

impl<'r> Found<'r> {
    /// Key, text as written, and whether it stood in quotes.
    pub fn captures(&self) -> impl Iterator<Item = (&'static str, &'r str, bool)> {
        self.captures[..self.len].iter().copied()
    }
}

/// What is wrong with a pattern: where (in bytes of the pattern), what.
pub type Wrong = (usize, String);

impl Pattern {
    /// Compiles a pattern; `name` gives the kept copy of a key.
    pub fn new(text: &str, name: &dyn Fn(&str) -> Option<&'static str>) -> Result<Self, Wrong> {
        let mut variants: Vec<Vec<Token>> = vec![Vec::new()];
        let mut optional = 0;
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            if let Some(inside) = rest.strip_prefix("{?") {
                let end = inside.find("?}").ok_or((at, "an optional part is not closed by ?}".to_owned()))?;
                optional += 1;
                if optional > OPTIONAL_MAX {
                    return Err((at, format!("more than {OPTIONAL_MAX} optional parts")));
                }
                let tokens = tokens(&inside[..end], at + 2, name)?;
                let with: Vec<_> = variants.iter().map(|variant| [variant.as_slice(), &tokens].concat()).collect();
                variants = with.into_iter().chain(variants).collect();
                at += end + 4;
                continue;
            }
            let end = rest.find("{?").unwrap_or(rest.len());
            let tokens = tokens(&rest[..end], at, name)?;
            variants.iter_mut().for_each(|variant| variant.extend(tokens.iter().cloned()));
            at += end;
        }
        for variant in &mut variants {
            join(variant);
            check(variant)?;
        }
        Ok(Self { variants })
    }

    /// Keys of its captures.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.variants.iter().flatten().filter_map(|token| match token {
            Token::Capture { key, .. } if !key.is_empty() => Some(*key),
            _ => None,
        })
    }

    /// Cuts a line; `None` when the pattern does not account for all of it.
    pub fn find<'r>(&self, line: &'r str, raw: RawRecord<'r>) -> Option<Found<'r>> {
        let line = line.trim_end_matches([' ', '\t', '\r', '\n']);
        self.variants.iter().find_map(|tokens| {
            let mut walk = Walk { raw, captures: [("", "", false); CAPTURES_MAX], len: 0, steps: 0 };
            walk.tokens(tokens, line).then_some(Found { captures: walk.captures, len: walk.len })
        })
    }
}

fn tokens(text: &str, place: usize, name: &dyn Fn(&str) -> Option<&'static str>) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("{{") {
            literal.push('{');
            at += 2;
            continue;
        }
        let Some(inside) = rest.strip_prefix('{') else {
            let end = rest.find('{').unwrap_or(rest.len());
            literal.push_str(&rest[..end]);
            at += end;
            continue;
        };
        let end = inside.find('}').ok_or((place + at, "a capture is not closed by }".to_owned()))?;
        let (key, shape) = inside[..end].split_once(':').unwrap_or((&inside[..end], "word"));
        let is_key = key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@'));
        if !is_key || key.len() > ecs::NAME_BYTES_MAX {
            return Err((place + at, format!("{key:?} is no name of a capture")));
        }
        let shape = match shape {
            "word" => Shape::Word,
            "text" => Shape::Text,
            "rest" => Shape::Rest,
            "int" => Shape::Int,
            "hex" => Shape::Hex,
            "ip" => Shape::Ip,
            "quoted" => Shape::Quoted,
            "stamp" => Shape::Stamp,
            other => {
                return Err((place + at, format!("{other:?} is no shape: word, text, rest, int, hex, ip, quoted or stamp")));
            }
        };
        push_literal(&mut tokens, &mut literal);
        let key = name(key).ok_or((place + at, "the room for names is used up".to_owned()))?;
        tokens.push(Token::Capture { key, shape });
        at += end + 2;
    }
    push_literal(&mut tokens, &mut literal);
    Ok(tokens)
}

fn push_literal(tokens: &mut Vec<Token>, literal: &mut String) {
    if !literal.is_empty() {
        tokens.push(Token::Literal(Box::new(memchr::memmem::Finder::new(literal.as_bytes()).into_owned())));
        literal.clear();
    }
}

/// Literals that came to stand beside each other become one.
fn join(tokens: &mut Vec<Token>) {
    let mut at = 1;
    while at < tokens.len() {
        if let (Token::Literal(first), Token::Literal(second)) = (&tokens[at - 1], &tokens[at]) {
            let both = [first.needle(), second.needle()].concat();
            tokens[at - 1] = Token::Literal(Box::new(memchr::memmem::Finder::new(&both).into_owned()));
            tokens.remove(at);
        } else {
            at += 1;
        }
    }
}

fn check(tokens: &[Token]) -> Result<(), Wrong> {
    if tokens.is_empty() {
        return Err((0, "the pattern is empty".to_owned()));
    }
    if tokens.iter().filter(|token| matches!(token, Token::Capture { .. })).count() > CAPTURES_MAX {
        return Err((0, format!("more than {CAPTURES_MAX} captures")));
    }
    let pair = tokens.windows(2).find(|pair| pair.iter().all(|token| matches!(token, Token::Capture { .. })));
    if let Some([Token::Capture { key, shape }, _]) = pair
        && *shape != Shape::Quoted
    {
        return Err((0, format!("nothing stands between {{{key}}} and the next capture")));
    }
    Ok(())
}

struct Walk<'r> {
    raw: RawRecord<'r>,
    captures: [(&'static str, &'r str, bool); CAPTURES_MAX],
    len: usize,
    steps: usize,
}

impl<'r> Walk<'r> {
    fn tokens(&mut self, tokens: &[Token], text: &'r str) -> bool {
        let Some((token, rest)) = tokens.split_first() else { return text.is_empty() };
        match token {
            Token::Literal(literal) => {
                let is = text.as_bytes().starts_with(literal.needle());
                is && text.get(literal.needle().len()..).is_some_and(|text| self.tokens(rest, text))
            }
            Token::Capture { key, shape: Shape::Quoted } => {
                let Some((value, after)) = web::quoted(text) else { return false };
                self.take(key, value, true, rest, after)
            }
            Token::Capture { key, shape } => self.capture(key, *shape, rest, text),
        }
    }

    fn capture(&mut self, key: &'static str, shape: Shape, rest: &[Token], text: &'r str) -> bool {
        let Some(Token::Literal(literal)) = rest.first() else {
            return self.accepts(shape, text) && self.take(key, text, false, rest, "");
        };
        if shape == Shape::Rest {
            return self.greedy(key, literal.needle(), rest, text);
        }
        let b = text.as_bytes();
        let mut from = 0;
        loop {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return false;
            }
            let Some(at) = b.get(from..).and_then(|b| literal.find(b)).map(|at| from + at) else { return false };
            let Some(value) = text.get(..at) else { return false };
            if shape == Shape::Word && memchr::memchr(b' ', value.as_bytes()).is_some() {
                return false;
            }
            if self.accepts(shape, value) && self.take(key, value, false, rest, &text[at..]) {
                return true;
            }
            from = at + 1;
        }
    }

    fn greedy(&mut self, key: &'static str, literal: &[u8], rest: &[Token], text: &'r str) -> bool {
        let mut end = text.len();
        loop {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return false;
            }
            let Some(at) = memchr::memmem::rfind(&text.as_bytes()[..end], literal) else { return false };
            if self.take(key, &text[..at], false, rest, &text[at..]) {
                return true;
            }
            end = at + literal.len() - 1;
        }
    }

    fn take(&mut self, key: &'static str, value: &'r str, is_quoted: bool, rest: &[Token], after: &'r str) -> bool {
        let len = self.len;
        if !key.is_empty() {
            self.captures[len] = (key, value, is_quoted);
            self.len += 1;
        }
        if self.tokens(rest, after) {
            return true;
        }
        self.len = len;
        false
    }

    fn accepts(&self, shape: Shape, value: &'r str) -> bool {
        let all = |is: fn(&u8) -> bool| !value.is_empty() && value.as_bytes().iter().all(is);
        match shape {
            Shape::Word => !value.contains(' '),
            Shape::Text | Shape::Rest | Shape::Quoted => true,
            Shape::Int => all(u8::is_ascii_digit),
            Shape::Hex => all(u8::is_ascii_hexdigit),
            Shape::Ip => ecs::ip(value).is_some(),
            Shape::Stamp => value.len() <= 64 && (time::any(value, self.raw).is_some() || looks_like_time(value)),
        }
    }
}

/// A stamp in the file's own format: digits and marks, and a month's name at most.
fn looks_like_time(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (6..=20).contains(&digits)
        && value.bytes().filter(u8::is_ascii_alphabetic).count() <= 12
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b" :/.,-+".contains(&b))
}
