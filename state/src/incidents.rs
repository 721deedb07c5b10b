//! Incidents: what people handle. Each belongs to one system and one entity; its log says who did what and when.
//!
//! Joining alerts to incidents is in [`crate::matches`]; whether somebody is paged is `respond`'s business. Every
//! transition writes its log line in the same transaction, and the log is also what becomes audit events.

use event::{Micros, Privacy, Scope, severity::Severity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    Error, Migrations, Result, State, notify,
    rows::{from_json, scope_parameter},
};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "incidents",
    steps: &["CREATE TABLE incident (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        status TEXT NOT NULL,
        severity INTEGER NOT NULL,
        steps TEXT NOT NULL,            -- JSON: how the severity came about
        system_id TEXT NOT NULL,
        system_level INTEGER,
        entity_kind TEXT NOT NULL,
        entity_value TEXT NOT NULL,
        family TEXT NOT NULL,
        title_vi TEXT NOT NULL,
        title_en TEXT NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        opened INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        alerts INTEGER NOT NULL,
        events INTEGER NOT NULL,
        reopened INTEGER NOT NULL DEFAULT 0,
        page_severity INTEGER,          -- worst severity that deserved a page so far
        paged INTEGER,                  -- when the last page was queued
        owner INTEGER REFERENCES user (id),
        acknowledged_at INTEGER,
        acknowledged_by TEXT,
        closed_at INTEGER,
        verdict TEXT
    );
    CREATE INDEX incident_join ON incident (system_id, entity_kind, entity_value, family, last_seen);
    CREATE INDEX incident_status ON incident (status, severity);
    CREATE TABLE incident_log (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        incident INTEGER REFERENCES incident (id),
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        note TEXT NOT NULL,
        detail TEXT
    );
    CREATE INDEX incident_log_incident ON incident_log (incident, id);"],
};

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Open,
    Acknowledged,
    Closed,
}

impl Status {
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Closed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// What a person found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    TruePositive,
    Benign,
    FalsePositive,
    Duplicate,
}

impl Verdict {
    pub const ALL: [Self; 4] = [Self::TruePositive, Self::Benign, Self::FalsePositive, Self::Duplicate];

    pub fn name(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::Benign => "benign",
            Self::FalsePositive => "false_positive",
            Self::Duplicate => "duplicate",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

/// Whom or what an incident is about: kind is a field name (`source.ip`), value the field's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entity {
    pub kind: String,
    pub value: String,
}

/// An incident as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Number and identity; what people say on the phone.
    pub id: i64,
    pub status: Status,
    pub severity: Severity,
    /// How the severity came about, as `respond` wrote it.
    pub steps: Value,
    pub system: String,
    pub system_level: Option<u8>,
    pub entity: Entity,
    pub family: String,
    pub title_vi: String,
    pub title_en: String,
    /// Event time.
    pub first_seen: Micros,
    pub last_seen: Micros,
    /// This server's time.
    pub opened: Micros,
    pub updated: Micros,
    pub alerts: u64,
    pub events: u64,
    /// How often it was opened again.
    pub reopened: u32,
    pub page_severity: Option<Severity>,
    /// When a page was last queued.
    pub paged: Option<Micros>,
    /// User id of whoever handles it.
    pub owner: Option<i64>,
    pub acknowledged_at: Option<Micros>,
    pub acknowledged_by: Option<String>,
    pub closed_at: Option<Micros>,
    pub verdict: Option<Verdict>,
}

/// A line of the log: who did what, when.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    pub id: i64,
    /// `None` for what concerns no incident, such as a test page.
    pub incident: Option<i64>,
    pub at: Micros,
    /// Account name, or `chieng:respond` for the program itself.
    pub actor: String,
    /// opened, severity_raised, reopened, acknowledged, closed, assigned, note, paged, page_held, page_delivered, …
    pub action: String,
    pub note: String,
    pub detail: Option<Value>,
}

/// Which incidents to list; empty fields do not filter.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    pub status: Option<Status>,
    pub severity: Option<Severity>,
    pub system: Option<String>,
    /// At most so many, newest first; 0 = 500.
    pub limit: u32,
}

/// Who acts: the account, by id and name.
#[derive(Clone, Debug)]
pub struct Actor {
    pub id: i64,
    pub name: String,
}

/// The name under which the program's own transitions are logged.
pub const SELF: &str = "chieng:respond";

impl State {
    /// Lists the incidents in scope, newest activity first.
    pub async fn incidents(&self, scope: &Scope, filter: &IncidentFilter) -> Result<Vec<Incident>> {
        let rows = sqlx::query(
            "SELECT * FROM incident
             WHERE (?1 IS NULL OR system_id IN (SELECT value FROM json_each(?1)))
               AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR severity = ?3) AND (?4 IS NULL OR system_id = ?4)
             ORDER BY last_seen DESC, id DESC LIMIT ?5",
        )
        .bind(scope_parameter(scope))
        .bind(filter.status.map(Status::name))
        .bind(filter.severity.map(|severity| severity as i64))
        .bind(&filter.system)
        .bind(if filter.limit == 0 { 500 } else { i64::from(filter.limit) })
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(|row| read(row).map(|incident| redact(scope, incident))).collect()
    }

    /// Returns one incident, when it exists and is in scope.
    pub async fn incident(&self, scope: &Scope, id: i64) -> Result<Option<Incident>> {
        let row = sqlx::query("SELECT * FROM incident WHERE id = ?").bind(id).fetch_optional(self.pool()).await?;
        let incident = row.map(|row| read(&row)).transpose()?;
        Ok(incident.filter(|incident| scope.sees(&incident.system)).map(|incident| redact(scope, incident)))
    }

    /// Counts what is not closed, by severity from informational to critical.
    pub async fn open_incidents_by_severity(&self, scope: &Scope) -> Result<[u64; 5]> {
        let rows = sqlx::query(
            "SELECT severity, count(*) FROM incident
             WHERE status <> 'closed' AND (?1 IS NULL OR system_id IN (SELECT value FROM json_each(?1))) GROUP BY severity",
        )
        .bind(scope_parameter(scope))
        .fetch_all(self.pool())
        .await?;
        let mut counts = [0; 5];
        for row in rows {
            let severity: i64 = row.try_get(0)?;
            if let Some(count) = counts.get_mut(severity as usize) {
                *count = row.try_get::<i64, _>(1)? as u64;
            }
        }
        Ok(counts)
    }

    /// The log of one incident in scope, oldest first.
    pub async fn incident_log(&self, scope: &Scope, id: i64) -> Result<Vec<LogEntry>> {
        if self.incident(scope, id).await?.is_none() {
            return Ok(Vec::new());
        }
        let rows =
            sqlx::query("SELECT * FROM incident_log WHERE incident = ? ORDER BY id").bind(id).fetch_all(self.pool()).await?;
        rows.iter().map(read_log).collect()
    }

    /// Log lines after a cursor, over all incidents, with the incident they belong to: the stream of audit events.
    pub async fn log_after(&self, id: u64, limit: u32) -> Result<Vec<(LogEntry, Option<Incident>)>> {
        let rows = sqlx::query("SELECT * FROM incident_log WHERE id > ? ORDER BY id LIMIT ?")
            .bind(id as i64)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?;
        let internal = Scope::internal("audit");
        let mut lines = Vec::with_capacity(rows.len());
        for row in &rows {
            let line = read_log(row)?;
            let incident = match line.incident {
                Some(id) => self.incident(&internal, id).await?,
                None => None,
            };
            lines.push((line, incident));
        }
        Ok(lines)
    }

    /// Acknowledges: escalation stops and pages not yet sent are cancelled, in the same transaction. Doing it twice is fine.
    pub async fn acknowledge_incident(&self, scope: &Scope, id: i64, by: &Actor, note: &str, now: Micros) -> Result<Incident> {
        let mut tx = self.write().await?;
        let incident = in_scope(&mut tx, scope, id).await?;
        acknowledge(&mut tx, &incident, by, note, now).await?;
        let after = load(&mut tx, id).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Closes with a verdict; escalation stops.
    pub async fn close_incident(
        &self,
        scope: &Scope,
        id: i64,
        by: &Actor,
        verdict: Verdict,
        note: &str,
        now: Micros,
    ) -> Result<Incident> {
        let mut tx = self.write().await?;
        let incident = in_scope(&mut tx, scope, id).await?;
        if incident.status == Status::Closed {
            return Err(Error::Invalid(format!("incident {id} is closed already")));
        }
        sqlx::query("UPDATE incident SET status = 'closed', closed_at = ?, verdict = ?, updated = ? WHERE id = ?")
            .bind(now)
            .bind(verdict.name())
            .bind(now)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        notify::stop(&mut tx, id).await?;
        let detail = serde_json::json!({ "verdict": verdict.name() });
        log(&mut tx, Some(id), now, &by.name, "closed", note, Some(&detail)).await?;
        let after = load(&mut tx, id).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Closes open incidents of at most this severity that were idle since a moment (event time), and says so in their logs.
    /// Nobody judged them, so they get no verdict. Returns how many.
    pub async fn close_idle_incidents(&self, severity_max: Severity, idle_since: Micros, now: Micros) -> Result<u64> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO incident_log (incident, at, actor, action, note, detail)
             SELECT id, ?1, ?2, 'auto_closed', '', NULL FROM incident WHERE status = 'open' AND severity <= ?3 AND last_seen < ?4",
        )
        .bind(now)
        .bind(SELF)
        .bind(severity_max as i64)
        .bind(idle_since)
        .execute(&mut *tx)
        .await?;
        let done = sqlx::query("UPDATE incident SET status = 'closed', closed_at = ?1, updated = ?1 WHERE status = 'open' AND severity <= ?2 AND last_seen < ?3")
            .bind(now)
            .bind(severity_max as i64)
            .bind(idle_since)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// Adds a note.
    pub async fn note_incident(&self, scope: &Scope, id: i64, by: &Actor, note: &str, now: Micros) -> Result<()> {
        if note.trim().is_empty() {
            return Err(Error::Invalid("a note cannot be empty".into()));
        }
        let mut tx = self.write().await?;
        in_scope(&mut tx, scope, id).await?;
        log(&mut tx, Some(id), now, &by.name, "note", note, None).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives an incident to a person who may handle it and sees its system.
    pub async fn assign_incident(&self, scope: &Scope, id: i64, by: &Actor, owner: i64, now: Micros) -> Result<Incident> {
        let user = self.user(owner).await?.filter(|user| !user.disabled);
        let user = user.ok_or_else(|| Error::Invalid(format!("there is no active user {owner}")))?;
        let mut tx = self.write().await?;
        let incident = in_scope(&mut tx, scope, id).await?;
        if !user.role.may_handle_incidents() || !user.scope().sees(&incident.system) {
            return Err(Error::Invalid(format!("{} may not handle incidents of {}", user.name, incident.system)));
        }
        sqlx::query("UPDATE incident SET owner = ?, updated = ? WHERE id = ?")
            .bind(owner)
            .bind(now)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        let detail = serde_json::json!({ "owner": user.name });
        log(&mut tx, Some(id), now, &by.name, "assigned", &user.display_name, Some(&detail)).await?;
        let after = load(&mut tx, id).await?;
        tx.commit().await?;
        Ok(after)
    }
}

/// The transition itself, shared by the button and the link in the mail. Returns false when there was nothing to do.
pub(crate) async fn acknowledge(
    tx: &mut Transaction<'static, Sqlite>,
    incident: &Incident,
    by: &Actor,
    note: &str,
    now: Micros,
) -> Result<bool> {
    if incident.status != Status::Open {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE incident SET status = 'acknowledged', acknowledged_at = ?, acknowledged_by = ?, owner = coalesce(owner, ?), updated = ? WHERE id = ?",
    )
    .bind(now)
    .bind(&by.name)
    .bind(by.id)
    .bind(now)
    .bind(incident.id)
    .execute(&mut **tx)
    .await?;
    notify::stop(tx, incident.id).await?;
    log(tx, Some(incident.id), now, &by.name, "acknowledged", note, None).await?;
    Ok(true)
}

/// Writes a log line.
pub(crate) async fn log(
    tx: &mut Transaction<'static, Sqlite>,
    incident: Option<i64>,
    at: Micros,
    actor: &str,
    action: &str,
    note: &str,
    detail: Option<&Value>,
) -> Result<()> {
    sqlx::query("INSERT INTO incident_log (incident, at, actor, action, note, detail) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(incident)
        .bind(at)
        .bind(actor)
        .bind(action)
        .bind(note)
        .bind(detail.map(Value::to_string))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn load(tx: &mut Transaction<'static, Sqlite>, id: i64) -> Result<Incident> {
    let row = sqlx::query("SELECT * FROM incident WHERE id = ?").bind(id).fetch_optional(&mut **tx).await?;
    read(&row.ok_or_else(|| Error::Invalid(format!("there is no incident {id}")))?)
}

async fn in_scope(tx: &mut Transaction<'static, Sqlite>, scope: &Scope, id: i64) -> Result<Incident> {
    let incident = load(tx, id).await?;
    if scope.sees(&incident.system) { Ok(incident) } else { Err(Error::Invalid(format!("there is no incident {id}"))) }
}

/// What stands in place of a value that the reader's role may not see.
pub(crate) const HIDDEN: &str = "•••";

fn redact(scope: &Scope, mut incident: Incident) -> Incident {
    if !scope.sees_plain(Privacy::Personal) {
        incident.entity.value = HIDDEN.to_owned();
    }
    incident
}

pub(crate) fn severity(number: i64) -> Result<Severity> {
    let known = usize::try_from(number).ok().and_then(|index| Severity::ALL.get(index).copied());
    known.ok_or_else(|| Error::Invalid(format!("the stored severity {number} is unknown")))
}

pub(crate) fn read(row: &SqliteRow) -> Result<Incident> {
    let status: String = row.try_get("status")?;
    let verdict: Option<String> = row.try_get("verdict")?;
    let steps: String = row.try_get("steps")?;
    Ok(Incident {
        id: row.try_get("id")?,
        status: Status::by_name(&status).ok_or_else(|| Error::Invalid(format!("the stored status {status:?} is unknown")))?,
        severity: severity(row.try_get("severity")?)?,
        steps: from_json("steps of a severity", &steps)?,
        system: row.try_get("system_id")?,
        system_level: row.try_get("system_level")?,
        entity: Entity { kind: row.try_get("entity_kind")?, value: row.try_get("entity_value")? },
        family: row.try_get("family")?,
        title_vi: row.try_get("title_vi")?,
        title_en: row.try_get("title_en")?,
        first_seen: row.try_get("first_seen")?,
        last_seen: row.try_get("last_seen")?,
        opened: row.try_get("opened")?,
        updated: row.try_get("updated")?,
        alerts: row.try_get::<i64, _>("alerts")? as u64,
        events: row.try_get::<i64, _>("events")? as u64,
        reopened: row.try_get("reopened")?,
        page_severity: row.try_get::<Option<i64>, _>("page_severity")?.map(severity).transpose()?,
        paged: row.try_get("paged")?,
        owner: row.try_get("owner")?,
        acknowledged_at: row.try_get("acknowledged_at")?,
        acknowledged_by: row.try_get("acknowledged_by")?,
        closed_at: row.try_get("closed_at")?,
        verdict: verdict.as_deref().and_then(Verdict::by_name),
    })
}

fn read_log(row: &SqliteRow) -> Result<LogEntry> {
    let detail: Option<String> = row.try_get("detail")?;
    Ok(LogEntry {
        id: row.try_get("id")?,
        incident: row.try_get("incident")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        note: row.try_get("note")?,
        detail: detail.map(|text| from_json("detail of a log line", &text)).transpose()?,
    })
}
