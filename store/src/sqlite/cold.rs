//! Segments in the cold store, and the notes about objects there: a note is made before an object appears and goes after it
//! was removed, or when a segment names it.

use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::{Error, Result};

pub(super) async fn note(pool: &SqlitePool, url: &str) -> Result<()> {
    let noted = sqlx::query("INSERT INTO cold_object VALUES (?) ON CONFLICT DO NOTHING").bind(url).execute(pool).await;
    noted.map(|_| ()).map_err(Error::catalogue("write to"))
}

pub(super) async fn make(pool: &SqlitePool, id: &str, url: &str) -> Result<()> {
    let failed = Error::catalogue;
    let mut tx = pool.begin().await.map_err(failed("write to"))?;
    let made = sqlx::query("UPDATE segment SET cold = ? WHERE id = ?").bind(url).bind(id).execute(&mut *tx).await;
    if made.map_err(failed("write to"))?.rows_affected() != 1 {
        return Err(Error::SegmentGone { segment: id.to_owned() });
    }
    sqlx::query("DELETE FROM cold_object WHERE url = ?").bind(url).execute(&mut *tx).await.map_err(failed("write to"))?;
    tx.commit().await.map_err(failed("commit to"))
}

/// Notes the object of a segment whose row is about to be deleted.
pub(super) async fn note_gone(tx: &mut Transaction<'_, Sqlite>, id: &str) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO cold_object SELECT cold FROM segment WHERE id = ? AND cold IS NOT NULL ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(id).execute(&mut **tx).await.map(|_| ())
}

pub(super) async fn garbage(pool: &SqlitePool) -> Result<Vec<String>> {
    let sql = "SELECT url FROM cold_object WHERE url NOT IN (SELECT cold FROM segment WHERE cold IS NOT NULL) ORDER BY url";
    sqlx::query_scalar(sql).fetch_all(pool).await.map_err(Error::catalogue("read"))
}

pub(super) async fn forget(pool: &SqlitePool, url: &str) -> Result<()> {
    let gone = sqlx::query("DELETE FROM cold_object WHERE url = ?").bind(url).execute(pool).await;
    gone.map(|_| ()).map_err(Error::catalogue("write to"))
}
