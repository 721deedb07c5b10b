//! Single-use tokens that acknowledge from a link: bound to one person and one incident, expiring, stored as a hash.
//!
//! [`State::peek_ack`] is what a GET may call: it changes nothing, because mail scanners follow links.

use event::Micros;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    Migrations, Result, State,
    incidents::{self, Actor, Incident},
    users::{self, User},
};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "ack",
    steps: &["CREATE TABLE ack_token (
        hash TEXT PRIMARY KEY,
        person INTEGER NOT NULL REFERENCES user (id),
        incident INTEGER NOT NULL REFERENCES incident (id),
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        used INTEGER
    ) WITHOUT ROWID;"],
};

/// Expired tokens are swept after a month: whoever opens an old mail is told the same either way.
const KEPT: Micros = 30 * 86_400_000_000;

/// What a link that works would do: acknowledge this incident as this person.
#[derive(Clone, Debug, PartialEq)]
pub struct AckToken {
    pub person: User,
    pub incident: Incident,
}

/// What using a link brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Acked {
    /// The incident is acknowledged by this person now.
    Now {
        person: User,
        incident: Incident,
    },
    /// It was not open any more; the token is spent.
    Before {
        incident: Incident,
    },
    Invalid,
}

impl State {
    /// Says what a token would do; changes nothing. `None` when it is used, expired or was never issued, or when its person no
    /// longer has an account or the right: all the same to a stranger.
    pub async fn peek_ack(&self, hash: &str, now: Micros) -> Result<Option<AckToken>> {
        let mut tx = self.pool().begin().await?;
        Ok(find(&mut tx, hash, now).await?.map(|(person, incident)| AckToken { person, incident }))
    }

    /// Spends a token: acknowledges its incident as its person, in one transaction.
    pub async fn use_ack(&self, hash: &str, now: Micros) -> Result<Acked> {
        let mut tx = self.write().await?;
        let Some((person, incident)) = find(&mut tx, hash, now).await? else { return Ok(Acked::Invalid) };
        sqlx::query("UPDATE ack_token SET used = ? WHERE hash = ?").bind(now).bind(hash).execute(&mut *tx).await?;
        let by = Actor { id: person.id, name: person.name.clone() };
        let done = incidents::acknowledge(&mut tx, &incident, &by, "", now).await?;
        let incident = incidents::load(&mut tx, incident.id).await?;
        tx.commit().await?;
        Ok(if done { Acked::Now { person, incident } } else { Acked::Before { incident } })
    }
}

async fn find(tx: &mut Transaction<'static, Sqlite>, hash: &str, now: Micros) -> Result<Option<(User, Incident)>> {
    let row: Option<SqliteRow> = sqlx::query(
        "SELECT ack_token.incident AS about, user.* FROM ack_token JOIN user ON user.id = ack_token.person
         WHERE hash = ? AND used IS NULL AND expires > ? AND disabled = 0",
    )
    .bind(hash)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let person = users::read(&row)?;
    let incident = incidents::load(tx, row.try_get("about")?).await?;
    let may = person.role.may_handle_incidents() && person.scope().sees(&incident.system);
    Ok(may.then_some((person, incident)))
}

pub(crate) async fn insert(
    tx: &mut Transaction<'static, Sqlite>,
    hash: &str,
    person: i64,
    incident: i64,
    now: Micros,
    expires: Micros,
) -> Result<()> {
    sqlx::query("DELETE FROM ack_token WHERE expires < ?").bind(now - KEPT).execute(&mut **tx).await?;
    sqlx::query("INSERT INTO ack_token (hash, person, incident, created, expires) VALUES (?, ?, ?, ?, ?)")
        .bind(hash)
        .bind(person)
        .bind(incident)
        .bind(now)
        .bind(expires)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
