//! Literals that a regular expression cannot match without: the gate in front of slow expressions.
//!
//! The literals are lower-cased ASCII; they are looked for in the lower-cased text, so they hold for case-insensitive
//! expressions too. Two letters fold strangely in `(?i)`: `ſ` for s and `K` (kelvin) for k; [`is_odd`] tells texts for
//! which no gate may be trusted.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Alternatives that a gate may have.
const LITERALS_MAX: usize = 16;

/// Shortest literal worth looking for.
const LITERAL_LEN_MIN: usize = 3;

/// True for a text whose lower case does not show what `(?i)` would match.
pub fn is_odd(text: &str) -> bool {
    !text.is_ascii() && text.contains(['ſ', '\u{212a}'])
}

/// Returns literals one of which is in every text that the expression matches; `None` when nothing is certain.
pub fn required(source: &str) -> Option<Vec<String>> {
    let hir = regex_syntax::ParserBuilder::new().build().parse(source).ok()?;
    let found = search(&hir)?;
    found.iter().all(|literal| literal.len() >= LITERAL_LEN_MIN).then_some(found)
}

/// The letter that a node stands for, when it is one letter in any case.
fn letters(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            text.is_ascii().then(|| text.to_ascii_lowercase())
        }
        HirKind::Class(Class::Unicode(class)) => {
            let mut letter = None;
            for range in class.ranges() {
                if range.end() as u32 - range.start() as u32 > 1 {
                    return None;
                }
                for c in range.start()..=range.end() {
                    let folded = match c {
                        'ſ' => 's',
                        '\u{212a}' => 'k',
                        c if c.is_ascii() => c.to_ascii_lowercase(),
                        _ => return None,
                    };
                    if *letter.get_or_insert(folded) != folded {
                        return None;
                    }
                }
            }
            letter.map(String::from)
        }
        HirKind::Capture(capture) => letters(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(letters).collect(),
        _ => None,
    }
}

fn search(hir: &Hir) -> Option<Vec<String>> {
    if let Some(text) = letters(hir) {
        return Some(vec![text]);
    }
    match hir.kind() {
        HirKind::Capture(capture) => search(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => search(&repetition.sub),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(search(part)?);
            }
            (all.len() <= LITERALS_MAX).then_some(all)
        }
        HirKind::Concat(parts) => best_of_run(parts),
        _ => None,
    }
}

/// In a sequence every part is required: neighbouring letters are joined, the longest shortest literal wins.
fn best_of_run(parts: &[Hir]) -> Option<Vec<String>> {
    let mut candidates: Vec<Vec<String>> = Vec::new();
    let mut run = String::new();
    for part in parts {
        match letters(part) {
            Some(text) => run.push_str(&text),
            None => {
                candidates.push(vec![std::mem::take(&mut run)]);
                candidates.extend(search(part));
            }
        }
    }
    candidates.push(vec![run]);
    let shortest = |set: &Vec<String>| set.iter().map(String::len).min().unwrap_or(0);
    candidates.into_iter().filter(|set| shortest(set) > 0).max_by_key(|set| (shortest(set), std::cmp::Reverse(set.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_in_the_middle_and_in_any_case() {
        assert_eq!(required("(?i)foo[0-9]+PowerShell").unwrap(), ["powershell"]);
        assert_eq!(required("a(?:cmd|wmic)b+").unwrap_or_default().len(), 2);
        assert_eq!(required("x{2,}y?(?:longer)+").unwrap(), ["longer"]);
        assert_eq!(required("[0-9]+.*"), None);
        assert_eq!(required("(?:abc)?"), None);
        assert_eq!(required("abcd|[0-9]"), None);
        assert_eq!(required("ab"), None, "too short to be worth it");
    }
}
