//! `ORDER BY timestamp DESC LIMIT n` in the scan: of each row group only the n newest rows that pass are put together.
//!
//! The sort above keeps the n newest of all and hands down how new a row must be; this keeps it from being fed thousands of whole
//! rows of the first row group before it knows.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult as _, TreeNode as _},
    },
    physical_expr::expressions::Column,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{ExecutionPlan, execution_plan::replace_children_if_necessary, sorts::sort::SortExec},
};

use crate::scan::EventsExec;

/// Rows of which more is nothing to save: the sort's own work is then the larger part.
const ROWS_MAX: usize = 10_000;

/// The rows of a scan that a sort above it can want: the first `rows` by a column of times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    /// By number in the view's schema.
    pub column: usize,
    pub rows: usize,
    pub descending: bool,
}

/// Lets the scan leave out what the sort above it would.
#[derive(Debug)]
pub(crate) struct NewestInScan;

impl PhysicalOptimizerRule for NewestInScan {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match narrowed(&node)? {
                Some(node) => Transformed::yes(node),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "newest_in_scan"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The sort over a scan that knows what is wanted; `None` when it is not one of the first rows by time.
fn narrowed(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let any = |node: &Arc<dyn ExecutionPlan>| Arc::clone(node);
    let Some(sort) = (node.as_ref() as &dyn std::any::Any).downcast_ref::<SortExec>() else { return Ok(None) };
    let Some(rows) = sort.fetch().filter(|rows| *rows <= ROWS_MAX) else { return Ok(None) };
    let first = sort.expr().first();
    let Some(column) = (first.expr.as_ref() as &dyn std::any::Any).downcast_ref::<Column>() else { return Ok(None) };
    let mut path = vec![any(sort.input())];
    while let Some(last) = path.last().filter(|last| last.name() == "CooperativeExec").map(any) {
        let Some(child) = last.children().into_iter().next() else { return Ok(None) };
        path.push(any(child));
    }
    let Some(scan) = path.pop() else { return Ok(None) };
    let Some(scan) = (scan.as_ref() as &dyn std::any::Any).downcast_ref::<EventsExec>() else { return Ok(None) };
    let Some(mut below) = scan.newest(column.index(), rows, first.options.descending) else { return Ok(None) };
    while let Some(parent) = path.pop() {
        below = replace_children_if_necessary(parent, vec![below])?;
    }
    Ok(Some(replace_children_if_necessary(any(node), vec![below])?))
}

/// True for the types that times are stored as.
pub(crate) fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, _))
}
