//! The first administrator, made with the one-time token that the first start printed. There is no default password.

use axum::{Json, extract::State, response::Response};
use event::{Role, Systems};
use serde::Deserialize;
use serde_json::{Value, json};
use state::{secret, users::NewUser};

use super::{Body, session};
use crate::{
    App,
    audit::{self, Action, Line},
    auth::Peer,
    error::Result,
};

pub async fn needed(State(app): State<App>) -> Result<Json<Value>> {
    Ok(Json(json!({ "needed": app.state.setup_needed().await? })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct First {
    token: String,
    name: String,
    password: String,
    display_name: String,
}

pub async fn create(State(app): State<App>, Peer(peer): Peer, Body(first): Body<First>) -> Result<Response> {
    let new = NewUser {
        name: first.name,
        display_name: first.display_name,
        role: Role::Admin,
        systems: Systems::All,
        language: "vi".into(),
        password_hash: app.passwords.hash(&first.password).await?,
    };
    let user = app.state.create_first_admin(&secret::hash(first.token.trim()), new, app.now()).await?;
    app.state.note_login(user.id, app.now()).await?;
    let from = peer.map(|peer| peer.ip());
    audit::record(&app, Line::new(Action::UserCreate, &user.name, "role admin, by the set-up token").from(from).on(&user.name))
        .await;
    session::entered(&app, &user, peer).await
}
