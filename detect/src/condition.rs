//! The `condition` language: `selection and not 1 of filter_*`.
//!
//! Precedence is not > and > or. `them` leaves out identifiers that start with `_`. Counting (`2 of`) and the old
//! aggregation pipe are not part of Sigma 2 and are refused by name.

/// A condition over identifiers, before they are replaced by what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Identifier(String),
    /// `1 of` (any) or `all of`.
    Of {
        all: bool,
        pattern: String,
    },
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

/// Parentheses that a condition may nest.
const DEPTH_MAX: usize = 64;

/// Parses one condition.
pub fn parse(text: &str) -> Result<Condition, String> {
    let words = words(text);
    if words.is_empty() {
        return Err("the condition is empty".to_owned());
    }
    if words.contains(&"|") {
        return Err("aggregation with `|` is obsolete, Sigma 2 has correlation rules for it".to_owned());
    }
    let mut parser = Parser { words, at: 0, depth: 0 };
    let condition = parser.or()?;
    match parser.peek() {
        None => Ok(condition),
        Some(word) => Err(format!("`{word}` is not expected here in `{text}`")),
    }
}

/// Identifiers that a pattern of `1 of …` selects, in the order given.
pub fn select<'a>(pattern: &str, identifiers: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    identifiers
        .filter(|name| if pattern == "them" { !name.starts_with('_') } else { wildcard(pattern.as_bytes(), name.as_bytes()) })
        .collect()
}

fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let parts: Vec<&[u8]> = pattern.split(|byte| *byte == b'*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(*first) else { return false };
    for part in middle {
        let Some(at) = memchr::memmem::find(rest, part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for chunk in text.split_whitespace() {
        let mut rest = chunk;
        while let Some(at) = rest.find(['(', ')', '|']) {
            if at > 0 {
                out.push(&rest[..at]);
            }
            out.push(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
        if !rest.is_empty() {
            out.push(rest);
        }
    }
    out
}

struct Parser<'a> {
    words: Vec<&'a str>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn accept(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.and()?];
        while self.accept("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Or(parts) })
    }

    fn and(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.not()?];
        while self.accept("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::And(parts) })
    }

    fn not(&mut self) -> Result<Condition, String> {
        let mut negations = 0;
        while self.accept("not") {
            negations += 1;
        }
        let operand = self.operand()?;
        Ok(if negations % 2 == 1 { Condition::Not(Box::new(operand)) } else { operand })
    }

    fn operand(&mut self) -> Result<Condition, String> {
        let Some(word) = self.peek() else { return Err("the condition ends too early".to_owned()) };
        self.at += 1;
        if word == "(" {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(format!("more than {DEPTH_MAX} nested parentheses"));
            }
            let inner = self.or()?;
            self.depth -= 1;
            return if self.accept(")") { Ok(inner) } else { Err("a closing parenthesis is missing".to_owned()) };
        }
        if word == ")" || ["and", "or", "of"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) {
            return Err(format!("`{word}` stands where an identifier should"));
        }
        if !self.peek().is_some_and(|next| next.eq_ignore_ascii_case("of")) {
            return Ok(Condition::Identifier(word.to_owned()));
        }
        self.at += 1;
        let all = match word.to_ascii_lowercase().as_str() {
            "1" | "any" => false,
            "all" => true,
            _ => return Err(format!("`{word} of` is not in Sigma 2: only `1 of` and `all of` are")),
        };
        let Some(pattern) = self.peek().filter(|word| !matches!(*word, "(" | ")")) else {
            return Err(format!("`{word} of` wants a name, a pattern or `them`"));
        };
        self.at += 1;
        Ok(Condition::Of { all, pattern: pattern.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Condition {
        Condition::Identifier(name.to_owned())
    }

    #[test]
    fn not_binds_tighter_than_and_than_or() {
        let read = parse("a or not b and (c or d)").unwrap();
        let inner = Condition::And(vec![Condition::Not(Box::new(name("b"))), Condition::Or(vec![name("c"), name("d")])]);
        assert_eq!(read, Condition::Or(vec![name("a"), inner]));
    }

    #[test]
    fn what_sigma_2_lacks_is_refused_by_name() {
        assert!(parse("2 of sel*").unwrap_err().contains("`2 of`"));
        assert!(parse("sel | count() > 5").unwrap_err().contains("obsolete"));
        assert!(parse("(a or b").unwrap_err().contains("parenthesis"));
        assert!(parse("a b").unwrap_err().contains("`b`"));
        assert!(parse("not").is_err() && parse("").is_err());
        assert!(parse(&format!("{}a{}", "(".repeat(99), ")".repeat(99))).unwrap_err().contains("nested"));
    }

    #[test]
    fn patterns_select_identifiers() {
        let all = ["sel_a", "sel_b", "_sel", "x_sel_b"];
        assert_eq!(select("sel_*", all.into_iter()), ["sel_a", "sel_b"]);
        assert_eq!(select("*_b", all.into_iter()), ["sel_b", "x_sel_b"]);
        assert_eq!(select("them", all.into_iter()), ["sel_a", "sel_b", "x_sel_b"]);
        assert_eq!(select("sel_a", all.into_iter()), ["sel_a"]);
        assert_eq!(select("s*l*a", all.into_iter()), ["sel_a"]);
    }
}
