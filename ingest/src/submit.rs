//! Batches on their way to the sink: built up to a size, retried under pressure, and what was given up accounted for.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use event::{
    RawBatch, Receipt,
    raw::RefusedReason,
    seam::{Refused, Sink},
};
use tokio_util::sync::CancellationToken;

use crate::metrics::{Counters, add, one};

/// A batch is sent on when it holds this much …
pub(crate) const BATCH_BYTES: usize = 64 << 10;
/// … or this long after its first record.
pub(crate) const BATCH_DELAY: Duration = Duration::from_millis(10);

/// Longest pause between two attempts under pressure.
const RETRY_MS_MAX: u64 = 1_000;

/// How long to wait before asking again; `None` when the sink will not take it in this life of the program.
pub(crate) fn retry_after(refused: &Refused) -> Option<Duration> {
    match refused {
        Refused::Pressure { retry_after_ms } => Some(Duration::from_millis((*retry_after_ms).clamp(5, RETRY_MS_MAX))),
        Refused::Failed(_) => Some(Duration::from_millis(RETRY_MS_MAX)),
        Refused::Closing => None,
    }
}

/// Submits until the sink takes the batch: for transports that can wait. Gives up when the sink closes, or when the
/// program stops while the sink still refuses.
pub(crate) async fn submit_patiently(
    sink: &Arc<dyn Sink>,
    batch: RawBatch,
    counters: &Counters,
    stop: &CancellationToken,
) -> Result<Receipt, Refused> {
    loop {
        match sink.submit(batch.clone()).await {
            Ok(receipt) => {
                add(&counters.stored, batch.len() as u64);
                one(&counters.batches);
                return Ok(receipt);
            }
            Err(refused) => {
                one(&counters.pressure);
                let Some(wait) = retry_after(&refused) else { return Err(refused) };
                if stop.is_cancelled() {
                    return Err(refused);
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }
}

/// Refusals that wait for the next batch of their source.
#[derive(Default)]
pub(crate) struct Owed(BTreeMap<String, [u64; RefusedReason::ALL.len()]>);

impl Owed {
    pub fn add(&mut self, source: &str, reason: RefusedReason, n: u64) {
        if n > 0 {
            let counts = self.0.entry(source.to_owned()).or_default();
            counts[reason as usize - 1] += n;
        }
    }

    /// Takes back what a batch carried that was itself refused, its records included.
    pub fn add_batch(&mut self, batch: &RawBatch, reason: RefusedReason) {
        self.add(&batch.source, reason, batch.len() as u64);
        for (reason, n) in &batch.refused {
            self.add(&batch.source, *reason, *n);
        }
    }

    /// Puts what its source is owed into a batch.
    pub fn settle(&mut self, batch: &mut RawBatch) {
        if let Some(counts) = self.0.remove(&batch.source) {
            let counts = RefusedReason::ALL.into_iter().zip(counts);
            batch.refused.extend(counts.filter(|(_, n)| *n > 0));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sources that are owed something.
    pub fn sources(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}
