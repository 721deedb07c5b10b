//! A sender that nobody registered: its events wait under `unassigned`, and move when it is adopted, past ones included.

use std::net::UdpSocket;

use serde_json::json;

use crate::harness::{Person, Site, wait_for};

const SYSTEMS: &str = "id,name,level,owner,operator,decision_number,decision_date\n\
    dvc,Cổng dịch vụ công,3,UBND tỉnh,Trung tâm,1/QĐ,01/02/2024\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adopting_an_unknown_sender_moves_what_it_sent_before_and_since() {
    let site = Site::new("[store]\nflush_interval = \"1s\"\n");
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    let (status, answer) = admin.post("/api/v1/register/import", json!({ "kind": "systems", "csv": SYSTEMS })).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |user: &str| {
        let line = format!("<38>Nov 23 08:00:01 web01 sshd[812]: Failed password for {user} from 203.0.113.9 port 40022 ssh2");
        udp.send_to(line.as_bytes(), server.address("syslog_udp")).expect("send")
    };
    let count = |condition: &str| site.count(&format!("SELECT count(*) FROM events WHERE {condition}"));
    for user in ["an", "binh", "chi"] {
        send(user);
    }
    wait_for("three events of nobody", || (count("system.id = 'unassigned' AND event.dataset = 'sshd.auth'") == 3).then_some(()));
    let (_, sources) = admin.get("/api/v1/sources").await;
    assert_eq!(sources["unknown_senders"][0]["address"], "127.0.0.1", "{sources}");
    let body = json!({ "address": "127.0.0.1", "system": "dvc", "asset_name": "web01", "reason": "máy của cổng" });
    let (status, answer) = admin.post("/api/v1/sources/adopt", body).await;
    assert_eq!((status, &answer["moved"]), (200, &json!(3)), "{answer}");
    wait_for("the past to move", || (count("system.id = 'dvc'") == 3).then_some(()));
    assert_eq!(count("system.id = 'dvc' AND chieng.attribution = 'amendment' AND system.level = 3"), 3);
    assert_eq!(count("system.id = 'unassigned' AND event.dataset = 'sshd.auth'"), 0);
    send("dung");
    wait_for("the next one to come attributed", || {
        (count("system.id = 'dvc' AND chieng.attribution = 'sender'") == 1).then_some(())
    });
    let (_, sources) = admin.get("/api/v1/sources").await;
    assert_eq!(sources["unknown_senders"], json!([]), "{sources}");
    // It is told from the register, not from memory.
    server.stop();
    let server = site.start();
    assert_eq!(count("system.id = 'dvc' AND event.dataset = 'sshd.auth'"), 4);
    server.stop();
}
