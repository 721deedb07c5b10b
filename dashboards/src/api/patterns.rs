//! Lines of one make, counted together; and what is different between two selections.

use axum::{Json, extract::State};
use query::{PatternsRequest, Selection};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Body,
    hunt::{column, misread},
};
use crate::{
    App,
    auth::Person,
    error::Result,
    time::{read, rfc3339},
};

/// Patterns of one answer.
const PATTERNS_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    q: String,
    from: String,
    to: String,
    #[serde(default)]
    limit: Option<usize>,
    /// The rarest first instead of the most frequent.
    #[serde(default)]
    rarest: bool,
}

pub async fn patterns(State(app): State<App>, person: Person, Body(asked): Body<Question>) -> Result<Json<Value>> {
    let request = PatternsRequest {
        q: asked.q.clone(),
        from: read("from", &asked.from)?,
        to: read("to", &asked.to)?,
        limit: asked.limit.unwrap_or(100).clamp(1, PATTERNS_MAX),
        rarest: asked.rarest,
    };
    let found = app.engine.patterns(&person.scope, request).await.map_err(|error| misread(error, &asked.q))?;
    let patterns: Vec<Value> = found
        .patterns
        .iter()
        .map(|one| {
            json!({
                "text": one.text, "count": one.count, "first": rfc3339(one.first), "last": rfc3339(one.last),
                "id": one.id, "sample": one.sample,
            })
        })
        .collect();
    Ok(Json(json!({
        "patterns": patterns, "distinct": found.distinct, "rows": found.rows, "other": found.other,
        "complete": found.complete, "reason": found.reason, "took_ms": found.stats.took.as_millis() as u64,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    q: String,
    from: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Two {
    here: Side,
    there: Side,
}

impl Side {
    fn selection(&self) -> Result<Selection> {
        Ok(Selection { q: self.q.clone(), from: read("from", &self.from)?, to: read("to", &self.to)? })
    }
}

pub async fn compare(State(app): State<App>, person: Person, Body(two): Body<Two>) -> Result<Json<Value>> {
    let (here, there) = (two.here.selection()?, two.there.selection()?);
    let found = app.engine.compare(&person.scope, here, there).await.map_err(|error| misread(error, &two.here.q))?;
    let differences: Vec<Value> = found
        .differences
        .iter()
        .map(|one| {
            json!({
                "field": column(&one.field), "value": one.value, "here": one.counts.0, "there": one.counts.1, "score": one.score,
            })
        })
        .collect();
    Ok(Json(json!({
        "differences": differences, "here": found.events.0, "there": found.events.1, "fields": found.fields,
        "crowded": found.crowded, "complete": found.complete, "reason": found.reason,
    })))
}
