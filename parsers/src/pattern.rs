//! Messages as patterns: tables of literal text with captures, for programs that write sentences.
//!
//! ```text
//! ("Failed {.method} for {user*>} from {src} port {source.port}", "ssh_login", "authentication", "start", "failure")
//!   pattern                                                        action       categories        types    outcome
//! ```
//!
//! A pattern must account for the whole text. In it:
//!
//! | Written | Takes |
//! |---|---|
//! | `{src}` `{dst}` | an address or a name → `source.*`, `destination.*`; `{src!}` only an address |
//! | `{user}` `{target}` `{effective}` | an account → `user.name`, `user.target.name`, `user.effective.name` |
//! | `{host}` `{url}` `{request}` | a machine, a URL, an HTTP request line |
//! | `{seconds}` `{millis}` | a length of time → `event.duration` |
//! | `{ecs.name}` | any other field, by its type: digits for numbers, an address for addresses |
//! | `{.key}` | a field of the vendor, under the table's prefix |
//! | `{}` `{*}` | a word, any text: left out |
//! | `‹ … ›` | a part that may be missing |
//!
//! A capture takes one word, up to the literal behind it; with `*` it may hold blanks, with `>` it takes as much as it can, for
//! names that an attacker chooses. Types and categories are words with blanks between; `failure: why` also sets `event.reason`.
//! Matching is bounded: after [`STEPS_MAX`] tries a pattern does not match.

use event::{Event, Field, Kind, field};

use crate::{ecs, text, web};

/// Pattern, action, categories, types, outcome.
pub type Line = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// Positions that one pattern may try before it gives up.
const STEPS_MAX: usize = 512;

/// Captures of one pattern.
const CAPTURES_MAX: usize = 16;

/// A compiled table; lines are tried in their order.
#[derive(Debug)]
pub struct Table {
    prefix: &'static str,
    patterns: Vec<Pattern>,
    /// Patterns by the first byte of their text; those that begin with a capture are in each.
    by_first: Vec<Vec<u16>>,
}

#[derive(Debug)]
struct Pattern {
    tokens: Vec<Token>,
    line: Line,
}

#[derive(Clone, Copy, Debug)]
enum Token {
    Literal(&'static str),
    Capture { what: Slot, blanks: bool, greedy: bool },
}

/// Where a value goes; also for formats that know their values by key.
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    Skip,
    Source,
    SourceIp,
    Destination,
    DestinationIp,
    User(Field),
    Host,
    Url,
    Request,
    Seconds,
    Millis,
    Field(Field, Kind),
    Named(&'static str),
    Vendor(&'static str),
}

/// Slot a text gave.
#[derive(Debug)]
pub struct Found<'r> {
    captures: [(Slot, &'r str); CAPTURES_MAX],
    len: usize,
    line: Line,
}

impl Table {
    /// Compiles a table. Extra fields get `prefix`, which ends in a dot.
    pub fn new(prefix: &'static str, lines: &[Line]) -> Self {
        let mut table = Self { prefix, patterns: Vec::new(), by_first: vec![Vec::new(); 256] };
        for line in lines {
            for tokens in variants(line.0) {
                let at = table.patterns.len() as u16;
                match tokens.first() {
                    Some(Token::Literal(literal)) => {
                        table.by_first[usize::from(literal.as_bytes()[0])].push(at);
                    }
                    _ => table.by_first.iter_mut().for_each(|list| list.push(at)),
                }
                table.patterns.push(Pattern { tokens, line: *line });
            }
        }
        table
    }

    /// Finds the first pattern that accounts for the text.
    pub fn find<'r>(&self, text: &'r str) -> Option<Found<'r>> {
        let text = text.trim_end();
        let first = *text.as_bytes().first()?;
        self.by_first[usize::from(first)].iter().find_map(|at| {
            let pattern = &self.patterns[usize::from(*at)];
            let mut walk = Walk { captures: [(Slot::Skip, ""); CAPTURES_MAX], len: 0, steps: 0 };
            walk.tokens(&pattern.tokens, text).then_some(Found { captures: walk.captures, len: walk.len, line: pattern.line })
        })
    }

    /// True when a pattern accounts for the text: for sniffing.
    pub fn knows(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// Reads a text into the event; false, and nothing set, when no pattern accounts for it.
    pub fn read<'r>(&self, event: &mut Event<'r>, text: &'r str) -> bool {
        let Some(found) = self.find(text) else { return false };
        found.apply(self.prefix, event);
        true
    }
}

impl<'r> Found<'r> {
    fn apply(&self, prefix: &'static str, event: &mut Event<'r>) {
        let (_, action, categories, types, outcome) = self.line;
        if !action.is_empty() {
            event.set(field::EVENT_ACTION, action);
        }
        words(event, field::EVENT_CATEGORY, categories);
        words(event, field::EVENT_TYPE, types);
        let (outcome, reason) = outcome.split_once(": ").unwrap_or((outcome, ""));
        if !outcome.is_empty() {
            event.set(field::EVENT_OUTCOME, outcome);
        }
        event.set_present(field::EVENT_REASON, reason);
        for (what, value) in &self.captures[..self.len] {
            what.set(prefix, event, value.trim());
        }
    }
}

/// Adds each word to a list field.
pub fn words(event: &mut Event<'_>, list: Field, words: &'static str) {
    words.split(' ').filter(|word| !word.is_empty()).for_each(|word| event.set(list, word));
}

impl Slot {
    /// Finds the slot of a name as a pattern writes it.
    pub fn of(name: &'static str) -> Self {
        match name {
            "" => Self::Skip,
            "src" => Self::Source,
            "src!" => Self::SourceIp,
            "dst" => Self::Destination,
            "dst!" => Self::DestinationIp,
            "user" => Self::User(field::USER_NAME),
            "target" => Self::User(field::USER_TARGET_NAME),
            "effective" => Self::User(field::USER_EFFECTIVE_NAME),
            "host" => Self::Host,
            "url" => Self::Url,
            "request" => Self::Request,
            "seconds" => Self::Seconds,
            "millis" => Self::Millis,
            _ => match (name.strip_prefix('.'), Field::by_name(name)) {
                (Some(key), _) => Self::Vendor(key),
                (None, Some(field)) => Self::Field(field, field.definition().kind),
                (None, None) => Self::Named(name),
            },
        }
    }

    /// True when a value can be of this slot's type.
    pub fn accepts(self, value: &str) -> bool {
        match self {
            Self::SourceIp | Self::DestinationIp | Self::Field(_, Kind::Ip) => ecs::ip(value).is_some(),
            Self::Field(_, Kind::Long) => is_integer(value),
            Self::Seconds | Self::Millis => value.parse::<f64>().is_ok(),
            Self::Source | Self::Destination => !value.is_empty(),
            _ => true,
        }
    }

    /// Sets the value; an empty one is left out.
    pub fn set<'r>(self, prefix: &'static str, event: &mut Event<'r>, value: &'r str) {
        if value.is_empty() {
            return;
        }
        match self {
            Self::Skip => {}
            Self::Source | Self::SourceIp => ecs::source(event, value),
            Self::Destination | Self::DestinationIp => ecs::destination(event, value),
            Self::User(field) => ecs::user(event, field, value),
            Self::Host => ecs::host(event, value),
            Self::Url => web::url(event, value),
            Self::Request => web::request(event, value),
            Self::Seconds => nanos(event, text::seconds_to_nanos(value)),
            Self::Millis => nanos(event, text::seconds_to_nanos(value).map(|nanos| nanos / 1000)),
            Self::Field(field, Kind::Long) => drop(event.set_int(field, value)),
            Self::Field(field, Kind::Ip) => drop(ecs::ip_only(event, field, value)),
            // `www.example.org.` and `www.example.org` are one name.
            Self::Field(field::DNS_QUESTION_NAME, _) if value.len() > 1 => {
                event.set(field::DNS_QUESTION_NAME, value.strip_suffix('.').unwrap_or(value));
            }
            Self::Field(field, _) => event.set(field, value),
            Self::Named(name) => event.set_extra("", name, value),
            Self::Vendor(key) => event.set_extra(prefix, key, value),
        }
    }
}

fn nanos(event: &mut Event<'_>, nanos: Option<i64>) {
    if let Some(nanos) = nanos {
        event.set(field::EVENT_DURATION, nanos);
    }
}

fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    !digits.is_empty() && digits.len() < 19 && digits.bytes().all(|b| b.is_ascii_digit())
}

struct Walk<'r> {
    captures: [(Slot, &'r str); CAPTURES_MAX],
    len: usize,
    steps: usize,
}

impl<'r> Walk<'r> {
    fn tokens(&mut self, tokens: &[Token], text: &'r str) -> bool {
        let Some((token, rest)) = tokens.split_first() else { return text.is_empty() };
        match *token {
            Token::Literal(literal) => text.strip_prefix(literal).is_some_and(|text| self.tokens(rest, text)),
            Token::Capture { what, blanks, greedy } => self.capture(what, blanks, greedy, rest, text),
        }
    }

    fn capture(&mut self, what: Slot, blanks: bool, greedy: bool, rest: &[Token], text: &'r str) -> bool {
        let Some(Token::Literal(literal)) = rest.first() else { return self.take(what, blanks, text, text.len(), rest, text) };
        // A word ends at the first blank: nothing behind it need be looked at.
        let reach = if blanks { text.len() } else { text.find(' ').unwrap_or(text.len()) };
        let within = (reach + literal.len()).min(text.len());
        let mut bytes = &text.as_bytes()[..within];
        let mut from = 0;
        loop {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return false;
            }
            let found = if greedy {
                memchr::memmem::rfind(bytes, literal.as_bytes())
            } else {
                crate::text::find(&bytes[from..], literal.as_bytes()).map(|at| from + at)
            };
            let Some(at) = found else { return false };
            if self.take(what, blanks, &text[..at], at, rest, text) {
                return true;
            }
            if greedy {
                bytes = &bytes[..at + literal.len() - 1];
            } else {
                from = at + 1;
            }
        }
    }

    fn take(&mut self, what: Slot, blanks: bool, value: &'r str, at: usize, rest: &[Token], text: &'r str) -> bool {
        if (!blanks && value.contains(' ')) || !what.accepts(value) || self.len == CAPTURES_MAX {
            return false;
        }
        let len = self.len;
        if !matches!(what, Slot::Skip) {
            self.captures[len] = (what, value);
            self.len += 1;
        }
        if self.tokens(rest, &text[at..]) {
            return true;
        }
        self.len = len;
        false
    }
}

/// Writes a pattern out with and without each optional part, the longest first.
fn variants(pattern: &'static str) -> Vec<Vec<Token>> {
    let mut all: Vec<Vec<Token>> = vec![Vec::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('‹') {
        let (inside, after) = after.split_once('›').unwrap_or((after, ""));
        all.iter_mut().for_each(|tokens| tokens.extend(parse(before)));
        let with = all.iter().map(|tokens| tokens.iter().copied().chain(parse(inside)).collect());
        all = with.chain(all.iter().cloned()).collect();
        rest = after;
    }
    all.iter_mut().for_each(|tokens| tokens.extend(parse(rest)));
    all
}

fn parse(pattern: &'static str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some((literal, after)) = rest.split_once('{') {
        if !literal.is_empty() {
            tokens.push(Token::Literal(literal));
        }
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let (name, greedy) = name.strip_suffix('>').map_or((name, false), |name| (name, true));
        let (name, blanks) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
        tokens.push(Token::Capture { what: Slot::of(name), blanks, greedy });
        rest = after;
    }
    if !rest.is_empty() {
        tokens.push(Token::Literal(rest));
    }
    tokens
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;
    use crate::render;

    fn read(lines: &[Line], text: &str) -> Option<String> {
        let arena = Bump::new();
        let table = Table::new("x.", lines);
        let text = arena.alloc_str(text);
        let mut event = Event::new(&arena);
        table.read(&mut event, text).then(|| render::json(&event))
    }

    #[test]
    fn captures_go_to_their_fields() {
        let lines: &[Line] =
            &[("login {.how} of {user*>} from {src}‹ port {source.port}›", "login", "a b", "start", "failure: why")];
        assert_eq!(
            read(lines, "login key of x from y from 192.0.2.1 port 22").as_deref(),
            Some(
                r#"{"event.action":"login","event.category":["a","b"],"event.outcome":"failure","event.reason":"why","event.type":["start"],"related.ip":["192.0.2.1"],"related.user":["x from y"],"source.ip":"192.0.2.1","source.port":22,"user.name":"x from y","x.how":"key"}"#
            )
        );
        assert!(read(lines, "login key of x from 192.0.2.1").is_some());
        assert!(read(lines, "login key of x from 192.0.2.1 port x").is_none());
        assert!(read(lines, "login key of x").is_none());
        assert!(read(lines, "").is_none());
    }

    #[test]
    fn matching_is_bounded() {
        let lines: &[Line] = &[("{*} a {*} a {*} a {*} b", "", "", "", "")];
        assert!(read(lines, &"x a ".repeat(20_000)).is_none());
    }
}
