//! Tokens → tree. Precedence: `not` binds tightest, then `and` (also by just standing side by side), then `or`.

use std::net::IpAddr;

use event::Kind;

use super::{
    Fields, Problem, SEARCH_DEPTH_MAX, SEARCH_TERMS_MAX, SearchError,
    lexer::{Placed, Token, tokens},
};
use crate::functions::network;

/// A search as a tree. Each leaf is true or false for an event, never unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Everything: the empty search.
    All,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// A word or phrase in the original line or the message.
    Text(Value),
    /// The field has a value.
    Exists(String),
    /// The field, or one element of it, has this value.
    Is {
        field: String,
        kind: Kind,
        value: Value,
    },
    Compare {
        field: String,
        kind: Kind,
        comparison: Comparison,
        value: String,
    },
}

impl Node {
    /// True for `field = value` conditions that become one `IN` list, however many there are.
    pub(super) fn joins_a_list(&self) -> bool {
        let Self::Is { kind, value, .. } = self else { return false };
        matches!(kind, Kind::Keyword | Kind::Ip | Kind::Long) && matches!(value, Value::Exact(_) | Value::Phrase(_))
    }
}

/// How a value is to be matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Exact(String),
    /// Held together by quotation marks; asterisks in it are themselves.
    Phrase(String),
    /// `begin*`.
    Prefix(String),
    /// With `*` elsewhere.
    Wildcard(String),
    /// A network, of an address field.
    Network(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }
}

/// Reads a search text without commands.
pub fn parse(text: &str, fields: &dyn Fields) -> Result<Node, SearchError> {
    let (node, pipe) = conditions(text, fields)?;
    match pipe {
        None => Ok(node),
        Some(at) => Err(SearchError::new(at, 1, Problem::PipeNotHere, [])),
    }
}

/// Reads the conditions at the start of a text, up to the first `|`; also tells where that is.
pub(super) fn conditions(text: &str, fields: &dyn Fields) -> Result<(Node, Option<usize>), SearchError> {
    let (tokens, pipe) = tokens(text, |name, rest| fields.kind(canonical(name)).is_some() || looks_like_field(name, rest))?;
    if tokens.is_empty() {
        return Ok((Node::All, pipe));
    }
    let mut parser = Parser { tokens: &tokens, at: 0, end: pipe.unwrap_or(text.len()), depth: 0, terms: 0, fields };
    let node = parser.or()?;
    match parser.peek() {
        None => Ok((node, pipe)),
        Some(extra) => Err(parser.unexpected(extra)),
    }
}

/// `@timestamp` is the column `timestamp`.
pub(super) fn canonical(name: &str) -> &str {
    if name == "@timestamp" { "timestamp" } else { name }
}

/// A word before an operator that is no known field, but can only be meant as one: so the answer is a suggestion and not
/// an empty page. Links, drive letters, MAC and IPv6 addresses are words.
fn looks_like_field(name: &str, rest: &str) -> bool {
    let is_identifier = name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '@')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-' | '#'));
    // `user=root` is how lines are written: unless `user` is a field, the text is meant.
    if !is_identifier || rest.starts_with('=') || rest.starts_with("://") || rest.starts_with(":\\") || rest.starts_with("::") {
        return false;
    }
    let whole = format!("{name}{rest}");
    let is_address = whole.split('/').next().is_some_and(|text| text.parse::<IpAddr>().is_ok());
    let parts: Vec<&str> = whole.split(':').collect();
    let is_mac = parts.len() > 2 && parts.iter().all(|part| part.len() <= 4 && part.chars().all(|c| c.is_ascii_hexdigit()));
    !is_address && !is_mac
}

struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
    end: usize,
    depth: usize,
    terms: usize,
    fields: &'a dyn Fields,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Placed> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Placed> {
        let token = self.tokens.get(self.at);
        self.at += usize::from(token.is_some());
        token
    }

    fn peek_word(&self, words: &[&str]) -> bool {
        matches!(self.peek(), Some(Placed { token: Token::Word(word), .. }) if words.iter().any(|w| word.eq_ignore_ascii_case(w)))
            && !matches!(self.tokens.get(self.at + 1), Some(Placed { token: Token::Operator(_), .. }))
    }

    fn unexpected(&self, token: &Placed) -> SearchError {
        let (offset, len) = (token.offset, token.len);
        match &token.token {
            Token::Close => SearchError::new(offset, len, Problem::ParenthesisUnopened, []),
            Token::Operator(operator) => SearchError::new(offset, len, Problem::FieldMissingBefore, [operator]),
            Token::Word(word) => SearchError::new(offset, len, Problem::SomethingMissingBeforeWord, [word]),
            _ => SearchError::new(offset, len, Problem::SomethingMissingBefore, []),
        }
    }

    /// A problem with what comes next.
    fn missing<const N: usize>(&self, problem: Problem, args: [&dyn std::fmt::Display; N]) -> SearchError {
        match self.peek() {
            Some(token) => SearchError::new(token.offset, token.len, problem, args),
            None => SearchError::new(self.end, 0, problem, args),
        }
    }

    fn or(&mut self) -> Result<Node, SearchError> {
        let mut list = vec![self.and()?];
        while self.peek_word(&["or"]) {
            self.at += 1;
            list.push(self.and()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Node::Or(list) })
    }

    fn and(&mut self) -> Result<Node, SearchError> {
        let mut list = vec![self.not()?];
        loop {
            if self.peek_word(&["and"]) {
                self.at += 1;
            } else if self.peek_word(&["or"])
                || self.peek().is_none_or(|token| matches!(token.token, Token::Close | Token::Operator(_)))
            {
                break;
            }
            list.push(self.not()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Node::And(list) })
    }

    fn not(&mut self) -> Result<Node, SearchError> {
        let mut is_negated = false;
        while self.peek_word(&["not"]) || matches!(self.peek(), Some(Placed { token: Token::Minus, .. })) {
            is_negated = !is_negated;
            self.at += 1;
        }
        let node = self.primary()?;
        Ok(if is_negated { Node::Not(Box::new(node)) } else { node })
    }

    fn primary(&mut self) -> Result<Node, SearchError> {
        if self.peek_word(&["and", "or"]) {
            return Err(self.missing(Problem::ConditionMissingBefore, []));
        }
        self.count()?;
        let Some(token) = self.next() else { return Err(self.missing(Problem::ConditionMissingAtEnd, [])) };
        match &token.token {
            Token::Open => self.inside(token, |parser| parser.or()),
            Token::Phrase(phrase) => Ok(Node::Text(Value::Phrase(phrase.clone()))),
            Token::Word(word) => match self.peek().map(|next| &next.token) {
                Some(Token::Operator(operator)) => {
                    self.at += 1;
                    self.field(token, canonical(word), operator)
                }
                _ => self.word(token, word),
            },
            _ => Err(self.unexpected(token)),
        }
    }

    fn count(&mut self) -> Result<(), SearchError> {
        self.terms += 1;
        if self.terms > SEARCH_TERMS_MAX {
            return Err(self.missing(Problem::TooManyConditions, [&SEARCH_TERMS_MAX]));
        }
        Ok(())
    }

    /// What stands between a parenthesis and its partner.
    fn inside(&mut self, open: &Placed, read: impl FnOnce(&mut Self) -> Result<Node, SearchError>) -> Result<Node, SearchError> {
        self.depth += 1;
        if self.depth > SEARCH_DEPTH_MAX {
            return Err(SearchError::new(open.offset, 1, Problem::TooDeep, []));
        }
        if matches!(self.peek(), Some(Placed { token: Token::Close, .. })) {
            return Err(SearchError::new(open.offset, 1, Problem::ParenthesesEmpty, []));
        }
        let node = read(self)?;
        self.depth -= 1;
        match self.peek() {
            Some(Placed { token: Token::Close, .. }) => {
                self.at += 1;
                Ok(node)
            }
            Some(token) => Err(self.unexpected(token)),
            None => Err(SearchError::new(open.offset, 1, Problem::ParenthesisOpen, [])),
        }
    }

    fn word(&self, token: &Placed, word: &str) -> Result<Node, SearchError> {
        if word.trim_matches('*').is_empty() {
            return if word == "*" {
                Ok(Node::All)
            } else {
                Err(SearchError::new(token.offset, token.len, Problem::WordMissing, []))
            };
        }
        let value = value_of(word);
        if matches!(value, Value::Wildcard(_)) {
            return Err(SearchError::new(token.offset, token.len, Problem::StarInsideWord, []));
        }
        Ok(Node::Text(value))
    }

    fn field(&mut self, name: &Placed, field: &str, operator: &str) -> Result<Node, SearchError> {
        let Some((kind, is_list)) = self.fields.kind(field) else {
            return Err(match self.fields.nearest(field) {
                Some(near) => SearchError::new(name.offset, name.len, Problem::UnknownFieldNear, [&field, &near]),
                None => SearchError::new(name.offset, name.len, Problem::UnknownField, [&field]),
            });
        };
        let comparison = match operator {
            ":" | "=" => return self.values(field, kind),
            "!=" => return Ok(Node::Not(Box::new(self.values(field, kind)?))),
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            "<" => Comparison::Less,
            _ => Comparison::LessOrEqual,
        };
        if is_list || matches!(kind, Kind::Boolean | Kind::Ip) {
            return Err(SearchError::new(name.offset, name.len, Problem::NotBySize, [&field]));
        }
        let (token, value) = self.plain_value(field)?;
        check_value(token, field, kind, value, true)?;
        Ok(Node::Compare { field: field.to_owned(), kind, comparison, value: value.to_owned() })
    }

    /// After `field:` one value, or several in parentheses.
    fn values(&mut self, field: &str, kind: Kind) -> Result<Node, SearchError> {
        match self.peek() {
            Some(open) if open.token == Token::Open => {
                self.at += 1;
                self.inside(open, |parser| parser.value_list(field, kind))
            }
            _ => self.value(field, kind),
        }
    }

    /// `a or b`, `a b` (both mean any of them), also with `not`.
    fn value_list(&mut self, field: &str, kind: Kind) -> Result<Node, SearchError> {
        let (mut some, mut all) = (Vec::new(), Vec::new());
        loop {
            let is_negated = self.peek_word(&["not"]) || matches!(self.peek(), Some(Placed { token: Token::Minus, .. }));
            self.at += usize::from(is_negated);
            let value = self.value(field, kind)?;
            if !value.joins_a_list() || is_negated {
                self.count()?;
            }
            if is_negated {
                all.push(Node::Not(Box::new(value)));
            } else {
                some.push(value);
            }
            if self.peek_word(&["or"]) {
                self.at += 1;
            } else if self.peek_word(&["and"]) {
                return Err(self.missing(Problem::ValuesJoinedByOr, []));
            } else if self.peek().is_none_or(|token| !matches!(token.token, Token::Word(_) | Token::Phrase(_) | Token::Minus)) {
                break;
            }
        }
        match some.len() {
            0 => {}
            1 => all.insert(0, some.remove(0)),
            _ => all.insert(0, Node::Or(some)),
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Node::And(all) })
    }

    fn plain_value(&mut self, field: &str) -> Result<(&'a Placed, &'a str), SearchError> {
        match self.peek() {
            Some(placed @ Placed { token: Token::Word(text) | Token::Phrase(text), .. }) => {
                self.at += 1;
                Ok((placed, text))
            }
            _ => Err(self.missing(Problem::ValueMissing, [&field])),
        }
    }

    fn value(&mut self, field: &str, kind: Kind) -> Result<Node, SearchError> {
        let (token, text) = self.plain_value(field)?;
        let is_phrase = matches!(token.token, Token::Phrase(_));
        if !is_phrase && text == "*" {
            return Ok(Node::Exists(field.to_owned()));
        }
        let mut value = if is_phrase { Value::Phrase(text.to_owned()) } else { value_of(text) };
        let has_star = matches!(value, Value::Prefix(_) | Value::Wildcard(_));
        if has_star && matches!(kind, Kind::Long | Kind::Double | Kind::Boolean | Kind::Date) {
            return Err(SearchError::new(token.offset, token.len, Problem::StarNotText, [&field]));
        }
        if has_star && kind == Kind::Text && matches!(value, Value::Wildcard(_)) {
            return Err(SearchError::new(token.offset, token.len, Problem::StarInsideText, []));
        }
        if kind == Kind::Ip && !has_star && network(text).is_some() {
            value = match text.parse::<IpAddr>() {
                // Addresses are stored in canonical form.
                Ok(ip) => Value::Exact(ip.to_string()),
                Err(_) => Value::Network(text.to_owned()),
            };
        }
        check_value(token, field, kind, text, false)?;
        Ok(Node::Is { field: field.to_owned(), kind, value })
    }
}

fn value_of(word: &str) -> Value {
    match word.strip_suffix('*') {
        Some(start) if !start.is_empty() && !start.contains('*') => Value::Prefix(start.to_owned()),
        _ if word.contains('*') => Value::Wildcard(word.to_owned()),
        _ => Value::Exact(word.to_owned()),
    }
}

/// Values that the field's type can hold at all.
fn check_value(token: &Placed, field: &str, kind: Kind, text: &str, is_comparison: bool) -> Result<(), SearchError> {
    let problem = match kind {
        Kind::Long if text.parse::<i64>().is_err() => Problem::NeedsInteger,
        Kind::Double if text.parse::<f64>().is_ok_and(f64::is_finite) => return Ok(()),
        Kind::Double => Problem::NeedsNumber,
        Kind::Boolean if !matches!(text, "true" | "false") => Problem::NeedsBoolean,
        Kind::Date if super::compile::moment(text).is_none() => Problem::NeedsTime,
        Kind::Text if is_comparison => {
            return Err(SearchError::new(token.offset, token.len, Problem::TextByWord, [&field]));
        }
        _ => return Ok(()),
    };
    Err(SearchError::new(token.offset, token.len, problem, [&field, &text]))
}
