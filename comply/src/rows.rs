//! Reading small answers: columns by name, any text or number type that an SQL engine may choose.

use std::collections::HashMap;

use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use event::Micros;
use serde_json::{Map, Value};

/// Rows of an answer, column by column, in plain types.
#[derive(Debug, Default)]
pub struct Rows {
    columns: HashMap<String, Vec<Value>>,
    names: Vec<String>,
    len: usize,
}

impl Rows {
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Self, String> {
        let mut rows = Self::default();
        for batch in batches {
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                if !rows.columns.contains_key(field.name()) {
                    rows.names.push(field.name().clone());
                }
                rows.columns.entry(field.name().clone()).or_default().extend(plain(column)?);
            }
            rows.len += batch.num_rows();
        }
        Ok(rows)
    }

    /// Rows as a case of a check file writes them: a list of objects. Times are RFC 3339 text.
    pub fn from_json(objects: &[Map<String, Value>]) -> Self {
        let mut rows = Self { len: objects.len(), ..Self::default() };
        for name in objects.iter().flat_map(Map::keys) {
            if !rows.names.contains(name) {
                rows.names.push(name.clone());
            }
        }
        for name in &rows.names {
            rows.columns.insert(name.clone(), objects.iter().map(|row| row.get(name).cloned().unwrap_or(Value::Null)).collect());
        }
        rows
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn text(&self, column: &str, row: usize) -> Option<&str> {
        self.columns.get(column)?.get(row)?.as_str()
    }

    pub fn integer(&self, column: &str, row: usize) -> Option<i64> {
        self.columns.get(column)?.get(row)?.as_i64()
    }

    /// A count; missing or negative is 0.
    pub fn count(&self, column: &str, row: usize) -> u64 {
        self.integer(column, row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
    }

    /// Times travel as RFC 3339 text between `plain` and here, so that samples show them readably.
    pub fn time(&self, column: &str, row: usize) -> Option<Micros> {
        parse_time(self.text(column, row)?)
    }

    /// The rows of one system, as indices.
    pub fn of_system<'a>(&'a self, system: &'a str) -> impl Iterator<Item = usize> + 'a {
        (0..self.len).filter(move |row| self.text("system.id", *row).or_else(|| self.text("system", *row)) == Some(system))
    }

    /// Up to `max` rows of a system as objects, for the page.
    pub fn sample(&self, system: &str, max: usize) -> Vec<Map<String, Value>> {
        let object = |row: usize| self.names.iter().map(|name| (name.clone(), self.columns[name][row].clone())).collect();
        self.of_system(system).take(max).map(object).collect()
    }
}

/// RFC 3339, or a bare date (midnight UTC).
pub fn parse_time(text: &str) -> Option<Micros> {
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time.timestamp_micros()),
        Err(_) => {
            Some(text.get(..10)?.parse::<chrono::NaiveDate>().ok()?.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros())
        }
    }
}

pub fn time_text(at: Micros) -> String {
    chrono::DateTime::from_timestamp_micros(at).unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn plain(column: &ArrayRef) -> Result<Vec<Value>, String> {
    let failed = |error: arrow::error::ArrowError| format!("failed to read the answer: {error}");
    let len = column.len();
    let values = match column.data_type() {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let times = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None)).map_err(failed)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            (0..len).map(|i| if times.is_null(i) { Value::Null } else { time_text(times.value(i)).into() }).collect()
        }
        DataType::Boolean => {
            let flags = column.as_boolean();
            (0..len).map(|i| if flags.is_null(i) { Value::Null } else { flags.value(i).into() }).collect()
        }
        kind if kind.is_integer() => {
            let numbers = cast(column, &DataType::Int64).map_err(failed)?;
            let numbers = numbers.as_primitive::<Int64Type>();
            (0..len).map(|i| if numbers.is_null(i) { Value::Null } else { numbers.value(i).into() }).collect()
        }
        _ => {
            let texts = cast(column, &DataType::Utf8).map_err(failed)?;
            let texts = texts.as_string::<i32>();
            (0..len).map(|i| if texts.is_null(i) { Value::Null } else { texts.value(i).into() }).collect()
        }
    };
    Ok(values)
}
