//! What must stand in a text that a pattern matches: the literal parts of regular expressions and of SQL's `LIKE`.
//!
//! A pattern is read from left to right into *runs*: stretches that must stand in the text as they are. Whatever is not
//! literal ends a run. A character that is no part of a word tells where words end even if it is not known which one it is.

use event::tokenise::is_word;
use regex_syntax::{
    ParserBuilder,
    hir::{Class, Hir, HirKind},
};

use super::{
    question::{Edges, Need, all, any, text_need},
    units::loose,
};

const PATTERN_BYTES_MAX: usize = 16 << 10;
const NEST_MAX: u32 = 64;
/// Members of a class that are looked at one by one; larger classes are taken for any character.
const CLASS_MAX: usize = 64;
const ALTERNATIVES_MAX: usize = 64;
/// Stands in a run for a character of no word.
const BREAK: char = ' ';

/// What a text must hold that the expression matches somewhere. An expression that cannot be read needs nothing: who
/// evaluates it says what is wrong with it.
pub fn regex(pattern: &str, case_insensitive: bool) -> Need {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Need::Anything;
    }
    let parsed = ParserBuilder::new().nest_limit(NEST_MAX).case_insensitive(case_insensitive).build().parse(pattern);
    let Ok(hir) = parsed else { return Need::Anything };
    let mut runs = Runs::default();
    runs.walk(&hir);
    runs.finish()
}

/// What a text must hold that is like the pattern as a whole.
pub fn like(pattern: &str, case_insensitive: bool) -> Need {
    let mut runs = Runs::default();
    runs.run.push(BREAK);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' | '_' => runs.end(),
            '\\' => runs.run.push(chars.next().unwrap_or('\\')),
            c => runs.run.push(c),
        }
    }
    runs.run.push(BREAK);
    let _ = case_insensitive; // Folding is the same: it is loose in both cases.
    runs.finish()
}

#[derive(Default)]
struct Runs {
    run: String,
    needs: Vec<Need>,
}

impl Runs {
    /// Ends the run: what comes next need not stand right behind it.
    fn end(&mut self) {
        if !self.run.is_empty() {
            self.needs.push(text_need(&loose(&self.run), Edges { left: false, right: false }));
            self.run.clear();
        }
    }

    fn finish(mut self) -> Need {
        self.end();
        all(self.needs)
    }

    fn walk(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Look(look) => self.look(*look),
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => self.run.push_str(text),
                Err(_) => self.end(),
            },
            HirKind::Class(class) => match members(class) {
                Some(Members::Alike(text)) => self.run.push_str(&text),
                Some(Members::NoWords) => self.run.push(BREAK),
                None => self.end(),
            },
            HirKind::Capture(capture) => self.walk(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.walk(part)),
            HirKind::Repetition(repetition) => match repetition.min {
                0 => self.end(),
                _ if is_break(&repetition.sub) => self.run.push(BREAK),
                _ => self.apart(&repetition.sub),
            },
            HirKind::Alternation(alternatives) => {
                self.end();
                if alternatives.len() <= ALTERNATIVES_MAX {
                    let needs = alternatives.iter().map(|alternative| {
                        let mut runs = Self::default();
                        runs.walk(alternative);
                        runs.finish()
                    });
                    self.needs.push(any(needs.collect()));
                }
            }
        }
    }

    /// A part whose neighbours are not known.
    fn apart(&mut self, hir: &Hir) {
        self.end();
        self.walk(hir);
        self.end();
    }

    /// The ends of text and line end words, too. Word boundaries of regular expressions are not quite ours.
    fn look(&mut self, look: regex_syntax::hir::Look) {
        use regex_syntax::hir::Look::{End, EndCRLF, EndLF, Start, StartCRLF, StartLF};
        if matches!(look, Start | StartLF | StartCRLF | End | EndLF | EndCRLF) {
            self.run.push(BREAK);
        }
    }
}

enum Members {
    /// All fold to this text.
    Alike(String),
    /// None is part of a word.
    NoWords,
}

/// True when the part is some character, always the same or not, that is in no word.
fn is_break(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).is_ok_and(|text| !loose(text).contains(is_word) && !loose(text).is_empty())
        }
        HirKind::Class(class) => matches!(members(class), Some(Members::NoWords)),
        _ => false,
    }
}

fn members(class: &Class) -> Option<Members> {
    let Class::Unicode(class) = class else { return None };
    let size: usize = class.iter().map(|range| range.len()).sum();
    if size == 0 || size > CLASS_MAX {
        return None;
    }
    let folded: Vec<String> = class.iter().flat_map(|range| range.start()..=range.end()).map(|c| loose(&c.to_string())).collect();
    if folded.iter().all(|text| *text == folded[0]) {
        return Some(Members::Alike(folded[0].clone()));
    }
    let is_break = |text: &String| !text.is_empty() && !text.contains(is_word);
    folded.iter().all(is_break).then_some(Members::NoWords)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(pattern: &str, expected: Expect) {
        expected.assert_eq(&format!("{:?}", regex(pattern, false)));
    }

    #[test]
    fn literal_parts_are_needed() {
        check("/api/v[12]/users/[0-9]+/delete", expect![[r#"All([Word("api"), Word("users"), Beginning("delete")])"#]]);
        check("(?i)failed +password", expect![[r#"All([Beginning("password"), Any([Word("\u{1}"), End("failed")])])"#]]);
        check(
            "a(foobar|bazqux)c|xyzzy",
            expect![[
                r#"Any([Any([Word("\u{1}"), Middle("xyzzy")]), Any([Any([Word("\u{1}"), Middle("bazqux")]), Any([Word("\u{1}"), Middle("foobar")])])])"#
            ]],
        );
        check("(foobar)?barfoo*", expect![[r#"Any([Word("\u{1}"), Middle("barfo")])"#]]);
        check(r"^word$", expect![[r#"Word("word")"#]]);
        check("[a-z]+|word", expect!["Anything"]);
        check("(", expect!["Anything"]);
    }

    #[test]
    fn like_has_ends() {
        let check = |pattern, expected: Expect| expected.assert_eq(&format!("{:?}", like(pattern, false)));
        check("Failed%", expect![[r#"Beginning("failed")"#]]);
        check("%ailed pass_ord%", expect![[r#"All([Beginning("pass"), Any([Word("\u{1}"), End("ailed")])])"#]]);
        check("100\\%", expect!["Anything"]);
    }
}
