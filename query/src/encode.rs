//! Answers as JSON, CSV, Arrow IPC and terminal text.
//!
//! Event text is the attacker's: CSV cells that a spreadsheet would compute are made plain, and nothing that a terminal
//! would obey reaches it. The column `timestamp` is `@timestamp` in JSON, as ECS has it; times are RFC 3339 in UTC.

use std::fmt::Write as _;

use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType},
    error::ArrowError,
    ipc::writer::StreamWriter,
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use event::Micros;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What becomes of a column without a value in a JSON row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Left out: events have hundreds of columns and few values.
    Omit,
    /// Written as null.
    Keep,
}

/// A column's name in JSON.
pub fn json_name(column: &str) -> &str {
    if column == "timestamp" { "@timestamp" } else { column }
}

/// RFC 3339 in UTC, microseconds.
pub fn rfc3339(micros: Micros) -> String {
    match chrono::DateTime::from_timestamp_micros(micros) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        None => micros.to_string(),
    }
}

/// Rows as JSON objects.
pub fn json_rows(batches: &[RecordBatch], nulls: Nulls) -> Result<Vec<Map<String, Value>>> {
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let first = rows.len();
        rows.resize_with(first + batch.num_rows(), Map::new);
        for (column, array) in batch.schema().fields().iter().zip(batch.columns()) {
            if nulls == Nulls::Omit && array.null_count() == array.len() {
                continue;
            }
            let name = json_name(column.name());
            let values = json_column(array)?;
            for (row, value) in rows[first..].iter_mut().zip(values) {
                if nulls == Nulls::Keep || !value.is_null() {
                    row.insert(name.to_owned(), value);
                }
            }
        }
    }
    Ok(rows)
}

fn json_column(array: &ArrayRef) -> Result<Vec<Value>> {
    let rows = 0..array.len();
    Ok(match plain(array)? {
        Plain::Text(array) => {
            let texts = array.as_string_view();
            rows.map(|row| if texts.is_null(row) { Value::Null } else { texts.value(row).into() }).collect()
        }
        Plain::Integer(array) => {
            let numbers = array.as_primitive::<Int64Type>();
            rows.map(|row| if numbers.is_null(row) { Value::Null } else { numbers.value(row).into() }).collect()
        }
        Plain::Float(array) => {
            let numbers = array.as_primitive::<Float64Type>();
            rows.map(|row| if numbers.is_null(row) { Value::Null } else { numbers.value(row).into() }).collect()
        }
        Plain::Boolean(array) => {
            let flags = array.as_boolean();
            rows.map(|row| if flags.is_null(row) { Value::Null } else { flags.value(row).into() }).collect()
        }
        Plain::Time(array) => {
            let times = array.as_primitive::<TimestampMicrosecondType>();
            rows.map(|row| if times.is_null(row) { Value::Null } else { rfc3339(times.value(row)).into() }).collect()
        }
        Plain::List(array) => {
            let lists = array.as_list::<i32>();
            let items = json_column(lists.values())?;
            let offsets = lists.value_offsets();
            rows.map(|row| match lists.is_null(row) {
                true => Value::Null,
                false => Value::Array(items[offsets[row] as usize..offsets[row + 1] as usize].to_vec()),
            })
            .collect()
        }
    })
}

/// The few shapes that an answer's columns are brought to.
enum Plain {
    Text(ArrayRef),
    Integer(ArrayRef),
    Float(ArrayRef),
    Boolean(ArrayRef),
    Time(ArrayRef),
    List(ArrayRef),
}

fn plain(array: &ArrayRef) -> Result<Plain> {
    let to = |wanted: DataType| cast(array, &wanted).map_err(failed);
    Ok(match array.data_type() {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => Plain::Integer(to(DataType::Int64)?),
        // Beyond 2^63 only text tells it exactly; counts never come near.
        DataType::UInt64 => match cast(array, &DataType::Int64).map_err(failed)? {
            numbers if numbers.null_count() == array.null_count() => Plain::Integer(numbers),
            _ => Plain::Text(to(DataType::Utf8View)?),
        },
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Plain::Float(to(DataType::Float64)?),
        DataType::Boolean => Plain::Boolean(array.clone()),
        DataType::Timestamp(..) => Plain::Time(to(DataType::Timestamp(TimeUnit::Microsecond, None))?),
        DataType::List(_) => Plain::List(array.clone()),
        DataType::Utf8View => Plain::Text(array.clone()),
        DataType::Utf8 | DataType::LargeUtf8 => Plain::Text(to(DataType::Utf8View)?),
        _ => Plain::Text(displayed(array)?),
    })
}

/// Any other type as the engine would print it: dates, intervals, decimals.
fn displayed(array: &ArrayRef) -> Result<ArrayRef> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options).map_err(failed)?;
    let texts = (0..array.len()).map(|row| array.is_valid(row).then(|| formatter.value(row).to_string()));
    Ok(std::sync::Arc::new(texts.collect::<datafusion::arrow::array::StringViewArray>()))
}

fn failed(error: ArrowError) -> Error {
    Error::failed(format!("failed to write the answer: {error}"))
}

/// The header line of a CSV answer.
pub fn csv_header(schema: &SchemaRef) -> String {
    let mut out = String::new();
    for (at, column) in schema.fields().iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        csv_cell(&mut out, json_name(column.name()), true);
    }
    out.push_str("\r\n");
    out
}

/// The rows of one batch as CSV (RFC 4180); lists are joined by `; `.
pub fn csv_rows(batch: &RecordBatch) -> Result<String> {
    let columns = batch
        .columns()
        .iter()
        .map(|array| Ok((cells(array)?, matches!(plain(array)?, Plain::Text(_) | Plain::List(_)))))
        .collect::<Result<Vec<_>>>()?;
    let mut out = String::new();
    for row in 0..batch.num_rows() {
        for (at, (cells, is_text)) in columns.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            csv_cell(&mut out, cells[row].as_deref().unwrap_or_default(), *is_text);
        }
        out.push_str("\r\n");
    }
    Ok(out)
}

/// Writes one cell. A text that a spreadsheet would take for a formula gets a leading apostrophe.
fn csv_cell(out: &mut String, text: &str, is_text: bool) {
    let is_formula = is_text && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&text);
    }
}

/// Each row as one text; `None` for null.
fn cells(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(json_column(array)?
        .iter()
        .map(|value| match value {
            Value::Null => None,
            Value::Array(items) => Some(items.iter().map(text).collect::<Vec<_>>().join("; ")),
            other => Some(text(other)),
        })
        .collect())
}

/// An Arrow IPC stream.
pub fn arrow_ipc(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema).map_err(failed)?;
    for batch in batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

/// Longest cell of a terminal table, in characters.
const CELL_CHARS_MAX: usize = 120;

/// A table for a terminal; columns without any value are left out when there are more than `columns_max`.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch], columns_max: usize) -> Result<String> {
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    for (at, column) in schema.fields().iter().enumerate() {
        let has_value = batches.iter().any(|batch| batch.column(at).null_count() < batch.num_rows());
        if !has_value && schema.fields().len() > columns_max {
            continue;
        }
        let mut texts = Vec::new();
        for batch in batches {
            texts.extend(cells(batch.column(at))?.into_iter().map(|cell| shortened(&terminal_safe(&cell.unwrap_or_default()))));
        }
        columns.push((terminal_safe(json_name(column.name())), texts));
    }
    let widths: Vec<usize> = columns
        .iter()
        .map(|(name, texts)| texts.iter().chain([name]).map(|text| text.chars().count()).max().unwrap_or(0))
        .collect();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut out = String::new();
    let mut line = |texts: Vec<&str>| {
        let cells: Vec<String> = texts.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}")).collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    };
    line(columns.iter().map(|(name, _)| name.as_str()).collect());
    let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    line(rules.iter().map(String::as_str).collect());
    for row in 0..rows {
        line(columns.iter().map(|(_, texts)| texts[row].as_str()).collect());
    }
    Ok(out)
}

/// Text that a terminal shows and does not obey: control characters, C1 included, and marks that turn the reading direction
/// are written as escapes.
pub fn terminal_safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_direction_mark(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= CELL_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Int64Array, StringViewArray, TimestampMicrosecondArray};
    use expect_test::expect;

    use super::*;

    fn batch() -> RecordBatch {
        let time = TimestampMicrosecondArray::from(vec![Some(1_767_225_600_000_001), None]).with_timezone("UTC");
        let text = StringViewArray::from(vec![Some("=cmd|' /C calc'!A0"), Some("a\u{1b}[2J\u{202e}\nb, \"c\"")]);
        let number = Int64Array::from(vec![Some(-5), None]);
        RecordBatch::try_from_iter([
            ("timestamp", Arc::new(time) as ArrayRef),
            ("message", Arc::new(text)),
            ("source.port", Arc::new(number)),
        ])
        .unwrap()
    }

    #[test]
    fn json_has_ecs_names_and_utc_times() {
        let rows = json_rows(&[batch()], Nulls::Omit).unwrap();
        expect![[r#"{"@timestamp":"2026-01-01T00:00:00.000001Z","message":"=cmd|' /C calc'!A0","source.port":-5}"#]]
            .assert_eq(&serde_json::to_string(&rows[0]).unwrap());
        assert_eq!(rows[1].len(), 1);
        assert_eq!(json_rows(&[batch()], Nulls::Keep).unwrap()[1].len(), 3);
    }

    #[test]
    fn csv_holds_no_formula() {
        let batch = batch();
        let text = csv_header(&batch.schema()) + &csv_rows(&batch).unwrap();
        assert!(
            text.starts_with("'@timestamp,message,source.port\r\n2026-01-01T00:00:00.000001Z,'=cmd|' /C calc'!A0,-5\r\n"),
            "{text}"
        );
        assert!(text.contains("\"\"c\"\""));
    }

    #[test]
    fn a_terminal_is_not_obeyed() {
        let batch = batch();
        let text = table(&batch.schema(), &[batch], 10).unwrap();
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("\\u{1b}[2J\\u{202e}\\nb"), "{text}");
    }

    #[test]
    fn arrow_can_be_read_back() {
        let batch = batch();
        let bytes = arrow_ipc(&batch.schema(), std::slice::from_ref(&batch)).unwrap();
        let mut reader = datafusion::arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), batch);
    }
}
