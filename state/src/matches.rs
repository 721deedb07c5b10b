//! One processing block's matches become alerts and incidents in one transaction, together with the detect cursor.
//!
//! ```text
//! MatchBlock ──▶ alert (insert or count up) ──▶ incident (join, open, raise, re-open) ──▶ log, outbox ──▶ cursor, COMMIT
//! ```
//!
//! Invariants: a block at or before the cursor changes nothing, so replays after a crash are harmless. Whatever must be paged is
//! in the outbox (`incident_change`) before the cursor moves, so no crash can lose a page; the outbox row is deleted in the
//! transaction that queues the notifications, so none is queued twice. Which alert deserves a page was decided by the caller.

use event::{Micros, severity::Severity};
use serde_json::Value;
use sqlx::{Sqlite, Transaction};

use crate::{
    Error, Result, State,
    alerts::AlertEvent,
    cursors,
    incidents::{self, Entity, Incident, SELF, Status, Verdict},
    notify,
    rows::to_json,
    rule_health,
};

/// The matches of one block, grouped into alerts.
#[derive(Clone, Debug)]
pub struct MatchBlock {
    /// Where the cursor stood when the alerts were counted, and where it stands after; `None` for what comes from no block
    /// (a test alert).
    pub cursor: Option<(u64, u64)>,
    pub alerts: Vec<AlertUpsert>,
    /// Matches that make no alert: rule id, how many, event time of the newest. They count in the rule's health.
    pub counted: Vec<(String, u64, Micros)>,
    pub join: Join,
}

/// How alerts find their incident, and how much is kept of them.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// An alert joins an incident of its entity and family that was active within so long.
    pub lookback: Micros,
    /// A closed incident may open again within so long.
    pub reopen: Micros,
    /// Samples kept of one alert.
    pub samples_max: u32,
}

/// What one block adds to one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertUpsert {
    pub id: String,
    pub rule_id: String,
    pub rule: Value,
    pub title_vi: String,
    pub title_en: String,
    pub rule_level: Severity,
    pub severity: Severity,
    pub steps: Value,
    /// The severity at which it deserves a page; `None` = queue only.
    pub pages_as: Option<Severity>,
    /// Why it pages, or why not.
    pub decision: String,
    /// False when all events of this block are late: they never re-open a closed incident.
    pub is_fresh: bool,
    pub system: String,
    pub system_level: Option<u8>,
    pub entity: Entity,
    pub family: String,
    pub group: Vec<(String, String)>,
    pub window_start: Micros,
    pub window_end: Micros,
    pub first_seen: Micros,
    pub last_seen: Micros,
    /// Exact number of events in this block.
    pub count: u64,
    pub samples: Vec<AlertEvent>,
}

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Opened,
    Raised,
    Reopened,
}

impl ChangeKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Raised => "severity_raised",
            Self::Reopened => "reopened",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Opened, Self::Raised, Self::Reopened].into_iter().find(|kind| kind.name() == name)
    }
}

/// A state change of an incident, as [`State::record_matches`] reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentChange {
    pub incident: i64,
    pub kind: ChangeKind,
    pub severity: Severity,
    /// True when it waits in the outbox for people to be told.
    pub pages: bool,
}

impl State {
    /// Records a block. Returns the state changes; empty when the block was recorded before.
    pub async fn record_matches(&self, block: &MatchBlock, now: Micros) -> Result<Vec<IncidentChange>> {
        let mut tx = self.write().await?;
        if let Some((after, through)) = block.cursor {
            let stored = cursors::get(&mut tx, cursors::DETECT).await?;
            if through <= stored {
                return Ok(Vec::new());
            }
            if after != stored {
                return Err(Error::Invalid(format!("matches were counted after block {after}, but {stored} is recorded")));
            }
            cursors::advance(&mut tx, cursors::DETECT, through).await?;
        }
        let mut changes = Vec::new();
        for alert in &block.alerts {
            changes.extend(record(&mut tx, alert, block.join, now).await?);
            rule_health::count(&mut tx, &alert.rule_id, alert.count, alert.last_seen).await?;
        }
        for (rule, count, last) in &block.counted {
            rule_health::count(&mut tx, rule, *count, *last).await?;
        }
        tx.commit().await?;
        Ok(changes)
    }
}

async fn record(
    tx: &mut Transaction<'static, Sqlite>,
    alert: &AlertUpsert,
    join: Join,
    now: Micros,
) -> Result<Option<IncidentChange>> {
    let known: Option<(i64,)> =
        sqlx::query_as("SELECT incident FROM alert WHERE id = ?").bind(&alert.id).fetch_optional(&mut **tx).await?;
    let is_new = known.is_none();
    let incident = match known {
        Some((incident,)) => Some(incidents::load(tx, incident).await?),
        None => find(tx, alert, join, now).await?,
    };
    let (incident, change) = match incident {
        None => open(tx, alert, now).await?,
        Some(incident) => add(tx, incident, alert, is_new, join, now).await?,
    };
    if is_new {
        insert(tx, alert, incident, now).await?
    } else {
        count_up(tx, alert, now).await?
    }
    keep_samples(tx, alert, join.samples_max).await?;
    if let Some(IncidentChange { kind, severity, pages: true, .. }) = &change {
        notify::put_change(tx, incident, *kind, *severity, now).await?;
    }
    Ok(change)
}

/// The incident that a new alert belongs to: an active one first, else a closed one that may still open again.
async fn find(tx: &mut Transaction<'static, Sqlite>, alert: &AlertUpsert, join: Join, now: Micros) -> Result<Option<Incident>> {
    let row = sqlx::query(
        "SELECT * FROM incident
         WHERE system_id = ? AND entity_kind = ? AND entity_value = ? AND family = ?
           AND first_seen <= ? AND last_seen >= ? AND (status <> 'closed' OR closed_at >= ?)
         ORDER BY status = 'closed', last_seen DESC LIMIT 1",
    )
    .bind(&alert.system)
    .bind(&alert.entity.kind)
    .bind(&alert.entity.value)
    .bind(&alert.family)
    .bind(alert.last_seen.saturating_add(join.lookback))
    .bind(alert.first_seen.saturating_sub(join.lookback))
    .bind(now - join.reopen)
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| incidents::read(&row)).transpose()
}

async fn open(tx: &mut Transaction<'static, Sqlite>, alert: &AlertUpsert, now: Micros) -> Result<(i64, Option<IncidentChange>)> {
    let done = sqlx::query(
        "INSERT INTO incident (status, severity, steps, system_id, system_level, entity_kind, entity_value, family, title_vi, title_en,
           first_seen, last_seen, opened, updated, alerts, events, page_severity)
         VALUES ('open', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
    )
    .bind(alert.severity as i64)
    .bind(alert.steps.to_string())
    .bind(&alert.system)
    .bind(alert.system_level)
    .bind(&alert.entity.kind)
    .bind(&alert.entity.value)
    .bind(&alert.family)
    .bind(&alert.title_vi)
    .bind(&alert.title_en)
    .bind(alert.first_seen)
    .bind(alert.last_seen)
    .bind(now)
    .bind(now)
    .bind(alert.count as i64)
    .bind(alert.pages_as.map(|severity| severity as i64))
    .execute(&mut **tx)
    .await?;
    let incident = done.last_insert_rowid();
    log_change(tx, incident, ChangeKind::Opened, alert, now).await?;
    let severity = alert.pages_as.unwrap_or(alert.severity);
    Ok((incident, Some(IncidentChange { incident, kind: ChangeKind::Opened, severity, pages: alert.pages_as.is_some() })))
}

/// Adds to an incident that exists; says whether that changed its state.
async fn add(
    tx: &mut Transaction<'static, Sqlite>,
    incident: Incident,
    alert: &AlertUpsert,
    is_new: bool,
    join: Join,
    now: Micros,
) -> Result<(i64, Option<IncidentChange>)> {
    let reopens = reopens(&incident, alert, is_new, join, now);
    let is_active = incident.status != Status::Closed;
    let page_raised = alert.pages_as > incident.page_severity;
    let raised = is_active && (alert.severity > incident.severity || page_raised);
    let kind = if reopens {
        Some(ChangeKind::Reopened)
    } else if raised {
        Some(ChangeKind::Raised)
    } else {
        None
    };
    // A page asks for an answer of its own: what was acknowledged at a lower severity is open again.
    let pages = match kind {
        Some(ChangeKind::Reopened) => alert.pages_as.is_some() && deserves_again(&incident, alert),
        Some(_) => page_raised,
        None => false,
    };
    let status = if reopens || (pages && is_active) { Status::Open } else { incident.status };
    let page_severity = if reopens { alert.pages_as } else { incident.page_severity.max(alert.pages_as) };
    let leads = alert.severity > incident.severity;
    sqlx::query(
        "UPDATE incident SET status = ?, severity = ?, steps = ?, title_vi = ?, title_en = ?, first_seen = min(first_seen, ?), last_seen = max(last_seen, ?),
           system_level = coalesce(?, system_level), updated = ?, alerts = alerts + ?, events = events + ?, page_severity = ?, reopened = reopened + ?
         WHERE id = ?",
    )
    .bind(status.name())
    .bind(alert.severity.max(incident.severity) as i64)
    .bind(if leads { alert.steps.to_string() } else { incident.steps.to_string() })
    .bind(if leads { &alert.title_vi } else { &incident.title_vi })
    .bind(if leads { &alert.title_en } else { &incident.title_en })
    .bind(alert.first_seen)
    .bind(alert.last_seen)
    .bind(alert.system_level)
    .bind(now)
    .bind(is_new)
    .bind(alert.count as i64)
    .bind(page_severity.map(|severity| severity as i64))
    .bind(reopens)
    .bind(incident.id)
    .execute(&mut **tx)
    .await?;
    if status == Status::Open && incident.status != Status::Open {
        sqlx::query(
            "UPDATE incident SET acknowledged_at = NULL, acknowledged_by = NULL, closed_at = NULL, verdict = NULL WHERE id = ?",
        )
        .bind(incident.id)
        .execute(&mut **tx)
        .await?;
    }
    let Some(kind) = kind else { return Ok((incident.id, None)) };
    log_change(tx, incident.id, kind, alert, now).await?;
    let severity = if pages { alert.pages_as.unwrap_or(alert.severity) } else { alert.severity.max(incident.severity) };
    Ok((incident.id, Some(IncidentChange { incident: incident.id, kind, severity, pages })))
}

/// A confirmed attack that goes on opens its incident again at once. What people called harmless counts on in silence for the
/// same alert, and opens again with the next one.
fn reopens(incident: &Incident, alert: &AlertUpsert, is_new: bool, join: Join, now: Micros) -> bool {
    let Some(closed_at) = incident.closed_at.filter(|_| incident.status == Status::Closed) else { return false };
    if !alert.is_fresh || closed_at < now - join.reopen {
        return false;
    }
    is_new || matches!(incident.verdict, None | Some(Verdict::TruePositive))
}

/// What people called harmless pages again only when it is worse than before.
fn deserves_again(incident: &Incident, alert: &AlertUpsert) -> bool {
    matches!(incident.verdict, None | Some(Verdict::TruePositive)) || alert.pages_as > incident.page_severity
}

async fn log_change(
    tx: &mut Transaction<'static, Sqlite>,
    incident: i64,
    kind: ChangeKind,
    alert: &AlertUpsert,
    now: Micros,
) -> Result<()> {
    let detail = serde_json::json!({
        "alert": alert.id, "rule": alert.rule_id, "severity": alert.severity.name(), "steps": alert.steps,
        "pages": alert.pages_as.is_some(),
    });
    incidents::log(tx, Some(incident), now, SELF, kind.name(), &alert.decision, Some(&detail)).await
}

async fn insert(tx: &mut Transaction<'static, Sqlite>, alert: &AlertUpsert, incident: i64, now: Micros) -> Result<()> {
    sqlx::query(
        "INSERT INTO alert (id, incident, rule_id, rule, title_vi, title_en, rule_level, severity, steps, decision, system_id, system_level,
           entity_kind, entity_value, family, grouped, window_start, window_end, first_seen, last_seen, count, created, updated)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&alert.id)
    .bind(incident)
    .bind(&alert.rule_id)
    .bind(alert.rule.to_string())
    .bind(&alert.title_vi)
    .bind(&alert.title_en)
    .bind(alert.rule_level as i64)
    .bind(alert.severity as i64)
    .bind(alert.steps.to_string())
    .bind(&alert.decision)
    .bind(&alert.system)
    .bind(alert.system_level)
    .bind(&alert.entity.kind)
    .bind(&alert.entity.value)
    .bind(&alert.family)
    .bind(to_json(&alert.group))
    .bind(alert.window_start)
    .bind(alert.window_end)
    .bind(alert.first_seen)
    .bind(alert.last_seen)
    .bind(alert.count as i64)
    .bind(now)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn count_up(tx: &mut Transaction<'static, Sqlite>, alert: &AlertUpsert, now: Micros) -> Result<()> {
    sqlx::query(
        "UPDATE alert SET count = count + ?, first_seen = min(first_seen, ?), last_seen = max(last_seen, ?), updated = ?,
           decision = CASE WHEN ? > severity THEN ? ELSE decision END, severity = max(severity, ?) WHERE id = ?",
    )
    .bind(alert.count as i64)
    .bind(alert.first_seen)
    .bind(alert.last_seen)
    .bind(now)
    .bind(alert.severity as i64)
    .bind(&alert.decision)
    .bind(alert.severity as i64)
    .bind(&alert.id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps the first samples of an alert: they show how it began; the rest is found by its group in Hunt.
async fn keep_samples(tx: &mut Transaction<'static, Sqlite>, alert: &AlertUpsert, samples_max: u32) -> Result<()> {
    let (kept,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM alert_event WHERE alert = ?").bind(&alert.id).fetch_one(&mut **tx).await?;
    let room = usize::try_from(i64::from(samples_max) - kept).unwrap_or(0);
    for event in alert.samples.iter().take(room) {
        sqlx::query(
            "INSERT INTO alert_event (alert, event, timestamp, summary, evidence) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&alert.id)
        .bind(&event.id)
        .bind(event.timestamp)
        .bind(&event.summary)
        .bind(to_json(&event.evidence))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
