//! What of a folded text goes into the index; writer and questions share these rules to the letter.
//!
//! * A word without a digit goes into the dictionary of words.
//! * A word with a digit goes into the hash postings, unless it is *common*: nobody searches it, or it stands in every
//!   block. A common word prunes nothing, wherever it stands.
//! * Its letter runs of [`RUN_MIN`] bytes or more go into the dictionary too: the beginning, the end or the middle of a
//!   word (`pass*`, `%owershell%`) is looked for there, and the word it belongs to may have a digit elsewhere.
//! * Four decimal words joined by dots go into the hash postings as one address.
//! * Words over 128 bytes are cut; a block that has one says so by the word [`CUT`], since the end is not there to be found.
//!
//! Compounds (`a.dupont`, UUIDs, host names) are not kept whole: a search term stands between boundaries, and `.` or `-` is
//! one, so a term may be any part of the compound in the text. Their words are.

use std::ops::Range;

use event::{
    fold,
    tokenise::{TOKEN_BYTES_MAX, Word, words},
};

/// Shortest letter run of a word with digits that is in the dictionary, in bytes.
pub const RUN_MIN: usize = 4;
/// Shortest decimal number, and shortest other word with a digit, in the hash postings.
const DECIMAL_MIN: usize = 6;
const MIXED_MIN: usize = 5;
/// The dictionary's mark of a block with a word that was cut. No text has it for a word.
pub const CUT: &str = "\u{1}";

/// One thing to keep or to look up: a range of the folded text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A word without a digit; already cut.
    Word(Range<usize>),
    /// A word with a digit, not common; already cut.
    Token(Range<usize>),
    /// An address, or what looks like one: four decimal words of at most three digits, joined by dots.
    Dotted(Range<usize>),
    /// A common word.
    Common,
}

/// Calls `emit` for every word of a folded text, whole, and for every address.
#[inline]
pub fn units(folded: &str, mut emit: impl FnMut(Unit, Word)) {
    let bytes = folded.as_bytes();
    let mut dotted = Dotted::default();
    words(folded, |word| {
        if let Some(address) = dotted.next(bytes, word) {
            emit(Unit::Dotted(address), word);
        }
        emit(unit(folded, word), word);
    });
}

#[inline]
fn unit(folded: &str, word: Word) -> Unit {
    if word.end - word.start > TOKEN_BYTES_MAX {
        return cut(folded, word);
    }
    let range = word.start..word.end;
    if !word.has_digit {
        Unit::Word(range)
    } else if is_common(&folded.as_bytes()[range.clone()], word.is_decimal) {
        Unit::Common
    } else {
        Unit::Token(range)
    }
}

#[cold]
fn cut(folded: &str, word: Word) -> Unit {
    let range = word.start..folded.floor_char_boundary(word.start + TOKEN_BYTES_MAX);
    let has_digit = folded.as_bytes()[range.clone()].iter().any(u8::is_ascii_digit);
    if has_digit { Unit::Token(range) } else { Unit::Word(range) }
}

/// True for words with digits that are in every block or that nobody looks for: short numbers (ports, process ids, sizes,
/// pieces of addresses and times), short mixtures (pieces of UUIDs) unless they are letters and then digits (`web7`),
/// fractions of a second (`090987z`) and times in nanoseconds. ADR 0013 has the shares.
#[inline]
fn is_common(word: &[u8], is_decimal: bool) -> bool {
    if is_decimal {
        let is_time = word.len() == 19 && word[0] == b'1' && word[1] >= b'5';
        return word.len() < DECIMAL_MIN || is_time;
    }
    if word.len() < MIXED_MIN {
        let letters = word.iter().take_while(|byte| !byte.is_ascii_digit()).count();
        return letters == 0 || !word[letters..].iter().all(u8::is_ascii_digit);
    }
    word.len() <= 10 && word.ends_with(b"z") && word[..word.len() - 1].iter().all(u8::is_ascii_digit)
}

/// Follows runs of short decimal words joined by dots.
#[derive(Default)]
struct Dotted {
    count: usize,
    starts: [usize; 4],
    end: usize,
}

impl Dotted {
    #[inline]
    fn next(&mut self, bytes: &[u8], word: Word) -> Option<Range<usize>> {
        if !word.is_decimal || word.end - word.start > 3 {
            self.count = 0;
            return None;
        }
        let is_joined = self.count > 0 && self.end + 1 == word.start && bytes[self.end] == b'.';
        self.count = if is_joined { self.count + 1 } else { 1 };
        self.starts.rotate_left(1);
        self.starts[3] = word.start;
        self.end = word.end;
        (self.count >= 4).then(|| self.starts[0]..word.end)
    }
}

/// The maximal runs without a digit in a word.
pub fn letter_runs(word: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + word[at..].iter().position(|byte| !byte.is_ascii_digit())?;
        at = word[start..].iter().position(u8::is_ascii_digit).map_or(word.len(), |len| start + len);
        Some(start..at)
    })
}

/// Folds like [`fold::plain`], and makes equal what a search without regard to case takes for equal (ſ and s, ς and σ).
pub fn loose(text: &str) -> String {
    let plain = fold::plain(text);
    if plain.is_ascii() {
        return plain;
    }
    // An iota is also written below its letter, by a mark that folding drops (U+0345): drop both.
    plain.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).filter(|c| *c != 'ι').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        units(text, |unit, _| {
            found.push(match unit {
                Unit::Word(range) => format!("w:{}", &text[range]),
                Unit::Token(range) => format!("t:{}", &text[range]),
                Unit::Dotted(range) => format!("d:{}", &text[range]),
                Unit::Common => "-".to_owned(),
            });
        });
        found
    }

    #[test]
    fn words_tokens_addresses() {
        assert_eq!(all("failed for web7 id 4625"), ["w:failed", "w:for", "t:web7", "w:id", "-"]);
        assert_eq!(all("x.10.0.0.1:443"), ["w:x", "-", "-", "-", "d:10.0.0.1", "-", "-"]);
        assert_eq!(all("1.2.3.4.5"), ["-", "-", "-", "d:1.2.3.4", "-", "d:2.3.4.5", "-"]);
        assert_eq!(all("1.2..3.4 1:2:3:4"), ["-"; 8]);
        assert_eq!(all("0dd5f83a-5f17 54321 654321 090987z"), ["t:0dd5f83a", "-", "-", "t:654321", "-"]);
        assert_eq!(all(&format!("{}9", "a".repeat(128))), [format!("w:{}", "a".repeat(128))]);
    }

    #[test]
    fn runs_lie_between_digits() {
        let runs = |word: &'static str| letter_runs(word.as_bytes()).map(|run| &word[run]).collect::<Vec<_>>();
        assert_eq!(runs("9ab12cđ3"), ["ab", "cđ"]);
        assert_eq!(runs("abc"), ["abc"]);
        assert!(runs("123").is_empty());
    }

    #[test]
    fn loose_folding_covers_what_ignoring_case_equates() {
        use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
        for c in '\0'..=char::MAX {
            let mut text = [0; 4];
            let folded = loose(c.encode_utf8(&mut text));
            assert_eq!(loose(&folded), folded, "{c:?} twice");
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            class.case_fold_simple();
            for other in class.iter().flat_map(|range| range.start()..=range.end()).filter(|other| *other != c) {
                assert_eq!(loose(&other.to_string()), folded, "{c:?} and {other:?}");
            }
        }
    }
}
