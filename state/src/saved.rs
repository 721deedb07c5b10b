//! Saved searches: what the hunt page shows, under a name; a person's own, or shared with everybody.
//!
//! Text and range are kept as the page writes them (`-24h`, `now` or a moment); nothing here runs them.

use event::Micros;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{Error, Migrations, Result, State};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "saved",
    steps: &["CREATE TABLE saved_search (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner INTEGER NOT NULL REFERENCES user (id),
        name TEXT NOT NULL,
        q TEXT NOT NULL,
        mode TEXT NOT NULL,
        range_from TEXT NOT NULL,
        range_to TEXT NOT NULL,
        columns TEXT NOT NULL,       -- JSON list of names
        shared INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        UNIQUE (owner, name)
    );"],
};

/// Searches of one person.
pub const SEARCHES_MAX: i64 = 200;
const NAME_CHARS_MAX: usize = 100;
const TEXT_BYTES_MAX: usize = 64 << 10;
const COLUMNS_MAX: usize = 50;

/// A search to be kept.
#[derive(Clone, Debug)]
pub struct NewSearch {
    pub name: String,
    pub q: String,
    /// "search" or "sql".
    pub mode: &'static str,
    pub from: String,
    pub to: String,
    pub columns: Vec<String>,
    pub shared: bool,
}

/// A kept search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSearch {
    pub id: i64,
    pub owner: i64,
    /// Account name of the owner.
    pub owner_name: String,
    pub name: String,
    pub q: String,
    pub mode: String,
    pub from: String,
    pub to: String,
    pub columns: Vec<String>,
    pub shared: bool,
    pub changed: Micros,
}

/// A question for whole searches, with what follows.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT saved_search.*, user.name AS owner_name FROM saved_search JOIN user ON user.id = saved_search.owner ",
            $rest
        )
    };
}

impl State {
    /// A person's own searches and those that others share, by name.
    pub async fn saved_searches(&self, person: i64) -> Result<Vec<SavedSearch>> {
        let rows = sqlx::query(select!(
            "WHERE saved_search.owner = ? OR saved_search.shared = 1 AND user.disabled = 0
             ORDER BY saved_search.name, saved_search.id"
        ))
        .bind(person)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(read).collect()
    }

    /// Keeps a search; one of the same name and person is replaced.
    pub async fn save_search(&self, person: i64, new: &NewSearch, now: Micros) -> Result<SavedSearch> {
        let name = check(new)?;
        let columns = serde_json::to_string(&new.columns).expect("a list of text is valid JSON");
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO saved_search (owner, name, q, mode, range_from, range_to, columns, shared, changed)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (owner, name) DO UPDATE SET q = excluded.q, mode = excluded.mode, range_from = excluded.range_from,
                 range_to = excluded.range_to, columns = excluded.columns, shared = excluded.shared, changed = excluded.changed",
        )
        .bind(person)
        .bind(name)
        .bind(&new.q)
        .bind(new.mode)
        .bind(&new.from)
        .bind(&new.to)
        .bind(columns)
        .bind(new.shared)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        let count: i64 = sqlx::query("SELECT count(*) AS n FROM saved_search WHERE owner = ?")
            .bind(person)
            .fetch_one(&mut *tx)
            .await?
            .try_get("n")?;
        if count > SEARCHES_MAX {
            return Err(Error::Invalid(format!("a person keeps at most {SEARCHES_MAX} searches; remove one first")));
        }
        let row = sqlx::query(select!("WHERE saved_search.owner = ? AND saved_search.name = ?"))
            .bind(person)
            .bind(name)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        read(&row)
    }

    /// Removes a search of this person, or with `any_shared` one that somebody shares. False when there is none such.
    pub async fn remove_search(&self, id: i64, person: i64, any_shared: bool) -> Result<bool> {
        let done = sqlx::query("DELETE FROM saved_search WHERE id = ? AND (owner = ? OR shared = 1 AND ?)")
            .bind(id)
            .bind(person)
            .bind(any_shared)
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Checks the sizes; returns the name without white space around it.
fn check(new: &NewSearch) -> Result<&str> {
    let name = new.name.trim();
    let invalid = |what: String| Err(Error::Invalid(what));
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return invalid(format!("a saved search has a name of 1 to {NAME_CHARS_MAX} characters"));
    }
    if new.q.len() > TEXT_BYTES_MAX {
        return invalid(format!("the search is longer than {} KiB", TEXT_BYTES_MAX >> 10));
    }
    if new.columns.len() > COLUMNS_MAX || new.columns.iter().any(|column| column.len() > 256) {
        return invalid(format!("a saved search has at most {COLUMNS_MAX} columns"));
    }
    if [&new.from, &new.to].into_iter().any(|edge| edge.is_empty() || edge.len() > 40) {
        return invalid("a saved search has a time range".to_owned());
    }
    Ok(name)
}

fn read(row: &SqliteRow) -> Result<SavedSearch> {
    let columns: String = row.try_get("columns")?;
    Ok(SavedSearch {
        id: row.try_get("id")?,
        owner: row.try_get("owner")?,
        owner_name: row.try_get("owner_name")?,
        name: row.try_get("name")?,
        q: row.try_get("q")?,
        mode: row.try_get("mode")?,
        from: row.try_get("range_from")?,
        to: row.try_get("range_to")?,
        columns: serde_json::from_str(&columns).unwrap_or_default(),
        shared: row.try_get("shared")?,
        changed: row.try_get("changed")?,
    })
}
