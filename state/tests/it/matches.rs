//! Alerts and incidents: replays, joining, state changes, answers.

use event::{Role, Scope, Systems, severity::Severity};
use proptest::prelude::*;
use state::{
    alerts::{AlertEvent, AlertFilter, Evidence},
    incidents::{Actor, Entity, Incident, Status, Verdict},
    matches::{AlertUpsert, ChangeKind, IncidentChange, Join, MatchBlock},
};

use crate::Db;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const JOIN: Join = Join { lookback: DAY, reopen: 7 * DAY, samples_max: 3 };

pub fn alert(id: &str, at: i64) -> AlertUpsert {
    AlertUpsert {
        id: id.into(),
        rule_id: format!("rule-{id}"),
        rule: r#"{"title":"Dò mật khẩu"}"#.into(),
        title_vi: format!("luật {id}"),
        title_en: format!("rule {id}"),
        rule_level: Severity::High,
        severity: Severity::High,
        steps: serde_json::json!([]),
        pages_as: Some(Severity::High),
        decision: "pages".into(),
        is_fresh: true,
        system: "mot-cua".into(),
        system_level: Some(3),
        entity: Entity { kind: "source.ip".into(), value: "203.0.113.9".into() },
        family: "credential-access".into(),
        group: vec![("source.ip".into(), "203.0.113.9".into())],
        window_start: 0,
        window_end: DAY,
        first_seen: at,
        last_seen: at,
        count: 2,
        samples: (0..2)
            .map(|n| AlertEvent {
                id: format!("n-{at}-{n}"),
                timestamp: at,
                summary: "Failed password".into(),
                evidence: vec![Evidence { identifier: "selection".into(), field: "message".into(), value: "Failed".into() }],
            })
            .collect(),
    }
}

/// Records a block of one frame, at the time of its first alert.
pub async fn record(db: &Db, frame: u64, alerts: Vec<AlertUpsert>) -> Vec<IncidentChange> {
    let now = alerts[0].last_seen;
    record_at(db, frame, alerts, now).await
}

async fn record_at(db: &Db, frame: u64, alerts: Vec<AlertUpsert>, now: i64) -> Vec<IncidentChange> {
    let block = MatchBlock { cursor: Some((frame - 1, frame)), alerts, counted: Vec::new(), join: JOIN };
    db.state.record_matches(&block, now).await.unwrap()
}

async fn only(db: &Db) -> Incident {
    let mut incidents = db.state.incidents(&Scope::internal("test"), &Default::default()).await.unwrap();
    assert_eq!(incidents.len(), 1);
    incidents.remove(0)
}

async fn actor(db: &Db) -> Actor {
    let user = db.state.create_user(crate::accounts::person("lan", Role::Oncall), 0).await.unwrap();
    Actor { id: user.id, name: user.name }
}

#[tokio::test]
async fn a_block_recorded_twice_counts_once() {
    let db = Db::new().await;
    let changes = record(&db, 1, vec![alert("a", 10), alert("b", 11)]).await;
    assert_eq!(changes.iter().map(|change| (change.kind, change.pages)).collect::<Vec<_>>(), [(ChangeKind::Opened, true)]);
    let before = only(&db).await;
    assert_eq!((before.alerts, before.events, before.first_seen, before.last_seen), (2, 4, 10, 11));
    let db = db.reopened().await;
    assert_eq!(record(&db, 1, vec![alert("a", 10), alert("b", 11)]).await, []);
    assert_eq!(only(&db).await, before);
    assert_eq!(db.state.pending_changes(10).await.unwrap().len(), 1, "one page waits");
    assert_eq!(db.state.rule_health().await.unwrap()["rule-a"].matches, 2);
}

#[tokio::test]
async fn matches_counted_from_another_place_are_refused_whole() {
    let db = Db::new().await;
    record(&db, 1, vec![alert("a", 10)]).await;
    let block = MatchBlock { cursor: Some((0, 2)), alerts: vec![alert("a", 10)], counted: Vec::new(), join: JOIN };
    let error = db.state.record_matches(&block, 10).await.unwrap_err();
    assert!(error.to_string().contains("after block 0, but 1"), "{error}");
    assert_eq!(only(&db).await.events, 2);
    assert_eq!(db.state.cursor("detect").await.unwrap(), 1);
}

#[tokio::test]
async fn counts_are_exact_and_samples_capped() {
    let db = Db::new().await;
    for frame in 1..=5 {
        record(&db, frame, vec![alert("a", frame as i64)]).await;
    }
    let scope = Scope::internal("test");
    let alerts = db.state.alerts(&scope, &AlertFilter::default()).await.unwrap();
    assert_eq!((alerts.len(), alerts[0].count, alerts[0].first_seen, alerts[0].last_seen), (1, 10, 1, 5));
    let events = db.state.alert_events(&scope, "a").await.unwrap();
    assert_eq!(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["n-1-0", "n-1-1", "n-2-0"]);
}

#[tokio::test]
async fn an_incident_is_joined_by_system_entity_and_family_within_the_lookback() {
    let db = Db::new().await;
    let other = |change: fn(&mut AlertUpsert)| {
        let mut alert = alert("x", DAY);
        change(&mut alert);
        alert
    };
    record(&db, 1, vec![alert("a", DAY)]).await;
    record(&db, 2, vec![alert("b", 2 * DAY)]).await;
    assert_eq!(only(&db).await.alerts, 2, "within the look-back");
    record(
        &db,
        3,
        vec![other(|alert| {
            alert.id = "c".into();
            alert.system = "thu".into()
        })],
    )
    .await;
    record(
        &db,
        4,
        vec![other(|alert| {
            alert.id = "d".into();
            alert.entity.value = "203.0.113.10".into()
        })],
    )
    .await;
    record(
        &db,
        5,
        vec![other(|alert| {
            alert.id = "e".into();
            alert.family = "execution".into()
        })],
    )
    .await;
    record(&db, 6, vec![alert("f", 3 * DAY + 1)]).await;
    let incidents = db.state.incidents(&Scope::internal("test"), &Default::default()).await.unwrap();
    assert_eq!(incidents.len(), 5);
    let owner = Scope { actor: "x".into(), role: Role::Owner, systems: Systems::Only(["thu".to_owned()].into()) };
    assert_eq!(db.state.incidents(&owner, &Default::default()).await.unwrap().len(), 1);
    assert_eq!(db.state.alerts(&owner, &AlertFilter::default()).await.unwrap().len(), 1);
    assert_eq!(db.state.alert_events(&owner, "a").await.unwrap(), []);
    assert_eq!(db.state.incident(&owner, 1).await.unwrap(), None);
    assert_eq!(db.state.incident_log(&owner, 1).await.unwrap(), []);
    let auditor = Scope { actor: "x".into(), role: Role::Auditor, systems: Systems::All };
    assert_eq!(db.state.incident(&auditor, 1).await.unwrap().unwrap().entity.value, "•••");
}

#[tokio::test]
async fn more_of_the_same_is_no_news_and_worse_is() {
    let db = Db::new().await;
    let lan = actor(&db).await;
    record(&db, 1, vec![alert("a", 1)]).await;
    assert_eq!(record(&db, 2, vec![alert("a", 2)]).await, [], "same alert");
    assert_eq!(record(&db, 3, vec![alert("b", 3)]).await, [], "another alert as severe");
    let scope = Scope::internal("test");
    db.state.acknowledge_incident(&scope, 1, &lan, "tôi xem", 4).await.unwrap();
    assert_eq!(db.state.pending_changes(10).await.unwrap(), [], "an answer stops what was not told yet");
    let mut worse = alert("c", 5);
    (worse.severity, worse.pages_as) = (Severity::Critical, Some(Severity::Critical));
    let changes = record(&db, 4, vec![worse]).await;
    assert_eq!((changes[0].kind, changes[0].severity, changes[0].pages), (ChangeKind::Raised, Severity::Critical, true));
    let incident = only(&db).await;
    assert_eq!((incident.status, incident.severity, incident.acknowledged_at), (Status::Open, Severity::Critical, None));
    assert_eq!(incident.title_vi, "luật c", "the worst alert names the incident");
    let actions: Vec<String> = db.state.incident_log(&scope, 1).await.unwrap().into_iter().map(|line| line.action).collect();
    assert_eq!(actions, ["opened", "acknowledged", "severity_raised"]);
}

#[tokio::test]
async fn a_trial_rule_does_not_hide_the_page_of_a_stable_one() {
    let db = Db::new().await;
    let mut trial = alert("a", 1);
    (trial.severity, trial.pages_as) = (Severity::Critical, None);
    assert!(!record(&db, 1, vec![trial]).await[0].pages);
    let changes = record(&db, 2, vec![alert("b", 2)]).await;
    assert_eq!((changes[0].kind, changes[0].pages), (ChangeKind::Raised, true));
    assert_eq!(only(&db).await.severity, Severity::Critical, "the page does not lower the incident");
}

async fn closed_as(verdict: Verdict) -> Db {
    let db = Db::new().await;
    let lan = actor(&db).await;
    record(&db, 1, vec![alert("a", 1)]).await;
    db.state.close_incident(&Scope::internal("test"), 1, &lan, verdict, "", 10).await.unwrap();
    db
}

#[tokio::test]
async fn an_attack_that_goes_on_opens_again_and_pages() {
    let db = closed_as(Verdict::TruePositive).await;
    let changes = record_at(&db, 2, vec![alert("a", 20)], 20).await;
    assert_eq!((changes[0].kind, changes[0].pages), (ChangeKind::Reopened, true));
    let incident = only(&db).await;
    assert_eq!((incident.status, incident.reopened, incident.verdict, incident.closed_at), (Status::Open, 1, None, None));
}

#[tokio::test]
async fn what_was_called_harmless_stays_quiet() {
    let db = closed_as(Verdict::FalsePositive).await;
    assert_eq!(record_at(&db, 2, vec![alert("a", 20)], 20).await, [], "the same alert counts on in silence");
    assert_eq!((only(&db).await.status, only(&db).await.events), (Status::Closed, 4));
    let changes = record_at(&db, 3, vec![alert("b", 21)], 21).await;
    assert_eq!((changes[0].kind, changes[0].pages), (ChangeKind::Reopened, false), "another alert opens it, nobody is woken");
    let mut worse = alert("c", 22);
    (worse.severity, worse.pages_as) = (Severity::Critical, Some(Severity::Critical));
    assert!(record_at(&db, 4, vec![worse], 22).await[0].pages, "worse than before");
}

#[tokio::test]
async fn late_or_long_after_does_not_open_again() {
    let db = closed_as(Verdict::TruePositive).await;
    let mut late = alert("a", 5);
    late.is_fresh = false;
    assert_eq!(record_at(&db, 2, vec![late], 20).await, []);
    assert_eq!(only(&db).await.status, Status::Closed);
    let changes = record_at(&db, 3, vec![alert("b", 8 * DAY)], 8 * DAY).await;
    assert_eq!(changes[0].kind, ChangeKind::Opened, "a new incident");
    assert_eq!(changes[0].incident, 2);
}

#[tokio::test]
async fn answers_need_scope_and_are_logged() {
    let db = Db::new().await;
    let lan = actor(&db).await;
    record(&db, 1, vec![alert("a", 1)]).await;
    let other = Scope { actor: "x".into(), role: Role::Oncall, systems: Systems::Only(["thu".to_owned()].into()) };
    assert!(db.state.acknowledge_incident(&other, 1, &lan, "", 2).await.is_err());
    assert!(db.state.close_incident(&other, 1, &lan, Verdict::Benign, "", 2).await.is_err());
    assert!(db.state.note_incident(&other, 1, &lan, "x", 2).await.is_err());
    assert_eq!(only(&db).await.status, Status::Open);
    let scope = Scope::internal("test");
    let owner = db.state.create_user(crate::accounts::person("minh", Role::Owner), 0).await.unwrap();
    assert!(db.state.assign_incident(&scope, 1, &lan, owner.id, 2).await.is_err(), "an owner does not handle incidents");
    assert_eq!(db.state.assign_incident(&scope, 1, &lan, lan.id, 2).await.unwrap().owner, Some(lan.id));
    db.state.note_incident(&scope, 1, &lan, "đang xem", 3).await.unwrap();
    let log = db.state.incident_log(&scope, 1).await.unwrap();
    let lines: Vec<_> = log.iter().map(|line| (line.action.as_str(), line.actor.as_str(), line.note.as_str())).collect();
    assert_eq!(lines, [("opened", "chieng:respond", "pages"), ("assigned", "lan", "lan"), ("note", "lan", "đang xem")]);
}

/// One alert of an invented block: few ids, entities and times, so that they meet each other.
fn any_alert() -> impl Strategy<Value = AlertUpsert> {
    let severity = prop::sample::select(vec![Severity::Low, Severity::High, Severity::Critical]);
    (0..4u8, 0..2u8, 0..6i64, severity, any::<bool>(), any::<bool>()).prop_map(|(id, entity, days, severity, pages, is_fresh)| {
        let at = days * DAY;
        AlertUpsert {
            entity: Entity { kind: "source.ip".into(), value: format!("192.0.2.{entity}") },
            severity,
            pages_as: pages.then_some(severity),
            is_fresh,
            decision: format!("{severity:?} on day {days}"),
            ..alert(&format!("{id}-{entity}"), at)
        }
    })
}

/// What people do between two blocks.
#[derive(Clone, Debug)]
enum Between {
    Nothing,
    CloseAll(Verdict),
}

/// Everything that was recorded, except times of writing.
async fn all(db: &Db) -> (Vec<Incident>, Vec<String>) {
    let scope = Scope::internal("test");
    let incidents = db.state.incidents(&scope, &Default::default()).await.unwrap();
    let mut rest = Vec::new();
    for alert in db.state.alerts(&scope, &AlertFilter::default()).await.unwrap() {
        rest.push(format!("{alert:?} {:?}", db.state.alert_events(&scope, &alert.id).await.unwrap()));
    }
    for (line, _) in db.state.log_after(0, 1_000).await.unwrap() {
        rest.push(format!("{line:?}"));
    }
    rest.push(format!("{:?}", db.state.pending_changes(1_000).await.unwrap()));
    rest.push(format!("{:?}", db.state.rule_health().await.unwrap()));
    (incidents, rest)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// The oracle: every alert recorded as a block of its own.
    #[test]
    fn a_block_is_the_sum_of_its_alerts(
        blocks in prop::collection::vec(
            (prop::collection::vec(any_alert(), 1..8), prop::sample::select(vec![
                Between::Nothing, Between::CloseAll(Verdict::TruePositive), Between::CloseAll(Verdict::Benign),
            ])),
            1..4,
        ),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (whole, single) = (Db::new().await, Db::new().await);
            let (mut at, mut one) = (0, 0);
            for (number, (mut alerts, between)) in blocks.into_iter().enumerate() {
                let now = 10 * DAY + number as i64;
                // An event is in one block, once.
                let samples = alerts.iter_mut().flat_map(|alert| &mut alert.samples);
                samples.enumerate().for_each(|(at, event)| event.id = format!("n-{number}-{at}"));
                for (db, parts) in [(&whole, vec![alerts.clone()]), (&single, alerts.iter().map(|alert| vec![alert.clone()]).collect())] {
                    let frame = if std::ptr::eq(db, &whole) { &mut at } else { &mut one };
                    for alerts in parts {
                        *frame += 1;
                        record_at(db, *frame, alerts, now).await;
                    }
                    if let Between::CloseAll(verdict) = &between {
                        close_all(db, *verdict, now).await;
                    }
                }
            }
            assert_eq!(all(&whole).await, all(&single).await);
        });
    }
}

async fn close_all(db: &Db, verdict: Verdict, now: i64) {
    let (scope, by) = (Scope::internal("test"), Actor { id: 0, name: "lan".into() });
    for incident in db.state.incidents(&scope, &Default::default()).await.unwrap() {
        if incident.status != Status::Closed {
            db.state.close_incident(&scope, incident.id, &by, verdict, "", now).await.unwrap();
        }
    }
}
