//! Expressions: `or` < `and` < `not` < comparison < `+ -` < `* / %` < minus sign < value, call, parentheses.

use super::{
    Expr, Named, Operator, Span,
    lexer::Tok,
    read::{KEYWORDS, Reader, canonical},
};
use crate::search::{Problem, SEARCH_DEPTH_MAX, SearchError};

/// Parts of all expressions of one stage.
const NODES_MAX: usize = 200;

impl Reader<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr, SearchError> {
        self.deeper(|reader| {
            let mut left = reader.and()?;
            while reader.keyword("or") {
                let right = reader.and()?;
                left = reader.joined(Operator::Or, left, right)?;
            }
            Ok(left)
        })
    }

    fn and(&mut self) -> Result<Expr, SearchError> {
        let mut left = self.not()?;
        while self.keyword("and") {
            let right = self.not()?;
            left = self.joined(Operator::And, left, right)?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr, SearchError> {
        let start = self.here();
        if !self.keyword("not") {
            return self.comparison();
        }
        self.count_node()?;
        let inner = self.deeper(Self::not)?;
        Ok(Expr::Not { span: start.to(inner.span()), inner: Box::new(inner) })
    }

    fn comparison(&mut self) -> Result<Expr, SearchError> {
        let left = self.sum()?;
        if self.keyword("is") {
            let is_negated = self.keyword("not");
            if !self.keyword("null") {
                return Err(self.expected("null"));
            }
            return self.negated(is_negated, |span| Expr::IsNull { inner: Box::new(left), span });
        }
        let is_negated =
            self.is_keyword(0, "not") && (self.is_keyword(1, "in") || self.is_keyword(1, "like")) && self.keyword("not");
        if self.keyword("in") {
            self.expect_sign("(")?;
            let list = self.arguments()?;
            if list.is_empty() {
                return Err(Span { offset: self.last_end() - 1, len: 1 }.error(Problem::ParenthesesEmpty, []));
            }
            return self.negated(is_negated, |span| Expr::In { inner: Box::new(left), list, span });
        }
        if self.keyword("like") {
            let right = self.sum()?;
            return self.negated(is_negated, |span| Expr::Binary {
                operator: Operator::Like,
                span,
                left: Box::new(left),
                right: Box::new(right),
            });
        }
        let Some(Tok::Sign(sign)) = self.peek() else { return Ok(left) };
        let (operator, is_negated) = match *sign {
            "=" | "==" => (Operator::Equal, false),
            "!=" | "<>" => (Operator::Equal, true),
            "<" => (Operator::Less, false),
            "<=" => (Operator::LessOrEqual, false),
            ">" => (Operator::Greater, false),
            ">=" => (Operator::GreaterOrEqual, false),
            "~" => (Operator::Matches, false),
            "!~" => (Operator::Matches, true),
            _ => return Ok(left),
        };
        self.at += 1;
        let right = self.sum()?;
        self.negated(is_negated, |span| Expr::Binary { operator, span, left: Box::new(left), right: Box::new(right) })
    }

    fn sum(&mut self) -> Result<Expr, SearchError> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Some(Tok::Sign("+")) => Operator::Plus,
                Some(Tok::Sign("-")) => Operator::Minus,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.product()?;
            left = self.joined(operator, left, right)?;
        }
    }

    fn product(&mut self) -> Result<Expr, SearchError> {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                Some(Tok::Sign("*")) => Operator::Times,
                Some(Tok::Sign("/")) => Operator::Divide,
                Some(Tok::Sign("%")) => Operator::Modulo,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.unary()?;
            left = self.joined(operator, left, right)?;
        }
    }

    fn unary(&mut self) -> Result<Expr, SearchError> {
        let start = self.here();
        if !self.sign("-") {
            return self.primary();
        }
        self.count_node()?;
        let inner = self.deeper(Self::unary)?;
        Ok(match inner {
            Expr::Number { text, span } if !text.starts_with('-') => {
                Expr::Number { text: format!("-{text}"), span: start.to(span) }
            }
            inner => Expr::Negative { span: start.to(inner.span()), inner: Box::new(inner) },
        })
    }

    fn primary(&mut self) -> Result<Expr, SearchError> {
        self.count_node()?;
        let span = self.here();
        let Some(tok) = self.peek().cloned() else { return Err(self.expected("a value")) };
        self.at += 1;
        Ok(match tok {
            Tok::Sign("(") => {
                let inner = self.expr()?;
                if !self.sign(")") {
                    return match self.peek() {
                        None => Err(span.error(Problem::ParenthesisOpen, [])),
                        Some(_) => Err(self.expected(")")),
                    };
                }
                inner
            }
            Tok::Text(text) => Expr::Text { text, span },
            Tok::Number(text) => Expr::Number { text, span },
            Tok::Duration(micros) => Expr::Duration { micros, span },
            Tok::Field(name) if !name.is_empty() => Expr::Name(Named { name, span }),
            Tok::Name(name) => {
                let is_call = self.peek() == Some(&Tok::Sign("("));
                match name.to_ascii_lowercase().as_str() {
                    "true" | "false" if !is_call => Expr::Boolean { is_true: name.eq_ignore_ascii_case("true"), span },
                    "null" if !is_call => Expr::Null { span },
                    _ if is_call => {
                        self.at += 1;
                        let args = self.arguments()?;
                        let whole = Span { offset: span.offset, len: self.last_end() - span.offset };
                        Expr::Call {
                            function: Named { name, span },
                            args,
                            written: self.text[whole.offset..whole.end()].to_owned(),
                            span: whole,
                        }
                    }
                    word if KEYWORDS.contains(&word) => {
                        self.at -= 1;
                        return Err(self.expected("a value"));
                    }
                    _ => Expr::Name(Named { name: canonical(&name).to_owned(), span }),
                }
            }
            _ => {
                self.at -= 1;
                return Err(self.expected("a value"));
            }
        })
    }

    /// What stands between parentheses, the first one already read.
    pub(super) fn arguments(&mut self) -> Result<Vec<Expr>, SearchError> {
        let open = self.tokens[self.at - 1].span;
        let mut args = Vec::new();
        if self.sign(")") {
            return Ok(args);
        }
        loop {
            args.push(self.expr()?);
            if self.sign(")") {
                return Ok(args);
            }
            if !self.sign(",") {
                return match self.peek() {
                    None => Err(open.error(Problem::ParenthesisOpen, [])),
                    Some(_) => Err(self.expected(")")),
                };
            }
        }
    }

    fn joined(&mut self, operator: Operator, left: Expr, right: Expr) -> Result<Expr, SearchError> {
        self.count_node()?;
        let span = left.span().to(right.span());
        Ok(Expr::Binary { operator, span, left: Box::new(left), right: Box::new(right) })
    }

    /// Makes an expression that ends here, and its negation where asked for.
    fn negated(&mut self, is_negated: bool, make: impl FnOnce(Span) -> Expr) -> Result<Expr, SearchError> {
        self.count_node()?;
        let mut made = make(Span::default());
        let start = made.first().span();
        let span = Span { offset: start.offset, len: self.last_end() - start.offset };
        made.set_span(span);
        Ok(if is_negated { Expr::Not { span, inner: Box::new(made) } } else { made })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, SearchError>) -> Result<T, SearchError> {
        self.depth += 1;
        if self.depth > SEARCH_DEPTH_MAX {
            return Err(self.here().error(Problem::TooDeep, []));
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn count_node(&mut self) -> Result<(), SearchError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX { Err(self.here().error(Problem::TooCostly, [])) } else { Ok(()) }
    }
}
