//! Every attempt to deliver a notification: written down before anything is sent, and how it ended.
//!
//! An attempt that a crash cut off is found as `running` after the start; its notification is still queued and is tried again
//! under the same key, so that a receiver can tell.

use event::{Micros, Scope};
use sqlx::{
    Row, Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{
    Result, State,
    channels::Channel,
    incidents::{self, SELF},
    notify::{Notification, NotificationKind, read},
};

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub notification: i64,
    pub started: Micros,
    pub finished: Option<Micros>,
    /// running, delivered, failed, refused or interrupted.
    pub result: String,
    pub detail: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    Delivered {
        detail: String,
    },
    /// Try again at `due`.
    Retry {
        due: Micros,
        detail: String,
    },
    /// Never try again: a dead letter.
    Dead {
        detail: String,
    },
    /// There is nothing left to tell.
    Cancelled {
        detail: String,
    },
}

/// A notification with its channel and all attempts to deliver it, oldest first.
pub type Delivery = (Notification, Option<Channel>, Vec<Attempt>);

impl State {
    /// Notifications to be sent now, oldest first.
    pub async fn due_notifications(&self, now: Micros, limit: u32) -> Result<Vec<Notification>> {
        let rows =
            sqlx::query("SELECT * FROM notification WHERE status = 'queued' AND next_due <= ? ORDER BY next_due, id LIMIT ?")
                .bind(now)
                .bind(i64::from(limit))
                .fetch_all(self.pool())
                .await?;
        rows.iter().map(read).collect()
    }

    /// Writes down that an attempt begins, before anything is sent, together with the token its link will carry. `None` when
    /// it must not be sent any more.
    pub async fn begin_attempt(
        &self,
        notification: &Notification,
        ack: Option<(&str, Micros)>,
        now: Micros,
    ) -> Result<Option<i64>> {
        let mut tx = self.write().await?;
        let begun = sqlx::query("UPDATE notification SET tries = tries + 1 WHERE id = ? AND status = 'queued'")
            .bind(notification.id)
            .execute(&mut *tx)
            .await?;
        if begun.rows_affected() != 1 {
            return Ok(None);
        }
        if let (Some((hash, expires)), Some(person), Some(incident)) = (ack, notification.person, notification.incident) {
            crate::ack::insert(&mut tx, hash, person, incident, now, expires).await?;
        }
        let attempt = sqlx::query("INSERT INTO attempt (notification, started, result, detail) VALUES (?, ?, 'running', '')")
            .bind(notification.id)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(attempt.last_insert_rowid()))
    }

    /// Writes down how an attempt ended.
    pub async fn finish_attempt(&self, notification: &Notification, attempt: i64, ended: &Ended, now: Micros) -> Result<()> {
        let mut tx = self.write().await?;
        let (result, status, due, detail) = match ended {
            Ended::Delivered { detail } => ("delivered", "delivered", now, detail),
            Ended::Retry { due, detail } => ("failed", "queued", *due, detail),
            Ended::Dead { detail } => ("refused", "dead", now, detail),
            Ended::Cancelled { detail } => ("cancelled", "cancelled", now, detail),
        };
        sqlx::query("UPDATE attempt SET finished = ?, result = ?, detail = ? WHERE id = ?")
            .bind(now)
            .bind(result)
            .bind(detail)
            .bind(attempt)
            .execute(&mut *tx)
            .await?;
        let finished = (status != "queued").then_some(now);
        // What was acknowledged while it was on its way and failed stays cancelled; what arrived, arrived.
        sqlx::query("UPDATE notification SET status = ?, next_due = ?, detail = ?, finished = ? WHERE id = ? AND (status = 'queued' OR ? = 'delivered')")
            .bind(status)
            .bind(due)
            .bind(detail)
            .bind(finished)
            .bind(notification.id)
            .bind(status)
            .execute(&mut *tx)
            .await?;
        if status == "delivered" && notification.kind == NotificationKind::Summary {
            sqlx::query("UPDATE notification SET status = 'summarised', finished = ? WHERE held_under = ? AND status = 'held'")
                .bind(now)
                .bind(&notification.page)
                .execute(&mut *tx)
                .await?;
        }
        if finished.is_some() {
            let action = format!("{}_{status}", notification.kind.name());
            incidents::log(&mut tx, notification.incident, now, SELF, &action, detail, None).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// After a start: attempts that a crash cut off. Their notifications are still queued and will be tried again.
    pub async fn interrupt_attempts(&self, now: Micros) -> Result<u64> {
        let done = sqlx::query(
            "UPDATE attempt SET result = 'interrupted', finished = ?, detail = 'the program stopped during this attempt' WHERE result = 'running'",
        )
        .bind(now)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected())
    }

    /// Everything that was to be told about an incident in scope, oldest first, each with its channel and attempts.
    pub async fn incident_notifications(&self, scope: &Scope, incident: i64) -> Result<Vec<Delivery>> {
        if self.incident(scope, incident).await?.is_none() {
            return Ok(Vec::new());
        }
        let of_incident = "SELECT * FROM notification WHERE incident = ? ORDER BY id";
        self.deliveries(sqlx::query(of_incident).bind(incident)).await
    }

    /// Dead letters and test pages, newest first: what an administrator looks at when pages do not arrive.
    pub async fn recent_deliveries(&self, limit: u32) -> Result<Vec<Delivery>> {
        let recent = "SELECT * FROM notification WHERE status = 'dead' OR kind = 'test' ORDER BY id DESC LIMIT ?";
        self.deliveries(sqlx::query(recent).bind(i64::from(limit))).await
    }

    /// Notifications and their attempts as they stood at one moment, so that no line says "queued" above an attempt that succeeded.
    async fn deliveries<'q>(&self, wanted: Query<'q, Sqlite, SqliteArguments>) -> Result<Vec<Delivery>> {
        let mut tx = self.pool().begin().await?;
        let mut found = Vec::new();
        for row in &wanted.fetch_all(&mut *tx).await? {
            let notification = read(row)?;
            let attempts = sqlx::query("SELECT * FROM attempt WHERE notification = ? ORDER BY id")
                .bind(notification.id)
                .fetch_all(&mut *tx)
                .await?;
            found.push((notification, attempts.iter().map(read_attempt).collect::<Result<_>>()?));
        }
        // Given back before the channels are read: a small pool must not be asked for two connections at once.
        drop(tx);
        let mut list = Vec::with_capacity(found.len());
        for (notification, attempts) in found {
            let channel = match notification.channel {
                Some(id) => self.channel(id).await?,
                None => None,
            };
            list.push((notification, channel, attempts));
        }
        Ok(list)
    }
}

fn read_attempt(row: &SqliteRow) -> Result<Attempt> {
    Ok(Attempt {
        notification: row.try_get("notification")?,
        started: row.try_get("started")?,
        finished: row.try_get("finished")?,
        result: row.try_get("result")?,
        detail: row.try_get("detail")?,
    })
}
