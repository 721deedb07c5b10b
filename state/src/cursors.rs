//! How far a follower of a numbered stream has come: `detect` in the log's frames, `audit` in the incident log.

use sqlx::{Row, Sqlite, Transaction};

use crate::{Migrations, Result, State};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "cursors",
    steps: &["CREATE TABLE cursor (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID"],
};

/// The last frame whose matches are recorded.
pub const DETECT: &str = "detect";
/// The last line of the incident log that became an audit event.
pub const AUDIT: &str = "audit";

impl State {
    /// Returns where a follower stands; 0 before its first step.
    pub async fn cursor(&self, name: &str) -> Result<u64> {
        let row = sqlx::query("SELECT value FROM cursor WHERE name = ?").bind(name).fetch_optional(self.pool()).await?;
        Ok(row.map(|row| row.try_get::<i64, _>(0)).transpose()?.unwrap_or(0) as u64)
    }

    /// Moves a follower forward; never back.
    pub async fn advance_cursor(&self, name: &str, value: u64) -> Result<()> {
        let mut tx = self.write().await?;
        advance(&mut tx, name, value).await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(crate) async fn get(tx: &mut Transaction<'static, Sqlite>, name: &str) -> Result<u64> {
    let row = sqlx::query("SELECT value FROM cursor WHERE name = ?").bind(name).fetch_optional(&mut **tx).await?;
    Ok(row.map(|row| row.try_get::<i64, _>(0)).transpose()?.unwrap_or(0) as u64)
}

pub(crate) async fn advance(tx: &mut Transaction<'static, Sqlite>, name: &str, value: u64) -> Result<()> {
    sqlx::query(
        "INSERT INTO cursor (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
    )
    .bind(name)
    .bind(value as i64)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
