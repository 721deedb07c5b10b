//! `SELECT * … ORDER BY … LIMIT n` without a list of all columns.
//!
//! The planner compares every column of such a list with every other one by its printed name, and events have hundreds. So the
//! statement is planned with only the columns that it sorts by, and the list is taken out of the plan: what is left gives all columns,
//! which is what `*` means.

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion},
    },
    logical_expr::{Expr as LogicalExpr, LogicalPlan},
    sql::sqlparser::ast::{
        Expr, GroupByExpr, OrderByKind, Query, SelectItem, SetExpr, Statement, TableFactor, WildcardAdditionalOptions,
    },
};

/// Replaces `*` in a statement that can do without; true when it did. Then the plan goes through [`all_columns`].
pub(crate) fn shorten(statement: &mut Statement) -> bool {
    let Statement::Query(query) = statement else { return false };
    let Some(sorted) = columns(query) else { return false };
    let SetExpr::Select(select) = query.body.as_mut() else { return false };
    select.projection = sorted.into_iter().map(SelectItem::UnnamedExpr).collect();
    true
}

/// The columns that a plain `SELECT *` of one table is sorted by; `None` for other statements.
fn columns(query: &Query) -> Option<Vec<Expr>> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let is_all = |options: &WildcardAdditionalOptions| {
        let WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            opt_alias,
        } = options;
        opt_ilike.is_none()
            && opt_exclude.is_none()
            && opt_except.is_none()
            && opt_replace.is_none()
            && opt_rename.is_none()
            && opt_alias.is_none()
    };
    let is_whole = matches!(&select.projection[..], [SelectItem::Wildcard(options)] if is_all(options))
        && matches!(&select.from[..], [from] if from.joins.is_empty() && matches!(from.relation, TableFactor::Table { .. }))
        && matches!(&select.group_by, GroupByExpr::Expressions(by, further) if by.is_empty() && further.is_empty())
        && select.distinct.is_none()
        && select.top.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && select.named_window.is_empty();
    let order = query.order_by.as_ref().filter(|order| is_whole && query.with.is_none() && order.interpolate.is_none())?;
    let OrderByKind::Expressions(sorted) = &order.kind else { return None };
    let mut columns: Vec<Expr> = Vec::new();
    for sorted in sorted {
        if !matches!(sorted.expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            return None;
        }
        if !columns.contains(&sorted.expr) {
            columns.push(sorted.expr.clone());
        }
    }
    (!columns.is_empty()).then_some(columns)
}

/// Takes the list of columns out of the plan of a statement that was shortened.
pub(crate) fn all_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_column = |expression: &LogicalExpr| matches!(expression, LogicalExpr::Column(_));
    plan.transform_down(|node| {
        Ok(match node {
            LogicalPlan::Projection(list) if list.expr.iter().all(is_column) => {
                let input = list.input.as_ref().clone();
                Transformed::new(input, true, TreeNodeRecursion::Stop)
            }
            node @ (LogicalPlan::Limit(_) | LogicalPlan::Sort(_)) => Transformed::no(node),
            node => Transformed::new(node, false, TreeNodeRecursion::Stop),
        })
    })
    .data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(sql: &str) -> Option<String> {
        let mut statement = crate::dialect::parse(sql).unwrap();
        shorten(&mut statement).then(|| statement.to_string())
    }

    #[test]
    fn only_a_plain_star_is_left_out() {
        let sql = "SELECT * FROM events e WHERE a = 1 ORDER BY e.b DESC, c, c LIMIT 5";
        let shown = shortened(sql).unwrap().replace('"', "");
        assert_eq!(shown, "SELECT e.b, c FROM events e WHERE a = 1 ORDER BY e.b DESC, c, c LIMIT 5");
        for sql in [
            "SELECT * FROM events",
            "SELECT DISTINCT * FROM events ORDER BY a",
            "SELECT a FROM events ORDER BY a",
            "SELECT *, a FROM events ORDER BY a",
            "SELECT * FROM events ORDER BY 1",
            "SELECT * FROM events, flows ORDER BY a",
            "SELECT * FROM (SELECT a FROM events) ORDER BY a",
            "WITH x AS (SELECT 1 AS a) SELECT * FROM x ORDER BY a",
        ] {
            assert_eq!(shortened(sql), None, "{sql}");
        }
    }
}
