//! The wall board: what the province's systems look like now, and what deserves attention.

use axum::{Json, extract::State};
use event::{Scope, severity::Severity};
use serde_json::{Map, Value, json};
use state::incidents::{IncidentFilter, Status};

use super::{scores, sources, systems};
use crate::{App, ask, auth::Person, error::Result, keeping, time::rfc3339};

/// Lines of the attention list.
const ATTENTION_MAX: usize = 12;

pub async fn show(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    let scope = &person.scope;
    let register = app.state.register(scope).await?;
    let now = app.clock.now();
    let of_scope: Vec<_> = register.systems_at(now).into_iter().filter(|system| scope.sees(&system.id)).collect();
    let mut by_level = Map::new();
    for level in 1..=5_u8 {
        by_level.insert(level.to_string(), of_scope.iter().filter(|system| system.level == level).count().into());
    }
    let voices = systems::voices(&app, scope, &register, now).await?;
    let silent = of_scope.iter().filter(|system| voices.get(&system.id).is_some_and(systems::Voice::is_silent)).count();
    let ids: Vec<&str> = of_scope.iter().map(|system| system.id.as_str()).collect();
    let score = scores::province(&app, &ids);
    let open = app.state.open_incidents_by_severity(scope).await?;
    let by_severity: Map<String, Value> =
        Severity::ALL.iter().map(|severity| (severity.name().to_owned(), open[*severity as usize].into())).collect();
    let mut attention = incidents_to_see(&app, scope).await?;
    attention.extend(systems::attention(&of_scope, &voices));
    attention.extend(scores::attention(&app, &of_scope));
    attention.extend(keeping::attention(&app, scope).await?);
    let (books, heard) = if scope.sees_all() {
        ways_in(&app, scope, &mut attention).await?
    } else {
        (empty_books(), json!({ "active": 0, "silent": 0, "unknown_senders": 0 }))
    };
    attention.sort_by_key(|line| std::cmp::Reverse(Severity::by_name(line["severity"].as_str().unwrap_or_default())));
    attention.truncate(ATTENTION_MAX);
    Ok(Json(json!({
        "now": rfc3339(now),
        "systems": { "total": of_scope.len(), "by_level": by_level, "silent": silent, "scored": score.scored },
        "score": score.shown,
        "incidents": { "open_by_severity": by_severity },
        "events": pulse(&app, scope).await?,
        "sources": heard,
        "ledger": books,
        "attention": attention,
    })))
}

/// Events of the last day, and of each minute of the last hour.
async fn pulse(app: &App, scope: &Scope) -> Result<Value> {
    let day =
        ask::rows(app, scope, "SELECT count(*) AS n FROM events WHERE event.ingested > now() - INTERVAL '24 hours'").await?;
    // By the time of receipt; the margin on the time of writing only prunes.
    let sql = "SELECT date_trunc('minute', event.created) AS t, count(*) AS n FROM events \
               WHERE event.ingested > now() - INTERVAL '90 minutes' AND event.created > now() - INTERVAL '60 minutes' GROUP BY t ORDER BY t";
    let minutes = ask::rows(app, scope, sql).await?;
    // The last minute is not over: the rate is that of the one before it.
    let last_whole =
        minutes.len().checked_sub(2).and_then(|at| minutes.get(at)).and_then(|row| row.get("n")?.as_f64()).unwrap_or(0.0);
    let n = day.first().and_then(|row| row.get("n").cloned()).unwrap_or(json!(0));
    Ok(json!({ "last_24h": n, "per_minute": minutes, "rate": (last_whole / 6.0).round() / 10.0 }))
}

/// Ledger and sources, for people who see all systems.
async fn ways_in(app: &App, scope: &Scope, attention: &mut Vec<Value>) -> Result<(Value, Value)> {
    let ledger = sources::ledger(app, scope).await?;
    let sum = |key: &str| ledger.iter().filter_map(|row| row[key].as_i64()).sum::<i64>();
    let refused: i64 =
        ledger.iter().filter_map(|row| row["refused"].as_object()).flat_map(|by| by.values().filter_map(Value::as_i64)).sum();
    let unaccounted = sum("unaccounted");
    if unaccounted != 0 {
        attention.push(json!({
            "kind": "ledger", "severity": "critical", "link": "/sources",
            "text_vi": format!("Sổ cái không cân: {unaccounted} bản ghi không rõ đi đâu trong 24 giờ qua"),
            "text_en": format!("The ledger does not balance: {unaccounted} records of the last 24 hours are unaccounted for"),
        }));
    }
    let unknown = sources::unknown_senders(app, scope).await?;
    if !unknown.is_empty() {
        attention.push(json!({
            "kind": "unknown_sender", "severity": "low", "link": "/sources",
            "text_vi": format!("{} nguồn gửi chưa thuộc hệ thống nào", unknown.len()),
            "text_en": format!("{} senders belong to no system yet", unknown.len()),
        }));
    }
    let rejected = app.facts.rules().rejected.len();
    if rejected > 0 {
        attention.push(json!({
            "kind": "rejected_rule", "severity": "low", "link": "/rules",
            "text_vi": format!("{rejected} luật không nạp được"), "text_en": format!("{rejected} rules were refused"),
        }));
    }
    let sql = "SELECT chieng.source AS name, max(event.created) < now() - INTERVAL '60 minutes' AS silent FROM events \
               WHERE event.ingested > now() - INTERVAL '24 hours' GROUP BY chieng.source";
    let heard = ask::rows(app, scope, sql).await?;
    let silent = heard.iter().filter(|row| row.get("silent").and_then(Value::as_bool).unwrap_or(false)).count();
    let books = json!({
        "received": sum("received"), "parsed": sum("parsed"), "quarantined": sum("quarantined"), "refused": refused,
        "merged": sum("merged"), "events": sum("events"), "unaccounted": unaccounted,
    });
    Ok((books, json!({ "active": heard.len() - silent, "silent": silent, "unknown_senders": unknown.len() })))
}

fn empty_books() -> Value {
    json!({ "received": 0, "parsed": 0, "quarantined": 0, "refused": 0, "merged": 0, "events": 0, "unaccounted": 0 })
}

/// The worst open incidents, a line each.
async fn incidents_to_see(app: &App, scope: &Scope) -> Result<Vec<Value>> {
    let mut open = Vec::new();
    for severity in [Severity::Critical, Severity::High] {
        let filter =
            IncidentFilter { status: Some(Status::Open), severity: Some(severity), limit: 6, ..IncidentFilter::default() };
        open.extend(app.state.incidents(scope, &filter).await?);
    }
    open.sort_by_key(|incident| std::cmp::Reverse((incident.severity, incident.last_seen)));
    Ok(open
        .iter()
        .take(6)
        .map(|incident| {
            json!({
                "kind": "incident",
                "severity": incident.severity.name(),
                "text_vi": format!("SC-{} · {} · {}", incident.id, incident.system, incident.title_vi),
                "text_en": format!("SC-{} · {} · {}", incident.id, incident.system, incident.title_en),
                "link": format!("/incidents/{}", incident.id),
                "at": rfc3339(incident.last_seen),
            })
        })
        .collect())
}
