//! Live tail: events that match a search, as they become visible.
//!
//! ```text
//! snapshots ─what is new─▶ scope ▸ masking ▸ filter ─▶ a short queue ─▶ whoever watches
//!                                                        full: counted, told with the next step
//! ```
//!
//! Invariants:
//! * Every event that becomes visible while a tail is open is either sent or counted as missed, once.
//! * Tails run on a thread of their own: a heavy question, or many of them, does not hold them up.
//! * What a tail holds is bounded: the rows of a few steps.
//!
//! Not here: events from before the tail was opened (a search has them), and any order but that of arrival.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use datafusion::{
    arrow::{
        array::{Array, AsArray, BooleanArray},
        compute::filter_record_batch,
        datatypes::SchemaRef,
        record_batch::RecordBatch,
    },
    execution::memory_pool::FairSpillPool,
    physical_plan::execute_stream,
    sql::parser::Statement,
};
use event::{Scope, field};
use futures::StreamExt;
use store::Snapshot;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{MissedTickBehavior, interval},
};

use crate::{
    dialect,
    engine::Engine,
    error::{Error, ErrorKind, Result},
    hunt::HuntError,
    rewrite,
    rows::{AbortOnDrop, vanished},
    scan::ScanStats,
    search::{Window, conditions},
};

/// How often a tail looks.
const TICK: Duration = Duration::from_millis(250);
/// Rows of one step; more than a person can read.
const STEP_ROWS_MAX: usize = 200;
/// Steps that wait for a slow reader.
const STEPS_MAX: usize = 8;
/// Tails of the whole server, and of one person.
const TAILS_MAX: usize = 64;
const TAILS_PER_PERSON_MAX: usize = 4;
const MEMORY_BYTES: usize = 64 << 20;

/// Events as they arrive. Dropping it ends the tail.
pub struct Tail {
    steps: mpsc::Receiver<Result<Step>>,
    _task: AbortOnDrop,
    _place: Place,
}

/// What arrived between two looks.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// In the order of arrival.
    pub rows: Vec<RecordBatch>,
    /// Matching events that were left out since the step before: too many at once, or too slow a reader.
    pub missed: u64,
}

impl Tail {
    /// Waits for the next step that has something to tell; `None` after an error, or when the engine is gone.
    pub async fn next(&mut self) -> Option<Result<Step>> {
        self.steps.recv().await
    }
}

/// Who watches, by account.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<HashMap<String, usize>>);

/// A place among the tails; given back when dropped.
struct Place {
    watchers: Arc<Watchers>,
    actor: String,
}

impl Watchers {
    fn enter(self: &Arc<Self>, actor: &str) -> Result<Place> {
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_person = watchers.get(actor).copied().unwrap_or(0);
        if of_person >= TAILS_PER_PERSON_MAX || watchers.values().sum::<usize>() >= TAILS_MAX {
            return Err(Error::new(ErrorKind::Busy, "too many live tails are open").hint("close one in another window"));
        }
        watchers.insert(actor.to_owned(), of_person + 1);
        Ok(Place { watchers: self.clone(), actor: actor.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut watchers = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = watchers.get_mut(&self.actor) {
            *count -= 1;
            if *count == 0 {
                watchers.remove(&self.actor);
            }
        }
    }
}

impl Engine {
    /// Opens a tail over what becomes visible from now on.
    pub fn tail(self: &Arc<Self>, scope: &Scope, q: &str) -> std::result::Result<Tail, HuntError> {
        let window = Window::default();
        let compiled = self.compile(scope, q, &window)?;
        if !compiled.stages.is_empty() {
            let message = "live events are shown as they come, without commands after |";
            return Err(Error::new(ErrorKind::Invalid, message).hint("leave out the first | and what stands behind it").into());
        }
        let condition = conditions(&compiled.where_sql, &window);
        let filter = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        let place = self.watchers().enter(&scope.actor)?;
        let snapshot = self.snapshot();
        let look = Look {
            engine: Arc::downgrade(self),
            scope: Arc::new(scope.clone()),
            sql: format!("SELECT * FROM events{filter}"),
            schema: self.view(scope).schema,
            through: snapshot.through,
            missed: 0,
        };
        let (sender, steps) = mpsc::channel(STEPS_MAX);
        let Some(runtime) = self.tail_runtime() else { return Err(vanished().into()) };
        let task = runtime.spawn(look.run(sender));
        Ok(Tail { steps, _task: AbortOnDrop(task.abort_handle()), _place: place })
    }
}

/// One tail's work.
struct Look {
    engine: Weak<Engine>,
    scope: Arc<Scope>,
    sql: String,
    /// Names that could be asked for when the tail was opened; they stay known when a step has none of them.
    schema: SchemaRef,
    /// Log sequence of the last event that was looked at.
    through: u64,
    /// Left out and not told yet.
    missed: u64,
}

impl Look {
    async fn run(mut self, sender: mpsc::Sender<Result<Step>>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(engine) = self.engine.upgrade() else { return };
            let step = match self.step(&engine).await {
                Ok(step) => step,
                Err(error) => return drop(sender.send(Err(error)).await),
            };
            drop(engine);
            if step.rows.is_empty() && step.missed == 0 {
                if sender.is_closed() {
                    return;
                }
                continue;
            }
            match sender.try_send(Ok(step)) {
                Ok(()) => self.missed = 0,
                Err(TrySendError::Closed(_)) => return,
                Err(TrySendError::Full(step)) => self.missed = step.map_or(0, |step| step.missed + count(&step.rows)),
            }
        }
    }

    /// Looks at what became visible since the last time.
    async fn step(&mut self, engine: &Arc<Engine>) -> Result<Step> {
        let now = engine.snapshot();
        let before = std::mem::replace(&mut self.through, now.through);
        let mut step = Step { rows: Vec::new(), missed: self.missed };
        let fresh = fresh(&now, before);
        if fresh.hot.is_empty() && fresh.segments.is_empty() {
            return Ok(step);
        }
        let mut left = STEP_ROWS_MAX;
        let view = engine.view_of(&fresh, &self.scope).widened(&self.scope, &self.schema);
        let stats = Arc::new(ScanStats::default());
        let pool = Arc::new(FairSpillPool::new(MEMORY_BYTES));
        let session = engine.session(Arc::new(view), &self.scope, engine.limits(), pool, &stats, None)?;
        let statement = rewrite::rewrite(dialect::parse(&self.sql)?, &session.names)?;
        let plan = session.state.statement_to_plan(Statement::Statement(Box::new(statement))).await?;
        let physical = session.state.create_physical_plan(&plan).await?;
        let mut batches = execute_stream(physical, session.state.task_ctx())?;
        while let Some(batch) = batches.next().await {
            let batch = only_after(&batch?, before)?;
            let kept = batch.num_rows().min(left);
            left -= kept;
            step.missed += (batch.num_rows() - kept) as u64;
            if kept > 0 {
                step.rows.push(batch.slice(0, kept));
            }
        }
        Ok(step)
    }
}

/// The part of a snapshot that holds events behind a sequence: hot batches, and files that a flush, or compaction after it, made
/// of such batches since.
fn fresh(now: &Snapshot, before: u64) -> Snapshot {
    Snapshot {
        hot: now.hot.iter().filter(|hot| hot.through > before).cloned().collect(),
        segments: now.segments.iter().filter(|segment| segment.sequences.1 > before).cloned().collect(),
        through: now.through,
        extra: now.extra.clone(),
    }
}

/// A file may hold events of before; the log sequence in `event.id` tells.
fn only_after(batch: &RecordBatch, before: u64) -> Result<RecordBatch> {
    let Some(ids) = batch.column_by_name(field::EVENT_ID.name()).and_then(|column| column.as_string_view_opt()) else {
        return Ok(batch.clone());
    };
    let is_after =
        |id: &str| id.rsplit('-').nth(1).and_then(|sequence| sequence.parse::<u64>().ok()).is_none_or(|at| at > before);
    let kept: BooleanArray = (0..ids.len()).map(|row| Some(ids.is_null(row) || is_after(ids.value(row)))).collect();
    filter_record_batch(batch, &kept).map_err(|error| Error::failed(error.to_string()))
}

fn count(rows: &[RecordBatch]) -> u64 {
    rows.iter().map(|batch| batch.num_rows() as u64).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use event::{Role, seam::Clock};
    use store::{Disk, Options, Processed, Store};
    use tokio::time::timeout;

    use super::*;
    use crate::{
        Limits,
        tests::world::{Row, START, admin, batches, first_column, only, rows, run},
    };

    const DEADLINE: Duration = Duration::from_secs(60);

    struct Ticking(AtomicU64);

    impl Clock for Ticking {
        fn now(&self) -> event::Micros {
            START + self.0.fetch_add(1, Ordering::Relaxed) as i64
        }
    }

    /// A store, and blocks of rows that become visible one after the other.
    struct Site {
        store: Arc<Store>,
        engine: Arc<Engine>,
        _dir: tempfile::TempDir,
    }

    impl Site {
        async fn new(limits: Limits) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let options = Options { dir: dir.path().join("data"), ..Options::default() };
            let store = Store::open(options, Arc::new(Ticking(AtomicU64::new(0))), Arc::new(Disk)).await.unwrap();
            let engine = Engine::new(store.clone(), vec![], limits, [1; 32]).unwrap();
            Self { store, engine, _dir: dir }
        }

        /// Publishes rows under the sequence that the log gave, with ids that say so.
        async fn publish(&self, mut rows: Vec<Row>) -> Vec<Row> {
            let mut batch = event::RawBatch::new("test", None, START);
            batch.push(b"one line");
            let receipt = self.store.sink().submit(batch).await.unwrap();
            for (at, row) in rows.iter_mut().enumerate() {
                row.id = format!("n1-{}-{at}", receipt.sequence);
            }
            self.store.publish(Processed { through: receipt.sequence, batches: batches(&rows), ledger: vec![] });
            rows
        }
    }

    /// Ids of the next rows, until there are so many of them, sent or missed.
    async fn ids(tail: &mut Tail, wanted: usize) -> (Vec<String>, u64) {
        let (mut ids, mut missed) = (Vec::new(), 0);
        while ids.len() + (missed as usize) < wanted {
            let step = timeout(DEADLINE, tail.next()).await.expect("a step in time").expect("the tail goes on").unwrap();
            missed += step.missed;
            for batch in step.rows {
                let id = batch.column_by_name("event.id").unwrap().clone();
                ids.extend(first_column(&[RecordBatch::try_from_iter([("id", id)]).unwrap()]));
            }
        }
        ids.sort();
        (ids, missed)
    }

    fn ids_of<'r>(rows: impl Iterator<Item = &'r Row>) -> Vec<String> {
        let mut ids: Vec<String> = rows.map(|row| row.id.clone()).collect();
        ids.sort();
        ids
    }

    #[test]
    fn what_arrives_is_seen_once_by_those_who_may_whether_flushed_or_not() {
        run(async {
            let site = Site::new(Limits::default()).await;
            site.publish(rows(20, 1)).await;
            let owner = only(Role::Owner, &["portal"]);
            let mut all = site.engine.tail(&admin(), "").unwrap();
            let mut roots = site.engine.tail(&admin(), "user.name:root").unwrap();
            let mut owned = site.engine.tail(&owner, "not rare.key:7").unwrap();
            let first = site.publish(rows(50, 2)).await;
            // Flushed at once: most likely before a tail looked.
            site.store.flush().await.unwrap();
            let second = site.publish(rows(50, 3)).await;
            let made = || first.iter().chain(&second);
            assert_eq!(ids(&mut all, 100).await, (ids_of(made()), 0));
            let wanted = ids_of(made().filter(|row| row.user.as_deref() == Some("root")));
            assert_eq!(ids(&mut roots, wanted.len()).await, (wanted, 0));
            let wanted = ids_of(made().filter(|row| row.system == "portal" && row.rare.as_deref() != Some("7")));
            assert_eq!(ids(&mut owned, wanted.len()).await, (wanted, 0));
        });
    }

    #[test]
    fn a_flood_and_a_slow_reader_are_told_what_they_missed() {
        run(async {
            let site = Site::new(Limits::default()).await;
            let mut tail = site.engine.tail(&admin(), "").unwrap();
            site.publish(rows(3_000, 1)).await;
            let (seen, missed) = ids(&mut tail, 3_000).await;
            assert_eq!(seen.len() + missed as usize, 3_000);
            assert!(missed > 0 && seen.len() <= STEPS_MAX * STEP_ROWS_MAX);
            // Nobody reads while more comes than the queue holds.
            let mut sent = 0;
            let mut look = Look {
                engine: Arc::downgrade(&site.engine),
                scope: Arc::new(admin()),
                sql: "SELECT * FROM events".to_owned(),
                schema: site.engine.view(&admin()).schema,
                through: site.engine.snapshot().through,
                missed: 7,
            };
            for _ in 0..3 {
                sent += site.publish(rows(10, 2)).await.len();
            }
            let step = look.step(&site.engine).await.unwrap();
            assert_eq!((count(&step.rows), step.missed), (sent as u64, 7), "what was not told yet is told with the next step");
        });
    }

    /// The only turn of the engine is taken, its only thread is busy; the tail goes on.
    #[test]
    fn a_heavy_question_does_not_hold_up_the_tail() {
        run(async {
            let limits = Limits { concurrent: 1, partitions: 1, time: DEADLINE, process_bytes_max: None, ..Limits::default() };
            let site = Site::new(limits).await;
            site.publish(rows(2_000, 1)).await;
            let heavy = "SELECT count(*) FROM events a CROSS JOIN events b CROSS JOIN events c WHERE a.event.id || b.event.id < c.event.id";
            let engine = site.engine.clone();
            let heavy = tokio::spawn(async move { engine.sql(&admin(), heavy, None).await?.collect().await });
            while site.engine.running() == 0 {
                tokio::task::yield_now().await;
            }
            let mut tail = site.engine.tail(&admin(), "").unwrap();
            let made = site.publish(rows(10, 2)).await;
            assert_eq!(ids(&mut tail, 10).await, (ids_of(made.iter()), 0));
            assert!(!heavy.is_finished(), "the question was still running");
            heavy.abort();
        });
    }

    #[test]
    fn places_are_few_and_come_back() {
        run(async {
            let site = Site::new(Limits::default()).await;
            let open = || site.engine.tail(&admin(), "");
            let mut tails: Vec<Tail> = (0..TAILS_PER_PERSON_MAX).map(|_| open().unwrap()).collect();
            assert!(matches!(open(), Err(HuntError::Query(error)) if error.kind == ErrorKind::Busy));
            assert!(site.engine.tail(&only(Role::Owner, &["mail"]), "").is_ok(), "somebody else has places of their own");
            tails.pop();
            assert!(open().is_ok());
            assert!(matches!(site.engine.tail(&admin(), "("), Err(HuntError::Search(_))));
        });
    }
}
