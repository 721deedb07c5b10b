//! Writes a [`Book`] in as few statements as rows allow: several rows to a statement, a statement to a table.
//!
//! A statement's text depends on its number of rows, and prepared statements are kept by text; so rows go in groups of a few
//! fixed sizes.

use event::Micros;
use sqlx::{AssertSqlSafe, Sqlite, Transaction, query::Query, sqlite::SqliteArguments};

use super::book::{Book, Entry, Held, LogLine};
use crate::{Result, alerts::AlertEvent, incidents::Incident, notify, rows::to_json};

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

const INCIDENT: &[&str] = &[
    "id",
    "status",
    "severity",
    "steps",
    "system_id",
    "system_level",
    "entity_kind",
    "entity_value",
    "family",
    "title_vi",
    "title_en",
    "first_seen",
    "last_seen",
    "opened",
    "updated",
    "alerts",
    "events",
    "reopened",
    "page_severity",
    "paged",
    "owner",
    "acknowledged_at",
    "acknowledged_by",
    "closed_at",
    "verdict",
];

const ALERT: &[&str] = &[
    "id",
    "incident",
    "rule_id",
    "rule",
    "title_vi",
    "title_en",
    "rule_level",
    "severity",
    "steps",
    "decision",
    "system_id",
    "system_level",
    "entity_kind",
    "entity_value",
    "family",
    "grouped",
    "window_start",
    "window_end",
    "first_seen",
    "last_seen",
    "count",
    "created",
    "updated",
];

const COUNT_UP: &str = " UPDATE alert SET count = alert.count + added.column2, first_seen = min(alert.first_seen, added.column3),
    last_seen = max(alert.last_seen, added.column4), updated = added.column5,
    decision = CASE WHEN added.column6 > alert.severity THEN added.column7 ELSE alert.decision END,
    severity = max(alert.severity, added.column6)
  FROM added WHERE alert.id = added.column1";

impl Book<'_> {
    /// Writes what changed.
    pub async fn write(mut self, tx: &mut Transaction<'static, Sqlite>, samples_max: u32, now: Micros) -> Result<()> {
        let incidents: Vec<&Incident> =
            self.incidents.iter().filter(|held| held.is_touched).map(|Held { incident, .. }| incident).collect();
        let update: Vec<String> = INCIDENT[1..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let update = format!(" ON CONFLICT (id) DO UPDATE SET {}", update.join(", "));
        write(tx, &insert("incident", INCIDENT), INCIDENT.len(), &update, &incidents, bind_incident).await?;

        let (new, known): (Vec<&Entry>, Vec<&Entry>) = self.entries.iter().partition(|entry| entry.is_new);
        write(tx, &insert("alert", ALERT), ALERT.len(), "", &new, |query, entry| bind_alert(query, entry, now)).await?;
        for part in distinct_runs(&known) {
            write(tx, "WITH added AS (VALUES ", 7, &format!("){COUNT_UP}"), part, |query, entry| bind_count(query, entry, now))
                .await?;
        }

        let mut samples: Vec<(&str, &AlertEvent)> = Vec::new();
        for Entry { alert, .. } in &self.entries {
            let Some(known) = self.alerts.get_mut(alert.id.as_str()) else { continue };
            let room = samples_max.saturating_sub(known.samples) as usize;
            let kept = &alert.samples[..alert.samples.len().min(room)];
            known.samples += kept.len() as u32;
            samples.extend(kept.iter().map(|event| (alert.id.as_str(), event)));
        }
        let sql = insert("alert_event", &["alert", "event", "timestamp", "summary", "evidence"]);
        write(tx, &sql, 5, " ON CONFLICT DO NOTHING", &samples, bind_sample).await?;

        let sql = insert("incident_log", &["incident", "at", "actor", "action", "note", "detail"]);
        write(tx, &sql, 6, "", &self.logs, |query, line| bind_log(query, line, now)).await?;
        for change in self.changes.iter().filter(|change| change.pages) {
            notify::put_change(tx, change.incident, change.kind, change.severity, now).await?;
        }
        Ok(())
    }
}

fn insert(table: &str, columns: &[&str]) -> String {
    format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "))
}

/// Rows in one statement, the largest first: what is left over goes in the next smaller size.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// Writes rows as `before (?, …), (?, …) after`.
async fn write<'q, R>(
    tx: &mut Transaction<'static, Sqlite>,
    before: &str,
    columns: usize,
    after: &str,
    mut rows: &'q [R],
    bind: impl Fn(Bound<'q>, &'q R) -> Bound<'q>,
) -> Result<()> {
    let row = format!("({})", vec!["?"; columns].join(", "));
    for size in SIZES {
        if rows.len() < size {
            continue;
        }
        let sql = format!("{before}{}{after}", vec![row.as_str(); size].join(", "));
        while let Some((part, rest)) = rows.split_at_checked(size) {
            // Only this file's constants are in the text; values are bound.
            let query = part.iter().fold(sqlx::query(AssertSqlSafe(sql.clone())), &bind);
            query.execute(&mut **tx).await?;
            rows = rest;
        }
    }
    Ok(())
}

/// Cuts where an alert comes a second time: `UPDATE … FROM` takes one row of several that fit.
fn distinct_runs<'b, 'a>(entries: &'b [&'b Entry<'a>]) -> Vec<&'b [&'b Entry<'a>]> {
    let mut runs = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut start = 0;
    for (at, entry) in entries.iter().enumerate() {
        if !seen.insert(entry.alert.id.as_str()) {
            runs.push(&entries[start..at]);
            start = at;
            seen.clear();
            seen.insert(entry.alert.id.as_str());
        }
    }
    runs.push(&entries[start..]);
    runs
}

fn bind_incident<'q>(query: Bound<'q>, incident: &'q &Incident) -> Bound<'q> {
    query
        .bind(incident.id)
        .bind(incident.status.name())
        .bind(incident.severity as i64)
        .bind(incident.steps.to_string())
        .bind(&incident.system)
        .bind(incident.system_level)
        .bind(&incident.entity.kind)
        .bind(&incident.entity.value)
        .bind(&incident.family)
        .bind(&incident.title_vi)
        .bind(&incident.title_en)
        .bind(incident.first_seen)
        .bind(incident.last_seen)
        .bind(incident.opened)
        .bind(incident.updated)
        .bind(incident.alerts as i64)
        .bind(incident.events as i64)
        .bind(incident.reopened)
        .bind(incident.page_severity.map(|severity| severity as i64))
        .bind(incident.paged)
        .bind(incident.owner)
        .bind(incident.acknowledged_at)
        .bind(&incident.acknowledged_by)
        .bind(incident.closed_at)
        .bind(incident.verdict.map(|verdict| verdict.name()))
}

fn bind_alert<'q>(query: Bound<'q>, Entry { alert, incident, .. }: &'q &Entry<'q>, now: Micros) -> Bound<'q> {
    query
        .bind(&alert.id)
        .bind(*incident)
        .bind(&alert.rule_id)
        .bind(&*alert.rule)
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
}

fn bind_count<'q>(query: Bound<'q>, Entry { alert, .. }: &'q &Entry<'q>, now: Micros) -> Bound<'q> {
    query
        .bind(&alert.id)
        .bind(alert.count as i64)
        .bind(alert.first_seen)
        .bind(alert.last_seen)
        .bind(now)
        .bind(alert.severity as i64)
        .bind(&alert.decision)
}

fn bind_sample<'q>(query: Bound<'q>, (alert, event): &'q (&str, &AlertEvent)) -> Bound<'q> {
    query.bind(*alert).bind(&event.id).bind(event.timestamp).bind(&event.summary).bind(to_json(&event.evidence))
}

fn bind_log<'q>(query: Bound<'q>, line: &'q LogLine, now: Micros) -> Bound<'q> {
    query.bind(line.incident).bind(now).bind(line.actor).bind(line.action).bind(&line.note).bind(&line.detail)
}
