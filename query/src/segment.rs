//! Reading one Parquet segment: skip row groups and pages, decode filter columns, then the rest for the rows that pass.
//!
//! ```text
//! metadata (cached) ▶ row groups ▶ pages ▶ [scope] ▶ [filter] ▶ [dynamic filter] ▶ wanted columns
//! ```
//!
//! The order of the three row filters is the safety property: the filter of a statement only ever sees rows in scope,
//! and only the masked values of what the asker may not read.

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
        arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter, RowSelection},
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

/// Reads the rows of one segment that pass, newest row group first; stops early when `send` returns false.
pub(crate) fn read(scan: &Scan, segment: &Segment, batch_rows: usize, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
    let file = segment.open().map_err(|error| DataFusionError::from(crate::Error::failed(error.chain())))?;
    let open = scan.metadata.get(segment, &file)?;
    let reading = Reading { scan, segment, may_amend: scan.view.amendments.concern(&segment.systems), open };
    reading.run(&file, batch_rows, send)
}

/// One segment and one question.
struct Reading<'a> {
    scan: &'a Scan,
    segment: &'a Segment,
    open: Open,
    may_amend: bool,
}

impl Reading<'_> {
    fn run(&self, file: &SegmentFile, batch_rows: usize, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let plan = self.select_pages()?;
        let groups = self.open.metadata.metadata().row_groups();
        let mut chosen = plan.row_group_indexes();
        self.scan.stats.row_groups_skipped.fetch_add((groups.len() - chosen.len()) as u64, Relaxed);
        chosen.sort_by_key(|&at| Reverse(newest(&groups[at])));
        let output = self.lens(&self.scan.projection);
        for at in chosen {
            // The filter of ORDER BY … LIMIT rises while rows come in.
            if !self.scan.dynamic.is_empty() && self.is_out_of_race(at)? {
                self.scan.stats.row_groups_skipped.fetch_add(1, Relaxed);
                continue;
            }
            let selection = match &plan.inner()[at] {
                RowGroupAccess::Selection(selection) => Some(selection.clone()),
                RowGroupAccess::Scan => None,
                RowGroupAccess::Skip => continue,
            };
            if !self.scan.view.rows.is_restricted() {
                let rows = selection.as_ref().map_or_else(|| groups[at].num_rows() as u64, |chosen| chosen.row_count() as u64);
                self.scan.stats.rows.fetch_add(rows, Relaxed);
            }
            let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), self.open.metadata.clone())
                .with_batch_size(batch_rows)
                .with_row_groups(vec![at])
                .with_projection(self.open.mask(&output.reads))
                .with_row_filter(RowFilter::new(self.filters()?));
            if let Some(selection) = selection {
                builder = builder.with_row_selection(selection);
            }
            if let Some(limit) = self.scan.limit {
                builder = builder.with_limit(limit);
            }
            for batch in builder.build()? {
                if !send(output.apply(&self.open.decode(batch?, &output.reads)?)?) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn lens(&self, columns: &[usize]) -> Lens {
        let residual = match self.segment.residual_complete {
            true => ResidualNames::Known(&self.segment.residual_keys),
            false => ResidualNames::Any,
        };
        Lens::new(&self.scan.view, columns, &self.open.schema, residual, self.may_amend)
    }

    /// The row filters in the order in which they apply: scope, then what the statement says, then what rises.
    fn filters(&self) -> Result<Vec<Box<dyn ArrowPredicate>>> {
        let mut filters: Vec<Box<dyn ArrowPredicate>> = Vec::new();
        if self.scan.view.rows.is_restricted() {
            let decides = if self.may_amend { Amendments::reads().collect() } else { vec![field::SYSTEM_ID.name()] };
            let reads: Vec<usize> = decides.iter().filter_map(|name| self.open.schema.index_of(name).ok()).collect();
            let (view, stats, open, may_amend) =
                (self.scan.view.clone(), self.scan.stats.clone(), self.open.clone(), self.may_amend);
            filters.push(Box::new(ArrowPredicateFn::new(self.open.mask(&reads), move |batch| {
                let batch = open.decode(batch, &reads)?;
                let batch = if may_amend { view.amendments.apply(&batch, &|_| false)? } else { batch };
                let visible = view.rows.visible(&batch).unwrap_or_else(|| BooleanArray::from(vec![false; batch.num_rows()]));
                stats.rows.fetch_add(visible.true_count() as u64, Relaxed);
                Ok(visible)
            })));
        }
        for (filter, at) in self.scan.filters() {
            let lens = self.lens(at);
            let filter = reassign_expr_columns(filter.clone(), &lens.schema)?;
            let open = self.open.clone();
            filters.push(Box::new(ArrowPredicateFn::new(self.open.mask(&lens.reads), move |batch| {
                evaluate(&filter, &lens.apply(&open.decode(batch, &lens.reads)?)?)
            })));
        }
        Ok(filters)
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

    fn is_out_of_race(&self, group: usize) -> Result<bool> {
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
