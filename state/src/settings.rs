//! Settings that are changed while the program runs, by key, as JSON. What a key means is its owner's business.

use serde::{Serialize, de::DeserializeOwned};
use sqlx::Row;

use crate::{
    Migrations, Result, State,
    rows::{from_json, to_json},
};

pub(crate) const MIGRATIONS: Migrations =
    Migrations { module: "settings", steps: &["CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"] };

impl State {
    /// Reads a setting; `None` when it was never set.
    pub async fn setting<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let row = sqlx::query("SELECT value FROM setting WHERE key = ?").bind(key).fetch_optional(self.pool()).await?;
        row.map(|row| from_json(key, row.try_get(0)?)).transpose()
    }

    /// Writes a setting.
    pub async fn set_setting<T: Serialize>(&self, key: &str, value: &T) -> Result<()> {
        sqlx::query("INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
            .bind(key)
            .bind(to_json(value))
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Removes a setting, so that its default holds again.
    pub async fn remove_setting(&self, key: &str) -> Result<()> {
        sqlx::query("DELETE FROM setting WHERE key = ?").bind(key).execute(self.pool()).await?;
        Ok(())
    }
}
