//! One stage's text → tokens with their places. Other than in the search box, text goes between quotation marks here, and
//! signs are operators.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::search::{Problem, SearchError, lexer::phrase};

/// A part of the search text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub offset: usize,
    pub len: usize,
}

impl Span {
    pub(crate) fn end(self) -> usize {
        self.offset + self.len
    }

    pub(crate) fn to(self, other: Self) -> Self {
        Self { offset: self.offset, len: other.end().saturating_sub(self.offset) }
    }

    pub(crate) fn error<const N: usize>(self, problem: Problem, args: [&dyn std::fmt::Display; N]) -> SearchError {
        SearchError::new(self.offset, self.len, problem, args)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tok {
    /// A bare word: a field, a function or a keyword.
    Name(String),
    /// Between backticks: always a field.
    Field(String),
    /// Between quotation marks, or an address or network as it stands.
    Text(String),
    Number(String),
    /// A number with a unit, in microseconds.
    Duration(i64),
    Sign(&'static str),
    /// What stands between `[` and `]`, unread.
    Bracket(String),
}

#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub tok: Tok,
    pub span: Span,
}

const SIGNS: [&str; 18] = ["==", "!=", "<>", "<=", ">=", "!~", "=", "<", ">", "~", "+", "-", "*", "/", "%", "(", ")", ","];

/// Reads tokens from `at` to the next `|` or the end; returns them and where it stopped.
pub(super) fn tokens(text: &str, mut at: usize) -> Result<(Vec<Placed>, usize), SearchError> {
    let mut out = Vec::new();
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        if c == '|' {
            break;
        }
        let (tok, len) = match c {
            '"' => match phrase(rest) {
                Some((inner, len)) => (Tok::Text(inner), len),
                None => return Err(SearchError::new(at, rest.len(), Problem::QuoteOpen, [])),
            },
            '\'' | '`' => match rest[1..].find(c) {
                Some(end) if c == '`' => (Tok::Field(rest[1..=end].to_owned()), end + 2),
                Some(end) => (Tok::Text(rest[1..=end].to_owned()), end + 2),
                None => return Err(SearchError::new(at, rest.len(), Problem::QuoteOpen, [])),
            },
            '[' => {
                let end = bracket_end(rest).ok_or_else(|| SearchError::new(at, 1, Problem::BracketOpen, []))?;
                (Tok::Bracket(rest[1..end].to_owned()), end + 1)
            }
            _ => match address(rest).or_else(|| number(rest)).or_else(|| word(rest)).or_else(|| sign(rest)) {
                Some(found) => found,
                None => return Err(SearchError::new(at, c.len_utf8(), Problem::StrangeCharacter, [&c])),
            },
        };
        out.push(Placed { tok, span: Span { offset: at, len } });
        at += len;
    }
    Ok((out, at))
}

/// Place of the `]` that closes the `[` at the beginning; brackets inside quotation marks do not count.
fn bracket_end(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '"' => {
                at += phrase(&text[at..])?.1;
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
        at += c.len_utf8();
    }
    None
}

/// An IPv4 or IPv6 address or network as it stands.
fn address(text: &str) -> Option<(Tok, usize)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':').unwrap_or(text.len());
    let end = digits(text);
    if !text[..end].contains([':', '.']) || text[..end].parse::<IpAddr>().is_err() {
        return None;
    }
    let size = text[end..].strip_prefix('/').map_or(0, |rest| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let whole = if size > 0 { end + 1 + size } else { end };
    let len = if text[..whole].parse::<IpNet>().is_ok() { whole } else { end };
    Some((Tok::Text(text[..len].to_owned()), len))
}

fn number(text: &str) -> Option<(Tok, usize)> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(text);
    if let Some(rest) = text[end..].strip_prefix('.')
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        end += 1 + digits(rest);
    }
    let unit = text[end..].find(|c: char| !c.is_alphabetic()).unwrap_or(text.len() - end);
    if unit == 0 {
        return Some((Tok::Number(text[..end].to_owned()), end));
    }
    Some((Tok::Duration(duration(&text[..end], &text[end..end + unit])?), end + unit))
}

/// Microseconds of `5` and `m`; at most ten years.
fn duration(count: &str, unit: &str) -> Option<i64> {
    let second = 1_000_000;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "ms" => 1_000,
        "s" | "sec" | "second" | "seconds" => second,
        "m" | "min" | "minute" | "minutes" => 60 * second,
        "h" | "hr" | "hour" | "hours" => 3_600 * second,
        "d" | "day" | "days" => 86_400 * second,
        "w" | "week" | "weeks" => 7 * 86_400 * second,
        _ => return None,
    };
    let micros = count.parse::<i64>().ok()?.checked_mul(unit)?;
    (micros <= 3_660 * 86_400 * second).then_some(micros)
}

fn word(text: &str) -> Option<(Tok, usize)> {
    if !text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '@') {
        return None;
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '#');
    let end = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
    let name = text[..end].trim_end_matches('.');
    Some((Tok::Name(name.to_owned()), name.len()))
}

fn sign(text: &str) -> Option<(Tok, usize)> {
    SIGNS.into_iter().find(|sign| text.starts_with(sign)).map(|sign| (Tok::Sign(sign), sign.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Tok> {
        tokens(text, 0).unwrap().0.into_iter().map(|placed| placed.tok).collect()
    }

    #[test]
    fn words_numbers_addresses_spans() {
        assert_eq!(
            all("user.name @timestamp `a b`"),
            [Tok::Name("user.name".into()), Tok::Name("@timestamp".into()), Tok::Field("a b".into())]
        );
        assert_eq!(all("1.5 20 5m"), [Tok::Number("1.5".into()), Tok::Number("20".into()), Tok::Duration(300_000_000)]);
        assert_eq!(
            all("10.0.0.1 10.0.0.0/8 fe80::1 2001:db8::/32"),
            [
                Tok::Text("10.0.0.1".into()),
                Tok::Text("10.0.0.0/8".into()),
                Tok::Text("fe80::1".into()),
                Tok::Text("2001:db8::/32".into())
            ]
        );
        assert_eq!(
            all("a/2-b"),
            [Tok::Name("a".into()), Tok::Sign("/"), Tok::Number("2".into()), Tok::Sign("-"), Tok::Name("b".into())]
        );
        assert_eq!(all(r#"[a "]" [b]] 'x'"#), [Tok::Bracket(r#"a "]" [b]"#.into()), Tok::Text("x".into())]);
    }

    #[test]
    fn a_stage_ends_at_the_pipe() {
        assert_eq!(tokens("where a = \"|\" | head", 0).unwrap().1, 14);
        assert_eq!(tokens("[a", 0).unwrap_err().problem, Problem::BracketOpen);
        assert_eq!(tokens("a ; b", 0).unwrap_err().offset, 2);
    }
}
