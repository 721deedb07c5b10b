//! One SELECT, answered as JSON, CSV or an Arrow stream.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use event::Scope;
use query::encode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Body;
use crate::{
    App, ask,
    ask::refused,
    auth::Person,
    error::{ApiError, Result},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    sql: String,
    #[serde(default)]
    format: Option<String>,
}

pub async fn run(State(app): State<App>, person: Person, Body(question): Body<Question>) -> Result<Response> {
    if !person.scope.role.may_write_sql() {
        return Err(ApiError::forbidden("your role may search, not write SQL"));
    }
    answer(&app, &person.scope, &question.sql, question.format.as_deref(), None).await
}

/// Runs and writes the answer in the form asked for; JSON and Arrow say whether it is whole, CSV by a header.
pub async fn answer(
    app: &App,
    scope: &Scope,
    sql: &str,
    format: Option<&str>,
    limits: Option<query::Limits>,
) -> Result<Response> {
    let found = app.engine.sql(scope, sql, limits).await.map_err(refused)?.collect().await.map_err(refused)?;
    let whole = [("x-chieng-complete", if found.complete { "true" } else { "false" })];
    let typed = |kind: &'static str, body: Vec<u8>| (whole, [(header::CONTENT_TYPE, kind)], body).into_response();
    Ok(match format.unwrap_or("json") {
        "json" => {
            let rows = encode::json_rows(&found.batches, encode::Nulls::Keep).map_err(refused)?;
            let columns: Vec<Value> = found
                .schema
                .fields()
                .iter()
                .map(|field| json!({ "name": encode::json_name(field.name()), "type": field.data_type().to_string() }))
                .collect();
            let body = json!({ "columns": columns, "rows": rows, "complete": found.complete, "reason": found.reason, "took_ms": found.stats.took.as_millis() as u64 });
            (whole, Json(body)).into_response()
        }
        "arrow" => {
            typed("application/vnd.apache.arrow.stream", encode::arrow_ipc(&found.schema, &found.batches).map_err(refused)?)
        }
        format => {
            let (kind, body) = ask::write(&found, format).map_err(refused)?;
            typed(kind, body.into_bytes())
        }
    })
}
