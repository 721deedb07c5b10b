//! What of one Parquet segment must be read: row groups and pages that the text index and the statistics leave.
//!
//! ```text
//! metadata (cached) ▶ text index ▶ row groups ▶ pages ▶ rows ([`crate::stages`])
//! ```

use std::{
    cmp::Reverse,
    ops::Range,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use datafusion::{
    arrow::{
        array::{Array, AsArray, BooleanArray},
        datatypes::SchemaRef,
        error::ArrowError,
        record_batch::RecordBatch,
    },
    common::{DataFusionError, Result},
    datasource::physical_plan::parquet::{
        PagePruningAccessPlanFilter, ParquetAccessPlan, ParquetFileMetrics, RowGroupAccess, RowGroupAccessPlanFilter,
    },
    parquet::{
        arrow::arrow_reader::{RowSelection, RowSelector},
        file::{metadata::RowGroupMetaData, statistics::Statistics},
    },
    physical_expr::{
        PhysicalExpr, conjunction_opt, split_conjunction,
        utils::{collect_columns, reassign_expr_columns},
    },
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use event::field;
use store::{Segment, SegmentFile};
use tracing::warn;

use crate::{
    amend::Amendments,
    file::Open,
    lens::{Lens, ResidualNames},
    prune::{prunable, pruning_predicate},
    scan::Scan,
};

/// One segment and one question: opened, and what need not be read left out.
pub(crate) struct Reading {
    pub scan: Scan,
    pub segment: Arc<Segment>,
    pub open: Open,
    pub file: SegmentFile,
    pub may_amend: bool,
    plan: ParquetAccessPlan,
}

impl Reading {
    /// Opens a segment and asks its index and statistics.
    pub fn open(scan: &Scan, segment: &Arc<Segment>) -> Result<Self> {
        let file = segment.open().map_err(|error| DataFusionError::from(crate::Error::failed(error.chain())))?;
        let open = scan.metadata.get(segment, &file)?;
        let plan = ParquetAccessPlan::new_all(open.metadata.metadata().num_row_groups());
        let may_amend = scan.view.amendments.concern(&segment.systems);
        let mut reading = Self { scan: scan.clone(), segment: segment.clone(), may_amend, open, file, plan };
        reading.plan = reading.select_pages()?;
        Ok(reading)
    }

    /// The row groups to read, the newest first.
    pub fn groups(&self) -> Vec<usize> {
        let groups = self.open.metadata.metadata().row_groups();
        let mut chosen = self.plan.row_group_indexes();
        self.scan.stats.row_groups_skipped.fetch_add((groups.len() - chosen.len()) as u64, Relaxed);
        chosen.sort_by_key(|&at| Reverse(newest(&groups[at])));
        chosen
    }

    /// The rows of a group that pages and index leave; `None` when there are none.
    pub fn selection(&self, group: usize) -> Option<RowSelection> {
        let rows = self.open.metadata.metadata().row_group(group).num_rows() as usize;
        match &self.plan.inner()[group] {
            RowGroupAccess::Selection(selection) => Some(selection.clone()),
            RowGroupAccess::Scan => Some(RowSelection::from(vec![RowSelector::select(rows)])),
            RowGroupAccess::Skip => None,
        }
    }

    pub fn lens(&self, columns: &[usize]) -> Lens {
        let residual = match self.segment.residual_complete {
            true => ResidualNames::Known(&self.segment.residual_keys),
            false => ResidualNames::Any,
        };
        Lens::new(&self.scan.view, columns, &self.open.schema, residual, self.may_amend)
    }

    /// Row groups and pages that may hold a row that passes.
    fn select_pages(&self) -> Result<ParquetAccessPlan> {
        let metadata = self.open.metadata.metadata();
        let mut plan = ParquetAccessPlan::new_all(metadata.num_row_groups());
        self.ask_index(&mut plan);
        if plan.row_group_indexes().is_empty() {
            return Ok(plan);
        }
        let lens = self.lens(&self.scan.filter_columns);
        let fixed = self.scan.filter.as_ref().filter(|_| !lens.has_split_columns());
        let fixed = fixed.and_then(|filter| prunable(&self.scan.view, filter));
        for filter in fixed.into_iter().chain(self.rising()?).filter_map(|filter| self.over_file(&filter)) {
            plan = self.prune_groups(plan, &filter);
            let schema = self.open.metadata.schema();
            let by_page = PagePruningAccessPlanFilter::new(&filter, schema.clone());
            plan = by_page.prune_plan_with_page_index(plan, schema, self.open.metadata.parquet_schema(), metadata, &metrics());
        }
        Ok(plan)
    }

    /// Leaves only the blocks of rows that may hold the words and values asked for.
    fn ask_index(&self, plan: &mut ParquetAccessPlan) {
        let (Some(index), Some(question)) = (&self.open.index, &self.scan.question) else { return };
        let blocks = match index.blocks(question) {
            Ok(blocks) => blocks,
            Err(error) => {
                warn!(segment = self.segment.id, %error, "failed to read a text index; its segment is scanned");
                return;
            }
        };
        let ranges: Vec<Range<u64>> = blocks.row_ranges().collect();
        let (mut start, mut first, mut left) = (0, 0, 0);
        for (at, group) in self.open.metadata.metadata().row_groups().iter().enumerate() {
            let end = start + group.num_rows() as u64;
            first += ranges[first..].iter().take_while(|range| range.end <= start).count();
            let inside = ranges[first..].iter().take_while(|range| range.start < end);
            let inside: Vec<Range<usize>> =
                inside.map(|range| (range.start.max(start) - start) as usize..(range.end.min(end) - start) as usize).collect();
            if inside.is_empty() {
                plan.skip(at);
            } else if plan.should_scan(at) {
                left += inside.iter().map(ExactSizeIterator::len).sum::<usize>() as u64;
                plan.scan_selection(at, RowSelection::from_consecutive_ranges(inside.into_iter(), group.num_rows() as usize));
            }
            start = end;
        }
        if !self.scan.view.rows.is_restricted() {
            self.scan.stats.index_rows_skipped.fetch_add(self.segment.rows - left.min(self.segment.rows), Relaxed);
        }
    }

    /// The dynamic filters as they stand. They are about few columns, in practice those of ORDER BY or a join, none of them split.
    fn rising(&self) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        Ok(self.scan.dynamic_now()?.and_then(|filter| prunable(&self.scan.view, &filter)))
    }

    /// True when the rising filters say that a row group has nothing left to give.
    pub fn is_out_of_race(&self, group: usize) -> Result<bool> {
        if self.scan.dynamic.is_empty() {
            return Ok(false);
        }
        let Some(filter) = self.rising()?.and_then(|filter| self.over_file(&filter)) else { return Ok(false) };
        let mut plan = ParquetAccessPlan::new_none(self.open.metadata.metadata().num_row_groups());
        plan.scan(group);
        Ok(!self.prune_groups(plan, &filter).should_scan(group))
    }

    fn prune_groups(&self, plan: ParquetAccessPlan, filter: &Arc<dyn PhysicalExpr>) -> ParquetAccessPlan {
        let (schema, metadata) = (self.open.metadata.schema(), self.open.metadata.metadata());
        let Some(predicate) = pruning_predicate(filter, schema) else { return plan };
        let mut by_group = RowGroupAccessPlanFilter::new(plan);
        let parquet = self.open.metadata.parquet_schema();
        by_group.prune_by_statistics(schema, parquet, metadata.row_groups(), &predicate, &metrics());
        by_group.build()
    }

    /// The parts of a filter that are about columns which the file has, in the table's type and as they are read; numbered as in
    /// the file.
    fn over_file(&self, filter: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
        let (file, table): (&SchemaRef, _) = (self.open.metadata.schema(), &self.scan.view.schema);
        let is_there = |part: &Arc<dyn PhysicalExpr>| {
            collect_columns(part).iter().all(|column| {
                let name = column.name();
                let (own, shown) = (file.field_with_name(name), table.field_with_name(name));
                let is_same = own.is_ok_and(|own| shown.is_ok_and(|shown| own.data_type() == shown.data_type()));
                is_same && self.open.is_plain(name) && !(self.may_amend && Amendments::changes(name))
            })
        };
        let parts = split_conjunction(filter).into_iter().filter(|part| is_there(part));
        conjunction_opt(parts.filter_map(|part| reassign_expr_columns(part.clone(), file).ok()))
    }
}

fn metrics() -> ParquetFileMetrics {
    ParquetFileMetrics::new(0, "", &ExecutionPlanMetricsSet::new())
}

/// Latest claimed time in a row group, by its statistics.
fn newest(group: &RowGroupMetaData) -> Option<i64> {
    let column = group.columns().iter().find(|column| column.column_path().parts() == [field::TIMESTAMP.name()])?;
    match column.statistics()? {
        Statistics::Int64(values) => values.max_opt().copied(),
        _ => None,
    }
}

/// Evaluates a condition: true, or not (false and unknown).
pub(crate) fn evaluate(filter: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
    let value = filter.evaluate(batch).and_then(|value| value.into_array(batch.num_rows()));
    let value = value.map_err(|error| ArrowError::from_external_error(Box::new(crate::Error::from(error))))?;
    match value.as_boolean_opt() {
        Some(value) => Ok(value.clone()),
        None => Err(ArrowError::ComputeError(format!("a condition must be true or false, not {}", value.data_type()))),
    }
}
