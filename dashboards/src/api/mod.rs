//! The API's resources, one file each, and the list of all routes.

pub mod alerts;
pub mod events;
pub mod first_hour;
pub mod home;
pub mod hunt;
pub mod incidents;
pub mod oncall;
pub mod query;
pub mod register;
pub mod rules;
pub mod scores;
pub mod session;
pub mod setup;
pub mod sources;
pub mod systems;
pub mod users;

use axum::{
    Json,
    extract::{FromRequest, Request, State},
    routing::{delete, get, post},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    App,
    error::{ApiError, Result},
    table::{
        Access::{Admin, Handler, Open, Person},
        Answer::{List, Media, Nothing, Object},
        Route,
    },
};

/// Every address of the API. Order is the order of the document.
#[rustfmt::skip]
pub fn routes() -> Vec<Route> {
    let route = |method, path, access, summary, query, body, answer, handler| Route { method, path, access, summary, query, body, answer, handler };
    let session_keys = Object(&["user", "csrf"]);
    vec![
        route("GET", "/setup", Open, "Whether the first administrator is still missing", &[], &[], Object(&["needed"]), get(setup::needed)),
        route("POST", "/setup", Open, "Make the first administrator with the one-time token", &[], &[("token", "string", true), ("name", "string", true), ("password", "string", true), ("display_name", "string", true)], session_keys, post(setup::create)),
        route("GET", "/session", Person, "Who is logged in", &[], &[], session_keys, get(session::show)),
        route("POST", "/session", Open, "Log in", &[], &[("name", "string", true), ("password", "string", true)], session_keys, post(session::login)),
        route("DELETE", "/session", Person, "Log out", &[], &[], Nothing, delete(session::logout)),
        route("GET", "/home", Person, "The wall board", &[], &[], Object(&["now", "systems", "score", "incidents", "events", "sources", "ledger", "attention"]), get(home::show)),
        route("POST", "/hunt", Person, "Search events, newest first", &[], &[("q", "string", true), ("mode", "string", true), ("from", "string", true), ("to", "string", true), ("limit", "integer", false), ("before", "string", false)], Object(&["sql", "columns", "rows", "took_ms", "scanned", "complete"]), post(hunt::search)),
        route("POST", "/hunt/histogram", Person, "Count events over time", &[], &[("q", "string", true), ("mode", "string", true), ("from", "string", true), ("to", "string", true), ("buckets", "integer", false), ("by", "string", false)], Object(&["interval_ms", "buckets", "total"]), post(hunt::histogram)),
        route("POST", "/hunt/facets", Person, "Top values of fields", &[], &[("q", "string", true), ("mode", "string", true), ("from", "string", true), ("to", "string", true), ("fields", "array", false)], Object(&["facets"]), post(hunt::facets)),
        route("GET", "/events/{id}", Person, "One event with all its fields", &[], &[], Object(&["event", "labels"]), get(events::show)),
        route("GET", "/fields", Person, "The field catalogue", &[], &[], List(&["name", "type", "label_vi", "label_en", "doc"]), get(events::fields)),
        route("POST", "/query", Person, "Run one SELECT", &[], &[("sql", "string", true), ("format", "string", false)], Media(&["application/json", "text/csv", "application/vnd.apache.arrow.stream"]), post(query::run)),
        route("GET", "/systems", Person, "Information systems with level, sources and score", &[], &[], List(&["id", "name", "level", "unit", "status", "sources", "score", "groups"]), get(systems::list)),
        route("GET", "/systems/{id}", Person, "One system: assets, requirements, history, retention", &[], &[], Object(&["id", "name", "level", "assets", "requirements", "history", "retention"]), get(systems::show)),
        route("GET", "/systems/{id}/requirements/{key}", Person, "Why: the SQL and the rows behind one verdict", &[], &[], Object(&["key", "verdict", "sql", "rows"]), get(systems::requirement)),
        route("POST", "/register/import", Admin, "Import systems, assets or organisations from CSV", &[], &[("kind", "string", true), ("csv", "string", true), ("dry_run", "boolean", false)], Object(&["accepted", "errors"]), post(register::import)),
        route("GET", "/incidents", Person, "Incidents, newest first", &[("status", "open, acknowledged or closed"), ("severity", "a Sigma level"), ("system", "system id")], &[], List(&["id", "number", "severity", "status"]), get(incidents::list)),
        route("GET", "/incidents/{id}", Person, "One incident: alerts, notifications, log", &[], &[], Object(&["id", "number", "alerts", "notifications", "log"]), get(incidents::show)),
        route("POST", "/incidents/{id}/ack", Handler, "Acknowledge", &[], &[("note", "string", false)], Nothing, post(incidents::acknowledge)),
        route("POST", "/incidents/{id}/close", Handler, "Close with a verdict", &[], &[("verdict", "string", true), ("note", "string", false)], Nothing, post(incidents::close)),
        route("POST", "/incidents/{id}/note", Handler, "Add a note", &[], &[("text", "string", true)], Nothing, post(incidents::note)),
        route("POST", "/incidents/{id}/assign", Handler, "Give it to a person", &[], &[("user", "string", true)], Nothing, post(incidents::assign)),
        route("GET", "/alerts", Person, "Alerts, newest first", &[("rule", "rule id"), ("severity", "a Sigma level"), ("system", "system id")], &[], List(&["id", "rule", "count"]), get(alerts::list)),
        route("GET", "/rules", Person, "Rules in force and files that were refused", &[], &[], Object(&["rules", "rejected"]), get(rules::list)),
        route("GET", "/sources", Person, "Sources, unknown senders, ledger, quarantine", &[], &[], Object(&["sources", "unknown_senders", "ledger", "quarantine"]), get(sources::show)),
        route("POST", "/sources/adopt", Admin, "Give an unknown sender to a system", &[], &[("address", "string", true), ("system", "string", true), ("asset_name", "string", false), ("reason", "string", true)], Nothing, post(sources::adopt)),
        route("GET", "/oncall", Person, "Schedules and escalation", &[], &[], Object(&["schedules", "escalation"]), get(oncall::show)),
        route("POST", "/oncall", Admin, "Replace schedules and escalation", &[], &[("schedules", "array", true), ("escalation", "object", true)], Object(&["schedules", "escalation"]), post(oncall::replace)),
        route("GET", "/channels", Person, "Ways to reach people", &[], &[], List(&["id", "kind"]), get(oncall::channels)),
        route("POST", "/channels", Admin, "Add a mail address of your own, or a webhook", &[], &[("kind", "string", true), ("address", "string", true)], Nothing, post(oncall::add_channel)),
        route("POST", "/channels/test", Admin, "Send a test page now", &[], &[("channel", "string", false)], Object(&["attempts"]), post(oncall::test_page)),
        route("POST", "/setup/source", Admin, "The snippet that makes a device send here", &[], &[("kind", "string", true)], Object(&["snippet", "address", "source"]), post(first_hour::snippet)),
        route("GET", "/setup/waiting", Admin, "The first line that arrived from a source", &[("source", "its name"), ("since", "RFC 3339")], &[], Object(&["first_line"]), get(first_hour::waiting)),
        route("POST", "/setup/test-alert", Admin, "Raise a test alert on a system", &[], &[("system", "string", true)], Object(&["incident"]), post(first_hour::test_alert)),
        route("GET", "/users", Admin, "Accounts", &[], &[], List(&["name", "display_name", "role", "disabled"]), get(users::list)),
        route("POST", "/users", Admin, "Open an account", &[], &[("name", "string", true), ("display_name", "string", true), ("role", "string", true), ("password", "string", true), ("systems", "array", false), ("language", "string", false), ("email", "string", false)], Object(&["name", "role"]), post(users::create)),
        route("POST", "/users/{name}/disable", Admin, "Close or open an account", &[], &[("disabled", "boolean", true)], Nothing, post(users::disable)),
        route("GET", "/openapi.json", Open, "This document", &[], &[], Object(&["openapi", "paths"]), get(openapi)),
    ]
}

async fn openapi(State(app): State<App>) -> Json<Value> {
    Json(crate::openapi(&app.settings.version))
}

/// A JSON body; what is wrong with it is said in our error form, with the place.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(ApiError::new(rejection.status(), "invalid", rejection.body_text())),
        }
    }
}
