//! What of the proof lives in the catalogue: how far the journal is committed, and every attempt to carry a root out.

use event::Micros;
use serde::Serialize;
use sqlx::{Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};

/// One attempt to carry a root out of the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    pub root: u64,
    #[serde(with = "proof::codec::hex")]
    pub hash: proof::Hash,
    /// Which anchor: `syslog tcp 192.0.2.1:514`, `mail`, `printed`.
    pub target: String,
    pub at: Micros,
    pub is_taken: bool,
    /// What the other side answered, or why it failed.
    pub detail: String,
}

/// Attempts that are kept; older ones are in the chain where they succeeded.
const ATTEMPTS_MAX: i64 = 10_000;

pub(crate) async fn cursor(pool: &SqlitePool) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT cursor FROM proof WHERE id = 1").fetch_optional(pool).await
}

pub(crate) async fn save_cursor(tx: &mut Transaction<'_, Sqlite>, cursor: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO proof (id, cursor) VALUES (1, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor")
        .bind(cursor)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn set_cursor(pool: &SqlitePool, cursor: &str) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    save_cursor(&mut tx, cursor).await?;
    tx.commit().await
}

pub(crate) async fn add_attempt(pool: &SqlitePool, attempt: &Attempt) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("INSERT INTO proof_attempt (root, hash, target, at, is_taken, detail) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(attempt.root as i64)
        .bind(attempt.hash.to_vec())
        .bind(&attempt.target)
        .bind(attempt.at)
        .bind(attempt.is_taken)
        .bind(&attempt.detail)
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM proof_attempt WHERE number <= (SELECT max(number) FROM proof_attempt) - ?")
        .bind(ATTEMPTS_MAX)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

pub(crate) async fn attempts(pool: &SqlitePool, count_max: u32) -> Result<Vec<Attempt>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM proof_attempt ORDER BY number DESC LIMIT ?").bind(count_max).fetch_all(pool).await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<Attempt, sqlx::Error> {
    let hash: Vec<u8> = row.try_get("hash")?;
    Ok(Attempt {
        root: row.try_get::<i64, _>("root")? as u64,
        hash: hash.try_into().map_err(|_| sqlx::Error::Decode("a root's hash of the wrong length".into()))?,
        target: row.try_get("target")?,
        at: row.try_get("at")?,
        is_taken: row.try_get("is_taken")?,
        detail: row.try_get("detail")?,
    })
}
