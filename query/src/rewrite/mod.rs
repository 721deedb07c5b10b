//! The syntax tree before planning: an allow-list by construction, and names as analysts write them.
//!
//! Every node that may stand in a statement is named here or in [`expression`]; whatever else the parser can read (DDL,
//! DML, `COPY`, `SET`, `SHOW`, table functions, locks, hints …) is denied because nothing here knows it. While it walks,
//! the rewriter turns `e.source.ip` into one flat column, and comparisons with list fields into "any element".
//!
//! ```text
//! SELECT e.source.ip FROM events e WHERE related.ip = '10.0.0.1'
//!   → SELECT "e"."source.ip" FROM events e WHERE list_any('=', "related.ip", '10.0.0.1')
//! ```

mod expression;
mod names;

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Cte, DescribeAlias, Distinct, ExcludeSelectItem, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, LimitClause,
    NamedWindowExpr, ObjectName, ObjectNamePart, OrderBy, OrderByKind, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};

pub(crate) use names::{Columns, Tables};

use crate::error::{Error, ErrorKind, Result, nearest};
use names::{Frame, Relation};

/// Checks and rewrites one statement. Returns it ready for the planner.
pub(crate) fn rewrite(mut statement: Statement, tables: &Tables) -> Result<Statement> {
    let mut rewriter = Rewriter { tables, ctes: Vec::new() };
    match &mut statement {
        Statement::Query(query) => {
            rewriter.query(query, None)?;
        }
        Statement::Explain { describe_alias: DescribeAlias::Explain, statement, estimate, options, query_plan, .. } => {
            let Statement::Query(query) = statement.as_mut() else { return Err(not_a_question("EXPLAIN of this statement")) };
            deny(*estimate || *query_plan || options.is_some(), "options of EXPLAIN other than ANALYZE and VERBOSE")?;
            rewriter.query(query, None)?;
        }
        other => {
            let text = other.to_string();
            let verb: String = text.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
            return Err(not_a_question(&verb.to_uppercase()));
        }
    }
    Ok(statement)
}

fn not_a_question(what: &str) -> Error {
    Error::denied(format!("{what} is not allowed: only SELECT, WITH, UNION and EXPLAIN"))
        .hint("the tables `tables` and `fields` list what can be asked")
}

fn deny(found: bool, what: &str) -> Result<()> {
    if found { Err(Error::denied(format!("{what} is not allowed here"))) } else { Ok(()) }
}

pub(crate) struct Rewriter<'t> {
    tables: &'t Tables,
    /// Visible WITH names, innermost last.
    ctes: Vec<(String, Arc<Columns>)>,
}

impl Rewriter<'_> {
    /// Rewrites a query; returns the columns it gives.
    fn query(&mut self, query: &mut Query, parent: Option<&Frame<'_>>) -> Result<Arc<Columns>> {
        let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } =
            query;
        deny(!locks.is_empty(), "FOR UPDATE")?;
        deny(for_clause.is_some(), "a FOR clause")?;
        deny(settings.is_some() || format_clause.is_some(), "SETTINGS or FORMAT")?;
        deny(!pipe_operators.is_empty(), "the pipe operator")?;
        let depth = self.ctes.len();
        if let Some(with) = with {
            deny(with.recursive, "WITH RECURSIVE")?;
            for cte in &mut with.cte_tables {
                self.cte(cte, parent)?;
            }
        }
        let columns = match body.as_mut() {
            SetExpr::Select(select) => self.select(select, order_by.as_mut(), parent)?,
            other => {
                let columns = self.set(other, parent)?;
                let frame = Frame::new(vec![Relation { alias: String::new(), columns: columns.clone() }], parent);
                if let Some(order_by) = order_by {
                    self.order_by(order_by, &frame)?;
                }
                columns
            }
        };
        let empty = Frame::new(vec![], None);
        match limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                deny(!limit_by.is_empty(), "LIMIT BY")?;
                self.optional(limit.as_mut(), &empty)?;
                self.optional(offset.as_mut().map(|offset| &mut offset.value), &empty)?;
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                self.expr(offset, &empty)?;
                self.expr(limit, &empty)?;
            }
            None => {}
        }
        if let Some(fetch) = fetch {
            deny(fetch.with_ties || fetch.percent, "FETCH WITH TIES or PERCENT")?;
            self.optional(fetch.quantity.as_mut(), &empty)?;
        }
        self.ctes.truncate(depth);
        Ok(columns)
    }

    fn cte(&mut self, cte: &mut Cte, parent: Option<&Frame<'_>>) -> Result<()> {
        deny(cte.from.is_some() || cte.materialized.is_some(), "this form of WITH")?;
        let columns = self.query(&mut cte.query, parent)?;
        let columns = renamed(columns, &mut cte.alias)?;
        self.ctes.push((cte.alias.name.value.clone(), columns));
        Ok(())
    }

    fn set(&mut self, body: &mut SetExpr, parent: Option<&Frame<'_>>) -> Result<Arc<Columns>> {
        match body {
            SetExpr::Select(select) => self.select(select, None, parent),
            SetExpr::Query(query) => self.query(query, parent),
            SetExpr::SetOperation { left, right, .. } => {
                let columns = self.set(left, parent)?;
                self.set(right, parent)?;
                Ok(columns)
            }
            SetExpr::Values(values) => {
                let frame = Frame::new(vec![], parent);
                let width = values.rows.first().map_or(0, |row| row.content.len());
                for row in &mut values.rows {
                    self.all(&mut row.content, &frame)?;
                }
                Ok(Arc::new(Columns::new((1..=width).map(|i| (format!("column{i}"), false)))))
            }
            _ => Err(not_a_question("a statement that writes")),
        }
    }

    fn select(
        &mut self,
        select: &mut Select,
        order_by: Option<&mut OrderBy>,
        parent: Option<&Frame<'_>>,
    ) -> Result<Arc<Columns>> {
        check_select(select)?;
        let mut relations = Vec::new();
        for table in &mut select.from {
            self.table_with_joins(table, &mut relations, parent)?;
        }
        let mut frame = Frame::new(relations, parent);
        for table in &mut select.from {
            self.join_conditions(table, &frame)?;
        }
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                frame.aliases.insert(alias.value.clone());
            }
        }
        let columns = self.projection(&mut select.projection, &frame)?;
        for (name, _) in columns.iter() {
            frame.aliases.insert(name.to_owned());
        }
        if let Some(Distinct::On(list)) = &mut select.distinct {
            self.all(list, &frame)?;
        }
        self.optional(select.selection.as_mut(), &frame)?;
        match &mut select.group_by {
            GroupByExpr::Expressions(list, modifiers) => {
                deny(!modifiers.is_empty(), "this form of GROUP BY")?;
                self.all(list, &frame)?;
            }
            GroupByExpr::All(modifiers) => deny(!modifiers.is_empty(), "this form of GROUP BY")?,
        }
        self.optional(select.having.as_mut(), &frame)?;
        self.optional(select.qualify.as_mut(), &frame)?;
        for window in &mut select.named_window {
            quote(&mut window.0);
            match &mut window.1 {
                NamedWindowExpr::NamedWindow(name) => quote(name),
                NamedWindowExpr::WindowSpec(spec) => self.window(spec, &frame)?,
            }
        }
        if let Some(order_by) = order_by {
            self.order_by(order_by, &frame)?;
        }
        Ok(columns)
    }

    fn projection(&mut self, items: &mut [SelectItem], frame: &Frame<'_>) -> Result<Arc<Columns>> {
        let mut columns = Vec::new();
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let label = label(expr);
                    let is_list = self.expr(expr, frame)?;
                    let name = match expr {
                        Expr::Identifier(name) => name.value.clone(),
                        Expr::CompoundIdentifier(parts) => parts.last().map(|part| part.value.clone()).unwrap_or_default(),
                        _ => {
                            // The analyst's own words as heading; the planner's would show what the rewrite made of them.
                            let expr = std::mem::replace(expr, Expr::Identifier(Ident::new("")));
                            *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', &label) };
                            label
                        }
                    };
                    columns.push((name, is_list));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let is_list = self.expr(expr, frame)?;
                    quote(alias);
                    columns.push((alias.value.clone(), is_list));
                }
                SelectItem::Wildcard(options) => {
                    let excluded = check_wildcard(options)?;
                    let all = frame.relations.iter().flat_map(|relation| relation.columns.to_vec());
                    columns.extend(all.filter(|(name, _)| !excluded.contains(name)));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    let excluded = check_wildcard(options)?;
                    let ident = single(name)?;
                    let relation = frame.relation(&ident.value).ok_or_else(|| unknown_table(ident, &frame.aliases()))?;
                    columns.extend(relation.columns.to_vec().into_iter().filter(|(name, _)| !excluded.contains(name)));
                    quote(ident);
                }
                _ => return Err(Error::denied("this form of a selected column is not allowed here")),
            }
        }
        Ok(Arc::new(Columns::new(columns)))
    }

    fn order_by(&mut self, order_by: &mut OrderBy, frame: &Frame<'_>) -> Result<()> {
        deny(order_by.interpolate.is_some(), "INTERPOLATE")?;
        match &mut order_by.kind {
            OrderByKind::Expressions(list) => self.sort_keys(list, frame),
            OrderByKind::All(_) => Err(Error::denied("ORDER BY ALL is not allowed here")),
        }
    }

    fn table_with_joins(
        &mut self,
        table: &mut TableWithJoins,
        relations: &mut Vec<Relation>,
        parent: Option<&Frame<'_>>,
    ) -> Result<()> {
        self.table(&mut table.relation, relations, parent)?;
        for join in &mut table.joins {
            deny(join.global, "GLOBAL JOIN")?;
            self.table(&mut join.relation, relations, parent)?;
        }
        Ok(())
    }

    fn table(&mut self, table: &mut TableFactor, relations: &mut Vec<Relation>, parent: Option<&Frame<'_>>) -> Result<()> {
        match table {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                let ident = single(name)?;
                let columns = self.find_table(ident)?;
                let own = ident.value.clone();
                quote(ident);
                let (columns, alias) = match alias {
                    Some(alias) => (renamed(columns, alias)?, alias.name.value.clone()),
                    None => (columns, own),
                };
                relations.push(Relation { alias, columns });
            }
            TableFactor::Table { name, args: Some(_), .. } => {
                return Err(Error::denied(format!("{name}: table functions are not allowed")));
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let columns = self.query(subquery, parent)?;
                let (columns, alias) = match alias {
                    Some(alias) => (renamed(columns, alias)?, alias.name.value.clone()),
                    None => (columns, String::new()),
                };
                relations.push(Relation { alias, columns });
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.table_with_joins(table_with_joins, relations, parent)?;
            }
            _ => {
                return Err(Error::denied("only tables, subqueries and joins may stand after FROM")
                    .hint("table functions, LATERAL, PIVOT and samples are not available"));
            }
        }
        Ok(())
    }

    fn find_table(&self, ident: &Ident) -> Result<Arc<Columns>> {
        let name = ident.value.as_str();
        if let Some((_, columns)) = self.ctes.iter().rev().find(|(cte, _)| cte == name) {
            return Ok(columns.clone());
        }
        let known: Vec<String> = self.tables.names().map(str::to_owned).collect();
        self.tables.get(name).ok_or_else(|| unknown_table(ident, &known))
    }

    fn join_conditions(&mut self, table: &mut TableWithJoins, frame: &Frame<'_>) -> Result<()> {
        if let TableFactor::NestedJoin { table_with_joins, .. } = &mut table.relation {
            self.join_conditions(table_with_joins, frame)?;
        }
        for join in &mut table.joins {
            if let TableFactor::NestedJoin { table_with_joins, .. } = &mut join.relation {
                self.join_conditions(table_with_joins, frame)?;
            }
            let constraint = match &mut join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint)
                | JoinOperator::LeftSemi(constraint)
                | JoinOperator::RightSemi(constraint)
                | JoinOperator::LeftAnti(constraint)
                | JoinOperator::RightAnti(constraint) => constraint,
                _ => return Err(Error::denied("this kind of join is not available")),
            };
            match constraint {
                JoinConstraint::On(expr) => {
                    self.expr(expr, frame)?;
                }
                JoinConstraint::Using(names) => {
                    for name in names {
                        let flat = names::flat(&idents(name)?);
                        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', flat))]);
                    }
                }
                JoinConstraint::Natural => {
                    return Err(Error::denied("NATURAL JOIN is not allowed").hint("write ON a.field = b.field"));
                }
                JoinConstraint::None => {}
            }
        }
        Ok(())
    }
}

/// Everything of a SELECT that other databases know and this one does not.
fn check_select(select: &Select) -> Result<()> {
    deny(!select.optimizer_hints.is_empty(), "an optimizer hint")?;
    deny(select.select_modifiers.is_some(), "this modifier of SELECT")?;
    deny(select.top.is_some(), "TOP (write LIMIT)")?;
    deny(select.exclude.is_some(), "EXCLUDE")?;
    deny(select.into.is_some(), "SELECT INTO")?;
    deny(!select.lateral_views.is_empty(), "LATERAL VIEW")?;
    deny(select.prewhere.is_some(), "PREWHERE")?;
    deny(!select.connect_by.is_empty(), "CONNECT BY")?;
    deny(!select.cluster_by.is_empty() || !select.distribute_by.is_empty() || !select.sort_by.is_empty(), "SORT BY")?;
    deny(select.value_table_mode.is_some(), "SELECT AS")?;
    deny(select.flavor != SelectFlavor::Standard, "FROM before SELECT")
}

/// Of the options after `*` only EXCLUDE is known; returns the names it takes away, each made one name.
fn check_wildcard(options: &mut WildcardAdditionalOptions) -> Result<Vec<String>> {
    let WildcardAdditionalOptions { wildcard_token: _, opt_ilike, opt_exclude, opt_except, opt_replace, opt_rename, opt_alias } =
        options;
    let has_options =
        opt_ilike.is_some() || opt_except.is_some() || opt_replace.is_some() || opt_rename.is_some() || opt_alias.is_some();
    deny(has_options, "an option after * other than EXCLUDE")?;
    let names: &mut [ObjectName] = match opt_exclude {
        None => return Ok(vec![]),
        Some(ExcludeSelectItem::Single(name)) => std::slice::from_mut(name),
        Some(ExcludeSelectItem::Multiple(names)) => names,
    };
    let mut excluded = Vec::with_capacity(names.len());
    for name in names {
        let flat = names::flat(&idents(name)?);
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', &flat))]);
        excluded.push(flat);
    }
    Ok(excluded)
}

/// Applies an alias with its column list: `(…) AS t(a, b)`.
fn renamed(columns: Arc<Columns>, alias: &mut TableAlias) -> Result<Arc<Columns>> {
    deny(alias.at.is_some(), "AT in an alias")?;
    quote(&mut alias.name);
    if alias.columns.is_empty() {
        return Ok(columns);
    }
    let mut list = columns.to_vec();
    for (column, new) in list.iter_mut().zip(&mut alias.columns) {
        deny(new.data_type.is_some(), "a type in an alias")?;
        quote(&mut new.name);
        column.0.clone_from(&new.name.value);
    }
    Ok(Arc::new(Columns::new(list)))
}

/// The only part of a one-part name; tables have no schema before them.
fn single(name: &mut ObjectName) -> Result<&mut Ident> {
    let text = name.to_string().replace('"', "");
    match name.0.as_mut_slice() {
        [ObjectNamePart::Identifier(ident)] => Ok(ident),
        _ => Err(Error::new(ErrorKind::Unknown, format!("unknown table {text}"))
            .hint("table names have one part; the table `tables` lists them")),
    }
}

fn idents(name: &ObjectName) -> Result<Vec<Ident>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Ok(ident.clone()),
            ObjectNamePart::Function(_) => Err(Error::denied("this form of a name is not allowed here")),
        })
        .collect()
}

fn unknown_table(ident: &Ident, known: &[String]) -> Error {
    let error = Error::new(ErrorKind::Unknown, format!("unknown table {}", ident.value))
        .at(ident.span.start.line, ident.span.start.column);
    match nearest(&ident.value, known.iter().map(String::as_str)) {
        Some(name) => error.hint(format!("did you mean {name}?")),
        None => error.hint(format!("there are: {}", known.join(", "))),
    }
}

/// Fixes an identifier's case: the planner lower-cases what is not quoted.
pub(crate) fn quote(ident: &mut Ident) {
    ident.quote_style = Some('"');
}

/// The text of an expression as a column heading.
fn label(expr: &Expr) -> String {
    expr.to_string().replace('"', "")
}
