//! Expressions: each kind that is allowed, its names resolved, its functions checked, list fields compared by element.
//!
//! On list fields `=`, `<`, `LIKE`, `~`, `IN`, `BETWEEN` mean *some element*; the negated forms (`<>`, `NOT IN`, `NOT LIKE`)
//! mean *no element*, so that `a <> b` stays the same as `NOT a = b`.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, OrderByExpr, Query, SetExpr, Statement,
    Subscript, TableFactor, UnaryOperator, Value, WindowFrameBound, WindowSpec, WindowType,
};

use super::{Rewriter, deny, names::Frame, quote};
use crate::{
    dialect,
    error::{Error, ErrorKind, Result, nearest},
    functions,
};

impl Rewriter<'_> {
    /// Rewrites one expression; returns true when it is a list field as it stands.
    pub(super) fn expr(&mut self, expr: &mut Expr, frame: &Frame<'_>) -> Result<bool> {
        match expr {
            Expr::Identifier(ident) => {
                let found = frame.resolve(std::slice::from_ref(ident))?;
                ident.value = found.name;
                quote(ident);
                return Ok(found.is_list);
            }
            Expr::CompoundIdentifier(parts) => {
                let found = frame.resolve(parts)?;
                let span = parts[0].span;
                let ident = |value: String| Ident { value, quote_style: Some('"'), span };
                *expr = match found.qualifier {
                    Some(qualifier) => Expr::CompoundIdentifier(vec![ident(qualifier), ident(found.name)]),
                    None => Expr::Identifier(ident(found.name)),
                };
                return Ok(found.is_list);
            }
            Expr::Nested(inner) => return self.expr(inner, frame),
            Expr::Value(value) => {
                deny(matches!(value.value, Value::Placeholder(_)), "a placeholder")?;
            }
            Expr::TypedString(typed) => check_type(&typed.data_type)?,
            Expr::Interval(interval) => {
                self.expr(&mut interval.value, frame)?;
            }
            Expr::BinaryOp { .. } => return self.binary(expr, frame),
            Expr::UnaryOp { op, expr } => {
                let known = matches!(op, UnaryOperator::Not | UnaryOperator::Minus | UnaryOperator::Plus);
                deny(!known, "this operator")?;
                self.expr(expr, frame)?;
            }
            Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner) => {
                self.expr(inner, frame)?;
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.expr(left, frame)?;
                self.expr(right, frame)?;
            }
            Expr::InList { .. } | Expr::InSubquery { .. } | Expr::Between { .. } | Expr::Like { .. } | Expr::ILike { .. } => {
                self.predicate(expr, frame)?;
            }
            Expr::Exists { subquery, .. } | Expr::Subquery(subquery) => {
                self.query(subquery, Some(frame))?;
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.optional(operand.as_deref_mut(), frame)?;
                for when in conditions {
                    self.expr(&mut when.condition, frame)?;
                    self.expr(&mut when.result, frame)?;
                }
                self.optional(else_result.as_deref_mut(), frame)?;
            }
            Expr::Cast { kind, expr, data_type, array, format } => {
                deny(*array || format.is_some() || *kind == CastKind::SafeCast, "this form of CAST")?;
                check_type(data_type)?;
                self.expr(expr, frame)?;
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                self.expr(timestamp, frame)?;
                self.expr(time_zone, frame)?;
            }
            Expr::Extract { expr, .. } | Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => {
                self.expr(expr, frame)?;
            }
            Expr::Position { expr, r#in } => {
                self.expr(expr, frame)?;
                self.expr(r#in, frame)?;
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.expr(expr, frame)?;
                self.optional(substring_from.as_deref_mut(), frame)?;
                self.optional(substring_for.as_deref_mut(), frame)?;
            }
            Expr::Trim { trim_what, expr, trim_characters, .. } => {
                self.expr(expr, frame)?;
                self.optional(trim_what.as_deref_mut(), frame)?;
                self.all(trim_characters.as_deref_mut().unwrap_or_default(), frame)?;
            }
            Expr::Tuple(list) => self.all(list, frame)?,
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                for set in sets {
                    self.all(set, frame)?;
                }
            }
            Expr::Array(array) => self.all(&mut array.elem, frame)?,
            Expr::CompoundFieldAccess { root, access_chain } => {
                join_names(root, access_chain);
                self.expr(root, frame)?;
                for access in access_chain {
                    let AccessExpr::Subscript(Subscript::Index { index }) = access else {
                        return Err(Error::denied("this form of element access is not allowed here"));
                    };
                    self.expr(index, frame)?;
                }
            }
            Expr::Function(_) => self.function(expr, frame)?,
            other => {
                return Err(Error::denied(format!("this expression is not supported: {other}")));
            }
        }
        Ok(false)
    }

    pub(super) fn optional(&mut self, expr: Option<&mut Expr>, frame: &Frame<'_>) -> Result<()> {
        if let Some(expr) = expr {
            self.expr(expr, frame)?;
        }
        Ok(())
    }

    pub(super) fn all(&mut self, list: &mut [Expr], frame: &Frame<'_>) -> Result<()> {
        list.iter_mut().try_for_each(|expr| self.expr(expr, frame).map(drop))
    }

    pub(super) fn sort_keys(&mut self, keys: &mut [OrderByExpr], frame: &Frame<'_>) -> Result<()> {
        for key in keys {
            deny(key.with_fill.is_some(), "WITH FILL")?;
            self.expr(&mut key.expr, frame)?;
        }
        Ok(())
    }

    pub(super) fn window(&mut self, spec: &mut WindowSpec, frame: &Frame<'_>) -> Result<()> {
        if let Some(name) = &mut spec.window_name {
            quote(name);
        }
        self.all(&mut spec.partition_by, frame)?;
        self.sort_keys(&mut spec.order_by, frame)?;
        if let Some(bounds) = &mut spec.window_frame {
            for bound in std::iter::once(&mut bounds.start_bound).chain(bounds.end_bound.as_mut()) {
                if let WindowFrameBound::Preceding(expr) | WindowFrameBound::Following(expr) = bound {
                    self.optional(expr.as_deref_mut(), frame)?;
                }
            }
        }
        Ok(())
    }

    fn binary(&mut self, expr: &mut Expr, frame: &Frame<'_>) -> Result<bool> {
        let Expr::BinaryOp { left, op, right } = expr else { return Ok(false) };
        let (left_is_list, right_is_list) = (self.expr(left, frame)?, self.expr(right, frame)?);
        if *op == BinaryOperator::StringConcat {
            *expr = call("concat_strict", vec![take(left), take(right)]);
            return Ok(false);
        }
        let Some((name, flipped, is_negated)) = comparison(op) else {
            use BinaryOperator as B;
            let known = matches!(
                op,
                B::And | B::Or | B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo | B::BitwiseAnd | B::BitwiseOr
            );
            deny(!known, &format!("the operator {op}"))?;
            return Ok(false);
        };
        match (left_is_list, right_is_list) {
            (false, false) => {}
            (true, false) => *expr = any(is_negated, name, take(left), vec![take(right)]),
            (false, true) => *expr = any(is_negated, flipped, take(right), vec![take(left)]),
            (true, true) => {
                return Err(Error::new(ErrorKind::Invalid, "both sides are list fields").hint("write array_has_any(a, b)"));
            }
        }
        Ok(false)
    }

    fn predicate(&mut self, expr: &mut Expr, frame: &Frame<'_>) -> Result<()> {
        let replacement = match expr {
            Expr::InList { expr, list, negated } => {
                let is_list = self.expr(expr, frame)?;
                self.all(list, frame)?;
                is_list.then(|| any(*negated, "=", take(expr), std::mem::take(list)))
            }
            Expr::InSubquery { expr, subquery, negated } => {
                let is_list = self.expr(expr, frame)?;
                self.query(subquery, Some(frame))?;
                match is_list {
                    true => Some(any(*negated, "=", take(expr), vec![collected(std::mem::replace(subquery, empty_query()?))?])),
                    false => None,
                }
            }
            Expr::Between { expr, negated, low, high } => {
                let is_list = self.expr(expr, frame)?;
                self.expr(low, frame)?;
                self.expr(high, frame)?;
                is_list.then(|| any(*negated, "between", take(expr), vec![take(low), take(high)]))
            }
            Expr::Like { negated, any: some, expr, pattern, escape_char }
            | Expr::ILike { negated, any: some, expr, pattern, escape_char } => {
                deny(*some, "LIKE ANY")?;
                let is_list = self.expr(expr, frame)?;
                self.expr(pattern, frame)?;
                deny(is_list && escape_char.is_some(), "ESCAPE over a list field")?;
                is_list.then(|| (*negated, take(expr), take(pattern))).map(|(negated, value, pattern)| {
                    // Replaced below, where the kind of LIKE is known.
                    any(negated, "like", value, vec![pattern])
                })
            }
            _ => None,
        };
        if let Some(mut replacement) = replacement {
            if matches!(expr, Expr::ILike { .. }) {
                set_operator(&mut replacement, "ilike");
            }
            *expr = replacement;
        }
        Ok(())
    }

    fn function(&mut self, expr: &mut Expr, frame: &Frame<'_>) -> Result<()> {
        let Expr::Function(function) = expr else { return Ok(()) };
        let name = check_function(function)?;
        let arguments = match &mut function.args {
            FunctionArguments::None => 0,
            FunctionArguments::Subquery(_) => return Err(Error::denied(format!("a subquery as argument of {name}"))),
            FunctionArguments::List(list) if name == "unnest" => {
                self.stored_list(list, frame)?;
                1
            }
            FunctionArguments::List(list) => {
                self.arguments(list, frame)?;
                list.args.len()
            }
        };
        self.optional(function.filter.as_deref_mut(), frame)?;
        self.sort_keys(&mut function.within_group, frame)?;
        match &mut function.over {
            Some(WindowType::WindowSpec(spec)) => self.window(spec, frame)?,
            Some(WindowType::NamedWindow(name)) => quote(name),
            None => {}
        }
        if name == "match" && arguments == 1 {
            self.match_everywhere(function, frame)?;
        }
        Ok(())
    }

    /// The one argument of `unnest`: a list field as it is stored. A list that a statement made could be long, and many rows of
    /// it at once more than the memory holds, inside one kernel that nothing can stop.
    fn stored_list(&mut self, list: &mut FunctionArgumentList, frame: &Frame<'_>) -> Result<()> {
        let is_stored = match list.args.as_mut_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] => self.expr(expr, frame)?,
            _ => false,
        };
        let hint = "unnest(related.ip)";
        if is_stored { Ok(()) } else { Err(Error::denied("unnest takes one list field of events").hint(hint)) }
    }

    fn arguments(&mut self, list: &mut FunctionArgumentList, frame: &Frame<'_>) -> Result<()> {
        for arg in &mut list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
                    self.expr(expr, frame)?;
                }
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
                _ => return Err(Error::denied("named arguments are not allowed here")),
            }
        }
        for clause in &mut list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(keys) => self.sort_keys(keys, frame)?,
                FunctionArgumentClause::IgnoreOrRespectNulls(_) => {}
                _ => return Err(Error::denied("this clause inside a function is not allowed here")),
            }
        }
        Ok(())
    }

    /// `match('words')` asks the original line and the message.
    fn match_everywhere(&mut self, function: &mut Function, frame: &Frame<'_>) -> Result<()> {
        let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
        let mut args = Vec::new();
        for name in ["event.original", "message"] {
            let parts: Vec<Ident> = name.split('.').map(|part| Ident::with_quote('"', part)).collect();
            let mut column = Expr::CompoundIdentifier(parts);
            self.expr(&mut column, frame).map_err(|_| {
                Error::new(ErrorKind::Unknown, "match('…') without a field needs FROM events").hint("match(field, '…')")
            })?;
            args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(column)));
        }
        args.append(&mut list.args);
        list.args = args;
        Ok(())
    }
}

/// Returns the function's name in lower case, once it is known to be allowed.
fn check_function(function: &mut Function) -> Result<String> {
    let text = function.name.to_string().replace('"', "");
    let [ObjectNamePart::Identifier(ident)] = function.name.0.as_mut_slice() else {
        return Err(Error::new(ErrorKind::Unknown, format!("unknown function {text}")));
    };
    let name = ident.value.to_lowercase();
    if !functions::is_allowed(&name) {
        let place = ident.span.start;
        let error = match functions::why_denied(&name) {
            Some(reason) => Error::denied(format!("the function {name} is not allowed: {reason}")),
            None => Error::new(ErrorKind::Unknown, format!("unknown function {name}")),
        };
        let error = error.at(place.line, place.column);
        return Err(match nearest(&name, functions::allowed_names()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error,
        });
    }
    ident.value.clone_from(&name);
    quote(ident);
    deny(function.uses_odbc_syntax, "this way to call a function")?;
    deny(!matches!(function.parameters, FunctionArguments::None), "parameters before arguments")?;
    Ok(name)
}

/// Operator as `list_any` names it, the same seen from the other side, and whether it is a negated form.
fn comparison(op: &BinaryOperator) -> Option<(&'static str, &'static str, bool)> {
    use BinaryOperator as B;
    Some(match op {
        B::Eq => ("=", "=", false),
        B::NotEq => ("=", "=", true),
        B::Lt => ("<", ">", false),
        B::LtEq => ("<=", ">=", false),
        B::Gt => (">", "<", false),
        B::GtEq => (">=", "<=", false),
        B::PGRegexMatch => ("~", "~", false),
        B::PGRegexIMatch => ("~*", "~*", false),
        B::PGRegexNotMatch => ("~", "~", true),
        B::PGRegexNotIMatch => ("~*", "~*", true),
        _ => return None,
    })
}

/// The parser reads `related.ip[1]` as access to `ip` of `related`: the dotted part is one name.
fn join_names(root: &mut Expr, chain: &mut Vec<AccessExpr>) {
    let mut parts = match root {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(parts) => parts.clone(),
        _ => return,
    };
    let dots = chain.iter().take_while(|access| matches!(access, AccessExpr::Dot(Expr::Identifier(_)))).count();
    parts.extend(chain.drain(..dots).filter_map(|access| match access {
        AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident),
        _ => None,
    }));
    *root = Expr::CompoundIdentifier(parts);
}

fn any(is_negated: bool, operator: &str, list: Expr, values: Vec<Expr>) -> Expr {
    let mut args = vec![text(operator), list];
    args.extend(values);
    let call = call("list_any", args);
    if is_negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(call) } } else { call }
}

fn set_operator(expr: &mut Expr, operator: &str) {
    match expr {
        Expr::UnaryOp { expr, .. } => set_operator(expr, operator),
        Expr::Function(Function { args: FunctionArguments::List(list), .. }) => {
            list.args[0] = FunctionArg::Unnamed(FunctionArgExpr::Expr(text(operator)));
        }
        _ => {}
    }
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).into())
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect(),
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Value(Value::Null.into()))
}

fn empty_query() -> Result<Box<Query>> {
    match dialect::parse("SELECT 1")? {
        Statement::Query(query) => Ok(query),
        _ => Err(Error::failed("SELECT 1 is not a query")),
    }
}

/// A subquery of one column as one list: `(SELECT array_agg(c) FROM (…) AS t(c))`.
fn collected(subquery: Box<Query>) -> Result<Expr> {
    let Statement::Query(mut outer) = dialect::parse(r#"SELECT array_agg("c") FROM (SELECT 1) AS "t"("c")"#)? else {
        return Err(Error::failed("the template is not a query"));
    };
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(TableFactor::Derived { subquery: place, .. }) = select.from.first_mut().map(|table| &mut table.relation)
    {
        *place = subquery;
    }
    Ok(Expr::Subquery(outer))
}

/// Scalar types only: a cast to a nested type is never needed, and its size is the statement's to choose.
fn check_type(data_type: &DataType) -> Result<()> {
    let known = matches!(
        data_type,
        DataType::Text
            | DataType::String(_)
            | DataType::Varchar(_)
            | DataType::Char(_)
            | DataType::Int(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::SmallInt(_)
            | DataType::TinyInt(_)
            | DataType::Real
            | DataType::Float(_)
            | DataType::Double(_)
            | DataType::DoublePrecision
            | DataType::Decimal(_)
            | DataType::Numeric(_)
            | DataType::Boolean
            | DataType::Bool
            | DataType::Date
            | DataType::Time(..)
            | DataType::Timestamp(..)
            | DataType::Interval { .. }
    );
    if known { Ok(()) } else { Err(Error::denied(format!("the type {data_type} is not available"))) }
}
