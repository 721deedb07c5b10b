//! Small readers over text shared by the formats: splitting, numbers, case, escapes. Nothing here knows a field.

use event::Event;

/// Splits at the first `at`; both sides without it.
pub fn split(text: &str, at: u8) -> Option<(&str, &str)> {
    let found = memchr::memchr(at, text.as_bytes())?;
    Some((&text[..found], &text[found + 1..]))
}

/// How common bytes are in log lines, roughly: the later in this list, the rarer; what is not in it is rarer still.
const BY_FREQUENCY: &[u8] = b" e0a1to2in\"s.r3-:54=/l6,c9d78umpg_h[]f|by()wv;EkASTRDICNLOPMU%x\\{}'HFGBVWKqzjX";

/// Rank of a byte: 255 for the most common.
static RANKS: [u8; 256] = {
    let mut ranks = [0; 256];
    let mut at = 0;
    while at < BY_FREQUENCY.len() {
        ranks[BY_FREQUENCY[at] as usize] = 255 - at as u8;
        at += 1;
    }
    ranks
};

/// False candidates after which [`find`] builds a searcher.
const MISSES_MAX: usize = 48;

/// Finds the first place of a word. Unlike `memmem::find` it builds nothing first, which is most of the cost on a log line:
/// it looks for the rarest byte of the word. On text made to mislead it, it turns to `memmem::find`.
pub fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    let rarest = (0..word.len().min(24)).min_by_key(|at| RANKS[usize::from(word[*at])]).unwrap_or(0);
    let last = text.len().checked_sub(word.len())?;
    let Some(byte) = word.get(rarest) else { return Some(0) };
    let mut at = 0;
    for _ in 0..MISSES_MAX {
        let found = at + memchr::memchr(*byte, text.get(at + rarest..=last + rarest)?)?;
        if &text[found..found + word.len()] == word {
            return Some(found);
        }
        at = found + 1;
    }
    Some(at + memchr::memmem::find(text.get(at..)?, word)?)
}

/// Says whether a text holds a word, see [`find`].
pub fn has(text: &str, word: &str) -> bool {
    find(text.as_bytes(), word.as_bytes()).is_some()
}

/// Takes the word before the next blank; the rest starts after that one blank.
pub fn word(text: &str) -> (&str, &str) {
    split(text, b' ').unwrap_or((text, ""))
}

/// Takes the digits at the start.
pub fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// Takes off a pair of brackets or quotes if the text stands in one.
pub fn strip_pair(text: &str, open: char, close: char) -> &str {
    text.strip_prefix(open).and_then(|text| text.strip_suffix(close)).unwrap_or(text)
}

/// Returns the text in lower case (ASCII), in the arena only when something changes.
pub fn lower<'r>(event: &Event<'r>, text: &'r str) -> &'r str {
    if !text.bytes().any(|b| b.is_ascii_uppercase()) {
        return text;
    }
    let copy = event.arena().alloc_str(text);
    copy.make_ascii_lowercase();
    copy
}

/// Joins two pieces with a separator, in the arena.
pub fn join<'r>(event: &Event<'r>, left: &str, separator: &str, right: &str) -> &'r str {
    concat(event.arena(), [left, separator, right])
}

/// Joins pieces in the arena without a temporary.
pub fn concat<'r, const N: usize>(arena: &'r bumpalo::Bump, pieces: [&str; N]) -> &'r str {
    let len = pieces.iter().map(|piece| piece.len()).sum();
    let mut text = bumpalo::collections::String::with_capacity_in(len, arena);
    pieces.iter().for_each(|piece| text.push_str(piece));
    text.into_bump_str()
}

/// Takes away backslashes that escape a character for which `is_escaped` holds; others stay as they are.
pub fn unescape<'r>(event: &Event<'r>, text: &'r str, is_escaped: impl Fn(char) -> bool) -> &'r str {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return text;
    }
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), event.arena());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && is_escaped(*next) => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out.into_bump_str()
}

/// Last part of a path, for either slash.
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Reads a decimal or `0x` number.
pub fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Seconds as decimal text → nanoseconds (`event.duration`).
pub fn seconds_to_nanos(text: &str) -> Option<i64> {
    let seconds: f64 = text.parse().ok()?;
    let nanos = (seconds * 1e9).round();
    (nanos.is_finite() && (0.0..9e18).contains(&nanos)).then_some(nanos as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_memmem_finds(text in "[ab \"=q]{0,200}", word in "[ab \"=q]{0,4}") {
            prop_assert_eq!(super::find(text.as_bytes(), word.as_bytes()), memchr::memmem::find(text.as_bytes(), word.as_bytes()));
        }
    }

    #[test]
    fn misleading_text_is_searched_otherwise() {
        let text = format!("{}z1", "z".repeat(5000));
        assert_eq!((super::find(text.as_bytes(), b"z1"), super::has(&text, "z2")), (Some(5000), false));
    }
}
