//! What people and programs see: the HTTP API, sessions, and the embedded browser application.
//!
//! No storage, no SQL engine of its own and no rule of conduct: it asks `query`, `state`, `detect`, `respond` and `comply`,
//! always with the scope of whoever asks. Which addresses it listens on is the program's business: [`router`] is handed to it.
//!
//! ```text
//! request ─▶ harden ─▶ table of routes ─▶ Person (session, csrf) ─▶ handler ─▶ query / state / respond / comply
//!                  └─▶ embedded application (every path that is no API path)
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ack_page;
pub mod api;
pub mod ask;
pub mod audit;
pub mod auth;
pub mod control;
mod embed;
pub mod error;
mod health;
pub mod jobs;
pub mod keeping;
pub mod proof;
mod rows;
pub mod serve;
mod shape;
mod table;
mod tar;
mod time;

use std::{ops::Deref, sync::Arc};

use axum::{Router, middleware, routing::get};
use event::{
    Micros,
    seam::{Clock, Sink},
};
use serde_json::Value;
use state::State;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer};

pub use auth::random_token;
pub use health::Metric;

/// Bodies of the API are small; imports of registers are the largest.
const BODY_BYTES_MAX: usize = 8 << 20;

/// What the program tells the pages about itself.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub version: String,
    /// True when browsers reach us over TLS (a proxy in front): the cookie is then `Secure`.
    pub https: bool,
    /// `host:port` that devices send syslog to, for the snippets of the first hour; empty = no such listener.
    pub syslog_udp: String,
    pub syslog_tcp: String,
    /// `http://host:port` of this server, for the snippets.
    pub public_url: String,
}

/// One configured or seen way in.
#[derive(Clone, Debug, Default)]
pub struct SourceFact {
    pub name: String,
    /// syslog, http, file, netflow, internal.
    pub kind: String,
    pub address: Option<String>,
}

/// The rules in force and the files that were refused.
pub struct RuleBook {
    pub set: Arc<detect::RuleSet>,
    pub rejected: Vec<detect::Rejected>,
}

/// What only the program knows: its listeners, its rules, its own numbers.
pub trait Facts: Send + Sync {
    fn sources(&self) -> Vec<SourceFact>;

    fn rules(&self) -> Arc<RuleBook>;

    /// Counters and gauges for `/metrics`.
    fn metrics(&self) -> Vec<Metric>;

    /// False while starting or stopping: `/health/readyz` answers 503.
    fn is_ready(&self) -> bool;

    /// Told after the register or the tokens were changed, so that what was compiled from them is compiled anew.
    fn register_changed(&self);
}

/// Everything that handlers need. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub engine: Arc<query::Engine>,
    pub state: State,
    pub responder: Arc<respond::Responder>,
    pub catalogue: Arc<comply::Catalogue>,
    pub sink: Arc<dyn Sink>,
    pub clock: Arc<dyn Clock>,
    pub facts: Arc<dyn Facts>,
    pub keeping: Arc<dyn keeping::Keeping>,
    pub proofs: Arc<dyn proof::Proofs>,
    pub proof_desk: proof::Desk,
    pub jobs: jobs::Jobs,
    pub settings: Settings,
    pub passwords: auth::Passwords,
    pub scores: api::scores::Cache,
    /// Wakes the computation of scores before its time.
    pub scores_wanted: tokio::sync::Notify,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    fn now(&self) -> Micros {
        self.clock.now()
    }
}

/// The whole web side: application, API, health, metrics.
pub fn router(app: App) -> Router {
    let api = table::router(api::routes());
    Router::new()
        .nest("/api/v1", api)
        .route("/ack/{token}", get(ack_page::show).post(ack_page::acknowledge))
        .route("/health", get(health::ready))
        .route("/health/livez", get(health::live))
        .route("/health/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(get(embed::page))
        .with_state(app)
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn(embed::harden))
}

/// The OpenAPI document of the API.
pub fn openapi(version: &str) -> Value {
    table::document(&api::routes(), version)
}
