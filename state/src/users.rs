//! Accounts: name, role, scope, language, and the password hash that `dashboards` computed.
//!
//! No password and no hashing here. Names are unique after NFC and lower-casing, so that "Lan" in either Unicode form is one
//! account. An account is disabled rather than deleted: the incident log refers to it. The last administrator stays.

use std::fmt;

use event::{Micros, Role, Scope, Systems};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};
use unicode_normalization::UnicodeNormalization;

use crate::{
    Error, Migrations, Result, State,
    rows::{from_json, to_json},
};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "users",
    steps: &[
        "CREATE TABLE user (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        display_name TEXT NOT NULL,
        role TEXT NOT NULL,
        systems TEXT,               -- JSON list of system ids; NULL = all
        language TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        disabled INTEGER NOT NULL DEFAULT 0,
        created INTEGER NOT NULL,
        password_changed INTEGER NOT NULL
    )",
        "ALTER TABLE user ADD COLUMN last_login INTEGER",
    ],
};

/// An account.
#[derive(Clone, PartialEq)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub display_name: String,
    pub role: Role,
    pub systems: Systems,
    /// "vi" or "en".
    pub language: String,
    /// PHC string; leaves this crate for verification only.
    pub password_hash: String,
    pub disabled: bool,
    pub created: Micros,
    pub password_changed: Micros,
    /// `None` = never.
    pub last_login: Option<Micros>,
}

impl User {
    /// What this person may see.
    pub fn scope(&self) -> Scope {
        Scope { actor: self.name.clone(), role: self.role, systems: self.systems.clone() }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// An account to be created.
#[derive(Clone)]
pub struct NewUser {
    pub name: String,
    pub display_name: String,
    pub role: Role,
    pub systems: Systems,
    pub language: String,
    pub password_hash: String,
}

/// What an administrator may change; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    pub display_name: Option<String>,
    pub role: Option<Role>,
    pub systems: Option<Systems>,
    pub language: Option<String>,
    pub disabled: Option<bool>,
}

/// Brings an account name into its one form; says what is wrong with it.
pub fn normalise_name(name: &str) -> Result<String> {
    let name: String = name.trim().nfc().collect();
    if name.is_empty() || name.chars().count() > 64 {
        return Err(Error::Invalid("an account name has 1 to 64 characters".into()));
    }
    if let Some(c) = name.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '@' | '+')) {
        return Err(Error::Invalid(format!("an account name cannot contain {c:?}")));
    }
    Ok(name)
}

fn name_key(name: &str) -> String {
    name.trim().nfc().collect::<String>().to_lowercase().nfc().collect()
}

impl State {
    /// Creates an account; refuses a name that exists.
    pub async fn create_user(&self, new: NewUser, now: Micros) -> Result<User> {
        let mut tx = self.write().await?;
        let user = insert(&mut tx, new, now).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// Creates the first administrator with the one-time set-up token; refuses once anybody exists.
    pub async fn create_first_admin(&self, token_hash: &str, new: NewUser, now: Micros) -> Result<User> {
        let mut tx = self.write().await?;
        if !no_user(&mut tx).await? {
            return Err(Error::Invalid("the set-up is done: an administrator exists".into()));
        }
        let used = sqlx::query("UPDATE setup_token SET used = ? WHERE hash = ? AND used IS NULL AND expires > ?")
            .bind(now)
            .bind(token_hash)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        if used.rows_affected() != 1 {
            return Err(Error::Invalid("the set-up token is wrong, used or expired".into()));
        }
        let user = insert(&mut tx, NewUser { role: Role::Admin, systems: Systems::All, ..new }, now).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// True while nobody can log in: the set-up page is shown.
    pub async fn setup_needed(&self) -> Result<bool> {
        let users: i64 = sqlx::query("SELECT count(*) FROM user").fetch_one(self.pool()).await?.try_get(0)?;
        Ok(users == 0)
    }

    pub async fn user(&self, id: i64) -> Result<Option<User>> {
        let row = sqlx::query("SELECT * FROM user WHERE id = ?").bind(id).fetch_optional(self.pool()).await?;
        row.map(|row| read(&row)).transpose()
    }

    /// Finds an account however its name is typed (case, Unicode form).
    pub async fn user_by_name(&self, name: &str) -> Result<Option<User>> {
        let row = sqlx::query("SELECT * FROM user WHERE name_key = ?").bind(name_key(name)).fetch_optional(self.pool()).await?;
        row.map(|row| read(&row)).transpose()
    }

    /// All accounts, disabled ones included, in the order they were made.
    pub async fn users(&self) -> Result<Vec<User>> {
        let rows = sqlx::query("SELECT * FROM user ORDER BY id").fetch_all(self.pool()).await?;
        rows.iter().map(read).collect()
    }

    /// Changes an account. Disabling, a new role or a new scope ends its sessions in the same transaction.
    pub async fn update_user(&self, id: i64, change: UserChange) -> Result<User> {
        let mut tx = self.write().await?;
        let row = sqlx::query("SELECT * FROM user WHERE id = ?").bind(id).fetch_optional(&mut *tx).await?;
        let before = row.map(|row| read(&row)).transpose()?.ok_or_else(|| Error::Invalid(format!("there is no user {id}")))?;
        let mut after = before.clone();
        after.display_name = change.display_name.unwrap_or(after.display_name);
        after.role = change.role.unwrap_or(after.role);
        after.systems = change.systems.unwrap_or(after.systems);
        after.language = change.language.unwrap_or(after.language);
        after.disabled = change.disabled.unwrap_or(after.disabled);
        sqlx::query("UPDATE user SET display_name = ?, role = ?, systems = ?, language = ?, disabled = ? WHERE id = ?")
            .bind(&after.display_name)
            .bind(after.role.name())
            .bind(systems_column(&after.systems))
            .bind(&after.language)
            .bind(after.disabled)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        let was_admin = before.role == Role::Admin && !before.disabled;
        if was_admin && (after.role != Role::Admin || after.disabled) && !admin_left(&mut tx).await? {
            return Err(Error::Invalid("the last administrator cannot be disabled or lose the role".into()));
        }
        if after.disabled || after.role != before.role || after.systems != before.systems {
            sqlx::query("DELETE FROM session WHERE user = ?").bind(id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(after)
    }

    /// Notes that the account was entered.
    pub async fn note_login(&self, id: i64, now: Micros) -> Result<()> {
        sqlx::query("UPDATE user SET last_login = ? WHERE id = ?").bind(now).bind(id).execute(self.pool()).await?;
        Ok(())
    }

    /// Stores a new password hash and ends every session of the account, `keep` excepted.
    pub async fn set_password(&self, id: i64, password_hash: &str, keep_session: Option<&str>, now: Micros) -> Result<()> {
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE user SET password_hash = ?, password_changed = ? WHERE id = ?")
            .bind(password_hash)
            .bind(now)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() != 1 {
            return Err(Error::Invalid(format!("there is no user {id}")));
        }
        sqlx::query("DELETE FROM session WHERE user = ? AND hash <> ?")
            .bind(id)
            .bind(keep_session.unwrap_or(""))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn insert(tx: &mut Transaction<'static, Sqlite>, new: NewUser, now: Micros) -> Result<User> {
    let name = normalise_name(&new.name)?;
    let done = sqlx::query(
        "INSERT INTO user (name, name_key, display_name, role, systems, language, password_hash, created, password_changed)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name_key) DO NOTHING",
    )
    .bind(&name)
    .bind(name_key(&name))
    .bind(&new.display_name)
    .bind(new.role.name())
    .bind(systems_column(&new.systems))
    .bind(&new.language)
    .bind(&new.password_hash)
    .bind(now)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() != 1 {
        return Err(Error::Invalid(format!("there is already an account named {name}")));
    }
    Ok(User {
        id: done.last_insert_rowid(),
        name,
        display_name: new.display_name,
        role: new.role,
        systems: new.systems,
        language: new.language,
        password_hash: new.password_hash,
        disabled: false,
        created: now,
        password_changed: now,
        last_login: None,
    })
}

async fn no_user(tx: &mut Transaction<'static, Sqlite>) -> Result<bool> {
    Ok(sqlx::query("SELECT 1 FROM user LIMIT 1").fetch_optional(&mut **tx).await?.is_none())
}

async fn admin_left(tx: &mut Transaction<'static, Sqlite>) -> Result<bool> {
    let row = sqlx::query("SELECT 1 FROM user WHERE role = 'admin' AND disabled = 0 LIMIT 1").fetch_optional(&mut **tx).await?;
    Ok(row.is_some())
}

pub(crate) fn systems_column(systems: &Systems) -> Option<String> {
    match systems {
        Systems::All => None,
        Systems::Only(ids) => Some(to_json(ids)),
    }
}

/// The scope in the columns `role` and `systems` of a row.
pub(crate) fn read_scope(row: &SqliteRow, actor: String) -> Result<Scope> {
    let role: String = row.try_get("role")?;
    let systems: Option<String> = row.try_get("systems")?;
    Ok(Scope {
        actor,
        role: Role::by_name(&role).ok_or_else(|| Error::Invalid(format!("the stored role {role:?} is unknown")))?,
        systems: match systems {
            None => Systems::All,
            Some(ids) => Systems::Only(from_json("scope of a user", &ids)?),
        },
    })
}

pub(crate) fn read(row: &SqliteRow) -> Result<User> {
    let Scope { actor: name, role, systems } = read_scope(row, row.try_get("name")?)?;
    Ok(User {
        id: row.try_get("id")?,
        name,
        display_name: row.try_get("display_name")?,
        role,
        systems,
        language: row.try_get("language")?,
        password_hash: row.try_get("password_hash")?,
        disabled: row.try_get("disabled")?,
        created: row.try_get("created")?,
        password_changed: row.try_get("password_changed")?,
        last_login: row.try_get("last_login")?,
    })
}
