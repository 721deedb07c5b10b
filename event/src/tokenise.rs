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

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '.' | '-' | '@' | ':')
}

#[cfg(test)]
mod tests {
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
