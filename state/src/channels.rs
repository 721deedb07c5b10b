//! How people are reached: an e-mail address or a webhook of one person, or a webhook shared by all.
//!
//! Addresses are checked by `respond`, which knows how they are used.

use std::fmt;

use event::Micros;
use serde::{Deserialize, Serialize};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{Error, Migrations, Result, State};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "channels",
    steps: &["CREATE TABLE channel (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        person INTEGER REFERENCES user (id),    -- NULL = shared: told of every page
        kind TEXT NOT NULL,
        address TEXT NOT NULL,
        secret TEXT,                            -- signs webhook bodies
        enabled INTEGER NOT NULL DEFAULT 1,
        created INTEGER NOT NULL
    );"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Email,
    Webhook,
}

impl ChannelKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Email, Self::Webhook].into_iter().find(|kind| kind.name() == name)
    }
}

/// One way to reach somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: i64,
    pub person: Option<i64>,
    pub kind: ChannelKind,
    /// Mail address or URL.
    pub address: String,
    pub secret: Option<String>,
    pub enabled: bool,
    pub created: Micros,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, person, kind, .. } = self;
        f.debug_struct("Channel").field("id", id).field("person", person).field("kind", kind).finish_non_exhaustive()
    }
}

impl State {
    pub async fn create_channel(
        &self,
        person: Option<i64>,
        kind: ChannelKind,
        address: &str,
        secret: Option<&str>,
        now: Micros,
    ) -> Result<Channel> {
        let done = sqlx::query("INSERT INTO channel (person, kind, address, secret, created) VALUES (?, ?, ?, ?, ?)")
            .bind(person)
            .bind(kind.name())
            .bind(address)
            .bind(secret)
            .bind(now)
            .execute(self.pool())
            .await?;
        Ok(Channel {
            id: done.last_insert_rowid(),
            person,
            kind,
            address: address.to_owned(),
            secret: secret.map(str::to_owned),
            enabled: true,
            created: now,
        })
    }

    /// All channels, disabled ones included.
    pub async fn channels(&self) -> Result<Vec<Channel>> {
        let rows = sqlx::query("SELECT * FROM channel ORDER BY id").fetch_all(self.pool()).await?;
        rows.iter().map(read).collect()
    }

    pub async fn channel(&self, id: i64) -> Result<Option<Channel>> {
        let row = sqlx::query("SELECT * FROM channel WHERE id = ?").bind(id).fetch_optional(self.pool()).await?;
        row.map(|row| read(&row)).transpose()
    }

    /// Switches a channel on or off; what was sent through it stays in the record.
    pub async fn enable_channel(&self, id: i64, enabled: bool) -> Result<()> {
        let done = sqlx::query("UPDATE channel SET enabled = ? WHERE id = ?").bind(enabled).bind(id).execute(self.pool()).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Invalid(format!("there is no channel {id}"))) }
    }
}

fn read(row: &SqliteRow) -> Result<Channel> {
    let kind: String = row.try_get("kind")?;
    Ok(Channel {
        id: row.try_get("id")?,
        person: row.try_get("person")?,
        kind: ChannelKind::by_name(&kind)
            .ok_or_else(|| Error::Invalid(format!("the stored channel kind {kind:?} is unknown")))?,
        address: row.try_get("address")?,
        secret: row.try_get("secret")?,
        enabled: row.try_get("enabled")?,
        created: row.try_get("created")?,
    })
}
