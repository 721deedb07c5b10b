//! Counters against guessing: how often a login failed per key ("name:lan", "address:192.0.2.7"), and until when it is shut.
//!
//! Which keys exist and how strict the policy is belongs to the caller. Unknown account names are counted like known ones,
//! so an answer does not tell which names exist.

use event::Micros;
use sqlx::Row;

use crate::{Migrations, Result, State};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "guard",
    steps: &["CREATE TABLE login_guard (
        key TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        last INTEGER NOT NULL,
        locked_until INTEGER
    ) WITHOUT ROWID"],
};

/// When failed logins shut a key, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct LockPolicy {
    /// Failures that cost nothing.
    pub free: u32,
    /// First lock; doubles with each further failure.
    pub base: Micros,
    /// Longest lock.
    pub max: Micros,
    /// A key without failures for so long starts again from nothing.
    pub forget: Micros,
}

impl Default for LockPolicy {
    /// Five tries, then 1 minute doubling to 1 hour, forgotten after a day.
    fn default() -> Self {
        const MINUTE: Micros = 60_000_000;
        Self { free: 5, base: MINUTE, max: 60 * MINUTE, forget: 24 * 60 * MINUTE }
    }
}

impl LockPolicy {
    fn lock(&self, failures: u32) -> Option<Micros> {
        let over = failures.checked_sub(self.free + 1)?;
        Some(self.base.saturating_mul(1 << over.min(30)).min(self.max))
    }
}

impl State {
    /// Returns until when this key is shut, if it is.
    pub async fn login_locked(&self, key: &str, now: Micros) -> Result<Option<Micros>> {
        let row = sqlx::query("SELECT locked_until FROM login_guard WHERE key = ? AND locked_until > ?")
            .bind(key)
            .bind(now)
            .fetch_optional(self.pool())
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Counts a failure; returns until when the key is shut now, if it is.
    pub async fn login_failed(&self, key: &str, policy: LockPolicy, now: Micros) -> Result<Option<Micros>> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM login_guard WHERE last < ?").bind(now - policy.forget).execute(&mut *tx).await?;
        let row = sqlx::query(
            "INSERT INTO login_guard (key, failures, last) VALUES (?, 1, ?)
             ON CONFLICT (key) DO UPDATE SET failures = failures + 1, last = excluded.last RETURNING failures",
        )
        .bind(key)
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        let failures: i64 = row.try_get(0)?;
        let until = policy.lock(u32::try_from(failures).unwrap_or(u32::MAX)).map(|lock| now + lock);
        sqlx::query("UPDATE login_guard SET locked_until = ? WHERE key = ?").bind(until).bind(key).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(until)
    }

    /// Forgets the failures of a key: the person proved who they are.
    pub async fn login_succeeded(&self, key: &str) -> Result<()> {
        sqlx::query("DELETE FROM login_guard WHERE key = ?").bind(key).execute(self.pool()).await?;
        Ok(())
    }
}
