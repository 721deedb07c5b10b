//! What compliance remembers: the sealed value of each closed day, chained, and a cache of the latest provisional verdicts.
//!
//! Knows no law and no arithmetic: inputs come as canonical JSON text (integers and decimal strings only) and are kept as
//! they came, ≥ 5 years. A day that late data changes gets a new revision; the old one stays.
//!
//! ```text
//! hash(n) = BLAKE3(hash(n-1) ‖ system ‖ day ‖ revision ‖ closed_at ‖ inputs)      one chain per system, fields length-prefixed
//! ```

use chrono::NaiveDate;
use event::{Micros, Scope};
use serde::{Deserialize, Serialize};
use sqlx::{Row as _, sqlite::SqliteRow};

use crate::{Error, Migrations, Result, State};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "score",
    steps: &["
        CREATE TABLE score_day (
            system TEXT NOT NULL, sequence INTEGER NOT NULL, day TEXT NOT NULL, revision INTEGER NOT NULL,
            closed_at INTEGER NOT NULL, inputs TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL,
            PRIMARY KEY (system, sequence), UNIQUE (system, day, revision)
        );
        CREATE TABLE score_latest (
            system TEXT NOT NULL, requirement TEXT NOT NULL, verdict TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (system, requirement)
        );
    "],
};

/// A closed day of one system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SealedDay {
    pub system: String,
    /// Position in the system's chain, from 1.
    pub sequence: i64,
    pub day: NaiveDate,
    /// From 1; a later revision replaces the earlier in what is shown, never in the chain.
    pub revision: i64,
    pub closed_at: Micros,
    pub inputs: String,
    /// Hash of the entry before; empty for the first.
    pub previous: String,
    pub hash: String,
}

/// A provisional verdict ("tạm tính").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestVerdict {
    pub requirement: String,
    /// Word of the verdict, for lists.
    pub verdict: String,
    /// The whole verdict as JSON.
    pub detail: String,
    pub at: Micros,
}

impl SealedDay {
    fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let (day, revision, closed) = (self.day.to_string(), self.revision.to_string(), self.closed_at.to_string());
        for part in [&self.previous, &self.system, &day, &revision, &closed, &self.inputs] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

impl State {
    /// Seals a day. The same inputs twice change nothing; other inputs make a new revision. Floats are refused: they do not
    /// survive a round trip through other programs.
    pub async fn seal_day(&self, system: &str, day: NaiveDate, closed_at: Micros, inputs: &str) -> Result<SealedDay> {
        check_inputs(inputs)?;
        let mut tx = self.pool().begin_with("BEGIN IMMEDIATE").await?;
        let last = sqlx::query("SELECT * FROM score_day WHERE system = ? ORDER BY sequence DESC LIMIT 1")
            .bind(system)
            .fetch_optional(&mut *tx)
            .await?;
        let known = sqlx::query("SELECT * FROM score_day WHERE system = ? AND day = ? ORDER BY revision DESC LIMIT 1")
            .bind(system)
            .bind(day.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let last = last.as_ref().map(read).transpose()?;
        let known = known.as_ref().map(read).transpose()?;
        if let Some(known) = known.as_ref().filter(|known| known.inputs == inputs) {
            return Ok(known.clone());
        }
        let mut sealed = SealedDay {
            system: system.to_owned(),
            sequence: last.as_ref().map_or(1, |last| last.sequence + 1),
            day,
            revision: known.map_or(1, |known| known.revision + 1),
            closed_at,
            inputs: inputs.to_owned(),
            previous: last.map(|last| last.hash).unwrap_or_default(),
            hash: String::new(),
        };
        sealed.hash = sealed.digest();
        sqlx::query("INSERT INTO score_day (system, sequence, day, revision, closed_at, inputs, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&sealed.system)
            .bind(sealed.sequence)
            .bind(sealed.day.to_string())
            .bind(sealed.revision)
            .bind(sealed.closed_at)
            .bind(&sealed.inputs)
            .bind(&sealed.previous)
            .bind(&sealed.hash)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(sealed)
    }

    /// Days `[from, to]` of a system, oldest first, each in its last revision; empty when out of scope.
    pub async fn sealed_days(&self, scope: &Scope, system: &str, from: NaiveDate, to: NaiveDate) -> Result<Vec<SealedDay>> {
        if !scope.sees(system) {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT * FROM score_day AS s WHERE system = ? AND day BETWEEN ? AND ?
               AND revision = (SELECT max(revision) FROM score_day AS t WHERE t.system = s.system AND t.day = s.day) ORDER BY day",
        )
        .bind(system)
        .bind(from.to_string())
        .bind(to.to_string())
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(read).collect()
    }

    /// The newest closed day before `day`.
    pub async fn sealed_before(&self, scope: &Scope, system: &str, day: NaiveDate) -> Result<Option<SealedDay>> {
        if !scope.sees(system) {
            return Ok(None);
        }
        let row = sqlx::query("SELECT * FROM score_day WHERE system = ? AND day < ? ORDER BY day DESC, revision DESC LIMIT 1")
            .bind(system)
            .bind(day.to_string())
            .fetch_optional(self.pool())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Recomputes a system's chain; `Err` names the first entry that does not fit.
    pub async fn verify_sealed(&self, system: &str) -> Result<u64> {
        let rows =
            sqlx::query("SELECT * FROM score_day WHERE system = ? ORDER BY sequence").bind(system).fetch_all(self.pool()).await?;
        let mut previous = String::new();
        for (at, row) in rows.iter().enumerate() {
            let sealed = read(row)?;
            let fits = sealed.sequence == at as i64 + 1 && sealed.previous == previous && sealed.hash == sealed.digest();
            if !fits {
                return Err(Error::Invalid(format!(
                    "the score chain of {system} breaks at entry {} ({} revision {})",
                    at + 1,
                    sealed.day,
                    sealed.revision
                )));
            }
            previous = sealed.hash;
        }
        Ok(rows.len() as u64)
    }

    /// Replaces a system's provisional verdicts.
    pub async fn put_latest_verdicts(&self, system: &str, verdicts: &[LatestVerdict]) -> Result<()> {
        let mut tx = self.pool().begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM score_latest WHERE system = ?").bind(system).execute(&mut *tx).await?;
        for verdict in verdicts {
            sqlx::query("INSERT INTO score_latest (system, requirement, verdict, detail, at) VALUES (?, ?, ?, ?, ?)")
                .bind(system)
                .bind(&verdict.requirement)
                .bind(&verdict.verdict)
                .bind(&verdict.detail)
                .bind(verdict.at)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A system's provisional verdicts, by requirement; empty when out of scope.
    pub async fn latest_verdicts(&self, scope: &Scope, system: &str) -> Result<Vec<LatestVerdict>> {
        if !scope.sees(system) {
            return Ok(Vec::new());
        }
        let rows = sqlx::query("SELECT * FROM score_latest WHERE system = ? ORDER BY requirement")
            .bind(system)
            .fetch_all(self.pool())
            .await?;
        let mut verdicts = Vec::with_capacity(rows.len());
        for row in &rows {
            verdicts.push(LatestVerdict {
                requirement: row.try_get("requirement")?,
                verdict: row.try_get("verdict")?,
                detail: row.try_get("detail")?,
                at: row.try_get("at")?,
            });
        }
        Ok(verdicts)
    }
}

fn read(row: &SqliteRow) -> Result<SealedDay> {
    let day: String = row.try_get("day")?;
    Ok(SealedDay {
        system: row.try_get("system")?,
        sequence: row.try_get("sequence")?,
        day: NaiveDate::parse_from_str(&day, "%Y-%m-%d")
            .map_err(|_| Error::Invalid(format!("a sealed day has the date {day:?}")))?,
        revision: row.try_get("revision")?,
        closed_at: row.try_get("closed_at")?,
        inputs: row.try_get("inputs")?,
        previous: row.try_get("previous")?,
        hash: row.try_get("hash")?,
    })
}

fn check_inputs(inputs: &str) -> Result<()> {
    let value: serde_json::Value =
        serde_json::from_str(inputs).map_err(|error| Error::Invalid(format!("sealed inputs are not JSON: {error}")))?;
    if has_float(&value) { Err(Error::Invalid("sealed inputs hold a floating-point number".to_owned())) } else { Ok(()) }
}

fn has_float(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => !number.is_i64() && !number.is_u64(),
        serde_json::Value::Array(items) => items.iter().any(has_float),
        serde_json::Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    async fn state() -> (tempfile::TempDir, State) {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state.sqlite")).await.unwrap();
        (dir, state)
    }

    #[tokio::test]
    async fn days_chain_and_late_data_makes_a_revision() {
        let (_dir, state) = state().await;
        let first = state.seal_day("dvc", day("2026-11-20"), 10, r#"{"n":1}"#).await.unwrap();
        let second = state.seal_day("dvc", day("2026-11-21"), 20, r#"{"n":2}"#).await.unwrap();
        assert_eq!((first.previous.as_str(), &second.previous), ("", &first.hash));
        assert_eq!(
            state.seal_day("dvc", day("2026-11-20"), 30, r#"{"n":1}"#).await.unwrap(),
            first,
            "the same inputs change nothing"
        );
        let late = state.seal_day("dvc", day("2026-11-20"), 30, r#"{"n":3}"#).await.unwrap();
        assert_eq!((late.sequence, late.revision, &late.previous), (3, 2, &second.hash));
        let shown = state.sealed_days(&Scope::internal("test"), "dvc", day("2026-11-01"), day("2026-11-30")).await.unwrap();
        assert_eq!(shown, [late, second.clone()]);
        assert_eq!(state.sealed_before(&Scope::internal("test"), "dvc", day("2026-11-22")).await.unwrap(), Some(second));
        assert_eq!(state.verify_sealed("dvc").await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_changed_entry_breaks_the_chain_and_is_named() {
        let (_dir, state) = state().await;
        for (at, text) in ["2026-11-20", "2026-11-21", "2026-11-22"].into_iter().enumerate() {
            state.seal_day("dvc", day(text), at as i64, &format!(r#"{{"n":{at}}}"#)).await.unwrap();
        }
        sqlx::query("UPDATE score_day SET inputs = '{\"n\":9}' WHERE sequence = 2").execute(state.pool()).await.unwrap();
        let broken = state.verify_sealed("dvc").await.unwrap_err();
        assert_eq!(broken.to_string(), "the score chain of dvc breaks at entry 2 (2026-11-21 revision 1)");
    }

    #[tokio::test]
    async fn floats_and_non_json_are_refused() {
        let (_dir, state) = state().await;
        let refused = state.seal_day("dvc", day("2026-11-20"), 0, r#"{"a":[{"n":0.5}]}"#).await.unwrap_err();
        assert_eq!(refused.to_string(), "sealed inputs hold a floating-point number");
        assert!(state.seal_day("dvc", day("2026-11-20"), 0, "n=1").await.is_err());
    }

    #[tokio::test]
    async fn provisional_verdicts_are_replaced_and_scoped() {
        let (_dir, state) = state().await;
        let verdict = |requirement: &str| LatestVerdict {
            requirement: requirement.into(),
            verdict: "met".into(),
            detail: "{}".into(),
            at: 1,
        };
        state.put_latest_verdicts("dvc", &[verdict("a"), verdict("b")]).await.unwrap();
        state.put_latest_verdicts("dvc", &[verdict("b")]).await.unwrap();
        assert_eq!(state.latest_verdicts(&Scope::internal("test"), "dvc").await.unwrap(), [verdict("b")]);
        let other =
            Scope { actor: "b".into(), role: event::Role::Owner, systems: event::Systems::Only(["khac".to_owned()].into()) };
        assert_eq!(state.latest_verdicts(&other, "dvc").await.unwrap(), []);
    }
}
