//! Checks: one question to telemetry each. A check knows no law and no clause; frameworks point to it.
//!
//! A check file holds the question, the SQL, the measure that reads its rows, thresholds by level, the tables it needs, and
//! cases (rows → verdict) that run when the catalogue is tested.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Bilingual, Problem, SourceFile};

/// Which pure function reads the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureKind {
    /// Rows: system.id, sender, host, found_by, day, events, events_24h.
    Coverage,
    /// Rows: system.id, day, events.
    Span,
    /// Rows: system.id, sender, host, found_by, drift_ms.
    Drift,
    /// Rows: system.id, class, events; or one column of counts a class.
    Classes,
    /// Rows: system.id, machine, passes.
    Endpoints,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub id: String,
    pub title: Bilingual,
    pub question: Bilingual,
    pub why: Bilingual,
    pub what_to_do: Bilingual,
    #[serde(default)]
    pub false_positives: Option<Bilingual>,
    pub references: Vec<String>,
    /// Counted up when the question or its thresholds change, so that a changed score can be explained.
    pub version: u32,
    pub measure: MeasureKind,
    /// Tables that must answer; else the check is blind.
    pub tables: Vec<String>,
    /// How far back the SQL looks from `:at` (`:from`); a span check looks back as far as the level asks.
    #[serde(default)]
    pub window_days: Option<i64>,
    /// Parameters of the measure, one value for all levels.
    #[serde(default)]
    pub parameters: BTreeMap<String, i64>,
    /// Values by level; a level without an entry is not asked.
    pub levels: BTreeMap<u8, Threshold>,
    /// Names of the classes, for the page; a class without one stands under its own name.
    #[serde(default)]
    pub class_labels: BTreeMap<String, Bilingual>,
    /// What a machine that passes is, for endpoint checks.
    #[serde(default)]
    pub passing: Option<Bilingual>,
    pub sql: String,
    pub cases: Vec<Case>,
}

/// What one level asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    #[serde(default)]
    pub months: Option<i64>,
    #[serde(default)]
    pub seconds: Option<i64>,
    #[serde(default)]
    pub days: Option<i64>,
    #[serde(default)]
    pub classes: Vec<String>,
}

/// A case and the verdict it must give: rows as the SQL would answer them, or raw lines as a device sends them. Lines go through
/// the whole pipe (tests/it/checks.rs); rows go to the measure alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub level: u8,
    /// RFC 3339; a case of lines is judged when they have come.
    #[serde(default)]
    pub at: String,
    /// Assets of the dossier; all owe logs.
    #[serde(default)]
    pub assets: Vec<CaseAsset>,
    /// A row with `until` stands for one row a day: `{day: "2026-08-01", until: "2026-11-22", events: 10}`.
    #[serde(default)]
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    pub lines: Vec<String>,
    /// The verdict in English words, with its share or date.
    pub expect: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseAsset {
    pub kind: String,
    pub value: String,
    #[serde(default)]
    pub role: Option<String>,
    #[serde(default)]
    pub quantity: Option<u32>,
}

/// Reads a check file; `None` when it cannot be used.
pub fn load(file: &SourceFile, problems: &mut Vec<Problem>) -> Option<Check> {
    let check: Check = match serde_saphyr::from_str(&file.text) {
        Ok(check) => check,
        Err(error) => {
            problems.push(Problem::yaml(file, &error));
            return None;
        }
    };
    match refuse(&check) {
        None => Some(check),
        Some((key, reason)) => {
            let line = file.text.lines().position(|line| line.starts_with(key)).map_or(1, |at| at as u64 + 1);
            problems.push(Problem::new(file, line, reason));
            None
        }
    }
}

fn refuse(check: &Check) -> Option<(&'static str, String)> {
    if let Some(level) = check.levels.keys().find(|level| !(1..=5).contains(*level)) {
        return Some(("levels", format!("there is no level {level}")));
    }
    if check.levels.is_empty() {
        return Some(("levels", "no level has a threshold".to_owned()));
    }
    if check.cases.is_empty() {
        return Some(("cases", "a check without a case is not accepted".to_owned()));
    }
    if check.cases.iter().any(|case| !case.lines.is_empty() && !case.rows.is_empty()) {
        return Some(("cases", "a case has either lines or rows".to_owned()));
    }
    if !check.sql.contains(":systems") {
        return Some(("sql", "the question must be limited to :systems".to_owned()));
    }
    let lacks = |what: fn(&Threshold) -> bool| check.levels.values().any(|threshold| !what(threshold));
    let missing = match check.measure {
        MeasureKind::Span => lacks(|t| t.months.is_some_and(|months| (1..=240).contains(&months))).then_some("months"),
        MeasureKind::Drift => lacks(|t| t.seconds.is_some_and(|seconds| seconds > 0)).then_some("seconds"),
        MeasureKind::Classes => lacks(|t| !t.classes.is_empty()).then_some("classes"),
        MeasureKind::Coverage | MeasureKind::Endpoints => None,
    };
    missing.map(|what| ("levels", format!("every level of this measure needs “{what}”")))
}
