//! Questions in the background, of persons: they wait for their turn, run, and keep their answers until they expire.
//!
//! ```text
//! POST ─▶ waiting ─own turn─▶ ─everybody's turn─▶ running ─▶ done · failed          interrupted: the server stopped
//! ```
//!
//! Invariants:
//! * One of a person runs at a time, and [`Settings::at_once`] in all; they take no turn from questions of people who wait.
//! * An answer is read by its owner only, and only while their scope covers the one of the asking.
//! * A file without a job is removed, and a job that is removed takes its file along.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use event::Micros;
use query::{
    background::{Ceiling, Outcome, PART, Progress},
    export::Wanted,
};
use state::jobs::{Allowance, Ending, Job, Status};
use tokio::{sync::Semaphore, task::AbortHandle};
use tokio_util::sync::CancellationToken;

use crate::{App, audit};

/// How often it is looked for what has expired.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Jobs that one person keeps, whatever came of them, and those of them that wait or run.
const JOBS_MAX: i64 = 20;
const UNDER_WAY_MAX: i64 = 5;
/// Persons whose turns are remembered while they have no job.
const PERSONS_MAX: usize = 1_000;
/// Memory of a job's operators; beyond it they spill.
const MEMORY_BYTES: usize = 128 << 20;

/// What jobs may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where answers are kept.
    pub dir: PathBuf,
    pub at_once: usize,
    pub time: Duration,
    /// Bytes of one answer, and of all that a person keeps.
    pub size_max: u64,
    pub person_size_max: u64,
    pub keep: Duration,
}

/// The jobs of this process.
pub struct Jobs {
    settings: Settings,
    places: Arc<Semaphore>,
    persons: Mutex<HashMap<i64, Arc<Semaphore>>>,
    active: Mutex<HashMap<i64, Active>>,
}

struct Active {
    progress: Arc<Progress>,
    task: AbortHandle,
}

impl Jobs {
    pub fn new(settings: Settings) -> Self {
        let places = Arc::new(Semaphore::new(settings.at_once.max(1)));
        Self { settings, places, persons: Mutex::default(), active: Mutex::default() }
    }

    pub fn allowance(&self) -> Allowance {
        let bytes = i64::try_from(self.settings.person_size_max).unwrap_or(i64::MAX);
        Allowance { jobs: JOBS_MAX, under_way: UNDER_WAY_MAX, bytes, keep: self.keep() }
    }

    fn keep(&self) -> Micros {
        Micros::try_from(self.settings.keep.as_micros()).unwrap_or(Micros::MAX)
    }

    /// The file of a job's answer.
    pub fn path(&self, id: i64) -> PathBuf {
        self.settings.dir.join(format!("{id}.parquet"))
    }

    /// How far a job is that runs at this moment.
    pub fn progress(&self, id: i64) -> Option<Arc<Progress>> {
        self.active().get(&id).map(|active| active.progress.clone())
    }

    /// Ends a job if it runs, and removes its file.
    pub fn drop_job(&self, id: i64) {
        if let Some(active) = self.active().remove(&id) {
            active.task.abort();
        }
        let _ = std::fs::remove_file(self.path(id));
    }

    fn active(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_turn(&self, person: i64) -> Arc<Semaphore> {
        let mut all = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PERSONS_MAX {
            all.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        all.entry(person).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
    }
}

/// Begins a job that was taken in.
pub fn begin(app: &App, job: &Job) {
    let progress = Arc::new(Progress::default());
    // Nobody looks for the job before it is on the list.
    let mut active = app.jobs.active();
    let task = tokio::spawn(run(app.clone(), job.clone(), progress.clone()));
    active.insert(job.id, Active { progress, task: task.abort_handle() });
}

/// What a job asks, and is checked for before it is taken in.
pub fn wanted(mode: &str, q: &str, range: (Micros, Micros), columns: &[String]) -> Wanted {
    match mode {
        "sql" => Wanted::Sql(q.to_owned()),
        _ => Wanted::Search { q: q.to_owned(), from: range.0, to: range.1, columns: columns.to_vec() },
    }
}

async fn run(app: App, job: Job, progress: Arc<Progress>) {
    let jobs = &app.jobs;
    let (Ok(_own), Ok(_place)) = (jobs.own_turn(job.owner).acquire_owned().await, jobs.places.clone().acquire_owned().await)
    else {
        return;
    };
    let used = match app.state.start_job(job.id, app.clock.now()).await {
        Ok(Some(used)) => used,
        Ok(None) => return,
        Err(error) => return tracing::error!(job = job.id, %error, "a job could not be begun"),
    };
    let settings = &jobs.settings;
    let bytes_max = settings.size_max.min(settings.person_size_max.saturating_sub(used));
    let ceiling = Ceiling { time: settings.time, memory_bytes: MEMORY_BYTES, bytes_max };
    let wanted = wanted(&job.mode, &job.q, (job.from, job.to), &job.columns);
    let found = app.engine.keep(&job.scope, wanted, ceiling, &jobs.path(job.id), progress).await;
    let (status, ending) = match found {
        Ok(Outcome { rows, bytes, is_table, reason }) => (Status::Done, Ending { rows, bytes, is_table, reason }),
        Err(error) => (Status::Failed, Ending { reason: Some(error.to_string()), ..Ending::default() }),
    };
    let ended = app.state.end_job(job.id, status, &ending, jobs.keep(), app.clock.now()).await;
    jobs.active().remove(&job.id);
    match ended {
        Ok(true) => {}
        // It was removed meanwhile.
        Ok(false) => drop(std::fs::remove_file(jobs.path(job.id))),
        Err(error) => tracing::error!(job = job.id, %error, "the end of a job could not be written down"),
    }
    let what = match &ending.reason {
        None => format!("job {}: {} rows kept", job.id, ending.rows),
        Some(reason) => format!("job {}: {} rows kept, not whole: {reason}", job.id, ending.rows),
    };
    let line = audit::Line::new(audit::Action::JobEnd, &job.scope.actor, what);
    audit::record(&app, if status == Status::Done { line } else { line.failed() }).await;
}

/// To be called before the first request: nothing runs yet, so what says that it does was interrupted.
pub async fn recover(app: &App) -> std::io::Result<()> {
    std::fs::create_dir_all(&app.jobs.settings.dir)?;
    match app.state.interrupt_jobs(app.clock.now()).await {
        Ok(0) => {}
        Ok(count) => tracing::warn!(count, "jobs were interrupted by the last stop"),
        Err(error) => tracing::error!(%error, "interrupted jobs could not be written down"),
    }
    sweep(app).await;
    Ok(())
}

/// Removes what has expired, until stopped; then ends what runs.
pub async fn keep_house(app: App, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(SWEEP_EVERY) => sweep(&app).await,
        }
    }
    let running: Vec<Active> = app.jobs.active().drain().map(|(_, active)| active).collect();
    running.iter().for_each(|active| active.task.abort());
    if let Err(error) = app.state.interrupt_jobs(app.clock.now()).await {
        tracing::error!(%error, "interrupted jobs could not be written down");
    }
}

/// Removes jobs whose time is over, and files that belong to none.
async fn sweep(app: &App) {
    let wanted = async {
        app.state.expire_jobs(app.clock.now()).await?;
        app.state.jobs_with_files().await
    };
    let wanted = match wanted.await {
        Ok(wanted) => wanted,
        Err(error) => return tracing::error!(%error, "expired jobs could not be removed"),
    };
    let Ok(files) = std::fs::read_dir(&app.jobs.settings.dir) else { return };
    for path in files.flatten().map(|file| file.path()) {
        if is_ours(&path) && job_of(&path).is_none_or(|id| !wanted.contains(&id)) {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "parquet" || end == PART)
}

fn job_of(path: &Path) -> Option<i64> {
    path.file_stem()?.to_str()?.parse().ok()
}
