//! The control socket: how the command line talks to the running server.
//!
//! Whoever may open the socket file (mode 0600, in the data directory) owns the data; so there is no login here, and the
//! scope is the program's own. Not reachable over TCP.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use event::{
    Micros, RawBatch, Scope, SourceCursor,
    raw::RefusedReason,
    seam::{Refused, Sink},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{App, api, error::Result, keeping};

/// A batch is at most so large, its head included.
const BATCH_BYTES_MAX: usize = 128 << 20;

/// Builds the router of the control socket.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/control/batch", post(batch))
        .route("/control/offset", get(offset))
        .route("/control/query", post(query))
        .route("/control/holds", get(holds).post(place_hold))
        .route("/control/holds/release", post(release_hold))
        .route("/control/outlook", get(outlook))
        .route("/control/sizes", get(sizes))
        .layer(DefaultBodyLimit::max(BATCH_BYTES_MAX))
        .with_state(app)
}

#[derive(Deserialize)]
struct Question {
    sql: String,
    #[serde(default)]
    format: Option<String>,
}

async fn query(State(app): State<App>, api::Body(question): api::Body<Question>) -> Result<Response> {
    let limits = crate::ask::generous(app.engine.limits());
    api::query::answer(&app, &Scope::internal("command"), &question.sql, question.format.as_deref(), Some(limits)).await
}

async fn holds(State(app): State<App>) -> Result<Json<Value>> {
    Ok(Json(keeping::holds((&app).into(), &Scope::internal("command")).await?.into()))
}

/// Who sits at the command line, as the command says; it owns the data anyway.
#[derive(Deserialize, Serialize)]
pub struct Placing {
    pub actor: String,
    pub hold: keeping::HoldForm,
}

async fn place_hold(State(app): State<App>, api::Body(placing): api::Body<Placing>) -> Result<Json<Value>> {
    Ok(Json(keeping::place((&app).into(), placing.hold, &placing.actor, None).await?))
}

#[derive(Deserialize, Serialize)]
pub struct Releasing {
    pub actor: String,
    pub id: u64,
    pub reason: String,
}

async fn release_hold(State(app): State<App>, api::Body(releasing): api::Body<Releasing>) -> Result<Json<Value>> {
    Ok(Json(keeping::release((&app).into(), releasing.id, &releasing.actor, None, &releasing.reason).await?))
}

async fn outlook(State(app): State<App>) -> Result<Json<Value>> {
    Ok(Json(keeping::outlook((&app).into(), &Scope::internal("command")).await?))
}

async fn sizes(State(app): State<App>) -> Result<Json<Value>> {
    Ok(Json(keeping::sizes((&app).into(), &Scope::internal("command")).await?))
}

#[derive(Deserialize)]
struct Of {
    source: String,
    file: String,
}

async fn offset(State(app): State<App>, Query(of): Query<Of>) -> Response {
    Json(json!({ "offset": app.sink.file_offset(&of.source, &of.file) })).into_response()
}

async fn batch(State(app): State<App>, body: Bytes) -> Response {
    let Some(batch) = decode(&body) else {
        return (StatusCode::BAD_REQUEST, "the batch is not in the form that `encode` writes").into_response();
    };
    let sink: Arc<dyn Sink> = app.sink.clone();
    match sink.submit(batch).await {
        Ok(receipt) => Json(json!({ "sequence": receipt.sequence, "records": receipt.records, "duplicate": receipt.duplicate }))
            .into_response(),
        Err(Refused::Pressure { retry_after_ms }) => (StatusCode::TOO_MANY_REQUESTS, retry_after_ms.to_string()).into_response(),
        Err(Refused::Closing) => (StatusCode::SERVICE_UNAVAILABLE, "closing").into_response(),
        Err(Refused::Failed(why)) => (StatusCode::INSUFFICIENT_STORAGE, why).into_response(),
    }
}

/// A batch's head; the data follows it.
#[derive(Serialize, Deserialize)]
struct Head {
    source: String,
    sender: Option<IpAddr>,
    received: Micros,
    ends: Vec<u32>,
    key: Option<String>,
    file: Option<(String, u64)>,
    refused: Vec<(u8, u64)>,
}

/// Writes a batch: length of the head (u32, little-endian), head as JSON, data.
pub fn encode(batch: &RawBatch) -> Vec<u8> {
    let head = Head {
        source: batch.source.clone(),
        sender: batch.sender,
        received: batch.received,
        ends: batch.ends.clone(),
        key: batch.key.clone(),
        file: batch.cursor.as_ref().map(|cursor| (cursor.file.clone(), cursor.offset)),
        refused: batch.refused.iter().map(|(reason, count)| (*reason as u8, *count)).collect(),
    };
    let head = serde_json::to_vec(&head).expect("plain data is always valid JSON");
    let mut bytes = Vec::with_capacity(4 + head.len() + batch.data.len());
    bytes.extend((head.len() as u32).to_le_bytes());
    bytes.extend(head);
    bytes.extend(&batch.data);
    bytes
}

fn decode(bytes: &[u8]) -> Option<RawBatch> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (head, data) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let is_whole = head.ends.is_sorted() && head.ends.last().is_none_or(|end| *end as usize == data.len());
    let refused: Option<Vec<_>> =
        head.refused.iter().map(|(code, count)| Some((RefusedReason::from_code(*code)?, *count))).collect();
    is_whole.then_some(RawBatch {
        source: head.source,
        sender: head.sender,
        received: head.received,
        data: data.to_vec(),
        ends: head.ends,
        key: head.key,
        cursor: head.file.map(|(file, offset)| SourceCursor { file, offset }),
        refused: refused?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_survives_and_a_broken_one_is_refused() {
        let mut batch = RawBatch::new("files", Some("10.0.0.1".parse().unwrap()), 5);
        batch.push(b"one");
        batch.push(b"\xff\x00");
        batch.cursor = Some(SourceCursor { file: "f".into(), offset: 9 });
        batch.refused.push((RefusedReason::Limit, 2));
        let bytes = encode(&batch);
        assert_eq!(decode(&bytes), Some(batch));
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None, "cut at {end}");
        }
    }
}
