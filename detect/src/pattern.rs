//! Sigma strings: text with `*`, `?` and `\` escapes, as data, and the plain way to match them.
//!
//! [`Pattern::matches`] is exact and slow; the engine uses it only where an automaton has already found the pattern's
//! longest literal. Case folding is Unicode lower-casing of both sides, accents are never folded.

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Token {
    Text(String),
    /// `*`: any run, newlines included.
    Any,
    /// `?`: exactly one code point.
    One,
    /// A dash or slash before a Windows flag (`windash`): any of [`DASHES`].
    Dash,
}

/// What Windows programs take for the start of a flag.
pub const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// A value to find in a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    /// No two [`Token::Text`] and no two [`Token::Any`] stand side by side; text is lower case unless `cased`.
    tokens: Vec<Token>,
    cased: bool,
}

/// A pattern, seen as the simplest question that it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape<'a> {
    Anything,
    Equals(&'a str),
    StartsWith(&'a str),
    EndsWith(&'a str),
    Contains(&'a str),
    Glob,
}

/// Splits a value at its wildcards: `\` is literal unless `*`, `?` or `\` follows.
pub fn tokens(value: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut text = String::new();
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.peek() {
                Some(&next @ ('*' | '?' | '\\')) => {
                    chars.next();
                    text.push(next);
                }
                _ => text.push('\\'),
            },
            '*' | '?' => {
                if !text.is_empty() {
                    out.push(Token::Text(std::mem::take(&mut text)));
                }
                out.push(if c == '*' { Token::Any } else { Token::One });
            }
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        out.push(Token::Text(text));
    }
    out
}

/// Marks every `-` or `/` that starts a flag: after a non-word character (or at the start), before a word character.
pub fn mark_dashes(tokens: Vec<Token>) -> Vec<Token> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = Vec::with_capacity(tokens.len());
    for token in tokens {
        let Token::Text(text) = token else {
            out.push(token);
            continue;
        };
        let (mut kept, mut before) = (String::new(), None);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let starts_flag =
                matches!(c, '-' | '/') && !before.is_some_and(is_word) && chars.peek().is_some_and(|next| is_word(*next));
            if starts_flag {
                if !kept.is_empty() {
                    out.push(Token::Text(std::mem::take(&mut kept)));
                }
                out.push(Token::Dash);
            } else {
                kept.push(c);
            }
            before = Some(c);
        }
        if !kept.is_empty() {
            out.push(Token::Text(kept));
        }
    }
    out
}

impl Pattern {
    /// Builds the pattern of finished tokens; without `cased` both sides are lower-cased.
    pub fn new(tokens: Vec<Token>, cased: bool) -> Self {
        let mut merged: Vec<Token> = Vec::with_capacity(tokens.len());
        for token in tokens {
            match (merged.last_mut(), token) {
                (_, Token::Text(text)) if text.is_empty() => {}
                (Some(Token::Any), Token::Any) => {}
                (Some(Token::Text(last)), Token::Text(text)) => last.push_str(&fold(text, cased)),
                (_, Token::Text(text)) => merged.push(Token::Text(fold(text, cased))),
                (_, token) => merged.push(token),
            }
        }
        Self { tokens: merged, cased }
    }

    pub fn is_cased(&self) -> bool {
        self.cased
    }

    pub fn shape(&self) -> Shape<'_> {
        match self.tokens.as_slice() {
            [] => Shape::Equals(""),
            [Token::Any] => Shape::Anything,
            [Token::Text(text)] => Shape::Equals(text),
            [Token::Text(text), Token::Any] => Shape::StartsWith(text),
            [Token::Any, Token::Text(text)] => Shape::EndsWith(text),
            [Token::Any, Token::Text(text), Token::Any] => Shape::Contains(text),
            _ => Shape::Glob,
        }
    }

    /// The longest literal: a text without it cannot match. `None` when there is no literal at all.
    pub fn longest_text(&self) -> Option<&str> {
        let texts = self.tokens.iter().filter_map(|token| match token {
            Token::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.max_by_key(|text| text.len())
    }

    /// Writes out one or two dashes as plain patterns; more would be too many, they stay a class.
    pub fn without_dashes(self) -> Vec<Self> {
        let dashes = self.tokens.iter().filter(|token| **token == Token::Dash).count();
        if dashes == 0 || dashes > 2 {
            return vec![self];
        }
        let mut done = Vec::new();
        let mut open = vec![self.tokens];
        while let Some(tokens) = open.pop() {
            let Some(at) = tokens.iter().position(|token| *token == Token::Dash) else {
                done.push(Self::new(tokens, self.cased));
                continue;
            };
            for dash in DASHES {
                let mut tokens = tokens.clone();
                tokens[at] = Token::Text(dash.to_string());
                open.push(tokens);
            }
        }
        done
    }

    /// Tests a whole text; the caller lower-cases it unless the pattern [is cased](Self::is_cased).
    pub fn matches(&self, text: &str) -> bool {
        match self.shape() {
            Shape::Anything => true,
            Shape::Equals(value) => text == value,
            Shape::StartsWith(value) => text.starts_with(value),
            Shape::EndsWith(value) => text.ends_with(value),
            Shape::Contains(value) => memchr::memmem::find(text.as_bytes(), value.as_bytes()).is_some(),
            Shape::Glob => glob(&self.tokens, text),
        }
    }
}

fn fold(text: String, cased: bool) -> String {
    if cased { text } else { text.to_lowercase() }
}

/// Matches with one point of return: the last `*` met (the classic greedy glob, linear in tokens × text).
fn glob(tokens: &[Token], text: &str) -> bool {
    let (mut token, mut rest) = (0, text);
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let step = match tokens.get(token) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Token::Any) => {
                token += 1;
                if token == tokens.len() {
                    return true;
                }
                retry = Some((token, rest));
                continue;
            }
            Some(Token::Text(value)) => rest.strip_prefix(value.as_str()),
            Some(Token::One) => skip(rest, |_| true),
            Some(Token::Dash) => skip(rest, |c| DASHES.contains(&c)),
        };
        if let Some(after) = step {
            token += 1;
            rest = after;
            continue;
        }
        // Give the last `*` one more code point and try again from behind it.
        let Some((after_any, from)) = retry else { return false };
        let Some(from) = skip(from, |_| true) else { return false };
        retry = Some((after_any, from));
        token = after_any;
        rest = from;
    }
}

fn skip(text: &str, accept: impl Fn(char) -> bool) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().filter(|c| accept(*c)).map(|_| chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(tokens(pattern), false).matches(&text.to_lowercase())
    }

    #[test]
    fn backslashes_escape_only_what_is_special() {
        let text = |value: &str| tokens(value);
        assert_eq!(text(r"C:\Windows\*"), [Token::Text(r"C:\Windows*".into())]);
        assert_eq!(text(r"C:\Windows\\*"), [Token::Text(r"C:\Windows\".into()), Token::Any]);
        assert_eq!(text(r"a\\\*b"), [Token::Text(r"a\*b".into())]);
        assert_eq!(text(r"\\\\srv"), [Token::Text(r"\\srv".into())]);
        assert_eq!(text(r"end\"), [Token::Text(r"end\".into())]);
    }

    #[test]
    fn wildcards_cross_lines_and_count_code_points() {
        assert!(matches("a*b", "A\n\nB"));
        assert!(matches("a?b", "aễb") && !matches("a?b", "ab") && !matches("a??b", "aễb"));
        assert!(matches("*ab*ab", "ab ab ab") && !matches("*ab*ab", "ab"));
        assert!(matches("8????", "80000") && !matches("8????", "8000"));
        assert!(matches("", "") && !matches("", "x") && matches("*", ""));
    }

    #[test]
    fn dashes_before_flags_are_a_class() {
        let pattern = Pattern::new(mark_dashes(tokens("*/c ping-host -n*")), false);
        for flag in DASHES {
            assert!(pattern.matches(&format!("cmd {flag}c ping-host {flag}n 1")));
        }
        assert!(!pattern.matches("cmd /c ping/host -n"), "a dash inside a word is itself");
        let written_out = pattern.clone().without_dashes();
        assert_eq!(written_out.len(), 25);
        assert!(written_out.iter().any(|pattern| pattern.matches("/c ping-host \u{2014}n")));
    }
}
