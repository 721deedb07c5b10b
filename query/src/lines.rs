//! Conditions on whole lines that the line store can decide without putting the lines together.
//!
//! A conjunct like `match('"Failed password"')`, `event.original LIKE '%cmd.exe%'` or `message ~ 'user=\w+'` asks for literals. What stands in
//! the constant text of a shape is proven for all its rows, what touches no variable part is ruled out ([`store::line::search`]);
//! the scan evaluates the conjunct itself on the rows between.

use std::sync::Arc;

use datafusion::{
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{BinaryExpr, LikeExpr},
    },
};
use event::field;
use regex_syntax::hir::{Hir, HirKind};
use store::line::search::{Edges, Literal, Proves, Search, Shapes, Texts};

use crate::{
    functions::match_terms::{Question, Term},
    pushdown::{column, text},
};

/// A conjunct, as far as literals tell of it.
pub(crate) struct LineCondition {
    asked: Vec<Asked>,
}

struct Asked {
    /// What must stand in the text; `None` when nothing can be said about it.
    literal: Option<Literal>,
    texts: Texts,
    proof: Box<Proves>,
}

/// When a constant text alone shows that the condition holds.
#[derive(Debug)]
enum Proof {
    /// The word or phrase stands between boundaries that no variable part can change.
    Term(Box<Term>),
    Contains(String),
    Never,
}

/// A condition over the shapes of some rows.
pub(crate) struct Prepared<'c> {
    searches: Vec<Search<'c>>,
    is_provable: bool,
}

impl LineCondition {
    /// `None` when the conjunct is not about lines, or asks for no literal.
    pub fn of(conjunct: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        let any = conjunct.as_ref() as &dyn std::any::Any;
        let asked = if let Some(function) = any.downcast_ref::<ScalarFunctionExpr>() {
            of_function(function)?
        } else if let Some(like) = any.downcast_ref::<LikeExpr>() {
            let texts = texts_of(column(like.expr())?)?;
            let pattern = text(like.pattern()).filter(|_| !like.negated())?;
            vec![of_like(texts, pattern, like.case_insensitive())]
        } else {
            let binary = any.downcast_ref::<BinaryExpr>()?;
            let texts = texts_of(column(binary.left())?)?;
            let pattern = text(binary.right())?;
            vec![match binary.op() {
                Operator::Eq => Asked { literal: Literal::new(pattern, false), texts, proof: Proof::Never.boxed() },
                Operator::RegexMatch => of_regex(texts, pattern)?,
                Operator::LikeMatch => of_like(texts, pattern, false),
                Operator::ILikeMatch => of_like(texts, pattern, true),
                _ => return None,
            }]
        };
        asked.iter().any(|asked| asked.literal.is_some()).then_some(Self { asked })
    }

    /// Asks the shapes.
    pub fn prepare(&self, shapes: &Shapes) -> Prepared<'_> {
        let known = self.asked.iter().filter_map(|asked| Some((asked, asked.literal.clone()?)));
        let searches = known.map(|(asked, literal)| shapes.search(literal, asked.texts, &*asked.proof)).collect();
        Prepared { searches, is_provable: self.asked.iter().all(|asked| asked.literal.is_some()) }
    }
}

impl Prepared<'_> {
    /// True when rows that all searches prove pass.
    pub fn is_provable(&self) -> bool {
        self.is_provable
    }

    /// True when every row of the shape passes.
    pub fn is_proven(&self, shape: Option<u32>) -> bool {
        self.is_provable && self.searches.iter().all(|search| search.is_proven(shape))
    }

    pub fn searches(&self) -> &[Search<'_>] {
        &self.searches
    }
}

impl Proof {
    fn boxed(self) -> Box<Proves> {
        Box::new(move |constant, edges| match &self {
            Self::Contains(literal) => constant.contains(literal),
            Self::Term(term) => settled(constant, edges).is_some_and(|text| term.stands_in(text, &mut String::new())),
            Self::Never => false,
        })
    }
}

/// What of a constant text is bounded by white space where it goes on with anything.
fn settled(text: &str, edges: Edges) -> Option<&str> {
    let from = if edges.begins { 0 } else { text.find(char::is_whitespace)? };
    let (last, c) = text.char_indices().rev().find(|(_, c)| edges.ends || c.is_whitespace())?;
    text.get(from..last + c.len_utf8())
}

fn texts_of(column: &str) -> Option<Texts> {
    if column == field::EVENT_ORIGINAL.name() {
        return Some(Texts::Line);
    }
    (column == field::MESSAGE.name()).then_some(Texts::Message)
}

fn of_function(function: &ScalarFunctionExpr) -> Option<Vec<Asked>> {
    match (function.fun().name(), function.args()) {
        ("match", [fields @ .., asked]) => {
            let fields = fields.iter().map(|field| texts_of(column(field)?)).collect::<Option<Vec<_>>>()?;
            let first = *fields.first()?;
            let texts = if fields.iter().all(|texts| *texts == first) { first } else { Texts::Both };
            let terms = Question::new(text(asked)?).into_terms();
            Some(
                terms
                    .map(|term| Asked {
                        literal: Literal::new(term.folded(), true),
                        texts,
                        proof: Proof::Term(Box::new(term)).boxed(),
                    })
                    .collect(),
            )
        }
        ("contains", [field, part]) => {
            let (texts, part) = (texts_of(column(field)?)?, text(part)?);
            Some(vec![Asked { literal: Literal::new(part, false), texts, proof: Proof::Contains(part.to_owned()).boxed() }])
        }
        ("regexp_like", [field, pattern]) => Some(vec![of_regex(texts_of(column(field)?)?, text(pattern)?)?]),
        _ => None,
    }
}

/// The longest literal between `%` and `_`; `%literal%` says no more than that it is there.
fn of_like(texts: Texts, pattern: &str, case_insensitive: bool) -> Asked {
    let mut parts = vec![String::new()];
    let mut wild = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' | '_' => {
                wild.push(c);
                parts.push(String::new());
            }
            c => {
                let c = if c == '\\' { chars.next().unwrap_or('\\') } else { c };
                if let Some(part) = parts.last_mut() {
                    part.push(c);
                }
            }
        }
    }
    let is_plain = wild == "%%" && parts.len() == 3 && parts[0].is_empty() && parts[2].is_empty();
    let longest = parts.into_iter().max_by_key(String::len).unwrap_or_default();
    let literal = Literal::new(&longest, case_insensitive);
    let proof = if is_plain && !case_insensitive { Proof::Contains(longest) } else { Proof::Never };
    Asked { literal, texts, proof: proof.boxed() }
}

fn of_regex(texts: Texts, pattern: &str) -> Option<Asked> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let literal = Literal::new(&required(&hir)?, false);
    Some(Asked { literal, texts, proof: Proof::Never.boxed() })
}

/// The longest literal that every match holds.
fn required(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(str::to_owned),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(required).max_by_key(String::len),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest(pattern: &str) -> Option<String> {
        required(&regex_syntax::parse(pattern).unwrap())
    }

    #[test]
    fn a_regex_requires_its_longest_literal() {
        assert_eq!(longest("/api/v[12]/users/[0-9]+/del").as_deref(), Some("/users/"));
        assert_eq!(longest("(?i)abc"), None);
        assert_eq!(longest("a(bcd)+|x"), None);
        assert_eq!(longest("x?(yz)*(abc){2}").as_deref(), Some("abc"));
    }

    #[test]
    fn a_like_pattern_shows_its_literal() {
        let is_proof = |pattern: &str, constant: &str| {
            let asked = of_like(Texts::Line, pattern, false);
            (asked.proof)(constant, Edges { begins: false, ends: false })
        };
        assert!(is_proof("%a\\%b%", "xa%by") && !is_proof("%a\\%b%", "xab"));
        assert!(!is_proof("a%", "a") && !is_proof("%a", "a") && !is_proof("%a_%", "a") && !is_proof("%a%b%", "ab"));
    }

    #[test]
    fn a_word_is_proven_only_between_settled_edges() {
        let open = Edges { begins: false, ends: false };
        assert_eq!(settled("x: Failed password for ", open), Some(" Failed password for "));
        assert_eq!(settled("x", open), None);
        assert_eq!(settled("ab cd", Edges { begins: true, ends: false }), Some("ab "));
        assert_eq!(settled("ab cd", Edges { begins: false, ends: true }), Some(" cd"));
        assert_eq!(settled("ab", Edges { begins: true, ends: true }), Some("ab"));
    }
}
