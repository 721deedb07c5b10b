//! Who is woken, in which order, until somebody answers; and how a storm is kept from them.

use chrono::{NaiveDate, NaiveTime};
use event::{Role, Systems, severity::Severity};
use state::oncall::{Escalation, NewSchedule, Rotation, Step, Target, Turn};

use crate::{
    rig::{MINUTE, Rig},
    smtp::SmtpServer,
};

async fn schedule(rig: &Rig, members: Vec<i64>) -> i64 {
    let rotation = Rotation {
        turn: Turn::Day,
        every: 1,
        start: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(),
        hand_over: NaiveTime::from_hms_opt(8, 0, 0).unwrap(),
    };
    let new = NewSchedule { name: "trực".into(), timezone: "Asia/Ho_Chi_Minh".into(), members, rotation };
    rig.state.create_schedule(&new).await.unwrap()
}

async fn chain(rig: &Rig, steps: Vec<(u32, Target)>, repeat: u32) {
    let steps = steps.into_iter().map(|(wait_minutes, target)| Step { wait_minutes, target }).collect();
    rig.state.set_escalation(&Escalation { steps, repeat }).await.unwrap();
}

#[tokio::test]
async fn the_second_step_follows_when_nobody_answers_and_stops_when_somebody_does() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    let (lan, minh) = (rig.person("lan").await, rig.person("minh").await);
    let duty = schedule(&rig, vec![lan.id]).await;
    chain(&rig, vec![(0, Target::Schedule { id: duty }), (5, Target::User { id: minh.id }), (5, Target::Everyone)], 0).await;
    rig.attack(1, "203.0.113.9").await;
    rig.work().await;
    assert_eq!(smtp.recipients(), ["lan@tinh.example"]);
    rig.clock.advance(5 * MINUTE - 1);
    assert_eq!(rig.work().await.escalations, 0);
    rig.clock.advance(1);
    assert_eq!(rig.work().await.escalations, 1);
    assert_eq!(smtp.recipients(), ["lan@tinh.example", "minh@tinh.example"]);
    assert!(smtp.received()[1].subject().ends_with("chưa ai xác nhận"));
    rig.responder.acknowledge(&rig.scope(), 1, &minh, "").await.unwrap();
    rig.clock.advance(60 * MINUTE);
    assert_eq!(rig.work().await.escalations, 0);
    assert_eq!(smtp.received().len(), 2, "nobody else is woken");
    assert_eq!(rig.state.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn timers_survive_a_restart() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    let (lan, minh) = (rig.person("lan").await, rig.person("minh").await);
    chain(&rig, vec![(0, Target::User { id: lan.id }), (5, Target::User { id: minh.id })], 1).await;
    rig.attack(1, "203.0.113.9").await;
    rig.work().await;
    let rig = rig.restarted().await;
    assert_eq!(rig.work().await.attempts, 0, "no second page");
    rig.clock.advance(20 * MINUTE);
    let rig = rig.restarted().await;
    rig.work().await;
    assert_eq!(smtp.recipients(), ["lan@tinh.example", "minh@tinh.example"], "none lost, though it was due while we were away");
    rig.clock.advance(5 * MINUTE);
    rig.work().await;
    rig.clock.advance(5 * MINUTE);
    rig.work().await;
    assert_eq!(smtp.received().len(), 4, "the second round");
    rig.clock.advance(600 * MINUTE);
    rig.work().await;
    assert_eq!(smtp.received().len(), 4);
    let log = rig.state.incident_log(&rig.scope(), 1).await.unwrap();
    assert!(log.iter().any(|line| line.action == "escalation_exhausted"));
}

#[tokio::test]
async fn where_nobody_is_on_call_everyone_who_may_is_told() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    let lan = rig.person("lan").await;
    rig.person("minh").await;
    let owner = rig.account("owner", Role::Owner, Systems::All).await;
    rig.responder.add_channel(Some(owner.id), state::channels::ChannelKind::Email, "owner@tinh.example").await.unwrap();
    let elsewhere = rig.account("thu", Role::Oncall, Systems::Only(["thu".to_owned()].into())).await;
    rig.responder.add_channel(Some(elsewhere.id), state::channels::ChannelKind::Email, "thu@tinh.example").await.unwrap();
    let duty = schedule(&rig, vec![lan.id]).await;
    rig.state.update_user(lan.id, state::users::UserChange { disabled: Some(true), ..Default::default() }).await.unwrap();
    chain(&rig, vec![(0, Target::Schedule { id: duty })], 0).await;
    rig.attack(1, "203.0.113.9").await;
    rig.work().await;
    assert_eq!(smtp.recipients(), ["minh@tinh.example"]);
    let log = rig.state.incident_log(&rig.scope(), 1).await.unwrap();
    assert!(log.iter().any(|line| line.action == "oncall_gap"), "{log:?}");
}

#[tokio::test]
async fn duty_passes_at_the_hand_over() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    let (lan, minh) = (rig.person("lan").await, rig.person("minh").await);
    let duty = schedule(&rig, vec![lan.id, minh.id]).await;
    chain(&rig, vec![(0, Target::Schedule { id: duty })], 0).await;
    // 03:12, then 08:12 on the 23rd; the first turn began on the 22nd.
    rig.attack(1, "203.0.113.9").await;
    rig.work().await;
    rig.clock.advance(300 * MINUTE);
    rig.attack(2, "203.0.113.10").await;
    rig.work().await;
    assert_eq!(smtp.recipients(), ["lan@tinh.example", "minh@tinh.example"]);
}

#[tokio::test]
async fn a_storm_is_a_few_pages_and_one_summary() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |settings| settings.paging.storm_pages = 3).await;
    let lan = rig.person("lan").await;
    chain(&rig, vec![(0, Target::User { id: lan.id })], 0).await;
    for frame in 1..=20 {
        rig.attack(frame, &format!("203.0.113.{frame}")).await;
    }
    rig.work().await;
    assert_eq!(smtp.received().len(), 3);
    let rig = rig.restarted().await;
    rig.responder.acknowledge(&rig.scope(), 20, &lan, "").await.unwrap();
    rig.clock.advance(MINUTE);
    rig.work().await;
    let received = smtp.received();
    assert_eq!(received.len(), 4);
    assert_eq!(received[3].subject(), "[Chiêng] 16 sự cố chưa xác nhận (gộp)");
    assert!(received[3].text().contains("#4 · Cao · mot-cua"));
    rig.clock.advance(60 * MINUTE);
    rig.work().await;
    assert_eq!(smtp.received().len(), 4);
    rig.attack(21, "203.0.113.99").await;
    rig.work().await;
    assert_eq!(smtp.received().len(), 5, "after the storm pages come one by one again");
    assert_eq!(rig.told(4).await[0].0, "summarised");
}

#[tokio::test]
async fn more_of_the_same_pages_once_and_worse_pages_again() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    let lan = rig.person("lan").await;
    chain(&rig, vec![(0, Target::User { id: lan.id })], 0).await;
    for frame in 1..=10 {
        rig.attack(frame, "203.0.113.9").await;
        rig.work().await;
    }
    assert_eq!(smtp.received().len(), 1);
    rig.responder.record(11, &[rig.found(11, "203.0.113.9", Severity::Critical)]).await.unwrap();
    rig.work().await;
    assert_eq!(smtp.received().len(), 2);
    assert!(smtp.received()[1].subject().contains("Nghiêm trọng"));
}

#[tokio::test]
async fn what_deserves_no_page_is_in_the_queue_with_its_reason() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    rig.person("lan").await;
    let mut low = rig.found(1, "203.0.113.1", Severity::High);
    low.event.system_level = Some(2);
    let mut late = rig.found(1, "203.0.113.2", Severity::High);
    late.event.timestamp -= 61 * MINUTE;
    rig.responder.record(1, &[low, late, rig.found(1, "203.0.113.3", Severity::Medium)]).await.unwrap();
    assert_eq!(rig.work().await.changes, 0);
    assert_eq!(smtp.received().len(), 0);
    let alerts = rig.state.alerts(&rig.scope(), &Default::default()).await.unwrap();
    let mut reasons: Vec<_> = alerts.iter().map(|alert| alert.decision.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["late", "level_below", "severity_below"]);
}
