//! The physical scan of `events`: hot batches and segments, newest first, in a few partitions.
//!
//! Filters are evaluated here, exactly, over masked values of rows in scope; `ORDER BY timestamp DESC LIMIT n` hands down a
//! dynamic filter that rises while rows come in, so older segments are skipped without being opened.

use std::{
    cmp::Reverse,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use datafusion::{
    arrow::{compute::filter_record_batch, datatypes::SchemaRef, record_batch::RecordBatch},
    common::{Result, config::ConfigOptions, tree_node::TreeNodeRecursion},
    execution::TaskContext,
    physical_expr::{
        DynamicFilterTracking, EquivalenceProperties, PhysicalExpr, conjunction_opt,
        utils::{collect_columns, reassign_expr_columns},
    },
    physical_expr_common::physical_expr::snapshot_physical_expr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
        execution_plan::{Boundedness, EmissionType},
        filter_pushdown::{ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown},
        stream::RecordBatchReceiverStreamBuilder,
    },
};
use event::Micros;
use store::{HotBatch, Segment, index::Question};

use crate::{
    count,
    file::MetadataCache,
    lens::{Lens, ResidualNames},
    newest::{self, Newest},
    prune::{keep, prunable, pruning_predicate},
    queue::{Queue, Work},
    segment::{Reading, evaluate},
    stages,
    view::View,
};

/// What a question read and what it could leave out. For a restricted asker everything counts only what is in scope.
#[derive(Debug, Default)]
pub struct ScanStats {
    /// Segments that may hold rows in scope.
    pub segments: AtomicU64,
    /// Of these: skipped by the catalogue or by the dynamic filter.
    pub segments_skipped: AtomicU64,
    /// Row groups skipped by their statistics.
    pub row_groups_skipped: AtomicU64,
    /// Rows that the text index ruled out.
    pub index_rows_skipped: AtomicU64,
    /// Rows that the filter had to look at.
    pub rows: AtomicU64,
}

/// One scan, as far as all its partitions share it.
#[derive(Clone)]
pub(crate) struct Scan {
    pub view: Arc<View>,
    pub metadata: Arc<MetadataCache>,
    pub stats: Arc<ScanStats>,
    /// Columns of the view's schema that come out.
    pub projection: Vec<usize>,
    /// Over the view's schema; its columns by number in `filter_columns`.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    pub filter_columns: Vec<usize>,
    /// What the filter lets a text index say.
    pub question: Option<Question>,
    /// Filters that came down during physical planning, with their columns.
    pub dynamic: Vec<(Arc<dyn PhysicalExpr>, Vec<usize>)>,
    /// Rows that are enough for the question, per partition.
    pub limit: Option<usize>,
    /// The only column's values come out with their counts, in this schema, instead of the rows ([`crate::count`]).
    pub counted: Option<SchemaRef>,
    /// The rows that a sort above can want ([`crate::newest`]).
    pub newest: Option<Newest>,
}

impl Scan {
    /// All filters in the order in which they apply.
    pub(crate) fn filters(&self) -> impl Iterator<Item = (&Arc<dyn PhysicalExpr>, &[usize])> {
        let fixed = self.filter.iter().map(|filter| (filter, self.filter_columns.as_slice()));
        fixed.chain(self.dynamic.iter().map(|(filter, columns)| (filter, columns.as_slice())))
    }

    /// The dynamic filters as they stand at this moment.
    pub(crate) fn dynamic_now(&self) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let now = self.dynamic.iter().map(|(filter, _)| snapshot_physical_expr(filter.clone())).collect::<Result<Vec<_>>>()?;
        Ok(conjunction_opt(now))
    }

    /// Columns of a filter by their number in the view's schema.
    pub(crate) fn columns_of(view: &View, filter: &Arc<dyn PhysicalExpr>) -> Result<Vec<usize>> {
        let mut columns = Vec::new();
        for column in collect_columns(filter) {
            columns.push(view.schema.index_of(column.name())?);
        }
        columns.sort_unstable();
        columns.dedup();
        Ok(columns)
    }

    /// Rows of one hot batch that pass.
    fn read_hot(&self, hot: &HotBatch) -> Result<RecordBatch> {
        let mut batch = hot.batch.clone();
        if self.view.amendments.concern(&hot.systems) {
            batch = self.view.amendments.apply(&batch, &|_| true)?;
        }
        if let Some(visible) = self.view.rows.visible(&batch) {
            batch = filter_record_batch(&batch, &visible)?;
        }
        self.stats.rows.fetch_add(batch.num_rows() as u64, Relaxed);
        let schema = batch.schema();
        for (filter, columns) in self.filters() {
            let lens = Lens::new(&self.view, columns, &schema, ResidualNames::Any, false);
            let filter = reassign_expr_columns(filter.clone(), &lens.schema)?;
            let passed = evaluate(&filter, &lens.apply(&batch)?)?;
            batch = filter_record_batch(&batch, &passed)?;
        }
        let batch = Lens::new(&self.view, &self.projection, &schema, ResidualNames::Any, false).apply(&batch)?;
        match &self.counted {
            Some(schema) => count::ones(&batch, schema),
            None => Ok(batch),
        }
    }

    /// True when the dynamic filter says that the segment has nothing left to give.
    fn is_out_of_race(&self, segment: &Arc<Segment>) -> Result<bool> {
        let Some(filter) = self.dynamic_now()?.and_then(|filter| prunable(&self.view, &filter)) else { return Ok(false) };
        let Some(predicate) = pruning_predicate(&filter, &self.view.schema) else { return Ok(false) };
        Ok(!keep(std::slice::from_ref(segment), &self.view.amendments, &predicate)[0])
    }

    /// Reads what the queue has, in turn with other partitions; returns when all is taken, enough rows were sent, or nobody listens.
    fn run(&self, queue: &Queue, batch_rows: usize, mut send: impl FnMut(RecordBatch) -> bool) -> Result<()> {
        let mut left = self.limit.unwrap_or(usize::MAX);
        let mut send = |batch: RecordBatch| {
            let batch = if batch.num_rows() > left { batch.slice(0, left) } else { batch };
            left -= batch.num_rows();
            (batch.num_rows() == 0 || send(batch)) && left > 0
        };
        match &self.counted {
            None => self.work(queue, batch_rows, &mut send),
            Some(schema) => {
                let mut tally = count::Tally::default();
                let mut failure = None;
                let mut add = |batch: RecordBatch| match tally.add(&batch) {
                    Ok(full) => full.is_none_or(|full| give(&full, batch_rows, &mut send)),
                    Err(error) => {
                        failure = Some(error);
                        false
                    }
                };
                self.work(queue, batch_rows, &mut add)?;
                match failure {
                    Some(error) => Err(error),
                    None => {
                        // Nobody listens any more where an earlier giving was refused; another is refused as well.
                        if let Some(rest) = tally.take(schema)? {
                            give(&rest, batch_rows, &mut send);
                        }
                        Ok(())
                    }
                }
            }
        }
    }

    fn work(&self, queue: &Queue, batch_rows: usize, mut send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        while let Some(work) = queue.next() {
            let goes_on = match work {
                Work::Hot(hot) => send(self.read_hot(&hot)?),
                Work::Open(segment, opening) => {
                    if self.is_out_of_race(&segment)? {
                        self.stats.segments_skipped.fetch_add(1, Relaxed);
                    } else {
                        let reading = Arc::new(Reading::open(self, &segment)?);
                        opening.found(reading.groups().into_iter().map(|group| (reading.clone(), group)));
                    }
                    true
                }
                Work::Group(reading, group) => {
                    // The filter of ORDER BY … LIMIT rises while rows come in.
                    if reading.is_out_of_race(group)? {
                        self.stats.row_groups_skipped.fetch_add(1, Relaxed);
                        true
                    } else {
                        stages::read(&reading, group, batch_rows, &mut send)?
                    }
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Gives a batch on in pieces that others can take turns with.
fn give(batch: &RecordBatch, rows: usize, send: &mut impl FnMut(RecordBatch) -> bool) -> bool {
    (0..batch.num_rows()).step_by(rows.max(1)).all(|from| send(batch.slice(from, rows.min(batch.num_rows() - from))))
}

/// What the partitions of one execution share, with the partitions that took it.
type Round = (Vec<usize>, Arc<Queue>);

/// Something to read.
#[derive(Clone)]
pub(crate) enum Unit {
    Hot(Arc<HotBatch>),
    Segment(Arc<Segment>),
}

impl Unit {
    fn newest(&self) -> Option<Micros> {
        match self {
            Self::Hot(hot) => hot.timestamp.map(|(_, max)| max),
            Self::Segment(segment) => segment.timestamp.map(|(_, max)| max),
        }
    }
}

/// The plan node.
pub(crate) struct EventsExec {
    scan: Scan,
    /// What is to be read, the newest first.
    units: Arc<[Unit]>,
    rounds: Mutex<Vec<Round>>,
    properties: Arc<PlanProperties>,
    schema: SchemaRef,
}

impl EventsExec {
    /// Chooses the segments to read and deals them out.
    pub(crate) fn new(scan: Scan, partitions: usize) -> Result<Self> {
        let segments = &scan.view.segments;
        let predicate = scan.filter.as_ref().and_then(|filter| prunable(&scan.view, filter));
        let predicate = predicate.and_then(|filter| pruning_predicate(&filter, &scan.view.schema));
        let kept =
            predicate.map_or_else(|| vec![true; segments.len()], |predicate| keep(segments, &scan.view.amendments, &predicate));
        let skipped = kept.iter().filter(|kept| !**kept).count();
        scan.stats.segments.fetch_add(segments.len() as u64, Relaxed);
        scan.stats.segments_skipped.fetch_add(skipped as u64, Relaxed);
        let hot = scan.view.hot.iter().cloned().map(Unit::Hot);
        let files = segments.iter().zip(kept).filter(|(_, kept)| *kept).map(|(segment, _)| Unit::Segment(segment.clone()));
        let mut units: Vec<Unit> = hot.chain(files).collect();
        units.sort_by_key(|unit| Reverse(unit.newest()));
        // A file has several row groups, of which each partition may take some.
        let count = if units.is_empty() { 1 } else { partitions.max(1) };
        let schema = Arc::new(scan.view.schema.project(&scan.projection)?);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(count),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self { scan, units: units.into(), rounds: Mutex::default(), properties, schema })
    }

    /// The same scan, counting the values of one of its columns; `None` when it stops early.
    pub(crate) fn counting(&self, column: usize, schema: SchemaRef) -> Option<Arc<dyn ExecutionPlan>> {
        if self.scan.limit.is_some() || self.scan.counted.is_some() {
            return None;
        }
        let projection = vec![*self.scan.projection.get(column)?];
        let scan = Scan { projection, counted: Some(schema.clone()), ..self.scan.clone() };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            self.properties.partitioning.clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Some(Arc::new(Self { scan, units: self.units.clone(), rounds: Mutex::default(), properties, schema }))
    }

    /// The same scan for a sort that wants only the first rows by one of its columns; `None` when that is not a time.
    pub(crate) fn newest(&self, column: usize, rows: usize, descending: bool) -> Option<Arc<dyn ExecutionPlan>> {
        let column = *self.scan.projection.get(column)?;
        let view = &self.scan.view;
        if self.scan.counted.is_some() || !newest::is_time(view.schema.field(column).data_type()) || view.hidden[column].is_some()
        {
            return None;
        }
        let scan = Scan { newest: Some(Newest { column, rows, descending }), ..self.scan.clone() };
        let (properties, schema) = (self.properties.clone(), self.schema.clone());
        Some(Arc::new(Self { scan, units: self.units.clone(), rounds: Mutex::default(), properties, schema }))
    }

    /// The queue of a partition: all partitions of one execution share one. A plan may be executed again.
    fn queue(&self, partition: usize) -> Arc<Queue> {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((taken, queue)) = rounds.iter_mut().find(|(taken, _)| !taken.contains(&partition)) {
            taken.push(partition);
            return queue.clone();
        }
        let queue = Arc::new(Queue::new(&self.units));
        rounds.push((vec![partition], queue.clone()));
        queue
    }

    /// What is scanned, for explanations.
    pub(crate) fn scan(&self) -> &Scan {
        &self.scan
    }
}

impl fmt::Debug for EventsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsExec").finish_non_exhaustive()
    }
}

impl DisplayAs for EventsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.schema.fields().iter().map(|column| column.name().as_str()).collect();
        let shown = if names.len() > 12 { format!("{} columns", names.len()) } else { names.join(", ") };
        write!(f, "EventsExec: columns=[{shown}]")?;
        if self.scan.counted.is_some() {
            write!(f, ", counted by value")?;
        }
        if let Some(filter) = &self.scan.filter {
            write!(f, ", filter={filter}")?;
        }
        for (filter, _) in &self.scan.dynamic {
            write!(f, ", also={filter}")?;
        }
        if let Some(limit) = self.scan.limit {
            write!(f, ", limit={limit}")?;
        }
        // Counts of segments would tell a restricted asker about the rest of the province.
        if !self.scan.view.rows.is_restricted() {
            let reads: usize = self.units.iter().filter(|unit| matches!(unit, Unit::Segment(_))).count();
            write!(f, ", segments={reads} of {}, hot batches={}", self.scan.view.segments.len(), self.scan.view.hot.len())?;
        }
        Ok(())
    }
}

impl ExecutionPlan for EventsExec {
    fn name(&self) -> &'static str {
        "EventsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for (filter, _) in self.scan.filters() {
            if f(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), 2);
        let (scan, queue) = (self.scan.clone(), self.queue(partition));
        let batch_rows = context.session_config().batch_size();
        let sender = builder.tx();
        builder.spawn_blocking(move || scan.run(&queue, batch_rows, |batch| sender.blocking_send(Ok(batch)).is_ok()));
        Ok(builder.build())
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        pushed: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        if pushed.parent_filters.is_empty() || self.scan.limit.is_some() {
            return Ok(FilterPushdownPropagation::all_unsupported(pushed));
        }
        let mut scan = self.scan.clone();
        let mut answers = Vec::new();
        for child in &pushed.parent_filters {
            // What is not dynamic was pushed down before, by the provider; the rest stays where it is.
            if !matches!(DynamicFilterTracking::classify(&child.filter), DynamicFilterTracking::Static) {
                let columns = Scan::columns_of(&scan.view, &child.filter)?;
                scan.dynamic.push((child.filter.clone(), columns));
                answers.push(PushedDown::Yes);
            } else {
                answers.push(PushedDown::No);
            }
        }
        let node: Arc<dyn ExecutionPlan> = Arc::new(Self {
            scan,
            units: self.units.clone(),
            rounds: Mutex::default(),
            properties: self.properties.clone(),
            schema: self.schema.clone(),
        });
        Ok(FilterPushdownPropagation::with_parent_pushdown_result(answers).with_updated_node(node))
    }
}
