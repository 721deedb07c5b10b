//! Bytes in: listeners, HTTP ingest, files. What arrives is framed, unpacked under caps, grouped by source and sender into
//! [`event::RawBatch`] and handed to an [`event::seam::Sink`]; a sender that can be told is told only after the sink's
//! receipt.
//!
//! What is deliberately absent: no store (only the `Sink` seam), no parser (a record is bytes here), no table of systems,
//! no clock but the injected one.
//!
//! ```text
//! socket ─bytes─▶ Framer ─record─▶ RawBatch (≤ 64 KiB or 10 ms, one source, one sender) ─submit─▶ Sink ─receipt─▶ ack
//! file   ─bytes─▶ unpack (caps) ─▶ Framer ─▶ RawBatch with SourceCursor ─────────────────submit─▶ Sink
//! ```
//!
//! Every sender is taken for hostile: each buffer, queue, wait and connection has a bound, and what a bound cuts is
//! counted ([`metrics::Counters`]; what never became a record also enters the ledger as [`event::raw::RefusedReason`]).

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod body;
mod connections;
pub mod decompress;
pub mod elastic;
mod error;
pub mod files;
pub mod framing;
pub mod fuzz;
pub mod http;
mod json_split;
pub mod listeners;
pub mod metrics;
pub mod netflow_udp;
mod path_pattern;
pub mod settings;
pub mod sources;
mod submit;
pub mod syslog_tcp;
pub mod syslog_udp;
pub mod tail;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod tokens;
mod udp;
pub mod units;
pub mod unpack;

use std::sync::Arc;

use event::seam::{Clock, Sink};

pub use body::Bodies;
pub use error::{Error, ErrorKind};
pub use listeners::Listeners;
pub use metrics::Metrics;
pub use settings::Settings;
pub use sources::{Source, SourceTable, Sources};

/// What every source needs: where records go, what time it is, who speaks from which address, what to count.
#[derive(Clone)]
pub struct Context {
    pub sink: Arc<dyn Sink>,
    pub clock: Arc<dyn Clock>,
    pub sources: Arc<Sources>,
    pub metrics: Arc<Metrics>,
}
