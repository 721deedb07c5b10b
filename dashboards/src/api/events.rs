//! One event whole, and the field catalogue.

use axum::{
    Json,
    extract::{Path, State},
};
use event::{Field, Micros, Scope};
use query::encode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Params, hunt::with_plain_timestamp};
use crate::{
    App, ask,
    ask::refused,
    auth::Person,
    error::{ApiError, Result},
    rows::Names,
    time::read,
};

pub async fn show(State(app): State<App>, person: Person, Path(id): Path<String>) -> Result<Json<Value>> {
    let event = one(&app, &person.scope, &id).await?;
    let names = Names::load(&app).await?;
    let labels: Map<String, Value> = event
        .keys()
        .filter_map(|key| {
            let definition = Field::by_name(key)?.definition();
            Some((key.clone(), json!({ "vi": definition.label_vi, "en": definition.label_en })))
        })
        .collect();
    let system = names.system(event.get("system.id").and_then(Value::as_str).unwrap_or_default(), None);
    Ok(Json(json!({ "event": event, "labels": labels, "system": system })))
}

/// Finds an event in scope; absent fields are left out.
pub async fn one(app: &App, scope: &Scope, id: &str) -> Result<Map<String, Value>> {
    let batch = app.engine.event_by_id(scope, id).await.map_err(refused)?;
    let batch = batch.ok_or_else(|| ApiError::not_found("event"))?;
    let rows = encode::json_rows(&[batch], encode::Nulls::Omit).map_err(refused)?;
    rows.into_iter().next().map(with_plain_timestamp).ok_or_else(|| ApiError::not_found("event"))
}

/// Events on each side, unasked and at most.
const AROUND: usize = 20;
const AROUND_MAX: usize = 100;
/// How far from the event it is looked.
const AROUND_SPAN: Micros = 86_400_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Around {
    #[serde(default)]
    n: Option<usize>,
    #[serde(default)]
    by: Option<String>,
}

pub async fn around(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Params(asked): Params<Around>,
) -> Result<Json<Value>> {
    let event = one(&app, &person.scope, &id).await?;
    let text = |name: &str| event.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let host = text("host.name").map(|value| ("host", "host.name", value));
    let sender = text("log.source.address").map(|value| ("sender", "log.source.address", value));
    let place = match asked.by.as_deref() {
        None => host.or(sender),
        Some("host") => host,
        Some("sender") => sender,
        Some(other) => return Err(ApiError::bad("invalid", format!("by {other:?} is none of host, sender"))),
    };
    let (by, field, value) = place.ok_or_else(|| ApiError::not_found("host or sender in this event"))?;
    let at = read("timestamp", text("timestamp").unwrap_or_default())?;
    let n = asked.n.unwrap_or(AROUND).clamp(1, AROUND_MAX);
    let (time, value_sql, id_sql) = (ask::time(at), ask::literal(value), ask::literal(&id));
    let (first, last) = (ask::time(at - AROUND_SPAN), ask::time(at + AROUND_SPAN));
    let side = |sign: &str, order: &str, bound: &str| {
        format!(
            "SELECT * FROM events WHERE {field} = {value_sql} AND {bound} AND (timestamp {sign} {time} OR (timestamp = {time} AND \
             event.id {sign} {id_sql})) ORDER BY timestamp {order}, event.id {order} LIMIT {n}"
        )
    };
    let before = side("<", "DESC", &format!("timestamp >= {first} AND timestamp <= {time}"));
    let after = side(">", "ASC", &format!("timestamp <= {last} AND timestamp >= {time}"));
    let mut before = rows_of(&app, &person.scope, &before).await?;
    before.reverse();
    let q = format!("{field}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let after = rows_of(&app, &person.scope, &after).await?;
    Ok(Json(json!({ "by": by, "value": value, "q": q, "before": before, "after": after })))
}

async fn rows_of(app: &App, scope: &Scope, sql: &str) -> Result<Vec<Map<String, Value>>> {
    let answer = ask::collected(app, scope, sql).await?;
    let rows = encode::json_rows(&answer.batches, encode::Nulls::Omit).map_err(refused)?;
    Ok(rows.into_iter().map(with_plain_timestamp).collect())
}

pub async fn fields(State(app): State<App>, person: Person) -> Json<Value> {
    let shown = app.engine.fields(&person.scope).into_iter().map(|field| {
        json!({
            "name": field.column.name, "type": field.column.r#type,
            "label_vi": field.column.label_vi, "label_en": field.column.label_en, "doc": field.doc,
        })
    });
    Json(shown.collect())
}
