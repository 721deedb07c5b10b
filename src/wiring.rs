//! Where the crates meet: builds every part from the settings, joins them at the seams, owns every task.
//!
//! ```text
//! settings ─▶ store · state · rules · responder · engine ─▶ pipe, listeners, pages, control socket
//! ```
//!
//! Boring on purpose. Each task is named, and ends with the one token that [`Running::stop`] cancels; the order of stopping is
//! the order of the data: listeners first, then the pipe, then the store.

mod facts;
pub mod keeping;
pub mod proof;
pub mod retention;
mod tokens;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use dashboards::App;
use detect::RuleSource;
use event::seam::{Clock, TableSource};
use ingest::elastic::{Elastic, ElasticListener};
use query::Engine;
use respond::{Responder, RuleCard};
use state::{State, register, secret};
use store::Store;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    cli::SOCKET,
    config::Settings,
    failure::{Failure, Result},
    formats::Known,
    pipe::{Knowledge, Pipe, Progress, Rules},
};
use facts::ProgramFacts;
use keeping::StoreKeeping;
pub use tokens::Tokens;

/// A set-up token works for a day; a restart prints a new one.
const SETUP_TOKEN_LIFE: event::Micros = 24 * 3_600_000_000;

/// How often scores are computed anew.
const SCORES_EVERY: Duration = Duration::from_secs(300);

/// Where a running server listens.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub http: SocketAddr,
    pub syslog_udp: Vec<SocketAddr>,
    pub syslog_tcp: Vec<SocketAddr>,
    pub syslog_tls: Vec<SocketAddr>,
    pub netflow: Vec<SocketAddr>,
    /// Addresses of the Elasticsearch-compatible door alone; it stands under `/elastic` of `http` as well.
    pub elastic: Vec<SocketAddr>,
}

/// How often the installation's own formats are looked at.
const MAPPINGS_EVERY: Duration = Duration::from_secs(2);

/// Store, state and what reads them: what a command needs, with or without a server.
pub struct Core {
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub store: Arc<Store>,
    pub state: State,
    pub engine: Arc<Engine>,
    pub responder: Arc<Responder>,
    pub sources: Arc<ingest::Sources>,
    pub formats: Arc<Known>,
    pub metrics: Arc<ingest::Metrics>,
    pub knowledge: Arc<RwLock<Knowledge>>,
    pub rules: Arc<RwLock<Arc<Rules>>>,
    pub rejected: Arc<RwLock<Vec<detect::Rejected>>>,
    pub progress: Arc<Progress>,
    pub policy: Arc<retention::Policy>,
    pub keeping: Arc<StoreKeeping>,
}

impl Core {
    async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        let dir = settings.server.data_dir.clone();
        fs::create_dir_all(&dir)
            .map_err(|error| Failure::of(format!("failed to create the data directory {}", dir.display()), &error))?;
        // Logs are other people's business: only the owner of the process may look into the directory.
        let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        let options = store::Options {
            dir: dir.clone(),
            node: settings.server.node.clone(),
            wal_bytes_max: settings.store.wal_max.0,
            flush_interval_ms: settings.store.flush_interval.0.as_millis() as u64,
            cold: settings.store.cold.as_ref().map(keeping::cold_options).transpose()?,
            ..store::Options::default().with_flush_bytes(settings.store.flush_size.0)
        };
        let opened = Store::open(options, clock.clone(), Arc::new(store::Disk)).await;
        let store = opened.map_err(|error| {
            let failure = Failure::of(format!("failed to open the store in the data directory {}", dir.display()), &error);
            match error {
                store::Error::Locked { .. } => failure.hint("stop the other process, or give this one a data_dir of its own"),
                _ => failure,
            }
        })?;
        let state =
            State::open(&dir.join("state.db")).await.map_err(|error| Failure::of("failed to open the state database", &error))?;
        let formats = Known::open(settings.mappings.clone());
        let own = formats.load();
        let parsers = |name: &str| own.by_name(name).is_some();
        let sources = ingest::Sources::from_settings(&settings.ingest, parsers)
            .map_err(|problems| Failure::new(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
        let mut respond_settings = settings.respond.clone();
        // Where nobody said otherwise, links in messages lead to this server.
        if respond_settings.public_url == respond::Settings::default().public_url {
            respond_settings.public_url = public_url(&settings, settings.server.listen);
        }
        let responder = Responder::new(state.clone(), respond_settings, clock.clone(), store.sink())
            .map_err(|error| Failure::of("failed to set up notifications", &error))?;
        let engine = engine(&settings, &store, &state)?;
        let (rules, rejected) = load_rules(&settings)?;
        let knowledge: Arc<RwLock<Knowledge>> = Arc::default();
        let policy = Arc::new(retention::Policy::new(settings.retention.clone(), knowledge.clone()));
        let disk_max = settings.store.disk_max.map(|bytes| bytes.0);
        let keeping = StoreKeeping::new(store.clone(), policy.clone(), clock.clone(), disk_max, settings.retention.warn_days);
        let core = Self {
            policy,
            keeping: Arc::new(keeping),
            clock,
            store,
            engine,
            responder,
            sources: Arc::new(sources),
            formats: Arc::new(formats),
            metrics: Arc::default(),
            knowledge,
            rules: Arc::new(RwLock::new(Arc::new(rules))),
            rejected: Arc::new(RwLock::new(rejected)),
            progress: Arc::default(),
            state,
            settings,
        };
        core.learn().await?;
        Ok(core)
    }

    /// Compiles register and tokens into what the pipe reads events against.
    pub async fn learn(&self) -> Result {
        let failed = |error: state::Error| Failure::of("failed to read the register", &error);
        let fresh = learn(&self.state, self.clock.now()).await.map_err(failed)?;
        self.engine.amend(amendments(&self.state, &fresh.register).await.map_err(failed)?);
        *self.knowledge.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Flushes by size and age, applies retention, sweeps files, until stopped.
    fn maintenance(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let (tell, told) = watch::channel(false);
        let working = self.store.clone().run_maintenance(self.policy.clone(), told);
        async move {
            tokio::pin!(working);
            tokio::select! {
                () = &mut working => return,
                () = stop.cancelled() => {}
            }
            let _ = tell.send(true);
            working.await;
        }
    }

    /// Moves old segments to the cold store, until stopped.
    fn moving(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let (tell, told) = watch::channel(false);
        let store = self.store.clone();
        async move {
            tokio::select! {
                () = store.run_cold(told) => stop.cancelled().await,
                () = stop.cancelled() => {}
            }
            drop(tell);
        }
    }

    /// Looks after changed mapping files, until stopped.
    fn watching(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let formats = self.formats.clone();
        async move {
            while stop.run_until_cancelled(tokio::time::sleep(MAPPINGS_EVERY)).await.is_some() {
                let formats = formats.clone();
                let _ = tokio::task::spawn_blocking(move || formats.refresh()).await;
            }
        }
    }

    fn pipe(&self) -> Pipe {
        Pipe {
            node: self.settings.server.node.clone(),
            store: self.store.clone(),
            state: self.state.clone(),
            responder: self.responder.clone(),
            sources: self.sources.clone(),
            formats: self.formats.clone(),
            knowledge: self.knowledge.clone(),
            rules: self.rules.clone(),
            progress: self.progress.clone(),
        }
    }
}

async fn learn(state: &State, now: event::Micros) -> state::Result<Knowledge> {
    let register = state.register_snapshot(now).await?;
    let tokens = state.ingest_tokens().await?;
    let token_systems = tokens.into_iter().filter_map(|(_, token)| Some((token.source, token.system?))).collect();
    Ok(Knowledge { register: Arc::new(register), token_systems: Arc::new(token_systems) })
}

/// Whose past events of adopted senders are, with what the register says of those systems now.
async fn amendments(state: &State, register: &register::Snapshot) -> state::Result<query::Amendments> {
    let list = state.amendments(&event::Scope::internal("wiring")).await?;
    Ok(query::Amendments::new(list.into_iter().map(|amendment| {
        let system = register.system(&amendment.system);
        query::Amendment {
            level: system.map(|system| i64::from(system.level)),
            organization: system.and_then(|system| system.organization.clone()),
            address: amendment.address,
            since: amendment.since,
            system: amendment.system,
        }
    })))
}

fn engine(settings: &Settings, store: &Arc<Store>, state: &State) -> Result<Arc<Engine>> {
    let mut tables: Vec<Arc<dyn TableSource>> = state.response_tables();
    tables.push(store.tombstones_table());
    tables.push(Arc::new(register::SystemsTable(state.clone())));
    tables.push(Arc::new(register::AssetsTable(state.clone())));
    tables.push(Arc::new(register::OrganisationsTable(state.clone())));
    let limits = query::Limits {
        time: settings.query.time_max.0,
        memory_bytes: settings.query.memory_max.0 as usize,
        concurrent: settings.query.concurrent_max,
        spill_dir: Some(settings.server.data_dir.join("spill")),
        ..query::Limits::default()
    };
    let key = mask_key(&settings.server.data_dir)?;
    Engine::new(store.clone(), tables, limits, key).map_err(|error| Failure::of("failed to start the query engine", &error))
}

/// The key of masked values: made once, kept beside the data, so that tokens stay the same.
fn mask_key(dir: &Path) -> Result<[u8; 32]> {
    let path = dir.join("mask-key");
    let failed = |error: std::io::Error| Failure::of(format!("failed to read or write {}", path.display()), &error);
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| Failure::new(format!("{} does not hold 32 bytes", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let token = dashboards::random_token().map_err(failed)?;
            let key = *blake3_of(&token);
            write_private(&path, &key).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

fn blake3_of(text: &str) -> Box<[u8; 32]> {
    Box::new(*blake3::hash(text.as_bytes()).as_bytes())
}

pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn public_url(settings: &Settings, http: SocketAddr) -> String {
    if settings.server.public_url.is_empty() {
        format!("http://{http}")
    } else {
        settings.server.public_url.trim_end_matches('/').to_owned()
    }
}

/// Reads every `.yml` and `.yaml` file of folders, in the order of their names.
pub fn rule_files(paths: &[PathBuf]) -> Result<Vec<RuleSource>> {
    let mut sources = Vec::new();
    let mut waiting: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = waiting.pop() {
        let failed = |error: std::io::Error| Failure::of(format!("failed to read rules from {}", path.display()), &error);
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = fs::read_dir(&path).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
            inside.sort();
            waiting.extend(inside.into_iter().rev());
        } else if is_rule_file(&path) {
            let text = fs::read(&path).map_err(failed)?;
            sources.push(RuleSource { path: path.display().to_string(), text: String::from_utf8_lossy(&text).into_owned() });
        }
    }
    Ok(sources)
}

fn is_rule_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    is_yaml && !name.ends_with(".test.yml")
}

fn load_rules(settings: &Settings) -> Result<(Rules, Vec<detect::Rejected>)> {
    let mut sources = if settings.detect.own_rules { detect::own::sources() } else { Vec::new() };
    sources.extend(rule_files(&settings.detect.rules)?);
    let loaded = detect::load(sources, &detect::Options::default());
    for rejected in &loaded.rejected {
        warn!(file = %rejected.file, line = rejected.line, rule = %rejected.rule, reason = %rejected.reason, "refused a rule");
    }
    info!(rules = loaded.set.rules().len(), refused = loaded.rejected.len(), "loaded rules");
    let cards = loaded.set.rules().iter().map(|rule| Arc::new(card(rule))).collect();
    Ok((Rules { set: loaded.set, cards }, loaded.rejected))
}

fn card(rule: &detect::Rule) -> RuleCard {
    let or_english = |text: &Option<String>, english: &str| text.clone().unwrap_or_else(|| english.to_owned());
    let source = &rule.logsource;
    let parts = [&source.category, &source.product, &source.service].map(|part| part.clone().unwrap_or_default());
    RuleCard {
        id: rule.id.clone(),
        title: rule.title.clone(),
        title_vi: or_english(&rule.title_vi, &rule.title),
        level: rule.level,
        status: rule.status.name().to_owned(),
        author: rule.author.clone().unwrap_or_default(),
        tags: rule.tags.clone(),
        description: rule.description.clone(),
        description_vi: or_english(&rule.description_vi, &rule.description),
        falsepositives: rule.falsepositives.clone(),
        references: rule.references.clone(),
        response_vi: rule.response_vi.clone(),
        response_en: rule.response.clone(),
        logsource: parts.join("/"),
        group_by: rule.group_by.clone(),
        text: Default::default(),
    }
}

/// A running server.
pub struct Running {
    pub core: Arc<Core>,
    pub addresses: Addresses,
    pub setup_token: Option<String>,
    facts: Arc<ProgramFacts>,
    listening: CancellationToken,
    processing: CancellationToken,
    listeners: JoinSet<()>,
    workers: JoinSet<()>,
    failure: watch::Receiver<Option<String>>,
}

/// Starts everything; returns when it is ready.
pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Running> {
    let http = TcpListener::bind(settings.server.listen).await;
    let http = http.map_err(|error| Failure::of(format!("failed to listen on {}", settings.server.listen), &error))?;
    let listen = http.local_addr().map_err(|error| Failure::of("failed to listen", &error))?;
    // With port 0 the system chose one: links in messages must lead to it.
    let settings = Settings { server: crate::config::Server { listen, ..settings.server.clone() }, ..settings };
    let core = Arc::new(Core::open(settings, clock).await?);
    let (fail, failure) = watch::channel(None);
    let (listening, processing) = (CancellationToken::new(), CancellationToken::new());
    let (mut listeners, mut workers) = (JoinSet::new(), JoinSet::new());

    let context = ingest::Context {
        sink: core.store.sink(),
        clock: core.clock.clone(),
        sources: core.sources.clone(),
        metrics: core.metrics.clone(),
    };
    let bound = ingest::Listeners::bind(&core.settings.ingest, &context).map_err(|errors| cannot_listen(&errors))?;
    let tokens = Arc::new(Tokens::new(core.state.clone(), core.sources.clone()));
    let bodies = ingest::Bodies::new(&core.settings.ingest.http);
    let elastic = Elastic::new(context.clone(), bodies.clone(), &core.settings.ingest.elastic, tokens.clone());
    let doors = elastic.bind().map_err(|errors| cannot_listen(&errors))?;
    let addresses = Addresses {
        http: listen,
        syslog_udp: of_kind(&bound, "syslog_udp"),
        syslog_tcp: of_kind(&bound, "syslog_tcp"),
        syslog_tls: of_kind(&bound, "syslog_tls"),
        netflow: of_kind(&bound, "netflow_udp"),
        elastic: doors.iter().map(ElasticListener::local_addr).collect(),
    };

    let facts = Arc::new(ProgramFacts::new(core.clone(), addresses.clone()));
    let setup_token = setup_token(&core).await?;
    let app = app(&core, &addresses, facts.clone())?;
    dashboards::jobs::recover(&app)
        .await
        .map_err(|error| Failure::of("failed to make the folder of kept answers in the data directory", &error))?;
    let router =
        dashboards::router(app.clone()).merge(ingest::http::router(context.clone(), bodies, tokens)).merge(elastic.prefixed());
    let control = control_socket(&core.settings.server.data_dir)?;

    let stop = listening.clone();
    listeners.spawn(async move { bound.run(stop).await });
    for door in doors {
        listeners.spawn(door.run(listening.clone()));
    }
    let stop = listening.clone();
    listeners.spawn(async move {
        if let Err(error) = dashboards::serve::tcp(http, router, stop).await {
            error!(%error, "the web server ended");
        }
    });
    let (stop, control_router) = (listening.clone(), dashboards::control::router(app.clone()));
    listeners.spawn(async move {
        if let Err(error) = dashboards::serve::unix(control, control_router, stop).await {
            error!(%error, "the control socket ended");
        }
    });

    let (pipe, stop) = (core.pipe(), processing.clone());
    workers.spawn(async move {
        if let Err(error) = pipe.run(stop).await {
            let _ = fail.send(Some(format!("the log could not be read any more: {error}")));
        }
    });
    workers.spawn(core.maintenance(processing.clone()));
    workers.spawn(core.moving(processing.clone()));
    workers.spawn(core.watching(processing.clone()));
    workers.spawn(keeping::watch(core.keeping.clone(), core.store.sink(), processing.clone()));
    let (responder, stop) = (core.responder.clone(), processing.clone());
    workers.spawn(async move { responder.run(stop.cancelled_owned()).await });
    let (settings, smtp) = (core.settings.proof.clone(), core.settings.respond.smtp.clone());
    workers.spawn(crate::anchors::run(core.store.clone(), core.clock.clone(), settings, smtp, processing.clone()));
    workers.spawn(dashboards::jobs::keep_house(app.clone(), processing.clone()));
    workers.spawn(dashboards::api::scores::run(app, SCORES_EVERY, processing.clone()));
    let (learner, changes, stop) = (core.clone(), facts.changes(), processing.clone());
    workers.spawn(relearn(learner, changes, stop));

    facts.set_ready(true);
    Ok(Running { core, addresses, setup_token, facts, listening, processing, listeners, workers, failure })
}

fn of_kind(bound: &ingest::Listeners, kind: &str) -> Vec<SocketAddr> {
    bound.addresses().into_iter().filter(|listening| listening.kind == kind).map(|listening| listening.address).collect()
}

fn cannot_listen(errors: &[ingest::Error]) -> Failure {
    let lines: Vec<String> = errors.iter().map(|error| dashboards::error::chain(error)).collect();
    Failure::new(lines.join("\n")).hint("another process may have the port, or it is below 1024 and needs CAP_NET_BIND_SERVICE")
}

fn app(core: &Arc<Core>, addresses: &Addresses, facts: Arc<ProgramFacts>) -> Result<App> {
    let first = |all: &[SocketAddr]| all.first().map(ToString::to_string).unwrap_or_default();
    let catalogue = comply::Catalogue::load_embedded();
    for problem in catalogue.problems() {
        warn!(%problem, "a framework or check file has a problem; the good rest works");
    }
    let url = public_url(&core.settings, addresses.http);
    let settings = dashboards::Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        https: url.starts_with("https://"),
        syslog_udp: first(&addresses.syslog_udp),
        syslog_tcp: first(&addresses.syslog_tcp),
        public_url: url,
    };
    let passwords = dashboards::auth::Passwords::new().map_err(|_| Failure::new("failed to get randomness from the system"))?;
    Ok(App::new(dashboards::Parts {
        engine: core.engine.clone(),
        state: core.state.clone(),
        responder: core.responder.clone(),
        catalogue: Arc::new(catalogue),
        sink: core.store.sink(),
        clock: core.clock.clone(),
        facts,
        keeping: core.keeping.clone(),
        proofs: Arc::new(proofs(core)?),
        proof_desk: dashboards::proof::Desk::new(core.settings.server.data_dir.join("proof-desk")),
        jobs: jobs(&core.settings),
        settings,
        passwords,
        scores: dashboards::api::scores::Cache::default(),
        scores_wanted: tokio::sync::Notify::new(),
    }))
}

fn proofs(core: &Arc<Core>) -> Result<proof::StoreProofs> {
    Ok(proof::StoreProofs {
        store: core.store.clone(),
        engine: core.engine.clone(),
        clock: core.clock.clone(),
        dir: core.settings.server.data_dir.clone(),
        cold: core.settings.store.cold.as_ref().map(keeping::cold_options).transpose()?,
        targets: crate::anchors::targets(&core.settings.proof),
        read: Arc::default(),
    })
}

fn jobs(settings: &Settings) -> dashboards::jobs::Jobs {
    dashboards::jobs::Jobs::new(dashboards::jobs::Settings {
        dir: settings.server.data_dir.join("jobs"),
        at_once: settings.query.jobs_at_once,
        time: settings.query.job_time_max.0,
        size_max: settings.query.job_size_max.0,
        person_size_max: settings.query.jobs_size_max.0,
        keep: settings.query.jobs_keep.0,
    })
}

/// Prints a one-time token while there is no administrator; also kept in a private file, for whoever lost the terminal.
async fn setup_token(core: &Core) -> Result<Option<String>> {
    let failed = |error: state::Error| Failure::of("failed to prepare the first login", &error);
    let path = core.settings.server.data_dir.join("setup-token");
    if !core.state.setup_needed().await.map_err(failed)? {
        let _ = fs::remove_file(path);
        return Ok(None);
    }
    let no_randomness = |error: std::io::Error| Failure::of("failed to make the set-up token", &error);
    let token = dashboards::random_token().map_err(no_randomness)?;
    let now = core.clock.now();
    core.state.set_setup_token(&secret::hash(&token), now + SETUP_TOKEN_LIFE, now).await.map_err(failed)?;
    write_private(&path, format!("{token}\n").as_bytes()).map_err(no_randomness)?;
    Ok(Some(token))
}

/// Opens the control socket; one that a killed server left is removed: the store's lock says that nobody else runs.
fn control_socket(dir: &Path) -> Result<tokio::net::UnixListener> {
    let path = dir.join(SOCKET);
    let failed = |error: std::io::Error| Failure::of(format!("failed to open the control socket {}", path.display()), &error);
    let _ = fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Compiles the register anew whenever somebody changed it.
async fn relearn(core: Arc<Core>, mut changes: watch::Receiver<u64>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        if let Err(failure) = core.learn().await {
            error!(?failure, "failed to take the changed register in; the old one stays in force");
        }
    }
}

impl Running {
    pub fn url(&self) -> String {
        public_url(&self.core.settings, self.addresses.http)
    }

    /// Takes in rules and sources of new settings; on failure everything stays as it is.
    pub fn reload(&self, settings: &Settings) -> Result {
        let (rules, rejected) = load_rules(settings)?;
        self.core.formats.refresh();
        let formats = self.core.formats.load();
        let table = ingest::SourceTable::new(&settings.ingest.sources, |name| formats.by_name(name).is_some())
            .map_err(|problems| Failure::new(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
        *self.core.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        *self.core.rejected.write().unwrap_or_else(PoisonError::into_inner) = rejected;
        self.core.sources.replace(table);
        Ok(())
    }

    /// Waits until something failed for good.
    pub async fn failed(&self) -> Failure {
        let mut failure = self.failure.clone();
        loop {
            if let Some(what) = failure.borrow_and_update().clone() {
                return Failure::new(what);
            }
            if failure.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Stops in the order of the data: no new records, then the blocks under way, then the last flush.
    pub async fn stop(mut self) -> Result {
        self.facts.set_ready(false);
        self.listening.cancel();
        while self.listeners.join_next().await.is_some() {}
        let _ = fs::remove_file(self.core.settings.server.data_dir.join(SOCKET));
        self.processing.cancel();
        while self.workers.join_next().await.is_some() {}
        self.core.store.close().await.map_err(|error| Failure::of("failed to close the store", &error))
    }
}

/// The pipe without listeners and pages: what a command uses when no server runs.
pub struct Offline {
    pub core: Core,
    processing: CancellationToken,
    pipe: tokio::task::JoinHandle<std::result::Result<(), store::Error>>,
    maintenance: tokio::task::JoinHandle<()>,
}

/// Takes the lock, recovers, and runs the same pipe as a server.
pub async fn offline(settings: Settings, clock: Arc<dyn Clock>) -> Result<Offline> {
    let core = Core::open(settings, clock).await?;
    let processing = CancellationToken::new();
    let pipe = tokio::spawn(core.pipe().run(processing.clone()));
    let maintenance = tokio::spawn(core.maintenance(processing.clone()));
    let offline = Offline { core, processing, pipe, maintenance };
    offline.settle().await;
    Ok(offline)
}

impl Offline {
    /// Waits until everything in the log is processed.
    pub async fn settle(&self) {
        while self.core.store.stats().frames_waiting > 0 && !self.pipe.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn query(&self, sql: &str, format: &str, mut write: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result {
        let scope = event::Scope::internal("command");
        let failed = |error: query::Error| Failure::new(error.to_string());
        let limits = dashboards::ask::generous(self.core.engine.limits());
        let rows = self.core.engine.sql(&scope, sql, Some(limits)).await.map_err(failed)?.collect().await.map_err(failed)?;
        let (_, text) = dashboards::ask::write(&rows, format).map_err(failed)?;
        write(text.as_bytes()).map_err(|error| Failure::of("failed to write the answer", &error))?;
        match rows.reason {
            None => Ok(()),
            Some(reason) => Err(Failure::new(format!("the answer is not complete: {reason}"))),
        }
    }

    pub async fn close(self) -> Result {
        self.settle().await;
        self.processing.cancel();
        match self.pipe.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Failure::of("the log could not be read", &error)),
            Err(error) => return Err(Failure::of("the pipe broke", &error)),
        }
        let _ = self.maintenance.await;
        self.core.store.close().await.map_err(|error| Failure::of("failed to close the store", &error))
    }
}
