//! What a filter lets the text index of a segment say: from physical expressions to [`Question`]s.
//!
//! A part that says nothing about indexed columns is left out of a conjunction and makes a disjunction worthless. The index
//! only names blocks of rows that may pass; the scan evaluates the whole filter on them.

use std::sync::Arc;

use datafusion::{
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{BinaryExpr, CastExpr, Column, InListExpr, LikeExpr, Literal},
    },
    scalar::ScalarValue,
};
use store::{
    index::Question,
    indexing::{is_text, is_value},
};

use crate::functions::{cidr::network, match_terms};

/// Values of an IN list that are looked up one by one; longer lists are left to the scan.
const VALUES_MAX: usize = 10_000;

/// What must hold of the words and values of a row that passes; `None` when the index cannot help.
pub(crate) fn question(filter: &Arc<dyn PhysicalExpr>) -> Option<Question> {
    let any = filter.as_ref() as &dyn std::any::Any;
    if let Some(binary) = any.downcast_ref::<BinaryExpr>() {
        return of_binary(binary);
    }
    if let Some(function) = any.downcast_ref::<ScalarFunctionExpr>() {
        return of_function(function);
    }
    if let Some(like) = any.downcast_ref::<LikeExpr>() {
        let pattern = text(like.pattern())?;
        return (!like.negated()).then(|| of_like(column(like.expr())?, pattern, like.case_insensitive())).flatten();
    }
    if let Some(list) = any.downcast_ref::<InListExpr>() {
        if list.negated() || list.list().len() > VALUES_MAX {
            return None;
        }
        let name = column(list.expr())?;
        return list.list().iter().map(|value| of_equal(name, text(value)?)).collect::<Option<_>>().map(Question::Any);
    }
    None
}

fn of_binary(binary: &BinaryExpr) -> Option<Question> {
    let (left, right) = (binary.left(), binary.right());
    match binary.op() {
        Operator::And => match (question(left), question(right)) {
            (Some(left), Some(right)) => Some(Question::All(vec![left, right])),
            (one, other) => one.or(other),
        },
        Operator::Or => Some(Question::Any(vec![question(left)?, question(right)?])),
        Operator::Eq => match (column(left), text(right)) {
            (Some(name), Some(value)) => of_equal(name, value),
            _ => of_equal(column(right)?, text(left)?),
        },
        Operator::RegexMatch => of_regex(column(left)?, text(right)?, false),
        Operator::RegexIMatch => of_regex(column(left)?, text(right)?, true),
        Operator::LikeMatch => of_like(column(left)?, text(right)?, false),
        Operator::ILikeMatch => of_like(column(left)?, text(right)?, true),
        _ => None,
    }
}

fn of_equal(name: &str, value: &str) -> Option<Question> {
    if is_value(name) {
        Some(Question::Value(value.to_owned()))
    } else {
        is_text(name).then(|| Question::Contains { literal: value.to_owned(), case_insensitive: false })
    }
}

fn of_like(name: &str, pattern: &str, case_insensitive: bool) -> Option<Question> {
    is_text(name).then(|| Question::Like { pattern: pattern.to_owned(), case_insensitive })
}

fn of_regex(name: &str, pattern: &str, case_insensitive: bool) -> Option<Question> {
    is_text(name).then(|| Question::Regex { pattern: pattern.to_owned(), case_insensitive })
}

fn of_function(function: &ScalarFunctionExpr) -> Option<Question> {
    let arguments = function.args();
    match (function.fun().name(), arguments) {
        ("match", [fields @ .., asked]) => {
            let asked = text(asked)?;
            fields.iter().all(|field| column(field).is_some_and(is_text)).then(|| {
                let terms = match_terms::Question::new(asked);
                let term = |(asked, is_prefix): (&str, bool)| Question::Term { asked: asked.to_owned(), is_prefix };
                Question::All(terms.terms().map(term).collect())
            })
        }
        ("cidr", [field, networks @ ..]) if is_value(column(field)?) => {
            networks.iter().map(|net| network(text(net)?).map(Question::Cidr)).collect::<Option<_>>().map(Question::Any)
        }
        ("contains", [field, part]) if is_text(column(field)?) => {
            Some(Question::Contains { literal: text(part)?.to_owned(), case_insensitive: false })
        }
        ("regexp_like", [field, pattern]) => of_regex(column(field)?, text(pattern)?, false),
        ("list_any", [operator, field, values @ ..]) if text(operator) == Some("=") => {
            let name = column(field)?;
            values.iter().map(|value| of_equal(name, text(value)?)).collect::<Option<_>>().map(Question::Any)
        }
        _ => None,
    }
}

/// The name of a column, through casts between kinds of text.
pub(crate) fn column(expression: &Arc<dyn PhysicalExpr>) -> Option<&str> {
    let any = expression.as_ref() as &dyn std::any::Any;
    if let Some(cast) = any.downcast_ref::<CastExpr>() {
        return cast.cast_type().is_string().then(|| column(cast.expr())).flatten();
    }
    any.downcast_ref::<Column>().map(Column::name)
}

pub(crate) fn text(expression: &Arc<dyn PhysicalExpr>) -> Option<&str> {
    let literal = (expression.as_ref() as &dyn std::any::Any).downcast_ref::<Literal>()?;
    match literal.value() {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => text.as_deref(),
        _ => None,
    }
}
