//! From the columns that a batch or file has to the columns that the table shows.
//!
//! Per table column: the file's column, else a look-up in the `residual` JSON, else null; then masked. This is the only way
//! from stored rows to a question, so what is masked here is masked everywhere.

use std::{collections::HashMap, sync::Arc};

use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatchOptions, StringViewBuilder, new_null_array},
    compute::{cast, kernels::zip::zip},
    datatypes::{DataType, Schema, SchemaRef},
    error::ArrowError,
    record_batch::RecordBatch,
};
use event::{Field, Privacy, field};

use crate::{amend::Amendments, mask::Masker, view::View};

/// A selection of table columns, as one batch or file can give them.
#[derive(Clone)]
pub(crate) struct Lens {
    /// What comes out.
    pub schema: SchemaRef,
    outputs: Vec<Output>,
    masker: Masker,
    /// What stored rows are to be read as, where some may be amended.
    amendments: Option<Arc<Amendments>>,
    /// Columns of the file to read, ascending.
    pub reads: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Output {
    origin: Origin,
    hidden: Option<Privacy>,
}

#[derive(Clone, Debug)]
enum Origin {
    Column(String),
    Residual,
    /// The rare name that is both: the column first.
    ColumnThenResidual(String),
    Null,
}

/// What is known about residual names where rows come from.
#[derive(Clone, Copy)]
pub(crate) enum ResidualNames<'a> {
    /// Exactly these.
    Known(&'a std::collections::BTreeSet<String>),
    /// Any name may be there.
    Any,
}

impl ResidualNames<'_> {
    fn may_hold(self, name: &str) -> bool {
        match self {
            Self::Known(names) => names.contains(name),
            Self::Any => true,
        }
    }
}

impl Lens {
    /// `wanted` are columns of the view's schema; `file` is what there is; `may_amend` when its rows are as stored and some of
    /// them may be amended.
    pub(crate) fn new(view: &View, wanted: &[usize], file: &Schema, residual: ResidualNames<'_>, may_amend: bool) -> Self {
        let mut reads = Vec::new();
        let is_amended = |name: &str| may_amend && Amendments::changes(name);
        let amends = wanted.iter().any(|&column| is_amended(view.schema.field(column).name()));
        if amends {
            reads.extend(Amendments::reads().filter_map(|name| file.index_of(name).ok()));
        }
        let residual_at = file.index_of(field::RESIDUAL.name()).ok();
        let outputs = wanted
            .iter()
            .map(|&column| {
                let name = view.schema.field(column).name();
                let at = file.index_of(name).ok();
                let in_residual = residual_at.is_some() && Field::by_name(name).is_none() && residual.may_hold(name);
                reads.extend(at);
                if in_residual {
                    reads.extend(residual_at);
                }
                let origin = match (at, in_residual) {
                    (Some(_), false) => Origin::Column(name.clone()),
                    (Some(_), true) => Origin::ColumnThenResidual(name.clone()),
                    (None, _) if is_amended(name) => Origin::Column(name.clone()),
                    (None, true) => Origin::Residual,
                    (None, false) => Origin::Null,
                };
                Output { origin, hidden: view.hidden[column] }
            })
            .collect();
        reads.sort_unstable();
        reads.dedup();
        let fields: Vec<_> = wanted.iter().map(|&column| view.schema.fields()[column].clone()).collect();
        let amendments = amends.then(|| view.amendments.clone());
        Self { schema: Arc::new(Schema::new(fields)), outputs, masker: view.masker.clone(), amendments, reads }
    }

    /// True when some column's value may be in the residual although the file has a column of that name: then the file's
    /// statistics do not tell the whole truth.
    pub(crate) fn has_split_columns(&self) -> bool {
        self.outputs.iter().any(|output| matches!(output.origin, Origin::ColumnThenResidual(_)))
    }

    /// True when every column comes from the column of its name as it is stored.
    pub(crate) fn is_direct(&self) -> bool {
        self.amendments.is_none() && self.outputs.iter().all(|output| matches!(output.origin, Origin::Column(_)))
    }

    /// Turns a batch with (at least) the columns of `reads` into one with the columns of `schema`.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let amended = match &self.amendments {
            Some(amendments) => Some(amendments.apply(batch, &|name| self.schema.index_of(name).is_ok())?),
            None => None,
        };
        let batch = amended.as_ref().unwrap_or(batch);
        let rows = batch.num_rows();
        let mut residual = self.look_up(batch);
        let mut nulls: HashMap<DataType, ArrayRef> = HashMap::new();
        let mut columns = Vec::with_capacity(self.outputs.len());
        for (output, column) in self.outputs.iter().zip(self.schema.fields()) {
            let wanted = column.data_type();
            let found = match &output.origin {
                Origin::Column(name) => batch.column_by_name(name).cloned(),
                Origin::Residual => residual.remove(column.name()),
                Origin::ColumnThenResidual(name) => match (batch.column_by_name(name), residual.remove(column.name())) {
                    (Some(own), Some(rest)) => {
                        let own = cast(own, &DataType::Utf8View)?;
                        Some(zip(&datafusion::arrow::compute::is_not_null(&own)?, &own, &rest)?)
                    }
                    (own, rest) => own.cloned().or(rest),
                },
                Origin::Null => None,
            };
            columns.push(match found {
                Some(array) => {
                    let array = if array.data_type() == wanted { array } else { cast(&array, wanted)? };
                    match output.hidden {
                        Some(privacy) => self.masker.mask(privacy, &array)?,
                        None => array,
                    }
                }
                // One array of nulls per type serves all absent columns: `SELECT *` has hundreds.
                None => nulls.entry(wanted.clone()).or_insert_with(|| new_null_array(wanted, rows)).clone(),
            });
        }
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
    }

    /// Reads all wanted residual names at once: each row's JSON is parsed one time.
    fn look_up(&self, batch: &RecordBatch) -> HashMap<String, ArrayRef> {
        let wanted: Vec<&String> = self
            .outputs
            .iter()
            .zip(self.schema.fields())
            .filter(|(output, _)| matches!(output.origin, Origin::Residual | Origin::ColumnThenResidual(_)))
            .map(|(_, column)| column.name())
            .collect();
        let residual = batch.column_by_name(field::RESIDUAL.name()).and_then(|column| cast(column, &DataType::Utf8View).ok());
        let Some(residual) = residual.filter(|_| !wanted.is_empty()) else { return HashMap::new() };
        let texts = residual.as_string_view();
        let mut builders: Vec<StringViewBuilder> = wanted.iter().map(|_| StringViewBuilder::with_capacity(texts.len())).collect();
        for row in 0..texts.len() {
            let object = match texts.is_valid(row).then(|| serde_json::from_str(texts.value(row))) {
                Some(Ok(serde_json::Value::Object(object))) => object,
                _ => serde_json::Map::new(),
            };
            for (name, builder) in wanted.iter().zip(&mut builders) {
                builder.append_option(object.get(name.as_str()).and_then(|value| value.as_str()));
            }
        }
        wanted.into_iter().cloned().zip(builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef)).collect()
    }
}
