//! The hunt page: rows, histogram, facets. A search text shows the SQL it means; SQL is a right of analysts.

use arrow::datatypes::DataType;
use axum::{Json, extract::State};
use event::{Field, Micros, Scope};
use query::{
    Before, ColumnInfo, FacetsRequest, HistogramRequest, HuntError, HuntRequest, Stats, encode,
    search::{Shape, Window},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Body;
use crate::{
    App,
    ask::refused,
    auth::Person,
    error::{ApiError, Misread, Result},
    time::{read, rfc3339},
};

/// Rows of one page of answers.
const ROWS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    q: String,
    #[serde(default)]
    mode: Mode,
    from: String,
    to: String,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    before: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Search,
    Sql,
}

pub async fn search(State(app): State<App>, person: Person, Body(search): Body<Search>) -> Result<Json<Value>> {
    let limit = search.limit.unwrap_or(100).clamp(1, ROWS_MAX);
    if search.mode == Mode::Sql {
        return sql(&app, &person.scope, &search.q).await;
    }
    let request = HuntRequest {
        q: search.q.clone(),
        from: Some(read("from", &search.from)?),
        to: Some(read("to", &search.to)?),
        limit,
        before: search.before.as_deref().map(read_before).transpose()?,
    };
    let found = app.engine.hunt(&person.scope, request).await.map_err(|error| misread(error, &search.q))?;
    let (view, span_ms) = match found.shape {
        Shape::Events => ("events", None),
        Shape::Table => ("table", None),
        Shape::Chart { span_ms } => ("chart", Some(span_ms)),
    };
    let rows = encode::json_rows(&found.rows, encode::Nulls::Omit).map_err(refused)?;
    let next = found.next.map(|before| format!("{}|{}", rfc3339(before.timestamp), before.id));
    Ok(Json(json!({
        "sql": found.sql,
        "view": view,
        "span_ms": span_ms,
        "columns": found.columns.iter().map(column).collect::<Vec<_>>(),
        "rows": rows.into_iter().map(with_plain_timestamp).collect::<Vec<_>>(),
        "took_ms": found.stats.took.as_millis() as u64,
        "scanned": scanned(found.stats),
        "complete": found.complete,
        "reason": found.reason,
        "next": next,
    })))
}

/// Free SQL; the time range of the page is not put into it.
async fn sql(app: &App, scope: &Scope, sql: &str) -> Result<Json<Value>> {
    if !scope.role.may_write_sql() {
        return Err(ApiError::forbidden("your role may search, not write SQL"));
    }
    let answer = crate::ask::collected(app, scope, sql).await?;
    let columns: Vec<Value> = answer.schema.fields().iter().map(|field| sql_column(field.name(), field.data_type())).collect();
    let rows = encode::json_rows(&answer.batches, encode::Nulls::Keep).map_err(refused)?;
    Ok(Json(json!({
        "sql": sql,
        "view": "table",
        "span_ms": null,
        "columns": columns,
        "rows": rows.into_iter().map(with_plain_timestamp).collect::<Vec<_>>(),
        "took_ms": answer.stats.took.as_millis() as u64,
        "scanned": scanned(answer.stats),
        "complete": answer.complete,
        "reason": answer.reason,
        "next": null,
    })))
}

/// A column of free SQL: a catalogue field has its labels and type, a computed one its Arrow type.
fn sql_column(name: &str, data_type: &DataType) -> Value {
    match Field::by_name(name).map(Field::definition) {
        Some(definition) => {
            let kind = format!("{:?}", definition.kind).to_lowercase();
            json!({ "name": name, "type": kind, "label_vi": definition.label_vi, "label_en": definition.label_en })
        }
        None => json!({ "name": name, "type": data_type.to_string() }),
    }
}

/// The page names the time column as SQL does.
pub fn with_plain_timestamp(mut row: Map<String, Value>) -> Map<String, Value> {
    if let Some(time) = row.shift_remove("@timestamp") {
        row.insert("timestamp".into(), time);
    }
    row
}

pub fn column(column: &ColumnInfo) -> Value {
    json!({ "name": column.name, "type": column.r#type, "label_vi": column.label_vi, "label_en": column.label_en })
}

fn scanned(stats: Stats) -> Value {
    json!({ "segments": stats.segments, "segments_skipped": stats.segments_skipped, "rows": stats.rows })
}

fn read_before(text: &str) -> Result<Before> {
    let wrong = || ApiError::bad("invalid", format!("before {text:?} is not the `next` of an answer"));
    let (time, id) = text.split_once('|').ok_or_else(wrong)?;
    Ok(Before { timestamp: read("before", time)?, id: id.to_owned() })
}

/// A syntax error points into the text, in characters, as the page counts.
pub fn misread(error: HuntError, q: &str) -> ApiError {
    match error {
        HuntError::Query(error) => refused(error),
        HuntError::Search(error) => {
            let characters = |bytes: usize| q.get(..bytes.min(q.len())).map_or(bytes, |part| part.chars().count());
            let (start, end) = (characters(error.offset), characters(error.offset + error.len));
            let mut answer = ApiError::bad("search_syntax", error.message.clone());
            answer.misread = Some(Box::new(Misread {
                offset: start,
                length: end - start,
                problem: error.problem.code(),
                vietnamese: error.vietnamese(),
            }));
            answer
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caret {
    q: String,
    /// In characters, as the page counts.
    caret: usize,
}

/// What may stand where the caret is.
pub async fn complete(State(app): State<App>, person: Person, Body(wanted): Body<Caret>) -> Json<Value> {
    let bytes = wanted.q.char_indices().nth(wanted.caret).map_or(wanted.q.len(), |(at, _)| at);
    let found = app.engine.complete(&person.scope, &wanted.q, bytes).await;
    let start = wanted.q.get(..found.start).map_or(0, |head| head.chars().count());
    let suggestions: Vec<Value> = found
        .suggestions
        .iter()
        .map(|one| json!({ "kind": one.kind.name(), "text": one.text, "detail": one.detail, "en": one.en, "vi": one.vi }))
        .collect();
    Json(json!({ "start": start, "suggestions": suggestions }))
}

/// What a question reads and what it leaves out, in plain words. It is run for that, and its rows are thrown away.
pub async fn explain(State(app): State<App>, person: Person, Body(search): Body<Search>) -> Result<Json<Value>> {
    let sql = match search.mode {
        Mode::Sql if !person.scope.role.may_write_sql() => {
            return Err(ApiError::forbidden("your role may search, not write SQL"));
        }
        Mode::Sql => search.q.clone(),
        Mode::Search => {
            let (from, to) = (read("from", &search.from)?, read("to", &search.to)?);
            let window = Window { from: Some(from), to: Some(to), limit: search.limit };
            app.engine.compile(&person.scope, &search.q, &window).map_err(|error| misread(error.into(), &search.q))?.sql
        }
    };
    let found = app.engine.explain(&person.scope, &sql).await.map_err(refused)?;
    let sentences: Vec<Value> = found
        .sentences
        .iter()
        .map(|one| json!({ "code": one.code, "figures": one.figures, "about": one.about, "vi": one.vi, "en": one.en }))
        .collect();
    Ok(Json(json!({ "sql": sql, "complete": found.complete, "sentences": sentences })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    q: String,
    #[serde(default)]
    mode: Mode,
    from: String,
    to: String,
    #[serde(default)]
    buckets: Option<usize>,
    #[serde(default)]
    by: Option<String>,
}

pub async fn histogram(State(app): State<App>, person: Person, Body(wanted): Body<Histogram>) -> Result<Json<Value>> {
    let (from, to) = (read("from", &wanted.from)?, read("to", &wanted.to)?);
    // SQL need not have a time column: the bars then show all events of the range.
    let q = if wanted.mode == Mode::Sql { String::new() } else { wanted.q.clone() };
    let request = HistogramRequest {
        q,
        from,
        to,
        buckets: wanted.buckets.unwrap_or(60).clamp(1, 400),
        by: wanted.by.filter(|by| !by.is_empty()),
    };
    let found = app.engine.histogram(&person.scope, request).await.map_err(|error| misread(error, &wanted.q))?;
    let buckets: Vec<Value> = found
        .buckets
        .iter()
        .map(|bucket| {
            let mut bar = json!({ "t": rfc3339(bucket.t), "n": bucket.n });
            if !bucket.parts.is_empty() {
                bar["parts"] = bucket.parts.iter().map(|(value, n)| (value.clone(), json!(n))).collect::<Map<_, _>>().into();
            }
            bar
        })
        .collect();
    Ok(Json(json!({ "interval_ms": found.interval_ms, "buckets": buckets, "total": found.total })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facets {
    q: String,
    #[serde(default)]
    mode: Mode,
    from: String,
    to: String,
    #[serde(default)]
    fields: Vec<String>,
}

pub async fn facets(State(app): State<App>, person: Person, Body(wanted): Body<Facets>) -> Result<Json<Value>> {
    let (from, to): (Micros, Micros) = (read("from", &wanted.from)?, read("to", &wanted.to)?);
    let q = if wanted.mode == Mode::Sql { String::new() } else { wanted.q.clone() };
    let request = FacetsRequest { q, from: Some(from), to: Some(to), fields: wanted.fields, values: 10 };
    let found = app.engine.facets(&person.scope, request).await.map_err(|error| misread(error, &wanted.q))?;
    let facets: Vec<Value> = found
        .iter()
        .map(|facet| {
            let values: Vec<Value> = facet.values.iter().map(|(value, n)| json!({ "value": value, "n": n })).collect();
            json!({
                "field": facet.field.name, "label_vi": facet.field.label_vi, "label_en": facet.field.label_en,
                "values": values, "other": facet.other,
            })
        })
        .collect();
    Ok(Json(json!({ "facets": facets })))
}
