//! Folding for search: case always, Vietnamese accents only where the question has none.
//!
//! "nguyen" finds "Nguyễn"; "Nguyễn" finds only itself, in either Unicode form (NFC = NFD) and with the tone mark in either
//! of the two places that people write it ("hoà" = "hòa"). Sigma matching never comes here.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Returns true when a question asks for exact accents: it holds a combining mark, in either form, or đ.
pub fn has_accents(text: &str) -> bool {
    !text.is_ascii() && text.nfd().any(|c| is_combining_mark(c) || matches!(c, 'đ' | 'Đ'))
}

/// Folds case and accents: "Đường Nguyễn Huệ" becomes "duong nguyen hue".
pub fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.nfd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'đ' | 'Đ' => folded.push('d'),
            c => folded.extend(c.to_lowercase()),
        }
    }
    folded
}

/// Folds case and spelling variants but keeps accents: the tone mark moves to the end of its word.
pub fn exact(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len() + 8);
    let mut tones = String::new();
    for c in text.nfd() {
        if is_tone(c) {
            tones.push(c);
        } else if is_combining_mark(c) || c.is_alphanumeric() {
            folded.extend(c.to_lowercase());
        } else {
            folded.push_str(&tones);
            tones.clear();
            folded.push(c);
        }
    }
    folded.push_str(&tones);
    folded
}

/// Folds a text as this question wants it: [`exact`] when the question has accents, else [`plain`].
pub fn like(question: &str, text: &str) -> String {
    if has_accents(question) { exact(text) } else { plain(text) }
}

/// Huyền, sắc, hỏi, ngã, nặng as combining marks.
fn is_tone(c: char) -> bool {
    matches!(c, '\u{300}' | '\u{301}' | '\u{309}' | '\u{303}' | '\u{323}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_drops_accents_and_case() {
        assert_eq!(plain("Đường NGUYỄN Huệ"), "duong nguyen hue");
        assert_eq!(plain("Nguye\u{302}\u{303}n"), "nguyen");
    }

    #[test]
    fn exact_equates_forms_and_tone_places() {
        assert_eq!(exact("hoà"), exact("hòa"));
        assert_eq!(exact("Nguyễn"), exact("nguye\u{302}\u{303}n"));
        assert_ne!(exact("ma"), exact("má"));
        assert_ne!(exact("mà"), exact("má"));
        assert_eq!(exact("Hoà Bình"), exact("hòa bình"));
    }

    #[test]
    fn accents_are_noticed_in_both_forms() {
        assert!(has_accents("é") && has_accents("e\u{301}") && has_accents("đ"));
        assert!(!has_accents("Nguyen") && !has_accents("日本"));
    }
}
