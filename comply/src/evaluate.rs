//! Evaluation: which framework binds a system, what each of its lines says, and the two numbers.
//!
//! Each check's SQL runs once for all systems asked about; the SQL that a result shows is the same template filled for that
//! system alone, and runs as it stands in the hunt page.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use event::{Micros, Scope, seam::Search};
use serde::Serialize;
use serde_json::{Map, Value};
use state::{
    State,
    register::{Register, System, local_day, midnight},
    score::SealedDay,
};

use crate::{
    Bilingual, Binding, Catalogue, Check, EvidenceKind, Framework, Reach, Requirement, ScoreRow, Scores, SealedInputs, Verdict,
    framework::{LegalText, Line},
    measure::{Finding, LOOK_BACK_DAYS, Memory, Sealed},
    question::{self, Asked},
    rows::Rows,
    score, sql,
};

/// Answers larger than this mean that a check groups by too fine a key.
const ROWS_MAX: usize = 500_000;

/// Rows shown with a result; the SQL gives the rest.
const SAMPLE_ROWS: usize = 50;

/// What is known about a system beside its events.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub register: Register,
    /// Memories of sealed days within the look-back window, oldest first, by system and check.
    pub memories: BTreeMap<String, BTreeMap<String, Vec<Memory>>>,
    /// Documents, by system and requirement key.
    pub attestations: BTreeMap<String, BTreeMap<String, Attestation>>,
    /// Shrinking changes of the register in the look-back window, by system.
    pub shrinks: BTreeMap<String, Vec<Note>>,
}

/// What a document says about a requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Attestation {
    Document {
        verdict: bool,
        until: NaiveDate,
    },
    /// Needs a second person from another unit; without one it does not count.
    NotApplicable {
        reason: String,
        person: String,
        second_person: String,
    },
}

/// Something a reader of the score must know, such as a register that shrank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    pub at: Micros,
    pub vi: String,
    pub en: String,
}

/// A check's answer for one system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckResult {
    pub id: String,
    pub version: u32,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub value_vi: String,
    pub value_en: String,
    pub threshold_vi: String,
    pub threshold_en: String,
    pub reason_vi: String,
    pub reason_en: String,
    pub numbers: BTreeMap<String, i64>,
    pub tables: Vec<String>,
    /// Complete, for this system alone.
    pub sql: String,
    pub rows: Vec<Map<String, Value>>,
    pub rows_total: usize,
    /// True when the question itself failed: our outage, not the system's breach.
    pub outage: bool,
    #[serde(skip)]
    pub memory: Memory,
}

/// One line of the framework for one system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequirementVerdict {
    pub key: String,
    pub clause: String,
    pub group: Bilingual,
    pub title: Bilingual,
    /// What the line asks on this level, in the catalogue's words.
    pub asks: Option<String>,
    pub evidence: Option<String>,
    pub kind: EvidenceKind,
    pub binding: Binding,
    pub binding_source: Option<String>,
    pub weight: u32,
    pub due: Option<NaiveDate>,
    /// What the page shows; telemetry's and documents' answers stay apart below.
    #[serde(flatten)]
    pub verdict: Verdict,
    pub measured: Verdict,
    pub attested: Verdict,
    pub value_vi: String,
    pub value_en: String,
    pub threshold_vi: String,
    pub threshold_en: String,
    pub reason_vi: String,
    pub reason_en: String,
    /// Ids of [`Assessment::checks`], the deciding one first.
    pub checks: Vec<String>,
}

/// The next framework, for systems that it does not bind yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Upcoming {
    pub framework: String,
    pub name: String,
    pub due: NaiveDate,
    pub days_left: i64,
    /// Each line as it would stand; in [`RequirementVerdict::verdict`] all are not yet due.
    pub verdicts: Vec<RequirementVerdict>,
}

/// One system against the framework that binds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    pub system: String,
    pub level: u8,
    pub at: Micros,
    pub framework: String,
    pub framework_name: String,
    pub legal_basis: Vec<LegalText>,
    pub register_revision: i64,
    pub verdicts: Vec<RequirementVerdict>,
    pub checks: Vec<CheckResult>,
    pub scores: Scores,
    pub upcoming: Option<Upcoming>,
    pub notes: Vec<Note>,
}

impl Assessment {
    pub fn check(&self, id: &str) -> Option<&CheckResult> {
        self.checks.iter().find(|check| check.id == id)
    }

    pub fn requirement(&self, key: &str) -> Option<&RequirementVerdict> {
        self.verdicts.iter().find(|verdict| verdict.key == key)
    }

    /// The rows of the sum.
    pub fn score_rows(&self) -> Vec<ScoreRow> {
        self.verdicts.iter().map(score_row).collect()
    }
}

/// Why an evaluation could not be made at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to read what compliance needs")]
    State(#[from] state::Error),
    #[error("system {0} is not in the register")]
    UnknownSystem(String),
}

/// Evaluates one system as of `at`.
pub async fn evaluate(
    catalogue: &Catalogue,
    search: &dyn Search,
    state: &State,
    system: &str,
    at: Micros,
) -> Result<Assessment, Error> {
    let facts = facts(state, Some(system), at).await?;
    let found = evaluate_facts(catalogue, search, &facts, &[system.to_owned()], at).await;
    found.into_iter().next().ok_or_else(|| Error::UnknownSystem(system.to_owned()))
}

/// Evaluates every system in force at `at`; each check asks once.
pub async fn evaluate_all(
    catalogue: &Catalogue,
    search: &dyn Search,
    state: &State,
    at: Micros,
) -> Result<Vec<Assessment>, Error> {
    let facts = facts(state, None, at).await?;
    let systems: Vec<_> = facts.register.systems_at(at).into_iter().map(|system| system.id.clone()).collect();
    Ok(evaluate_facts(catalogue, search, &facts, &systems, at).await)
}

/// Closes a day: evaluates every system as of its last moment and seals the inputs. Call after the late window; calling again
/// seals a new revision only where late data changed something.
pub async fn close_day(
    catalogue: &Catalogue,
    search: &dyn Search,
    state: &State,
    day: NaiveDate,
    closed_at: Micros,
) -> Result<Vec<SealedDay>, Error> {
    let at = midnight(day + chrono::Days::new(1));
    let mut sealed = Vec::new();
    for assessment in evaluate_all(catalogue, search, state, at).await? {
        let inputs = SealedInputs::new(&assessment).to_json();
        sealed.push(state.seal_day(&assessment.system, day, closed_at, &inputs).await?);
    }
    Ok(sealed)
}

async fn facts(state: &State, system: Option<&str>, at: Micros) -> Result<Facts, Error> {
    let scope = Scope::internal("comply");
    let mut facts = Facts { register: state.register(&scope).await?, ..Facts::default() };
    let today = local_day(at);
    let from = today - chrono::Days::new(LOOK_BACK_DAYS as u64);
    let systems =
        facts.register.systems_at(at).into_iter().map(|s| s.id.clone()).filter(|id| system.is_none_or(|wanted| wanted == id));
    for id in systems.collect::<Vec<_>>() {
        // The day that is being judged must not remember itself.
        let closed = state.sealed_days(&scope, &id, from, midnight_day_before(at)).await?;
        let memories: &mut BTreeMap<String, Vec<Memory>> = facts.memories.entry(id).or_default();
        for inputs in closed.iter().filter_map(|day| SealedInputs::from_json(&day.inputs).ok()) {
            for check in inputs.checks {
                memories.entry(check.id).or_default().push(check.memory);
            }
        }
    }
    let oldest = at - LOOK_BACK_DAYS * question::DAY;
    for change in state
        .register_changes(&scope, 10_000)
        .await?
        .into_iter()
        .filter(|change| change.shrinks && (oldest..=at).contains(&change.at))
    {
        let system = change.key.split(' ').next().unwrap_or_default().to_owned();
        let note = Note {
            at: change.at,
            vi: format!("Sổ đăng ký thu hẹp: {} ({}, lý do: {})", change.key, change.actor, change.reason),
            en: format!("The register shrank: {} ({}, reason: {})", change.key, change.actor, change.reason),
        };
        facts.shrinks.entry(system).or_default().push(note);
    }
    Ok(facts)
}

/// The last local day that ended at least a day before `at`.
fn midnight_day_before(at: Micros) -> NaiveDate {
    local_day(at - question::DAY - 1)
}

/// Evaluates systems from facts alone; systems not in force at `at` are left out.
pub async fn evaluate_facts(
    catalogue: &Catalogue,
    search: &dyn Search,
    facts: &Facts,
    systems: &[String],
    at: Micros,
) -> Vec<Assessment> {
    let bound: Vec<Bound<'_>> = systems.iter().filter_map(|id| bind(catalogue, facts.register.system(id, at)?, at)).collect();
    let mut answers = BTreeMap::new();
    for check in catalogue.checks() {
        let asked: Vec<String> =
            bound.iter().filter(|b| b.checks().contains(check.id.as_str())).map(|b| b.system.id.clone()).collect();
        if !asked.is_empty() && !answers.contains_key(check.id.as_str()) {
            answers.insert(check.id.as_str(), ask(check, search, &asked, at).await);
        }
    }
    bound.iter().map(|bound| assess(catalogue, facts, bound, &answers, at)).collect()
}

/// A system with the frameworks that reach it.
struct Bound<'a> {
    system: &'a System,
    now: &'a Framework,
    next: Option<(&'a Framework, NaiveDate)>,
}

impl<'a> Bound<'a> {
    fn checks(&self) -> BTreeSet<&'a str> {
        let level = self.system.level;
        let next = self.next.into_iter().flat_map(move |(framework, _)| framework.lines(level));
        self.now.lines(level).chain(next).flat_map(|(requirement, _)| requirement.checks.iter().map(String::as_str)).collect()
    }
}

fn bind<'a>(catalogue: &'a Catalogue, system: &'a System, at: Micros) -> Option<Bound<'a>> {
    let day = local_day(at);
    let reach = |framework: &&'a Framework| framework.reach(system.decision.date, day);
    let now = catalogue.frameworks().iter().find(|framework| reach(framework) == Reach::Now)?;
    let next = catalogue.frameworks().iter().find_map(|framework| match reach(&framework) {
        Reach::From(due) => Some((framework, due)),
        _ => None,
    });
    Some(Bound { system, now, next })
}

async fn ask(check: &Check, search: &dyn Search, systems: &[String], at: Micros) -> Result<Rows, String> {
    let sql = sql::fill(&check.sql, &question::parameters(check, systems, at))?;
    let batches = search.search(&Scope::internal("comply"), &sql, ROWS_MAX).await.map_err(|error| error.to_string())?;
    Rows::from_batches(&batches)
}

type Answers<'a> = BTreeMap<&'a str, Result<Rows, String>>;

fn assess(catalogue: &Catalogue, facts: &Facts, bound: &Bound<'_>, answers: &Answers<'_>, at: Micros) -> Assessment {
    let (system, day) = (bound.system, local_day(at));
    let checks: Vec<CheckResult> = bound
        .checks()
        .into_iter()
        .filter_map(|id| {
            let check = catalogue.check(id)?;
            let threshold = check.levels.get(&system.level)?;
            let sealed = facts
                .memories
                .get(&system.id)
                .and_then(|by_check| by_check.get(id))
                .map_or_else(Sealed::default, |m| Sealed::from_memories(m));
            let asked = Asked { check, threshold, register: &facts.register, system: &system.id, sealed: &sealed, at };
            Some(result(&asked, answers.get(id)?))
        })
        .collect();
    let attestations = facts.attestations.get(&system.id);
    let judge = |framework: &Framework, due: Option<NaiveDate>| -> Vec<RequirementVerdict> {
        let lines = framework.lines(system.level);
        lines
            .map(|(requirement, line)| {
                let attestation = attestations.and_then(|all| all.get(&requirement.key));
                verdict_of(requirement, line, system.level, &checks, attestation, due.or(requirement.due), day)
            })
            .collect()
    };
    let verdicts = judge(bound.now, None);
    let upcoming = bound.next.map(|(framework, due)| Upcoming {
        framework: framework.id.clone(),
        name: framework.name.clone(),
        due,
        days_left: (due - day).num_days(),
        verdicts: judge(framework, Some(due)),
    });
    Assessment {
        system: system.id.clone(),
        level: system.level,
        at,
        framework: bound.now.id.clone(),
        framework_name: bound.now.name.clone(),
        legal_basis: bound.now.legal_basis.clone(),
        register_revision: facts.register.revision,
        scores: score(&verdicts.iter().map(score_row).collect::<Vec<_>>()),
        verdicts,
        checks,
        upcoming,
        notes: facts.shrinks.get(&system.id).cloned().unwrap_or_default(),
    }
}

fn result(asked: &Asked<'_>, answer: &Result<Rows, String>) -> CheckResult {
    let check = asked.check;
    let own = [asked.system.to_owned()];
    let sql = sql::fill(&check.sql, &question::parameters(check, &own, asked.at)).unwrap_or_else(|error| format!("-- {error}"));
    let nothing = Rows::default();
    let (rows, finding) = match answer {
        Ok(rows) => (rows, question::find(asked, rows)),
        Err(error) => (&nothing, outage(error)),
    };
    CheckResult {
        id: check.id.clone(),
        version: check.version,
        verdict: finding.verdict,
        value_vi: finding.value_vi,
        value_en: finding.value_en,
        threshold_vi: finding.threshold_vi,
        threshold_en: finding.threshold_en,
        reason_vi: finding.reason_vi,
        reason_en: finding.reason_en,
        numbers: finding.numbers,
        tables: check.tables.clone(),
        sql,
        rows: rows.sample(asked.system, SAMPLE_ROWS),
        rows_total: rows.of_system(asked.system).count(),
        outage: answer.is_err(),
        memory: finding.memory,
    }
}

/// The question could not be asked: blind, and said to be our fault.
fn outage(error: &str) -> Finding {
    Finding {
        verdict: Verdict::Blind,
        value_vi: "—".to_owned(),
        value_en: "—".to_owned(),
        threshold_vi: String::new(),
        threshold_en: String::new(),
        reason_vi: format!("Không hỏi được dữ liệu: {error}."),
        reason_en: format!("The question could not be answered: {error}."),
        numbers: BTreeMap::new(),
        memory: Memory::default(),
    }
}

fn verdict_of(
    requirement: &Requirement,
    line: &Line,
    level: u8,
    checks: &[CheckResult],
    attestation: Option<&Attestation>,
    due: Option<NaiveDate>,
    day: NaiveDate,
) -> RequirementVerdict {
    let mut own: Vec<&CheckResult> =
        requirement.checks.iter().filter_map(|id| checks.iter().find(|check| check.id == *id)).collect();
    let measured = Verdict::weakest(own.iter().map(|check| check.verdict.clone()));
    // The check that decided comes first.
    own.sort_by_key(|check| check.verdict != measured);
    let attested = attested(attestation, day);
    let mut verdict = match (requirement.kind, &measured, &attested) {
        (_, _, Verdict::NotApplicable { .. }) => attested.clone(),
        (EvidenceKind::Measured, ..) => measured.clone(),
        (EvidenceKind::Attested, ..) => attested.clone(),
        (EvidenceKind::Both, Verdict::NotEvaluated, _) => attested.clone(),
        (EvidenceKind::Both, _, Verdict::NotEvaluated) => measured.clone(),
        (EvidenceKind::Both, ..) => Verdict::weakest([measured.clone(), attested.clone()]),
    };
    let not_yet = due.filter(|due| day < *due);
    if let Some(due) = not_yet {
        verdict = Verdict::NotYetDue { due };
    }
    let text = |pick: fn(&CheckResult) -> &String| own.first().map_or_else(String::new, |check| pick(check).clone());
    let (reason_vi, reason_en) = match own.is_empty() {
        false => (join(&own, |check| &check.reason_vi), join(&own, |check| &check.reason_en)),
        true if requirement.kind == EvidenceKind::Attested => {
            ("Chờ văn bản chứng minh.".to_owned(), "Waits for an attesting document.".to_owned())
        }
        true => ("Chưa có phép kiểm tra cho dòng này.".to_owned(), "No check answers this line yet.".to_owned()),
    };
    RequirementVerdict {
        key: requirement.key.clone(),
        clause: line.clause.clone(),
        group: requirement.group.clone(),
        title: requirement.title.clone(),
        asks: line.value.clone(),
        evidence: requirement.evidence.clone(),
        kind: requirement.kind,
        binding: requirement.binding_on(level),
        binding_source: requirement.binding_source.clone(),
        weight: requirement.weight,
        due: not_yet,
        verdict,
        measured,
        attested,
        value_vi: text(|check| &check.value_vi),
        value_en: text(|check| &check.value_en),
        threshold_vi: text(|check| &check.threshold_vi),
        threshold_en: text(|check| &check.threshold_en),
        reason_vi,
        reason_en,
        checks: own.iter().map(|check| check.id.clone()).collect(),
    }
}

fn join(checks: &[&CheckResult], pick: fn(&CheckResult) -> &String) -> String {
    checks.iter().map(|check| pick(check).as_str()).collect::<Vec<_>>().join(" ")
}

/// What a document is worth on a day: past its cycle it has expired, and one person alone cannot wave a line away.
fn attested(attestation: Option<&Attestation>, day: NaiveDate) -> Verdict {
    match attestation {
        None => Verdict::NotEvaluated,
        Some(Attestation::Document { until, .. }) if day > *until => Verdict::Expired,
        Some(Attestation::Document { verdict: true, .. }) => Verdict::Met,
        Some(Attestation::Document { verdict: false, .. }) => Verdict::Breached,
        Some(Attestation::NotApplicable { reason, person, second_person }) => {
            if reason.trim().is_empty() || second_person.trim().is_empty() || person == second_person {
                return Verdict::NotEvaluated;
            }
            Verdict::NotApplicable { reason: reason.clone(), second_person: second_person.clone() }
        }
    }
}

/// What the sum sees: a line that is not yet due, or does not apply, is outside both numbers.
fn score_row(verdict: &RequirementVerdict) -> ScoreRow {
    let outside = matches!(verdict.verdict, Verdict::NotYetDue { .. } | Verdict::NotApplicable { .. });
    let pick = |own: &Verdict| if outside { verdict.verdict.clone() } else { own.clone() };
    ScoreRow {
        requirement: verdict.key.clone(),
        weight: verdict.weight,
        binding: verdict.binding,
        kind: verdict.kind,
        measured: pick(&verdict.measured),
        attested: pick(&verdict.attested),
    }
}

#[cfg(test)]
mod tests;
