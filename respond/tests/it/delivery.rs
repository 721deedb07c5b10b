//! Mail and webhooks: what is sent, how often it is tried, what is refused.

use std::time::{Duration, Instant};

use event::severity::Severity;
use respond::webhook::sign;
use state::channels::ChannelKind;
use tokio::net::TcpListener;

use crate::{
    http::HttpServer,
    rig::{HOUR, MINUTE, Rig, SECOND, START},
    smtp::SmtpServer,
};

#[tokio::test]
async fn a_page_arrives_in_vietnamese_and_carries_nothing_it_must_not() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    rig.person("lan").await;
    rig.attack(1, "203.0.113.9").await;
    assert_eq!(rig.work().await.delivered, 1);
    let mail = &smtp.received()[0];
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("chieng@tinh.example", ["lan@tinh.example".to_owned()].as_slice()));
    assert_eq!(mail.subject(), "[Chiêng] Sự cố #1 · Cao · mot-cua");
    let text = mail.text();
    for line in ["Sự cố số 1", "Mức độ: Cao", "Hệ thống: mot-cua", "Lúc: 23/11/2026 03:12:05 (+07:00)", "Severity: high"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    let text = text.replace(&mail.token(), "TOKEN");
    assert!(text.contains("https://chieng.tinh.example/ack/TOKEN"));
    for secret in ["203.0.113.9", "nguyễn", "Failed", "Dò mật khẩu", "SSH", "lan"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(rig.told(1).await, [("delivered".to_owned(), "250 2.0.0 queued as 4Xy".to_owned())]);
    assert!(rig.state.incident(&rig.scope(), 1).await.unwrap().unwrap().paged.is_some());
}

#[tokio::test]
async fn mail_inside_the_province_may_say_more_by_a_setting() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |settings| {
        settings.inside_details = true;
        settings.inside_domains = vec!["Tinh.example".into()];
    })
    .await;
    let lan = rig.person("lan").await;
    rig.responder.add_channel(Some(lan.id), ChannelKind::Email, "lan@outside.example").await.unwrap();
    rig.attack(1, "203.0.113.9").await;
    assert_eq!(rig.work().await.delivered, 2);
    for mail in smtp.received() {
        let is_inside = mail.to[0] == "lan@tinh.example";
        assert_eq!(mail.text().contains("Nội dung: Dò mật khẩu SSH"), is_inside, "{}", mail.text());
        assert_eq!(mail.text().contains("203.0.113.9"), is_inside);
    }
}

#[tokio::test]
async fn a_busy_server_is_tried_again_and_each_attempt_is_kept() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    rig.person("lan").await;
    rig.attack(1, "203.0.113.9").await;
    smtp.refuse_next("451 4.7.1 greylisted");
    smtp.refuse_next("452 4.2.2 full");
    assert_eq!((rig.work().await.delivered, smtp.received().len()), (0, 0));
    assert_eq!(rig.work().await.attempts, 0, "not before it is due");
    rig.clock.advance(13 * SECOND);
    assert_eq!(rig.work().await.attempts, 1);
    rig.clock.advance(30 * SECOND);
    assert_eq!(rig.work().await.delivered, 1);
    let list = rig.state.incident_notifications(&rig.scope(), 1).await.unwrap();
    let (notification, _, attempts) = &list[0];
    let results: Vec<_> = attempts.iter().map(|attempt| attempt.result.as_str()).collect();
    assert_eq!((results, notification.tries), (vec!["failed", "failed", "delivered"], 3));
    assert!(attempts[0].detail.contains("greylisted"), "{}", attempts[0].detail);
}

#[tokio::test]
async fn a_server_that_is_down_gets_it_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut rig = Rig::new(address.port(), |_| {}).await;
    rig.person("lan").await;
    rig.attack(1, "203.0.113.9").await;
    assert_eq!(rig.work().await.delivered, 0);
    let rig = rig.restarted().await;
    let smtp = SmtpServer::on(TcpListener::bind(address).await.unwrap());
    rig.clock.advance(MINUTE);
    assert_eq!(rig.work().await.delivered, 1);
    assert_eq!(smtp.received().len(), 1);
}

#[tokio::test]
async fn a_message_nobody_takes_becomes_a_dead_letter_that_is_seen() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    let lan = rig.person("lan").await;
    rig.attack(1, "203.0.113.9").await;
    smtp.refuse_next("550 5.1.1 no such user");
    rig.work().await;
    let told = rig.told(1).await;
    assert_eq!(told[0].0, "dead");
    assert!(told[0].1.contains("no such user"), "{}", told[0].1);
    let dead = rig.state.recent_deliveries(10).await.unwrap();
    assert_eq!(dead[0].0.person, Some(lan.id));
    assert!(rig.sink.actions().contains(&"incident.page_dead".to_owned()), "{:?}", rig.sink.actions());
    rig.clock.advance(5 * MINUTE);
    assert_eq!(rig.work().await.attempts, 0, "a dead letter is not tried again");
}

#[tokio::test]
async fn after_a_day_of_trying_a_message_is_given_up() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |settings| settings.retry_hours = 1).await;
    rig.person("lan").await;
    let chain = serde_json::from_value(serde_json::json!({ "steps": [{ "wait_minutes": 0, "target": { "kind": "everyone" } }] }))
        .unwrap();
    rig.state.set_escalation(&chain).await.unwrap();
    rig.attack(1, "203.0.113.9").await;
    let mut attempts = 0;
    while event::seam::Clock::now(&*rig.clock) < START + 2 * HOUR {
        smtp.refuse_next("451 later");
        let worked = rig.work().await;
        attempts += worked.attempts;
        rig.clock.advance(MINUTE);
    }
    assert!((6..=10).contains(&attempts), "{attempts} attempts in an hour");
    let told = rig.told(1).await;
    assert_eq!(told[0].0, "dead");
    assert!(told[0].1.starts_with("given up"), "{}", told[0].1);
}

#[tokio::test]
async fn a_crash_between_sending_and_writing_down_repeats_the_same_message() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    rig.person("lan").await;
    rig.attack(1, "203.0.113.9").await;
    smtp.hang_up_after_next();
    assert_eq!(rig.work().await.delivered, 0, "the server took it and did not say so");
    rig.clock.advance(MINUTE);
    assert_eq!(rig.work().await.delivered, 1);
    let received = smtp.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].message_id(), received[1].message_id(), "a mailbox can tell");
    assert_ne!(received[0].token(), received[1].token());
}

#[tokio::test]
async fn without_a_mail_server_or_a_channel_the_hole_is_visible() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |settings| settings.smtp = None).await;
    rig.person("lan").await;
    rig.account("minh", event::Role::Oncall, event::Systems::All).await;
    rig.attack(1, "203.0.113.9").await;
    rig.work().await;
    let told = rig.told(1).await;
    assert!(told.iter().all(|(status, _)| status == "dead"), "{told:?}");
    assert!(told.iter().any(|(_, detail)| detail.contains("[respond.smtp]")), "{told:?}");
    assert!(told.iter().any(|(_, detail)| detail.contains("no channel")), "{told:?}");
}

#[tokio::test]
async fn a_webhook_is_signed_and_keeps_its_key_over_retries() {
    let (smtp, http) = (SmtpServer::start().await, HttpServer::start().await);
    let rig = Rig::new(smtp.port, |settings| settings.webhook.allow = vec!["127.0.0.1".into()]).await;
    let channel =
        rig.responder.add_channel(None, ChannelKind::Webhook, &format!("http://127.0.0.1:{}/hook", http.port)).await.unwrap();
    rig.attack(1, "203.0.113.9").await;
    http.answer_next("HTTP/1.1 503 Busy\r\nContent-Length: 7\r\n\r\nnot now");
    assert_eq!(rig.work().await.delivered, 0);
    rig.clock.advance(MINUTE);
    assert_eq!(rig.work().await.delivered, 1);
    let requests = http.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].line, "POST /hook HTTP/1.1");
    assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    let body: serde_json::Value = serde_json::from_str(&requests[1].body).unwrap();
    assert_eq!((&body["incident"], &body["severity"], &body["system"]), (&1.into(), &"high".into(), &"mot-cua".into()));
    assert_eq!(body["link"], "https://chieng.tinh.example/incidents/1", "a shared channel answers for nobody");
    assert!(!requests[1].body.contains("203.0.113.9"));
    let expected = sign(&channel.secret.unwrap(), START + MINUTE, &requests[1].body);
    assert_eq!(requests[1].header("x-chieng-signature"), Some(expected.as_str()));
    let list = rig.state.incident_notifications(&rig.scope(), 1).await.unwrap();
    let details: Vec<_> = list
        .iter()
        .filter(|(of, ..)| of.channel.is_some())
        .flat_map(|(.., attempts)| attempts)
        .map(|attempt| attempt.detail.as_str())
        .collect();
    assert_eq!(details, ["503 not now", "204"]);
}

#[tokio::test]
async fn a_webhook_cannot_be_sent_elsewhere() {
    let (smtp, http, inner) = (SmtpServer::start().await, HttpServer::start().await, HttpServer::start().await);
    let rig = Rig::new(smtp.port, |settings| settings.webhook.allow = vec!["127.0.0.1".into()]).await;
    let hook = format!("http://127.0.0.1:{}/hook", http.port);
    let channel = rig.responder.add_channel(None, ChannelKind::Webhook, &hook).await.unwrap();
    http.answer_next(&format!(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/admin\r\nContent-Length: 0\r\n\r\n",
        inner.port
    ));
    rig.responder.test_channel(channel.id).await.unwrap();
    rig.work().await;
    assert_eq!((http.requests().len(), inner.requests().len()), (1, 0));
    let told = rig.state.recent_deliveries(1).await.unwrap();
    assert_eq!((told[0].0.status.as_str(), told[0].0.detail.contains("redirects")), ("dead", true));
}

#[tokio::test]
async fn loopback_is_refused_by_every_name_it_has() {
    let (smtp, http) = (SmtpServer::start().await, HttpServer::start().await);
    let rig = Rig::new(smtp.port, |_| {}).await;
    let port = http.port;
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"] {
        let refused =
            rig.responder.add_channel(None, ChannelKind::Webhook, &format!("https://{host}:{port}/")).await.unwrap_err();
        assert!(refused.to_string().contains("not a public address"), "{host}: {refused}");
    }
    // A name can only be judged when it is called; what it resolves to may change after it was typed in.
    let channel = rig.responder.add_channel(None, ChannelKind::Webhook, &format!("https://localhost:{port}/")).await.unwrap();
    rig.responder.test_channel(channel.id).await.unwrap();
    assert_eq!(rig.work().await, respond::Worked { attempts: 1, audited: 1, ..Default::default() });
    let told = rig.state.recent_deliveries(1).await.unwrap();
    assert_eq!(told[0].0.status, "dead");
    assert!(told[0].0.detail.contains("not a public address"), "{}", told[0].0.detail);
    assert_eq!(http.requests().len(), 0);
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let (smtp, http) = (SmtpServer::start().await, HttpServer::start().await);
    let rig = Rig::new(smtp.port, |settings| settings.webhook.allow = vec!["127.0.0.1".into()]).await;
    let hook = format!("http://127.0.0.1:{}/hook", http.port);
    let channel = rig.responder.add_channel(None, ChannelKind::Webhook, &hook).await.unwrap();
    http.answer_next(&format!("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n\u{1b}[31m{}", "x".repeat(200_000)));
    rig.responder.test_channel(channel.id).await.unwrap();
    assert_eq!(rig.work().await.delivered, 1);
    let detail = rig.state.recent_deliveries(1).await.unwrap()[0].0.detail.clone();
    assert!(detail.starts_with("200 [31mxx") && detail.len() < 120, "{detail:?}");
}

#[tokio::test]
async fn the_loop_delivers_without_being_asked_and_stops_when_told() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    rig.person("lan").await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(rig.responder.clone().run(async move { stopped.await.unwrap_or(()) }));
    rig.attack(1, "203.0.113.9").await;
    let begun = Instant::now();
    while smtp.received().is_empty() || rig.told(1).await[0].0 != "delivered" {
        assert!(begun.elapsed() < Duration::from_secs(20), "no page: {:?}", rig.told(1).await);
        tokio::task::yield_now().await;
    }
    eprintln!("from match recorded to mail delivered: {} ms", begun.elapsed().as_millis());
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap();
    assert_eq!(smtp.received().len(), 1);
}

#[tokio::test]
async fn a_test_page_says_so_and_a_test_alert_wakes_nobody() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    let lan = rig.person("lan").await;
    assert_eq!(rig.responder.test_page(lan.id).await.unwrap(), 1);
    assert_eq!(rig.work().await.delivered, 1);
    assert_eq!(smtp.received()[0].subject(), "[Chiêng] Trang thử / test page");
    let incident = rig.responder.test_alert("chieng", "lan").await.unwrap();
    rig.work().await;
    assert_eq!(smtp.received().len(), 1);
    let incident = rig.state.incident(&rig.scope(), incident).await.unwrap().unwrap();
    assert_eq!((incident.severity, incident.paged), (Severity::Informational, None));
    assert!(rig.responder.test_page(999).await.is_err());
}
