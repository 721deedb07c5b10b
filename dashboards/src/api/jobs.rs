//! Questions in the background: asked, listed, read by pages, taken away, removed. Always one's own.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use query::export::Format;
use serde::Deserialize;
use serde_json::{Value, json};
use state::jobs::{Job, NewJob, Status};

use super::{
    Body, Params,
    export::{TOLD_CHARS_MAX, download},
    hunt::{Mode, column, misread, with_plain_timestamp},
};
use crate::{
    App,
    ask::refused,
    audit::{self, Action, Line},
    auth::Person,
    error::{ApiError, Result},
    jobs::{begin, wanted},
    time::{read, rfc3339},
};

/// Rows of one page.
const ROWS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    q: String,
    #[serde(default)]
    mode: Mode,
    from: String,
    to: String,
    #[serde(default)]
    columns: Vec<String>,
}

pub async fn create(State(app): State<App>, person: Person, Body(new): Body<New>) -> Result<Json<Value>> {
    let is_sql = new.mode == Mode::Sql;
    if is_sql && !person.scope.role.may_write_sql() {
        return Err(ApiError::forbidden("your role may search, not write SQL"));
    }
    let new = NewJob {
        q: new.q,
        mode: if is_sql { "sql" } else { "search" },
        from: read("from", &new.from)?,
        to: read("to", &new.to)?,
        columns: new.columns,
        scope: person.scope.clone(),
    };
    let question = wanted(new.mode, &new.q, (new.from, new.to), &new.columns);
    app.engine.check(&person.scope, &question).await.map_err(|error| misread(error, &new.q))?;
    let job = app.state.create_job(person.user.id, &new, app.jobs.allowance(), app.clock.now()).await?;
    begin(&app, &job);
    let told: String = job.q.chars().take(TOLD_CHARS_MAX).collect();
    audit::record(&app, Line::of(Action::JobCreate, &person, format!("job {}, {}: {told}", job.id, job.mode))).await;
    Ok(Json(shown(&app, &person, &job)))
}

pub async fn list(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    let jobs = app.state.jobs(person.user.id).await?;
    let allowed = app.jobs.allowance();
    let bytes: u64 = jobs.iter().map(|job| job.ending.bytes).sum();
    Ok(Json(json!({
        "jobs": jobs.iter().map(|job| shown(&app, &person, job)).collect::<Vec<_>>(),
        "most": allowed.jobs, "bytes": bytes, "bytes_most": allowed.bytes, "keep_days": allowed.keep / 86_400_000_000,
    })))
}

pub async fn show(State(app): State<App>, person: Person, Path(id): Path<String>) -> Result<Json<Value>> {
    let job = found(&app, &person, &id).await?;
    Ok(Json(shown(&app, &person, &job)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    limit: Option<usize>,
}

pub async fn rows(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<Value>> {
    let job = readable(&app, &person, &id).await?;
    let limit = page.limit.unwrap_or(100).clamp(1, ROWS_MAX);
    let is_table = job.ending.is_table;
    let found = app.engine.kept_page(&app.jobs.path(job.id), page.offset, limit, is_table).await.map_err(refused)?;
    let next = page.offset.saturating_add(found.rows.len() as u64);
    Ok(Json(json!({
        "view": if is_table { "table" } else { "events" },
        "columns": found.columns.iter().map(column).collect::<Vec<_>>(),
        "next": (next < found.total && !found.rows.is_empty()).then_some(next),
        "rows": found.rows.into_iter().map(with_plain_timestamp).collect::<Vec<_>>(),
        "offset": page.offset, "total": found.total,
        "complete": job.ending.reason.is_none(), "reason": job.ending.reason,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    format: String,
}

pub async fn take(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Params(taken): Params<Taken>,
) -> Result<Response> {
    let job = readable(&app, &person, &id).await?;
    let format = Format::by_name(&taken.format)
        .ok_or_else(|| ApiError::bad("invalid", format!("format {:?} is none of csv, ndjson, parquet", taken.format)))?;
    let export = app.engine.kept_export(&app.jobs.path(job.id), format, job.ending.is_table).map_err(refused)?;
    let part = if job.ending.reason.is_some() { ", a part" } else { "" };
    let told: String = job.q.chars().take(TOLD_CHARS_MAX).collect();
    Ok(download(app, person, format!("answer of job {}{part}", job.id), told, format, export))
}

pub async fn remove(State(app): State<App>, person: Person, Path(id): Path<String>) -> Result<StatusCode> {
    let job = found(&app, &person, &id).await?;
    if !app.state.remove_job(job.id, person.user.id).await? {
        return Err(ApiError::not_found("job"));
    }
    app.jobs.drop_job(job.id);
    audit::record(&app, Line::of(Action::JobRemove, &person, format!("job {}, {}", job.id, job.status.name()))).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(app: &App, person: &Person, id: &str) -> Result<Job> {
    let missing = || ApiError::not_found("job");
    let id: i64 = id.parse().map_err(|_| missing())?;
    app.state.job(id, person.user.id).await?.ok_or_else(missing)
}

/// A job whose answer this person may read now.
async fn readable(app: &App, person: &Person, id: &str) -> Result<Job> {
    let job = found(app, person, id).await?;
    if !covered(person, &job) {
        return Err(ApiError::forbidden("your rights have become less than they were when this was asked; ask again"));
    }
    if job.status != Status::Done {
        return Err(ApiError::bad("invalid", format!("job {} has no answer: it is {}", job.id, job.status.name())));
    }
    Ok(job)
}

fn covered(person: &Person, job: &Job) -> bool {
    person.scope.covers(&job.scope) && (job.mode != "sql" || person.scope.role.may_write_sql())
}

fn shown(app: &App, person: &Person, job: &Job) -> Value {
    let progress = app.jobs.progress(job.id);
    let (rows, bytes) = match &progress {
        Some(progress) if job.status == Status::Running => (progress.rows(), progress.bytes()),
        _ => (job.ending.rows, job.ending.bytes),
    };
    json!({
        "id": job.id.to_string(), "q": job.q, "mode": job.mode, "from": rfc3339(job.from), "to": rfc3339(job.to),
        "columns": job.columns, "status": job.status.name(),
        "permille": progress.and_then(|progress| progress.permille()).filter(|_| job.status == Status::Running),
        "rows": rows, "bytes": bytes, "complete": job.status == Status::Done && job.ending.reason.is_none(),
        "reason": job.ending.reason, "readable": job.status == Status::Done && covered(person, job),
        "created": rfc3339(job.created), "started": job.started.map(rfc3339), "ended": job.ended.map(rfc3339),
        "expires": rfc3339(job.expires),
    })
}
