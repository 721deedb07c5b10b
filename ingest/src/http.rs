//! `POST /ingest/v1/{source}`: records over HTTP, answered 200 only once they are durable.
//!
//! The order is: token, then headers, then the body (read with caps on size and time), then decompression under caps, then
//! records, then the sink. One request is one [`RawBatch`]: it is taken whole or refused whole, so a sender may repeat it,
//! and with an `Idempotency-Key` a repetition is answered from the first receipt.
//!
//! | Answer | Means |
//! |---|---|
//! | 200 `{"accepted":n,"refused":n,"sequence":n,"duplicate":bool}` | synced to disk |
//! | 400 | the body cannot be divided into records; the place is named |
//! | 401, 403 | no or unknown token; a token of another source |
//! | 408 | the body came too slowly |
//! | 413, 415 | too large; a content type or encoding we do not read |
//! | 429 + `Retry-After` | under pressure: nothing was stored, send again |
//! | 503 | closing or the disk failed: nothing was stored, send again |

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use event::{RawBatch, raw::RefusedReason};

use crate::{
    Context,
    body::{Bodies, Failure, INLINE_BYTES_MAX, Place},
    decompress::Encoding,
    framing::{Framer, trim},
    json_split,
    metrics::{Counters, add, one},
    settings::HttpSettings,
    sources::is_source_name,
    tokens::{Access, TokenCheck},
};

/// Longest `Idempotency-Key`.
pub const KEY_BYTES_MAX: usize = 128;
#[derive(Clone)]
struct Ingest {
    context: Context,
    bodies: Bodies,
    tokens: Arc<dyn TokenCheck>,
}

/// The route, for the program to mount. Serve it with connect info (`into_make_service_with_connect_info::<SocketAddr>`),
/// else records carry no sender address.
pub fn router(context: Context, bodies: Bodies, tokens: Arc<dyn TokenCheck>) -> Router {
    let ingest = Ingest { context, bodies, tokens };
    Router::new()
        .route("/ingest/v1/{source}", post(receive))
        // The body is read under our own caps.
        .layer(DefaultBodyLimit::disable())
        .with_state(ingest)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut error = serde_json::json!({ "code": self.code, "message": self.message });
        if let Some(place) = self.place {
            error["line"] = place.line.into();
            error["offset"] = place.offset.into();
        }
        let mut response = (self.status, Json(serde_json::json!({ "error": error }))).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"chieng ingest\""));
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd, identity"));
            }
            // What is left of the body is not worth reading.
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

async fn receive(State(ingest): State<Ingest>, Path(source): Path<String>, request: Request) -> Response {
    match ingest.receive(&source, request).await {
        Ok(answer) => answer,
        Err(failure) => failure.into_response(),
    }
}

impl Ingest {
    async fn receive(&self, source: &str, request: Request) -> Result<Response, Failure> {
        let (parts, body) = request.into_parts();
        // Counters by name only for senders that may name it.
        self.authorise(source, &parts.headers).await.inspect_err(|_| {
            one(&self.context.metrics.of("http", "unauthorised").unauthorised);
        })?;
        let counters = self.context.metrics.of("http", source);
        let head = Head::read(&parts.headers)?;
        let sender = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let outcome = self.take(source, sender, head, body, &counters).await;
        if let Err(failure) = &outcome {
            match failure.status {
                StatusCode::REQUEST_TIMEOUT => one(&counters.timeouts),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => one(&counters.pressure),
                StatusCode::PAYLOAD_TOO_LARGE => counters.refuse(RefusedReason::Limit, 1),
                _ => counters.refuse(RefusedReason::Malformed, 1),
            }
        }
        outcome
    }

    async fn authorise(&self, source: &str, headers: &HeaderMap) -> Result<(), Failure> {
        if !is_source_name(source) {
            let message = "a source is named by 1 to 64 characters of a-z, 0-9, `_`, `.` or `-`";
            return Err(Failure::new(StatusCode::BAD_REQUEST, "source_name", message));
        }
        let unauthorised = |message| Failure::new(StatusCode::UNAUTHORIZED, "unauthorised", message);
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
        let Some(token) = token else {
            return Err(unauthorised("send the source's token as `Authorization: Bearer …`"));
        };
        match self.tokens.check(source, token).await {
            Access::Granted => Ok(()),
            Access::Unknown => Err(unauthorised("the token is not known")),
            Access::OtherSource => Err(Failure::new(StatusCode::FORBIDDEN, "forbidden", "the token belongs to another source")),
            Access::Unavailable => Err(Failure::unavailable("unavailable", "tokens cannot be looked up now, send again later")),
        }
    }

    async fn take(
        &self,
        source: &str,
        sender: Option<IpAddr>,
        head: Head,
        body: Body,
        counters: &Arc<Counters>,
    ) -> Result<Response, Failure> {
        let mut budget = self.bodies.budget();
        let body = self.bodies.read(body, head.length, &mut budget).await?;
        let received = self.context.clock.now();
        let mut batch = RawBatch::new(source, sender, received);
        batch.key = head.key.clone();
        let batch = if head.encoding == Encoding::Identity && body.len() <= INLINE_BYTES_MAX {
            divide(batch, &body, head.shape, self.bodies.settings(), counters)?
        } else {
            // What it unpacks to is only known afterwards; the most it may be would starve honest neighbours.
            budget.take(body.len().saturating_mul(if head.encoding == Encoding::Identity { 1 } else { 4 }))?;
            let (bodies, counters) = (self.bodies.clone(), Arc::clone(counters));
            let work = tokio::task::spawn_blocking(move || {
                let unpacked;
                let plain = if head.encoding == Encoding::Identity {
                    &body
                } else {
                    unpacked = bodies.unpack(head.encoding, &body)?;
                    &unpacked
                };
                divide(batch, plain, head.shape, bodies.settings(), &counters)
            });
            work.await
                .map_err(|_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the body could not be read"))??
        };
        self.submit(batch, counters).await
    }

    async fn submit(&self, batch: RawBatch, counters: &Counters) -> Result<Response, Failure> {
        let (records, refused) = (batch.len() as u64, batch.refused.iter().map(|(_, n)| n).sum::<u64>());
        let receipt = self.context.sink.submit(batch).await.map_err(Failure::of)?;
        if receipt.duplicate {
            one(&counters.duplicates);
        } else {
            one(&counters.batches);
            add(&counters.stored, records);
        }
        let answer = serde_json::json!({
            "accepted": receipt.records,
            "refused": refused,
            "sequence": receipt.sequence,
            "duplicate": receipt.duplicate,
        });
        Ok((StatusCode::OK, Json(answer)).into_response())
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// How a body is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One record a line.
    Lines,
    /// One JSON value a line; a longer one than the limit is refused, for half a value is none.
    JsonLines,
    /// An array's elements, or values one after another.
    Json,
    /// Not said: found by looking.
    Unsaid,
}

struct Head {
    shape: Shape,
    encoding: Encoding,
    key: Option<String>,
    length: Option<u64>,
}

impl Head {
    fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
        let unsupported = |code, message| Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, message);
        let kind = text(header::CONTENT_TYPE).unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let shape = match kind.as_str() {
            "text/plain" => Shape::Lines,
            "application/json" => Shape::Json,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/stream+json" => Shape::JsonLines,
            // The last is what curl says when nobody told it what it sends.
            "" | "application/octet-stream" | "application/x-www-form-urlencoded" => Shape::Unsaid,
            _ => {
                let message = format!("`{kind}` is not read here; send application/x-ndjson, application/json or text/plain");
                return Err(unsupported("content_type", message));
            }
        };
        let encoding = text(header::CONTENT_ENCODING).unwrap_or("");
        let Some(encoding) = Encoding::by_name(encoding) else {
            return Err(unsupported("content_encoding", format!("`{encoding}` is not read here; send gzip, zstd or nothing")));
        };
        let key = match headers.get("idempotency-key") {
            None => None,
            Some(key) => Some(idempotency_key(key.as_bytes())?),
        };
        Ok(Self { shape, encoding, key, length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()) })
    }
}

fn idempotency_key(key: &[u8]) -> Result<String, Failure> {
    if !(1..=KEY_BYTES_MAX).contains(&key.len()) || !key.iter().all(u8::is_ascii_graphic) {
        let message = format!("an Idempotency-Key has 1 to {KEY_BYTES_MAX} visible ASCII characters");
        return Err(Failure::new(StatusCode::BAD_REQUEST, "idempotency_key", message));
    }
    Ok(String::from_utf8_lossy(key).into_owned())
}

/// Divides a body into the records of a batch.
fn divide(
    mut batch: RawBatch,
    body: &[u8],
    shape: Shape,
    settings: &HttpSettings,
    counters: &Counters,
) -> Result<RawBatch, Failure> {
    let limit = settings.record_max.len();
    let result = match shape {
        Shape::Lines => {
            push_lines(&mut batch, body, limit, counters);
            Ok(())
        }
        Shape::JsonLines => {
            push_json_lines(&mut batch, body, limit);
            Ok(())
        }
        Shape::Json => push_json(&mut batch, body, limit),
        Shape::Unsaid => match body.iter().find(|b| !b.is_ascii_whitespace()) {
            // A line may begin with a bracket as well: only a body that divides as JSON is JSON.
            Some(b'{' | b'[') if json_split::split(body, |_| {}).is_ok() => push_json(&mut batch, body, limit),
            _ => {
                push_lines(&mut batch, body, limit, counters);
                Ok(())
            }
        },
    };
    result.map_err(|misfit| {
        let line = 1 + memchr::memchr_iter(b'\n', &body[..misfit.offset.min(body.len())]).count();
        let place = Some(Place { offset: misfit.offset, line });
        let message = format!("line {line}, byte {}: {}", misfit.offset, misfit.reason);
        Failure { place, ..Failure::new(StatusCode::BAD_REQUEST, "broken_json", message) }
    })?;
    if batch.is_empty() {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "no_records", "the body holds no record"));
    }
    add(&counters.received, batch.len() as u64);
    add(&counters.received_bytes, batch.data.len() as u64);
    for (reason, n) in &batch.refused {
        counters.refuse(*reason, *n);
    }
    Ok(batch)
}

fn push_lines(batch: &mut RawBatch, body: &[u8], limit: usize, counters: &Counters) {
    let mut push = |frame: crate::framing::Frame<'_>| {
        if frame.cut > 0 {
            one(&counters.cut);
            add(&counters.cut_bytes, frame.cut);
        }
        batch.push(frame.bytes);
    };
    let mut framer = Framer::lines(limit, 0);
    framer.feed(body, &mut push);
    framer.finish(&mut push);
}

fn push_json_lines(batch: &mut RawBatch, body: &[u8], limit: usize) {
    for line in body.split(|&b| b == b'\n').map(trim).filter(|line| !line.trim_ascii().is_empty()) {
        push_or_refuse(batch, line, limit);
    }
}

fn push_json(batch: &mut RawBatch, body: &[u8], limit: usize) -> Result<(), json_split::Misfit> {
    json_split::split(body, |record| push_or_refuse(batch, record, limit))
}

fn push_or_refuse(batch: &mut RawBatch, record: &[u8], limit: usize) {
    if record.len() <= limit {
        batch.push(record);
    } else if let Some((_, n)) = batch.refused.first_mut() {
        *n += 1;
    } else {
        batch.refused.push((RefusedReason::Limit, 1));
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
