//! Tests of the evaluation: which framework binds, what each line says, both numbers.

use std::sync::{Arc, Mutex};

use arrow::{
    array::{ArrayRef, Int64Array, StringViewArray, TimestampMicrosecondArray},
    record_batch::RecordBatch,
};
use event::seam::{BoxFuture, SeamError};
use state::register::{Author, ImportKind};

use super::*;
use crate::{EvidenceKind, explain, question::DAY, rows::parse_time};

/// Answers the checks' questions from a few numbers, as DataFusion would: by what the SQL asks for.
#[derive(Default)]
struct Fake {
    /// system → (sender, events a day); each has spoken every day since `since`.
    senders: Vec<(&'static str, &'static str, i64)>,
    since: i64,
    until: i64,
    silent_days: Vec<i64>,
    drift_ms: i64,
    broken: bool,
    asked: Mutex<Vec<String>>,
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Vec<RecordBatch> {
    vec![RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()]
}

fn texts(values: impl Iterator<Item = &'static str>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringViewArray>())
}

fn days(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(
        values
            .map(|day| day * DAY)
            .collect::<Vec<_>>()
            .into_iter()
            .map(Some)
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}

impl Fake {
    fn daily(&self) -> Vec<(&'static str, &'static str, i64, i64)> {
        let mut rows = Vec::new();
        for (system, sender, events) in &self.senders {
            rows.extend(
                (self.since..=self.until)
                    .filter(|day| !self.silent_days.contains(day))
                    .map(|day| (*system, *sender, day, *events)),
            );
        }
        rows
    }

    fn answer(&self, sql: &str) -> Vec<RecordBatch> {
        let rows = self.daily();
        let system = || texts(rows.iter().map(|r| r.0));
        if sql.contains("events_24h") {
            let last = rows.iter().map(|r| if r.2 == self.until - 1 { r.3 } else { 0 });
            return batch(vec![
                ("system.id", system()),
                ("sender", texts(rows.iter().map(|r| r.1))),
                ("found_by", texts(rows.iter().map(|_| "sender"))),
                ("day", days(rows.iter().map(|r| r.2))),
                ("events", Arc::new(rows.iter().map(|r| Some(r.3)).collect::<Int64Array>())),
                ("events_24h", Arc::new(last.map(Some).collect::<Int64Array>())),
            ]);
        }
        if sql.contains("drift_ms") {
            let senders = &self.senders;
            return batch(vec![
                ("system.id", texts(senders.iter().map(|s| s.0))),
                ("sender", texts(senders.iter().map(|s| s.1))),
                ("found_by", texts(senders.iter().map(|_| "sender"))),
                ("drift_ms", Arc::new(senders.iter().map(|_| Some(self.drift_ms)).collect::<Int64Array>())),
            ]);
        }
        if sql.contains("date_trunc") {
            return batch(vec![
                ("system.id", system()),
                ("day", days(rows.iter().map(|r| r.2))),
                ("events", Arc::new(rows.iter().map(|r| Some(r.3)).collect::<Int64Array>())),
            ]);
        }
        Vec::new()
    }
}

impl Search for Fake {
    fn search<'a>(
        &'a self,
        scope: &'a Scope,
        sql: &'a str,
        _rows_max: usize,
    ) -> BoxFuture<'a, Result<Vec<RecordBatch>, SeamError>> {
        assert!(scope.sees_all(), "checks ask in the program's own scope");
        self.asked.lock().unwrap().push(sql.to_owned());
        Box::pin(
            async move { if self.broken { Err(SeamError("the engine is stopping".to_owned())) } else { Ok(self.answer(sql)) } },
        )
    }
}

const SYSTEMS: &str = "id,name,level,owner,operator,decision_number,decision_date,decision_body\n\
    cong-dvc,Cổng dịch vụ công,3,UBND tỉnh,Trung tâm CNTT,12/QĐ-UBND,2024-03-01,UBND tỉnh\n\
    moi,Hệ thống mới,3,UBND tỉnh,Trung tâm CNTT,99/QĐ-UBND,2026-08-20,UBND tỉnh\n\
    nho,Trang tin xã,2,UBND xã,UBND xã,,,\n";
const ASSETS: &str = "system,value,role,expected_source\n\
    cong-dvc,192.0.2.1,security,x\ncong-dvc,192.0.2.2,server,x\nmoi,192.0.2.9,server,x\nnho,198.51.100.1,server,x\n";

fn at() -> Micros {
    parse_time("2026-11-23T00:00:00Z").unwrap()
}

async fn state() -> (tempfile::TempDir, State) {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(&dir.path().join("state.sqlite")).await.unwrap();
    let author = Author { actor: "an.nguyen", at: at() - 200 * DAY, reason: "hồ sơ ban đầu" };
    // Decisions later than the author's clock are refused, so systems come in with today's.
    let now = Author { at: at() - DAY, ..author.clone() };
    assert_eq!(state.register_import(ImportKind::Systems, SYSTEMS.as_bytes(), &now, false).await.unwrap().errors, []);
    assert_eq!(state.register_import(ImportKind::Assets, ASSETS.as_bytes(), &author, false).await.unwrap().errors, []);
    (dir, state)
}

fn healthy() -> Fake {
    let today = at().div_euclid(DAY);
    let senders = vec![
        ("cong-dvc", "192.0.2.1", 1000),
        ("cong-dvc", "192.0.2.2", 200),
        ("moi", "192.0.2.9", 50),
        ("nho", "198.51.100.1", 5),
    ];
    Fake { senders, since: today - 120, until: today, drift_ms: 20, ..Fake::default() }
}

/// Everything beyond the six checks that this fake can answer for.
fn is_of_presence(id: &str) -> bool {
    let six = [
        "antimalware_coverage",
        "clock_drift",
        "log_retention_span",
        "log_sources_speaking",
        "required_log_types",
        "signature_age",
    ];
    !six.contains(&id)
}

fn words(assessment: &Assessment) -> Vec<String> {
    // Checks of presence are blind over this fake, which knows volumes and clocks alone.
    let all = assessment.checks.iter().filter(|check| !(check.verdict == Verdict::Blind && is_of_presence(&check.id)));
    all.map(|check| format!("{} {}", check.id, check.verdict.label_en())).collect()
}

#[tokio::test]
async fn an_old_approval_keeps_its_framework_and_sees_the_next_one() {
    let ((_dir, state), fake) = (state().await, healthy());
    let assessment = evaluate(&Catalogue::load_embedded(), &fake, &state, "cong-dvc", at()).await.unwrap();
    assert_eq!(assessment.framework, "tcvn_11930_2017");
    assert_eq!(
        words(&assessment),
        [
            "antimalware_coverage blind",
            "clock_drift met",
            "log_retention_span met",
            "log_sources_speaking met",
            "required_log_types blind",
            "signature_age blind"
        ]
    );
    let network = assessment.verdicts.iter().find(|v| v.clause == "7.2.1.4").unwrap();
    assert_eq!((network.verdict.name(), network.checks.len(), network.weight), ("met", 3, 20));
    // 3 of 7 lines of weight 20 are met; the other four, and 6 of weight 1, are blind: 60/146.
    assert_eq!(assessment.scores.measured.text().as_deref(), Some("41.09"));
    assert_eq!((assessment.scores.evaluated, assessment.scores.of), (13, 41));
    assert_eq!(assessment.scores.attested.value, None, "no document was shown");
    let next = assessment.upcoming.unwrap();
    assert_eq!((next.framework.as_str(), next.days_left, next.verdicts.len()), ("tcvn_14423_2026", 220, 195));
    assert!(next.verdicts.iter().all(|v| v.verdict.name() == "not_yet_due"));
    assert_eq!(next.verdicts.iter().find(|v| v.checks == ["log_retention_span"]).unwrap().measured, Verdict::Met);
}

#[tokio::test]
async fn a_new_approval_is_bound_by_the_new_framework() {
    let ((_dir, state), fake) = (state().await, healthy());
    let assessment = evaluate(&Catalogue::load_embedded(), &fake, &state, "moi", at()).await.unwrap();
    assert_eq!((assessment.framework.as_str(), assessment.upcoming), ("tcvn_14423_2026", None));
    let clause = |check: &str| assessment.verdicts.iter().find(|v| v.checks == [check]).map(|v| v.clause.as_str());
    assert_eq!(clause("log_retention_span"), Some("5.8.2.1 a"));
    assert_eq!((assessment.scores.evaluated, assessment.scores.of), (25, 195));
}

#[tokio::test]
async fn each_check_asks_once_for_all_and_shows_sql_for_one() {
    let ((_dir, state), fake) = (state().await, healthy());
    let all = evaluate_all(&Catalogue::load_embedded(), &fake, &state, at()).await.unwrap();
    let asked = fake.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), all.iter().flat_map(|a| &a.checks).map(|check| &check.id).collect::<BTreeSet<_>>().len());
    assert!(asked[1].contains("IN ('cong-dvc', 'moi', 'nho')"));
    let one = evaluate(&Catalogue::load_embedded(), &fake, &state, "moi", at()).await.unwrap();
    assert_eq!(all[1], one, "asking for all and for one gives the same");
    let shown = &one.check("log_sources_speaking").unwrap().sql;
    assert!(shown.contains("system.id IN ('moi')") && shown.starts_with("SELECT"), "{shown}");
    assert!(fake.asked.lock().unwrap().contains(shown), "what is shown is what ran");
}

#[tokio::test]
async fn a_silent_source_a_wrong_clock_and_a_hole_are_seen() {
    let (_dir, state) = state().await;
    let catalogue = Catalogue::load_embedded();
    let check = async |fake: &Fake, id: &str| {
        evaluate(&catalogue, fake, &state, "cong-dvc", at()).await.unwrap().check(id).unwrap().clone()
    };
    let mut fake = healthy();
    fake.senders.remove(1);
    assert_eq!(check(&fake, "log_sources_speaking").await.verdict.label_en(), "partly (1/2)");
    let fake = Fake { drift_ms: -25_200_000, ..healthy() };
    assert_eq!(check(&fake, "clock_drift").await.verdict.name(), "breached");
    let fake = Fake { silent_days: vec![at().div_euclid(DAY) - 30], ..healthy() };
    let span = check(&fake, "log_retention_span").await;
    assert_eq!((span.verdict.name(), span.numbers["continuous_days"]), ("breached", 29));
    let fake = Fake { since: at().div_euclid(DAY) - 40, ..healthy() };
    assert_eq!(check(&fake, "log_retention_span").await.verdict.name(), "accumulating");
}

#[tokio::test]
async fn a_question_that_fails_is_blind_and_our_outage() {
    let (_dir, state) = state().await;
    let fake = Fake { broken: true, ..healthy() };
    let assessment = evaluate(&Catalogue::load_embedded(), &fake, &state, "cong-dvc", at()).await.unwrap();
    assert!(assessment.checks.iter().all(|check| check.outage && check.verdict == Verdict::Blind));
    assert_eq!(assessment.scores.measured.text().as_deref(), Some("0.00"));
    assert!(assessment.checks[0].reason_en.contains("the engine is stopping"));
}

#[tokio::test]
async fn documents_count_in_their_own_number_and_need_two_people_to_excuse() {
    let ((_dir, state), fake) = (state().await, healthy());
    let catalogue = Catalogue::load_embedded();
    let key = |title: &str| {
        let framework = catalogue.framework("tcvn_11930_2017").unwrap();
        framework.requirements.iter().find(|r| r.title.en == title).unwrap().key.clone()
    };
    let until = |text: &str| Attestation::Document { verdict: true, until: text.parse().unwrap() };
    let excuse = |second: &str| Attestation::NotApplicable {
        reason: "không có thư".into(),
        person: "a".into(),
        second_person: second.into(),
    };
    let mut facts = Facts { register: state.register(&Scope::internal("test")).await.unwrap(), ..Facts::default() };
    let own = facts.attestations.entry("cong-dvc".to_owned()).or_default();
    own.insert(key("Security policy of the organisation"), until("2027-01-01"));
    own.insert(key("Policy drawn up and published"), until("2026-01-01"));
    own.insert(key("Malware protection on servers"), excuse("b"));
    own.insert(key("Server system logs are kept"), excuse("a"));
    let found = evaluate_facts(&catalogue, &fake, &facts, &["cong-dvc".to_owned()], at()).await;
    let verdict = |title: &str| found[0].requirement(&key(title)).unwrap().verdict.name();
    assert_eq!(verdict("Security policy of the organisation"), "met");
    assert_eq!(verdict("Policy drawn up and published"), "expired");
    assert_eq!(verdict("Malware protection on servers"), "not_applicable");
    assert_eq!(verdict("Server system logs are kept"), "met", "one person alone cannot excuse a line");
    // 3 of 6 lines of weight 20 remain met, 6 of weight 1 are blind: 60/126.
    assert_eq!(found[0].scores.measured.text().as_deref(), Some("47.61"));
}

#[tokio::test]
async fn a_closed_day_is_recomputed_from_its_seal_and_explains_the_next() {
    let (_dir, state) = state().await;
    let (catalogue, scope) = (Catalogue::load_embedded(), Scope::internal("test"));
    let day = local_day(at() - DAY);
    let sealed = close_day(&catalogue, &healthy(), &state, day, at()).await.unwrap();
    assert_eq!(sealed.len(), 3);
    let again = close_day(&catalogue, &healthy(), &state, day, at() + 5).await.unwrap();
    assert_eq!(again, sealed, "closing again changes nothing");
    let before = SealedInputs::from_json(&sealed[0].inputs).unwrap();
    assert_eq!(before.recompute(), before.scores);
    let mut fake = healthy();
    fake.senders.remove(1);
    let assessment = evaluate(&catalogue, &fake, &state, "cong-dvc", at() + DAY).await.unwrap();
    let after = SealedInputs::new(&assessment);
    assert_eq!(after.recompute(), after.scores);
    let delta = explain(&before, &after, EvidenceKind::Measured);
    assert_eq!(delta.parts.iter().map(|(_, part)| part).sum::<i64>(), delta.total.unwrap());
    assert!(delta.total.unwrap() < 0);
    assert!(delta.parts.iter().all(|(cause, part)| *part == 0 || *cause == crate::Cause::Telemetry), "{delta:?}");
    assert_eq!(state.verify_sealed("cong-dvc").await.unwrap(), 1);
    assert!(state.sealed_before(&scope, "cong-dvc", day).await.unwrap().is_none());
}

/// Design §9: shrinking the register is a listed event, and does not raise the score.
#[tokio::test]
async fn a_register_that_shrinks_is_listed() {
    let (_dir, state) = state().await;
    let (catalogue, scope) = (Catalogue::load_embedded(), Scope::internal("test"));
    let mut fake = healthy();
    fake.senders.remove(1);
    let before = evaluate(&catalogue, &fake, &state, "cong-dvc", at()).await.unwrap();
    let silent = state.register(&scope).await.unwrap().assets.into_iter().find(|a| a.value == "192.0.2.2").unwrap();
    let author = Author { actor: "binh.tran", at: at() - 1, reason: "đã thanh lý" };
    state.end_asset(silent.id, &author).await.unwrap();
    let after = evaluate(&catalogue, &fake, &state, "cong-dvc", at()).await.unwrap();
    assert_eq!(after.check("log_sources_speaking").unwrap().verdict, before.check("log_sources_speaking").unwrap().verdict);
    assert_eq!(after.notes.len(), 1);
    assert_eq!(after.notes[0].vi, "Sổ đăng ký thu hẹp: cong-dvc 192.0.2.2 (binh.tran, lý do: đã thanh lý)");
}
