//! The register: which information systems the province has, at which level, who answers for them, and which addresses and
//! machines are theirs.
//!
//! Every row is dated (`valid_from` ≤ T < `valid_to`), so that a question about a past day gets that day's answer; nothing is
//! ever deleted, only ended. Every write is one [`Change`] with a person and a reason, and the number of the last change is
//! the register's revision, which sealed scores name.
//!
//! What is not here: what a level demands (`comply`), and any parsing of log lines.
//!
//! Invariants: at one moment a system has one row, hence one level and one owner (ND 331/2026/NĐ-CP art. 8.1.a); two systems
//! hold the same range only when both rows say `shared`.

mod csv;
mod import;
mod rows;
mod snapshot;
mod store;
mod tables;

use chrono::NaiveDate;
use event::Micros;
use serde::{Deserialize, Serialize};

pub use csv::RowError;
pub use import::{ImportKind, ImportReport};
pub use snapshot::{Attribution, AttributionInput, Entity, Snapshot, SystemEntry};
pub use store::{Adoption, Amendment};
pub use tables::{AssetsTable, OrganisationsTable, SystemsTable};

pub(crate) use store::MIGRATIONS;

/// An information system (hệ thống thông tin) as it stood during one period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Code, as events carry it in `system.id`: 1–64 of `[a-z0-9._-]`.
    pub id: String,
    pub name: String,
    /// Approved (or proposed) security level, 1–5.
    pub level: u8,
    pub decision: Decision,
    pub approval: Approval,
    /// Chủ quản.
    pub owner: String,
    /// Đơn vị vận hành.
    pub operator: String,
    /// Organisation that the system is counted under; events carry it in `organization.id`.
    pub unit: Option<String>,
    /// Retention longer than the level asks; never shorter.
    pub retention_months: Option<u32>,
    /// Whether its owner wants it watched here.
    pub monitored: bool,
    /// Since when logs are owed; days before it are not a hole.
    pub monitored_from: Option<Micros>,
    pub valid_from: Micros,
    pub valid_to: Option<Micros>,
}

/// The decision that approves the level (Mẫu 06 of ND 331/2026/NĐ-CP).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub number: Option<String>,
    pub date: Option<NaiveDate>,
    pub body: Option<String>,
}

/// Approval states of Mẫu 08, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    Draft,
    Submitted,
    Appraised,
    Approved,
}

impl Approval {
    pub const ALL: [Self; 4] = [Self::Draft, Self::Submitted, Self::Appraised, Self::Approved];

    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Appraised => "appraised",
            Self::Approved => "approved",
        }
    }

    /// The exact words of Mẫu 08.
    pub fn label_vi(self) -> &'static str {
        match self {
            Self::Draft => "Đang dự thảo",
            Self::Submitted => "Đã gửi thẩm định",
            Self::Appraised => "Đã thẩm định",
            Self::Approved => "Đã được phê duyệt",
        }
    }
}

/// A body of the province. Bodies that were merged or abolished keep their row, ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    pub id: String,
    pub name: String,
    pub tier: Tier,
    pub parent: Option<String>,
    pub valid_from: Micros,
    pub valid_to: Option<Micros>,
}

/// Where a body stands. Districts ended on 01/07/2025 and live on in history only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Tinh,
    SoNganh,
    Huyen,
    Xa,
}

impl Tier {
    pub const ALL: [Self; 4] = [Self::Tinh, Self::SoNganh, Self::Huyen, Self::Xa];

    pub fn name(self) -> &'static str {
        match self {
            Self::Tinh => "tinh",
            Self::SoNganh => "so_nganh",
            Self::Huyen => "huyen",
            Self::Xa => "xa",
        }
    }
}

/// What the dossier says belongs to a system: an address, a range of addresses, or a machine by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub id: i64,
    pub system: String,
    pub kind: AssetKind,
    /// Canonical text: `10.1.2.3`, `10.1.2.0/24`, `10.1.2.1-10.1.2.9`, `dc01`.
    pub value: String,
    pub name: String,
    pub role: AssetRole,
    /// How many machines the row stands for (a range of 40 PCs is one row of 40).
    pub quantity: u32,
    /// True when logs are owed by it.
    pub expected_source: bool,
    /// Log classes owed by it: `access`, `application`, `alert`, `process`, `data`.
    pub classes: Vec<String>,
    /// True when another system may hold the same range; the highest level then rules.
    pub shared: bool,
    pub valid_from: Micros,
    pub valid_to: Option<Micros>,
}

impl Asset {
    /// True when the address lies in the asset's address or range; never for hosts.
    pub fn covers(&self, ip: std::net::IpAddr) -> bool {
        let (v6, n) = rows::number(ip);
        rows::bounds(self).is_some_and(|bounds| bounds.v6 == v6 && bounds.first <= n && n <= bounds.last)
    }

    /// Addresses beyond the first; the narrower range is the more specific one.
    pub fn width(&self) -> u128 {
        rows::bounds(self).map_or(0, |bounds| bounds.size())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    Address,
    Range,
    Host,
}

impl AssetKind {
    pub const ALL: [Self; 3] = [Self::Address, Self::Range, Self::Host];

    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Range => "range",
            Self::Host => "host",
        }
    }
}

/// What the thing is; checks ask it (anti-malware is owed by PCs and servers, not by switches).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetRole {
    Server,
    Pc,
    Network,
    Security,
    Application,
    #[default]
    Other,
}

impl AssetRole {
    pub const ALL: [Self; 6] = [Self::Server, Self::Pc, Self::Network, Self::Security, Self::Application, Self::Other];

    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Pc => "pc",
            Self::Network => "network",
            Self::Security => "security",
            Self::Application => "application",
            Self::Other => "other",
        }
    }
}

/// The log classes that an asset may owe (TCVN 14423:2026 x.8.2.1 a).
pub const LOG_CLASSES: [&str; 5] = ["access", "application", "alert", "process", "data"];

/// Who changes the register, when and why. No write without one.
#[derive(Clone, Debug)]
pub struct Author<'a> {
    pub actor: &'a str,
    pub at: Micros,
    pub reason: &'a str,
}

/// One entry of the register's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub id: i64,
    pub at: Micros,
    pub actor: String,
    pub reason: String,
    /// `import`, `adopt`, `end`.
    pub action: String,
    /// `system`, `asset`, `organisation`.
    pub subject: String,
    pub key: String,
    /// The row before and after, as JSON; empty when there was none.
    pub before: String,
    pub after: String,
    /// True when fewer things are owed after it than before.
    pub shrinks: bool,
}

/// All versions of all rows, as of one revision. Small: a province has some thousand rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    pub revision: i64,
    pub systems: Vec<System>,
    pub assets: Vec<Asset>,
    pub organisations: Vec<Organisation>,
}

/// Returns true when a row of this period is in force at `at`.
pub fn in_force(valid_from: Micros, valid_to: Option<Micros>, at: Micros) -> bool {
    valid_from <= at && valid_to.is_none_or(|end| at < end)
}

impl Register {
    /// Returns the system as it stands at `at`.
    pub fn system(&self, id: &str, at: Micros) -> Option<&System> {
        self.systems.iter().filter(|s| s.id == id && in_force(s.valid_from, s.valid_to, at)).max_by_key(|s| s.valid_from)
    }

    /// Systems in force at `at`, by code.
    pub fn systems_at(&self, at: Micros) -> Vec<&System> {
        let mut found: Vec<_> = self.systems.iter().filter(|s| in_force(s.valid_from, s.valid_to, at)).collect();
        found.sort_by(|a, b| a.id.cmp(&b.id).then(b.valid_from.cmp(&a.valid_from)));
        found.dedup_by(|later, first| later.id == first.id);
        found
    }

    /// Assets of a system that were in force at any moment of `[from, to]`.
    pub fn assets_between<'a>(&'a self, system: &'a str, from: Micros, to: Micros) -> impl Iterator<Item = &'a Asset> {
        self.assets.iter().filter(move |a| a.system == system && a.valid_from <= to && a.valid_to.is_none_or(|end| from < end))
    }

    /// Assets of a system in force at `at`.
    pub fn assets_at<'a>(&'a self, system: &'a str, at: Micros) -> impl Iterator<Item = &'a Asset> {
        self.assets.iter().filter(move |a| a.system == system && in_force(a.valid_from, a.valid_to, at))
    }

    pub fn organisation(&self, id: &str, at: Micros) -> Option<&Organisation> {
        self.organisations.iter().filter(|o| o.id == id && in_force(o.valid_from, o.valid_to, at)).max_by_key(|o| o.valid_from)
    }

    /// Compiles the look-up that attribution uses.
    pub fn snapshot(&self, at: Micros) -> Snapshot {
        Snapshot::new(self, at)
    }
}

/// Local midnight (UTC+7, no daylight saving) of a Vietnamese calendar day.
pub fn midnight(day: NaiveDate) -> Micros {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros() - LOCAL_OFFSET
}

/// The Vietnamese calendar day that a moment falls on.
pub fn local_day(at: Micros) -> NaiveDate {
    chrono::DateTime::from_timestamp_micros(at.saturating_add(LOCAL_OFFSET)).map_or(NaiveDate::MIN, |time| time.date_naive())
}

const LOCAL_OFFSET: Micros = 7 * 3_600 * 1_000_000;

#[cfg(test)]
mod tests;
