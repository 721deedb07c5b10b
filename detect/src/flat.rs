//! Events written down as maps of column → value: rule tests, truth tables and the rule editor make batches of them.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, StringViewArray, StringViewBuilder},
    datatypes::{DataType, Field as ArrowField, Schema},
    record_batch::{RecordBatch, RecordBatchOptions},
};
use event::{EventBatch, Field, Kind};
use serde_json::Value;

/// One event: column name → text, number, true/false or a list of them. Null means absent.
pub type FlatEvent = serde_json::Map<String, Value>;

/// Makes one batch of events of the same dataset. Columns of the catalogue have its types where all values fit them,
/// others are text, as the block builder would have it.
pub fn batch(dataset: &str, events: &[FlatEvent]) -> EventBatch {
    let mut columns: BTreeMap<&str, Vec<Option<&Value>>> = BTreeMap::new();
    for (row, event) in events.iter().enumerate() {
        for (name, value) in event.iter().filter(|(_, value)| !value.is_null()) {
            columns.entry(name).or_insert_with(|| vec![None; events.len()])[row] = Some(value);
        }
    }
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (name, values) in columns {
        let array = array(name, &values);
        fields.push(ArrowField::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let codes = vec![None; arrays.len()];
    let options = RecordBatchOptions::new().with_row_count(Some(events.len()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .expect("every column has one value per event");
    EventBatch { dataset: dataset.to_owned(), batch, codes }
}

fn array(name: &str, values: &[Option<&Value>]) -> ArrayRef {
    if values.iter().flatten().any(|value| value.is_array()) {
        return list(values);
    }
    let kind = Field::by_name(name).map(|field| field.definition().kind);
    let numbers: Option<Vec<Option<i64>>> = values.iter().map(|value| whole(*value, Value::as_i64)).collect();
    let floats: Option<Vec<Option<f64>>> = values.iter().map(|value| whole(*value, Value::as_f64)).collect();
    let flags: Option<Vec<Option<bool>>> = values.iter().map(|value| whole(*value, Value::as_bool)).collect();
    match (kind, numbers, floats, flags) {
        (Some(Kind::Long), Some(numbers), ..) => Arc::new(Int64Array::from(numbers)),
        (Some(Kind::Double), _, Some(floats), _) => Arc::new(Float64Array::from(floats)),
        (Some(Kind::Boolean), .., Some(flags)) => Arc::new(BooleanArray::from(flags)),
        _ => Arc::new(StringViewArray::from_iter(values.iter().map(|value| value.map(text)))),
    }
}

/// `None` when a value is there but does not fit.
fn whole<T>(value: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

fn list(values: &[Option<&Value>]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringViewBuilder::new()).with_field(ArrowField::new_list_field(DataType::Utf8View, true));
    for value in values {
        match value {
            Some(Value::Array(elements)) => {
                elements
                    .iter()
                    .filter(|element| !element.is_null())
                    .for_each(|element| builder.values().append_value(text(element)));
            }
            Some(value) => builder.values().append_value(text(value)),
            None => {}
        }
        builder.append(value.is_some());
    }
    Arc::new(builder.finish())
}

/// A scalar as the text that a column would hold.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() => value.to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
