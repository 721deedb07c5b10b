//! The table `flows`: flow records as few, tight columns. A view over `events`, so scope and masking hold below it.
//!
//! For now flows are events of their own dataset; the flows issue gives them a columnar table behind the same name.

use std::sync::Arc;

use datafusion::{
    catalog::TableProvider,
    common::Column,
    datasource::{ViewTable, provider_as_source},
    logical_expr::{Expr, LogicalPlanBuilder, lit},
};

use crate::error::Result;

/// Datasets that are flows.
const DATASETS: [&str; 1] = ["netflow.v5"];

/// Columns of the table, in order.
const COLUMNS: [&str; 19] = [
    "timestamp",
    "event.start",
    "event.end",
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
    "network.iana_number",
    "network.transport",
    "network.bytes",
    "network.packets",
    "log.source.address",
    "system.id",
    "system.level",
    "related.system",
    "event.created",
    "event.ingested",
    "event.dataset",
    "event.id",
];

/// Makes the view over the asker's own `events`.
pub(crate) fn view(events: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let column = |name: &str| Expr::Column(Column::new(Some("events"), name));
    let is_flow = column("event.dataset").in_list(DATASETS.map(lit).to_vec(), false);
    let plan = LogicalPlanBuilder::scan("events", provider_as_source(events), None)?
        .filter(is_flow)?
        .project(COLUMNS.map(|name| column(name).alias(name)).to_vec())?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}
