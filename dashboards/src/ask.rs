//! Small questions of ours to the query engine, answered as JSON rows.

use event::Scope;
use query::{Collected, ErrorKind};
use serde_json::{Map, Value};

use crate::{
    App,
    error::{ApiError, Result},
};

pub type Row = Map<String, Value>;

/// Runs one SELECT and reads its answer into memory.
pub async fn collected(app: &App, scope: &Scope, sql: &str) -> Result<Collected> {
    app.engine.sql(scope, sql, None).await.map_err(refused)?.collect().await.map_err(refused)
}

/// The limits of a question from the command line: whoever owns the data may fill a terminal or a file.
pub fn generous(limits: &query::Limits) -> query::Limits {
    query::Limits { rows_max: 2_000_000, result_bytes_max: 1 << 30, ..limits.clone() }
}

/// Runs one SELECT; the rows as JSON objects with dotted keys.
pub async fn rows(app: &App, scope: &Scope, sql: &str) -> Result<Vec<Row>> {
    let answer = collected(app, scope, sql).await?;
    query::encode::json_rows(&answer.batches, query::encode::Nulls::Keep).map_err(refused)
}

/// A text as an SQL literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The engine's error as the API says it.
pub fn refused(error: query::Error) -> ApiError {
    let code = match error.kind {
        ErrorKind::Syntax => "sql_syntax",
        ErrorKind::Unknown => "sql_unknown",
        ErrorKind::Invalid => "sql_invalid",
        ErrorKind::Denied => "sql_refused",
        ErrorKind::Limit | ErrorKind::Cancelled => "limit",
        ErrorKind::Busy => {
            let mut busy = ApiError::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "busy", error.to_string());
            busy.retry_after_s = Some(2);
            return busy;
        }
        ErrorKind::Failed => return ApiError::internal("the question could not be answered", &error),
    };
    let place = error.place.map(|place| format!(" (line {}, column {})", place.line, place.column));
    let mut answer = ApiError::bad(code, format!("{}{}", error.message, place.unwrap_or_default()));
    answer.hint = error.hint;
    answer
}

/// A time as an SQL expression.
pub fn time(micros: event::Micros) -> String {
    format!("to_timestamp_micros({micros})")
}

/// Writes an answer as `table`, `ndjson` or `csv`; returns its media type. Shared by the API and the command line.
pub fn write(found: &Collected, format: &str) -> query::Result<(&'static str, String)> {
    use query::encode;
    let mut text = String::new();
    let kind = match format {
        "table" => {
            text = encode::table(&found.schema, &found.batches, TABLE_COLUMNS_MAX)?;
            "text/plain; charset=utf-8"
        }
        "ndjson" => {
            for row in encode::json_rows(&found.batches, encode::Nulls::Keep)? {
                text.push_str(&Value::Object(row).to_string());
                text.push('\n');
            }
            "application/x-ndjson"
        }
        "csv" => {
            text = encode::csv_header(&found.schema);
            for batch in &found.batches {
                text.push_str(&encode::csv_rows(batch)?);
            }
            "text/csv; charset=utf-8"
        }
        other => {
            return Err(query::Error::new(
                ErrorKind::Invalid,
                format!("format {other:?} is none of json, ndjson, csv, table, arrow"),
            ));
        }
    };
    Ok((kind, text))
}

/// A table for a terminal is at most so wide; columns without any value go first.
const TABLE_COLUMNS_MAX: usize = 16;
