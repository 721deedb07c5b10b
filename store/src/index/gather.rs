//! Gathers the distinct words and tokens of one row block.
//!
//! Most of a block's words were seen before in the same block: a table of their hashes (with a seed drawn at start, so
//! that nobody can craft a word that hides another) drops them before anything else is done.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};

use event::{
    fold,
    tokenise::{TOKEN_BYTES_MAX, is_word},
};

use super::{
    hash::{PAD, STABLE, hash, hash_of},
    units::{CUT, RUN_MIN, Unit, letter_runs, loose, units},
};

/// Distinct tokens a block may have. A block with more (a flood of random ids in long lines) is not indexed: it always
/// qualifies.
const TOKENS_MAX: usize = 48 << 10;
const WORDS_BYTES_MAX: usize = 1 << 20;

/// The distinct words and tokens of the current block.
pub struct Gather {
    seed: u64,
    seen: Seen,
    folded: String,
    pub found: Found,
}

/// What the block holds so far.
#[derive(Default)]
pub struct Found {
    /// Words, each ended by a line feed.
    pub words: String,
    /// Hashes of tokens.
    pub hashes: Vec<u64>,
    has_cut: bool,
    /// Too much to index.
    pub is_full: bool,
}

impl Gather {
    pub fn new() -> Self {
        let seed = RandomState::new().hash_one("chieng");
        Self { seed, seen: Seen::new(), folded: String::new(), found: Found::default() }
    }

    /// Starts the next block.
    pub fn clear(&mut self) {
        self.seen.clear();
        self.found.words.clear();
        self.found.hashes.clear();
        self.found.has_cut = false;
        self.found.is_full = false;
    }

    /// Adds a text in any writing.
    pub fn text(&mut self, text: &str) {
        if text.is_ascii() {
            return self.ascii(text);
        }
        // Only the parts between spaces that are not ASCII need slow folding; a space ends whatever folding looks at.
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| !byte.is_ascii()) {
            let start = rest[..at].rfind(' ').map_or(0, |space| space + 1);
            let end = rest[at..].find(' ').map_or(rest.len(), |space| at + space);
            self.ascii(&rest[..start]);
            self.accented(&rest[start..end]);
            rest = &rest[end..];
        }
        self.ascii(rest);
    }

    /// Every folding that a question may use, each as if it were a text.
    fn accented(&mut self, text: &str) {
        let (plain, exact, loose) = (fold::plain(text), fold::exact(text), loose(text));
        for (at, folded) in [&plain, &exact, &loose].into_iter().enumerate() {
            if at == 0 || *folded != plain {
                self.folded.clear();
                self.folded.push_str(folded);
                self.folded();
            }
        }
    }

    fn ascii(&mut self, text: &str) {
        self.folded.clear();
        self.folded.push_str(text);
        self.folded.make_ascii_lowercase();
        self.folded();
    }

    fn folded(&mut self) {
        self.folded.push_str(PADDING);
        let Self { seed, seen, folded, found } = self;
        let bytes = folded.as_bytes();
        units(folded, |unit, word| {
            let (Unit::Word(range) | Unit::Token(range) | Unit::Dotted(range)) = &unit else { return };
            // Before the memory of what was seen: the same bytes may have been a whole word.
            if word.end - word.start > TOKEN_BYTES_MAX && !found.has_cut {
                found.has_cut = true;
                found.word(CUT);
            }
            if !seen.insert(hash(bytes, range.start, range.end, *seed)) {
                return;
            }
            found.unit(folded, &unit);
            if matches!(unit, Unit::Token(_)) {
                for run in letter_runs(&bytes[range.clone()]).filter(|run| run.len() >= RUN_MIN) {
                    let run = range.start + run.start..range.start + run.end;
                    if seen.insert(hash(bytes, run.start, run.end, *seed)) {
                        found.word(&folded[run]);
                    }
                }
            }
        });
    }

    /// Adds the exact value of a column.
    pub fn value(&mut self, value: &str) {
        self.folded.clear();
        if value.is_ascii() {
            self.folded.push_str(value);
            self.folded.make_ascii_lowercase();
        } else {
            self.folded.push_str(&loose(value));
        }
        let len = self.folded.len();
        self.folded.push_str(PADDING);
        // A seed of its own: that a text had the token does not say that the value's networks were added.
        let Self { seed, seen, folded, found } = self;
        if !seen.insert(hash(folded.as_bytes(), 0, len, !*seed)) {
            return;
        }
        let of_text = hash(folded.as_bytes(), 0, len, *seed);
        if is_dictionary_word(&folded[..len]) {
            if seen.insert(of_text) {
                found.word(&folded[..len]);
            }
            return;
        }
        // A text that had it with a digit made it a token; without one it is a word there, or a letter run. It is not noted as seen: a
        // text has more to add for the same bytes.
        if !(seen.has(of_text) && folded.as_bytes()[..len].iter().any(u8::is_ascii_digit)) {
            found.token(hash(folded.as_bytes(), 0, len, STABLE));
        }
        if let Some(ip) = address(value) {
            for prefix in networks(ip) {
                if seen.insert(hash_of(&prefix, *seed)) {
                    found.token(hash_of(&prefix, STABLE));
                }
            }
        }
    }
}

const PADDING: &str = "        ";
const _: () = assert!(PADDING.len() >= PAD);

impl Found {
    #[cold]
    fn unit(&mut self, folded: &str, unit: &Unit) {
        match unit {
            Unit::Word(range) => self.word(&folded[range.clone()]),
            Unit::Token(range) | Unit::Dotted(range) => self.token(hash(folded.as_bytes(), range.start, range.end, STABLE)),
            Unit::Common => {}
        }
    }

    fn word(&mut self, word: &str) {
        if self.words.len() + word.len() >= WORDS_BYTES_MAX {
            self.is_full = true;
            return;
        }
        self.words.push_str(word);
        self.words.push('\n');
    }

    fn token(&mut self, hash: u64) {
        if self.hashes.len() >= TOKENS_MAX {
            self.is_full = true;
            return;
        }
        self.hashes.push(hash);
    }
}

/// True for a folded value that is looked up as a word: one ASCII word without a digit.
pub fn is_dictionary_word(folded: &str) -> bool {
    let is_letter = |c: char| c.is_ascii() && !c.is_ascii_digit() && is_word(c);
    !folded.is_empty() && folded.len() <= TOKEN_BYTES_MAX && folded.chars().all(is_letter)
}

/// Reads a value that is an address as SQL's `cidr()` does.
fn address(value: &str) -> Option<IpAddr> {
    let may_be = value.len() <= 45 && value.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'));
    may_be.then(|| value.parse::<IpAddr>().ok())?.map(|ip| ip.to_canonical())
}

/// The lengths of prefixes that are kept, longest first: IPv4, IPv6.
pub const PREFIXES: [&[u8]; 2] = [&[24, 16], &[64, 48, 32]];

fn networks(ip: IpAddr) -> impl Iterator<Item = Vec<u8>> {
    let (kind, octets) = match ip {
        IpAddr::V4(ip) => (0, ip.octets().to_vec()),
        IpAddr::V6(ip) => (1, ip.octets().to_vec()),
    };
    PREFIXES[kind].iter().map(move |len| network(&octets, *len))
}

/// The token of a network: a tag no text begins with, the prefix length, its octets.
pub fn network(octets: &[u8], len: u8) -> Vec<u8> {
    let mut token = vec![0xff, len];
    token.extend_from_slice(&octets[..usize::from(len) / 8]);
    token
}

/// A set of hashes that is emptied often.
struct Seen {
    slots: Vec<u64>,
    used: usize,
}

impl Seen {
    const SLOTS: usize = 16 << 10;

    fn new() -> Self {
        Self { slots: vec![0; Self::SLOTS], used: 0 }
    }

    fn clear(&mut self) {
        self.slots.fill(0);
        self.used = 0;
    }

    fn has(&self, hash: u64) -> bool {
        let hash = hash.max(1);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 && self.slots[at] != hash {
            at = (at + 1) & mask;
        }
        self.slots[at] == hash
    }

    /// Adds a hash; false when it was there.
    #[inline]
    fn insert(&mut self, hash: u64) -> bool {
        let hash = hash.max(1);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                0 => break,
                held if held == hash => return false,
                _ => at = (at + 1) & mask,
            }
        }
        self.slots[at] = hash;
        self.used += 1;
        if self.used > self.slots.len() / 2 {
            self.grow();
        }
        true
    }

    #[cold]
    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![0; old.len() * 2];
        self.used = 0;
        for hash in old.into_iter().filter(|hash| *hash != 0) {
            self.insert(hash);
        }
    }
}
