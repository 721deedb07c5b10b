//! Bodies of HTTP requests, whatever protocol they speak: read under caps of size, time and common memory, unpacked under
//! caps of size and ratio. What is wrong with a request is a [`Failure`]; each protocol words it in its own way.

use std::sync::Arc;

use axum::{body::Body, http::StatusCode};
use event::seam::Refused;
use futures::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    decompress::{Caps, Cut, Encoding, capped},
    settings::HttpSettings,
};

/// Bodies above this are unpacked on a thread of their own.
pub(crate) const INLINE_BYTES_MAX: usize = 64 << 10;
/// One permit of the memory budget.
const PERMIT_BYTES: usize = 1 << 10;

/// The limits of bodies and the memory that they share; one for the whole program.
#[derive(Clone)]
pub struct Bodies {
    settings: Arc<HttpSettings>,
    /// KiB of body that may be in memory at once.
    memory: Arc<Semaphore>,
}

impl Bodies {
    pub fn new(settings: &HttpSettings) -> Self {
        let permits = (settings.memory_max.len() / PERMIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { settings: Arc::new(settings.clone()), memory: Arc::new(Semaphore::new(permits)) }
    }

    pub(crate) fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    /// An empty share of the memory.
    pub(crate) fn budget(&self) -> Budget<'_> {
        Budget { memory: &self.memory, permits: None }
    }

    /// Reads the body under caps of size, time and memory.
    pub(crate) async fn read(&self, body: Body, length: Option<u64>, budget: &mut Budget<'_>) -> Result<Vec<u8>, Failure> {
        let settings = &self.settings;
        let max = settings.body_max.len();
        let too_large = || Failure::too_large(format!("a body may have {} at most", settings.body_max));
        let slow = |_| Failure::new(StatusCode::REQUEST_TIMEOUT, "slow_body", "the body came too slowly");
        if length.is_some_and(|length| length > max as u64) {
            return Err(too_large());
        }
        budget.take(length.unwrap_or(0) as usize)?;
        let deadline = Instant::now() + settings.body_timeout.0;
        let mut stream = body.into_data_stream();
        let mut bytes: Vec<u8> = Vec::with_capacity(length.unwrap_or(0).min(1 << 20) as usize);
        loop {
            let piece = timeout(settings.idle_timeout.0, timeout_at(deadline, stream.next()));
            let Some(piece) = piece.await.map_err(slow)?.map_err(slow)? else { return Ok(bytes) };
            let piece = piece.map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "broken_body", "the body broke off"))?;
            if bytes.len() + piece.len() > max {
                return Err(too_large());
            }
            if length.is_none() {
                budget.take(piece.len())?;
            }
            bytes.extend_from_slice(&piece);
        }
    }

    pub(crate) fn unpack(&self, encoding: Encoding, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let caps = Caps { bytes_max: self.settings.unpacked_max.0, ratio_max: self.settings.ratio_max };
        capped(encoding, body, caps).map_err(|cut| match cut {
            Cut::Broken { offset, .. } => {
                let place = Some(Place { offset: offset as usize, line: 0 });
                Failure { place, ..Failure::new(StatusCode::BAD_REQUEST, "broken_encoding", cut.to_string()) }
            }
            _ => Failure::too_large(cut.to_string()),
        })
    }
}

/// Why a request was not taken.
#[derive(Debug)]
pub(crate) struct Failure {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    /// Where in the body, when there is a place.
    pub place: Option<Place>,
    pub retry_after_s: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub offset: usize,
    pub line: usize,
}

impl Failure {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), place: None, retry_after_s: None }
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub fn busy(retry_after_ms: u64) -> Self {
        let after = retry_after_ms.div_ceil(1000).max(1);
        let failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "pressure", "the server is under pressure, send again later");
        Self { retry_after_s: Some(after), ..failure }
    }

    /// Not the sender's fault: the same request is welcome later.
    pub fn unavailable(code: &'static str, message: &str) -> Self {
        Self { retry_after_s: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    /// Words a refusal of the sink for a sender.
    pub fn of(refused: Refused) -> Self {
        match refused {
            Refused::Pressure { retry_after_ms } => Self::busy(retry_after_ms),
            Refused::Closing => Self::unavailable("closing", "the server is shutting down, send again"),
            // The cause is for the operator's log, not for a sender.
            Refused::Failed(error) => {
                tracing::warn!(error, "a request could not be stored");
                Self::unavailable("failed", "the records could not be stored, send again later")
            }
        }
    }
}

/// What a request holds of the common memory; given back when it ends.
pub(crate) struct Budget<'a> {
    memory: &'a Arc<Semaphore>,
    permits: Option<OwnedSemaphorePermit>,
}

impl Budget<'_> {
    pub fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        let n = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let more = Arc::clone(self.memory).try_acquire_many_owned(n).map_err(|_| Failure::busy(1_000))?;
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            None => self.permits = Some(more),
        }
        Ok(())
    }
}
