//! The API's resources, one file each, and the list of all routes.

pub mod alerts;
pub mod events;
pub mod export;
pub mod first_hour;
pub mod home;
pub mod hunt;
pub mod incidents;
pub mod jobs;
pub mod keeping;
pub mod oncall;
pub mod paste;
pub mod patterns;
pub mod proof;
pub mod query;
pub mod register;
pub mod rules;
pub mod saved;
pub mod scores;
pub mod session;
pub mod setup;
pub mod sources;
pub mod systems;
pub mod tail;
pub mod users;

use axum::{
    extract::{FromRequest, FromRequestParts, Query, Request, State},
    http::request::Parts,
    routing::{delete, get, post},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    App,
    error::{ApiError, Result},
    table::{
        Access::{Admin, Handler, Holder, Open, Person},
        Answer::{Also, Json, Nothing, Stream},
        Route,
    },
};

/// Every address of the API. Order is the order of the document; bodies and answers are shapes of `shapes.txt`.
#[rustfmt::skip]
pub fn routes() -> Vec<Route> {
    let route = |method, path, access, summary, query, body, answer, handler| Route { method, path, access, summary, query, body, answer, handler };
    vec![
        route("GET", "/setup", Open, "Whether the first administrator is still missing", &[], "", Json("{ needed: boolean }"), get(setup::needed)),
        route("POST", "/setup", Open, "Make the first administrator with the one-time token", &[], "{ token: text, name: text, password: text, display_name: text }", Json("Session"), post(setup::create)),
        route("GET", "/session", Person, "Who is logged in", &[], "", Json("Session"), get(session::show)),
        route("POST", "/session", Open, "Log in", &[], "{ name: text, password: text }", Json("Session"), post(session::login)),
        route("DELETE", "/session", Person, "Log out", &[], "", Nothing, delete(session::logout)),
        route("POST", "/session/password", Person, "Change one's own password; the other sessions of the account end", &[], "{ present: text, password: text }", Nothing, post(session::change_password)),
        route("GET", "/home", Person, "The wall board", &[], "", Json("Home"), get(home::show)),
        route("POST", "/hunt", Person, "Search events, newest first", &[], "HuntQuestion", Json("HuntAnswer"), post(hunt::search)),
        route("POST", "/hunt/complete", Person, "What may stand where the caret is", &[], "{ q: text, caret: integer }", Json("Completion"), post(hunt::complete)),
        route("POST", "/hunt/explain", Person, "What a question reads and leaves out, in plain words", &[], "HuntQuestion", Json("Explanation"), post(hunt::explain)),
        route("POST", "/hunt/histogram", Person, "Count events over time", &[], "HistogramQuestion", Json("Histogram"), post(hunt::histogram)),
        route("POST", "/hunt/facets", Person, "Top values of fields", &[], "FacetsQuestion", Json("Facets"), post(hunt::facets)),
        route("POST", "/hunt/paste", Person, "Look for up to 10,000 pasted indicators", &[], "PasteQuestion", Json("PasteAnswer"), post(paste::run)),
        route("GET", "/hunt/tail", Person, "Live tail: events that match, as they arrive (events `rows`: TailRows, `end`: TailEnd)", &[("q", "search text"), ("seconds", "end after so many")], "", Stream(&["text/event-stream"]), get(tail::show)),
        route("GET", "/hunt/export", Person, "Export a search, or the answer of SQL, whole; newest first", &[("q", "search text or SQL"), ("mode", "search or sql"), ("from", "RFC 3339"), ("to", "RFC 3339"), ("format", "csv, ndjson or parquet"), ("columns", "names joined by commas; empty = all that have values")], "", Stream(&["text/csv; charset=utf-8", "application/x-ndjson", "application/vnd.apache.parquet"]), get(export::show)),
        route("POST", "/hunt/patterns", Person, "Lines of one make, counted together", &[], "PatternsQuestion", Json("Patterns"), post(patterns::patterns)),
        route("POST", "/hunt/compare", Person, "What is different between two selections, over all fields", &[], "{ here: Selection, there: Selection }", Json("Comparison"), post(patterns::compare)),
        route("POST", "/jobs", Person, "Ask in the background: the answer is kept", &[], "NewJob", Json("Job"), post(jobs::create)),
        route("GET", "/jobs", Person, "One's own questions in the background, newest first", &[], "", Json("Jobs"), get(jobs::list)),
        route("GET", "/jobs/{id}", Person, "One question in the background", &[], "", Json("Job"), get(jobs::show)),
        route("GET", "/jobs/{id}/rows", Person, "Rows of a kept answer", &[("offset", "rows to leave out"), ("limit", "at most 1000; large rows make shorter pages")], "", Json("JobRows"), get(jobs::rows)),
        route("GET", "/jobs/{id}/download", Person, "A kept answer as a file", &[("format", "csv, ndjson or parquet")], "", Stream(&["text/csv; charset=utf-8", "application/x-ndjson", "application/vnd.apache.parquet"]), get(jobs::take)),
        route("DELETE", "/jobs/{id}", Person, "Remove a question with its answer; one that runs is cancelled", &[], "", Nothing, delete(jobs::remove)),
        route("GET", "/searches", Person, "Saved searches: one's own and shared ones", &[], "", Json("[SavedSearch]"), get(saved::list)),
        route("POST", "/searches", Person, "Save a search; one's own of the same name is replaced", &[], "NewSearch", Json("SavedSearch"), post(saved::save)),
        route("DELETE", "/searches/{id}", Person, "Remove a saved search", &[], "", Nothing, delete(saved::remove)),
        route("GET", "/events/{id}/around", Person, "The events before and after one, of the same host or sender", &[("n", "how many on each side, at most 100"), ("by", "host or sender; host unless the event has none")], "", Json("Around"), get(events::around)),
        route("GET", "/events/{id}/proof", Person, "What proves one event: leaf, block, chain, signed root, anchors", &[], "", Json("EventProof"), get(proof::of_event)),
        route("GET", "/events/{id}", Person, "One event with all its fields", &[], "", Json("EventPage"), get(events::show)),
        route("GET", "/fields", Person, "The field catalogue", &[], "", Json("[FieldRow]"), get(events::fields)),
        route("POST", "/query", Person, "Run one SELECT", &[], "{ sql: text, format?: \"json\" | \"csv\" | \"ndjson\" | \"table\" | \"arrow\" | null }", Also("SqlAnswer", &["text/csv; charset=utf-8", "application/x-ndjson", "text/plain; charset=utf-8", "application/vnd.apache.arrow.stream"]), post(query::run)),
        route("GET", "/systems", Person, "Information systems with level, sources and score", &[], "", Json("[SystemRow]"), get(systems::list)),
        route("GET", "/systems/{id}", Person, "One system: assets, requirements, history, retention", &[], "", Json("SystemPage"), get(systems::show)),
        route("GET", "/systems/{id}/requirements/{key}", Person, "Why: the SQL and the rows behind one verdict", &[], "", Json("RequirementPage"), get(systems::requirement)),
        route("POST", "/register/import", Admin, "Import systems, assets or organisations from CSV", &[], "Import", Json("ImportReport"), post(register::import)),
        route("GET", "/incidents", Person, "Incidents, newest first", &[("status", "open, acknowledged or closed"), ("severity", "a Sigma level"), ("system", "system id")], "", Json("[IncidentRow]"), get(incidents::list)),
        route("GET", "/incidents/{id}", Person, "One incident: alerts, notifications, log", &[], "", Json("Incident"), get(incidents::show)),
        route("GET", "/incidents/{id}/people", Handler, "People who may be given the incident", &[], "", Json("[Assignee]"), get(incidents::people)),
        route("POST", "/incidents/{id}/ack", Handler, "Acknowledge", &[], "{ note?: text }", Nothing, post(incidents::acknowledge)),
        route("POST", "/incidents/{id}/close", Handler, "Close with a verdict", &[], "{ verdict: CloseVerdict, note?: text }", Nothing, post(incidents::close)),
        route("POST", "/incidents/{id}/note", Handler, "Add a note", &[], "{ text: text }", Nothing, post(incidents::note)),
        route("POST", "/incidents/{id}/assign", Handler, "Give it to a person", &[], "{ user: text }", Nothing, post(incidents::assign)),
        route("GET", "/alerts", Person, "Alerts, newest first", &[("rule", "rule id"), ("severity", "a Sigma level"), ("system", "system id")], "", Json("[Alert]"), get(alerts::list)),
        route("GET", "/rules", Person, "Rules in force and files that were refused", &[], "", Json("Rules"), get(rules::list)),
        route("GET", "/sources", Person, "Sources, unknown senders, ledger, quarantine; for people who see all systems", &[], "", Json("Sources"), get(sources::show)),
        route("POST", "/sources/adopt", Admin, "Give an unknown sender to a system", &[], "{ address: text, system: text, asset_name?: text | null, reason: text }", Json("{ moved: integer, since: time }"), post(sources::adopt)),
        route("GET", "/keeping", Person, "How long the disk lasts, legal holds, the newest deletions; as far as the asker sees", &[], "", Json("Keeping"), get(keeping::show)),
        route("POST", "/holds", Holder, "Place a legal hold: nothing that it covers is deleted until it is released", &[], "{ system?: text | null, class?: text | null, from?: text | null, to?: text | null, reason: text }", Json("Hold"), post(keeping::place)),
        route("POST", "/holds/{id}/release", Admin, "Release a legal hold, with a reason", &[], "{ reason: text }", Json("Hold"), post(keeping::release)),
        route("GET", "/proof", Person, "The chain of proof: journals, roots, anchors; the last check; packets", &[], "", Json("Proof"), get(proof::show)),
        route("POST", "/proof/check", Person, "Check everything against the proof, in the background; auditors and administrators", &[], "{ files_only?: boolean, from?: text | null, to?: text | null, key?: text | null, anchors?: text | null }", Json("Proof"), post(proof::check)),
        route("DELETE", "/proof/check", Person, "Break a check off", &[], "", Nothing, delete(proof::stop)),
        route("POST", "/proof/packets", Person, "Make a packet of evidence in the background; auditors and administrators", &[], "{ system: text, dataset?: text | null, from: text, to: text, reason: text }", Json("{ id: integer }"), post(proof::pack)),
        route("GET", "/proof/packets/{id}/download", Person, "A packet of evidence as a file; each download is audited", &[], "", Stream(&["application/x-tar"]), get(proof::take)),
        route("DELETE", "/proof/packets/{id}", Person, "Remove a packet of evidence", &[], "", Nothing, delete(proof::remove)),
        route("GET", "/oncall", Person, "Schedules and escalation", &[], "", Json("OnCall"), get(oncall::show)),
        route("POST", "/oncall", Admin, "Replace schedules and escalation, whole or not at all", &[], "OnCallChange", Json("OnCall"), post(oncall::replace)),
        route("GET", "/channels", Person, "Ways to reach people", &[], "", Json("[Channel]"), get(oncall::channels)),
        route("POST", "/channels", Admin, "Add a mail address of your own, or a webhook", &[], "{ kind: \"email\" | \"webhook\", address: text }", Nothing, post(oncall::add_channel)),
        route("POST", "/channels/test", Admin, "Send a test page now", &[], "{ channel?: text | null }", Json("{ attempts: [Notification] }"), post(oncall::test_page)),
        route("POST", "/setup/source", Admin, "The snippet that makes a device send here", &[], "{ kind: \"rsyslog\" | \"fortigate\" | \"windows\" }", Json("Snippet"), post(first_hour::snippet)),
        route("GET", "/setup/waiting", Admin, "The first line that arrived from a source", &[("source", "its name"), ("since", "RFC 3339")], "", Json("Waiting"), get(first_hour::waiting)),
        route("POST", "/setup/test-alert", Admin, "Raise a test alert on a system", &[], "{ system: text }", Json("{ incident: text }"), post(first_hour::test_alert)),
        route("GET", "/users", Admin, "Accounts", &[], "", Json("[Account]"), get(users::list)),
        route("POST", "/users", Admin, "Open an account", &[], "{ name: text, display_name: text, role: Role, password: text, systems?: \"all\" | [text], language?: Language | null, email?: text | null }", Json("Account"), post(users::create)),
        route("POST", "/users/{name}", Admin, "Change an account; what is absent stays", &[], "{ display_name?: text | null, role?: Role | null, systems?: \"all\" | [text] | null, language?: Language | null, email?: text | null, disabled?: boolean | null }", Json("Account"), post(users::change)),
        route("POST", "/users/{name}/password", Admin, "Give an account a new password; its sessions end", &[], "{ password: text }", Nothing, post(users::reset_password)),
        route("GET", "/openapi.json", Open, "This document", &[], "", Json("{ openapi: text, info: any, paths: any, components: any }"), get(openapi)),
    ]
}

async fn openapi(State(app): State<App>) -> axum::Json<Value> {
    axum::Json(crate::openapi(&app.settings.version))
}

/// A JSON body; what is wrong with it is said in our error form, with the place.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(ApiError::new(rejection.status(), "invalid", rejection.body_text())),
        }
    }
}

/// The parameters of an address; what is wrong with them is said in our error form.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(ApiError::new(rejection.status(), "invalid", rejection.body_text())),
        }
    }
}
