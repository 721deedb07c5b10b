//! Questions in the background: who asked what, in which scope, what came of it, and until when the answer is kept.
//!
//! The answers are files of somebody else; here is only what is said about them. Progress of a running one is not kept.

use event::{Micros, Scope};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    Error, Migrations, Result, State,
    rows::{from_json, to_json},
    users::{read_scope, systems_column},
};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "jobs",
    steps: &["CREATE TABLE job (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner INTEGER NOT NULL REFERENCES user (id),
        q TEXT NOT NULL,
        mode TEXT NOT NULL,
        range_from INTEGER NOT NULL,
        range_to INTEGER NOT NULL,
        columns TEXT NOT NULL,       -- JSON list of names
        role TEXT NOT NULL,          -- the scope it was asked in
        systems TEXT,                -- JSON list of system ids; NULL = all
        status TEXT NOT NULL,
        created INTEGER NOT NULL,
        started INTEGER,
        ended INTEGER,
        expires INTEGER NOT NULL,
        rows INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        is_table INTEGER NOT NULL DEFAULT 0,
        reason TEXT
    );
    CREATE INDEX job_owner ON job (owner, id);"],
};

const TEXT_BYTES_MAX: usize = 64 << 10;
const COLUMNS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 500;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Waiting,
    Running,
    /// Its answer is kept; with a reason it is a part.
    Done,
    Failed,
    /// The server stopped while it ran.
    Interrupted,
}

impl Status {
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Interrupted];

    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A question that is to be asked in the background.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub q: String,
    /// "search" or "sql".
    pub mode: &'static str,
    pub from: Micros,
    pub to: Micros,
    pub columns: Vec<String>,
    pub scope: Scope,
}

/// What one person may have.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Jobs in all, whatever came of them.
    pub jobs: i64,
    /// Jobs that wait or run.
    pub under_way: i64,
    /// Bytes of kept answers: with so many, no further job is taken.
    pub bytes: i64,
    /// How long a job and its answer are kept after its end, in microseconds.
    pub keep: Micros,
}

/// What came of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    pub rows: u64,
    pub bytes: u64,
    pub is_table: bool,
    /// Why rows are missing, or why there is no answer.
    pub reason: Option<String>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: i64,
    pub owner: i64,
    pub q: String,
    pub mode: String,
    pub from: Micros,
    pub to: Micros,
    pub columns: Vec<String>,
    /// The scope it was asked in.
    pub scope: Scope,
    pub status: Status,
    pub created: Micros,
    pub started: Option<Micros>,
    pub ended: Option<Micros>,
    pub expires: Micros,
    pub ending: Ending,
}

/// A question for whole jobs, with what follows.
macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT job.*, user.name AS actor FROM job JOIN user ON user.id = job.owner ", $rest)
    };
}

impl State {
    /// A person's jobs, newest first.
    pub async fn jobs(&self, person: i64) -> Result<Vec<Job>> {
        let rows = sqlx::query(select!("WHERE job.owner = ? ORDER BY job.id DESC")).bind(person).fetch_all(self.pool()).await?;
        rows.iter().map(read).collect()
    }

    /// One job of this person; `None` when there is none such.
    pub async fn job(&self, id: i64, person: i64) -> Result<Option<Job>> {
        let rows = sqlx::query(select!("WHERE job.id = ? AND job.owner = ?"));
        rows.bind(id).bind(person).fetch_optional(self.pool()).await?.as_ref().map(read).transpose()
    }

    /// Takes a job in, unless the person has too many.
    pub async fn create_job(&self, person: i64, new: &NewJob, allowed: Allowance, now: Micros) -> Result<Job> {
        if new.q.len() > TEXT_BYTES_MAX {
            return Err(Error::Invalid(format!("the question is longer than {} KiB", TEXT_BYTES_MAX >> 10)));
        }
        if new.columns.len() > COLUMNS_MAX || new.columns.iter().any(|column| column.len() > 256) {
            return Err(Error::Invalid(format!("a job has at most {COLUMNS_MAX} columns")));
        }
        let mut tx = self.write().await?;
        let sums = sqlx::query(
            "SELECT count(*) AS jobs, count(*) FILTER (WHERE status IN ('waiting', 'running')) AS under_way,
             coalesce(sum(bytes), 0) AS bytes FROM job WHERE owner = ?",
        )
        .bind(person)
        .fetch_one(&mut *tx)
        .await?;
        if sums.try_get::<i64, _>("under_way")? >= allowed.under_way {
            return Err(Error::Invalid(format!("{} jobs of yours wait or run; wait for one or remove it", allowed.under_way)));
        }
        if sums.try_get::<i64, _>("jobs")? >= allowed.jobs {
            return Err(Error::Invalid(format!("a person keeps at most {} jobs; remove one first", allowed.jobs)));
        }
        if sums.try_get::<i64, _>("bytes")? >= allowed.bytes {
            return Err(Error::Invalid(format!("your kept answers fill {} MiB; remove one first", allowed.bytes >> 20)));
        }
        let id = sqlx::query(
            "INSERT INTO job (owner, q, mode, range_from, range_to, columns, role, systems, status, created, expires)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?)",
        )
        .bind(person)
        .bind(&new.q)
        .bind(new.mode)
        .bind(new.from)
        .bind(new.to)
        .bind(to_json(&new.columns))
        .bind(new.scope.role.name())
        .bind(systems_column(&new.scope.systems))
        .bind(now)
        .bind(now.saturating_add(allowed.keep))
        .execute(&mut *tx)
        .await?
        .last_insert_rowid();
        let row = sqlx::query(select!("WHERE job.id = ?")).bind(id).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        read(&row)
    }

    /// Says that a job begins; gives the bytes that its owner's other answers take, `None` when it was removed.
    pub async fn start_job(&self, id: i64, now: Micros) -> Result<Option<u64>> {
        let row = sqlx::query(
            "UPDATE job SET status = 'running', started = ? WHERE id = ? AND status = 'waiting'
             RETURNING (SELECT coalesce(sum(bytes), 0) FROM job AS other WHERE other.owner = job.owner) AS bytes",
        )
        .bind(now)
        .bind(id)
        .fetch_optional(self.pool())
        .await?;
        row.map(|row| Ok(u64::try_from(row.try_get::<i64, _>("bytes")?).unwrap_or(0))).transpose()
    }

    /// Says what came of a job. False when it was removed meanwhile.
    pub async fn end_job(&self, id: i64, status: Status, ending: &Ending, keep: Micros, now: Micros) -> Result<bool> {
        let reason: Option<String> = ending.reason.as_ref().map(|reason| reason.chars().take(REASON_CHARS_MAX).collect());
        let done = sqlx::query(
            "UPDATE job SET status = ?, ended = ?, expires = ?, rows = ?, bytes = ?, is_table = ?, reason = ?
             WHERE id = ? AND status IN ('waiting', 'running')",
        )
        .bind(status.name())
        .bind(now)
        .bind(now.saturating_add(keep))
        .bind(i64::try_from(ending.rows).unwrap_or(i64::MAX))
        .bind(i64::try_from(ending.bytes).unwrap_or(i64::MAX))
        .bind(ending.is_table)
        .bind(reason)
        .bind(id)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Says of every job that waits or runs that it was interrupted: after a start nothing runs.
    pub async fn interrupt_jobs(&self, now: Micros) -> Result<u64> {
        let done = sqlx::query("UPDATE job SET status = 'interrupted', ended = ? WHERE status IN ('waiting', 'running')");
        Ok(done.bind(now).execute(self.pool()).await?.rows_affected())
    }

    /// Removes a job of this person. False when there is none such.
    pub async fn remove_job(&self, id: i64, person: i64) -> Result<bool> {
        let done = sqlx::query("DELETE FROM job WHERE id = ? AND owner = ?").bind(id).bind(person).execute(self.pool()).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes jobs whose time is over.
    pub async fn expire_jobs(&self, now: Micros) -> Result<u64> {
        let done = sqlx::query("DELETE FROM job WHERE expires <= ? AND status NOT IN ('waiting', 'running')");
        Ok(done.bind(now).execute(self.pool()).await?.rows_affected())
    }

    /// The jobs whose files must stay: those with an answer, and those that make one.
    pub async fn jobs_with_files(&self) -> Result<Vec<i64>> {
        let rows =
            sqlx::query("SELECT id FROM job WHERE status IN ('done', 'waiting', 'running')").fetch_all(self.pool()).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }
}

fn read(row: &SqliteRow) -> Result<Job> {
    let (columns, status): (String, String) = (row.try_get("columns")?, row.try_get("status")?);
    let count = |name: &str| -> Result<u64> { Ok(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0)) };
    Ok(Job {
        id: row.try_get("id")?,
        owner: row.try_get("owner")?,
        q: row.try_get("q")?,
        mode: row.try_get("mode")?,
        from: row.try_get("range_from")?,
        to: row.try_get("range_to")?,
        columns: from_json("columns of a job", &columns)?,
        scope: read_scope(row, row.try_get("actor")?)?,
        status: Status::ALL
            .into_iter()
            .find(|one| one.name() == status)
            .ok_or_else(|| Error::Invalid(format!("the stored status {status:?} of a job is unknown")))?,
        created: row.try_get("created")?,
        started: row.try_get("started")?,
        ended: row.try_get("ended")?,
        expires: row.try_get("expires")?,
        ending: Ending {
            rows: count("rows")?,
            bytes: count("bytes")?,
            is_table: row.try_get("is_table")?,
            reason: row.try_get("reason")?,
        },
    })
}
