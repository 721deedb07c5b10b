//! The engine: one question at a time goes parse ▶ rewrite ▶ plan ▶ run, on threads of its own.
//!
//! Every question gets a fresh session that holds nothing but the tables its asker may see, over one snapshot. The threads
//! are the engine's: a heavy question cannot hold up the listeners and writers of the program.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering::Release},
    },
    time::{Duration, Instant},
};

use datafusion::{
    arrow::{datatypes::SchemaRef, record_batch::RecordBatch},
    catalog::CatalogProviderList,
    catalog::{CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider, SchemaProvider},
    datasource::MemTable,
    execution::{
        SessionState,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::{FairSpillPool, MemoryPool},
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
        session_state::SessionStateBuilder,
    },
    physical_optimizer::optimizer::PhysicalOptimizer,
    physical_plan::{ExecutionPlan, execute_stream},
    prelude::SessionConfig,
    sql::parser::Statement,
};
use event::{
    Scope,
    seam::{BoxFuture, SeamError, Search, TableSource},
};
use futures::StreamExt;
use store::{Snapshot, Store};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{sleep, timeout},
};

use crate::{
    amend::Amendments,
    count::CountInScan,
    dialect,
    error::{Error, ErrorKind, Result},
    export::EXPORTS_MAX,
    file::MetadataCache,
    flows, functions,
    limits::{Limits, Registered, Running, resident_bytes},
    mask::Masker,
    newest::NewestInScan,
    rewrite::{self, Tables},
    rows::{AbortOnDrop, Rows, vanished},
    scan::ScanStats,
    tables::{Events, Shared, fields_table, tables_table},
    tail::Watchers,
    view::{SchemaCache, View},
    whole,
    yielding::YieldInJoins,
};

/// Stack of the engine's threads: planners walk trees recursively, see [`dialect::SQL_OPERATORS_MAX`].
const STACK_BYTES: usize = 32 << 20;

/// How the names of the program's own askers begin ([`Scope::internal`]).
const PROGRAM: &str = "chieng:";
/// Accounts whose turns are remembered while they ask nothing.
const PERSONS_MAX: usize = 1_000;

/// Where events come from: the store, or batches of a test.
pub trait Source: Send + Sync + 'static {
    fn snapshot(&self) -> Arc<Snapshot>;
}

/// Answers questions over events and the small tables.
pub struct Engine {
    me: Weak<Self>,
    source: Arc<dyn Source>,
    tables: Vec<Arc<dyn TableSource>>,
    limits: Limits,
    masker: Masker,
    base: SessionState,
    schemas: SchemaCache,
    metadata: Arc<MetadataCache>,
    amendments: RwLock<Arc<Amendments>>,
    turns: Arc<Semaphore>,
    /// Turns of each account that asked.
    persons: Mutex<HashMap<String, Arc<Semaphore>>>,
    running: Arc<Running>,
    runtime: Option<Runtime>,
    /// Live tails have a thread of their own.
    tails: Option<Runtime>,
    watchers: Arc<Watchers>,
    /// Questions in the background have threads of their own.
    background: Option<Runtime>,
    exports: Arc<Semaphore>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime may not be waited for inside another one; what still runs has nobody to answer to.
        for runtime in [self.runtime.take(), self.tails.take(), self.background.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

impl Source for Store {
    fn snapshot(&self) -> Arc<Snapshot> {
        Self::snapshot(self)
    }
}

impl Engine {
    /// Makes the engine of a server: events and `ledger` of the store, and the tables of other crates.
    pub fn new(
        store: Arc<Store>,
        mut tables: Vec<Arc<dyn TableSource>>,
        limits: Limits,
        mask_key: [u8; 32],
    ) -> Result<Arc<Self>> {
        tables.push(store.ledger_table());
        Self::over(store, tables, limits, mask_key)
    }

    /// Makes an engine over any source of snapshots. `mask_key` belongs to the installation: tokens of masked values stay
    /// the same as long as it does.
    pub fn over(
        source: Arc<dyn Source>,
        tables: Vec<Arc<dyn TableSource>>,
        limits: Limits,
        mask_key: [u8; 32],
    ) -> Result<Arc<Self>> {
        let runtime = threads(limits.partitions.max(1), "chieng-query")?;
        let tails = threads(1, "chieng-tail")?;
        let background = last_in_line(1, "chieng-job")?;
        let engine = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            source,
            tables,
            masker: Masker::new(mask_key),
            base: base_session(&limits),
            schemas: SchemaCache::default(),
            metadata: Arc::default(),
            amendments: RwLock::default(),
            turns: Arc::new(Semaphore::new(limits.concurrent.max(1))),
            persons: Mutex::default(),
            running: Arc::default(),
            runtime: Some(runtime),
            tails: Some(tails),
            background: Some(background),
            watchers: Arc::default(),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            limits,
        });
        engine.watch_memory();
        Ok(engine)
    }

    /// The engine's own limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes the amendments of attribution that hold from now on; questions under way keep theirs.
    pub fn amend(&self, amendments: Amendments) {
        *self.amendments.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(amendments);
    }

    /// What an asker sees at this instant: its columns are the ones that can be named.
    pub(crate) fn view(&self, scope: &Scope) -> View {
        self.view_of(&self.source.snapshot(), scope)
    }

    /// What an asker sees of a snapshot, or of a part of one.
    pub(crate) fn view_of(&self, snapshot: &Snapshot, scope: &Scope) -> View {
        let amendments = self.amendments.read().unwrap_or_else(PoisonError::into_inner).clone();
        View::new(snapshot, scope, self.masker.clone(), &self.schemas, amendments)
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.source.snapshot()
    }

    pub(crate) fn watchers(&self) -> &Arc<Watchers> {
        &self.watchers
    }

    pub(crate) fn export_places(&self) -> &Arc<Semaphore> {
        &self.exports
    }

    /// The threads of questions; `None` while the engine is shutting down.
    pub(crate) fn runtime(&self) -> Option<&Runtime> {
        self.runtime.as_ref()
    }

    /// The threads of live tails; `None` while the engine is shutting down.
    pub(crate) fn tail_runtime(&self) -> Option<&Runtime> {
        self.tails.as_ref()
    }

    /// The threads of questions in the background; `None` while the engine is shutting down.
    pub(crate) fn background_runtime(&self) -> Option<&Runtime> {
        self.background.as_ref()
    }

    /// The tables besides events that an asker may know of, for the search language.
    pub(crate) fn small_tables(&self, scope: &Scope) -> Vec<(String, SchemaRef)> {
        let known = self.tables.iter().filter(|table| table.scope_column().is_some() || scope.sees_all());
        known.map(|table| (table.name().to_owned(), table.schema())).collect()
    }

    /// Questions that run at this moment.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Runs one statement in a scope. Whether the asker may write SQL at all is the caller's to check
    /// ([`event::Role::may_write_sql`]); what it can reach is decided here.
    pub async fn sql(self: &Arc<Self>, scope: &Scope, sql: &str, limits: Option<Limits>) -> Result<Rows> {
        self.sql_given(scope, sql, limits, Given::default()).await
    }

    /// The same for the engine's own walks over events.
    pub(crate) async fn sql_given(
        self: &Arc<Self>,
        scope: &Scope,
        sql: &str,
        limits: Option<Limits>,
        given: Given,
    ) -> Result<Rows> {
        let limits = limits.unwrap_or_else(|| self.limits.clone());
        let started = Instant::now();
        let turn = if given.needs_turn { Some(self.turn(scope, &limits).await?) } else { None };
        let stats = Arc::new(ScanStats::default());
        let finished = Arc::new(AtomicBool::new(false));
        let (sender, batches) = mpsc::channel(4);
        let (tell, told) = oneshot::channel();
        let in_background = given.in_background;
        let question = Question {
            engine: self.clone(),
            scope: Arc::new(scope.clone()),
            sql: sql.to_owned(),
            given,
            limits: limits.clone(),
            stats: stats.clone(),
            finished: finished.clone(),
        };
        let runtime = if in_background { &self.background } else { &self.runtime };
        let Some(runtime) = runtime else { return Err(vanished()) };
        let task = runtime.spawn(question.run(turn, tell, sender));
        let task = AbortOnDrop(task.abort_handle());
        // The task watches the time itself; this catches one that is stuck in a single step.
        let schema = timeout(limits.time + Duration::from_secs(1), told).await;
        let schema = schema.map_err(|_| out_of_time(&limits))?.map_err(|_| vanished())??;
        Ok(Rows { schema, batches, stats, limits, started, finished, _task: task })
    }

    /// Runs work of the engine's own on its threads, so that it holds up nobody else's; ends it when the caller goes away.
    pub(crate) async fn work<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let Some(runtime) = &self.runtime else { return Err(vanished()) };
        let task = runtime.spawn(work);
        let _guard = AbortOnDrop(task.abort_handle());
        task.await.map_err(|_| vanished())?
    }

    /// Waits for a turn: first among the person's own, so that nobody has all turns of the engine, then among everybody's.
    pub(crate) async fn turn(&self, scope: &Scope, limits: &Limits) -> Result<Turn> {
        let both = async {
            let own = match self.own_turns(&scope.actor) {
                Some(turns) => Some(turns.acquire_owned().await.ok()?),
                None => None,
            };
            Some(Turn { _own: own, _shared: self.turns.clone().acquire_owned().await.ok()? })
        };
        match timeout(limits.wait, both).await {
            Ok(Some(turn)) => Ok(turn),
            _ => Err(Error::new(ErrorKind::Busy, "too many questions are running").hint("try again in a moment")),
        }
    }

    /// The turns of one account; `None` for the program's own work.
    fn own_turns(&self, actor: &str) -> Option<Arc<Semaphore>> {
        if actor.starts_with(PROGRAM) {
            return None;
        }
        let mut all = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PERSONS_MAX {
            // Whoever asks nothing has nothing to be held to.
            all.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let most = self.limits.concurrent.saturating_sub(1).max(1);
        Some(all.entry(actor.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(most))).clone())
    }

    /// Puts a question on the list of those that the watch over memory may end.
    pub(crate) fn register(&self, pool: Arc<dyn MemoryPool>) -> (Registered, oneshot::Receiver<Error>) {
        self.running.register(pool)
    }

    /// A statement as a plan, with the session that runs it. To be called on the engine's threads, which have the stack for it.
    pub(crate) async fn planned(
        &self,
        scope: &Arc<Scope>,
        sql: &str,
        given: &Given,
        limits: &Limits,
        pool: Arc<dyn MemoryPool>,
        stats: &Arc<ScanStats>,
    ) -> Result<(Session, Arc<dyn ExecutionPlan>)> {
        let view = Arc::new(match &given.snapshot {
            Some(snapshot) => self.view_of(snapshot, scope),
            None => self.view(scope),
        });
        let statement = dialect::parse(sql)?;
        let session = self.session(view, scope, limits, pool, stats, given.narrow.clone())?;
        let mut statement = rewrite::rewrite(statement, &session.names)?;
        let is_short = whole::shorten(&mut statement);
        let mut plan = session.state.statement_to_plan(Statement::Statement(Box::new(statement))).await?;
        if is_short {
            plan = whole::all_columns(plan)?;
        }
        let physical = session.state.create_physical_plan(&plan).await?;
        Ok((session, physical))
    }

    /// The tables of one asker over what they see.
    pub(crate) fn session(
        &self,
        view: Arc<View>,
        scope: &Arc<Scope>,
        limits: &Limits,
        pool: Arc<dyn MemoryPool>,
        stats: &Arc<ScanStats>,
        narrow: Option<store::index::Question>,
    ) -> Result<Session> {
        let schema = MemorySchemaProvider::new();
        let mut names = Tables::default();
        let mut add = |name: &str, table: Arc<dyn datafusion::catalog::TableProvider>| {
            names.insert(name, &table.schema());
            schema.register_table(name.to_owned(), table).map(drop)
        };
        let events = Arc::new(Events::new(view.clone(), self.metadata.clone(), stats.clone(), narrow));
        add("flows", flows::view(events.clone())?)?;
        add("events", events)?;
        for source in &self.tables {
            if let Some(table) = Shared::new(source.clone(), scope.clone(), self.masker.clone()) {
                add(source.name(), Arc::new(table))?;
            }
        }
        add("fields", memory_table(fields_table(&view.schema)?)?)?;
        let mut list: Vec<String> = schema.table_names();
        list.push("tables".to_owned());
        list.sort();
        let batch = tables_table(list.iter().map(String::as_str))?;
        names.insert("tables", &batch.schema());
        schema.register_table("tables".to_owned(), memory_table(batch)?)?;
        let mut builder = SessionStateBuilder::new_from_existing(self.base.clone());
        if limits.partitions != self.limits.partitions {
            builder = builder.with_config(self.base.config().clone().with_target_partitions(limits.partitions.max(1)));
        }
        let mut state = builder.with_catalog_list(catalog(schema)?).with_runtime_env(self.environment(limits, pool)?).build();
        // One `now()` for the whole question.
        let options = state.config_options().clone();
        state.execution_props_mut().mark_start_execution(options);
        Ok(Session { state, names })
    }

    fn environment(&self, limits: &Limits, pool: Arc<dyn MemoryPool>) -> Result<Arc<RuntimeEnv>> {
        let mode = match &self.limits.spill_dir {
            Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
            None => DiskManagerMode::Disabled,
        };
        let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(limits.spill_bytes_max);
        Ok(RuntimeEnvBuilder::new().with_memory_pool(pool).with_disk_manager_builder(disk).build_arc()?)
    }

    /// Looks at the process's memory while the engine lives.
    fn watch_memory(self: &Arc<Self>) {
        let (Some(runtime), Some(bytes_max)) = (&self.runtime, self.limits.process_bytes_max) else { return };
        let engine: Weak<Self> = Arc::downgrade(self);
        runtime.spawn(async move {
            while let Some(engine) = engine.upgrade() {
                if engine.running.len() > 0
                    && let Some(bytes) = resident_bytes()
                    && engine.running.enforce(bytes, bytes_max)
                {
                    tracing::warn!(
                        resident_bytes = bytes,
                        bytes_max,
                        "cancelled the largest question: the process is short of memory"
                    );
                }
                drop(engine);
                sleep(Duration::from_millis(200)).await;
            }
        });
    }
}

/// One session's state and names.
pub(crate) struct Session {
    pub state: SessionState,
    pub names: Tables,
}

/// A question's turn; given back when dropped.
pub(crate) struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _shared: OwnedSemaphorePermit,
}

/// How a question is asked.
pub(crate) struct Given {
    /// Over this instant instead of the present one.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Only those blocks of `events` that may hold what the index is asked, and all that has no index: the caller looks at the
    /// rows itself. For what no statement can say, such as ten thousand values in a dozen fields.
    pub narrow: Option<store::index::Question>,
    /// False for what is limited elsewhere.
    pub needs_turn: bool,
    /// On the threads that come last.
    pub in_background: bool,
}

impl Default for Given {
    fn default() -> Self {
        Self { snapshot: None, narrow: None, needs_turn: true, in_background: false }
    }
}

/// A question on its way.
struct Question {
    engine: Arc<Engine>,
    scope: Arc<Scope>,
    sql: String,
    given: Given,
    limits: Limits,
    stats: Arc<ScanStats>,
    finished: Arc<AtomicBool>,
}

impl Question {
    async fn run(self, turn: Option<Turn>, tell: oneshot::Sender<Result<SchemaRef>>, sender: mpsc::Sender<Result<RecordBatch>>) {
        let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(self.limits.memory_bytes));
        let (registered, mut cancelled) = self.engine.running.register(pool.clone());
        let mut tell = Some(tell);
        let ended = tokio::select! {
            biased;
            reason = &mut cancelled => Err(reason.unwrap_or_else(|_| vanished())),
            () = sleep(self.limits.time) => Err(out_of_time(&self.limits)),
            done = self.answer(pool, &mut tell, &sender) => done,
        };
        drop((registered, turn));
        if let Err(error) = ended {
            // Before the schema is told the error goes there, afterwards it is the stream's last item.
            match tell.take() {
                Some(tell) => drop(tell.send(Err(error))),
                None => drop(sender.send(Err(error)).await),
            }
        }
        self.finished.store(true, Release);
    }

    async fn answer(
        &self,
        pool: Arc<dyn MemoryPool>,
        tell: &mut Option<oneshot::Sender<Result<SchemaRef>>>,
        sender: &mpsc::Sender<Result<RecordBatch>>,
    ) -> Result<()> {
        let (session, physical) =
            self.engine.planned(&self.scope, &self.sql, &self.given, &self.limits, pool, &self.stats).await?;
        let mut stream = execute_stream(physical, session.state.task_ctx())?;
        if let Some(tell) = tell.take() {
            let _ = tell.send(Ok(stream.schema()));
        }
        while let Some(batch) = stream.next().await {
            if sender.send(Ok(batch?)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn threads(count: usize, name: &str) -> Result<Runtime> {
    built(Builder::new_multi_thread().worker_threads(count), name)
}

/// Threads of low priority: everybody else's work comes first, and a tenth of a busy core is theirs so that they end at all.
fn last_in_line(count: usize, name: &str) -> Result<Runtime> {
    built(Builder::new_multi_thread().worker_threads(count).on_thread_start(come_last), name)
}

fn come_last() {
    // SAFETY: `setpriority` on thread 0, the calling one, touches no memory; that it may fail is of no consequence.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) };
}

fn built(builder: &mut Builder, name: &str) -> Result<Runtime> {
    let runtime = builder.thread_name(name).thread_stack_size(STACK_BYTES).enable_all().build();
    runtime.map_err(|error| Error::failed(format!("failed to start the threads {name}: {error}")))
}

pub(crate) fn out_of_time(limits: &Limits) -> Error {
    Error::new(ErrorKind::Limit, format!("the time limit of {} s was reached", limits.time.as_secs_f32()))
        .hint("narrow the time range or add a condition")
}

/// A session with our functions and settings, and no table.
fn base_session(limits: &Limits) -> SessionState {
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.partitions.max(1))
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema("chieng", "public")
        .with_collect_statistics(false);
    let options = config.options_mut();
    // What has no value comes last, both ways: nobody sorts by time to see events without one.
    "nulls_last".clone_into(&mut options.sql_parser.default_null_ordering);
    options.sql_parser.enable_ident_normalization = false;
    let mut rules = PhysicalOptimizer::new().rules;
    rules.push(Arc::new(CountInScan));
    rules.push(Arc::new(NewestInScan));
    rules.push(Arc::new(YieldInJoins));
    let builder = SessionStateBuilder::new().with_config(config).with_physical_optimizer_rules(rules);
    functions::register(builder).build()
}

fn catalog(schema: MemorySchemaProvider) -> Result<Arc<MemoryCatalogProviderList>> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema("public", Arc::new(schema))?;
    let list = MemoryCatalogProviderList::new();
    list.register_catalog("chieng".to_owned(), Arc::new(catalog));
    Ok(Arc::new(list))
}

fn memory_table(batch: RecordBatch) -> Result<Arc<MemTable>> {
    Ok(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))
}

impl Search for Engine {
    fn search<'a>(
        &'a self,
        scope: &'a Scope,
        sql: &'a str,
        rows_max: usize,
    ) -> BoxFuture<'a, std::result::Result<Vec<RecordBatch>, SeamError>> {
        Box::pin(async move {
            let Some(engine) = self.me.upgrade() else { return Err(SeamError("the query engine is shutting down".to_owned())) };
            let limits = Limits { rows_max, ..self.limits.clone() };
            let answer = async { engine.sql(scope, sql, Some(limits)).await?.collect().await }.await;
            let answer = answer.map_err(|error| SeamError(error.to_string()))?;
            match answer.reason {
                None => Ok(answer.batches),
                Some(reason) => Err(SeamError(format!("the answer is not complete: {reason}"))),
            }
        })
    }
}
