//! From verdicts to a number, or to no number. Pure; integers only.
//!
//! Score = Σ w·v / Σ w over mandatory rows due today. Accumulating, not yet due, not applicable and advised rows stand outside
//! the sum. What telemetry says and what documents say are two numbers, never added. Under half of the weight evaluated there
//! is no number ("chưa đủ căn cứ").

use serde::{Deserialize, Serialize};

use crate::{Binding, EvidenceKind, Verdict};

/// What the sum needs to know about one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreRow {
    pub requirement: String,
    pub weight: u32,
    pub binding: Binding,
    pub kind: EvidenceKind,
    /// What telemetry says.
    pub measured: Verdict,
    /// What documents say.
    pub attested: Verdict,
}

/// One of the two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Basis points (8734 is 87.34); `None` is "chưa đủ căn cứ".
    pub value: Option<u64>,
    /// Weight of mandatory due rows that have an answer, and of all of them.
    pub weight_evaluated: u64,
    pub weight_due: u64,
}

impl Score {
    /// `87.34`, as sealed and shown by programs; people get a decimal comma from the page.
    pub fn text(&self) -> Option<String> {
        self.value.map(|points| format!("{}.{:02}", points / 100, points % 100))
    }
}

/// Both numbers and the count that is printed with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scores {
    pub measured: Score,
    pub attested: Score,
    /// "48 of 195 lines evaluated": lines of the framework at this level, whatever their binding.
    pub evaluated: usize,
    pub of: usize,
}

pub fn score(rows: &[ScoreRow]) -> Scores {
    let answered = |row: &&ScoreRow| row.measured != Verdict::NotEvaluated || row.attested != Verdict::NotEvaluated;
    Scores {
        measured: sum(rows.iter().filter(|row| row.kind.is_measured()).map(|row| (row, &row.measured))),
        attested: sum(rows.iter().filter(|row| row.kind.is_attested()).map(|row| (row, &row.attested))),
        evaluated: rows.iter().filter(answered).count(),
        of: rows.len(),
    }
}

/// The weighted mean of the rows that have an answer, whether or not they carry half of the weight; 0 when there is none.
pub(crate) fn mean<'a>(rows: impl Iterator<Item = &'a ScoreRow>, number: EvidenceKind) -> u64 {
    let pick = |row: &'a ScoreRow| {
        if number.is_measured() { (row.kind.is_measured(), &row.measured) } else { (row.kind.is_attested(), &row.attested) }
    };
    let (mut worth, mut weight) = (0u128, 0u128);
    for row in rows.filter(|row| row.binding == Binding::Mandatory) {
        let (counts, verdict) = pick(row);
        if let Some(points) = verdict.worth().filter(|_| counts) {
            worth += u128::from(row.weight) * u128::from(points);
            weight += u128::from(row.weight);
        }
    }
    worth.checked_div(weight).unwrap_or(0) as u64
}

fn sum<'a>(rows: impl Iterator<Item = (&'a ScoreRow, &'a Verdict)>) -> Score {
    let mut score = Score::default();
    let (mut worth, mut weight) = (0u128, 0u128);
    for (row, verdict) in rows.filter(|(row, _)| row.binding == Binding::Mandatory) {
        if matches!(verdict, Verdict::NotYetDue { .. } | Verdict::NotApplicable { .. }) {
            continue;
        }
        score.weight_due += u64::from(row.weight);
        if *verdict != Verdict::NotEvaluated {
            score.weight_evaluated += u64::from(row.weight);
        }
        if let Some(points) = verdict.worth() {
            worth += u128::from(row.weight) * u128::from(points);
            weight += u128::from(row.weight);
        }
    }
    let is_founded = weight > 0 && 2 * score.weight_evaluated >= score.weight_due;
    score.value = is_founded.then(|| (worth / weight) as u64);
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Share;

    fn row(weight: u32, measured: Verdict) -> ScoreRow {
        ScoreRow {
            requirement: "r".to_owned(),
            weight,
            binding: Binding::Mandatory,
            kind: EvidenceKind::Measured,
            measured,
            attested: Verdict::NotEvaluated,
        }
    }

    fn day() -> chrono::NaiveDate {
        chrono::NaiveDate::from_ymd_opt(2027, 7, 1).unwrap()
    }

    #[test]
    fn weighted_mean_of_what_counts() {
        let rows = [
            row(10, Verdict::Met),
            row(10, Verdict::Partly(Share { part: 1, whole: 3 })),
            row(5, Verdict::Blind),
            row(100, Verdict::Accumulating { enough_on: day() }),
            row(100, Verdict::NotYetDue { due: day() }),
            row(100, Verdict::NotApplicable { reason: "r".into(), second_person: "b".into() }),
            ScoreRow { binding: Binding::Advised, ..row(100, Verdict::Breached) },
        ];
        let scores = score(&rows);
        assert_eq!(scores.measured.value, Some((10 * 10_000 + 10 * 3_333) / 25));
        assert_eq!(scores.measured.text().as_deref(), Some("53.33"));
        assert_eq!((scores.evaluated, scores.of), (7, 7));
        assert_eq!(scores.attested.value, None);
    }

    #[test]
    fn under_half_of_the_weight_there_is_no_number() {
        assert_eq!(score(&[row(49, Verdict::Met), row(51, Verdict::NotEvaluated)]).measured.value, None);
        assert_eq!(score(&[row(50, Verdict::Met), row(50, Verdict::NotEvaluated)]).measured.value, Some(10_000));
        assert_eq!(score(&[row(1, Verdict::Accumulating { enough_on: day() })]).measured.value, None);
    }
}
