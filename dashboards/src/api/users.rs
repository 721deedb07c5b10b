//! Accounts, for administrators: opened, changed, closed, given a new password. One's own password is in `session`.
//!
//! Every change is an audit event that names the fields. An account is never deleted: logs and incidents refer to it.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use event::{Role, Systems};
use serde::Deserialize;
use serde_json::{Value, json};
use state::{
    channels::{Channel, ChannelKind},
    users::{NewUser, User, UserChange},
};

use super::{Body, session};
use crate::{
    App,
    audit::{self, Action, Line},
    auth::Person,
    error::{ApiError, Result},
};

/// Longest name of a person, in characters.
const DISPLAY_NAME_MAX: usize = 120;

pub async fn list(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    person.need_admin()?;
    let channels = app.state.channels().await?;
    Ok(Json(app.state.users().await?.iter().map(|user| shown(user, &channels)).collect()))
}

/// An account as administrators see it: with its mail address.
fn shown(user: &User, channels: &[Channel]) -> Value {
    let mut shown = session::shown(user);
    shown["email"] = json!(email_of(user.id, channels));
    shown
}

fn email_of(user: i64, channels: &[Channel]) -> Option<&str> {
    let is_own = |channel: &&Channel| channel.person == Some(user) && channel.kind == ChannelKind::Email && channel.enabled;
    channels.iter().rfind(is_own).map(|channel| channel.address.as_str())
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
    let email = new.email.map(|email| email.trim().to_owned()).filter(|email| !email.is_empty());
    if let Some(email) = &email {
        check_email(email)?;
    }
    let account = NewUser {
        display_name: read_display_name(new.display_name)?,
        role: read_role(&new.role)?,
        systems: read_systems(&app, new.systems).await?,
        language: read_language(new.language.unwrap_or_else(|| "vi".into()))?,
        password_hash: app.passwords.hash(&new.password).await?,
        name: new.name,
    };
    let user = app.state.create_user(account, app.now()).await?;
    if let Some(email) = &email {
        super::oncall::set_email(&app, &user, email).await?;
    }
    let what = format!("role {}, systems {}", user.role.name(), words(&user.systems));
    audit::record(&app, Line::of(Action::UserCreate, &person, what).on(&user.name)).await;
    Ok(Json(shown(&user, &app.state.channels().await?)))
}

/// What is absent stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    systems: Option<Scope>,
    #[serde(default)]
    language: Option<String>,
    /// Empty = none any more.
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    disabled: Option<bool>,
}

/// Changes an account. A new role, a new scope or closing it ends its sessions.
pub async fn change(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<Value>> {
    person.need_admin()?;
    let before = find(&app, &name).await?;
    let wanted = UserChange {
        display_name: change.display_name.map(read_display_name).transpose()?,
        role: change.role.as_deref().map(read_role).transpose()?,
        systems: match change.systems {
            Some(systems) => Some(read_systems(&app, systems).await?),
            None => None,
        },
        language: change.language.map(read_language).transpose()?,
        disabled: change.disabled,
    };
    let email = change.email.map(|email| email.trim().to_owned());
    if let Some(email) = email.as_deref().filter(|email| !email.is_empty()) {
        check_email(email)?;
    }
    if before.id == person.user.id {
        if wanted.disabled == Some(true) {
            return Err(wrong("disabled", "you cannot close your own account"));
        }
        if wanted.role.is_some_and(|role| role != before.role)
            || wanted.systems.as_ref().is_some_and(|all| *all != before.systems)
        {
            return Err(wrong("role", "you cannot change your own role or scope; another administrator can"));
        }
    }
    let after = app.state.update_user(before.id, wanted).await?;
    let old_email = email_of(before.id, &app.state.channels().await?).map(str::to_owned);
    let has_new_email = email.as_ref().is_some_and(|email| *email != old_email.as_deref().unwrap_or_default());
    if let Some(email) = email.as_ref().filter(|_| has_new_email) {
        super::oncall::set_email(&app, &after, email).await?;
    }
    for line in changes(&before, &after, has_new_email) {
        audit::record(&app, Line::of(line.0, &person, line.1).on(&after.name)).await;
    }
    Ok(Json(shown(&after, &app.state.channels().await?)))
}

/// What was changed, for the audit; a mail address is not repeated there.
fn changes(before: &User, after: &User, has_new_email: bool) -> Vec<(Action, String)> {
    let mut parts = Vec::new();
    let mut part = |is_changed: bool, text: String| {
        if is_changed {
            parts.push(text);
        }
    };
    part(before.display_name != after.display_name, "display name".into());
    part(before.role != after.role, format!("role {} to {}", before.role.name(), after.role.name()));
    part(before.systems != after.systems, format!("systems {} to {}", words(&before.systems), words(&after.systems)));
    part(before.language != after.language, format!("language {} to {}", before.language, after.language));
    part(has_new_email, "e-mail".into());
    let mut lines = Vec::new();
    if !parts.is_empty() {
        lines.push((Action::UserChange, parts.join(", ")));
    }
    match (before.disabled, after.disabled) {
        (false, true) => lines.push((Action::UserDisable, String::new())),
        (true, false) => lines.push((Action::UserEnable, String::new())),
        _ => {}
    }
    lines
}

fn words(systems: &Systems) -> String {
    match systems {
        Systems::All => "all".into(),
        Systems::Only(ids) => format!("{:?}", ids.iter().collect::<Vec<_>>()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    password: String,
}

/// Gives an account a new password and ends its sessions.
pub async fn reset_password(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
    Body(new): Body<NewPassword>,
) -> Result<StatusCode> {
    person.need_admin()?;
    let user = find(&app, &name).await?;
    if user.id == person.user.id {
        return Err(ApiError::bad("invalid", "your own password is changed in the settings, with the present one"));
    }
    let hash = app.passwords.hash(&new.password).await?;
    app.state.set_password(user.id, &hash, None, app.now()).await?;
    audit::record(&app, Line::of(Action::PasswordReset, &person, "").on(&user.name)).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, name: &str) -> Result<User> {
    app.state.user_by_name(name).await?.ok_or_else(|| ApiError::not_found("account"))
}

fn wrong(field: &'static str, message: impl Into<String>) -> ApiError {
    ApiError { field: Some(field), ..ApiError::bad("invalid", message) }
}

fn read_display_name(name: String) -> Result<String> {
    let name = name.trim();
    match name.chars().count() {
        1..=DISPLAY_NAME_MAX => Ok(name.to_owned()),
        _ => Err(wrong("display_name", format!("a person's name has 1 to {DISPLAY_NAME_MAX} characters"))),
    }
}

fn read_role(name: &str) -> Result<Role> {
    let known: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    Role::by_name(name).ok_or_else(|| wrong("role", format!("role {name:?} is none of {}", known.join(", "))))
}

fn read_language(language: String) -> Result<String> {
    match language.as_str() {
        "vi" | "en" => Ok(language),
        _ => Err(wrong("language", format!("language {language:?} is neither vi nor en"))),
    }
}

fn check_email(email: &str) -> Result<()> {
    respond::email::check_address(email).map(drop).map_err(|message| wrong("email", message))
}

/// A scope names systems of the register: a mistyped id would silently show nothing.
async fn read_systems(app: &App, systems: Scope) -> Result<Systems> {
    let ids = match systems {
        Scope::Word(word) if word == "all" => return Ok(Systems::All),
        Scope::Word(word) => {
            return Err(wrong("systems", format!("systems {word:?} is neither \"all\" nor a list of ids")));
        }
        Scope::Ids(ids) => ids,
    };
    let register = app.state.register(&event::Scope::internal("accounts")).await?;
    if let Some(unknown) = ids.iter().find(|id| register.system(id, app.now()).is_none()) {
        return Err(wrong("systems", format!("there is no system {unknown:?} in the register")));
    }
    Ok(Systems::Only(ids.into_iter().collect()))
}
