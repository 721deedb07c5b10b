//! The latest known value of something: (entity, key) → value, with the event that said so.
//!
//! Fed by a follower of the event stream. Applying the same event twice, or an older one later, changes nothing, so replays
//! and late data are harmless.

use event::{Micros, Scope};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{Migrations, Result, State, rows::scope_parameter};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "observations",
    steps: &["CREATE TABLE observation (
        entity TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        system_id TEXT NOT NULL,
        last_seen INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        PRIMARY KEY (entity, key)
    ) WITHOUT ROWID;
    CREATE INDEX observation_key ON observation (key, system_id);"],
};

/// One fact and when it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it is about, with its kind: `host:pc-17`, `address:192.0.2.9`, `source:edge`.
    pub entity: String,
    /// What is known: `antimalware.signature_date`, `login.last`, `silence.learned_per_hour` …
    pub key: String,
    pub value: String,
    pub system: String,
    pub last_seen: Micros,
    pub event_id: String,
}

/// Which observations to list; empty fields do not filter.
#[derive(Clone, Debug, Default)]
pub struct ObservationFilter {
    pub entity: Option<String>,
    pub key: Option<String>,
    pub system: Option<String>,
}

impl State {
    /// Keeps what is newer than what is known; returns how many rows changed.
    pub async fn observe(&self, observations: &[Observation]) -> Result<u64> {
        if observations.is_empty() {
            return Ok(0);
        }
        let mut tx = self.write().await?;
        let mut changed = 0;
        for seen in observations {
            let done = sqlx::query(
                "INSERT INTO observation (entity, key, value, system_id, last_seen, event_id) VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT (entity, key) DO UPDATE SET value = excluded.value, system_id = excluded.system_id,
                   last_seen = excluded.last_seen, event_id = excluded.event_id
                 WHERE (excluded.last_seen, excluded.event_id) > (last_seen, event_id)",
            )
            .bind(&seen.entity)
            .bind(&seen.key)
            .bind(&seen.value)
            .bind(&seen.system)
            .bind(seen.last_seen)
            .bind(&seen.event_id)
            .execute(&mut *tx)
            .await?;
            changed += done.rows_affected();
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// Lists observations in scope.
    pub async fn observations(&self, scope: &Scope, filter: &ObservationFilter) -> Result<Vec<Observation>> {
        let rows = sqlx::query(
            "SELECT * FROM observation
             WHERE (?1 IS NULL OR system_id IN (SELECT value FROM json_each(?1)))
               AND (?2 IS NULL OR entity = ?2) AND (?3 IS NULL OR key = ?3) AND (?4 IS NULL OR system_id = ?4)
             ORDER BY entity, key",
        )
        .bind(scope_parameter(scope))
        .bind(&filter.entity)
        .bind(&filter.key)
        .bind(&filter.system)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &SqliteRow) -> Result<Observation> {
    Ok(Observation {
        entity: row.try_get("entity")?,
        key: row.try_get("key")?,
        value: row.try_get("value")?,
        system: row.try_get("system_id")?,
        last_seen: row.try_get("last_seen")?,
        event_id: row.try_get("event_id")?,
    })
}
