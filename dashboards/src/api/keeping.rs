//! Retention for people: the forecast, legal holds, the record of deletions.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Body;
use crate::{
    App, ask,
    auth::Person,
    error::{ApiError, Result},
    keeping::{self, HoldForm},
};

/// Deletions on the page; the whole list is the table `tombstones` (`/query`, or `chieng store tombstones`).
const DELETIONS_MAX: usize = 100;

pub async fn show(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    let scope = &person.scope;
    let sql = format!(
        "SELECT timestamp AS at, system.id AS system, class, rows, ingested_from, ingested_to, segment, checksum, actor, reason \
         FROM tombstones ORDER BY timestamp DESC, segment, system.id, class LIMIT {DELETIONS_MAX}"
    );
    let deletions = ask::rows(&app, scope, &sql).await?;
    let total = ask::rows(&app, scope, "SELECT count(*) AS n FROM tombstones").await?;
    Ok(Json(json!({
        "outlook": keeping::outlook((&app).into(), scope).await?,
        "holds": keeping::holds((&app).into(), scope).await?,
        "deletions": deletions,
        "deletions_total": total.first().and_then(|row| row.get("n").cloned()).unwrap_or(json!(0)),
        "may": { "place": scope.role.may_place_holds(), "release": scope.role.may_administer() },
    })))
}

/// A person may hold what they see: a system in scope, or all systems when they see all.
pub async fn place(State(app): State<App>, person: Person, Body(form): Body<HoldForm>) -> Result<Json<Value>> {
    person.need_holder()?;
    let is_in_scope = match form.system.as_deref().map(str::trim).filter(|system| !system.is_empty()) {
        Some(system) => person.scope.sees(system),
        None => person.scope.sees_all(),
    };
    if !is_in_scope {
        return Err(ApiError::forbidden("a hold may cover only systems that you see"));
    }
    Ok(Json(keeping::place((&app).into(), form, &person.user.name, person.address).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    reason: String,
}

pub async fn release(
    State(app): State<App>,
    person: Person,
    Path(id): Path<u64>,
    Body(release): Body<Release>,
) -> Result<Json<Value>> {
    person.need_admin()?;
    Ok(Json(keeping::release((&app).into(), id, &person.user.name, person.address, &release.reason).await?))
}
