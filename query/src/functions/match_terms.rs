//! `match(field, …, 'words')`: do the words stand in the text, as a person would find them?
//!
//! The rules are those of [`event::tokenise::contains_term`] and [`event::fold`], which the index and the tests' oracle
//! share: case never matters, accents only where the word has some, a word stands between boundaries, an address stands
//! whole. This file adds the question's syntax and a fast path; for ASCII text the fast path only finds candidates, and
//! `contains_term` decides.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, BooleanArray},
        buffer::{BooleanBuffer, NullBuffer},
        datatypes::DataType,
    },
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility},
};
use event::{
    fold,
    tokenise::{TermFinder, rarest},
};

use super::text::{Texts, constant, invalid, null_answer};

pub const DOC: &str = "True when every word stands in the text as a whole word or address, upper or lower case, with or without \
                       accents unless the word has some; \"a phrase\" stands as written, begin* is the beginning of a word. \
                       Without a field: in event.original or message. In a list field some element must hold the word.";

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Match {
    signature: Signature,
}

impl Match {
    pub fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Match {
    fn name(&self) -> &'static str {
        "match"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        if args.len() < 2 {
            return Err(invalid("match needs words: match('failed password') or match(user_agent.original, 'curl')"));
        }
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let (question, fields) = args.args.split_last().ok_or_else(|| invalid("match needs words"))?;
        let Some(question) = constant("match", question)? else { return Ok(null_answer(rows)) };
        let question = Question::new(question);
        let columns = fields.iter().map(|field| Texts::of(field, rows)).collect::<Result<Vec<_>>>()?;
        let mut scratch = String::new();
        // A word may stand in any of the fields: fields are joined word by word, words by AND.
        let mut all = BooleanBuffer::new_set(rows);
        for term in &question.terms {
            let mut some = BooleanBuffer::new_unset(rows);
            for column in &columns {
                some = &some | column.test(|text| term.stands_in(text, &mut scratch)).values();
            }
            all = &all & &some;
        }
        let mut has_value = BooleanBuffer::new_unset(rows);
        for column in &columns {
            has_value = &has_value | &valid(column, rows);
        }
        let answer = &all & &has_value;
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(answer, Some(NullBuffer::new(has_value))))))
    }
}

fn valid(column: &Texts, rows: usize) -> BooleanBuffer {
    let nulls = match column {
        Texts::One(array) => array.nulls(),
        Texts::Many(array) => array.nulls(),
    };
    nulls.map_or_else(|| BooleanBuffer::new_set(rows), |nulls| nulls.inner().clone())
}

/// Words and phrases to look for; all must be found.
#[derive(Debug)]
pub struct Question {
    terms: Vec<Term>,
}

/// One word or phrase.
#[derive(Debug)]
pub(crate) struct Term {
    /// The word as asked: decides how text is folded.
    asked: String,
    folded: TermFinder,
    is_prefix: bool,
    /// Place in `folded` of the byte that is probably rarest in log lines; only for ASCII words.
    rare: Option<usize>,
}

impl Question {
    /// Splits at white space; double quotes hold a phrase together, `\"` and `\\` stand for themselves inside one.
    pub fn new(text: &str) -> Self {
        let mut terms = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_whitespace() {
                continue;
            }
            let mut word = String::new();
            if c == '"' {
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => word.extend(chars.next()),
                        c => word.push(c),
                    }
                }
                let is_prefix = chars.next_if_eq(&'*').is_some();
                terms.push(Term::new(word, is_prefix));
            } else {
                word.push(c);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && *c != '"') {
                    word.push(c);
                }
                let is_prefix = word.len() > 1 && word.ends_with('*');
                if is_prefix {
                    word.pop();
                }
                terms.push(Term::new(word, is_prefix));
            }
        }
        Self { terms }
    }

    /// The words and phrases as they were asked, each with whether only its beginning counts.
    pub fn terms(&self) -> impl Iterator<Item = (&str, bool)> {
        self.terms.iter().map(|term| (term.asked.as_str(), term.is_prefix))
    }

    pub(crate) fn into_terms(self) -> impl Iterator<Item = Term> {
        self.terms.into_iter()
    }

    /// True when every word stands in the text.
    pub fn stands_in(&self, text: &str) -> bool {
        let mut scratch = String::new();
        self.terms.iter().all(|term| term.stands_in(text, &mut scratch))
    }
}

impl Term {
    fn new(asked: String, is_prefix: bool) -> Self {
        let folded = fold::like(&asked, &asked);
        let rare = folded.is_ascii().then(|| rarest(folded.as_bytes())).flatten();
        Self { asked, folded: TermFinder::new(&folded), is_prefix, rare }
    }

    /// What must stand in a folded text.
    pub fn folded(&self) -> &str {
        self.folded.term()
    }

    /// True when it stands in the text; `scratch` saves an allocation.
    pub fn stands_in(&self, text: &str, scratch: &mut String) -> bool {
        if !text.is_ascii() {
            return self.stands_in_folded(&fold::like(&self.asked, text));
        }
        if self.folded().is_empty() {
            return true;
        }
        let Some(rare) = self.rare else { return false };
        if !has_candidate(text.as_bytes(), self.folded().as_bytes(), rare) {
            return false;
        }
        scratch.clear();
        scratch.push_str(text);
        scratch.make_ascii_lowercase();
        self.stands_in_folded(scratch)
    }

    fn stands_in_folded(&self, text: &str) -> bool {
        if self.is_prefix { self.folded.begins_in(text) } else { self.folded.stands_in(text) }
    }
}

/// True when the lower-case word occurs in the text in any case.
fn has_candidate(text: &[u8], word: &[u8], rare: usize) -> bool {
    let (lower, upper) = (word[rare], word[rare].to_ascii_uppercase());
    let fits = |at: usize| {
        at >= rare && text.get(at - rare..at - rare + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    };
    if lower == upper { memchr::memchr_iter(lower, text).any(fits) } else { memchr::memchr2_iter(lower, upper, text).any(fits) }
}

#[cfg(test)]
mod tests {
    use event::tokenise::contains_term;
    use proptest::prelude::*;

    use super::*;

    fn found(question: &str, text: &str) -> bool {
        Question::new(question).stands_in(text)
    }

    #[test]
    fn words_phrases_prefixes() {
        let line = "Failed password for invalid user Admin from 203.0.113.7 port 22";
        assert!(found("failed ADMIN", line) && found("\"failed password\"", line) && found("203.0.113.7", line));
        assert!(!found("fail", line) && found("fail*", line) && !found("ailed*", line) && !found("\"password failed\"", line));
        assert!(!found("203.0.113.7", "from 203.0.113.77 port") && found("203.0.113.7*", "from 203.0.113.77 port"));
        assert!(found("\"say \\\"hi\\\"\"", "they say \"hi\" twice"));
        assert!(found("", line) && found("  ", line));
    }

    #[test]
    fn accents_fold_only_when_not_asked_for() {
        assert!(found("nguyen", "đăng nhập: NGUYỄN Văn An") && found("dang", "đăng nhập"));
        assert!(found("nguyễn", "NGUYỄN") && !found("nguyễn", "nguyen") && !found("nguyễn", "nguyên"));
        assert!(found("hoà", "hòa bình") && found("nguyễn", "nguye\u{302}\u{303}n"));
    }

    proptest! {
        #[test]
        fn the_fast_path_says_what_the_rules_say(text in "[aAbB .:1é-]{0,24}", word in "[aAbB.:1-]{1,5}") {
            let slow = contains_term(&fold::like(&word, &text), &fold::like(&word, &word));
            prop_assert_eq!(Term::new(word, false).stands_in(&text, &mut String::new()), slow);
        }
    }
}
