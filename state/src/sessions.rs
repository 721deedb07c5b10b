//! Sessions of the browser: the cookie is kept as a hash only; each has an end and an idle end.

use event::Micros;
use sqlx::Row;

use crate::{
    Migrations, Result, State,
    users::{self, User},
};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "sessions",
    steps: &["CREATE TABLE session (
        hash TEXT PRIMARY KEY,
        user INTEGER NOT NULL REFERENCES user (id),
        csrf TEXT NOT NULL,
        created INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        idle INTEGER NOT NULL,
        address TEXT
    ) WITHOUT ROWID;
    CREATE INDEX session_user ON session (user);"],
};

/// How often `last_seen` is written: reading a page must not cost a disk write each time.
const TOUCH_EVERY: Micros = 60_000_000;

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// [`crate::secret::hash`] of the cookie.
    pub hash: String,
    pub user: i64,
    pub csrf: String,
    /// Absolute end.
    pub expires: Micros,
    /// Longest pause between two requests.
    pub idle: Micros,
    /// Where it was opened from, for the log.
    pub address: Option<String>,
}

/// An open session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub hash: String,
    pub user: i64,
    pub csrf: String,
    pub created: Micros,
    pub last_seen: Micros,
    pub expires: Micros,
    pub idle: Micros,
}

impl State {
    /// Opens a session; ended ones are swept on the way.
    pub async fn open_session(&self, new: NewSession, now: Micros) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM session WHERE expires <= ? OR last_seen + idle <= ?")
            .bind(now)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO session (hash, user, csrf, created, last_seen, expires, idle, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&new.hash)
        .bind(new.user)
        .bind(&new.csrf)
        .bind(now)
        .bind(now)
        .bind(new.expires)
        .bind(new.idle)
        .bind(&new.address)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns the session and its enabled user, while neither end has passed; notes that it was used.
    pub async fn session(&self, hash: &str, now: Micros) -> Result<Option<(Session, User)>> {
        let row = sqlx::query(
            "SELECT session.hash, session.user, session.csrf, session.created AS opened, session.last_seen, session.expires, session.idle, user.*
             FROM session JOIN user ON user.id = session.user
             WHERE session.hash = ? AND session.expires > ? AND session.last_seen + session.idle > ? AND user.disabled = 0",
        )
        .bind(hash)
        .bind(now)
        .bind(now)
        .fetch_optional(self.pool())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let session = Session {
            hash: row.try_get("hash")?,
            user: row.try_get("user")?,
            csrf: row.try_get("csrf")?,
            created: row.try_get("opened")?,
            last_seen: row.try_get("last_seen")?,
            expires: row.try_get("expires")?,
            idle: row.try_get("idle")?,
        };
        if now - session.last_seen >= TOUCH_EVERY.min(session.idle / 10) {
            sqlx::query("UPDATE session SET last_seen = ? WHERE hash = ?").bind(now).bind(hash).execute(self.pool()).await?;
        }
        Ok(Some((session, users::read(&row)?)))
    }

    /// The user of an open session, without noting a use: for whoever looks on while nothing is asked.
    pub async fn session_stands(&self, hash: &str, now: Micros) -> Result<Option<User>> {
        let row = sqlx::query(
            "SELECT user.* FROM session JOIN user ON user.id = session.user
             WHERE session.hash = ? AND session.expires > ? AND session.last_seen + session.idle > ? AND user.disabled = 0",
        )
        .bind(hash)
        .bind(now)
        .bind(now)
        .fetch_optional(self.pool())
        .await?;
        row.as_ref().map(users::read).transpose()
    }

    /// Ends one session: log-out.
    pub async fn close_session(&self, hash: &str) -> Result<()> {
        sqlx::query("DELETE FROM session WHERE hash = ?").bind(hash).execute(self.pool()).await?;
        Ok(())
    }
}
