//! Alerts as a flat list; within an incident they are part of its page.

use axum::{
    Json,
    extract::{Query, State},
};
use event::severity::Severity;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use state::alerts::{Alert, AlertEvent, AlertFilter};

use super::incidents::word;
use crate::{App, auth::Person, error::Result, rows::Names, time::rfc3339};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    rule: Option<String>,
    severity: Option<String>,
    system: Option<String>,
}

pub async fn list(State(app): State<App>, person: Person, Query(filter): Query<Filter>) -> Result<Json<Value>> {
    let filter = AlertFilter {
        incident: None,
        severity: word(filter.severity, "severity", Severity::by_name)?,
        system: filter.system.filter(|system| !system.is_empty()),
        rule_id: filter.rule.filter(|rule| !rule.is_empty()),
        limit: 200,
    };
    let names = Names::load(&app).await?;
    let mut shown_alerts = Vec::new();
    for alert in app.state.alerts(&person.scope, &filter).await? {
        let events = app.state.alert_events(&person.scope, &alert.id).await?;
        shown_alerts.push(shown(&names, &alert, &events));
    }
    Ok(Json(shown_alerts.into()))
}

/// An alert with its rule's card, its evidence and samples of its events.
pub fn shown(names: &Names, alert: &Alert, events: &[AlertEvent]) -> Value {
    let mut rule = alert.rule.clone();
    rule["id"] = json!(alert.rule_id);
    rule["title_vi"] = json!(alert.title_vi);
    rule["title_en"] = json!(alert.title_en);
    rule["level"] = json!(alert.rule_level.name());
    let description = rule["description"].clone();
    rule["description_en"] = description;
    let group: Map<String, Value> = alert.group.iter().map(|(field, value)| (field.clone(), json!(value))).collect();
    let mut evidence: Vec<Value> = Vec::new();
    for found in events.iter().flat_map(|event| &event.evidence) {
        let found = json!({ "identifier": found.identifier, "field": found.field, "value": found.value });
        if evidence.len() < 40 && !evidence.contains(&found) {
            evidence.push(found);
        }
    }
    let events: Vec<Value> = events
        .iter()
        .map(|event| json!({ "id": event.id, "timestamp": rfc3339(event.timestamp), "summary": event.summary }))
        .collect();
    json!({
        "id": alert.id,
        "incident": alert.incident.to_string(),
        "rule": rule,
        "severity": alert.severity.name(),
        "steps": alert.steps,
        "decision": alert.decision,
        "system": names.system(&alert.system, alert.system_level),
        "group": group,
        "count": alert.count,
        "first_seen": rfc3339(alert.first_seen),
        "last_seen": rfc3339(alert.last_seen),
        "evidence": evidence,
        "events": events,
    })
}
