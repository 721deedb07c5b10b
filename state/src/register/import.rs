//! CSV import: each row is judged against the register and against the rows before it; good rows work, bad ones are named.
//!
//! One transaction, one log entry a row. A dry run goes the same way and rolls back, so that its answer is the real one.

use event::Micros;
use serde::Serialize;

use super::{
    Asset, Author, Organisation, Register, System,
    csv::{self, RowError},
    rows::{self, Dated},
    store,
};
use crate::{Result, State};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    Systems,
    Assets,
    Organisations,
}

impl ImportKind {
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "systems" => Some(Self::Systems),
            "assets" => Some(Self::Assets),
            "organisations" => Some(Self::Organisations),
            _ => None,
        }
    }
}

/// What became of a file. `accepted` counts rows in force after it, unchanged ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    pub accepted: usize,
    /// Accepted rows that changed something.
    pub changed: usize,
    pub errors: Vec<RowError>,
}

impl State {
    /// Imports a CSV file into the register. Refused rows are in the report; `Err` means that nothing was written.
    pub async fn register_import(
        &self,
        kind: ImportKind,
        csv: &[u8],
        author: &Author<'_>,
        dry_run: bool,
    ) -> Result<ImportReport> {
        store::check_author(author)?;
        let mut tx = self.pool().begin_with("BEGIN IMMEDIATE").await?;
        let mut register = store::load(&mut tx).await?;
        let mut report = ImportReport::default();
        match kind {
            ImportKind::Systems => {
                for row in read(csv, rows::SYSTEM_COLUMNS, author.at, rows::system, &mut report) {
                    let line = row.line;
                    match place_system(&register, row) {
                        Ok(placed) => write_system(&mut tx, &mut register, placed, author, &mut report).await?,
                        Err((vi, en)) => report.errors.push(RowError::new(line, 0, vi, en)),
                    }
                }
            }
            ImportKind::Assets => {
                for row in read(csv, rows::ASSET_COLUMNS, author.at, rows::asset, &mut report) {
                    let line = row.line;
                    match place_asset(&register, row, author.at) {
                        Ok(asset) => write_asset(&mut tx, &mut register, asset, author, &mut report).await?,
                        Err((vi, en)) => report.errors.push(RowError::new(line, 0, vi, en)),
                    }
                }
            }
            ImportKind::Organisations => {
                for row in read(csv, rows::ORGANISATION_COLUMNS, author.at, rows::organisation, &mut report) {
                    write_organisation(&mut tx, &mut register, row, author, &mut report).await?;
                }
            }
        }
        report.errors.sort();
        if dry_run {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        Ok(report)
    }
}

type ReadRow<T> = fn(&csv::Table, &csv::Row, Micros) -> Result<Dated<T>, RowError>;
type Refusal = (String, String);

fn read<T>(bytes: &[u8], columns: &[csv::Column], now: Micros, read_row: ReadRow<T>, report: &mut ImportReport) -> Vec<Dated<T>> {
    let (table, errors) = csv::read(bytes, columns);
    report.errors = errors;
    let mut good = Vec::new();
    for row in &table.rows {
        match read_row(&table, row, now) {
            Ok(row) => good.push(row),
            Err(error) => report.errors.push(error),
        }
    }
    good
}

/// A system row and the version that it ends, if any.
struct PlacedSystem {
    system: System,
    ends: Option<System>,
    before: Option<System>,
}

fn place_system(register: &Register, dated: Dated<System>) -> Result<PlacedSystem, Refusal> {
    let mut system = dated.row;
    let mut versions: Vec<_> = register.systems.iter().filter(|s| s.id == system.id).collect();
    versions.sort_by_key(|s| s.valid_from);
    // Without a date of its own a row corrects the version in force.
    if let Some(current) = versions.last().filter(|_| !dated.has_from) {
        system.valid_from = current.valid_from;
    }
    let before = versions.iter().find(|s| s.valid_from == system.valid_from).copied();
    if let Some(before) = before {
        refuse_contradiction(before, &system)?;
    }
    let earlier = versions.iter().rev().find(|s| s.valid_from < system.valid_from).copied();
    let ends = earlier.filter(|s| s.valid_to.is_none_or(|end| end > system.valid_from)).cloned();
    let next = versions.iter().find(|s| s.valid_from > system.valid_from).map(|s| s.valid_from);
    system.valid_to = match (system.valid_to, next) {
        (Some(end), Some(next)) => Some(end.min(next)),
        (end, next) => end.or(next),
    };
    Ok(PlacedSystem { system, ends, before: before.cloned() })
}

/// Two rows for the same system and the same moment must not name two owners or two levels.
fn refuse_contradiction(before: &System, after: &System) -> Result<(), Refusal> {
    if before.owner != after.owner {
        return Err((
            format!(
                "hệ thống {} đã có chủ quản “{}”; mỗi hệ thống chỉ có một chủ quản (NĐ 331/2026/NĐ-CP điều 8.1.a). Nếu đổi chủ quản, ghi ngày hiệu lực mới",
                before.id, before.owner
            ),
            format!(
                "system {} already has the owner “{}”; a system has exactly one (ND 331/2026/NĐ-CP art. 8.1.a). For a change of owner give a new valid_from",
                before.id, before.owner
            ),
        ));
    }
    if before.level != after.level && before.decision.number.is_some() && before.decision.number == after.decision.number {
        return Err((
            format!(
                "hệ thống {} đã là cấp {} theo cùng quyết định; đổi cấp độ phải có quyết định mới (NĐ 331/2026/NĐ-CP điều 25)",
                before.id, before.level
            ),
            format!(
                "system {} is level {} by the same decision; a new level needs a new decision (ND 331/2026/NĐ-CP art. 25)",
                before.id, before.level
            ),
        ));
    }
    Ok(())
}

type Db<'a> = sqlx::Transaction<'a, sqlx::Sqlite>;

async fn write_system(
    tx: &mut Db<'_>,
    register: &mut Register,
    placed: PlacedSystem,
    author: &Author<'_>,
    report: &mut ImportReport,
) -> Result<()> {
    report.accepted += 1;
    let PlacedSystem { system, ends, before } = placed;
    if before.as_ref() == Some(&system) {
        return Ok(());
    }
    report.changed += 1;
    if let Some(mut ended) = ends {
        ended.valid_to = Some(system.valid_from);
        store::insert_system(tx, &ended).await?;
        register.systems.retain(|s| (&s.id, s.valid_from) != (&ended.id, ended.valid_from));
        register.systems.push(ended);
    }
    store::insert_system(tx, &system).await?;
    let was = before.as_ref().or_else(|| register.system(&system.id, system.valid_from - 1));
    let shrinks = was.is_some_and(|was| {
        system.level < was.level || (was.monitored && !system.monitored) || (was.valid_to.is_none() && system.valid_to.is_some())
    });
    let log = (store::json(was), store::json(Some(&system)));
    store::log(tx, author, ("import", "system", &system.id), log, shrinks).await?;
    register.systems.retain(|s| (&s.id, s.valid_from) != (&system.id, system.valid_from));
    register.systems.push(system);
    Ok(())
}

fn place_asset(register: &Register, dated: Dated<Asset>, now: Micros) -> Result<Asset, Refusal> {
    let mut asset = dated.row;
    if !register.systems.iter().any(|system| system.id == asset.system) {
        return Err((
            format!("hệ thống “{}” chưa có trong sổ đăng ký; nhập hệ thống trước", asset.system),
            format!("system “{}” is not in the register; import systems first", asset.system),
        ));
    }
    let same = |other: &&Asset| other.system == asset.system && other.kind == asset.kind && other.value == asset.value;
    let current = register
        .assets
        .iter()
        .filter(same)
        .filter(|a| super::in_force(a.valid_from, a.valid_to, now))
        .max_by_key(|a| a.valid_from);
    if let Some(current) = current {
        if !dated.has_from {
            asset.valid_from = current.valid_from;
        } else if current.valid_from != asset.valid_from {
            return Err((
                format!("“{}” đã thuộc hệ thống này từ {}", asset.value, super::local_day(current.valid_from).format("%d/%m/%Y")),
                format!("“{}” is this system's already, since {}", asset.value, super::local_day(current.valid_from)),
            ));
        }
        asset.id = current.id;
    }
    let overlaps_in_time = |other: &&Asset| {
        other.valid_to.is_none_or(|end| asset.valid_from < end) && asset.valid_to.is_none_or(|end| other.valid_from < end)
    };
    for other in register.assets.iter().filter(|other| other.system != asset.system).filter(overlaps_in_time) {
        refuse_overlap(&asset, other)?;
    }
    Ok(asset)
}

/// Nested ranges are fine (the most specific wins); the same range twice, or two that cross, are not.
fn refuse_overlap(asset: &Asset, other: &Asset) -> Result<(), Refusal> {
    let clash = match store::both_bounds(asset, other) {
        Some((a, b)) => a == b || (a.touches(&b) && !a.contains(&b) && !b.contains(&a)),
        None => asset.kind == other.kind && asset.value == other.value,
    };
    if !clash || (asset.shared && other.shared) {
        return Ok(());
    }
    Err((
        format!(
            "“{}” chồng lên “{}” của hệ thống {}; quy hoạch địa chỉ trong hồ sơ phải rõ (NĐ 331/2026/NĐ-CP điều 22.3.d). Thiết bị dùng chung: ghi “dùng chung” ở cả hai dòng",
            asset.value, other.value, other.system
        ),
        format!(
            "“{}” overlaps “{}” of system {}; the address plan of a dossier must be unambiguous (ND 331/2026/NĐ-CP art. 22.3.d). For a shared device set “shared” on both rows",
            asset.value, other.value, other.system
        ),
    ))
}

async fn write_asset(
    tx: &mut Db<'_>,
    register: &mut Register,
    mut asset: Asset,
    author: &Author<'_>,
    report: &mut ImportReport,
) -> Result<()> {
    report.accepted += 1;
    let before = register.assets.iter().find(|a| a.id == asset.id && asset.id != 0).cloned();
    if before.as_ref() == Some(&asset) {
        return Ok(());
    }
    report.changed += 1;
    asset.id = store::insert_asset(tx, &asset).await?;
    store::log_asset(tx, author, "import", before.as_ref(), Some(&asset)).await?;
    register.assets.retain(|a| a.id != asset.id);
    register.assets.push(asset);
    Ok(())
}

async fn write_organisation(
    tx: &mut Db<'_>,
    register: &mut Register,
    dated: Dated<Organisation>,
    author: &Author<'_>,
    report: &mut ImportReport,
) -> Result<()> {
    let mut row = dated.row;
    let latest = register.organisations.iter().filter(|o| o.id == row.id).max_by_key(|o| o.valid_from).cloned();
    if let Some(latest) = latest.as_ref().filter(|_| !dated.has_from) {
        row.valid_from = latest.valid_from;
    }
    report.accepted += 1;
    if latest.as_ref() == Some(&row) {
        return Ok(());
    }
    report.changed += 1;
    if let Some(mut ended) = latest.clone().filter(|o| o.valid_from < row.valid_from && o.valid_to.is_none()) {
        ended.valid_to = Some(row.valid_from);
        store::insert_organisation(tx, &ended).await?;
        register.organisations.retain(|o| (&o.id, o.valid_from) != (&ended.id, ended.valid_from));
        register.organisations.push(ended);
    }
    store::insert_organisation(tx, &row).await?;
    let shrinks = latest.as_ref().is_some_and(|was| was.valid_to.is_none()) && row.valid_to.is_some();
    store::log(tx, author, ("import", "organisation", &row.id), (store::json(latest.as_ref()), store::json(Some(&row))), shrinks)
        .await?;
    register.organisations.retain(|o| (&o.id, o.valid_from) != (&row.id, row.valid_from));
    register.organisations.push(row);
    Ok(())
}
