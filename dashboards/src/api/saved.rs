//! Searches that people keep: one's own, and those that others share. Whoever runs one runs it in their own scope.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use state::saved::{NewSearch, SavedSearch};

use super::{Body, hunt::Mode};
use crate::{
    App,
    auth::Person,
    error::{ApiError, Result},
    time::rfc3339,
};

pub async fn list(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    let all = app.state.saved_searches(person.user.id).await?;
    // A statement is of use to those who may write one.
    let may_sql = person.scope.role.may_write_sql();
    Ok(Json(all.iter().filter(|one| may_sql || one.mode != "sql").map(|one| shown(one, &person)).collect()))
}

fn shown(one: &SavedSearch, person: &Person) -> Value {
    json!({
        "id": one.id.to_string(), "name": one.name, "q": one.q, "mode": one.mode, "from": one.from, "to": one.to,
        "columns": one.columns, "shared": one.shared, "mine": one.owner == person.user.id, "owner": one.owner_name,
        "changed": rfc3339(one.changed),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    name: String,
    q: String,
    #[serde(default)]
    mode: Mode,
    from: String,
    to: String,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    shared: bool,
}

pub async fn save(State(app): State<App>, person: Person, Body(new): Body<New>) -> Result<Json<Value>> {
    let is_sql = new.mode == Mode::Sql;
    if is_sql && !person.scope.role.may_write_sql() {
        return Err(ApiError::forbidden("your role may search, not write SQL"));
    }
    let new = NewSearch {
        name: new.name,
        q: new.q,
        mode: if is_sql { "sql" } else { "search" },
        from: new.from,
        to: new.to,
        columns: new.columns,
        shared: new.shared,
    };
    let saved = app.state.save_search(person.user.id, &new, app.clock.now()).await?;
    Ok(Json(shown(&saved, &person)))
}

pub async fn remove(State(app): State<App>, person: Person, Path(id): Path<String>) -> Result<StatusCode> {
    let missing = || ApiError::not_found("saved search");
    let id: i64 = id.parse().map_err(|_| missing())?;
    // An administrator may take back what somebody shared.
    match app.state.remove_search(id, person.user.id, person.scope.role.may_administer()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(missing()),
    }
}
