//! Logging in and out.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use event::Systems;
use serde::Deserialize;
use serde_json::{Value, json};
use state::users::User;

use super::Body;
use crate::{
    App,
    audit::{self, Action, Line},
    auth::{self, Peer, Person},
    error::{ApiError, Result},
    time::rfc3339,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    name: String,
    password: String,
}

pub async fn login(State(app): State<App>, Peer(peer): Peer, headers: HeaderMap, Body(login): Body<Login>) -> Result<Response> {
    if !auth::is_same_origin(&headers) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "csrf", "the request did not come from this application"));
    }
    let user = auth::check(&app, &login.name, &login.password, peer).await?;
    entered(&app, &user, peer).await
}

/// Opens a session and answers with it.
pub async fn entered(app: &App, user: &User, peer: Option<std::net::SocketAddr>) -> Result<Response> {
    let (cookie, csrf) = auth::open(app, user, peer).await?;
    Ok(([(header::SET_COOKIE, cookie)], Json(session(app, user, &csrf))).into_response())
}

pub async fn show(State(app): State<App>, person: Person) -> Json<Value> {
    Json(session(&app, &person.user, &person.csrf))
}

pub async fn logout(State(app): State<App>, person: Person) -> Result<Response> {
    app.state.close_session(&person.session).await?;
    audit::record(&app, Line::of(Action::Logout, &person, "")).await;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, auth::forget())]).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    present: String,
    password: String,
}

/// Changes one's own password; every other session of the account ends.
pub async fn change_password(State(app): State<App>, person: Person, Body(new): Body<NewPassword>) -> Result<StatusCode> {
    auth::check_present(&app, &person, &new.present).await?;
    if new.present == new.password {
        let mut error = ApiError::bad("same_password", "the new password is the present one");
        error.field = Some("password");
        return Err(error);
    }
    let hash = app.passwords.hash(&new.password).await?;
    app.state.set_password(person.user.id, &hash, Some(&person.session), app.now()).await?;
    audit::record(&app, Line::of(Action::PasswordChange, &person, "")).await;
    Ok(StatusCode::NO_CONTENT)
}

fn session(app: &App, user: &User, csrf: &str) -> Value {
    json!({ "user": shown(user), "csrf": csrf, "version": app.settings.version })
}

/// An account as the API shows it.
pub fn shown(user: &User) -> Value {
    let systems = match &user.systems {
        Systems::All => json!("all"),
        Systems::Only(ids) => json!(ids),
    };
    json!({
        "name": user.name,
        "display_name": user.display_name,
        "role": user.role.name(),
        "systems": systems,
        "language": user.language,
        "disabled": user.disabled,
        "last_login": user.last_login.map(rfc3339),
    })
}
