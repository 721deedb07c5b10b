//! Values and modifier chains: `Field|contains|windash: [a, b]` becomes [`Test`]s.
//!
//! Semantics are those of the Sigma specification 2.1 as pySigma executes them; what a chain cannot mean is an error that
//! names the modifier, never a guess.

use ipnet::IpNet;

use crate::{
    base64,
    pattern::{self, Pattern, Token},
    predicate::{Comparison, Expression, Number, Relation, Test, TimePart},
    yaml::{Node, Value},
};

/// Size that one compiled regular expression may have.
pub const REGEX_BYTES_MAX: usize = 10 << 20;

/// Values that the placeholders of one value may expand to.
pub const EXPANSIONS_MAX: usize = 100_000;

/// What one `field|modifiers: values` item means, before its field is resolved.
#[derive(Debug)]
pub struct Item {
    pub values: Vec<ItemTest>,
    /// `all`: every value must match, not any.
    pub all: bool,
    /// `neq`: the whole item is negated.
    pub negated: bool,
}

/// A value's test; a reference to another field still has its Sigma name.
#[derive(Debug)]
pub enum ItemTest {
    Test(Test),
    Field(Relation, String),
}

/// Lists for `expand`, by name.
pub type Lists = std::collections::BTreeMap<String, Vec<String>>;

/// A value on its way through the chain.
#[derive(Clone)]
enum Step {
    Text { raw: String, tokens: Vec<Token>, cased: bool },
    Any(Vec<Step>),
    Number(f64),
    Bool(bool),
    Null,
    Regex { source: String, flags: String },
    Network(IpNet),
    Compare(Comparison, f64),
    Exists(bool),
    Field(Relation, String),
    Time(TimePart, i64),
}

/// Applies a chain to the values; `keyword` = there is no field.
pub fn item(modifiers: &[&str], values: &Node, keyword: bool, lists: &Lists) -> Result<Item, String> {
    for (at, name) in modifiers.iter().enumerate() {
        check_position(name, at, modifiers, keyword)?;
    }
    let is_regex = modifiers.contains(&"re");
    let mut out = Item { values: Vec::new(), all: modifiers.contains(&"all"), negated: modifiers.contains(&"neq") };
    let elements = match &values.value {
        Value::Null => std::slice::from_ref(values),
        _ => values.elements(),
    };
    if elements.is_empty() {
        return Err("the list of values is empty".to_owned());
    }
    for element in elements {
        let mut steps = vec![start(element, is_regex)?];
        for name in modifiers {
            let mut next = Vec::new();
            for step in steps {
                next.extend(apply(name, step, lists).map_err(|reason| format!("modifier `{name}`: {reason}"))?);
            }
            steps = next;
        }
        for step in steps {
            if keyword && matches!(step, Step::Null | Step::Field(..) | Step::Exists(_)) {
                return Err("a keyword must be text or a number".to_owned());
            }
            out.values.push(finish(step, keyword)?);
        }
    }
    Ok(out)
}

fn check_position(name: &str, at: usize, modifiers: &[&str], keyword: bool) -> Result<(), String> {
    if modifiers[..at].contains(&name) {
        return Err(format!("modifier `{name}` is given twice"));
    }
    let before: Vec<_> = modifiers[..at].iter().filter(|name| !matches!(**name, "all" | "neq")).collect();
    match name {
        "re" | "cidr" | "exists" if !before.is_empty() => {
            Err(format!("modifier `{name}` must come first, it stands after `{}`", before[0]))
        }
        "exists" | "fieldref" | "cidr" | "gt" | "gte" | "lt" | "lte" | "minute" | "hour" | "day" | "week" | "month" | "year"
            if keyword =>
        {
            Err(format!("modifier `{name}` needs a field"))
        }
        _ => Ok(()),
    }
}

fn start(node: &Node, is_regex: bool) -> Result<Step, String> {
    Ok(match &node.value {
        Value::Null => Step::Null,
        Value::List(_) | Value::Map(_) => return Err("a value must be text, a number, true, false or null".to_owned()),
        _ if is_regex => {
            let raw = node.text().unwrap_or_default();
            Step::Text { tokens: vec![Token::Text(raw.clone())], raw, cased: false }
        }
        Value::Bool(flag) => Step::Bool(*flag),
        Value::Int(number) => Step::Number(*number as f64),
        Value::Float(number) => Step::Number(*number),
        Value::Text(text) => Step::Text { raw: text.clone(), tokens: pattern::tokens(text), cased: false },
    })
}

fn apply(name: &str, step: Step, lists: &Lists) -> Result<Vec<Step>, String> {
    if let Step::Any(steps) = step {
        let mut all = Vec::new();
        for step in steps {
            all.extend(apply(name, step, lists)?);
        }
        return Ok(vec![Step::Any(all)]);
    }
    if name == "expand" {
        return expand(step, lists);
    }
    Ok(vec![match name {
        "all" | "neq" => step,
        "contains" => around(step, true, true)?,
        "startswith" => around(step, false, true)?,
        "endswith" => around(step, true, false)?,
        "re" => match step {
            Step::Text { raw, .. } => Step::Regex { source: raw, flags: String::new() },
            other => return Err(wrong(&other, "text")),
        },
        "i" | "ignorecase" => flag(step, 'i')?,
        "m" | "multiline" => flag(step, 'm')?,
        "s" | "dotall" => flag(step, 's')?,
        "windash" => match step {
            Step::Text { raw, tokens, cased } => Step::Text { raw, tokens: pattern::mark_dashes(tokens), cased },
            other => return Err(wrong(&other, "text")),
        },
        "cased" => match step {
            Step::Text { raw, tokens, .. } => Step::Text { raw, tokens, cased: true },
            other => return Err(wrong(&other, "text")),
        },
        "cidr" => match step {
            Step::Text { raw, .. } => Step::Network(network(&raw)?),
            other => return Err(wrong(&other, "text")),
        },
        "base64" => encoded(step, |bytes| vec![base64::encode(bytes)])?,
        "base64offset" => encoded(step, |bytes| base64::offsets(bytes).to_vec())?,
        "wide" | "utf16le" => wide(step, false, false)?,
        "utf16be" => wide(step, true, false)?,
        "utf16" => wide(step, false, true)?,
        "exists" => match step {
            Step::Bool(flag) => Step::Exists(flag),
            other => return Err(wrong(&other, "true or false")),
        },
        "gt" => compare(step, Comparison::Greater)?,
        "gte" => compare(step, Comparison::GreaterOrEqual)?,
        "lt" => compare(step, Comparison::Less)?,
        "lte" => compare(step, Comparison::LessOrEqual)?,
        "fieldref" => match step {
            Step::Text { tokens, .. } => match tokens.as_slice() {
                [Token::Text(name)] => Step::Field(Relation::Equals, name.clone()),
                _ => return Err("a field name has no wildcards".to_owned()),
            },
            other => return Err(wrong(&other, "a field name")),
        },
        "minute" => time(step, TimePart::Minute)?,
        "hour" => time(step, TimePart::Hour)?,
        "day" => time(step, TimePart::Day)?,
        "week" => time(step, TimePart::Week)?,
        "month" => time(step, TimePart::Month)?,
        "year" => time(step, TimePart::Year)?,
        _ => return Err("no such modifier".to_owned()),
    }])
}

fn around(step: Step, before: bool, after: bool) -> Result<Step, String> {
    Ok(match step {
        Step::Text { raw, mut tokens, cased } => {
            if before && tokens.first() != Some(&Token::Any) {
                tokens.insert(0, Token::Any);
            }
            if after && tokens.last() != Some(&Token::Any) {
                tokens.push(Token::Any);
            }
            Step::Text { raw, tokens, cased }
        }
        // A search is unanchored already.
        Step::Regex { .. } => step,
        Step::Field(_, name) => {
            let relation = match (before, after) {
                (true, true) => Relation::Contains,
                (false, _) => Relation::StartsWith,
                (true, false) => Relation::EndsWith,
            };
            Step::Field(relation, name)
        }
        other => return Err(wrong(&other, "text")),
    })
}

fn flag(step: Step, flag: char) -> Result<Step, String> {
    match step {
        Step::Regex { source, mut flags } => {
            flags.push(flag);
            Ok(Step::Regex { source, flags })
        }
        other => Err(format!("it belongs behind `re`; here it meets {}", kind(&other))),
    }
}

fn encoded(step: Step, encode: impl Fn(&[u8]) -> Vec<String>) -> Result<Step, String> {
    let Step::Text { tokens, cased, .. } = step else { return Err(wrong(&step, "text")) };
    let plain = match tokens.as_slice() {
        [] => "",
        [Token::Text(text)] => text,
        _ => return Err("text with wildcards cannot be encoded".to_owned()),
    };
    let mut all =
        encode(plain.as_bytes()).into_iter().map(|text| Step::Text { raw: text.clone(), tokens: vec![Token::Text(text)], cased });
    match (all.next(), all.next(), all) {
        (Some(one), None, _) => Ok(one),
        (Some(one), Some(two), rest) => Ok(Step::Any([one, two].into_iter().chain(rest).collect())),
        (None, ..) => Err("nothing to encode".to_owned()),
    }
}

/// UTF-16 of ASCII text is text again, with NUL between the letters; other text would not be valid UTF-8.
fn wide(step: Step, big_endian: bool, mark: bool) -> Result<Step, String> {
    let Step::Text { raw, tokens, cased } = step else { return Err(wrong(&step, "text")) };
    let mut out = Vec::new();
    if mark {
        out.push(Token::Text('\u{feff}'.to_string()));
    }
    for token in tokens {
        let Token::Text(text) = token else {
            out.push(token);
            continue;
        };
        if !text.is_ascii() {
            return Err(format!("only ASCII text can be widened, not {text:?}"));
        }
        let widened = text.chars().flat_map(|c| if big_endian { ['\0', c] } else { [c, '\0'] }).collect();
        out.push(Token::Text(widened));
    }
    // The byte-order mark belongs to the text, so that an encoder behind sees one piece.
    if let [Token::Text(mark), Token::Text(rest), tail @ ..] = out.as_slice() {
        let mut joined = vec![Token::Text(format!("{mark}{rest}"))];
        joined.extend(tail.iter().cloned());
        out = joined;
    }
    Ok(Step::Text { raw, tokens: out, cased })
}

fn compare(step: Step, comparison: Comparison) -> Result<Step, String> {
    match step {
        Step::Number(number) => Ok(Step::Compare(comparison, number)),
        other => Err(wrong(&other, "a number")),
    }
}

fn time(step: Step, part: TimePart) -> Result<Step, String> {
    match step {
        Step::Number(number) => Ok(Step::Time(part, number as i64)),
        other => Err(wrong(&other, "a number")),
    }
}

/// Replaces `%name%` by each element of the list of that name.
fn expand(step: Step, lists: &Lists) -> Result<Vec<Step>, String> {
    let Step::Text { raw, tokens, cased } = step else { return Ok(vec![step]) };
    let mut open = vec![tokens];
    let mut done = Vec::new();
    let mut rounds = 0;
    while let Some(tokens) = open.pop() {
        rounds += 1;
        if rounds > EXPANSIONS_MAX {
            return Err(format!("the lists expand to more than {EXPANSIONS_MAX} values"));
        }
        let found = tokens.iter().enumerate().find_map(|(at, token)| match token {
            Token::Text(text) => placeholder(text).map(|(start, end)| (at, text.clone(), start, end)),
            _ => None,
        });
        let Some((at, text, start, end)) = found else {
            done.push(Step::Text { raw: raw.clone(), tokens, cased });
            continue;
        };
        let name = &text[start + 1..end];
        let Some(values) = lists.get(name) else { return Err(format!("no list named `{name}` is configured")) };
        for value in values {
            let mut next = tokens[..at].to_vec();
            next.push(Token::Text(text[..start].to_owned()));
            next.extend(pattern::tokens(value));
            next.push(Token::Text(text[end + 1..].to_owned()));
            next.extend_from_slice(&tokens[at + 1..]);
            next.retain(|token| !matches!(token, Token::Text(text) if text.is_empty()));
            open.push(next);
        }
    }
    Ok(done)
}

fn placeholder(text: &str) -> Option<(usize, usize)> {
    let start = text.find('%')?;
    let name_len = text[start + 1..].find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.'))?;
    let end = start + 1 + name_len;
    (name_len > 0 && text[end..].starts_with('%')).then_some((start, end))
}

fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Ok(net.trunc());
    }
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => Err(format!("{text:?} is no network (want 10.0.0.0/8 or 2001:db8::/32)")),
    }
}

fn finish(step: Step, keyword: bool) -> Result<ItemTest, String> {
    let text = |text: &str| {
        let token = Token::Text(text.to_owned());
        let tokens = if keyword { vec![Token::Any, token, Token::Any] } else { vec![token] };
        Test::Text(vec![Pattern::new(tokens, false)])
    };
    Ok(ItemTest::Test(match step {
        Step::Text { tokens, cased, .. } => Test::Text(patterns(tokens, cased, keyword)),
        Step::Any(steps) => {
            let mut all = Vec::new();
            for step in steps {
                let Step::Text { tokens, cased, .. } = step else { return Err(wrong(&step, "text")) };
                all.extend(patterns(tokens, cased, keyword));
            }
            Test::Text(all)
        }
        Step::Number(number) if keyword => text(&Number(number).text()),
        Step::Number(number) => Test::Numbers(vec![Number(number)]),
        Step::Bool(flag) => text(if flag { "true" } else { "false" }),
        Step::Null => Test::Absent,
        Step::Regex { source, flags } => {
            let source = if flags.is_empty() { source } else { format!("(?{flags}){source}") };
            compile_regex(&source)?;
            Test::Regex(Expression(source))
        }
        Step::Network(net) => Test::Networks(vec![net]),
        Step::Compare(comparison, number) => Test::Compare(comparison, Number(number)),
        Step::Exists(flag) => Test::Exists(flag),
        Step::Time(part, number) => Test::Time(part, number),
        Step::Field(relation, name) => return Ok(ItemTest::Field(relation, name)),
    }))
}

fn patterns(mut tokens: Vec<Token>, cased: bool, keyword: bool) -> Vec<Pattern> {
    if keyword {
        tokens.insert(0, Token::Any);
        tokens.push(Token::Any);
    }
    Pattern::new(tokens, cased).without_dashes()
}

/// Compiles a regular expression within the size limit.
pub fn compile_regex(source: &str) -> Result<regex::Regex, String> {
    regex::RegexBuilder::new(source).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build().map_err(|error| {
        let shown = error.to_string();
        format!("regular expression {source:?}: {}", shown.lines().last().unwrap_or("not readable").trim())
    })
}

fn wrong(step: &Step, wanted: &str) -> String {
    format!("it wants {wanted}, not {}", kind(step))
}

fn kind(step: &Step) -> &'static str {
    match step {
        Step::Text { .. } => "text",
        Step::Any(_) => "expanded text",
        Step::Number(_) => "a number",
        Step::Bool(_) => "true or false",
        Step::Null => "null",
        Step::Regex { .. } => "a regular expression",
        Step::Network(_) => "a network",
        Step::Compare(..) => "a comparison",
        Step::Exists(_) => "an existence test",
        Step::Field(..) => "a field reference",
        Step::Time(..) => "a time part",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn read(chain: &str, value: &str) -> Result<Item, String> {
        let modifiers: Vec<&str> = chain.split('|').filter(|name| !name.is_empty()).collect();
        let node = yaml::documents(&format!("v: {value}")).unwrap().remove(0);
        item(&modifiers, node.get("v").unwrap(), false, &Lists::from([("admins".to_owned(), vec!["a*".into(), "b".into()])]))
    }

    fn error(chain: &str, value: &str) -> String {
        read(chain, value).unwrap_err()
    }

    #[test]
    fn chains_that_mean_nothing_are_refused() {
        assert!(error("contains|re", "x").contains("`re` must come first"));
        assert!(error("contians", "x").contains("no such modifier"));
        assert!(error("contains", "5").contains("not a number"));
        assert!(error("i", "x").contains("behind `re`"));
        assert!(error("re", "'(?=x)'").contains("look-around"));
        assert!(error("cidr", "10.0.0.0/33").contains("no network"));
        assert!(error("base64", "'a*'").contains("wildcards"));
        assert!(error("expand", "'%nobody%'").contains("`nobody`"));
        assert!(error("", "[]").contains("empty"));
    }

    #[test]
    fn a_list_replaces_its_placeholder() {
        let item = read("expand", r"'corp\%admins%'").unwrap();
        assert_eq!(item.values.len(), 2);
        let matching = item.values.iter().filter(|value| match value {
            ItemTest::Test(Test::Text(patterns)) => patterns[0].matches(r"corp\anna"),
            _ => false,
        });
        assert_eq!(matching.count(), 1);
    }

    #[test]
    fn wide_base64_has_three_shifts() {
        let item = read("wide|base64offset|contains", "ping").unwrap();
        let ItemTest::Test(Test::Text(patterns)) = &item.values[0] else { panic!("no text") };
        // base64 of "ping" in UTF-16LE behind zero, one and two other bytes, without the unstable characters.
        for text in ["xcABpAG4AZwxx", "AHAAaQBuAGcA", "cABpAG4AZw", "wAGkAbgBnA"] {
            let found = patterns.iter().any(|pattern| pattern.matches(&text.to_lowercase()));
            assert!(found, "{text}: {patterns:?}");
        }
    }
}
