//! Why a score changed: the difference between two sealed days, split by cause. The parts always sum to the difference.
//!
//! The rows of the earlier day are turned into those of the later one in a fixed order of causes; each step's change of the
//! number is that cause's part, so nothing is left over and nothing is counted twice.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{EvidenceKind, ScoreRow, SealedInputs, Verdict};

/// In the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Law,
    CheckVersion,
    Register,
    Outage,
    Telemetry,
    Document,
}

impl Cause {
    pub const ALL: [Self; 6] = [Self::Law, Self::CheckVersion, Self::Register, Self::Outage, Self::Telemetry, Self::Document];

    pub fn label_vi(self) -> &'static str {
        match self {
            Self::Law => "văn bản pháp luật",
            Self::CheckVersion => "phiên bản phép kiểm tra",
            Self::Register => "sổ đăng ký",
            Self::Outage => "gián đoạn của Chiêng",
            Self::Telemetry => "dữ liệu đo",
            Self::Document => "văn bản chứng minh",
        }
    }
}

/// Basis points; `total` is `None` when either day has no number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delta {
    pub total: Option<i64>,
    pub parts: Vec<(Cause, i64)>,
    /// Lines whose answer changed, with the cause of each.
    pub lines: Vec<(String, Cause)>,
}

/// Explains the measured (or, with [`EvidenceKind::Attested`], the attested) number's change.
pub fn explain(before: &SealedInputs, after: &SealedInputs, number: EvidenceKind) -> Delta {
    let mut rows: BTreeMap<String, ScoreRow> = before.rows.iter().map(|row| (row.requirement.clone(), row.clone())).collect();
    let target: BTreeMap<String, ScoreRow> = after.rows.iter().map(|row| (row.requirement.clone(), row.clone())).collect();
    let mut delta = Delta { total: None, parts: Vec::new(), lines: Vec::new() };
    let mut value = raw(rows.values(), number);
    for cause in Cause::ALL {
        let keys: Vec<String> =
            rows.keys().chain(target.keys()).cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        for key in keys {
            let changed = step(cause, &key, &mut rows, target.get(&key), before, after);
            if changed {
                delta.lines.push((key, cause));
            }
        }
        let next = raw(rows.values(), number);
        delta.parts.push((cause, next - value));
        value = next;
    }
    let own = |inputs: &SealedInputs| {
        let scores = inputs.scores;
        if number.is_measured() { scores.measured.value } else { scores.attested.value }
    };
    delta.total = own(before).zip(own(after)).map(|(before, after)| after as i64 - before as i64);
    delta
}

/// Applies one cause to one line; returns whether it changed.
fn step(
    cause: Cause,
    key: &str,
    rows: &mut BTreeMap<String, ScoreRow>,
    target: Option<&ScoreRow>,
    before: &SealedInputs,
    after: &SealedInputs,
) -> bool {
    let Some(target) = target else {
        // A line that is gone: its law changed, or the system's level did.
        return cause == structural(before, after) && rows.remove(key).is_some();
    };
    let Some(row) = rows.get_mut(key) else {
        let arrives = cause == arrival(key, before, after);
        if arrives {
            rows.insert(key.to_owned(), target.clone());
        }
        return arrives;
    };
    let old = row.clone();
    if cause == structural(before, after) {
        (row.weight, row.binding, row.kind) = (target.weight, target.binding, target.kind);
    }
    if old.measured != target.measured && cause == measured_cause(key, &old, target, before, after) {
        row.measured = target.measured.clone();
    }
    if old.attested != target.attested && cause == Cause::Document {
        row.attested = target.attested.clone();
    }
    *row != old
}

/// What moves lines in and out: another level is the register's doing, all else the law's.
fn structural(before: &SealedInputs, after: &SealedInputs) -> Cause {
    if before.level != after.level { Cause::Register } else { Cause::Law }
}

/// A line that had no answer before and has one now.
fn arrival(key: &str, before: &SealedInputs, after: &SealedInputs) -> Cause {
    let known = |inputs: &SealedInputs, id: &String| inputs.checks.iter().any(|check| check.id == *id);
    match after.behind.get(key) {
        _ if before.framework != after.framework || before.level != after.level => structural(before, after),
        Some(checks) if checks.iter().any(|id| !known(before, id)) => Cause::CheckVersion,
        Some(checks) if checks.is_empty() => Cause::Document,
        _ => Cause::Telemetry,
    }
}

fn measured_cause(key: &str, old: &ScoreRow, new: &ScoreRow, before: &SealedInputs, after: &SealedInputs) -> Cause {
    let outside = |verdict: &Verdict| matches!(verdict, Verdict::NotYetDue { .. });
    if outside(&old.measured) != outside(&new.measured) {
        return Cause::Law;
    }
    if matches!(old.measured, Verdict::NotApplicable { .. }) || matches!(new.measured, Verdict::NotApplicable { .. }) {
        return Cause::Document;
    }
    let ids = after.behind.get(key).or_else(|| before.behind.get(key)).map_or(&[][..], Vec::as_slice);
    let mut causes = ids.iter().filter_map(|id| {
        let was = before.checks.iter().find(|check| check.id == *id)?;
        let is = after.checks.iter().find(|check| check.id == *id)?;
        let registered = |name: &str| was.numbers.get(name) != is.numbers.get(name);
        if was.version != is.version {
            Some(Cause::CheckVersion)
        } else if was.outage != is.outage {
            Some(Cause::Outage)
        } else if ["dossier", "dossier_peak", "needed", "required_days"].into_iter().any(registered) {
            Some(Cause::Register)
        } else {
            None
        }
    });
    causes.next().unwrap_or(Cause::Telemetry)
}

/// The number without the rule of half: only whole days decide whether there is a number at all.
fn raw<'a>(rows: impl Iterator<Item = &'a ScoreRow>, number: EvidenceKind) -> i64 {
    crate::score::mean(rows, number) as i64
}

#[cfg(test)]
mod tests;
