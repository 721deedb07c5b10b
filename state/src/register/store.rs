//! The register's tables: reading all versions, and the few ways to write them.

use std::net::IpAddr;

use chrono::NaiveDate;
use event::{Micros, Scope};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{
    Approval, Asset, AssetKind, AssetRole, Author, Change, Decision, Organisation, Register, Snapshot, System, Tier, in_force,
    rows,
};
use crate::{Error, Migrations, Result, State};

pub(crate) const MIGRATIONS: Migrations = Migrations {
    module: "register",
    steps: &["
        CREATE TABLE register_change (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
            action TEXT NOT NULL, subject TEXT NOT NULL, key TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
            shrinks INTEGER NOT NULL
        );
        CREATE TABLE register_system (
            id TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_to INTEGER, name TEXT NOT NULL,
            level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 5), decision_number TEXT, decision_date TEXT, decision_body TEXT,
            approval TEXT NOT NULL, owner TEXT NOT NULL, operator TEXT NOT NULL, unit TEXT, retention_months INTEGER,
            monitored INTEGER NOT NULL, monitored_from INTEGER,
            PRIMARY KEY (id, valid_from)
        );
        CREATE TABLE register_asset (
            id INTEGER PRIMARY KEY AUTOINCREMENT, system TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
            name TEXT NOT NULL, role TEXT NOT NULL, quantity INTEGER NOT NULL, expected_source INTEGER NOT NULL,
            classes TEXT NOT NULL, shared INTEGER NOT NULL, valid_from INTEGER NOT NULL, valid_to INTEGER,
            UNIQUE (system, kind, value, valid_from)
        );
        CREATE TABLE register_organisation (
            id TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_to INTEGER, name TEXT NOT NULL, tier TEXT NOT NULL, parent TEXT,
            PRIMARY KEY (id, valid_from)
        );
        CREATE TABLE register_amendment (
            id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL, system TEXT NOT NULL, since INTEGER NOT NULL,
            at INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL
        );
    "],
};

/// Giving an unknown sender to a system.
#[derive(Clone, Debug)]
pub struct Adoption<'a> {
    pub address: IpAddr,
    pub system: &'a str,
    pub asset_name: Option<&'a str>,
    pub expected_source: bool,
    /// From when on the sender's past events count as the system's.
    pub since: Micros,
}

/// A dated amendment: events of this sender since then are this system's, though they were stored as unassigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    pub id: i64,
    pub address: String,
    pub system: String,
    pub since: Micros,
    pub at: Micros,
    pub actor: String,
    pub reason: String,
}

impl State {
    /// Reads all versions of all rows that the scope sees.
    pub async fn register(&self, scope: &Scope) -> Result<Register> {
        let mut tx = self.pool().begin().await?;
        let mut register = load(&mut tx).await?;
        tx.commit().await?;
        if !scope.sees_all() {
            register.systems.retain(|system| scope.sees(&system.id));
            register.assets.retain(|asset| scope.sees(&asset.system));
        }
        Ok(register)
    }

    /// Number of the register's last change; cheap, to see whether a [`Snapshot`] is out of date.
    pub async fn register_revision(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM register_change").fetch_one(self.pool()).await?)
    }

    /// Compiles the attribution look-up as of `at`; for the pipe, hence without a scope.
    pub async fn register_snapshot(&self, at: Micros) -> Result<Snapshot> {
        Ok(self.register(&Scope::internal("attribution")).await?.snapshot(at))
    }

    /// The register's log, newest first.
    pub async fn register_changes(&self, scope: &Scope, limit: u32) -> Result<Vec<Change>> {
        let rows =
            sqlx::query("SELECT * FROM register_change ORDER BY id DESC LIMIT ?").bind(limit).fetch_all(self.pool()).await?;
        let changes = rows.iter().map(read_change).collect::<Result<Vec<_>, _>>()?;
        Ok(changes.into_iter().filter(|change| scope.sees_all() || scope.sees(system_of(change))).collect())
    }

    /// Adopts an unknown sender: an asset row, a dated amendment for what is already stored, and a logged change, at once.
    pub async fn adopt_sender(&self, adoption: &Adoption<'_>, author: &Author<'_>) -> Result<Asset> {
        check_author(author)?;
        let mut tx = self.pool().begin_with("BEGIN IMMEDIATE").await?;
        let register = load(&mut tx).await?;
        let address = adoption.address.to_canonical().to_string();
        if register.system(adoption.system, author.at).is_none() {
            return Err(Error::Invalid(format!("system {} is not in the register", adoption.system)));
        }
        let holder =
            register.assets.iter().find(|asset| asset.value == address && in_force(asset.valid_from, asset.valid_to, author.at));
        if let Some(holder) = holder {
            return Err(Error::Invalid(format!("address {address} already belongs to system {}", holder.system)));
        }
        let mut asset = Asset {
            id: 0,
            system: adoption.system.to_owned(),
            kind: AssetKind::Address,
            name: adoption.asset_name.unwrap_or(&address).to_owned(),
            value: address.clone(),
            role: AssetRole::Other,
            quantity: 1,
            expected_source: adoption.expected_source,
            classes: Vec::new(),
            shared: false,
            valid_from: adoption.since.min(author.at),
            valid_to: None,
        };
        asset.id = insert_asset(&mut tx, &asset).await?;
        sqlx::query("INSERT INTO register_amendment (address, system, since, at, actor, reason) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&address)
            .bind(adoption.system)
            .bind(asset.valid_from)
            .bind(author.at)
            .bind(author.actor)
            .bind(author.reason)
            .execute(&mut *tx)
            .await?;
        log_asset(&mut tx, author, "adopt", None, Some(&asset)).await?;
        tx.commit().await?;
        Ok(asset)
    }

    /// All amendments, oldest first.
    pub async fn amendments(&self, scope: &Scope) -> Result<Vec<Amendment>> {
        let rows = sqlx::query("SELECT * FROM register_amendment ORDER BY id").fetch_all(self.pool()).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let amendment = Amendment {
                id: row.try_get("id")?,
                address: row.try_get("address")?,
                system: row.try_get("system")?,
                since: row.try_get("since")?,
                at: row.try_get("at")?,
                actor: row.try_get("actor")?,
                reason: row.try_get("reason")?,
            };
            if scope.sees(&amendment.system) {
                found.push(amendment);
            }
        }
        Ok(found)
    }

    /// Ends an asset. It still counts in the score's denominator for the look-back window, and the change is listed.
    pub async fn end_asset(&self, id: i64, author: &Author<'_>) -> Result<()> {
        check_author(author)?;
        let mut tx = self.pool().begin_with("BEGIN IMMEDIATE").await?;
        let register = load(&mut tx).await?;
        let Some(before) =
            register.assets.iter().find(|asset| asset.id == id && in_force(asset.valid_from, asset.valid_to, author.at))
        else {
            return Err(Error::Invalid(format!("asset {id} is not in force")));
        };
        let after = Asset { valid_to: Some(author.at.max(before.valid_from + 1)), ..before.clone() };
        sqlx::query("UPDATE register_asset SET valid_to = ? WHERE id = ?")
            .bind(after.valid_to)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        log_asset(&mut tx, author, "end", Some(before), Some(&after)).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A change without a person or a reason is refused.
pub(super) fn check_author(author: &Author<'_>) -> Result<()> {
    if author.actor.trim().is_empty() || author.reason.trim().is_empty() {
        return Err(Error::Invalid("a change of the register needs a person and a reason".to_owned()));
    }
    Ok(())
}

pub(super) async fn load(db: &mut SqliteConnection) -> Result<Register> {
    let revision = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM register_change").fetch_one(&mut *db).await?;
    let systems = sqlx::query("SELECT * FROM register_system ORDER BY id, valid_from").fetch_all(&mut *db).await?;
    let assets = sqlx::query("SELECT * FROM register_asset ORDER BY id").fetch_all(&mut *db).await?;
    let organisations = sqlx::query("SELECT * FROM register_organisation ORDER BY id, valid_from").fetch_all(&mut *db).await?;
    Ok(Register {
        revision,
        systems: systems.iter().map(read_system).collect::<Result<_, _>>()?,
        assets: assets.iter().map(read_asset).collect::<Result<_, _>>()?,
        organisations: organisations.iter().map(read_organisation).collect::<Result<_, _>>()?,
    })
}

fn read_system(row: &SqliteRow) -> Result<System, sqlx::Error> {
    let approval: String = row.try_get("approval")?;
    let date: Option<String> = row.try_get("decision_date")?;
    Ok(System {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        level: row.try_get::<u8, _>("level")?,
        decision: Decision {
            number: row.try_get("decision_number")?,
            date: date.and_then(|date| NaiveDate::parse_from_str(&date, "%Y-%m-%d").ok()),
            body: row.try_get("decision_body")?,
        },
        approval: Approval::ALL.into_iter().find(|a| a.name() == approval).unwrap_or(Approval::Draft),
        owner: row.try_get("owner")?,
        operator: row.try_get("operator")?,
        unit: row.try_get("unit")?,
        retention_months: row.try_get("retention_months")?,
        monitored: row.try_get("monitored")?,
        monitored_from: row.try_get("monitored_from")?,
        valid_from: row.try_get("valid_from")?,
        valid_to: row.try_get("valid_to")?,
    })
}

fn read_asset(row: &SqliteRow) -> Result<Asset, sqlx::Error> {
    let (kind, role, classes): (String, String, String) = (row.try_get("kind")?, row.try_get("role")?, row.try_get("classes")?);
    Ok(Asset {
        id: row.try_get("id")?,
        system: row.try_get("system")?,
        kind: AssetKind::ALL.into_iter().find(|k| k.name() == kind).unwrap_or(AssetKind::Host),
        value: row.try_get("value")?,
        name: row.try_get("name")?,
        role: AssetRole::ALL.into_iter().find(|r| r.name() == role).unwrap_or_default(),
        quantity: row.try_get("quantity")?,
        expected_source: row.try_get("expected_source")?,
        classes: classes.split(',').filter(|class| !class.is_empty()).map(str::to_owned).collect(),
        shared: row.try_get("shared")?,
        valid_from: row.try_get("valid_from")?,
        valid_to: row.try_get("valid_to")?,
    })
}

fn read_organisation(row: &SqliteRow) -> Result<Organisation, sqlx::Error> {
    let tier: String = row.try_get("tier")?;
    Ok(Organisation {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        tier: Tier::ALL.into_iter().find(|t| t.name() == tier).unwrap_or(Tier::Xa),
        parent: row.try_get("parent")?,
        valid_from: row.try_get("valid_from")?,
        valid_to: row.try_get("valid_to")?,
    })
}

fn read_change(row: &SqliteRow) -> Result<Change, sqlx::Error> {
    Ok(Change {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        reason: row.try_get("reason")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        key: row.try_get("key")?,
        before: row.try_get("before")?,
        after: row.try_get("after")?,
        shrinks: row.try_get("shrinks")?,
    })
}

/// The system that a change is about; keys of assets read `system value`.
fn system_of(change: &Change) -> &str {
    if change.subject == "organisation" { "" } else { change.key.split(' ').next().unwrap_or_default() }
}

pub(super) async fn insert_asset(db: &mut SqliteConnection, asset: &Asset) -> Result<i64> {
    let done = sqlx::query(
        "INSERT INTO register_asset (system, kind, value, name, role, quantity, expected_source, classes, shared, valid_from, valid_to)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (system, kind, value, valid_from) DO UPDATE SET name = excluded.name, role = excluded.role,
            quantity = excluded.quantity, expected_source = excluded.expected_source, classes = excluded.classes,
            shared = excluded.shared, valid_to = excluded.valid_to
         RETURNING id",
    )
    .bind(&asset.system)
    .bind(asset.kind.name())
    .bind(&asset.value)
    .bind(&asset.name)
    .bind(asset.role.name())
    .bind(asset.quantity)
    .bind(asset.expected_source)
    .bind(asset.classes.join(","))
    .bind(asset.shared)
    .bind(asset.valid_from)
    .bind(asset.valid_to)
    .fetch_one(db)
    .await?;
    Ok(done.try_get("id")?)
}

pub(super) async fn insert_system(db: &mut SqliteConnection, system: &System) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO register_system (id, valid_from, valid_to, name, level, decision_number, decision_date, decision_body,
            approval, owner, operator, unit, retention_months, monitored, monitored_from)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&system.id)
    .bind(system.valid_from)
    .bind(system.valid_to)
    .bind(&system.name)
    .bind(system.level)
    .bind(&system.decision.number)
    .bind(system.decision.date.map(|date| date.to_string()))
    .bind(&system.decision.body)
    .bind(system.approval.name())
    .bind(&system.owner)
    .bind(&system.operator)
    .bind(&system.unit)
    .bind(system.retention_months)
    .bind(system.monitored)
    .bind(system.monitored_from)
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn insert_organisation(db: &mut SqliteConnection, organisation: &Organisation) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO register_organisation (id, valid_from, valid_to, name, tier, parent) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&organisation.id)
    .bind(organisation.valid_from)
    .bind(organisation.valid_to)
    .bind(&organisation.name)
    .bind(organisation.tier.name())
    .bind(&organisation.parent)
    .execute(db)
    .await?;
    Ok(())
}

/// Writes one entry of the register's log.
pub(super) async fn log(
    db: &mut SqliteConnection,
    author: &Author<'_>,
    (action, subject, key): (&str, &str, &str),
    (before, after): (String, String),
    shrinks: bool,
) -> Result<()> {
    sqlx::query("INSERT INTO register_change (at, actor, reason, action, subject, key, before, after, shrinks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(author.at)
        .bind(author.actor)
        .bind(author.reason)
        .bind(action)
        .bind(subject)
        .bind(key)
        .bind(before)
        .bind(after)
        .bind(shrinks)
        .execute(db)
        .await?;
    Ok(())
}

pub(super) async fn log_asset(
    db: &mut SqliteConnection,
    author: &Author<'_>,
    action: &str,
    before: Option<&Asset>,
    after: Option<&Asset>,
) -> Result<()> {
    let owed =
        |asset: &Asset| if asset.valid_to.is_none() { (u64::from(asset.quantity), asset.expected_source) } else { (0, false) };
    let (was, is) = (before.map_or((0, false), owed), after.map_or((0, false), owed));
    let key = before.or(after).map_or_else(String::new, |asset| format!("{} {}", asset.system, asset.value));
    log(db, author, (action, "asset", &key), (json(before), json(after)), is.0 < was.0 || (was.1 && !is.1)).await
}

pub(super) fn json<T: serde::Serialize>(row: Option<&T>) -> String {
    row.and_then(|row| serde_json::to_string(row).ok()).unwrap_or_default()
}

/// Ranges of two assets, when both are ranges.
pub(super) fn both_bounds(a: &Asset, b: &Asset) -> Option<(rows::Bounds, rows::Bounds)> {
    Some((rows::bounds(a)?, rows::bounds(b)?))
}
