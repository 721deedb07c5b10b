//! Tokens that are not sessions: the one-time set-up token and the ingest tokens of HTTP senders. Hashes only.

use event::Micros;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{Error, Migrations, Result, State};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "tokens",
    steps: &["CREATE TABLE setup_token (
        hash TEXT PRIMARY KEY,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        used INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE ingest_token (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        hash TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        source TEXT NOT NULL,
        system TEXT,
        created INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        revoked INTEGER
    );"],
};

/// A token that lets one HTTP sender write to one source.
#[derive(Clone, Debug, PartialEq)]
pub struct IngestToken {
    pub id: i64,
    /// What an administrator called it.
    pub name: String,
    /// The only source it may write to.
    pub source: String,
    /// The system that its events belong to, when it is bound to one.
    pub system: Option<String>,
    pub created: Micros,
    pub created_by: String,
    pub revoked: Option<Micros>,
}

impl State {
    /// Replaces the set-up token: the older ones stop working.
    pub async fn set_setup_token(&self, hash: &str, expires: Micros, now: Micros) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM setup_token").execute(&mut *tx).await?;
        sqlx::query("INSERT INTO setup_token (hash, created, expires) VALUES (?, ?, ?)")
            .bind(hash)
            .bind(now)
            .bind(expires)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores an ingest token by its hash.
    pub async fn create_ingest_token(
        &self,
        hash: &str,
        name: &str,
        source: &str,
        system: Option<&str>,
        by: &str,
        now: Micros,
    ) -> Result<IngestToken> {
        let done =
            sqlx::query("INSERT INTO ingest_token (hash, name, source, system, created, created_by) VALUES (?, ?, ?, ?, ?, ?)")
                .bind(hash)
                .bind(name)
                .bind(source)
                .bind(system)
                .bind(now)
                .bind(by)
                .execute(self.pool())
                .await?;
        Ok(IngestToken {
            id: done.last_insert_rowid(),
            name: name.to_owned(),
            source: source.to_owned(),
            system: system.map(str::to_owned),
            created: now,
            created_by: by.to_owned(),
            revoked: None,
        })
    }

    /// Finds the ingest token that hashes to this, unless it was revoked.
    pub async fn ingest_token(&self, hash: &str) -> Result<Option<IngestToken>> {
        let row = sqlx::query("SELECT * FROM ingest_token WHERE hash = ? AND revoked IS NULL")
            .bind(hash)
            .fetch_optional(self.pool())
            .await?;
        row.map(|row| read(&row)).transpose()
    }

    /// All ingest tokens with their hashes, for a table in memory; revoked ones are left out.
    pub async fn ingest_tokens(&self) -> Result<Vec<(String, IngestToken)>> {
        let rows = sqlx::query("SELECT * FROM ingest_token WHERE revoked IS NULL ORDER BY id").fetch_all(self.pool()).await?;
        rows.iter().map(|row| Ok((row.try_get("hash")?, read(row)?))).collect()
    }

    pub async fn revoke_ingest_token(&self, id: i64, now: Micros) -> Result<()> {
        let done = sqlx::query("UPDATE ingest_token SET revoked = ? WHERE id = ? AND revoked IS NULL")
            .bind(now)
            .bind(id)
            .execute(self.pool())
            .await?;
        match done.rows_affected() {
            1 => Ok(()),
            _ => Err(Error::Invalid(format!("there is no ingest token {id} to revoke"))),
        }
    }
}

fn read(row: &SqliteRow) -> Result<IngestToken> {
    Ok(IngestToken {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        source: row.try_get("source")?,
        system: row.try_get("system")?,
        created: row.try_get("created")?,
        created_by: row.try_get("created_by")?,
        revoked: row.try_get("revoked")?,
    })
}
