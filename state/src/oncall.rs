//! Who is on duty when, and whom to wake next: schedules with members, a rotation and overrides; the escalation chain.
//!
//! Data only. Who is on call at a given instant is computed by `respond::schedule`, from these rows and nothing else.

use chrono::{NaiveDate, NaiveTime};
use event::Micros;
use serde::{Deserialize, Serialize};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    Error, Migrations, Result, State,
    rows::{from_json, to_json},
};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "oncall",
    steps: &["CREATE TABLE schedule (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        timezone TEXT NOT NULL,
        members TEXT NOT NULL,          -- JSON list of user ids, in order of duty
        rotation TEXT NOT NULL
    );
    CREATE TABLE duty_override (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        schedule INTEGER NOT NULL REFERENCES schedule (id) ON DELETE CASCADE,
        person INTEGER NOT NULL REFERENCES user (id),
        starts INTEGER NOT NULL,
        ends INTEGER NOT NULL,
        reason TEXT NOT NULL,
        created_by TEXT NOT NULL,
        created INTEGER NOT NULL
    );"],
};

/// Length of one person's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    Day,
    Week,
}

/// How duty passes from member to member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    pub turn: Turn,
    /// Turns last so many days or weeks; at least 1.
    #[serde(default = "one")]
    pub every: u32,
    /// First day of the first member's first turn, in the schedule's zone. Before it nobody is on call.
    pub start: NaiveDate,
    /// Local clock time of the hand-over.
    pub hand_over: NaiveTime,
}

fn one() -> u32 {
    1
}

/// Somebody stands in for whoever the rotation names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub id: i64,
    pub person: i64,
    pub starts: Micros,
    pub ends: Micros,
    pub reason: String,
    pub created_by: String,
    pub created: Micros,
}

/// A schedule with its overrides, oldest override first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub id: i64,
    pub name: String,
    /// IANA name, for example `Asia/Ho_Chi_Minh`.
    pub timezone: String,
    pub members: Vec<i64>,
    pub rotation: Rotation,
    pub overrides: Vec<Override>,
}

/// A schedule to be stored.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    pub name: String,
    pub timezone: String,
    pub members: Vec<i64>,
    pub rotation: Rotation,
}

/// Whom a step of the escalation tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Whoever is on call in this schedule.
    Schedule {
        id: i64,
    },
    User {
        id: i64,
    },
    /// Everyone who may handle incidents of the system.
    Everyone,
}

/// A step: so long after the step before it (or after the page began), tell the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub wait_minutes: u32,
    pub target: Target,
}

/// The escalation chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    pub steps: Vec<Step>,
    /// How often the chain starts over while nobody answers; 0 to 9.
    #[serde(default)]
    pub repeat: u32,
}

const ESCALATION: &str = "respond.escalation";

impl State {
    /// Stores a new schedule. Zone and members are checked by the caller that knows zones; members must exist.
    pub async fn create_schedule(&self, new: &NewSchedule) -> Result<i64> {
        self.check_schedule(new).await?;
        let done =
            sqlx::query("INSERT INTO schedule (name, timezone, members, rotation) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(&new.name)
                .bind(&new.timezone)
                .bind(to_json(&new.members))
                .bind(to_json(&new.rotation))
                .execute(self.pool())
                .await?;
        match done.rows_affected() {
            1 => Ok(done.last_insert_rowid()),
            _ => Err(Error::Invalid(format!("there is already a schedule named {}", new.name))),
        }
    }

    /// Replaces a schedule; its overrides stay.
    pub async fn update_schedule(&self, id: i64, new: &NewSchedule) -> Result<()> {
        self.check_schedule(new).await?;
        let done = sqlx::query("UPDATE schedule SET name = ?, timezone = ?, members = ?, rotation = ? WHERE id = ?")
            .bind(&new.name)
            .bind(&new.timezone)
            .bind(to_json(&new.members))
            .bind(to_json(&new.rotation))
            .bind(id)
            .execute(self.pool())
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Invalid(format!("there is no schedule {id}"))) }
    }

    pub async fn delete_schedule(&self, id: i64) -> Result<()> {
        sqlx::query("DELETE FROM schedule WHERE id = ?").bind(id).execute(self.pool()).await?;
        Ok(())
    }

    /// All schedules with their overrides.
    pub async fn schedules(&self) -> Result<Vec<Schedule>> {
        let mut schedules: Vec<Schedule> = sqlx::query("SELECT * FROM schedule ORDER BY id")
            .fetch_all(self.pool())
            .await?
            .iter()
            .map(read_schedule)
            .collect::<Result<_>>()?;
        for row in sqlx::query("SELECT * FROM duty_override ORDER BY id").fetch_all(self.pool()).await? {
            let of: i64 = row.try_get("schedule")?;
            if let Some(schedule) = schedules.iter_mut().find(|schedule| schedule.id == of) {
                schedule.overrides.push(read_override(&row)?);
            }
        }
        Ok(schedules)
    }

    /// Lets somebody stand in from `starts` until `ends`; the newest override wins where two overlap.
    pub async fn add_override(&self, schedule: i64, new: &Override) -> Result<i64> {
        if new.ends <= new.starts {
            return Err(Error::Invalid("an override ends after it starts".into()));
        }
        let done = sqlx::query(
            "INSERT INTO duty_override (schedule, person, starts, ends, reason, created_by, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(schedule)
        .bind(new.person)
        .bind(new.starts)
        .bind(new.ends)
        .bind(&new.reason)
        .bind(&new.created_by)
        .bind(new.created)
        .execute(self.pool())
        .await?;
        Ok(done.last_insert_rowid())
    }

    pub async fn remove_override(&self, id: i64) -> Result<()> {
        sqlx::query("DELETE FROM duty_override WHERE id = ?").bind(id).execute(self.pool()).await?;
        Ok(())
    }

    /// The escalation chain that somebody set, if any; `respond` has a default.
    pub async fn escalation(&self) -> Result<Option<Escalation>> {
        self.setting(ESCALATION).await
    }

    pub async fn set_escalation(&self, escalation: &Escalation) -> Result<()> {
        if escalation.steps.is_empty() || escalation.steps.len() > 20 {
            return Err(Error::Invalid("an escalation has 1 to 20 steps".into()));
        }
        if escalation.repeat > 9 {
            return Err(Error::Invalid("an escalation repeats at most 9 times".into()));
        }
        self.set_setting(ESCALATION, escalation).await
    }

    async fn check_schedule(&self, new: &NewSchedule) -> Result<()> {
        if new.name.trim().is_empty() {
            return Err(Error::Invalid("a schedule needs a name".into()));
        }
        if new.rotation.every == 0 {
            return Err(Error::Invalid("a turn lasts at least one day".into()));
        }
        for member in &new.members {
            if self.user(*member).await?.is_none() {
                return Err(Error::Invalid(format!("there is no user {member}")));
            }
        }
        Ok(())
    }
}

fn read_schedule(row: &SqliteRow) -> Result<Schedule> {
    Ok(Schedule {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        timezone: row.try_get("timezone")?,
        members: from_json("members of a schedule", row.try_get("members")?)?,
        rotation: from_json("rotation of a schedule", row.try_get("rotation")?)?,
        overrides: Vec::new(),
    })
}

fn read_override(row: &SqliteRow) -> Result<Override> {
    Ok(Override {
        id: row.try_get("id")?,
        person: row.try_get("person")?,
        starts: row.try_get("starts")?,
        ends: row.try_get("ends")?,
        reason: row.try_get("reason")?,
        created_by: row.try_get("created_by")?,
        created: row.try_get("created")?,
    })
}
