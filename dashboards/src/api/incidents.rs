//! Incidents: the queue, one incident whole, and what people do with it.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use event::{Scope, severity::Severity};
use serde::Deserialize;
use serde_json::{Value, json};
use state::{
    alerts::AlertFilter,
    attempts::Delivery,
    incidents::{Actor, Incident, IncidentFilter, Status, Verdict},
    users::User,
};

use super::{Body, alerts};
use crate::{
    App,
    auth::Person,
    error::{ApiError, Result},
    rows::Names,
    time::rfc3339,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    status: Option<String>,
    severity: Option<String>,
    system: Option<String>,
}

impl Filter {
    fn read(self) -> Result<IncidentFilter> {
        Ok(IncidentFilter {
            status: word(self.status, "status", Status::by_name)?,
            severity: word(self.severity, "severity", Severity::by_name)?,
            system: self.system.filter(|system| !system.is_empty()),
            limit: 0,
        })
    }
}

/// Reads an optional word of a closed list; an empty one is none.
pub fn word<T>(text: Option<String>, name: &str, find: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => match find(&text) {
            Some(known) => Ok(Some(known)),
            None => Err(ApiError::bad("invalid", format!("{name}: unknown value {text:?}"))),
        },
    }
}

pub async fn list(State(app): State<App>, person: Person, Query(filter): Query<Filter>) -> Result<Json<Value>> {
    let incidents = app.state.incidents(&person.scope, &filter.read()?).await?;
    let names = Names::load(&app).await?;
    Ok(Json(incidents.iter().map(|incident| row(&names, incident)).collect()))
}

pub async fn show(State(app): State<App>, person: Person, Path(id): Path<String>) -> Result<Json<Value>> {
    let id = number(&id)?;
    let incident = find(&app, &person.scope, id).await?;
    let names = Names::load(&app).await?;
    let filter = AlertFilter { incident: Some(id), ..AlertFilter::default() };
    let mut of_incident = Vec::new();
    for alert in app.state.alerts(&person.scope, &filter).await? {
        let events = app.state.alert_events(&person.scope, &alert.id).await?;
        of_incident.push(alerts::shown(&names, &alert, &events));
    }
    let notifications = app.state.incident_notifications(&person.scope, id).await?;
    let log = app.state.incident_log(&person.scope, id).await?;
    let mut page = row(&names, &incident);
    page["alerts"] = of_incident.into();
    page["notifications"] = notifications.iter().map(|sent| notification_row(sent, &names.users)).collect();
    page["log"] = log
        .iter()
        .map(|line| json!({ "at": rfc3339(line.at), "actor": line.actor, "action": line.action, "note": line.note, "detail": line.detail }))
        .collect();
    page["close_verdict"] = json!(incident.verdict.map(Verdict::name));
    page["steps"] = incident.steps;
    Ok(Json(page))
}

/// A notification with what became of it.
pub fn notification_row((line, channel, attempts): &Delivery, users: &HashMap<i64, String>) -> Value {
    let last = attempts.last();
    let result = match line.status.as_str() {
        "delivered" => "sent",
        "dead" | "cancelled" => "failed",
        _ => "queued",
    };
    let detail =
        if line.detail.is_empty() { last.map(|attempt| attempt.detail.clone()).unwrap_or_default() } else { line.detail.clone() };
    json!({
        "at": rfc3339(line.finished.or(last.map(|attempt| attempt.started)).unwrap_or(line.created)),
        "channel": channel.as_ref().map_or("none", |channel| channel.kind.name()),
        "person": line.person.and_then(|id| users.get(&id).cloned()).unwrap_or_default(),
        "kind": line.kind.name(),
        "result": result,
        "status": line.status,
        "detail": detail,
        "tries": line.tries,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    #[serde(default)]
    note: String,
}

pub async fn acknowledge(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Body(body): Body<Note>,
) -> Result<StatusCode> {
    person.need_handler()?;
    let id = number(&id)?;
    find(&app, &person.scope, id).await?;
    done(app.responder.acknowledge(&person.scope, id, &actor(&person), &body.note).await)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    verdict: String,
    #[serde(default)]
    note: String,
}

pub async fn close(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Body(body): Body<Close>,
) -> Result<StatusCode> {
    person.need_handler()?;
    let id = number(&id)?;
    find(&app, &person.scope, id).await?;
    let verdict = Verdict::by_name(&body.verdict).ok_or_else(|| {
        let known: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
        ApiError::bad("invalid", format!("verdict {:?} is none of {}", body.verdict, known.join(", ")))
    })?;
    done(app.responder.close(&person.scope, id, &actor(&person), verdict, &body.note).await)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    text: String,
}

pub async fn note(State(app): State<App>, person: Person, Path(id): Path<String>, Body(body): Body<Text>) -> Result<StatusCode> {
    person.need_handler()?;
    let id = number(&id)?;
    find(&app, &person.scope, id).await?;
    done(app.responder.note(&person.scope, id, &actor(&person), &body.text).await)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    user: String,
}

pub async fn assign(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Body(body): Body<Assign>,
) -> Result<StatusCode> {
    person.need_handler()?;
    let id = number(&id)?;
    let incident = find(&app, &person.scope, id).await?;
    let wrong = |what: &str| ApiError { field: Some("user"), ..ApiError::bad("invalid", format!("{:?}: {what}", body.user)) };
    let owner = app.state.user_by_name(&body.user).await?.ok_or_else(|| wrong("there is no such account"))?;
    if !may_take(&owner, &incident) {
        return Err(wrong("this account is closed, only reads, or does not see the system of the incident"));
    }
    done(app.responder.assign(&person.scope, id, &actor(&person), owner.id).await)?;
    Ok(StatusCode::NO_CONTENT)
}

/// People who may be given this incident, by display name.
pub async fn people(State(app): State<App>, person: Person, Path(id): Path<String>) -> Result<Json<Value>> {
    person.need_handler()?;
    let incident = find(&app, &person.scope, number(&id)?).await?;
    let mut users = app.state.users().await?;
    users.retain(|user| may_take(user, &incident));
    users.sort_by(|one, other| one.display_name.cmp(&other.display_name));
    let shown = |user: &User| json!({ "name": user.name, "display_name": user.display_name, "role": user.role.name() });
    Ok(Json(users.iter().map(shown).collect()))
}

fn may_take(user: &User, incident: &Incident) -> bool {
    !user.disabled && user.role.may_handle_incidents() && user.scope().sees(&incident.system)
}

/// What `respond` answered, as the API says it.
pub fn done<T>(result: respond::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        respond::Error::State(error) => error.into(),
        respond::Error::Invalid(message) => ApiError::bad("invalid", message),
        error => ApiError::internal("the incident could not be changed", &error),
    })
}

async fn find(app: &App, scope: &Scope, id: i64) -> Result<Incident> {
    app.state.incident(scope, id).await?.ok_or_else(|| ApiError::not_found("incident"))
}

/// Ids are shown as `SC-17`, and read with or without the letters.
fn number(id: &str) -> Result<i64> {
    id.trim_start_matches("SC-").parse().map_err(|_| ApiError::not_found("incident"))
}

pub fn actor(person: &Person) -> Actor {
    Actor { id: person.user.id, name: person.user.name.clone() }
}

/// An incident as one line of the queue.
pub fn row(names: &Names, incident: &Incident) -> Value {
    json!({
        "id": incident.id.to_string(),
        "number": format!("SC-{}", incident.id),
        "title_vi": incident.title_vi,
        "title_en": incident.title_en,
        "severity": incident.severity.name(),
        "status": incident.status.name(),
        "system": names.system(&incident.system, incident.system_level),
        "entity": { "kind": incident.entity.kind, "value": incident.entity.value },
        "alerts": incident.alerts,
        "events": incident.events,
        "first_seen": rfc3339(incident.first_seen),
        "last_seen": rfc3339(incident.last_seen),
        "owner": incident.owner.and_then(|id| names.users.get(&id).cloned()),
        "paged": incident.paged.is_some(),
    })
}

/// Names of accounts by id.
pub fn user_names(users: &[User]) -> HashMap<i64, String> {
    users.iter().map(|user| (user.id, user.name.clone())).collect()
}
