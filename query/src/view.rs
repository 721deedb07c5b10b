//! What one asker sees of one snapshot: which batches and segments at all, which columns, which of them masked.
//!
//! A view is made once per question, so every table of a statement sees the same instant. For a restricted asker the
//! schema holds only names that occur where the asker's systems do.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex},
};

use datafusion::arrow::{
    array::{Array, AsArray, BooleanArray},
    buffer::BooleanBuffer,
    datatypes::{DataType, Field as ArrowField, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use event::{Field, Micros, Privacy, Scope, Systems, UNASSIGNED, field};
use store::{HotBatch, Segment, Snapshot, SystemClass};

use crate::{
    amend::Amendments,
    mask::{Masker, hidden},
};

/// A snapshot through the eyes of one asker.
pub(crate) struct View {
    pub hot: Vec<Arc<HotBatch>>,
    pub segments: Vec<Arc<Segment>>,
    /// All catalogue columns, then the names outside it.
    pub schema: SchemaRef,
    pub rows: RowScope,
    pub masker: Masker,
    /// By column of `schema`: the class to mask it by.
    pub hidden: Vec<Option<Privacy>>,
    pub amendments: Arc<Amendments>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

impl View {
    pub(crate) fn new(
        snapshot: &Snapshot,
        scope: &Scope,
        masker: Masker,
        schemas: &SchemaCache,
        amendments: Arc<Amendments>,
    ) -> Self {
        let rows = RowScope::new(scope);
        let adopts = amendments.systems().any(|system| rows.sees(system));
        let seen = |systems: &[SystemClass]| rows.sees_some(systems) || adopts && amendments.concern(systems);
        let hot: Vec<_> = snapshot.hot.iter().filter(|hot| seen(&hot.systems)).cloned().collect();
        let segments: Vec<_> = snapshot.segments.iter().filter(|segment| seen(&segment.systems)).cloned().collect();
        let schema = match rows.only {
            None => schemas.get(&with_hot_residual(snapshot)),
            Some(_) => {
                let mut names = BTreeSet::new();
                for hot in &hot {
                    names.extend(extra_of_batch(&hot.batch));
                }
                // Most files share these lists with others.
                let mut known = HashSet::new();
                for segment in &segments {
                    if known.insert(Arc::as_ptr(&segment.schema).cast::<()>()) {
                        let columns = segment.schema.fields().iter().map(|column| column.name());
                        names.extend(columns.filter(|name| Field::by_name(name).is_none()).cloned());
                    }
                    if !segment.residual_keys.is_empty() && known.insert(Arc::as_ptr(&segment.residual_keys).cast()) {
                        names.extend(segment.residual_keys.iter().cloned());
                    }
                }
                schema_with(names.iter().map(String::as_str))
            }
        };
        let hidden = schema.fields().iter().map(|column| hidden(scope, column.name())).collect();
        Self { hot, segments, schema, rows, masker, hidden, amendments }
    }

    /// The same with the names of another view's schema: where no row has them they are null.
    pub(crate) fn widened(mut self, scope: &Scope, more: &Schema) -> Self {
        if more.fields().iter().any(|column| self.schema.index_of(column.name()).is_err()) {
            let names: BTreeSet<&str> =
                self.schema.fields().iter().chain(more.fields()).map(|column| column.name().as_str()).collect();
            self.schema = schema_with(names.into_iter());
            self.hidden = self.schema.fields().iter().map(|column| hidden(scope, column.name())).collect();
        }
        self
    }

    /// When the oldest event in scope was stored, of those batches and files that have one of the wanted columns.
    pub(crate) fn kept_since(&self, is_wanted: impl Fn(&str) -> bool) -> Option<Micros> {
        let has = |schema: &Schema| schema.fields().iter().any(|column| is_wanted(column.name()));
        let hot = self.hot.iter().filter(|hot| has(&hot.batch.schema())).map(|hot| &hot.systems);
        let files = self.segments.iter().filter(|segment| has(&segment.schema)).map(|segment| &segment.systems);
        let seen = hot.chain(files).flatten().filter(|entry| self.rows.sees(&entry.system));
        seen.map(|entry| entry.ingested.0).min()
    }

    /// Earliest and latest claimed time in the batches and files.
    pub(crate) fn span(&self) -> Option<(Micros, Micros)> {
        let times = self.hot.iter().filter_map(|hot| hot.timestamp);
        let times = times.chain(self.segments.iter().filter_map(|segment| segment.timestamp));
        times.reduce(|(min, max), (from, to)| (min.min(from), max.max(to)))
    }
}

/// The row filter that lies below everything else.
#[derive(Clone, Debug)]
pub(crate) struct RowScope {
    /// `None`: every row.
    pub only: Option<Arc<BTreeSet<String>>>,
}

impl RowScope {
    pub(crate) fn new(scope: &Scope) -> Self {
        let only = match &scope.systems {
            Systems::All => None,
            Systems::Only(ids) => {
                let mut ids = ids.clone();
                ids.remove(UNASSIGNED);
                Some(Arc::new(ids))
            }
        };
        Self { only }
    }

    pub(crate) fn is_restricted(&self) -> bool {
        self.only.is_some()
    }

    fn sees(&self, system: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(system))
    }

    fn sees_some(&self, systems: &[SystemClass]) -> bool {
        self.only.as_ref().is_none_or(|only| systems.iter().any(|entry| only.contains(&entry.system)))
    }

    /// Which rows are seen; `None` for all of them. A row without a system is nobody's.
    pub(crate) fn visible(&self, batch: &RecordBatch) -> Option<BooleanArray> {
        let only = self.only.as_ref()?;
        let rows = batch.num_rows();
        let column = batch.column_by_name(field::SYSTEM_ID.name());
        let text = column.and_then(|column| datafusion::arrow::compute::cast(column, &DataType::Utf8View).ok());
        let Some(text) = text else {
            return Some(BooleanArray::new(BooleanBuffer::new_unset(rows), None));
        };
        let text = text.as_string_view();
        let values = BooleanBuffer::collect_bool(rows, |row| text.is_valid(row) && only.contains(text.value(row)));
        Some(BooleanArray::new(values, None))
    }
}

/// Keeps the schema of the last snapshot: most questions see the same names.
#[derive(Default)]
pub(crate) struct SchemaCache(Mutex<Option<(Names, SchemaRef)>>);

type Names = Arc<BTreeSet<Arc<str>>>;

impl SchemaCache {
    fn get(&self, names: &Names) -> SchemaRef {
        let Ok(mut cached) = self.0.lock() else { return schema_with(names.iter().map(AsRef::as_ref)) };
        match &*cached {
            Some((known, schema)) if Arc::ptr_eq(known, names) || known == names => schema.clone(),
            _ => {
                let schema = schema_with(names.iter().map(AsRef::as_ref));
                *cached = Some((names.clone(), schema.clone()));
                schema
            }
        }
    }
}

/// The table schema: the whole catalogue, then text columns in the order of their names.
pub(crate) fn schema_with<'a>(names: impl Iterator<Item = &'a str>) -> SchemaRef {
    let catalogue = Field::all().map(|field| ArrowField::new(field.name(), field.definition().data_type(), true));
    let extra = names.filter(|name| Field::by_name(name).is_none()).map(|name| ArrowField::new(name, DataType::Utf8View, true));
    Arc::new(Schema::new(catalogue.chain(extra).collect::<Vec<_>>()))
}

/// The snapshot's names, and those that only a hot `residual` knows: a snapshot may list them after the flush only.
fn with_hot_residual(snapshot: &Snapshot) -> Names {
    let mut names = snapshot.extra.clone();
    let hot = snapshot.hot.iter().filter(|hot| hot.batch.column_by_name(field::RESIDUAL.name()).is_some());
    for name in hot.flat_map(|hot| extra_of_batch(&hot.batch)) {
        if !names.contains(name.as_str()) {
            Arc::make_mut(&mut names).insert(name.into());
        }
    }
    names
}

/// Names outside the catalogue in a batch, those inside its `residual` column included.
fn extra_of_batch(batch: &RecordBatch) -> BTreeSet<String> {
    let schema = batch.schema();
    let mut names: BTreeSet<String> =
        schema.fields().iter().map(|column| column.name()).filter(|name| Field::by_name(name).is_none()).cloned().collect();
    if let Some(residual) = batch.column_by_name(field::RESIDUAL.name()).and_then(|column| column.as_string_view_opt()) {
        for text in residual.iter().flatten() {
            if let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) {
                names.extend(object.into_iter().map(|(name, _)| name));
            }
        }
    }
    names
}
