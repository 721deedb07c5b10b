//! Search text → tokens with their places. Knows no field and no meaning.

use super::{Problem, SEARCH_BYTES_MAX, SearchError, pipe::is_verb};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A run of characters without white space, quotes or parentheses.
    Word(String),
    /// Between double quotes, unescaped.
    Phrase(String),
    Open,
    Close,
    /// `:`, `=`, `!=`, `>`, `>=`, `<`, `<=` right behind a name.
    Operator(&'static str),
    /// A `-` right before a condition.
    Minus,
}

#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub token: Token,
    pub offset: usize,
    pub len: usize,
}

const OPERATORS: [&str; 7] = [">=", "<=", "!=", ":", "=", ">", "<"];

/// Splits the text up to its first `|`, and tells where that is. `is_name` tells which words may stand before an operator:
/// `10:30` and `http://x` are plain words.
///
/// A `|` that begins a word ends the conditions; one inside a word (`CEF:0|vendor|…`) only when a command follows it.
pub(super) fn tokens(text: &str, is_name: impl Fn(&str, &str) -> bool) -> Result<(Vec<Placed>, Option<usize>), SearchError> {
    if text.len() > SEARCH_BYTES_MAX {
        return Err(SearchError::new(0, 0, Problem::TooLong, [&(SEARCH_BYTES_MAX / 1024)]));
    }
    let mut out: Vec<Placed> = Vec::new();
    let mut at = 0;
    let mut after_operator = false;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let mut push = |token: Token, len: usize| out.push(Placed { token, offset: at, len });
        let was_operator = std::mem::replace(&mut after_operator, false);
        let len = match c {
            '(' => {
                push(Token::Open, 1);
                1
            }
            ')' => {
                push(Token::Close, 1);
                1
            }
            '|' => return Ok((out, Some(at))),
            '"' => {
                let (phrase, len) =
                    phrase(&text[at..]).ok_or_else(|| SearchError::new(at, text.len() - at, Problem::QuoteOpen, []))?;
                push(Token::Phrase(phrase), len);
                len
            }
            '-' if !was_operator && starts_condition(&text[at + 1..]) => {
                push(Token::Minus, 1);
                1
            }
            _ => {
                let word = &text[at..at + word_len(&text[at..])];
                match operator_in(word, was_operator, &is_name) {
                    Some((name_len, operator)) => {
                        push(Token::Word(word[..name_len].to_owned()), name_len);
                        let offset = at + name_len;
                        out.push(Placed { token: Token::Operator(operator), offset, len: operator.len() });
                        after_operator = true;
                        name_len + operator.len()
                    }
                    None => {
                        push(Token::Word(word.to_owned()), word.len());
                        word.len()
                    }
                }
            }
        };
        at += len;
    }
    Ok((out, None))
}

fn starts_condition(rest: &str) -> bool {
    rest.chars().next().is_some_and(|c| c == '(' || c == '"' || c.is_alphabetic() || c == '@' || c == '_')
}

fn word_len(text: &str) -> usize {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"')).unwrap_or(text.len());
    text[..end].match_indices('|').map(|(at, _)| at).find(|at| begins_a_stage(&text[at + 1..])).unwrap_or(end)
}

fn begins_a_stage(rest: &str) -> bool {
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    is_verb(&rest[..end]) && rest[end..].chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '|' | '"' | '-'))
}

/// The first operator of a word, when what stands before it may be a field.
fn operator_in(word: &str, was_operator: bool, is_name: &impl Fn(&str, &str) -> bool) -> Option<(usize, &'static str)> {
    if was_operator {
        return None;
    }
    let at = word.find([':', '=', '!', '<', '>'])?;
    let operator = OPERATORS.into_iter().find(|operator| word[at..].starts_with(operator))?;
    (at > 0 && is_name(&word[..at], &word[at..])).then_some((at, operator))
}

/// A phrase and its length in the text, quotation marks included.
pub(super) fn phrase(text: &str) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, at + 1)),
            '\\' => match chars.next()? {
                (_, c @ ('"' | '\\')) => out.push(c),
                (_, c) => out.extend(['\\', c]),
            },
            c => out.push(c),
        }
    }
    None
}
