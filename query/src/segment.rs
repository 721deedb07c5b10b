//! Reading one Parquet segment: skip row groups and pages, decode filter columns, then the rest for the rows that pass.
//!
//! ```text
//! metadata (cached) ▶ row groups ▶ pages ▶ [scope] ▶ [filter] ▶ [dynamic filter] ▶ wanted columns
//! ```
//!
//! The order of the three row filters is the safety property: the filter of a statement only ever sees rows in scope,
//! and only the masked values of what the asker may not read.

use std::{
    collections::HashMap,
    fs::File,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
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
        PagePruningAccessPlanFilter, ParquetAccessPlan, ParquetFileMetrics, RowGroupAccessPlanFilter,
    },
    parquet::arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter,
        },
    },
    parquet::file::metadata::PageIndexPolicy,
    physical_expr::{
        PhysicalExpr, conjunction_opt, split_conjunction,
        utils::{collect_columns, reassign_expr_columns},
    },
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use event::field;
use store::Segment;

use crate::{
    amend::Amendments,
    lens::{Lens, ResidualNames},
    prune::{prunable, pruning_predicate},
    scan::Scan,
};

/// Bytes of file metadata kept for the next question.
const CACHE_BYTES_MAX: usize = 64 << 20;

/// Parsed footers and page indexes of segments that were read lately.
#[derive(Default)]
pub(crate) struct MetadataCache(Mutex<Cached>);

#[derive(Default)]
struct Cached {
    entries: HashMap<String, (ArrowReaderMetadata, usize, u64)>,
    bytes: usize,
    clock: u64,
}

impl MetadataCache {
    fn get(&self, segment: &Segment, file: &File) -> Result<ArrowReaderMetadata> {
        if let Ok(mut cached) = self.0.lock() {
            cached.clock += 1;
            let now = cached.clock;
            if let Some((metadata, _, used)) = cached.entries.get_mut(&segment.id) {
                *used = now;
                return Ok(metadata.clone());
            }
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(file, options)?;
        let bytes = metadata.metadata().memory_size();
        if let Ok(mut cached) = self.0.lock() {
            let now = cached.clock;
            if cached.entries.insert(segment.id.clone(), (metadata.clone(), bytes, now)).is_none() {
                cached.bytes += bytes;
            }
            cached.shrink();
        }
        Ok(metadata)
    }
}

impl Cached {
    fn shrink(&mut self) {
        while self.bytes > CACHE_BYTES_MAX {
            let Some(oldest) = self.entries.iter().min_by_key(|(_, (_, _, used))| *used).map(|(id, _)| id.clone()) else {
                return;
            };
            if let Some((_, bytes, _)) = self.entries.remove(&oldest) {
                self.bytes -= bytes;
            }
        }
    }
}

/// Reads the rows of one segment that pass; stops early when `send` returns false.
pub(crate) fn read(scan: &Scan, segment: &Segment, batch_rows: usize, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
    let file = File::open(&segment.path).map_err(|error| {
        DataFusionError::from(crate::Error::failed(format!("failed to open segment {}: {error}", segment.id)))
    })?;
    let metadata = scan.metadata.get(segment, &file)?;
    let schema = metadata.schema().clone();
    let residual = match segment.residual_complete {
        true => ResidualNames::Known(&segment.residual_keys),
        false => ResidualNames::Any,
    };
    let may_amend = scan.view.amendments.concern(&segment.systems);
    let lens = |columns: &[usize]| Lens::new(&scan.view, columns, &schema, residual, may_amend);
    let plan = select_pages(scan, &metadata, &schema, &lens(&scan.filter_columns), may_amend)?;
    if plan.row_group_indexes().is_empty() {
        return Ok(());
    }
    let groups = metadata.metadata().row_groups();
    let indexes = plan.row_group_indexes();
    scan.stats.row_groups_skipped.fetch_add((groups.len() - indexes.len()) as u64, Relaxed);
    let selection = plan.into_overall_row_selection(groups)?;
    if !scan.view.rows.is_restricted() {
        let rows = selection.as_ref().map_or_else(
            || indexes.iter().map(|&at| groups[at].num_rows() as u64).sum(),
            |selection| selection.row_count() as u64,
        );
        scan.stats.rows.fetch_add(rows, Relaxed);
    }

    let output = lens(&scan.projection);
    let columns = |reads: &[usize]| ProjectionMask::roots(metadata.parquet_schema(), reads.iter().copied());
    let mut filters: Vec<Box<dyn ArrowPredicate>> = Vec::new();
    if scan.view.rows.is_restricted() {
        let decides = if may_amend { Amendments::reads().collect() } else { vec![field::SYSTEM_ID.name()] };
        let reads: Vec<usize> = decides.iter().filter_map(|name| schema.index_of(name).ok()).collect();
        let (view, rows, stats) = (scan.view.clone(), scan.view.rows.clone(), scan.stats.clone());
        filters.push(Box::new(ArrowPredicateFn::new(columns(&reads), move |batch| {
            let batch = if may_amend { view.amendments.apply(&batch, &|_| false)? } else { batch };
            let visible = rows.visible(&batch).unwrap_or_else(|| BooleanArray::from(vec![false; batch.num_rows()]));
            stats.rows.fetch_add(visible.true_count() as u64, Relaxed);
            Ok(visible)
        })));
    }
    for (filter, at) in scan.filters() {
        let lens = lens(at);
        let mask = columns(&lens.reads);
        let filter = reassign_expr_columns(filter.clone(), &lens.schema)?;
        filters.push(Box::new(ArrowPredicateFn::new(mask, move |batch| evaluate(&filter, &lens.apply(&batch)?))));
    }

    let mask = columns(&output.reads);
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_batch_size(batch_rows)
        .with_row_groups(indexes)
        .with_projection(mask)
        .with_row_filter(RowFilter::new(filters));
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    if let Some(limit) = scan.limit {
        builder = builder.with_limit(limit);
    }
    for batch in builder.build()? {
        if !send(output.apply(&batch?)?) {
            return Ok(());
        }
    }
    Ok(())
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

/// Row groups and pages that may hold a row that passes.
fn select_pages(
    scan: &Scan,
    metadata: &ArrowReaderMetadata,
    schema: &SchemaRef,
    filter: &Lens,
    may_amend: bool,
) -> Result<ParquetAccessPlan> {
    let groups = metadata.metadata().row_groups();
    let mut plan = ParquetAccessPlan::new_all(groups.len());
    let metrics = ParquetFileMetrics::new(0, "", &ExecutionPlanMetricsSet::new());
    let fixed = scan.filter.as_ref().filter(|_| !filter.has_split_columns()).and_then(|filter| prunable(&scan.view, filter));
    // Dynamic filters are about few columns, in practice those of ORDER BY or a join, none of them split.
    let dynamic = scan.dynamic_now()?.filter(|_| !filter.has_split_columns()).and_then(|filter| prunable(&scan.view, &filter));
    for filter in fixed.into_iter().chain(dynamic).filter_map(|filter| over_file(&filter, schema, &scan.view.schema, may_amend)) {
        if let Some(predicate) = pruning_predicate(&filter, schema) {
            let mut by_group = RowGroupAccessPlanFilter::new(plan);
            by_group.prune_by_statistics(schema, metadata.parquet_schema(), groups, &predicate, &metrics);
            plan = by_group.build();
        }
        let by_page = PagePruningAccessPlanFilter::new(&filter, schema.clone());
        plan = by_page.prune_plan_with_page_index(plan, schema, metadata.parquet_schema(), metadata.metadata(), &metrics);
    }
    Ok(plan)
}

/// The parts of a filter that are about columns which the file has, in the table's type and as they are read; numbered as in
/// the file.
fn over_file(
    filter: &Arc<dyn PhysicalExpr>,
    file: &SchemaRef,
    table: &SchemaRef,
    may_amend: bool,
) -> Option<Arc<dyn PhysicalExpr>> {
    let is_there = |part: &Arc<dyn PhysicalExpr>| {
        collect_columns(part).iter().all(|column| {
            let (own, shown) = (file.field_with_name(column.name()), table.field_with_name(column.name()));
            let is_same = own.is_ok_and(|own| shown.is_ok_and(|shown| own.data_type() == shown.data_type()));
            is_same && !(may_amend && Amendments::changes(column.name()))
        })
    };
    let parts = split_conjunction(filter).into_iter().filter(|part| is_there(part));
    conjunction_opt(parts.filter_map(|part| reassign_expr_columns(part.clone(), file).ok()))
}
