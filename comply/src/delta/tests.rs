//! Tests of the deltas: the parts of a change sum to the change.

use super::*;
use crate::{Binding, Scores, seal::SealedCheck, verdict::Share};

fn row(key: &str, weight: u32, measured: Verdict) -> ScoreRow {
    ScoreRow {
        requirement: key.to_owned(),
        weight,
        binding: Binding::Mandatory,
        kind: EvidenceKind::Measured,
        measured,
        attested: Verdict::NotEvaluated,
    }
}

fn check(id: &str, version: u32, dossier: i64, outage: bool) -> SealedCheck {
    SealedCheck {
        id: id.to_owned(),
        version,
        numbers: [("dossier".to_owned(), dossier)].into(),
        outage,
        memory: Default::default(),
    }
}

fn sealed(rows: Vec<ScoreRow>, checks: Vec<SealedCheck>) -> SealedInputs {
    let behind = rows.iter().map(|row| (row.requirement.clone(), vec![row.requirement.clone()])).collect();
    let mut inputs = SealedInputs {
        v: 1,
        system: "s".to_owned(),
        level: 3,
        framework: "f".to_owned(),
        register_revision: 1,
        at: 0,
        rows,
        unanswered: Vec::new(),
        checks,
        behind,
        scores: Scores::default(),
    };
    inputs.scores = inputs.recompute();
    inputs
}

#[test]
fn each_change_goes_to_its_cause() {
    let half = Verdict::Partly(Share { part: 1, whole: 2 });
    let before = sealed(
        ["a", "b", "c", "d"].map(|key| row(key, 10, Verdict::Met)).into(),
        vec![check("a", 1, 5, false), check("b", 1, 5, false), check("c", 1, 5, false), check("d", 1, 5, false)],
    );
    let mut after = sealed(
        vec![row("a", 20, Verdict::Met), row("b", 10, half.clone()), row("c", 10, half), row("d", 10, Verdict::Blind)],
        vec![check("a", 1, 5, false), check("b", 1, 9, false), check("c", 2, 5, false), check("d", 1, 5, true)],
    );
    after.scores = after.recompute();
    let delta = explain(&before, &after, EvidenceKind::Measured);
    let causes: Vec<_> = delta.lines.iter().map(|(key, cause)| (key.as_str(), *cause)).collect();
    assert_eq!(causes, [("a", Cause::Law), ("c", Cause::CheckVersion), ("b", Cause::Register), ("d", Cause::Outage)]);
    assert_eq!(delta.total, Some(6_000 - 10_000));
    assert_eq!(delta.parts.iter().map(|(_, part)| part).sum::<i64>(), -4_000);
}
