//! How often each rule matched and when last: a rule that never fires, or always, is visible.

use std::collections::BTreeMap;

use event::Micros;
use sqlx::{Row, Sqlite, Transaction};

use crate::{Migrations, Result, State};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "rule_health",
    steps: &[
        "CREATE TABLE rule_health (rule TEXT PRIMARY KEY, matches INTEGER NOT NULL, last_match INTEGER NOT NULL) WITHOUT ROWID",
    ],
};

/// What is known of one rule's matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleHealth {
    pub matches: u64,
    /// Event time of the newest match.
    pub last_match: Micros,
}

impl State {
    /// Health of every rule that ever matched, by rule id.
    pub async fn rule_health(&self) -> Result<BTreeMap<String, RuleHealth>> {
        let rows = sqlx::query("SELECT * FROM rule_health").fetch_all(self.pool()).await?;
        rows.iter()
            .map(|row| {
                let health =
                    RuleHealth { matches: row.try_get::<i64, _>("matches")? as u64, last_match: row.try_get("last_match")? };
                Ok((row.try_get("rule")?, health))
            })
            .collect()
    }
}

pub(crate) async fn count(tx: &mut Transaction<'static, Sqlite>, rule: &str, matches: u64, last: Micros) -> Result<()> {
    sqlx::query(
        "INSERT INTO rule_health (rule, matches, last_match) VALUES (?, ?, ?)
         ON CONFLICT (rule) DO UPDATE SET matches = matches + excluded.matches, last_match = max(last_match, excluded.last_match)",
    )
    .bind(rule)
    .bind(matches as i64)
    .bind(last)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
