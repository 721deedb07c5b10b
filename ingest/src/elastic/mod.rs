//! The Elasticsearch-compatible door: `_bulk` and the few questions that Beats, Logstash, Fluent Bit, rsyslog and the
//! official clients ask before they send. It stores what it is given and can be asked for nothing.
//!
//! The order of a bulk request is that of [`crate::http`]: credential, headers, body under caps, unpacking under caps, records,
//! sink. It is answered 200 once everything is durable, with one item an action, in order; or it is refused whole with 413,
//! 429 or 503, and nothing of it was stored. A document is a record as it stands: parsers read it, and what none of them
//! reads goes to quarantine and is answered 201 all the same, because a sender throws away what is answered 400.
//!
//! The credential decides the source, whatever index the sender names.

mod bulk;
mod known;
mod reply;
mod serve;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use event::{RawBatch, raw::RefusedReason};

use crate::{
    Context,
    body::{Bodies, Failure, INLINE_BYTES_MAX},
    decompress::Encoding,
    elastic::{
        bulk::{Fate, Item, Limits},
        known::Known,
        reply::Keep,
    },
    metrics::{Counters, add, one},
    settings::ElasticSettings,
    tokens::{Identity, TokenCheck},
};

pub use serve::ElasticListener;

/// Under this the door stands on the main address.
pub const PREFIX: &str = "/elastic";
/// The version claimed to a sender that does not tell its own.
const VERSION: &str = "8.19.0";

/// The door, for the program to mount; clones share the memory of ids.
#[derive(Clone)]
pub struct Elastic(Arc<Shared>);

struct Shared {
    context: Context,
    bodies: Bodies,
    settings: ElasticSettings,
    tokens: Arc<dyn TokenCheck>,
    known: Arc<Known>,
}

impl Elastic {
    pub fn new(context: Context, bodies: Bodies, settings: &ElasticSettings, tokens: Arc<dyn TokenCheck>) -> Self {
        let window = i64::try_from(settings.duplicate_window.0.as_micros()).unwrap_or(i64::MAX);
        let known = Arc::new(Known::new(window, settings.duplicates_max));
        Self(Arc::new(Shared { context, bodies, settings: settings.clone(), tokens, known }))
    }

    /// The routes at `/`, for an address of its own. Serve them with connect info.
    pub fn router(&self) -> Router {
        let routes = Router::new().fallback(at_root);
        routes.layer(DefaultBodyLimit::disable()).with_state(self.clone())
    }

    /// The routes under [`PREFIX`], for the main address.
    pub fn prefixed(&self) -> Router {
        let path = |end: &str| format!("{PREFIX}{end}");
        let routes = Router::new()
            .route(PREFIX, any(at_prefix))
            .route(&path("/"), any(at_prefix))
            .route(&path("/{*path}"), any(at_prefix));
        routes.layer(DefaultBodyLimit::disable()).with_state(self.clone())
    }
}

async fn at_root(State(elastic): State<Elastic>, request: Request) -> Response {
    elastic.0.respond("", request).await
}

async fn at_prefix(State(elastic): State<Elastic>, request: Request) -> Response {
    elastic.0.respond(PREFIX, request).await
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Bulk {
        index: Option<String>,
    },
    Root,
    License,
    Xpack,
    Nodes,
    ClusterHealth,
    CatHealth,
    /// Templates, policies, pipelines, indices: there is nothing to set up, so it is done.
    SetUp,
    Unknown,
    WrongMethod,
}

fn route(method: &Method, path: &str) -> Route {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let asks = *method == Method::GET || *method == Method::HEAD;
    let puts = *method == Method::PUT || *method == Method::POST;
    let if_asked = |route| if asks { route } else { Route::WrongMethod };
    match segments[..] {
        [] => if_asked(Route::Root),
        ["_bulk"] if puts => Route::Bulk { index: None },
        [index, "_bulk"] if puts && !index.starts_with('_') => Route::Bulk { index: Some(index.to_owned()) },
        ["_bulk"] | [_, "_bulk"] => Route::WrongMethod,
        ["_license"] => if_asked(Route::License),
        ["_xpack"] => if_asked(Route::Xpack),
        ["_nodes", ..] => if_asked(Route::Nodes),
        ["_cluster", "health", ..] => if_asked(Route::ClusterHealth),
        ["_cat", "health"] => if_asked(Route::CatHealth),
        ["_ilm" | "_index_template" | "_component_template" | "_template" | "_data_stream" | "_ingest", ..] if asks || puts => {
            Route::SetUp
        }
        [index] if !index.starts_with('_') && (asks || *method == Method::PUT) => Route::SetUp,
        _ => Route::Unknown,
    }
}

impl Shared {
    async fn respond(&self, prefix: &str, request: Request) -> Response {
        let is_head = request.method() == Method::HEAD;
        let mut response = match self.answer(prefix, request).await {
            Ok(response) => response,
            Err(failure) => failed(&failure),
        };
        if is_head {
            *response.body_mut() = Body::empty();
        }
        // Official clients refuse to talk to anybody who does not say so.
        response.headers_mut().insert("x-elastic-product", HeaderValue::from_static("Elasticsearch"));
        response
    }

    async fn answer(&self, prefix: &str, request: Request) -> Result<Response, Failure> {
        let (parts, body) = request.into_parts();
        let source = self.identify(&parts.headers).await.inspect_err(|_| {
            one(&self.context.metrics.of("elastic", "unauthorised").unauthorised);
        })?;
        let path = parts.uri.path();
        let path = path.strip_prefix(prefix).unwrap_or(path);
        match route(&parts.method, path) {
            Route::Bulk { index } => {
                let main = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
                let own = parts.extensions.get::<ConnectInfo<serve::Peer>>().map(|info| info.0.0);
                let sender = main.or(own).map(|peer| peer.ip().to_canonical());
                let head = Head::read(&parts.headers, parts.uri.query(), index)?;
                self.bulk(&source, sender, head, body).await
            }
            Route::Root => Ok(json(self.greeting(&parts.headers))),
            Route::License => Ok(json(serde_json::json!({ "license": {
                "uid": "chieng", "type": "basic", "mode": "basic", "status": "active", "expiry_date_in_millis": 4_000_000_000_000_u64,
            } }))),
            Route::Xpack => {
                let license = serde_json::json!({ "type": "basic", "status": "active" });
                Ok(json(serde_json::json!({ "build": {}, "features": {}, "license": license })))
            }
            Route::Nodes => {
                let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:9200");
                let node = serde_json::json!({ "roles": ["ingest", "data"], "http": { "publish_address": host } });
                Ok(json(serde_json::json!({ "nodes": { "chieng": node } })))
            }
            Route::ClusterHealth => Ok(json(serde_json::json!({
                "cluster_name": "chieng", "status": "green", "number_of_nodes": 1, "timed_out": false,
            }))),
            Route::CatHealth => Ok("chieng green\n".into_response()),
            Route::SetUp => Ok(json(serde_json::json!({ "acknowledged": true }))),
            Route::WrongMethod => {
                Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, "illegal_argument_exception", "this method is not allowed here"))
            }
            Route::Unknown => {
                let message = "this server takes in through _bulk; it answers questions on its own pages and API only";
                Err(Failure::new(StatusCode::NOT_FOUND, "resource_not_found_exception", message))
            }
        }
    }

    fn greeting(&self, headers: &HeaderMap) -> serde_json::Value {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).and_then(version_of);
        let number = self.settings.version.as_deref().or(agent).unwrap_or(VERSION);
        serde_json::json!({
            "name": "chieng",
            "cluster_name": "chieng",
            "cluster_uuid": "chieng",
            "version": {
                "number": number,
                "build_flavor": "default",
                "build_hash": "chieng",
                "build_date": "2026-01-01T00:00:00.000Z",
                "build_snapshot": false,
                "lucene_version": "9.12.0",
                "minimum_wire_compatibility_version": "7.17.0",
                "minimum_index_compatibility_version": "7.0.0",
            },
            "tagline": "You Know, for Search",
        })
    }

    async fn identify(&self, headers: &HeaderMap) -> Result<String, Failure> {
        let unauthorised = |message| Failure::new(StatusCode::UNAUTHORIZED, "security_exception", message);
        let Some(credential) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(credential)
        else {
            return Err(unauthorised("send the source's token: as password (Basic), as the key of an ApiKey, or as Bearer"));
        };
        match self.tokens.identify(&credential.token, &credential.named).await {
            Identity::Source(source) => Ok(source),
            Identity::Unknown => Err(unauthorised("the token is not known")),
            Identity::Unavailable => Err(Failure::unavailable("unavailable", "tokens cannot be looked up now, send again later")),
        }
    }

    async fn bulk(&self, source: &str, sender: Option<IpAddr>, head: Head, body: Body) -> Result<Response, Failure> {
        let counters = self.context.metrics.of("elastic", source);
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
        let batch = RawBatch::new(source, sender, received);
        let limits = Limits {
            record_max: self.bodies.settings().record_max.len(),
            items_max: self.settings.items_max,
            strict: self.settings.strict,
        };
        let (known, index) = (Arc::clone(&self.known), head.index.clone());
        let divide = move |plain: &[u8]| {
            let (mut batch, mut items) = bulk::divide(batch, plain, index.as_deref(), limits)?;
            known.leave_out(&mut batch, &mut items, received);
            Ok::<_, Failure>((batch, items))
        };
        let (batch, mut items) = if head.encoding == Encoding::Identity && body.len() <= INLINE_BYTES_MAX {
            divide(&body)?
        } else {
            // What it unpacks to is only known afterwards; the most it may be would starve honest neighbours.
            budget.take(body.len().saturating_mul(if head.encoding == Encoding::Identity { 1 } else { 4 }))?;
            let bodies = self.bodies.clone();
            let work = tokio::task::spawn_blocking(move || {
                let unpacked;
                let plain = if head.encoding == Encoding::Identity {
                    &body
                } else {
                    unpacked = bodies.unpack(head.encoding, &body)?;
                    &unpacked
                };
                divide(plain)
            });
            let internal = |_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the body could not be read");
            work.await.map_err(internal)??
        };
        let sequence = self.submit(batch, &mut items, counters, received).await?;
        let took_ms = (self.context.clock.now() - received).max(0) / 1_000;
        let keep = Keep::by(head.filter_path.as_deref());
        let text = reply::write(&items, sequence, took_ms, &keep);
        Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
    }

    /// Hands the records on; gives the number of the stored block.
    async fn submit(&self, batch: RawBatch, items: &mut [Item], counters: &Counters, now: event::Micros) -> Result<u64, Failure> {
        let duplicates = items.iter().filter(|item| item.fate == Fate::Duplicate).count() as u64;
        add(&counters.duplicates, duplicates);
        if batch.is_empty() {
            return Ok(0);
        }
        let (records, bytes, refused) = (batch.len() as u64, batch.data.len() as u64, batch.refused.clone());
        add(&counters.received, records);
        add(&counters.received_bytes, bytes);
        let receipt = self.context.sink.submit(batch).await.map_err(Failure::of)?;
        if receipt.duplicate {
            // Stored before the memory of ids began, or at this very moment by another connection.
            one(&counters.duplicates);
            for item in items.iter_mut().filter(|item| item.fate == Fate::Stored) {
                item.fate = Fate::Duplicate;
            }
        } else {
            one(&counters.batches);
            add(&counters.stored, records);
            for (reason, n) in refused {
                counters.refuse(reason, n);
            }
        }
        self.known.remember(items, now);
        Ok(receipt.sequence)
    }
}

struct Head {
    encoding: Encoding,
    length: Option<u64>,
    index: Option<String>,
    filter_path: Option<String>,
}

impl Head {
    /// Any content type is taken: senders disagree on it, and the body can only be one thing.
    fn read(headers: &HeaderMap, query: Option<&str>, index: Option<String>) -> Result<Self, Failure> {
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("\u{fffd}"));
        let encoding = text(header::CONTENT_ENCODING).unwrap_or("");
        let Some(encoding) = Encoding::by_name(encoding) else {
            let message = format!("`{encoding}` is not read here; send gzip, zstd or nothing");
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_encoding", message));
        };
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let filter = query.unwrap_or("").split('&').find_map(|pair| pair.strip_prefix("filter_path="));
        let filter_path =
            filter.map(|filter| filter.replace("%2C", ",").replace("%2c", ",").replace("%2A", "*").replace("%2a", "*"));
        Ok(Self { encoding, length, index, filter_path })
    }
}

/// What a sender shows: the token, and the name that came with it.
#[derive(Debug, PartialEq, Eq)]
struct Credential {
    named: String,
    token: String,
}

fn credential(value: &str) -> Option<Credential> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    let credential = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Credential { named: String::new(), token: rest.to_owned() },
        "basic" | "apikey" => {
            let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let (named, token) = pair.split_once(':')?;
            Credential { named: named.to_owned(), token: token.to_owned() }
        }
        _ => return None,
    };
    (!credential.token.is_empty()).then_some(credential)
}

/// The version that a Beat, an Elastic Agent or an official client tells of itself: `Elastic-filebeat/8.15.1 (…)`.
pub(crate) fn version_of(agent: &str) -> Option<&str> {
    let (name, rest) = agent.split_once('/')?;
    if !name.to_ascii_lowercase().starts_with("elastic") {
        return None;
    }
    let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let version = &rest[..length];
    let parts: Vec<&str> = version.split('.').collect();
    (parts.len() == 3 && parts.iter().all(|part| (1..=3).contains(&part.len()))).then_some(version)
}

fn json(value: serde_json::Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// Words a failure as Elasticsearch does.
fn failed(failure: &Failure) -> Response {
    let cause = serde_json::json!({ "type": failure.code, "reason": failure.message });
    let mut error = cause.clone();
    error["root_cause"] = serde_json::json!([cause]);
    let mut response = json(serde_json::json!({ "error": error, "status": failure.status.as_u16() }));
    *response.status_mut() = failure.status;
    let headers = response.headers_mut();
    if let Some(seconds) = failure.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    match failure.status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"security\", charset=\"UTF-8\""));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("ApiKey"));
        }
        // What is left of the body is not worth reading.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests;
