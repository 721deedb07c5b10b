//! What is asked of an index, and what must then stand in a block: words, tokens, beginnings, ends, middles of words.
//!
//! A question becomes a [`Need`] without looking at any index. Whatever cannot be said of words is [`Need::Anything`]: the
//! scan decides. A need may be too weak, never too strong.

use event::{
    fold,
    tokenise::{TOKEN_BYTES_MAX, words},
};
use ipnet::IpNet;

use super::{
    gather::{PREFIXES, is_dictionary_word, network},
    hash::{STABLE, hash_of},
    patterns,
    units::{CUT, RUN_MIN, Unit, letter_runs, loose, units},
};

/// A condition on the texts and values that were given to the writer, row by row.
#[derive(Clone, Debug)]
pub enum Question {
    /// A word or phrase of SQL's `match()`, as it was asked: it stands between boundaries
    /// ([`event::tokenise::contains_term`]) in the text, both folded by [`event::fold::like`]. With `is_prefix` only the
    /// boundary before it counts.
    Term { asked: String, is_prefix: bool },
    /// A column that was given as [`super::IndexWriter::value`] has this value, upper or lower case.
    Value(String),
    /// A column that was given as a value is an address in the network.
    Cidr(IpNet),
    /// The literal stands anywhere in the text: `LIKE '%…%'`, `contains`.
    Contains { literal: String, case_insensitive: bool },
    /// SQL's `LIKE` with `%`, `_` and `\`, over the whole text.
    Like { pattern: String, case_insensitive: bool },
    /// A regular expression of the `regex` crate matches somewhere in the text.
    Regex { pattern: String, case_insensitive: bool },
    /// All hold, of the same row.
    All(Vec<Question>),
    /// One holds or more.
    Any(Vec<Question>),
}

/// What a block must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// A token with this hash.
    Token(u64),
    Word(String),
    /// A word that begins, ends, goes on around the text.
    Beginning(String),
    Any(Vec<Need>),
    All(Vec<Need>),
    End(String),
    Middle(String),
    Anything,
}

/// Networks a [`Question::Cidr`] may be made of.
const NETWORKS_MAX: u32 = 16;

impl Question {
    pub(super) fn need(&self) -> Need {
        match self {
            Self::Term { asked, is_prefix } => text_need(&fold::like(asked, asked), Edges { left: true, right: !is_prefix }),
            Self::Value(value) => value_need(value),
            Self::Cidr(net) => cidr_need(*net),
            Self::Contains { literal, case_insensitive } => contains_need(literal, *case_insensitive),
            Self::Like { pattern, case_insensitive } => patterns::like(pattern, *case_insensitive),
            Self::Regex { pattern, case_insensitive } => patterns::regex(pattern, *case_insensitive),
            Self::All(questions) => all(questions.iter().map(Self::need).collect()),
            Self::Any(questions) => any(questions.iter().map(Self::need).collect()),
        }
    }
}

/// All of the needs, cheapest first, without those that say nothing.
pub(super) fn all(needs: Vec<Need>) -> Need {
    let mut flat = Vec::new();
    for need in needs {
        match need {
            Need::All(inner) => flat.extend(inner),
            Need::Anything => {}
            need => flat.push(need),
        }
    }
    flat.sort();
    flat.dedup();
    match flat.len() {
        0 => Need::Anything,
        1 => flat.remove(0),
        _ => Need::All(flat),
    }
}

/// One of the needs; nothing to go by if one of them is.
pub(super) fn any(mut needs: Vec<Need>) -> Need {
    needs.sort();
    needs.dedup();
    if needs.len() == 1 {
        return needs.remove(0);
    }
    if needs.contains(&Need::Anything) { Need::Anything } else { Need::Any(needs) }
}

fn value_need(value: &str) -> Need {
    let folded = loose(value);
    if is_dictionary_word(&folded) { Need::Word(folded) } else { token(folded.as_bytes()) }
}

fn token(token: &[u8]) -> Need {
    Need::Token(hash_of(token, STABLE))
}

fn cidr_need(net: IpNet) -> Need {
    let (kind, octets) = match net.network() {
        std::net::IpAddr::V4(ip) => (0, ip.octets().to_vec()),
        std::net::IpAddr::V6(ip) => (1, ip.octets().to_vec()),
    };
    // A value like ::ffff:10.0.0.1 was kept as IPv4; a network of IPv6 holds none of these.
    let len = net.prefix_len();
    if let Some(kept) = PREFIXES[kind].iter().find(|kept| **kept <= len) {
        return token(&network(&octets, *kept));
    }
    // The shortest kept prefixes that tile the network.
    let Some(kept) = PREFIXES[kind].last().copied() else { return Need::Anything };
    let Some(count) = 1_u32.checked_shl((kept - len).into()).filter(|count| *count <= NETWORKS_MAX) else {
        return Need::Anything;
    };
    let width = usize::from(kept) / 8;
    let first = octets[..width].iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
    let tiles = (first..first + u64::from(count)).map(|number| token(&network(&number.to_be_bytes()[8 - width..], kept)));
    any(tiles.collect())
}

pub(super) fn contains_need(literal: &str, case_insensitive: bool) -> Need {
    let folded = if case_insensitive { loose(literal) } else { fold::plain(literal) };
    text_need(&folded, Edges { left: false, right: false })
}

/// Whether a word may be cut off at the ends of a text that was asked for, or surely ends there.
#[derive(Clone, Copy)]
pub(super) struct Edges {
    pub left: bool,
    pub right: bool,
}

/// What must be in a block whose folded text holds this folded text.
pub(super) fn text_need(folded: &str, edges: Edges) -> Need {
    let mut needs = Vec::new();
    // Where whole words begin and end; at an open edge a word is a part of one.
    let (mut from, mut to) = (0, folded.len());
    words(folded, |word| {
        let left = word.start > 0 || edges.left;
        let right = word.end < folded.len() || edges.right;
        if left && right {
            return;
        }
        needs.push(part_need(&folded[word.start..word.end], Edges { left, right }));
        if !left {
            from = word.end;
        }
        if !right {
            to = word.start.max(from);
        }
    });
    let whole = &folded[from..to];
    units(whole, |unit, word| {
        match unit {
            Unit::Word(range) => needs.push(Need::Word(whole[range].to_owned())),
            Unit::Token(range) | Unit::Dotted(range) => needs.push(token(&whole.as_bytes()[range])),
            Unit::Common => {}
        }
        if word.end - word.start > TOKEN_BYTES_MAX {
            needs.push(Need::Word(CUT.to_owned()));
        }
    });
    all(needs)
}

/// What must be in a block for a part of a word: the letter runs of the part, as they must be in the dictionary.
fn part_need(part: &str, edges: Edges) -> Need {
    let cut = || Need::Word(CUT.to_owned());
    if part.len() > TOKEN_BYTES_MAX {
        return cut();
    }
    let mut needs = Vec::new();
    for run in letter_runs(part.as_bytes()).filter(|run| run.len() >= RUN_MIN) {
        let text = part[run.clone()].to_owned();
        let need = match (run.start > 0 || edges.left, run.end < part.len() || edges.right) {
            (true, true) => Need::Word(text),
            (true, false) => Need::Beginning(text),
            (false, true) => Need::End(text),
            (false, false) => Need::Middle(text),
        };
        // Without its left edge the part may lie behind the place where a long word was cut.
        needs.push(if edges.left { need } else { any(vec![need, cut()]) });
    }
    all(needs)
}
