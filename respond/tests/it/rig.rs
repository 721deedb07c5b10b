//! What every test stands on: a database, a clock, a sink that remembers, people with mail addresses.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use event::{
    Micros, RawBatch, Receipt, Role, Scope, Systems,
    seam::{BoxFuture, Clock, Refused, Sink},
    severity::Severity,
};
use respond::{EventSummary, Evidence, Found, Responder, RuleCard, Settings, Worked};
use state::{State, channels::ChannelKind, incidents::Actor, users::NewUser};

pub const SECOND: Micros = 1_000_000;
pub const MINUTE: Micros = 60 * SECOND;
pub const HOUR: Micros = 60 * MINUTE;
/// 23/11/2026 03:12:05 in the province.
pub const START: Micros = 1_795_378_325_000_000;

pub struct VirtualClock(AtomicI64);

impl VirtualClock {
    pub fn advance(&self, by: Micros) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Micros {
        self.0.load(Ordering::SeqCst)
    }
}

/// Keeps what it gets, once per key; refuses while told to.
#[derive(Default)]
pub struct MemorySink {
    pub batches: Mutex<Vec<RawBatch>>,
    pub refuses: Mutex<bool>,
}

impl Sink for MemorySink {
    fn submit(&self, batch: RawBatch) -> BoxFuture<'_, Result<Receipt, Refused>> {
        Box::pin(async move {
            if *self.refuses.lock().unwrap() {
                return Err(Refused::Pressure { retry_after_ms: 10 });
            }
            let mut batches = self.batches.lock().unwrap();
            let duplicate = batches.iter().any(|known| known.key == batch.key);
            if !duplicate {
                batches.push(batch);
            }
            Ok(Receipt { sequence: batches.len() as u64, records: 1, duplicate })
        })
    }

    fn file_offset(&self, _: &str, _: &str) -> u64 {
        0
    }
}

impl MemorySink {
    pub fn records(&self) -> Vec<serde_json::Value> {
        let batches = self.batches.lock().unwrap();
        batches
            .iter()
            .flat_map(|batch| batch.records().map(|record| serde_json::from_slice(record).unwrap()).collect::<Vec<_>>())
            .collect()
    }

    pub fn actions(&self) -> Vec<String> {
        self.records().iter().map(|record| record["event.action"].as_str().unwrap().to_owned()).collect()
    }
}

pub struct Rig {
    pub state: State,
    pub clock: Arc<VirtualClock>,
    pub sink: Arc<MemorySink>,
    pub responder: Arc<Responder>,
    pub settings: Settings,
    pub people: BTreeMap<String, Actor>,
    path: PathBuf,
    _dir: Arc<tempfile::TempDir>,
}

impl Rig {
    /// Pages go to this mail server; `more` adjusts the settings.
    pub async fn new(smtp_port: u16, more: impl FnOnce(&mut Settings)) -> Self {
        let smtp = serde_json::from_value(serde_json::json!({
            "host": "127.0.0.1", "port": smtp_port, "tls": "none", "from": "Chiêng <chieng@tinh.example>", "timeout_seconds": 2,
        }));
        let mut settings =
            Settings { public_url: "https://chieng.tinh.example/".into(), smtp: Some(smtp.unwrap()), ..Settings::default() };
        more(&mut settings);
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let path = dir.path().join("state.db");
        let state = State::open(&path).await.unwrap();
        let clock = Arc::new(VirtualClock(AtomicI64::new(START)));
        let sink = Arc::new(MemorySink::default());
        let responder = Responder::new(state.clone(), settings.clone(), clock.clone(), sink.clone()).unwrap();
        Self { state, clock, sink, responder, settings, people: BTreeMap::new(), path, _dir: dir }
    }

    /// The same data in a new process: memory is gone, the file and the clock are not.
    pub async fn restarted(self) -> Self {
        let Self { clock, sink, settings, people, path, _dir, .. } = self;
        let state = State::open(&path).await.unwrap();
        let responder = Responder::new(state.clone(), settings.clone(), clock.clone(), sink.clone()).unwrap();
        Self { state, clock, sink, responder, settings, people, path, _dir }
    }

    /// An on-call officer who gets mail.
    pub async fn person(&mut self, name: &str) -> Actor {
        let actor = self.account(name, Role::Oncall, Systems::All).await;
        self.responder.add_channel(Some(actor.id), ChannelKind::Email, &format!("{name}@tinh.example")).await.unwrap();
        actor
    }

    pub async fn account(&mut self, name: &str, role: Role, systems: Systems) -> Actor {
        let new = NewUser {
            name: name.into(),
            display_name: name.into(),
            role,
            systems,
            language: "vi".into(),
            password_hash: "x".into(),
        };
        let user = self.state.create_user(new, START).await.unwrap();
        let actor = Actor { id: user.id, name: user.name };
        self.people.insert(name.into(), actor.clone());
        actor
    }

    /// Records one match of a stable high rule on a level 3 system, from this address, in this frame.
    pub async fn attack(&self, frame: u64, address: &str) {
        self.responder.record(frame, &[self.found(frame, address, Severity::High)]).await.unwrap();
    }

    pub fn found(&self, frame: u64, address: &str, level: Severity) -> Found {
        let now = self.clock.now();
        let rule = RuleCard {
            id: format!("r-{}", level.name()),
            title: "SSH guessing".into(),
            title_vi: "Dò mật khẩu SSH".into(),
            level,
            status: "stable".into(),
            tags: vec!["attack.credential-access".into()],
            ..RuleCard::default()
        };
        let event = EventSummary {
            id: format!("node-{frame}-0"),
            sequence: frame,
            timestamp: now,
            ingested: now,
            system: "mot-cua".into(),
            system_level: Some(3),
            values: vec![("source.ip".into(), address.into())],
            summary: "Failed password for nguyễn from 203.0.113.9".into(),
        };
        let evidence =
            vec![Evidence { identifier: "selection".into(), field: "message".into(), value: "Failed password".into() }];
        Found { rule: Arc::new(rule), event, evidence }
    }

    pub async fn work(&self) -> Worked {
        self.responder.work().await.unwrap()
    }

    pub fn scope(&self) -> Scope {
        Scope::internal("test")
    }

    /// (status, detail) of everything told about an incident.
    pub async fn told(&self, incident: i64) -> Vec<(String, String)> {
        let list = self.state.incident_notifications(&self.scope(), incident).await.unwrap();
        list.into_iter().map(|(notification, _, _)| (notification.status, notification.detail)).collect()
    }
}
