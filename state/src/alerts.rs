//! Alerts: one rule, one group of values, one window. The count is exact; the events behind it are kept as samples.
//!
//! Written only by [`crate::matches`]; read here. The rule's card is stored as it was when the alert was made, so an old
//! alert still says which rule it was after the rule changed.

use event::{Micros, Privacy, Scope, severity::Severity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    Migrations, Result, State,
    incidents::{Entity, HIDDEN, severity},
    rows::{from_json, scope_parameter},
};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "alerts",
    steps: &["CREATE TABLE alert (
        id TEXT PRIMARY KEY,
        incident INTEGER NOT NULL REFERENCES incident (id),
        rule_id TEXT NOT NULL,
        rule TEXT NOT NULL,             -- JSON card of the rule at that time
        title_vi TEXT NOT NULL,
        title_en TEXT NOT NULL,
        rule_level INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        steps TEXT NOT NULL,
        decision TEXT NOT NULL,         -- why it pages, or why not
        system_id TEXT NOT NULL,
        system_level INTEGER,
        entity_kind TEXT NOT NULL,
        entity_value TEXT NOT NULL,
        family TEXT NOT NULL,
        grouped TEXT NOT NULL,          -- JSON list of [field, value]
        window_start INTEGER NOT NULL,
        window_end INTEGER NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        count INTEGER NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX alert_incident ON alert (incident);
    CREATE INDEX alert_last_seen ON alert (last_seen);
    CREATE TABLE alert_event (
        alert TEXT NOT NULL REFERENCES alert (id),
        event TEXT NOT NULL,
        timestamp INTEGER NOT NULL,
        summary TEXT NOT NULL,
        evidence TEXT NOT NULL,
        PRIMARY KEY (alert, event)
    ) WITHOUT ROWID;"],
};

/// An alert as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub id: String,
    pub incident: i64,
    pub rule_id: String,
    /// The rule's card as `respond` wrote it.
    pub rule: Value,
    pub title_vi: String,
    pub title_en: String,
    /// The rule's own level, before anything was adjusted.
    pub rule_level: Severity,
    pub severity: Severity,
    pub steps: Value,
    /// Why it pages, or why not.
    pub decision: String,
    pub system: String,
    pub system_level: Option<u8>,
    pub entity: Entity,
    pub family: String,
    /// The values that its events share.
    pub group: Vec<(String, String)>,
    pub window_start: Micros,
    pub window_end: Micros,
    pub first_seen: Micros,
    pub last_seen: Micros,
    /// Exact number of matching events.
    pub count: u64,
}

/// Why a rule matched an event: which field held what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Name of the search identifier in the rule.
    pub identifier: String,
    pub field: String,
    pub value: String,
}

/// A sample of the events behind an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertEvent {
    /// `event.id`.
    pub id: String,
    pub timestamp: Micros,
    /// Attacker-controlled text, cut short.
    pub summary: String,
    pub evidence: Vec<Evidence>,
}

/// Which alerts to list; empty fields do not filter.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    pub incident: Option<i64>,
    pub severity: Option<Severity>,
    pub system: Option<String>,
    pub rule_id: Option<String>,
    /// At most so many, newest first; 0 = 500.
    pub limit: u32,
}

impl State {
    /// Lists the alerts in scope, newest activity first.
    pub async fn alerts(&self, scope: &Scope, filter: &AlertFilter) -> Result<Vec<Alert>> {
        let rows = sqlx::query(
            "SELECT * FROM alert
             WHERE (?1 IS NULL OR system_id IN (SELECT value FROM json_each(?1)))
               AND (?2 IS NULL OR incident = ?2) AND (?3 IS NULL OR severity = ?3)
               AND (?4 IS NULL OR system_id = ?4) AND (?5 IS NULL OR rule_id = ?5)
             ORDER BY last_seen DESC, id LIMIT ?6",
        )
        .bind(scope_parameter(scope))
        .bind(filter.incident)
        .bind(filter.severity.map(|severity| severity as i64))
        .bind(&filter.system)
        .bind(&filter.rule_id)
        .bind(if filter.limit == 0 { 500 } else { i64::from(filter.limit) })
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(|row| read(row).map(|alert| redact(scope, alert))).collect()
    }

    /// The samples behind an alert in scope, oldest first.
    pub async fn alert_events(&self, scope: &Scope, alert: &str) -> Result<Vec<AlertEvent>> {
        let rows = sqlx::query(
            "SELECT alert_event.* FROM alert_event JOIN alert ON alert.id = alert_event.alert
             WHERE alert.id = ?2 AND (?1 IS NULL OR system_id IN (SELECT value FROM json_each(?1)))
             ORDER BY alert_event.timestamp, alert_event.event",
        )
        .bind(scope_parameter(scope))
        .bind(alert)
        .fetch_all(self.pool())
        .await?;
        let plain = scope.sees_plain(Privacy::Personal);
        let mut events: Vec<AlertEvent> = rows.iter().map(read_event).collect::<Result<_>>()?;
        for event in events.iter_mut().filter(|_| !plain) {
            event.summary = HIDDEN.to_owned();
            event.evidence.iter_mut().for_each(|evidence| evidence.value = HIDDEN.to_owned());
        }
        Ok(events)
    }
}

fn redact(scope: &Scope, mut alert: Alert) -> Alert {
    if !scope.sees_plain(Privacy::Personal) {
        alert.entity.value = HIDDEN.to_owned();
        alert.group.iter_mut().for_each(|(_, value)| *value = HIDDEN.to_owned());
    }
    alert
}

pub(crate) fn read(row: &SqliteRow) -> Result<Alert> {
    Ok(Alert {
        id: row.try_get("id")?,
        incident: row.try_get("incident")?,
        rule_id: row.try_get("rule_id")?,
        rule: from_json("rule of an alert", row.try_get("rule")?)?,
        title_vi: row.try_get("title_vi")?,
        title_en: row.try_get("title_en")?,
        rule_level: severity(row.try_get("rule_level")?)?,
        severity: severity(row.try_get("severity")?)?,
        steps: from_json("steps of a severity", row.try_get("steps")?)?,
        decision: row.try_get("decision")?,
        system: row.try_get("system_id")?,
        system_level: row.try_get("system_level")?,
        entity: Entity { kind: row.try_get("entity_kind")?, value: row.try_get("entity_value")? },
        family: row.try_get("family")?,
        group: from_json("group of an alert", row.try_get("grouped")?)?,
        window_start: row.try_get("window_start")?,
        window_end: row.try_get("window_end")?,
        first_seen: row.try_get("first_seen")?,
        last_seen: row.try_get("last_seen")?,
        count: row.try_get::<i64, _>("count")? as u64,
    })
}

fn read_event(row: &SqliteRow) -> Result<AlertEvent> {
    Ok(AlertEvent {
        id: row.try_get("event")?,
        timestamp: row.try_get("timestamp")?,
        summary: row.try_get("summary")?,
        evidence: from_json("evidence of an alert", row.try_get("evidence")?)?,
    })
}
