//! Answering from the mail: a link that is only looked at does nothing, one that is used works once.

use std::time::Duration;

use event::{Role, Systems};
use state::{
    ack::{AckToken, Acked},
    incidents::{Status, Verdict},
    users::UserChange,
};

use crate::{
    rig::{HOUR, MINUTE, Rig},
    smtp::SmtpServer,
};

async fn paged() -> (SmtpServer, Rig, String) {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    rig.person("lan").await;
    rig.attack(1, "203.0.113.9").await;
    rig.work().await;
    let token = smtp.received()[0].token();
    (smtp, rig, token)
}

async fn status(rig: &Rig) -> Status {
    rig.state.incident(&rig.scope(), 1).await.unwrap().unwrap().status
}

#[tokio::test]
async fn a_link_that_is_prefetched_acknowledges_nothing() {
    let (smtp, rig, token) = paged().await;
    for _ in 0..3 {
        let AckToken { person, incident } = rig.responder.peek_ack(&token).await.unwrap().unwrap();
        assert_eq!((person.name.as_str(), incident.id), ("lan", 1));
    }
    assert_eq!(status(&rig).await, Status::Open);
    rig.clock.advance(10 * MINUTE);
    rig.work().await;
    assert_eq!(smtp.received().len(), 2, "escalation goes on");
}

#[tokio::test]
async fn a_token_works_once_and_for_one_person() {
    let (_smtp, rig, token) = paged().await;
    assert_eq!(rig.responder.use_ack("guess").await.unwrap(), Acked::Invalid);
    let Acked::Now { person, incident } = rig.responder.use_ack(&token).await.unwrap() else { panic!("acknowledged") };
    assert_eq!((person.name.as_str(), incident.status), ("lan", Status::Acknowledged));
    assert_eq!(incident.acknowledged_by.as_deref(), Some("lan"));
    assert_eq!(rig.responder.use_ack(&token).await.unwrap(), Acked::Invalid, "spent");
    assert_eq!(rig.responder.peek_ack(&token).await.unwrap(), None);
    let log = rig.state.incident_log(&rig.scope(), 1).await.unwrap();
    assert_eq!(log.iter().filter(|line| line.action == "acknowledged").count(), 1);
}

#[tokio::test]
async fn a_token_expires_and_goes_with_its_person() {
    let (_smtp, rig, token) = paged().await;
    rig.clock.advance(24 * HOUR);
    assert_eq!(rig.responder.use_ack(&token).await.unwrap(), Acked::Invalid);
    let (_smtp, mut rig, token) = paged().await;
    rig.account("admin", Role::Admin, Systems::All).await;
    let lan = rig.people["lan"].id;
    rig.state.update_user(lan, UserChange { disabled: Some(true), ..UserChange::default() }).await.unwrap();
    assert_eq!(rig.responder.use_ack(&token).await.unwrap(), Acked::Invalid);
    assert_eq!(status(&rig).await, Status::Open);
    let elsewhere = Systems::Only(["thu".to_owned()].into());
    rig.state
        .update_user(lan, UserChange { disabled: Some(false), systems: Some(elsewhere), ..UserChange::default() })
        .await
        .unwrap();
    assert_eq!(rig.responder.use_ack(&token).await.unwrap(), Acked::Invalid, "no longer in scope");
}

#[tokio::test]
async fn two_people_answer_and_one_is_first() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    rig.person("lan").await;
    rig.person("minh").await;
    rig.attack(1, "203.0.113.9").await;
    rig.work().await;
    let tokens: Vec<String> = smtp.received().iter().map(|mail| mail.token()).collect();
    let (one, two) = tokio::join!(rig.responder.use_ack(&tokens[0]), rig.responder.use_ack(&tokens[1]));
    let firsts = [one.unwrap(), two.unwrap()].iter().filter(|acked| matches!(acked, Acked::Now { .. })).count();
    assert_eq!(firsts, 1);
}

#[tokio::test]
async fn an_answer_cancels_what_was_not_sent_yet() {
    let (smtp, mut rig, token) = paged().await;
    rig.person("minh").await;
    smtp.refuse_next("451 later");
    rig.clock.advance(10 * MINUTE);
    rig.work().await;
    rig.responder.use_ack(&token).await.unwrap();
    rig.clock.advance(HOUR);
    assert_eq!(rig.work().await.attempts, 0);
    let mut statuses: Vec<String> = rig.told(1).await.into_iter().map(|(status, _)| status).collect();
    statuses.sort();
    assert_eq!(statuses, ["cancelled", "delivered", "delivered"]);
}

#[tokio::test]
async fn every_transition_is_an_audit_event_exactly_once() {
    let (_smtp, rig, token) = paged().await;
    *rig.sink.refuses.lock().unwrap() = true;
    rig.responder.use_ack(&token).await.unwrap();
    let lan = rig.people["lan"].clone();
    rig.responder.close(&rig.scope(), 1, &lan, Verdict::TruePositive, "đã chặn").await.unwrap();
    assert!(rig.responder.work().await.is_err(), "the log is full");
    *rig.sink.refuses.lock().unwrap() = false;
    let rig = rig.restarted().await;
    rig.work().await;
    rig.work().await;
    let expected = ["opened", "paged", "page_delivered", "acknowledged", "closed"].map(|action| format!("incident.{action}"));
    assert_eq!(rig.sink.actions(), expected);
    let records = rig.sink.records();
    let closed = records.last().unwrap();
    assert_eq!((&closed["user.name"], &closed["message"]), (&"lan".into(), &"đã chặn".into()));
    assert_eq!(closed["chieng.incident.verdict"], "true_positive");
    assert_eq!(closed["related.system"], serde_json::json!(["mot-cua"]));
    assert!(rig.sink.batches.lock().unwrap().iter().all(|batch| batch.source == "chieng.audit"));
    assert!(!serde_json::to_string(&records).unwrap().contains(&token), "a token is in no log");
}

#[tokio::test]
async fn the_answer_reaches_the_loop() {
    let (smtp, rig, token) = paged().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(rig.responder.clone().run(async move { stopped.await.unwrap_or(()) }));
    rig.responder.use_ack(&token).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !rig.sink.actions().contains(&"incident.acknowledged".to_owned()) {
        assert!(std::time::Instant::now() < deadline, "{:?}", rig.sink.actions());
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(smtp.received().len(), 1);
}
