//! Table providers: `events` over a [`View`], small tables of other crates, and the lists `tables` and `fields`.
//!
//! Each provider is made for one asker: scope and masking are inside it, below everything a statement can say.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, BooleanArray, StringViewArray},
        compute::{cast, filter_record_batch},
        datatypes::{DataType, Field as ArrowField, Schema, SchemaRef},
        record_batch::RecordBatch,
    },
    catalog::{Session, TableProvider},
    common::{DFSchema, Result},
    datasource::memory::MemorySourceConfig,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType, utils::conjunction},
    physical_plan::ExecutionPlan,
};
use event::{Field, Scope, seam::TableSource};
use store::index::Question;

use crate::{
    file::MetadataCache,
    mask::{Masker, hidden_in_table},
    prune::prunable,
    pushdown::question,
    scan::{EventsExec, Scan, ScanStats},
    view::View,
};

/// The table `events`.
#[derive(Debug)]
pub(crate) struct Events {
    view: Arc<View>,
    metadata: Arc<MetadataCache>,
    stats: Arc<ScanStats>,
    /// What the index is asked beside the statement's own filter.
    narrow: Option<Question>,
}

impl Events {
    pub(crate) fn new(view: Arc<View>, metadata: Arc<MetadataCache>, stats: Arc<ScanStats>, narrow: Option<Question>) -> Self {
        Self { view, metadata, stats, narrow }
    }
}

impl std::fmt::Debug for MetadataCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetadataCache").finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for Events {
    fn schema(&self) -> SchemaRef {
        self.view.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let projection = projection.cloned().unwrap_or_else(|| (0..self.view.schema.fields().len()).collect());
        let filter = match conjunction(filters.to_vec()) {
            Some(filter) => {
                let schema = DFSchema::try_from(self.view.schema.as_ref().clone())?;
                Some(state.create_physical_expr(filter, &schema)?)
            }
            None => None,
        };
        let filter_columns = filter.as_ref().map(|filter| Scan::columns_of(&self.view, filter)).transpose()?.unwrap_or_default();
        let asked = filter.as_ref().and_then(|filter| prunable(&self.view, filter)).and_then(|filter| question(&filter));
        let scan = Scan {
            view: self.view.clone(),
            metadata: self.metadata.clone(),
            stats: self.stats.clone(),
            projection,
            question: match (asked, self.narrow.clone()) {
                (Some(one), Some(other)) => Some(Question::All(vec![one, other])),
                (one, other) => one.or(other),
            },
            filter,
            filter_columns,
            dynamic: vec![],
            limit,
            counted: None,
            newest: None,
        };
        Ok(Arc::new(EventsExec::new(scan, state.config().target_partitions())?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }
}

/// A table that another crate holds, for one asker.
pub(crate) struct Shared {
    source: Arc<dyn TableSource>,
    scope: Arc<Scope>,
    masker: Masker,
    schema: SchemaRef,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("table", &self.source.name()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Returns `None` when the asker may not know of the table: it has no scope column and the asker does not see all.
    pub(crate) fn new(source: Arc<dyn TableSource>, scope: Arc<Scope>, masker: Masker) -> Option<Self> {
        if source.scope_column().is_none() && !scope.sees_all() {
            return None;
        }
        let schema = source.schema();
        Some(Self { source, scope, masker, schema })
    }

    fn restrict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let Some(column) = self.source.scope_column().filter(|_| !self.scope.sees_all()) else { return Ok(batch.clone()) };
        let systems = match batch.column_by_name(column) {
            Some(systems) => cast(systems, &DataType::Utf8View)?,
            None => return Ok(batch.slice(0, 0)),
        };
        let systems = systems.as_string_view();
        let seen: BooleanArray =
            systems.iter().map(|system| Some(system.is_some_and(|system| self.scope.sees(system)))).collect();
        Ok(filter_record_batch(batch, &seen)?)
    }

    fn mask(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(array, column)| match hidden_in_table(&self.scope, column) {
                Some(privacy) => self.masker.mask(privacy, array),
                None => Ok(array.clone()),
            })
            .collect::<std::result::Result<_, _>>()?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

#[async_trait]
impl TableProvider for Shared {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let name = self.source.name();
        let batches =
            self.source.scan().await.map_err(|error| crate::Error::failed(format!("failed to read table {name}: {error}")))?;
        let batches = batches.iter().map(|batch| self.mask(&self.restrict(batch)?)).collect::<Result<Vec<_>>>()?;
        Ok(MemorySourceConfig::try_new_exec(&[batches], self.schema.clone(), projection.cloned())?)
    }
}

/// The list `fields`: every column of events that the asker can name.
pub(crate) fn fields_table(events: &SchemaRef) -> Result<RecordBatch> {
    let names: Vec<&str> = events.fields().iter().map(|column| column.name().as_str()).collect();
    let of = |value: &dyn Fn(&'static event::Definition) -> &'static str| -> ArrayRef {
        let values = names.iter().map(|name| Field::by_name(name).map(|field| value(field.definition())));
        Arc::new(values.collect::<StringViewArray>())
    };
    let types: StringViewArray = names.iter().map(|name| Some(type_name(name))).collect();
    text_table(vec![
        ("name", Arc::new(names.iter().map(Some).collect::<StringViewArray>())),
        ("type", Arc::new(types)),
        ("label_vi", of(&|field| field.label_vi)),
        ("label_en", of(&|field| field.label_en)),
        ("doc", of(&|field| field.doc)),
    ])
}

/// A field's type in a reader's words: `keyword`, `ip list`, …; what is outside the catalogue is text.
pub(crate) fn type_name(name: &str) -> &'static str {
    use event::Kind;
    let Some(definition) = Field::by_name(name).map(Field::definition) else { return "text" };
    match (definition.kind, definition.list) {
        (Kind::Keyword, false) => "keyword",
        (Kind::Keyword, true) => "keyword list",
        (Kind::Text, false) => "text",
        (Kind::Text, true) => "text list",
        (Kind::Ip, false) => "ip",
        (Kind::Ip, true) => "ip list",
        (Kind::Long, _) => "long",
        (Kind::Double, _) => "double",
        (Kind::Boolean, _) => "boolean",
        (Kind::Date, _) => "date",
    }
}

/// The list `tables`.
pub(crate) fn tables_table<'a>(names: impl Iterator<Item = &'a str>) -> Result<RecordBatch> {
    text_table(vec![("name", Arc::new(names.map(Some).collect::<StringViewArray>()))])
}

fn text_table(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let fields: Vec<ArrowField> = columns.iter().map(|(name, _)| ArrowField::new(*name, DataType::Utf8View, true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())?)
}
