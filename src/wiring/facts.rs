//! What only the program knows, told to the pages: listeners, rules, its own numbers.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use dashboards::{Facts, Metric, RuleBook, SourceFact};
use event::raw::RefusedReason;
use tokio::sync::watch;

use super::{Addresses, Core};

/// The program's side of [`Facts`].
pub struct ProgramFacts {
    core: Arc<Core>,
    addresses: Addresses,
    ready: AtomicBool,
    changes: watch::Sender<u64>,
    book: RwLock<Option<Arc<RuleBook>>>,
}

impl ProgramFacts {
    pub fn new(core: Arc<Core>, addresses: Addresses) -> Self {
        Self { core, addresses, ready: AtomicBool::new(false), changes: watch::channel(0).0, book: RwLock::default() }
    }

    pub fn set_ready(&self, is_ready: bool) {
        self.ready.store(is_ready, Ordering::Release);
    }

    /// Moves whenever register or tokens were changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Facts for ProgramFacts {
    fn sources(&self) -> Vec<SourceFact> {
        let fact = |name: &str, kind: &str, address: Option<String>| SourceFact { name: name.into(), kind: kind.into(), address };
        let mut facts = Vec::new();
        for address in
            self.addresses.syslog_udp.iter().chain(&self.addresses.syslog_tcp).chain(&self.addresses.syslog_tls).take(1)
        {
            facts.push(fact(ingest::sources::SOURCE_SYSLOG, "syslog", Some(address.to_string())));
        }
        for address in self.addresses.netflow.iter().take(1) {
            facts.push(fact(ingest::sources::SOURCE_NETFLOW, "netflow", Some(address.to_string())));
        }
        let table = self.core.sources.load();
        for source in table.all().into_iter().filter(|source| source.is_configured) {
            let kind = match (source.has_token(), source.files.is_empty()) {
                (true, _) => "http",
                (false, false) => "file",
                (false, true) => "syslog",
            };
            facts.push(fact(&source.name, kind, source.files.first().cloned()));
        }
        facts
    }

    fn rules(&self) -> Arc<RuleBook> {
        let set = self.core.rules.read().unwrap_or_else(PoisonError::into_inner).set.clone();
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        match &*book {
            Some(known) if Arc::ptr_eq(&known.set, &set) => known.clone(),
            _ => {
                let rejected = self.core.rejected.read().unwrap_or_else(PoisonError::into_inner).clone();
                book.insert(Arc::new(RuleBook { set, rejected })).clone()
            }
        }
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = Vec::new();
        ingest_metrics(&self.core.metrics, &mut metrics);
        store_metrics(&self.core.store.stats(), &mut metrics);
        proof_metrics(&self.core.store.proof_status(), self.core.clock.now(), &mut metrics);
        let progress = &self.core.progress;
        let count = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed) as f64;
        metrics.push(plain("pipe_events_total", "Events made of records.", true, count(&progress.events)));
        metrics.push(plain("rule_matches_total", "Matches of rules.", true, count(&progress.matches)));
        let behind = count(&progress.published) - count(&progress.detected);
        metrics.push(plain("rule_lag_frames", "Log frames that are visible but not matched yet.", false, behind.max(0.0)));
        metrics.extend(self.core.keeping.metrics());
        metrics.push(plain("queries_running", "Questions that run at this moment.", false, self.core.engine.running() as f64));
        metrics
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn register_changed(&self) {
        self.changes.send_modify(|revision| *revision += 1);
    }
}

fn plain(name: &'static str, help: &'static str, is_counter: bool, value: f64) -> Metric {
    Metric { name, help, is_counter, labels: Vec::new(), value }
}

/// Vector's names where Vector has one.
fn ingest_metrics(of: &ingest::Metrics, metrics: &mut Vec<Metric>) {
    for (component, counters) in of.snapshot() {
        let labels = vec![
            ("component_kind", "source".to_owned()),
            ("component_type", component.kind.to_owned()),
            ("component_id", component.name),
        ];
        let count = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed) as f64;
        let mut push = |name, help, value| metrics.push(Metric { name, help, is_counter: true, labels: labels.clone(), value });
        push("component_received_events_total", "Records received.", count(&counters.received));
        push("component_received_event_bytes_total", "Bytes received.", count(&counters.received_bytes));
        push("component_sent_events_total", "Records stored in the log.", count(&counters.stored));
        push("component_errors_total", "Failures of the source.", count(&counters.errors));
        push("component_duplicates_total", "Requests or records that had come before.", count(&counters.duplicates));
        push("component_pressure_total", "Times a sender was told or made to wait.", count(&counters.pressure));
        push("component_timed_out_connections_total", "Connections or requests cut for being slow.", count(&counters.timeouts));
        push("component_refused_connections_total", "Connections over a cap.", count(&counters.connections_refused));
        push("component_failed_handshakes_total", "TLS handshakes that failed.", count(&counters.handshakes_failed));
        push("component_unauthorised_requests_total", "Requests without a good token.", count(&counters.unauthorised));
        for reason in RefusedReason::ALL {
            let mut with_reason = labels.clone();
            with_reason.push(("reason", reason.name().to_owned()));
            let value = counters.refused(reason) as f64;
            metrics.push(Metric {
                name: "component_discarded_events_total",
                help: "Records not kept, by reason.",
                is_counter: true,
                labels: with_reason,
                value,
            });
        }
    }
}

fn proof_metrics(status: &store::proof::Status, now: event::Micros, metrics: &mut Vec<Metric>) {
    let age = |since: Option<event::Micros>| since.map_or(0.0, |since| now.saturating_sub(since).max(0) as f64 / 1e6);
    let numbers: [(&'static str, &'static str, f64); 6] = [
        ("proof_root", "Number of the last signed root.", status.root as f64),
        ("proof_root_age_seconds", "Time since it was signed.", age(status.signed_at)),
        (
            "proof_unsigned_sequences",
            "Log sequences behind the last root.",
            status.through.saturating_sub(status.signed_through) as f64,
        ),
        ("proof_anchored_root", "The last root that was taken outside.", status.anchored as f64),
        ("proof_unanchored_seconds", "Age of the oldest root that nobody outside has taken.", age(status.unanchored_since)),
        ("proof_broken", "1 when a journal could not be continued at this start.", f64::from(u8::from(status.broken.is_some()))),
    ];
    metrics.extend(numbers.map(|(name, help, value)| plain(name, help, false, value)));
}

fn store_metrics(stats: &store::Stats, metrics: &mut Vec<Metric>) {
    let numbers: [(&'static str, &'static str, bool, u64); 21] = [
        ("buffer_size_bytes", "Bytes in the write-ahead log.", false, stats.wal_bytes),
        ("buffer_max_size_bytes", "Bytes that the log may grow to.", false, stats.wal_bytes_max),
        ("buffer_size_events", "Frames in the log that are not visible yet.", false, stats.frames_waiting),
        ("wal_commit_groups_total", "Commit groups synced.", true, stats.wal_groups_total),
        ("wal_failures_total", "Commit groups that could not be written.", true, stats.wal_failures_total),
        ("wal_lost_bytes", "Damaged bytes that the last recovery skipped.", false, stats.recovered_lost_bytes),
        ("store_hot_rows", "Events in memory.", false, stats.hot_rows),
        ("store_hot_bytes", "Bytes of events in memory.", false, stats.hot_bytes),
        ("store_segments", "Files of events.", false, stats.segments),
        ("store_segment_rows", "Events in files.", false, stats.segment_rows),
        ("store_segment_bytes", "Bytes in files.", false, stats.segment_bytes),
        ("store_flush_failures_total", "Flushes that failed and will be tried again.", true, stats.flush_failures_total),
        ("store_compaction_debt_segments", "Small files that wait for compaction.", false, stats.compaction_debt_segments),
        ("store_compaction_debt_rows", "Events in them.", false, stats.compaction_debt_rows),
        ("store_compaction_debt_bytes", "Bytes in them.", false, stats.compaction_debt_bytes),
        ("store_cold_segments", "Files of events in the cold store.", false, stats.cold_segments),
        ("store_cold_bytes", "Bytes in them.", false, stats.cold_bytes),
        ("store_cold_moves_total", "Files moved to the cold store.", true, stats.cold_moves_total),
        ("store_cold_failures_total", "Moves that failed and will be tried again.", true, stats.cold_failures_total),
        ("store_compactions_total", "Compactions done.", true, stats.compactions_total),
        ("store_compaction_failures_total", "Compactions that failed.", true, stats.compaction_failures_total),
    ];
    metrics.extend(numbers.map(|(name, help, is_counter, value)| plain(name, help, is_counter, value as f64)));
    metrics.push(plain(
        "wal_commit_seconds_p99",
        "99th percentile of the time of a commit group.",
        false,
        stats.commit_us_p99 as f64 / 1e6,
    ));
}
