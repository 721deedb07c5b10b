//! What a closed day keeps: enough to compute its score again bit for bit, to teach the days after it, and to explain a change.
//!
//! Lines without an answer are kept as sums by binding and kind, not one by one: a year of 35 systems stays small. Integers and
//! text only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Assessment, Binding, EvidenceKind, ScoreRow, Scores, Verdict, measure::Memory, score};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedInputs {
    /// Version of this layout.
    pub v: u32,
    pub system: String,
    pub level: u8,
    pub framework: String,
    pub register_revision: i64,
    pub at: i64,
    /// Lines with an answer.
    pub rows: Vec<ScoreRow>,
    pub unanswered: Vec<Unanswered>,
    pub checks: Vec<SealedCheck>,
    /// Checks behind each line of `rows`.
    pub behind: BTreeMap<String, Vec<String>>,
    pub scores: Scores,
}

/// Lines nobody answers, summed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    pub binding: Binding,
    pub kind: EvidenceKind,
    pub lines: usize,
    pub weight: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedCheck {
    pub id: String,
    pub version: u32,
    pub numbers: BTreeMap<String, i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outage: bool,
    #[serde(default)]
    pub memory: Memory,
}

impl SealedInputs {
    pub fn new(assessment: &Assessment) -> Self {
        let (unanswered, rows): (Vec<_>, Vec<_>) = assessment.score_rows().into_iter().partition(is_unanswered);
        let mut groups: Vec<Unanswered> = Vec::new();
        for row in &unanswered {
            match groups.iter_mut().find(|group| group.binding == row.binding && group.kind == row.kind) {
                Some(group) => {
                    group.lines += 1;
                    group.weight += row.weight;
                }
                None => groups.push(Unanswered { binding: row.binding, kind: row.kind, lines: 1, weight: row.weight }),
            }
        }
        let answered = |key: &str| rows.iter().any(|row| row.requirement == key);
        Self {
            v: 1,
            system: assessment.system.clone(),
            level: assessment.level,
            framework: assessment.framework.clone(),
            register_revision: assessment.register_revision,
            at: assessment.at,
            behind: assessment.verdicts.iter().filter(|v| answered(&v.key)).map(|v| (v.key.clone(), v.checks.clone())).collect(),
            rows,
            unanswered: groups,
            checks: assessment
                .checks
                .iter()
                .map(|check| SealedCheck {
                    id: check.id.clone(),
                    version: check.version,
                    numbers: check.numbers.clone(),
                    outage: check.outage,
                    memory: check.memory.clone(),
                })
                .collect(),
            scores: assessment.scores,
        }
    }

    /// Computes the scores again from what is sealed.
    pub fn recompute(&self) -> Scores {
        let mut rows = self.rows.clone();
        rows.extend(self.unanswered.iter().map(Unanswered::row));
        let lines: usize = self.unanswered.iter().map(|group| group.lines).sum();
        Scores { of: self.rows.len() + lines, ..score(&rows) }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("maps with text keys and integers always serialise")
    }

    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl Unanswered {
    fn row(&self) -> ScoreRow {
        ScoreRow {
            requirement: String::new(),
            weight: self.weight,
            binding: self.binding,
            kind: self.kind,
            measured: Verdict::NotEvaluated,
            attested: Verdict::NotEvaluated,
        }
    }
}

fn is_unanswered(row: &ScoreRow) -> bool {
    row.measured == Verdict::NotEvaluated && row.attested == Verdict::NotEvaluated
}
