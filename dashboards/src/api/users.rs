//! Accounts, for administrators.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use event::{Role, Systems};
use serde::Deserialize;
use serde_json::Value;
use state::users::{NewUser, UserChange};

use super::{Body, session::shown};
use crate::{
    App,
    auth::Person,
    error::{ApiError, Result},
};

pub async fn list(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    person.need_admin()?;
    Ok(Json(app.state.users().await?.iter().map(shown).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    name: String,
    display_name: String,
    role: String,
    password: String,
    #[serde(default)]
    systems: Scope,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

/// "all", or a list of system ids. Nothing said means nothing seen.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scope {
    Word(String),
    Ids(Vec<String>),
}

impl Default for Scope {
    fn default() -> Self {
        Self::Ids(Vec::new())
    }
}

pub async fn create(State(app): State<App>, person: Person, Body(new): Body<New>) -> Result<Json<Value>> {
    person.need_admin()?;
    let role = Role::by_name(&new.role).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
        ApiError::bad("invalid", format!("role {:?} is none of {}", new.role, known.join(", ")))
    })?;
    let systems = match new.systems {
        Scope::Word(word) if word == "all" => Systems::All,
        Scope::Word(word) => {
            return Err(ApiError::bad("invalid", format!("systems {word:?} is neither \"all\" nor a list of ids")));
        }
        Scope::Ids(ids) => Systems::Only(ids.into_iter().collect()),
    };
    let account = NewUser {
        name: new.name,
        display_name: new.display_name,
        role,
        systems,
        language: new.language.unwrap_or_else(|| "vi".into()),
        password_hash: app.passwords.hash(&new.password).await?,
    };
    let now = app.now();
    let user = app.state.create_user(account, now).await?;
    if let Some(email) = new.email.filter(|email| !email.trim().is_empty()) {
        super::oncall::set_email(&app, &user.name, email.trim()).await?;
    }
    Ok(Json(shown(&user)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disable {
    disabled: bool,
}

pub async fn disable(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
    Body(body): Body<Disable>,
) -> Result<StatusCode> {
    person.need_admin()?;
    let user = app.state.user_by_name(&name).await?.ok_or_else(|| ApiError::not_found("account"))?;
    if user.id == person.user.id && body.disabled {
        return Err(ApiError::bad("invalid", "you cannot close your own account"));
    }
    app.state.update_user(user.id, UserChange { disabled: Some(body.disabled), ..UserChange::default() }).await?;
    Ok(StatusCode::NO_CONTENT)
}
