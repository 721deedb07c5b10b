//! How long things are kept: the seam to the store's holds and forecast, and what pages and the control socket say of them.
//!
//! This crate knows no store; the program implements [`Keeping`]. What a person may see of it is decided here: totals and
//! holds on all systems are for people who see all systems, everything else goes by the scope.

use std::net::IpAddr;

use chrono::NaiveDate;
use event::{
    Micros, Scope,
    seam::{BoxFuture, Clock, Sink},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use state::State;

use crate::{
    App,
    audit::{self, Action, Line},
    error::{ApiError, Result},
    time::{read, rfc3339},
};

/// A legal hold, as its forms and tables show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub id: u64,
    /// `None` is every system.
    pub system: Option<String>,
    /// `None` is every log class.
    pub class: Option<String>,
    /// Span of `event.ingested`; open where `None`.
    pub from: Option<Micros>,
    pub to: Option<Micros>,
    pub reason: String,
    pub placed_by: String,
    pub placed_at: Micros,
    /// When, by whom and why it ended.
    pub released: Option<(Micros, String, String)>,
}

/// A forecast of the disk, days as days since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    pub at: Micros,
    pub today: i64,
    pub budget_bytes: u64,
    pub stored_bytes: u64,
    pub bytes_per_day: u64,
    pub full_on: Option<i64>,
    pub systems: Vec<SystemOutlook>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemOutlook {
    pub system: String,
    pub stored_bytes: u64,
    pub bytes_per_day: u64,
    pub keep_days: Option<i64>,
    pub minimum_days: Option<i64>,
    pub is_rule_short: bool,
    pub oldest: Option<i64>,
    pub breaks_on: Option<i64>,
}

/// What a log class takes on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassSize {
    pub class: String,
    pub rows: u64,
    pub bytes: u64,
}

/// Why the store did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// What was asked for makes no sense; the sentence says why.
    #[error("{0}")]
    Invalid(String),
    #[error("there is no such hold in force")]
    NotInForce,
    #[error("{0}")]
    Failed(String),
}

/// The store's side.
pub trait Keeping: Send + Sync {
    /// Every hold that ever was, oldest first.
    fn holds(&self) -> BoxFuture<'_, Result<Vec<Hold>, Refusal>>;

    /// Places a hold; `id`, `placed_at` and `released` of the argument mean nothing. Once it resolves, nothing that it covers
    /// is deleted.
    fn place(&self, hold: Hold) -> BoxFuture<'_, Result<Hold, Refusal>>;

    fn release<'a>(&'a self, id: u64, by: &'a str, reason: &'a str) -> BoxFuture<'a, Result<Hold, Refusal>>;

    /// The forecast of this moment.
    fn outlook(&self) -> BoxFuture<'_, Result<Outlook, Refusal>>;

    /// Events and bytes by log class, measured on the newest compacted segments.
    fn class_sizes(&self) -> BoxFuture<'_, Result<Vec<ClassSize>, Refusal>>;

    /// Days before a break or a full disk at which it is told.
    fn warn_days(&self) -> i64;
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(message) => Self::bad("invalid", message),
            Refusal::NotInForce => Self::not_found("hold in force"),
            refusal @ Refusal::Failed(_) => Self::internal("the store did not answer", &refusal),
        }
    }
}

/// A hold as a form sends it; times in RFC 3339.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HoldForm {
    #[serde(default)]
    pub system: Option<String>,
    #[serde(default)]
    pub class: Option<String>,
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
    pub reason: String,
}

impl HoldForm {
    fn into_hold(self, placed_by: &str) -> Result<Hold> {
        let text = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
        let time = |name, value| text(value).map(|value| read(name, &value)).transpose();
        Ok(Hold {
            id: 0,
            system: text(self.system),
            class: text(self.class),
            from: time("from", self.from)?,
            to: time("to", self.to)?,
            reason: self.reason,
            placed_by: placed_by.to_owned(),
            placed_at: 0,
            released: None,
        })
    }
}

/// What the functions here work with: the parts of a running server, or of a command without one.
#[derive(Clone, Copy)]
pub struct Desk<'d> {
    pub keeping: &'d dyn Keeping,
    pub state: &'d State,
    pub sink: &'d dyn Sink,
    pub clock: &'d dyn Clock,
}

impl<'d> From<&'d App> for Desk<'d> {
    fn from(app: &'d App) -> Self {
        Self { keeping: &*app.keeping, state: &app.state, sink: &*app.sink, clock: &*app.clock }
    }
}

/// Places a hold and writes the audit event.
pub async fn place(desk: Desk<'_>, form: HoldForm, actor: &str, address: Option<IpAddr>) -> Result<Value> {
    let hold = form.into_hold(actor)?;
    if let Some(system) = &hold.system {
        // A hold on a name that nobody has would hold nothing, and nobody would notice.
        let register = desk.state.register(&Scope::internal("holds")).await?;
        let is_known = system == event::UNASSIGNED || register.systems.iter().any(|known| &known.id == system);
        if !is_known {
            return Err(ApiError::bad("invalid", format!("the register has no system {system:?}")));
        }
    }
    let hold = desk.keeping.place(hold).await?;
    let message = format!("hold {} on {}: {}", hold.id, covered(&hold), hold.reason);
    audit::submit(desk.sink, desk.clock.now(), Line::new(Action::HoldPlace, actor, message).from(address)).await;
    Ok(hold_json(&hold))
}

/// Releases a hold and writes the audit event.
pub async fn release(desk: Desk<'_>, id: u64, actor: &str, address: Option<IpAddr>, reason: &str) -> Result<Value> {
    let hold = desk.keeping.release(id, actor, reason).await?;
    let message = format!("hold {} on {}: {}", hold.id, covered(&hold), reason.trim());
    audit::submit(desk.sink, desk.clock.now(), Line::new(Action::HoldRelease, actor, message).from(address)).await;
    Ok(hold_json(&hold))
}

/// What a hold covers, in words for the audit event.
fn covered(hold: &Hold) -> String {
    let or_all = |value: &Option<String>, all: &str| value.clone().unwrap_or_else(|| all.to_owned());
    let or_open = |value: Option<Micros>| value.map_or_else(|| "…".to_owned(), rfc3339);
    format!(
        "{}, {}, ingested {} to {}",
        or_all(&hold.system, "all systems"),
        or_all(&hold.class, "all classes"),
        or_open(hold.from),
        or_open(hold.to)
    )
}

/// The holds that the scope may know of.
pub async fn holds(desk: Desk<'_>, scope: &Scope) -> Result<Vec<Value>> {
    let holds = desk.keeping.holds().await?;
    let is_seen = |hold: &&Hold| match &hold.system {
        Some(system) => scope.sees(system),
        None => scope.sees_all(),
    };
    Ok(holds.iter().filter(is_seen).map(hold_json).collect())
}

fn hold_json(hold: &Hold) -> Value {
    let released = hold.released.as_ref().map(|(at, by, reason)| json!({ "at": rfc3339(*at), "by": by, "reason": reason }));
    json!({
        "id": hold.id, "system": hold.system, "class": hold.class,
        "from": hold.from.map(rfc3339), "to": hold.to.map(rfc3339), "reason": hold.reason,
        "placed_by": hold.placed_by, "placed_at": rfc3339(hold.placed_at), "released": released,
    })
}

/// The forecast as far as the scope sees it: without totals for people who do not see all systems.
pub async fn outlook(desk: Desk<'_>, scope: &Scope) -> Result<Value> {
    let outlook = desk.keeping.outlook().await?;
    let register = desk.state.register(scope).await?;
    let all = scope.sees_all();
    let systems: Vec<Value> = outlook
        .systems
        .iter()
        .filter(|system| scope.sees(&system.system))
        .map(|system| {
            let known = register.system(&system.system, outlook.at);
            json!({
                "system": system.system,
                "name": known.map(|known| known.name.clone()),
                "level": known.map(|known| known.level),
                "stored_bytes": system.stored_bytes,
                "bytes_per_day": system.bytes_per_day,
                "keep_days": system.keep_days,
                "minimum_days": system.minimum_days,
                "rule_short": system.is_rule_short,
                "oldest": system.oldest.map(date),
                "breaks_on": system.breaks_on.map(date),
                "days_left": system.breaks_on.map(|day| day - outlook.today),
            })
        })
        .collect();
    Ok(json!({
        "at": rfc3339(outlook.at),
        "budget_bytes": all.then_some(outlook.budget_bytes),
        "stored_bytes": all.then_some(outlook.stored_bytes),
        "bytes_per_day": all.then_some(outlook.bytes_per_day),
        "full_on": outlook.full_on.filter(|_| all).map(date),
        "days_left": outlook.full_on.filter(|_| all).map(|day| day - outlook.today),
        "warn_days": desk.keeping.warn_days(),
        "systems": systems,
    }))
}

/// Sizes by class beside the forecast, for `chieng doctor`.
pub async fn sizes(desk: Desk<'_>, scope: &Scope) -> Result<Value> {
    let one = |size: &ClassSize| json!({ "class": size.class, "rows": size.rows, "bytes": size.bytes });
    let classes: Vec<Value> = desk.keeping.class_sizes().await?.iter().map(one).collect();
    Ok(json!({ "classes": classes, "outlook": outlook(desk, scope).await? }))
}

/// Lines for the wall board: systems whose minimum breaks soon, else a disk that is full soon.
pub async fn attention(app: &App, scope: &Scope) -> Result<Vec<Value>> {
    let outlook = app.keeping.outlook().await?;
    Ok(lines(&outlook, app.keeping.warn_days(), scope))
}

fn lines(outlook: &Outlook, warn_days: i64, scope: &Scope) -> Vec<Value> {
    let soon = |day: &i64| day - outlook.today <= warn_days;
    let severity = |day: i64| if day - outlook.today <= 7 { "critical" } else { "high" };
    let mut found: Vec<Value> = Vec::new();
    let mut breaking: Vec<(i64, &SystemOutlook)> = outlook
        .systems
        .iter()
        .filter(|system| scope.sees(&system.system))
        .filter_map(|system| Some((system.breaks_on.filter(soon)?, system)))
        .collect();
    breaking.sort_by_key(|(day, system)| (*day, system.system.clone()));
    if let Some((day, system)) = breaking.first() {
        let (more_vi, more_en) = match breaking.len() - 1 {
            0 => (String::new(), String::new()),
            more => (format!(" và {more} hệ thống nữa"), format!(" and {more} more systems")),
        };
        found.push(json!({
            "kind": "retention", "severity": severity(*day), "link": "/sources",
            "text_vi": format!("Ổ đĩa không đủ: {}{more_vi} sẽ thiếu thời gian lưu tối thiểu từ {}", system.system, vietnamese(*day)),
            "text_en": format!("The disk is too small: {}{more_en} will fall below the legal minimum of retention on {}", system.system, date(*day)),
        }));
    } else if let Some(day) = outlook.full_on.filter(soon).filter(|_| scope.sees_all()) {
        found.push(json!({
            "kind": "disk", "severity": severity(day), "link": "/sources",
            "text_vi": format!("Ổ đĩa dành cho nhật ký sẽ đầy vào {}", vietnamese(day)),
            "text_en": format!("The disk for logs will be full on {}", date(day)),
        }));
    }
    let short: Vec<&str> = outlook
        .systems
        .iter()
        .filter(|system| system.is_rule_short && scope.sees(&system.system))
        .map(|system| system.system.as_str())
        .collect();
    if let Some(first) = short.first() {
        found.push(json!({
            "kind": "retention_rule", "severity": "high", "link": "/sources",
            "text_vi": format!("Cấu hình lưu ngắn hơn mức tối thiểu của cấp độ: {first}{}", if short.len() > 1 { " …" } else { "" }),
            "text_en": format!("The configured retention is shorter than the level asks: {first}{}", if short.len() > 1 { " …" } else { "" }),
        }));
    }
    found
}

/// `2026-11-23`
pub fn date(day: i64) -> String {
    calendar(day).to_string()
}

fn vietnamese(day: i64) -> String {
    calendar(day).format("%d/%m/%Y").to_string()
}

fn calendar(day: i64) -> NaiveDate {
    i32::try_from(day).ok().and_then(NaiveDate::from_epoch_days).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use event::{Role, Systems};

    use super::*;

    fn outlook(full_on: Option<i64>, breaks: &[(&str, Option<i64>)]) -> Outlook {
        let system = |(name, breaks_on): &(&str, Option<i64>)| SystemOutlook {
            system: (*name).into(),
            breaks_on: *breaks_on,
            ..SystemOutlook::default()
        };
        Outlook { today: 20_000, full_on, systems: breaks.iter().map(system).collect(), ..Outlook::default() }
    }

    #[test]
    fn the_board_names_what_breaks_first_and_says_nothing_when_all_is_well() {
        let all = Scope::internal("test");
        assert!(lines(&outlook(Some(20_100), &[("dvc", Some(20_090))]), 60, &all).is_empty());
        let found = lines(&outlook(Some(20_005), &[("dvc", Some(20_030)), ("mail", Some(20_006)), ("web", None)]), 60, &all);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["severity"], "critical");
        assert_eq!(found[0]["text_vi"], "Ổ đĩa không đủ: mail và 1 hệ thống nữa sẽ thiếu thời gian lưu tối thiểu từ 10/10/2024");
        assert_eq!(lines(&outlook(Some(20_010), &[("dvc", None)]), 60, &all)[0]["kind"], "disk");
    }

    #[test]
    fn an_owner_hears_of_the_own_system_only() {
        let owner = Scope { actor: "a".into(), role: Role::Owner, systems: Systems::Only(BTreeSet::from(["dvc".to_owned()])) };
        let seen = lines(&outlook(Some(20_001), &[("mail", Some(20_001))]), 60, &owner);
        assert!(seen.is_empty(), "{seen:?}");
        assert_eq!(lines(&outlook(None, &[("dvc", Some(20_001))]), 60, &owner).len(), 1);
    }
}
