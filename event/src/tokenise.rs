//! The tokeniser: shared by search functions, by the index to come, and by the tests' oracle.
//!
//! A *word* is a run of letters, digits and `_`. A *compound* is words joined by single `.`, `-`, `@` or `:` (addresses,
//! UUIDs, mail addresses, file names, MAC addresses): it is a token as a whole, and so is each of its words. Terms keep
//! their case; folding is the searcher's business ([`crate::fold`]).
//!
//! A term occurs in a text when it stands there between word boundaries ([`contains_term`]): every term that occurs is
//! made of tokens of the text, so a token index may prune and a scan decides.

/// Longest token in bytes; longer ones are cut, on both sides of the comparison.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Calls `emit` with every token of the text: compounds first, then their words, in order of appearance.
pub fn tokens<'t>(text: &'t str, mut emit: impl FnMut(&'t str)) {
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        rest = &rest[start..];
        let compound = &rest[..compound_len(rest)];
        rest = &rest[compound.len()..];
        if compound.contains(is_joiner) {
            emit(cut(compound));
            for word in compound.split(is_joiner) {
                emit(cut(word));
            }
        } else {
            emit(cut(compound));
        }
    }
}

/// A word's place in its text, and what its characters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Byte offsets; the word is never empty and never cut.
    pub start: usize,
    pub end: usize,
    /// Holds an ASCII digit.
    pub has_digit: bool,
    /// Holds nothing but ASCII digits.
    pub is_decimal: bool,
}

/// Calls `emit` with every word of the text in order: the words of [`tokens`], without compounds and uncut.
///
/// ASCII text takes a path that looks at 64 bytes at a time; it says what the slow one says.
pub fn words(text: &str, mut emit: impl FnMut(Word)) {
    if text.is_ascii() {
        return ascii_words(text.as_bytes(), emit);
    }
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, is_word(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                start = None;
                emit(Word::of(text.as_bytes(), from, at));
            }
            _ => {}
        }
    }
}

impl Word {
    fn of(text: &[u8], start: usize, end: usize) -> Self {
        let digits = text[start..end].iter().filter(|byte| byte.is_ascii_digit()).count();
        Self { start, end, has_digit: digits > 0, is_decimal: digits == end - start }
    }
}

/// Bytes looked at together: one bit each in a mask.
const CHUNK: usize = 64;

fn ascii_words(text: &[u8], mut emit: impl FnMut(Word)) {
    let mut start = 0;
    let mut is_inside = 0;
    let mut base = 0;
    let mut padded = [0; CHUNK];
    while base < text.len() {
        let chunk = match text[base..].first_chunk::<CHUNK>() {
            Some(chunk) => chunk,
            None => {
                padded[..text.len() - base].copy_from_slice(&text[base..]);
                &padded
            }
        };
        let (word, digit) = masks(chunk);
        // A bit wherever a word begins or has just ended; the two take turns.
        let mut edges = word ^ (word << 1 | is_inside);
        let mut is_end = is_inside == 1;
        is_inside = word >> (CHUNK - 1);
        while edges != 0 {
            let bit = edges.trailing_zeros() as usize;
            edges &= edges - 1;
            if is_end {
                emit(ended(text, start, base + bit, base, digit));
            } else {
                start = base + bit;
            }
            is_end = !is_end;
        }
        base += CHUNK;
    }
    if is_inside == 1 {
        emit(Word::of(text, start, text.len()));
    }
}

/// The word that ends at `end`, its digits read from the mask of the chunk at `base` when it lies within.
#[inline]
fn ended(text: &[u8], start: usize, end: usize, base: usize, digit: u64) -> Word {
    if start < base {
        return Word::of(text, start, end);
    }
    let len = end - start;
    let digits = digit >> (start - base) & (u64::MAX >> (CHUNK - len));
    Word { start, end, has_digit: digits != 0, is_decimal: digits.count_ones() as usize == len }
}

/// Which of 64 ASCII bytes are word characters, and which are digits; the first byte is the lowest bit.
#[inline]
fn masks(chunk: &[u8; CHUNK]) -> (u64, u64) {
    let (mut word, mut digit) = ([0; CHUNK], [0; CHUNK]);
    for at in 0..CHUNK {
        let c = chunk[at];
        let is_digit = c.wrapping_sub(b'0') < 10;
        digit[at] = u8::from(is_digit);
        word[at] = u8::from(is_digit | ((c | 0x20).wrapping_sub(b'a') < 26) | (c == b'_'));
    }
    (gather(&word), gather(&digit))
}

/// Packs 64 bytes of 0 or 1 into bits, eight at a time by one multiplication.
#[inline]
fn gather(flags: &[u8; CHUNK]) -> u64 {
    let mut bits = 0;
    for (at, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        bits |= (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (at * 8);
    }
    bits
}

/// Returns true when `term` stands in `text` between word boundaries. Both must be folded alike beforehand.
///
/// An address must stand whole: `203.0.113.7` does not occur in `203.0.113.7.5` nor in `203.0.113.77`.
pub fn contains_term(text: &str, term: &str) -> bool {
    if term.is_empty() {
        return true;
    }
    let is_address = is_address(term);
    memchr::memmem::find_iter(text.as_bytes(), term.as_bytes()).any(|at| stands_alone(text, at, term, is_address))
}

/// Place of the byte that is probably the rarest in log lines: where a search by one byte stops least often. Digits, being
/// spread evenly, count as middling.
pub fn rarest(word: &[u8]) -> Option<usize> {
    const COMMON: &[u8] = b"eaotinsrldcuphm0123.-:/ 1bfgyvwk456789x_=jzq";
    let rank = |byte: &u8| COMMON.iter().position(|c| c == byte).unwrap_or(COMMON.len());
    (0..word.len()).max_by_key(|at| rank(&word[*at]))
}

/// A term prepared for many texts: says what [`contains_term`] says.
#[derive(Clone, Debug)]
pub struct TermFinder {
    term: String,
    finder: memchr::memmem::Finder<'static>,
    is_address: bool,
}

impl TermFinder {
    pub fn new(term: &str) -> Self {
        let finder = memchr::memmem::Finder::new(term).into_owned();
        Self { term: term.to_owned(), finder, is_address: is_address(term) }
    }

    /// The term itself.
    pub fn term(&self) -> &str {
        &self.term
    }

    /// Both must be folded alike beforehand.
    pub fn stands_in(&self, text: &str) -> bool {
        let alone = |at| stands_alone(text, at, &self.term, self.is_address);
        self.term.is_empty() || self.finder.find_iter(text.as_bytes()).any(alone)
    }

    /// The same where only the boundary before the term counts.
    pub fn begins_in(&self, text: &str) -> bool {
        let alone = |at: usize| stands_alone(&text[..at + self.term.len()], at, &self.term, self.is_address);
        self.finder.find_iter(text.as_bytes()).any(alone)
    }
}

fn stands_alone(text: &str, at: usize, term: &str, is_address: bool) -> bool {
    let (before, after) = (&text[..at], &text[at + term.len()..]);
    let joined = |side: Option<char>, next: Option<char>| match side {
        Some(c) if is_word(c) => true,
        Some('.') if is_address => next.is_some_and(|n| n.is_ascii_hexdigit()),
        _ => false,
    };
    let mut back = before.chars().rev();
    let mut ahead = after.chars();
    let is_cut_before = term.starts_with(is_word) && joined(back.next(), back.next());
    let is_cut_after = term.ends_with(is_word) && joined(ahead.next(), ahead.next());
    !is_cut_before && !is_cut_after
}

fn is_address(term: &str) -> bool {
    term.parse::<std::net::IpAddr>().is_ok()
}

/// Length of the compound that starts the text: words joined by single joiners.
fn compound_len(text: &str) -> usize {
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if is_word(c) {
            end = at + c.len_utf8();
        } else if !(is_joiner(c) && chars.peek().is_some_and(|(_, next)| is_word(*next))) {
            break;
        }
    }
    end
}

fn cut(token: &str) -> &str {
    if token.len() <= TOKEN_BYTES_MAX {
        return token;
    }
    let mut end = TOKEN_BYTES_MAX;
    while !token.is_char_boundary(end) {
        end -= 1;
    }
    &token[..end]
}

/// True for the characters that words are made of: letters, digits, `_` and the marks that combine with them.
pub fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '.' | '-' | '@' | ':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        tokens(text, |token| found.push(token));
        found
    }

    #[test]
    fn compounds_and_words() {
        assert_eq!(all("Failed password for root"), ["Failed", "password", "for", "root"]);
        assert_eq!(all("from 203.0.113.77 port"), ["from", "203.0.113.77", "203", "0", "113", "77", "port"]);
        assert_eq!(all("an@tinh.gov.vn"), ["an@tinh.gov.vn", "an", "tinh", "gov", "vn"]);
        assert_eq!(all("GET /a/báo_cáo.pdf?x=1"), ["GET", "a", "báo_cáo.pdf", "báo_cáo", "pdf", "x", "1"]);
        assert_eq!(all("a..b - c."), ["a", "b", "c"]);
    }

    fn naive_words(text: &str) -> Vec<Word> {
        let mut found = Vec::new();
        let mut at = 0;
        for word in text.split(|c| !is_word(c)) {
            let start = text[at..].find(word).expect("tokens are in the text") + at;
            at = start + word.len();
            if !word.is_empty() {
                found.push(Word::of(text.as_bytes(), start, at));
            }
        }
        found
    }

    fn all_words(text: &str) -> Vec<Word> {
        let mut found = Vec::new();
        words(text, |word| found.push(word));
        found
    }

    proptest! {
        #[test]
        fn words_are_what_lies_between_other_characters(text in "[a-cA-C0-2_ .:\\-é\u{301}/]{0,200}|[a-z0-9]{60,70}[ .]?[a-z]{0,70}|\\PC{0,90}") {
            prop_assert_eq!(all_words(&text), naive_words(&text));
        }

        #[test]
        fn tokens_are_words_and_their_compounds(text in "[a-c0-2_ .:\\-é]{0,100}") {
            let mut short: Vec<&str> = all(&text);
            short.retain(|token| !token.contains(is_joiner));
            prop_assert_eq!(all_words(&text).iter().map(|word| &text[word.start..word.end]).collect::<Vec<_>>(), short);
        }
    }

    #[test]
    fn terms_stand_between_boundaries() {
        assert!(contains_term("src=203.0.113.7 x", "203.0.113.7"));
        assert!(contains_term("to 203.0.113.7:443", "203.0.113.7"));
        assert!(contains_term("at 203.0.113.7.", "203.0.113.7"));
        assert!(!contains_term("src=203.0.113.77 x", "203.0.113.7"));
        assert!(!contains_term("1.3.6.203.0.113.7.5", "203.0.113.7"));
        assert!(contains_term("/etc/passwd", "passwd") && !contains_term("/etc/passwd2", "passwd"));
        assert!(contains_term("a/../b", "../b"));
    }

    #[test]
    fn every_token_of_a_text_occurs_in_it() {
        for text in ["Failed password for an@x.vn from 10.0.0.1 port 22 ssh2", "a-b:c.d@e f__g", "fe80::1%eth0 x"] {
            for token in all(text) {
                assert!(contains_term(text, token), "{token} in {text}");
            }
        }
    }
}
