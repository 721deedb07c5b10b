//! Expressions as a tree, and as SQL with types.
//!
//! Comparisons are two-valued: where a value is missing they are false, and `not` makes them true. In a condition SQL's
//! unknown already counts as false, so only negations and stored truth values say so explicitly.

use super::{Named, Span, columns::Columns, shape::Type};
use crate::{
    functions::{like_escaped, network},
    search::{
        Problem, SearchError,
        compile::{moment, name, quoted, time},
    },
};

/// A value or condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Name(Named),
    Text {
        text: String,
        span: Span,
    },
    /// As it was written: whole or with a fraction.
    Number {
        text: String,
        span: Span,
    },
    Duration {
        micros: i64,
        span: Span,
    },
    Boolean {
        is_true: bool,
        span: Span,
    },
    Null {
        span: Span,
    },
    Not {
        inner: Box<Expr>,
        span: Span,
    },
    Negative {
        inner: Box<Expr>,
        span: Span,
    },
    Binary {
        operator: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
        span: Span,
    },
    In {
        inner: Box<Expr>,
        list: Vec<Expr>,
        span: Span,
    },
    IsNull {
        inner: Box<Expr>,
        span: Span,
    },
    Call {
        function: Named,
        args: Vec<Expr>,
        written: String,
        span: Span,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// A regular expression stands somewhere in the text.
    Matches,
    /// The whole text, with `*` for anything.
    Like,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}

impl Operator {
    fn sql(self) -> &'static str {
        match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Matches => "~",
            Self::Like => "LIKE",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }

    fn is_arithmetic(self) -> bool {
        matches!(self, Self::Plus | Self::Minus | Self::Times | Self::Divide | Self::Modulo)
    }
}

impl Expr {
    pub fn span(&self) -> Span {
        match self {
            Self::Name(name) => name.span,
            Self::Text { span, .. }
            | Self::Number { span, .. }
            | Self::Duration { span, .. }
            | Self::Boolean { span, .. }
            | Self::Null { span }
            | Self::Not { span, .. }
            | Self::Negative { span, .. }
            | Self::Binary { span, .. }
            | Self::In { span, .. }
            | Self::IsNull { span, .. }
            | Self::Call { span, .. } => *span,
        }
    }

    pub(super) fn set_span(&mut self, to: Span) {
        if let Self::Binary { span, .. } | Self::In { span, .. } | Self::IsNull { span, .. } = self {
            *span = to;
        }
    }

    /// The operand that comes first in the text.
    pub(super) fn first(&self) -> &Self {
        match self {
            Self::Binary { left: first, .. } | Self::In { inner: first, .. } | Self::IsNull { inner: first, .. } => first,
            other => other,
        }
    }

    /// The text of a written text or number.
    fn written(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } | Self::Number { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Every field that is named.
    pub(super) fn names<'e>(&'e self, out: &mut Vec<&'e str>) {
        match self {
            Self::Name(name) => out.push(&name.name),
            Self::Not { inner, .. } | Self::Negative { inner, .. } | Self::IsNull { inner, .. } => inner.names(out),
            Self::Binary { left, right, .. } => {
                left.names(out);
                right.names(out);
            }
            Self::In { inner, list, .. } => {
                inner.names(out);
                list.iter().for_each(|item| item.names(out));
            }
            Self::Call { args, written, .. } => {
                // A column may be named as it was computed: `sort -count()`.
                out.push(written);
                args.iter().for_each(|arg| arg.names(out));
            }
            Self::Text { .. } | Self::Number { .. } | Self::Duration { .. } | Self::Boolean { .. } | Self::Null { .. } => {}
        }
    }
}

/// An expression as SQL.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub sql: String,
    pub holds: Type,
    /// Needs no parentheses around it.
    pub is_atom: bool,
    /// False for conditions that SQL may leave unknown.
    pub is_two_valued: bool,
}

impl Typed {
    pub(super) fn atom(sql: impl Into<String>, holds: Type) -> Self {
        Self { sql: sql.into(), holds, is_atom: true, is_two_valued: true }
    }

    pub(super) fn compound(sql: impl Into<String>, holds: Type) -> Self {
        Self { is_atom: false, ..Self::atom(sql, holds) }
    }

    fn unknown_is_false(sql: impl Into<String>) -> Self {
        Self { is_two_valued: false, ..Self::compound(sql, Type::Boolean) }
    }

    /// The SQL as an operand.
    pub(super) fn operand(&self) -> String {
        if self.is_atom { self.sql.clone() } else { format!("({})", self.sql) }
    }
}

/// Reads expressions over the columns of one stage.
#[derive(Clone, Copy)]
pub(super) struct Typing<'a> {
    pub columns: &'a Columns<'a>,
}

type Result<T> = std::result::Result<T, SearchError>;

impl Typing<'_> {
    /// As a condition: true, or not.
    pub(super) fn condition(&self, expr: &Expr) -> Result<String> {
        let typed = self.any(expr)?;
        match typed.holds {
            Type::Boolean => Ok(typed.sql),
            other => Err(expr.span().error(Problem::NeedsCondition, [&other])),
        }
    }

    /// As a value that may be stored: truth values are true or false.
    pub(super) fn value(&self, expr: &Expr) -> Result<Typed> {
        let typed = self.any(expr)?;
        if typed.is_two_valued {
            return Ok(typed);
        }
        // `IS TRUE` would say the same; the engine disagrees with itself on whether that can be null.
        Ok(Typed::atom(format!("CASE WHEN {} THEN true ELSE false END", typed.sql), Type::Boolean))
    }

    fn any(&self, expr: &Expr) -> Result<Typed> {
        Ok(match expr {
            Expr::Name(named) => Typed::atom(name(&named.name), self.columns.find(named)?),
            Expr::Text { text, .. } => Typed::atom(quoted(text), Type::Text),
            Expr::Number { text, span } => self.number_written(text, *span)?,
            Expr::Duration { micros, .. } => Typed::atom(interval(*micros), Type::Span),
            Expr::Boolean { is_true, .. } => Typed::atom(if *is_true { "true" } else { "false" }, Type::Boolean),
            Expr::Null { .. } => Typed::atom("NULL", Type::Nothing),
            Expr::Not { inner, .. } => Typed::unknown_is_false(format!("({}) IS NOT TRUE", self.condition(inner)?)),
            Expr::Negative { inner, .. } => {
                let inner = self.number(inner, "-")?;
                Typed::compound(format!("-{}", inner.operand()), inner.holds)
            }
            Expr::Binary { operator: operator @ (Operator::And | Operator::Or), left, right, .. } => {
                self.logic(*operator, left, right)?
            }
            Expr::Binary { operator, left, right, span } if operator.is_arithmetic() => {
                self.arithmetic(*operator, left, right, *span)?
            }
            Expr::Binary { operator: Operator::Matches, left, right, .. } => self.matches(left, right)?,
            Expr::Binary { operator: Operator::Like, left, right, .. } => self.like(left, right)?,
            Expr::Binary { operator, left, right, span } => self.comparison(*operator, left, right, *span)?,
            Expr::In { inner, list, .. } => self.inside(inner, list)?,
            Expr::IsNull { inner, .. } => Typed::compound(format!("{} IS NULL", self.value(inner)?.operand()), Type::Boolean),
            Expr::Call { function, args, written, span } => match self.columns.get(written) {
                Some(holds) => Typed::atom(name(written), holds),
                None => self.call(function, args, *span)?,
            },
        })
    }

    fn logic(&self, operator: Operator, left: &Expr, right: &Expr) -> Result<Typed> {
        let side = |expr: &Expr| -> Result<String> {
            let sql = self.condition(expr)?;
            let is_other = matches!(expr, Expr::Binary { operator: Operator::And | Operator::Or, .. })
                && !matches!(expr, Expr::Binary { operator: inner, .. } if *inner == operator);
            Ok(if is_other { format!("({sql})") } else { sql })
        };
        Ok(Typed::unknown_is_false(format!("{} {} {}", side(left)?, operator.sql(), side(right)?)))
    }

    fn number_written(&self, text: &str, span: Span) -> Result<Typed> {
        if let Ok(number) = text.parse::<i64>() {
            return Ok(Typed { is_atom: number >= 0, ..Typed::atom(number.to_string(), Type::Long) });
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Typed::atom(format!("CAST({} AS DOUBLE)", quoted(text)), Type::Double)),
            _ => Err(span.error(Problem::NeedsType, [&"-", &"number", &text])),
        }
    }

    /// As a number; text is read as one where it can be.
    pub(super) fn number(&self, expr: &Expr, of: &str) -> Result<Typed> {
        let typed = self.value(expr)?;
        match typed.holds {
            Type::Long | Type::Double | Type::Nothing => Ok(typed),
            Type::Text => Ok(Typed::atom(format!("TRY_CAST({} AS DOUBLE)", typed.sql), Type::Double)),
            other => Err(expr.span().error(Problem::NeedsType, [&of, &"number", &other])),
        }
    }

    fn arithmetic(&self, operator: Operator, left: &Expr, right: &Expr, span: Span) -> Result<Typed> {
        let (a, b) = (self.value(left)?, self.value(right)?);
        let sign = operator.sql();
        match (a.holds, operator, b.holds) {
            (Type::Date, Operator::Plus | Operator::Minus, Type::Span) | (Type::Span, Operator::Plus, Type::Date) => {
                return Ok(Typed::compound(format!("{} {sign} {}", a.operand(), b.operand()), Type::Date));
            }
            (Type::Date, Operator::Minus, Type::Date) => {
                let seconds = |typed: &Typed| format!("date_part('epoch', {})", typed.sql);
                return Ok(Typed::compound(format!("{} - {}", seconds(&a), seconds(&b)), Type::Double));
            }
            (Type::Date | Type::Span, ..) | (.., Type::Date | Type::Span) => {
                return Err(span.error(Problem::NeverEqual, [&a.holds, &b.holds]));
            }
            _ => {}
        }
        let (a, b) = (self.number(left, sign)?, self.number(right, sign)?);
        Ok(match operator {
            // Whole numbers divide like others, and nothing is divided by zero.
            Operator::Divide => Typed::compound(format!("CAST({} AS DOUBLE) / nullif({}, 0)", a.sql, b.sql), Type::Double),
            Operator::Modulo => {
                Typed::compound(format!("{} % nullif({}, 0)", a.operand(), b.sql), a.holds.with(b.holds).unwrap_or(Type::Double))
            }
            _ => {
                Typed::compound(format!("{} {sign} {}", a.operand(), b.operand()), a.holds.with(b.holds).unwrap_or(Type::Double))
            }
        })
    }

    fn comparison(&self, operator: Operator, left: &Expr, right: &Expr, span: Span) -> Result<Typed> {
        if matches!(left, Expr::Text { .. } | Expr::Number { .. }) && !matches!(right, Expr::Text { .. } | Expr::Number { .. }) {
            let flipped = match operator {
                Operator::Less => Operator::Greater,
                Operator::LessOrEqual => Operator::GreaterOrEqual,
                Operator::Greater => Operator::Less,
                Operator::GreaterOrEqual => Operator::LessOrEqual,
                same => same,
            };
            return self.comparison(flipped, right, left, span);
        }
        let (a, b) = (self.value(left)?, self.value(right)?);
        let sign = operator.sql();
        let is_equal = operator == Operator::Equal;
        if a.holds.is_list() || b.holds.is_list() {
            return self.list_comparison(operator, left, right);
        }
        if !is_equal && (a.holds == Type::Ip || b.holds == Type::Ip) {
            let ip = if a.holds == Type::Ip { left } else { right };
            return Err(ip.span().error(Problem::NotBySize, [&a.sql]));
        }
        let sql = match (a.holds, b.holds) {
            (Type::Ip, Type::Text) if is_network(right) => format!("cidr({}, {})", a.sql, b.sql),
            (Type::Ip, Type::Text) if right.written().is_some() => {
                format!("{} = {}", a.sql, quoted(&canonical_ip(right.written().unwrap_or_default())))
            }
            (Type::Text, Type::Long | Type::Double) if is_equal && right.written().is_some() => {
                format!("{} = {}", a.operand(), quoted(right.written().unwrap_or_default()))
            }
            (one, other) if one.is_number() && other.is_number() => format!("{} {sign} {}", a.operand(), b.operand()),
            (one, other) if one.is_text() && other.is_text() => format!("{} {sign} {}", a.operand(), b.operand()),
            (Type::Text, other) if other.is_number() => format!("TRY_CAST({} AS DOUBLE) {sign} {}", a.sql, b.operand()),
            (one, Type::Text) if one.is_number() => format!("{} {sign} {}", a.operand(), self.constant(right, one)?),
            (Type::Date, Type::Text) => format!("{} {sign} {}", a.operand(), self.constant(right, Type::Date)?),
            (Type::Text, Type::Date) => format!("{} {sign} {}", self.constant(left, Type::Date)?, b.operand()),
            (Type::Boolean, Type::Text) if is_equal => format!("{} = {}", a.operand(), self.constant(right, Type::Boolean)?),
            (one, other) if one == other && (is_equal || one != Type::Boolean) && one != Type::Nothing => {
                format!("{} {sign} {}", a.operand(), b.operand())
            }
            (one, other) => return Err(span.error(Problem::NeverEqual, [&one, &other])),
        };
        Ok(Typed::unknown_is_false(sql))
    }

    /// A list field against a value: some element.
    fn list_comparison(&self, operator: Operator, left: &Expr, right: &Expr) -> Result<Typed> {
        let (a, b) = (self.value(left)?, self.value(right)?);
        let sql = match (a.holds, b.holds) {
            (Type::List, Type::Text) if operator == Operator::Equal && is_network(right) => format!("cidr({}, {})", a.sql, b.sql),
            (Type::List, Type::Text | Type::Ip) => format!("{} {} {}", a.sql, operator.sql(), b.operand()),
            (Type::List, Type::Long) if operator == Operator::Equal && right.written().is_some() => {
                format!("{} = {}", a.sql, quoted(right.written().unwrap_or_default()))
            }
            (Type::Array, Type::Text | Type::Ip) if operator == Operator::Equal => format!("array_has({}, {})", a.sql, b.sql),
            (Type::List | Type::Array, _) => return Err(left.span().error(Problem::ListNotHere, [&a.sql])),
            _ => return Err(right.span().error(Problem::ListNotHere, [&b.sql])),
        };
        Ok(Typed::unknown_is_false(sql))
    }

    /// A written value as SQL of a type: `"22"` as a number, `"2026-01-31"` as a time.
    fn constant(&self, expr: &Expr, wanted: Type) -> Result<String> {
        let Expr::Text { text, span } = expr else {
            let found = self.value(expr)?.holds;
            return Err(expr.span().error(Problem::NeverEqual, [&wanted, &found]));
        };
        let found = match wanted {
            Type::Date => moment(text).map(time),
            Type::Boolean => matches!(text.as_str(), "true" | "false").then(|| text.clone()),
            _ => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(number), _) => Some(number.to_string()),
                (_, Ok(number)) if number.is_finite() => Some(format!("CAST({} AS DOUBLE)", quoted(text))),
                _ => None,
            },
        };
        found.ok_or_else(|| span.error(Problem::NeedsType, [&"=", &wanted, &format!("\"{text}\"")]))
    }

    fn inside(&self, inner: &Expr, list: &[Expr]) -> Result<Typed> {
        let value = self.value(inner)?;
        if matches!(value.holds, Type::Ip | Type::List) && list.iter().any(is_network) {
            let networks = list.iter().map(|item| self.text_constant(item, "in")).collect::<Result<Vec<_>>>()?;
            let networks: Vec<String> = networks.iter().map(|text| quoted(text)).collect();
            return Ok(Typed::unknown_is_false(format!("cidr({}, {})", value.sql, networks.join(", "))));
        }
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(match (value.holds, item) {
                (Type::Text | Type::List | Type::Array, Expr::Number { text, .. } | Expr::Text { text, .. }) => quoted(text),
                (Type::Ip, Expr::Text { text, .. }) => quoted(&canonical_ip(text)),
                (Type::Date | Type::Boolean | Type::Long | Type::Double, Expr::Text { .. }) => {
                    self.constant(item, value.holds)?
                }
                _ => {
                    let other = self.value(item)?;
                    if other.holds == Type::Nothing || value.holds.with(other.holds).is_none() || other.holds.is_list() {
                        return Err(item.span().error(Problem::NeverEqual, [&value.holds, &other.holds]));
                    }
                    other.operand()
                }
            });
        }
        let items = items.join(", ");
        Ok(Typed::unknown_is_false(match value.holds {
            Type::Array => format!("array_has_any({}, make_array({items}))", value.sql),
            _ => format!("{} IN ({items})", value.operand()),
        }))
    }

    fn matches(&self, left: &Expr, right: &Expr) -> Result<Typed> {
        let value = self.text(left, "~")?;
        let pattern = self.pattern(right, "~")?;
        Ok(Typed::unknown_is_false(format!("{} ~ {}", value.operand(), quoted(&pattern))))
    }

    fn like(&self, left: &Expr, right: &Expr) -> Result<Typed> {
        let value = self.text(left, "like")?;
        let pattern = like_escaped(&self.text_constant(right, "like")?).replace('*', "%");
        Ok(Typed::unknown_is_false(format!("{} LIKE {}", value.operand(), quoted(&pattern))))
    }

    /// As text, or as a list field of which some element is meant.
    pub(super) fn text(&self, expr: &Expr, of: &str) -> Result<Typed> {
        let typed = self.value(expr)?;
        match typed.holds {
            Type::Text | Type::Ip | Type::List | Type::Nothing => Ok(typed),
            Type::Array => Err(expr.span().error(Problem::ListNotHere, [&typed.sql])),
            other => Err(expr.span().error(Problem::NeedsType, [&of, &"text", &other])),
        }
    }

    pub(super) fn text_constant(&self, expr: &Expr, of: &str) -> Result<String> {
        match expr {
            Expr::Text { text, .. } => Ok(text.clone()),
            other => Err(other.span().error(Problem::NeedsConstant, [&of, &"text"])),
        }
    }

    /// A regular expression that the engine can run.
    pub(super) fn pattern(&self, expr: &Expr, of: &str) -> Result<String> {
        let text = self.text_constant(expr, of)?;
        check_pattern(&text, expr.span()).map(|_| text)
    }
}

/// Compiled size of a pattern, as the engine bounds it.
const PATTERN_BYTES_MAX: usize = 1 << 20;

pub(super) fn check_pattern(text: &str, span: Span) -> Result<regex::Regex> {
    regex::RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        span.error(Problem::BadPattern, [&reason])
    })
}

/// True for a written network such as `10.0.0.0/8`.
fn is_network(expr: &Expr) -> bool {
    matches!(expr, Expr::Text { text, .. } if text.contains('/') && network(text).is_some())
}

/// Addresses are stored in canonical form.
fn canonical_ip(text: &str) -> String {
    text.parse::<std::net::IpAddr>().map_or_else(|_| text.to_owned(), |ip| ip.to_string())
}

/// A length of time as SQL.
pub(super) fn interval(micros: i64) -> String {
    let (count, unit) = match micros {
        micros if micros % 1_000_000 != 0 => (micros / 1_000, "milliseconds"),
        micros if micros % 86_400_000_000 == 0 => (micros / 86_400_000_000, "days"),
        micros if micros % 3_600_000_000 == 0 => (micros / 3_600_000_000, "hours"),
        micros if micros % 60_000_000 == 0 => (micros / 60_000_000, "minutes"),
        micros => (micros / 1_000_000, "seconds"),
    };
    format!("INTERVAL '{count} {unit}'")
}
