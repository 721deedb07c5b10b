//! Small mutable truth in SQL: users, the register of systems, alerts, incidents, schedules, observations.
//!
//! Events are not here (they are in `store`), and neither is any rule of conduct: who is paged is `respond`'s business, what
//! a verdict is `comply`'s. Each module owns its tables, its migrations and its row types; SQL stays inside this crate.
//!
//! SQLite through sqlx with run-time queries. Every write that must be atomic with another is one method here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::{path::Path, time::Duration};

pub mod ack;
pub mod alerts;
pub mod attempts;
pub mod channels;
pub mod cursors;
pub mod guard;
pub mod incidents;
pub mod jobs;
pub mod matches;
pub mod notify;
pub mod observations;
pub mod oncall;
pub mod register;
pub mod rule_health;
pub mod saved;
pub mod score;
pub mod secret;
pub mod sessions;
pub mod settings;
pub mod tables;
pub mod tokens;
pub mod users;

mod rows;

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// What went wrong, already worded; the cause is in the chain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to open the state database {path}")]
    Open {
        path: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("failed to migrate {module} to version {version}")]
    Migrate {
        module: &'static str,
        version: usize,
        #[source]
        source: sqlx::Error,
    },
    #[error("the state database refused a statement")]
    Sql(#[from] sqlx::Error),
    /// The caller asked for something that the data does not allow; the text is for people.
    #[error("{0}")]
    Invalid(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A module's migrations, oldest first; each runs once, in its own transaction. Never edit one that was released.
pub(crate) struct Migrations {
    pub module: &'static str,
    pub steps: &'static [&'static str],
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    pool: SqlitePool,
}

impl State {
    /// Opens (creating it when missing) the database file and brings it up to date.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let open = |source| Error::Open { path: path.display().to_string(), source };
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await.map_err(open)?;
        let state = Self { pool };
        state.migrate().await?;
        Ok(state)
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Begins a transaction that holds the write lock from its first statement: a reader that turns writer half-way would
    /// otherwise be refused by SQLite without waiting.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn migrate(&self) -> Result<()> {
        sqlx::query("CREATE TABLE IF NOT EXISTS migration (module TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (module, version))")
            .execute(&self.pool)
            .await?;
        for Migrations { module, steps } in MIGRATIONS {
            for (version, step) in steps.iter().enumerate() {
                let failed = |source| Error::Migrate { module, version, source };
                let mut tx = self.pool.begin().await.map_err(failed)?;
                let fresh = sqlx::query("INSERT INTO migration (module, version) VALUES (?, ?) ON CONFLICT DO NOTHING")
                    .bind(*module)
                    .bind(version as i64)
                    .execute(&mut *tx)
                    .await
                    .map_err(failed)?;
                if fresh.rows_affected() == 1 {
                    sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(failed)?;
                }
                tx.commit().await.map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// One line per module with tables.
const MIGRATIONS: &[Migrations] = &[
    users::MIGRATIONS,
    guard::MIGRATIONS,
    sessions::MIGRATIONS,
    tokens::MIGRATIONS,
    settings::MIGRATIONS,
    cursors::MIGRATIONS,
    incidents::MIGRATIONS,
    alerts::MIGRATIONS,
    rule_health::MIGRATIONS,
    oncall::MIGRATIONS,
    channels::MIGRATIONS,
    notify::MIGRATIONS,
    ack::MIGRATIONS,
    observations::MIGRATIONS,
    register::MIGRATIONS,
    score::MIGRATIONS,
    saved::MIGRATIONS,
    jobs::MIGRATIONS,
];
