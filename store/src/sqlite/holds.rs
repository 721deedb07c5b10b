//! Rows of the table `hold`: added, marked as released, never removed.

use event::Micros;
use sqlx::{Row as _, SqlitePool, sqlite::SqliteRow};

use crate::{
    Error, Hold, Result,
    hold::{HOLDS_MAX, NewHold, Release},
};

pub(super) async fn all(pool: &SqlitePool) -> Result<Vec<Hold>> {
    let rows = sqlx::query("SELECT * FROM hold ORDER BY id").fetch_all(pool).await.map_err(Error::catalogue("read"))?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::catalogue("read"))
}

pub(super) async fn place(pool: &SqlitePool, hold: &NewHold, now: Micros) -> Result<Hold> {
    let failed = Error::catalogue;
    let mut tx = pool.begin().await.map_err(failed("write to"))?;
    let in_force: i64 = sqlx::query_scalar("SELECT count(*) FROM hold WHERE released_at IS NULL")
        .fetch_one(&mut *tx)
        .await
        .map_err(failed("read"))?;
    if in_force as usize >= HOLDS_MAX {
        return Err(Error::Hold(format!("{in_force} holds are in force; release those that ended first")));
    }
    let row = sqlx::query(
        "INSERT INTO hold (system, class, ingested_from, ingested_to, reason, placed_by, placed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
    )
    .bind(&hold.system)
    .bind(&hold.class)
    .bind(hold.from)
    .bind(hold.to)
    .bind(&hold.reason)
    .bind(&hold.placed_by)
    .bind(now)
    .fetch_one(&mut *tx)
    .await
    .map_err(failed("write to"))?;
    let hold = read(&row).map_err(failed("read"))?;
    tx.commit().await.map_err(failed("commit to"))?;
    Ok(hold)
}

pub(super) async fn release(pool: &SqlitePool, id: u64, release: &Release) -> Result<Hold> {
    let failed = Error::catalogue;
    let mut tx = pool.begin().await.map_err(failed("write to"))?;
    let sql =
        "UPDATE hold SET released_at = ?, released_by = ?, release_reason = ? WHERE id = ? AND released_at IS NULL RETURNING *";
    let row = sqlx::query(sql)
        .bind(release.at)
        .bind(&release.by)
        .bind(&release.reason)
        .bind(i64::try_from(id).unwrap_or(i64::MAX))
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed("write to"))?;
    let Some(row) = row else { return Err(Error::NoHold { id }) };
    let hold = read(&row).map_err(failed("read"))?;
    tx.commit().await.map_err(failed("commit to"))?;
    Ok(hold)
}

fn read(row: &SqliteRow) -> Result<Hold, sqlx::Error> {
    let released_at: Option<Micros> = row.try_get("released_at")?;
    let released = match released_at {
        Some(at) => Some(Release { at, by: row.try_get("released_by")?, reason: row.try_get("release_reason")? }),
        None => None,
    };
    Ok(Hold {
        id: row.try_get::<i64, _>("id")? as u64,
        system: row.try_get("system")?,
        class: row.try_get("class")?,
        from: row.try_get("ingested_from")?,
        to: row.try_get("ingested_to")?,
        reason: row.try_get("reason")?,
        placed_by: row.try_get("placed_by")?,
        placed_at: row.try_get("placed_at")?,
        released,
    })
}
