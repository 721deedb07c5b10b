//! One event whole, and the field catalogue.

use axum::{
    Json,
    extract::{Path, State},
};
use event::{Field, Scope};
use query::encode;
use serde_json::{Map, Value, json};

use super::hunt::with_plain_timestamp;
use crate::{
    App,
    ask::refused,
    auth::Person,
    error::{ApiError, Result},
    rows::Names,
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

pub async fn fields(State(app): State<App>, person: Person) -> Json<Value> {
    let shown = app.engine.fields(&person.scope).into_iter().map(|field| {
        json!({
            "name": field.column.name, "type": field.column.r#type,
            "label_vi": field.column.label_vi, "label_en": field.column.label_en, "doc": field.doc,
        })
    });
    Json(shown.collect())
}
