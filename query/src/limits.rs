//! What one question may cost, and the watch over all running ones.
//!
//! Memory is bounded three times: the engine's operators by a pool that makes them spill, single kernels by the capped
//! functions, and the whole process by a watermark that ends the question holding most.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use datafusion::execution::memory_pool::MemoryPool;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};

/// Limits of a question. The engine has its own as default; a caller may pass others for one question.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Planning and execution together.
    pub time: Duration,
    /// Memory of the question's operators; beyond it they spill to disk, or the question fails.
    pub memory_bytes: usize,
    /// Rows of an answer that is held in memory (JSON, CSV, tables); more are cut, and the answer says so.
    pub rows_max: usize,
    /// Bytes of such an answer.
    pub result_bytes_max: usize,
    /// Questions that run at the same time; of the engine only.
    pub concurrent: usize,
    /// How long a question waits for its turn.
    pub wait: Duration,
    /// Resident memory of the process above which the largest question is cancelled; of the engine only.
    pub process_bytes_max: Option<u64>,
    /// Where operators spill; without it they fail instead. Of the engine only.
    pub spill_dir: Option<PathBuf>,
    pub spill_bytes_max: u64,
    /// Parallel parts of one question.
    pub partitions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            memory_bytes: 512 << 20,
            rows_max: 10_000,
            result_bytes_max: 64 << 20,
            concurrent: 4,
            wait: Duration::from_secs(10),
            process_bytes_max: Some(3 << 30),
            spill_dir: None,
            spill_bytes_max: 4 << 30,
            partitions: std::thread::available_parallelism().map_or(2, |count| count.get().min(8)),
        }
    }
}

/// The questions that run now.
#[derive(Default)]
pub(crate) struct Running {
    next: AtomicU64,
    questions: Mutex<HashMap<u64, Entry>>,
}

struct Entry {
    pool: Arc<dyn MemoryPool>,
    cancel: Option<oneshot::Sender<Error>>,
}

/// Takes the question off the list when it ends, in whatever way.
pub(crate) struct Registered {
    running: Arc<Running>,
    id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Ok(mut questions) = self.running.questions.lock() {
            questions.remove(&self.id);
        }
    }
}

impl Running {
    /// Puts a question on the list; the receiver hears when it must end.
    pub(crate) fn register(self: &Arc<Self>, pool: Arc<dyn MemoryPool>) -> (Registered, oneshot::Receiver<Error>) {
        let (cancel, cancelled) = oneshot::channel();
        let id = self.next.fetch_add(1, Relaxed);
        if let Ok(mut questions) = self.questions.lock() {
            questions.insert(id, Entry { pool, cancel: Some(cancel) });
        }
        (Registered { running: self.clone(), id }, cancelled)
    }

    /// Number of running questions.
    pub(crate) fn len(&self) -> usize {
        self.questions.lock().map_or(0, |questions| questions.len())
    }

    /// Cancels the question that holds most memory, if the process is over its watermark. Returns true when it did.
    pub(crate) fn enforce(&self, resident_bytes: u64, bytes_max: u64) -> bool {
        if resident_bytes <= bytes_max {
            return false;
        }
        let Ok(mut questions) = self.questions.lock() else { return false };
        let waiting = questions.values_mut().filter(|entry| entry.cancel.is_some());
        let Some(largest) = waiting.max_by_key(|entry| entry.pool.reserved()) else { return false };
        let reason = Error::new(ErrorKind::Limit, "the server was short of memory, and this was the largest question")
            .hint("narrow the time range, or group by a field with fewer values");
        largest.cancel.take().is_some_and(|cancel| cancel.send(reason).is_ok())
    }
}

/// Resident memory of this process; `None` where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer};

    #[test]
    fn the_largest_question_goes_first() {
        let running = Arc::new(Running::default());
        let pools: Vec<Arc<dyn MemoryPool>> = (0..3).map(|_| Arc::new(GreedyMemoryPool::new(1000)) as _).collect();
        let mut held = Vec::new();
        for (pool, bytes) in pools.iter().zip([10, 500, 100]) {
            let reservation = MemoryConsumer::new("test").register(pool);
            reservation.grow(bytes);
            held.push(reservation);
        }
        let mut questions: Vec<_> = pools.iter().map(|pool| running.register(pool.clone())).collect();
        assert!(!running.enforce(10, 10));
        assert!(running.enforce(11, 10));
        assert!(questions[1].1.try_recv().is_ok() && questions[0].1.try_recv().is_err());
        assert!(running.enforce(11, 10));
        assert!(questions[2].1.try_recv().is_ok());
        questions.clear();
        assert_eq!(running.len(), 0);
    }

    #[test]
    fn the_process_knows_its_size() {
        assert!(resident_bytes().is_none_or(|bytes| bytes > 1 << 20));
    }
}
