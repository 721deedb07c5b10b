//! Which columns a flush gets: catalogue fields, dense names outside it, and `residual` for the rest.
//!
//! A name outside the catalogue that fills more than 1 % of the rows becomes a column; a rarer one moves into the JSON text of
//! `residual`, row by row. This file decides and rewrites `residual`; the file itself is written in [`crate::segment`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder},
    datatypes::{DataType, Field as ArrowField, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use event::{EventBatch, Field, Micros, field};

use crate::{
    HotBatch,
    snapshot::{systems_of, time_span},
};

/// Columns outside the catalogue in one file; beyond it the rarer names go to `residual`.
const DENSE_MAX: usize = 1024;

/// Residual keys that one segment lists; with more, a reader must look into `residual` for any name.
const RESIDUAL_KEYS_MAX: usize = 4096;

/// A name is dense when it fills more than one row in this many.
const DENSE_SHARE: usize = 100;

/// The columns of one flush.
pub(crate) struct Plan {
    pub schema: SchemaRef,
    /// For each batch its `residual`, rewritten; `None` when all null.
    pub residuals: Vec<Option<ArrayRef>>,
    pub residual_keys: Arc<BTreeSet<String>>,
    pub residual_complete: bool,
}

/// Decides on the columns of the given batches.
pub(crate) fn plan(hot: &[Arc<HotBatch>]) -> Plan {
    let rows: usize = hot.iter().map(|hot| hot.batch.num_rows()).sum();
    let mut present = [false; Field::COUNT];
    let mut filled: BTreeMap<&str, usize> = BTreeMap::new();
    for batch in hot.iter().map(|hot| &hot.batch) {
        for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let count = array.len() - array.null_count();
            match Field::by_name(column.name()) {
                Some(field) => present[field.index()] |= count > 0,
                None if count > 0 => *filled.entry(column.name()).or_default() += count,
                None => {}
            }
        }
    }
    let mut dense: Vec<(&str, usize)> =
        filled.iter().map(|(name, count)| (*name, *count)).filter(|(_, count)| count * DENSE_SHARE > rows).collect();
    if dense.len() > DENSE_MAX {
        dense.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
        dense.truncate(DENSE_MAX);
    }
    let dense: BTreeSet<&str> = dense.into_iter().map(|(name, _)| name).collect();
    let mut keys = Keys::default();
    let residuals: Vec<_> = hot.iter().map(|hot| residual(&hot.batch, &dense, &mut keys)).collect();
    present[field::RESIDUAL.index()] = residuals.iter().any(Option::is_some);
    let mut fields: Vec<ArrowField> = Field::all()
        .filter(|field| present[field.index()])
        .map(|field| ArrowField::new(field.name(), field.definition().data_type(), true))
        .collect();
    fields.extend(dense.iter().map(|name| ArrowField::new(*name, DataType::Utf8View, true)));
    Plan {
        schema: Arc::new(Schema::new(fields)),
        residuals,
        residual_keys: Arc::new(keys.names),
        residual_complete: !keys.is_cut,
    }
}

#[derive(Default)]
struct Keys {
    names: BTreeSet<String>,
    is_cut: bool,
}

impl Keys {
    fn add(&mut self, name: &str) {
        if self.names.contains(name) {
            return;
        }
        if self.names.len() < RESIDUAL_KEYS_MAX {
            self.names.insert(name.to_owned());
        } else {
            self.is_cut = true;
        }
    }
}

/// Builds the `residual` column of a batch: what the block builder put there, then the names that are too rare for a column.
fn residual(batch: &RecordBatch, dense: &BTreeSet<&str>, keys: &mut Keys) -> Option<ArrayRef> {
    let old = batch.column_by_name(field::RESIDUAL.name()).and_then(|column| column.as_string_view_opt());
    let old = old.filter(|column| column.null_count() < column.len());
    let mut rare: Vec<(String, &StringViewArray)> = Vec::new();
    for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = column.name();
        if Field::by_name(name).is_some() || dense.contains(name.as_str()) || array.null_count() == array.len() {
            continue;
        }
        let Some(texts) = array.as_string_view_opt() else { continue };
        keys.add(name);
        rare.push((format!("{}:", json_text(name)), texts));
    }
    if rare.is_empty() && old.is_none() {
        return None;
    }
    let mut builder = StringViewBuilder::with_capacity(batch.num_rows());
    let mut text: Vec<u8> = Vec::new();
    for row in 0..batch.num_rows() {
        text.clear();
        if let Some(old) = old.filter(|old| old.is_valid(row)) {
            let object = old.value(row);
            note_keys(object, keys);
            text.extend_from_slice(object.trim_end().trim_end_matches('}').as_bytes());
        }
        for (label, texts) in rare.iter().filter(|(_, texts)| texts.is_valid(row)) {
            text.push(if text.is_empty() { b'{' } else { b',' });
            text.extend_from_slice(label.as_bytes());
            // Text into memory: neither the serialiser nor the writer can fail.
            let _ = serde_json::to_writer(&mut text, texts.value(row));
        }
        if text.is_empty() {
            builder.append_null();
        } else {
            text.push(b'}');
            builder.append_value(String::from_utf8_lossy(&text));
        }
    }
    Some(Arc::new(builder.finish()))
}

/// Lists the keys of an object that the block builder wrote. Rare: only blocks with very many names have such rows.
fn note_keys(object: &str, keys: &mut Keys) {
    match serde_json::from_str::<BTreeMap<String, serde::de::IgnoredAny>>(object) {
        Ok(map) => map.keys().for_each(|name| keys.add(name)),
        Err(_) => keys.is_cut = true,
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Makes a hot batch of a block's batch: every column has the catalogue's type (text outside it), and `event.dataset` is
/// there. A column that cannot be brought to its type is left out with a warning; the pipe's builder never makes one.
pub(crate) fn conform(event: EventBatch, through: u64, now: Micros) -> HotBatch {
    let rows = event.batch.num_rows();
    let mut fields = Vec::with_capacity(event.batch.num_columns() + 1);
    let mut columns = Vec::with_capacity(event.batch.num_columns() + 1);
    for (column, array) in event.batch.schema_ref().fields().iter().zip(event.batch.columns()) {
        let wanted = Field::by_name(column.name()).map_or(DataType::Utf8View, |field| field.definition().data_type());
        let array = match array.data_type() {
            found if *found == wanted => Arc::clone(array),
            found => match arrow::compute::cast(array, &wanted) {
                Ok(array) => array,
                Err(error) => {
                    tracing::warn!(column = column.name(), %found, %wanted, %error, "left out a column of the wrong type");
                    continue;
                }
            },
        };
        fields.push(ArrowField::new(column.name(), wanted, true));
        columns.push(array);
    }
    if event.batch.column_by_name(field::EVENT_DATASET.name()).is_none() {
        fields.push(ArrowField::new(field::EVENT_DATASET.name(), DataType::Utf8View, true));
        columns.push(Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(&event.dataset, rows))));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the columns are those of a batch, cast");
    HotBatch {
        bytes: batch.get_array_memory_size() as u64,
        through,
        timestamp: time_span(&batch, field::TIMESTAMP),
        ingested: time_span(&batch, field::EVENT_INGESTED).unwrap_or((now, now)),
        systems: systems_of(&batch, &event.dataset, now, 0..rows),
        dataset: event.dataset,
        batch,
    }
}
