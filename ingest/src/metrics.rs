//! What the sources count: atomics that the program exports at `/metrics`. The ledger is another thing: it lives in the
//! store and counts records; these count what happened at the door.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use event::raw::RefusedReason;

/// The counters of one listener, one HTTP source or one file source. All only grow, except `connections_open`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records framed, before the sink was asked.
    pub received: AtomicU64,
    pub received_bytes: AtomicU64,
    /// Records the sink has acknowledged as durable.
    pub stored: AtomicU64,
    pub batches: AtomicU64,
    /// Requests or batches answered from an earlier `Idempotency-Key`.
    pub duplicates: AtomicU64,
    /// Records longer than the limit; they were kept up to the limit.
    pub cut: AtomicU64,
    /// Bytes thrown away behind a limit.
    pub cut_bytes: AtomicU64,
    /// Octet counts that were not followed by what they promised.
    pub framing_errors: AtomicU64,
    /// Datagrams or requests without content.
    pub empty: AtomicU64,
    refused: [AtomicU64; RefusedReason::ALL.len()],
    /// Times the sink said "under pressure" and the source waited or gave up.
    pub pressure: AtomicU64,
    pub connections_open: AtomicU64,
    pub connections_total: AtomicU64,
    /// Connections closed at the door: over the total or per-address cap.
    pub connections_refused: AtomicU64,
    /// TLS handshakes that failed: no certificate, a wrong one, no TLS at all.
    pub handshakes_failed: AtomicU64,
    /// Connections or requests cut for being idle or too slow.
    pub timeouts: AtomicU64,
    /// Requests refused for a missing or wrong token.
    pub unauthorised: AtomicU64,
    /// I/O errors on a socket or file.
    pub errors: AtomicU64,
}

impl Counters {
    pub fn refuse(&self, reason: RefusedReason, n: u64) {
        self.refused[reason as usize - 1].fetch_add(n, Relaxed);
    }

    pub fn refused(&self, reason: RefusedReason) -> u64 {
        self.refused[reason as usize - 1].load(Relaxed)
    }

    /// All values by metric name, in a fixed order.
    pub fn values(&self) -> Vec<(&'static str, u64)> {
        let named: [(&'static str, &AtomicU64); 17] = [
            ("received_records_total", &self.received),
            ("received_bytes_total", &self.received_bytes),
            ("stored_records_total", &self.stored),
            ("batches_total", &self.batches),
            ("duplicates_total", &self.duplicates),
            ("cut_records_total", &self.cut),
            ("cut_bytes_total", &self.cut_bytes),
            ("framing_errors_total", &self.framing_errors),
            ("empty_total", &self.empty),
            ("pressure_total", &self.pressure),
            ("connections_open", &self.connections_open),
            ("connections_total", &self.connections_total),
            ("connections_refused_total", &self.connections_refused),
            ("handshakes_failed_total", &self.handshakes_failed),
            ("timeouts_total", &self.timeouts),
            ("unauthorised_total", &self.unauthorised),
            ("errors_total", &self.errors),
        ];
        named.into_iter().map(|(name, value)| (name, value.load(Relaxed))).collect()
    }
}

pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}

pub(crate) fn one(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Whose counters: the kind of source and its name (a listening address, a source name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    pub kind: &'static str,
    pub name: String,
}

/// All counters of the process. Names come from the configuration and from granted tokens only, so the map is bounded.
#[derive(Debug, Default)]
pub struct Metrics {
    components: Mutex<BTreeMap<Component, Arc<Counters>>>,
}

impl Metrics {
    /// Returns the counters of a component, made at its first mention.
    pub fn of(&self, kind: &'static str, name: impl Into<String>) -> Arc<Counters> {
        let component = Component { kind, name: name.into() };
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(components.entry(component).or_default())
    }

    /// Every component with its counters, by kind and name.
    pub fn snapshot(&self) -> Vec<(Component, Arc<Counters>)> {
        let components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        components.iter().map(|(component, counters)| (component.clone(), Arc::clone(counters))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_component_has_one_set_of_counters() {
        let metrics = Metrics::default();
        one(&metrics.of("syslog_tcp", "127.0.0.1:514").received);
        add(&metrics.of("syslog_tcp", "127.0.0.1:514").received, 2);
        metrics.of("http", "web").refuse(RefusedReason::Limit, 5);
        let all = metrics.snapshot();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].1.refused(RefusedReason::Limit), 5);
        assert_eq!(all[1].1.values()[0], ("received_records_total", 3));
    }
}
