//! An answer while it comes in: a stream of batches that ends the question when it is dropped.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{AcqRel, Relaxed},
        },
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use datafusion::arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use futures::{Stream, StreamExt};
use tokio::{sync::mpsc, task::AbortHandle};

use crate::{
    error::{Error, ErrorKind, Result},
    limits::Limits,
    scan::ScanStats,
};

/// Rows of one question. Dropping it cancels the question.
pub struct Rows {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: mpsc::Receiver<Result<RecordBatch>>,
    pub(crate) stats: Arc<ScanStats>,
    pub(crate) limits: Limits,
    pub(crate) started: Instant,
    /// Set by the task once it said everything: a stream that just stops is not an answer.
    pub(crate) finished: Arc<AtomicBool>,
    pub(crate) _task: AbortOnDrop,
}

/// Ends a task with its owner.
pub(crate) struct AbortOnDrop(pub AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a question cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub segments: u64,
    pub segments_skipped: u64,
    pub row_groups_skipped: u64,
    /// Rows that the filter had to look at; for a restricted asker only rows in scope.
    pub rows: u64,
    pub took: Duration,
}

/// An answer in memory.
#[derive(Clone, Debug)]
pub struct Collected {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// False when rows are missing; then `reason` says why.
    pub complete: bool,
    pub reason: Option<String>,
    pub stats: Stats,
}

impl Rows {
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    pub fn stats(&self) -> Stats {
        Stats {
            segments: self.stats.segments.load(Relaxed),
            segments_skipped: self.stats.segments_skipped.load(Relaxed),
            row_groups_skipped: self.stats.row_groups_skipped.load(Relaxed),
            rows: self.stats.rows.load(Relaxed),
            took: self.started.elapsed(),
        }
    }

    /// Reads the answer into memory, up to the limits on rows and bytes. A limit that strikes after some rows have come
    /// gives those rows and says that they are not all.
    pub async fn collect(mut self) -> Result<Collected> {
        let (mut batches, mut rows, mut bytes) = (Vec::new(), 0, 0);
        let mut reason = None;
        while let Some(batch) = self.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) if error.kind == ErrorKind::Limit && rows > 0 => {
                    reason = Some(error.message);
                    break;
                }
                Err(error) => return Err(error),
            };
            let left = self.limits.rows_max - rows;
            if batch.num_rows() > left {
                batches.push(batch.slice(0, left));
                reason = Some(format!("more than {} rows", self.limits.rows_max));
                break;
            }
            bytes += batch.get_array_memory_size();
            if bytes > self.limits.result_bytes_max && rows > 0 {
                reason = Some(format!("more than {} MiB", self.limits.result_bytes_max >> 20));
                break;
            }
            rows += batch.num_rows();
            batches.push(batch);
        }
        let stats = self.stats();
        Ok(Collected { schema: self.schema.clone(), batches, complete: reason.is_none(), reason, stats })
    }
}

impl Collected {
    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.batches.poll_recv(context) {
            Poll::Ready(None) if !self.finished.swap(true, AcqRel) => Poll::Ready(Some(Err(vanished()))),
            other => other,
        }
    }
}

/// The task that computes an answer ended without saying why.
pub(crate) fn vanished() -> Error {
    Error::failed("the question ended unexpectedly").hint("see the server's log")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panic in an operator ends the task without a word; its rows so far are not the answer.
    #[test]
    fn a_stream_that_just_stops_is_an_error() {
        crate::tests::world::run(async {
            for is_finished in [false, true] {
                let (sender, batches) = mpsc::channel(1);
                drop(sender);
                let rows = Rows {
                    schema: Arc::new(datafusion::arrow::datatypes::Schema::empty()),
                    batches,
                    stats: Arc::default(),
                    limits: Limits::default(),
                    started: Instant::now(),
                    finished: Arc::new(AtomicBool::new(is_finished)),
                    _task: AbortOnDrop(tokio::spawn(async {}).abort_handle()),
                };
                assert_eq!(rows.collect().await.is_ok(), is_finished);
            }
        });
    }
}
