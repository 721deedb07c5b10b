//! What must be told to whom, and every attempt to tell it.
//!
//! ```text
//! incident_change (outbox) ──settle──▶ notification: queued ─▶ delivered | dead | cancelled      held ─▶ summarised
//!                          └─────────▶ escalation: stage, due        └──▶ attempt, attempt, …
//! ```
//!
//! Rows carry their due times, so timers survive a restart. Each settling deletes or moves the row it came from in the same
//! transaction; a key per notification makes it impossible to queue one twice. Decisions are `respond`'s, attempts are in
//! [`crate::attempts`].

use event::{Micros, Scope, severity::Severity};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    Error, Migrations, Result, State,
    incidents::{self, Incident, SELF, Status},
    matches::ChangeKind,
};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "notify",
    steps: &["CREATE TABLE incident_change (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        incident INTEGER NOT NULL REFERENCES incident (id),
        kind TEXT NOT NULL,
        severity INTEGER NOT NULL,
        at INTEGER NOT NULL
    );
    CREATE TABLE escalation (
        incident INTEGER PRIMARY KEY REFERENCES incident (id),
        change INTEGER NOT NULL,
        step INTEGER NOT NULL,
        round INTEGER NOT NULL,
        due INTEGER NOT NULL
    );
    CREATE INDEX escalation_due ON escalation (due);
    CREATE TABLE notification (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        page TEXT NOT NULL,             -- one page to one recipient may go through several channels
        recipient TEXT NOT NULL,
        kind TEXT NOT NULL,
        incident INTEGER REFERENCES incident (id),
        person INTEGER REFERENCES user (id),
        channel INTEGER REFERENCES channel (id),
        status TEXT NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        next_due INTEGER NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        held_under TEXT,
        finished INTEGER,
        detail TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX notification_due ON notification (status, next_due);
    CREATE INDEX notification_incident ON notification (incident);
    CREATE INDEX notification_recipient ON notification (recipient, created);
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        notification INTEGER NOT NULL REFERENCES notification (id),
        started INTEGER NOT NULL,
        finished INTEGER,
        result TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE INDEX attempt_notification ON attempt (notification);"],
};

/// Why a notification exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationKind {
    /// An incident changed state.
    Page,
    /// Nobody answered the step before.
    Escalation,
    /// Pages held back by storm protection, told at once.
    Summary,
    /// Somebody pressed "test".
    Test,
}

impl NotificationKind {
    const ALL: [Self; 4] = [Self::Page, Self::Escalation, Self::Summary, Self::Test];

    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Escalation => "escalation",
            Self::Summary => "summary",
            Self::Test => "test",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A state change that waits for people to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingChange {
    pub id: i64,
    pub incident: Incident,
    pub kind: ChangeKind,
    pub severity: Severity,
    pub at: Micros,
}

/// Where an escalation stands: this step of this round comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    pub step: u32,
    pub round: u32,
}

/// An escalation whose next step is due.
#[derive(Clone, Debug, PartialEq)]
pub struct DueEscalation {
    pub incident: Incident,
    pub change: i64,
    pub stage: Stage,
    pub due: Micros,
}

/// What is to be queued when a change or an escalation step is settled.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub notifications: Vec<NewNotification>,
    /// The next step and when; `None` ends the chain.
    pub next: Option<(Stage, Micros)>,
    /// One log line each: action and note.
    pub log: Vec<(&'static str, String)>,
}

/// A notification to be queued.
#[derive(Clone, Debug, PartialEq)]
pub struct NewNotification {
    /// Idempotency key: a second one with the same key is not queued.
    pub key: String,
    pub page: String,
    pub recipient: String,
    pub kind: NotificationKind,
    pub incident: Option<i64>,
    pub person: Option<i64>,
    /// `None`: there is no way to reach this person; queued dead, so that it is visible.
    pub channel: Option<i64>,
    pub due: Micros,
    /// Given up after this.
    pub expires: Micros,
    /// The summary page that stands for it, when storm protection holds it back.
    pub held_under: Option<String>,
}

/// A notification as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    pub id: i64,
    pub key: String,
    pub page: String,
    pub kind: NotificationKind,
    pub incident: Option<i64>,
    pub person: Option<i64>,
    pub channel: Option<i64>,
    /// queued, held, delivered, dead, cancelled or summarised.
    pub status: String,
    pub created: Micros,
    pub expires: Micros,
    pub next_due: Micros,
    pub tries: u32,
    pub finished: Option<Micros>,
    /// What the last attempt brought.
    pub detail: String,
}

/// How loaded a recipient is, for storm protection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Pages queued for sending since the window began (one page through two channels counts once).
    pub pages: u32,
    /// A summary that was not tried yet: further held pages join it.
    pub open_summary: Option<String>,
    /// When the last summary was due.
    pub last_summary: Option<Micros>,
}

impl State {
    /// State changes that nobody was told of yet, oldest first.
    pub async fn pending_changes(&self, limit: u32) -> Result<Vec<PendingChange>> {
        let rows = sqlx::query("SELECT * FROM incident_change ORDER BY id LIMIT ?")
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?;
        let internal = Scope::internal("respond");
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            let kind: String = row.try_get("kind")?;
            let Some(incident) = self.incident(&internal, row.try_get("incident")?).await? else { continue };
            changes.push(PendingChange {
                id: row.try_get("id")?,
                incident,
                kind: ChangeKind::by_name(&kind)
                    .ok_or_else(|| Error::Invalid(format!("the stored change {kind:?} is unknown")))?,
                severity: incidents::severity(row.try_get("severity")?)?,
                at: row.try_get("at")?,
            });
        }
        Ok(changes)
    }

    /// Takes a change out of the outbox and queues what was planned for it; false when it was settled or stopped already.
    pub async fn settle_change(&self, change: &PendingChange, plan: &Plan, now: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let taken = sqlx::query("DELETE FROM incident_change WHERE id = ?").bind(change.id).execute(&mut *tx).await?;
        let incident = incidents::load(&mut tx, change.incident.id).await?;
        if taken.rows_affected() != 1 || incident.status != Status::Open {
            tx.commit().await?;
            return Ok(false);
        }
        queue(&mut tx, plan, now).await?;
        if plan.notifications.iter().any(|new| new.channel.is_some()) {
            sqlx::query("UPDATE incident SET paged = ? WHERE id = ?").bind(now).bind(incident.id).execute(&mut *tx).await?;
        }
        sqlx::query("DELETE FROM escalation WHERE incident = ?").bind(incident.id).execute(&mut *tx).await?;
        set_stage(&mut tx, incident.id, change.id, plan.next).await?;
        log_plan(&mut tx, Some(incident.id), plan, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Escalations whose next step is due.
    pub async fn due_escalations(&self, now: Micros, limit: u32) -> Result<Vec<DueEscalation>> {
        let rows = sqlx::query("SELECT * FROM escalation WHERE due <= ? ORDER BY due LIMIT ?")
            .bind(now)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?;
        let internal = Scope::internal("respond");
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(incident) = self.incident(&internal, row.try_get("incident")?).await? else { continue };
            let stage = Stage { step: row.try_get("step")?, round: row.try_get("round")? };
            due.push(DueEscalation { incident, change: row.try_get("change")?, stage, due: row.try_get("due")? });
        }
        Ok(due)
    }

    /// Moves an escalation on and queues what was planned; false when somebody answered or it moved on already.
    pub async fn settle_escalation(&self, escalation: &DueEscalation, plan: &Plan, now: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let taken = sqlx::query("DELETE FROM escalation WHERE incident = ? AND change = ? AND step = ? AND round = ?")
            .bind(escalation.incident.id)
            .bind(escalation.change)
            .bind(escalation.stage.step)
            .bind(escalation.stage.round)
            .execute(&mut *tx)
            .await?;
        let incident = incidents::load(&mut tx, escalation.incident.id).await?;
        if taken.rows_affected() != 1 || incident.status != Status::Open {
            tx.commit().await?;
            return Ok(false);
        }
        queue(&mut tx, plan, now).await?;
        set_stage(&mut tx, incident.id, escalation.change, plan.next).await?;
        log_plan(&mut tx, Some(incident.id), plan, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Queues notifications that belong to no incident: test pages.
    pub async fn queue_notifications(&self, plan: &Plan, now: Micros) -> Result<()> {
        let mut tx = self.write().await?;
        queue(&mut tx, plan, now).await?;
        log_plan(&mut tx, None, plan, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// How many pages a recipient got since then, and whether a summary is open.
    pub async fn page_load(&self, recipient: &str, since: Micros) -> Result<Load> {
        let (pages,): (i64,) = sqlx::query_as(
            "SELECT count(DISTINCT page) FROM notification
             WHERE recipient = ? AND created > ? AND kind IN ('page', 'escalation') AND held_under IS NULL",
        )
        .bind(recipient)
        .bind(since)
        .fetch_one(self.pool())
        .await?;
        let summary = sqlx::query("SELECT page, status, tries, created FROM notification WHERE recipient = ? AND kind = 'summary' ORDER BY id DESC LIMIT 1")
            .bind(recipient)
            .fetch_optional(self.pool())
            .await?;
        let mut load = Load { pages: pages as u32, ..Load::default() };
        if let Some(row) = summary {
            let (status, tries): (String, i64) = (row.try_get("status")?, row.try_get("tries")?);
            load.last_summary = Some(row.try_get("created")?);
            load.open_summary = (status == "queued" && tries == 0).then(|| row.try_get("page")).transpose()?;
        }
        Ok(load)
    }

    /// Incidents whose pages a summary stands for, still open ones only.
    pub async fn held_incidents(&self, summary_page: &str) -> Result<Vec<Incident>> {
        let rows = sqlx::query(
            "SELECT incident.* FROM incident WHERE status = 'open' AND id IN
               (SELECT incident FROM notification WHERE held_under = ? AND status IN ('held', 'summarised')) ORDER BY severity DESC, id",
        )
        .bind(summary_page)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(incidents::read).collect()
    }

    /// When the next thing is due: a notification, an escalation step, a change (at once).
    pub async fn next_due(&self) -> Result<Option<Micros>> {
        let row = sqlx::query(
            "SELECT min(due) FROM (SELECT min(next_due) AS due FROM notification WHERE status = 'queued'
               UNION ALL SELECT min(due) FROM escalation UNION ALL SELECT min(at) FROM incident_change)",
        )
        .fetch_one(self.pool())
        .await?;
        Ok(row.try_get(0)?)
    }
}

/// Puts a state change into the outbox.
pub(crate) async fn put_change(
    tx: &mut Transaction<'static, Sqlite>,
    incident: i64,
    kind: ChangeKind,
    severity: Severity,
    now: Micros,
) -> Result<()> {
    sqlx::query("INSERT INTO incident_change (incident, kind, severity, at) VALUES (?, ?, ?, ?)")
        .bind(incident)
        .bind(kind.name())
        .bind(severity as i64)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Somebody answered: nothing more is told about this incident.
pub(crate) async fn stop(tx: &mut Transaction<'static, Sqlite>, incident: i64) -> Result<()> {
    sqlx::query("DELETE FROM incident_change WHERE incident = ?").bind(incident).execute(&mut **tx).await?;
    sqlx::query("DELETE FROM escalation WHERE incident = ?").bind(incident).execute(&mut **tx).await?;
    sqlx::query("UPDATE notification SET status = 'cancelled', detail = 'answered before it was sent' WHERE incident = ? AND status IN ('queued', 'held')")
        .bind(incident)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn queue(tx: &mut Transaction<'static, Sqlite>, plan: &Plan, now: Micros) -> Result<()> {
    for new in &plan.notifications {
        let (status, detail) = match (new.channel, &new.held_under) {
            (None, _) => ("dead", "this person has no channel"),
            (_, Some(_)) => ("held", "held back by storm protection"),
            _ => ("queued", ""),
        };
        sqlx::query(
            "INSERT INTO notification (key, page, recipient, kind, incident, person, channel, status, created, expires, next_due, held_under, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        )
        .bind(&new.key)
        .bind(&new.page)
        .bind(&new.recipient)
        .bind(new.kind.name())
        .bind(new.incident)
        .bind(new.person)
        .bind(new.channel)
        .bind(status)
        .bind(now)
        .bind(new.expires)
        .bind(new.due)
        .bind(&new.held_under)
        .bind(detail)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn set_stage(
    tx: &mut Transaction<'static, Sqlite>,
    incident: i64,
    change: i64,
    next: Option<(Stage, Micros)>,
) -> Result<()> {
    let Some((stage, due)) = next else { return Ok(()) };
    sqlx::query("INSERT INTO escalation (incident, change, step, round, due) VALUES (?, ?, ?, ?, ?)")
        .bind(incident)
        .bind(change)
        .bind(stage.step)
        .bind(stage.round)
        .bind(due)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn log_plan(tx: &mut Transaction<'static, Sqlite>, incident: Option<i64>, plan: &Plan, now: Micros) -> Result<()> {
    for (action, note) in &plan.log {
        incidents::log(tx, incident, now, SELF, action, note, None).await?;
    }
    Ok(())
}

pub(crate) fn read(row: &SqliteRow) -> Result<Notification> {
    let kind: String = row.try_get("kind")?;
    Ok(Notification {
        id: row.try_get("id")?,
        key: row.try_get("key")?,
        page: row.try_get("page")?,
        kind: NotificationKind::by_name(&kind)
            .ok_or_else(|| Error::Invalid(format!("the stored notification kind {kind:?} is unknown")))?,
        incident: row.try_get("incident")?,
        person: row.try_get("person")?,
        channel: row.try_get("channel")?,
        status: row.try_get("status")?,
        created: row.try_get("created")?,
        expires: row.try_get("expires")?,
        next_due: row.try_get("next_due")?,
        tries: row.try_get("tries")?,
        finished: row.try_get("finished")?,
        detail: row.try_get("detail")?,
    })
}
